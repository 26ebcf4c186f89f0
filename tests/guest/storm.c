/*
 * tests/guest/storm.c - processes that signal themselves and each other at random, while they sleep, wait, read, fork, set timers and change masks
 * and handlers.  What comes of it depends on the time; that the kernel stays sound, and that all of them can be ended, does not.
 */
#include "tap.h"
#include <poll.h>
#include <sys/time.h>

enum { PROCESSES = 12, SECONDS = 3, ACTIONS = 300, SIGNALS = 64 };

static unsigned state;

static unsigned below(unsigned n)
{
	state = state * 1103515245 + 12345;
	return (state >> 8) % n;
}

/* Any signal but those that nobody can catch, and those that the C libraries keep to themselves. */
static int some_signal(void)
{
	int signo = 1 + (int)below(SIGNALS);
	return signo == SIGKILL || signo == SIGSTOP || (signo >= 32 && signo <= 34) ? SIGUSR1 : signo;
}

/* One that stops nobody: for the whole group, which nobody would wake again. */
static int some_signal_for_all(void)
{
	int signo = some_signal();
	return signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU ? SIGUSR1 : signo;
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	static volatile unsigned count;
	(void)signo, (void)info, (void)context;
	if (++count % 7 == 0)
		kill(getpid(), some_signal());
}

static void choose_handlers(void)
{
	stack_t stack = { .ss_sp = malloc(16384), .ss_size = 16384 };

	sigaltstack(&stack, NULL);
	for (int signo = 1; signo <= SIGNALS; signo++) {
		struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
		a.sa_flags |= (below(2) ? SA_RESTART : 0) | (below(2) ? SA_ONSTACK : 0) | (below(4) ? 0 : SA_NODEFER) | (below(8) ? 0 : SA_RESETHAND);
		if (below(10))
			sigaction(signo, &a, NULL);
		else
			signal(signo, SIG_DFL);
	}
}

static void fork_a_moment(void)
{
	pid_t pid = fork();
	if (!pid)
		_exit((int)below(256));
	if (pid > 0 && below(2))
		waitpid(pid, NULL, WNOHANG);
}

static void use_pipe(const int *ends)
{
	char byte = 0;
	if (write(ends[1], &byte, 1) == 1 && below(2) && read(ends[0], &byte, 1) < 0 && errno != EINTR)
		_exit(1);
}

static void act(const int *ends)
{
	struct timespec moment = { 0, below(3000000) };
	struct itimerval timer = { { 0, below(20000) }, { 0, below(20000) } };
	union sigval value = { .sival_int = 1 };
	siginfo_t info;
	sigset_t set;

	for (size_t i = 0; i < sizeof set; i++)
		((unsigned char *)&set)[i] = (unsigned char)below(256);
	switch (below(11)) {
	case 0: sigprocmask((int)below(3), &set, NULL); break;
	case 1: nanosleep(&moment, &moment); break;
	case 2: sigtimedwait(&set, &info, &moment); break;
	case 3: setitimer((int)below(3), &timer, NULL); break;
	case 4: sigqueue(getpid(), some_signal(), value); break;
	case 5: kill(getpid(), some_signal()); break;
	case 6: ppoll(NULL, 0, &moment, &set); break;
	case 7: if (below(4) == 0) fork_a_moment(); break;
	case 8: use_pipe(ends); break;
	case 9: if (below(20) == 0) syscall(SYS_rt_sigreturn); break;	/* from no handler: whatever lies there */
	default: if (below(8) == 0) kill(0, some_signal_for_all()); break;
	}
}

static void be_one_of_them(unsigned seed)
{
	int ends[2];

	state = seed;
	choose_handlers();
	if (pipe(ends) < 0)
		_exit(1);
	for (int i = 0; i < ACTIONS; i++)
		act(ends);
	_exit(0);
}

/* Counts one that has ended, and makes room for the next. */
static long take_back(pid_t *pids)
{
	long ended = 0;
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0; ) {
		if (!WIFEXITED(status) && !WIFSIGNALED(status))
			continue;
		for (int i = 0; i < PROCESSES; i++)
			if (pids[i] == pid)
				pids[i] = 0, ended++;
	}
	return ended;
}

TEST(a_storm_of_signals)
{
	pid_t pids[PROCESSES] = { 0 };
	long started = 0, ended = 0;
	long long end = now_ns(CLOCK_MONOTONIC) + SECONDS * 1000000000ll;

	for (int signo = 1; signo <= SIGNALS; signo++)
		if (signo != SIGCHLD)
			signal(signo, SIG_IGN);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < PROCESSES; i++) {
			if (pids[i]) {
				kill(pids[i], below(3) ? some_signal() : SIGCONT);
				continue;
			}
			pids[i] = fork();
			NEED(pids[i] >= 0);
			if (!pids[i])
				be_one_of_them((unsigned)++started * 7919);
			started++;
		}
		ended += take_back(pids);
		sleep_ms(1);
	}
	for (int i = 0; i < PROCESSES; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EQ(errno, ECHILD);
	printf("# %ld processes, of which %ld ended of themselves\n", started, ended);
	CHECK(ended > PROCESSES);
}
