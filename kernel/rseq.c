/*
 * kernel/rseq.c - restartable sequences; see rseq.h.  (Linux's include/uapi/linux/rseq.h, as of 6.1: 32 bytes.)
 *
 * Nothing is noted when a thread leaves its processor but that it has (WORK_RSEQ); all else is done by the thread itself before it is in user mode again, and once more if it was
 * switched meanwhile.
 */
#include "kernel/rseq.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

enum { RSEQ_BYTES = 32, RSEQ_UNREGISTER = 1, NO_CPU = -1 };

/* The start of struct rseq, and what its `section` points to. */
struct area { uint32_t cpu_start, cpu; vaddr_t section; };
struct section { uint32_t version, flags; uint64_t start, length, abort; };

static int tell_cpu(vaddr_t at, uint32_t start, uint32_t cpu)
{
	const uint32_t words[2] = { start, cpu };
	return user_put(at, words);
}

/* Where the thread goes on, if it is inside a critical section: *ip is changed; and the section is left in any case. 0, or -EFAULT, -EINVAL: the program is wrong. */
static int leave_section(const struct rseq *r, vaddr_t *ip)
{
	const vaddr_t field = r->at + offsetof(struct area, section), none = 0;
	struct section s;
	vaddr_t at;
	uint32_t signature;
	if (user_get(at, field))
		return -EFAULT;
	if (!at)
		return 0;
	if (at >= USER_MAX || user_get(s, at))
		return -EFAULT;
	if (s.start >= USER_MAX || s.start + s.length >= USER_MAX || s.start + s.length < s.start || s.abort >= USER_MAX || s.version || s.flags
	    || s.abort - s.start < s.length)
		return -EINVAL;
	if (*ip - s.start < s.length) {
		if (user_get(signature, s.abort - sizeof signature))
			return -EFAULT;
		if (signature != r->signature)
			return -EINVAL;
		*ip = s.abort;
	}
	return user_put(field, none);
}

static int leave(struct thread *t, struct trap_frame *frame)
{
	vaddr_t ip = frame_ip(frame);
	int error = leave_section(&t->rseq, &ip);
	if (!error && ip != frame_ip(frame))
		frame_set_ip(frame, ip);
	return error;
}

void rseq_resume(struct thread *t, struct trap_frame *frame)
{
	thread_work_done(t, WORK_RSEQ);
	if (!t->rseq.at)
		return;
	int error = leave(t, frame);
	if (!error)
		error = tell_cpu(t->rseq.at, cpu_index(), cpu_index());
	if (error) {
		t->rseq.at = 0;
		signal_force(t, SIGSEGV, NULL, t->fault.trapno, t->fault.hw_error);
	}
}

void rseq_interrupt(struct thread *t, struct trap_frame *frame)
{
	if (t->rseq.at && leave(t, frame) != 0) {
		t->rseq.at = 0;
		signal_force(t, SIGSEGV, NULL, t->fault.trapno, t->fault.hw_error);
	}
}

static long unregister(struct thread *t, vaddr_t at, uint32_t length, uint32_t signature)
{
	if (!t->rseq.at || t->rseq.at != at || length != RSEQ_BYTES)
		return -EINVAL;
	if (t->rseq.signature != signature)
		return -EPERM;
	if (tell_cpu(at, 0, (uint32_t)NO_CPU))
		return -EFAULT;
	t->rseq.at = 0;
	return 0;
}

/* rseq(*area, length, flags, signature) */
long sys_rseq(const unsigned long args[6])
{
	struct thread *t = current_thread();
	const vaddr_t at = args[0];
	uint32_t length = (uint32_t)args[1], signature = (uint32_t)args[3];
	unsigned flags = (unsigned)args[2];

	if (flags)
		return flags == RSEQ_UNREGISTER ? unregister(t, at, length, signature) : -EINVAL;
	if (t->rseq.at) {
		if (t->rseq.at != at || length != RSEQ_BYTES)
			return -EINVAL;
		return t->rseq.signature != signature ? -EPERM : -EBUSY;
	}
	if (!at || at % RSEQ_BYTES || length != RSEQ_BYTES)
		return -EINVAL;
	if (at > USER_MAX - RSEQ_BYTES)
		return -EFAULT;
	t->rseq = (struct rseq){ at, signature };
	thread_work_add(t, WORK_RSEQ);
	return 0;
}
