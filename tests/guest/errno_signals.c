/*
 * tests/guest/errno_signals.c - what calls about signals and time answer, row by row.
 */
#include "rows.h"
#include <sys/time.h>
#include <sys/timex.h>

static char buffer[PAGE];
static long data;

TEST(sending)
{
	siginfo_t info = { .si_code = SI_QUEUE }, forged = { .si_code = SI_USER };
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	siginfo_t end;
	NEED(waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) == 0);
	signal(SIGUSR1, SIG_IGN);
	IS(-EINVAL, kill, getpid(), 65);
	IS(-EINVAL, kill, getpid(), -1);
	IS(-EINVAL, kill, getpid(), 2000);
	IS(-ESRCH, kill, 999999, 65);
	IS(-ESRCH, kill, 999999, 0);
	IS(-ESRCH, kill, 999999, SIGTERM);
	IS(-ESRCH, kill, -999999, SIGTERM);
	IS(-ESRCH, kill, INT_MIN, SIGTERM);
	IS(0, kill, getpid(), 0);
	IS(0, kill, 0, 0);
	IS(0, kill, -getpgrp(), 0);
	IS(0, kill, pid, SIGTERM);			/* a zombie */
	IS(0, kill, getpid(), SIGUSR1);
	IS(-EINVAL, tkill, 0, 0);
	IS(-EINVAL, tkill, -1, 0);
	IS(-ESRCH, tkill, 999999, 0);
	IS(-EINVAL, tkill, getpid(), 65);
	IS(0, tkill, getpid(), 0);
	IS(-EINVAL, tgkill, 0, getpid(), 0);
	IS(-EINVAL, tgkill, getpid(), 0, 0);
	IS(-EINVAL, tgkill, -1, getpid(), 0);
	IS(-EINVAL, tgkill, getpid(), -1, 0);
	IS(-EINVAL, tgkill, getpid(), getpid(), 65);
	IS(-ESRCH, tgkill, getpid(), 999999, 0);
	IS(-ESRCH, tgkill, getppid(), getpid(), 0);
	IS(0, tgkill, getpid(), getpid(), SIGUSR1);
	IS(0, rt_sigqueueinfo, getpid(), SIGUSR1, P(&info));
	IS(-EINVAL, rt_sigqueueinfo, getpid(), 65, P(&info));
	IS(-EINVAL, rt_sigqueueinfo, getpid(), -1, P(&info));
	IS(-ESRCH, rt_sigqueueinfo, 999999, SIGUSR1, P(&info));
	IS(-EFAULT, rt_sigqueueinfo, getpid(), SIGUSR1, nowhere);
	IS(-EPERM, rt_sigqueueinfo, getppid(), 0, P(&forged));
	IS(0, rt_sigqueueinfo, getpid(), 0, P(&forged));
	IS(0, rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, P(&info));
	IS(-EINVAL, rt_tgsigqueueinfo, 0, getpid(), SIGUSR1, P(&info));
	IS(-ESRCH, rt_tgsigqueueinfo, getpid(), 999999, SIGUSR1, P(&info));
	IS(-EFAULT, rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, nowhere);
	AS_NOBODY({
		IS(-EPERM, kill, 1, 0);
		IS(-EPERM, kill, 1, SIGTERM);
		IS(-EPERM, tkill, getppid(), 0);
		IS(-EPERM, tgkill, getppid(), getppid(), SIGTERM);
		IS(-EPERM, rt_sigqueueinfo, getppid(), SIGTERM, P(&info));
	});
	IS(pid, wait4, pid, P(&status), 0, 0);
}

TEST(actions_and_masks)
{
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } a = { SIG_IGN, 0, NULL, 0 };
	unsigned long set = 0;

	IS(-EINVAL, rt_sigaction, 0, P(&a), 0, 8);
	IS(-EINVAL, rt_sigaction, -1, P(&a), 0, 8);
	IS(-EINVAL, rt_sigaction, 65, P(&a), 0, 8);
	IS(-EINVAL, rt_sigaction, SIGKILL, P(&a), 0, 8);
	IS(-EINVAL, rt_sigaction, SIGSTOP, P(&a), 0, 8);
	IS(0, rt_sigaction, SIGKILL, 0, P(&a), 8);
	a.handler = SIG_IGN;
	IS(-EINVAL, rt_sigaction, SIGUSR1, P(&a), 0, 4);
	IS(-EINVAL, rt_sigaction, SIGUSR1, P(&a), 0, -1);
	IS(-EFAULT, rt_sigaction, SIGUSR1, nowhere, 0, 8);
	IS(-EFAULT, rt_sigaction, SIGUSR1, 0, nowhere, 8);
	IS(-EFAULT, rt_sigaction, SIGKILL, nowhere, 0, 8);
	IS(0, rt_sigaction, SIGUSR1, P(&a), 0, 8);
	IS(0, rt_sigaction, SIGUSR1, 0, 0, 8);
	IS(-EINVAL, rt_sigprocmask, 7, P(&set), 0, 8);
	IS(-EINVAL, rt_sigprocmask, -1, P(&set), 0, 8);
	IS(0, rt_sigprocmask, 7, 0, P(&set), 8);
	IS(-EINVAL, rt_sigprocmask, SIG_BLOCK, P(&set), 0, 16);
	IS(-EFAULT, rt_sigprocmask, SIG_BLOCK, nowhere, 0, 8);
	IS(-EFAULT, rt_sigprocmask, SIG_BLOCK, 0, nowhere, 8);
	IS(-EFAULT, rt_sigpending, nowhere, 8);
	IS(-EINVAL, rt_sigpending, P(&set), 9);
	IS(0, rt_sigpending, P(&set), 4);
	IS(-EINVAL, rt_sigsuspend, P(&set), 4);
	IS(-EFAULT, rt_sigsuspend, nowhere, 8);
	stack_t s = { .ss_sp = buffer, .ss_size = 100 }, wrong = { .ss_sp = buffer, .ss_size = 8192, .ss_flags = 77 }, off = { .ss_flags = SS_DISABLE };
	IS(-ENOMEM, sigaltstack, P(&s), 0);
	IS(-EINVAL, sigaltstack, P(&wrong), 0);
	IS(-EFAULT, sigaltstack, nowhere, 0);
	IS(-EFAULT, sigaltstack, 0, nowhere);
	IS(0, sigaltstack, P(&off), 0);
	IS(0, sigaltstack, 0, 0);
	struct timespec none = { 0, 0 }, bad = { 0, 1000000000 }, negative = { -1, 0 };
	set = 1ul << (SIGUSR2 - 1);
	IS(-EAGAIN, rt_sigtimedwait, P(&set), 0, P(&none), 8);
	IS(-EINVAL, rt_sigtimedwait, P(&set), 0, P(&bad), 8);
	IS(-EINVAL, rt_sigtimedwait, P(&set), 0, P(&negative), 8);
	IS(-EINVAL, rt_sigtimedwait, P(&set), 0, P(&none), 4);
	IS(-EFAULT, rt_sigtimedwait, nowhere, 0, P(&none), 8);
	IS(-EFAULT, rt_sigtimedwait, P(&set), 0, nowhere, 8);
	IS(0, rt_sigprocmask, SIG_BLOCK, P(&set), 0, 8);
	IS(0, kill, getpid(), SIGUSR2);
	IS(-EFAULT, rt_sigtimedwait, P(&set), nowhere, P(&none), 8);
	IS(-EAGAIN, rt_sigtimedwait, P(&set), 0, P(&none), 8);
}

static void caught(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; }

static void alarm_soon(void)
{
	NEED(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 20000 } }, NULL) == 0);
}

TEST(interrupted)
{
	int ends[2], word = 0, flags[2] = { 0, SA_RESTART };
	struct timespec left, second = { 1, 0 };
	unsigned long empty = 0;

	NEED(pipe(ends) == 0);
	pid_t pid = fork();
	if (!pid)
		for (;;)
			pause();
	for (int i = 0; i < 2; i++) {		/* what is not restarted in either case */
		handle(SIGALRM, caught, flags[i]);
		alarm_soon();
		IS(-EINTR, pause);
		alarm_soon();
		IS(-EINTR, nanosleep, P(&second), P(&left));
		CHECK(left.tv_sec == 0 && left.tv_nsec > 500000000);
		alarm_soon();
		IS(-EINTR, clock_nanosleep, CLOCK_MONOTONIC, 0, P(&second), P(&left));
		alarm_soon();
		IS(-EINTR, rt_sigsuspend, P(&empty), 8);
		alarm_soon();
		IS(-EINTR, poll, 0, 0, 1000);
		alarm_soon();
		IS(-EINTR, select, 0, 0, 0, 0, 0);
		alarm_soon();
		IS(-EINTR, rt_sigtimedwait, P(&empty), 0, P(&second), 8);
		alarm_soon();
		IS(-EINTR, futex, P(&word), 0, 0, P(&second));
	}
	handle(SIGALRM, caught, 0);
	alarm_soon();
	IS(-EINTR, read, ends[0], P(buffer), 1);
	alarm_soon();
	IS(-EINTR, wait4, -1, 0, 0, 0);
	alarm_soon();
	IS(-EINTR, waitid, 0, 0, P(buffer), 4, 0);
	alarm_soon();
	IS(-EINTR, futex, P(&word), 0, 0, 0);
	for (int i = 0; i < 16; i++)
		IS(PAGE, write, ends[1], P(buffer), PAGE);
	alarm_soon();
	IS(-EINTR, write, ends[1], P(buffer), 1);
	handle(SIGALRM, caught, SA_RESTART);
	alarm_soon();
	NEED(kill(pid, SIGKILL) == 0);
	IS(pid, wait4, -1, 0, 0, 0);
}

TEST(timers)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } }, wrong = { { 0, 0 }, { 0, 1000000 } }, negative = { { -1, 0 }, { 0, 0 } }, odd = { { 0, -1 }, { 1, 0 } };

	data = P(buffer);
	IS(-EINVAL, getitimer, -1, data);
	IS(-EINVAL, getitimer, 3, data);
	IS(-EFAULT, getitimer, 0, nowhere);
	IS(-EINVAL, setitimer, 3, P(&none), 0);
	IS(-EINVAL, setitimer, -1, P(&none), 0);
	IS(-EINVAL, setitimer, 0, P(&wrong), 0);
	IS(-EINVAL, setitimer, 0, P(&negative), 0);
	IS(-EINVAL, setitimer, 0, P(&odd), 0);
	IS(-EFAULT, setitimer, 0, nowhere, 0);
	IS(-EFAULT, setitimer, 0, P(&none), nowhere);
	IS(0, setitimer, 0, 0, 0);
	IS(0, setitimer, 1, P(&none), data);
	IS(0, alarm, 100);
	IS(100, alarm, 0);
	IS(0, alarm, 0);
	IS(0, alarm, UINT_MAX);
	IS(UINT_MAX, alarm, 0);
}

TEST(clocks)
{
	struct timespec good = { 0, 1000 }, wrong = { 0, 1000000000 }, minus = { -1, 0 }, odd = { 0, -1 }, past = { 1, 0 };
	struct timeval second = { 0, 1000000 };
	long g = P(&good);

	data = P(buffer);
	IS(-EINVAL, clock_gettime, 12, data);
	IS(-EINVAL, clock_gettime, 10, data);
	IS(-EINVAL, clock_gettime, 100, data);
	IS(-EINVAL, clock_gettime, -1, data);
	IS(-EINVAL, clock_gettime, INT_MAX, data);
	IS(-EINVAL, clock_gettime, INT_MIN, data);
	for (int id = 0; id < 8; id++) {
		IS(0, clock_gettime, id, data);
		IS(0, clock_getres, id, data);
		IS(0, clock_getres, id, 0);
		IS(-EFAULT, clock_gettime, id, nowhere);
		IS(-EFAULT, clock_getres, id, nowhere);
	}
	IS(0, clock_gettime, 11, data);
	IS(-EFAULT, clock_gettime, 0, 0);
	IS(-EINVAL, clock_getres, 12, data);
	IS(-EINVAL, clock_getres, -1, data);
	IS(-EINVAL, clock_settime, CLOCK_MONOTONIC, g);
	IS(-EINVAL, clock_settime, CLOCK_PROCESS_CPUTIME_ID, g);
	IS(-EINVAL, clock_settime, 100, g);
	IS(-EFAULT, clock_settime, CLOCK_REALTIME, nowhere);
	IS(-EINVAL, clock_settime, CLOCK_REALTIME, P(&wrong));
	IS(-EINVAL, clock_settime, CLOCK_REALTIME, P(&minus));
	IS(-EINVAL, clock_settime, CLOCK_REALTIME, P(&odd));
	IS(-EFAULT, settimeofday, nowhere, 0);
	IS(-EINVAL, settimeofday, P(&second), 0);
	IS(-EFAULT, settimeofday, 0, nowhere);
	IS(0, settimeofday, 0, 0);
	IS(-EFAULT, gettimeofday, nowhere, 0);
	IS(-EFAULT, gettimeofday, 0, nowhere);
	IS(0, gettimeofday, 0, 0);
	IS(-EFAULT, time, nowhere);
	IS(DONE, time, 0);
	IS(0, nanosleep, g, 0);
	IS(-EINVAL, nanosleep, P(&wrong), 0);
	IS(-EINVAL, nanosleep, P(&minus), 0);
	IS(-EINVAL, nanosleep, P(&odd), 0);
	IS(-EFAULT, nanosleep, nowhere, 0);
	IS(0, nanosleep, g, nowhere);
	IS(0, clock_nanosleep, 0, 0, g, 0);
	IS(0, clock_nanosleep, 1, 1, P(&past), 0);
	IS(0, clock_nanosleep, 0, 1, P(&past), 0);
	IS(0, clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 1, g, 0);
	IS(-EOPNOTSUPP, clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, g, 0);
	IS(-EOPNOTSUPP, clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, g, 0);
	IS(-EOPNOTSUPP, clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, g, 0);
	IS(-EINVAL, clock_nanosleep, 100, 0, g, 0);
	IS(-EINVAL, clock_nanosleep, -1, 0, g, 0);
	IS(-EINVAL, clock_nanosleep, 1, 0, P(&wrong), 0);
	IS(-EINVAL, clock_nanosleep, 1, 0, P(&minus), 0);
	IS(-EFAULT, clock_nanosleep, 1, 0, nowhere, 0);
	AS_NOBODY({
		IS(-EPERM, clock_settime, CLOCK_REALTIME, g);
		IS(-EINVAL, clock_settime, CLOCK_REALTIME, P(&wrong));
		IS(-EINVAL, settimeofday, P(&second), 0);
	});
}

TEST(adjusting)
{
	struct timex t = { .modes = 0 };

	IS(-EFAULT, adjtimex, nowhere);
	IS(DONE, adjtimex, P(&t));
	IS(DONE, clock_adjtime, 0, P(&t));
	IS(-EOPNOTSUPP, clock_adjtime, 1, P(&t));
	IS(-EINVAL, clock_adjtime, 100, P(&t));
	IS(-EFAULT, clock_adjtime, 0, nowhere);
	long tick = t.tick;
	t.modes = ADJ_TICK;
	t.tick = 900000 / 100 - 1;
	IS(-EINVAL, adjtimex, P(&t));
	t.tick = 1100000 / 100 + 1;
	IS(-EINVAL, adjtimex, P(&t));
	t.tick = tick;
	IS(DONE, adjtimex, P(&t));
	t.modes = 0x8000;
	IS(-EINVAL, adjtimex, P(&t));
	t.modes = ADJ_SETOFFSET;
	t.time.tv_usec = 1000000;
	IS(-EINVAL, adjtimex, P(&t));
	t.time.tv_usec = -1;
	IS(-EINVAL, adjtimex, P(&t));
	t.time = (struct timeval){ 0, 0 };
	IS(DONE, adjtimex, P(&t));
	t.modes = ADJ_MAXERROR;
	t.maxerror = 1234567;
	IS(DONE, adjtimex, P(&t));
	t.modes = 0;
	IS(DONE, adjtimex, P(&t));
	CHECK(t.maxerror >= 1234567 && t.maxerror < 1300000);
	t.modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_TIMECONST | ADJ_FREQUENCY;
	NEED(row_is(row_call(SYS_adjtimex, (long[7]){ P(&(struct timex){ .modes = 0 }) }), DONE));
	IS(DONE, adjtimex, P(&t));
	AS_NOBODY({
		t.modes = 0;
		IS(DONE, adjtimex, P(&t));
		t.modes = ADJ_TICK;
		IS(-EPERM, adjtimex, P(&t));
		t.tick = 1;
		IS(-EPERM, adjtimex, P(&t));
	});
}
