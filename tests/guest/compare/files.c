/*
 * tests/guest/compare/files.c - file calls: what each answers, to good and to bad arguments.
 *
 * It prints; what Linux prints, on tmpfs and as root, is in files.expected (tests/guest/guest.mk).  It wants to be started in an empty folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define renameat2(a, b, c, d, e) syscall(SYS_renameat2, a, b, c, d, e)
/* The call as it is written here, its result, and the errno of one that failed. */
#define SHOW(call) \
	do { \
		errno = 0; \
		long r_ = (long)(call); \
		printf("%s = %ld%s%s\n", #call, r_, r_ == -1 ? " " : "", r_ == -1 ? strerrorname_np(errno) : ""); \
		fflush(stdout); \
	} while (0)

static char buf[70000];
static struct stat st;

/* An empty file, -1: it cannot be made. */
static int mk(const char *p)
{
	int f = open(p, O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (f >= 0)
		close(f);
	return f >= 0 ? 0 : -1;
}

static volatile int sigs;
/* Files that stay open from one part to the next: f and g to read and write, ro and wo to do only one of it, d a folder, z /dev/zero, p a pipe. */
static int f, g, ro, wo, d, o, z, n, fr, p[2];
static char base[200];
static struct pollfd pf[2];

static void on_sig(int s)
{
	sigs++;
}

static int mode(const char *p)
{
	return lstat(p, &st) ? -1 : (int)st.st_mode;
}

static int in_child(int (*fn)(void))
{
	fflush(stdout);
	pid_t p = fork();
	if (!p) {
		int r = fn();
		fflush(stdout);
		_exit(r);
	}
	int s;
	waitpid(p, &s, 0);
	return s;
}

static int mount_over_tmp(void)
{
	return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
}

/* What a user without rights may do. */
static int nonroot(void)
{
	SHOW(setgid(1000));
	SHOW(setuid(1000));
	SHOW(open("secret", O_RDONLY));
	SHOW(open("readable", O_RDONLY));
	SHOW(open("readable", O_WRONLY));
	SHOW(access("secret", R_OK));
	SHOW(access("readable", R_OK | W_OK));
	SHOW(mkdir("priv/x", 0777));
	SHOW(stat("priv/y", &st));
	SHOW(unlink("readable"));
	SHOW(chmod("readable", 0777));
	SHOW(chown("readable", 1000, 1000));
	SHOW(mk("open/f"));
	SHOW(chown("open/f", 0, 0));
	SHOW(chown("open/f", -1, 1000));
	SHOW(chown("open/f", 1000, 1000));
	SHOW(chmod("open/f", 04755));
	SHOW(mode("open/f"));
	SHOW(chown("open/f", -1, 1000));
	SHOW(mode("open/f"));
	SHOW(unlink("sticky/roots"));
	SHOW(rename("sticky/roots", "sticky/mine"));
	SHOW(mk("sticky/m"));
	SHOW(unlink("sticky/m"));
	SHOW(mknod("open/dev", S_IFCHR | 0666, 0x103));
	SHOW(mknod("open/fifo", S_IFIFO | 0666, 0));
	SHOW(unlink("open/fifo"));
	SHOW(chroot("."));
	SHOW(utime("readable", NULL));
	SHOW(mount_over_tmp());
	SHOW(unlink("open/f"));
	SHOW(truncate("readable", 0));
	SHOW(open("open/f2", O_CREAT | O_WRONLY, 0));
	SHOW(open("open/f2", O_RDONLY));
	SHOW(unlink("open/f2"));
	SHOW(link("secret", "open/s"));
	SHOW(link("readable", "open/s"));
	SHOW(rename("open", "open2"));
	SHOW(rmdir("open"));
	return 0;
}

/* Limits for the size and the number of files. */
static int limits(void)
{
	struct rlimit rl = {1000, 1000};
	signal(SIGXFSZ, on_sig);
	setrlimit(RLIMIT_FSIZE, &rl);
	int f = open("lim", O_CREAT | O_RDWR, 0644);
	sigs = 0;
	SHOW(write(f, buf, 900));
	SHOW(write(f, buf, 900));
	SHOW(write(f, buf, 1));
	SHOW(sigs);
	SHOW(ftruncate(f, 1001));
	SHOW(sigs);
	SHOW(ftruncate(f, 10));
	SHOW(pwrite(f, buf, 10, 5000));
	SHOW(sigs);
	rl.rlim_cur = rl.rlim_max = 10;
	setrlimit(RLIMIT_NOFILE, &rl);
	SHOW(dup2(f, 10));
	SHOW(dup2(f, 9));
	SHOW(fcntl(f, F_DUPFD, 10));
	SHOW(fcntl(f, F_DUPFD, 9));
	close(9);
	int n = 0, fd;
	while ((fd = dup(f)) >= 0)
		n++;
	SHOW(errno);
	SHOW(n);
	SHOW(open("lim", O_RDONLY));
	SHOW(pipe((int *)buf));
	return 0;
}

static int sigpipe_child(void)
{
	int p[2];
	pipe(p);
	close(p[0]);
	write(p[1], "x", 1);
	return 0;
}

static int sigxfsz(void)
{
	struct rlimit rl = {10, 10};
	setrlimit(RLIMIT_FSIZE, &rl);
	int f = open("lim2", O_CREAT | O_RDWR, 0644);
	write(f, buf, 20);
	write(f, buf, 1);
	return 0;
}

/* Meets the locks of its parent. */
static int locker(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_start = 50, .l_len = 10};
	int f = open("lk", O_RDWR);
	SHOW(fcntl(f, F_SETLK, &l));
	SHOW(fcntl(f, F_GETLK, &l));
	SHOW(l.l_type);
	SHOW(l.l_start);
	SHOW(l.l_len);
	SHOW(l.l_pid == getppid());
	SHOW(flock(f, LOCK_EX | LOCK_NB));
	l.l_start = 200;
	l.l_type = F_WRLCK;
	SHOW(fcntl(f, F_SETLK, &l));
	return 0;
}

/* Prints the names in a folder, sorted, with their types. */
static long getdents_names(const char *p)
{
	DIR *d = opendir(p);
	if (!d)
		return -1;
	char *names[200];
	int n = 0;
	struct dirent *e;
	while ((e = readdir(d))) {
		names[n] = malloc(300);
		sprintf(names[n++], "%s(%d)", e->d_name, e->d_type);
	}
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			if (strcmp(names[i], names[j]) > 0) {
				char *t = names[i];
				names[i] = names[j];
				names[j] = t;
			}
	for (int i = 0; i < n; i++)
		printf("    %s\n", names[i]);
	closedir(d);
	return n;
}

static void about_open(void)
{
	printf("# open\n");
	char long_name[300], path[5000];
	memset(long_name, 'a', 299);
	long_name[299] = 0;
	SHOW(open("nothing", O_RDONLY));
	SHOW(open("", O_RDONLY));
	SHOW(open(long_name, O_RDONLY));
	long_name[255] = 0;
	SHOW(open(long_name, O_RDONLY));
	SHOW(mk(long_name));
	SHOW(unlink(long_name));
	memset(path, '/', 4999);
	path[4998] = 'x';
	path[4999] = 0;
	SHOW(open(path, O_RDONLY));
	path[4095] = 0;
	SHOW(open(path, O_RDONLY | O_DIRECTORY) >= 0);
	path[4096] = 0;
	SHOW(open((char *)8, O_RDONLY));
	SHOW(open(NULL, O_RDONLY));
	SHOW(open((char *)0xffff800000000000, O_RDONLY));
	SHOW(mk("f"));
	SHOW(mode("f"));
	SHOW(open("f/", O_RDONLY));
	SHOW(open("f/x", O_RDONLY));
	SHOW(open("f", O_RDONLY | O_DIRECTORY));
	SHOW(open("f", O_CREAT | O_EXCL, 0600));
	SHOW(open("d/", O_CREAT | O_WRONLY, 0600));
	SHOW(open("d/x", O_CREAT | O_WRONLY, 0600));
	SHOW(mkdir("d", 0777));
	SHOW(mode("d"));
	SHOW(mkdir("d", 0777));
	SHOW(mkdir("d/", 0777));
	SHOW(mkdir("e/", 0777));
	SHOW(mkdir("f/x", 0777));
	SHOW(mkdir("", 0777));
	SHOW(mkdir(".", 0777));
	SHOW(mkdir("/", 0777));
	SHOW(mkdir("x/y", 0777));
	SHOW(mkdir("..", 07));
	SHOW(mkdir("t", 07777));
	SHOW(mode("t"));
	SHOW(rmdir("t"));
	SHOW(open("d", O_WRONLY));
	SHOW(open("d", O_RDWR));
	SHOW(open("d", O_CREAT, 0600));
	SHOW(open("d", O_RDONLY | O_TRUNC));
	SHOW(open(".", O_CREAT | O_RDWR, 0600));
	SHOW(open("d/.", O_CREAT | O_RDWR, 0600));
	f = open("f", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_CREAT | O_TRUNC, 0644);
	SHOW(f);
	SHOW(fcntl(f, F_GETFL));
	SHOW(fcntl(f, F_GETFD));
	SHOW(fcntl(f, F_SETFD, 0));
	SHOW(fcntl(f, F_GETFD));
	SHOW(fcntl(f, F_SETFL, 0));
	SHOW(fcntl(f, F_GETFL));
	SHOW(fcntl(f, 9999));
	SHOW(fcntl(99, F_GETFD));
	SHOW(fcntl(f, F_DUPFD, -1));
	SHOW(fcntl(f, F_DUPFD, 20));
	SHOW(close(20));
	SHOW(close(20));
	o = open("f", O_PATH);
	SHOW(o);
	SHOW(read(o, buf, 1));
	SHOW(fcntl(o, F_GETFL));
	SHOW(fchmod(o, 0600));
	SHOW(fstat(o, &st));
	SHOW(ioctl(o, FIONREAD, buf));
	SHOW(lseek(o, 0, 0));
	SHOW(ftruncate(o, 0));
	SHOW(fsync(o));
	SHOW(fcntl(o, F_SETFL, 0));
	SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, o, 0) == MAP_FAILED ? -1 : 0);
	SHOW(poll(&(struct pollfd){o, POLLIN, 0}, 1, 0));
	SHOW(fchdir(o));
	SHOW(close(o));
}

static void about_io(void)
{
	printf("# io\n");
	SHOW(write(f, "hello world", 11));
	SHOW(lseek(f, 0, SEEK_CUR));
	SHOW(lseek(f, -5, SEEK_END));
	SHOW(read(f, buf, 100));
	SHOW(memcmp(buf, "world", 5));
	SHOW(read(f, buf, 100));
	SHOW(lseek(f, -1, SEEK_SET));
	SHOW(lseek(f, 0, 99));
	SHOW(lseek(f, 100, SEEK_END));
	SHOW(read(f, buf, 10));
	SHOW(write(f, "x", 1));
	SHOW(lseek(f, 0, SEEK_CUR));
	SHOW(fstat(f, &st));
	SHOW(st.st_size);
	SHOW(st.st_blocks);
	SHOW(st.st_blksize);
	SHOW(lseek(f, 50, SEEK_DATA));
	SHOW(lseek(f, 50, SEEK_HOLE));
	SHOW(lseek(f, 200, SEEK_DATA));
	SHOW(lseek(f, 0x7fffffffffffffff, SEEK_SET));
	SHOW(lseek(f, 1, SEEK_CUR));
	SHOW(write(f, "x", 1));
	SHOW(lseek(f, 0, 0));
	SHOW(read(f, NULL, 10));
	SHOW(read(f, (void *)0xffff800000000000, 10));
	SHOW(read(f, buf, -1));
	SHOW(read(f, NULL, 0));
	SHOW(write(f, NULL, 10));
	SHOW(write(f, (void *)8, 1));
	SHOW(write(f, NULL, 0));
	SHOW(read(99, buf, 1));
	SHOW(write(99, buf, 1));
	SHOW(read(-1, buf, 1));
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	d = open("d", O_RDONLY);
	SHOW(write(ro, "x", 1));
	SHOW(read(wo, buf, 1));
	SHOW(read(d, buf, 1));
	SHOW(write(d, buf, 1));
	SHOW(pread(d, buf, 1, 0));
	SHOW(lseek(d, 0, SEEK_SET));
	SHOW(ftruncate(ro, 0));
	SHOW(ftruncate(d, 0));
	SHOW(ftruncate(f, -1));
	SHOW(ftruncate(99, 0));
	SHOW(fallocate(ro, 0, 0, 10));
	SHOW(fallocate(f, 0, 0, 0));
	SHOW(fallocate(f, 0, -1, 10));
	SHOW(fallocate(f, 0, 0, 5000));
	SHOW(fstat(f, &st));
	SHOW(st.st_size);
	SHOW(ftruncate(f, 112));
	SHOW(pread(f, buf, 5, 0));
	SHOW(pread(f, buf, 5, -1));
	SHOW(pwrite(f, "HELLO", 5, 0));
	SHOW(pread(f, buf, 5, 0));
	SHOW(memcmp(buf, "HELLO", 5));
	SHOW(pwrite(f, "z", 1, -5));
	SHOW(pread(f, buf, 5, 1000));
	struct iovec iov[3] = {{"ab", 2}, {"", 0}, {"cd", 2}};
	SHOW(writev(f, iov, 3));
	SHOW(writev(f, iov, 0));
	SHOW(writev(f, iov, -1));
	SHOW(writev(f, iov, 1025));
	SHOW(writev(f, NULL, 1));
	iov[2].iov_base = NULL;
	SHOW(writev(f, iov, 3));
	iov[2].iov_len = -1;
	SHOW(writev(f, iov, 3));
	char b1[3], b2[3];
	struct iovec rv[2] = {{b1, 3}, {b2, 3}};
	SHOW(preadv(f, rv, 2, 0));
	SHOW(memcmp(b1, "HEL", 3));
	SHOW(memcmp(b2, "LO ", 3));
	SHOW(preadv(f, rv, 2, -1));
	SHOW(pwritev(f, rv, 2, 0));
	SHOW(readv(wo, rv, 2));
	SHOW(writev(ro, rv, 2));
	SHOW(syscall(SYS_preadv2, f, rv, 2, 0L, 0L, 0));
	SHOW(syscall(SYS_preadv2, f, rv, 2, -1L, 0L, 0));
	/* sendfile, copy_file_range */
	g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644);
	off_t off = 2;
	SHOW(sendfile(g, f, &off, 5));
	SHOW(off);
	SHOW(sendfile(g, f, NULL, 1000));
	SHOW(sendfile(g, f, NULL, 10));
	SHOW(sendfile(ro, f, NULL, 10));
	SHOW(sendfile(g, d, NULL, 10));
	SHOW(sendfile(99, f, NULL, 10));
	off = -1;
	SHOW(sendfile(g, f, &off, 5));
	SHOW(lseek(f, 0, 0));
	SHOW(lseek(g, 0, 0));
	SHOW(syscall(SYS_copy_file_range, f, 0, g, 0, 10, 0));
	SHOW(syscall(SYS_copy_file_range, f, 0, g, 0, 10, 1));
	SHOW(syscall(SYS_copy_file_range, d, 0, g, 0, 10, 0));
	SHOW(syscall(SYS_copy_file_range, f, 0, ro, 0, 10, 0));
	off = 0;
	SHOW(syscall(SYS_copy_file_range, f, &off, f, 0, 100, 0));
	SHOW(syscall(SYS_copy_file_range, f, &off, f, 0, 3, 0));
}

static void about_dup(void)
{
	printf("# dup\n");
	SHOW(dup(99));
	SHOW(dup2(f, f) == f);
	SHOW(dup2(99, 99));
	SHOW(dup2(f, -1));
	SHOW(dup3(f, f, 0));
	SHOW(dup3(f, 50, 1));
	SHOW(dup3(f, 50, O_CLOEXEC));
	SHOW(fcntl(50, F_GETFD));
	SHOW(syscall(SYS_close_range, 50, 49, 0));
	SHOW(syscall(SYS_close_range, 50, 60, 8));
	SHOW(syscall(SYS_close_range, 50, 60, 0));
	SHOW(fcntl(50, F_GETFD));
}

static void about_ioctl(void)
{
	printf("# ioctl\n");
	n = 0;
	SHOW(ioctl(f, FIONREAD, &n));
	SHOW(lseek(f, 0, 0));
	SHOW(ioctl(f, FIONREAD, &n));
	SHOW(n > 0);
	SHOW(ioctl(f, TIOCGWINSZ, buf));
	SHOW(ioctl(f, 0x1234, 0));
	SHOW(ioctl(99, 0, 0));
	SHOW(ioctl(f, FIOCLEX));
	SHOW(fcntl(f, F_GETFD));
	SHOW(ioctl(f, FIONCLEX));
	n = 1;
	SHOW(ioctl(f, FIONBIO, &n));
	SHOW(fcntl(f, F_GETFL));
	SHOW(ioctl(f, FIONBIO, NULL));
	n = 0;
	SHOW(ioctl(f, FIONBIO, &n));
	SHOW(isatty(f));
}

static void about_links(void)
{
	printf("# links\n");
	SHOW(symlink("f", "sl"));
	SHOW(symlink("f", "sl"));
	SHOW(symlink("", "sl2"));
	SHOW(symlink("x", ""));
	SHOW(symlink("f", "f/x"));
	SHOW(symlink("f", "nd/x"));
	SHOW(symlink("loop", "loop"));
	SHOW(open("loop", O_RDONLY));
	SHOW(stat("loop", &st));
	SHOW(lstat("loop", &st));
	SHOW(st.st_size);
	SHOW(mode("sl"));
	SHOW(readlink("sl", buf, 100));
	SHOW(readlink("sl", buf, 0));
	SHOW(readlink("f", buf, 100));
	SHOW(readlink("none", buf, 10));
	SHOW(readlink("", buf, 10));
	SHOW(open("sl", O_NOFOLLOW | O_RDONLY));
	SHOW(open("sl", O_NOFOLLOW | O_DIRECTORY));
	int lp = open("sl", O_NOFOLLOW | O_PATH);
	SHOW(lp);
	SHOW(readlinkat(lp, "", buf, 10));
	SHOW(fstat(lp, &st));
	SHOW(S_ISLNK(st.st_mode));
	SHOW(close(lp));
	SHOW(open("sl/", O_RDONLY));
	SHOW(symlink("d", "dl"));
	SHOW(open("dl/", O_RDONLY | O_NOFOLLOW) >= 0);
	SHOW(open("dl", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	SHOW(rmdir("dl"));
	SHOW(rmdir("dl/"));
	SHOW(unlink("dl/"));
	SHOW(mkdir("dl", 0777));
	SHOW(symlink("newf", "tonew"));
	SHOW(open("tonew", O_RDONLY));
	SHOW(open("tonew", O_CREAT | O_EXCL, 0600));
	SHOW(mk("tonew"));
	SHOW(mode("newf"));
	SHOW(unlink("newf"));
	SHOW(symlink("newdir", "tond"));
	SHOW(mkdir("tond", 0777));
	SHOW(mkdir("tond/", 0777));
	SHOW(link("f", "hl"));
	SHOW(link("f", "hl"));
	SHOW(stat("hl", &st));
	SHOW(st.st_nlink);
	SHOW(link("d", "hd"));
	SHOW(link("none", "x"));
	SHOW(link("sl", "hsl"));
	SHOW(mode("hsl"));
	SHOW(linkat(AT_FDCWD, "sl", AT_FDCWD, "hf", AT_SYMLINK_FOLLOW));
	SHOW(mode("hf"));
	SHOW(linkat(f, "", AT_FDCWD, "he", AT_EMPTY_PATH));
	SHOW(linkat(f, "", AT_FDCWD, "he", 0));
	SHOW(linkat(AT_FDCWD, "f", AT_FDCWD, "he", 0x8000));
	SHOW(link("f", "he/"));
	SHOW(link("f/", "hz"));
	SHOW(link("f", "nd/x"));
	SHOW(unlink("hl"));
	SHOW(unlink("hsl"));
	SHOW(unlink("hf"));
	SHOW(unlink("he"));
	SHOW(unlink("d"));
	SHOW(unlink("d/"));
	SHOW(unlink("none"));
	SHOW(unlink("f/"));
	SHOW(unlink("f/x"));
	SHOW(unlink(""));
	SHOW(unlink("."));
	SHOW(unlink("/"));
	SHOW(unlink("loop"));
}

static void about_dirs(void)
{
	printf("# dirs\n");
	SHOW(rmdir("f"));
	SHOW(rmdir("none"));
	SHOW(rmdir("."));
	SHOW(rmdir("d/.."));
	SHOW(rmdir("d/."));
	SHOW(rmdir("/"));
	SHOW(rmdir(""));
	SHOW(mkdir("d/s", 0700));
	SHOW(rmdir("d"));
	SHOW(stat("d", &st));
	SHOW(st.st_nlink);
	SHOW(rmdir("d/s/"));
	SHOW(stat("d", &st));
	SHOW(st.st_nlink);
	SHOW(unlinkat(AT_FDCWD, "d", 0));
	SHOW(unlinkat(AT_FDCWD, "e", AT_REMOVEDIR));
	SHOW(unlinkat(AT_FDCWD, "e", 1));
	SHOW(unlinkat(99, "e", 0));
	SHOW(unlinkat(f, "e", 0));
	SHOW(unlinkat(d, "e", 0));
	SHOW(mkdirat(d, "in", 0755));
	SHOW(unlinkat(d, "in", AT_REMOVEDIR));
	SHOW(mkdirat(99, "in", 0755));
	SHOW(mkdirat(f, "in", 0755));
	SHOW(mkdirat(99, "/tmp", 0755));
}

static void about_rename(void)
{
	printf("# rename\n");
	mkdir("ra", 0755);
	mkdir("ra/s", 0755);
	mkdir("rb", 0755);
	mk("rf");
	mk("rg");
	SHOW(rename("ra", "ra/s/x"));
	SHOW(rename("ra/s", "ra"));
	SHOW(rename("rf", "ra"));
	SHOW(rename("ra", "rf"));
	SHOW(rename("rb", "ra"));
	SHOW(rename("none", "x"));
	SHOW(rename("rf", "x/y"));
	SHOW(rename("rf", "rx/"));
	SHOW(rename("rf/", "rx"));
	SHOW(rename(".", "x"));
	SHOW(rename("ra/.", "x"));
	SHOW(rename("x", "."));
	SHOW(rename("rf", ".."));
	SHOW(rename("/", "x"));
	SHOW(rename("rf", "/"));
	SHOW(rename("", "x"));
	SHOW(rename("rf", ""));
	SHOW(rename("rf", "rf"));
	SHOW(rename("rf", "rg"));
	SHOW(mode("rf"));
	SHOW(rename("ra", "rc/"));
	SHOW(rename("rc", "rb"));
	SHOW(mode("rb/s"));
	SHOW(renameat2(AT_FDCWD, "rg", AT_FDCWD, "rb", RENAME_NOREPLACE));
	SHOW(renameat2(AT_FDCWD, "rg", AT_FDCWD, "rb", RENAME_EXCHANGE));
	SHOW(mode("rg"));
	SHOW(mode("rb"));
	SHOW(renameat2(AT_FDCWD, "rg", AT_FDCWD, "zz", RENAME_EXCHANGE));
	SHOW(renameat2(AT_FDCWD, "rg", AT_FDCWD, "zz", 3));
	SHOW(renameat2(AT_FDCWD, "rg", AT_FDCWD, "zz", 64));
	SHOW(rename("rg", "zz"));
	SHOW(rmdir("zz/s"));
	SHOW(rmdir("zz"));
	SHOW(unlink("rb"));
	SHOW(rename("f", "/proc/x"));
	SHOW(renameat(99, "f", AT_FDCWD, "x"));
}

static void about_cwd(void)
{
	printf("# cwd\n");
	SHOW(chdir("f"));
	SHOW(chdir("none"));
	SHOW(chdir(""));
	SHOW(fchdir(f));
	SHOW(fchdir(99));
	SHOW(getcwd(buf, 1) ? 0 : -1);
	SHOW(syscall(SYS_getcwd, buf, 0));
	mkdir("gone", 0755);
	SHOW(chdir("gone"));
	SHOW(rmdir("../gone"));
	SHOW(syscall(SYS_getcwd, buf, 1000));
	SHOW(mk("x"));
	SHOW(mkdir("x", 0777));
	SHOW(open(".", O_RDONLY) >= 0);
	SHOW(stat(".", &st));
	SHOW(st.st_nlink);
	SHOW(getdents_names("."));
	SHOW(chdir(".."));
	SHOW(chdir(base));
	SHOW(mkdir("a", 0755));
	SHOW(mkdir("a/b", 0755));
	SHOW(chdir("a/b"));
	SHOW(rename("../../a", "../../c"));
	SHOW(syscall(SYS_getcwd, buf, 1000) - (long)strlen(base));
	SHOW(chdir("../.."));
	SHOW(rmdir("c/b"));
	SHOW(rmdir("c"));
}

static void about_stat(void)
{
	printf("# stat\n");
	SHOW(syscall(SYS_stat, "f", 8));
	SHOW(fstat(99, &st));
	SHOW(fstatat(AT_FDCWD, "f", &st, 0x4000));
	SHOW(fstatat(f, "", &st, AT_EMPTY_PATH));
	SHOW(fstatat(f, "", &st, 0));
	SHOW(fstatat(99, "", &st, AT_EMPTY_PATH));
	SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	SHOW(fstatat(99, "x", &st, 0));
	SHOW(fstatat(f, "x", &st, 0));
	SHOW(lstat("sl/", &st));
	SHOW(S_ISREG(st.st_mode));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, (void *)buf));
	SHOW(*(unsigned *)buf & 0x7ff);
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0x7ff, (void *)buf));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000, (void *)buf));
	SHOW(access("f", F_OK));
	SHOW(access("f", X_OK));
	SHOW(access("d", X_OK));
	SHOW(access("f", 8));
	SHOW(access("none", 0));
	SHOW(faccessat(AT_FDCWD, "sl", R_OK, AT_SYMLINK_NOFOLLOW));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", 4, 0x8000));
	SHOW(chmod("f", 07777));
	SHOW(mode("f"));
	SHOW(chmod("none", 0));
	SHOW(chmod("sl", 0644));
	SHOW(mode("f"));
	SHOW(fchmod(99, 0));
	SHOW(fchmod(f, 0600));
	SHOW(mode("f"));
	SHOW(chown("f", 1, 2));
	SHOW(stat("f", &st));
	SHOW(st.st_uid);
	SHOW(st.st_gid);
	SHOW(chown("f", -1, -1));
	SHOW(lchown("sl", 3, 4));
	SHOW(lstat("sl", &st));
	SHOW(st.st_uid);
	SHOW(fchownat(AT_FDCWD, "f", 0, 0, 0));
	SHOW(fchownat(AT_FDCWD, "f", 0, 0, 0x8000));
	SHOW(chmod("f", 06755));
	SHOW(chown("f", 0, 0));
	SHOW(mode("f"));
}

static void about_times(void)
{
	printf("# times\n");
	struct timespec ts[2] = {{1000, 5}, {2000, 7}};
	SHOW(utimensat(AT_FDCWD, "f", ts, 0));
	SHOW(stat("f", &st));
	SHOW(st.st_atim.tv_sec);
	SHOW(st.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	SHOW(utimensat(AT_FDCWD, "f", ts, 0));
	SHOW(stat("f", &st));
	SHOW(st.st_atim.tv_sec);
	SHOW(st.st_mtim.tv_sec > 100000);
	ts[1].tv_nsec = -1;
	SHOW(utimensat(AT_FDCWD, "f", ts, 0));
	ts[1].tv_nsec = UTIME_OMIT;
	SHOW(utimensat(AT_FDCWD, "none", ts, 0));
	SHOW(utimensat(99, NULL, NULL, 0));
	SHOW(futimens(f, NULL));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
	SHOW(utimensat(AT_FDCWD, "f", NULL, 0x8000));
	SHOW(utimensat(AT_FDCWD, "", NULL, 0));
	SHOW(utime("f", &(struct utimbuf){5, 6}));
	SHOW(stat("f", &st));
	SHOW(st.st_mtime);
	SHOW(utimes("f", (struct timeval[2]){{1, 1000000}, {1, 0}}));
	SHOW(utimes("f", (struct timeval[2]){{1, 500}, {1, 0}}));
	SHOW(stat("f", &st));
	SHOW(st.st_atim.tv_nsec);
}

static void about_truncate(void)
{
	printf("# truncate\n");
	SHOW(truncate("f", 3));
	SHOW(truncate("d", 3));
	SHOW(truncate("none", 3));
	SHOW(truncate("f", -1));
	SHOW(truncate("sl", 5000));
	SHOW(stat("f", &st));
	SHOW(st.st_size);
	SHOW(pread(f, buf, 10, 0));
	SHOW(buf[3]);
	SHOW(truncate("", 0));
	SHOW(creat("f", 0600) >= 0);
	SHOW(stat("f", &st));
	SHOW(st.st_size);
	SHOW(fsync(f));
	SHOW(fdatasync(f));
	SHOW(fsync(99));
	SHOW(syncfs(f));
	SHOW(posix_fadvise(f, 0, 0, 7));
	SHOW(posix_fadvise(f, 0, -1, 0));
	SHOW(posix_fadvise(99, 0, 0, 0));
	SHOW(posix_fadvise(f, 0, 0, 3));
}

static void about_pipes(void)
{
	printf("# pipes\n");
	SHOW(pipe2(p, 0x8));
	SHOW(pipe((int *)8));
	SHOW(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	SHOW(fcntl(p[0], F_GETFL));
	SHOW(fcntl(p[1], F_GETFL));
	SHOW(fcntl(p[0], F_GETFD));
	SHOW(read(p[0], buf, 10));
	SHOW(write(p[1], buf, 0));
	SHOW(write(p[0], buf, 1));
	SHOW(read(p[1], buf, 1));
	SHOW(lseek(p[0], 0, 0));
	SHOW(pread(p[0], buf, 1, 0));
	SHOW(pwrite(p[1], buf, 1, 0));
	SHOW(ftruncate(p[1], 0));
	SHOW(fsync(p[0]));
	SHOW(fstat(p[0], &st));
	SHOW(st.st_mode);
	SHOW(st.st_size);
	SHOW(fcntl(p[0], F_GETPIPE_SZ));
	SHOW(fcntl(f, F_GETPIPE_SZ));
	SHOW(write(p[1], buf, 70000));
	SHOW(write(p[1], buf, 1));
	SHOW(ioctl(p[0], FIONREAD, &n));
	SHOW(n);
	SHOW(read(p[0], buf, 4095));
	SHOW(write(p[1], buf, 4096));
	SHOW(read(p[0], buf, 1));
	SHOW(write(p[1], buf, 4096));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 100000));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 0x80000001));
	memcpy(pf, (struct pollfd[]){{p[0], POLLIN | POLLOUT, 0}, {p[1], POLLIN | POLLOUT, 0}}, sizeof pf);
	SHOW(poll(pf, 2, 0));
	SHOW(pf[0].revents);
	SHOW(pf[1].revents);
	while (read(p[0], buf, 65536) > 0)
		;
	SHOW(poll(pf, 2, 0));
	SHOW(pf[0].revents);
	SHOW(pf[1].revents);
	SHOW(close(p[1]));
	SHOW(poll(pf, 1, 0));
	SHOW(pf[0].revents);
	SHOW(read(p[0], buf, 1));
	SHOW(close(p[0]));
	SHOW(pipe(p));
	SHOW(close(p[0]));
	pf[1].fd = p[1];
	SHOW(poll(pf + 1, 1, 0));
	SHOW(pf[1].revents);
	signal(SIGPIPE, on_sig);
	sigs = 0;
	SHOW(write(p[1], "x", 1));
	SHOW(sigs);
	SHOW(write(p[1], "x", 0));
	signal(SIGPIPE, SIG_DFL);
	SHOW(in_child(sigpipe_child));
	SHOW(close(p[1]));
}

static void about_fifo(void)
{
	printf("# fifo\n");
	SHOW(mkfifo("ff", 0666));
	SHOW(mode("ff"));
	SHOW(open("ff", O_WRONLY | O_NONBLOCK));
	fr = open("ff", O_RDONLY | O_NONBLOCK);
	SHOW(fr);
	SHOW(read(fr, buf, 1));
	pf[0].fd = fr;
	pf[0].events = POLLIN;
	SHOW(poll(pf, 1, 0));
	SHOW(pf[0].revents);
	int fw = open("ff", O_WRONLY | O_NONBLOCK);
	SHOW(fw);
	SHOW(read(fr, buf, 1));
	SHOW(write(fw, "abc", 3));
	SHOW(poll(pf, 1, 0));
	SHOW(pf[0].revents);
	SHOW(close(fw));
	SHOW(poll(pf, 1, 0));
	SHOW(pf[0].revents);
	SHOW(read(fr, buf, 10));
	SHOW(read(fr, buf, 10));
	SHOW(poll(pf, 1, 0));
	SHOW(pf[0].revents);
	SHOW(close(fr));
	SHOW(open("ff", O_RDWR));
	SHOW(truncate("ff", 0));
	SHOW(lseek(fr, 0, 0));
	SHOW(unlink("ff"));
	SHOW(mknod("nn", 0644, 0));
	SHOW(mode("nn"));
	SHOW(mknod("nn2", S_IFDIR | 0755, 0));
	SHOW(mknod("nn2", 0170000, 0));
	SHOW(mknod("sock", S_IFSOCK | 0755, 0));
	SHOW(open("sock", O_RDONLY));
	SHOW(mknod("blk", S_IFBLK | 0600, makedev(7, 200)));
	SHOW(stat("blk", &st));
	SHOW(st.st_rdev);
	SHOW(mknod("chr", S_IFCHR | 0600, 0x103));
	int nu = open("chr", O_RDWR);
	SHOW(write(nu, "x", 1));
	SHOW(read(nu, buf, 1));
	SHOW(lseek(nu, 5, SEEK_SET));
	SHOW(ftruncate(nu, 0));
	SHOW(truncate("chr", 0));
	SHOW(open("chr", O_RDWR | O_TRUNC | O_CREAT, 0666) >= 0);
	SHOW(mknod("chr9", S_IFCHR | 0600, makedev(300, 70000)));
	SHOW(stat("chr9", &st));
	SHOW(st.st_rdev);
	SHOW(open("chr9", O_RDONLY));
}

static void about_poll_and_select(void)
{
	printf("# poll, select\n");
	SHOW(poll(NULL, 0, 0));
	SHOW(poll(NULL, 1, 0));
	SHOW(poll(NULL, 0, 10));
	pf[0].fd = -1;
	pf[1].fd = 99;
	SHOW(poll(pf, 2, 0));
	SHOW(pf[0].revents);
	SHOW(pf[1].revents);
	pf[0].fd = f;
	pf[0].events = POLLIN | POLLOUT;
	SHOW(poll(pf, 1, -1));
	SHOW(pf[0].revents);
	SHOW(poll(pf, 100000000, 0));
	fd_set rs;
	FD_ZERO(&rs);
	FD_SET(f, &rs);
	SHOW(select(f + 1, &rs, &rs, NULL, NULL));
	FD_ZERO(&rs);
	FD_SET(99, &rs);
	SHOW(select(100, &rs, NULL, NULL, NULL));
	SHOW(select(-1, NULL, NULL, NULL, NULL));
	struct timeval tv = {0, 1000};
	SHOW(select(0, NULL, NULL, NULL, &tv));
	SHOW(tv.tv_usec);
	tv.tv_sec = -1;
	SHOW(select(0, NULL, NULL, NULL, &tv));
	SHOW(select(10, (void *)8, NULL, NULL, NULL));
	struct sigaction sa = {.sa_handler = on_sig};
	sigaction(SIGALRM, &sa, 0);
	alarm(1);
	sigs = 0;
	SHOW(poll(NULL, 0, 5000));
	SHOW(sigs);
	alarm(1);
	pipe(p);
	SHOW(read(p[0], buf, 1));
	SHOW(sigs);
	close(p[0]);
	close(p[1]);
}

static void about_locks(void)
{
	printf("# locks\n");
	mk("lk");
	int lk = open("lk", O_RDWR);
	struct flock l = {.l_type = F_WRLCK, .l_start = 0, .l_len = 100};
	SHOW(fcntl(lk, F_SETLK, &l));
	SHOW(flock(lk, LOCK_SH));
	SHOW(in_child(locker));
	l.l_type = F_UNLCK;
	l.l_start = 10;
	l.l_len = 10;
	SHOW(fcntl(lk, F_SETLK, &l));
	SHOW(flock(lk, LOCK_UN));
	SHOW(flock(lk, 77));
	SHOW(in_child(locker));
	l.l_type = 9;
	SHOW(fcntl(lk, F_SETLK, &l));
	l.l_type = F_RDLCK;
	l.l_start = -5;
	SHOW(fcntl(lk, F_SETLK, &l));
	SHOW(fcntl(lk, F_GETLK, NULL));
	SHOW(fcntl(wo, F_SETLK, &(struct flock){.l_type = F_RDLCK}));
	close(open("lk", O_RDONLY));
	SHOW(in_child(locker));
}

static void about_mmap_of_files(void)
{
	printf("# mmap of files\n");
	char *m;
	SHOW(ftruncate(g, 8192));
	m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, g, 0);
	SHOW(m != MAP_FAILED);
	if (m != MAP_FAILED) {
		m[5] = 'Q';
		SHOW(pread(g, buf, 1, 5));
		SHOW(buf[0]);
		pwrite(g, "W", 1, 6);
		SHOW(m[6]);
		SHOW(munmap(m, 8192));
	}
	SHOW(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED ? -1 : 0);
	SHOW(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) == MAP_FAILED ? -1 : 0);
	SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, wo, 0) == MAP_FAILED ? -1 : 0);
	SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, d, 0) == MAP_FAILED ? -1 : 0);
	SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
	SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, g, 1) == MAP_FAILED ? -1 : 0);
	z = open("/dev/zero", O_RDWR);
	m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, z, 0);
	SHOW(m != MAP_FAILED);
	SHOW(m[0]);
}

static void about_devices(void)
{
	printf("# devices\n");
	SHOW(read(z, buf, 100));
	SHOW(write(z, buf, 100));
	SHOW(lseek(z, 10, SEEK_SET));
	int fu = open("/dev/full", O_RDWR);
	SHOW(write(fu, "x", 1));
	SHOW(read(fu, buf, 5));
	int ur = open("/dev/urandom", O_RDONLY);
	SHOW(read(ur, buf, 1000));
	SHOW(ioctl(z, TIOCGWINSZ, buf));
	SHOW(poll(&(struct pollfd){z, POLLIN | POLLOUT, 0}, 1, 0));
	SHOW(read(z, NULL, 10));
	SHOW(read(ur, NULL, 10));
}

static void about_xattr_and_statfs(void)
{
	printf("# xattr, statfs\n");
	SHOW(getxattr("none", "user.x", buf, 10));
	SHOW(listxattr("f", buf, 10));
	struct statfs sf;
	SHOW(statfs(".", &sf));
	SHOW(sf.f_type);
	SHOW(sf.f_bsize);
	SHOW(sf.f_namelen);
	SHOW(statfs("none", &sf));
	SHOW(fstatfs(99, &sf));
	SHOW(syscall(SYS_umount2, ".", 0));
	SHOW(syscall(SYS_umount2, "none", 0));
}

static void about_proc_fd(void)
{
	printf("# proc fd\n");
	SHOW(write(g, "", 0));
	char pf2[40];
	sprintf(pf2, "/proc/self/fd/%d", g);
	SHOW(readlink(pf2, buf, 100) - (long)strlen(base));
	int again = open(pf2, O_RDWR);
	SHOW(again >= 0);
	SHOW(write(again, "12345", 5));
	SHOW(pread(g, buf, 5, 0));
	SHOW(unlink("g"));
	SHOW(readlink(pf2, buf, 200) - (long)strlen(base));
	SHOW(open(pf2, O_RDONLY) >= 0);
	pipe(p);
	sprintf(pf2, "/proc/self/fd/%d", p[1]);
	int pw = open(pf2, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	SHOW(pw >= 0);
	SHOW(write(pw, "zz", 2));
	SHOW(read(p[0], buf, 10));
	SHOW(open(pf2, O_RDONLY | O_NOFOLLOW));
	SHOW(lstat(pf2, &st));
	SHOW(S_ISLNK(st.st_mode));
	SHOW(stat(pf2, &st));
	SHOW(S_ISFIFO(st.st_mode));
}

static void about_rights(void)
{
	printf("# rights\n");
	umask(0);
	int q = open("secret", O_CREAT | O_WRONLY, 0600);
	q = open("readable", O_CREAT | O_WRONLY, 0644);
	mkdir("priv", 0700);
	mk("priv/y");
	mkdir("open", 0777);
	mkdir("sticky", 01777);
	mk("sticky/roots");
	SHOW(in_child(nonroot));
	SHOW(in_child(limits));
	SHOW(in_child(sigxfsz));
	SHOW(mkdir("sg", 02777));
	SHOW(chmod("sg", 02777));
	SHOW(chown("sg", 0, 55));
	SHOW(chmod("sg", 02777));
	SHOW(mkdir("sg/sub", 0755));
	SHOW(mode("sg/sub"));
	SHOW(mk("sg/f"));
	SHOW(stat("sg/f", &st));
	SHOW(st.st_gid);
	SHOW(getdents_names("."));
	int dd = open("d", O_RDONLY | O_DIRECTORY);
	SHOW(syscall(SYS_getdents64, dd, buf, 10));
	SHOW(syscall(SYS_getdents64, dd, buf, 1000));
	SHOW(syscall(SYS_getdents64, dd, buf, 1000));
	SHOW(lseek(dd, 0, 0));
	SHOW(syscall(SYS_getdents, dd, buf, 1000));
	SHOW(syscall(SYS_getdents64, f, buf, 1000));
	SHOW(syscall(SYS_getdents64, 99, buf, 1000));
	SHOW(syscall(SYS_getdents64, dd, 8, 1000));
	SHOW(lseek(dd, 0, 0));
	SHOW(syscall(SYS_getdents64, dd, 8, 1000));
	SHOW(umask(0777));
	SHOW(umask(0));
	SHOW(system("exit 3"));
	SHOW(open("/dev/tty", O_RDWR) >= -1);
	SHOW(close(1000));
	SHOW(chroot("none"));
	SHOW(chroot("f"));
	SHOW(mkdir("jail", 0755));
	SHOW(mk("jail/in"));
	SHOW(chroot("jail"));
	SHOW(chdir("/"));
	SHOW(mode("in"));
	SHOW(mode("../in"));
	SHOW(mode("/../in"));
	SHOW(getcwd(buf, 100) ? (long)strlen(buf) : -1);
}

int main(void)
{
	syscall(SYS_close_range, 3, ~0u, 0);
	umask(022);
	getcwd(base, sizeof base);
	about_open();
	about_io();
	about_dup();
	about_ioctl();
	about_links();
	about_dirs();
	about_rename();
	about_cwd();
	about_stat();
	about_times();
	about_truncate();
	about_pipes();
	about_fifo();
	about_poll_and_select();
	about_locks();
	about_mmap_of_files();
	about_devices();
	about_xattr_and_statfs();
	about_proc_fd();
	about_rights();
	return 0;
}
