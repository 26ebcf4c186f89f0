/*
 * tests/guest/threads.c - the system calls below threads, errno by errno: clone, clone3, futex, robust lists, membarrier, affinity, and numbers of threads in other calls.
 *
 * Threads that only have to be there are made by pthread_create; those that the case is about, by the call itself.
 */
#include "tests/guest/tap.h"
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>

/* linux/futex.h, which musl's compiler does not find. */
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_PRIVATE_FLAG = 128, FUTEX_CLOCK_REALTIME = 256 };
enum { FUTEX_WAIT_PRIVATE = FUTEX_WAIT | FUTEX_PRIVATE_FLAG, FUTEX_WAKE_PRIVATE = FUTEX_WAKE | FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE_PRIVATE = FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG,
	FUTEX_CMP_REQUEUE_PRIVATE = FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, FUTEX_WAKE_OP_PRIVATE = FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG,
	FUTEX_WAIT_BITSET_PRIVATE = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, FUTEX_WAKE_BITSET_PRIVATE = FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG };
enum { FUTEX_OP_SET, FUTEX_OP_ADD, FUTEX_OP_OR, FUTEX_OP_ANDN, FUTEX_OP_XOR, FUTEX_OP_OPARG_SHIFT = 8 };
enum { FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_NE, FUTEX_OP_CMP_LT, FUTEX_OP_CMP_LE, FUTEX_OP_CMP_GT, FUTEX_OP_CMP_GE };
#define FUTEX_OP(op, operand, compare, with) ((unsigned)(op) << 28 | (unsigned)(compare) << 24 | ((unsigned)(operand) & 0xfff) << 12 | ((unsigned)(with) & 0xfff))
#define FUTEX_WAITERS		0x80000000u
#define FUTEX_OWNER_DIED	0x40000000

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define CLEAR_SIGHAND ((uint64_t)1 << 32)

static pid_t gettid_(void) { return (pid_t)syscall(SYS_gettid); }
static void set(volatile int *word, int value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
static int get(volatile int *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

static void await_value(volatile int *word, int value)
{
	while (get(word) != value)
		sched_yield();
}

static pthread_t begin(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	NEED(pthread_create(&t, NULL, fn, arg) == 0);
	return t;
}

static int state_of(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	char *end = strrchr(text, ')');
	return end ? end[2] : 0;
}

static volatile int interruptions;
static void interrupted(int signo) { (void)signo; __atomic_fetch_add(&interruptions, 1, __ATOMIC_SEQ_CST); }

/* A thread that does nothing, and its number. */
static volatile int idle_tid, idle_stop;
static void *idle(void *arg)
{
	set(&idle_tid, gettid_());
	while (!get(&idle_stop))
		usleep(1000);
	return arg;
}

static pid_t begin_idle(pthread_t *t)
{
	set(&idle_tid, 0);
	*t = begin(idle, NULL);
	while (!get(&idle_tid))
		sched_yield();
	return get(&idle_tid);
}

/* ---- clone ------------------------------------------------------------------------------------------------------------------------- */

static long raw_clone(unsigned long flags, void *stack)
{
	return syscall(SYS_clone, flags, stack, NULL, NULL, 0);
}

TEST(which_flags_need_which)
{
	char *stack = map_anon(4 * PAGE, MAP_PRIVATE);
	void *top = stack + 4 * PAGE;
	FAILS(raw_clone(CLONE_THREAD, top), EINVAL);
	FAILS(raw_clone(CLONE_THREAD | CLONE_VM, top), EINVAL);
	FAILS(raw_clone(CLONE_THREAD | CLONE_SIGHAND, top), EINVAL);
	FAILS(raw_clone(CLONE_SIGHAND, top), EINVAL);
	FAILS(raw_clone(CLONE_SIGHAND | CLONE_FS | CLONE_FILES, top), EINVAL);
	FAILS(waitpid(-1, NULL, 0), ECHILD);
}

static pid_t cleared_tid, parent_tid;
static volatile int ran, ran_tid;

/* No libc in here: it shares the other thread's thread-local storage. */
static long raw(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile ("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static int raw_thread(void *arg)
{
	ran_tid = (int)raw(SYS_gettid, 0, 0, 0);
	set(&ran, (int)(long)arg);
	raw(SYS_exit, 0, 0, 0);
	return 0;
}

static void await_cleared(void)
{
	pid_t tid;
	while ((tid = __atomic_load_n(&cleared_tid, __ATOMIC_SEQ_CST)) != 0)
		syscall(SYS_futex, &cleared_tid, FUTEX_WAIT, tid, NULL, NULL, 0);
}

TEST(a_thread_by_clone)
{
	char *stack = map_anon(4 * PAGE, MAP_PRIVATE);
	for (int i = 1; i <= 100; i++) {
		cleared_tid = -1;
		int tid = clone(raw_thread, stack + 4 * PAGE, THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, (void *)(long)i, &parent_tid,
			NULL, &cleared_tid);
		NEED(tid > 0);
		EQ(parent_tid, tid);
		while (get(&ran) != i)
			sched_yield();
		EQ(ran_tid, tid);
		await_cleared();			/* then its stack is free */
	}
	EQ(getpid(), gettid_());
}

TEST(a_thread_that_its_maker_waits_for)
{
	static volatile int slept;
	int sleep_a_little(void *arg)
	{
		struct timespec t = { 0, 30000000 };
		(void)arg;
		raw(SYS_nanosleep, (long)&t, 0, 0);
		slept = 1;
		raw(SYS_exit, 0, 0, 0);
		return 0;
	}
	char *stack = map_anon(4 * PAGE, MAP_PRIVATE);
	CHECK(clone(sleep_a_little, stack + 4 * PAGE, THREAD_FLAGS | CLONE_VFORK, NULL) > 0);
	EQ(slept, 1);
}

TEST(descriptors_shared_by_processes)
{
	int status, fds[2];
	long pid = raw_clone(CLONE_FILES | SIGCHLD, NULL);
	NEED(pid >= 0);
	if (!pid) {
		NEED(dup2(1, 50) == 50);
		fcntl(50, F_SETFD, FD_CLOEXEC);
		_exit(0);
	}
	EQ(wait_status((pid_t)pid), 0);
	EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
	pid = raw_clone(CLONE_FILES | SIGCHLD, NULL);
	NEED(pid >= 0);
	if (!pid) {
		execl("/bin/true", "true", (char *)NULL);	/* closes 50 for itself alone */
		_exit(1);
	}
	waitpid((pid_t)pid, &status, 0);
	EQ(status, 0);
	EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
	NEED(pipe(fds) == 0);
}

TEST(a_child_for_ones_parent)
{
	int from[2];
	NEED(pipe(from) == 0);
	pid_t pid = fork();
	if (!pid) {
		long sibling = raw_clone(CLONE_PARENT | SIGCHLD, NULL);
		if (!sibling)
			_exit(4);
		NEED(write(from[1], &sibling, sizeof sibling) == sizeof sibling);
		errno = 0;
		_exit(waitpid((pid_t)sibling, NULL, 0) == -1 && errno == ECHILD ? 3 : 1);
	}
	long sibling;
	EQ(read(from[0], &sibling, sizeof sibling), sizeof sibling);
	EQ(WEXITSTATUS(wait_status(pid)), 3);
	EQ(WEXITSTATUS(wait_status((pid_t)sibling)), 4);
}

/* ---- clone3 ------------------------------------------------------------------------------------------------------------------------- */

struct args3 { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup, more; };

static long clone3_(const struct args3 *a, size_t size) { return syscall(SYS_clone3, a, size); }

TEST(clone3_sizes)
{
	struct args3 a = { .exit_signal = SIGCHLD };
	char *edge = (char *)map_anon(2 * PAGE, MAP_PRIVATE) + PAGE;
	munmap(edge, PAGE);
	FAILS(clone3_(&a, 0), EINVAL);
	FAILS(clone3_(&a, 63), EINVAL);
	FAILS(clone3_(&a, 4097), E2BIG);
	FAILS(clone3_(NULL, 64), EFAULT);
	FAILS(clone3_((void *)(edge - 40), 64), EFAULT);
	a.more = 1;
	FAILS(clone3_(&a, 96), E2BIG);
	a.more = 0;
	static const size_t good[] = { 64, 80, 88, 96 };
	for (int i = 0; i < 4; i++) {
		long pid = clone3_(&a, good[i]);
		NEED(pid >= 0);
		if (!pid)
			_exit(i);
		EQ(WEXITSTATUS(wait_status((pid_t)pid)), i);
	}
	memset(edge - 64, 0, 64);
	((struct args3 *)(edge - 64))->exit_signal = SIGCHLD;
	long pid = clone3_((void *)(edge - 64), 64);		/* not a byte more is read */
	if (!pid)
		_exit(7);
	EQ(WEXITSTATUS(wait_status((pid_t)pid)), 7);
}

TEST(clone3_refuses_what_makes_no_sense)
{
	char *stack = map_anon(4 * PAGE, MAP_PRIVATE);
	uint64_t at = (uint64_t)stack;
	int32_t wanted[2] = { 5000, 0 };
	const struct args3 bad[] = {
		{ .flags = 1ull << 40, .exit_signal = SIGCHLD }, { .flags = SIGCHLD }, { .flags = CLONE_DETACHED, .exit_signal = SIGCHLD },
		{ .exit_signal = 65 }, { .exit_signal = 1ull << 32 }, { .exit_signal = SIGCHLD, .stack = at }, { .exit_signal = SIGCHLD, .stack_size = PAGE },
		{ .exit_signal = SIGCHLD, .stack = at, .stack_size = (uint64_t)1 << 62 }, { .exit_signal = SIGCHLD, .stack = (uint64_t)1 << 63, .stack_size = PAGE },
		{ .flags = THREAD_FLAGS, .exit_signal = SIGCHLD, .stack = at, .stack_size = 4 * PAGE }, { .flags = CLONE_PARENT, .exit_signal = SIGCHLD },
		{ .flags = CLONE_THREAD | CLONE_VM, .stack = at, .stack_size = 4 * PAGE }, { .flags = CLONE_SIGHAND, .exit_signal = SIGCHLD },
		{ .flags = CLONE_VM | CLONE_SIGHAND | CLEAR_SIGHAND, .exit_signal = SIGCHLD },
		{ .exit_signal = SIGCHLD, .set_tid = (uint64_t)wanted }, { .exit_signal = SIGCHLD, .set_tid_size = 1 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		errno = 0;
		long result = clone3_(&bad[i], 88);
		if (!result)
			_exit(0);
		if (result != -1 || errno != EINVAL)
			FAIL("case %zu gave %ld, errno %d", i, result, errno);
	}
	FAILS(waitpid(-1, NULL, 0), ECHILD);
}

TEST(clone3_tells_numbers)
{
	static pid_t parent, child;
	pid_t *shared = map_anon(PAGE, MAP_SHARED);
	struct args3 a = { .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .exit_signal = SIGCHLD, .parent_tid = (uint64_t)&parent, .child_tid = (uint64_t)&child };
	long pid = clone3_(&a, 88);
	if (!pid) {
		*shared = child;
		_exit(child == getpid() && child == gettid_() ? 0 : 1);
	}
	EQ(wait_status((pid_t)pid), 0);
	EQ(parent, pid);
	EQ(*shared, pid);
	EQ(child, 0);
}

TEST(clone3_clears_handlers)
{
	struct sigaction a;
	struct args3 how = { .flags = CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	signal(SIGUSR1, interrupted);
	signal(SIGUSR2, SIG_IGN);
	long pid = clone3_(&how, 88);
	if (!pid) {
		sigaction(SIGUSR1, NULL, &a);
		if (a.sa_handler != SIG_DFL)
			_exit(1);
		sigaction(SIGUSR2, NULL, &a);
		_exit(a.sa_handler == SIG_IGN ? 0 : 2);
	}
	EQ(WEXITSTATUS(wait_status((pid_t)pid)), 0);
	sigaction(SIGUSR1, NULL, &a);
	CHECK(a.sa_handler == interrupted);
}

/* ---- exit --------------------------------------------------------------------------------------------------------------------------------- */

TEST(the_status_is_that_of_the_last_thread)
{
	pid_t pid = fork();
	if (!pid) {
		void *last(void *arg)
		{
			while (state_of(getpid(), getpid()) != 'Z')
				usleep(1000);
			syscall(SYS_exit, 7);
			return arg;
		}
		begin(last, NULL);
		syscall(SYS_exit, 3);
	}
	int status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(exit_ends_one_thread_alone)
{
	void *leave(void *arg) { syscall(SYS_exit, 5); return arg; }
	pthread_t t;
	pid_t tid = begin_idle(&t);
	for (int i = 0; i < 50; i++)
		begin(leave, NULL);
	EQ(syscall(SYS_tgkill, getpid(), tid, 0), 0);
	set(&idle_stop, 1);
}

/* ---- numbers of threads ------------------------------------------------------------------------------------------------------------------- */

TEST(calls_that_take_the_number_of_a_thread)
{
	pthread_t t;
	pid_t tid = begin_idle(&t), other = fork();
	uint64_t cpus[16];
	struct rlimit limit;
	if (!other)
		for (;;)
			pause();
	FAILS(syscall(SYS_tgkill, 0, tid, 0), EINVAL);
	FAILS(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
	FAILS(syscall(SYS_tgkill, getpid(), tid, 65), EINVAL);
	FAILS(syscall(SYS_tgkill, other, tid, 0), ESRCH);
	FAILS(syscall(SYS_tgkill, getpid(), other, 0), ESRCH);
	FAILS(syscall(SYS_tgkill, tid, tid, 0), ESRCH);
	FAILS(syscall(SYS_tkill, 0, 0), EINVAL);
	FAILS(syscall(SYS_tkill, -1, 0), EINVAL);
	EQ(syscall(SYS_tkill, tid, 0), 0);
	EQ(syscall(SYS_tgkill, other, other, 0), 0);
	EQ(kill(tid, 0), 0);
	FAILS(kill(-tid, 0), ESRCH);				/* it is no group */
	EQ(getpgid(tid), getpgid(0));
	EQ(getsid(tid), getsid(0));
	FAILS(setpgid(tid, 0), EINVAL);
	FAILS(waitpid(tid, NULL, WNOHANG), ECHILD);
	EQ(syscall(SYS_sched_getscheduler, tid), SCHED_OTHER);
	CHECK(syscall(SYS_sched_getaffinity, tid, sizeof cpus, cpus) > 0);
	EQ(syscall(SYS_prlimit64, tid, RLIMIT_NOFILE, NULL, &limit), 0);
	set(&idle_stop, 1);
	pthread_join(t, NULL);
	FAILS(syscall(SYS_tkill, tid, 0), ESRCH);
	FAILS(kill(tid, 0), ESRCH);
	FAILS(syscall(SYS_sched_getaffinity, tid, sizeof cpus, cpus), ESRCH);
	kill(other, SIGKILL);
	wait_status(other);
}

TEST(niceness_is_a_threads)
{
	pthread_t t;
	pid_t tid = begin_idle(&t);
	EQ(setpriority(PRIO_PROCESS, (id_t)tid, 7), 0);
	EQ(getpriority(PRIO_PROCESS, (id_t)tid), 7);
	EQ(getpriority(PRIO_PROCESS, 0), 0);
	set(&idle_stop, 1);
	pthread_join(t, NULL);
	FAILS(setpriority(PRIO_PROCESS, (id_t)tid, 7), ESRCH);
}

TEST(a_fatal_signal_to_one_thread_ends_the_process)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (!pid) {
			pthread_t t;
			syscall(SYS_tgkill, getpid(), begin_idle(&t), i ? SIGKILL : SIGHUP);
			for (;;)
				pause();
		}
		int status = wait_status(pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == (i ? SIGKILL : SIGHUP));
	}
}

TEST(proc_shows_threads)
{
	pthread_t t;
	pid_t tid = begin_idle(&t);
	char path[64], line[128], link[64] = "";
	int lines = 0, tgid = 0, pid = 0, threads = 0;
	snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
	FILE *f = fopen(path, "r");
	NEED(f != NULL);
	while (fgets(line, sizeof line, f))
		lines += sscanf(line, "Tgid: %d", &tgid) + sscanf(line, "Pid: %d", &pid) + sscanf(line, "Threads: %d", &threads);
	fclose(f);
	EQ(tgid, getpid());
	EQ(pid, tid);
	EQ(threads, 2);
	snprintf(path, sizeof path, "%d/task/%d", getpid(), getpid());
	CHECK(readlink("/proc/thread-self", link, sizeof link - 1) > 0 && !strcmp(link, path));
	snprintf(path, sizeof path, "/proc/%d/stat", tid);		/* by its number, though it is not listed */
	CHECK(access(path, F_OK) == 0);
	snprintf(path, sizeof path, "/proc/self/task/%d/maps", tid);
	CHECK(access(path, R_OK) == 0);
	CHECK(access("/proc/self/task/1", F_OK) != 0);
	struct stat s;
	CHECK(stat("/proc/self/task", &s) == 0 && S_ISDIR(s.st_mode));
	f = popen("ls /proc/$PPID/task | wc -l", "r");
	CHECK(f && fgets(line, sizeof line, f) && atoi(line) == 2);
	if (f)
		pclose(f);
	set(&idle_stop, 1);
}

/* ---- futex: arguments ---------------------------------------------------------------------------------------------------------------------- */

static int word, word2;

static long futex(volatile void *at, int op, unsigned value, const void *timeout, volatile void *at2, unsigned value3)
{
	return syscall(SYS_futex, at, op, value, timeout, at2, value3);
}

TEST(what_futex_refuses)
{
	char *none = map_anon(PAGE, MAP_PRIVATE);
	int *readonly = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0);
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	munmap(none, PAGE);
	FAILS(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	FAILS(futex(readonly, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
	for (int private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG) {
		FAILS(futex((char *)&word + 1, FUTEX_WAIT | private, 0, NULL, NULL, 0), EINVAL);
		FAILS(futex((char *)&word + 2, FUTEX_WAKE | private, 1, NULL, NULL, 0), EINVAL);
		FAILS(futex(none, FUTEX_WAIT | private, 0, NULL, NULL, 0), EFAULT);
		FAILS(futex((void *)0xffff800000000000, FUTEX_WAIT | private, 0, NULL, NULL, 0), EFAULT);
		FAILS(futex((void *)0xffff800000000000, FUTEX_WAKE | private, 1, NULL, NULL, 0), EFAULT);
		FAILS(futex(&word, FUTEX_WAIT | private, 0, &bad, NULL, 0), EINVAL);
		FAILS(futex(&word, FUTEX_WAIT | private, 0, &negative, NULL, 0), EINVAL);
		FAILS(futex(&word, FUTEX_WAIT | private, 0, none, NULL, 0), EFAULT);
		FAILS(futex(&word, FUTEX_WAIT_BITSET | private, 0, NULL, NULL, 0), EINVAL);
		FAILS(futex(&word, FUTEX_WAKE_BITSET | private, 1, NULL, NULL, 0), EINVAL);
		FAILS(futex(&word, FUTEX_REQUEUE | private, 1, (void *)-1l, &word2, 0), EINVAL);
		FAILS(futex(&word, FUTEX_CMP_REQUEUE | private, (unsigned)-1, (void *)1, &word2, 0), EINVAL);
		FAILS(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)1, &word2, 1), EAGAIN);
		FAILS(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)1, (char *)&word2 + 1, 0), EINVAL);
		FAILS(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, (char *)&word2 + 1, 0), EINVAL);
		FAILS(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, none, 0), EFAULT);
		FAILS(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, readonly, 0), EFAULT);
		FAILS(futex(none, FUTEX_CMP_REQUEUE | private, 1, (void *)1, &word2, 0), EFAULT);
	}
	FAILS(futex(none, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	EQ(futex(none, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);	/* nobody looks at it */
	FAILS(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	FAILS(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	FAILS(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

static struct timespec after_ms(int clock, unsigned ms)
{
	uint64_t ns = (uint64_t)now_ns(clock) + ms * 1000000ull;
	return (struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
}

TEST(futex_times_out)
{
	long long from = now_ns(CLOCK_MONOTONIC);
	struct timespec t = { 0, 30000000 };
	FAILS(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	t = after_ms(CLOCK_MONOTONIC, 30);
	FAILS(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, ~0u), ETIMEDOUT);
	t = after_ms(CLOCK_REALTIME, 30);
	FAILS(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, NULL, ~0u), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - from >= 90000000);
	t = (struct timespec){ 0, 0 };
	FAILS(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	t = (struct timespec){ 1, 0 };				/* long past */
	FAILS(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, ~0u), ETIMEDOUT);
}

/* ---- futex: who is woken ---------------------------------------------------------------------------------------------------------------------- */

enum { WAITERS = 6 };
struct waiter { volatile int *at; int op; unsigned bits; volatile int tid, woken; long result; pthread_t thread; };
static struct waiter waiters[WAITERS];

static void *wait_once(void *arg)
{
	struct waiter *w = arg;
	sigset_t child;				/* else one whose parent blocks it, as fork does, makes this call be made again: for a moment nobody waits */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, NULL);
	set(&w->tid, gettid_());
	long result = futex(w->at, w->op, 0, NULL, NULL, w->bits);
	w->result = result < 0 ? -errno : result;
	set(&w->woken, 1);
	return NULL;
}

/* Begins n waiters and returns when all sleep. */
static void begin_waiters(int n, volatile int *at, int op)
{
	for (int i = 0; i < n; i++) {
		struct waiter *w = &waiters[i];
		*w = (struct waiter){ .at = at, .op = op, .bits = 1u << i };
		w->thread = begin(wait_once, w);
		while (!get(&w->tid) || state_of(getpid(), w->tid) != 'S')	/* in the order of their bits */
			usleep(500);
	}
}

static int count_woken(int n)
{
	int woken = 0;
	sleep_ms(20);
	for (int i = 0; i < n; i++)
		woken += get(&waiters[i].woken);
	return woken;
}

static void join_waiters(int n)
{
	for (int i = 0; i < n; i++) {
		pthread_join(waiters[i].thread, NULL);
		EQ(waiters[i].result, 0);
	}
}

TEST(as_many_are_woken_as_asked_for)
{
	begin_waiters(WAITERS, &word, FUTEX_WAIT_PRIVATE);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	EQ(count_woken(WAITERS), 2);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);	/* so it is on Linux */
	EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	EQ(count_woken(WAITERS), 3);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0), 3);
	join_waiters(WAITERS);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
}

TEST(bits_choose_who_is_woken)
{
	begin_waiters(WAITERS, &word, FUTEX_WAIT_BITSET_PRIVATE);
	EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1u << 31), 0);
	EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1u << 1 | 1u << 4), 2);
	EQ(count_woken(WAITERS), 2);
	CHECK(waiters[1].woken && waiters[4].woken);
	EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 1u << 2 | 1u << 5), 1);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 3);
	join_waiters(WAITERS);
}

TEST(private_and_shared_words_are_not_the_same)
{
	begin_waiters(1, &word, FUTEX_WAIT_PRIVATE);
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join_waiters(1);
	begin_waiters(1, &word, FUTEX_WAIT);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	join_waiters(1);
}

TEST(a_shared_word_is_one_in_all_processes_and_mappings)
{
	int fd = (int)syscall(SYS_memfd_create, "words", 0);
	NEED(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	int *here = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), *there = mmap(NULL, PAGE, RW, MAP_SHARED, fd, PAGE);
	NEED(here != MAP_FAILED && there != MAP_FAILED);
	begin_waiters(2, &here[PAGE / sizeof(int) + 3], FUTEX_WAIT);
	int status;
	CHILD(status)
		EQ(futex(&there[3], FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	EQ(status, 0);
	EQ(futex(&here[3], FUTEX_WAKE, 9, NULL, NULL, 0), 0);		/* another page */
	EQ(futex(&there[3], FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	join_waiters(2);
	begin_waiters(1, &word, FUTEX_WAIT);				/* private memory: a forked copy is another word */
	CHILD(status)
		EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EQ(status, 0);
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	join_waiters(1);
}

/* ---- futex: requeue -------------------------------------------------------------------------------------------------------------------------------- */

TEST(waiters_are_moved)
{
	begin_waiters(WAITERS, &word, FUTEX_WAIT_PRIVATE);
	FAILS(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &word2, 5), EAGAIN);
	EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &word2, 0), 4);
	EQ(count_woken(WAITERS), 1);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	EQ(count_woken(WAITERS), 4);
	EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &word2, 0), 1);
	EQ(count_woken(WAITERS), 4);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	EQ(futex(&word2, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &word2, 0), 2);	/* to where they are */
	EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	join_waiters(WAITERS);
}

TEST(waiters_are_moved_between_mappings)
{
	int *a = map_anon(PAGE, MAP_SHARED), *b = map_anon(PAGE, MAP_SHARED);
	begin_waiters(4, a, FUTEX_WAIT);
	EQ(futex(a, FUTEX_CMP_REQUEUE, 0, (void *)4, b, 0), 4);
	munmap(a, PAGE);
	sleep_ms(5);
	EQ(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	EQ(futex(b, FUTEX_REQUEUE, 0, (void *)4, &word, 0), 3);
	munmap(b, PAGE);
	EQ(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0), 3);
	join_waiters(4);
}

TEST(one_that_was_moved_can_be_interrupted_and_time_out)
{
	struct sigaction a = { .sa_handler = interrupted };
	sigaction(SIGUSR1, &a, NULL);
	begin_waiters(2, &word, FUTEX_WAIT_PRIVATE);
	EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &word2, 0), 2);
	pthread_kill(waiters[0].thread, SIGUSR1);
	pthread_join(waiters[0].thread, NULL);
	EQ(waiters[0].result, -EINTR);
	EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 1);
	pthread_join(waiters[1].thread, NULL);
	EQ(waiters[1].result, 0);

	static struct timespec soon = { 0, 40000000 };
	void *wait_a_while(void *arg) { FAILS(futex(&word, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0), ETIMEDOUT); return arg; }
	pthread_t t = begin(wait_a_while, NULL);
	while (futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &word2, 0) != 1)
		sched_yield();
	pthread_join(t, NULL);
	EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
}

/* ---- futex: WAKE_OP ---------------------------------------------------------------------------------------------------------------------------------- */

TEST(wake_op_changes_the_word)
{
	static const struct { int op, operand, before, after; } cases[] = {
		{ FUTEX_OP_SET, 77, 5, 77 }, { FUTEX_OP_SET, 0xfff, 5, -1 }, { FUTEX_OP_ADD, 3, 5, 8 }, { FUTEX_OP_ADD, 0xfff, 5, 4 }, { FUTEX_OP_ADD, 1, 0x7fffffff, (int)0x80000000 },
		{ FUTEX_OP_OR, 6, 9, 15 }, { FUTEX_OP_ANDN, 6, 15, 9 }, { FUTEX_OP_XOR, 6, 12, 10 },
		{ FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 20, 1, 1 << 20 | 1 }, { FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 31, 0, (int)0x80000000 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		word2 = cases[i].before;
		EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2, (unsigned)FUTEX_OP((unsigned)cases[i].op, cases[i].operand, FUTEX_OP_CMP_EQ, 0)), 0);
		if (word2 != cases[i].after)
			FAIL("case %zu: %d became %d, not %d", i, cases[i].before, word2, cases[i].after);
	}
	word2 = 1;
	FAILS(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2, 5u << 28), ENOSYS);
	EQ(word2, 1);
	FAILS(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2, 6u << 24), ENOSYS);
	int *fresh = map_anon(PAGE, MAP_PRIVATE);			/* not there yet */
	EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, fresh, FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_EQ, 0)), 0);
	EQ(*fresh, 4);
	int status;
	CHILD(status) {							/* there, but a copy has to be made first */
		EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, fresh, FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_EQ, 0)), 0);
		EQ(*fresh, 8);
	}
	EQ(status, 0);
	EQ(*fresh, 4);
}

TEST(wake_op_compares_the_old_value)
{
	static const struct { unsigned compare; int with, old, matches; } cases[] = {
		{ FUTEX_OP_CMP_EQ, 5, 5, 1 }, { FUTEX_OP_CMP_EQ, 5, 6, 0 }, { FUTEX_OP_CMP_NE, 5, 6, 1 }, { FUTEX_OP_CMP_NE, 5, 5, 0 }, { FUTEX_OP_CMP_LT, 5, 4, 1 },
		{ FUTEX_OP_CMP_LT, 5, 5, 0 }, { FUTEX_OP_CMP_LT, 0xfff, -2, 1 }, { FUTEX_OP_CMP_LE, 5, 5, 1 }, { FUTEX_OP_CMP_LE, 5, 6, 0 }, { FUTEX_OP_CMP_GT, 0xfff, 0, 1 },
		{ FUTEX_OP_CMP_GT, 5, 5, 0 }, { FUTEX_OP_CMP_GE, 5, 5, 1 }, { FUTEX_OP_CMP_GE, 0, -1, 0 },
	};
	static int sleepers[1];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin_waiters(1, &sleepers[0], FUTEX_WAIT_PRIVATE);
		sleepers[0] = cases[i].old;
		long woken = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &sleepers[0], FUTEX_OP((unsigned)FUTEX_OP_SET, 0, cases[i].compare, cases[i].with));
		if (woken != cases[i].matches)
			FAIL("case %zu: woken %ld", i, woken);
		EQ(futex(&sleepers[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), !cases[i].matches);
		join_waiters(1);
	}
	begin_waiters(WAITERS, &word, FUTEX_WAIT_PRIVATE);
	static int other;
	pthread_t late = begin(wait_once, memcpy(malloc(sizeof *waiters), &(struct waiter){ .at = &other, .op = FUTEX_WAIT_PRIVATE }, sizeof *waiters));
	while (futex(&other, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &other, 0) != 1)
		sched_yield();
	EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 2, (void *)9, &other, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)), 3);
	pthread_join(late, NULL);
	EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), WAITERS - 2);
	join_waiters(WAITERS);
}

/* ---- futex: interrupted --------------------------------------------------------------------------------------------------------------------------------- */

static void interrupt_a_wait(int flags, const struct timespec *timeout, long result)
{
	static const struct timespec *limit;
	static long got;
	struct sigaction a = { .sa_handler = interrupted, .sa_flags = flags };
	void *wait_it(void *arg)
	{
		set(&idle_tid, gettid_());
		got = futex(&word, FUTEX_WAIT_PRIVATE, 0, limit, NULL, 0);
		got = got < 0 ? -errno : got;
		return arg;
	}
	sigaction(SIGUSR1, &a, NULL);
	limit = timeout;
	interruptions = 0;
	set(&idle_tid, 0);
	pthread_t t = begin(wait_it, NULL);
	while (!get(&idle_tid) || state_of(getpid(), get(&idle_tid)) != 'S')
		usleep(500);
	pthread_kill(t, SIGUSR1);
	await_value(&interruptions, 1);
	sleep_ms(10);
	long woken = futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(t, NULL);
	EQ(got, result);
	EQ(woken, result == 0);
}

TEST(a_handler_interrupts_a_wait_or_not)
{
	static const struct timespec seconds = { 20, 0 };
	interrupt_a_wait(0, NULL, -EINTR);
	interrupt_a_wait(SA_RESTART, NULL, 0);
	interrupt_a_wait(0, &seconds, -EINTR);
	interrupt_a_wait(SA_RESTART, &seconds, -EINTR);			/* what is left of the time would not be known */
}

TEST(a_wait_goes_on_after_a_stop)
{
	int *shared = map_anon(PAGE, MAP_SHARED);
	pid_t pid = fork();
	if (!pid) {
		struct timespec t = { 0, 200000000 };
		long long from = now_ns(CLOCK_MONOTONIC);
		long result = futex(shared, FUTEX_WAIT, 0, &t, NULL, 0);
		_exit(result == -1 && errno == ETIMEDOUT && now_ns(CLOCK_MONOTONIC) - from >= 200000000 ? 0 : 1);
	}
	int status;
	for (int i = 0; i < 3; i++) {
		sleep_ms(20);
		kill(pid, SIGSTOP);
		EQ(waitpid(pid, &status, WUNTRACED), pid);
		kill(pid, SIGCONT);
	}
	EQ(wait_status(pid), 0);
}

/* ---- robust lists ------------------------------------------------------------------------------------------------------------------------------------------ */

struct node { struct node *next; int lock; };
struct head { struct node *next; long offset; struct node *pending; };

/* A process with this head dies: by what it does to the words of the shared page. */
static void die_with(struct head *head, void (*prepare)(struct head *, struct node *))
{
	struct node *nodes = (struct node *)(head + 1);
	pid_t pid = fork();
	if (!pid) {
		head->offset = offsetof(struct node, lock);
		head->pending = NULL;
		NEED(syscall(SYS_set_robust_list, head, sizeof *head) == 0);
		prepare(head, nodes);
		_exit(0);
	}
	EQ(wait_status(pid), 0);
}

TEST(a_robust_list_is_walked)
{
	struct head *head = map_anon(PAGE, MAP_SHARED);
	struct node *n = (struct node *)(head + 1);
	void all_kinds(struct head *h, struct node *nodes)
	{
		int tid = gettid_();
		h->next = &nodes[0];
		for (int i = 0; i < 4; i++)
			nodes[i].next = i < 3 ? &nodes[i + 1] : (struct node *)h;
		nodes[0].lock = tid;
		nodes[1].lock = tid | (int)FUTEX_WAITERS;
		nodes[2].lock = 1;					/* another's */
		nodes[3].lock = tid | (int)FUTEX_OWNER_DIED;
		nodes[4].lock = tid;
		h->pending = &nodes[4];
		nodes[5].lock = tid;					/* not listed */
	}
	die_with(head, all_kinds);
	EQ(n[0].lock, FUTEX_OWNER_DIED);
	EQ((unsigned)n[1].lock, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	EQ(n[2].lock, 1);
	EQ(n[3].lock, FUTEX_OWNER_DIED);
	EQ(n[4].lock, FUTEX_OWNER_DIED);
	CHECK(n[5].lock > 1 && !(n[5].lock & FUTEX_OWNER_DIED));
}

TEST(a_robust_list_that_is_wrong_harms_nobody)
{
	struct head *head = map_anon(PAGE, MAP_SHARED);
	struct node *n = (struct node *)(head + 1);
	void in_a_circle(struct head *h, struct node *nodes)
	{
		h->next = &nodes[0];
		nodes[0].next = &nodes[1];
		nodes[1].next = &nodes[0];
		nodes[0].lock = nodes[1].lock = gettid_();
	}
	die_with(head, in_a_circle);
	EQ(n[0].lock, FUTEX_OWNER_DIED);
	void into_nothing(struct head *h, struct node *nodes)
	{
		h->next = &nodes[0];
		nodes[0].next = (struct node *)16;
		nodes[0].lock = gettid_();
	}
	die_with(head, into_nothing);
	EQ(n[0].lock, FUTEX_OWNER_DIED);
	void unaligned(struct head *h, struct node *nodes)
	{
		h->next = &nodes[0];
		h->offset++;
		nodes[0].next = (struct node *)h;
		nodes[0].lock = gettid_();
	}
	die_with(head, unaligned);
	CHECK(!(n[0].lock & FUTEX_OWNER_DIED));
	void into_the_kernel(struct head *h, struct node *nodes)
	{
		(void)nodes;
		h->next = (struct node *)0xffff800000000000;
		h->pending = (struct node *)0xffffffff80000000;
	}
	die_with(head, into_the_kernel);
	void not_there(struct head *h, struct node *nodes)
	{
		(void)nodes;
		syscall(SYS_set_robust_list, 64, sizeof *h);
	}
	die_with(head, not_there);
}

TEST(who_waits_for_a_pending_unlock_is_woken)
{
	struct head *head = map_anon(PAGE, MAP_SHARED);
	struct node *n = (struct node *)(head + 1);
	begin_waiters(2, &n[0].lock, FUTEX_WAIT);
	void between_unlock_and_wake(struct head *h, struct node *nodes)
	{
		h->next = (struct node *)h;
		nodes[0].lock = 0;
		h->pending = &nodes[0];
	}
	die_with(head, between_unlock_and_wake);
	EQ(count_woken(2), 1);
	EQ(futex(&n[0].lock, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	join_waiters(2);
}

TEST(robust_list_calls)
{
	struct head mine = { 0 };
	void *head = NULL;
	size_t size = 0;
	FAILS(syscall(SYS_set_robust_list, &mine, 23), EINVAL);
	FAILS(syscall(SYS_set_robust_list, &mine, 32), EINVAL);
	mine.next = (struct node *)&mine;
	EQ(syscall(SYS_set_robust_list, &mine, sizeof mine), 0);
	EQ(syscall(SYS_get_robust_list, 0, &head, &size), 0);
	CHECK(head == &mine);
	EQ(size, 24);
	static struct head of_thread;
	void *look(void *arg)
	{
		void *h = NULL;
		size_t s;
		of_thread.next = (struct node *)&of_thread;
		EQ(syscall(SYS_set_robust_list, &of_thread, sizeof of_thread), 0);
		EQ(syscall(SYS_get_robust_list, gettid_(), &h, &s), 0);
		CHECK(h == &of_thread);
		EQ(syscall(SYS_get_robust_list, getpid(), &h, &s), 0);
		CHECK(h == arg);
		syscall(SYS_set_robust_list, NULL, sizeof of_thread);
		return arg;
	}
	pthread_join(begin(look, &mine), NULL);
	FAILS(syscall(SYS_get_robust_list, 99999, &head, &size), ESRCH);
	FAILS(syscall(SYS_get_robust_list, 0, NULL, &size), EFAULT);
	syscall(SYS_set_robust_list, NULL, sizeof mine);
}

/* ---- membarrier, affinity ------------------------------------------------------------------------------------------------------------------------------------- */

enum { BARRIER_GLOBAL = 1, BARRIER_PRIVATE = 8, BARRIER_REGISTER_PRIVATE = 16 };

TEST(membarrier_calls)
{
	long known = syscall(SYS_membarrier, 0, 0, 0);
	NEED(known > 0);
	EQ(known & (BARRIER_GLOBAL | BARRIER_PRIVATE | BARRIER_REGISTER_PRIVATE), BARRIER_GLOBAL | BARRIER_PRIVATE | BARRIER_REGISTER_PRIVATE);
	FAILS(syscall(SYS_membarrier, 0, 1, 0), EINVAL);
	FAILS(syscall(SYS_membarrier, BARRIER_GLOBAL, 1, 0), EINVAL);
	FAILS(syscall(SYS_membarrier, 3, 0, 0), EINVAL);
	FAILS(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	EQ(syscall(SYS_membarrier, BARRIER_GLOBAL, 0, 0), 0);
	FAILS(syscall(SYS_membarrier, BARRIER_PRIVATE, 0, 0), EPERM);
	EQ(syscall(SYS_membarrier, BARRIER_REGISTER_PRIVATE, 0, 0), 0);
	EQ(syscall(SYS_membarrier, BARRIER_PRIVATE, 0, 0), 0);
	int status;
	CHILD(status)
		EQ(syscall(SYS_membarrier, BARRIER_PRIVATE, 0, 0), 0);
	EQ(status, 0);
}

/* One side has a fence that costs something, by membarrier, and the other none: each must see the other, or the other it. */
TEST(membarrier_orders_the_other_threads_accesses)
{
	enum { ROUNDS = 300 };
	static volatile int x, y, seen_x, seen_y, go, done;
	EQ(syscall(SYS_membarrier, BARRIER_REGISTER_PRIVATE, 0, 0), 0);
	void *fast(void *arg)
	{
		for (int i = 1; i <= ROUNDS; i++) {
			await_value(&go, i);
			x = 1;
			__asm__ volatile ("" ::: "memory");
			seen_y = y;
			set(&done, i);
		}
		return arg;
	}
	pthread_t t = begin(fast, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		x = y = seen_x = seen_y = 0;
		set(&go, i);
		y = 1;
		if (syscall(SYS_membarrier, BARRIER_PRIVATE, 0, 0))
			FAIL("membarrier: errno %d", errno);
		seen_x = x;
		await_value(&done, i);
		CHECK(seen_x || seen_y);
	}
	pthread_join(t, NULL);
}

TEST(affinity_is_a_threads)
{
	uint64_t all[16] = { 0 }, one[16] = { 0 }, now[16] = { 0 };
	long size = syscall(SYS_sched_getaffinity, 0, sizeof all, all);
	NEED(size >= 8);
	FAILS(syscall(SYS_sched_getaffinity, 0, 4, all), EINVAL);
	FAILS(syscall(SYS_sched_getaffinity, 0, 12, all), EINVAL);
	FAILS(syscall(SYS_sched_getaffinity, 0, sizeof all, NULL), EFAULT);
	FAILS(syscall(SYS_sched_setaffinity, 0, sizeof one, one), EINVAL);	/* no processor */
	FAILS(syscall(SYS_sched_setaffinity, 0, sizeof one, NULL), EFAULT);
	FAILS(syscall(SYS_sched_setaffinity, 99999, sizeof all, all), ESRCH);
	int which = 0;
	while (which < 1023 && !(all[which / 64] >> which % 64 & 1))
		which++;
	one[which / 64] = (uint64_t)1 << which % 64;
	pthread_t t;
	pid_t tid = begin_idle(&t);
	EQ(syscall(SYS_sched_setaffinity, 0, sizeof one, one), 0);
	EQ(syscall(SYS_sched_getaffinity, 0, sizeof now, now), size);
	CHECK(!memcmp(now, one, (size_t)size));
	EQ(syscall(SYS_sched_getaffinity, tid, sizeof now, now), size);
	CHECK(!memcmp(now, all, (size_t)size));					/* the other keeps its own */
	unsigned cpu = 99;
	EQ(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
	EQ(cpu, which);
	static uint64_t inherited[16];
	void *look(void *arg) { syscall(SYS_sched_getaffinity, 0, sizeof inherited, inherited); return arg; }
	pthread_join(begin(look, NULL), NULL);
	CHECK(!memcmp(inherited, one, (size_t)size));
	int status;
	CHILD(status) {
		EQ(syscall(SYS_sched_getaffinity, 0, sizeof now, now), size);
		CHECK(!memcmp(now, one, (size_t)size));
	}
	EQ(status, 0);
	EQ(syscall(SYS_sched_setaffinity, tid, sizeof one, one), 0);
	EQ(syscall(SYS_sched_setaffinity, 0, sizeof all, all), 0);
	set(&idle_stop, 1);
	pthread_join(t, NULL);
}
