/*
 * arch/thread.h - contract: register state of threads, and signal frames.
 *
 * struct arch_thread (arch_thread.h) holds the kernel stack pointer, TLS base and the extended (FPU/SSE/AVX) state; kernel/ embeds it in
 * struct thread.  A thread's user registers are the trap frame at the top of its kernel stack: thread_frame().
 */
#pragma once
#include "vm/types.h"
#include "arch_thread.h"

struct trap_frame;

enum { KERNEL_STACK_PAGES = 4 };

/* Extended state lies at the top of the stack and goes with it.  0; fresh state as after exec. */
int  arch_thread_init(struct arch_thread *, vaddr_t kernel_stack_top);
/* The same, with user registers, TLS and extended state copied from the running thread `parent`; the child's syscall returns 0. */
int  arch_thread_fork(struct arch_thread *child, vaddr_t kernel_stack_top, struct arch_thread *parent);
/* First switch to this thread starts kernel function fn(arg), interrupts on. */
void arch_thread_start_in(struct arch_thread *, void (*fn)(void *), void *arg);
/* First switch to this thread goes to user mode by way of kernel_thread_begin() and its trap frame. */
void arch_thread_start_user(struct arch_thread *);
void kernel_thread_begin(void);			/* upcall (kernel/sched.c): first code of a new thread, finishes the switch */

/* Switches kernel stacks, extended state, TLS base, and the trap-entry stack; interrupts off. The address space is switched by mmu_activate. */
void arch_switch(struct arch_thread *from, struct arch_thread *to);

/* The current thread: what the processor has of its extended state and TLS bases, for who reads them from the structure (arch/trace.h). */
void arch_thread_save(struct arch_thread *);

struct trap_frame *thread_frame(struct arch_thread *);
/* Fresh user registers for exec (all zero but these), extended state and TLS reset. */
void frame_exec(struct arch_thread *, vaddr_t entry, vaddr_t stack);
vaddr_t frame_sp(const struct trap_frame *);
void frame_set_sp(struct trap_frame *, vaddr_t);
vaddr_t frame_ip(const struct trap_frame *);		/* where the program goes on */
void frame_set_ip(struct trap_frame *, vaddr_t);
void frame_set_result(struct trap_frame *, long value);
long frame_result(const struct trap_frame *);	/* what the call returned; kernel_syscall's value is in the frame when kernel_user_return runs */
/* The number of the call that is being made, as it stands in the frame: a tracer may have changed it. */
long frame_call(const struct trap_frame *);
/* Was this frame made by a system call?  Its number, or -1; for restarting: rewind to the call instruction, with that number. */
long frame_syscall(const struct trap_frame *);
void frame_restart_syscall(struct trap_frame *, long number);
/* arch_prctl(2): 0 or negative errno. */
long arch_prctl(struct arch_thread *, int code, unsigned long arg);
void arch_set_tls(struct arch_thread *, vaddr_t base);
/* May the current thread, and those that it will make, read the cycle counter?  Otherwise that is SIGSEGV. */
bool arch_tsc_allowed(void);
void arch_tsc_allow(bool);

/*
 * Builds a Linux rt signal frame (struct rt_sigframe: ucontext, siginfo, extended state) on the user stack and sets the frame up to run the
 * handler; -EFAULT if the stack cannot be written.  stack_top 0: the current stack (minus the red zone); else an alternate stack's top.
 */
struct signal_setup {
	int signo;
	vaddr_t handler, restorer, stack_top;
	uint64_t mask;				/* the mask to restore */
	const void *siginfo;			/* 128 bytes, Linux's siginfo_t */
	const void *altstack;			/* 24 bytes, Linux's stack_t, for uc_stack */
	unsigned long hw_error, trapno; vaddr_t fault_addr;	/* into the sigcontext */
};
int signal_frame_push(struct arch_thread *, const struct signal_setup *);
/* rt_sigreturn: restores registers and extended state from the frame at the user stack, checked (no privileged bit, canonical ip,
 * extended state sane); gives back the mask and the altstack; -EFAULT for a frame that is unreadable or was tampered with. */
int signal_frame_pop(struct arch_thread *, uint64_t *mask, void *altstack);

/* Bytes of stack that a signal frame takes, the room lost to its alignment included. */
size_t signal_frame_size(void);

/* e_machine for ELF, and the platform string for AT_PLATFORM, hwcap bits for AT_HWCAP and AT_HWCAP2. */
enum { ELF_MACHINE = ARCH_ELF_MACHINE };
unsigned long arch_hwcap(void);
unsigned long arch_hwcap2(void);
const char *arch_platform(void);
