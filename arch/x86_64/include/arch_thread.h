/* arch_thread.h - x86-64: what a thread's registers are kept in while it does not run. */
#pragma once
#include "arch_types.h"

struct arch_thread {
	vaddr_t sp;			/* kernel stack pointer, below what arch_switch has pushed */
	vaddr_t stack_top;		/* the trap frame ends here */
	void *xstate;			/* XSAVE or FXSAVE area, aligned; NULL: a thread that never sees user mode (idle) */
	void *xstate_block;		/* the heap block that it lies in */
	uint64_t fs_base, gs_base;	/* the user's; up to date only while it does not run */
};

enum { ARCH_ELF_MACHINE = 62 };		/* EM_X86_64 */
