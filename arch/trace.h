/*
 * arch/trace.h - contract: the registers of a thread that is stopped for its tracer, in Linux's layouts.  It does not run on any processor.
 */
#pragma once
#include "vm/types.h"

struct arch_thread;
struct trap_frame;

/* A trap after each instruction, or not. */
void frame_set_step(struct trap_frame *, bool on);

/* The sets by their names in ELF core files: general registers, x87 and SSE as FXSAVE has them, all extended state. */
enum register_set { REGISTERS_GENERAL = 1, REGISTERS_FLOAT = 2, REGISTERS_EXTENDED = 0x202 };
/* Its size in bytes; 0: there is no such set. */
size_t registers_size(enum register_set);
/* Between the thread and a buffer of that size.  put: n bytes of it count, the rest stays; 0, -EINVAL: the processor would not take it, -EIO. */
void registers_get(struct arch_thread *, enum register_set, void *to);
int registers_put(struct arch_thread *, enum register_set, const void *from, size_t n);
/* What PTRACE_GET_SYSCALL_INFO tells: where, and the call that it is in. */
struct call_state { uint64_t ip, sp, number, args[6]; int64_t result; uint32_t arch; };
void registers_call(struct arch_thread *, struct call_state *);
