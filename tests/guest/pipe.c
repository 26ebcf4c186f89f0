/* tests/guest/pipe.c - pipes: order, atomicity, end of file, what does not fit, descriptors. */
#include "tap.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <limits.h>

static int ends[2];

static void make(int flags)
{
	NEED(!pipe2(ends, flags));
}

TEST(bytes_come_in_order)
{
	char text[16] = "";

	make(0);
	EQ(write(ends[1], "hello ", 6), 6);
	EQ(write(ends[1], "world", 5), 5);
	EQ(read(ends[0], text, 3), 3);
	EQ(read(ends[0], text + 3, 13), 8);
	CHECK(!strcmp(text, "hello world"));
	FAILS(read(ends[1], text, 1), EBADF);
	FAILS(write(ends[0], text, 1), EBADF);
	FAILS(lseek(ends[0], 0, SEEK_SET), ESPIPE);
	FAILS(pread(ends[0], text, 1, 0), ESPIPE);
	EQ(write(ends[1], "", 0), 0);
}

TEST(end_of_file)
{
	char byte;

	make(0);
	EQ(write(ends[1], "x", 1), 1);
	close(ends[1]);
	EQ(read(ends[0], &byte, 1), 1);
	EQ(read(ends[0], &byte, 1), 0);
	EQ(read(ends[0], &byte, 1), 0);
}

TEST(nonblocking)
{
	static char block[PAGE];
	long total = 0;
	int n;

	make(O_NONBLOCK);
	FAILS(read(ends[0], block, 1), EAGAIN);
	while (write(ends[1], block, sizeof block) == sizeof block)
		total += sizeof block;
	EQ(errno, EAGAIN);
	EQ(total, 65536);
	FAILS(write(ends[1], block, 1), EAGAIN);
	EQ(ioctl(ends[0], FIONREAD, &n), 0);
	EQ(n, total);
	EQ(read(ends[0], block, 100), 100);
	CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	EQ(fcntl(ends[0], F_SETFL, 0), 0);
	CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
	EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
}

TEST(a_big_transfer)
{
	enum { SIZE = 3 << 20 };
	static unsigned char buffer[50000];
	long at = 0;
	ssize_t n;

	make(0);
	pid_t pid = fork();
	if (!pid) {
		close(ends[0]);
		for (long sent = 0; sent < SIZE;) {
			long some = 1 + sent % 49999;
			some = some > SIZE - sent ? SIZE - sent : some;
			for (long i = 0; i < some; i++)
				buffer[i] = (unsigned char)((sent + i) * 13 >> 3);
			NEED(write(ends[1], buffer, (size_t)some) == some);
			sent += some;
		}
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], buffer, 7000)) > 0) {
		for (long i = 0; i < n; i++)
			NEED(buffer[i] == (unsigned char)((at + i) * 13 >> 3));
		at += n;
	}
	EQ(n, 0);
	EQ(at, SIZE);
	EQ(wait_status(pid), 0);
}

/* Writes of up to PIPE_BUF bytes are never mixed. */
TEST(small_writes_are_atomic)
{
	enum { WRITERS = 4, RECORDS = 60, SIZE = 3000 };
	static unsigned char record[SIZE];
	int seen[WRITERS] = { 0 };

	make(0);
	for (int w = 0; w < WRITERS; w++)
		if (!fork()) {
			close(ends[0]);
			memset(record, w + 1, SIZE);
			for (int i = 0; i < RECORDS; i++)
				NEED(write(ends[1], record, SIZE) == SIZE);
			_exit(0);
		}
	close(ends[1]);
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		for (long got = 0; got < SIZE;) {
			ssize_t n = read(ends[0], record + got, (size_t)(SIZE - got));
			NEED(n > 0);
			got += n;
		}
		for (int j = 1; j < SIZE; j++)
			NEED(record[j] == record[0]);
		seen[record[0] - 1]++;
	}
	for (int w = 0; w < WRITERS; w++) {
		EQ(seen[w], RECORDS);
		wait(NULL);
	}
}

TEST(poll_and_select)
{
	make(0);
	struct pollfd p[2] = { { ends[0], POLLIN, 0 }, { ends[1], POLLOUT, 0 } };
	struct timeval none = { 0, 0 };
	fd_set set;

	EQ(poll(p, 2, 0), 1);
	EQ(p[0].revents, 0);
	EQ(p[1].revents, POLLOUT);
	EQ(poll(p, 1, 30), 0);
	EQ(write(ends[1], "x", 1), 1);
	EQ(poll(p, 2, -1), 2);
	EQ(p[0].revents, POLLIN);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	EQ(select(ends[0] + 1, &set, NULL, NULL, &none), 1);
	CHECK(FD_ISSET(ends[0], &set));
	close(ends[1]);
	EQ(poll(p, 1, -1), 1);
	EQ(p[0].revents, POLLIN | POLLHUP);
	p[0].fd = 99;
	EQ(poll(p, 1, 0), 1);
	EQ(p[0].revents, POLLNVAL);
	FD_ZERO(&set);
	FD_SET(99, &set);
	FAILS(select(100, &set, NULL, NULL, &none), EBADF);
}

TEST(a_poll_is_woken)
{
	make(0);
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(60);
		_exit(write(ends[1], "x", 1) != 1);
	}
	struct pollfd p = { ends[0], POLLIN, 0 };
	EQ(poll(&p, 1, 5000), 1);
	EQ(wait_status(pid), 0);
}

TEST(descriptors)
{
	char byte;

	make(O_CLOEXEC);
	EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	int copy = dup(ends[0]);
	EQ(fcntl(copy, F_GETFD), 0);
	EQ(dup2(copy, copy), copy);
	FAILS(dup3(copy, copy, 0), EINVAL);
	EQ(dup3(copy, 50, O_CLOEXEC), 50);
	EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
	EQ(fcntl(copy, F_DUPFD, 60), 60);
	EQ(close(60), 0);
	FAILS(close(60), EBADF);
	FAILS(dup2(60, 61), EBADF);
	FAILS(dup2(copy, -1), EBADF);
	FAILS(dup2(copy, 1 << 30), EBADF);
	FAILS(fcntl(copy, F_DUPFD, 1 << 30), EINVAL);
	FAILS(read(-1, &byte, 1), EBADF);
	EQ(write(ends[1], "x", 1), 1);
	close(ends[0]);
	EQ(read(50, &byte, 1), 1);
}

TEST(vectors)
{
	char a[4] = "", b[8] = "";
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } }, in[2] = { { a, 3 }, { b, 7 } };

	make(0);
	EQ(writev(ends[1], out, 3), 6);
	EQ(readv(ends[0], in, 2), 6);
	CHECK(!strcmp(a, "abc") && !strcmp(b, "def"));
	FAILS(syscall(SYS_writev, ends[1], out, -1l), EINVAL);
	FAILS(syscall(SYS_writev, ends[1], out, 1025l), EINVAL);
	EQ(writev(ends[1], out, 0), 0);
	out[0].iov_len = (size_t)SSIZE_MAX + 1;
	FAILS(writev(ends[1], out, 3), EINVAL);
}

TEST(a_pipe_is_opened_again)
{
	char path[64], c[4];
	int again, writer;

	make(0);
	EQ(write(ends[1], "ab", 2), 2);
	close(ends[1]);
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
	again = open(path, O_RDONLY);			/* nobody writes: it does not wait for who might */
	NEED(again >= 0);
	EQ(read(again, c, 1), 1);
	EQ(read(ends[0], c, 4), 1);
	EQ(read(again, c, 4), 0);
	writer = open(path, O_WRONLY);
	NEED(writer >= 0);
	EQ(write(writer, "x", 1), 1);
	EQ(read(again, c, 4), 1);
	close(ends[0]);
	close(again);
	snprintf(path, sizeof path, "/proc/self/fd/%d", writer);
	again = open(path, O_WRONLY | O_NONBLOCK);	/* nobody reads: neither is that an error */
	CHECK(again >= 0);
	signal(SIGPIPE, SIG_IGN);
	FAILS(write(again, "x", 1), EPIPE);
}

TEST(many_descriptors)
{
	struct rlimit limit = { 300, 300 };
	int n = 0, fd;

	NEED(!setrlimit(RLIMIT_NOFILE, &limit));
	while (n < 5000 && (fd = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	EQ(errno, EMFILE);
	CHECK(n > 200 && n < 300);
	FAILS(pipe(ends), EMFILE);
}

FAULTLINE_TEST(a_pipe_has_only_the_pages_that_it_holds)
{
	struct vmcheck a, b;
	int pipes[50][2];

	tap_vmcheck(&a);
	for (int i = 0; i < 50; i++)
		NEED(!pipe(pipes[i]));
	tap_vmcheck(&b);
	CHECK(a.free_frames - b.free_frames < 50);
}
