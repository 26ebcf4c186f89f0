/* tests/guest/unix.c - AF_UNIX sockets: names, connections, messages, what goes along with them, errors, readiness. */
#include "tap.h"
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#define ADDR(a) ((struct sockaddr *)&(a))
enum { NAME_START = offsetof(struct sockaddr_un, sun_path) };

static int ends[2];

static void pair(int type)
{
	NEED(!socketpair(AF_UNIX, type, 0, ends));
}

static struct sockaddr_un name_of(const char *path, socklen_t *len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (*path == '@') {
		memcpy(a.sun_path + 1, path + 1, strlen(path) - 1);
		*len = (socklen_t)(NAME_START + strlen(path));
	} else {
		strcpy(a.sun_path, path);
		*len = (socklen_t)(NAME_START + strlen(path) + 1);
	}
	return a;
}

static int bind_to(int fd, const char *path)
{
	socklen_t len;
	struct sockaddr_un a = name_of(path, &len);

	return bind(fd, ADDR(a), len);
}

static int connect_to(int fd, const char *path)
{
	socklen_t len;
	struct sockaddr_un a = name_of(path, &len);

	return connect(fd, ADDR(a), len);
}

static long send_to(int fd, const char *text, const char *path)
{
	socklen_t len;
	struct sockaddr_un a = name_of(path, &len);

	return sendto(fd, text, strlen(text), 0, ADDR(a), len);
}

static int new_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	NEED(fd >= 0);
	return fd;
}

/* A folder of the case's own, as its working directory. */
static void in_folder(void)
{
	static char name[] = "/tmp/unix.XXXXXX";

	NEED(mkdtemp(name) && !chdir(name));
}

static void leave_folder(void)
{
	char here[100];

	NEED(getcwd(here, sizeof here) && !chdir("/") && !rmdir(here));
}

static int option(int fd, int which)
{
	int value = -1;
	socklen_t size = sizeof value;

	CHECK(!getsockopt(fd, SOL_SOCKET, which, &value, &size));
	EQ(size, sizeof value);
	return value;
}

static void set_option(int fd, int which, int value)
{
	CHECK(!setsockopt(fd, SOL_SOCKET, which, &value, sizeof value));
}

static void limit_wait(int fd, int which, long ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	CHECK(!setsockopt(fd, SOL_SOCKET, which, &t, sizeof t));
}

static volatile sig_atomic_t signals;
static void count_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	signals++;
}

static int events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* ---- making --------------------------------------------------------------------------------------------------------------------- */

TEST(kinds)
{
	struct stat st;
	char link[64] = "", path[64];

	FAILS(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socket(AF_UNIX, 11, 0), EINVAL);
	FAILS(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
	FAILS(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
	FAILS(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
	int fd = socket(AF_UNIX, SOCK_RAW, PF_UNIX);
	EQ(option(fd, SO_TYPE), SOCK_DGRAM);
	close(fd);
	fd = new_socket(SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK);
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	EQ(option(fd, SO_TYPE), SOCK_SEQPACKET);
	EQ(option(fd, SO_DOMAIN), AF_UNIX);
	EQ(option(fd, SO_PROTOCOL), 0);
	EQ(option(fd, SO_ERROR), 0);
	EQ(option(fd, SO_ACCEPTCONN), 0);
	CHECK(!fstat(fd, &st) && S_ISSOCK(st.st_mode));
	EQ(st.st_mode & 0777, 0777);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof link - 1) > 0);
	CHECK(!strncmp(link, "socket:[", 8));
	FAILS(open(path, O_RDONLY), ENXIO);
	FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
	FAILS(pread(fd, path, 1, 0), ESPIPE);
	FAILS(listen(0, 1), ENOTSOCK);
	FAILS(listen(99, 1), EBADF);
	FAILS(accept4(fd, NULL, NULL, 1), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
}

TEST(bytes_of_a_pair)
{
	char text[16] = "";
	int n;

	pair(SOCK_STREAM);
	EQ(write(ends[0], "hello ", 6), 6);
	EQ(send(ends[0], "world", 5, 0), 5);
	EQ(ioctl(ends[1], FIONREAD, &n), 0);
	EQ(n, 11);
	EQ(ioctl(ends[1], TIOCOUTQ, &n), 0);
	EQ(n, 0);
	EQ(ioctl(ends[0], TIOCOUTQ, &n), 0);
	CHECK(n > 11);
	EQ(recv(ends[1], text, 3, MSG_PEEK), 3);
	EQ(read(ends[1], text, 3), 3);
	EQ(read(ends[1], text + 3, 13), 8);
	CHECK(!strcmp(text, "hello world"));
	EQ(write(ends[1], "back", 4), 4);
	EQ(read(ends[0], text, 16), 4);
	EQ(write(ends[1], "", 0), 0);
	EQ(read(ends[0], text, 0), 0);
	FAILS(recv(ends[0], text, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(recv(ends[0], text, 1, MSG_OOB | MSG_DONTWAIT) == -1 && (errno == EOPNOTSUPP || errno == EINVAL) ? (errno = EINVAL, -1) : 0, EINVAL);
	int on = 1;
	EQ(ioctl(ends[0], FIONBIO, &on), 0);
	FAILS(read(ends[0], text, 1), EAGAIN);
}

TEST(vectors_of_a_stream)
{
	char a[4] = "", b[8] = "";
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } }, in[2] = { { a, 3 }, { b, 7 } };

	pair(SOCK_STREAM);
	EQ(writev(ends[1], out, 3), 6);
	EQ(readv(ends[0], in, 2), 6);
	CHECK(!strcmp(a, "abc") && !strcmp(b, "def"));
	EQ(writev(ends[1], out, 0), 0);
}

TEST(datagrams_stay_whole)
{
	static char big[100000], back[100000];
	char text[16];
	struct iovec out[2] = { { big, 60000 }, { big, 30000 } }, in[2] = { { back, 10 }, { back + 10, 99990 } };

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7);
	pair(SOCK_DGRAM);
	EQ(write(ends[0], "one", 3), 3);
	EQ(write(ends[0], "", 0), 0);
	EQ(send(ends[0], "", 0, 0), 0);
	EQ(write(ends[0], "three", 5), 5);
	EQ(read(ends[1], text, 16), 3);
	EQ(recv(ends[1], text, 16, 0), 0);
	EQ(recv(ends[1], text, 16, 0), 0);
	EQ(recv(ends[1], text, 2, MSG_PEEK | MSG_TRUNC), 5);
	EQ(recv(ends[1], text, 2, 0), 2);
	FAILS(recv(ends[1], text, 2, MSG_DONTWAIT), EAGAIN);
	EQ(writev(ends[0], out, 2), 90000);
	int n = 0;
	EQ(ioctl(ends[1], FIONREAD, &n), 0);
	EQ(n, 90000);
	EQ(readv(ends[1], in, 2), 90000);
	CHECK(!memcmp(back, big, 60000) && !memcmp(back + 60000, big, 30000));
	set_option(ends[0], SO_SNDBUF, 10000);
	EQ(option(ends[0], SO_SNDBUF), 20000);
	FAILS(send(ends[0], big, 20000, 0), EMSGSIZE);
	EQ(send(ends[0], big, 19968, 0), 19968);
}

TEST(a_big_transfer)
{
	enum { SIZE = 3 << 20 };
	static unsigned char buffer[50000];
	long at = 0;
	ssize_t n;

	pair(SOCK_STREAM);
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

TEST(wait_for_all)
{
	char text[16] = "";

	pair(SOCK_STREAM);
	pid_t pid = fork();
	if (!pid) {
		for (int i = 0; i < 4; i++) {
			sleep_ms(20);
			NEED(write(ends[1], "abc", 3) == 3);
		}
		_exit(0);
	}
	EQ(recv(ends[0], text, 10, MSG_WAITALL), 10);
	CHECK(!strcmp(text, "abcabcabca"));
	EQ(wait_status(pid), 0);
	close(ends[1]);
	EQ(recv(ends[0], text, 10, MSG_WAITALL), 2);
	set_option(ends[0], SO_RCVLOWAT, 0);
	EQ(option(ends[0], SO_RCVLOWAT), 1);
}

/* ---- ends ------------------------------------------------------------------------------------------------------------------------ */

TEST(closed_by_the_other)
{
	char byte;

	handle(SIGPIPE, count_signal, 0);
	pair(SOCK_STREAM);
	EQ(write(ends[1], "x", 1), 1);
	close(ends[1]);
	EQ(events(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	EQ(read(ends[0], &byte, 1), 1);
	EQ(read(ends[0], &byte, 1), 0);
	FAILS(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EQ(signals, 0);
	FAILS(write(ends[0], "x", 1), EPIPE);
	EQ(signals, 1);
	FAILS(send(ends[0], "x", 1, 0), EPIPE);
	EQ(signals, 2);
}

TEST(closed_with_bytes_unread)
{
	char byte;

	signal(SIGPIPE, SIG_IGN);
	pair(SOCK_STREAM);
	EQ(write(ends[0], "x", 1), 1);
	EQ(write(ends[1], "y", 1), 1);
	close(ends[1]);
	CHECK(events(ends[0]) & POLLERR);
	EQ(read(ends[0], &byte, 1), 1);
	FAILS(read(ends[0], &byte, 1), ECONNRESET);
	EQ(read(ends[0], &byte, 1), 0);
	FAILS(write(ends[0], "x", 1), EPIPE);
	pair(SOCK_STREAM);
	EQ(write(ends[0], "x", 1), 1);
	close(ends[1]);
	EQ(option(ends[0], SO_ERROR), ECONNRESET);
	EQ(option(ends[0], SO_ERROR), 0);
}

TEST(a_packet_socket_raises_no_signal)
{
	char byte;

	handle(SIGPIPE, count_signal, 0);
	pair(SOCK_SEQPACKET);
	EQ(write(ends[0], "abc", 3), 3);
	EQ(read(ends[1], &byte, 1), 1);
	close(ends[1]);
	FAILS(write(ends[0], "x", 1), EPIPE);
	EQ(signals, 0);
	EQ(read(ends[0], &byte, 1), 0);
	EQ(events(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	int fd = new_socket(SOCK_SEQPACKET);
	FAILS(read(fd, &byte, 1), ENOTCONN);
	FAILS(write(fd, "x", 1), ENOTCONN);
}

TEST(shut_down)
{
	char text[8];

	signal(SIGPIPE, SIG_IGN);
	pair(SOCK_STREAM);
	FAILS(shutdown(ends[0], 3), EINVAL);
	EQ(write(ends[0], "ab", 2), 2);
	EQ(shutdown(ends[0], SHUT_WR), 0);
	FAILS(write(ends[0], "x", 1), EPIPE);
	EQ(events(ends[1]), POLLIN | POLLOUT | POLLRDHUP);
	EQ(read(ends[1], text, 8), 2);
	EQ(read(ends[1], text, 8), 0);
	EQ(write(ends[1], "back", 4), 4);
	EQ(read(ends[0], text, 8), 4);
	EQ(shutdown(ends[1], SHUT_RDWR), 0);
	EQ(events(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	EQ(read(ends[0], text, 8), 0);
	int fd = new_socket(SOCK_STREAM);
	EQ(shutdown(fd, SHUT_RD), 0);
	FAILS(read(fd, text, 1), EINVAL);
	FAILS(write(fd, text, 1), ENOTCONN);
	pair(SOCK_DGRAM);
	EQ(shutdown(ends[0], SHUT_RD), 0);
	FAILS(write(ends[1], "x", 1), EPIPE);
	FAILS(recv(ends[0], text, 1, MSG_DONTWAIT), EAGAIN);
	EQ(recv(ends[0], text, 1, 0), 0);
}

TEST(a_writer_is_told_of_the_end)
{
	static char block[PAGE];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	pair(SOCK_STREAM);
	pid_t pid = fork();
	if (!pid) {
		close(ends[1]);
		while ((n = write(ends[0], block, sizeof block)) == sizeof block)
			;
		_exit(n == -1 && (errno == ECONNRESET || errno == EPIPE) ? 0 : 1);
	}
	close(ends[0]);
	sleep_ms(60);
	close(ends[1]);
	EQ(wait_status(pid), 0);
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------ */

static void echo_own_name(int fd, const char *expected, socklen_t expected_len)
{
	struct sockaddr_un a;
	socklen_t len = sizeof a;

	memset(&a, 'x', sizeof a);
	EQ(getsockname(fd, ADDR(a), &len), 0);
	EQ(len, expected_len);
	EQ(a.sun_family, AF_UNIX);
	CHECK(!memcmp(a.sun_path, expected, expected_len - NAME_START));
}

TEST(names)
{
	int fd = new_socket(SOCK_STREAM);
	struct stat st;
	struct sockaddr_un a;
	socklen_t len;

	in_folder();
	echo_own_name(fd, "", NAME_START);
	umask(027);
	EQ(bind_to(fd, "s"), 0);
	umask(022);
	echo_own_name(fd, "s", NAME_START + 2);
	CHECK(!lstat("s", &st) && S_ISSOCK(st.st_mode));
	EQ(st.st_mode & 0777, 0750);
	FAILS(open("s", O_RDWR), ENXIO);
	FAILS(bind_to(fd, "s"), EADDRINUSE);
	FAILS(bind_to(fd, "t"), EINVAL);
	FAILS(lstat("t", &st), ENOENT);
	FAILS(bind_to(fd, "none/t"), ENOENT);
	int other = new_socket(SOCK_STREAM);
	FAILS(bind_to(other, "s"), EADDRINUSE);
	FAILS(bind_to(other, "s/t"), ENOTDIR);
	EQ(unlink("s"), 0);
	EQ(bind_to(other, "s"), 0);
	EQ(unlink("s"), 0);
	a = name_of("u", &len);
	int third = new_socket(SOCK_DGRAM);
	FAILS(bind(third, ADDR(a), NAME_START - 1), EINVAL);
	FAILS(bind(third, ADDR(a), sizeof a + 1), EINVAL);
	FAILS(bind(third, ADDR(a), 129), EINVAL);
	FAILS(bind(third, ADDR(a), (socklen_t)-1), EINVAL);
	a.sun_family = AF_INET;
	FAILS(bind(third, ADDR(a), len), EINVAL);
	FAILS(bind(third, NULL, len), EFAULT);
	a.sun_family = AF_UNIX;
	EQ(bind(third, ADDR(a), NAME_START + 1), 0);		/* no NUL is needed */
	echo_own_name(third, "u", NAME_START + 2);
	len = 4;
	memset(&a, 'x', sizeof a);
	EQ(getsockname(third, ADDR(a), &len), 0);
	EQ(len, NAME_START + 2);
	CHECK(a.sun_path[1] == 'u' + 0 ? 0 : a.sun_path[2] == 'x');
	len = (socklen_t)-1;
	FAILS(getsockname(third, ADDR(a), &len), EINVAL);
	EQ(unlink("u"), 0);
	leave_folder();
}

TEST(a_long_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX }, got;
	socklen_t len = sizeof got;
	int fd = new_socket(SOCK_DGRAM);

	in_folder();
	memset(a.sun_path, 'n', sizeof a.sun_path);
	EQ(bind(fd, ADDR(a), sizeof a), 0);
	EQ(getsockname(fd, ADDR(got), &len), 0);
	EQ(len, sizeof a + 1);
	int other = new_socket(SOCK_DGRAM);
	EQ(connect(other, ADDR(a), sizeof a), 0);
	char name[sizeof a.sun_path + 1] = "";
	memcpy(name, a.sun_path, sizeof a.sun_path);
	EQ(unlink(name), 0);
	leave_folder();
}

TEST(abstract_names)
{
	int fd = new_socket(SOCK_STREAM), other = new_socket(SOCK_STREAM), third = new_socket(SOCK_DGRAM);

	EQ(bind_to(fd, "@faultline test"), 0);
	FAILS(bind_to(other, "@faultline test"), EADDRINUSE);
	FAILS(bind_to(fd, "@faultline"), EINVAL);
	EQ(bind_to(third, "@faultline test"), 0);		/* each type has its own */
	echo_own_name(fd, "\0faultline test", NAME_START + 15);
	FAILS(connect_to(other, "@faultline test"), ECONNREFUSED);
	EQ(listen(fd, 1), 0);
	FAILS(connect_to(other, "@faultline"), ECONNREFUSED);
	EQ(connect_to(other, "@faultline test"), 0);
	close(fd);
	close(other);
	fd = new_socket(SOCK_STREAM);
	EQ(bind_to(fd, "@faultline test"), 0);
}

TEST(a_made_up_name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof a;
	int fd = new_socket(SOCK_DGRAM), other = new_socket(SOCK_DGRAM);

	EQ(bind(fd, ADDR(a), NAME_START), 0);
	EQ(bind(fd, ADDR(a), NAME_START), 0);
	EQ(getsockname(fd, ADDR(a), &len), 0);
	EQ(len, NAME_START + 6);
	EQ(a.sun_path[0], 0);
	CHECK(strspn(a.sun_path + 1, "0123456789abcdef") >= 5);
	EQ(sendto(other, "x", 1, 0, ADDR(a), len), 1);
}

TEST(listed)
{
	char line[300];
	int found = 0, fd = new_socket(SOCK_STREAM);

	in_folder();
	EQ(bind_to(fd, "listed"), 0);
	EQ(listen(fd, 3), 0);
	int other = new_socket(SOCK_DGRAM);
	EQ(bind_to(other, "@faultline listed"), 0);
	FILE *f = fopen("/proc/net/unix", "r");
	NEED(f);
	CHECK(fgets(line, sizeof line, f) && !strncmp(line, "Num       RefCount Protocol Flags    Type St Inode Path", 50));
	while (fgets(line, sizeof line, f)) {
		found += strstr(line, ": 00000002 00000000 00010000 0001 01 ") && strstr(line, " listed\n");
		found += strstr(line, " 00000000 00000000 0002 01 ") && strstr(line, " @faultline listed\n");
	}
	EQ(found, 2);
	fclose(f);
	EQ(unlink("listed"), 0);
	leave_folder();
}

/* ---- connections ------------------------------------------------------------------------------------------------------------------ */

static int listener(int type, const char *path, int backlog)
{
	int fd = new_socket(type);

	NEED(!bind_to(fd, path) && !listen(fd, backlog));
	return fd;
}

TEST(a_connection)
{
	struct sockaddr_un a;
	socklen_t len = sizeof a;
	struct ucred cred;
	char text[8] = "";

	in_folder();
	int server = listener(SOCK_STREAM, "s", 5), client = new_socket(SOCK_STREAM);
	EQ(option(server, SO_ACCEPTCONN), 1);
	EQ(events(server), 0);
	EQ(events(client), POLLOUT | POLLHUP);
	FAILS(getpeername(client, ADDR(a), &len), ENOTCONN);
	EQ(connect_to(client, "s"), 0);
	EQ(events(server), POLLIN);
	EQ(write(client, "early", 5), 5);
	len = sizeof a;
	int fd = accept(server, ADDR(a), &len);
	CHECK(fd >= 0);
	EQ(len, NAME_START);
	EQ(a.sun_family, AF_UNIX);
	EQ(read(fd, text, 8), 5);
	echo_own_name(fd, "s", NAME_START + 2);
	len = sizeof a;
	EQ(getpeername(client, ADDR(a), &len), 0);
	CHECK(!strcmp(a.sun_path, "s"));
	len = sizeof cred;
	EQ(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	EQ(cred.pid, getpid());
	EQ(cred.uid, geteuid());
	FAILS(connect_to(client, "s"), EISCONN);
	FAILS(connect_to(client, "none"), ENOENT);
	FAILS(connect_to(server, "s"), EINVAL);
	FAILS(read(server, text, 1), EINVAL);
	FAILS(write(server, text, 1), ENOTCONN);
	FAILS(listen(client, 1), EINVAL);
	FAILS(accept(client, NULL, NULL), EINVAL);
	int fresh = new_socket(SOCK_STREAM);
	FAILS(listen(fresh, 1), EINVAL);
	FAILS(accept(new_socket(SOCK_DGRAM), NULL, NULL), EOPNOTSUPP);
	FAILS(listen(new_socket(SOCK_DGRAM), 1), EOPNOTSUPP);
	len = sizeof cred;
	EQ(getsockopt(fresh, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	EQ(cred.pid, 0);
	EQ(cred.uid, -1u);
	EQ(close(server), 0);
	FAILS(connect_to(fresh, "s"), ECONNREFUSED);
	EQ(write(client, "late", 4), 4);
	EQ(read(fd, text, 8), 4);
	EQ(unlink("s"), 0);
	leave_folder();
}

TEST(who_cannot_be_connected_to)
{
	in_folder();
	int fd = open("file", O_CREAT | O_RDWR, 0666), s = new_socket(SOCK_STREAM), d = new_socket(SOCK_DGRAM);
	NEED(fd >= 0 && !mkdir("dir", 0777));
	FAILS(connect_to(s, "file"), ECONNREFUSED);
	FAILS(connect_to(s, "dir"), ECONNREFUSED);
	EQ(bind_to(d, "d"), 0);
	FAILS(connect_to(s, "d"), EPROTOTYPE);
	NEED(!symlink("d", "l"));
	EQ(connect_to(new_socket(SOCK_DGRAM), "l"), 0);
	if (!geteuid()) {
		NEED(!chmod("d", 0755) && !chmod(".", 0755));
		int status;
		CHILD(status) {
			NEED(!setgid(1000) && !setuid(1000));
			FAILS(connect_to(new_socket(SOCK_DGRAM), "d"), EACCES);
			FAILS(bind_to(new_socket(SOCK_DGRAM), "e"), EACCES);
		}
		EQ(status, 0);
	}
	CHECK(!unlink("l") && !unlink("d") && !rmdir("dir") && !unlink("file"));
	leave_folder();
}

TEST(a_full_listener)
{
	int server = listener(SOCK_STREAM, "@faultline full", 1), fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = new_socket(SOCK_STREAM | SOCK_NONBLOCK);
		if (i < 2)
			EQ(connect_to(fd[i], "@faultline full"), 0);
		else
			FAILS(connect_to(fd[i], "@faultline full"), EAGAIN);
	}
	fcntl(fd[2], F_SETFL, 0);
	limit_wait(fd[2], SO_SNDTIMEO, 50);
	FAILS(connect_to(fd[2], "@faultline full"), EAGAIN);
	limit_wait(fd[2], SO_SNDTIMEO, 0);
	pid_t pid = fork();
	if (!pid)
		_exit(connect_to(fd[2], "@faultline full") != 0);
	sleep_ms(50);
	for (int i = 0; i < 3; i++)
		CHECK(accept(server, NULL, NULL) >= 0);
	EQ(wait_status(pid), 0);
	fcntl(server, F_SETFL, O_NONBLOCK);
	FAILS(accept(server, NULL, NULL), EAGAIN);
	fcntl(server, F_SETFL, 0);
	limit_wait(server, SO_RCVTIMEO, 50);
	FAILS(accept(server, NULL, NULL), EAGAIN);
}

TEST(a_listener_that_closes)
{
	char byte;
	int server = listener(SOCK_STREAM, "@faultline closes", 5), client = new_socket(SOCK_STREAM);

	EQ(connect_to(client, "@faultline closes"), 0);
	EQ(write(client, "x", 1), 1);
	close(server);
	FAILS(read(client, &byte, 1), ECONNRESET);
	EQ(read(client, &byte, 1), 0);
	FAILS(connect_to(new_socket(SOCK_STREAM), "@faultline closes"), ECONNREFUSED);
}

TEST(no_descriptor_for_a_connection)
{
	struct rlimit limit = { 30, 30 };
	int server = listener(SOCK_STREAM, "@faultline limit", 5), client = new_socket(SOCK_STREAM), fd, last = -1;

	EQ(connect_to(client, "@faultline limit"), 0);
	NEED(!setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = dup(0)) >= 0)
		last = fd;
	FAILS(accept(server, NULL, NULL), EMFILE);
	FAILS(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), EMFILE);
	close(last);
	EQ(accept(server, NULL, NULL), last);
}

TEST(accept_is_woken)
{
	int server = listener(SOCK_SEQPACKET, "@faultline woken", 5), status;
	pid_t pid = fork();

	if (!pid) {
		char text[10];
		int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		NEED(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
		struct pollfd p = { fd, POLLIN, 0 };
		_exit(poll(&p, 1, 5000) != 1 || read(fd, text, 10) != 2);
	}
	sleep_ms(50);
	int client = new_socket(SOCK_SEQPACKET);
	FAILS(connect_to(new_socket(SOCK_STREAM), "@faultline woken"), ECONNREFUSED);
	EQ(connect_to(client, "@faultline woken"), 0);
	sleep_ms(50);
	EQ(write(client, "ab", 2), 2);
	status = wait_status(pid);
	EQ(status, 0);
}

TEST(datagram_peers)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof a;
	char text[10];
	int one = new_socket(SOCK_DGRAM), two = new_socket(SOCK_DGRAM), three = new_socket(SOCK_DGRAM);

	FAILS(write(one, "x", 1), ENOTCONN);
	EQ(bind_to(one, "@faultline one"), 0);
	EQ(bind_to(two, "@faultline two"), 0);
	EQ(send_to(one, "hello", "@faultline two"), 5);
	EQ(recvfrom(two, text, 10, 0, ADDR(a), &len), 5);
	EQ(len, NAME_START + 14);
	CHECK(!memcmp(a.sun_path, "\0faultline one", 14));
	EQ(sendto(two, "back", 4, 0, ADDR(a), len), 4);
	EQ(read(one, text, 10), 4);
	EQ(send_to(three, "x", "@faultline two"), 1);
	len = sizeof a;
	EQ(recvfrom(two, text, 10, 0, ADDR(a), &len), 1);
	EQ(len, 0);					/* it has no name */
	EQ(connect_to(two, "@faultline one"), 0);
	FAILS(send_to(three, "x", "@faultline two"), EPERM);
	FAILS(connect_to(three, "@faultline two"), EPERM);
	EQ(connect_to(one, "@faultline two"), 0);
	EQ(write(one, "abc", 3), 3);
	a.sun_family = AF_UNSPEC;
	FAILS(connect(two, ADDR(a), 1), EINVAL);
	EQ(connect(two, ADDR(a), sizeof a.sun_family), 0);
	FAILS(recv(two, text, 10, MSG_DONTWAIT), EAGAIN);	/* dropped */
	FAILS(write(two, "x", 1), ENOTCONN);
	FAILS(recv(one, text, 10, MSG_DONTWAIT), ECONNRESET);
	EQ(close(two), 0);
	FAILS(write(one, "x", 1), ECONNREFUSED);
	FAILS(write(one, "x", 1), ENOTCONN);
	FAILS(send_to(one, "x", "@faultline two"), ECONNREFUSED);
	FAILS(send_to(one, "x", "/tmp/nothing of this name"), ENOENT);
	int s = new_socket(SOCK_STREAM);
	FAILS(send_to(s, "x", "@faultline two"), EOPNOTSUPP);
	pair(SOCK_STREAM);
	FAILS(send_to(ends[0], "x", "@faultline two"), EISCONN);
	pair(SOCK_SEQPACKET);
	EQ(send_to(ends[0], "x", "@faultline two"), 1);		/* the name does not count */
}

/* Ten datagrams, and one more, wait for a receiver that is not the sender's own. */
TEST(a_full_receiver)
{
	int server = new_socket(SOCK_DGRAM), client = new_socket(SOCK_DGRAM), n = 0;
	char byte;

	EQ(bind_to(server, "@faultline receiver"), 0);
	EQ(connect_to(client, "@faultline receiver"), 0);
	while (send(client, "x", 1, MSG_DONTWAIT) == 1)
		n++;
	EQ(errno, EAGAIN);
	EQ(n, 11);
	EQ(events(client), 0);
	limit_wait(client, SO_SNDTIMEO, 40);
	FAILS(send(client, "x", 1, 0), EAGAIN);
	limit_wait(client, SO_SNDTIMEO, 0);
	pid_t pid = fork();
	if (!pid) {
		struct pollfd p = { client, POLLOUT, 0 };
		NEED(poll(&p, 1, 5000) == 1);
		_exit(write(client, "y", 1) != 1);
	}
	sleep_ms(50);
	EQ(read(server, &byte, 1), 1);
	EQ(wait_status(pid), 0);
	pid = fork();
	if (!pid)
		_exit(write(client, "z", 1) != 1);
	sleep_ms(50);
	EQ(read(server, &byte, 1), 1);
	EQ(wait_status(pid), 0);
}

TEST(a_full_stream)
{
	static char block[PAGE];
	long sent = 0, n;

	pair(SOCK_STREAM);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((n = write(ends[0], block, sizeof block)) > 0)
		sent += n;
	EQ(errno, EAGAIN);
	CHECK(sent >= 65536 && sent <= 400000);
	EQ(events(ends[0]), 0);
	fcntl(ends[0], F_SETFL, 0);
	limit_wait(ends[0], SO_SNDTIMEO, 40);
	FAILS(write(ends[0], block, 1), EAGAIN);
	while (sent > 0) {
		n = read(ends[1], block, sizeof block);
		NEED(n > 0);
		sent -= n;
	}
	EQ(events(ends[0]), POLLOUT);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------------------------- */

TEST(a_limited_wait)
{
	struct timeval t = { 0, 1000000 };
	struct itimerval timer = { { 0, 0 }, { 0, 30000 } };
	socklen_t size = sizeof t;
	char byte;

	pair(SOCK_STREAM);
	FAILS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), EDOM);
	FAILS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, 8), EINVAL);
	limit_wait(ends[0], SO_RCVTIMEO, 50);
	EQ(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, &size), 0);
	EQ(t.tv_sec, 0);
	CHECK(t.tv_usec >= 50000 && t.tv_usec <= 60000);	/* whole ticks, where there are any */
	long long start = now_ns(CLOCK_MONOTONIC);
	FAILS(read(ends[0], &byte, 1), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 45000000);
	handle(SIGALRM, count_signal, SA_RESTART);
	limit_wait(ends[0], SO_RCVTIMEO, 5000);
	setitimer(ITIMER_REAL, &timer, NULL);
	FAILS(read(ends[0], &byte, 1), EINTR);			/* never restarted */
	EQ(signals, 1);
	limit_wait(ends[0], SO_RCVTIMEO, 0);
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(80);
		_exit(write(ends[1], "x", 1) != 1);
	}
	setitimer(ITIMER_REAL, &timer, NULL);
	EQ(read(ends[0], &byte, 1), 1);				/* restarted */
	EQ(signals, 2);
	EQ(wait_status(pid), 0);
}

/* ---- control messages -------------------------------------------------------------------------------------------------------------- */

union control { struct cmsghdr head; char bytes[1200]; };

static long send_with(int fd, const char *text, int type, const void *data, size_t size)
{
	union control c;
	struct iovec v = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(size) };

	memset(&c, 0, sizeof c);
	c.head.cmsg_level = SOL_SOCKET;
	c.head.cmsg_type = type;
	c.head.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&c.head), data, size);
	return syscall(SYS_sendmsg, fd, &m, 0);		/* musl's own refuses as many descriptors as are allowed */
}

static long send_fd(int fd, const char *text, int passed)
{
	return send_with(fd, text, SCM_RIGHTS, &passed, sizeof passed);
}

static struct msghdr got;
static union control got_control;
static char got_text[100];

static long receive(int fd, size_t room, int flags)
{
	static struct iovec v;

	v = (struct iovec){ got_text, sizeof got_text };
	memset(got_text, 0, sizeof got_text);
	memset(&got_control, 0, sizeof got_control);
	got = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? &got_control : NULL, .msg_controllen = room };
	return recvmsg(fd, &got, flags);
}

/* The descriptor that came; -1: none. */
static int got_fd(int n)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&got);
	int fds[253];

	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN((size_t)(n + 1) * sizeof(int)))
		return -1;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return fds[n];
}

TEST(descriptors_are_passed)
{
	char text[8] = "";
	int pipes[2];

	pair(SOCK_STREAM);
	NEED(!pipe(pipes));
	EQ(send_fd(ends[0], "a", pipes[1]), 1);
	close(pipes[1]);
	EQ(receive(ends[1], sizeof got_control, 0), 1);
	EQ(got.msg_flags, 0);
	EQ(got.msg_controllen, CMSG_SPACE(sizeof(int)));
	int fd = got_fd(0);
	CHECK(fd >= 0);
	EQ(fcntl(fd, F_GETFD), 0);
	EQ(write(fd, "through", 7), 7);
	EQ(read(pipes[0], text, 8), 7);
	close(fd);
	EQ(read(pipes[0], text, 8), 0);
	EQ(send_fd(ends[0], "b", pipes[0]), 1);
	EQ(receive(ends[1], sizeof got_control, MSG_CMSG_CLOEXEC), 1);
	EQ(got.msg_flags, MSG_CMSG_CLOEXEC);
	EQ(fcntl(got_fd(0), F_GETFD), FD_CLOEXEC);
	FAILS(send_fd(ends[0], "c", 99), EBADF);
	FAILS(send_fd(ends[0], "c", -1), EBADF);
	int many[254];
	for (int i = 0; i < 254; i++)
		many[i] = 0;
	FAILS(send_with(ends[0], "d", SCM_RIGHTS, many, sizeof many), EINVAL);
	EQ(send_with(ends[0], "d", SCM_RIGHTS, many, 253 * sizeof(int)), 1);
	EQ(send_with(ends[0], "e", SCM_RIGHTS, many, 0), 1);
	FAILS(send_with(ends[0], "f", 77, many, 4), EINVAL);
	FAILS(send_with(ends[0], "f", SCM_CREDENTIALS, many, 4), EINVAL);
}

TEST(descriptors_without_room)
{
	int fds[3] = { 0, 1, 2 }, lowest = dup(0);

	close(lowest);
	pair(SOCK_STREAM);
	int before = dup(0);
	close(before);
	EQ(send_with(ends[0], "a", SCM_RIGHTS, fds, sizeof fds), 1);
	EQ(receive(ends[1], CMSG_LEN(2 * sizeof(int)), 0), 1);
	EQ(got.msg_flags, MSG_CTRUNC);
	EQ(got_fd(1), before + 1);
	EQ(got_fd(2), -1);
	close(before);
	close(before + 1);
	EQ(send_with(ends[0], "b", SCM_RIGHTS, fds, sizeof fds), 1);
	EQ(receive(ends[1], 0, 0), 1);
	EQ(got.msg_flags, MSG_CTRUNC);
	EQ(send_with(ends[0], "c", SCM_RIGHTS, fds, sizeof fds), 1);
	EQ(read(ends[1], got_text, 10), 1);
	EQ(send_with(ends[0], "d", SCM_RIGHTS, fds, sizeof fds), 1);
	EQ(receive(ends[1], 8, 0), 1);
	EQ(got.msg_flags, MSG_CTRUNC);
	EQ(got.msg_controllen, 0);
	int after = dup(0);
	EQ(after, before);
	close(after);
}

TEST(descriptors_end_a_read)
{
	pair(SOCK_STREAM);
	EQ(write(ends[0], "ab", 2), 2);
	EQ(send_fd(ends[0], "cd", 0), 2);
	EQ(write(ends[0], "ef", 2), 2);
	EQ(receive(ends[1], sizeof got_control, 0), 4);
	CHECK(!strcmp(got_text, "abcd"));
	CHECK(got_fd(0) >= 0);
	EQ(receive(ends[1], sizeof got_control, 0), 2);
	EQ(got.msg_controllen, 0);
	EQ(send_fd(ends[0], "gh", 0), 2);
	EQ(receive(ends[1], sizeof got_control, MSG_PEEK), 2);
	CHECK(got_fd(0) >= 0);
	EQ(receive(ends[1], sizeof got_control, 0), 2);
	CHECK(got_fd(0) >= 0);
	pair(SOCK_DGRAM);
	EQ(send_fd(ends[0], "gh", 0), 2);
	EQ(receive(ends[1], sizeof got_control, MSG_PEEK), 2);
	CHECK(got_fd(0) >= 0);
	EQ(receive(ends[1], sizeof got_control, 0), 2);
	CHECK(got_fd(0) >= 0);
}

static const struct ucred *got_cred(void)
{
	static struct ucred c;
	struct cmsghdr *head = CMSG_FIRSTHDR(&got);

	c = (struct ucred){ -1, -1u, -1u };
	if (head && head->cmsg_type == SCM_CREDENTIALS && head->cmsg_len == CMSG_LEN(sizeof c))
		memcpy(&c, CMSG_DATA(head), sizeof c);
	return &c;
}

TEST(credentials)
{
	struct ucred c = { getpid(), getuid(), getgid() };
	int status;

	pair(SOCK_STREAM);
	EQ(write(ends[0], "before", 6), 6);
	set_option(ends[1], SO_PASSCRED, 1);
	EQ(option(ends[1], SO_PASSCRED), 1);
	EQ(write(ends[0], "after", 5), 5);
	EQ(receive(ends[1], sizeof got_control, 0), 6);		/* not glued to the one that has credentials */
	EQ(got_cred()->pid, 0);
	EQ(got_cred()->uid, 65534);
	EQ(receive(ends[1], sizeof got_control, 0), 5);
	EQ(got_cred()->pid, getpid());
	EQ(got_cred()->gid, getgid());
	EQ(receive(ends[1], 0, MSG_DONTWAIT) == -1 ? errno : 0, EAGAIN);
	CHILD(status) {
		NEED(write(ends[0], "child", 5) == 5);
	}
	EQ(write(ends[0], "parent", 6), 6);
	EQ(receive(ends[1], sizeof got_control, 0), 5);
	CHECK(got_cred()->pid != getpid());
	EQ(receive(ends[1], 0, 0), 6);
	EQ(got.msg_flags, MSG_CTRUNC);
	EQ(send_with(ends[0], "x", SCM_CREDENTIALS, &c, sizeof c), 1);
	EQ(receive(ends[1], sizeof got_control, 0), 1);
	EQ(got_cred()->pid, getpid());
	c.pid = 1 << 29;
	FAILS(send_with(ends[0], "x", SCM_CREDENTIALS, &c, sizeof c), geteuid() ? EPERM : ESRCH);
	if (!geteuid()) {
		c.pid = 1;
		c.uid = 4711;
		EQ(send_with(ends[0], "y", SCM_CREDENTIALS, &c, sizeof c), 1);
		EQ(receive(ends[1], sizeof got_control, 0), 1);
		EQ(got_cred()->pid, 1);
		EQ(got_cred()->uid, 4711);
		CHILD(status) {
			NEED(!setgid(1000) && !setuid(1000));
			FAILS(send_with(ends[0], "y", SCM_CREDENTIALS, &c, sizeof c), EPERM);
			c = (struct ucred){ getpid(), 1000, 0 };
			FAILS(send_with(ends[0], "y", SCM_CREDENTIALS, &c, sizeof c), EPERM);
		}
		EQ(status, 0);
	}
}

/* Whoever sends credentials gets a name. */
TEST(credentials_need_a_name)
{
	struct sockaddr_un a;
	socklen_t len = sizeof a;
	int server = new_socket(SOCK_DGRAM), client = new_socket(SOCK_DGRAM);

	EQ(bind_to(server, "@faultline named"), 0);
	set_option(client, SO_PASSCRED, 1);
	EQ(send_to(client, "x", "@faultline named"), 1);
	EQ(getsockname(client, ADDR(a), &len), 0);
	EQ(len, NAME_START + 6);
	EQ(receive(server, sizeof got_control, 0), 1);
	EQ(got.msg_controllen, 0);
	set_option(server, SO_PASSCRED, 1);
	EQ(send_to(client, "x", "@faultline named"), 1);
	EQ(receive(server, sizeof got_control, 0), 1);
	EQ(got_cred()->pid, getpid());
}

TEST(wrong_headers)
{
	char byte = 0;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	pair(SOCK_DGRAM);
	FAILS(syscall(SYS_sendmsg, ends[0], NULL, 0), EFAULT);
	FAILS(syscall(SYS_recvmsg, ends[0], NULL, 0), EFAULT);
	m.msg_iovlen = 1025;
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), EMSGSIZE);
	FAILS(syscall(SYS_recvmsg, ends[0], &m, 0), EMSGSIZE);
	m.msg_iovlen = 1;
	m.msg_iov = NULL;
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), EFAULT);
	m.msg_iov = &v;
	m.msg_control = (void *)8;
	m.msg_controllen = 64;
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), EFAULT);
	m.msg_control = &got_control;
	m.msg_controllen = 1 << 30;
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), ENOBUFS);
	m.msg_controllen = 64;
	memset(&got_control, 0, sizeof got_control);
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), EINVAL);		/* a control message of no length */
	m.msg_control = NULL;
	m.msg_controllen = 0;
	m.msg_name = &v;
	m.msg_namelen = (socklen_t)-1;
	FAILS(syscall(SYS_sendmsg, ends[0], &m, 0), EINVAL);
	FAILS(send(ends[0], (void *)8, 1, 0), EFAULT);
	EQ(write(ends[0], "x", 1), 1);
	FAILS(recv(ends[1], (void *)8, 1, 0), EFAULT);
	FAILS(recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);		/* it is lost */
	pair(SOCK_STREAM);
	EQ(write(ends[0], "x", 1), 1);
	FAILS(recv(ends[1], (void *)8, 1, 0), EFAULT);
	EQ(recv(ends[1], &byte, 1, MSG_DONTWAIT), 1);
}

TEST(several_messages)
{
	struct iovec v[3] = { { "one", 3 }, { "two", 3 }, { "three", 5 } }, w[5];
	struct mmsghdr out[3], in[5];
	struct timespec time = { 5, 0 };
	char text[5][10];

	memset(out, 0, sizeof out);
	memset(in, 0, sizeof in);
	for (int i = 0; i < 3; i++)
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	for (int i = 0; i < 5; i++) {
		w[i] = (struct iovec){ text[i], 10 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &w[i], .msg_iovlen = 1 };
	}
	pair(SOCK_DGRAM);
	EQ(syscall(SYS_sendmmsg, ends[0], out, 3, 0), 3);
	EQ(out[2].msg_len, 5);
	EQ(syscall(SYS_recvmmsg, ends[1], in, 5, MSG_WAITFORONE, NULL), 3);
	EQ(in[1].msg_len, 3);
	CHECK(!memcmp(text[2], "three", 5));
	EQ(syscall(SYS_sendmmsg, ends[0], out, 2, 0), 2);
	EQ(syscall(SYS_recvmmsg, ends[1], in, 2, 0, &time), 2);
	CHECK(time.tv_sec == 4 && time.tv_nsec > 0);
	time.tv_nsec = 1000000000;
	FAILS(syscall(SYS_recvmmsg, ends[1], in, 2, 0, &time), EINVAL);
	FAILS(syscall(SYS_recvmmsg, ends[1], in, 2, MSG_DONTWAIT, NULL), EAGAIN);
	FAILS(syscall(SYS_sendmmsg, ends[1], (void *)8, 2, 0), EFAULT);
	close(ends[1]);
	FAILS(syscall(SYS_sendmmsg, ends[0], out, 2, 0), ECONNREFUSED);
}

/* ---- options ------------------------------------------------------------------------------------------------------------------------ */

TEST(options)
{
	struct { int on, seconds; } linger = { 5, 7 };
	int value = 1, fd = new_socket(SOCK_STREAM);
	socklen_t size = sizeof value;

	EQ(option(fd, SO_SNDBUF), 212992);
	EQ(option(fd, SO_RCVBUF), 212992);
	set_option(fd, SO_SNDBUF, 1);
	EQ(option(fd, SO_SNDBUF), 4608);
	set_option(fd, SO_RCVBUF, 1);
	EQ(option(fd, SO_RCVBUF), 2304);
	set_option(fd, SO_RCVBUF, 50000);
	EQ(option(fd, SO_RCVBUF), 100000);
	set_option(fd, SO_REUSEADDR, 5);
	EQ(option(fd, SO_REUSEADDR), 1);
	set_option(fd, SO_KEEPALIVE, 1);
	EQ(option(fd, SO_KEEPALIVE), 1);
	set_option(fd, SO_KEEPALIVE, 0);
	EQ(option(fd, SO_KEEPALIVE), 0);
	set_option(fd, SO_PRIORITY, 3);
	EQ(option(fd, SO_PRIORITY), 3);
	EQ(option(fd, SO_SNDLOWAT), 1);
	EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	size = sizeof linger;
	EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
	EQ(linger.on, 1);
	EQ(linger.seconds, 7);
	size = sizeof value;
	FAILS(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, size), ENOPROTOOPT);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_ERROR, &value, size), ENOPROTOOPT);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_SNDLOWAT, &value, size), ENOPROTOOPT);
	FAILS(setsockopt(fd, SOL_SOCKET, 999, &value, size), ENOPROTOOPT);
	FAILS(setsockopt(fd, 6, 1, &value, size), EOPNOTSUPP);
	FAILS(getsockopt(fd, 6, 1, &value, &size), EOPNOTSUPP);
	FAILS(getsockopt(fd, SOL_SOCKET, 999, &value, &size), ENOPROTOOPT);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, (socklen_t)-1), EINVAL);
	FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, size), EFAULT);
	FAILS(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, &size), EFAULT);
	FAILS(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, NULL), EFAULT);
	size = (socklen_t)-1;
	FAILS(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size), EINVAL);
	size = 2;
	value = -1;
	EQ(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size), 0);
	EQ(size, 2);
	EQ(value, (int)0xffff0001);
}

/* ---- garbage --------------------------------------------------------------------------------------------------------------------------- */

/* What only messages hold goes.  The cases themselves look at nothing: the frame counts open files. */

TEST(a_socket_in_its_own_queue)
{
	pair(SOCK_STREAM);
	EQ(send_fd(ends[0], "x", ends[1]), 1);
	close(ends[0]);
	close(ends[1]);
}

TEST(two_that_hold_each_other)
{
	int other[2];

	for (int i = 0; i < 20; i++) {
		pair(SOCK_DGRAM);
		NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, other));
		EQ(send_fd(ends[0], "x", other[0]), 1);
		EQ(send_fd(ends[0], "x", other[1]), 1);
		EQ(send_fd(other[1], "x", ends[0]), 1);
		EQ(send_fd(other[1], "x", ends[1]), 1);
		close(ends[0]);
		close(ends[1]);
		close(other[0]);
		close(other[1]);
	}
}

/* One that can still be received is none. */
TEST(what_is_reached_stays)
{
	int inner[2];
	char text[8];

	pair(SOCK_STREAM);
	NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
	EQ(send_fd(inner[0], "in", inner[0]), 2);
	EQ(send_fd(ends[0], "out", inner[1]), 3);
	close(inner[0]);
	close(inner[1]);
	close(new_socket(SOCK_STREAM));
	EQ(receive(ends[1], sizeof got_control, 0), 3);
	int fd = got_fd(0);
	EQ(receive(fd, sizeof got_control, 0), 2);
	EQ(write(got_fd(0), "hello", 5), 5);
	EQ(read(fd, text, 8), 5);
}

TEST(one_inside_the_other)
{
	int next[2];

	pair(SOCK_STREAM);
	int first = ends[1], last = ends[0];
	for (int i = 0; i < 400; i++) {
		NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, next));
		NEED(send_fd(next[0], "x", last) == 1 && send_fd(next[0], "y", first) == 1);
		close(first);
		close(last);
		first = next[1];
		last = next[0];
	}
	close(first);
	close(last);
}

TEST(in_a_connection_that_waits)
{
	int server = listener(SOCK_STREAM, "@faultline waits", 5), client = new_socket(SOCK_STREAM);

	EQ(connect_to(client, "@faultline waits"), 0);
	EQ(send_fd(client, "x", server), 1);
	EQ(send_fd(client, "x", client), 1);
	close(server);
	close(client);
}

TEST(as_many_as_may_be_on_their_way)
{
	struct rlimit limit = { 40, 40 };
	int status, fds[20] = { 0 }, n = 0;

	pair(SOCK_DGRAM);
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		NEED(!setrlimit(RLIMIT_NOFILE, &limit) && !setgid(1000) && !setuid(1000));
		while (n < 100 && send_with(ends[0], "x", SCM_RIGHTS, fds, sizeof fds) == 1)
			n++;
		EQ(errno, ETOOMANYREFS);
		EQ(n, 3);
	}
	EQ(status, 0);
}

/* ---- many at once ------------------------------------------------------------------------------------------------------------------------ */

/* Servers and clients that come and go, with descriptors on the way. */
TEST(a_crowd)
{
	enum { CLIENTS = 6, ROUNDS = 40 };
	int server = listener(SOCK_STREAM, "@faultline crowd", 3);
	pid_t pid[CLIENTS + 2];
	char text[8];

	for (int i = 0; i < 2; i++)
		if (!(pid[CLIENTS + i] = fork()))
			for (;;) {
				int fd = accept(server, NULL, NULL);
				if (fd < 0 || receive(fd, sizeof got_control, 0) != 4)
					_exit(1);
				int back = got_fd(0);
				if (write(back, got_text, 4) != 4 || close(back) || close(fd))
					_exit(2);
			}
	for (int i = 0; i < CLIENTS; i++)
		if (!(pid[i] = fork())) {
			for (int j = 0; j < ROUNDS; j++) {
				int fd = new_socket(SOCK_STREAM);
				pair(j % 2 ? SOCK_STREAM : SOCK_SEQPACKET);
				NEED(!connect_to(fd, "@faultline crowd") && send_fd(fd, "ping", ends[0]) == 4);
				close(ends[0]);
				NEED(read(ends[1], text, 8) == 4);
				close(ends[1]);
				close(fd);
			}
			_exit(0);
		}
	for (int i = 0; i < CLIENTS; i++)
		EQ(wait_status(pid[i]), 0);
	for (int i = 0; i < 2; i++) {
		kill(pid[CLIENTS + i], SIGKILL);
		wait_status(pid[CLIENTS + i]);
	}
}
