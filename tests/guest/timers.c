/* tests/guest/timers.c - timers: timerfd, timer_create, setitimer, sleeping by every clock; and the real-time signals that they send. */
#include "tap.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

enum { MS = 1000000 };
#define SECOND	1000000000ll

static struct timespec of_ns(long long ns) { return (struct timespec){ ns / SECOND, ns % SECOND }; }
static struct itimerspec spec(long long value, long long interval) { return (struct itimerspec){ of_ns(interval), of_ns(value) }; }
static long long in_ns(struct timespec t) { return t.tv_sec * SECOND + t.tv_nsec; }

static void burn(long long ns)
{
	long long began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - began < ns)
		;
}

/* ---- timerfd ------------------------------------------------------------------------------------------------------------------- */

static int new_timerfd(clockid_t clock, int flags)
{
	int fd = timerfd_create(clock, flags);
	NEED(fd >= 0);
	return fd;
}

TEST(timerfd_once)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

	for (int i = 0; i < 3; i++) {
		int fd = new_timerfd(clocks[i], 0);
		struct itimerspec s = spec(30 * MS, 0), left;
		uint64_t n = 0;
		struct pollfd p = { fd, POLLIN, 0 };
		long long began = now_ns(CLOCK_MONOTONIC);

		EQ(timerfd_gettime(fd, &left), 0);
		EQ(in_ns(left.it_value), 0);
		EQ(timerfd_settime(fd, 0, &s, &left), 0);
		EQ(in_ns(left.it_value), 0);
		EQ(timerfd_gettime(fd, &left), 0);
		CHECK(in_ns(left.it_value) > 0 && in_ns(left.it_value) <= 30 * MS);
		EQ(poll(&p, 1, 0), 0);
		EQ(read(fd, &n, 8), 8);
		EQ(n, 1);
		long long took = now_ns(CLOCK_MONOTONIC) - began;
		CHECK(took >= 30 * MS && took < 200 * MS);
		EQ(timerfd_gettime(fd, &left), 0);
		EQ(in_ns(left.it_value), 0);
		close(fd);
	}
}

TEST(timerfd_repeats)
{
	int fd = new_timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec s = spec(20 * MS, 10 * MS), left;
	uint64_t n = 0;
	struct pollfd p = { fd, POLLIN, 0 };

	EQ(timerfd_settime(fd, 0, &s, NULL), 0);
	FAILS(read(fd, &n, 8), EAGAIN);
	sleep_ms(65);
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	EQ(read(fd, &n, 8), 8);
	CHECK(n >= 5 && n < 20);
	EQ(timerfd_gettime(fd, &left), 0);
	EQ(in_ns(left.it_interval), 10 * MS);
	CHECK(in_ns(left.it_value) > 0 && in_ns(left.it_value) <= 10 * MS);
	EQ(poll(&p, 1, 100), 1);
	EQ(read(fd, &n, 8), 8);
	CHECK(n >= 1 && n < 10);
	s = spec(0, 5 * MS);
	EQ(timerfd_settime(fd, 0, &s, &left), 0);
	EQ(poll(&p, 1, 30), 0);
	s = spec(1, 1);					/* a million a second, if it could */
	EQ(timerfd_settime(fd, 0, &s, NULL), 0);
	sleep_ms(20);
	EQ(read(fd, &n, 8), 8);
	CHECK(n >= 20 * MS);
}

TEST(timerfd_at_a_time)
{
	int fd = new_timerfd(CLOCK_REALTIME, 0);
	struct itimerspec s = spec(now_ns(CLOCK_REALTIME) + 30 * MS, 0);
	uint64_t n;

	EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL), 0);
	EQ(read(fd, &n, 8), 8);
	EQ(n, 1);
	CHECK(now_ns(CLOCK_REALTIME) >= in_ns(s.it_value));
	s = spec(now_ns(CLOCK_REALTIME) - 95 * MS, 10 * MS);		/* some are past */
	EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL), 0);
	EQ(read(fd, &n, 8), 8);
	CHECK(n >= 10 && n < 30);
}

TEST(timerfd_errors)
{
	int fd = new_timerfd(CLOCK_MONOTONIC, 0), other = open("/dev/null", O_RDWR);
	struct itimerspec s = spec(0, 0), bad = { { 0, 1000000000 }, { 0, 0 } };
	char b[8];

	FAILS(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	FAILS(timerfd_create(CLOCK_MONOTONIC_RAW, 0), EINVAL);
	FAILS(timerfd_create(77, 0), EINVAL);
	FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	FAILS(timerfd_settime(fd, 4, &s, NULL), EINVAL);
	FAILS(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
	FAILS(syscall(SYS_timerfd_settime, fd, 0, 8, 0), EFAULT);
	FAILS(timerfd_settime(999, 0, &s, NULL), EBADF);
	FAILS(timerfd_settime(other, 0, &s, NULL), EINVAL);
	FAILS(timerfd_gettime(other, &s), EINVAL);
	FAILS(syscall(SYS_timerfd_gettime, fd, 8), EFAULT);
	FAILS(read(fd, b, 4), EINVAL);
	FAILS(write(fd, b, 8), EINVAL);
}

/* Many, armed on whichever processor, all wake one epoll in order. */
TEST(timerfd_many)
{
	enum { N = 100 };
	int ep = epoll_create1(0), last = -1;

	for (int i = 0; i < N; i++) {
		int fd = new_timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK), order = i * 37 % N;
		struct itimerspec s = spec(50 * MS + order * 2 * MS, 0);
		struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)order };
		EQ(timerfd_settime(fd, 0, &s, NULL), 0);
		EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	}
	for (int got = 0; got < N; ) {
		struct epoll_event e[N];
		int n = epoll_wait(ep, e, N, 3000);
		NEED(n > 0);
		for (int i = 0; i < n; i++, got++) {
			CHECK((int)e[i].data.u32 > last - 8);		/* those of one moment in any order */
			last = (int)e[i].data.u32;
		}
	}
}

/* A clock that is set moves what is meant by it, and tells those that asked. */
TEST(the_clock_is_set)
{
	int cancel = new_timerfd(CLOCK_REALTIME, 0), wall = new_timerfd(CLOCK_REALTIME, 0), span = new_timerfd(CLOCK_REALTIME, 0);
	struct itimerspec hour = spec(now_ns(CLOCK_REALTIME) + 3600 * SECOND, 0), rel = spec(3600 * SECOND, 0), left;
	struct timespec set;
	uint64_t n;

	if (geteuid())
		SKIP("sets the clock");
	EQ(timerfd_settime(cancel, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &hour, NULL), 0);
	EQ(timerfd_settime(wall, TFD_TIMER_ABSTIME, &hour, NULL), 0);
	EQ(timerfd_settime(span, 0, &rel, NULL), 0);
	pid_t pid = fork();
	if (!pid)
		_exit(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &hour.it_value, NULL) ? 1 : 0);
	sleep_ms(50);
	set = of_ns(now_ns(CLOCK_REALTIME) + 3601 * SECOND);
	if (clock_settime(CLOCK_REALTIME, &set))
		SKIP("the clock may not be set");
	EQ(read(wall, &n, 8), 8);
	EQ(n, 1);
	FAILS(read(cancel, &n, 8), ECANCELED);
	EQ(wait_status(pid), 0);
	EQ(timerfd_gettime(span, &left), 0);
	CHECK(in_ns(left.it_value) > 3590 * SECOND);
	set = of_ns(now_ns(CLOCK_REALTIME) - 3601 * SECOND);
	EQ(clock_settime(CLOCK_REALTIME, &set), 0);
}

/* ---- timer_create --------------------------------------------------------------------------------------------------------------- */

static timer_t new_timer(clockid_t clock, int notify, int signo, int value)
{
	struct sigevent e = { .sigev_notify = notify, .sigev_signo = signo, .sigev_value.sival_int = value };
	int id = -1;
	NEED(!syscall(SYS_timer_create, clock, &e, &id));
	return (timer_t)(intptr_t)id;
}
#define ID(t)	((int)(intptr_t)(t))

static void set_timer(timer_t t, int flags, long long value, long long interval)
{
	struct itimerspec s = spec(value, interval);
	NEED(!syscall(SYS_timer_settime, ID(t), flags, &s, NULL));
}

static long long timer_left(timer_t t)
{
	struct itimerspec s;
	NEED(!syscall(SYS_timer_gettime, ID(t), &s));
	return in_ns(s.it_value);
}

static void block(int signo)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signo);
	NEED(!sigprocmask(SIG_BLOCK, &set, NULL));
}

/* Takes this signal, waiting for it up to a time. */
static int await_signal(int signo, siginfo_t *info, long long ns)
{
	sigset_t set;
	struct timespec t = of_ns(ns);
	sigemptyset(&set);
	sigaddset(&set, signo);
	return sigtimedwait(&set, info, &t);
}

TEST(timer_signals)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI };

	block(SIGRTMIN + 2);
	for (int i = 0; i < 4; i++) {
		timer_t t = new_timer(clocks[i], SIGEV_SIGNAL, SIGRTMIN + 2, 40 + i);
		siginfo_t info;
		long long began = now_ns(CLOCK_MONOTONIC);

		EQ(timer_left(t), 0);
		set_timer(t, 0, 20 * MS, 0);
		CHECK(timer_left(t) > 0 && timer_left(t) <= 20 * MS);
		EQ(await_signal(SIGRTMIN + 2, &info, SECOND), SIGRTMIN + 2);
		long long took = now_ns(CLOCK_MONOTONIC) - began;
		CHECK(took >= 20 * MS && took < 200 * MS);
		EQ(info.si_code, SI_TIMER);
		EQ(info.si_value.sival_int, 40 + i);
		EQ(info.si_timerid, ID(t));
		EQ(info.si_overrun, 0);
		EQ(timer_left(t), 0);
		EQ(await_signal(SIGRTMIN + 2, &info, 30 * MS), -1);
		EQ(errno, EAGAIN);
		EQ(syscall(SYS_timer_delete, ID(t)), 0);
		FAILS(syscall(SYS_timer_delete, ID(t)), EINVAL);
	}
}

TEST(timer_overruns)
{
	timer_t t = new_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
	siginfo_t info;

	block(SIGUSR1);
	set_timer(t, 0, 10 * MS, 10 * MS);
	sleep_ms(75);
	CHECK(timer_left(t) > 0 && timer_left(t) <= 10 * MS);
	EQ(await_signal(SIGUSR1, &info, SECOND), SIGUSR1);
	CHECK(info.si_overrun >= 5 && info.si_overrun < 20);
	EQ(syscall(SYS_timer_getoverrun, ID(t)), info.si_overrun);
	EQ(await_signal(SIGUSR1, &info, SECOND), SIGUSR1);
	CHECK(info.si_overrun < 5);
	set_timer(t, 0, 1, 1);				/* as fast as it can: the machine lives */
	sleep_ms(20);
	EQ(await_signal(SIGUSR1, &info, SECOND), SIGUSR1);
	CHECK(info.si_overrun > MS);
	set_timer(t, 0, 0, 0);
	EQ(await_signal(SIGUSR1, &info, 20 * MS), -1);	/* what was pending is gone with the setting */
	set_timer(t, 0, 5 * MS, 0);
	sleep_ms(20);
	EQ(syscall(SYS_timer_delete, ID(t)), 0);
	EQ(await_signal(SIGUSR1, &info, 20 * MS), -1);
}

TEST(timer_at_a_time)
{
	timer_t t = new_timer(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0);
	siginfo_t info;
	long long when = now_ns(CLOCK_REALTIME) + 25 * MS;

	block(SIGUSR1);
	set_timer(t, TIMER_ABSTIME, when, 0);
	EQ(await_signal(SIGUSR1, &info, SECOND), SIGUSR1);
	CHECK(now_ns(CLOCK_REALTIME) >= when);
	set_timer(t, TIMER_ABSTIME, 1, 0);		/* long past */
	EQ(await_signal(SIGUSR1, &info, SECOND), SIGUSR1);
}

TEST(timer_without_a_signal)
{
	timer_t t = new_timer(CLOCK_MONOTONIC, SIGEV_NONE, 999, 0);

	set_timer(t, 0, 20 * MS, 0);
	CHECK(timer_left(t) > 0);
	sleep_ms(30);
	EQ(timer_left(t), 0);
	set_timer(t, 0, 20 * MS, 7 * MS);
	sleep_ms(30);
	CHECK(timer_left(t) > 0 && timer_left(t) <= 7 * MS);
	EQ(syscall(SYS_timer_getoverrun, ID(t)), 0);
}

static volatile int thread_got, main_got;
static pid_t thread_tid;
static void note_tid(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	if ((pid_t)syscall(SYS_gettid) == thread_tid)
		thread_got++;
	else
		main_got++;
}

static void *wait_for_timer(void *arg)
{
	(void)arg;
	thread_tid = (pid_t)syscall(SYS_gettid);
	for (int i = 0; i < 200 && thread_got < 3; i++)
		sleep_ms(10);
	return NULL;
}

TEST(timer_for_a_thread)
{
	pthread_t p;
	struct { union sigval value; int signo, notify, tid; char pad[44]; } e = { .signo = SIGUSR2, .notify = SIGEV_THREAD_ID };
	int id;

	handle(SIGUSR2, note_tid, 0);
	NEED(!pthread_create(&p, NULL, wait_for_timer, NULL));
	while (!thread_tid)
		sleep_ms(1);
	e.tid = thread_tid;
	EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), 0);
	set_timer((timer_t)(intptr_t)id, 0, 10 * MS, 10 * MS);
	pthread_join(p, NULL);
	CHECK(thread_got >= 3);
	EQ(main_got, 0);
	sleep_ms(30);					/* nobody is there to take it */
	EQ(main_got, 0);
	EQ(syscall(SYS_timer_delete, id), 0);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), EINVAL);
	e.tid = getppid();
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), EINVAL);
}

/* The C library's way: a thread of its own waits for the signal. */
static volatile int called, called_with;
static void note_call(union sigval v)
{
	called_with = v.sival_int;
	__atomic_fetch_add(&called, 1, __ATOMIC_SEQ_CST);
}

TEST(timer_calls_a_function)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 77, .sigev_notify_function = note_call };
	struct itimerspec s = spec(10 * MS, 10 * MS), off = spec(0, 0);
	timer_t t;

	NEED(!timer_create(CLOCK_MONOTONIC, &e, &t));
	EQ(timer_settime(t, 0, &s, NULL), 0);
	for (int i = 0; i < 200 && called < 3; i++)
		sleep_ms(10);
	CHECK(called >= 3);
	EQ(called_with, 77);
	EQ(timer_settime(t, 0, &off, NULL), 0);
	EQ(timer_delete(t), 0);
}

TEST(timer_ignored)
{
	timer_t t = new_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0);

	signal(SIGUSR2, SIG_IGN);
	set_timer(t, 0, 5 * MS, 5 * MS);
	sleep_ms(40);
	CHECK(timer_left(t) > 0 && timer_left(t) <= 5 * MS);
	handle(SIGUSR2, note_tid, 0);
	sleep_ms(40);
	CHECK(main_got >= 2);
}

TEST(timer_of_cpu_time)
{
	static const clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };

	block(SIGUSR1);
	for (int i = 0; i < 2; i++) {
		timer_t t = new_timer(clocks[i], SIGEV_SIGNAL, SIGUSR1, 0);
		siginfo_t info;

		set_timer(t, 0, 50 * MS, 0);
		sleep_ms(100);
		EQ(await_signal(SIGUSR1, &info, 0), -1);		/* sleeping does not count */
		CHECK(timer_left(t) > 20 * MS && timer_left(t) <= 50 * MS);
		burn(100 * MS);
		EQ(await_signal(SIGUSR1, &info, 0), SIGUSR1);
		EQ(info.si_code, SI_TIMER);
		EQ(timer_left(t), 0);
		EQ(syscall(SYS_timer_delete, ID(t)), 0);
	}
}

/* The time of work is met; how well is said only: an emulator whose host is busy counts as work what it waited. */
TEST(timer_of_cpu_time_again_and_again)
{
	int good = 0;
	timer_t t = new_timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);

	handle(SIGUSR1, note_tid, 0);
	for (int i = 0; i < 20; i++) {
		long long began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		main_got = 0;
		set_timer(t, 0, 13 * MS, 0);
		while (!main_got)
			;
		long long took = now_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
		CHECK(took >= 13 * MS);
		good += took < 18 * MS;
	}
	printf("# %d of 20 were less than 5 ms late\n", good);
}

TEST(timer_errors)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	struct itimerspec s = spec(0, 0), bad = { { 0, 0 }, { 0, -1 } };
	int id = -1;

	FAILS(syscall(SYS_timer_create, 77, NULL, &id), EINVAL);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &id), EOPNOTSUPP);
	FAILS(syscall(SYS_timer_create, CLOCK_REALTIME_COARSE, NULL, &id), EOPNOTSUPP);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), EINVAL);
	e.sigev_signo = 0;
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), EINVAL);
	e.sigev_notify = 3;
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), EINVAL);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &id), EFAULT);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8), EFAULT);
	EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
	FAILS(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
	FAILS(syscall(SYS_timer_settime, id, 0, 8, NULL), EFAULT);
	FAILS(syscall(SYS_timer_settime, id, 0, &bad, NULL), EINVAL);
	FAILS(syscall(SYS_timer_settime, id + 1000, 0, &s, NULL), EINVAL);
	FAILS(syscall(SYS_timer_gettime, id + 1000, &s), EINVAL);
	FAILS(syscall(SYS_timer_gettime, id, 8), EFAULT);
	FAILS(syscall(SYS_timer_getoverrun, id + 1000), EINVAL);
	/* Neither a child nor another program has them; without an event the signal is SIGALRM and its value the number. */
	int status;
	CHILD(status)
		FAILS(syscall(SYS_timer_gettime, id, &s), EINVAL);
	EQ(status, 0);
	siginfo_t info;
	block(SIGALRM);
	set_timer((timer_t)(intptr_t)id, 0, MS, 0);
	EQ(await_signal(SIGALRM, &info, SECOND), SIGALRM);
	EQ(info.si_value.sival_int, id);
}

TEST(timers_are_limited)
{
	struct rlimit few = { 5, 5 };
	int id, made = 0;

	NEED(!setrlimit(RLIMIT_SIGPENDING, &few));
	if (setresuid(54321, 54321, 54321))
		SKIP("needs a user of its own");
	while (made < 20 && !syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id))
		made++;
	EQ(errno, EAGAIN);
	EQ(made, 5);
	EQ(syscall(SYS_timer_delete, id), 0);
	EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
}

/* Made, set, fired and deleted by several threads at once. */
static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 300; i++) {
		struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + (int)(rand_r(&seed) % 4) };
		struct itimerspec s = spec(1 + rand_r(&seed) % 1000000, rand_r(&seed) % 2 ? rand_r(&seed) % 100000 : 0);
		int id;
		if (syscall(SYS_timer_create, rand_r(&seed) % 2 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &e, &id))
			continue;
		syscall(SYS_timer_settime, id, 0, &s, NULL);
		if (rand_r(&seed) % 2)
			sched_yield();
		syscall(SYS_timer_settime, id - (int)(rand_r(&seed) % 3), 0, &s, NULL);
		syscall(SYS_timer_delete, id - (int)(rand_r(&seed) % 2));
		syscall(SYS_timer_delete, id);
	}
	return NULL;
}

TEST(timers_churn)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		handle(SIGRTMIN + i, note_tid, SA_RESTART);
	for (intptr_t i = 0; i < 4; i++)
		NEED(!pthread_create(&t[i], NULL, churn, (void *)(i + 1)));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* ---- setitimer ------------------------------------------------------------------------------------------------------------------- */

TEST(itimer_rests_while_its_signal_is_pending)
{
	struct itimerval v = { { 0, 2000 }, { 0, 2000 } }, now;
	siginfo_t info;

	block(SIGALRM);
	EQ(setitimer(ITIMER_REAL, &v, NULL), 0);
	sleep_ms(20);
	EQ(getitimer(ITIMER_REAL, &now), 0);
	EQ(now.it_value.tv_sec + now.it_value.tv_usec, 0);
	EQ(now.it_interval.tv_usec, 2000);
	EQ(await_signal(SIGALRM, &info, 0), SIGALRM);
	EQ(info.si_code, SI_KERNEL);
	EQ(getitimer(ITIMER_REAL, &now), 0);
	CHECK(now.it_value.tv_usec > 0 && now.it_value.tv_usec <= 2000);
	EQ(await_signal(SIGALRM, &info, SECOND), SIGALRM);
}

/* ---- sleeping -------------------------------------------------------------------------------------------------------------------- */

TEST(sleeps_by_every_clock)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI };
	struct timespec t;

	for (int i = 0; i < 4; i++) {
		long long began = now_ns(CLOCK_MONOTONIC);
		t = of_ns(20 * MS);
		EQ(clock_nanosleep(clocks[i], 0, &t, NULL), 0);
		long long took = now_ns(CLOCK_MONOTONIC) - began;
		CHECK(took >= 20 * MS && took < 200 * MS);
		t = of_ns(now_ns(clocks[i]) + 20 * MS);
		EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &t, NULL), 0);
		CHECK(now_ns(clocks[i]) >= in_ns(t));
	}
	t = of_ns(1);
	EQ(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &t, NULL), -1);
	EQ(errno, EOPNOTSUPP);
	FAILS(syscall(SYS_clock_nanosleep, CLOCK_REALTIME_COARSE, 0, &t, NULL), EOPNOTSUPP);
	FAILS(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EOPNOTSUPP);
	FAILS(syscall(SYS_clock_nanosleep, 77, 0, &t, NULL), EINVAL);
	FAILS(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, 8, NULL), EFAULT);
	t.tv_nsec = 1000000000;
	FAILS(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL), EINVAL);
}

static void *spin(void *arg)
{
	while (!*(volatile int *)arg)
		;
	return NULL;
}

TEST(sleeps_by_cpu_time)
{
	volatile int stop = 0;
	pthread_t p;
	struct timespec t = of_ns(60 * MS);

	NEED(!pthread_create(&p, NULL, spin, (void *)&stop));
	long long began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL), 0);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - began >= 60 * MS);
	t = of_ns(now_ns(CLOCK_PROCESS_CPUTIME_ID) + 60 * MS);
	EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) >= in_ns(t));
	stop = 1;
	pthread_join(p, NULL);
}

static void nothing(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; }

TEST(sleeps_are_interrupted)
{
	struct itimerval soon = { { 0, 0 }, { 0, 30000 } };
	struct timespec t = of_ns(SECOND), left = { 0, 0 };

	handle(SIGALRM, nothing, SA_RESTART);
	setitimer(ITIMER_REAL, &soon, NULL);
	FAILS(nanosleep(&t, &left), EINTR);
	CHECK(in_ns(left) > 800 * MS && in_ns(left) < 971 * MS);
	setitimer(ITIMER_REAL, &soon, NULL);
	t = of_ns(now_ns(CLOCK_MONOTONIC) + SECOND);
	EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left), EINTR);
	setitimer(ITIMER_REAL, &soon, NULL);
	t = of_ns(now_ns(CLOCK_REALTIME) + SECOND);
	EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, &left), EINTR);
}

/* Sleeps much shorter than a tick end soon after: on a machine that is not too busy, most of them. */
TEST(short_sleeps_are_short)
{
	int good = 0;

	for (int i = 0; i < 50; i++) {
		struct timespec t = of_ns(300000);
		long long began = now_ns(CLOCK_MONOTONIC);
		nanosleep(&t, NULL);
		long long took = now_ns(CLOCK_MONOTONIC) - began;
		CHECK(took >= 300000);
		good += took < 3 * MS;
	}
	CHECK(good >= 25);
}

TEST(adjtimex_tells)
{
	struct timex t = { .modes = 0 };

	CHECK(syscall(SYS_adjtimex, &t) >= 0);
	CHECK(llabs(t.time.tv_sec * SECOND - now_ns(CLOCK_REALTIME)) < 2 * SECOND);
	CHECK(t.tick > 9000 && t.tick < 11000);
	t.modes = 0;
	CHECK(clock_adjtime(CLOCK_REALTIME, &t) >= 0);
	FAILS(clock_adjtime(CLOCK_MONOTONIC, &t), EOPNOTSUPP);
	FAILS(clock_adjtime(77, &t), EINVAL);
	FAILS(syscall(SYS_adjtimex, 8), EFAULT);
	int status;
	CHILD(status) {
		NEED(!setresuid(54321, 54321, 54321));
		t.modes = ADJ_TICK;
		t.tick = 10000;
		FAILS(syscall(SYS_adjtimex, &t), EPERM);
	}
	EQ(status, 0);
}

/* ---- real-time signals ------------------------------------------------------------------------------------------------------------- */

TEST(queued_in_order)
{
	siginfo_t info;

	for (int i = 0; i < 3; i++)
		block(SIGRTMIN + i);
	for (int n = 0; n < 5; n++)
		for (int i = 2; i >= 0; i--) {
			union sigval v = { .sival_int = n * 10 + i };
			EQ(sigqueue(getpid(), SIGRTMIN + i, v), 0);
		}
	sigset_t set;
	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, SIGRTMIN + i);
	for (int i = 0; i < 3; i++)
		for (int n = 0; n < 5; n++) {
			EQ(sigwaitinfo(&set, &info), SIGRTMIN + i);	/* the lowest first, each in the order of sending */
			EQ(info.si_value.sival_int, n * 10 + i);
			EQ(info.si_code, SI_QUEUE);
			EQ(info.si_pid, getpid());
		}
}

TEST(queue_is_limited)
{
	struct rlimit few = { 4, 4 };
	union sigval v = { .sival_int = 1 };
	siginfo_t info;

	block(SIGRTMIN);
	block(SIGUSR1);
	NEED(!setrlimit(RLIMIT_SIGPENDING, &few));
	if (setresuid(54322, 54322, 54322))
		SKIP("needs a user of its own");
	for (int i = 0; i < 4; i++)
		EQ(sigqueue(getpid(), SIGRTMIN, v), 0);
	FAILS(sigqueue(getpid(), SIGRTMIN, v), EAGAIN);
	EQ(sigqueue(getpid(), SIGUSR1, v), 0);			/* comes, but without its value */
	EQ(await_signal(SIGUSR1, &info, 0), SIGUSR1);
	EQ(info.si_value.sival_int, 0);
	EQ(kill(getpid(), SIGUSR1), 0);				/* kill's has room always */
	EQ(await_signal(SIGUSR1, &info, 0), SIGUSR1);
	EQ(info.si_pid, getpid());
	EQ(kill(getpid(), SIGRTMIN), 0);			/* is sent, though there is no room */
	EQ(await_signal(SIGRTMIN, &info, 0), SIGRTMIN);
	EQ(sigqueue(getpid(), SIGRTMIN, v), 0);
	int status;
	CHILD(status)						/* the limit is the user's */
		FAILS(sigqueue(getpid(), SIGRTMIN, v), EAGAIN);
	EQ(status, 0);
}

TEST(sigqueue_rules)
{
	siginfo_t info = { .si_code = SI_USER };
	int status;

	block(SIGRTMIN);
	EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info), 0);		/* to itself a process may say anything */
	info.si_code = 77;
	EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, &info), 0);
	EQ(await_signal(SIGRTMIN, &info, 0), SIGRTMIN);
	EQ(info.si_code, 77);							/* a thread's own come first */
	EQ(await_signal(SIGRTMIN, &info, 0), SIGRTMIN);
	EQ(info.si_code, SI_USER);
	FAILS(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, 8), EFAULT);
	info.si_code = SI_QUEUE;
	FAILS(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGRTMIN, &info), EINVAL);
	FAILS(syscall(SYS_rt_tgsigqueueinfo, -1, getpid(), SIGRTMIN, &info), EINVAL);
	FAILS(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
	EQ(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &info), 0);
	pid_t parent = getpid();
	CHILD(status) {
		info.si_code = SI_USER;
		FAILS(syscall(SYS_rt_sigqueueinfo, parent, SIGRTMIN, &info), EPERM);
		info.si_code = SI_TKILL;
		FAILS(syscall(SYS_rt_sigqueueinfo, parent, SIGRTMIN, &info), EPERM);
		info.si_code = SI_TIMER;
		EQ(syscall(SYS_rt_sigqueueinfo, parent, SIGRTMIN, &info), 0);
	}
	EQ(status, 0);
	EQ(await_signal(SIGRTMIN, &info, 0), SIGRTMIN);
	EQ(info.si_code, SI_TIMER);
}
