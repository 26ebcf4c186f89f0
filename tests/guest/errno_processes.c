/*
 * tests/guest/errno_processes.c - what calls about processes answer, row by row: exec, wait, groups, users, limits, futexes, the machine.
 */
#include "rows.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_PRIVATE_FLAG = 128, FUTEX_CLOCK_REALTIME = 256 };
enum { FUTEX_OP_ADD = 1, FUTEX_OP_CMP_EQ = 0 };
#define FUTEX_OP(op, argument, compare, with)	((op) << 28 | (compare) << 24 | (argument) << 12 | (with))

static char buffer[2 * PAGE];
static long data;

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
}

TEST(execve)
{
	static char long_name[300], long_path[PATH_MAX + 100];
	char *arguments[] = { "x", NULL }, *bad[] = { "x", (char *)8, NULL };
	long argv = P(arguments);

	rows_enter();
	memset(long_name, 'a', sizeof long_name - 1);
	memset(long_path, '/', sizeof long_path - 1);
	put("text", "not a program", 0755);
	put("empty", "", 0755);
	put("elf", "\177ELF\2\1\1 and no more", 0755);
	put("not", "#!/bin/sh\n", 0644);
	put("script", "#!/no/such/interpreter\n", 0755);
	put("blank", "#!   \n", 0755);
	put("self", "#!self\n", 0755);
	put("folder", "#!d\n", 0755);
	NEED(mkdir("d", 0755) == 0 && symlink("loop", "loop") == 0 && mkdir("secret", 0700) == 0 && mkfifo("fifo", 0777) == 0);
	put("secret/x", "#!/bin/sh\n", 0755);
	int d = open("d", O_RDONLY), text = open("text", O_RDONLY), closing = open("script", O_RDONLY | O_CLOEXEC);
	IS(-EFAULT, execve, nowhere, argv, 0);
	IS(-EFAULT, execve, kernels, argv, 0);
	IS(-ENOENT, execve, P(""), argv, 0);
	IS(-ENOENT, execve, P("no"), argv, 0);
	IS(-ENOENT, execve, P("no/x"), argv, 0);
	IS(-ENOTDIR, execve, P("text/x"), argv, 0);
	IS(-ENOTDIR, execve, P("text/"), argv, 0);
	IS(-ELOOP, execve, P("loop"), argv, 0);
	IS(-ENAMETOOLONG, execve, P(long_name), argv, 0);
	IS(-ENAMETOOLONG, execve, P(long_path), argv, 0);
	IS(-EACCES, execve, P("d"), argv, 0);
	IS(-EACCES, execve, P("fifo"), argv, 0);
	IS(-EACCES, execve, P("not"), argv, 0);
	IS(-EACCES, execve, P("/dev/null"), argv, 0);
	IS(-ENOEXEC, execve, P("text"), argv, 0);
	IS(-ENOEXEC, execve, P("empty"), argv, 0);
	IS(-ENOEXEC, execve, P("elf"), argv, 0);
	IS(-ENOENT, execve, P("script"), argv, 0);
	IS(-ENOEXEC, execve, P("blank"), argv, 0);
	IS(-ELOOP, execve, P("self"), argv, 0);
	IS(-EACCES, execve, P("folder"), argv, 0);
	IS(-EFAULT, execve, P("/bin/sh"), P(bad), 0);
	IS(-EFAULT, execve, P("/bin/sh"), argv, P(bad));
	IS(-EFAULT, execve, P("/bin/sh"), nowhere, 0);
	IS(-EFAULT, execve, P("/bin/sh"), argv, kernels);
	AS_NOBODY({
		IS(-EACCES, execve, P("secret/x"), argv, 0);
		IS(-EACCES, execve, P("not"), argv, 0);
	});
	static char much[200000];
	char *large[] = { much, NULL };
	memset(much, 'x', sizeof much - 1);
	IS(-E2BIG, execve, P("/bin/sh"), P(large), 0);
	IS(-E2BIG, execve, P("/bin/sh"), argv, P(large));
	int writer = open("text", O_WRONLY);
	IS(-ETXTBSY, execve, P("text"), argv, 0);
	close(writer);
	int self = open("/proc/self/exe", O_WRONLY);
	EQ(self, -1);
	EQ(errno, ETXTBSY);
	IS(-EINVAL, execveat, AT_FDCWD, P("text"), argv, 0, 1);
	IS(-EINVAL, execveat, AT_FDCWD, P("text"), argv, 0, -1);
	IS(-EBADF, execveat, -1, P("text"), argv, 0, 0);
	IS(-EBADF, execveat, 1000, P(""), argv, 0, AT_EMPTY_PATH);
	IS(-ENOENT, execveat, d, P(""), argv, 0, 0);
	IS(-EACCES, execveat, d, P(""), argv, 0, AT_EMPTY_PATH);
	IS(-ENOTDIR, execveat, text, P("x"), argv, 0, 0);
	IS(-ELOOP, execveat, AT_FDCWD, P("loop"), argv, 0, AT_SYMLINK_NOFOLLOW);
	IS(-ENOENT, execveat, closing, P(""), argv, 0, AT_EMPTY_PATH);
	IS(-ENOEXEC, execveat, text, P(""), argv, 0, AT_EMPTY_PATH);
	rows_leave();
}

/* A child that has exited with this code. */
static pid_t ended(int code)
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (!pid)
		_exit(code);
	siginfo_t info;
	NEED(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	return pid;
}

TEST(wait)
{
	siginfo_t info;
	int status;
	struct rusage usage;

	IS(-ECHILD, wait4, -1, 0, 0, 0);
	IS(-ECHILD, wait4, -1, 0, WNOHANG, 0);
	IS(-ECHILD, wait4, 1, 0, 0, 0);
	IS(-ECHILD, wait4, getpid(), 0, 0, 0);
	IS(-ECHILD, wait4, 0, 0, 0, 0);
	IS(-ESRCH, wait4, INT_MIN, 0, 0, 0);
	IS(-EINVAL, wait4, -1, 0, -1, 0);
	IS(-EINVAL, wait4, -1, 0, WEXITED, 0);
	IS(-EINVAL, wait4, -1, 0, WNOWAIT, 0);
	IS(-ECHILD, waitid, P_ALL, 0, P(&info), WEXITED, 0);
	IS(-EINVAL, waitid, P_ALL, 0, P(&info), 0, 0);
	IS(-EINVAL, waitid, P_ALL, 0, P(&info), WNOHANG, 0);
	IS(-EINVAL, waitid, P_ALL, 0, P(&info), -1, 0);
	IS(-EINVAL, waitid, 7, 0, P(&info), WEXITED, 0);
	IS(-EINVAL, waitid, P_PID, 0, P(&info), WEXITED, 0);
	IS(-EINVAL, waitid, P_PID, -1, P(&info), WEXITED, 0);
	IS(-EINVAL, waitid, P_PGID, -1, P(&info), WEXITED, 0);
	IS(-ECHILD, waitid, P_PID, 1, P(&info), WEXITED, 0);
	IS(-ECHILD, waitid, P_PGID, 0, P(&info), WEXITED, 0);
	pid_t pid = ended(5);
	IS(0, waitid, P_PID, pid, P(&info), WEXITED | WNOWAIT, 0);
	EQ(info.si_pid, pid);
	EQ(info.si_status, 5);
	EQ(info.si_code, CLD_EXITED);
	IS(pid, wait4, pid, P(&status), 0, P(&usage));
	EQ(status, 0x500);
	IS(-ECHILD, wait4, pid, 0, 0, 0);
	ended(6);
	IS(-EFAULT, wait4, -1, nowhere, 0, 0);
	IS(-ECHILD, wait4, -1, 0, 0, 0);
	ended(6);
	IS(-EFAULT, waitid, P_ALL, 0, nowhere, WEXITED, 0);
	IS(-ECHILD, wait4, -1, 0, 0, 0);
	ended(6);
	IS(-EFAULT, waitid, P_ALL, 0, P(&info), WEXITED, nowhere);
	ended(0);
	IS(0, waitid, P_ALL, 0, 0, WEXITED, 0);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	IS(0, wait4, -1, P(&status), WNOHANG, 0);
	info.si_pid = 77;
	IS(0, waitid, P_PID, pid, P(&info), WEXITED | WNOHANG, 0);
	EQ(info.si_pid, 0);
	IS(-ECHILD, wait4, pid, 0, __WCLONE | WNOHANG, 0);
	IS(0, wait4, pid, 0, __WALL | WNOHANG, 0);
	IS(0, kill, pid, SIGSTOP);
	IS(pid, wait4, pid, P(&status), WUNTRACED, 0);
	EQ(status, SIGSTOP << 8 | 0x7f);
	IS(0, kill, pid, SIGCONT);
	IS(0, waitid, P_PID, pid, P(&info), WCONTINUED, 0);
	EQ(info.si_code, CLD_CONTINUED);
	EQ(info.si_status, SIGCONT);
	IS(0, kill, pid, SIGKILL);
	IS(0, waitid, P_PID, pid, P(&info), WEXITED, 0);
	EQ(info.si_code, CLD_KILLED);
	EQ(info.si_status, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		_exit(0);
	IS(-ECHILD, wait4, pid, P(&status), 0, 0);
}

TEST(clone)
{
	struct { unsigned long flags, pidfd, child, parent, signal, stack, size, tls, set, nset, cgroup; } a = { .signal = SIGCHLD };

	IS(-EINVAL, clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0);
	IS(-EINVAL, clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0);
	IS(-EINVAL, clone, CLONE_THREAD | CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0);
	IS(-EINVAL, clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
	IS(-EINVAL, clone3, 0, 0);
	IS(-EINVAL, clone3, P(&a), 63);
	IS(-E2BIG, clone3, P(&a), 4097);
	IS(-EFAULT, clone3, nowhere, 88);
	IS(-EFAULT, clone3, kernels, 88);
	a.signal = 65;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.signal = SIGCHLD;
	a.flags = CLONE_SIGHAND;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.flags = 1ul << 63;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.flags = SIGCHLD;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.flags = 0x00400000;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.flags = 0;
	a.stack = P(buffer);
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.stack = 0;
	a.size = 4096;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.size = 0;
	a.set = P(buffer);
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.set = 0;
	a.nset = 1;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	a.nset = 0;
	a.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
	IS(-EINVAL, clone3, P(&a), sizeof a);
	IS(DONE, set_tid_address, 0);
	EQ(row_call(SYS_set_tid_address, (long[7]){ 0 }), getpid());
	IS(-EINVAL, set_robust_list, data, 0);
	IS(-EINVAL, set_robust_list, data, 23);
	IS(0, set_robust_list, 0, 24);
	IS(-ESRCH, get_robust_list, 999999, P(buffer), P(buffer));
	IS(-EFAULT, get_robust_list, 0, nowhere, P(buffer));
	IS(-EFAULT, get_robust_list, 0, P(buffer), nowhere);
	AS_NOBODY(IS(-EPERM, get_robust_list, 1, P(buffer), P(buffer)));
}

TEST(processes_at_their_limit)
{
	struct rlimit none = { 0, 0 };

	AS_NOBODY({
		NEED(setrlimit(RLIMIT_NPROC, &none) == 0);
		IS(-EAGAIN, fork);
		IS(-EAGAIN, clone, SIGCHLD, 0, 0, 0, 0);
	});
}

TEST(groups_and_sessions)
{
	int status;

	IS(-ESRCH, getpgid, 999999);
	IS(-ESRCH, getpgid, -1);
	IS(-ESRCH, getsid, 999999);
	IS(-ESRCH, getsid, -1);
	IS(DONE, getpgid, 1);
	IS(DONE, getsid, 0);
	IS(-EINVAL, setpgid, 0, -1);
	IS(-ESRCH, setpgid, 999999, 0);
	IS(-EINVAL, setpgid, -1, 0);
	IS(-ESRCH, setpgid, 1, 0);
	IS(-EPERM, setsid);				/* the case is its group's leader */
	IS(0, setpgid, 0, 0);
	CHILD(status) {
		IS(-EPERM, setpgid, 0, 999999);
		IS(-EPERM, setpgid, 0, 1);
		IS(0, setpgid, 0, 0);
		IS(0, setpgid, 0, getppid());
		IS(getpid(), setsid);
		IS(-EPERM, setpgid, 0, 0);
		IS(-EPERM, setsid);
		IS(getpid(), getsid, 0);
		IS(getpid(), getpgrp);
	}
	EQ(status, 0);
	int go[2];
	NEED(pipe(go) == 0);
	pid_t pid = fork();
	if (!pid) {
		char *arguments[] = { "sh", "-c", "read x", NULL };
		dup2(go[0], 0);
		close(go[1]);
		execv("/bin/sh", arguments);
		_exit(1);
	}
	close(go[0]);
	for (int i = 0; i < 500 && setpgid(pid, pid) == 0; i++)
		sleep_ms(5);
	IS(-EACCES, setpgid, pid, pid);
	close(go[1]);
	wait_status(pid);
}

TEST(users)
{
	unsigned list[100] = { 1, 2, 3 };

	IS(-EINVAL, setuid, -1);
	IS(-EINVAL, setgid, -1);
	IS(0, setreuid, -1, -1);
	IS(0, setresuid, -1, -1, -1);
	IS(-EFAULT, getresuid, nowhere, P(list), P(list));
	IS(-EFAULT, getresgid, P(list), P(list), nowhere);
	IS(0, setgroups, 3, P(list));
	IS(3, getgroups, 0, 0);
	IS(3, getgroups, 0, nowhere);
	IS(-EINVAL, getgroups, 1, P(list));
	IS(-EINVAL, getgroups, -1, P(list));
	IS(-EFAULT, getgroups, 3, nowhere);
	IS(3, getgroups, 100, P(list));
	IS(-EINVAL, setgroups, 65537, P(list));
	IS(-EINVAL, setgroups, -1, P(list));
	IS(-EFAULT, setgroups, 3, nowhere);
	IS(0, setgroups, 0, 0);
	IS(0, setfsuid, 5);
	IS(5, setfsuid, -1);
	IS(5, setfsuid, 0);
	IS(0, setfsgid, -1);
	AS_NOBODY({
		IS(-EPERM, setuid, 0);
		IS(-EPERM, setgid, 0);
		IS(0, setuid, NOBODY);
		IS(-EPERM, setreuid, 0, -1);
		IS(-EPERM, setreuid, -1, 0);
		IS(-EPERM, setregid, 0, 0);
		IS(-EPERM, setresuid, 0, -1, -1);
		IS(-EPERM, setresuid, -1, -1, 0);
		IS(-EPERM, setresgid, -1, 0, -1);
		IS(0, setresuid, NOBODY, NOBODY, NOBODY);
		IS(-EPERM, setgroups, 1, P(list));
		IS(-EPERM, setgroups, 65537, P(list));
		IS(NOBODY, setfsuid, 0);
		IS(NOBODY, setfsuid, -1);
	});
	int status;
	CHILD(status) {
		NEED(setresuid(1000, 2000, 3000) == 0);
		IS(0, setuid, 3000);
		IS(0, setuid, 1000);
		IS(-EPERM, setuid, 2000);
		IS(0, setreuid, -1, 3000);
		IS(-EPERM, setreuid, 5, -1);
	}
	EQ(status, 0);
}

TEST(limits)
{
	struct rlimit l, wrong = { 10, 5 };

	IS(-EINVAL, getrlimit, 16, P(&l));
	IS(-EINVAL, getrlimit, -1, P(&l));
	IS(-EFAULT, getrlimit, 0, nowhere);
	IS(-EFAULT, getrlimit, 0, 0);
	IS(-EINVAL, setrlimit, 16, P(&wrong));
	IS(-EINVAL, setrlimit, RLIMIT_CORE, P(&wrong));
	IS(-EFAULT, setrlimit, 0, nowhere);
	IS(-EFAULT, setrlimit, -1, nowhere);
	l = (struct rlimit){ 1 << 10, 1 << 30 };
	IS(-EPERM, setrlimit, RLIMIT_NOFILE, P(&l));
	IS(-ESRCH, prlimit64, 999999, 0, 0, P(&l));
	IS(-ESRCH, prlimit64, -1, 0, 0, P(&l));
	IS(-EINVAL, prlimit64, 0, 16, 0, P(&l));
	IS(0, prlimit64, 0, 0, 0, 0);
	IS(-EFAULT, prlimit64, 0, 0, nowhere, 0);
	IS(-EFAULT, prlimit64, 0, 0, 0, nowhere);
	AS_NOBODY({
		IS(-EPERM, prlimit64, 1, 0, 0, P(&l));
		NEED(getrlimit(RLIMIT_NOFILE, &l) == 0);
		l.rlim_max++;
		IS(-EPERM, setrlimit, RLIMIT_NOFILE, P(&l));
		l.rlim_max -= 2;
		l.rlim_cur = 5;
		IS(0, setrlimit, RLIMIT_NOFILE, P(&l));
	});
	IS(-EINVAL, getrusage, 2, P(buffer));
	IS(-EINVAL, getrusage, -2, P(buffer));
	IS(-EFAULT, getrusage, 0, nowhere);
	IS(0, getrusage, 1, P(buffer));
	IS(0, getrusage, -1, P(buffer));
	IS(-EINVAL, getpriority, -1, 0);
	IS(-EINVAL, getpriority, 3, 0);
	IS(-ESRCH, getpriority, 0, 999999);
	IS(-ESRCH, getpriority, 1, 999999);
	IS(-ESRCH, getpriority, 2, 999999);
	IS(20, getpriority, 0, 0);
	IS(-EINVAL, setpriority, 3, 0, 0);
	IS(-ESRCH, setpriority, 0, 999999, 0);
	IS(-ESRCH, setpriority, 1, 999999, 0);
	IS(-ESRCH, setpriority, 2, 999999, 0);
	IS(0, setpriority, 0, 0, 100);
	IS(1, getpriority, 0, 0);
	IS(0, setpriority, 0, 0, -100);
	IS(40, getpriority, 0, 0);
	IS(0, setpriority, 0, 0, 0);
	AS_NOBODY({
		IS(-EPERM, setpriority, 0, 1, 0);
		IS(-EACCES, setpriority, 0, 0, -1);
		IS(0, setpriority, 0, 0, 5);
	});
	IS(-EFAULT, times, nowhere);
	IS(DONE, times, 0);
}

TEST(futex)
{
	int word = 5, other = 5;
	struct timespec soon = { 0, 1000000 }, wrong = { 0, 1000000000 }, negative = { -1, 0 };
	long w = P(&word), o = P(&other);

	IS(-EAGAIN, futex, w, FUTEX_WAIT, 6, 0);
	IS(-ETIMEDOUT, futex, w, FUTEX_WAIT, 5, P(&soon));
	IS(-ETIMEDOUT, futex, w, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5, P(&soon));
	IS(-EINVAL, futex, w, FUTEX_WAIT, 5, P(&wrong));
	IS(-EINVAL, futex, w, FUTEX_WAIT, 5, P(&negative));
	IS(-EFAULT, futex, w, FUTEX_WAIT, 5, nowhere);
	IS(-EINVAL, futex, w + 1, FUTEX_WAIT, 5, 0);
	IS(-EINVAL, futex, w + 1, FUTEX_WAKE, 1);
	IS(-EFAULT, futex, nowhere, FUTEX_WAIT, 5, 0);
	IS(-EFAULT, futex, nowhere, FUTEX_WAKE, 1);
	IS(-EFAULT, futex, kernels, FUTEX_WAIT, 5, 0);
	IS(0, futex, nowhere, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	IS(-EFAULT, futex, kernels, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	IS(0, futex, w, FUTEX_WAKE, INT_MAX);
	IS(0, futex, w, FUTEX_WAKE, 0);
	IS(0, futex, w, FUTEX_WAKE, -1);
	IS(-ENOSYS, futex, w, 77, 0);
	IS(-ENOSYS, futex, w, 14, 0);
	IS(-EINVAL, futex, w, FUTEX_WAIT_BITSET, 5, 0, 0, 0);
	IS(-EINVAL, futex, w, FUTEX_WAKE_BITSET, 1, 0, 0, 0);
	IS(-ETIMEDOUT, futex, w, FUTEX_WAIT_BITSET, 5, P(&soon), 0, -1);
	IS(-ETIMEDOUT, futex, w, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, P(&soon), 0, -1);
	IS_EITHER(-ENOSYS, 0, futex, w, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 5, 0);
	IS(-EAGAIN, futex, w, FUTEX_CMP_REQUEUE, 1, 1, o, 6);
	IS(0, futex, w, FUTEX_CMP_REQUEUE, 1, 1, o, 5);
	IS(-EINVAL, futex, w, FUTEX_CMP_REQUEUE, -1, 1, o, 5);
	IS(-EINVAL, futex, w, FUTEX_CMP_REQUEUE, 1, -1, o, 5);
	IS(-EINVAL, futex, w, FUTEX_REQUEUE, -1, 1, o, 0);
	IS(0, futex, w, FUTEX_REQUEUE, 1, 1, o, 0);
	IS(-EFAULT, futex, w, FUTEX_CMP_REQUEUE, 1, 1, nowhere, 5);
	IS(-EINVAL, futex, w, FUTEX_CMP_REQUEUE, 1, 1, o + 2, 5);
	IS(0, futex, w, FUTEX_WAKE_OP, 1, 1, o, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0));
	EQ(other, 6);
	IS(-ENOSYS, futex, w, FUTEX_WAKE_OP, 1, 1, o, FUTEX_OP(7, 1, FUTEX_OP_CMP_EQ, 0));
	IS(-ENOSYS, futex, w, FUTEX_WAKE_OP, 1, 1, o, FUTEX_OP(FUTEX_OP_ADD, 1, 9, 0));
	IS(-EFAULT, futex, w, FUTEX_WAKE_OP, 1, 1, nowhere, 0);
}

TEST(machine)
{
	static char name[100];
	struct utsname u;

	data = P(buffer);
	NEED(uname(&u) == 0);
	IS(-EFAULT, uname, nowhere);
	IS(-EFAULT, uname, kernels);
	IS(-EFAULT, sysinfo, nowhere);
	IS(0, sysinfo, data);
	IS(-EINVAL, sethostname, P(name), -1);
	IS(-EINVAL, sethostname, P(name), 65);
	IS(-EFAULT, sethostname, nowhere, 5);
	IS(0, sethostname, P(u.nodename), (long)strlen(u.nodename));
	IS(-EINVAL, setdomainname, P(name), -1);
	IS(-EINVAL, setdomainname, P(name), 65);
	IS(-EFAULT, setdomainname, nowhere, 5);
	AS_NOBODY({
		IS(-EPERM, sethostname, P(name), 5);
		IS(-EPERM, setdomainname, P(name), 5);
		IS(-EPERM, sethostname, P(name), -1);
		IS(-EPERM, reboot, 0xfee1dead, 672274793, 0, 0);
		IS(-EPERM, settimeofday, P(name), 0);
		IS(-EPERM, syslog, 5, 0, 0) ;
	});
	IS(-EINVAL, reboot, 0, 672274793, 0, 0);
	IS(-EINVAL, reboot, 0xfee1dead, 1, 0, 0);
	IS(-EINVAL, reboot, 0xfee1dead, 672274793, 5, 0);
	IS(-EINVAL, syslog, -1, 0, 0);
	IS(-EINVAL, syslog, 100, 0, 0);
	IS(-EINVAL, syslog, 3, 0, 10);
	IS(-EINVAL, syslog, 3, data, -1);
	IS(-EINVAL, syslog, 8, 0, 0);
	IS(-EINVAL, syslog, 8, 0, 9);
	IS(0, syslog, 3, data, 0);
	IS(DONE, syslog, 10, 0, 0);
	IS(16, getrandom, data, 16, 0);
	IS(0, getrandom, data, 0, 0);
	IS(16, getrandom, data, 16, 7 & ~4);
	IS(-EINVAL, getrandom, data, 16, 8);
	IS(-EINVAL, getrandom, data, 16, -1);
	IS(-EINVAL, getrandom, data, 16, 6);
	IS(-EFAULT, getrandom, nowhere, 16, 0);
	IS(-EFAULT, getrandom, kernels, 16, 0);
	IS(0, getcpu, 0, 0, 0);
	IS(-EFAULT, getcpu, nowhere, 0, 0);
	syscall(SYS_personality, 0);			/* it may have been started with addresses that are not random */
	IS(0, personality, 0xffffffff);
	IS(-EINVAL, membarrier, -1, 0);
	IS(-EINVAL, membarrier, 0, 1);
	IS(DONE, membarrier, 0, 0);
	IS(-EINVAL, arch_prctl, 0x9999, 0);
	IS(1, arch_prctl, 0x1011, 0);
	IS_EITHER(-ENODEV, 0, arch_prctl, 0x1012, 1);
	IS(-EPERM, arch_prctl, 0x1002, kernels);
	IS(-EPERM, arch_prctl, 0x1001, kernels);
	IS(-EFAULT, arch_prctl, 0x1003, nowhere);
	IS(0, arch_prctl, 0x1003, data);
	EQ(row_call(999, (long[7]){ 0 }), -ENOSYS);
	EQ(row_call(-1, (long[7]){ 0 }), -ENOSYS);
}
