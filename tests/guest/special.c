/* tests/guest/special.c - files of special kinds, and special ways to open: fifos and nodes, files without a name, O_PATH, openat2, statx, fcntl's odds and ends. */
#include "tap.h"
#include <sys/socket.h>
#include <sys/epoll.h>
#include <poll.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif
enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16, CACHED = 32 };
enum { OPENAT2 = 437, NOREPLACE = 1, EXCHANGE = 2 };
struct how { uint64_t flags, mode, resolve; };
struct xtime { int64_t tv_sec; uint32_t tv_nsec; int32_t pad; };
struct xstat {			/* struct statx, which not all C libraries have */
	uint32_t stx_mask, stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink, stx_uid, stx_gid;
	uint16_t stx_mode, pad;
	uint64_t stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct xtime stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t more[14];
};
enum { BASIC = 0x7ff, BTIME = 0x800, ALL = 0xfff };

static void enter(void)
{
	char name[] = "/dev/shm/special-XXXXXX";
	umask(022);
	NEED(mkdtemp(name) && !chdir(name));
}

static void leave(void)
{
	char name[PATH_MAX];
	NEED(getcwd(name, sizeof name) && !chdir("/"));
	EQ(rmdir(name), 0);
}

static void make(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0644);
	CHECK(fd >= 0);
	close(fd);
}

TEST(nodes)
{
	struct stat st;

	enter();
	EQ(mknod("f", 0640, 0), 0);
	EQ(mknod("r", S_IFREG | 0640, 0), 0);
	EQ(mknod("p", S_IFIFO | 0666, 0), 0);
	EQ(mknod("s", S_IFSOCK | 0666, 0), 0);
	NEED(!stat("f", &st));
	EQ(st.st_mode, S_IFREG | 0640);
	NEED(!stat("p", &st));
	EQ(st.st_mode, S_IFIFO | 0644);
	NEED(!stat("s", &st));
	EQ(st.st_mode, S_IFSOCK | 0644);
	FAILS(open("s", O_RDWR), ENXIO);
	FAILS(mknod("f", S_IFIFO | 0600, 0), EEXIST);
	FAILS(mknod("f/x", S_IFIFO | 0600, 0), ENOTDIR);
	FAILS(mknod("none/x", S_IFIFO | 0600, 0), ENOENT);
	FAILS(mknod("x/", S_IFIFO | 0600, 0), ENOENT);
	FAILS(mknod("", S_IFIFO | 0600, 0), ENOENT);
	FAILS(mknod("d", S_IFDIR | 0700, 0), EPERM);
	FAILS(mknod("d", S_IFLNK | 0700, 0), EINVAL);
	FAILS(mknod("d", 0150000, 0), EINVAL);
	FAILS(mknodat(99, "x", S_IFIFO | 0600, 0), EBADF);
	if (geteuid() == 0) {
		EQ(mknod("null", S_IFCHR | 0666, makedev(1, 3)), 0);
		NEED(!stat("null", &st));
		EQ(st.st_rdev, makedev(1, 3));
		int fd = open("null", O_RDWR);
		EQ(write(fd, "x", 1), 1);
		close(fd);
		EQ(mknod("c", S_IFCHR | 0666, makedev(333, 7777)), 0);
		NEED(!stat("c", &st));
		EQ(major(st.st_rdev), 333);
		EQ(minor(st.st_rdev), 7777);
		FAILS(open("c", O_RDWR), ENXIO);
		EQ(mknod("b", S_IFBLK | 0666, makedev(222, 9)), 0);
		FAILS(open("b", O_RDWR), ENXIO);
		unlink("null");
		unlink("c");
		unlink("b");
	}
	unlink("f");
	unlink("r");
	unlink("p");
	unlink("s");
	leave();
}

TEST(fifos_by_name)
{
	char text[8];
	int status;

	enter();
	NEED(!mkfifo("p", 0600));
	FAILS(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = open("p", O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	EQ(read(r, text, 8), 0);				/* nobody writes */
	int w = open("p", O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	FAILS(read(r, text, 8), EAGAIN);
	EQ(write(w, "abc", 3), 3);
	close(w);
	EQ(read(r, text, 8), 3);
	EQ(read(r, text, 8), 0);
	close(r);
	int both = open("p", O_RDWR);				/* does not wait */
	CHECK(both >= 0);
	EQ(write(both, "x", 1), 1);
	EQ(read(both, text, 8), 1);
	FAILS(lseek(both, 0, SEEK_SET), ESPIPE);
	close(both);
	CHILD(status) {
		if (!fork()) {
			sleep_ms(50);
			w = open("p", O_WRONLY);
			_exit(write(w, "late", 4) != 4);
		}
		r = open("p", O_RDONLY);			/* waits for the writer */
		EQ(read(r, text, 8), 4);
		EQ(read(r, text, 8), 0);
	}
	EQ(status, 0);
	CHILD(status) {
		struct sigaction a = { .sa_handler = SIG_DFL };
		sigaction(SIGALRM, &a, NULL);
		alarm(1);
		open("p", O_RDONLY);				/* until the signal */
	}
	EQ(WTERMSIG(status), SIGALRM);
	unlink("p");
	leave();
}

TEST(files_without_a_name)
{
	char path[64], text[PATH_MAX];
	struct stat st;

	enter();
	NEED(!mkdir("d", 0700));
	make("f");
	FAILS(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	FAILS(open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600), EINVAL);
	FAILS(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	FAILS(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT);
	int fd = open("d", O_TMPFILE | O_RDWR, 0666);
	CHECK(fd >= 0);
	NEED(!fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(st.st_mode, S_IFREG | 0644);
	EQ(rmdir("d"), 0);					/* there is nothing in it */
	EQ(write(fd, "text", 4), 4);
	EQ(fcntl(fd, F_GETFL) & O_TMPFILE, O_TMPFILE);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, text, sizeof text - 1);
	NEED(n > 0);
	text[n] = 0;
	CHECK(strstr(text, "/d/#") && strstr(text, " (deleted)"));
	EQ(linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW), 0);
	NEED(!stat("g", &st));
	EQ(st.st_nlink, 1);
	EQ(st.st_size, 4);
	EQ(unlink("g"), 0);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW), ENOENT);	/* once it has had a name and lost it, no more */
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	CHECK(fd >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW), ENOENT);
	close(fd);
	unlink("f");
	leave();
}

TEST(path_descriptors)
{
	char text[8];
	struct stat st;

	enter();
	make("f");
	NEED(!symlink("f", "s") && !mkdir("d", 0700));
	int fd = open("f", O_PATH | O_RDWR | O_CREAT);
	CHECK(fd >= 0);
	EQ(fcntl(fd, F_GETFL), O_PATH);
	FAILS(read(fd, text, 1), EBADF);
	FAILS(write(fd, text, 1), EBADF);
	FAILS(lseek(fd, 0, SEEK_SET), EBADF);
	FAILS(ftruncate(fd, 0), EBADF);
	FAILS(syscall(SYS_fchmod, fd, 0600), EBADF);
	FAILS(syscall(SYS_fchown, fd, -1, -1), EBADF);
	FAILS(ioctl(fd, FIONREAD, text), EBADF);
	FAILS(fsync(fd), EBADF);
	FAILS(fcntl(fd, F_SETFL, O_APPEND), EBADF);
	FAILS(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0, EBADF);
	EQ(fstat(fd, &st), 0);
	EQ(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	FAILS(fchdir(fd), ENOTDIR);
	int copy = dup(fd);
	CHECK(copy >= 0);
	EQ(fcntl(copy, F_GETFD), 0);
	close(copy);
	close(fd);
	fd = open("s", O_PATH | O_NOFOLLOW);
	NEED(!fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	EQ(readlinkat(fd, "", text, 8), 1);
	close(fd);
	FAILS(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	fd = open("d", O_PATH);
	EQ(fchdir(fd), 0);
	EQ(chdir(".."), 0);
	EQ(mkdirat(fd, "e", 0700), 0);
	EQ(unlinkat(fd, "e", AT_REMOVEDIR), 0);
	close(fd);
	FAILS(open("f", O_PATH | O_DIRECTORY), ENOTDIR);
	unlink("f");
	unlink("s");
	rmdir("d");
	leave();
}

static int open2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct how how = { flags, mode, resolve };
	int fd = (int)syscall(OPENAT2, dirfd, path, &how, sizeof how);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

TEST(openat2_arguments)
{
	struct { struct how how; uint64_t more; } big = { { O_RDONLY, 0, 0 }, 0 };

	enter();
	make("f");
	EQ(open2(AT_FDCWD, "f", O_RDONLY, 0, 0), 0);
	EQ(open2(AT_FDCWD, "g", O_RDWR | O_CREAT, 0600, 0), 0);
	FAILS(syscall(OPENAT2, AT_FDCWD, "f", &big, 8), EINVAL);
	FAILS(syscall(OPENAT2, AT_FDCWD, "f", &big, 0), EINVAL);
	FAILS(syscall(OPENAT2, AT_FDCWD, "f", &big, 5000), E2BIG);
	FAILS(syscall(OPENAT2, AT_FDCWD, "f", NULL, sizeof big.how), EFAULT);
	int fd = (int)syscall(OPENAT2, AT_FDCWD, "f", &big, sizeof big);
	CHECK(fd >= 0);
	close(fd);
	big.more = 1;
	FAILS(syscall(OPENAT2, AT_FDCWD, "f", &big, sizeof big), E2BIG);
	FAILS(open2(AT_FDCWD, "f", O_RDONLY, 0600, 0), EINVAL);
	FAILS(open2(AT_FDCWD, "f", O_RDWR | O_CREAT, 010600, 0), EINVAL);
	FAILS(open2(AT_FDCWD, "f", 1ull << 40, 0, 0), EINVAL);
	FAILS(open2(AT_FDCWD, "f", 1u << 30, 0, 0), EINVAL);
	FAILS(open2(AT_FDCWD, "f", O_RDONLY, 0, 64), EINVAL);
	FAILS(open2(AT_FDCWD, "f", O_RDONLY, 0, BENEATH | IN_ROOT), EINVAL);
	FAILS(open2(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0), EINVAL);
	EQ(open2(AT_FDCWD, "f", O_PATH, 0, 0), 0);
	FAILS(open2(99, "f", O_RDONLY, 0, 0), EBADF);
	FAILS(open2(AT_FDCWD, "h", O_RDWR | O_CREAT, 0600, CACHED), EAGAIN);
	unlink("f");
	unlink("g");
	leave();
}

TEST(openat2_resolve)
{
	char here[PATH_MAX];

	enter();
	NEED(getcwd(here, sizeof here));
	make("f");
	NEED(!mkdir("d", 0700) && !mkdir("d/e", 0700) && !symlink("../f", "d/up") && !symlink("e", "d/to-e") && !symlink("/f", "d/abs") && !symlink("/", "d/root"));
	make("d/f");
	int d = open("d", O_RDONLY | O_DIRECTORY), f = open("f", O_RDONLY);
	char magic[64];
	snprintf(magic, sizeof magic, "/proc/self/fd/%d", f);
	EQ(open2(d, "f", O_RDONLY, 0, BENEATH), 0);
	EQ(open2(d, "e/../f", O_RDONLY, 0, BENEATH), 0);
	EQ(open2(d, "to-e/../f", O_RDONLY, 0, BENEATH), 0);
	FAILS(open2(d, "../f", O_RDONLY, 0, BENEATH), EXDEV);
	FAILS(open2(d, "up", O_RDONLY, 0, BENEATH), EXDEV);
	FAILS(open2(d, "abs", O_RDONLY, 0, BENEATH), EXDEV);
	FAILS(open2(d, "/f", O_RDONLY, 0, BENEATH), EXDEV);
	FAILS(open2(d, "e/../../d/f", O_RDONLY, 0, BENEATH), EXDEV);
	EQ(open2(d, "/f", O_RDONLY, 0, IN_ROOT), 0);
	EQ(open2(d, "../../f", O_RDONLY, 0, IN_ROOT), 0);
	EQ(open2(d, "abs", O_RDONLY, 0, IN_ROOT), 0);
	EQ(open2(d, "up", O_RDONLY, 0, IN_ROOT), 0);		/* d/f, not f */
	EQ(open2(d, "root/f", O_RDONLY, 0, IN_ROOT), 0);
	FAILS(open2(d, "root/d", O_RDONLY, 0, IN_ROOT), ENOENT);
	EQ(open2(d, "/new", O_RDWR | O_CREAT, 0600, IN_ROOT), 0);
	EQ(unlink("d/new"), 0);
	FAILS(open2(d, "to-e", O_RDONLY, 0, NO_SYMLINKS), ELOOP);
	FAILS(open2(d, "to-e/../f", O_RDONLY, 0, NO_SYMLINKS), ELOOP);
	EQ(open2(d, "to-e", O_PATH | O_NOFOLLOW, 0, NO_SYMLINKS), 0);
	EQ(open2(d, "f", O_RDONLY, 0, NO_SYMLINKS), 0);
	EQ(open2(d, "to-e", O_RDONLY, 0, NO_MAGICLINKS), 0);
	EQ(open2(AT_FDCWD, magic, O_RDONLY, 0, 0), 0);
	FAILS(open2(AT_FDCWD, magic, O_RDONLY, 0, NO_MAGICLINKS), ELOOP);
	EQ(open2(d, "e/../../f", O_RDONLY, 0, NO_XDEV), 0);
	FAILS(open2(AT_FDCWD, "/proc/self/comm", O_RDONLY, 0, NO_XDEV), EXDEV);
	FAILS(open2(AT_FDCWD, "../..", O_RDONLY, 0, NO_XDEV), EXDEV);
	FAILS(open2(AT_FDCWD, "d/root", O_RDONLY, 0, NO_XDEV), EXDEV);
	FAILS(open2(AT_FDCWD, magic, O_RDONLY, 0, NO_XDEV), EXDEV);
	close(d);
	close(f);
	unlink("d/f");
	unlink("d/up");
	unlink("d/abs");
	unlink("d/root");
	unlink("d/to-e");
	rmdir("d/e");
	rmdir("d");
	unlink("f");
	leave();
}

TEST(statx_in_full)
{
	struct xstat x;
	struct stat st;

	enter();
	make("f");
	int fd = open("f", O_RDWR);
	EQ(write(fd, "12345", 5), 5);
	NEED(!syscall(SYS_statx, AT_FDCWD, "f", 0, ALL, &x) && !fstat(fd, &st));
	EQ(x.stx_mask & BASIC, BASIC);
	CHECK(x.stx_mask & BTIME);
	EQ(x.stx_size, 5);
	EQ(x.stx_ino, st.st_ino);
	EQ(x.stx_mode, st.st_mode);
	EQ(x.stx_nlink, 1);
	EQ(x.stx_blocks, st.st_blocks);
	EQ(x.stx_blksize, st.st_blksize);
	EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK(x.stx_btime.tv_sec > 1000 && x.stx_btime.tv_sec <= x.stx_mtime.tv_sec);
	CHECK(x.stx_attributes_mask & 0x2000);			/* whether it is a mount's root */
	CHECK(!(x.stx_attributes & 0x2000));
	NEED(!syscall(SYS_statx, AT_FDCWD, "/dev/shm", 0, ALL, &x));
	CHECK(x.stx_attributes & 0x2000);
	EQ(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, ALL, &x), 0);
	FAILS(syscall(SYS_statx, fd, "", 0, ALL, &x), ENOENT);
	FAILS(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, ALL, &x), EINVAL);
	FAILS(syscall(SYS_statx, AT_FDCWD, "f", 1, ALL, &x), EINVAL);
	FAILS(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000u, &x), EINVAL);
	FAILS(syscall(SYS_statx, AT_FDCWD, "f", 0, ALL, (void *)-1l), EFAULT);
	FAILS(syscall(SYS_statx, AT_FDCWD, (void *)-1l, 0, ALL, &x), EFAULT);
	FAILS(syscall(SYS_statx, 99, "f", 0, ALL, &x), EBADF);
	FAILS(syscall(SYS_statx, fd, "f", 0, ALL, &x), ENOTDIR);
	close(fd);
	unlink("f");
	leave();
}

TEST(signal_owners_and_leases)
{
	struct { int type, pid; } ex;
	int ends[2];

	NEED(!pipe(ends));
	EQ(fcntl(ends[0], F_GETOWN), 0);
	EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
	EQ(fcntl(ends[0], F_GETOWN), getpid());
	EQ(fcntl(ends[0], 16, &ex), 0);
	EQ(ex.type, 1);
	EQ(ex.pid, getpid());
	EQ(syscall(SYS_fcntl, ends[0], F_SETOWN, -getpgrp()), 0);
	EQ(fcntl(ends[0], 16, &ex), 0);
	EQ(ex.type, 2);
	EQ(ex.pid, getpgrp());
	FAILS(fcntl(ends[0], F_SETOWN, 999999), ESRCH);
	ex.type = 3;
	FAILS(fcntl(ends[0], 15, &ex), EINVAL);
	ex.type = 0;
	ex.pid = (int)syscall(SYS_gettid);
	EQ(fcntl(ends[0], 15, &ex), 0);
	FAILS(fcntl(ends[0], 15, (void *)-1l), EFAULT);
	EQ(fcntl(ends[0], F_SETSIG, SIGUSR1), 0);
	EQ(fcntl(ends[0], F_GETSIG), SIGUSR1);
	FAILS(fcntl(ends[0], F_SETSIG, 65), EINVAL);
	EQ(fcntl(ends[0], F_SETSIG, 0), 0);
	EQ(fcntl(ends[0], F_SETOWN, 0), 0);
	EQ(fcntl(ends[0], F_GETOWN), 0);
	FAILS(fcntl(99, F_GETOWN), EBADF);
	FAILS(fcntl(ends[0], 12345), EINVAL);
	EQ(fcntl(ends[0], 1025) == F_UNLCK || errno == EINVAL, 1);	/* F_GETLEASE */
}

/* The signal that comes within 5 seconds, or -1. */
static int next_signal(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, &(struct timespec){ 5, 0 });
}

/* O_ASYNC: the owner gets a signal when there is something to read, or room to write again. */
TEST(signals_of_files)
{
	enum { TELLS = O_ASYNC | O_NONBLOCK };
	static char block[1 << 16];
	sigset_t set;
	siginfo_t info;
	int p[2], s[2], on = 1, number = 0;
	struct f_owner_ex thread = { F_OWNER_TID, gettid() };

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 2);
	NEED(!sigprocmask(SIG_BLOCK, &set, NULL) && !pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EQ(fcntl(p[0], F_SETFL, TELLS), 0);
	EQ(fcntl(p[0], F_GETFL), TELLS);
	EQ(write(p[1], "a", 1), 1);				/* nobody owns it */
	EQ(fcntl(p[0], F_SETOWN, getpid()), 0);
	EQ(sigtimedwait(&set, NULL, &(struct timespec){ 0, 50000000 }), -1);
	EQ(write(p[1], "a", 1), 1);
	EQ(next_signal(&set, &info), SIGIO);
	EQ(info.si_code, SI_KERNEL);
	EQ(fcntl(p[0], F_SETSIG, SIGRTMIN + 2), 0);
	EQ(fcntl(p[0], F_SETOWN_EX, &thread), 0);
	EQ(write(p[1], "a", 1), 1);
	EQ(next_signal(&set, &info), SIGRTMIN + 2);
	EQ(info.si_code, POLL_IN);
	EQ(info.si_fd, p[0]);
	EQ(info.si_band, POLLIN | POLLRDNORM);
	EQ(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	EQ(write(p[1], "a", 1), 1);				/* no more */

	EQ(fcntl(p[1], F_SETFL, TELLS), 0);			/* the other end: room */
	EQ(fcntl(p[1], F_SETSIG, SIGUSR1), 0);
	EQ(setpgid(0, 0), 0);
	EQ(fcntl(p[1], F_SETOWN, -getpgrp()), 0);
	CHECK(write(p[1], block, sizeof block) > 0);
	CHECK(read(p[0], block, sizeof block) > 0);
	EQ(next_signal(&set, &info), SIGUSR1);
	EQ(info.si_code, POLL_OUT);
	close(p[1]);
	close(p[0]);

	EQ(ioctl(s[0], FIOASYNC, &on), 0);
	EQ(fcntl(s[0], F_GETFL), O_RDWR | O_ASYNC);
	number = getpid();
	EQ(ioctl(s[0], FIOSETOWN, &number), 0);
	number = 0;
	EQ(ioctl(s[0], SIOCGPGRP, &number), 0);
	EQ(number, getpid());
	EQ(fcntl(s[0], F_GETOWN), getpid());
	EQ(write(s[1], "a", 1), 1);
	EQ(next_signal(&set, &info), SIGIO);

	int file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600), set_of_files = epoll_create1(0);
	FAILS(ioctl(file, FIOASYNC, &on), ENOTTY);		/* these have no such thing */
	EQ(fcntl(file, F_SETFL, O_ASYNC), 0);
	EQ(fcntl(file, F_GETFL) & O_ASYNC, 0);
	EQ(fcntl(set_of_files, F_SETFL, O_ASYNC), 0);
	EQ(fcntl(set_of_files, F_GETFL), O_RDWR);
	FAILS(ioctl(file, FIOSETOWN, &number), ENOTTY);
}

/* Files that come and go, and what they tell meanwhile. */
TEST(signals_of_many_files)
{
	signal(SIGIO, SIG_IGN);
	for (int i = 0; i < 500; i++) {
		int p[2];
		NEED(!pipe(p));
		EQ(fcntl(p[0], F_SETOWN, getpid()), 0);
		EQ(fcntl(p[0], F_SETFL, O_ASYNC), 0);
		EQ(write(p[1], "a", 1), 1);
		if (i % 3 == 0)
			EQ(fcntl(p[0], F_SETFL, 0), 0);
		close(p[0]);
		close(p[1]);
	}
}

TEST(limits_of_descriptors_and_sizes)
{
	struct rlimit r = { 20, 20 };
	static char block[100];
	int status;

	enter();
	CHILD(status) {
		NEED(!setrlimit(RLIMIT_NOFILE, &r));
		int fd, last = -1;
		while ((fd = open("/dev/null", O_RDONLY)) >= 0)
			last = fd;
		EQ(errno, EMFILE);
		EQ(last, 19);
		FAILS(dup(0), EMFILE);
		FAILS(dup2(0, 20), EBADF);
		FAILS(fcntl(0, F_DUPFD, 20), EINVAL);
		FAILS(fcntl(0, F_DUPFD, -1), EINVAL);
		FAILS(fcntl(0, F_DUPFD, 19), EMFILE);
		int ends[2];
		FAILS(pipe(ends), EMFILE);
	}
	EQ(status, 0);
	CHILD(status) {
		r.rlim_cur = r.rlim_max = 150;
		signal(SIGXFSZ, SIG_IGN);
		NEED(!setrlimit(RLIMIT_FSIZE, &r));
		int fd = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
		EQ(write(fd, block, 100), 100);
		EQ(write(fd, block, 100), 50);
		FAILS(write(fd, block, 100), EFBIG);
		FAILS(ftruncate(fd, 151), EFBIG);
		FAILS(truncate("f", 151), EFBIG);
		EQ(ftruncate(fd, 150), 0);
		FAILS(fallocate(fd, 0, 100, 100), EFBIG);
		signal(SIGXFSZ, SIG_DFL);
		int inner;
		CHILD(inner) ftruncate(fd, 1000);
		EQ(WTERMSIG(inner), SIGXFSZ);
	}
	EQ(status, 0);
	unlink("f");
	leave();
}

TEST(close_range)
{
	int status;

	CHILD(status) {
		int shared = dup(0);
		NEED(dup2(0, 30) == 30 && dup2(0, 31) == 31 && dup2(0, 40) == 40);
		FAILS(syscall(SYS_close_range, 5, 4, 0), EINVAL);
		FAILS(syscall(SYS_close_range, 5, 6, 1), EINVAL);
		EQ(syscall(SYS_close_range, 30, 35, 4), 0);
		EQ(fcntl(31, F_GETFD), FD_CLOEXEC);
		EQ(fcntl(40, F_GETFD), 0);
		EQ(syscall(SYS_close_range, 30, 30, 2), 0);
		FAILS(fcntl(30, F_GETFD), EBADF);
		EQ(syscall(SYS_close_range, 31, ~0u, 0), 0);
		FAILS(fcntl(40, F_GETFD), EBADF);
		EQ(fcntl(shared, F_GETFD), 0);
	}
	EQ(status, 0);
}

TEST(renameat2_flags)
{
	struct stat a, b;

	enter();
	make("a");
	NEED(!mkdir("d", 0700) && !mkdir("d/e", 0700));
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "d", NOREPLACE), EEXIST);
	EQ(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", NOREPLACE), 0);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "none", EXCHANGE), ENOENT);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", EXCHANGE | NOREPLACE), EINVAL);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", 8), EINVAL);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "d/e", EXCHANGE), EINVAL);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, ".", NOREPLACE), EEXIST);
	NEED(!stat("b", &a) && !stat("d", &b));
	EQ(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", EXCHANGE), 0);
	struct stat c;
	NEED(!stat("b", &c));
	EQ(c.st_ino, b.st_ino);
	rmdir("b/e");
	rmdir("b");
	unlink("d");
	leave();
}

TEST(handles_are_not_there)
{
	struct { unsigned bytes; int type; char data[128]; } handle = { 128, 0, { 0 } };
	int id;

	if (!on_faultline())
		SKIP("Linux's tmpfs has handles");
	FAILS(syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp", &handle, &id, 0), EOPNOTSUPP);
	FAILS(syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp/none", &handle, &id, 0), ENOENT);
	FAILS(syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp", &handle, &id, 1), EINVAL);
}
