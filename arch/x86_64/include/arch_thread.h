/* arch_thread.h - x86-64: what a thread's registers are kept in while it does not run. */
#pragma once
#include "arch_types.h"

struct arch_thread {
	vaddr_t sp;			/* kernel stack pointer, below what arch_switch has pushed */
	void *xstate;			/* XSAVE or FXSAVE area at the top of the kernel stack, the trap frame below it; NULL: never sees user mode (idle) */
	uint64_t fs_base, gs_base;	/* the user's; up to date only while it does not run */
	bool no_tsc;			/* the instructions that read the cycle counter trap */
};

enum { ARCH_ELF_MACHINE = 62 };		/* EM_X86_64 */
