/*
 * arch/x86_64/frame.h - the trap frame, selectors and vectors.  entry.asm builds frames and knows these numbers too.
 *
 * rdi to r9 lie in the order of a system call's arguments, so the frame itself is the argument array.
 */
#pragma once
#include "vm/types.h"

struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;		/* kept by C functions */
	uint64_t r11, rcx, rax;
	uint64_t rdi, rsi, rdx, r10, r8, r9;		/* args[6] of a system call */
	uint64_t vector;				/* what made the frame */
	uint64_t error;					/* the exception's error code; a system call's number */
	uint64_t rip, cs, rflags, rsp, ss;		/* the part that IRET takes */
};

enum {
	VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_NMI = 2, VECTOR_BREAKPOINT = 3, VECTOR_OVERFLOW = 4, VECTOR_BOUND = 5, VECTOR_INVALID = 6,
	VECTOR_NO_FPU = 7, VECTOR_DOUBLE_FAULT = 8, VECTOR_FPU_OVERRUN = 9, VECTOR_TSS = 10, VECTOR_NOT_PRESENT = 11, VECTOR_STACK = 12,
	VECTOR_PROTECTION = 13, VECTOR_PAGE_FAULT = 14, VECTOR_FPU = 16, VECTOR_ALIGNMENT = 17, VECTOR_MACHINE_CHECK = 18, VECTOR_SIMD = 19,
	VECTOR_EXCEPTIONS = 32,
	VECTOR_IRQ = 32,				/* IRQ 0 to 15 */
	VECTOR_TIMER = 0xf0, VECTOR_KICK = 0xf1, VECTOR_REQUEST = 0xf2, VECTOR_APIC_ERROR = 0xfe, VECTOR_SPURIOUS = 0xff,	/* of the local interrupt controller */
	VECTORS = 256,
	VECTOR_SYSCALL = 256,				/* not in the IDT: the frame was made by SYSCALL, and nobody has replaced its registers */
	VECTOR_REPLACED = 257,				/* exec or sigreturn set all registers */
};

/* Selectors, Linux's values: programs look at them.  SYSRET wants user data below user code. */
enum { KERNEL_CS = 0x10, KERNEL_DS = 0x18, USER_DS = 0x2b, USER_CS = 0x33, TSS_SELECTOR = 0x40 };

static inline bool from_user(const struct trap_frame *f) { return (f->cs & 3) == 3; }
