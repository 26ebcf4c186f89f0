/* tests/guest/memfd.c - files without a place, seals, fallocate, holes, fadvise64, and what /proc/PID/maps calls shared memory. */
#include "tap.h"
#include <limits.h>
#include <sys/resource.h>
#include <sys/statfs.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif
enum { KEEP_SIZE = 1, PUNCH_HOLE = 2, COLLAPSE = 8, ZERO_RANGE = 16, INSERT = 32 };

static int make_memfd(const char *name, unsigned flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

/* A file of n pages that can be sealed; page i is full of i + 1. */
static int filled(int n)
{
	int fd = make_memfd("filled", MFD_ALLOW_SEALING);
	char page[PAGE];

	NEED(fd >= 0);
	for (int i = 0; i < n; i++) {
		memset(page, i + 1, PAGE);
		NEED(write(fd, page, PAGE) == PAGE);
	}
	return fd;
}

static char *map_fd(int fd, int pages, int rights, int flags)
{
	char *p = mmap(NULL, (size_t)pages * PAGE, rights, flags, fd, 0);
	NEED(p != MAP_FAILED);
	return p;
}

static long blocks(int fd)
{
	struct stat st;
	EQ(fstat(fd, &st), 0);
	return st.st_blocks * 512 / PAGE;
}

static long size_of(int fd)
{
	struct stat st;
	EQ(fstat(fd, &st), 0);
	return st.st_size;
}

/* The line of /proc/self/maps that begins at this address; or "". */
static const char *line_of(const void *at)
{
	static char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	NEED(f);
	while (fgets(line, sizeof line, f)) {
		if (strtoul(line, NULL, 16) == (unsigned long)at) {
			fclose(f);
			line[strcspn(line, "\n")] = 0;
			return line;
		}
	}
	fclose(f);
	return strcpy(line, "");
}

static void expect_name(const void *at, const char *name)
{
	const char *line = line_of(at);
	size_t n = strlen(line), m = strlen(name);
	if (n < m || strcmp(line + n - m, name))
		FAIL("maps says '%s', not %s", line, name);
}

TEST(create)
{
	char name[300], path[300];
	struct stat st;
	struct statfs fs;
	ssize_t n;

	FAILS(make_memfd("x", 32), EINVAL);
	FAILS(make_memfd("x", MFD_EXEC | MFD_NOEXEC_SEAL), EINVAL);
	FAILS(make_memfd(NULL, 0), EFAULT);
	FAILS(make_memfd(NULL, 32), EINVAL);
	memset(name, 'a', sizeof name);
	name[250] = 0;
	FAILS(make_memfd(name, 0), EINVAL);
	name[249] = 0;
	int fd = make_memfd(name, 0);
	CHECK(fd >= 0);
	close(fd);
	close(make_memfd("", 0));
	fd = make_memfd("some/name", MFD_CLOEXEC);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(fcntl(fd, F_GETFL), O_RDWR | 0100000);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mode, S_IFREG | 0777);
	EQ(st.st_nlink, 0);
	EQ(st.st_size, 0);
	EQ(st.st_uid, geteuid());
	EQ(fstatfs(fd, &fs), 0);
	EQ(fs.f_type, 0x01021994);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof name);
	EQ(n, strlen("/memfd:some/name (deleted)"));
	EQ(memcmp(name, "/memfd:some/name (deleted)", (size_t)n), 0);
	int again = open(path, O_RDONLY);		/* another description of the same file */
	CHECK(again >= 0);
	EQ(write(fd, "hello", 5), 5);
	EQ(read(again, name, 10), 5);
	FAILS(write(again, "x", 1), EBADF);
	EQ(fcntl(again, F_GET_SEALS), F_SEAL_SEAL);
	close(again);
	close(fd);
	fd = make_memfd("x", MFD_NOEXEC_SEAL);
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mode, S_IFREG | 0666);
	EQ(fchmod(fd, 0600), 0);
	FAILS(fchmod(fd, 0700), EPERM);
	close(fd);
}

TEST(run_as_program)
{
	char path[64], *args[] = { path, "no such case", NULL };
	int status, fd = make_memfd("x", MFD_CLOEXEC), self = open("/proc/self/exe", O_RDONLY);
	char buffer[PAGE];
	ssize_t n;

	NEED(self >= 0);
	while ((n = read(self, buffer, sizeof buffer)) > 0)
		NEED(write(fd, buffer, (size_t)n) == n);
	close(self);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	self = open(path, O_RDONLY);
	close(fd);
	snprintf(path, sizeof path, "/proc/self/fd/%d", self);
	CHILD(status) {
		close(1);
		execv(path, args);
	}
	EQ(WEXITSTATUS(status), 0);
	close(self);
}

TEST(seals_and_whom_they_take)
{
	int fd = make_memfd("x", 0), null = open("/dev/null", O_RDWR), pipes[2];
	char path[64];

	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	FAILS(fcntl(fd, F_ADD_SEALS, 0), EPERM);
	FAILS(fcntl(fd, F_ADD_SEALS, 64), EINVAL);
	close(fd);
	FAILS(fcntl(null, F_GET_SEALS), EINVAL);
	FAILS(fcntl(null, F_ADD_SEALS, 0), EINVAL);
	FAILS(fcntl(-1, F_GET_SEALS), EBADF);
	EQ(pipe(pipes), 0);
	FAILS(fcntl(pipes[1], F_GET_SEALS), EINVAL);
	FAILS(fcntl(pipes[0], F_ADD_SEALS, 0), EPERM);
	close(pipes[0]);
	close(pipes[1]);
	close(null);
	fd = make_memfd("x", MFD_ALLOW_SEALING);
	EQ(fcntl(fd, F_GET_SEALS), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int reader = open(path, O_RDONLY), handle = open(path, O_PATH);
	FAILS(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	FAILS(fcntl(handle, F_GET_SEALS), EBADF);
	EQ(fcntl(fd, F_ADD_SEALS, 0), 0);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	EQ(fcntl(reader, F_GET_SEALS), F_SEAL_GROW);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	close(reader);
	close(handle);
	close(fd);
	fd = open("/tmp", O_RDONLY);
	FAILS(fcntl(fd, F_GET_SEALS), EINVAL);
	close(fd);
	fd = make_memfd("x", MFD_ALLOW_SEALING);	/* a program that is to stay what it is */
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0);
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	close(fd);
	fd = open("/dev/shm/memfd-test", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	close(fd);
	unlink("/dev/shm/memfd-test");
}

TEST(seal_shrink_and_grow)
{
	int fd = filled(3);
	char page[2 * PAGE] = "";

	EQ(ftruncate(fd, 2 * PAGE + 100), 0);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	FAILS(ftruncate(fd, 2 * PAGE + 99), EPERM);
	EQ(ftruncate(fd, 2 * PAGE + 100), 0);
	EQ(ftruncate(fd, 2 * PAGE + 101), 0);
	EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, PAGE), 0);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	FAILS(ftruncate(fd, 2 * PAGE + 102), EPERM);
	FAILS(fallocate(fd, 0, 0, 2 * PAGE + 102), EPERM);
	FAILS(fallocate(fd, KEEP_SIZE, 0, 2 * PAGE + 102), EPERM);
	EQ(fallocate(fd, 0, 0, 2 * PAGE + 101), 0);
	EQ(pwrite(fd, "x", 1, 2 * PAGE + 100), 1);
	FAILS(pwrite(fd, "x", 1, 2 * PAGE + 101), EPERM);
	FAILS(pwrite(fd, page, 100, 2 * PAGE + 50), EPERM);	/* the page that crosses the end, as a whole */
	EQ(pwrite(fd, page, 2 * PAGE, PAGE), PAGE);		/* what comes before it is written */
	EQ(pwrite(fd, page, 2 * PAGE, PAGE + 1), PAGE - 1);
	EQ(pwrite(fd, page, 0, 9 * PAGE), 0);
	EQ(size_of(fd), 2 * PAGE + 101);
	close(fd);
}

TEST(seal_write)
{
	int fd = filled(2);
	char *p = map_fd(fd, 2, PROT_READ, MAP_SHARED), *copy;

	FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);	/* it might be made writable */
	EQ(fcntl(fd, F_GET_SEALS), 0);
	munmap(p, 2 * PAGE);
	copy = map_fd(fd, 2, RW, MAP_PRIVATE);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	FAILS(write(fd, "x", 1), EPERM);
	FAILS(pwrite(fd, "x", 1, 0), EPERM);
	EQ(write(fd, "x", 0), 0);
	FAILS(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, PAGE), EPERM);
	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	p = map_fd(fd, 2, PROT_READ, MAP_SHARED);
	EQ(p[PAGE], 2);
	FAILS(mprotect(p, PAGE, RW), EACCES);
	FAILS(madvise(p, PAGE, MADV_REMOVE), EACCES);
	copy[PAGE] = 9;						/* a private copy does not matter */
	EQ(p[PAGE], 2);
	EQ(ftruncate(fd, PAGE), 0);				/* which is not writing */
	EQ(ftruncate(fd, 4 * PAGE), 0);
	EQ(fallocate(fd, 0, 0, 5 * PAGE), 0);
	munmap(p, 2 * PAGE);
	munmap(copy, 2 * PAGE);
	close(fd);
}

TEST(seal_future_write)
{
	int fd = filled(2);
	char *p = map_fd(fd, 2, RW, MAP_SHARED), *q;

	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	p[0] = 7;						/* what is there may go on */
	FAILS(write(fd, "x", 1), EPERM);
	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	q = map_fd(fd, 2, PROT_READ, MAP_SHARED);
	EQ(q[0], 7);
	FAILS(mprotect(q, PAGE, RW), EACCES);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	EQ(mprotect(p, PAGE, RW), 0);
	FAILS(madvise(p, PAGE, MADV_REMOVE), EPERM);
	FAILS(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, PAGE), EPERM);
	FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(p, 2 * PAGE);
	EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);		/* q can never write */
	munmap(q, 2 * PAGE);
	close(fd);
}

TEST(allocate)
{
	int fd = filled(1), reader;
	char path[64], byte;
	struct stat before, after;

	EQ(fallocate(fd, 0, 3 * PAGE + 5, PAGE), 0);
	EQ(size_of(fd), 4 * PAGE + 5);
	EQ(blocks(fd), 3);
	EQ(pread(fd, &byte, 1, 4 * PAGE), 1);
	EQ(byte, 0);
	EQ(fallocate(fd, 0, 0, PAGE), 0);
	EQ(size_of(fd), 4 * PAGE + 5);
	EQ(fallocate(fd, KEEP_SIZE, 6 * PAGE, 2 * PAGE), 0);
	EQ(size_of(fd), 4 * PAGE + 5);
	EQ(blocks(fd), 5);
	EQ(pread(fd, &byte, 1, 6 * PAGE), 0);
	EQ(ftruncate(fd, 4 * PAGE + 5), 0);			/* to the same size: what is beyond goes */
	EQ(blocks(fd), 3);
	FAILS(fallocate(fd, 0, -1, PAGE), EINVAL);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(fd, 0, 0, -1), EINVAL);
	FAILS(fallocate(fd, 256, 0, 1), EOPNOTSUPP);
	FAILS(fallocate(fd, PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, PUNCH_HOLE | KEEP_SIZE | ZERO_RANGE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, ZERO_RANGE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, ZERO_RANGE | KEEP_SIZE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, COLLAPSE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, INSERT, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, 0, LLONG_MAX, 1), EFBIG);
	FAILS(fallocate(fd, 0, LLONG_MAX - PAGE, 2 * PAGE), EFBIG);
	FAILS(fallocate(-1, 0, 0, PAGE), EBADF);
	FAILS(fallocate(-1, 256, 0, PAGE), EBADF);
	FAILS(posix_fallocate(fd, 0, PAGE) ? (errno = 1, -1) : (errno = 0, -1), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	FAILS(fallocate(reader, 0, 0, PAGE), EBADF);
	FAILS(fallocate(reader, 0, -1, PAGE), EINVAL);
	close(reader);
	reader = open(path, O_PATH);
	FAILS(fallocate(reader, 0, 0, PAGE), EBADF);
	close(reader);
	EQ(fstat(fd, &before), 0);
	sleep_ms(30);
	EQ(fallocate(fd, 0, 0, PAGE), 0);
	EQ(fstat(fd, &after), 0);
	CHECK(memcmp(&before.st_ctim, &after.st_ctim, sizeof after.st_ctim));
	close(fd);

	int pipes[2];
	EQ(pipe(pipes), 0);
	FAILS(fallocate(pipes[1], 0, 0, PAGE), ESPIPE);
	FAILS(fallocate(pipes[0], 0, 0, PAGE), EBADF);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/dev/null", O_RDWR);
	FAILS(fallocate(fd, 0, 0, PAGE), ENODEV);
	close(fd);
	fd = open("/tmp", O_RDONLY);
	FAILS(fallocate(fd, 0, 0, PAGE), EBADF);
	close(fd);
}

TEST(allocate_beyond_the_limit_of_file_size)
{
	int status;
	CHILD(status) {
		struct rlimit limit = { 4 * PAGE, 4 * PAGE };
		int fd = make_memfd("x", 0);
		signal(SIGXFSZ, SIG_IGN);
		EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		EQ(fallocate(fd, 0, 0, 4 * PAGE), 0);
		FAILS(fallocate(fd, 0, 0, 4 * PAGE + 1), EFBIG);
		FAILS(fallocate(fd, KEEP_SIZE, 0, 4 * PAGE + 1), EFBIG);
		EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, 8 * PAGE), 0);
		EQ(blocks(fd), 0);
		signal(SIGXFSZ, SIG_DFL);
		fallocate(fd, 0, 0, 4 * PAGE + 1);
	}
	EQ(WTERMSIG(status), SIGXFSZ);
}

/* More than the file system may hold is refused, and nothing is kept of it. */
TEST(allocate_more_than_there_is)
{
	struct statfs fs;
	int fd = open("/dev/shm/memfd-test", O_RDWR | O_CREAT | O_TRUNC, 0600);

	NEED(fd >= 0);
	EQ(fstatfs(fd, &fs), 0);
	FAILS(fallocate(fd, 0, 0, ((off_t)fs.f_blocks + 1) * PAGE), ENOSPC);
	FAILS(fallocate(fd, 0, 0, (off_t)1 << 60), ENOSPC);
	EQ(size_of(fd), 0);
	EQ(blocks(fd), 0);
	EQ(ftruncate(fd, (off_t)1 << 60), 0);			/* a hole costs nothing */
	EQ(pwrite(fd, "x", 1, ((off_t)1 << 60) - 1), 1);
	EQ(blocks(fd), 1);
	EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, LLONG_MAX), 0);
	EQ(blocks(fd), 0);
	close(fd);
	unlink("/dev/shm/memfd-test");
}

/* The hole is zeros for whoever maps or reads it; who had written to a private mapping keeps that. */
TEST(punch_hole)
{
	int fd = filled(6), status;
	char *p = map_fd(fd, 6, RW, MAP_SHARED), *copy = map_fd(fd, 6, RW, MAP_PRIVATE), byte;

	for (int i = 0; i < 6; i++)
		CHECK(p[i * PAGE] == i + 1 && copy[i * PAGE] == i + 1);
	copy[2 * PAGE] = 77;
	CHILD(status) {						/* it has the mappings too, and makes the hole */
		EQ(p[2 * PAGE], 3);
		EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, PAGE - 1, 3 * PAGE + 2), 0);
		EQ(p[2 * PAGE], 0);
	}
	EQ(status, 0);
	EQ(blocks(fd), 4);					/* the child has looked into it */
	EQ(size_of(fd), 6 * PAGE);
	for (int i = 0; i < 6 * PAGE; i += 1) {
		int hole = i >= PAGE - 1 && i <= 4 * PAGE, was = i / PAGE + 1;
		if (p[i] != (hole ? 0 : was) || copy[i] != (i == 2 * PAGE ? 77 : i / PAGE == 2 ? 3 : hole ? 0 : was)) {
			FAIL("byte %d: %d and %d", i, p[i], copy[i]);
			break;
		}
	}
	p[2 * PAGE + 1] = 5;					/* there is room in it for something new */
	EQ(pread(fd, &byte, 1, 2 * PAGE + 1), 1);
	EQ(byte, 5);
	EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 10, 20), 0);	/* within one page */
	CHECK(p[9] == 1 && p[10] == 0 && p[29] == 0 && p[30] == 1);
	EQ(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 5 * PAGE, 100 * PAGE), 0);
	EQ(size_of(fd), 6 * PAGE);
	EQ(p[5 * PAGE], 0);
	munmap(p, 6 * PAGE);
	munmap(copy, 6 * PAGE);
	close(fd);
}

TEST(remove_by_madvise)
{
	char *p = map_anon(4 * PAGE, MAP_SHARED), *q;
	int status, fd = filled(4);

	memset(p, 1, 4 * PAGE);
	CHILD(status)
		EQ(madvise(p + PAGE, 2 * PAGE, MADV_REMOVE), 0);
	EQ(status, 0);
	CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 0 && p[3 * PAGE] == 1);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	EQ(madvise(p, PAGE, MADV_REMOVE), 0);			/* it could be made writable again */
	EQ(p[0], 0);
	EQ(mprotect(p, PAGE, PROT_NONE), 0);
	EQ(madvise(p, PAGE, MADV_REMOVE), 0);
	munmap(p + PAGE, PAGE);
	FAILS(madvise(p, 4 * PAGE, MADV_REMOVE), ENOMEM);
	EQ(p[3 * PAGE], 0);					/* all the same */
	FAILS(madvise(p + 1, PAGE, MADV_REMOVE), EINVAL);
	munmap(p, 4 * PAGE);
	p = map_anon(2 * PAGE, MAP_PRIVATE);
	FAILS(madvise(p, PAGE, MADV_REMOVE), EINVAL);
	munmap(p, 2 * PAGE);
	p = map_fd(fd, 4, RW, MAP_SHARED);
	q = map_fd(fd, 4, RW, MAP_PRIVATE);
	FAILS(madvise(q, PAGE, MADV_REMOVE), EACCES);
	q[0] = 9;
	EQ(q[PAGE], 2);
	EQ(madvise(p, 2 * PAGE, MADV_REMOVE), 0);
	EQ(blocks(fd), 2);
	CHECK(q[0] == 9 && q[PAGE] == 0 && q[2 * PAGE] == 3);
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
	close(fd);
}

/* Cutting takes private copies away too: the other way. */
TEST(truncate_takes_all)
{
	int fd = filled(3);
	char *p = map_fd(fd, 3, RW, MAP_SHARED), *copy = map_fd(fd, 3, RW, MAP_PRIVATE);

	copy[2 * PAGE] = 77;
	EQ(ftruncate(fd, PAGE + 1), 0);
	REFUSED((void)*(volatile char *)(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	REFUSED((void)*(volatile char *)(copy + 2 * PAGE), SIGBUS, BUS_ADRERR, copy + 2 * PAGE);
	CHECK(p[PAGE] == 2 && p[PAGE + 1] == 0);
	EQ(ftruncate(fd, 3 * PAGE), 0);
	EQ(copy[2 * PAGE], 0);
	munmap(p, 3 * PAGE);
	munmap(copy, 3 * PAGE);
	close(fd);
}

TEST(advice_about_files)
{
	int fd = filled(1), pipes[2];

	for (int advice = 0; advice < 6; advice++)
		EQ(syscall(SYS_fadvise64, fd, 0, PAGE, advice), 0);
	EQ(syscall(SYS_fadvise64, fd, 100 * PAGE, 0, POSIX_FADV_WILLNEED), 0);
	EQ(syscall(SYS_fadvise64, fd, -(long)PAGE, (long)PAGE, POSIX_FADV_DONTNEED), 0);
	FAILS(syscall(SYS_fadvise64, fd, 0L, -1L, POSIX_FADV_NORMAL), EINVAL);
	FAILS(syscall(SYS_fadvise64, fd, 0, PAGE, 6), EINVAL);
	FAILS(syscall(SYS_fadvise64, fd, 0, PAGE, -1), EINVAL);
	FAILS(syscall(SYS_fadvise64, -1, 0L, -1L, 6), EBADF);
	close(fd);
	EQ(pipe(pipes), 0);
	FAILS(syscall(SYS_fadvise64, pipes[0], 0L, -1L, 6), ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/tmp", O_PATH);
	FAILS(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_NORMAL), EBADF);
	close(fd);
}

TEST(offsets_of_mappings)
{
	int fd = filled(1);
	const unsigned long end = 1ul << 63;

	FAILS(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, end), EOVERFLOW);
	FAILS(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, -(long)PAGE), EOVERFLOW);
	FAILS(syscall(SYS_mmap, 0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, -(long)PAGE), EOVERFLOW);
	FAILS(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, end - PAGE), EOVERFLOW);
	FAILS(syscall(SYS_mmap, 0, PAGE + 1, PROT_READ, MAP_SHARED, fd, end - 2 * PAGE), EOVERFLOW);
	FAILS(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, end - 1), EINVAL);
	long at = syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, end - 2 * PAGE);
	CHECK(at > 0);
	REFUSED((void)*(volatile char *)at, SIGBUS, BUS_ADRERR, (void *)at);
	munmap((void *)at, PAGE);
	at = syscall(SYS_mmap, 0, PAGE, PROT_READ, ANON, -1L, end);
	CHECK(at > 0);
	munmap((void *)at, PAGE);
	close(fd);
}

TEST(names_in_maps)
{
	int fd = make_memfd("the name", 0), zero = open("/dev/zero", O_RDWR);
	struct stat st;
	char inode[64];
	char *p;

	EQ(ftruncate(fd, 4 * PAGE), 0);
	p = map_fd(fd, 2, RW, MAP_SHARED);
	expect_name(p, "   /memfd:the name (deleted)");
	EQ(fstat(fd, &st), 0);
	snprintf(inode, sizeof inode, " %lu ", (unsigned long)st.st_ino);
	CHECK(strstr(line_of(p), inode));
	munmap(p, 2 * PAGE);
	p = map_fd(-1, 2, RW, MAP_SHARED | MAP_ANONYMOUS);
	expect_name(p, "   /dev/zero (deleted)");
	munmap(p, 2 * PAGE);
	p = map_fd(zero, 2, RW, MAP_SHARED);
	expect_name(p, "   /dev/zero (deleted)");
	munmap(p, 2 * PAGE);
	close(zero);
	close(fd);
}

/* shm_open of libc: a file in /dev/shm. */
TEST(posix_shared_memory)
{
	int status, fd = shm_open("/memfd-test", O_RDWR | O_CREAT | O_EXCL, 0600);
	char *p;

	NEED(fd >= 0);
	FAILS(shm_open("/memfd-test", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	EQ(ftruncate(fd, 2 * PAGE), 0);
	p = map_fd(fd, 2, RW, MAP_SHARED);
	close(fd);
	expect_name(p, "   /dev/shm/memfd-test");
	CHILD(status) {
		int other = shm_open("/memfd-test", O_RDWR, 0);
		char *q = map_fd(other, 2, RW, MAP_SHARED);
		q[PAGE] = 42;
	}
	EQ(status, 0);
	EQ(p[PAGE], 42);
	EQ(rename("/dev/shm/memfd-test", "/dev/shm/memfd-new"), 0);
	expect_name(p, "   /dev/shm/memfd-new");
	EQ(shm_unlink("/memfd-new"), 0);
	FAILS(shm_open("/memfd-new", O_RDWR, 0), ENOENT);
	expect_name(p, "   /dev/shm/memfd-new (deleted)");
	EQ(p[PAGE], 42);
	munmap(p, 2 * PAGE);
}

static long status_kb(const char *what)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");
	NEED(f);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, what, strlen(what)))
			kb = atol(line + strlen(what));
	fclose(f);
	return kb;
}

TEST(resident_memory_by_kind)
{
	enum { KB = 1024, SIZE = 1024 * KB };
	int fd = make_memfd("x", 0);
	long anonymous = status_kb("RssAnon:"), files = status_kb("RssFile:"), shared = status_kb("RssShmem:");
	char *p, *q, *r;

	EQ(ftruncate(fd, SIZE), 0);
	p = map_fd(fd, SIZE / PAGE, RW, MAP_SHARED);
	memset(p, 1, SIZE);
	CHECK(labs(status_kb("RssShmem:") - shared - SIZE / KB) <= 64);
	CHECK(labs(status_kb("RssAnon:") - anonymous) <= 64);
	CHECK(labs(status_kb("RssFile:") - files) <= 64);
	q = map_fd(fd, SIZE / PAGE, RW, MAP_PRIVATE);
	memset(q, 2, SIZE / 2);					/* private copies of it */
	CHECK(labs(status_kb("RssAnon:") - anonymous - SIZE / 2 / KB) <= 64);
	r = map_anon(SIZE, MAP_SHARED);
	memset(r, 1, SIZE);
	CHECK(labs(status_kb("RssShmem:") - shared - 2 * SIZE / KB) <= 64);
	munmap(p, SIZE);
	munmap(q, SIZE);
	munmap(r, SIZE);
	CHECK(labs(status_kb("RssShmem:") - shared) <= 64);
	close(fd);
}

FAULTLINE_TEST(allocate_on_the_image)
{
	int fd = open("/memfd-test", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char byte = 1;

	NEED(fd >= 0);
	FAILS(fallocate(fd, KEEP_SIZE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, 0, 0, (off_t)1 << 33), EFBIG);
	if (fallocate(fd, 0, 5, 2 * PAGE)) {
		EQ(errno, ENOSPC);
	} else {
		EQ(size_of(fd), 2 * PAGE + 5);
		EQ(fallocate(fd, 0, 0, PAGE), 0);
		EQ(size_of(fd), 2 * PAGE + 5);
		EQ(pread(fd, &byte, 1, 2 * PAGE + 4), 1);
		EQ(byte, 0);
		char *p = map_fd(fd, 3, RW, MAP_SHARED);
		p[PAGE] = 7;
		FAILS(madvise(p, PAGE, MADV_REMOVE), EOPNOTSUPP);
		EQ(p[PAGE], 7);
		expect_name(p, "   /memfd-test");
		unlink("/memfd-test");
		expect_name(p, "   /memfd-test (deleted)");
		munmap(p, 3 * PAGE);
	}
	close(fd);
	unlink("/memfd-test");
}
