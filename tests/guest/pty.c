/* tests/guest/pty.c - pseudo-terminals: both sides, the line discipline, packet mode, sessions and jobs on them, hang-up; process groups. */
#include "tap.h"
#include <dirent.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int master, slave;
static char path[32];

static int open_master(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY), n = -1, zero = 0;

	NEED(fd >= 0 && !ioctl(fd, TIOCGPTN, &n) && !ioctl(fd, TIOCSPTLCK, &zero));
	snprintf(path, sizeof path, "/dev/pts/%d", n);
	return fd;
}

static void make_pair(void)
{
	master = open_master();
	slave = open(path, O_RDWR | O_NOCTTY);
	NEED(slave >= 0);
}

/* What comes within a moment. */
static const char *read_now(int fd)
{
	static char text[4096];
	struct pollfd p = { fd, POLLIN, 0 };
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text - 1 && poll(&p, 1, 40) == 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}

#define READS(fd, expected) do { const char *r_ = read_now(fd); if (strcmp(r_, expected)) FAIL("read \"%s\", not \"%s\"", r_, expected); } while (0)
#define TYPE(text) EQ(write(master, text, sizeof(text) - 1), sizeof(text) - 1)
#define PUT(text) EQ(write(slave, text, sizeof(text) - 1), sizeof(text) - 1)

static void change(tcflag_t off, tcflag_t on)			/* of lflag */
{
	struct termios t;

	NEED(!tcgetattr(slave, &t));
	t.c_lflag = (t.c_lflag & ~off) | on;
	NEED(!tcsetattr(slave, TCSANOW, &t));
}

static void raw(int min, int time)
{
	struct termios t;

	NEED(!tcgetattr(slave, &t));
	t.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_cc[VMIN] = (cc_t)min;
	t.c_cc[VTIME] = (cc_t)time;
	NEED(!tcsetattr(slave, TCSANOW, &t));
}

static volatile sig_atomic_t got_signal[65];
static void note(int signo, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	got_signal[signo]++;
}

static void wait_signal(int signo)
{
	for (int i = 0; i < 100 && !got_signal[signo]; i++)
		sleep_ms(10);
}

/* The process leads a session on the slave, which it opens. */
static void lead_session(void)
{
	NEED(setsid() == getpid());
	slave = open(path, O_RDWR);
	NEED(slave >= 0 && tcgetsid(slave) == getpid());
}

/* The statements that follow run in a child that leads a session on the slave. */
#define SESSION(status) CHILD(status) for (int once2_ = (lead_session(), 1); once2_; once2_ = 0)

/* ---- the pair --------------------------------------------------------------------------------------------------------------------- */

TEST(a_pair)
{
	struct stat st, link;
	char name[64] = "", fd_path[64];
	int n, locked = -1, zero = 0, fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	NEED(fd >= 0);
	EQ(ioctl(fd, TIOCGPTN, &n), 0);
	snprintf(path, sizeof path, "/dev/pts/%d", n);
	EQ(ioctl(fd, TIOCGPTLCK, &locked), 0);
	EQ(locked, 1);
	FAILS(open(path, O_RDWR | O_NOCTTY), EIO);
	EQ(ioctl(fd, TIOCSPTLCK, &zero), 0);
	slave = open(path, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK(isatty(slave) && isatty(fd));
	CHECK(!fstat(slave, &st) && !stat(path, &link) && st.st_ino == link.st_ino && st.st_dev == link.st_dev);
	CHECK(S_ISCHR(st.st_mode));
	CHECK((st.st_mode & 07777) == 0620 || (st.st_mode & 07777) == 0600);	/* as it is mounted */
	EQ(major(st.st_rdev), 136);
	EQ(minor(st.st_rdev), n);
	EQ(st.st_uid, geteuid());
	snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", slave);
	CHECK(readlink(fd_path, name, sizeof name - 1) > 0);
	CHECK(!strcmp(name, path) && !strcmp(ttyname(slave), path));
	FAILS(ioctl(slave, TIOCGPTN, &n), ENOTTY);
	FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
	int other = open_master();
	CHECK(strcmp(path, name));
	close(other);
	FAILS(stat(path, &st), ENOENT);
	int peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(peer >= 0 && !strcmp(ttyname(peer), name));
	EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
	int device = 0;
	EQ(ioctl(slave, TIOCGDEV, &device), 0);
	EQ(device, makedev(136, n));
	close(fd);
	FAILS(stat(name, &st), ENOENT);
	FAILS(open("/dev/pts/new", O_CREAT | O_RDWR, 0666) == -1 && (errno == EACCES || errno == EPERM) ? (errno = EPERM, -1) : 0, EPERM);
}

TEST(listed)
{
	int found = 0, masters[3];
	char names[3][32];

	for (int i = 0; i < 3; i++) {
		masters[i] = open_master();
		strcpy(names[i], path + 9);
	}
	close(masters[1]);
	DIR *d = opendir("/dev/pts");
	NEED(d);
	for (struct dirent *e; (e = readdir(d)); ) {
		for (int i = 0; i < 3; i++)
			found += !strcmp(e->d_name, names[i]) && e->d_type == DT_CHR ? 1 << (4 * i) : 0;
		found += !strcmp(e->d_name, "ptmx") ? 0x1000 : 0;
	}
	EQ(found, 0x1101);
	closedir(d);
	int again = open_master();
	CHECK(!strcmp(path + 9, names[1]));			/* the lowest number is taken */
	close(again);
}

TEST(modes_when_new)
{
	struct termios t;
	struct winsize w = { 1, 1, 1, 1 };

	make_pair();
	EQ(tcgetattr(slave, &t), 0);
	EQ(t.c_iflag, ICRNL | IXON);
	EQ(t.c_oflag, OPOST | ONLCR);
	EQ(t.c_cflag, B38400 | CS8 | CREAD);
	EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	EQ(t.c_cc[VINTR], 3);
	EQ(t.c_cc[VMIN], 1);
	EQ(ioctl(slave, TIOCGWINSZ, &w), 0);
	EQ(w.ws_row, 0);
	EQ(w.ws_col, 0);
	t.c_cflag = B9600 | CS5 | PARENB;
	EQ(tcsetattr(master, TCSANOW, &t), 0);			/* of the one that both are */
	EQ(tcgetattr(slave, &t), 0);
	EQ(t.c_cflag, B9600 | CS8 | CREAD);
	struct { unsigned flags[4]; unsigned char line, cc[19]; unsigned ispeed, ospeed; } t2;
	EQ(ioctl(slave, 0x802c542a, &t2), 0);			/* TCGETS2 */
	EQ(t2.ospeed, 9600);
	EQ(t2.ispeed, 9600);
	t2.flags[2] = (t2.flags[2] & ~010017u) | 010000;	/* BOTHER */
	t2.ospeed = 12345;
	EQ(ioctl(slave, 0x402c542b, &t2), 0);
	EQ(ioctl(slave, 0x802c542a, &t2), 0);
	EQ(t2.ospeed, 12345);
	struct { unsigned short flags[4]; unsigned char line, cc[8]; } old;
	EQ(ioctl(slave, TCGETA, &old), 0);
	EQ(old.flags[0], ICRNL | IXON);
	EQ(old.cc[VINTR], 3);
	old.flags[3] &= (unsigned short)~ECHO;
	old.cc[VINTR] = 5;
	EQ(ioctl(slave, TCSETAF, &old), 0);
	EQ(tcgetattr(slave, &t), 0);
	EQ(t.c_lflag & (ECHO | ICANON), ICANON);
	EQ(t.c_cc[VINTR], 5);
	EQ(t.c_cc[VSTART], 17);
	FAILS(ioctl(slave, TCSETA, (void *)8), EFAULT);
	FAILS(ioctl(slave, TCGETS, (void *)8), EFAULT);
	FAILS(ioctl(slave, 0x5499, 0), ENOTTY);
}

/* ---- the line discipline --------------------------------------------------------------------------------------------------------- */

TEST(lines)
{
	char text[16];
	int n;

	make_pair();
	TYPE("abc");
	READS(master, "abc");
	struct pollfd p = { slave, POLLIN, 0 };
	EQ(poll(&p, 1, 0), 0);
	EQ(ioctl(slave, FIONREAD, &n), 0);
	EQ(n, 0);
	TYPE("d\x7f\x7f" "x\r");
	READS(master, "d\b \b\b \bx\r\n");
	EQ(poll(&p, 1, 0), 1);
	EQ(ioctl(slave, FIONREAD, &n), 0);
	EQ(n, 4);
	EQ(read(slave, text, 2), 2);
	EQ(read(slave, text + 2, 10), 2);
	CHECK(!memcmp(text, "abx\n", 4));
	TYPE("one\ntwo\n");
	EQ(read(slave, text, 16), 4);
	EQ(read(slave, text, 16), 4);
	TYPE("end\x04");
	EQ(read(slave, text, 16), 3);
	TYPE("\x04");
	EQ(read(slave, text, 16), 0);
	TYPE("gone\x15" "a\x16\x03" "b c d\x17\n");			/* KILL, LNEXT, WERASE */
	EQ(read(slave, text, 16), 7);
	CHECK(!memcmp(text, "a\x03" "b c \n", 7));
	read_now(master);
	PUT("out\tput\n");
	READS(master, "out\tput\r\n");
	change(ECHO, 0);
	TYPE("secret\n");
	READS(master, "");
	READS(slave, "secret\n");
	change(ECHO | ECHOCTL, ECHONL);
	TYPE("secret\n");
	READS(master, "\r\n");
}

TEST(letters)
{
	struct termios t;

	make_pair();
	NEED(!tcgetattr(slave, &t));
	t.c_iflag |= IUCLC;
	t.c_oflag |= OLCUC;
	EQ(tcsetattr(slave, TCSANOW, &t), 0);
	TYPE("MiXed\n");
	READS(slave, "mixed\n");
	READS(master, "MIXED\r\n");
}

TEST(raw_bytes)
{
	char text[16];

	make_pair();
	raw(1, 0);
	TYPE("\x03\x04\x7f\r");
	EQ(read(slave, text, 16), 4);
	CHECK(!memcmp(text, "\x03\x04\x7f\r", 4));
	PUT("a\nb");
	READS(master, "a\nb");
	raw(0, 0);
	EQ(read(slave, text, 16), 0);
	raw(0, 1);
	long long start = now_ns(CLOCK_MONOTONIC);
	EQ(read(slave, text, 16), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 90000000);
	raw(3, 0);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	FAILS(read(slave, text, 16), EAGAIN);
	TYPE("xy");
	struct pollfd p = { slave, POLLIN, 0 };
	EQ(poll(&p, 1, 0), 0);
	TYPE("z");
	EQ(poll(&p, 1, 0), 1);
	EQ(read(slave, text, 16), 3);
	fcntl(slave, F_SETFL, O_RDWR);
	raw(5, 1);
	TYPE("ab");
	EQ(read(slave, text, 16), 2);				/* the time between two bytes is up */
}

TEST(flushing)
{
	char text[16];
	int n;

	make_pair();
	TYPE("line\nmore");
	read_now(master);
	EQ(tcflush(slave, TCIFLUSH), 0);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	FAILS(read(slave, text, 16), EAGAIN);
	TYPE("\n");
	EQ(read(slave, text, 16), 1);
	read_now(master);
	PUT("lost");
	struct pollfd p = { master, POLLIN, 0 };
	EQ(poll(&p, 1, 1000), 1);
	EQ(ioctl(master, FIONREAD, &n), 0);
	EQ(n, 4);
	EQ(ioctl(slave, TIOCOUTQ, &n), 0);
	EQ(n, 0);
	EQ(tcflush(slave, TCOFLUSH), 0);			/* it has arrived */
	EQ(tcdrain(slave), 0);
	READS(master, "lost");
	PUT("lost");
	EQ(poll(&p, 1, 1000), 1);
	EQ(tcflush(master, TCIFLUSH), 0);
	READS(master, "");
	FAILS(tcflush(slave, 3), EINVAL);
	FAILS(tcflow(slave, 4), EINVAL);
	EQ(tcflow(slave, TCOOFF), 0);
	FAILS(write(slave, "x", 1), EAGAIN);
	EQ(tcflow(slave, TCOON), 0);
	PUT("x");
	READS(master, "x");
	EQ(tcflow(slave, TCIOFF), 0);
	READS(master, "\x13");
}

TEST(stop_and_start)
{
	make_pair();
	change(ECHO, 0);
	TYPE("\x13");
	sleep_ms(20);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	FAILS(write(slave, "x", 1), EAGAIN);
	fcntl(slave, F_SETFL, O_RDWR);
	pid_t pid = fork();
	if (!pid)
		_exit(write(slave, "later", 5) != 5);
	READS(master, "");
	TYPE("\x11");
	READS(master, "later");
	EQ(wait_status(pid), 0);
}

/* More output than fits waits for a reader. */
TEST(a_full_master)
{
	enum { SIZE = 100000 };
	static char block[SIZE];
	long n = 0, got;

	make_pair();
	raw(1, 0);
	for (int i = 0; i < SIZE; i++)
		block[i] = (char)(i * 7 >> 3);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	while ((got = write(slave, block, 1000)) > 0)
		n += got;
	EQ(errno, EAGAIN);
	CHECK(n >= 4000 && n <= 100000);
	struct pollfd p = { slave, POLLOUT, 0 };
	EQ(poll(&p, 1, 0), 0);
	EQ(tcflush(master, TCIFLUSH), 0);
	fcntl(slave, F_SETFL, O_RDWR);
	read_now(master);
	pid_t pid = fork();
	if (!pid)
		_exit(write(slave, block, SIZE) != SIZE);
	static char back[SIZE];
	for (n = 0; n < SIZE && (got = read(master, back + n, (size_t)(SIZE - n))) > 0; n += got)
		;
	EQ(n, SIZE);
	CHECK(!memcmp(block, back, SIZE));
	EQ(wait_status(pid), 0);
}

/* More input than fits, too; in lines as well as raw. */
TEST(a_full_slave)
{
	enum { LINES = 3000, LINE = 10 };
	char line[LINE + 1], text[LINE];
	static char block[64000], back[64000];
	long n = 0, got;

	make_pair();
	change(ECHO, 0);
	pid_t pid = fork();
	if (!pid) {
		for (int i = 0; i < LINES; i++) {
			snprintf(line, sizeof line, "%9d\n", i);
			NEED(write(master, line, LINE) == LINE);
		}
		_exit(0);
	}
	sleep_ms(100);
	for (int i = 0; i < LINES; i++) {
		NEED(read(slave, text, LINE) == LINE);
		NEED(atoi(text) == i);
	}
	EQ(wait_status(pid), 0);
	raw(1, 0);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(i * 11 >> 2);
	pid = fork();
	if (!pid)
		_exit(write(master, block, sizeof block) != sizeof block);
	for (; n < (long)sizeof back && (got = read(slave, back + n, sizeof back - (size_t)n)) > 0; n += got)
		;
	EQ(n, sizeof back);
	CHECK(!memcmp(block, back, sizeof back));
	EQ(wait_status(pid), 0);
}

/* ---- packet mode ------------------------------------------------------------------------------------------------------------------ */

static int packet(const char *data)
{
	static char text[100];
	struct pollfd p = { master, POLLIN | POLLPRI, 0 };

	if (poll(&p, 1, 40) != 1)
		return -1;
	ssize_t n = read(master, text, sizeof text);
	if (n <= 0 || strlen(data) != (size_t)n - 1 || memcmp(text + 1, data, (size_t)n - 1))
		return -2;
	return text[0] | (p.revents & POLLPRI ? 0x100 : 0);
}

TEST(packets)
{
	int on = 1;
	struct termios t;

	make_pair();
	EQ(ioctl(master, TIOCPKT, &on), 0);
	on = 0;
	EQ(ioctl(master, TIOCGPKT, &on), 0);
	EQ(on, 1);
	FAILS(ioctl(slave, TIOCPKT, &on), ENOTTY);
	PUT("data");
	EQ(packet("data"), TIOCPKT_DATA);
	TYPE("\x13");
	EQ(packet(""), TIOCPKT_STOP | 0x100);
	TYPE("\x11");
	EQ(packet(""), TIOCPKT_START | 0x100);
	EQ(tcflush(slave, TCIFLUSH), 0);
	EQ(packet(""), TIOCPKT_FLUSHREAD | 0x100);
	EQ(tcflush(slave, TCOFLUSH), 0);
	EQ(packet(""), TIOCPKT_FLUSHWRITE | 0x100);
	NEED(!tcgetattr(slave, &t));
	t.c_iflag &= ~(tcflag_t)IXON;
	EQ(tcsetattr(slave, TCSANOW, &t), 0);
	EQ(packet(""), TIOCPKT_NOSTOP | 0x100);
	t.c_iflag |= IXON;
	EQ(tcsetattr(slave, TCSANOW, &t), 0);
	EQ(packet(""), TIOCPKT_DOSTOP | 0x100);
	on = 0;
	EQ(ioctl(master, TIOCPKT, &on), 0);
	PUT("plain");
	READS(master, "plain");
}

/* ---- ends ------------------------------------------------------------------------------------------------------------------------- */

TEST(the_slave_closes)
{
	char text[8];

	master = open_master();
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	FAILS(read(master, text, 8), EAGAIN);			/* it has not been there yet */
	slave = open(path, O_RDWR | O_NOCTTY);
	int second = open(path, O_RDWR | O_NOCTTY);
	PUT("last");
	close(slave);
	struct pollfd p = { master, POLLIN | POLLOUT, 0 };
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN | POLLOUT);
	close(second);
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN | POLLOUT | POLLHUP);
	EQ(read(master, text, 8), 4);
	FAILS(read(master, text, 8), EIO);
	EQ(write(master, "early\n", 6), 6);
	slave = open(path, O_RDWR | O_NOCTTY);
	EQ(poll(&p, 1, 0) == 1 ? p.revents & POLLHUP : -1, 0);
	EQ(read(slave, text, 8), 6);
}

TEST(the_master_closes)
{
	char text[8];

	make_pair();
	pid_t pid = fork();
	if (!pid) {
		close(master);
		_exit(!(read(slave, text, 8) == -1 && errno == EIO));
	}
	int copy = open(path, O_RDWR | O_NOCTTY);
	sleep_ms(50);
	close(master);
	EQ(wait_status(pid), 0);
	EQ(read(copy, text, 8), 0);
	FAILS(write(copy, text, 1), EIO);
	FAILS(tcflush(copy, TCIFLUSH), EIO);
	FAILS(ioctl(copy, TIOCSPGRP, text), ENOTTY);
	struct pollfd p = { copy, POLLIN | POLLOUT, 0 };
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
}

/* ---- sessions and jobs -------------------------------------------------------------------------------------------------------------- */

TEST(a_controlling_terminal)
{
	int status, number;
	char line[300];

	master = open_master();
	CHILD(status) {
		NEED(setsid() == getpid());
		FAILS(open("/dev/tty", O_RDWR), ENXIO);
		slave = open(path, O_RDWR | O_NOCTTY);
		FAILS(tcgetsid(slave), ENOTTY);
		FAILS(tcgetpgrp(slave), ENOTTY);
		FAILS(open("/dev/tty", O_RDWR), ENXIO);
		EQ(ioctl(slave, TIOCSCTTY, 0), 0);
		EQ(ioctl(slave, TIOCSCTTY, 0), 0);
		EQ(tcgetsid(slave), getpid());
		EQ(tcgetsid(master), getpid());
		EQ(tcgetpgrp(slave), getpid());
		int tty = open("/dev/tty", O_RDWR);
		EQ(write(tty, "mine", 4), 4);
		close(tty);
		READS(master, "mine");
		FILE *f = fopen("/proc/self/stat", "r");
		NEED(f && fgets(line, sizeof line, f) && sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %d", &number) == 1);
		EQ(number, 136 << 8 | atoi(path + 9));
		FAILS(tcsetpgrp(slave, -1), EINVAL);
		FAILS(tcsetpgrp(slave, 1 << 22), ESRCH);
		FAILS(tcsetpgrp(slave, getppid()), EPERM);
		FAILS(setsid(), EPERM);
		FAILS(setpgid(0, 0), EPERM);
		int inner;
		CHILD(inner) {
			FAILS(ioctl(slave, TIOCSCTTY, 0), EPERM);
			EQ(ioctl(slave, TIOCNOTTY, 0), 0);
			FAILS(open("/dev/tty", O_RDWR), ENXIO);
			FAILS(ioctl(slave, TIOCNOTTY, 0), ENOTTY);
		}
		EQ(inner, 0);
		EQ(tcgetsid(slave), getpid());
		handle(SIGHUP, note, 0);
		handle(SIGCONT, note, 0);
		EQ(ioctl(slave, TIOCNOTTY, 0), 0);
		EQ(got_signal[SIGHUP], 1);
		EQ(got_signal[SIGCONT], 1);
		FAILS(tcgetsid(slave), ENOTTY);
		EQ(write(slave, "still", 5), 5);			/* it has not hung up */
		/* By opening it, unless it is not for reading. */
		int fd = open(path, O_WRONLY);
		FAILS(tcgetsid(fd), ENOTTY);
		fd = open(path, O_RDONLY);
		EQ(tcgetsid(fd), getpid());
	}
	EQ(status, 0);
}

TEST(two_sessions)
{
	int masters[2], status[2], go[2];
	char names[2][32];
	pid_t pid[2];

	for (int i = 0; i < 2; i++) {
		masters[i] = open_master();
		strcpy(names[i], path);
	}
	NEED(!pipe(go));
	for (int i = 0; i < 2; i++)
		if (!(pid[i] = fork())) {
			char text[4];
			strcpy(path, names[i]);
			lead_session();
			int tty = open("/dev/tty", O_RDWR);
			NEED(write(tty, i ? "two" : "one", 3) == 3);
			/* the other's may not be taken */
			NEED(read(go[0], text, 1) == 1);
			int other = open(names[!i], O_RDWR);
			NEED(tcgetsid(other) == -1 && errno == ENOTTY);
			NEED(ioctl(other, TIOCSCTTY, 0) == -1 && errno == EPERM);
			_exit(read(tty, text, 4) != 2);
		}
	READS(masters[0], "one");
	READS(masters[1], "two");
	NEED(write(go[1], "xx", 2) == 2);
	sleep_ms(50);
	for (int i = 0; i < 2; i++) {
		EQ(write(masters[i], "x\n", 2), 2);
		status[i] = wait_status(pid[i]);
		EQ(status[i], 0);
	}
}

TEST(keys_send_signals)
{
	static const struct { char key; int signo; } keys[] = { { 3, SIGINT }, { 28, SIGQUIT }, { 26, SIGTSTP } };

	for (int i = 0; i < 3; i++) {
		master = open_master();
		pid_t pid = fork();
		if (!pid) {
			lead_session();
			handle(keys[i].signo, note, 0);
			NEED(write(slave, "r", 1) == 1);
			wait_signal(keys[i].signo);
			_exit(got_signal[keys[i].signo] != 1);
		}
		READS(master, "r");
		char shown[3] = { '^', (char)(keys[i].key ^ 0x40), 0 };
		EQ(write(master, &keys[i].key, 1), 1);
		READS(master, shown);
		EQ(wait_status(pid), 0);
		close(master);
	}
}

TEST(a_signal_by_request)
{
	master = open_master();
	pid_t pid = fork();
	if (!pid) {
		lead_session();
		handle(SIGQUIT, note, 0);
		NEED(write(slave, "r", 1) == 1);
		wait_signal(SIGQUIT);
		_exit(got_signal[SIGQUIT] != 1);
	}
	READS(master, "r");
	FAILS(ioctl(master, 0x40045436, 0), EINVAL);		/* TIOCSIG */
	FAILS(ioctl(master, 0x40045436, SIGKILL), EINVAL);
	EQ(ioctl(master, 0x40045436, SIGQUIT), 0);
	EQ(wait_status(pid), 0);
}

TEST(window_size)
{
	struct winsize w = { 30, 100, 0, 0 }, got;

	master = open_master();
	pid_t pid = fork();
	if (!pid) {
		lead_session();
		handle(SIGWINCH, note, 0);
		NEED(write(slave, "r", 1) == 1);
		wait_signal(SIGWINCH);
		NEED(!ioctl(slave, TIOCGWINSZ, &got));
		sleep_ms(50);
		_exit(got_signal[SIGWINCH] != 1 || got.ws_row != 30 || got.ws_col != 100);
	}
	READS(master, "r");
	EQ(ioctl(master, TIOCSWINSZ, &w), 0);
	EQ(ioctl(master, TIOCSWINSZ, &w), 0);			/* no change */
	EQ(wait_status(pid), 0);
	EQ(ioctl(master, TIOCGWINSZ, &got), 0);
	EQ(got.ws_row, 30);
}

/* The next thing that happens to the child: 0x100 | signal: it stopped; else its wait status. */
static int next_state(pid_t pid)
{
	int status = -1;

	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	return WIFSTOPPED(status) ? 0x100 | WSTOPSIG(status) : status;
}

TEST(jobs)
{
	int status;

	master = open_master();
	SESSION(status) {
		char text[8];
		pid_t pid = fork();
		if (!pid) {
			setpgid(0, 0);
			_exit(read(slave, text, 8) != 3);
		}
		setpgid(pid, pid);
		EQ(next_state(pid), 0x100 | SIGTTIN);
		signal(SIGTTOU, SIG_IGN);
		EQ(tcsetpgrp(slave, pid), 0);
		EQ(tcgetpgrp(slave), pid);
		EQ(tcgetpgrp(master), pid);
		EQ(write(master, "ab\n", 3), 3);
		EQ(kill(-pid, SIGCONT), 0);
		EQ(next_state(pid), 0);
		EQ(tcsetpgrp(slave, getpid()), 0);
		signal(SIGTTOU, SIG_DFL);
		/* In the background: writing is allowed, unless TOSTOP forbids it; changing is not. */
		pid = fork();
		if (!pid) {
			setpgid(0, 0);
			while (tcgetpgrp(slave) == getpid())
				sleep_ms(1);
			NEED(write(slave, "x", 1) == 1);
			raise(SIGSTOP);
			NEED(write(slave, "x", 1) == 1);		/* stopped here, and again when continued in the background */
			_exit(0);
		}
		setpgid(pid, pid);
		EQ(next_state(pid), 0x100 | SIGSTOP);
		change(0, TOSTOP);
		kill(-pid, SIGCONT);
		EQ(next_state(pid), 0x100 | SIGTTOU);
		kill(-pid, SIGCONT);
		EQ(next_state(pid), 0x100 | SIGTTOU);
		change(TOSTOP, 0);
		kill(-pid, SIGCONT);
		EQ(next_state(pid), 0);
		pid = fork();
		if (!pid) {
			setpgid(0, 0);
			NEED(!tcflush(slave, TCIFLUSH));
			_exit(0);
		}
		setpgid(pid, pid);
		EQ(next_state(pid), 0x100 | SIGTTOU);
		kill(pid, SIGKILL);
		NEED(next_state(pid) == SIGKILL);
		/* Who does not heed the signal may change, but not read. */
		pid = fork();
		if (!pid) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			signal(SIGTTIN, SIG_IGN);
			NEED(!tcflush(slave, TCIFLUSH));
			NEED(read(slave, text, 1) == -1 && errno == EIO);
			_exit(0);
		}
		EQ(next_state(pid), 0);
	}
	EQ(status, 0);
}

/* Nobody could continue it: it gets an error. */
TEST(an_orphaned_group)
{
	int status, result[2];
	char answer = 0;

	master = open_master();
	NEED(!pipe(result));
	SESSION(status) {
		signal(SIGHUP, SIG_IGN);
		pid_t pid = fork();
		if (!pid) {
			if (!fork()) {
				char text[4];
				setpgid(0, 0);
				while (getppid() != 1)
					sleep_ms(5);
				answer = read(slave, text, 1) == -1 && errno == EIO ? 'y' : 'n';
				NEED(write(result[1], &answer, 1) == 1);
				_exit(0);
			}
			_exit(0);
		}
		EQ(next_state(pid), 0);
		NEED(read(result[0], &answer, 1) == 1);
		EQ(answer, 'y');
	}
	EQ(status, 0);
}

/* A stopped group that becomes orphaned is told. */
TEST(a_group_becomes_orphaned)
{
	int result[2];
	char answer = 0;

	NEED(!pipe(result));
	pid_t pid = fork();
	if (!pid) {
		setsid();
		if (!fork()) {
			handle(SIGHUP, note, 0);
			handle(SIGCONT, note, 0);
			setpgid(0, 0);
			raise(SIGSTOP);
			answer = (char)(got_signal[SIGHUP] * 10 + got_signal[SIGCONT]);
			NEED(write(result[1], &answer, 1) == 1);
			_exit(0);
		}
		int status;
		NEED(waitpid(-1, &status, WUNTRACED) > 0 && WIFSTOPPED(status));
		_exit(0);
	}
	EQ(wait_status(pid), 0);
	NEED(read(result[0], &answer, 1) == 1);
	EQ(answer, 11);
}

/* The leader and, when it goes, the foreground are told that nobody is at the other side. */
TEST(hang_up)
{
	int result[2];
	char answer[2];

	master = open_master();
	NEED(!pipe(result));
	pid_t pid = fork();
	if (!pid) {
		int inside = master;
		lead_session();
		handle(SIGHUP, note, 0);
		handle(SIGCONT, note, 0);
		pid_t job = fork();
		if (!job) {
			close(inside);
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			NEED(!tcsetpgrp(slave, getpid()));
			got_signal[SIGHUP] = got_signal[SIGCONT] = 0;
			NEED(write(result[1], "r", 1) == 1);
			wait_signal(SIGCONT);
			char a = (char)(got_signal[SIGHUP] * 10 + got_signal[SIGCONT]);
			NEED(write(result[1], &a, 1) == 1);
			_exit(0);
		}
		sleep_ms(50);
		close(inside);
		wait_signal(SIGCONT);
		NEED(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
		_exit(got_signal[SIGHUP] * 10 + got_signal[SIGCONT]);
	}
	close(result[1]);
	NEED(read(result[0], answer, 1) == 1);
	close(master);
	EQ(wait_status(pid), 11 << 8);
	NEED(read(result[0], answer, 1) == 1);
	EQ(answer[0], 11);
}

/* When the leader goes the foreground gets SIGHUP; the terminal itself lives on for those who have it open. */
TEST(the_leader_exits)
{
	int result[2];
	char answer = 0;

	master = open_master();
	NEED(!pipe(result));
	pid_t pid = fork();
	if (!pid) {
		lead_session();
		if (!fork()) {
			handle(SIGHUP, note, 0);
			NEED(write(result[1], "r", 1) == 1);
			wait_signal(SIGHUP);
			NEED(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
			answer = got_signal[SIGHUP] == 1 && write(slave, "alive", 5) == 5 ? 'y' : 'n';
			NEED(write(result[1], &answer, 1) == 1);
			_exit(0);
		}
		char go;
		NEED(read(result[0], &go, 1) == 1);
		_exit(0);
	}
	EQ(wait_status(pid), 0);
	NEED(read(result[0], &answer, 1) == 1);
	EQ(answer, 'y');
	READS(master, "alive");
}

TEST(taken_away)
{
	int status;

	master = open_master();
	if (geteuid())
		SKIP("needs root");
	SESSION(status) {
		char text[4];
		int fd;
		handle(SIGHUP, note, 0);
		EQ(syscall(SYS_vhangup), 0);
		EQ(got_signal[SIGHUP], 1);
		EQ(read(slave, text, 4), 0);
		FAILS(write(slave, text, 1), EIO);
		fd = open(path, O_RDWR);
		EQ(tcgetsid(fd), getpid());
		EQ(write(fd, "new", 3), 3);
		READS(master, "new");
		/* From another session. */
		pid_t pid = fork();
		if (!pid) {
			NEED(setsid() == getpid());
			NEED(ioctl(fd, TIOCSCTTY, 0) == -1 && errno == EPERM);
			NEED(ioctl(fd, TIOCSCTTY, 1) == 0);
			_exit(tcgetsid(fd) != getpid());
		}
		EQ(wait_status(pid), 0);
		FAILS(tcgetsid(fd), ENOTTY);
	}
	EQ(status, 0);
	CHILD(status) {
		NEED(!setgid(1000) && !setuid(1000));
		FAILS(syscall(SYS_vhangup), EPERM);
	}
	EQ(status, 0);
}

TEST(exclusive_use)
{
	int status, on = 0;

	make_pair();
	if (geteuid())
		SKIP("needs root");
	NEED(!chmod(path, 0666));
	EQ(ioctl(slave, TIOCEXCL), 0);
	EQ(ioctl(slave, (int)0x80045440, &on), 0);
	EQ(on, 1);
	CHILD(status) {
		NEED(!setgid(1000) && !setuid(1000));
		FAILS(open(path, O_RDWR | O_NOCTTY), EBUSY);
		EQ(ioctl(slave, TIOCNXCL), 0);
		CHECK(open(path, O_RDWR | O_NOCTTY) >= 0);
	}
	EQ(status, 0);
}

TEST(locked_modes)
{
	struct termios locked, modes;
	int status;

	make_pair();
	NEED(!ioctl(slave, TIOCGLCKTRMIOS, &locked));
	EQ(locked.c_lflag, 0);
	if (geteuid())
		SKIP("needs root");
	locked.c_lflag = ECHO;
	locked.c_cc[VINTR] = 1;
	EQ(ioctl(slave, TIOCSLCKTRMIOS, &locked), 0);
	NEED(!tcgetattr(slave, &modes));
	CHECK(modes.c_lflag & ECHO && modes.c_lflag & ICANON && modes.c_cc[VINTR] == 3);
	modes.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	modes.c_cc[VINTR] = 7;
	modes.c_cc[VQUIT] = 8;
	EQ(ioctl(slave, TCSETS, &modes), 0);
	NEED(!tcgetattr(slave, &modes));
	CHECK(modes.c_lflag & ECHO && !(modes.c_lflag & ICANON) && modes.c_cc[VINTR] == 3 && modes.c_cc[VQUIT] == 8);
	memset(&locked, 0, sizeof locked);
	NEED(!ioctl(master, TIOCGLCKTRMIOS, &locked));
	EQ(locked.c_lflag, ECHO);
	FAILS(ioctl(slave, TIOCGLCKTRMIOS, NULL), EFAULT);
	CHILD(status) {
		NEED(!setuid(1000));
		FAILS(ioctl(slave, TIOCSLCKTRMIOS, &locked), EPERM);
	}
	EQ(status, 0);
}

/* ---- process groups --------------------------------------------------------------------------------------------------------------- */

TEST(groups)
{
	int status;

	FAILS(setpgid(0, -1), EINVAL);
	FAILS(setpgid(1 << 22, 0), ESRCH);
	FAILS(setpgid(getppid(), 0), ESRCH);
	FAILS(getpgid(1 << 22), ESRCH);
	FAILS(getsid(1 << 22), ESRCH);
	EQ(getpgid(0), getpgrp());
	EQ(setpgid(0, 0), 0);
	CHILD(status) {
		EQ(getpgrp(), getppid());
		EQ(setpgid(0, 0), 0);
		EQ(getpgrp(), getpid());
		EQ(setpgid(0, getppid()), 0);
		EQ(getpgrp(), getppid());
		FAILS(setpgid(0, 1 << 22), EPERM);
		EQ(setsid(), getpid());
		EQ(getsid(0), getpid());
		FAILS(setpgid(0, getppid()), EPERM);
	}
	EQ(status, 0);
	int to[2];
	NEED(!pipe2(to, O_CLOEXEC));
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "sleep 5", (char *)NULL);
		_exit(1);
	}
	close(to[1]);
	char c;
	EQ(read(to[0], &c, 1), 0);				/* it has another program now */
	FAILS(setpgid(pid, pid), EACCES);
	kill(pid, SIGKILL);
	wait_status(pid);
}

/* ---- many ---------------------------------------------------------------------------------------------------------------------------- */

/* Pairs come and go, with sessions on them that are in the middle of something. */
TEST(a_crowd)
{
	enum { WORKERS = 4, ROUNDS = 25 };
	pid_t pid[WORKERS];

	for (int w = 0; w < WORKERS; w++)
		if (!(pid[w] = fork())) {
			for (int i = 0; i < ROUNDS; i++) {
				master = open_master();
				pid_t child = fork();
				if (!child) {
					char text[8];
					close(master);
					lead_session();
					if (!fork()) {
						while (read(slave, text, 8) > 0)
							;
						_exit(0);
					}
					NEED(write(slave, "ready", 5) == 5);
					while (open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0)
						sleep_ms(1);
					_exit(0);
				}
				char text[8];
				NEED(read(master, text, 8) > 0);
				NEED(write(master, "some text\n", 10) == 10);
				close(master);
				wait_status(child);
			}
			_exit(0);
		}
	for (int w = 0; w < WORKERS; w++)
		EQ(wait_status(pid[w]), 0);
}
