/* tests/guest/splice.c - bytes that move from file to file: splice, tee, vmsplice, sendfile, copy_file_range; packets in pipes, preadv2's flags, holes. */
#include "tap.h"
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

enum { MOVE = 1, NONBLOCK = 2 };

static char big[1 << 20] __attribute__((aligned(4096)));

static int new_file(const char *text)
{
	char name[] = "/dev/shm/splice-XXXXXX";
	int fd = mkstemp(name);
	NEED(fd >= 0 && !unlink(name) && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static int queued(int fd)
{
	int n = -1;
	ioctl(fd, FIONREAD, &n);
	return n;
}

static const char *text_in(int fd, size_t n)
{
	static char text[256];
	ssize_t got = read(fd, text, n);
	text[got < 0 ? 0 : got] = 0;
	return text;
}
#define IS(got, text) do { const char *g_ = (got); if (strcmp(g_, text)) FAIL("\"%s\", not \"%s\"", g_, text); } while (0)

TEST(from_file_to_pipe_and_back)
{
	int p[2], in = new_file("hello world"), out = new_file("");
	loff_t at = 6;

	NEED(!pipe(p));
	EQ(splice(in, &at, p[1], NULL, 100, 0), 5);
	EQ(at, 11);
	EQ(lseek(in, 0, SEEK_CUR), 11);				/* its own position stays */
	EQ(splice(in, &at, p[1], NULL, 100, 0), 0);		/* the end */
	EQ(splice(p[0], NULL, out, NULL, 3, 0), 3);
	EQ(queued(p[0]), 2);
	EQ(splice(p[0], NULL, out, NULL, 100, 0), 2);
	EQ(lseek(out, 0, SEEK_CUR), 5);
	at = 10;
	NEED(write(p[1], "xyz", 3) == 3);
	EQ(splice(p[0], NULL, out, &at, 100, 0), 3);
	EQ(at, 13);
	EQ(lseek(out, 0, SEEK_END), 13);
	lseek(out, 0, SEEK_SET);
	IS(text_in(out, 5), "world");
	FAILS(splice(p[0], NULL, out, NULL, 10, NONBLOCK), EAGAIN);
	EQ(splice(p[0], NULL, out, NULL, 0, 0), 0);
	close(p[1]);
	EQ(splice(p[0], NULL, out, NULL, 10, 0), 0);		/* nobody writes any more */
}

TEST(much_through_a_pipe)
{
	int p[2], in = new_file(""), out = new_file("");
	static char back[sizeof big];

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 4096);
	NEED(write(in, big, sizeof big) == sizeof big && !lseek(in, 0, SEEK_SET) && !pipe(p));
	pid_t pid = fork();
	if (!pid) {
		close(p[0]);
		for (ssize_t n; (n = splice(in, NULL, p[1], NULL, sizeof big, 0)) > 0; )
			;
		_exit(0);
	}
	close(p[1]);
	size_t all = 0;
	for (ssize_t n; (n = splice(p[0], NULL, out, NULL, 12345, 0)) > 0; )
		all += (size_t)n;
	EQ(all, sizeof big);
	EQ(wait_status(pid), 0);
	NEED(pread(out, back, sizeof back, 0) == sizeof back);
	EQ(memcmp(big, back, sizeof big), 0);
}

TEST(full_and_broken_pipes)
{
	int p[2], in = new_file("x"), status;
	loff_t at = 0;

	NEED(!pipe(p) && !fcntl(p[1], F_SETFL, O_NONBLOCK));
	while (write(p[1], big, 4096) > 0)
		;
	FAILS(splice(in, &at, p[1], NULL, 1, 0), EAGAIN);
	close(p[0]);
	CHILD(status) {
		signal(SIGPIPE, SIG_IGN);
		FAILS(splice(in, &at, p[1], NULL, 1, 0), EPIPE);
	}
	EQ(status, 0);
	CHILD(status) splice(in, &at, p[1], NULL, 1, 0);
	EQ(WTERMSIG(status), SIGPIPE);
}

TEST(what_splice_refuses)
{
	int p[2], q[2], in = new_file("text"), out = new_file(""), ro = open("/dev/null", O_RDONLY), dir = open("/dev/shm", O_RDONLY);
	loff_t at = 0, negative = -1;

	NEED(!pipe(p) && !pipe(q) && write(p[1], "abc", 3) == 3);
	FAILS(splice(in, NULL, out, NULL, 4, 0), EINVAL);	/* one of them has to be a pipe */
	FAILS(splice(in, &at, p[1], &at, 4, 0), ESPIPE);
	FAILS(splice(p[0], &at, out, NULL, 4, 0), ESPIPE);
	FAILS(splice(99, NULL, p[1], NULL, 4, 0), EBADF);
	FAILS(splice(p[0], NULL, 99, NULL, 4, 0), EBADF);
	FAILS(splice(p[1], NULL, out, NULL, 4, 0), EBADF);	/* that end cannot be read */
	FAILS(splice(p[0], NULL, ro, NULL, 4, 0), EBADF);
	FAILS(splice(p[0], NULL, p[1], NULL, 4, 0), EINVAL);	/* a pipe into itself */
	FAILS(splice(p[0], NULL, out, NULL, 4, 16), EINVAL);
	FAILS(splice(p[0], NULL, out, (loff_t *)-1l, 4, 0), EFAULT);
	FAILS(splice(dir, NULL, p[1], NULL, 4, 0), EINVAL);
	FAILS(splice(in, &negative, p[1], NULL, 4, 0), EINVAL);
	int append = open("/proc/self/fd/0", O_PATH);
	FAILS(splice(append, NULL, p[1], NULL, 4, 0), EBADF);
	EQ(fcntl(out, F_SETFL, O_APPEND), 0);
	FAILS(splice(p[0], NULL, out, NULL, 4, 0), EINVAL);
	EQ(queued(p[0]), 3);
}

TEST(from_pipe_to_pipe)
{
	int p[2], q[2];

	NEED(!pipe(p) && !pipe(q) && write(p[1], "abcdef", 6) == 6);
	EQ(tee(p[0], q[1], 4, 0), 4);				/* a copy */
	EQ(queued(p[0]), 6);
	IS(text_in(q[0], 10), "abcd");
	EQ(splice(p[0], NULL, q[1], NULL, 2, 0), 2);
	EQ(queued(p[0]), 4);
	EQ(splice(p[0], NULL, q[1], NULL, 100, 0), 4);
	IS(text_in(q[0], 10), "abcdef");
	FAILS(tee(p[0], q[1], 4, NONBLOCK), EAGAIN);
	FAILS(tee(p[0], p[1], 4, 0), EINVAL);
	FAILS(tee(q[1], p[0], 4, 0), EBADF);
	FAILS(tee(99, q[1], 4, 0), EBADF);
	FAILS(tee(p[0], q[1], 4, 16), EINVAL);
	int fd = new_file("x");
	FAILS(tee(fd, q[1], 4, 0), EINVAL);
	FAILS(tee(p[0], fd, 4, 0), EINVAL);
	EQ(tee(p[0], q[1], 0, 0), 0);
	NEED(write(p[1], "x", 1) == 1);
	close(p[1]);
	EQ(splice(p[0], NULL, q[1], NULL, 5, 0), 1);
	EQ(splice(p[0], NULL, q[1], NULL, 5, 0), 0);
}

TEST(between_memory_and_pipe)
{
	char a[8] = "", b[8] = "";
	struct iovec out[] = { { "abc", 3 }, { "", 0 }, { "defg", 4 } }, in[] = { { a, 2 }, { b, 7 } };
	int p[2], fd = new_file("x");

	NEED(!pipe(p));
	EQ(vmsplice(p[1], out, 3, 0), 7);
	EQ(vmsplice(p[0], in, 2, 0), 7);
	IS(a, "ab");
	IS(b, "cdefg");
	FAILS(vmsplice(p[0], in, 2, NONBLOCK), EAGAIN);
	FAILS(vmsplice(fd, out, 1, 0), EBADF);
	FAILS(vmsplice(99, out, 1, 0), EBADF);
	FAILS(vmsplice(p[1], out, 1025, 0), EINVAL);
	FAILS(vmsplice(p[1], out, 1, 16), EINVAL);
	FAILS(vmsplice(p[1], (struct iovec *)-1l, 1, 0), EFAULT);
	EQ(vmsplice(p[1], out, 0, 0), 0);
	struct iovec much = { big, sizeof big };
	EQ(vmsplice(p[1], &much, 1, 0), 65536);			/* what fits, without a wait */
	FAILS(vmsplice(p[1], &much, 1, NONBLOCK), EAGAIN);
}

TEST(packets)
{
	char text[16];
	int p[2];

	NEED(!pipe2(p, O_DIRECT));
	EQ(fcntl(p[1], F_GETFL) & O_DIRECT, O_DIRECT);
	EQ(write(p[1], "abc", 3), 3);
	EQ(write(p[1], "defgh", 5), 5);
	EQ(write(p[1], "i", 1), 1);
	EQ(read(p[0], text, 16), 3);				/* each write is a packet */
	EQ(read(p[0], text, 2), 2);				/* what of it was not read is gone */
	EQ(read(p[0], text, 16), 1);
	NEED(!fcntl(p[1], F_SETFL, 0));
	EQ(write(p[1], "a", 1), 1);
	EQ(write(p[1], "b", 1), 1);
	EQ(read(p[0], text, 16), 2);
	EQ(write(p[1], "aa", 2), 2);
	NEED(!fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	int n = 0;
	while (write(p[1], "x", 1) == 1)
		n++;
	EQ(errno, EAGAIN);
	EQ(n, 15 + 4094);					/* what fits to the letters before it, and a page for each of the others */
	FAILS(pipe2(p, O_APPEND), EINVAL);
}

TEST(sendfile_and_copy_file_range)
{
	int p[2], in = new_file("hello world"), out = new_file(""), dir = open("/dev/shm", O_RDONLY), same = new_file("0123456789");
	off_t at = 6;
	loff_t from = 0, to = 5;

	NEED(!pipe(p));
	EQ(sendfile(p[1], in, &at, 100), 5);
	EQ(at, 11);
	IS(text_in(p[0], 10), "world");
	NEED(!lseek(in, 0, SEEK_SET));
	EQ(sendfile(out, in, NULL, 5), 5);
	EQ(lseek(in, 0, SEEK_CUR), 5);
	FAILS(sendfile(out, p[0], NULL, 5), EINVAL);
	FAILS(sendfile(out, p[0], &at, 5), ESPIPE);
	FAILS(sendfile(out, 99, NULL, 5), EBADF);
	FAILS(sendfile(99, in, NULL, 5), EBADF);
	FAILS(sendfile(p[0], in, NULL, 5), EBADF);
	at = -1;
	FAILS(sendfile(out, in, &at, 5), EINVAL);
	FAILS(sendfile(out, in, (off_t *)-1l, 5), EFAULT);
#define COPY(...) syscall(SYS_copy_file_range, __VA_ARGS__)
	EQ(COPY(in, &from, out, &to, 100, 0), 11);
	EQ(from, 11);
	EQ(to, 16);
	EQ(COPY(in, &from, out, &to, 100, 0), 0);
	FAILS(COPY(in, &from, out, &to, 100, 1), EINVAL);
	FAILS(COPY(dir, NULL, out, NULL, 5, 0), EISDIR);
	FAILS(COPY(p[0], NULL, out, NULL, 5, 0), EINVAL);
	FAILS(COPY(99, NULL, out, NULL, 5, 0), EBADF);
	FAILS(COPY(in, NULL, 99, NULL, 5, 0), EBADF);
	from = 0;
	to = 3;
	FAILS(COPY(same, &from, same, &to, 5, 0), EINVAL);	/* into itself */
	to = 5;
	EQ(COPY(same, &from, same, &to, 5, 0), 5);
	from = 1;
	to = INT64_MAX - 2;
	FAILS(COPY(in, &from, out, &to, -1ul, 0), EOVERFLOW);
	from = -1;
	to = 0;
	FAILS(COPY(in, &from, out, &to, 2, 0), EOVERFLOW);
	from = 0;
	to = INT64_MAX;
	FAILS(COPY(in, &from, out, &to, 2, 0), EFBIG);
	from = 1;
	int read_only = open("/proc/self/exe", O_RDONLY);
	FAILS(COPY(read_only, NULL, out, NULL, 5, 0), EXDEV);
	from = 0;
	FAILS(COPY(in, &from, read_only, NULL, 5, 0), EBADF);
	EQ(fcntl(out, F_SETFL, O_APPEND), 0);
	FAILS(COPY(in, &from, out, NULL, 5, 0), EBADF);
	FAILS(sendfile(out, in, NULL, 5), EINVAL);
}

/* What gives and takes whole records is nothing to move bytes from or to. */
TEST(records_are_not_spliced)
{
	int p[2], file = new_file("12345678"), files[] = { eventfd(8, 0), timerfd_create(CLOCK_MONOTONIC, 0), epoll_create1(0), inotify_init1(0) };
	const struct itimerspec soon = { .it_value.tv_nsec = 1 };

	NEED(!pipe(p));
	EQ(write(p[1], "12345678", 8), 8);
	EQ(timerfd_settime(files[1], 0, &soon, NULL), 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		FAILS(splice(files[i], NULL, p[1], NULL, 8, 0), EINVAL);
		FAILS(sendfile(file, files[i], NULL, 8), EINVAL);
		FAILS(splice(p[0], NULL, files[i], NULL, 8, 0), i == 3 ? EBADF : EINVAL);
		NEED(!lseek(file, 0, SEEK_SET));
		FAILS(sendfile(files[i], file, NULL, 8), i == 3 ? EBADF : EINVAL);
	}
}

/* The offset is told even if nothing was sent. */
TEST(sendfile_tells_the_offset)
{
	off_t *read_only = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0);
	int p[2], empty = new_file("");

	NEED(read_only != MAP_FAILED && !pipe(p));
	FAILS(sendfile(p[1], empty, read_only, 5), EFAULT);
	FAILS(sendfile(p[1], empty, read_only, 0), EFAULT);
	FAILS(sendfile(p[1], empty, NULL, -1ul), EINVAL);
}

static long pwrite_with(int fd, const char *text, off_t at, int flags)
{
	struct iovec v = { (char *)text, strlen(text) };
	return syscall(SYS_pwritev2, fd, &v, 1, at, 0l, flags);
}

TEST(preadv2_flags)
{
	int fd = new_file("0123456789"), p[2];
	char text[16];
	struct iovec v = { text, sizeof text };

	NEED(!pipe(p));
	EQ(pwrite_with(fd, "abc", 2, 16), 3);			/* RWF_APPEND: wherever it was to go */
	EQ(lseek(fd, 0, SEEK_END), 13);
	NEED(lseek(fd, 4, SEEK_SET) == 4);
	EQ(pwrite_with(fd, "d", -1, 16), 1);
	EQ(lseek(fd, 0, SEEK_CUR), 14);
	EQ(pwrite_with(fd, "x", 0, 2), 1);			/* RWF_DSYNC */
	EQ(pwrite_with(fd, "x", 0, 4), 1);			/* RWF_SYNC */
	EQ(syscall(SYS_preadv2, fd, &v, 1, 10l, 0l, 1), 4);	/* RWF_HIPRI */
	EQ(memcmp(text, "abcd", 4), 0);
	FAILS(syscall(SYS_preadv2, fd, &v, 1, 0l, 0l, 0x4000), EOPNOTSUPP);
	FAILS(syscall(SYS_preadv2, fd, &v, 1, -2l, 0l, 0), EINVAL);
	FAILS(syscall(SYS_preadv2, p[0], &v, 1, 0l, 0l, 0), ESPIPE);
	FAILS(syscall(SYS_preadv2, 99, &v, 1, 0l, 0l, 0), EBADF);
	EQ(pwrite_with(p[1], "abc", -1, 0), 3);
	EQ(syscall(SYS_preadv2, p[0], &v, 1, -1l, 0l, 0), 3);
}

TEST(holes)
{
	int fd = new_file("");

	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 0, SEEK_HOLE), ENXIO);
	NEED(!ftruncate(fd, 100 * PAGE));
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	EQ(lseek(fd, 5, SEEK_HOLE), 5);
	NEED(pwrite(fd, "x", 1, 10 * PAGE + 5) == 1 && pwrite(fd, "x", 1, 11 * PAGE) == 1 && pwrite(fd, "x", 1, 90 * PAGE) == 1);
	EQ(lseek(fd, 0, SEEK_DATA), 10 * PAGE);
	EQ(lseek(fd, 10 * PAGE + 7, SEEK_DATA), 10 * PAGE + 7);
	EQ(lseek(fd, 0, SEEK_HOLE), 0);
	EQ(lseek(fd, 10 * PAGE + 7, SEEK_HOLE), 12 * PAGE);
	EQ(lseek(fd, 12 * PAGE, SEEK_DATA), 90 * PAGE);
	EQ(lseek(fd, 90 * PAGE, SEEK_HOLE), 91 * PAGE);
	FAILS(lseek(fd, 91 * PAGE, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 100 * PAGE, SEEK_HOLE), ENXIO);
	FAILS(lseek(fd, -1, SEEK_DATA), ENXIO);
	EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10 * PAGE, PAGE), 0);
	EQ(lseek(fd, 0, SEEK_DATA), 11 * PAGE);
	NEED(!ftruncate(fd, 90 * PAGE + 1));
	EQ(lseek(fd, 90 * PAGE, SEEK_HOLE), 90 * PAGE + 1);
	FAILS(fallocate(fd, 0x10, 0, PAGE), EOPNOTSUPP);		/* ZERO_RANGE: not on tmpfs */
	FAILS(fallocate(fd, 0x8, 0, PAGE), EOPNOTSUPP);		/* COLLAPSE_RANGE */
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	FAILS(fallocate(fd, 0, -1, PAGE), EINVAL);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(lseek(fd, 0, 5), EINVAL);
}
