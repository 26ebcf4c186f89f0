/* tests/guest/locks.c - advisory locks: of bytes (a process's, an open file's), of whole files, who waits for whom, and dead locks. */
#include "tap.h"
#include <limits.h>
#include <sys/file.h>

enum { OFD_GETLK = 36, OFD_SETLK, OFD_SETLKW };

static char file[64];
static int enter(void)
{
	strcpy(file, "/dev/shm/locks-XXXXXX");
	int fd = mkstemp(file);
	NEED(fd >= 0);
	return fd;
}

static int lock(int fd, int command, int type, off_t start, off_t len)
{
	struct flock f = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	return fcntl(fd, command, &f);
}

/* What would be in the way of this lock, seen by another process: its type, start, length and owner. */
static struct flock seen(int fd, int command, int type, off_t start, off_t len)
{
	struct flock f = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	int ends[2];
	pid_t pid;

	NEED(!pipe(ends) && (pid = fork()) >= 0);
	if (!pid) {
		if (fcntl(fd, command, &f) || write(ends[1], &f, sizeof f) != sizeof f)
			_exit(1);
		_exit(0);
	}
	NEED(read(ends[0], &f, sizeof f) == sizeof f);
	close(ends[0]);
	close(ends[1]);
	EQ(wait_status(pid), 0);
	return f;
}

#define SEEN(f, type, start, len, pid) do { struct flock f_ = (f); EQ(f_.l_type, type); \
	if ((type) != F_UNLCK) { EQ(f_.l_start, start); EQ(f_.l_len, len); EQ(f_.l_pid, pid); EQ(f_.l_whence, SEEK_SET); } } while (0)

TEST(ranges)
{
	int fd = enter();

	EQ(lock(fd, F_SETLK, F_WRLCK, 10, 20), 0);
	SEEN(seen(fd, F_GETLK, F_RDLCK, 0, 0), F_WRLCK, 10, 20, getpid());
	SEEN(seen(fd, F_GETLK, F_RDLCK, 0, 10), F_UNLCK, 0, 0, 0);
	SEEN(seen(fd, F_GETLK, F_RDLCK, 30, 1), F_UNLCK, 0, 0, 0);
	EQ(lock(fd, F_SETLK, F_UNLCK, 15, 5), 0);			/* cut in two */
	SEEN(seen(fd, F_GETLK, F_RDLCK, 14, 100), F_WRLCK, 10, 5, getpid());
	SEEN(seen(fd, F_GETLK, F_RDLCK, 15, 100), F_WRLCK, 20, 10, getpid());
	EQ(lock(fd, F_SETLK, F_RDLCK, 0, 0), 0);			/* all of it, shared */
	SEEN(seen(fd, F_GETLK, F_RDLCK, 0, 0), F_UNLCK, 0, 0, 0);
	SEEN(seen(fd, F_GETLK, F_WRLCK, 1000, 1), F_RDLCK, 0, 0, getpid());
	struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = -5 };
	EQ(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	EQ(fcntl(fd, F_SETLK, &f), 0);					/* backwards: 5 to 9 */
	SEEN(seen(fd, F_GETLK, F_RDLCK, 0, 0), F_WRLCK, 5, 5, getpid());
	f.l_len = -11;
	FAILS(fcntl(fd, F_SETLK, &f), EINVAL);
	f.l_whence = 3;
	FAILS(fcntl(fd, F_SETLK, &f), EINVAL);
	f.l_whence = SEEK_SET;
	f.l_type = 7;
	FAILS(fcntl(fd, F_SETLK, &f), EINVAL);
	FAILS(fcntl(fd, F_SETLK, (void *)-1l), EFAULT);
	FAILS(fcntl(99, F_SETLK, &f), EBADF);
	f = (struct flock){ .l_type = F_UNLCK };
	FAILS(fcntl(fd, F_GETLK, &f), EINVAL);
	int other = open(file, O_RDONLY);
	FAILS(lock(other, F_SETLK, F_WRLCK, 0, 0), EBADF);
	close(other);							/* and with it go all locks of this process */
	SEEN(seen(fd, F_GETLK, F_RDLCK, 0, 0), F_UNLCK, 0, 0, 0);
	unlink(file);
}

TEST(others_are_refused_or_wait)
{
	int fd = enter(), status;

	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	CHILD(status) {
		EQ(lock(fd, F_SETLK, F_RDLCK, 5, 1), -1);
		CHECK(errno == EAGAIN || errno == EACCES);
		EQ(lock(fd, F_SETLK, F_WRLCK, 10, 1), 0);
	}
	EQ(status, 0);
	pid_t waiter = fork();
	if (!waiter) {
		long long before = now_ns(CLOCK_MONOTONIC);
		if (lock(fd, F_SETLKW, F_WRLCK, 0, 5))
			_exit(1);
		_exit(now_ns(CLOCK_MONOTONIC) - before < 50000000);
	}
	sleep_ms(100);
	EQ(lock(fd, F_SETLK, F_UNLCK, 0, 10), 0);
	EQ(wait_status(waiter), 0);
	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	CHILD(status) {
		struct sigaction a = { .sa_handler = SIG_DFL };
		sigaction(SIGALRM, &a, NULL);
		alarm(1);
		lock(fd, F_SETLKW, F_WRLCK, 0, 5);
	}
	EQ(WTERMSIG(status), SIGALRM);
	unlink(file);
}

static volatile sig_atomic_t alarmed;
static void on_alarm(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	alarmed = 1;
}

TEST(a_signal_ends_the_wait)
{
	int fd = enter(), status;

	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	CHILD(status) {
		handle(SIGALRM, on_alarm, 0);
		alarm(1);
		FAILS(lock(fd, F_SETLKW, F_WRLCK, 0, 5), EINTR);
		EQ(alarmed, 1);
	}
	EQ(status, 0);
	unlink(file);
}

TEST(dead_lock_of_two_and_three)
{
	int fd = enter(), to_parent[2], status;
	char c;

	for (int n = 2; n <= 3; n++) {
		NEED(!pipe(to_parent));
		EQ(lock(fd, F_SETLK, F_WRLCK, 0, 1), 0);
		pid_t pid[2];
		for (int i = 1; i < n; i++) {
			pid[i - 1] = fork();
			if (!pid[i - 1]) {					/* has i, waits for i - 1 */
				if (lock(fd, F_SETLK, F_WRLCK, i, 1) || write(to_parent[1], "x", 1) != 1)
					_exit(1);
				_exit(lock(fd, F_SETLKW, F_WRLCK, i - 1, 1) != 0);
			}
		}
		for (int i = 1; i < n; i++)
			EQ(read(to_parent[0], &c, 1), 1);
		sleep_ms(100);
		FAILS(lock(fd, F_SETLKW, F_WRLCK, n - 1, 1), EDEADLK);
		EQ(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
		for (int i = 1; i < n; i++) {
			status = wait_status(pid[i - 1]);
			EQ(status, 0);
		}
		close(to_parent[0]);
		close(to_parent[1]);
	}
	unlink(file);
}

TEST(locks_of_an_open_file)
{
	int fd = enter(), other = open(file, O_RDWR), copy = dup(fd), status;

	EQ(lock(fd, OFD_SETLK, F_WRLCK, 0, 10), 0);
	EQ(lock(copy, OFD_SETLK, F_WRLCK, 5, 10), 0);			/* the same open file */
	FAILS(lock(other, OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);		/* another one, of the same process */
	FAILS(lock(fd, F_SETLK, F_RDLCK, 0, 1), EAGAIN);		/* and the process is another owner, too */
	struct flock f = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	EQ(fcntl(other, OFD_GETLK, &f), 0);
	SEEN(f, F_WRLCK, 0, 15, -1);
	f = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET };
	EQ(fcntl(other, F_GETLK, &f), 0);
	SEEN(f, F_WRLCK, 0, 15, -1);
	CHILD(status) {							/* a child has the same open file */
		EQ(lock(fd, OFD_SETLK, F_UNLCK, 0, 1), 0);
		EQ(lock(other, OFD_SETLK, F_RDLCK, 0, 1), 0);
		EQ(lock(other, OFD_SETLK, F_UNLCK, 0, 1), 0);
	}
	EQ(status, 0);
	f = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_pid = 1 };
	FAILS(fcntl(other, OFD_SETLK, &f), EINVAL);
	FAILS(fcntl(other, OFD_GETLK, &f), EINVAL);
	close(copy);							/* not the last one */
	FAILS(lock(other, OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	close(fd);
	EQ(lock(other, OFD_SETLK, F_WRLCK, 0, 0), 0);
	unlink(file);
}

TEST(whole_files)
{
	int fd = enter(), other = open(file, O_RDWR), status;

	EQ(flock(fd, LOCK_SH), 0);
	EQ(flock(other, LOCK_SH), 0);
	FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);		/* and what it had is gone: a change is not one step */
	EQ(flock(other, LOCK_EX | LOCK_NB), 0);
	FAILS(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 0), 0);			/* the two kinds do not see each other */
	CHILD(status) {							/* a child's descriptor is the same open file */
		EQ(flock(other, LOCK_EX | LOCK_NB), 0);
		EQ(flock(other, LOCK_UN), 0);
		EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	}
	EQ(status, 0);
	FAILS(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	pid_t waiter = fork();
	if (!waiter)
		_exit(flock(other, LOCK_EX) != 0);
	sleep_ms(50);
	EQ(flock(fd, LOCK_UN), 0);
	EQ(wait_status(waiter), 0);
	FAILS(flock(fd, 0), EINVAL);
	FAILS(flock(fd, LOCK_SH | LOCK_EX), EINVAL);
	FAILS(flock(99, LOCK_SH), EBADF);
	int read_only = open(file, O_RDONLY);
	EQ(flock(other, LOCK_UN), 0);
	EQ(flock(read_only, LOCK_EX | LOCK_NB), 0);			/* needs no right to write */
	unlink(file);
}

/* Processes that count together: what each adds under the lock is never lost. */
TEST(nothing_is_lost)
{
	int fd = enter(), value = 0, status;

	NEED(pwrite(fd, &value, sizeof value, 0) == sizeof value);
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			int own = open(file, O_RDWR);
			for (int n = 0; n < 100; n++) {
				if (i % 2 ? lock(own, OFD_SETLKW, F_WRLCK, 0, 0) : lock(own, F_SETLKW, F_WRLCK, 0, 0))
					_exit(1);
				if (pread(own, &value, sizeof value, 0) != sizeof value)
					_exit(2);
				value++;
				if (pwrite(own, &value, sizeof value, 0) != sizeof value)
					_exit(3);
				lock(own, i % 2 ? OFD_SETLK : F_SETLK, F_UNLCK, 0, 0);
			}
			_exit(0);
		}
	for (int i = 0; i < 4; i++) {
		NEED(wait(&status) > 0);
		EQ(status, 0);
	}
	NEED(pread(fd, &value, sizeof value, 0) == sizeof value);
	EQ(value, 400);
	unlink(file);
}
