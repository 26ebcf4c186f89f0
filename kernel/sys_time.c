/*
 * kernel/sys_time.c - the system calls about time: clocks, sleeping, interval timers.
 *
 * A time span that does not fit is cut to 'for ever' (about 292 years), as Linux does.  A sleep that a signal interrupts without a handler
 * running goes on for what is left: the deadline is kept in the thread for restart_syscall.
 */
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "lib/string.h"

enum clock_id {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME, CLOCK_THREAD_CPUTIME, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI = 11,
};
enum { TIMER_ABSTIME = 1 };
#define FOREVER		((uint64_t)INT64_MAX)

struct timeval64 { int64_t sec, usec; };
struct itimerval64 { struct timeval64 interval, value; };

static struct timespec64 timespec_of(uint64_t ns)
{
	return (struct timespec64){ (int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND) };
}

static bool timespec_valid(const struct timespec64 *t)
{
	return t->sec >= 0 && t->nsec >= 0 && (uint64_t)t->nsec < NS_PER_SECOND;
}

static uint64_t ns_of_timespec(const struct timespec64 *t)
{
	if ((uint64_t)t->sec >= FOREVER / NS_PER_SECOND)
		return FOREVER;
	return (uint64_t)t->sec * NS_PER_SECOND + (uint64_t)t->nsec;
}

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
static long read_cpu_clock(int id, uint64_t *ns)
{
	enum { COUNT_MASK = 3, COUNT_USER = 1, COUNT_INVALID = 3, COUNT_OF_THREAD = 4 };
	pid_type pid = ~(id >> 3);
	if ((id & COUNT_MASK) == COUNT_INVALID)
		return -EINVAL;
	long result = -EINVAL;
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

static long read_clock(int id, uint64_t *ns)
{
	if (id < 0)
		return read_cpu_clock(id, ns);
	switch (id) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE: case CLOCK_TAI:
		*ns = clock_realtime_ns();
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
	long error = read_clock((int)args[0], &ns);
	if (error)
		return error;
	struct timespec64 t = timespec_of(ns);
	return user_put(args[1], t);
}

long sys_clock_getres(const unsigned long args[6])
{
	int id = (int)args[0];
	uint64_t unused;
	long error = read_clock(id, &unused);
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
	struct { int32_t minutes_west, dst; } zone = { 0, 0 };

	if (args[0] && user_put(args[0], t))
		return -EFAULT;
	return args[1] ? user_put(args[1], zone) : 0;
}

long sys_settimeofday(const unsigned long args[6])
{
	struct timeval64 t;
	if (args[0] && user_get(t, args[0]))
		return -EFAULT;
	if (args[0] && !timeval_valid(&t))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
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
	uint64_t now = time_now_ns(), ns = ns_of_timespec(span);
	return ns >= FOREVER - now ? FOREVER : now + ns;
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

long sys_clock_nanosleep(const unsigned long args[6])
{
	int id = (int)args[0];
	struct timespec64 t;

	switch (id) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		break;
	case CLOCK_PROCESS_CPUTIME: case CLOCK_THREAD_CPUTIME: case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	if (user_get(t, args[2]))
		return -EFAULT;
	if (!timespec_valid(&t))
		return -EINVAL;
	if (!((int)args[1] & TIMER_ABSTIME))
		return sleep_relative(deadline_after(&t), args[3]);

	uint64_t deadline = ns_of_timespec(&t);
	if (id == CLOCK_REALTIME || id == CLOCK_TAI) {
		uint64_t boot = clock_boot_realtime_ns();
		deadline = deadline > boot ? deadline - boot : 0;
	}
	return sched_sleep_interruptible(deadline) ? -ERESTARTNOHAND : 0;
}

static struct itimerval64 itimerval_of(struct itimer_value v)
{
	return (struct itimerval64){ timeval_of(v.interval_ns), timeval_of(v.left_ns) };
}

long sys_getitimer(const unsigned long args[6])
{
	if (args[0] >= ITIMERS)
		return -EINVAL;
	struct itimerval64 v = itimerval_of(itimer_get(current, (enum itimer_which)args[0]));
	return user_put(args[1], v);
}

long sys_setitimer(const unsigned long args[6])
{
	struct itimerval64 new = { { 0, 0 }, { 0, 0 } };

	if (args[1] && user_get(new, args[1]))
		return -EFAULT;
	if (args[0] >= ITIMERS || !timeval_valid(&new.interval) || !timeval_valid(&new.value))
		return -EINVAL;
	struct itimer_value v = { ns_of_timeval(&new.value), ns_of_timeval(&new.interval) };
	struct itimerval64 old = itimerval_of(itimer_set(current, (enum itimer_which)args[0], v));
	return args[2] ? user_put(args[2], old) : 0;
}

/* The seconds that were left are rounded to the nearest, but never down to 0. */
long sys_alarm(const unsigned long args[6])
{
	uint64_t seconds = (unsigned)args[0] > INT32_MAX ? INT32_MAX : (unsigned)args[0];
	struct itimer_value old = itimer_set(current, ITIMER_REAL, (struct itimer_value){ seconds * NS_PER_SECOND, 0 });
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

/* Reading is all there is: the clock is not disciplined. */
static long adjust(vaddr_t at)
{
	enum { STA_UNSYNC = 0x40, TIME_ERROR = 5, TICK_USEC = 10000, PPM = 65536, MAX_ERROR_USEC = 16000000 };
	struct {
		uint32_t modes, pad0;
		int64_t offset, freq, maxerror, esterror;
		int32_t status, pad1;
		int64_t constant, precision, tolerance;
		struct timeval64 time;
		int64_t tick, more[8];
		int32_t tai, pad2[11];
	} timex;
	_Static_assert(sizeof timex == 208, "struct timex has 208 bytes");

	if (user_get(timex, at))
		return -EFAULT;
	if (timex.modes)
		return -EPERM;
	memset(&timex, 0, sizeof timex);
	uint64_t now = clock_realtime_ns();
	timex.time = (struct timeval64){ (int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND / 1000) };
	timex.maxerror = timex.esterror = MAX_ERROR_USEC;
	timex.status = STA_UNSYNC;
	timex.constant = 2;
	timex.precision = 1;
	timex.tolerance = 500 * PPM;
	timex.tick = TICK_USEC;
	return user_put(at, timex) ? -EFAULT : TIME_ERROR;
}

long sys_adjtimex(const unsigned long args[6])
{
	return adjust(args[0]);
}

long sys_clock_adjtime(const unsigned long args[6])
{
	return (int)args[0] == CLOCK_REALTIME ? adjust(args[1]) : -EOPNOTSUPP;
}
