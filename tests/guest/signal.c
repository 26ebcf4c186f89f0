/* tests/guest/signal.c - signals: delivery, masks, restarting, alternate stacks, what the handler is told, timers. */
#include "tap.h"
#include <sys/time.h>
#include <poll.h>

static volatile sig_atomic_t count;
static siginfo_t last;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)context;
	last = *info;
	count++;
}

static void reset(int signo, int flags)
{
	count = 0;
	memset(&last, 0, sizeof last);
	handle(signo, on_signal, flags);
}

static void block(int how, int signo)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signo);
	NEED(!sigprocmask(how, &set, NULL));
}

TEST(a_handler_runs_and_returns)
{
	reset(SIGUSR1, 0);
	EQ(kill(getpid(), SIGUSR1), 0);
	EQ(count, 1);
	EQ(last.si_signo, SIGUSR1);
	EQ(last.si_code, SI_USER);
	EQ(last.si_pid, getpid());
	EQ(last.si_uid, getuid());
	raise(SIGUSR1);
	EQ(count, 2);
	EQ(last.si_code, SI_TKILL);
}

TEST(blocked_signals_wait)
{
	sigset_t pending;

	reset(SIGUSR1, 0);
	block(SIG_BLOCK, SIGUSR1);
	for (int i = 0; i < 5; i++)
		kill(getpid(), SIGUSR1);
	EQ(count, 0);
	EQ(sigpending(&pending), 0);
	EQ(sigismember(&pending, SIGUSR1), 1);
	block(SIG_UNBLOCK, SIGUSR1);
	EQ(count, 1);			/* ordinary signals do not queue */
	sigpending(&pending);
	EQ(sigismember(&pending, SIGUSR1), 0);
}

TEST(real_time_signals_queue)
{
	int signo = SIGRTMIN + 1;

	reset(signo, 0);
	block(SIG_BLOCK, signo);
	for (int i = 0; i < 5; i++)
		EQ(sigqueue(getpid(), signo, (union sigval){ .sival_int = i }), 0);
	block(SIG_UNBLOCK, signo);
	EQ(count, 5);
	EQ(last.si_code, SI_QUEUE);
	EQ(last.si_value.sival_int, 4);
}

static volatile sig_atomic_t depth, deepest;
static void nest(int signo, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	if (++depth > deepest)
		deepest = depth;
	if (++count < 3)
		raise(signo);
	depth--;
}

TEST(the_signal_is_blocked_in_its_handler)
{
	count = deepest = 0;
	handle(SIGUSR1, nest, 0);
	raise(SIGUSR1);
	EQ(count, 3);
	EQ(deepest, 1);
	count = deepest = 0;
	handle(SIGUSR1, nest, SA_NODEFER);
	raise(SIGUSR1);
	EQ(deepest, 3);
}

static volatile sig_atomic_t order[4], norder;
static void note(int signo, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	order[norder++ & 3] = signo;
}

TEST(sa_mask_holds_others_back)
{
	struct sigaction a = { .sa_sigaction = nest, .sa_flags = SA_SIGINFO };

	norder = 0;
	handle(SIGUSR2, note, 0);
	sigemptyset(&a.sa_mask);
	sigaddset(&a.sa_mask, SIGUSR2);
	NEED(!sigaction(SIGUSR1, &a, NULL));
	count = 2;
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR2);
	EQ(norder, 1);
	block(SIG_UNBLOCK, SIGUSR1);
	EQ(count, 3);
}

TEST(resethand_and_ignore)
{
	struct sigaction old;
	int status;

	reset(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	EQ(count, 1);
	NEED(!sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == SIG_DFL);
	CHILD(status)
		raise(SIGUSR1);
	EQ(status, SIGUSR1);
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	signal(SIGCHLD, SIG_DFL);
	raise(SIGCHLD);
	raise(SIGWINCH);
	raise(SIGURG);
	raise(SIGCONT);
}

TEST(what_cannot_be_changed)
{
	struct sigaction a = { .sa_handler = SIG_IGN };
	sigset_t all, now;

	FAILS(sigaction(SIGKILL, &a, NULL), EINVAL);
	FAILS(sigaction(SIGSTOP, &a, NULL), EINVAL);
	FAILS(sigaction(65, &a, NULL), EINVAL);
	FAILS(sigaction(0, &a, NULL), EINVAL);
	FAILS(kill(getpid(), 65), EINVAL);
	FAILS(kill(getpid(), -1), EINVAL);
	FAILS(kill(99999, SIGTERM), ESRCH);
	FAILS(kill(-99999, SIGTERM), ESRCH);
	EQ(kill(getpid(), 0), 0);
	sigfillset(&all);
	EQ(sigprocmask(SIG_SETMASK, &all, NULL), 0);
	EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
	EQ(sigismember(&now, SIGKILL), 0);
	EQ(sigismember(&now, SIGSTOP), 0);
	EQ(sigismember(&now, SIGTERM), 1);
	FAILS(sigprocmask(77, &all, NULL), EINVAL);
	FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
}

/* A blocked or ignored fault signal kills all the same. */
TEST(faults_cannot_be_held_back)
{
	int status;

	CHILD(status) {
		block(SIG_BLOCK, SIGSEGV);
		handle(SIGSEGV, on_signal, 0);
		*(volatile char *)(uintptr_t)(count + 8) = 1;
	}
	EQ(WTERMSIG(status), SIGSEGV);
	CHILD(status) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)(uintptr_t)(count + 8) = 1;
	}
	EQ(WTERMSIG(status), SIGSEGV);
}

/* ---- alternate stack ----------------------------------------------------------------------------------------------------------------- */

static char alternate[32768];
static volatile uintptr_t handler_sp;
static stack_t inside;

static void note_sp(int signo, siginfo_t *info, void *context)
{
	char here;
	(void)signo, (void)info, (void)context;
	handler_sp = (uintptr_t)&here;
	sigaltstack(NULL, &inside);
}

TEST(alternate_stack)
{
	stack_t s = { .ss_sp = alternate, .ss_size = sizeof alternate }, old, off = { .ss_flags = SS_DISABLE };

	EQ(sigaltstack(&s, &old), 0);
	EQ(old.ss_flags, SS_DISABLE);
	handle(SIGUSR1, note_sp, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(handler_sp >= (uintptr_t)alternate && handler_sp < (uintptr_t)alternate + sizeof alternate);
	EQ(inside.ss_flags, SS_ONSTACK);
	handle(SIGUSR1, note_sp, 0);
	raise(SIGUSR1);
	CHECK(handler_sp < (uintptr_t)alternate || handler_sp >= (uintptr_t)alternate + sizeof alternate);
	EQ(sigaltstack(&off, NULL), 0);
	s.ss_size = 100;
	FAILS(sigaltstack(&s, NULL), ENOMEM);
	s = (stack_t){ .ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = 0x1234 };
	FAILS(sigaltstack(&s, NULL), EINVAL);
}

TEST(no_stack_for_the_frame)
{
	int status;

	CHILD(status) {
		stack_t s = { .ss_sp = (void *)0x1000, .ss_size = 65536 };
		NEED(!sigaltstack(&s, NULL));
		handle(SIGUSR1, on_signal, SA_ONSTACK);
		handle(SIGSEGV, on_signal, SA_ONSTACK);
		raise(SIGUSR1);
	}
	EQ(status & 0x7f, SIGSEGV);
}

/* ---- calls that are interrupted ----------------------------------------------------------------------------------------------------------- */

static void alarm_ms(long ms, long every)
{
	struct itimerval t = { { 0, every * 1000 }, { ms / 1000, ms % 1000 * 1000 } };
	NEED(!setitimer(ITIMER_REAL, &t, NULL));
}

TEST(read_is_interrupted_or_restarted)
{
	int ends[2];
	char byte;

	NEED(!pipe(ends));
	reset(SIGALRM, 0);
	alarm_ms(50, 0);
	FAILS(read(ends[0], &byte, 1), EINTR);
	EQ(count, 1);
	reset(SIGALRM, SA_RESTART);
	alarm_ms(50, 0);
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(200);
		EQ(write(ends[1], "x", 1), 1);
		_exit(0);
	}
	EQ(read(ends[0], &byte, 1), 1);
	EQ(count, 1);
	EQ(wait_status(pid), 0);
}

TEST(wait_is_interrupted_or_restarted)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		sleep_ms(250);
		_exit(0);
	}
	reset(SIGALRM, 0);
	alarm_ms(40, 0);
	FAILS(waitpid(pid, &status, 0), EINTR);
	reset(SIGALRM, SA_RESTART);
	alarm_ms(40, 0);
	EQ(waitpid(pid, &status, 0), pid);
	EQ(count, 1);
}

TEST(sleeps_say_what_is_left)
{
	struct timespec t = { 5, 0 }, left = { 0 };

	reset(SIGALRM, SA_RESTART);
	alarm_ms(100, 0);
	FAILS(nanosleep(&t, &left), EINTR);		/* sleeps never restart after a handler */
	CHECK(left.tv_sec == 4);
	FAILS(poll(NULL, 0, (alarm_ms(50, 0), 2000)), EINTR);
	alarm_ms(50, 0);
	FAILS(pause(), EINTR);
}

/* A signal that is stopped and continued, or ignored, does not shorten a sleep. */
TEST(stops_do_not_shorten_a_sleep)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct timespec t = { 0, 400000000 };
		long long began = now_ns(CLOCK_MONOTONIC);
		int r = nanosleep(&t, NULL);
		_exit(r || now_ns(CLOCK_MONOTONIC) - began < 400000000);
	}
	sleep_ms(50);
	kill(pid, SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGCONT);
	EQ(wait_status(pid), 0);
}

TEST(sigsuspend_waits_for_one)
{
	sigset_t none;

	reset(SIGALRM, 0);
	block(SIG_BLOCK, SIGALRM);
	alarm_ms(30, 0);
	sleep_ms(80);
	EQ(count, 0);
	sigemptyset(&none);
	FAILS(sigsuspend(&none), EINTR);
	EQ(count, 1);
	sigset_t now;
	sigprocmask(SIG_SETMASK, NULL, &now);
	EQ(sigismember(&now, SIGALRM), 1);
}

TEST(sigtimedwait_takes_a_signal)
{
	sigset_t set;
	siginfo_t info;
	struct timespec shortly = { 0, 50000000 };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	FAILS(sigtimedwait(&set, &info, &shortly), EAGAIN);
	raise(SIGUSR1);
	EQ(sigtimedwait(&set, &info, &shortly), SIGUSR1);
	EQ(info.si_signo, SIGUSR1);
	EQ(info.si_pid, getpid());
}

/* ---- children and pipes ------------------------------------------------------------------------------------------------------------------------ */

TEST(sigchld_says_what_happened)
{
	reset(SIGCHLD, SA_RESTART);
	pid_t pid = fork();
	if (!pid)
		_exit(9);
	EQ(wait_status(pid), 9 << 8);
	EQ(count, 1);
	EQ(last.si_code, CLD_EXITED);
	EQ(last.si_pid, pid);
	EQ(last.si_status, 9);
	pid = fork();
	if (!pid) {
		raise(SIGKILL);
		_exit(0);
	}
	wait_status(pid);
	EQ(last.si_code, CLD_KILLED);
	EQ(last.si_status, SIGKILL);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	int status;
	waitpid(pid, &status, WUNTRACED);
	EQ(last.si_code, CLD_STOPPED);
	kill(pid, SIGKILL);
	wait_status(pid);
}

TEST(ignored_children_leave_no_zombie)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t pid = fork();
	if (!pid)
		_exit(0);
	FAILS(waitpid(pid, NULL, 0), ECHILD);
}

TEST(sigpipe)
{
	int ends[2], status;

	NEED(!pipe(ends));
	close(ends[0]);
	CHILD(status)
		(void)!write(ends[1], "x", 1);
	EQ(status, SIGPIPE);
	reset(SIGPIPE, 0);
	FAILS(write(ends[1], "x", 1), EPIPE);
	EQ(count, 1);
	signal(SIGPIPE, SIG_IGN);
	FAILS(write(ends[1], "x", 1), EPIPE);
}

TEST(groups_are_signalled_together)
{
	pid_t group = fork(), second;

	if (!group)
		for (setpgid(0, 0);;)
			pause();
	setpgid(group, group);
	second = fork();
	if (!second)
		for (;;)
			pause();
	EQ(setpgid(second, group), 0);
	EQ(kill(-group, SIGTERM), 0);
	EQ(wait_status(group), SIGTERM);
	EQ(wait_status(second), SIGTERM);
	FAILS(kill(-group, SIGTERM), ESRCH);
}

TEST(exec_resets_handlers_and_keeps_ignores)
{
	int status;

	CHILD(status) {
		handle(SIGUSR1, on_signal, 0);
		signal(SIGUSR2, SIG_IGN);
		block(SIG_BLOCK, SIGUSR1);
		execl("/bin/sh", "sh", "-c", "kill -USR2 $$; kill -USR1 $$; exit 5", NULL);
	}
	EQ(status, 5 << 8);			/* SIGUSR1 is still blocked, USR2 ignored */
	CHILD(status) {
		handle(SIGUSR1, on_signal, 0);
		execl("/bin/sh", "sh", "-c", "kill -USR1 $$; exit 5", NULL);
	}
	EQ(status, SIGUSR1);
}

TEST(fork_inherits_handlers_not_pending)
{
	int status;

	reset(SIGUSR1, 0);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	CHILD(status) {
		block(SIG_UNBLOCK, SIGUSR1);
		EQ(count, 0);
		raise(SIGUSR1);
		EQ(count, 1);
	}
	EQ(status, 0);
	block(SIG_UNBLOCK, SIGUSR1);
	EQ(count, 1);
}

/* ---- timers ---------------------------------------------------------------------------------------------------------------------------------------- */

TEST(alarm_counts_seconds)
{
	reset(SIGALRM, 0);
	EQ(alarm(100), 0);
	CHECK(alarm(1) >= 99);
	long long began = now_ns(CLOCK_MONOTONIC);
	pause();
	long long took = now_ns(CLOCK_MONOTONIC) - began;
	EQ(count, 1);
	CHECK(took >= 990000000 && took < 3000000000);
	EQ(alarm(0), 0);
}

TEST(interval_timers)
{
	struct itimerval t;

	reset(SIGALRM, SA_RESTART);
	alarm_ms(30, 30);
	while (count < 4)
		pause();
	EQ(getitimer(ITIMER_REAL, &t), 0);
	EQ(t.it_interval.tv_usec, 30000);
	alarm_ms(0, 0);
	int so_far = count;
	sleep_ms(100);
	EQ(count, so_far);
	FAILS(setitimer(9, &t, NULL), EINVAL);
	t.it_value.tv_usec = 2000000;
	FAILS(setitimer(ITIMER_REAL, &t, NULL), EINVAL);
}

TEST(virtual_timers_count_running_time)
{
	struct itimerval t = { { 0, 0 }, { 0, 50000 } };
	volatile unsigned long spin = 0;

	reset(SIGVTALRM, 0);
	NEED(!setitimer(ITIMER_VIRTUAL, &t, NULL));
	sleep_ms(150);
	EQ(count, 0);
	while (!count)
		spin++;
	EQ(count, 1);
}

/* A signal ends a process that only computes: it is preempted. */
TEST(a_busy_process_can_be_killed)
{
	pid_t pid = fork();

	if (!pid)
		for (volatile long spin = 0;; spin++)
			;
	sleep_ms(30);
	kill(pid, SIGTERM);
	EQ(wait_status(pid), SIGTERM);
}

TEST(two_busy_processes_share_the_processor)
{
	volatile long *n = map_anon(PAGE, MAP_SHARED);
	pid_t a = fork();
	if (!a)
		for (;;)
			n[0]++;
	pid_t b = fork();
	if (!b)
		for (;;)
			n[8]++;
	sleep_ms(400);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	wait_status(a);
	wait_status(b);
	CHECK(n[0] > 1000 && n[8] > 1000);
	CHECK(n[0] < 20 * n[8] && n[8] < 20 * n[0]);
}
