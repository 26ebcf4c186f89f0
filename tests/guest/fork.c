/* tests/guest/fork.c - fork, vfork, wait: what the child gets, what the parent is told, and that no page is copied. */
#include "tap.h"
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>

TEST(exit_statuses_are_exact)
{
	for (int code = 0; code < 256; code += 5) {
		int status;
		pid_t pid = fork();
		if (!pid)
			_exit(code);
		EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		EQ(WEXITSTATUS(status), code);
		EQ(status, code << 8);
	}
	static const int killers[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM };
	for (unsigned i = 0; i < sizeof killers / sizeof *killers; i++) {
		pid_t pid = fork();
		if (!pid) {
			kill(getpid(), killers[i]);
			_exit(0);
		}
		EQ(wait_status(pid), killers[i]);
	}
}

TEST(fault_kills_with_its_signal)
{
	int status;

	CHILD(status)
		*(volatile int *)(uintptr_t)(8 * once_) = 1;
	EQ(WTERMSIG(status), SIGSEGV);
	CHILD(status)
		__asm__ volatile("ud2");
	EQ(WTERMSIG(status), SIGILL);
	CHILD(status)
		__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
	EQ(WTERMSIG(status), SIGFPE);
	CHILD(status)
		__asm__ volatile("hlt");
	EQ(WTERMSIG(status), SIGSEGV);
	CHILD(status)
		__asm__ volatile("int3");
	EQ(WTERMSIG(status), SIGTRAP);
	CHILD(status)
		__asm__ volatile("int $0x42");
	EQ(WTERMSIG(status), SIGSEGV);
	CHILD(status)
		__asm__ volatile("mov $0xdead000000000000, %%rax; mov (%%rax), %%rax" ::: "rax");
	EQ(WTERMSIG(status), SIGSEGV);
	CHILD(status)
		__asm__ volatile("mov $0xdead000000000000, %%rax; jmp *%%rax" ::: "rax");
	EQ(WTERMSIG(status), SIGSEGV);
}

TEST(wait_errors_and_options)
{
	int status;

	FAILS(wait(&status), ECHILD);
	FAILS(waitpid(getpid(), &status, 0), ECHILD);
	pid_t pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	EQ(waitpid(-1, &status, WNOHANG), 0);
	EQ(waitpid(pid, &status, WNOHANG), 0);
	FAILS(waitpid(pid, &status, 0x40000), EINVAL);
	FAILS(waitpid(pid + 1, &status, WNOHANG), ECHILD);
	FAILS(waitpid(-pid - 1, &status, WNOHANG), ECHILD);
	EQ(kill(pid, SIGTERM), 0);
	EQ(waitpid(0, &status, 0), pid);
	EQ(WTERMSIG(status), SIGTERM);
	FAILS(kill(pid, 0), ESRCH);
}

TEST(zombies_wait_and_can_be_looked_at)
{
	siginfo_t info;
	struct rusage usage;
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	EQ(info.si_pid, pid);
	EQ(info.si_status, 7);
	EQ(info.si_code, CLD_EXITED);
	EQ(info.si_signo, SIGCHLD);
	EQ(kill(pid, 0), 0);			/* a zombie still is there */
	EQ(kill(pid, SIGKILL), 0);		/* and can be killed no more */
	int status;
	EQ(wait4(pid, &status, 0, &usage), pid);
	EQ(WEXITSTATUS(status), 7);
	FAILS(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
	FAILS(waitid(P_PID, (id_t)pid, &info, 0), EINVAL);
}

TEST(stop_and_continue)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	EQ(WSTOPSIG(status), SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	kill(pid, SIGCONT);
	EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	kill(pid, SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGKILL);			/* also while it is stopped */
	EQ(waitpid(pid, &status, 0), pid);
	EQ(status, SIGKILL);
}

/* Waits until a process has another parent than `old`. */
static pid_t new_parent(pid_t old)
{
	for (int i = 0; i < 200 && getppid() == old; i++)
		sleep_ms(10);
	return getppid();
}

TEST(orphans_get_another_parent)
{
	int ends[2];
	pid_t parent = 0, reaper = 0;

	NEED(!pipe(ends));
	pid_t pid = fork();
	if (!pid) {
		pid_t middle = getpid();
		if (!fork()) {
			reaper = new_parent(middle);
			CHECK(write(ends[1], &reaper, sizeof reaper) == sizeof reaper);
			_exit(0);
		}
		_exit(0);
	}
	EQ(wait_status(pid), 0);
	close(ends[1]);
	EQ(read(ends[0], &parent, sizeof parent), sizeof parent);
	CHECK(parent != pid);
	if (on_faultline())
		EQ(parent, 1);
	EQ(read(ends[0], &parent, 1), 0);
	FAILS(wait(NULL), ECHILD);
}

static int deep(int level)
{
	int status;

	if (!level)
		return 0;
	pid_t pid = fork();
	if (pid < 0)
		return 100;
	if (!pid)
		_exit(deep(level - 1) + 1);
	status = wait_status(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

TEST(deep_trees)
{
	EQ(deep(60), 60);
}

TEST(many_children_at_once)
{
	enum { MANY = 100 };
	pid_t pid[MANY];
	int seen = 0, status;

	for (int i = 0; i < MANY; i++) {
		pid[i] = fork();
		NEED(pid[i] >= 0);
		if (!pid[i])
			_exit(i);
	}
	for (int i = 0; i < MANY; i++) {
		pid_t p = wait(&status);
		for (int j = 0; j < MANY; j++)
			seen += pid[j] == p && status == j << 8;
	}
	EQ(seen, MANY);
}

/* ---- memory --------------------------------------------------------------------------------------------------------------------- */

enum { RESIDENT = 64 << 20, RESIDENT_PAGES = RESIDENT / PAGE };

static uint64_t free_bytes(void)
{
	struct vmcheck c;
	NEED(tap_vmcheck(&c) >= 0);
	return c.free_frames * PAGE;
}

FAULTLINE_TEST(fork_of_64_mib_copies_no_page)
{
	struct vmcheck before, after;
	struct faultstat stat;
	int status;

	if (free_bytes() < RESIDENT + (20 << 20))
		SKIP("too little memory");
	volatile char *p = map_anon(RESIDENT, MAP_PRIVATE);
	for (long i = 0; i < RESIDENT; i += PAGE)
		p[i] = 1;
	tap_vmcheck(&before);
	CHILD(status) {
		tap_vmcheck(&after);
		CHECK(after.anon_frames <= before.anon_frames + 16);	/* what fork() itself writes to: stack and data */
		faults_now(&stat);
		for (long i = 0; i < 1000; i++)
			p[i * PAGE] = 2;
		EQ(faults_since(&stat, FAULT_COW_COPY), 1000);
		EQ(faults_since(&stat, FAULT_COW_REUSE), 0);
		for (long i = 0; i < 1000; i++)
			p[i * PAGE + 1] = 3;
		EQ(faults_since(&stat, FAULT_COW_COPY), 1000);
		CHECK(p[1000 * PAGE] == 1 && p[0] == 2);
	}
	EQ(status, 0);
	faults_now(&stat);
	for (long i = 0; i < 1000; i++) {
		NEED(p[i * PAGE] == 1);
		p[i * PAGE] = 4;
	}
	EQ(faults_since(&stat, FAULT_COW_REUSE), 1000);
	EQ(faults_since(&stat, FAULT_COW_COPY), 0);
}

TEST(private_memory_is_private)
{
	int status, *p = map_anon(16 * PAGE, MAP_PRIVATE);

	for (int i = 0; i < 16; i++)
		p[i * 1024] = i;
	CHILD(status) {
		for (int i = 0; i < 16; i++) {
			EQ(p[i * 1024], i);
			p[i * 1024] = 100 + i;
		}
		int inner;
		CHILD(inner)				/* a page that is copy-on-write already is forked again */
			for (int i = 0; i < 16; i++) {
				EQ(p[i * 1024], 100 + i);
				p[i * 1024] = 200 + i;
			}
		EQ(inner, 0);
		for (int i = 0; i < 16; i++)
			EQ(p[i * 1024], 100 + i);
	}
	EQ(status, 0);
	for (int i = 0; i < 16; i++)
		EQ(p[i * 1024], i);
}

/* A page that mprotect has made read-only before the fork, and writable after it, is still shared. */
TEST(fork_sees_pages_that_mprotect_changed)
{
	int status, *p = map_anon(4 * PAGE, MAP_PRIVATE);

	for (int i = 0; i < 4; i++)
		p[i * 1024] = 1;
	EQ(mprotect(p, 4 * PAGE, PROT_READ), 0);
	CHILD(status) {
		EQ(mprotect(p, 4 * PAGE, RW), 0);
		for (int i = 0; i < 4; i++)
			p[i * 1024] = 2;
	}
	EQ(status, 0);
	EQ(mprotect(p, 4 * PAGE, PROT_NONE), 0);
	CHILD(status) {
		EQ(mprotect(p, 4 * PAGE, RW), 0);
		for (int i = 0; i < 4; i++) {
			EQ(p[i * 1024], 1);
			p[i * 1024] = 3;
		}
	}
	EQ(status, 0);
	EQ(mprotect(p, 4 * PAGE, RW), 0);
	for (int i = 0; i < 4; i++) {
		EQ(p[i * 1024], 1);
		p[i * 1024] = 4;
		EQ(p[i * 1024], 4);
	}
}

/* ---- vfork, clone, spawn ---------------------------------------------------------------------------------------------------------- */

TEST(vfork_shares_memory_and_waits)
{
	volatile int shared = 0;
	pid_t pid = vfork();

	if (!pid) {
		shared = 42;
		_exit(3);
	}
	EQ(shared, 42);
	EQ(wait_status(pid), 3 << 8);
}

static int clone_child(void *arg)
{
	*(volatile int *)arg = 9;
	_exit(5);
}

TEST(clone_with_a_stack_of_its_own)
{
	char *stack = map_anon(16 * PAGE, MAP_PRIVATE);
	volatile int shared = 0;
	int tid = 0;

	pid_t pid = clone(clone_child, stack + 16 * PAGE, CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, (void *)&shared, &tid);
	CHECK(pid > 0);
	EQ(shared, 9);
	EQ(tid, pid);
	EQ(wait_status(pid), 5 << 8);
	EQ(munmap(stack, 16 * PAGE), 0);
}

TEST(clone_without_sharing)
{
	char *stack = map_anon(16 * PAGE, MAP_PRIVATE);
	volatile int shared = 0;
	pid_t pid = clone(clone_child, stack + 16 * PAGE, SIGCHLD, (void *)&shared);

	CHECK(pid > 0);
	EQ(wait_status(pid), 5 << 8);
	EQ(shared, 0);
	FAILS(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);		/* needs CLONE_VM */
	FAILS(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);		/* needs CLONE_SIGHAND */
}

TEST(clone_with_a_thread_pointer_of_its_own)
{
	static const unsigned long outside[] = { 0x7ffffffff000, 0x800000000000, 0x8000000000000000, 0xffffffff80100000 };

	for (int i = 0; i < 4; i++)
		FAILS(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, outside[i]), EPERM);
	/* No library in the child: it would want the thread pointer. */
	register long pid __asm__("rax") = SYS_clone;
	register long no_tid __asm__("r10") = 0, base __asm__("r8") = 0x1234560;
	unsigned long got = 0;
	__asm__ volatile("syscall" : "+r"(pid) : "D"(CLONE_SETTLS | SIGCHLD), "S"(0), "d"(0), "r"(no_tid), "r"(base) : "rcx", "r11", "memory");
	if (!pid) {
		register long result __asm__("rax") = SYS_arch_prctl;
		__asm__ volatile("syscall" : "+r"(result) : "D"(0x1003), "S"(&got) : "rcx", "r11", "memory");
		result = SYS_exit;
		__asm__ volatile("syscall" :: "r"(result), "D"(got == 0x1234560 ? 7 : 8) : "rcx", "r11", "memory");
	}
	pid_t child = (pid_t)pid;
	NEED(child > 0);
	EQ(wait_status(child), 7 << 8);
}

TEST(posix_spawn_works)
{
	pid_t pid;
	char *argv[] = { "sh", "-c", "exit 11", NULL }, *env[] = { NULL };

	EQ(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, env), 0);
	EQ(wait_status(pid), 11 << 8);
	EQ(posix_spawn(&pid, "/bin/no such program", NULL, NULL, argv, env), ENOENT);
	FAILS(wait(NULL), ECHILD);
}

TEST(usage_of_children_adds_up)
{
	struct rusage a, b;
	int status;

	getrusage(RUSAGE_CHILDREN, &a);
	CHILD(status) {
		volatile char *p = map_anon(200 * PAGE, MAP_PRIVATE);
		for (int i = 0; i < 200; i++)
			p[i * PAGE] = 1;
	}
	EQ(status, 0);
	getrusage(RUSAGE_CHILDREN, &b);
	CHECK(b.ru_minflt >= a.ru_minflt + 200);
	CHECK(b.ru_maxrss * 1024 >= 100 * PAGE);	/* Linux counts in batches */
	if (on_faultline()) {
		struct faultstat s;
		NEED(syscall(SYS_faultstat, FAULTSTAT_CHILDREN, 0, &s, sizeof s) >= 0);
		CHECK(s.count[FAULT_DEMAND_ZERO] >= 200 && s.count[FAULT_DEMAND_ZERO] < 220);
	}
}

TEST(groups_and_sessions)
{
	int status;

	CHILD(status) {
		EQ(setpgid(0, 0), 0);
		EQ(getpgrp(), getpid());
		FAILS(setsid(), EPERM);			/* a group's leader may not */
		EQ(getpgid(0), getpid());
		pid_t pid = fork();
		if (!pid) {
			EQ(setsid(), getpid());
			EQ(getsid(0), getpid());
			EQ(getpgrp(), getpid());
			FAILS(setpgid(0, 0), EPERM);	/* a session's leader may not */
			_exit(tap_failures != 0);
		}
		EQ(wait_status(pid), 0);
		FAILS(setpgid(0, -1), EINVAL);
		FAILS(setpgid(99999, 0), ESRCH);
		FAILS(getpgid(99999), ESRCH);
		FAILS(getsid(99999), ESRCH);
	}
	EQ(status, 0);
}

TEST(files_are_shared_with_the_child)
{
	int fd = open("/tmp/fork-offset", O_RDWR | O_CREAT | O_TRUNC, 0600), status;
	char text[8] = "";

	NEED(fd >= 0);
	unlink("/tmp/fork-offset");
	CHILD(status)
		EQ(write(fd, "abc", 3), 3);
	EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHILD(status)
		close(fd);
	EQ(write(fd, "d", 1), 1);
	EQ(pread(fd, text, 8, 0), 4);
	CHECK(!strcmp(text, "abcd"));
}
