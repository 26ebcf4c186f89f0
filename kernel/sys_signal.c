/*
 * kernel/sys_signal.c - the system calls about signals.
 *
 * They check and copy what the user gave, and leave the work to signal.c and signal_queue.c.  The size of a signal set is an argument
 * of every rt_ call and must be that of the kernel's, 8 bytes.
 */
#include "arch/time.h"
#include "arch/uaccess.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

enum { SET_SIZE = 8 };
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };
enum { SS_ONSTACK = 1, SS_DISABLE = 2, MINSIGSTKSZ = 2048 };
#define SS_AUTODISARM	(1u << 31)
#define SA_KNOWN	((uint64_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | SA_NODEFER) | 0x80000000u)
#define NANOSECONDS	1000000000

struct altstack { vaddr_t sp; int32_t flags; uint32_t pad; uint64_t size; };

static bool valid_signo(long signo) { return signo >= 1 && signo <= SIGNALS; }

long sys_rt_sigaction(const unsigned long args[6])
{
	int signo = (int)args[0];
	vaddr_t new_at = args[1], old_at = args[2];
	struct sigaction64 new, old;
	struct process *p = current;

	if (args[3] != SET_SIZE)
		return -EINVAL;
	if (new_at && user_get(new, new_at))
		return -EFAULT;
	if (!valid_signo(signo) || (new_at && (signo == SIGKILL || signo == SIGSTOP)))
		return -EINVAL;

	unsigned long irq = spin_lock_irq(&p->signal_lock);
	old = signal_action_get(p, signo);
	if (new_at) {
		new.flags &= SA_KNOWN;
		new.mask &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
		signal_action_set(p, signo, &new);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	if (new_at) {
		enum signal_default action = signal_default_action(signo);
		if (new.handler == SIG_IGN || (new.handler == SIG_DFL && (action == DEFAULT_IGNORE || action == DEFAULT_CONTINUE)))
			signal_forget(p, signal_bit(signo));
		else
			posix_timers_heeded(p, signo);
	}
	return old_at ? user_put(old_at, old) : 0;
}

long sys_rt_sigprocmask(const unsigned long args[6])
{
	struct thread *t = current_thread();
	uint64_t old = t->blocked, set;

	if (args[3] != SET_SIZE)
		return -EINVAL;
	if (args[1]) {
		if (user_get(set, args[1]))
			return -EFAULT;
		switch ((int)args[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_mask(set);
	}
	return args[2] ? user_put(args[2], old) : 0;
}

long sys_rt_sigpending(const unsigned long args[6])
{
	struct thread *t = current_thread();
	uint64_t set = (t->signals.pending | t->process->signals.pending) & t->blocked;

	if (args[1] > SET_SIZE)
		return -EINVAL;
	return user_copy_out(args[0], &set, args[1]) ? -EFAULT : 0;
}

long sys_pause(const unsigned long args[6])
{
	(void)args;
	while (sched_sleep_interruptible(~(uint64_t)0) == 0)
		;
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(const unsigned long args[6])
{
	uint64_t set;

	if (args[1] != SET_SIZE)
		return -EINVAL;
	if (user_get(set, args[0]))
		return -EFAULT;
	signal_mask_for_call(set);
	return signal_mask_return(sys_pause(args));
}

static int take_awaited(struct thread *t, uint64_t set, struct siginfo *info)
{
	struct process *p = t->process;
	struct signal_taken taken;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	int signo = signal_take(t, ~set, info, &taken);
	if (t->awaited) {			/* what it has been marked for, and does not take now, is for others that wait */
		t->awaited = 0;
		signal_retarget(p, t, set & t->blocked);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	if (signo)
		signal_taken(info, &taken);
	return signo;
}

/* Sleeps until a signal comes or the deadline has passed; signals in `set` wake though they are blocked, until take_awaited. */
static void await(struct thread *t, uint64_t set, uint64_t deadline_ns)
{
	struct process *p = t->process;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	t->awaited = set;
	if ((t->signals.pending | p->signals.pending) & set)
		thread_work_add(t, WORK_SIGNAL);		/* it came since we looked */
	spin_unlock_irq(&p->signal_lock, irq);
	sched_sleep_interruptible(deadline_ns);
}

long sys_rt_sigtimedwait(const unsigned long args[6])
{
	struct thread *t = current_thread();
	uint64_t set, deadline = ~(uint64_t)0;
	struct timespec64 timeout;
	struct siginfo info;

	if (args[3] != SET_SIZE)
		return -EINVAL;
	if (user_get(set, args[0]) || (args[2] && user_get(timeout, args[2])))
		return -EFAULT;
	set &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
	if (args[2]) {
		if (timeout.sec < 0 || timeout.nsec < 0 || timeout.nsec >= NANOSECONDS)
			return -EINVAL;
		if (timeout.sec < INT64_MAX / NANOSECONDS / 2)
			deadline = time_now_ns() + (uint64_t)timeout.sec * NANOSECONDS + (uint64_t)timeout.nsec;
	}
	int signo = take_awaited(t, set, &info);
	if (!signo && deadline > time_now_ns()) {
		await(t, set, deadline);
		signo = take_awaited(t, set, &info);
	}
	if (!signo)
		return thread_work(t, WORK_SIGNAL) ? -EINTR : -EAGAIN;
	if (args[1] && user_put(args[1], info))
		return -EFAULT;
	return signo;
}

static bool on_altstack(struct thread *t)
{
	vaddr_t sp = frame_sp(thread_frame(&t->arch));

	return !((unsigned)t->altstack.flags & SS_AUTODISARM) && sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;
}

static long set_altstack(struct thread *t, struct altstack new)
{
	int mode = (int)((unsigned)new.flags & ~SS_AUTODISARM);

	if (on_altstack(t))
		return -EPERM;
	if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
		return -EINVAL;
	if (new.sp == t->altstack.sp && new.size == t->altstack.size && new.flags == t->altstack.flags)
		return 0;			/* whatever it is */
	if (mode == SS_DISABLE)
		new.sp = new.size = 0;
	else if (new.size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack.sp = new.sp;
	t->altstack.flags = new.flags;
	t->altstack.size = new.size;
	return 0;
}

long sys_rt_sigreturn(const unsigned long args[6])
{
	struct thread *t = current_thread();
	struct altstack stack;
	uint64_t mask;

	(void)args;
	if (signal_frame_pop(&t->arch, &mask, &stack) != 0) {
		signal_force(t, SIGSEGV, NULL, t->fault.trapno, t->fault.hw_error);
		return 0;
	}
	signal_set_mask(mask);
	set_altstack(t, stack);			/* if what the frame says of it makes sense */
	return frame_result(thread_frame(&t->arch));
}

long sys_sigaltstack(const unsigned long args[6])
{
	struct thread *t = current_thread();
	struct altstack new, old = { t->altstack.sp, (int32_t)((unsigned)t->altstack.flags & SS_AUTODISARM), 0, t->altstack.size };
	long error = 0;

	old.flags |= on_altstack(t) ? SS_ONSTACK : old.size == 0 ? SS_DISABLE : 0;
	if (args[0])
		error = user_get(new, args[0]) ? -EFAULT : set_altstack(t, new);
	return error ? error : args[1] ? user_put(args[1], old) : 0;
}

/* Sends to one process, or looks only whether it could (signo 0). tree_lock held. */
static long send_checked(struct process *p, int signo, const struct siginfo *info)
{
	long error = signal_permitted(p, signo);
	if (error || signo == 0)
		return error;
	return signal_send_process(p, signo, info);
}

/* kill of a group: it is enough if one could be signalled. tree_lock held. */
static long kill_group(pid_type pgid, int signo, const struct siginfo *info)
{
	long result = -ESRCH;
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->pgid != pgid)
			continue;
		long error = send_checked(p, signo, info);
		if (error == 0 || result == -ESRCH)
			result = error;
	}
	return result;
}

/* kill of all but pid 1 and the caller; those that may not be signalled are passed over in silence. tree_lock held. */
static long kill_all(int signo, const struct siginfo *info)
{
	long result = -ESRCH;
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->pid == 1 || p == current)
			continue;
		long error = send_checked(p, signo, info);
		if (result == -ESRCH || error != -EPERM)
			result = error == -EPERM ? 0 : error;
	}
	return result;
}

long sys_kill(const unsigned long args[6])
{
	pid_type pid = (pid_type)args[0];
	int signo = (int)args[1];
	struct siginfo info = { .code = SI_USER, .child = { .pid = current->pid, .uid = current->uid } };
	long result = -ESRCH;

	if (pid == INT32_MIN)
		return -ESRCH;
	mutex_lock(&tree_lock);
	if (pid > 0) {
		struct process *p = process_of(pid);
		if (p)
			result = send_checked(p, signo, &info);
	} else if (pid == -1) {
		result = kill_all(signo, &info);
	} else {
		result = kill_group(pid == 0 ? current->pgid : -pid, signo, &info);
	}
	mutex_unlock(&tree_lock);
	return result;
}

/* To the thread tid of any process, or of process tgid if that is not 0. */
static long send_to_thread(pid_type tgid, pid_type tid, int signo, const struct siginfo *info)
{
	long result = -ESRCH;

	mutex_lock(&tree_lock);
	struct thread *t = thread_find(tid);
	struct process *p = process_of(tid);
	if (p && (!tgid || p->pid == tgid)) {
		result = signal_permitted(p, signo);
		if (result == 0 && signo && t)		/* none: the leader, which has exited and is not yet forgotten */
			result = signal_send_thread(t, signo, info);
	}
	mutex_unlock(&tree_lock);
	return result;
}

long sys_tkill(const unsigned long args[6])
{
	struct siginfo info = { .code = SI_TKILL, .child = { .pid = current->pid, .uid = current->uid } };
	if ((pid_type)args[0] <= 0)
		return -EINVAL;
	return send_to_thread(0, (pid_type)args[0], (int)args[1], &info);
}

long sys_tgkill(const unsigned long args[6])
{
	struct siginfo info = { .code = SI_TKILL, .child = { .pid = current->pid, .uid = current->uid } };
	if ((pid_type)args[0] <= 0 || (pid_type)args[1] <= 0)
		return -EINVAL;
	return send_to_thread((pid_type)args[0], (pid_type)args[1], (int)args[2], &info);
}

/* sigqueue(3)'s information is the caller's, but nobody may pretend to be the kernel or kill(2) towards others. */
static long get_info(vaddr_t from, pid_type to_tid, int signo, struct siginfo *info)
{
	if (user_get(*info, from))
		return -EFAULT;
	if ((info->code >= 0 || info->code == SI_TKILL) && to_tid != current_thread()->tid)
		return -EPERM;
	info->signo = signo;
	return 0;
}

long sys_rt_sigqueueinfo(const unsigned long args[6])
{
	pid_type pid = (pid_type)args[0];
	int signo = (int)args[1];
	struct siginfo info;

	long result = get_info(args[2], pid, signo, &info);
	if (result)
		return result;
	mutex_lock(&tree_lock);
	struct process *p = pid > 0 ? process_of(pid) : NULL;
	result = p ? send_checked(p, signo, &info) : -ESRCH;
	mutex_unlock(&tree_lock);
	return result;
}

long sys_rt_tgsigqueueinfo(const unsigned long args[6])
{
	struct siginfo info;
	if ((pid_type)args[0] <= 0 || (pid_type)args[1] <= 0)
		return -EINVAL;
	long result = get_info(args[3], (pid_type)args[1], (int)args[2], &info);
	return result ? result : send_to_thread((pid_type)args[0], (pid_type)args[1], (int)args[2], &info);
}
