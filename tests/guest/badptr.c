/*
 * tests/guest/badptr.c - bad pointers in every call that takes one: EFAULT, and nothing worse.
 *
 * Each call is made with each kind of bad address: not mapped, the kernel's, not canonical, the last byte of user space, a range that wraps.
 * A call that is not there says ENOSYS, which is a right answer too; one that succeeds, hangs or kills is not.
 */
#include "tap.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static const unsigned long bad[] = { 8, 0x7ffffffff000, 0x7ffffffffffd, 0x8000000000000000, 0xdead000000000000, 0xffff800000000000,
	0xffffffff80000000, 0xfffffffffffff000, 0xfffffffffffffff9 };
enum { NBAD = sizeof bad / sizeof *bad };

static int file, ends[2];
static char good[PAGE];

/* Where the bad address goes. */
#define BAD (-0x5eed0001l)
#define FILE_FD (-0x5eed0002l)
#define PIPE_IN (-0x5eed0003l)
#define PIPE_OUT (-0x5eed0004l)
#define GOOD (-0x5eed0005l)

#define CALL(name, ...) { #name, SYS_##name, { __VA_ARGS__ } }
static const struct call { const char *name; long number, arg[6]; } calls[] = {
	CALL(read, FILE_FD, BAD, 64), CALL(write, PIPE_OUT, BAD, 64), CALL(open, BAD), CALL(stat, BAD, GOOD), CALL(stat, GOOD, BAD),
	CALL(fstat, FILE_FD, BAD), CALL(lstat, BAD, GOOD), CALL(poll, BAD, 2, 0), CALL(pread64, FILE_FD, BAD, 64, 0),
	CALL(pwrite64, FILE_FD, BAD, 64, 0), CALL(readv, FILE_FD, BAD, 2), CALL(writev, PIPE_OUT, BAD, 2), CALL(access, BAD, 0), CALL(pipe, BAD),
	CALL(select, 8, BAD, 0, 0, 0), CALL(nanosleep, BAD, 0), CALL(getitimer, 0, BAD), CALL(setitimer, 0, BAD, 0),
	CALL(execve, BAD, 0, 0), CALL(execve, GOOD, BAD, 0), CALL(execve, GOOD, 0, BAD), CALL(uname, BAD), CALL(truncate, BAD, 0),
	CALL(getdents64, FILE_FD + 0, BAD, 100), CALL(getcwd, BAD, 100), CALL(chdir, BAD), CALL(rename, BAD, GOOD), CALL(rename, GOOD, BAD), CALL(mkdir, BAD, 0), CALL(rmdir, BAD),
	CALL(creat, BAD, 0), CALL(link, BAD, GOOD), CALL(unlink, BAD), CALL(symlink, BAD, GOOD), CALL(readlink, BAD, GOOD, 10),
	CALL(chmod, BAD, 0), CALL(chown, BAD, 0, 0), CALL(gettimeofday, BAD, 0), CALL(getrlimit, 3, BAD), CALL(setrlimit, 3, BAD), CALL(getrusage, 0, BAD), CALL(sysinfo, BAD),
	CALL(times, BAD), CALL(rt_sigaction, SIGUSR1, BAD, 0, 8), CALL(rt_sigaction, SIGUSR1, 0, BAD, 8), CALL(rt_sigprocmask, 0, BAD, 0, 8),
	CALL(rt_sigprocmask, 0, 0, BAD, 8), CALL(rt_sigpending, BAD, 8), CALL(rt_sigtimedwait, BAD, 0, 0, 8), CALL(rt_sigsuspend, BAD, 8),
	CALL(sigaltstack, BAD, 0), CALL(utime, BAD, 0), CALL(statfs, BAD, GOOD), CALL(fstatfs, FILE_FD, BAD), CALL(prctl, 15, BAD), CALL(prctl, 16, BAD),
	CALL(chroot, BAD), CALL(clock_gettime, 1, BAD), CALL(clock_getres, 1, BAD), CALL(clock_nanosleep, 1, 0, BAD, 0),
	CALL(openat, AT_FDCWD, BAD, 0), CALL(mkdirat, AT_FDCWD, BAD, 0), CALL(newfstatat, AT_FDCWD, BAD, GOOD, 0), CALL(newfstatat, AT_FDCWD, GOOD, BAD, 0),
	CALL(unlinkat, AT_FDCWD, BAD, 0), CALL(renameat, AT_FDCWD, BAD, AT_FDCWD, GOOD), CALL(linkat, AT_FDCWD, BAD, AT_FDCWD, GOOD, 0), CALL(symlinkat, BAD, AT_FDCWD, GOOD),
	CALL(readlinkat, AT_FDCWD, BAD, GOOD, 10), CALL(fchmodat, AT_FDCWD, BAD, 0), CALL(faccessat, AT_FDCWD, BAD, 0), CALL(utimensat, AT_FDCWD, BAD, 0, 0),
	CALL(pselect6, 8, BAD, 0, 0, 0, 0), CALL(ppoll, BAD, 2, 0, 0, 8), CALL(pipe2, BAD, 0), CALL(prlimit64, 0, 3, BAD, 0), CALL(prlimit64, 0, 3, 0, BAD),
	CALL(renameat2, AT_FDCWD, BAD, AT_FDCWD, GOOD, 0), CALL(getrandom, BAD, 16, 0), CALL(statx, AT_FDCWD, BAD, 0, 0x7ff, GOOD), CALL(statx, AT_FDCWD, GOOD, 0, 0x7ff, BAD),
	CALL(ioctl, PIPE_IN, FIONREAD, BAD), CALL(preadv, FILE_FD, BAD, 2, 0, 0), CALL(pwritev, FILE_FD, BAD, 2, 0, 0), CALL(sched_getaffinity, 0, 128, BAD),
	CALL(arch_prctl, 0x1003, BAD), CALL(getgroups, 0x10000 * 0 + 32, BAD), CALL(time, BAD), CALL(sendfile, PIPE_OUT, FILE_FD, BAD, 10),
	CALL(wait4, -1, BAD, 0, 0), CALL(waitid, 0, 1, BAD, 4, 0),
};

static long resolve(long arg, unsigned long address)
{
	return arg == BAD ? (long)address : arg == FILE_FD ? file : arg == PIPE_IN ? ends[0] : arg == PIPE_OUT ? ends[1] : arg == GOOD ? (long)good : arg;
}

static void prepare(void)
{
	file = open("/tmp/badptr", O_RDWR | O_CREAT | O_TRUNC, 0600);
	NEED(file >= 0 && !pipe(ends));
	NEED(write(file, good, sizeof good) == sizeof good);
	unlink("/tmp/badptr");
	lseek(file, 0, SEEK_SET);
	strcpy(good, "/bin/sh");
	signal(SIGPIPE, SIG_IGN);
}

/* Calls that may answer without a look at the address: an empty group list, no child, nothing to write. */
static int may_succeed(const struct call *c)
{
	return c->number == SYS_getgroups;
}

/* ... or with a complaint about another argument first. */
static int right_error(const struct call *c, int error)
{
	if (error == EFAULT || error == ENOSYS)
		return 1;
	switch (c->number) {
	case SYS_getdents64: return error == ENOTDIR;
	case SYS_wait4: case SYS_waitid: return error == ECHILD;
	case SYS_link: case SYS_linkat: case SYS_rename: case SYS_renameat: case SYS_renameat2: case SYS_symlink: case SYS_symlinkat:
		return error == EEXIST || error == EROFS || error == EXDEV || error == EPERM || error == EBUSY;
	case SYS_arch_prctl: return error == EPERM;
	default: return 0;
	}
}

TEST(every_call_with_every_bad_address)
{
	prepare();
	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
		for (unsigned j = 0; j < NBAD; j++) {
			const struct call *c = &calls[i];
			long a[6];
			/* sizes that a small structure keeps below the end of user space are right there */
			for (int k = 0; k < 6; k++)
				a[k] = resolve(c->arg[k], bad[j]);
			errno = 0;
			long r = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
			if (r != -1 ? !may_succeed(c) : !right_error(c, errno))
				FAIL("%s with %#lx gave %ld, errno %d (%s)", c->name, bad[j], r, errno, r == -1 ? strerror(errno) : "");
		}
}

/* The kernel may not write where the program may not. */
TEST(read_only_targets)
{
	char *p = map_anon(2 * PAGE, MAP_PRIVATE);

	prepare();
	memset(p, 'a', 2 * PAGE);
	NEED(!mprotect(p + PAGE, PAGE, PROT_READ));
	FAILS(pread(file, p + PAGE, 10, 0), EFAULT);
	FAILS(syscall(SYS_fstat, file, p + PAGE), EFAULT);
	FAILS(syscall(SYS_pipe, p + PAGE), EFAULT);
	FAILS(syscall(SYS_uname, p + PAGE - 10), EFAULT);
	FAILS(syscall(SYS_clock_gettime, 1, p + PAGE), EFAULT);
	FAILS(syscall(SYS_read, file, (char *)(uintptr_t)tap_vmcheck, 10), EFAULT);
	for (int i = 0; i < PAGE; i++)
		NEED(p[PAGE + i] == 'a');
}

/* What fits before the bad page is done, as Linux does. */
TEST(partly_good_buffers)
{
	char *p = map_anon(4 * PAGE, MAP_PRIVATE);

	prepare();
	munmap(p + 2 * PAGE, PAGE);
	memset(p, 'p', 2 * PAGE);
	EQ(pread(file, p + 2 * PAGE - 100, 200, 0), 100);
	EQ(pwrite(file, p + 2 * PAGE - 100, 200, 0), 100);
	struct iovec v[2] = { { p, 10 }, { p + 2 * PAGE, 10 } };
	EQ(preadv(file, v, 2, 0), 10);
	/* a name that ends just before the hole, and one that runs into it */
	strcpy(p + 2 * PAGE - 5, "/tmp");
	EQ(access(p + 2 * PAGE - 5, F_OK), 0);
	memset(p + 2 * PAGE - 5, '/', 5);
	FAILS(access(p + 2 * PAGE - 5, F_OK), EFAULT);
}

TEST(lengths_that_wrap)
{
	char *p = map_anon(PAGE, MAP_PRIVATE);

	prepare();
	FAILS(read(file, (void *)-4096l, 8192), EFAULT);
	FAILS(write(ends[1], (void *)0x7ffffffff000, ~0ul >> 1), EFAULT);
	FAILS(pread(file, p, 10, -1), EINVAL);
	EQ(pread(file, p, 0, 0), 0);
	FAILS(syscall(SYS_getrandom, p, 10, 0xff), EINVAL);
	struct iovec v = { p, ~0ul };
	FAILS(preadv(file, &v, 1, 0), EINVAL);
	FAILS(syscall(SYS_poll, p, ~0u, 0), EINVAL);
	FAILS(syscall(SYS_select, -1, 0, 0, 0, 0), EINVAL);
}

TEST(descriptors_that_are_none)
{
	static const int fds[] = { -1, 999, 1 << 20, 0x7fffffff, (int)0x80000000 };

	for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
		int fd = fds[i];
		FAILS(read(fd, good, 1), EBADF);
		FAILS(write(fd, good, 1), EBADF);
		FAILS(close(fd), EBADF);
		FAILS(lseek(fd, 0, 0), EBADF);
		FAILS(syscall(SYS_fstat, fd, good), EBADF);
		FAILS(dup(fd), EBADF);
		FAILS(fcntl(fd, F_GETFD), EBADF);
		FAILS(ioctl(fd, FIONREAD, good), EBADF);
		FAILS(fchdir(fd), EBADF);
		FAILS(ftruncate(fd, 0), EBADF);
		FAILS(fsync(fd), EBADF);
		FAILS(syscall(SYS_getdents64, fd, good, 100), EBADF);
	}
}

TEST(unknown_calls)
{
	static const long numbers[] = { 480, 500, 1000, 1023, 1999, 1 << 20, -1 };

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		FAILS(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
}

/* Every number with nonsense: nothing but the caller may suffer.  Calls that would end or stop the test are left out. */
FAULTLINE_TEST(random_arguments)
{
	static const long special[] = { 0, 1, -1, 8, 4095, 4096, 0x7fffffff, 0x80000000, 0x7ffffffff000, -4096, 0x8000000000000000, 0xffffffff80000000 };
	uint64_t state = 12345;
	int status;

	for (int round = 0; round < 40; round++) {
		int first = round * 9;
		CHILD(status) {
			struct sigaction a = { .sa_handler = SIG_DFL };
			sigaction(SIGALRM, &a, NULL);
			alarm(1);
			close(0);
			close(1);
			close(2);
			for (int n = first; n < first + 9; n++) {
				if (n == SYS_kill || n == SYS_tkill || n == SYS_tgkill || n == SYS_reboot || n == SYS_fork || n == SYS_vfork || n == SYS_clone
				    || n == SYS_exit || n == SYS_exit_group || n == SYS_rt_sigqueueinfo || n == SYS_rt_tgsigqueueinfo || n == SYS_pause || n == SYS_settimeofday
				    || n == SYS_clock_settime || n == SYS_adjtimex || n == SYS_clock_adjtime || n == 435 || n == SYS_sethostname || n == SYS_alarm
				    || n == SYS_munmap || n == SYS_mprotect || n == SYS_mmap || n == SYS_brk || n == SYS_rt_sigreturn
				    || n == SYS_shmget || n == SYS_semget || n == SYS_msgget)		/* what they make stays */
					continue;
				for (int i = 0; i < 60; i++) {
					long v[6];
					for (int k = 0; k < 6; k++) {
						state = state * 6364136223846793005 + 1442695040888963407;
						v[k] = state >> 63 ? special[(state >> 33) % 12] : (long)((state >> 33) % 40);
						if (!((state >> 40) % 5))
							v[k] = (long)good;
					}
					syscall(n, v[0], v[1], v[2], v[3], v[4], v[5]);
				}
			}
		}
		state += (uint64_t)status + 1;
	}
}
