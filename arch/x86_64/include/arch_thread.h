/*
 * arch_thread.h - x86-64: what arch/ keeps of a thread.
 *
 * The kernel stack, from its top down: the extended state (FPU, SSE, AVX: an XSAVE area), the trap frame, then the calls of the kernel.
 */
#pragma once
#include "arch_types.h"

#define ARCH_ELF_MACHINE 62		/* EM_X86_64 */

struct trap_frame;

struct arch_thread {
	uint64_t sp;			/* kernel stack pointer while it does not run */
	vaddr_t trap_stack;		/* where a trap from user mode begins to push: just above the frame */
	void *xstate;			/* XSAVE area, 64-byte aligned, at the top of the stack */
	uint64_t fs_base, gs_base;	/* the user's; current only while it does not run */
};
