/* tests/guest/ptrace.c - one process traces another: stops, registers, memory, events, single steps, and the end of either. */
#include "tap.h"
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/reg.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <pthread.h>

#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif
enum { EVENT_STOP = 128 };
struct call_info { uint8_t kind, pad[3]; uint32_t arch; uint64_t ip, sp; uint64_t more[7]; };

static long trace(long request, pid_t pid, long address, long data) { return syscall(SYS_ptrace, request, (long)pid, address, data); }

/* The next stop of this process. */
static int next(pid_t pid)
{
	int status = -1;
	NEED(waitpid(pid, &status, __WALL) == pid);
	return status;
}
#define STOPPED(status, signo, event) EQ(status, ((signo) << 8 | 0x7f | (event) << 16))

static pid_t begin(void (*fn)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		raise(SIGSTOP);
		fn();
		_exit(7);
	}
	STOPPED(next(pid), SIGSTOP, 0);
	return pid;
}

static volatile long datum = 42, other = 1;
static void nothing(void) {}
static void ask_pid(void) { syscall(SYS_getppid); syscall(SYS_close, 12345); }

TEST(it_ends_as_usual)
{
	pid_t pid = begin(nothing);
	FAILS(trace(PTRACE_CONT, pid, 0, 99), EIO);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 7 << 8);
	FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	FAILS(trace(PTRACE_CONT, 1, 0, 0), ESRCH);
	FAILS(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	FAILS(trace(PTRACE_ATTACH, 99999999, 0, 0), ESRCH);
	FAILS(trace(PTRACE_SEIZE, getppid(), 1, 0), EIO);
}

TEST(memory_and_registers)
{
	pid_t pid = begin(nothing);
	long word = 0;
	struct user_regs_struct regs;
	EQ(trace(PTRACE_PEEKDATA, pid, (long)&datum, (long)&word), 0);
	EQ(word, 42);
	EQ(trace(PTRACE_POKEDATA, pid, (long)&datum, 43), 0);
	EQ(trace(PTRACE_PEEKDATA, pid, (long)&datum, (long)&word), 0);
	EQ(word, 43);
	EQ(datum, 42);
	FAILS(trace(PTRACE_PEEKDATA, pid, 8, (long)&word), EIO);
	FAILS(trace(PTRACE_POKEDATA, pid, 8, 0), EIO);
	/* Code, which may not be written, is: for breakpoints.  Ours is not. */
	long before = *(long *)(uintptr_t)nothing;
	EQ(trace(PTRACE_POKETEXT, pid, (long)(uintptr_t)nothing, 0xcc), 0);
	EQ(*(volatile long *)(uintptr_t)nothing, before);
	EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
	EQ(regs.cs, 0x33);
	EQ(regs.ss, 0x2b);
	EQ(trace(PTRACE_PEEKUSER, pid, 8 * RIP, (long)&word), 0);
	EQ(word, regs.rip);
	FAILS(trace(PTRACE_PEEKUSER, pid, 3, (long)&word), EIO);
	FAILS(trace(PTRACE_PEEKUSER, pid, 100000, (long)&word), EIO);
	EQ(trace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[7]), (long)&word), 0);
	struct iovec v = { &regs, 1000 };
	EQ(trace(PTRACE_GETREGSET, pid, 1, (long)&v), 0);
	EQ(v.iov_len, sizeof regs);
	FAILS(trace(PTRACE_GETREGSET, pid, 77, (long)&v), EINVAL);
	struct user_fpregs_struct fp;
	EQ(trace(PTRACE_GETFPREGS, pid, 0, (long)&fp), 0);
	EQ(fp.cwd, 0x37f);
	EQ(trace(PTRACE_SETFPREGS, pid, 0, (long)&fp), 0);
	EQ(trace(PTRACE_SETREGS, pid, 0, (long)&regs), 0);
	regs.cs = 0x10;
	FAILS(trace(PTRACE_SETREGS, pid, 0, (long)&regs), EIO);
	FAILS(trace(12345, pid, 0, 0), EIO);
	FAILS(trace(PTRACE_SETOPTIONS, pid, 0, 1l << 30), EINVAL);
	EQ(trace(PTRACE_KILL, pid, 0, 0), 0);
	EQ(next(pid), SIGKILL);
}

/* Registers that the tracer changes are those with which the program goes on. */
static void add_and_tell(void)
{
	register long rbx __asm__("rbx") = 1;
	register long r12 __asm__("r12") = 2;
	long result;
	__asm__ volatile ("syscall" : "=a"(result), "+r"(rbx), "+r"(r12) : "a"(SYS_getppid) : "rcx", "r11", "memory");
	_exit(rbx == 100 && r12 == 200 && result == 300 ? 0 : 1);
}

TEST(system_calls_stop_twice)
{
	struct user_regs_struct regs;
	pid_t pid = begin(add_and_tell);
	EQ(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	for (;;) {
		EQ(trace(PTRACE_SYSCALL, pid, 0, 0), 0);
		STOPPED(next(pid), SIGTRAP | 0x80, 0);
		EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
		if (regs.orig_rax == SYS_getppid)
			break;
	}
	EQ((long)regs.rax, -ENOSYS);
	struct call_info info = { 0 };
	long n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, (long)&info);
	EQ(n, 80);
	EQ(info.kind, 1);
	EQ(info.arch, 0xc000003e);
	EQ(info.ip, regs.rip);
	EQ(info.sp, regs.rsp);
	EQ(info.more[0], SYS_getppid);
	siginfo_t si;
	EQ(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	EQ(si.si_signo, SIGTRAP);
	EQ(si.si_code, SIGTRAP | 0x80);
	EQ(trace(PTRACE_SYSCALL, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP | 0x80, 0);
	EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
	EQ(regs.rax, getpid());
	n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, (long)&info);
	EQ(n, 33);
	EQ(info.kind, 2);
	EQ(info.more[0], getpid());
	regs.rbx = 100;
	regs.r12 = 200;
	regs.rax = 300;
	EQ(trace(PTRACE_SETREGS, pid, 0, (long)&regs), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 0);
}

static void two_calls(void)
{
	long a = syscall(SYS_getppid), b = syscall(SYS_getppid);
	_exit(a == 77 && b == getpid() ? 0 : 1);
}

TEST(a_call_is_made_another_or_none)
{
	struct user_regs_struct regs;
	int seen = 0;
	pid_t pid = begin(two_calls);
	EQ(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	while (seen < 2) {
		EQ(trace(PTRACE_SYSCALL, pid, 0, 0), 0);
		STOPPED(next(pid), SIGTRAP | 0x80, 0);
		EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
		if (regs.orig_rax != SYS_getppid)
			continue;
		regs.orig_rax = seen++ ? SYS_getpid : -1;
		EQ(trace(PTRACE_SETREGS, pid, 0, (long)&regs), 0);
		EQ(trace(PTRACE_SYSCALL, pid, 0, 0), 0);
		STOPPED(next(pid), SIGTRAP | 0x80, 0);
		EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
		if (seen == 1) {
			EQ((long)regs.rax, -ENOSYS);
			regs.rax = 77;
			EQ(trace(PTRACE_SETREGS, pid, 0, (long)&regs), 0);
		}
	}
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 0);
}

static volatile int handled;
static void note(int signo, siginfo_t *info, void *context) { (void)info, (void)context; handled = signo; }
static void raise_two(void)
{
	handle(SIGUSR1, note, 0);
	handle(SIGUSR2, note, 0);
	raise(SIGUSR1);
	if (handled)
		_exit(1);
	raise(SIGUSR1);
	if (handled != SIGUSR2)
		_exit(2);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	_exit(0);
}

TEST(signals_pass_by_the_tracer)
{
	siginfo_t si;
	pid_t pid = begin(raise_two);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGUSR1, 0);
	EQ(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	EQ(si.si_signo, SIGUSR1);
	EQ(si.si_pid, pid);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);		/* it is dropped */
	STOPPED(next(pid), SIGUSR1, 0);
	EQ(trace(PTRACE_CONT, pid, 0, SIGUSR2), 0);	/* another in its place */
	STOPPED(next(pid), SIGUSR1, 0);			/* though it is ignored */
	EQ(trace(PTRACE_CONT, pid, 0, SIGUSR1), 0);
	EQ(next(pid), 0);
}

static void crash(void)
{
	*(volatile int *)8 = 1;
}

TEST(faults_are_seen_first)
{
	siginfo_t si;
	struct user_regs_struct regs;
	pid_t pid = begin(crash);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGSEGV, 0);
	EQ(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	EQ((long)si.si_addr, 8);
	EQ(si.si_code, SEGV_MAPERR);
	EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
	EQ((long)regs.orig_rax, -1);
	EQ(trace(PTRACE_CONT, pid, 0, SIGSEGV), 0);
	EQ(next(pid) & 0x7f, SIGSEGV);
}

static void few_instructions(void)
{
	__asm__ volatile ("nop; nop; nop; nop; nop; nop; nop; nop" ::: "memory");
	_exit(3);
}

TEST(single_steps)
{
	struct user_regs_struct regs;
	siginfo_t si;
	pid_t pid = begin(few_instructions);
	unsigned long last = 0;
	int ones = 0;
	for (int i = 0; i < 200 && ones < 6; i++) {
		EQ(trace(PTRACE_SINGLESTEP, pid, 0, 0), 0);
		STOPPED(next(pid), SIGTRAP, 0);
		EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
		ones = regs.rip == last + 1 ? ones + 1 : 0;	/* a run of instructions of one byte */
		last = regs.rip;
	}
	CHECK(ones >= 6);
	EQ(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	EQ(si.si_code, TRAP_TRACE);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 3 << 8);
}

static void call_other(void)
{
	for (int i = 0; i < 2; i++)
		nothing();
	__asm__ volatile ("" ::: "memory");
	ask_pid();
	_exit(0);
}

TEST(a_breakpoint)
{
	struct user_regs_struct regs;
	pid_t pid = begin(call_other);
	long code, at = (long)(uintptr_t)ask_pid;
	siginfo_t si;
	EQ(trace(PTRACE_PEEKTEXT, pid, at, (long)&code), 0);
	EQ(trace(PTRACE_POKETEXT, pid, at, (code & ~0xffl) | 0xcc), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, 0);
	EQ(trace(PTRACE_GETREGS, pid, 0, (long)&regs), 0);
	EQ(regs.rip, at + 1);
	EQ(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	EQ(si.si_code, 0x80);
	EQ(trace(PTRACE_POKETEXT, pid, at, code), 0);
	regs.rip = (unsigned long)at;
	EQ(trace(PTRACE_SETREGS, pid, 0, (long)&regs), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 0);
}

static void make_child(void)
{
	pid_t pid = fork();
	if (!pid)
		_exit(5);
	_exit(wait_status(pid) == 5 << 8 ? 0 : 1);
}

TEST(children_are_traced_too)
{
	unsigned long child = 0;
	pid_t pid = begin(make_child);
	EQ(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, PTRACE_EVENT_FORK);
	EQ(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&child), 0);
	CHECK((pid_t)child > 0);
	STOPPED(next((pid_t)child), SIGSTOP, 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(trace(PTRACE_CONT, (pid_t)child, 0, 0), 0);
	STOPPED(next((pid_t)child), SIGTRAP, PTRACE_EVENT_EXIT);
	unsigned long status = 0;
	EQ(trace(PTRACE_GETEVENTMSG, (pid_t)child, 0, (long)&status), 0);
	EQ(status, 5 << 8);
	EQ(trace(PTRACE_CONT, (pid_t)child, 0, 0), 0);
	EQ(next((pid_t)child), 5 << 8);
	STOPPED(next(pid), SIGCHLD, 0);
	EQ(trace(PTRACE_CONT, pid, 0, SIGCHLD), 0);
	STOPPED(next(pid), SIGTRAP, PTRACE_EVENT_EXIT);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 0);
}

static void exec_self(void)
{
	execl("/proc/self/exe", "ptrace", "no-such-case", NULL);
	_exit(9);
}

TEST(exec_stops)
{
	pid_t pid = begin(exec_self);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, 0);
	EQ(trace(PTRACE_KILL, pid, 0, 0), 0);
	EQ(next(pid), SIGKILL);
	pid = begin(exec_self);
	EQ(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, PTRACE_EVENT_EXEC);
	unsigned long tid = 0;
	EQ(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&tid), 0);
	EQ(tid, pid);
	kill(pid, SIGKILL);
	EQ(next(pid), SIGKILL);
}

static char state_of(pid_t pid)
{
	char path[64], text[512], *p;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return '?';
	text[n] = 0;
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}

TEST(attaching_to_one_that_runs)
{
	pid_t pid = fork();
	if (!pid) {
		while (1)
			pause();
	}
	sleep_ms(30);
	EQ(trace(PTRACE_ATTACH, pid, 0, 0), 0);
	STOPPED(next(pid), SIGSTOP, 0);
	EQ(state_of(pid), 't');
	FAILS(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	FAILS(trace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	char path[64], line[128];
	int tracer = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	NEED(f);
	while (fgets(line, sizeof line, f))
		sscanf(line, "TracerPid:\t%d", &tracer);
	fclose(f);
	EQ(tracer, getpid());
	EQ(trace(PTRACE_DETACH, pid, 0, 0), 0);
	sleep_ms(20);
	EQ(state_of(pid), 'S');
	kill(pid, SIGTERM);
	EQ(next(pid), SIGTERM);
}

TEST(seizing)
{
	pid_t pid = fork();
	if (!pid) {
		while (1)
			pause();
	}
	sleep_ms(30);
	EQ(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	int status;
	sleep_ms(20);
	EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);		/* it goes on */
	EQ(trace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, EVENT_STOP);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	/* A stop of the process: it can be left in it, and SIGCONT is told. */
	kill(pid, SIGSTOP);
	STOPPED(next(pid), SIGSTOP, 0);
	EQ(trace(PTRACE_CONT, pid, 0, SIGSTOP), 0);
	STOPPED(next(pid), SIGSTOP, EVENT_STOP);
	EQ(trace(PTRACE_LISTEN, pid, 0, 0), 0);
	sleep_ms(20);
	EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	kill(pid, SIGCONT);
	STOPPED(next(pid), SIGTRAP, EVENT_STOP);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGCONT, 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	kill(pid, SIGKILL);
	EQ(next(pid), SIGKILL);
}

TEST(one_that_has_stopped_is_seized)
{
	pid_t pid = fork();
	int status;
	if (!pid) {
		raise(SIGSTOP);
		_exit(4);
	}
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	STOPPED(status, SIGSTOP, 0);
	EQ(trace(PTRACE_SEIZE, pid, 0, 0), 0);
	STOPPED(next(pid), SIGSTOP, EVENT_STOP);
	kill(pid, SIGCONT);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	for (int i = 0; i < 3; i++) {
		status = next(pid);
		if (!WIFSTOPPED(status))
			break;
		EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	}
	EQ(status, 4 << 8);
}

TEST(when_the_tracer_ends)
{
	int status, link[2];
	char c;
	NEED(!pipe(link));
	for (int kills = 0; kills < 2; kills++) {
		pid_t pid = fork();
		if (!pid) {
			close(link[0]);
			while (1)
				pause();
		}
		CHILD(status) {
			EQ(trace(PTRACE_SEIZE, pid, 0, kills ? PTRACE_O_EXITKILL : 0), 0);
			EQ(trace(PTRACE_INTERRUPT, pid, 0, 0), 0);
			STOPPED(next(pid), SIGTRAP, EVENT_STOP);
		}
		EQ(status, 0);
		sleep_ms(20);
		EQ(waitpid(pid, &status, WNOHANG), kills ? pid : 0);
		if (!kills) {
			EQ(state_of(pid), 'S');
			kill(pid, SIGKILL);
			EQ(next(pid), SIGKILL);
		}
	}
	(void)c;
}

TEST(one_that_is_killed_while_stopped)
{
	pid_t pid = begin(nothing);
	kill(pid, SIGKILL);
	EQ(next(pid), SIGKILL);
	pid = begin(nothing);
	kill(pid, SIGTERM);			/* waits: it is for the tracer to say */
	sleep_ms(20);
	EQ(state_of(pid), 't');
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTERM, 0);
	EQ(trace(PTRACE_CONT, pid, 0, SIGTERM), 0);
	EQ(next(pid), SIGTERM);
}

static void *thread(void *arg)
{
	other = 2;
	return arg;
}

static void make_thread(void)
{
	pthread_t t;
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	_exit(other == 2 ? 0 : 1);
}

TEST(threads)
{
	pid_t pid = begin(make_thread);
	unsigned long tid = 0;
	EQ(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	STOPPED(next(pid), SIGTRAP, PTRACE_EVENT_CLONE);
	EQ(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&tid), 0);
	STOPPED(next((pid_t)tid), SIGSTOP, 0);
	EQ(trace(PTRACE_CONT, (pid_t)tid, 0, 0), 0);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next((pid_t)tid), 0);			/* its end is told to the tracer */
	EQ(next(pid), 0);
}

TEST(masks)
{
	pid_t pid = begin(nothing);
	uint64_t set = 0;
	EQ(trace(0x420a, pid, 8, (long)&set), 0);
	set = 1ull << (SIGUSR1 - 1) | 1ull << (SIGKILL - 1);
	EQ(trace(0x420b, pid, 8, (long)&set), 0);
	EQ(trace(0x420a, pid, 8, (long)&set), 0);
	EQ(set, 1ull << (SIGUSR1 - 1));
	FAILS(trace(0x420a, pid, 4, (long)&set), EINVAL);
	EQ(trace(PTRACE_CONT, pid, 0, 0), 0);
	EQ(next(pid), 7 << 8);
}
