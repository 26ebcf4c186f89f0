/*
 * kernel/sys_sched.c - the system calls about scheduling: policies, priorities, which processors a thread may run on.  Their numbers are those of threads.
 *
 * There is no SCHED_DEADLINE: only the range of its priorities is told, which it has not got.
 */
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "lib/string.h"

enum { SCHED_DEADLINE = 6, SCHED_RESET_ON_FORK = 0x40000000, KEEP_POLICY = -1 };
enum { REALTIME_MIN = 1, REALTIME_MAX = 99, NICE_MIN = -20, NICE_MAX = 19 };

static bool realtime(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
static bool known(int policy) { return realtime(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE; }

/* The thread of this number, 0: the caller's; a process whose leader has exited has it, too, but no such thread.  tree_lock held. */
static struct thread *thread_of(pid_type tid)
{
	return tid ? thread_find(tid) : current_thread();
}

long sys_sched_get_priority_max(const unsigned long args[6])
{
	int policy = (int)args[0];
	return !known(policy) && policy != SCHED_DEADLINE ? -EINVAL : realtime(policy) ? REALTIME_MAX : 0;
}

long sys_sched_get_priority_min(const unsigned long args[6])
{
	int policy = (int)args[0];
	return !known(policy) && policy != SCHED_DEADLINE ? -EINVAL : realtime(policy) ? REALTIME_MIN : 0;
}

/* The policy of a thread: 0, -EINVAL or -ESRCH; of a leader that has exited, the usual one. */
static long policy_of(pid_type tid, struct sched_policy *policy)
{
	if (tid < 0)
		return -EINVAL;
	mutex_lock(&tree_lock);
	const struct thread *t = thread_of(tid);
	long error = t || process_find(tid) ? 0 : -ESRCH;
	*policy = t ? t->sched : (struct sched_policy){ SCHED_OTHER, 0, 0, false };
	mutex_unlock(&tree_lock);
	return error;
}

long sys_sched_getscheduler(const unsigned long args[6])
{
	struct sched_policy p;
	long error = policy_of((pid_type)args[0], &p);
	return error ? error : p.policy | (p.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(const unsigned long args[6])
{
	struct sched_policy p;
	if (!args[1])
		return -EINVAL;
	long error = policy_of((pid_type)args[0], &p);
	return error ? error : user_put(args[1], p.priority);
}

/* ---- setting a policy ------------------------------------------------------------------------ */

bool sched_may_have_nice(const struct process *p, int nice)
{
	return capable(CAP_SYS_NICE) || (uint64_t)(NICE_MAX + 1 - nice) <= p->limits[LIMIT_NICE].cur;
}

/* tree_lock held. */
static long check_rights(const struct thread *t, const struct sched_policy *new)
{
	const struct process *self = current, *p = t->process;
	const struct sched_policy *old = &t->sched;
	if (capable(CAP_SYS_NICE))
		return 0;
	if (!realtime(new->policy) && new->nice < old->nice && !sched_may_have_nice(p, new->nice))
		return -EPERM;
	if (realtime(new->policy) && ((new->policy != old->policy && !p->limits[LIMIT_RTPRIO].cur)
	    || (new->priority > old->priority && (uint64_t)new->priority > p->limits[LIMIT_RTPRIO].cur)))
		return -EPERM;
	if (old->policy == SCHED_IDLE && new->policy != SCHED_IDLE && !sched_may_have_nice(p, old->nice))
		return -EPERM;
	if (self->euid != p->uid && self->euid != p->euid)
		return -EPERM;
	return old->reset_on_fork && !new->reset_on_fork ? -EPERM : 0;
}

/* A policy of KEEP_POLICY: the one that it has, and whether it is reset. tree_lock held. */
static long set_locked(struct thread *t, struct sched_policy new)
{
	if (new.policy == KEEP_POLICY) {
		new.policy = t->sched.policy;
		new.reset_on_fork = t->sched.reset_on_fork;
	}
	if (!known(new.policy) || new.priority < 0 || new.priority > REALTIME_MAX || realtime(new.policy) != (new.priority != 0))
		return -EINVAL;
	if (realtime(new.policy))
		new.nice = t->sched.nice;
	long error = check_rights(t, &new);
	if (!error)
		sched_set_policy(t, new);
	return error;
}

enum which_nice { NICE_KEPT, NICE_GIVEN };

static long set_policy(pid_type tid, struct sched_policy new, enum which_nice which)
{
	mutex_lock(&tree_lock);
	struct thread *t = thread_of(tid);
	if (t && which == NICE_KEPT)
		new.nice = t->sched.nice;
	long result = t ? set_locked(t, new) : -ESRCH;
	mutex_unlock(&tree_lock);
	return result;
}

static long set_with_param(pid_type tid, int policy, vaddr_t param)
{
	struct sched_policy new = { .policy = policy };
	if (!param || tid < 0)
		return -EINVAL;
	if (user_get(new.priority, param))
		return -EFAULT;
	if (policy != KEEP_POLICY) {
		new.reset_on_fork = policy & SCHED_RESET_ON_FORK;
		new.policy &= ~SCHED_RESET_ON_FORK;
	}
	return set_policy(tid, new, NICE_KEPT);
}

long sys_sched_setscheduler(const unsigned long args[6])
{
	return (int)args[1] < 0 ? -EINVAL : set_with_param((pid_type)args[0], (int)args[1], args[2]);
}

long sys_sched_setparam(const unsigned long args[6])
{
	return set_with_param((pid_type)args[0], KEEP_POLICY, args[1]);
}

/* struct sched_attr, as far as it has grown: 48 bytes first, 56 now. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t clamp_min, clamp_max;
};
enum { ATTRIBUTES_BYTES_MIN = 48, FLAG_RESET_ON_FORK = 1, FLAG_KEEP_POLICY = 8, FLAG_KEEP_PARAMS = 16,
	FLAGS_KNOWN = FLAG_RESET_ON_FORK | FLAG_KEEP_POLICY | FLAG_KEEP_PARAMS };

/* Bytes behind what we know must be zero; else -E2BIG, and the caller learns how much we know. */
static long get_attributes(vaddr_t at, struct attributes *a)
{
	const uint32_t ours = sizeof *a;
	uint32_t size;
	memset(a, 0, sizeof *a);
	if (user_get(size, at))
		return -EFAULT;
	if (size == 0)
		size = ATTRIBUTES_BYTES_MIN;
	bool fits = size >= ATTRIBUTES_BYTES_MIN && size <= PAGE_SIZE;
	for (vaddr_t more = at + sizeof *a; fits && more < at + size; more++) {
		char byte;
		if (user_get(byte, more))
			return -EFAULT;
		fits = byte == 0;
	}
	if (!fits)
		return user_put(at, ours) ? -EFAULT : -E2BIG;
	return user_copy_in(a, at, size < sizeof *a ? size : sizeof *a) ? -EFAULT : 0;
}

/* sched_setattr(tid, *attributes, flags) */
long sys_sched_setattr(const unsigned long args[6])
{
	pid_type tid = (pid_type)args[0];
	struct attributes a;
	struct sched_policy now;
	if (!args[1] || tid < 0 || args[2])
		return -EINVAL;
	long error = get_attributes(args[1], &a);
	if (error)
		return error;
	if ((int)a.policy < 0 || (a.flags & ~(uint64_t)FLAGS_KNOWN))
		return -EINVAL;
	error = policy_of(tid, &now);
	if (error)
		return error;
	int nice = a.nice < NICE_MIN ? NICE_MIN : a.nice > NICE_MAX ? NICE_MAX : a.nice;
	struct sched_policy new = { a.flags & FLAG_KEEP_POLICY ? KEEP_POLICY : (int)a.policy, (int)a.priority, nice, a.flags & FLAG_RESET_ON_FORK };
	if (a.flags & FLAG_KEEP_PARAMS) {
		new.priority = now.priority;
		new.nice = now.nice;
	}
	return set_policy(tid, new, NICE_GIVEN);
}

/* sched_getattr(tid, *attributes, size, flags) */
long sys_sched_getattr(const unsigned long args[6])
{
	struct sched_policy p;
	unsigned size = (unsigned)args[2];
	if (!args[1] || (pid_type)args[0] < 0 || size > PAGE_SIZE || size < ATTRIBUTES_BYTES_MIN || args[3])
		return -EINVAL;
	long error = policy_of((pid_type)args[0], &p);
	if (error)
		return error;
	struct attributes a = { .size = size < sizeof a ? size : sizeof a, .policy = (uint32_t)p.policy, .flags = p.reset_on_fork ? FLAG_RESET_ON_FORK : 0,
		.nice = realtime(p.policy) ? 0 : p.nice, .priority = (uint32_t)p.priority };
	return user_copy_out(args[1], &a, a.size) ? -EFAULT : 0;
}

/* sched_rr_get_interval(tid, *timespec): how long a turn is; 0 of one that keeps the processor until it sleeps. */
long sys_sched_rr_get_interval(const unsigned long args[6])
{
	struct sched_policy p;
	long error = policy_of((pid_type)args[0], &p);
	const struct timespec64 slice = { 0, error || p.policy == SCHED_FIFO ? 0 : SLICE_TICKS * (int64_t)NS_PER_TICK };
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
	if (!capable(CAP_SYS_NICE) && self->euid != p->uid && self->euid != p->euid)
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
