/*
 * kernel/sys_time.c - the system calls about time: clocks, sleeping, interval timers.
 *
 * A sleep that a signal interrupts without a handler running goes on for what is left: the deadline is kept in the thread for restart_syscall.
 */
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/sys_time.h"
#include "kernel/syscall.h"

struct timeval64 { int64_t sec, usec; };
struct itimerval64 { struct timeval64 interval, value; };

static bool timeval_valid(const struct timeval64 *t)
{
	return t->sec >= 0 && t->usec >= 0 && t->usec < 1000000;
}

static uint64_t ns_of_timeval(const struct timeval64 *t)
{
	struct timespec64 as = { t->sec, t->usec * 1000 };
	return ns_of_timespec(&as);
}

/* Rounded up: what is left of a timer that runs is not 0. */
static struct timeval64 timeval_of(uint64_t ns)
{
	uint64_t usec = (ns + 999) / 1000;
	return (struct timeval64){ (int64_t)(usec / 1000000), (int64_t)(usec % 1000000) };
}

/* The clock of another process or thread: a negative number made of the complement of its id and what to count. */
enum { COUNT_MASK = 3, COUNT_USER = 1, COUNT_INVALID = 3, COUNT_OF_THREAD = 4 };

static int read_cpu_clock(int id, uint64_t *ns)
{
	pid_type pid = ~(id >> 3);
	if ((id & COUNT_MASK) == COUNT_INVALID)
		return -EINVAL;
	int result = -EINVAL;
	mutex_lock(&tree_lock);
	struct thread *t = !(id & COUNT_OF_THREAD) ? NULL : pid ? thread_find(pid) : current_thread();
	struct process *p = id & COUNT_OF_THREAD ? NULL : pid ? process_find(pid) : current;
	if (p || (t && t->process == current)) {
		struct cpu_time used = p ? process_time(p) : thread_time(t);
		*ns = (id & COUNT_MASK) == COUNT_USER ? used.user_ns : cpu_time_all(used);
		result = 0;
	}
	mutex_unlock(&tree_lock);
	return result;
}

bool clock_is_wall(int id)
{
	return id == CLOCK_REALTIME || id == CLOCK_TAI || id == CLOCK_REALTIME_ALARM;
}

uint64_t clock_to_wall(int id, uint64_t ns)
{
	uint64_t ahead = id == CLOCK_TAI ? (uint64_t)clock_tai_ns() : 0;

	return ns > ahead ? ns - ahead : 1;
}

bool clock_is_own_cpu(int id, int *tid, bool *user)
{
	pid_type pid = id < 0 ? ~(id >> 3) : 0;
	bool of_thread = id < 0 ? id & COUNT_OF_THREAD : id == CLOCK_THREAD_CPUTIME;

	if (id < 0 ? (id & COUNT_MASK) == COUNT_INVALID : id != CLOCK_PROCESS_CPUTIME && id != CLOCK_THREAD_CPUTIME)
		return false;
	*user = id < 0 && (id & COUNT_MASK) == COUNT_USER;
	*tid = !of_thread ? 0 : pid ? pid : current_thread()->tid;
	if (!of_thread)
		return pid == 0 || pid == current->pid;
	mutex_lock(&tree_lock);
	struct thread *t = thread_find(*tid);
	bool ours = t && t->process == current;
	mutex_unlock(&tree_lock);
	return ours;
}

int clock_read(int id, uint64_t *ns)
{
	if (id < 0)
		return read_cpu_clock(id, ns);
	switch (id) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE:
		*ns = clock_realtime_ns();
		return 0;
	case CLOCK_TAI:
		*ns = clock_realtime_ns() + (uint64_t)clock_tai_ns();
		return 0;
	case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
		*ns = time_now_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME:
		*ns = cpu_time_all(process_time(current));
		return 0;
	case CLOCK_THREAD_CPUTIME:
		*ns = cpu_time_all(thread_time(current_thread()));
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_clock_gettime(const unsigned long args[6])
{
	uint64_t ns;
	long error = clock_read((int)args[0], &ns);
	if (error)
		return error;
	struct timespec64 t = timespec_of(ns);
	return user_put(args[1], t);
}

long sys_clock_getres(const unsigned long args[6])
{
	int id = (int)args[0];
	uint64_t unused;
	long error = clock_read(id, &unused);
	if (error)
		return error;
	bool by_tick = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE;
	struct timespec64 t = { 0, by_tick ? (int64_t)NS_PER_TICK : 1 };
	return args[1] ? user_put(args[1], t) : 0;
}

long sys_clock_settime(const unsigned long args[6])
{
	struct timespec64 t;
	if ((int)args[0] != CLOCK_REALTIME)
		return -EINVAL;
	if (user_get(t, args[1]))
		return -EFAULT;
	if (!timespec_valid(&t))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	clock_set_realtime(ns_of_timespec(&t));
	return 0;
}

long sys_gettimeofday(const unsigned long args[6])
{
	uint64_t now = clock_realtime_ns();
	struct timeval64 t = { (int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND / 1000) };
	struct time_zone zone = clock_zone();

	if (args[0] && user_put(args[0], t))
		return -EFAULT;
	return args[1] ? user_put(args[1], zone) : 0;
}

long sys_settimeofday(const unsigned long args[6])
{
	enum { MOST_MINUTES_WEST = 15 * 60, USEC_PER_SECOND = 1000000 };
	struct timeval64 t;
	struct time_zone z;

	if (args[0] && user_get(t, args[0]))
		return -EFAULT;
	if (args[0] && (t.usec < 0 || t.usec >= USEC_PER_SECOND))
		return -EINVAL;
	if (args[1] && user_get(z, args[1]))
		return -EFAULT;
	if (args[0] && t.sec < 0)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (args[1] && (z.minutes_west > MOST_MINUTES_WEST || z.minutes_west < -MOST_MINUTES_WEST))
		return -EINVAL;
	if (args[1])
		clock_set_zone(z);
	if (args[0])
		clock_set_realtime(ns_of_timeval(&t));
	return 0;
}

long sys_time(const unsigned long args[6])
{
	int64_t now = (int64_t)(clock_realtime_ns() / NS_PER_SECOND);
	if (args[0] && user_put(args[0], now))
		return -EFAULT;
	return now;
}

static long sleep_again(struct thread *);

/* Sleeps until the deadline; when interrupted, writes what is left and notes it for restart_syscall. */
static long sleep_relative(uint64_t deadline_ns, vaddr_t remaining)
{
	struct thread *t = current_thread();
	if (sched_sleep_interruptible(deadline_ns) == 0)
		return 0;
	uint64_t now = time_now_ns();
	if (now >= deadline_ns)
		return 0;
	if (remaining) {
		struct timespec64 left = timespec_of(deadline_ns - now);
		if (user_put(remaining, left))
			return -EFAULT;
	}
	t->restart.go_on = sleep_again;
	t->restart.deadline_ns = deadline_ns;
	t->restart.address = remaining;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_again(struct thread *t)
{
	return sleep_relative(t->restart.deadline_ns, t->restart.address);
}

static uint64_t deadline_after(const struct timespec64 *span)
{
	return time_add(time_now_ns(), ns_of_timespec(span));
}

long sys_restart_syscall(const unsigned long args[6])
{
	struct thread *t = current_thread();
	long (*go_on)(struct thread *) = t->restart.go_on;
	(void)args;
	t->restart.go_on = NULL;
	return go_on ? go_on(t) : -EINTR;
}

long sys_nanosleep(const unsigned long args[6])
{
	struct timespec64 span;
	if (user_get(span, args[0]))
		return -EFAULT;
	if (!timespec_valid(&span))
		return -EINVAL;
	return sleep_relative(deadline_after(&span), args[1]);
}

/* A sleep that another clock than the scheduler's ends. */
struct sleep {
	struct timer wall;
	struct cpu_timer cpu;
	struct waitq queue;
	bool over;			/* atomic */
};

static void end_sleep(struct sleep *s)
{
	__atomic_store_n(&s->over, true, __ATOMIC_RELEASE);
	wake_all(&s->queue);
}

static void wall_fires(struct timer *t)
{
	end_sleep(container_of(t, struct sleep, wall));
}

static uint64_t cpu_fires(struct cpu_timer *t, uint64_t now_ns)
{
	(void)now_ns;
	end_sleep(container_of(t, struct sleep, cpu));
	return TIME_NEVER;
}

static int sleep_until_over(struct sleep *s)
{
	int error = 0;

	wait_prepare(&s->queue);
	while (!__atomic_load_n(&s->over, __ATOMIC_ACQUIRE) && !error) {
		error = wait_sleep(&s->queue, WAIT_INTERRUPTIBLE);
		if (!error)
			wait_prepare(&s->queue);
	}
	wait_finish(&s->queue);
	return s->over ? 0 : error;
}

/* The clock may be set meanwhile. */
static long sleep_wall(uint64_t at_ns)
{
	struct sleep s = { .wall = { .fire = wall_fires }, .over = false };

	waitq_init(&s.queue);
	timer_arm(&s.wall, TIMER_WALL, at_ns);
	int error = sleep_until_over(&s);
	timer_cancel(&s.wall);
	return error ? -ERESTARTNOHAND : 0;
}

static long sleep_cpu_again(struct thread *);

/* Until that much processor time has been used; if it was a span, what remains is told as by sleep_relative. */
static long sleep_cpu(int clock, uint64_t at_ns, bool absolute, vaddr_t remaining)
{
	struct thread *t = current_thread();
	struct sleep s = { .over = false };
	bool user;
	int tid;

	if (!clock_is_own_cpu(clock, &tid, &user) || tid == t->tid)
		return -EINVAL;			/* nobody sleeps until he has worked */
	waitq_init(&s.queue);
	cpu_timer_init(&s.cpu, user, tid, cpu_fires);
	if (cpu_timer_now(t->process, &s.cpu) >= at_ns)
		return 0;
	cpu_timer_arm(t->process, &s.cpu, at_ns);
	int error = sleep_until_over(&s);
	cpu_timer_cancel(&s.cpu);
	if (!error || absolute)
		return error ? -ERESTARTNOHAND : 0;
	uint64_t now = cpu_timer_now(t->process, &s.cpu);
	struct timespec64 left = timespec_of(at_ns > now ? at_ns - now : 0);
	if (remaining && user_put(remaining, left))
		return -EFAULT;
	t->restart.go_on = sleep_cpu_again;
	t->restart.deadline_ns = at_ns;
	t->restart.address = remaining;
	t->restart.op = (uint32_t)clock;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_cpu_again(struct thread *t)
{
	return sleep_cpu((int)t->restart.op, t->restart.deadline_ns, false, t->restart.address);
}

long sys_clock_nanosleep(const unsigned long args[6])
{
	int id = (int)args[0];
	struct timespec64 t;

	switch (id) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI: case CLOCK_PROCESS_CPUTIME:
		break;
	case CLOCK_THREAD_CPUTIME: case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE: case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		if (id >= 0 || (id & COUNT_MASK) == COUNT_INVALID)
			return -EINVAL;
	}
	if (user_get(t, args[2]))
		return -EFAULT;
	if (!timespec_valid(&t))
		return -EINVAL;
	bool absolute = (int)args[1] & TIMER_ABSTIME;
	uint64_t ns = ns_of_timespec(&t), now;
	if (id < 0 || id == CLOCK_PROCESS_CPUTIME) {
		int error = absolute ? 0 : clock_read(id, &now);
		return error ? error : sleep_cpu(id, absolute ? ns : time_add(now, ns), absolute, absolute ? 0 : args[3]);
	}
	if (!absolute)
		return sleep_relative(deadline_after(&t), args[3]);
	if (clock_is_wall(id))
		return sleep_wall(clock_to_wall(id, ns));
	return sched_sleep_interruptible(ns) ? -ERESTARTNOHAND : 0;
}

static struct itimerval64 itimerval_of(struct itimer_value v)
{
	return (struct itimerval64){ timeval_of(v.interval_ns), timeval_of(v.left_ns) };
}

long sys_getitimer(const unsigned long args[6])
{
	if ((unsigned)args[0] >= ITIMERS)
		return -EINVAL;
	struct itimerval64 v = itimerval_of(itimer_get(current, (enum itimer_which)(int)args[0]));
	return user_put(args[1], v);
}

long sys_setitimer(const unsigned long args[6])
{
	struct itimerval64 new = { { 0, 0 }, { 0, 0 } };

	if (args[1] && user_get(new, args[1]))
		return -EFAULT;
	if ((unsigned)args[0] >= ITIMERS || !timeval_valid(&new.interval) || !timeval_valid(&new.value))
		return -EINVAL;
	struct itimer_value v = { ns_of_timeval(&new.value), ns_of_timeval(&new.interval) };
	struct itimerval64 old = itimerval_of(itimer_set(current, (enum itimer_which)(int)args[0], v));
	return args[2] ? user_put(args[2], old) : 0;
}

/* The seconds that were left are rounded to the nearest, but never down to 0. */
long sys_alarm(const unsigned long args[6])
{
	struct itimer_value old = itimer_set(current, ITIMER_REAL, (struct itimer_value){ (unsigned)args[0] * NS_PER_SECOND, 0 });
	uint64_t left = (old.left_ns + NS_PER_SECOND / 2) / NS_PER_SECOND;
	return (long)(left == 0 && old.left_ns ? 1 : left);
}

long sys_times(const unsigned long args[6])
{
	struct process *p = current;
	const struct cpu_time own = process_time(p), *children = &p->child_time;
	uint64_t tms[4] = { own.user_ns / NS_PER_TICK, own.kernel_ns / NS_PER_TICK, children->user_ns / NS_PER_TICK, children->kernel_ns / NS_PER_TICK };
	if (args[0] && user_copy_out(args[0], tms, sizeof tms))
		return -EFAULT;
	return (long)(time_now_ns() / NS_PER_TICK);
}
