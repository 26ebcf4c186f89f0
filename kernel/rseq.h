/*
 * kernel/rseq.h - restartable sequences (rseq(2)): a thread's word in user memory says on which processor it runs, and a critical section that is left in the middle, by a switch or a signal,
 * is begun anew.
 */
#pragma once
#include "vm/types.h"

struct thread;
struct trap_frame;

/* Of a thread, its own: where its structure is (0: it has none), and the word that must stand before an abort handler. */
struct rseq { vaddr_t at; uint32_t signature; };

/* On the way to user mode after a switch (WORK_RSEQ): leaves a critical section, tells the processor. */
void rseq_resume(struct thread *, struct trap_frame *);
/* A handler is about to run: leaves a critical section. */
void rseq_interrupt(struct thread *, struct trap_frame *);
