/* kernel/futex.h - futex(2): waiting for a word of user memory to change. */
#pragma once
#include "vm/types.h"

struct thread;

void futex_init(void);
/* Wakes at most n of those that wait for the word at this address of the current space, as one that others may share; how many. */
long futex_wake(vaddr_t word, int n);
/* The current thread goes without having unlocked the mutexes of its robust list: they are marked, and who waits for them is woken. */
void futex_leave_robust(struct thread *);
/* A thread ends: whoever waits for a mutex of its (FUTEX_LOCK_PI) gets it. */
void futex_leave_pi(struct thread *);
