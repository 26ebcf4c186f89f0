/*
 * tests/guest/allocfail.c - every allocation in the kernel fails once.
 *
 * An operation is made in a child with its first, its second ... allocation failing (the call allocfail), until none fails any more.  Each time the
 * child gets ENOMEM (fork: or EAGAIN), or succeeds because the kernel found another way, or is killed for memory; and from outside nothing is seen of it: vmcheck
 * is content, the counts are as before.  When all is done the kernel's heap has not grown.  How many allocations each operation has is printed.
 *
 * The child says that it is the one to be killed when memory ends.
 */
#define TAP_OWN_MAIN
#include "tap.h"
#include <pthread.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

enum { PAGES = 24 };
static const char PATH_FILE[] = "/usr/share/faultline/seq-524288";
static const char *self;			/* this program's path */

/* What came of the attempt, shared with the child: where the count was in the end, if the child lived to see it. */
enum { NOT_BEGUN = -1, BEGUN = -2 };
static volatile long *left_of_count;

static long allocfail(unsigned long k, enum allocfail_whose whose)
{
	return syscall(SYS_allocfail, k, whose);
}

struct operation {
	const char *name;
	int (*run)(void);			/* 0 or an errno */
	void (*prepare)(void);			/* in the child, before: what is not to fail */
	void (*clean)(void);			/* in the parent, after: what a killed child has left in /tmp */
	enum allocfail_whose whose;
	int any_status;				/* a shell may end as it likes */
};

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void __attribute__((noreturn)) attempt(const struct operation *op, unsigned long k)
{
	setpgid(0, 0);
	write_text("/proc/self/oom_score_adj", "1000");
	if (op->prepare)
		op->prepare();
	*left_of_count = BEGUN;
	allocfail(k, op->whose);
	int error = op->run();
	*left_of_count = allocfail(0, ALLOCFAIL_SELF);
	_exit(error);
}

/* What is there, once no page is on its way in any more: a slow image takes its time. */
static void when_quiet(struct vmcheck *now)
{
	unsigned long pinned;

	NEED(tap_vmcheck(now) >= 0);
	do {
		pinned = now->records_pinned;
		usleep(200000);
		NEED(tap_vmcheck(now) >= 0);
	} while (now->records_pinned != pinned);
}

/* Runs it with the k-th allocation failing: was there one? */
static int try(const struct operation *op, unsigned long k)
{
	struct vmcheck before, after;

	*left_of_count = NOT_BEGUN;
	if (k == 0)
		when_quiet(&before);
	else
		NEED(tap_vmcheck(&before) >= 0);
	pid_t pid = fork();
	if (!pid)
		attempt(op, k);
	NEED(pid > 0);
	int status = wait_status(pid);
	long left = allocfail(0, ALLOCFAIL_SELF);
	NEED(*left_of_count != NOT_BEGUN);
	if (*left_of_count >= 0)
		left = *left_of_count;
	kill(-pid, SIGKILL);
	if (op->clean)
		op->clean();
	if (!tap_settled(&before, &after)) {
		tap_same(&before, &after, 1);
		FAIL("%s, allocation %lu: something is left", op->name, k);
	}
	if (after.errors)
		FAIL("%s, allocation %lu: vmcheck found %lu errors", op->name, k, (unsigned long)after.errors);
	int failed = k && left == 0, error = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL || !failed : !op->any_status && error && (!failed || (error != ENOMEM && error != EAGAIN)))
		FAIL("%s, allocation %lu%s: status %#x", op->name, k, failed ? "" : " (which there is not)", (unsigned)status);
	return failed;
}

/* Which pages of the running programs are cached is chance: all of them are, then. */
static void cache_all_of(const char *path)
{
	static char block[PAGE];
	int fd = open(path, O_RDONLY);

	while (read(fd, block, sizeof block) > 0)
		continue;
	close(fd);
}

/* Kernel stacks of processes that are gone are kept, up to 8, each a range with a descriptor: after this there are as many as there can be. */
static void cache_stacks(void)
{
	pid_t pid[12];

	for (unsigned i = 0; i < sizeof pid / sizeof *pid; i++) {
		pid[i] = fork();
		NEED(pid[i] >= 0);
		if (!pid[i])
			for (;;)
				pause();
	}
	for (unsigned i = 0; i < sizeof pid / sizeof *pid; i++) {
		kill(pid[i], SIGKILL);
		wait_status(pid[i]);
	}
}

/* The kernel's heap without what is only kept for later. */
static uint64_t heap_after(const struct operation *op)
{
	struct vmcheck c;

	try(op, 0);
	write_text("/proc/sys/vm/drop_caches", "3");
	try(op, 0);
	cache_all_of("/proc/1/exe");
	cache_all_of("/bin/busybox");
	cache_all_of(self);
	cache_stacks();
	NEED(tap_vmcheck(&c) >= 0);
	return c.heap_bytes;
}

static unsigned long each_allocation(const struct operation *op)
{
	unsigned long k = 1;

	while (try(op, k) && !tap_failures)
		k++;
	return k - 1;
}

/* What failures bring into use (the shell's messages, for example) may stay cached: then a second round must do with that. */
static void fail_everywhere(const struct operation *op)
{
	uint64_t before = heap_after(op), after;

	printf("# %s: %lu allocations\n", op->name, each_allocation(op));
	after = heap_after(op);
	if (after > before) {
		before = after;
		each_allocation(op);
		after = heap_after(op);
	}
	if (after > before)
		FAIL("%s: the heap has grown from %lu to %lu bytes", op->name, (unsigned long)before, (unsigned long)after);
}

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif
#define ERRNO_OF(call) ((call) == -1 ? errno : 0)

/* ---- processes ----------------------------------------------------------------------------------------------------------------- */

static char memory[PAGES * PAGE] __attribute__((aligned(4096)));

static void fill_memory(void) { memset(memory, 1, sizeof memory); }

static int do_fork(void)
{
	pid_t pid = fork();
	if (pid < 0)
		return errno;
	if (!pid)
		_exit(0);
	return wait_status(pid) ? EINVAL : 0;
}

static int do_vfork(void)
{
	pid_t pid = vfork();
	if (!pid)
		_exit(0);
	return pid < 0 ? errno : wait_status(pid) ? EINVAL : 0;
}

static int do_exit(void) { _exit(0); }

static int do_fork_write(void)
{
	pid_t pid = fork();
	if (pid < 0)
		return errno;
	if (!pid) {
		memset(memory, 2, sizeof memory);
		_exit(0);
	}
	int status = wait_status(pid);
	return status == SIGKILL ? ENOMEM : status;
}

static int do_exec(void)
{
	execl(self, self, "--nothing", (char *)NULL);
	return errno;
}

static void *nothing(void *arg) { return arg; }
static int do_threads(void)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++) {
		int error = pthread_create(&t[i], NULL, nothing, NULL);
		if (error)
			return error;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}

/* Where there is no way back for the main thread, the process dies. */
static void *exec_here(void *arg) { (void)arg; return (void *)(long)do_exec(); }
static int do_thread_exec(void)
{
	pthread_t t;
	void *error;
	int created = pthread_create(&t, NULL, exec_here, NULL);
	if (created)
		return created;
	pthread_join(t, &error);
	return (int)(long)error;
}

/* Another process has the same descriptors. */
static void share_descriptors(void)
{
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	NEED(pid >= 0);
	if (!pid)
		for (;;)
			pause();
}

static void make_script(void)
{
	char text[256];
	int fd = open("/tmp/allocfail.script", O_CREAT | O_WRONLY | O_TRUNC, 0755);
	snprintf(text, sizeof text, "#!%s --nothing\n", self);
	NEED(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}
static void drop_script(void) { unlink("/tmp/allocfail.script"); }
static int do_exec_script(void)
{
	execl("/tmp/allocfail.script", "script", (char *)NULL);
	return errno;
}

static int do_pipeline(void)
{
	execl("/bin/sh", "sh", "-c", "cat /etc/passwd | sort | wc -l > /tmp/allocfail.out", (char *)NULL);
	return errno;
}
static void quiet(void)
{
	int fd = open("/dev/null", O_RDWR);
	dup2(fd, 2);
}
static void drop_out(void) { unlink("/tmp/allocfail.out"); }

static const struct operation processes[] = {
	{ "fork", do_fork, fill_memory, NULL, ALLOCFAIL_SELF, 0 },
	{ "fork and what the child does", do_fork, fill_memory, NULL, ALLOCFAIL_ALL, 0 },
	{ "vfork", do_vfork, NULL, NULL, ALLOCFAIL_ALL, 0 },
	{ "copy on write", do_fork_write, fill_memory, NULL, ALLOCFAIL_ALL, 0 },
	{ "exit", do_exit, fill_memory, NULL, ALLOCFAIL_SELF, 0 },		/* what is told about it to the parent */
	{ "exec and exit", do_exec, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "threads", do_threads, NULL, NULL, ALLOCFAIL_ALL, 0 },
	{ "exec by a thread", do_thread_exec, NULL, NULL, ALLOCFAIL_ALL, 0 },
	{ "exec with descriptors that others share", do_exec, share_descriptors, NULL, ALLOCFAIL_SELF, 0 },
	{ "exec of a script", do_exec_script, make_script, drop_script, ALLOCFAIL_SELF, 0 },
};

/* ---- memory ---------------------------------------------------------------------------------------------------------------------- */

static void touch(volatile char *p, size_t size, int write)
{
	for (size_t i = 0; i < size; i += PAGE)
		if (write)
			p[i] = 1;
		else
			(void)p[i];
}

static int do_anonymous(void)
{
	char *p = mmap(NULL, sizeof memory, RW, ANON, -1, 0);
	if (p == MAP_FAILED)
		return errno;
	touch(p, sizeof memory / 2, 0);
	touch(p, sizeof memory, 1);
	return ERRNO_OF(munmap(p, sizeof memory));
}

static int do_shared(void)
{
	char *p = mmap(NULL, sizeof memory, RW, SHARED, -1, 0);
	if (p == MAP_FAILED)
		return errno;
	touch(p, sizeof memory, 1);
	return ERRNO_OF(munmap(p, sizeof memory));
}

static int do_memfd(void)
{
	int fd = (int)syscall(SYS_memfd_create, "memfd", 0), error = 0;
	if (fd < 0)
		return errno;
	char *p = fallocate(fd, 0, 0, sizeof memory / 2) || ftruncate(fd, sizeof memory) ? MAP_FAILED : mmap(NULL, sizeof memory, RW, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return errno;
	touch(p, sizeof memory, 1);
	error = ERRNO_OF(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 4 * PAGE));
	return error ? error : ERRNO_OF(madvise(p, PAGE, 9));			/* MADV_REMOVE */
}

static int do_segment(void)
{
	int id = (int)syscall(SYS_shmget, IPC_PRIVATE, sizeof memory, 0600);
	if (id < 0)
		return errno;
	char *p = (char *)syscall(SYS_shmat, id, 0, 0);
	int error = p == MAP_FAILED ? errno : 0;
	if (syscall(SYS_shmctl, id, IPC_RMID, 0))
		return EINVAL;
	if (error)
		return error;
	touch(p, sizeof memory, 1);
	if (munmap(p + PAGE, PAGE))						/* with this, and no more, it is gone at the end */
		return errno;
	return ERRNO_OF(syscall(SYS_shmdt, p));
}

static int file = -1;
static void open_self(void)
{
	write_text("/proc/sys/vm/drop_caches", "3");
	NEED((file = open(PATH_FILE, O_RDONLY)) >= 0);
}
static int do_map_file(void)
{
	char *p = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE, file, 0);
	if (p == MAP_FAILED)
		return errno;
	touch(p, 8 * PAGE, 0);
	touch(p + 4 * PAGE, 8 * PAGE, 1);
	return ERRNO_OF(munmap(p, 16 * PAGE));
}

static char *area;
static void map_area(void)
{
	area = map_anon(3 * sizeof memory, MAP_PRIVATE);
	touch(area, sizeof memory, 1);
}
static int do_mremap(void)
{
	area = mremap(area, sizeof memory, 2 * sizeof memory, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)0x40000000);
	if (area == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < sizeof memory; i += PAGE)
		if (area[i] != 1)
			return EINVAL;
	return 0;
}
static int do_protect(void)
{
	if (mprotect(area + PAGE, PAGE, PROT_READ))
		return errno;
	if (munmap(area + 4 * PAGE, PAGE))
		return errno;
	return ERRNO_OF(madvise(area, PAGE, MADV_DONTNEED));
}
static int do_brk(void)
{
	char *old = (char *)syscall(SYS_brk, 0);
	if ((char *)syscall(SYS_brk, old + sizeof memory) == old)
		return ENOMEM;
	touch(old, sizeof memory, 1);
	return 0;
}
static int grow_stack(int n)
{
	volatile char page[PAGE];
	page[0] = (char)n;
	return n ? grow_stack(n - 1) + page[0] - n : 0;
}
static int do_stack(void) { return grow_stack(40); }

/* A leaf table that fork has shared is copied before what it maps changes; a huge page is broken where a part of it does. */
enum { TABLE = 2 << 20 };
static char *table_area;
static void fill_tables(void)
{
	char *p = map_anon(3 * TABLE, MAP_PRIVATE);
	table_area = (char *)(((uintptr_t)p + TABLE - 1) & ~(uintptr_t)(TABLE - 1));
	memset(table_area, 1, TABLE);
}
static void advise_huge(void)
{
	char *p = map_anon(3 * TABLE, MAP_PRIVATE);
	table_area = (char *)(((uintptr_t)p + TABLE - 1) & ~(uintptr_t)(TABLE - 1));
	NEED(!madvise(table_area, TABLE, MADV_HUGEPAGE));
}
static int change_parts(void)
{
	table_area[3 * PAGE] = 2;
	if (munmap(table_area + PAGE, PAGE) || mprotect(table_area + 8 * PAGE, PAGE, PROT_READ) || madvise(table_area + 9 * PAGE, PAGE, MADV_DONTNEED))
		return errno;
	return table_area[3 * PAGE] == 2 ? 0 : EINVAL;
}
static int do_shared_tables(void)
{
	pid_t pid = fork();
	if (pid < 0)
		return errno;
	if (!pid)
		_exit(change_parts());
	int status = wait_status(pid);
	for (size_t i = 0; i < TABLE; i += PAGE)
		if (table_area[i] != 1)
			return EINVAL;
	return status == SIGKILL ? ENOMEM : status >> 8;
}

static const struct operation memories[] = {
	{ "shared page tables", do_shared_tables, fill_tables, NULL, ALLOCFAIL_ALL, 0 },
	{ "huge page", change_parts, advise_huge, NULL, ALLOCFAIL_SELF, 0 },
	{ "anonymous memory", do_anonymous, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "shared memory", do_shared, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "memfd_create", do_memfd, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "System V segment", do_segment, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "mapped file", do_map_file, open_self, NULL, ALLOCFAIL_SELF, 0 },
	{ "mremap", do_mremap, map_area, NULL, ALLOCFAIL_SELF, 0 },
	{ "mprotect, munmap, madvise", do_protect, map_area, NULL, ALLOCFAIL_SELF, 0 },
	{ "brk", do_brk, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "stack", do_stack, NULL, NULL, ALLOCFAIL_SELF, 0 },
};

/* ---- files ------------------------------------------------------------------------------------------------------------------------ */

static int do_pipe(void)
{
	int ends[2];
	if (pipe(ends))
		return errno;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (write(ends[1], memory, 40000) < 0 || read(ends[0], memory, 40000) < 0)
		return errno;
	return 0;
}

static int do_read(void)
{
	ssize_t n;
	while ((n = read(file, memory, 5 * PAGE)) > 0)
		if (lseek(file, 0, SEEK_CUR) > 40 * PAGE)
			break;
	return n < 0 ? errno : 0;
}

static void drop_file(void)
{
	unlink("/tmp/allocfail.a");
	unlink("/tmp/allocfail.b");
	unlink("/tmp/allocfail.dir/c");
	rmdir("/tmp/allocfail.dir");
}
static int do_create(void)
{
	int fd = open("/tmp/allocfail.a", O_CREAT | O_RDWR | O_EXCL, 0600);
	if (fd < 0)
		return errno;
	if (write(fd, memory, 3 * PAGE) < 0 || ftruncate(fd, PAGE / 2) || pwrite(fd, memory, PAGE, 1 << 20) < 0)
		return errno;
	return ERRNO_OF(close(fd));
}
static int do_names(void)
{
	char text[64];
	if (mkdir("/tmp/allocfail.dir", 0700) || symlink("allocfail.dir", "/tmp/allocfail.a") || mknod("/tmp/allocfail.a/c", S_IFIFO | 0600, 0)
	    || link("/tmp/allocfail.a/c", "/tmp/allocfail.b") || rename("/tmp/allocfail.b", "/tmp/allocfail.dir/c") || chdir("/tmp/allocfail.a")
	    || readlink("/tmp/allocfail.a", text, sizeof text) < 0 || !getcwd(text, sizeof text))
		return errno;
	return 0;
}
static int do_proc(void)
{
	static const char *const names[] = { "/proc/self/maps", "/proc/self/smaps", "/proc/meminfo", "/proc/self/fd/0", "/proc/self/status", "/proc/1/stat" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int fd = open(names[i], O_RDONLY);
		if (fd < 0 || (i != 3 && read(fd, memory, sizeof memory) < 0))
			return errno;
		close(fd);
	}
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || syscall(SYS_getdents64, fd, memory, sizeof memory) < 0)
		return errno;
	return ERRNO_OF(close(fd));
}
static int do_descriptors(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 5 };
	struct pollfd p[70] = { { .fd = 0 } };
	struct iovec v[40];
	for (int i = 0; i < 40; i++)
		v[i] = (struct iovec){ memory, 1 };
	if (dup2(file, 500) < 0 || fcntl(file, F_SETLK, &lock) || poll(p, 70, 0) < 0 || readv(file, v, 40) < 0)
		return errno;
	return 0;
}
static int do_signals(void)
{
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }))
			return errno;
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 1000 }, { 0, 1000 } }, NULL);
	sleep_ms(5);
	return 0;
}

/* Files to wait with: one that could be made but not watched goes all the same. */
static int do_readiness(void)
{
	struct itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	int made[] = { eventfd(1, 0), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &set, 0), epoll_create1(0) }, ep = epoll_create1(0), error = 0;

	for (int i = 0; i < 4; i++) {
		if (made[i] < 0 || ep < 0)
			return ENOMEM;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, made[i], &e))
			error = errno;
	}
	timerfd_settime(made[1], 0, &soon, NULL);
	if (!error && (epoll_wait(ep, &e, 1, -1) != 1))
		error = errno;
	return error;
}

static int do_timers(void)
{
	struct itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
	struct timespec limit = { 1, 0 };
	sigset_t set;
	int id;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id))
		return errno;
	syscall(SYS_timer_settime, id, 0, &soon, NULL);
	return sigtimedwait(&set, NULL, &limit) == SIGALRM ? 0 : errno;
}

static int do_queue(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 3000 };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	mqd_t q = mq_open("/allocfail", O_CREAT | O_RDWR, 0600, &a);
	if (q < 0 || mq_notify(q, &none) || mq_send(q, memory, 3000, 1) || mq_send(q, memory, 10, 2) || mq_receive(q, memory, 3000, NULL) != 10)
		return errno;
	return ERRNO_OF(mq_close(q));			/* with a message in it */
}
static void drop_queue(void) { mq_unlink("/allocfail"); }

/* A child dies in a thread, and leaves a core file as far as there is memory for it. */
static void *fault_here(void *arg) { abort(); return arg; }
static int do_core(void)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		return errno;
	if (!child) {
		pthread_t t;
		setrlimit(RLIMIT_CORE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
		if (chdir("/tmp") || pthread_create(&t, NULL, fault_here, NULL))
			_exit(ENOMEM);
		for (;;)
			pause();
	}
	status = wait_status(child);
	return WIFEXITED(status) || WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGKILL ? 0 : EINVAL;
}
static void drop_core(void) { unlink("/tmp/core"); }

static const struct operation files[] = {
	{ "message queue", do_queue, NULL, drop_queue, ALLOCFAIL_SELF, 0 },
	{ "core file", do_core, NULL, drop_core, ALLOCFAIL_ALL, 0 },
	{ "files to wait with", do_readiness, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "timers", do_timers, NULL, NULL, ALLOCFAIL_SELF, 0 },
	{ "pipe", do_pipe, fill_memory, NULL, ALLOCFAIL_SELF, 0 },
	{ "read of a file", do_read, open_self, NULL, ALLOCFAIL_SELF, 0 },
	{ "new file", do_create, fill_memory, drop_file, ALLOCFAIL_SELF, 0 },
	{ "names", do_names, NULL, drop_file, ALLOCFAIL_SELF, 0 },
	{ "/proc", do_proc, fill_memory, NULL, ALLOCFAIL_SELF, 0 },
	{ "descriptors", do_descriptors, open_self, NULL, ALLOCFAIL_SELF, 0 },
	{ "signals", do_signals, NULL, NULL, ALLOCFAIL_SELF, 0 },
};

/* ---- sockets and terminals -------------------------------------------------------------------------------------------------------- */

/* The errno of a socket call, where no room for a message is said in other words. */
static int socket_errno(void) { return errno == ENOBUFS ? ENOMEM : errno; }

static const struct sockaddr_un socket_name = { AF_UNIX, "/tmp/allocfail.a" };

static int do_connection(void)
{
	struct sockaddr *name = (struct sockaddr *)&socket_name;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), fd, n = 0;
	if (server < 0 || client < 0 || bind(server, name, sizeof socket_name) || listen(server, 5) || connect(client, name, sizeof socket_name))
		return socket_errno();
	if ((fd = accept(server, NULL, NULL)) < 0 || write(client, memory, 40000) < 0)
		return socket_errno();
	int proc = open("/proc/net/unix", O_RDONLY);
	if (proc < 0 || read(proc, memory, sizeof memory) < 0)
		return errno;
	return ioctl(fd, FIONREAD, &n) || n == 0 || read(fd, memory, (size_t)n) != n ? EINVAL : 0;
}

/* Descriptors in a datagram, looked at and then received, and some that go with what holds them. */
static int do_pass(void)
{
	union { struct cmsghdr head; char bytes[CMSG_SPACE(3 * sizeof(int))]; } c;
	struct iovec v[10];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 10, .msg_control = &c, .msg_controllen = sizeof c };
	int ends[2];
	for (int i = 0; i < 10; i++)
		v[i] = (struct iovec){ memory, 500 };
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends))
		return errno;
	c.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.head), (int[]){ 0, ends[0], ends[1] }, 3 * sizeof(int));
	for (int i = 0; i < 2; i++)
		if (sendmsg(ends[0], &m, 0) < 0)
			return socket_errno();
	if (recvmsg(ends[1], &m, MSG_PEEK) < 0)
		return socket_errno();
	m.msg_controllen = sizeof c;
	return recvmsg(ends[1], &m, 0) < 0 ? socket_errno() : 0;
}

static int do_terminal(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0;
	if (master < 0)
		return errno;
	if (ioctl(master, TIOCSPTLCK, &zero))
		return EINVAL;
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0 || write(slave, memory, 3000) < 0 || read(master, memory, 4000) < 0 || write(master, "line\n", 5) < 0 || read(slave, memory, 4000) < 0)
		return errno;
	return 0;
}

static const struct operation endpoints[] = {
	{ "connection", do_connection, fill_memory, drop_file, ALLOCFAIL_SELF, 0 },
	{ "descriptors in messages", do_pass, fill_memory, NULL, ALLOCFAIL_SELF, 0 },
	{ "pseudo-terminal", do_terminal, fill_memory, NULL, ALLOCFAIL_SELF, 0 },
};

static const struct operation pipeline[] = {
	{ "shell pipeline", do_pipeline, quiet, drop_out, ALLOCFAIL_ALL, 1 },
};

static void fail_all(const struct operation *op, size_t n)
{
	if (allocfail(0, ALLOCFAIL_SELF) < 0)
		SKIP("needs a debug kernel");
	left_of_count = map_anon(PAGE, MAP_SHARED);
	*left_of_count = 0;
	for (size_t i = 0; i < n; i++)
		fail_everywhere(&op[i]);
}

#define ALL_OF(list) fail_all(list, sizeof list / sizeof *list)
FAULTLINE_TEST(processes) { ALL_OF(processes); }
FAULTLINE_TEST(memory) { ALL_OF(memories); }
FAULTLINE_TEST(files) { ALL_OF(files); }
FAULTLINE_TEST(sockets_and_terminals) { ALL_OF(endpoints); }
FAULTLINE_TEST(pipeline) { ALL_OF(pipeline); }

FAULTLINE_TEST(only_root_may_ask_and_only_for_what_there_is)
{
	if (allocfail(0, ALLOCFAIL_SELF) < 0)
		SKIP("needs a debug kernel");
	FAILS(allocfail(0, 2), EINVAL);
	NEED(!setuid(5));
	FAILS(allocfail(1, ALLOCFAIL_SELF), EPERM);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	self = argv[0];
	return tap_main(argc, argv);
}
