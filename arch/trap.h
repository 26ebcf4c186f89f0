/*
 * arch/trap.h - contract: how control comes from user mode into the kernel and back.
 *
 * struct trap_frame is the saved user (or kernel) register set; only the architecture looks inside.
 */
#pragma once
#include "vm/types.h"

struct trap_frame;

enum fault_access { FAULT_READ, FAULT_WRITE, FAULT_EXEC };
enum fault_mode { FAULT_USER, FAULT_KERNEL, FAULT_POPULATE };	/* which mode the access was made in; POPULATE: it has not been made yet, no stack grows for it */

/*
 * Upcall (kernel/trap.c): a page fault at addr.  hw_error and addr go into the signal frame as they are.
 * => returns true when the instruction may be tried again (or a signal is pending, for user mode);
 *    false for a kernel-mode access that cannot be served: the architecture applies its fix-up, or panics when there is none.
 */
bool kernel_page_fault(struct trap_frame *, vaddr_t addr, enum fault_access, enum fault_mode, unsigned long hw_error);

/* Upcall (kernel/trap.c): any other exception in user mode: becomes the signal `signo` with si_code `code` and si_addr `addr`. */
void kernel_user_exception(struct trap_frame *, int signo, int code, vaddr_t addr, unsigned trapno, unsigned long hw_error);

/* Upcall (kernel/syscall.c): runs the call and returns the value for the user; a handler may change the frame (exec, sigreturn). */
long kernel_syscall(struct trap_frame *, unsigned long number, const unsigned long args[6]);

/* Upcall (kernel/trap.c): the last thing before user mode is entered: reschedules, delivers signals. Interrupts are on at entry. Called
 * when work_pending() says so. */
void kernel_user_return(struct trap_frame *);
/* Upcall: cheap test for the above, interrupts off. */
bool kernel_work_pending(void);

/* Back to user mode with this frame, on this thread's stack; never returns. */
void trap_return(struct trap_frame *) __attribute__((noreturn));
