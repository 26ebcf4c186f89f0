/*
 * tests/guest/errno_files.c - what calls on descriptors answer, row by row.
 */
#include "rows.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>

static char buffer[3 * PAGE];
static long data;			/* the same as a number */
static int both, reads, writes, path, dir, ends[2], null;
static int none;			/* a page that is not there comes after `edge` */
static long edge;

static void prepare(void)
{
	data = P(buffer);
	rows_enter();
	both = rows_file("f", O_RDWR, 100);
	reads = open("f", O_RDONLY);
	writes = open("f", O_WRONLY);
	path = open("f", O_PATH);
	dir = open(".", O_RDONLY);
	null = open("/dev/null", O_RDWR);
	NEED(pipe2(ends, O_NONBLOCK) == 0);
	none = 1000;
	edge = P(map_anon(2 * PAGE, MAP_PRIVATE)) + PAGE;
	NEED(munmap((void *)edge, PAGE) == 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

TEST(read_and_write)
{
	prepare();
	IS(-EBADF, read, -1, data, 10);
	IS(-EBADF, read, none, data, 10);
	IS(-EBADF, read, writes, data, 10);
	IS(-EBADF, read, path, data, 10);
	IS(-EBADF, read, ends[1], data, 10);
	IS(-EISDIR, read, dir, data, 10);
	IS(-EFAULT, read, both, -1, 10);
	IS(-EFAULT, read, both, nowhere, 10);
	IS(-EFAULT, read, both, kernels, 10);
	IS(-EFAULT, read, both, data, -1);
	IS(-EAGAIN, read, ends[0], data, 10);
	IS(-EAGAIN, read, ends[0], nowhere, 10);
	IS(0, read, both, data, 0);
	IS(0, read, both, nowhere, 0);
	IS(0, read, ends[0], data, 0);
	IS(-EISDIR, read, dir, data, 0);
	IS(100, read, both, data, 4096);
	IS(0, read, both, data, 10);
	IS(0, read, both, nowhere, 10);
	IS(-EBADF, write, -1, data, 10);
	IS(-EBADF, write, reads, data, 10);
	IS(-EBADF, write, path, data, 10);
	IS(-EBADF, write, dir, data, 10);
	IS(-EBADF, write, ends[0], data, 10);
	IS(-EFAULT, write, both, nowhere, 10);
	IS(-EFAULT, write, both, kernels, 10);
	IS(-EFAULT, write, both, data, -1);
	IS(-EFAULT, write, both, edge, 1);
	IS(0, write, both, data, 0);
	IS(-EFAULT, write, ends[1], edge, 1);
	IS(0, write, null, data, 0);
	IS(10, write, null, data, 10);
	IS(10, write, null, nowhere, 10);
	IS(-EFAULT, write, null, kernels, 10);
	IS(65536, fcntl, ends[1], F_GETPIPE_SZ);
	for (int i = 0; i < 16; i++)
		IS(PAGE, write, ends[1], data, PAGE);
	IS(-EAGAIN, write, ends[1], data, 1);
	IS(-EAGAIN, write, ends[1], nowhere, 1);
	IS(0, close, ends[0]);
	IS(-EPIPE, write, ends[1], data, 1);
	IS(0, write, ends[1], data, 0);
	int full = open("/dev/full", O_RDWR);
	IS(-ENOSPC, write, full, data, 1);
	IS(10, read, full, data, 10);
	rows_leave();
}

TEST(pread_and_pwrite)
{
	prepare();
	IS(-EBADF, pread64, -1, data, 10, 0);
	IS(-EBADF, pread64, writes, data, 10, 0);
	IS(-EINVAL, pread64, both, data, 10, -1);
	IS(-EINVAL, pread64, -1, data, 10, -1);
	IS(-EISDIR, pread64, dir, data, 10, 0);
	IS(-ESPIPE, pread64, ends[0], data, 10, 0);
	IS(-EFAULT, pread64, both, nowhere, 10, 0);
	IS(0, pread64, both, data, 10, 100);
	IS(0, pread64, both, data, 10, LONG_MAX - 10);
	IS(50, pread64, both, data, 100, 50);
	IS(-EBADF, pwrite64, -1, data, 10, 0);
	IS(-EBADF, pwrite64, reads, data, 10, 0);
	IS(-EINVAL, pwrite64, both, data, 10, -1);
	IS(-ESPIPE, pwrite64, ends[1], data, 10, 0);
	IS(-EFAULT, pwrite64, both, nowhere, 10, 0);
	IS(-EBADF, pwrite64, dir, data, 10, 0);
	IS(0, pwrite64, both, data, 0, 0);
	IS(-EINVAL, pwrite64, both, data, 10, LONG_MAX - 1);
	IS(10, pwrite64, both, data, 10, 1000);
	IS(0, lseek, both, 0, SEEK_CUR);
	rows_leave();
}

TEST(vectors)
{
	struct iovec good[2] = { { buffer, 10 }, { buffer + 10, 10 } }, bad[2] = { { buffer, 10 }, { (void *)nowhere, 10 } }, wrong[2] = { { buffer, 10 }, { buffer, (size_t)-1 } },
		none_of[2] = { { NULL, 0 }, { NULL, 0 } }, bad_first[2] = { { (void *)nowhere, 10 }, { buffer, 10 } }, large[2] = { { buffer, LONG_MAX }, { buffer, LONG_MAX } };

	prepare();
	IS(20, readv, both, P(good), 2);
	IS(-EBADF, readv, -1, P(good), 2);
	IS(-EBADF, readv, writes, P(good), 2);
	IS(-EINVAL, readv, both, P(good), -1);
	IS(-EINVAL, readv, both, P(good), 1025);
	IS(0, readv, both, P(good), 0);
	IS(0, readv, both, nowhere, 0);
	IS(0, readv, both, P(none_of), 2);
	IS(-EINVAL, readv, both, P(wrong), 2);
	IS(-EFAULT, readv, both, P(large), 2);
	IS(-EFAULT, readv, both, nowhere, 1);
	IS(-EFAULT, readv, both, P(bad_first), 2);
	IS(10, readv, both, P(bad), 2);
	IS(-EISDIR, readv, dir, P(good), 2);
	IS(-EAGAIN, readv, ends[0], P(good), 2);
	IS(-EBADF, writev, -1, P(good), 2);
	IS(-EBADF, writev, reads, P(good), 2);
	IS(-EINVAL, writev, both, P(good), -1);
	IS(-EINVAL, writev, both, P(good), 1025);
	IS(0, writev, both, P(good), 0);
	IS(-EINVAL, writev, both, P(wrong), 2);
	IS(-EFAULT, writev, both, nowhere, 1);
	IS(-EFAULT, writev, both, P(bad_first), 2);
	IS(0, writev, ends[1], P(none_of), 2);
	IS(-EINVAL, preadv, both, P(good), 2, -1, 0);
	IS(-EINVAL, preadv, both, P(good), -1, 0, 0);
	IS(-EBADF, preadv, -1, P(good), 2, 0, 0);
	IS(-EBADF, preadv, writes, P(good), 2, 0, 0);
	IS(-EISDIR, preadv, dir, P(good), 2, 0, 0);
	IS(-ESPIPE, preadv, ends[0], P(good), 2, 0, 0);
	IS(-EFAULT, preadv, both, P(bad_first), 2, 0, 0);
	IS(20, preadv, both, P(good), 2, 0, 0);
	IS(-EINVAL, pwritev, both, P(good), 2, -1, 0);
	IS(-EBADF, pwritev, reads, P(good), 2, 0, 0);
	IS(-ESPIPE, pwritev, ends[1], P(good), 2, 0, 0);
	IS(20, pwritev, both, P(good), 2, 0, 0);
	IS(20, preadv2, both, P(good), 2, 0, 0, 0);
	IS(-EOPNOTSUPP, preadv2, both, P(good), 2, 0, 0, -1);
	IS(-EOPNOTSUPP, preadv2, both, P(good), 2, 0, 0, 0x1000);
	IS(-EINVAL, preadv2, both, P(good), 2, -2, 0, 0);
	IS(-EBADF, preadv2, -1, P(good), 2, 0, 0, 0x1000);
	IS(-ESPIPE, preadv2, ends[0], P(good), 2, 0, 0, 0);
	IS(-EAGAIN, preadv2, ends[0], P(good), 2, -1, 0, 0);
	IS(20, preadv2, both, P(good), 2, 0, 0, 1);			/* RWF_HIPRI */
	IS(20, pwritev2, both, P(good), 2, 0, 0, 2);			/* RWF_DSYNC */
	IS(20, pwritev2, both, P(good), 2, 0, 0, 4);			/* RWF_SYNC */
	IS(-EOPNOTSUPP, pwritev2, both, P(good), 2, 0, 0, -1);
	IS(0, ftruncate, both, 100);
	IS(20, pwritev2, both, P(good), 2, 0, 0, 16);			/* RWF_APPEND: at the end, whatever the position is */
	IS(120, lseek, both, 0, SEEK_END);
	rows_leave();
}

TEST(lseek)
{
	prepare();
	IS(-EBADF, lseek, -1, 0, SEEK_SET);
	IS(-EBADF, lseek, path, 0, SEEK_SET);
	IS(-EINVAL, lseek, both, 0, -1);
	IS(-EINVAL, lseek, both, 0, 5);
	IS(-EINVAL, lseek, both, -1, SEEK_SET);
	IS(-EINVAL, lseek, both, -101, SEEK_END);
	IS(0, lseek, both, -100, SEEK_END);
	IS(LONG_MAX, lseek, both, LONG_MAX, SEEK_SET);
	IS_EITHER(-EOVERFLOW, -EINVAL, lseek, both, LONG_MAX, SEEK_CUR);
	IS(-ESPIPE, lseek, ends[0], 0, SEEK_SET);
	IS(-ESPIPE, lseek, ends[1], 0, SEEK_CUR);
	IS(-EINVAL, lseek, ends[1], 0, 7);
	IS(-EBADF, lseek, 1000, 0, 7);
	IS(-ENXIO, lseek, both, 100, SEEK_DATA);
	IS(-ENXIO, lseek, both, 100, SEEK_HOLE);
	IS(-ENXIO, lseek, both, -1, SEEK_DATA);
	IS(-ENXIO, lseek, both, 0, SEEK_DATA);
	IS(5, pwrite64, both, data, 5, 0);
	IS(0, lseek, both, 0, SEEK_DATA);
	IS(100, lseek, both, 0, SEEK_HOLE);
	IS(DONE, lseek, null, 0, SEEK_SET);
	rows_leave();
}

TEST(holes)
{
	prepare();
	IS(0, ftruncate, both, 0);
	IS(0, ftruncate, both, 16 * PAGE);
	IS(10, pwrite64, both, data, 10, 4 * PAGE);
	IS(10, pwrite64, both, data, 10, 10 * PAGE + 100);
	IS(0, lseek, both, 0, SEEK_HOLE);
	IS(4 * PAGE, lseek, both, 0, SEEK_DATA);
	IS(4 * PAGE + 7, lseek, both, 4 * PAGE + 7, SEEK_DATA);
	IS(5 * PAGE, lseek, both, 4 * PAGE, SEEK_HOLE);
	IS(5 * PAGE, lseek, both, 5 * PAGE, SEEK_HOLE);
	IS(5 * PAGE + 9, lseek, both, 5 * PAGE + 9, SEEK_HOLE);
	IS(10 * PAGE, lseek, both, 5 * PAGE, SEEK_DATA);
	IS(11 * PAGE, lseek, both, 10 * PAGE, SEEK_HOLE);
	IS(-ENXIO, lseek, both, 11 * PAGE, SEEK_DATA);
	rows_leave();
}

TEST(dup_and_fcntl)
{
	struct rlimit few = { 64, 64 };
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, wrong = { .l_type = 7, .l_whence = SEEK_SET }, whence = { .l_type = F_RDLCK, .l_whence = 9 },
		before = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = -5 };

	prepare();
	IS(-EBADF, dup, -1);
	IS(-EBADF, dup, none);
	IS(-EBADF, dup2, -1, 30);
	IS(-EBADF, dup2, both, -1);
	IS(-EBADF, dup2, none, none);
	IS(both, dup2, both, both);
	IS(30, dup2, both, 30);
	IS(30, dup2, path, 30);
	IS(-EINVAL, dup3, both, both, 0);
	IS(-EINVAL, dup3, both, 30, -1);
	IS(-EINVAL, dup3, both, 30, O_APPEND);
	IS(-EBADF, dup3, -1, 30, 0);
	IS(-EBADF, dup3, none, 30, 0);
	IS(-EBADF, dup3, both, -1, 0);
	IS(31, dup3, both, 31, O_CLOEXEC);
	IS(FD_CLOEXEC, fcntl, 31, F_GETFD);
	IS(0, fcntl, 30, F_GETFD);
	NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
	IS(-EBADF, dup2, both, 64);
	IS(-EBADF, dup2, both, INT_MAX);
	IS(-EBADF, dup3, both, 64, 0);
	IS(-EINVAL, fcntl, both, F_DUPFD, 64);
	IS(-EINVAL, fcntl, both, F_DUPFD, -1);
	IS(-EBADF, fcntl, none, F_DUPFD, -1);
	IS(63, fcntl, both, F_DUPFD, 63);
	IS(-EMFILE, fcntl, both, F_DUPFD, 63);
	IS(-EINVAL, fcntl, both, F_DUPFD_CLOEXEC, 1000000);
	IS(-EBADF, fcntl, -1, F_GETFL);
	IS(-EINVAL, fcntl, both, -1);
	IS(-EINVAL, fcntl, both, 999);
	IS(-EBADF, fcntl, -1, 999);
	IS(O_RDWR | 0100000, fcntl, both, F_GETFL);
	IS(O_PATH, fcntl, path, F_GETFL);
	IS(-EBADF, fcntl, path, F_SETFL, O_NONBLOCK);
	IS(0, fcntl, both, F_SETFL, O_APPEND | O_NONBLOCK | O_CREAT | O_TRUNC | O_WRONLY);
	IS(O_RDWR | O_APPEND | O_NONBLOCK | 0100000, fcntl, both, F_GETFL);
	IS(0, fcntl, both, F_SETFL, 0);
	IS(-EFAULT, fcntl, both, F_SETLK, nowhere);
	IS(-EFAULT, fcntl, both, F_GETLK, nowhere);
	IS(-EINVAL, fcntl, both, F_SETLK, P(&wrong));
	IS(-EINVAL, fcntl, both, F_GETLK, P(&wrong));
	IS(-EINVAL, fcntl, both, F_SETLK, P(&whence));
	IS(-EINVAL, fcntl, both, F_SETLK, P(&before));
	IS(-EBADF, fcntl, reads, F_SETLK, P(&lock));
	IS(0, fcntl, writes, F_SETLK, P(&lock));
	IS(0, fcntl, both, F_GETOWN);
	IS(0, fcntl, ends[0], F_SETOWN, getpid());
	IS(getpid(), fcntl, ends[0], F_GETOWN);
	IS(-ESRCH, fcntl, ends[0], F_SETOWN, 999999);
	IS(-ESRCH, fcntl, ends[0], F_SETOWN, -999999);
	IS(-EINVAL, fcntl, ends[0], F_SETOWN, INT_MIN);
	IS(0, fcntl, ends[0], F_SETOWN, 0);
	IS(0, fcntl, ends[0], F_SETSIG, SIGUSR1);
	IS(SIGUSR1, fcntl, ends[0], F_GETSIG);
	IS(-EINVAL, fcntl, ends[0], F_SETSIG, 65);
	IS(-EINVAL, fcntl, ends[0], F_SETSIG, -1);
	IS(-EBADF, fcntl, both, F_GETPIPE_SZ);
	IS(-EBADF, fcntl, both, F_SETPIPE_SZ, 4096);
	IS(4096, fcntl, ends[0], F_SETPIPE_SZ, 1);
	IS(-EINVAL, fcntl, ends[0], F_SETPIPE_SZ, (1l << 31) + 1);
	IS(8192, fcntl, ends[0], F_SETPIPE_SZ, 4097);
	IS(8192, fcntl, ends[1], F_GETPIPE_SZ);
	IS(DONE, write, ends[1], data, 8192);
	IS(-EBUSY, fcntl, ends[1], F_SETPIPE_SZ, 4096);
	AS_NOBODY(IS(-EPERM, fcntl, ends[1], F_SETPIPE_SZ, 2 << 20));
	IS(-EBADF, close, none);
	IS(-EBADF, close, -1);
	IS(0, close, 30);
	IS(-EBADF, close, 30);
	IS(-EINVAL, close_range, 10, 9, 0);
	IS(-EINVAL, close_range, 40, 50, 1);
	IS(0, close_range, 40, 50, 0);
	IS(0, close_range, 40, -1, 4);
	IS(FD_CLOEXEC, fcntl, 63, F_GETFD);
	rows_leave();
}

TEST(pipes)
{
	int two[2];
	struct rlimit few = { 0, 0 };

	prepare();
	IS(-EFAULT, pipe, nowhere);
	IS(-EFAULT, pipe, 0);
	IS(-EFAULT, pipe2, 0, O_CLOEXEC);
	IS(-EINVAL, pipe2, P(two), -1);
	IS(-EINVAL, pipe2, P(two), O_APPEND);
	IS(0, pipe2, P(two), O_CLOEXEC | O_NONBLOCK);
	IS(FD_CLOEXEC, fcntl, two[0], F_GETFD);
	IS(O_NONBLOCK | O_WRONLY, fcntl, two[1], F_GETFL);
	IS(0, pipe2, P(two), O_DIRECT);
	IS(O_DIRECT | O_WRONLY, fcntl, two[1], F_GETFL);
	IS(5, write, two[1], data, 5);
	IS(6, write, two[1], data, 6);
	IS(5, read, two[0], data, 100);		/* a packet at a time */
	IS(2, read, two[0], data, 2);
	IS(7, write, two[1], data, 7);
	IS(7, read, two[0], data, 100);
	few.rlim_cur = few.rlim_max = (rlim_t)two[1] + 1;
	NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (int fd = 3; fd <= two[1]; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			dup(null);
	IS(-EMFILE, pipe, P(two));
	IS(-EMFILE, dup, both);
	IS(-EMFILE, open, P("f"), O_RDONLY);
	IS(0, close, both);
	IS(-EMFILE, pipe, P(two));
	IS(both, dup, null);
	rows_leave();
}

TEST(truncate_and_allocate)
{
	struct rlimit small = { 1 << 20, 1 << 20 };

	prepare();
	IS(-EBADF, ftruncate, -1, 0);
	IS(-EBADF, ftruncate, none, 0);
	IS(-EBADF, ftruncate, path, 0);
	IS(-EINVAL, ftruncate, reads, 0);
	IS(-EINVAL, ftruncate, both, -1);
	IS(-EINVAL, ftruncate, none, -1);
	IS(-EINVAL, ftruncate, ends[1], 0);
	IS(-EINVAL, ftruncate, dir, 0);
	IS(0, ftruncate, writes, 200);
	IS(-EINVAL, truncate, P("f"), -1);
	IS(-EISDIR, truncate, P("."), 0);
	IS(-ENOENT, truncate, P(""), 0);
	IS(-ENOENT, truncate, P("no"), 0);
	IS(-ENOTDIR, truncate, P("f/x"), 0);
	IS(-EFAULT, truncate, nowhere, 0);
	IS(-EINVAL, truncate, P("/dev/null"), 0);
	AS_NOBODY(IS(-EACCES, truncate, P("f"), 0));
	IS(-EBADF, fallocate, -1, 0, 0, 10);
	IS(-EBADF, fallocate, reads, 0, 0, 10);
	IS(-EBADF, fallocate, path, 0, 0, 10);
	IS(-EINVAL, fallocate, both, 0, -1, 10);
	IS(-EINVAL, fallocate, both, 0, 0, -1);
	IS(-EINVAL, fallocate, both, 0, 0, 0);
	IS(-EINVAL, fallocate, reads, 0, 0, 0);
	IS(-EFBIG, fallocate, both, 0, LONG_MAX, 10);
	IS(-EFBIG, fallocate, both, 0, LONG_MAX - 4096, 8192);
	IS(-EOPNOTSUPP, fallocate, both, 2, 0, 10);
	IS(-EOPNOTSUPP, fallocate, both, 0x1000, 0, 10);
	IS(-ESPIPE, fallocate, ends[1], 0, 0, 10);
	IS(-ENODEV, fallocate, null, 0, 0, 10);
	IS(0, fallocate, both, 0, 0, 1000);
	IS(0, fallocate, both, 1, 0, 5000);
	IS(1000, lseek, both, 0, SEEK_END);
	IS(0, fallocate, both, 3, 0, 4096);
	NEED(setrlimit(RLIMIT_FSIZE, &small) == 0);
	IS(-EFBIG, fallocate, both, 0, 1 << 20, 4096);
	IS(-EFBIG, ftruncate, both, 2 << 20);
	IS(-EFBIG, truncate, P("f"), 2 << 20);
	NEED(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100, small.rlim_max }) == 0);
	IS(0, ftruncate, both, 900);				/* over the limit, but it does not grow */
	IS(0, truncate, P("f"), 800);
	IS(-EFBIG, ftruncate, both, 801);
	NEED(setrlimit(RLIMIT_FSIZE, &small) == 0);
	IS(10, pwrite64, both, data, 100, (1 << 20) - 10);
	IS(-EFBIG, pwrite64, both, data, 100, 1 << 20);
	IS(0, fsync, both);
	IS(-EBADF, fsync, -1);
	IS(-EBADF, fsync, path);
	IS(-EINVAL, fsync, ends[0]);
	IS(-EINVAL, fdatasync, null);
	IS(-EBADF, fdatasync, -1);
	IS(0, fdatasync, dir);
	IS(-EBADF, syncfs, -1);
	IS(0, syncfs, both);
	IS(0, sync_file_range, both, 0, 0, 7);
	IS(-EINVAL, sync_file_range, both, 0, 0, 8);
	IS(-EINVAL, sync_file_range, both, -1, 0, 1);
	IS(-EINVAL, sync_file_range, both, 0, -1, 1);
	IS(-ESPIPE, sync_file_range, ends[0], 0, 0, 1);
	IS(-EBADF, sync_file_range, -1, 0, 0, 1);
	IS(-EBADF, fadvise64, -1, 0, 0, 0);
	IS(-ESPIPE, fadvise64, ends[0], 0, 0, 0);
	IS(-EINVAL, fadvise64, both, 0, 0, 6);
	IS(-EINVAL, fadvise64, both, 0, 0, -1);
	IS(-EINVAL, fadvise64, both, 0, -1, 0);
	IS(0, fadvise64, both, 0, 0, 4);
	IS(-EBADF, readahead, -1, 0, 0);
	IS(-EBADF, readahead, writes, 0, 0);
	IS(-EINVAL, readahead, ends[0], 0, 0);
	IS(-EINVAL, readahead, dir, 0, 0);
	IS(0, readahead, both, 0, 100);
	rows_leave();
}

TEST(directories)
{
	prepare();
	IS(DONE, getdents64, dir, data, 4096);
	IS(0, getdents64, dir, data, 4096);
	IS(0, lseek, dir, 0, SEEK_SET);
	IS(-EINVAL, getdents64, dir, data, 1);
	IS(-EINVAL, getdents64, dir, data, 0);
	IS(-EINVAL, getdents, dir, data, 1);
	IS(-EFAULT, getdents64, dir, nowhere, 4096);
	IS(-EFAULT, getdents, dir, nowhere, 4096);
	IS(-EBADF, getdents64, -1, data, 4096);
	IS(-EBADF, getdents, none, data, 4096);
	IS(-ENOTDIR, getdents64, both, data, 4096);
	IS(-ENOTDIR, getdents, ends[0], data, 4096);
	IS(0, mkdir, P("gone"), 0755);
	int gone = open("gone", O_RDONLY);
	IS(0, rmdir, P("gone"));
	IS(-ENOENT, getdents64, gone, data, 4096);
	IS(-ENOENT, getdents, gone, data, 4096);
	IS(-ENOENT, openat, gone, P("x"), O_CREAT | O_RDWR, 0600);
	IS(-ENOENT, mkdirat, gone, P("x"), 0700);
	IS(0, fchdir, gone);
	IS(-ENOENT, getcwd, data, 100);
	IS(-ENOENT, open, P("x"), O_CREAT | O_RDWR, 0600);
	IS(-ENOENT, mkdir, P("x"), 0600);
	IS(DONE, open, P("."), O_RDONLY);
	IS(0, chdir, P(".."));
	rows_leave();
}

TEST(ioctl)
{
	int number = 0;

	prepare();
	IS(-EBADF, ioctl, -1, FIONREAD, P(&number));
	IS(-EBADF, ioctl, path, FIONREAD, P(&number));
	IS(-EBADF, ioctl, path, FIOCLEX, 0);
	IS(-ENOTTY, ioctl, both, TCGETS, data);
	IS(-ENOTTY, ioctl, both, 0xdead, data);
	IS(-ENOTTY, ioctl, ends[0], TCGETS, data);
	IS(-ENOTTY, ioctl, null, TCGETS, data);
	IS(-ENOTTY, ioctl, dir, TCGETS, data);
	IS(-EFAULT, ioctl, both, FIONREAD, nowhere);
	IS(-EFAULT, ioctl, ends[0], FIONREAD, nowhere);
	IS(-EFAULT, ioctl, both, FIONBIO, nowhere);
	IS(0, ioctl, both, FIONREAD, P(&number));
	EQ(number, 100);
	IS(0, ioctl, both, FIOCLEX, 0);
	IS(FD_CLOEXEC, fcntl, both, F_GETFD);
	IS(0, ioctl, both, FIONCLEX, 0);
	IS(0, fcntl, both, F_GETFD);
	IS(0, ioctl, both, 2, P(&number));
	rows_leave();
}

TEST(poll_and_select)
{
	struct pollfd p[2] = { { both, POLLIN, 0 }, { -1, POLLIN, 0 } };
	struct timespec soon = { 0, 0 }, wrong = { 0, 1000000000 }, negative = { -1, 0 };
	struct timeval odd = { 0, 2000000 }, minus = { -1, 0 }, zero = { 0, 0 };
	unsigned long set[16] = { 0 };
	struct rlimit few = { 64, 64 };

	prepare();
	p[0].fd = both;
	IS(1, poll, P(p), 2, 0);
	EQ(p[0].revents, POLLIN);
	EQ(p[1].revents, 0);
	IS(-EFAULT, poll, nowhere, 1, 0);
	IS(0, poll, nowhere, 0, 0);
	IS(-EINVAL, poll, P(p), -1, 0);
	IS(-EINVAL, ppoll, P(p), 1, P(&wrong), 0, 8);
	IS(-EINVAL, ppoll, P(p), 1, P(&negative), 0, 8);
	IS(-EINVAL, ppoll, P(p), 1, P(&soon), data, 4);
	IS(-EFAULT, ppoll, P(p), 1, nowhere, 0, 8);
	IS(-EFAULT, ppoll, P(p), 1, P(&soon), nowhere, 8);
	IS(1, ppoll, P(p), 1, P(&soon), 0, 77);
	p[0].fd = none;
	IS(1, poll, P(p), 1, 0);
	EQ(p[0].revents, POLLNVAL);
	IS(-EINVAL, select, -1, 0, 0, 0, P(&zero));
	IS(0, select, 0, 0, 0, 0, P(&zero));
	IS(-EFAULT, select, 8, nowhere, 0, 0, P(&zero));
	IS(-EFAULT, select, 8, 0, 0, 0, nowhere);
	IS(-EINVAL, select, 8, 0, 0, 0, P(&minus));
	set[0] = 1ul << both;
	IS(1, select, 64, P(set), 0, 0, P(&odd));
	set[0] = 1ul << 50;
	IS(-EBADF, select, 64, P(set), 0, 0, P(&zero));
	IS(-EINVAL, pselect6, 8, 0, 0, 0, P(&wrong), 0);
	IS(-EFAULT, pselect6, 8, 0, 0, 0, P(&soon), nowhere);
	NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
	IS(-EINVAL, poll, P(p), 65, 0);
	rows_leave();
}

TEST(copying)
{
	long at = 0, minus = -1;

	prepare();
	IS(-EBADF, sendfile, ends[1], writes, 0, 10);
	IS(-EBADF, sendfile, reads, both, 0, 10);
	IS(-EBADF, sendfile, -1, both, 0, 10);
	IS(-EBADF, sendfile, ends[1], -1, 0, 10);
	IS(-EFAULT, sendfile, ends[1], both, nowhere, 10);
	IS(-EINVAL, sendfile, ends[1], both, P(&minus), 10);
	IS(-ESPIPE, sendfile, null, ends[0], P(&at), 10);
	IS(10, sendfile, ends[1], both, P(&at), 10);
	EQ(at, 10);
	IS(0, lseek, both, 0, SEEK_CUR);
	int other = rows_file("g", O_RDWR, 0), append = rows_file("h", O_RDWR | O_APPEND, 0);
	IS(100, copy_file_range, both, 0, other, 0, 1000, 0);
	IS(-EINVAL, copy_file_range, both, 0, other, 0, 1000, 1);
	IS(-EBADF, copy_file_range, writes, 0, other, 0, 1000, 0);
	IS(-EBADF, copy_file_range, both, 0, reads, 0, 1000, 0);
	IS(-EBADF, copy_file_range, both, 0, append, 0, 1000, 0);
	IS(-EISDIR, copy_file_range, dir, 0, other, 0, 1000, 0);
	IS(-EINVAL, copy_file_range, both, 0, ends[1], 0, 1000, 0);
	at = 0;
	long to = 10;
	IS(-EINVAL, copy_file_range, both, P(&at), both, P(&to), 50, 0);
	IS(-EBADF, copy_file_range, -1, 0, other, 0, 10, 0);
	rows_leave();
}

TEST(file_systems)
{
	struct statfs s;

	prepare();
	IS(0, statfs, P("f"), P(&s));
	IS(-EFAULT, statfs, P("f"), nowhere);
	IS(-EFAULT, statfs, nowhere, P(&s));
	IS(-ENOENT, statfs, P(""), P(&s));
	IS(-ENOTDIR, statfs, P("f/x"), P(&s));
	IS(-EBADF, fstatfs, -1, P(&s));
	IS(-EFAULT, fstatfs, both, nowhere);
	IS(0, fstatfs, path, P(&s));
	IS(0, fstatfs, ends[0], P(&s));
	struct stat st;
	NEED(stat("f", &st) == 0);
	IS(0, ustat, st.st_dev, data);
	IS(-EINVAL, ustat, 0xffff, data);
	IS(-EFAULT, ustat, st.st_dev, nowhere);
	IS(DONE, sysfs, 3);
	IS(DONE, sysfs, 1, P("tmpfs"));
	IS(-EINVAL, sysfs, 1, P("no such thing"));
	IS(-EFAULT, sysfs, 1, nowhere);
	IS(0, sysfs, 2, 0, data);
	IS(-EINVAL, sysfs, 2, 1000, data);
	IS(-EFAULT, sysfs, 2, 0, nowhere);
	IS(-EINVAL, sysfs, 0);
	IS(-EINVAL, sysfs, 4);
	rows_leave();
}

TEST(descriptors_of_stat)
{
	struct stat st;

	prepare();
	IS(0, fstat, both, P(&st));
	IS(0, fstat, path, P(&st));
	IS(-EBADF, fstat, -1, P(&st));
	IS(-EFAULT, fstat, both, nowhere);
	IS(-EBADF, fchmod, -1, 0644);
	IS(-EBADF, fchmod, path, 0644);
	IS(-EBADF, fchown, -1, 0, 0);
	IS(-EBADF, fchown, path, 0, 0);
	IS(-EBADF, flock, -1, 1);
	IS(-EBADF, flock, path, 1);
	IS(-EINVAL, flock, both, 0);
	IS(-EINVAL, flock, both, 9);
	IS(0, flock, both, 2);
	IS(-EAGAIN, flock, reads, 1 | 4);
	IS(0, flock, both, 8);
	AS_NOBODY({
		IS(-EPERM, fchmod, both, 0644);
		IS(-EPERM, fchown, both, NOBODY, NOBODY);
	});
	rows_leave();
}
