/*
 * kernel/sys_limits.c - resource limits, resource use, priorities.
 *
 * Limits that the kernel obeys: STACK, DATA, AS, MEMLOCK, NOFILE, NPROC, FSIZE, CPU, SIGPENDING, CORE (there are no core files).  The others are kept and told.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "vm/account.h"

unsigned long nofile_most = 1 << 20;

enum { NICE_MIN = -20, NICE_MAX = 19, PRIO_PROCESS = 0, PRIO_PGRP = 1, PRIO_USER = 2 };
enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 };

struct limit { uint64_t cur, max; };

void limits_init(struct process *p)
{
	for (int i = 0; i < LIMITS; i++)
		p->limits[i].cur = p->limits[i].max = LIMIT_NONE;
	p->limits[LIMIT_STACK].cur = 8 << 20;
	p->limits[LIMIT_CORE].cur = 0;
	p->limits[LIMIT_NPROC].cur = p->limits[LIMIT_NPROC].max = threads_max / 2;
	p->limits[LIMIT_NOFILE].cur = 1024;
	p->limits[LIMIT_NOFILE].max = 4096;
	p->limits[LIMIT_MEMLOCK].cur = p->limits[LIMIT_MEMLOCK].max = 8 << 20;
	p->limits[LIMIT_SIGPENDING].cur = p->limits[LIMIT_SIGPENDING].max = threads_max / 2;
	p->limits[LIMIT_MSGQUEUE].cur = p->limits[LIMIT_MSGQUEUE].max = 819200;
	p->limits[LIMIT_NICE].cur = p->limits[LIMIT_NICE].max = 0;
	p->limits[LIMIT_RTPRIO].cur = p->limits[LIMIT_RTPRIO].max = 0;
}

/* The stack grows by today's limit, but not over what exec kept free for it. */
static void apply_stack_limit(struct process *p, uint64_t limit)
{
	struct space *s = p->space;
	if (!s)
		return;
	write_lock(&s->lock);
	size_t gap = s->stack_top - s->mmap_top;
	s->stack_limit = limit < gap ? limit : gap;
	write_unlock(&s->lock);
}

void limits_tick(struct process *p)
{
	uint64_t limit = __atomic_load_n(&p->limits[LIMIT_CPU].cur, __ATOMIC_RELAXED);
	if (limit == LIMIT_NONE)
		return;
	uint64_t seconds = cpu_time_all(process_time(p)) / NS_PER_SECOND;
	if (seconds < limit)
		return;
	bool over = seconds >= __atomic_load_n(&p->limits[LIMIT_CPU].max, __ATOMIC_RELAXED);
	/* Again in a second, as on Linux; unless it has just been set anew. */
	if (over || __atomic_compare_exchange_n(&p->limits[LIMIT_CPU].cur, &limit, limit + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		signal_send_process(p, over ? SIGKILL : SIGXCPU, NULL);
}

/* tree_lock held. */
static long change_limit(struct process *p, unsigned which, const struct limit *new, struct limit *old)
{
	const struct process *self = current;
	if (!p || p->state != PROCESS_ALIVE)
		return -ESRCH;
	if (p != self && !capable(CAP_SYS_RESOURCE) && (self->uid != p->uid || self->uid != p->euid || self->uid != p->suid))
		return -EPERM;
	*old = (struct limit){ p->limits[which].cur, p->limits[which].max };
	if (!new)
		return 0;
	if (new->cur > new->max)
		return -EINVAL;
	if ((new->max > old->max && !capable(CAP_SYS_RESOURCE)) || (which == LIMIT_NOFILE && new->max > __atomic_load_n(&nofile_most, __ATOMIC_RELAXED)))
		return -EPERM;
	p->limits[which].cur = which == LIMIT_CPU && new->cur == 0 ? 1 : new->cur;
	p->limits[which].max = new->max;
	if (which == LIMIT_STACK)
		apply_stack_limit(p, new->cur);
	return 0;
}

static long limit_call(pid_type pid, unsigned which, vaddr_t new, vaddr_t old)
{
	struct limit wanted, before;
	if (new && user_get(wanted, new))
		return -EFAULT;
	if (which >= LIMITS)
		return -EINVAL;
	mutex_lock(&tree_lock);
	long result = change_limit(pid == 0 ? current : process_of(pid), which, new ? &wanted : NULL, &before);
	mutex_unlock(&tree_lock);
	if (!result && old && user_put(old, before))
		result = -EFAULT;
	return result;
}

/* prlimit64(pid, which, *new, *old) */
long sys_prlimit64(const unsigned long args[6])
{
	return limit_call((pid_type)args[0], (unsigned)args[1], args[2], args[3]);
}

long sys_getrlimit(const unsigned long args[6])
{
	long error = limit_call(0, (unsigned)args[0], 0, args[1]);
	return error || args[1] ? error : -EFAULT;
}

long sys_setrlimit(const unsigned long args[6])
{
	return args[1] ? limit_call(0, (unsigned)args[0], args[1], 0) : -EFAULT;
}

/* getrusage(who, *usage) */
long sys_getrusage(const unsigned long args[6])
{
	struct rusage64 usage;
	int who = (int)args[0];
	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	mutex_lock(&tree_lock);
	if (who == RUSAGE_THREAD)
		thread_usage(current_thread(), &usage);
	else
		process_usage(current, who == RUSAGE_CHILDREN ? USAGE_CHILDREN : USAGE_SELF, &usage);
	mutex_unlock(&tree_lock);
	return user_put(args[1], usage);
}

/* ---- priorities ------------------------------------------------------------------------- */

/* A number of PRIO_PROCESS is a thread's, as on Linux; the others mean all threads of a process. */
static bool is_meant(const struct thread *t, int which, unsigned who)
{
	const struct process *self = current, *p = t->process;
	switch (which) {
	case PRIO_PROCESS:
		return who ? t->tid == (pid_type)who : t == current_thread();
	case PRIO_PGRP:
		return p->pgid == (who ? (pid_type)who : self->pgid);
	default:
		return p->uid == (who ? who : self->uid);
	}
}

/* tree_lock held. */
static void for_all_meant(int which, unsigned who, void (*fn)(struct thread *, int arg, long *result), int arg, long *result)
{
	list_for_each(l, &process_list) {
		list_for_each(m, &container_of(l, struct process, all)->threads) {
			struct thread *t = container_of(m, struct thread, siblings);
			if (is_meant(t, which, who))
				fn(t, arg, result);
		}
	}
}

static void look_at_nice(struct thread *t, int unused, long *best)
{
	(void)unused;
	if (20 - t->sched.nice > *best)
		*best = 20 - t->sched.nice;
}

/* getpriority(which, who): 20 - nice, so that it is never negative. */
long sys_getpriority(const unsigned long args[6])
{
	long best = -ESRCH;
	if ((int)args[0] < PRIO_PROCESS || (int)args[0] > PRIO_USER)
		return -EINVAL;
	mutex_lock(&tree_lock);
	for_all_meant((int)args[0], (unsigned)args[1], look_at_nice, 0, &best);
	mutex_unlock(&tree_lock);
	return best;
}

static void set_nice_of(struct thread *t, int nice)
{
	struct sched_policy policy = t->sched;
	policy.nice = nice;
	sched_set_policy(t, policy);
}

static void set_nice(struct thread *t, int nice, long *result)
{
	const struct process *self = current, *p = t->process;
	long one = 0;
	if (!capable(CAP_SYS_NICE) && self->euid != p->uid && self->euid != p->euid)
		one = -EPERM;
	else if (nice < t->sched.nice && !sched_may_have_nice(p, nice))
		one = -EACCES;
	else
		set_nice_of(t, nice);
	if (*result == -ESRCH || one)
		*result = one;
}

/* setpriority(which, who, nice) */
long sys_setpriority(const unsigned long args[6])
{
	int nice = (int)args[2];
	long result = -ESRCH;
	if ((int)args[0] < PRIO_PROCESS || (int)args[0] > PRIO_USER)
		return -EINVAL;
	nice = nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
	mutex_lock(&tree_lock);
	for_all_meant((int)args[0], (unsigned)args[1], set_nice, nice, &result);
	mutex_unlock(&tree_lock);
	return result;
}

/* ---- priorities of input and output: kept and told, there is no device that anybody waits for ------------- */

enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_WHO_USER = 3, IOPRIO_CLASS_SHIFT = 13, IOPRIO_LEVELS = 8, IOPRIO_DATA_MASK = (1 << IOPRIO_CLASS_SHIFT) - 1 };
enum ioprio_class { IOPRIO_NONE, IOPRIO_REALTIME, IOPRIO_BEST_EFFORT, IOPRIO_IDLE };

static int ioprio(enum ioprio_class class, int level) { return (int)class << IOPRIO_CLASS_SHIFT | level; }

/* What one that was not set comes to: by its nice value, unless it is the only one that is asked for. */
static int effective_ioprio(const struct thread *t)
{
	return t->ioprio ? t->ioprio : ioprio(IOPRIO_BEST_EFFORT, (t->sched.nice + 20) / 5);
}

static void look_at_ioprio(struct thread *t, int unused, long *best)
{
	(void)unused;
	if (*best < 0 || effective_ioprio(t) < *best)
		*best = effective_ioprio(t);
}

static void tell_ioprio(struct thread *t, int unused, long *result)
{
	(void)unused;
	*result = t->ioprio;
}

/* ioprio_get(which, who) */
long sys_ioprio_get(const unsigned long args[6])
{
	int which = (int)args[0];
	long best = -ESRCH;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	mutex_lock(&tree_lock);
	for_all_meant(which - 1, (unsigned)args[1], which == IOPRIO_WHO_PROCESS ? tell_ioprio : look_at_ioprio, 0, &best);
	mutex_unlock(&tree_lock);
	return best;
}

static void set_ioprio(struct thread *t, int value, long *result)
{
	const struct process *self = current, *p = t->process;
	if (self->uid != p->uid && self->euid != p->uid && !capable(CAP_SYS_NICE))
		*result = -EPERM;
	else if (*result == -ESRCH)
		*result = 0;
	if (*result == 0)
		t->ioprio = value;
}

/* ioprio_set(which, who, priority) */
long sys_ioprio_set(const unsigned long args[6])
{
	int which = (int)args[0], value = (int)args[2], data = value & IOPRIO_DATA_MASK;
	long result = -ESRCH;
	switch (value >> IOPRIO_CLASS_SHIFT) {
	case IOPRIO_REALTIME:
		if (!capable(CAP_SYS_NICE) && !capable(CAP_SYS_ADMIN))
			return -EPERM;
		break;
	case IOPRIO_BEST_EFFORT: case IOPRIO_IDLE:
		break;
	case IOPRIO_NONE:
		if (data)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if ((value >> IOPRIO_CLASS_SHIFT) != IOPRIO_IDLE && data >= IOPRIO_LEVELS)
		return -EINVAL;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	mutex_lock(&tree_lock);
	for_all_meant(which - 1, (unsigned)args[1], set_ioprio, value, &result);
	mutex_unlock(&tree_lock);
	return result;
}

/* ---- limits that vm/ asks for --------------------------------------------------------- */

size_t vm_limit(enum vm_limit which)
{
	static const int index[] = { [VM_LIMIT_DATA] = LIMIT_DATA, [VM_LIMIT_MEMLOCK] = LIMIT_MEMLOCK, [VM_LIMIT_AS] = LIMIT_AS };
	const struct process *p = current;
	uint64_t limit = p->limits[index[which]].cur;

	if (which == VM_LIMIT_DATA && limit == 0)
		limit = p->limits[LIMIT_DATA].max;	/* as Linux: 0 means that sbrk is not wanted, not that nothing is */
	return limit;
}

bool vm_privileged(void)
{
	return capable(CAP_IPC_LOCK);
}
