/* tests/guest/sigmore.c - signals, further: alternate stacks and their flags, what restarts, threads, and what waits for a signal. */
#include "tap.h"
#include <poll.h>
#include <pthread.h>
#include <sys/time.h>
#include <ucontext.h>

enum { MS = 1000000, FUTEX_WAIT = 0, FUTEX_WAKE = 1 };
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char *stack;
static size_t stack_size = 64 << 10;
static volatile sig_atomic_t runs, depth, deepest;
static volatile int flags_seen[4], inside[4];
static stack_t at_entry[4];

static int is_inside(const void *p) { return (const char *)p >= stack && (const char *)p < stack + stack_size; }

static void look(int signo, siginfo_t *info, void *context)
{
	stack_t now;
	ucontext_t *u = context;
	int n = runs++;

	(void)info;
	sigaltstack(NULL, &now);
	if (n < 4) {
		flags_seen[n] = now.ss_flags;
		inside[n] = is_inside(&now);
		at_entry[n] = u->uc_stack;
	}
	if (++depth > deepest)
		deepest = depth;
	if (n == 0 && signo == SIGUSR1)
		raise(SIGUSR2);
	depth--;
}

/* The call itself: C libraries have opinions of their own. */
static int raw_timedwait(const sigset_t *set, siginfo_t *info, const struct timespec *t)
{
	return (int)syscall(SYS_rt_sigtimedwait, set, info, t, 8);
}

static void set_stack(int flags)
{
	stack = map_anon(stack_size, MAP_PRIVATE);
	stack_t s = { .ss_sp = stack, .ss_size = stack_size, .ss_flags = flags };
	NEED(!syscall(SYS_sigaltstack, &s, NULL));
}

TEST(altstack_nests)
{
	stack_t now;

	set_stack(0);
	handle(SIGUSR1, look, SA_ONSTACK);
	handle(SIGUSR2, look, SA_ONSTACK);
	raise(SIGUSR1);
	EQ(runs, 2);
	EQ(inside[0], 1);
	EQ(inside[1], 1);
	EQ(flags_seen[0], SS_ONSTACK);
	EQ(flags_seen[1], SS_ONSTACK);
	EQ(at_entry[0].ss_flags, 0);
	EQ(at_entry[1].ss_flags, 0);
	CHECK(at_entry[0].ss_sp == stack);
	EQ(sigaltstack(NULL, &now), 0);
	EQ(now.ss_flags, 0);
	CHECK(now.ss_sp == stack && now.ss_size == stack_size);
}

TEST(altstack_disarms)
{
	stack_t now;

	set_stack((int)SS_AUTODISARM);
	handle(SIGUSR1, look, SA_ONSTACK);
	handle(SIGUSR2, look, SA_ONSTACK);
	raise(SIGUSR1);
	EQ(runs, 2);
	EQ(inside[0], 1);
	EQ(inside[1], 1);			/* where the first one runs: there is no other stack set now */
	EQ(flags_seen[0], SS_DISABLE);
	EQ(flags_seen[1], SS_DISABLE);
	EQ(at_entry[0].ss_flags, (int)SS_AUTODISARM);
	EQ(sigaltstack(NULL, &now), 0);
	EQ(now.ss_flags, (int)SS_AUTODISARM);
	CHECK(now.ss_sp == stack && now.ss_size == stack_size);
}

static volatile int change_result, change_errno;
static void change(int signo, siginfo_t *info, void *context)
{
	stack_t s = { .ss_flags = SS_DISABLE };
	(void)signo, (void)info, (void)context;
	change_result = sigaltstack(&s, NULL);
	change_errno = errno;
}

TEST(altstack_rules)
{
	stack_t s = { .ss_sp = NULL, .ss_size = 1 << 16, .ss_flags = 4 }, old;

	FAILS(sigaltstack(&s, NULL), EINVAL);
	s.ss_flags = 0;
	s.ss_size = 100;
	FAILS(sigaltstack(&s, NULL), ENOMEM);
	FAILS(syscall(SYS_sigaltstack, 8, NULL), EFAULT);
	set_stack(SS_ONSTACK);					/* taken for 0 */
	handle(SIGUSR1, change, SA_ONSTACK);
	raise(SIGUSR1);
	EQ(change_result, -1);
	EQ(change_errno, EPERM);
	EQ(sigaltstack(NULL, &old), 0);
	CHECK(old.ss_sp == stack);
	set_stack((int)SS_AUTODISARM);				/* then it can be changed from within */
	raise(SIGUSR1);
	EQ(change_result, 0);
	s.ss_flags = SS_DISABLE;
	EQ(sigaltstack(&s, &old), 0);
	CHECK(old.ss_sp == stack);				/* but the return has set it again */
	EQ(sigaltstack(NULL, &old), 0);
	EQ(old.ss_flags, SS_DISABLE);
	FAILS(syscall(SYS_sigaltstack, NULL, 8), EFAULT);
}

static volatile sig_atomic_t masked_inside;
static void count(int signo, siginfo_t *info, void *context)
{
	sigset_t now;
	(void)info, (void)context;
	sigprocmask(SIG_BLOCK, NULL, &now);
	masked_inside = sigismember(&now, signo);
	if (++depth > deepest)
		deepest = depth;
	if (++runs < 3)
		raise(signo);
	depth--;
}

TEST(nodefer)
{
	handle(SIGUSR1, count, SA_NODEFER);
	raise(SIGUSR1);
	EQ(runs, 3);
	EQ(deepest, 3);
	EQ(masked_inside, 0);
	runs = deepest = 0;
	handle(SIGUSR1, count, 0);
	raise(SIGUSR1);
	EQ(runs, 3);
	EQ(deepest, 1);
	EQ(masked_inside, 1);
}

TEST(resethand_with_info)
{
	struct sigaction a;

	runs = 5;
	handle(SIGUSR1, count, (int)(SA_RESETHAND | SA_NODEFER));
	raise(SIGUSR1);
	EQ(runs, 6);
	EQ(sigaction(SIGUSR1, NULL, &a), 0);
	CHECK(a.sa_handler == SIG_DFL);
	CHECK(a.sa_flags & (int)SA_RESETHAND);			/* the flags stay */
}

/* Flags that are not known are taken away, so that programs can find out. */
TEST(unknown_flags)
{
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } a = { SIG_IGN, 0x400 | 0x1000 | SA_RESTART, NULL, 0 }, b;

	EQ(syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8), 0);
	EQ(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &b, 8), 0);
	EQ(b.flags, SA_RESTART);
}

/* ---- what goes on after a signal, and what does not ------------------------------------------------------------------------------- */

static void nothing(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; runs++; }

static void soon(void)
{
	struct itimerval v = { { 0, 0 }, { 0, 30000 } };
	NEED(!setitimer(ITIMER_REAL, &v, NULL));
}

TEST(never_restarted)
{
	struct timespec t = { 1, 0 };
	int word = 0, ends[2];
	sigset_t set;

	NEED(!pipe(ends));
	handle(SIGALRM, nothing, SA_RESTART);
	soon();
	FAILS(nanosleep(&t, NULL), EINTR);
	soon();
	FAILS(pause(), EINTR);
	soon();
	struct pollfd p = { ends[0], POLLIN, 0 };
	FAILS(poll(&p, 1, 1000), EINTR);
	soon();
	struct timeval v = { 1, 0 };
	FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &v), EINTR);
	CHECK(v.tv_sec == 0 && v.tv_usec > 800000);		/* what is left */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	soon();
	FAILS(raw_timedwait(&set, NULL, &t), EINTR);
	soon();
	FAILS(sigsuspend(&set), EINTR);
	EQ(runs, 6);
	soon();
	FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0), EINTR);	/* with a time limit; without, it is */
}

static void *wake_late(void *word)
{
	sleep_ms(100);
	*(volatile int *)word = 1;
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

TEST(restarted)
{
	int word = 0, ends[2];
	char c;
	pthread_t p;

	NEED(!pipe(ends));
	handle(SIGALRM, nothing, SA_RESTART);
	NEED(!pthread_create(&p, NULL, wake_late, &word));
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	soon();
	EQ(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
	pthread_join(p, NULL);
	EQ(runs, 1);
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(80);
		_exit(write(ends[1], "x", 1) != 1);
	}
	soon();
	EQ(read(ends[0], &c, 1), 1);
	EQ(wait_status(pid), 0);
	EQ(runs, 2);
}

/* A stop and a continuation are no handler: sleeps go on for what is left, pause and waits for ever; sigtimedwait ends. */
TEST(stops)
{
	int status, ends[2];

	NEED(!pipe(ends));
	for (int what = 0; what < 6; what++) {
		pid_t pid = fork();
		if (!pid) {
			struct timespec t = { 0, 300 * MS };
			struct timeval v = { 0, 300000 };
			struct pollfd p = { ends[0], POLLIN, 0 };
			int word = 0;
			sigset_t set;
			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			long r = what == 0 ? nanosleep(&t, NULL) : what == 1 ? poll(&p, 1, 300) : what == 2 ? select(0, NULL, NULL, NULL, &v)
				: what == 3 ? ppoll(&p, 1, &t, NULL) : what == 4 ? syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0)
				: raw_timedwait(&set, NULL, &t);
			_exit(r == 0 ? 0 : errno);
		}
		long long began = now_ns(CLOCK_MONOTONIC);
		sleep_ms(100);
		kill(pid, SIGSTOP);
		NEED(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		sleep_ms(50);
		kill(pid, SIGCONT);
		NEED(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		static const int ends_with[] = { 0, 0, 0, 0, ETIMEDOUT, EINTR };
		if (WEXITSTATUS(status) != ends_with[what])
			FAIL("%d ended with %s", what, strerror(WEXITSTATUS(status)));
		long long took = (now_ns(CLOCK_MONOTONIC) - began) / MS;
		if (what < 5 && (took < 295 || took > 440))
			FAIL("%d took %lld ms", what, took);
	}
}

/* ---- threads --------------------------------------------------------------------------------------------------------------------- */

static volatile int got_by[3];
static pthread_t threads[3];

static void who(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	for (int i = 0; i < 3; i++)
		if (pthread_equal(pthread_self(), threads[i]))
			got_by[i]++;
}

static volatile int go;
static void *wait_to_go(void *arg)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (arg)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!go)
		sleep_ms(2);
	return NULL;
}

/* A signal of the process goes to one that does not block it; one of a thread stays with it. */
TEST(who_takes_it)
{
	sigset_t set;

	handle(SIGUSR1, who, SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	threads[0] = pthread_self();
	NEED(!pthread_create(&threads[1], NULL, wait_to_go, NULL));
	NEED(!pthread_create(&threads[2], NULL, wait_to_go, (void *)1));
	sleep_ms(50);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 5; i++) {
		kill(getpid(), SIGUSR1);
		sleep_ms(10);
	}
	EQ(got_by[0], 0);
	EQ(got_by[1], 5);
	EQ(got_by[2], 0);
	pthread_kill(threads[2], SIGUSR1);
	sleep_ms(20);
	EQ(got_by[2], 0);
	go = 1;
	pthread_join(threads[1], NULL);
	pthread_join(threads[2], NULL);
	kill(getpid(), SIGUSR1);
	sleep_ms(20);
	EQ(got_by[0], 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	EQ(got_by[0], 1);
}

static void *wait_for_one(void *arg)
{
	siginfo_t info;
	struct timespec t = { 0, 400 * MS };
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	int got;
	do					/* Linux may wake one for what another takes */
		got = raw_timedwait(&set, &info, &t);
	while (got < 0 && errno == EINTR);
	return (void *)(intptr_t)(got == SIGRTMIN + 3 ? info.si_value.sival_int : 0);
}

/* Each of several that wait gets one. */
TEST(many_wait)
{
	enum { N = 4 };
	pthread_t t[N];
	sigset_t set;
	int sum = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < N; i++)
		NEED(!pthread_create(&t[i], NULL, wait_for_one, NULL));
	sleep_ms(80);
	for (int i = 0; i < N; i++)
		EQ(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 1 << i }), 0);
	for (int i = 0; i < N; i++) {
		void *got;
		pthread_join(t[i], &got);
		sum += (int)(intptr_t)got;
	}
	EQ(sum, (1 << N) - 1);
}

TEST(timedwait_rules)
{
	sigset_t set;
	siginfo_t info;
	struct timespec bad = { 0, 1000000000 }, zero = { 0, 0 };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	FAILS(raw_timedwait(&set, &info, &bad), EINVAL);
	FAILS(raw_timedwait(&set, &info, &zero), EAGAIN);
	FAILS(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 4), EINVAL);
	FAILS(syscall(SYS_rt_sigtimedwait, 8, &info, &zero, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigtimedwait, &set, &info, 8, 8), EFAULT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	FAILS(syscall(SYS_rt_sigtimedwait, &set, 8, &zero, 8), EFAULT);
	FAILS(raw_timedwait(&set, &info, &zero), EAGAIN);		/* it has been taken */
	/* Ignored and waited for: not lost, as it is blocked. */
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	EQ(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 8), SIGUSR1);		/* glibc's makes SI_USER of it */
	EQ(info.si_code, SI_TKILL);
	EQ(info.si_pid, getpid());
}
