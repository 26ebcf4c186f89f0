/* tests/guest/mqueue.c - POSIX message queues: mq_open and its kin, notification, limits, /dev/mqueue, /proc/sys/fs/mqueue. */
#include "tap.h"
#define NOBODY 65534
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define NAME "/faultline-test"

static mqd_t create(long maxmsg, long msgsize, int flags)
{
	struct mq_attr a = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };

	mq_unlink(NAME);
	mqd_t q = mq_open(NAME, O_CREAT | O_EXCL | flags, 0600, &a);
	NEED(q != (mqd_t)-1);
	return q;
}

static void done(mqd_t q)
{
	EQ(mq_close(q), 0);
	EQ(mq_unlink(NAME), 0);
}

static struct timespec in_ms(long ms)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

TEST(messages_come_by_priority_and_age)
{
	static const struct { const char *text; unsigned priority; } sent[] = { { "a", 1 }, { "b", 5 }, { "c", 1 }, { "d", 5 }, { "", 0 }, { "e", 32767 } };
	static const char *const order[] = { "e", "b", "d", "a", "c", "" };
	mqd_t q = create(10, 16, O_RDWR);
	struct mq_attr a;
	char text[16];
	unsigned priority;

	for (unsigned i = 0; i < 6; i++)
		EQ(mq_send(q, sent[i].text, strlen(sent[i].text), sent[i].priority), 0);
	NEED(mq_getattr(q, &a) == 0);
	EQ(a.mq_curmsgs, 6);
	EQ(a.mq_maxmsg, 10);
	EQ(a.mq_msgsize, 16);
	EQ(a.mq_flags, 0);
	for (unsigned i = 0; i < 6; i++) {
		memset(text, 0, sizeof text);
		EQ(mq_receive(q, text, sizeof text, &priority), (long)strlen(order[i]));
		CHECK(!strcmp(text, order[i]));
		CHECK(i > 0 || priority == 32767);
	}
	EQ(mq_receive(mq_open(NAME, O_RDONLY | O_NONBLOCK), text, sizeof text, NULL), -1);
	EQ(errno, EAGAIN);
	done(q);
}

TEST(errors_of_mq_open)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 16 }, bad;
	char name[300];
	mqd_t q = create(4, 16, O_RDWR);

	FAILS(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR, 0600, &a), EEXIST);
	FAILS(mq_open("/no-such-queue", O_RDWR), ENOENT);
	FAILS(mq_open("/", O_RDWR), ENOENT);
	FAILS(syscall(SYS_mq_open, "", O_RDWR, 0, NULL), ENOENT);
	FAILS(syscall(SYS_mq_open, "a/b", O_RDWR, 0, NULL), EACCES);
	FAILS(syscall(SYS_mq_open, "/a", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	FAILS(syscall(SYS_mq_open, "..", O_RDWR, 0, NULL), EACCES);
	FAILS(syscall(SYS_mq_open, (char *)8, O_RDWR, 0, NULL), EFAULT);
	FAILS(syscall(SYS_mq_open, "a", O_RDWR, 0, (void *)8), EFAULT);
	FAILS(syscall(SYS_mq_open, NAME + 1, O_RDWR | O_WRONLY, 0, NULL), EINVAL);
	memset(name, 'x', sizeof name);
	name[0] = '/';
	name[299] = '\0';
	FAILS(mq_open(name, O_CREAT | O_RDWR, 0600, &a), ENAMETOOLONG);
	for (int i = 0; i < 4; i++) {
		bad = (struct mq_attr){ .mq_maxmsg = i == 0 ? 0 : i == 1 ? -1 : 4, .mq_msgsize = i == 2 ? 0 : i == 3 ? -1 : 16 };
		FAILS(mq_open("/bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	}
	bad = (struct mq_attr){ .mq_maxmsg = 65537, .mq_msgsize = 1 };
	FAILS(mq_open("/bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	done(q);
	FAILS(mq_unlink(NAME), ENOENT);
	FAILS(mq_close(q), EBADF);
}

TEST(errors_of_sending_and_receiving)
{
	char text[32] = "";
	struct timespec past = { 1, 0 }, bad = { 1, 1000000000 };
	mqd_t q = create(1, 16, O_RDWR), reader = mq_open(NAME, O_RDONLY), writer = mq_open(NAME, O_WRONLY);
	int plain = open("/dev/null", O_RDWR);

	FAILS(mq_send(q, text, 17, 0), EMSGSIZE);
	FAILS(mq_receive(q, text, 15, NULL), EMSGSIZE);
	FAILS(mq_send(q, text, 1, 32768), EINVAL);
	FAILS(mq_send(reader, text, 1, 0), EBADF);
	FAILS(mq_receive(writer, text, 16, NULL), EBADF);
	FAILS(mq_send(plain, text, 1, 0), EBADF);
	FAILS(mq_send(-1, text, 1, 0), EBADF);
	FAILS(mq_receive(plain, text, 16, NULL), EBADF);
	FAILS(mq_getattr(plain, &(struct mq_attr){ 0 }), EBADF);
	FAILS(mq_timedreceive(q, text, 16, NULL, &bad), EINVAL);
	FAILS(mq_timedsend(q, text, 1, 0, &bad), EINVAL);
	FAILS(mq_timedreceive(q, text, 16, NULL, &past), ETIMEDOUT);
	FAILS(syscall(SYS_mq_timedsend, q, (char *)8, 1, 0, NULL), EFAULT);
	EQ(mq_send(q, text, 1, 0), 0);
	FAILS(mq_timedsend(q, text, 1, 0, &past), ETIMEDOUT);
	long long before = now_ns(CLOCK_MONOTONIC);
	struct timespec soon = in_ms(30);
	FAILS(mq_timedsend(q, text, 1, 0, &soon), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 29000000);
	FAILS(syscall(SYS_mq_timedreceive, q, (char *)8, 16, NULL, NULL), EFAULT);
	struct mq_attr nonblocking = { .mq_flags = O_NONBLOCK }, wrong = { .mq_flags = O_NONBLOCK | 1 }, old;
	FAILS(mq_setattr(q, &wrong, NULL), EINVAL);
	EQ(mq_setattr(q, &nonblocking, &old), 0);
	EQ(old.mq_flags, 0);
	EQ(old.mq_curmsgs, 0);				/* the one that could not be delivered is lost */
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);
	FAILS(mq_receive(q, text, 16, NULL), EAGAIN);
	EQ(mq_send(q, text, 1, 0), 0);
	FAILS(mq_send(q, text, 1, 0), EAGAIN);
	close(plain);
	mq_close(reader);
	mq_close(writer);
	done(q);
}

static volatile sig_atomic_t caught, caught_code, caught_value, caught_pid;
static void note(int signo, siginfo_t *info, void *context)
{
	(void)context;
	caught = signo;
	caught_code = info->si_code;
	caught_value = info->si_value.sival_int;
	caught_pid = info->si_pid;
}

TEST(sender_and_receiver_wait_for_each_other)
{
	mqd_t q = create(2, sizeof(int), O_RDWR);
	int status, n;
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < 200; i++)
			if (mq_send(q, (char *)&i, sizeof i, 0))
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 200; i++)
		NEED(mq_receive(q, (char *)&n, sizeof n, NULL) == sizeof n && n == i);
	NEED(waitpid(child, &status, 0) == child);
	EQ(status, 0);
	done(q);
}

TEST(a_signal_interrupts)
{
	mqd_t q = create(1, 16, O_RDWR);
	struct sigaction act = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	struct itimerspec soon = { .it_value.tv_nsec = 20000000 };
	timer_t timer;
	char text[16];

	sigaction(SIGALRM, &act, NULL);
	NEED(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
	FAILS(mq_receive(q, text, sizeof text, NULL), EINTR);
	EQ(caught, SIGALRM);
	timer_delete(timer);
	done(q);
}

TEST(who_asks_is_notified_once)
{
	mqd_t q = create(4, 16, O_RDWR);
	struct sigaction act = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4711 }, none = { .sigev_notify = SIGEV_NONE };
	struct sigevent bad = { .sigev_notify = 99 }, bad_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	char text[100];
	int status;

	sigaction(SIGUSR1, &act, NULL);
	caught = 0;
	FAILS(mq_notify(q, &bad), EINVAL);
	FAILS(mq_notify(q, &bad_signal), EINVAL);
	FAILS(mq_notify(-1, &by_signal), EBADF);
	EQ(mq_notify(q, NULL), 0);
	EQ(mq_notify(q, &by_signal), 0);
	FAILS(mq_notify(q, &none), EBUSY);
	EQ(pread(q, text, sizeof text, 0), 60);
	CHECK(!strncmp(text, "QSIZE:0          NOTIFY:0     SIGNO:10    NOTIFY_PID:", 53));
	CHILD(status) {
		FAILS(mq_notify(q, &by_signal), EBUSY);
		EQ(mq_notify(q, NULL), 0);		/* it is not its own */
		EQ(mq_send(q, "x", 1, 0), 0);
		EQ(mq_send(q, "y", 1, 0), 0);
	}
	EQ(status, 0);
	EQ(caught, SIGUSR1);
	EQ(caught_code, SI_MESGQ);
	EQ(caught_value, 4711);
	CHECK(caught_pid != getpid() && caught_pid > 1);
	caught = 0;
	EQ(mq_receive(q, text, 16, NULL), 1);
	EQ(mq_receive(q, text, 16, NULL), 1);
	EQ(mq_send(q, "z", 1, 0), 0);			/* nobody is told: it was once */
	EQ(caught, 0);
	EQ(mq_receive(q, text, 16, NULL), 1);
	EQ(mq_notify(q, &none), 0);
	FAILS(mq_notify(q, &by_signal), EBUSY);
	EQ(mq_notify(q, NULL), 0);
	EQ(mq_notify(q, &by_signal), 0);
	close(dup(q));					/* any descriptor, and it is off */
	EQ(mq_send(q, "w", 1, 0), 0);
	EQ(caught, 0);
	done(q);
}

TEST(a_queue_is_polled)
{
	mqd_t q = create(1, 16, O_RDWR);
	struct pollfd p = { q, POLLIN | POLLOUT, 0 };

	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLOUT);
	EQ(mq_send(q, "x", 1, 0), 0);
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	done(q);
}

TEST(a_queue_is_a_file)
{
	struct stat st;
	mode_t mask = umask(022);
	mqd_t q = create(3, 16, O_RDWR);
	int status;

	EQ(fstat(q, &st), 0);
	EQ(st.st_mode, S_IFREG | 0600);
	EQ(st.st_size, 80);
	EQ(fchmod(q, 0640), 0);
	if (access("/dev/mqueue" NAME, F_OK) == 0) {
		EQ(stat("/dev/mqueue" NAME, &st), 0);
		EQ(st.st_mode, S_IFREG | 0640);
		int fd = open("/dev/mqueue/by-name", O_CREAT | O_RDWR, 0666);
		NEED(fd >= 0);
		struct mq_attr a;
		EQ(mq_getattr(fd, &a), 0);
		EQ(a.mq_maxmsg, 10);
		EQ(a.mq_msgsize, 8192);
		close(fd);
		EQ(unlink("/dev/mqueue/by-name"), 0);
		FAILS(mkdir("/dev/mqueue/d", 0700), EPERM);
		FAILS(link("/dev/mqueue" NAME, "/dev/mqueue/other"), EPERM);
	}
	if (geteuid() == 0) {
		EQ(fchmod(q, 0600), 0);
		CHILD(status) {
			NEED(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
			FAILS(mq_open(NAME, O_RDONLY), EACCES);
			FAILS(mq_unlink(NAME), EACCES);
		}
		EQ(status, 0);
	}
	EQ(mq_unlink(NAME), 0);				/* it lives on without a name */
	EQ(mq_send(q, "x", 1, 0), 0);
	EQ(fstat(q, &st), 0);
	EQ(st.st_nlink, 0);
	mq_close(q);
	umask(mask);
}

TEST(a_user_has_so_many_bytes)
{
	int status;

	CHILD(status) {
		struct rlimit little = { 8 * 16 + 8 * 96, 819200 }, less = { 8 * 16 + 8 * 96 - 1, 819200 };
		NEED(setrlimit(RLIMIT_MSGQUEUE, &less) == 0);
		struct mq_attr a = { .mq_maxmsg = 8, .mq_msgsize = 16 };
		FAILS(mq_open(NAME "-2", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		NEED(setrlimit(RLIMIT_MSGQUEUE, &little) == 0);
		mqd_t q = mq_open(NAME "-2", O_CREAT | O_RDWR, 0600, &a);
		CHECK(q != (mqd_t)-1);
		FAILS(mq_open(NAME "-3", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		mq_close(q);
		EQ(mq_unlink(NAME "-2"), 0);
		if (geteuid() == 0) {
			NEED(setuid(NOBODY) == 0);
			a.mq_maxmsg = 11;
			FAILS(mq_open(NAME "-2", O_CREAT | O_RDWR, 0600, &a), EINVAL);
			a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 8193 };
			FAILS(mq_open(NAME "-2", O_CREAT | O_RDWR, 0600, &a), EINVAL);
		}
	}
	EQ(status, 0);
}
