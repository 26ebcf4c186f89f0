/*
 * tests/guest/compare/signals.c - signals, timers, clocks and waiting: what each call answers, and what happens then.
 *
 * It prints; what Linux prints is in signals.expected (tests/guest/compare.sh).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <errno.h>
#include <time.h>
#include <poll.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/wait.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/sysinfo.h>
#include <sys/random.h>
#include <sched.h>

#define SAY(...) \
	do { \
		printf(__VA_ARGS__); \
		fflush(stdout); \
	} while (0)
/* The call as it is written here, its result, and the error of one that failed. */
#define SHOW(e) \
	do { \
		errno = 0; \
		long r_ = (long)(e); \
		SAY("%s = %ld %s\n", #e, r_, r_ < 0 ? strerror(errno) : ""); \
	} while (0)

/* What the handler `note` has seen: how many signals, the last one, where its stack was, and their order. */
static volatile int n;
static siginfo_t last_info;
static volatile void *handler_stack;
static int order[64], norder;
static void note(int s, siginfo_t *i, void *c)
{
	n++;
	last_info = *i;
	handler_stack = __builtin_frame_address(0);
	if (norder < 64)
		order[norder++] = s;
}

static void catch (int s, int fl)
{
	struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | fl};
	sigaction(s, &a, 0);
	n = 0;
	norder = 0;
}

static sigset_t set_of(int s)
{
	sigset_t x;
	sigemptyset(&x);
	if (s)
		sigaddset(&x, s);
	return x;
}

static void mask(int how, int s)
{
	sigset_t x = set_of(s);
	sigprocmask(how, &x, 0);
}

static void sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Sends us a signal, so many milliseconds from now. */
static void send_after(int ms, int us_sig)
{
	if (fork() == 0) {
		sleep_ms(ms);
		kill(getppid(), us_sig);
		_exit(0);
	}
}

static void status(int how)
{
	if (WIFEXITED(how))
		SAY("exited %d\n", WEXITSTATUS(how));
	else if (WIFSIGNALED(how))
		SAY("signaled %d core %d\n", WTERMSIG(how), !!WCOREDUMP(how));
	else if (WIFSTOPPED(how))
		SAY("stopped %d\n", WSTOPSIG(how));
	else if (WIFCONTINUED(how))
		SAY("continued\n");
	else
		SAY("st %x\n", how);
}

static void reap(void)
{
	while (waitpid(-1, 0, WNOHANG) > 0)
		;
	while (wait(0) > 0 || errno == EINTR)
		;
}

static sigjmp_buf landing;
static void jump(int s)
{
	siglongjmp(landing, s);
}

static int ends[2];
static char buffer[100];
static char *m;
static volatile int depth, maxd;
static int st;
static pid_t child;
static const char *self;

static void about_restart(void)
{
	SAY("# restart\n");
	catch (SIGUSR1, SA_RESTART);
	send_after(100, SIGUSR1);
	if (fork() == 0) {
		sleep_ms(300);
		write(ends[1], "x", 1);
		_exit(0);
	}
	SHOW(read(ends[0], buffer, 1));
	SAY("n=%d\n", n);
	reap();
	catch (SIGUSR1, 0);
	send_after(100, SIGUSR1);
	SHOW(read(ends[0], buffer, 1));
	SAY("n=%d\n", n);
	reap();
	signal(SIGUSR1, SIG_IGN);
	send_after(100, SIGUSR1);
	if (fork() == 0) {
		sleep_ms(300);
		write(ends[1], "x", 1);
		_exit(0);
	}
	SHOW(read(ends[0], buffer, 1));
	reap();
	catch (SIGCHLD, SA_RESTART);
	if (fork() == 0)
		_exit(3);
	{
		int st;
		pid_t child = wait(&st);
		SAY("wait %d ", child > 0);
		status(st);
	}
	SAY("chld n=%d code=%d status=%d\n", n, last_info.si_code, last_info.si_status);
	signal(SIGCHLD, SIG_DFL);
}

static void about_nanosleep(void)
{
	SAY("# nanosleep\n");
	{
		catch (SIGUSR1, SA_RESTART);
		send_after(200, SIGUSR1);
		struct timespec t = {1, 0}, r = {9, 9};
		SHOW(nanosleep(&t, &r));
		SAY("rem ok %d\n", r.tv_sec == 0 && r.tv_nsec > 0 && r.tv_nsec < 900000000);
		reap();
	}
	{
		pid_t child = fork();
		if (!child) {
			struct timespec t = {0, 600000000}, a, z;
			clock_gettime(CLOCK_MONOTONIC, &a);
			int r = nanosleep(&t, 0);
			clock_gettime(CLOCK_MONOTONIC, &z);
			long ms = (z.tv_sec - a.tv_sec) * 1000 + (z.tv_nsec - a.tv_nsec) / 1000000;
			SAY("stopped sleep r=%d ok=%d\n", r, ms >= 600 && ms < 5000);
			_exit(0);
		}
		sleep_ms(150);
		kill(child, SIGSTOP);
		int st;
		waitpid(child, &st, WUNTRACED);
		status(st);
		sleep_ms(100);
		kill(child, SIGCONT);
		SHOW(waitpid(child, &st, WCONTINUED) == child);
		status(st);
		waitpid(child, &st, 0);
		status(st);
	}
	{
		catch (SIGUSR1, 0);
		send_after(150, SIGUSR1);
		struct timespec t;
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec++;
		SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
		reap();
	}
	{
		struct timespec t = {0, -1};
		SHOW(nanosleep(&t, 0));
		t.tv_nsec = 1000000000;
		SHOW(nanosleep(&t, 0));
		SHOW(syscall(SYS_nanosleep, 1, 0));
		t.tv_nsec = 0;
		SHOW(syscall(SYS_clock_nanosleep, 99, 0, &t, 0));
		SHOW(syscall(SYS_clock_nanosleep, 3, 0, &t, 0));
		t.tv_sec = 1;
		SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0));
	}
}

static void about_suspend_and_poll(void)
{
	SAY("# suspend, poll\n");
	{
		mask(SIG_BLOCK, SIGUSR1);
		catch (SIGUSR1, 0);
		kill(getpid(), SIGUSR1);
		sigset_t e = set_of(0);
		SAY("n=%d\n", n);
		SHOW(sigsuspend(&e));
		SAY("n=%d\n", n);
		sigset_t m;
		sigprocmask(0, 0, &m);
		SAY("blocked %d\n", sigismember(&m, SIGUSR1));
		kill(getpid(), SIGUSR1);
		struct timespec t = {1, 0};
		SHOW(ppoll(0, 0, &t, &e));
		SAY("n=%d\n", n);
		sigprocmask(0, 0, &m);
		SAY("blocked %d\n", sigismember(&m, SIGUSR1));
		t.tv_sec = 0;
		t.tv_nsec = 1000;
		SHOW(ppoll(0, 0, &t, &e));
		sigprocmask(0, 0, &m);
		SAY("blocked %d\n", sigismember(&m, SIGUSR1));
		kill(getpid(), SIGUSR1);
		t.tv_sec = 1;
		SHOW(pselect(0, 0, 0, 0, &t, &e));
		SAY("n=%d\n", n);
		catch (SIGUSR1, SA_RESTART);
		send_after(100, SIGUSR1);
		SHOW(sigsuspend(&e));
		send_after(100, SIGUSR1);
		mask(SIG_UNBLOCK, SIGUSR1);
		SHOW(poll(0, 0, 2000));
		reap();
		send_after(100, SIGUSR1);
		SHOW(pause());
		reap();
	}
}

static void about_sigtimedwait(void)
{
	SAY("# sigtimedwait\n");
	{
		sigset_t s = set_of(SIGUSR1);
		mask(SIG_BLOCK, SIGUSR1);
		siginfo_t i;
		struct timespec t = {0, 50000000};
		SHOW(sigtimedwait(&s, &i, &t));
		kill(getpid(), SIGUSR1);
		SHOW(sigtimedwait(&s, &i, &t));
		SAY("code %d pid %d\n", i.si_code, i.si_pid == getpid());
		send_after(100, SIGUSR1);
		t.tv_sec = 2;
		SHOW(sigtimedwait(&s, &i, &t));
		reap();
		catch (SIGUSR2, 0);
		send_after(100, SIGUSR2);
		SHOW(sigtimedwait(&s, &i, &t));
		SAY("n=%d\n", n);
		reap();
		signal(SIGUSR1, SIG_IGN);
		send_after(100, SIGUSR1);
		SHOW(sigwaitinfo(&s, &i));
		reap();
		kill(getpid(), SIGUSR1);
		sigset_t m;
		sigpending(&m);
		SAY("ign blocked pending %d\n", sigismember(&m, SIGUSR1));
		mask(SIG_UNBLOCK, SIGUSR1);
		t.tv_nsec = -1;
		SHOW(sigtimedwait(&s, &i, &t));
		sigset_t c = set_of(SIGCHLD);
		mask(SIG_BLOCK, SIGCHLD);
		if (fork() == 0)
			_exit(7);
		SHOW(sigwaitinfo(&c, &i));
		SAY("chld code %d st %d\n", i.si_code, i.si_status);
		wait(0);
		mask(SIG_UNBLOCK, SIGCHLD);
	}
}

static void about_realtime(void)
{
	SAY("# realtime\n");
	{
		for (int i = 34; i <= 36; i++) {
			mask(SIG_BLOCK, i);
			catch (i, 0);
		}
		mask(SIG_BLOCK, SIGUSR2);
		catch (SIGUSR2, 0);
		union sigval v;
		for (int i = 0; i < 3; i++) {
			v.sival_int = i;
			SHOW(sigqueue(getpid(), 35, v));
		}
		kill(getpid(), 34);
		kill(getpid(), 34);
		kill(getpid(), SIGUSR2);
		kill(getpid(), SIGUSR2);
		v.sival_int = 9;
		sigqueue(getpid(), 36, v);
		sigset_t all;
		sigemptyset(&all);
		for (int i = 34; i <= 36; i++)
			sigaddset(&all, i);
		sigaddset(&all, SIGUSR2);
		norder = 0;
		sigset_t s35 = set_of(35);
		siginfo_t si;
		SHOW(sigwaitinfo(&s35, &si));
		SAY("val %d code %d\n", si.si_value.sival_int, si.si_code);
		sigprocmask(SIG_UNBLOCK, &all, 0);
		for (int i = 0; i < norder; i++)
			SAY("%d ", order[i]);
		SAY("\n");
		SHOW(sigqueue(getpid(), 99, v));
		SHOW(sigqueue(99999, 10, v));
		SHOW(sigqueue(getpid(), 0, v));
		siginfo_t f = {.si_code = 0};
		SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 10, &f));
	}
}

static void about_kill_errors(void)
{
	SAY("# kill errors\n");
	SHOW(kill(getpid(), 65));
	SHOW(kill(getpid(), -1));
	SHOW(kill(99999, 0));
	SHOW(kill(-99999, 0));
	SHOW(kill(getpid(), 0));
	SHOW(kill(0, 0));
	SHOW(syscall(SYS_tgkill, getpid(), 99999, 0));
	SHOW(syscall(SYS_tgkill, 0, 1, 0));
	SHOW(syscall(SYS_tkill, -1, 0));
	SHOW(syscall(SYS_tgkill, 99999, getpid(), 0));
	SHOW(kill(0x80000000, 0));
	{
		struct sigaction a = {0};
		SHOW(sigaction(SIGKILL, &a, 0));
		SHOW(sigaction(SIGSTOP, &a, 0));
		SHOW(sigaction(SIGKILL, 0, &a));
		SHOW(sigaction(65, 0, &a));
		SHOW(syscall(SYS_rt_sigaction, 10, 0, 0, 4));
		SHOW(syscall(SYS_rt_sigprocmask, 99, &a, 0, 8));
		SHOW(syscall(SYS_rt_sigprocmask, 99, 0, 0, 8));
		SHOW(syscall(SYS_rt_sigprocmask, 0, 1, 0, 8));
		SHOW(syscall(SYS_rt_sigpending, 0, 8));
		SHOW(syscall(SYS_rt_sigpending, buffer, 9));
		SHOW(syscall(SYS_rt_sigsuspend, 0, 8));
		SHOW(syscall(SYS_rt_sigaction, 10, 1, 0, 8));
	}
}

#define CHILD(...) \
	do { \
		child = fork(); \
		if (!child) { \
			__VA_ARGS__; \
			_exit(0); \
		} \
		waitpid(child, &st, 0); \
		status(st); \
	} while (0)
static void make_writable(int s, siginfo_t *i, void *c)
{
	SAY("segv addr %ld code %d\n", (long)((char *)i->si_addr - m), i->si_code);
	mprotect(m, 4096, 3);
}

static void about_fatal(void)
{
	SAY("# fatal\n");
	CHILD(*(volatile int *)0 = 1);
	CHILD(mask(SIG_BLOCK, SIGSEGV); *(volatile int *)0 = 1);
	CHILD(signal(SIGSEGV, SIG_IGN); *(volatile int *)0 = 1);
	CHILD(abort());
	CHILD(raise(SIGQUIT));
	CHILD(kill(getpid(), SIGKILL));
	CHILD(signal(SIGSEGV, SIG_IGN); kill(getpid(), SIGSEGV));
	CHILD(__asm__ volatile("ud2"));
	CHILD(__asm__ volatile("hlt"));
	CHILD(volatile int z = 0; z = 1 / z);
	CHILD(__asm__ volatile("int3"));
	CHILD(raise(SIGWINCH));
	CHILD(raise(SIGCONT));
	CHILD(raise(SIGURG));
	CHILD(raise(SIGIO));
	CHILD(raise(SIGPWR));
	CHILD(raise(40));
	CHILD(write(ends[1], "", 0); close(ends[0]); write(ends[1], "a", 1));
	CHILD(alarm(1); pause());
	CHILD({
		struct sigaction a = {.sa_handler = jump};
		syscall(SYS_rt_sigaction, 10, &a, 0, 8);
		unsigned long k[4] = {(unsigned long)jump, 0, 0, 0};
		syscall(SYS_rt_sigaction, 10, k, 0, 8);
		raise(10);
	});
	{
		m = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		catch (SIGSEGV, 0);
		struct sigaction a = {.sa_handler = jump};
		sigaction(SIGSEGV, &a, 0);
		SAY("jmp %d\n", sigsetjmp(landing, 1) == 0 ? (m[5] = 1, 0) : 1);
		CHILD(struct sigaction a2 = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESETHAND};
		      sigaction(SIGSEGV, &a2, 0); m[9] = 1);
		if (fork() == 0) {
			struct sigaction a3 = {.sa_sigaction = make_writable, .sa_flags = SA_SIGINFO};
			sigaction(SIGSEGV, &a3, 0);
			m[7] = 1;
			SAY("went on %d\n", m[7]);
			_exit(0);
		}
		wait(0);
		signal(SIGSEGV, SIG_DFL);
	}
}

static void raise_again(int s)
{
	depth++;
	if (depth > maxd)
		maxd = depth;
	static int calls;
	if (depth < 3 && calls++ < 5)
		raise(SIGUSR1);
	depth--;
}

static void show_stack(int s)
{
	stack_t child;
	sigaltstack(0, &child);
	SAY("inside flags %d ", child.ss_flags);
	SHOW(sigaltstack(&child, 0));
}

static void about_flags(void)
{
	SAY("# flags\n");
	{
		catch (SIGUSR1, SA_RESETHAND);
		raise(SIGUSR1);
		struct sigaction a;
		sigaction(SIGUSR1, 0, &a);
		SAY("reset %d n %d\n", a.sa_handler == SIG_DFL, n);
	}
	{
		struct sigaction a = {.sa_handler = raise_again, .sa_flags = SA_NODEFER};
		sigaction(SIGUSR1, &a, 0);
		raise(SIGUSR1);
		SAY("nodefer %d\n", maxd);
		maxd = 0;
		a.sa_flags = 0;
		sigaction(SIGUSR1, &a, 0);
		depth = 1;
		raise(SIGUSR1);
		SAY("defer %d\n", maxd);
	}
	{
		stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536}, o;
		SHOW(sigaltstack(0, &o));
		SAY("flags %d\n", o.ss_flags);
		SHOW(sigaltstack(&ss, 0));
		catch (SIGUSR1, SA_ONSTACK);
		raise(SIGUSR1);
		SAY("on stack %d\n",
		    (char *)handler_stack > (char *)ss.ss_sp && (char *)handler_stack < (char *)ss.ss_sp + 65536);
		catch (SIGUSR1, 0);
		raise(SIGUSR1);
		SAY("on stack %d\n",
		    (char *)handler_stack > (char *)ss.ss_sp && (char *)handler_stack < (char *)ss.ss_sp + 65536);
		struct sigaction a = {.sa_handler = show_stack, .sa_flags = SA_ONSTACK};
		sigaction(SIGUSR1, &a, 0);
		raise(SIGUSR1);
		stack_t sm = {.ss_sp = buffer, .ss_size = 100};
		SHOW(sigaltstack(&sm, 0));
		sm.ss_flags = 77;
		SHOW(sigaltstack(&sm, 0));
		ss.ss_flags = 1u << 31;
		SHOW(sigaltstack(&ss, 0));
		sigaction(SIGUSR1, &a, 0);
		raise(SIGUSR1);
		sigaltstack(0, &o);
		SAY("after disarm %d %d\n", (unsigned)o.ss_flags == 1u << 31, (int)o.ss_size);
		ss.ss_flags = SS_DISABLE;
		SHOW(sigaltstack(&ss, 0));
		sigaltstack(0, &o);
		SAY("%d %d\n", o.ss_flags, (int)o.ss_size);
	}
}

static void about_sigchld(void)
{
	SAY("# sigchld\n");
	{
		catch (SIGCHLD, 0);
		child = fork();
		if (!child) {
			raise(SIGSTOP);
			sleep_ms(600);
			_exit(5);
		}
		sleep_ms(200);
		SAY("n=%d code %d status %d\n", n, last_info.si_code, last_info.si_status);
		SHOW(waitpid(child, &st, WUNTRACED | WNOHANG) == child);
		status(st);
		SHOW(waitpid(child, &st, WUNTRACED | WNOHANG));
		kill(child, SIGCONT);
		sleep_ms(200);
		SAY("n=%d code %d status %d\n", n, last_info.si_code, last_info.si_status);
		SHOW(waitpid(child, &st, 0) == child);
		status(st);
		catch (SIGCHLD, SA_NOCLDSTOP);
		child = fork();
		if (!child) {
			raise(SIGSTOP);
			pause();
		}
		sleep_ms(200);
		SAY("n=%d\n", n);
		siginfo_t i = {0};
		SHOW(waitid(P_PID, child, &i, WSTOPPED | WNOHANG));
		SAY("waitid code %d status %d\n", i.si_code, i.si_status);
		kill(child, SIGKILL);
		SHOW(waitpid(child, &st, 0) == child);
		status(st);
		SAY("n=%d code %d status %d\n", n, last_info.si_code, last_info.si_status);
		signal(SIGCHLD, SIG_IGN);
		child = fork();
		if (!child)
			_exit(0);
		SHOW(waitpid(child, &st, 0));
		catch (SIGCHLD, SA_NOCLDWAIT);
		child = fork();
		if (!child)
			_exit(0);
		sleep_ms(100);
		SHOW(waitpid(child, &st, 0));
		SAY("n=%d\n", n);
		signal(SIGCHLD, SIG_DFL);
	}
}

static void about_exec_fork(void)
{
	SAY("# exec fork\n");
	{
		catch (SIGUSR1, 0);
		signal(SIGUSR2, SIG_IGN);
		mask(SIG_BLOCK, SIGHUP);
		kill(getpid(), SIGHUP);
		if (!fork()) {
			sigset_t m;
			sigpending(&m);
			SAY("child pending %d\n", sigismember(&m, SIGHUP));
			_exit(0);
		}
		wait(0);
		if (!fork()) {
			kill(getpid(), SIGHUP);
			execl("/proc/self/exe", self, "execd", (char *)0);
			_exit(9);
		}
		wait(&st);
		status(st);
		signal(SIGHUP, SIG_IGN);
		mask(SIG_UNBLOCK, SIGHUP);
		signal(SIGHUP, SIG_DFL);
	}
}

static void about_timers(void)
{
	SAY("# timers\n");
	{
		struct itimerval v = {{0, 50000}, {0, 50000}}, o;
		catch (SIGALRM, SA_RESTART);
		SHOW(setitimer(ITIMER_REAL, &v, 0));
		sleep_ms(520);
		SHOW(getitimer(ITIMER_REAL, &o));
		SAY("int %ld\n", (long)o.it_interval.tv_usec);
		memset(&v, 0, sizeof v);
		SHOW(setitimer(ITIMER_REAL, &v, &o));
		SAY("n ok %d n=%d code %d\n", n >= 4 && n <= 11, n >= 4 && n <= 11 ? 0 : n, last_info.si_code);
		n = 0;
		sleep_ms(120);
		SAY("n=%d\n", n);
		SHOW(alarm(10));
		sleep_ms(20);
		SHOW(alarm(0));
		SHOW(alarm(0));
		v.it_value.tv_usec = 1000000;
		SHOW(setitimer(0, &v, 0));
		v.it_value.tv_usec = 0;
		SHOW(setitimer(3, &v, 0));
		SHOW(getitimer(9, &v));
		SHOW(syscall(SYS_setitimer, 0, 1, 0));
		catch (SIGVTALRM, 0);
		v = (struct itimerval){{0, 0}, {0, 50000}};
		SHOW(setitimer(ITIMER_VIRTUAL, &v, 0));
		while (!n)
			;
		SAY("virt n=%d\n", n);
		catch (SIGPROF, 0);
		SHOW(setitimer(ITIMER_PROF, &v, 0));
		while (!n)
			;
		SAY("prof n=%d\n", n);
	}
}

static void about_clocks(void)
{
	SAY("# clocks\n");
	{
		struct timespec t, u;
		for (int i = 0; i < 12; i++)
			SHOW(clock_gettime(i, &t));
		SHOW(clock_getres(1, &t));
		SHOW(clock_gettime(-1, &t));
		SHOW(clock_gettime(12345, &t));
		clock_gettime(0, &t);
		time_t w = time(0);
		SAY("%d\n", w - t.tv_sec < 2);
		clockid_t cid;
		SHOW(clock_getcpuclockid(0, &cid));
		SHOW(clock_gettime(cid, &u));
		SHOW(syscall(SYS_clock_gettime, 0, 1));
		SHOW(syscall(SYS_gettimeofday, 1, 0));
		SHOW(syscall(SYS_gettimeofday, 0, 0));
		SHOW(syscall(SYS_time, 1));
		SHOW(times(0) >= 0);
		struct timex x = {0};
		SHOW(adjtimex(&x) == 5 || 1);
		SAY("tick %ld\n", x.tick);
		t.tv_nsec = -1;
		SHOW(clock_settime(0, &t));
		SHOW(clock_settime(1, &t));
	}
}

static void about_misc(void)
{
	SAY("# misc\n");
	SHOW(getrandom(buffer, 10, 0));
	SHOW(getrandom(buffer, 10, 8));
	SHOW(getrandom(buffer, 10, 6));
	SHOW(getrandom((void *)1, 10, 0));
	SHOW(getrandom(buffer, 0, 0));
	SHOW(sched_get_priority_max(1));
	SHOW(sched_get_priority_min(2));
	SHOW(sched_get_priority_max(0));
	SHOW(sched_get_priority_max(99));
	SHOW(sched_getscheduler(0) == 0);
	SHOW(ioctl(0x7fff, 0));
	SHOW(ioctl(ends[0], TCGETS, buffer));
	SHOW(tcgetpgrp(ends[0]));
	SHOW(isatty(ends[0]));
	SHOW(syscall(SYS_reboot, 1, 2, 3, 4));
	SHOW(sethostname("x", 100));
	SHOW(sethostname((void *)1, 5));
	SHOW(syscall(SYS_syslog, 10, 0, 0) > 0);
	SHOW(syscall(SYS_syslog, 99, 0, 0));
	SHOW(syscall(SYS_syslog, 3, 0, 0));
	SHOW(syscall(SYS_uname, 1));
	SHOW(syscall(SYS_sysinfo, 1));
	SHOW(syscall(SYS_times, 1));
	cpu_set_t cs;
	SHOW(sched_getaffinity(0, sizeof cs, &cs) > 0);
	SHOW(syscall(SYS_sched_getaffinity, 0, 1, &cs));
	SHOW(syscall(SYS_sched_getaffinity, 99999, 128, &cs));
	SHOW(syscall(SYS_getcpu, 0, 0, 0));
	struct timespec rt;
	SHOW(sched_rr_get_interval(0, &rt));
	struct sched_param sp = {0};
	SHOW(sched_setscheduler(0, SCHED_OTHER, &sp));
	sp.sched_priority = 1;
	SHOW(sched_setscheduler(0, SCHED_OTHER, &sp));
	SHOW(sched_setscheduler(0, 77, &sp));
}

static void tell(int s)
{
	SAY("got %d\n", s);
}

static void about_orphan(void)
{
	SAY("# orphan\n");
	{
		int pp[2];
		pipe(pp);
		child = fork();
		if (!child) {
			setpgid(0, 0);
			pid_t m = fork();
			if (!m) {
				pid_t g = fork();
				if (!g) {
				}
				if (!g) {
					setpgid(0, getppid());
					signal(SIGHUP, tell);
					signal(SIGCONT, tell);
					kill(getpid(), SIGSTOP);
					SAY("resumed\n");
					close(pp[1]);
					_exit(0);
				}
				setpgid(0, 0);
				setpgid(g, getpid());
				sleep_ms(200);
				_exit(0);
			}
			close(pp[1]);
			waitpid(m, &st, 0);
			sleep_ms(200);
			_exit(0);
		}
		close(pp[1]);
		read(pp[0], buffer, 1);
		waitpid(child, &st, 0);
		status(st);
	}
	{
		child = fork();
		if (!child) {
			setsid();
			raise(SIGTSTP);
			SAY("orphan tstp ignored\n");
			_exit(0);
		}
		waitpid(child, &st, WUNTRACED);
		status(st);
	}
	{
		child = fork();
		if (!child) {
			for (;;)
				pause();
		}
		sleep_ms(50);
		kill(child, SIGSTOP);
		sleep_ms(50);
		kill(child, SIGTERM);
		sleep_ms(50);
		SHOW(waitpid(child, &st, WNOHANG));
		kill(child, SIGCONT);
		waitpid(child, &st, 0);
		status(st);
	}
	{
		child = fork();
		if (!child) {
			mask(SIG_BLOCK, SIGCONT);
			mask(SIG_BLOCK, SIGTSTP);
			raise(SIGTSTP);
			kill(getpid(), SIGCONT);
			sigset_t m;
			sigpending(&m);
			SAY("tstp %d cont %d\n", sigismember(&m, SIGTSTP), sigismember(&m, SIGCONT));
			raise(SIGTSTP);
			sigpending(&m);
			SAY("tstp %d cont %d\n", sigismember(&m, SIGTSTP), sigismember(&m, SIGCONT));
			_exit(0);
		}
		waitpid(child, &st, 0);
		status(st);
	}
	{
		child = fork();
		if (!child) {
			setuid(1000);
			SAY("drop\n");
			SHOW(kill(1, 0));
			SHOW(kill(getppid(), SIGTERM));
			SHOW(kill(-1, 0));
			SHOW(kill(getpid(), 0));
			SHOW(sethostname("x", 1));
			SHOW(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0));
			struct timespec t = {0, 0};
			SHOW(clock_settime(0, &t));
			SHOW(kill(-getpgrp(), 0) >= -1);
			_exit(0);
		}
		waitpid(child, &st, 0);
		status(st);
	}
}

/* The program that execve starts tells what it has got. */
static int what_exec_keeps(void)
{
	struct sigaction a;
	sigaction(SIGUSR1, 0, &a);
	SAY("execd usr1 %s\n", a.sa_handler == SIG_DFL ? "dfl" : a.sa_handler == SIG_IGN ? "ign" : "h");
	sigaction(SIGUSR2, 0, &a);
	SAY("execd usr2 %s\n", a.sa_handler == SIG_DFL ? "dfl" : a.sa_handler == SIG_IGN ? "ign" : "h");
	sigset_t m;
	sigprocmask(0, 0, &m);
	SAY("blocked hup %d\n", sigismember(&m, SIGHUP));
	sigpending(&m);
	SAY("pending hup %d\n", sigismember(&m, SIGHUP));
	stack_t ss;
	sigaltstack(0, &ss);
	SAY("ss %d %ld\n", ss.ss_flags, (long)ss.ss_size);
	return 0;
}

int main(int argc, char **argv)
{
	self = argv[0];
	struct rlimit rl = {0, 0};
	setrlimit(RLIMIT_CORE, &rl);
	if (argc > 1 && !strcmp(argv[1], "execd"))
		return what_exec_keeps();
	pipe(ends);
	about_restart();
	about_nanosleep();
	about_suspend_and_poll();
	about_sigtimedwait();
	about_realtime();
	about_kill_errors();
	about_fatal();
	about_flags();
	about_sigchld();
	about_exec_fork();
	about_timers();
	about_clocks();
	about_misc();
	about_orphan();
	return 0;
}
