/* tests/guest/between.c - one process and another: memory, comparison, shared handlers, chosen numbers, orphans; rights, policies, settings of a thread, restartable sequences. */
#include "tap.h"
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/uio.h>

/* The headers of the kernel are not there for every C library. */
struct raw_sched_param { int sched_priority; };
enum { OTHER, FIFO, RR, BATCH, IDLE = 5, RESET = 0x40000000 };
enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };
enum { CAP_KILL = 5, CAP_SETUID = 7, CAP_SYS_BOOT = 22, CAP_SYS_NICE = 23, CAP_VERSION = 0x20080522 };
struct cap_header { uint32_t version; int pid; };
struct cap_data { uint32_t effective, permitted, inheritable; };
struct new_clone { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static long readv_of(pid_t pid, struct iovec *l, unsigned long n, struct iovec *r, unsigned long m) { return syscall(SYS_process_vm_readv, pid, l, n, r, m, 0ul); }
static long writev_of(pid_t pid, struct iovec *l, unsigned long n, struct iovec *r, unsigned long m) { return syscall(SYS_process_vm_writev, pid, l, n, r, m, 0ul); }

TEST(memory_of_another_process)
{
	char *p = map_anon(4 * PAGE, MAP_PRIVATE), mine[64] = "";
	strcpy(p, "parent");
	int go[2];
	NEED(!pipe(go));
	pid_t child = fork();
	if (!child) {
		char c;
		close(go[1]);
		strcpy(p, "child!");
		strcpy(p + 2 * PAGE - 3, "across");
		mprotect(p + 3 * PAGE, PAGE, PROT_READ);
		write(go[0], "", 0);
		read(go[0], &c, 1);
		_exit(!strcmp(p, "written") && p[PAGE] == 'z' ? 0 : 1);
	}
	sleep_ms(50);
	struct iovec l = { mine, 7 }, r = { p, 7 };
	EQ(readv_of(child, &l, 1, &r, 1), 7);
	CHECK(!strcmp(mine, "child!"));
	CHECK(!strcmp(p, "parent"));
	/* Several ranges on both sides, over the edge of a page. */
	struct iovec ls[2] = { { mine, 2 }, { mine + 10, 5 } }, rs[2] = { { p + 2 * PAGE - 3, 4 }, { p + 2 * PAGE + 1, 3 } };
	EQ(readv_of(child, ls, 2, rs, 2), 7);
	CHECK(!memcmp(mine, "ac", 2) && !memcmp(mine + 10, "ross", 5));
	strcpy(mine, "written");
	l.iov_len = r.iov_len = 8;
	EQ(writev_of(child, &l, 1, &r, 1), 8);
	mine[0] = 'z';
	EQ(writev_of(child, &(struct iovec){ mine, 1 }, 1, &(struct iovec){ p + PAGE, 1 }, 1), 1);
	/* What the process itself may not do cannot be done for it. */
	FAILS(writev_of(child, &(struct iovec){ mine, 1 }, 1, &(struct iovec){ p + 3 * PAGE, 1 }, 1), EFAULT);
	EQ(writev_of(child, (struct iovec[]){ { mine, 8 } }, 1, (struct iovec[]){ { p + 3 * PAGE - 4, 8 } }, 1), 4);
	FAILS(readv_of(child, &(struct iovec){ mine, 1 }, 1, &(struct iovec){ NULL, 1 }, 1), EFAULT);
	FAILS(readv_of(child, &(struct iovec){ NULL, 1 }, 1, &r, 1), EFAULT);
	FAILS(syscall(SYS_process_vm_readv, child, &l, 1, &r, 1, 1ul), EINVAL);
	FAILS(readv_of(child, &l, 1025, &r, 1), EINVAL);
	FAILS(readv_of(child, &l, 1, &r, 1025), EINVAL);
	EQ(readv_of(child, &l, 0, &r, 1), 0);
	EQ(readv_of(child, &l, 1, &r, 0), 0);
	close(go[1]);
	EQ(wait_status(child), 0);
	FAILS(readv_of(child, &l, 1, &r, 1), ESRCH);
	if (!geteuid()) {
		int status;
		pid_t parent = getpid();
		CHILD(status) {
			NEED(!setresuid(12345, 12345, 12345));
			FAILS(readv_of(parent, &l, 1, &r, 1), EPERM);
			FAILS(syscall(SYS_kcmp, parent, getpid(), KCMP_VM, 0, 0), EPERM);
		}
		EQ(status, 0);
	}
}

static long kcmp(pid_t a, pid_t b, int kind, long i, long j) { return syscall(SYS_kcmp, a, b, kind, i, j); }

TEST(what_two_processes_share)
{
	pid_t me = getpid();
	if (kcmp(me, me, KCMP_VM, 0, 0) < 0 && errno == ENOSYS)
		SKIP("no kcmp");
	int fd = open("/dev/null", O_RDONLY), copy = dup(fd), other = open("/dev/null", O_RDONLY);
	EQ(kcmp(me, me, KCMP_VM, 0, 0), 0);
	EQ(kcmp(me, me, KCMP_FILE, fd, copy), 0);
	long order = kcmp(me, me, KCMP_FILE, fd, other);
	CHECK(order == 1 || order == 2);
	EQ(kcmp(me, me, KCMP_FILE, other, fd), 3 - order);
	FAILS(kcmp(me, me, KCMP_FILE, fd, 999), EBADF);
	FAILS(kcmp(me, me, 99, 0, 0), EINVAL);
	FAILS(kcmp(me, 99999999, KCMP_VM, 0, 0), ESRCH);
	pid_t child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	EQ(kcmp(me, child, KCMP_FILE, fd, fd), 0);
	CHECK(kcmp(me, child, KCMP_VM, 0, 0) > 0);
	CHECK(kcmp(me, child, KCMP_FILES, 0, 0) > 0);
	CHECK(kcmp(me, child, KCMP_SIGHAND, 0, 0) > 0);
	EQ(kcmp(me, child, KCMP_IO, 0, 0), 0);			/* neither has any */
	EQ(kcmp(me, child, KCMP_SYSVSEM, 0, 0), 0);
	int set = semget(IPC_PRIVATE, 1, 0600);
	EQ(semop(set, &(struct sembuf){ 0, 1, SEM_UNDO }, 1), 0);
	CHECK(kcmp(me, child, KCMP_SYSVSEM, 0, 0) > 0);
	EQ(semctl(set, 0, IPC_RMID), 0);
	kill(child, SIGKILL);
	wait_status(child);
}

/* ---- clone --------------------------------------------------------------------------------------------------------- */

static void handler(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; }
static char *child_stack;

/* In a child with a stack of its own: no function of the C library that needs more than its registers. */
static pid_t clone_with(unsigned long flags, int (*fn)(void))
{
	long result;
	register long *top __asm__("rsi") = (long *)(child_stack + 16 * PAGE);
	*--top = 0;
	*--top = (long)fn;
	register long tid __asm__("rdx") = 0;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	__asm__ volatile ("syscall; test %%rax, %%rax; jnz 1f; pop %%rax; and $-16, %%rsp; call *%%rax; mov %%eax, %%edi; mov $60, %%eax; syscall; 1:"
		: "=a"(result) : "a"(SYS_clone), "D"(flags), "r"(top), "r"(tid), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return (pid_t)result;
}

static int ignore_usr1(void)
{
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } a = { (void *)SIG_IGN, 0, NULL, 0 };
	register long r10 __asm__("r10") = 8;
	long result;
	__asm__ volatile ("syscall" : "=a"(result) : "a"(SYS_rt_sigaction), "D"((long)SIGUSR1), "S"(&a), "d"(NULL), "r"(r10) : "rcx", "r11", "memory");
	return (int)result;
}

TEST(handlers_shared_by_processes)
{
	struct sigaction a;
	child_stack = map_anon(16 * PAGE, MAP_PRIVATE);
	FAILS(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	handle(SIGUSR1, handler, 0);
	pid_t pid = clone_with(CLONE_VM | CLONE_SIGHAND | SIGCHLD, ignore_usr1);
	CHECK(pid > 0);
	EQ(wait_status(pid), 0);
	EQ(sigaction(SIGUSR1, NULL, &a), 0);
	CHECK(a.sa_handler == SIG_IGN);
	/* Memory alone does not share them. */
	handle(SIGUSR1, handler, 0);
	pid = clone_with(CLONE_VM | SIGCHLD, ignore_usr1);
	EQ(wait_status(pid), 0);
	EQ(sigaction(SIGUSR1, NULL, &a), 0);
	CHECK(a.sa_sigaction == handler);
}

static long raw_call(long number, long a)
{
	long result;
	__asm__ volatile ("syscall" : "=a"(result) : "a"(number), "D"(a) : "rcx", "r11", "memory");
	return result;
}
static int go_to_tmp(void) { return (int)(raw_call(SYS_chdir, (long)"/tmp") | (raw_call(SYS_umask, 070) != 022)); }

TEST(places_shared_by_processes)
{
	char where[256];
	child_stack = map_anon(16 * PAGE, MAP_PRIVATE);
	umask(022);
	NEED(!chdir("/"));
	pid_t pid = clone_with(CLONE_FS | SIGCHLD, go_to_tmp);
	CHECK(pid > 0);
	EQ(wait_status(pid), 0);
	CHECK(getcwd(where, sizeof where) && !strcmp(where, "/tmp"));
	EQ(umask(022), 070);
	NEED(!chdir("/"));
	pid = clone_with(SIGCHLD, go_to_tmp);
	EQ(wait_status(pid), 0);
	CHECK(getcwd(where, sizeof where) && !strcmp(where, "/"));
	/* And back: a child sees where its parent goes. */
	int link[2];
	NEED(!pipe(link));
	pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		char c;
		read(link[0], &c, 1);
		_exit(getcwd(where, sizeof where) && !strcmp(where, "/proc") && kcmp(getpid(), getppid(), KCMP_FS, 0, 0) <= 0 ? 0 : 1);
	}
	NEED(!chdir("/proc"));
	write(link[1], "x", 1);
	EQ(wait_status(pid), 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		_exit(unshare(CLONE_FS) || chdir("/tmp") ? 1 : 0);
	EQ(wait_status(pid), 0);
	CHECK(getcwd(where, sizeof where) && !strcmp(where, "/proc"));
}

TEST(a_number_of_ones_choice)
{
	pid_t wanted, list[2];
	struct new_clone a = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1 };
	if (geteuid())
		SKIP("needs root");
	wanted = fork();
	if (!wanted)
		_exit(0);
	EQ(wait_status(wanted), 0);
	long pid = syscall(SYS_clone3, &a, sizeof a);
	if (!pid)
		_exit(getpid() == wanted ? 0 : 1);
	EQ(pid, wanted);
	EQ(syscall(SYS_clone3, &a, sizeof a), -1);
	EQ(errno, EEXIST);
	EQ(wait_status((pid_t)pid), 0);
	wanted = getpid();
	FAILS(syscall(SYS_clone3, &a, sizeof a), EEXIST);
	wanted = 0;
	FAILS(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	wanted = INT_MAX;
	FAILS(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.set_tid_size = 0;
	FAILS(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.set_tid = (uintptr_t)list;
	a.set_tid_size = 40;
	FAILS(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	int status;
	CHILD(status) {
		wanted = 12345;
		a.set_tid = (uintptr_t)&wanted;
		a.set_tid_size = 1;
		NEED(!setresuid(12345, 12345, 12345));
		FAILS(syscall(SYS_clone3, &a, sizeof a), EPERM);
	}
	EQ(status, 0);
}

TEST(orphans_go_to_the_nearest_that_wants_them)
{
	int link[2], is = 0;
	pid_t grandchild = 0;
	NEED(!pipe(link));
	EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
	EQ(is, 0);
	EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
	EQ(is, 1);
	pid_t child = fork();
	if (!child) {
		EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
		EQ(is, 0);				/* a child is none */
		pid_t pid = fork();
		if (!pid) {
			sleep_ms(50);
			_exit(getppid() == tap_running ? 0 : getppid() == 1 ? 2 : 0);
		}
		write(link[1], &pid, sizeof pid);
		_exit(0);
	}
	EQ(wait_status(child), 0);
	EQ(read(link[0], &grandchild, sizeof grandchild), sizeof grandchild);
	int status;
	EQ(waitpid(-1, &status, 0), grandchild);
	EQ(status, 0);
}

static volatile siginfo_t death;
static void note_death(int signo, siginfo_t *info, void *context) { (void)signo, (void)context; death = *info; }

TEST(the_death_signal_says_who_died)
{
	int link[2], status;
	NEED(!pipe(link));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t child = fork();
	if (!child) {
		pid_t me = getpid();
		if (!fork()) {
			handle(SIGUSR2, note_death, 0);
			prctl(PR_SET_PDEATHSIG, SIGUSR2);
			write(link[1], "x", 1);
			while (!death.si_signo)
				sleep_ms(1);
			_exit(death.si_code == SI_USER && death.si_pid == me ? 0 : 1);
		}
		char c;
		read(link[0], &c, 1);
		_exit(0);
	}
	EQ(wait_status(child), 0);
	EQ(waitpid(-1, &status, 0) > 0, 1);
	EQ(status, 0);
}

/* ---- descriptors of processes ---------------------------------------------------------------------------------------- */

enum { PIDFD = 0x1000, BY_PIDFD = 3 };
static int pidfd_open_(pid_t pid, unsigned flags) { return (int)syscall(434, pid, flags); }
static int pidfd_signal(int fd, int signo, siginfo_t *info, unsigned flags) { return (int)syscall(424, fd, signo, info, flags); }

static int ready(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	return poll(&p, 1, ms);
}

TEST(descriptors_of_processes)
{
	siginfo_t info;
	int status;
	pid_t pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	int fd = pidfd_open_(pid, 0);
	NEED(fd >= 0);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(ready(fd, 0), 0);
	memset(&info, 1, sizeof info);
	EQ(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED | WNOHANG, NULL), 0);
	EQ(info.si_pid, 0);
	EQ(pidfd_signal(fd, 0, NULL, 0), 0);
	FAILS(pidfd_signal(fd, 99, NULL, 0), EINVAL);
	FAILS(pidfd_signal(fd, 0, NULL, 64), EINVAL);
	FAILS(pidfd_signal(0, 0, NULL, 0), EBADF);
	FAILS(pidfd_signal(999, 0, NULL, 0), EBADF);
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	int f = open(path, O_RDONLY), told = 0;
	read(f, text, sizeof text - 1);
	close(f);
	if (strstr(text, "\nPid:\t"))
		sscanf(strstr(text, "\nPid:\t"), "\nPid:\t%d", &told);
	EQ(told, pid);
	EQ(pidfd_signal(fd, SIGKILL, NULL, 0), 0);
	EQ(ready(fd, 2000), 1);
	EQ(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED | WNOWAIT, NULL), 0);
	EQ(info.si_pid, pid);
	EQ(info.si_status, SIGKILL);
	EQ(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED, NULL), 0);
	EQ(ready(fd, 0), 1);
	FAILS(pidfd_signal(fd, 0, NULL, 0), ESRCH);
	FAILS(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED, NULL), ECHILD);
	FAILS(syscall(SYS_waitid, BY_PIDFD, 0, &info, WEXITED, NULL), EBADF);
	close(fd);
	FAILS(pidfd_open_(pid, 0), ESRCH);
	FAILS(pidfd_open_(-1, 0), EINVAL);
	FAILS(pidfd_open_(getpid(), 1 << 30), EINVAL);
	pid = fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	fd = pidfd_open_(pid, O_NONBLOCK);
	NEED(fd >= 0);
	FAILS(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED, NULL), EAGAIN);
	kill(pid, SIGKILL);
	EQ(wait_status(pid), SIGKILL);
	close(fd);
	(void)status;
}

TEST(a_directory_of_proc_names_a_process)
{
	pid_t pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	char name[40];
	snprintf(name, sizeof name, "/proc/%d", pid);
	int fd = open(name, O_DIRECTORY | O_CLOEXEC), other = open("/tmp", O_DIRECTORY);
	NEED(fd >= 0 && other >= 0);
	EQ(pidfd_signal(fd, 0, NULL, 0), 0);
	FAILS(pidfd_signal(other, 0, NULL, 0), EBADF);
	FAILS(pidfd_signal(other, 99, NULL, 0), EBADF);
	FAILS(pidfd_signal(fd, 99, NULL, 0), EINVAL);
	EQ(pidfd_signal(fd, SIGKILL, NULL, 0), 0);
	EQ(wait_status(pid), SIGKILL);
	FAILS(pidfd_signal(fd, 0, NULL, 0), ESRCH);
	close(fd);
	close(other);
}

TEST(a_descriptor_from_clone)
{
	int fd = -1;
	struct new_clone a = { .flags = PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof a);
	if (!pid)
		_exit(3);
	NEED(pid > 0);
	CHECK(fd >= 0);
	siginfo_t info;
	EQ(syscall(SYS_waitid, BY_PIDFD, fd, &info, WEXITED, NULL), 0);
	EQ(info.si_pid, pid);
	EQ(info.si_status, 3);
	close(fd);
	fd = -1;
	pid = syscall(SYS_clone, PIDFD | SIGCHLD, 0, &fd, 0, 0);
	if (!pid)
		_exit(0);
	CHECK(pid > 0 && fd >= 0);
	EQ(wait_status((pid_t)pid), 0);
	close(fd);
	FAILS(syscall(SYS_clone, PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0), EINVAL);
	a.pidfd = 0;
	FAILS(syscall(SYS_clone3, &a, sizeof a), EFAULT);
	a.pidfd = (uintptr_t)&fd;
	struct rlimit r, none;
	getrlimit(RLIMIT_NOFILE, &r);
	none = r;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	FAILS(syscall(SYS_clone3, &a, sizeof a), EMFILE);
	setrlimit(RLIMIT_NOFILE, &r);
	FAILS(waitpid(-1, NULL, 0), ECHILD);
}

TEST(descriptors_and_memory_by_pidfd)
{
	int link[2];
	NEED(!pipe(link));
	char *p = map_anon(PAGE, MAP_PRIVATE);
	pid_t pid = fork();
	if (!pid) {
		int fd = open("/dev/null", O_RDWR);
		dup2(fd, 77);
		write(link[1], "x", 1);
		pause();
	}
	char c;
	NEED(read(link[0], &c, 1) == 1);
	int pidfd = pidfd_open_(pid, 0);
	int fd = (int)syscall(438, pidfd, 77, 0);
	CHECK(fd >= 0);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(write(fd, "abc", 3), 3);
	FAILS(syscall(438, pidfd, 78, 0), EBADF);
	FAILS(syscall(438, pidfd, 77, 1), EINVAL);
	FAILS(syscall(438, 0, 77, 0), EBADF);
	struct iovec v = { p, PAGE };
	EQ(syscall(440, pidfd, &v, 1, 20 /* COLD */, 0), PAGE);
	FAILS(syscall(440, pidfd, &v, 1, MADV_FREE, 0), EINVAL);
	FAILS(syscall(440, pidfd, &v, 1, 20, 1), EINVAL);
	FAILS(syscall(440, 0, &v, 1, 20, 0), EBADF);
	kill(pid, SIGKILL);
	EQ(wait_status(pid), SIGKILL);
	FAILS(syscall(438, pidfd, 77, 0), ESRCH);
}

/* ---- rights ---------------------------------------------------------------------------------------------------------- */

struct caps { struct cap_data d[2]; };
static int get_caps(struct caps *c)
{
	struct cap_header h = { CAP_VERSION, 0 };
	return (int)syscall(SYS_capget, &h, c->d);
}
static int set_caps(const struct caps *c)
{
	struct cap_header h = { CAP_VERSION, 0 };
	return (int)syscall(SYS_capset, &h, c->d);
}

TEST(capget_and_its_errors)
{
	struct cap_header h = { 0x12345678, 0 };
	struct caps c;
	EQ(syscall(SYS_capget, &h, NULL), 0);
	EQ(h.version, CAP_VERSION);
	h.version = 1;
	FAILS(syscall(SYS_capget, &h, c.d), EINVAL);
	EQ(h.version, CAP_VERSION);
	h.pid = -1;
	FAILS(syscall(SYS_capget, &h, c.d), EINVAL);
	h.pid = 99999999;
	FAILS(syscall(SYS_capget, &h, c.d), ESRCH);
	h.pid = getppid();
	EQ(syscall(SYS_capget, &h, c.d), 0);
	FAILS(syscall(SYS_capset, &h, c.d), EPERM);
	FAILS(syscall(SYS_capget, NULL, c.d), EFAULT);
	h.pid = 0;
	FAILS(syscall(SYS_capset, &h, NULL), EFAULT);
	EQ(prctl(PR_CAPBSET_READ, 0), 1);
	FAILS(prctl(PR_CAPBSET_READ, 64), EINVAL);
}

TEST(root_gives_up_rights)
{
	struct caps c;
	int status;
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		EQ(get_caps(&c), 0);
		CHECK(c.d[0].effective >> CAP_SYS_NICE & 1 && c.d[0].effective >> CAP_KILL & 1);
		c.d[0].effective &= ~(1u << CAP_SYS_NICE);
		EQ(set_caps(&c), 0);
		errno = 0;
		FAILS(setpriority(PRIO_PROCESS, 0, -5), EACCES);
		c.d[0].effective |= 1u << CAP_SYS_NICE;
		EQ(set_caps(&c), 0);
		EQ(setpriority(PRIO_PROCESS, 0, -5), 0);
		c.d[0].effective &= ~(1u << CAP_SYS_NICE);
		c.d[0].permitted &= ~(1u << CAP_SYS_NICE);
		EQ(set_caps(&c), 0);
		c.d[0].permitted |= 1u << CAP_SYS_NICE;
		FAILS(set_caps(&c), EPERM);
		EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT), 0);
		EQ(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT), 0);
	}
	EQ(status, 0);
	CHILD(status) {				/* who becomes another user loses all, unless it asks to keep them */
		EQ(prctl(PR_GET_KEEPCAPS), 0);
		EQ(setresuid(12345, 12345, 12345), 0);
		EQ(get_caps(&c), 0);
		EQ(c.d[0].permitted | c.d[0].effective | c.d[1].permitted, 0);
		FAILS(setuid(0), EPERM);
		FAILS(kill(1, 0), EPERM);
	}
	EQ(status, 0);
	CHILD(status) {
		EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
		EQ(prctl(PR_GET_KEEPCAPS), 1);
		EQ(setresuid(12345, 12345, 12345), 0);
		EQ(get_caps(&c), 0);
		CHECK(c.d[0].permitted >> CAP_SETUID & 1);
		EQ(c.d[0].effective, 0);
		c.d[0].effective = c.d[0].permitted;
		EQ(set_caps(&c), 0);
		EQ(setresuid(0, 0, 0), 0);
	}
	EQ(status, 0);
	CHILD(status) {				/* and has them again with the effective number */
		EQ(setresuid(0, 12345, 0), 0);
		EQ(get_caps(&c), 0);
		EQ(c.d[0].effective, 0);
		CHECK(c.d[0].permitted != 0);
		EQ(seteuid(0), 0);
		EQ(get_caps(&c), 0);
		EQ(c.d[0].effective, c.d[0].permitted);
	}
	EQ(status, 0);
}

TEST(ambient_rights)
{
	struct caps c;
	int status;
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		FAILS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
		EQ(get_caps(&c), 0);
		c.d[0].inheritable |= 1u << CAP_KILL;
		EQ(set_caps(&c), 0);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), 0);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SETUID, 0, 0), 0);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0), 0);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
		EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 0);
		FAILS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
		FAILS(prctl(PR_CAP_AMBIENT, 9, 0, 0, 0), EINVAL);
		FAILS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 64, 0, 0), EINVAL);
	}
	EQ(status, 0);
}

TEST(settings_of_a_process)
{
	int v = -1;
	EQ(prctl(PR_GET_DUMPABLE), 1);
	EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	EQ(prctl(PR_GET_DUMPABLE), 0);
	FAILS(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	EQ(prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
	EQ(prctl(PR_GET_PDEATHSIG, &v), 0);
	EQ(v, SIGUSR1);
	FAILS(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	EQ(prctl(PR_SET_PDEATHSIG, 0), 0);
	EQ(prctl(PR_GET_TIMERSLACK), 50000);
	EQ(prctl(PR_SET_TIMERSLACK, 12345), 0);
	EQ(prctl(PR_GET_TIMERSLACK), 12345);
	pid_t child = fork();
	if (child == 0)			/* begins with its maker's, and goes back to that */
		_exit(prctl(PR_GET_TIMERSLACK) != 12345 || prctl(PR_SET_TIMERSLACK, 1) || prctl(PR_SET_TIMERSLACK, 0) || prctl(PR_GET_TIMERSLACK) != 12345);
	int status;
	EQ(waitpid(child, &status, 0), child);
	EQ(status, 0);
	EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
	EQ(prctl(PR_GET_TIMERSLACK), 50000);
	EQ(prctl(PR_GET_TSC, &v), 0);
	EQ(v, PR_TSC_ENABLE);
	EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	EQ(prctl(PR_GET_SECUREBITS), 0);
	EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	FAILS(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
	FAILS(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
	FAILS(prctl(12345, 0, 0, 0, 0), EINVAL);
}

static void read_counter(void) { uint32_t low, high; __asm__ volatile ("rdtsc" : "=a"(low), "=d"(high)); (void)low, (void)high; }

/* It says so for a thread, and for those that it makes, wherever they run; others still may.  Not every virtual machine that Linux runs in heeds it. */
FAULTLINE_TEST(the_cycle_counter_can_be_forbidden)
{
	int v, status;

	FAILS(prctl(PR_SET_TSC, 3), EINVAL);
	EQ(prctl(PR_SET_TSC, PR_TSC_SIGSEGV), 0);
	EQ(prctl(PR_GET_TSC, &v), 0);
	EQ(v, PR_TSC_SIGSEGV);
	for (int i = 0; i < 20; i++) {
		CHILD(status) {
			sched_yield();
			if (i % 2)
				prctl(PR_SET_TSC, PR_TSC_ENABLE);
			sched_yield();
			read_counter();
		}
		EQ(status, i % 2 ? 0 : SIGSEGV);
	}
	EQ(prctl(PR_SET_TSC, PR_TSC_ENABLE), 0);
	read_counter();
}

/* A program that is not to be looked into is not, by others of its user. */
TEST(undumpable_processes_are_closed)
{
	int status;
	char path[64];
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		int go[2];
		char c;
		NEED(!setresgid(12345, 12345, 12345) && !setresuid(12345, 12345, 12345));
		NEED(!pipe(go));
		EQ(prctl(PR_GET_DUMPABLE), 0);		/* since it changed its user */
		prctl(PR_SET_DUMPABLE, 1);
		pid_t pid = fork();
		if (!pid) {
			prctl(PR_SET_DUMPABLE, 0);
			close(go[0]);
			write(go[1], "x", 1);
			pause();
		}
		NEED(read(go[0], &c, 1) == 1);
		snprintf(path, sizeof path, "/proc/%d/environ", pid);
		FAILS(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/mem", pid);
		FAILS(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		int fd = open(path, O_RDONLY);
		CHECK(fd >= 0);
		kill(pid, SIGKILL);
		wait_status(pid);
	}
	EQ(status, 0);
}

/* ---- policies ------------------------------------------------------------------------------------------------------------ */

static int policy(pid_t pid) { return (int)syscall(SYS_sched_getscheduler, pid); }
static int set_policy(pid_t pid, int policy, int priority)
{
	struct raw_sched_param p = { priority };
	return (int)syscall(SYS_sched_setscheduler, pid, policy, &p);
}
static int priority_of(pid_t pid)
{
	struct raw_sched_param p = { -1 };
	EQ(syscall(SYS_sched_getparam, pid, &p), 0);
	return p.sched_priority;
}

TEST(policies_can_be_set)
{
	int status;
	if (geteuid())
		SKIP("needs root");
	EQ(policy(0), OTHER);
	FAILS(set_policy(0, OTHER, 1), EINVAL);
	FAILS(set_policy(0, FIFO, 0), EINVAL);
	FAILS(set_policy(0, FIFO, 100), EINVAL);
	FAILS(set_policy(0, 77, 0), EINVAL);
	FAILS(set_policy(0, -1, 0), EINVAL);
	FAILS(set_policy(-1, OTHER, 0), EINVAL);
	FAILS(set_policy(99999999, OTHER, 0), ESRCH);
	CHILD(status) {
		EQ(set_policy(0, FIFO, 10), 0);
		EQ(policy(0), FIFO);
		EQ(priority_of(0), 10);
		struct timespec t = { 1, 1 };
		EQ(syscall(SYS_sched_rr_get_interval, 0, &t), 0);
		EQ(t.tv_sec * 1000000000 + t.tv_nsec, 0);
		struct raw_sched_param p = { 20 };
		EQ(syscall(SYS_sched_setparam, 0, &p), 0);
		EQ(priority_of(0), 20);
		int inner;
		CHILD(inner)
			EQ(policy(0), FIFO);
		EQ(inner, 0);
		EQ(set_policy(0, RR | RESET, 5), 0);
		EQ(policy(0), RR | RESET);
		EQ(syscall(SYS_sched_rr_get_interval, 0, &t), 0);
		CHECK(t.tv_nsec > 0);
		CHILD(inner)
			EQ(policy(0), OTHER);
		EQ(inner, 0);
		EQ(set_policy(0, BATCH, 0), 0);
		EQ(set_policy(0, IDLE, 0), 0);
		EQ(policy(0), IDLE);
		EQ(set_policy(0, OTHER, 0), 0);
		NEED(!setresuid(12345, 12345, 12345));
		FAILS(set_policy(0, FIFO, 1), EPERM);
		FAILS(set_policy(1, OTHER, 0), EPERM);
		EQ(set_policy(0, IDLE, 0), 0);
		struct rlimit r = { 0, 0 };
		EQ(setrlimit(RLIMIT_NICE, &r), 0);
		FAILS(set_policy(0, OTHER, 0), EPERM);
	}
	EQ(status, 0);
}

struct attr { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t low, high; };

TEST(attributes)
{
	struct attr a = { 0 };
	char long_one[128] = { 0 };
	EQ(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
	CHECK(a.size >= 48);
	EQ(a.policy, OTHER);
	FAILS(syscall(SYS_sched_getattr, 0, &a, 40, 0), EINVAL);
	FAILS(syscall(SYS_sched_getattr, 0, NULL, sizeof a, 0), EINVAL);
	FAILS(syscall(SYS_sched_getattr, 0, &a, sizeof a, 1), EINVAL);
	a.nice = 3;
	a.flags = 0;
	EQ(syscall(SYS_sched_setattr, 0, &a, 0), 0);
	EQ(getpriority(PRIO_PROCESS, 0), 3);
	EQ(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
	EQ(a.nice, 3);
	memcpy(long_one, &a, sizeof a);
	*(uint32_t *)long_one = sizeof long_one;
	EQ(syscall(SYS_sched_setattr, 0, long_one, 0), 0);
	long_one[127] = 1;
	FAILS(syscall(SYS_sched_setattr, 0, long_one, 0), E2BIG);
	CHECK(*(uint32_t *)long_one >= 48 && *(uint32_t *)long_one < 128);
	a.policy = 99;
	FAILS(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	FAILS(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	FAILS(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
}

/* All on one processor; what each computes in the same time is as their weights are. */
static long spin_for(int nice, int which_policy, volatile int *go, volatile int *stop)
{
	unsigned long one = 1;
	syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
	setpriority(PRIO_PROCESS, 0, nice);
	if (which_policy != policy(0))
		set_policy(0, which_policy, which_policy == FIFO || which_policy == RR ? 5 : 0);
	while (!*go)
		sleep_ms(1);
	long n = 0;
	while (!*stop)
		n++;
	return n;
}

static void race(const int nice[2], const int policies[2], int ms, long count[2])
{
	volatile int *shared = (volatile int *)map_anon(PAGE, MAP_SHARED);
	volatile long *counts = (volatile long *)(shared + 16);
	pid_t pid[2];
	for (int i = 0; i < 2; i++)
		if (!(pid[i] = fork())) {
			counts[i] = spin_for(nice[i], policies[i], &shared[0], &shared[1]);
			_exit(0);
		}
	sleep_ms(50);
	shared[0] = 1;
	sleep_ms(ms);
	shared[1] = 1;
	for (int i = 0; i < 2; i++)
		EQ(wait_status(pid[i]), 0);
	count[0] = counts[0];
	count[1] = counts[1];
}

TEST(nice_ones_get_less)
{
	long n[2];
	unsigned long one = 1;
	if (syscall(SYS_sched_setaffinity, 0, sizeof one, &one))
		SKIP("processor 0 is not to be had");
	one = ~0ul;
	syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
	race((int[]){ 0, 5 }, (int[]){ 0, 0 }, 1000, n);
	if (n[0] < n[1] * 3 / 2 || n[0] > n[1] * 6)		/* 3.06 by the weights */
		FAIL("nice 0: %ld, nice 5: %ld", n[0], n[1]);
	race((int[]){ 0, 19 }, (int[]){ 0, 0 }, 1000, n);
	if (n[0] < n[1] * 4)				/* 68 by the weights, if nobody else is there */
		FAIL("nice 0: %ld, nice 19: %ld", n[0], n[1]);
	race((int[]){ 0, 0 }, (int[]){ 0, 0 }, 600, n);
	if (n[0] < n[1] / 2 || n[0] > n[1] * 2)
		FAIL("alike: %ld, %ld", n[0], n[1]);
}

TEST(real_time_comes_first)
{
	long n[2];
	if (geteuid())
		SKIP("needs root");
	int status;
	CHILD(status)
		if (set_policy(0, FIFO, 1))
			_exit(77);
	if (status)
		SKIP("no real-time policies here");
	set_policy(0, FIFO, 50);			/* or we could not stop them */
	race((int[]){ 0, 0 }, (int[]){ FIFO, OTHER }, 600, n);
	set_policy(0, OTHER, 0);
	if (n[0] < n[1] * 4)
		FAIL("FIFO: %ld, other: %ld", n[0], n[1]);
}

TEST(priorities_of_input_and_output)
{
	EQ(syscall(SYS_ioprio_get, 1, 0), 0);
	EQ(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3), 0);
	EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 3);
	EQ(syscall(SYS_ioprio_set, 1, getpid(), 3 << 13), 0);
	EQ(syscall(SYS_ioprio_get, 1, getpid()), 3 << 13);
	EQ(syscall(SYS_ioprio_set, 1, 0, 0), 0);
	FAILS(syscall(SYS_ioprio_set, 1, 0, 4 << 13), EINVAL);
	FAILS(syscall(SYS_ioprio_set, 9, 0, 0), EINVAL);
	FAILS(syscall(SYS_ioprio_get, 0, 0), EINVAL);
	FAILS(syscall(SYS_ioprio_get, 1, 99999999), ESRCH);
	CHECK(syscall(SYS_ioprio_get, 2, 0) > 0);
}

/* ---- restartable sequences ------------------------------------------------------------------------------------------------- */

struct area { uint32_t cpu_start, cpu; uint64_t section; uint32_t flags; uint32_t more[3]; } __attribute__((aligned(32)));
static volatile struct area area;
enum { SIGNATURE = 0x53053053 };
static long rseq(void *at, unsigned size, int flags, unsigned signature) { return syscall(SYS_rseq, at, size, flags, signature); }

/* glibc has registered its own for this thread: a child without one. */
static int without_rseq(void)
{
	if (!rseq((void *)&area, 32, 0, SIGNATURE))
		return 1;
	if (errno == ENOSYS || errno == EINVAL)
		return 0;
	return 0;
}

TEST(rseq_tells_the_processor)
{
	if (!without_rseq())
		SKIP("the C library has one, or there is none");
	CHECK(area.cpu == area.cpu_start && area.cpu < 64);
	FAILS(rseq((void *)&area, 32, 0, SIGNATURE), EBUSY);
	FAILS(rseq((void *)&area, 32, 0, 1), EPERM);
	FAILS(rseq((void *)&area, 64, 0, SIGNATURE), EINVAL);
	FAILS(rseq((void *)&area, 32, 2, SIGNATURE), EINVAL);
	unsigned long mask = 0;
	syscall(SYS_sched_getaffinity, 0, sizeof mask, &mask);
	for (int cpu = 0; cpu < 64; cpu++) {
		unsigned long one = 1ul << cpu;
		if (!(mask & one))
			continue;
		EQ(syscall(SYS_sched_setaffinity, 0, sizeof one, &one), 0);
		EQ(area.cpu, cpu);
		EQ(area.cpu_start, cpu);
	}
	int status;
	CHILD(status)					/* a child has it too */
		FAILS(rseq((void *)&area, 32, 0, SIGNATURE), EBUSY);
	EQ(status, 0);
	FAILS(rseq((void *)&area, 32, 1, 1), EPERM);
	EQ(rseq((void *)&area, 32, 1, SIGNATURE), 0);
	EQ(area.cpu, -1u);
	FAILS(rseq((void *)&area, 32, 1, SIGNATURE), EINVAL);
	FAILS(rseq((char *)&area + 8, 32, 0, SIGNATURE), EINVAL);
}

static volatile sig_atomic_t alarms;
static void count_alarm(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; alarms++; }

/* A loop that ends only by its abort handler, which a switch or a signal calls. */
static long spin_in_section(volatile struct area *a)
{
	long aborted;
	static struct { uint32_t version, flags; uint64_t start, length, abort; } __attribute__((aligned(32))) section;
	__asm__ volatile (
		"lea 1f(%%rip), %%rax; mov %%rax, 8(%2)\n"
		"lea 2f(%%rip), %%rcx; sub %%rax, %%rcx; mov %%rcx, 16(%2)\n"
		"lea 3f(%%rip), %%rax; mov %%rax, 24(%2)\n"
		"xor %%eax, %%eax\n"
		"mov %2, 8(%1)\n"
		"1: pause; jmp 1b\n"
		"2: jmp 4f\n"
		".long 0x53053053\n"
		"3: mov $1, %%eax\n"
		"4:\n" : "=&a"(aborted) : "r"(a), "r"(&section) : "rcx", "memory");
	return aborted;
}

TEST(a_critical_section_is_aborted)
{
	if (!without_rseq())
		SKIP("the C library has one, or there is none");
	handle(SIGALRM, count_alarm, 0);
	ualarm(20000, 0);
	EQ(spin_in_section(&area), 1);
	EQ(area.section, 0);
	while (!alarms)
		sleep_ms(1);
	int status;
	CHILD(status) {				/* a wrong signature is the end */
		signal(SIGSEGV, SIG_DFL);
		rseq((void *)&area, 32, 1, SIGNATURE);
		NEED(!rseq((void *)&area, 32, 0, 0x1234));
		ualarm(20000, 0);
		spin_in_section(&area);
	}
	EQ(status & 0x7f, SIGSEGV);
}
