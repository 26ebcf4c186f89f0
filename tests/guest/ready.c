/* tests/guest/ready.c - waiting for files: poll, select, epoll, and the files made for that: eventfd, signalfd. */
#include "tap.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/time.h>

static int new_epoll(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	NEED(fd >= 0);
	return fd;
}

static int watch(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };
	return epoll_ctl(epfd, op, fd, &e);
}

/* The events of the one file that is ready; 0: none is. */
static uint32_t one(int epfd)
{
	struct epoll_event e[4];
	int n = epoll_wait(epfd, e, 4, 0);
	if (n > 1)
		FAIL("%d events", n);
	return n == 1 ? e[0].events : 0;
}

static int new_pipe(int ends[2])
{
	NEED(!pipe2(ends, O_NONBLOCK));
	return ends[0];
}

static void put(int fd, const char *bytes)
{
	NEED(write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
}

static void take(int fd, size_t n)
{
	char bytes[64];
	NEED(read(fd, bytes, n) == (ssize_t)n);
}

/* ---- eventfd ----------------------------------------------------------------------------------------------------------------- */

TEST(eventfd_counts)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t v[2] = { 0, 0 };

	NEED(fd >= 0);
	EQ(read(fd, v, 8), 8);
	EQ(v[0], 3);
	FAILS(read(fd, v, 8), EAGAIN);
	FAILS(read(fd, v, 7), EINVAL);
	v[0] = 5;
	EQ(write(fd, v, 8), 8);
	EQ(write(fd, v, 8), 8);
	EQ(read(fd, v, 16), 8);
	EQ(v[0], 10);
	v[0] = UINT64_MAX;
	FAILS(write(fd, v, 8), EINVAL);
	FAILS(write(fd, v, 4), EINVAL);
	v[0] = UINT64_MAX - 1;
	EQ(write(fd, v, 8), 8);
	v[0] = 1;
	FAILS(write(fd, v, 8), EAGAIN);
	v[0] = 0;
	EQ(write(fd, v, 8), 8);
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	FAILS(syscall(SYS_write, fd, 8, 8), EFAULT);
	EQ(read(fd, v, 8), 8);
	EQ(v[0], UINT64_MAX - 1);
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLOUT);
	FAILS(pread(fd, v, 8, 0), ESPIPE);
	EQ(lseek(fd, 5, SEEK_SET), 0);
	FAILS(eventfd(0, 0x40), EINVAL);
	FAILS(syscall(SYS_eventfd2, 0, 0x40), EINVAL);
}

TEST(eventfd_semaphore)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t v;

	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		EQ(read(fd, &v, 8), 8);
		EQ(v, 1);
	}
	FAILS(read(fd, &v, 8), EAGAIN);
}

TEST(eventfd_waits)
{
	int fd = eventfd(0, 0), status;
	uint64_t v = 7;
	pid_t pid = fork();

	NEED(pid >= 0);
	if (!pid) {
		sleep_ms(50);
		_exit(write(fd, &v, 8) != 8);
	}
	EQ(read(fd, &v, 8), 8);
	EQ(v, 7);
	status = wait_status(pid);
	EQ(status, 0);
	v = UINT64_MAX - 1;
	EQ(write(fd, &v, 8), 8);
	pid = fork();
	if (!pid) {
		uint64_t w;
		sleep_ms(50);
		_exit(read(fd, &w, 8) != 8);
	}
	v = 1;
	EQ(write(fd, &v, 8), 8);			/* waits for the reader */
	EQ(wait_status(pid), 0);
}

TEST(files_without_a_place)
{
	static const char *const names[] = { "anon_inode:[eventfd]", "anon_inode:[eventpoll]", "anon_inode:[signalfd]" };
	sigset_t set;
	sigemptyset(&set);
	int fds[] = { eventfd(0, 0), new_epoll(), signalfd(-1, &set, 0) };

	for (int i = 0; i < 3; i++) {
		char path[64], to[64];
		struct stat s;
		struct statfs f;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fds[i]);
		ssize_t n = readlink(path, to, sizeof to - 1);
		NEED(n > 0);
		to[n] = 0;
		CHECK(!strcmp(to, names[i]));
		EQ(fstat(fds[i], &s), 0);
		EQ(s.st_mode, 0600);
		EQ(s.st_nlink, 1);
		EQ(fstatfs(fds[i], &f), 0);
		EQ(f.f_type, 0x09041934);
		FAILS(open(path, O_RDONLY), ENXIO);
		CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fds[i], 0) == MAP_FAILED && errno == ENODEV);
	}
	char b[8];
	FAILS(read(fds[1], b, 8), EINVAL);
	FAILS(write(fds[1], b, 8), EINVAL);
}

/* ---- epoll ------------------------------------------------------------------------------------------------------------------- */

TEST(epoll_errors)
{
	int ep = new_epoll(), ends[2], null = open("/dev/null", O_RDWR), path = open("/", O_PATH), file = open("/etc/passwd", O_RDONLY);
	struct epoll_event e = { .events = EPOLLIN };

	new_pipe(ends);
	FAILS(syscall(SYS_epoll_create, 0), EINVAL);
	FAILS(syscall(SYS_epoll_create, -1), EINVAL);
	FAILS(epoll_create1(1), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], NULL), EFAULT);
	FAILS(epoll_ctl(-1, EPOLL_CTL_ADD, ends[0], &e), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, path, &e), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, null, &e), EPERM);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	FAILS(epoll_ctl(ends[1], EPOLL_CTL_ADD, ends[0], &e), EINVAL);
	FAILS(epoll_ctl(ep, 4, ends[0], &e), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &e), ENOENT);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL), ENOENT);
	EQ(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e), 0);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e), EEXIST);
	FAILS(epoll_wait(ep, &e, 0, 0), EINVAL);
	FAILS(syscall(SYS_epoll_wait, ep, &e, INT_MAX / 12 + 1, 0), EINVAL);
	FAILS(epoll_wait(-1, &e, 1, 0), EBADF);
	FAILS(epoll_wait(ends[0], &e, 1, 0), EINVAL);
	FAILS(epoll_wait(ep, (void *)-8ul, 1, 0), EFAULT);
	put(ends[1], "a");
	FAILS(syscall(SYS_epoll_wait, ep, 8, 1, 0), EFAULT);
	EQ(one(ep), EPOLLIN);				/* it has not been lost */
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &e), EINVAL);
	e.events = EPOLLOUT | EPOLLEXCLUSIVE;
	EQ(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &e), 0);
	e.events = EPOLLOUT;
	FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &e), EINVAL);
	int inner = new_epoll();
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &e), EINVAL);
	sigset_t set;
	sigemptyset(&set);
	FAILS(syscall(SYS_epoll_pwait, ep, &e, 1, 0, &set, 4), EINVAL);
	FAILS(syscall(SYS_epoll_pwait, ep, &e, 1, 0, (void *)8, 8), EFAULT);
	struct timespec bad = { 0, 1000000000 };
	FAILS(syscall(SYS_epoll_pwait2, ep, &e, 1, &bad, NULL, 0), EINVAL);
	FAILS(syscall(SYS_epoll_pwait2, ep, &e, 1, (void *)8, NULL, 0), EFAULT);
}

TEST(epoll_level)
{
	int ep = new_epoll(), ends[2];

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN, 0x1122334455667788), 0);
	EQ(one(ep), 0);
	put(ends[1], "ab");
	struct epoll_event e;
	EQ(epoll_wait(ep, &e, 1, -1), 1);
	EQ(e.events, EPOLLIN);
	EQ(e.data.u64, 0x1122334455667788);
	EQ(one(ep), EPOLLIN);
	take(ends[0], 1);
	EQ(one(ep), EPOLLIN);
	take(ends[0], 1);
	EQ(one(ep), 0);
	EQ(watch(ep, EPOLL_CTL_MOD, ends[0], EPOLLOUT, 0), 0);
	put(ends[1], "c");
	EQ(one(ep), 0);
	EQ(watch(ep, EPOLL_CTL_MOD, ends[0], EPOLLIN, 0), 0);
	EQ(one(ep), EPOLLIN);
	close(ends[1]);
	EQ(one(ep), EPOLLIN | EPOLLHUP);
	take(ends[0], 1);
	EQ(one(ep), EPOLLHUP);
	EQ(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL), 0);
	EQ(one(ep), 0);
}

TEST(epoll_edge)
{
	int ep = new_epoll(), ends[2];

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN | EPOLLET, 1), 0);
	EQ(watch(ep, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLET, 2), 0);
	EQ(one(ep), EPOLLOUT);
	EQ(one(ep), 0);
	put(ends[1], "abc");
	EQ(one(ep), EPOLLIN);
	EQ(one(ep), 0);
	take(ends[0], 1);				/* what is left is no news, nor is the room */
	EQ(one(ep), 0);
	put(ends[1], "d");
	EQ(one(ep), EPOLLIN);
	EQ(one(ep), 0);
	EQ(watch(ep, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 1), 0);		/* a look anew */
	EQ(one(ep), EPOLLIN);
	EQ(one(ep), 0);
	take(ends[0], 3);
	char page[PAGE];
	memset(page, 1, sizeof page);
	while (write(ends[1], page, sizeof page) > 0)
		;
	EQ(one(ep), EPOLLIN);
	EQ(one(ep), 0);
	NEED(read(ends[0], page, sizeof page) == sizeof page);
	EQ(one(ep), EPOLLOUT);				/* it was full */
	EQ(one(ep), 0);
	NEED(read(ends[0], page, sizeof page) == sizeof page);
	EQ(one(ep), 0);
}

TEST(epoll_oneshot)
{
	int ep = new_epoll(), ends[2];

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN | EPOLLONESHOT, 1), 0);
	put(ends[1], "a");
	EQ(one(ep), EPOLLIN);
	EQ(one(ep), 0);
	put(ends[1], "b");
	EQ(one(ep), 0);
	close(ends[1]);
	EQ(one(ep), 0);
	EQ(watch(ep, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 1), 0);
	EQ(one(ep), EPOLLIN | EPOLLHUP);
	EQ(one(ep), 0);
}

TEST(epoll_fair)
{
	enum { N = 10 };
	int ep = new_epoll(), ends[N][2], seen[N] = { 0 };
	struct epoll_event e[3];

	for (int i = 0; i < N; i++) {
		EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends[i]), EPOLLIN, (uint64_t)i), 0);
		put(ends[i][1], "x");
	}
	for (int i = 0; i < N; i++) {
		EQ(epoll_wait(ep, e, 3, 0), 3);
		for (int k = 0; k < 3; k++)
			seen[e[k].data.u64]++;
	}
	for (int i = 0; i < N; i++)
		EQ(seen[i], 3);
}

/* A closed file leaves the set, when its last descriptor is closed. */
TEST(epoll_close)
{
	int ep = new_epoll(), ends[2], copy;

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN, 1), 0);
	copy = dup(ends[0]);
	put(ends[1], "x");
	close(ends[0]);
	EQ(one(ep), EPOLLIN);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, copy, NULL), ENOENT);		/* a number and a file make the key */
	EQ(dup2(copy, ends[0]), ends[0]);
	EQ(watch(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 2), 0);
	struct epoll_event e[3];
	EQ(epoll_wait(ep, e, 3, 0), 2);
	close(copy);
	close(ends[0]);
	EQ(one(ep), 0);
	close(ends[1]);
	EQ(one(ep), 0);
}

TEST(epoll_nested)
{
	int inner = new_epoll(), outer = new_epoll(), edge = new_epoll(), ends[2];
	struct pollfd p = { outer, POLLIN, 0 };

	EQ(watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 1), 0);
	EQ(watch(edge, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET, 1), 0);
	EQ(watch(inner, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN, 2), 0);
	EQ(poll(&p, 1, 0), 0);
	put(ends[1], "x");
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	EQ(one(outer), EPOLLIN);
	EQ(one(outer), EPOLLIN);
	EQ(one(edge), EPOLLIN);
	EQ(one(edge), 0);
	EQ(one(inner), EPOLLIN);
	EQ(one(edge), 0);
	put(ends[1], "y");
	EQ(one(edge), EPOLLIN);
	take(ends[0], 2);
	EQ(one(outer), 0);
	EQ(one(inner), 0);
	EQ(poll(&p, 1, 0), 0);
	FAILS(watch(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 3), ELOOP);
	close(inner);
	EQ(one(outer), 0);
	put(ends[1], "z");
	EQ(one(outer), 0);
}

TEST(epoll_depth)
{
	int e[10];

	for (int i = 0; i < 10; i++)
		e[i] = new_epoll();
	for (int i = 0; i < 4; i++)
		EQ(watch(e[i], EPOLL_CTL_ADD, e[i + 1], EPOLLIN, 0), 0);
	FAILS(watch(e[4], EPOLL_CTL_ADD, e[5], EPOLLIN, 0), ELOOP);
	FAILS(watch(e[5], EPOLL_CTL_ADD, e[0], EPOLLIN, 0), ELOOP);
	for (int i = 8; i >= 5; i--)
		EQ(watch(e[i], EPOLL_CTL_ADD, e[i + 1], EPOLLIN, 0), 0);
	FAILS(watch(e[4], EPOLL_CTL_ADD, e[9], EPOLLIN, 0), ELOOP);
	FAILS(watch(e[4], EPOLL_CTL_ADD, e[0], EPOLLIN, 0), ELOOP);
	int ends[2];
	struct pollfd p = { e[0], POLLIN, 0 };
	EQ(watch(e[4], EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN, 0), 0);
	put(ends[1], "x");
	EQ(poll(&p, 1, 0), 1);
	EQ(one(e[0]), EPOLLIN);
}

/* Many ways from one file to the top: refused, not served for ever. */
TEST(epoll_ways)
{
	enum { WIDE = 24 };
	int layer[4][WIDE], ends[2], refused = 0;

	for (int l = 0; l < 4; l++)
		for (int i = 0; i < WIDE; i++)
			layer[l][i] = new_epoll();
	new_pipe(ends);
	for (int i = 0; i < WIDE; i++)
		EQ(watch(layer[0][i], EPOLL_CTL_ADD, ends[0], EPOLLIN, 0), 0);
	for (int l = 1; l < 4; l++)
		for (int i = 0; i < WIDE; i++)
			for (int k = 0; k < WIDE; k++)
				if (watch(layer[l][i], EPOLL_CTL_ADD, layer[l - 1][k], EPOLLIN, 0)) {
					refused++;
					EQ(errno, EINVAL);
				}
	CHECK(refused > 0);
	put(ends[1], "x");
	EQ(one(layer[0][0]), EPOLLIN);
}

static void *wait_in(void *arg)
{
	struct epoll_event e;
	return (void *)(intptr_t)epoll_wait(*(int *)arg, &e, 1, 2000);
}

/* One event on an edge wakes one of those who wait in one set. */
TEST(epoll_wakes_one)
{
	enum { N = 4 };
	int ep = new_epoll(), ends[2], got = 0;
	pthread_t t[N];

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN | EPOLLET, 1), 0);
	for (int i = 0; i < N; i++)
		NEED(!pthread_create(&t[i], NULL, wait_in, &ep));
	sleep_ms(200);
	put(ends[1], "x");
	for (int i = 0; i < N; i++) {
		void *n;
		pthread_join(t[i], &n);
		got += (int)(intptr_t)n;
	}
	EQ(got, 1);
}

/* One of those whose sets watch it exclusively is woken, at least, and not all. */
TEST(epoll_exclusive)
{
	enum { N = 6 };
	int ends[2], got = 0;
	pid_t pids[N];

	new_pipe(ends);
	for (int i = 0; i < N; i++)
		if (!(pids[i] = fork())) {
			struct epoll_event e;
			int ep = new_epoll();
			EQ(watch(ep, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
			_exit(epoll_wait(ep, &e, 1, 1000));
		}
	sleep_ms(300);
	put(ends[1], "x");
	for (int i = 0; i < N; i++)
		got += WEXITSTATUS(wait_status(pids[i]));
	CHECK(got >= 1 && got < N);
}

TEST(epoll_waits)
{
	int ep = new_epoll(), ends[2];
	struct epoll_event e;
	long long began = now_ns(CLOCK_MONOTONIC);

	EQ(watch(ep, EPOLL_CTL_ADD, new_pipe(ends), EPOLLIN, 1), 0);
	EQ(epoll_wait(ep, &e, 1, 50), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - began >= 50000000);
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(50);
		put(ends[1], "x");
		_exit(0);
	}
	EQ(epoll_wait(ep, &e, 1, -1), 1);
	EQ(wait_status(pid), 0);
	take(ends[0], 1);
	struct timespec t = { 0, 30000000 };
	began = now_ns(CLOCK_MONOTONIC);
	EQ(syscall(SYS_epoll_pwait2, ep, &e, 1, &t, NULL, 0), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - began >= 30000000);
}

static volatile sig_atomic_t handled;
static void count(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; handled++; }

TEST(epoll_and_signals)
{
	int ep = new_epoll();
	struct epoll_event e;
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };
	sigset_t none, alarm_set;

	handle(SIGALRM, count, SA_RESTART);
	setitimer(ITIMER_REAL, &soon, NULL);
	FAILS(epoll_wait(ep, &e, 1, -1), EINTR);		/* SA_RESTART or not */
	EQ(handled, 1);
	sigemptyset(&none);
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_set, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	EQ(epoll_wait(ep, &e, 1, 100), 0);
	EQ(handled, 1);
	FAILS(epoll_pwait(ep, &e, 1, -1, &none), EINTR);
	EQ(handled, 2);
	sigprocmask(SIG_BLOCK, NULL, &none);
	CHECK(sigismember(&none, SIGALRM));
}

/* Threads put tokens into pipes, threads take them out by edges: none is lost. */
enum { PIPES = 8, TOKENS = 4000 };
static int storm_ends[PIPES][2], storm_ep;
static int storm_taken;

static void *storm_put(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < TOKENS; i++) {
		int fd = storm_ends[rand_r(&seed) % PIPES][1];
		while (write(fd, "t", 1) != 1)
			sched_yield();
	}
	return NULL;
}

static void *storm_take(void *arg)
{
	struct epoll_event e[4];
	char bytes[16];

	(void)arg;
	while (__atomic_load_n(&storm_taken, __ATOMIC_SEQ_CST) < 2 * TOKENS) {
		int n = epoll_wait(storm_ep, e, 4, 200);
		for (int i = 0; i < n; i++) {
			ssize_t got;
			while ((got = read(storm_ends[e[i].data.u64][0], bytes, sizeof bytes)) > 0)
				__atomic_fetch_add(&storm_taken, (int)got, __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

TEST(epoll_storm)
{
	pthread_t t[5];

	storm_ep = new_epoll();
	for (int i = 0; i < PIPES; i++)
		EQ(watch(storm_ep, EPOLL_CTL_ADD, new_pipe(storm_ends[i]), EPOLLIN | EPOLLET, (uint64_t)i), 0);
	for (intptr_t i = 0; i < 5; i++)
		NEED(!pthread_create(&t[i], NULL, i < 2 ? storm_put : storm_take, (void *)(i + 1)));
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	EQ(storm_taken, 2 * TOKENS);
}

/* Sets, files and descriptors come and go while they are watched and woken. */
static volatile int churning;

static void *churn_wait(void *arg)
{
	int ep = *(int *)arg;
	struct epoll_event e[8];

	while (churning)
		epoll_wait(ep, e, 8, 1);
	return NULL;
}

TEST(epoll_churn)
{
	int outer = new_epoll();
	unsigned seed = 7;
	pthread_t t[2];

	churning = 1;
	for (int i = 0; i < 2; i++)
		NEED(!pthread_create(&t[i], NULL, churn_wait, &outer));
	for (int round = 0; round < 400; round++) {
		int inner = new_epoll(), ends[4][2];
		watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN | (rand_r(&seed) & 1 ? (uint32_t)EPOLLET : 0), 0);
		for (int i = 0; i < 4; i++) {
			watch(inner, EPOLL_CTL_ADD, new_pipe(ends[i]), EPOLLIN, 0);
			watch(outer, EPOLL_CTL_ADD, ends[i][0], EPOLLIN | EPOLLET, 0);
			put(ends[i][1], "x");
		}
		for (int i = 0; i < 4; i++) {
			close(ends[i][rand_r(&seed) & 1]);
			if (i == 2)
				close(inner);
		}
		for (int i = 0; i < 4; i++)
			for (int k = 0; k < 2; k++)
				close(ends[i][k]);
	}
	churning = 0;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* ---- poll and select ------------------------------------------------------------------------------------------------------------ */

TEST(poll_goes_on_after_a_stop)
{
	int ends[2], status;
	long long began = now_ns(CLOCK_MONOTONIC);
	pid_t pid;

	new_pipe(ends);
	pid = fork();
	if (!pid) {
		struct pollfd p = { ends[0], POLLIN, 0 };
		_exit(poll(&p, 1, 300) != 0);
	}
	sleep_ms(150);
	kill(pid, SIGSTOP);
	NEED(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	sleep_ms(50);
	kill(pid, SIGCONT);
	EQ(wait_status(pid), 0);
	long long took = (now_ns(CLOCK_MONOTONIC) - began) / 1000000;
	CHECK(took >= 290 && took < 430);		/* not 300 ms anew */
}

TEST(poll_what_is_not_open)
{
	int path = open("/", O_PATH), null = open("/dev/null", O_RDWR);
	struct pollfd p[] = { { 999, POLLIN, 0 }, { path, POLLIN, 0 }, { -1, POLLIN, 7 }, { null, POLLIN | POLLOUT | POLLPRI, 0 } };

	EQ(poll(p, 4, 0), 3);
	EQ(p[0].revents, POLLNVAL);
	EQ(p[1].revents, POLLNVAL);
	EQ(p[2].revents, 0);
	EQ(p[3].revents, POLLIN | POLLOUT);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(path, &set);
	struct timeval none = { 0, 0 };
	EQ(select(path + 1, &set, NULL, NULL, &none), 1);
	EQ(dup2(null, 30), 30);
	close(30);
	FD_SET(30, &set);
	FAILS(select(31, &set, NULL, NULL, &none), EBADF);
}

/* ---- signalfd ------------------------------------------------------------------------------------------------------------------- */

static int new_signalfd(int a, int b, int flags)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	NEED(!sigprocmask(SIG_BLOCK, &set, NULL));
	int fd = signalfd(-1, &set, flags);
	NEED(fd >= 0);
	return fd;
}

TEST(select_leaves_its_time_alone_if_asked_to)
{
	struct timeval t = { 0, 2000 };
	CHECK(syscall(SYS_select, 0, NULL, NULL, NULL, &t) == 0 && t.tv_usec == 0);
	CHECK(personality(STICKY_TIMEOUTS) >= 0);
	t.tv_usec = 2000;
	CHECK(syscall(SYS_select, 0, NULL, NULL, NULL, &t) == 0 && t.tv_usec == 2000);
}

TEST(signalfd_reads)
{
	int fd = new_signalfd(SIGUSR1, SIGRTMIN + 1, SFD_NONBLOCK | SFD_CLOEXEC);
	struct signalfd_siginfo s[4];
	union sigval v = { .sival_int = 42 };

	FAILS(read(fd, s, sizeof s), EAGAIN);
	FAILS(read(fd, s, sizeof s[0] - 1), EINVAL);
	EQ(sigqueue(getpid(), SIGRTMIN + 1, v), 0);
	v.sival_int = 43;
	EQ(sigqueue(getpid(), SIGRTMIN + 1, v), 0);
	EQ(kill(getpid(), SIGUSR1), 0);
	struct pollfd p = { fd, POLLIN, 0 };
	EQ(poll(&p, 1, 0), 1);
	EQ(p.revents, POLLIN);
	EQ(read(fd, s, sizeof s), (ssize_t)(3 * sizeof s[0]));
	EQ(s[0].ssi_signo, SIGUSR1);
	EQ(s[0].ssi_code, SI_USER);
	EQ(s[0].ssi_pid, getpid());
	EQ(s[0].ssi_uid, getuid());
	for (int i = 1; i < 3; i++) {
		EQ(s[i].ssi_signo, SIGRTMIN + 1);
		EQ(s[i].ssi_code, SI_QUEUE);
		EQ(s[i].ssi_int, 41 + i);
		EQ(s[i].ssi_pid, getpid());
	}
	EQ(poll(&p, 1, 0), 0);
	raise(SIGUSR1);
	FAILS(syscall(SYS_read, fd, 8, sizeof s), EFAULT);
	FAILS(read(fd, s, sizeof s), EAGAIN);			/* it is gone */
}

TEST(signalfd_waits)
{
	int fd = new_signalfd(SIGUSR1, SIGCHLD, 0), ep = new_epoll();
	struct signalfd_siginfo s;
	struct epoll_event e;
	pid_t parent = getpid(), pid;

	EQ(watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	pid = fork();
	if (!pid) {
		sleep_ms(50);
		kill(parent, SIGUSR1);
		sleep_ms(50);
		_exit(5);
	}
	EQ(read(fd, &s, sizeof s), (ssize_t)sizeof s);
	EQ(s.ssi_signo, SIGUSR1);
	EQ(s.ssi_pid, pid);
	EQ(one(ep), 0);
	EQ(epoll_wait(ep, &e, 1, 2000), 1);
	EQ(read(fd, &s, sizeof s), (ssize_t)sizeof s);
	EQ(s.ssi_signo, SIGCHLD);
	EQ(s.ssi_code, CLD_EXITED);
	EQ(s.ssi_status, 5);
	EQ(s.ssi_pid, pid);
	EQ(one(ep), 0);
	wait_status(pid);
}

TEST(signalfd_arguments)
{
	int fd = new_signalfd(SIGUSR1, SIGUSR2, SFD_NONBLOCK), other = eventfd(0, 0);
	struct signalfd_siginfo s;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	EQ(signalfd(fd, &set, 0), fd);
	raise(SIGUSR1);
	FAILS(read(fd, &s, sizeof s), EAGAIN);
	raise(SIGUSR2);
	EQ(read(fd, &s, sizeof s), (ssize_t)sizeof s);
	EQ(s.ssi_code, SI_TKILL);
	FAILS(signalfd(other, &set, 0), EINVAL);
	FAILS(signalfd(999, &set, 0), EBADF);
	FAILS(signalfd(-1, &set, 0x40), EINVAL);
	FAILS(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
	FAILS(syscall(SYS_signalfd4, -1, (void *)8, 8, 0), EFAULT);
}
