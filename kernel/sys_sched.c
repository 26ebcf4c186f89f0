/*
 * kernel/sys_sched.c - the system calls about scheduling: which processors a thread may run on, and what has one answer here: one policy (SCHED_OTHER),
 * priority 0.  Their numbers are those of threads.
 */
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5, SCHED_RESET_ON_FORK = 0x40000000 };
enum { REALTIME_MIN = 1, REALTIME_MAX = 99, SLICE_TICKS = 3 };

static bool realtime(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
static bool known(int policy) { return realtime(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE; }

/* The thread of this number, 0: the caller's; a process whose leader has exited has it, too, but no such thread.  tree_lock held. */
static struct thread *thread_of(pid_type tid)
{
	return tid ? thread_find(tid) : current_thread();
}

/* 0, -EINVAL or -ESRCH for a number; 0 means the caller. */
static long check_pid(long pid)
{
	if ((pid_type)pid < 0)
		return -EINVAL;
	if ((pid_type)pid == 0)
		return 0;
	mutex_lock(&tree_lock);
	bool there = process_of((pid_type)pid) != NULL;
	mutex_unlock(&tree_lock);
	return there ? 0 : -ESRCH;
}

long sys_sched_get_priority_max(const unsigned long args[6])
{
	int policy = (int)args[0];
	return !known(policy) ? -EINVAL : realtime(policy) ? REALTIME_MAX : 0;
}

long sys_sched_get_priority_min(const unsigned long args[6])
{
	int policy = (int)args[0];
	return !known(policy) ? -EINVAL : realtime(policy) ? REALTIME_MIN : 0;
}

long sys_sched_getscheduler(const unsigned long args[6])
{
	long error = check_pid((long)args[0]);
	return error ? error : SCHED_OTHER;
}

long sys_sched_getparam(const unsigned long args[6])
{
	const int32_t priority = 0;
	if (!args[1])
		return -EINVAL;
	long error = check_pid((long)args[0]);
	return error ? error : user_put(args[1], priority);
}

/* Real-time policies are refused as to someone without the right to them. */
static long set_policy(long pid, int policy, vaddr_t param)
{
	int32_t priority;
	if (!param || policy < 0)
		return -EINVAL;
	if (user_get(priority, param))
		return -EFAULT;
	long error = check_pid(pid);
	if (error)
		return error;
	policy &= ~SCHED_RESET_ON_FORK;
	if (!known(policy))
		return -EINVAL;
	if (realtime(policy))
		return priority < REALTIME_MIN || priority > REALTIME_MAX ? -EINVAL : -EPERM;
	return priority == 0 ? 0 : -EINVAL;
}

long sys_sched_setscheduler(const unsigned long args[6])
{
	return set_policy((long)args[0], (int)args[1], args[2]);
}

long sys_sched_setparam(const unsigned long args[6])
{
	return set_policy((long)args[0], SCHED_OTHER, args[1]);
}

long sys_sched_rr_get_interval(const unsigned long args[6])
{
	const struct timespec64 slice = { 0, SLICE_TICKS * (int64_t)NS_PER_TICK };
	long error = check_pid((long)args[0]);
	return error ? error : user_put(args[1], slice);
}

static uint64_t online(void)
{
	return ~(uint64_t)0 >> (64 - cpu_count);
}

/* sched_getaffinity(tid, size, *mask): the bytes written. */
long sys_sched_getaffinity(const unsigned long args[6])
{
	uint64_t mask;
	if (args[1] < sizeof mask || args[1] % sizeof mask)
		return -EINVAL;
	mutex_lock(&tree_lock);
	const struct thread *t = thread_of((pid_type)args[0]);
	if (t)
		mask = t->affinity & online();
	mutex_unlock(&tree_lock);
	if (!t)
		return -ESRCH;
	return user_put(args[2], mask) ? -EFAULT : (long)sizeof mask;
}

static long set_affinity(struct thread *t, uint64_t mask)
{
	const struct process *self = current, *p = t ? t->process : NULL;
	if (!p)
		return -ESRCH;
	if (self->euid != 0 && self->euid != p->uid && self->euid != p->euid)
		return -EPERM;
	if (!(mask & online()))
		return -EINVAL;
	sched_set_affinity(t, mask);
	return 0;
}

/* sched_setaffinity(tid, size, *mask) */
long sys_sched_setaffinity(const unsigned long args[6])
{
	uint64_t mask = 0;
	size_t n = args[1] < sizeof mask ? args[1] : sizeof mask;
	if (user_copy_in(&mask, args[2], n))
		return -EFAULT;
	mutex_lock(&tree_lock);
	long result = set_affinity(thread_of((pid_type)args[0]), mask);
	mutex_unlock(&tree_lock);
	if (!result && (mask & online()) && !(mask >> cpu_index() & 1))
		sched_yield();			/* it is not to run here any more */
	return result;
}

long sys_getcpu(const unsigned long args[6])
{
	const uint32_t zero = 0, cpu = cpu_index();
	if (args[0] && user_put(args[0], cpu))
		return -EFAULT;
	return args[1] ? user_put(args[1], zero) : 0;
}
