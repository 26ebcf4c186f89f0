/*
 * kernel/trap.c - what the processor reports: page faults and other exceptions; and the way back to user mode.
 *
 *	user access → arch's entry → kernel_page_fault → vm_fault → ... → mmu_map
 *
 * A fault that cannot be served is a signal in user mode; in a system call the copy function's fix-up turns it into EFAULT.
 */
#include "arch/time.h"
#include "arch/trap.h"
#include "kernel/clock.h"
#include "kernel/life.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "vm/fault.h"
#include "vm/reclaim.h"

static void send_fault_signal(struct thread *, const struct fault_result *, vaddr_t addr, unsigned long hw_error);
static bool survive_no_memory(struct thread *, enum fault_mode, uint64_t *since_ns);

enum { TRAP_PAGE_FAULT = 14 };

bool kernel_page_fault(struct trap_frame *frame, vaddr_t addr, enum fault_access access, enum fault_mode mode, unsigned long hw_error)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct fault_result result;
	uint64_t since_ns = 0;

	(void)frame;
	if (!p || !p->space || t->no_faults || (mode == FAULT_KERNEL && addr >= USER_MAX))
		return false;
	do
		result = vm_fault(p->space, addr, access, mode, &t->faults);
	while (result.outcome == FAULT_NO_MEMORY && survive_no_memory(t, mode, &since_ns));
	if (result.outcome != FAULT_DONE && mode == FAULT_USER)
		send_fault_signal(t, &result, addr, hw_error);
	return result.outcome == FAULT_DONE || mode == FAULT_USER;
}

static void send_fault_signal(struct thread *t, const struct fault_result *result, vaddr_t addr, unsigned long hw_error)
{
	struct siginfo info = { .fault.addr = addr };
	switch (result->outcome) {
	case FAULT_NO_MEMORY:
		return;				/* SIGKILL has been sent */
	case FAULT_SIGNAL_BUS:
		info.signo = SIGBUS;
		info.code = BUS_ADRERR;
		break;
	default:
		info.signo = SIGSEGV;
		info.code = result->outcome == FAULT_SIGNAL_SEGV_ACCERR ? SEGV_ACCERR : SEGV_MAPERR;
		if (addr >= USER_MAX)
			info.code = SEGV_MAPERR;
	}
	signal_force(t, info.signo, &info, TRAP_PAGE_FAULT, hw_error);
}

/*
 * First pages of files are reclaimed, then files that nobody has open (not from within a system call, which may hold locks).  Then another process
 * is made to give its memory, and gets the time to do so: true, try again.  Nobody can: this one dies.
 *
 * Within a system call it waits for a second only: the other may not be able to die before a lock is dropped that this call holds.
 * For a space that was reaped no memory is enough: whoever still runs on it dies at once, and takes nothing from others before.
 */
static bool survive_no_memory(struct thread *t, enum fault_mode mode, uint64_t *since_ns)
{
	uint64_t now_ns = time_now_ns();
	bool reaped = t->process->space->reaped;

	if (!reaped && (reclaim_frames(RECLAIM_BATCH) > 0 || (mode == FAULT_USER && vnode_drop_idle() > 0)))
		return true;
	if (*since_ns == 0)
		*since_ns = now_ns;
	bool patient = !reaped && (mode == FAULT_USER || now_ns - *since_ns < NS_PER_SECOND);
	if (patient && !process_killed(t->process) && oom_kill() && !process_killed(t->process)) {
		sched_yield();
		return !process_killed(t->process);
	}
	signal_send_process(t->process, SIGKILL, NULL);
	return false;
}

void kernel_user_exception(struct trap_frame *frame, int signo, int code, vaddr_t addr, unsigned trapno, unsigned long hw_error)
{
	struct siginfo info = { .signo = signo, .code = code, .fault.addr = addr };
	(void)frame;
	signal_force(current_thread(), signo, &info, trapno, hw_error);
}

void kernel_user_return(struct trap_frame *frame)
{
	lock_check_none_held();
	while (kernel_work_pending()) {
		if (sched_needed())
			sched_yield();
		thread_work_done(current_thread(), WORK_TRACED);
		if (thread_work(current_thread(), WORK_SIGNAL))
			signal_deliver(frame);
		if (thread_work(current_thread(), WORK_RSEQ))
			rseq_resume(current_thread(), frame);
	}
}
