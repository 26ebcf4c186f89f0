/* tests/guest/limits.c - what a process may have: RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_NPROC, the overcommit policy, how many threads there are, and what /proc says of it. */
#include "tap.h"
#include <sys/resource.h>
#include <sys/sysinfo.h>

static long number_in(const char *file, const char *name)
{
	static char text[8192];
	int fd = open(file, O_RDONLY);

	NEED(fd >= 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	NEED(n > 0);
	text[n] = '\0';
	close(fd);
	char *at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static void write_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void limit(int which, long pages)
{
	struct rlimit r = { (rlim_t)pages * PAGE, RLIM_INFINITY };

	NEED(setrlimit(which, &r) == 0);
}

static long pages_of(const char *name)
{
	return number_in("/proc/self/status", name) * 1024 / PAGE;
}

/* Without the library, which has errors of its own. */
static long raw_mmap(void *at, long pages, int rights, int flags)
{
	return syscall(SYS_mmap, at, pages * PAGE, rights, flags, -1, 0);
}

static long raw_brk(long to)
{
	return syscall(SYS_brk, to);
}

TEST(address_space)
{
	char *p = (char *)raw_mmap(NULL, 32, RW, ANON);
	long end = raw_brk(0);

	limit(RLIMIT_AS, pages_of("VmSize:") + 8);
	FAILS(raw_mmap(NULL, 9, PROT_NONE, ANON), ENOMEM);
	EQ(raw_mmap(p, 32, RW, ANON | MAP_FIXED), p);			/* what goes does not count */
	FAILS((long)mremap(p, 32 * PAGE, 41 * PAGE, MREMAP_MAYMOVE), ENOMEM);
	EQ(raw_brk(end + 9 * PAGE), end);
	EQ(munmap(p + 16 * PAGE, 16 * PAGE), 0);
	EQ(raw_brk(end + 9 * PAGE), end + 9 * PAGE);
	CHECK(raw_mmap(NULL, 15, PROT_NONE, ANON) > 0);
	FAILS(raw_mmap(NULL, 1, PROT_NONE, ANON), ENOMEM);
	int status;
	CHILD(status)
		FAILS(raw_mmap(NULL, 1, PROT_NONE, ANON), ENOMEM);
	EQ(status, 0);
}

TEST(data)
{
	long end = raw_brk(0);
	char *p = (char *)raw_mmap(NULL, 32, PROT_READ, ANON);

	limit(RLIMIT_DATA, pages_of("VmData:") + 8);
	FAILS(raw_mmap(NULL, 9, RW, ANON), ENOMEM);
	CHECK(raw_mmap(NULL, 9, PROT_READ, ANON) > 0);
	CHECK(raw_mmap(NULL, 9, RW, SHARED) > 0);
	FAILS(mprotect(p, 9 * PAGE, RW), ENOMEM);
	EQ(raw_brk(end + 9 * PAGE), end);
	EQ(mprotect(p, 5 * PAGE, RW), 0);
	FAILS(mprotect(p, 10 * PAGE, RW), ENOMEM);
	EQ(raw_brk(end + 3 * PAGE), end + 3 * PAGE);
	EQ(raw_brk(end + 4 * PAGE), end + 3 * PAGE);
	EQ(mprotect(p, 5 * PAGE, PROT_READ), 0);
	EQ(raw_brk(end + 4 * PAGE), end + 4 * PAGE);
}

static __attribute__((noinline)) int deep(long bytes)
{
	volatile char room[4096];

	room[0] = (char)bytes;
	return bytes > 4096 ? deep(bytes - 4096) + room[0] : room[0];
}

TEST(a_live_stack)
{
	int status;

	CHILD(status) {
		limit(RLIMIT_STACK, 64);
		deep(1 << 20);
	}
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	CHILD(status) {
		limit(RLIMIT_AS, pages_of("VmSize:") + 8);
		deep(1 << 20);
	}
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	CHILD(status) {
		limit(RLIMIT_STACK, 64);
		limit(RLIMIT_STACK, 2048);
		deep(1 << 20);
	}
	EQ(status, 0);
}

static long committed(void)
{
	return number_in("/proc/meminfo", "Committed_AS:") * 1024 / PAGE;
}

/* Exactly: nobody else commits anything meanwhile. */
FAULTLINE_TEST(committed_memory_is_counted)
{
	long before = committed();
	char *p = (char *)raw_mmap(NULL, 100, RW, ANON);
	int status;

	EQ(committed(), before + 100);
	char *r = (char *)raw_mmap(NULL, 100, PROT_READ, ANON);
	CHECK(raw_mmap(NULL, 100, RW, ANON | MAP_NORESERVE) > 0);
	EQ(committed(), before + 100);
	EQ(mprotect(r, 10 * PAGE, RW), 0);
	EQ(mprotect(r, 10 * PAGE, PROT_READ), 0);
	EQ(committed(), before + 110);
	char *s = (char *)raw_mmap(NULL, 50, RW, SHARED);
	EQ(committed(), before + 160);
	EQ(munmap(s, 50 * PAGE), 0);
	EQ(munmap(p, 50 * PAGE), 0);
	EQ(committed(), before + 60);
	CHILD(status)
		CHECK(committed() > before + 120);
	EQ(status, 0);
	EQ(committed(), before + 60);
	int fd = memfd_create("pages", 0);
	EQ(ftruncate(fd, 20 * PAGE), 0);
	EQ(committed(), before + 60);
	EQ(pwrite(fd, "x", 1, 5 * PAGE), 1);
	EQ(committed(), before + 61);
	close(fd);
	EQ(committed(), before + 60);
}

TEST(obvious_overcommit)
{
	struct sysinfo s;

	NEED(sysinfo(&s) == 0);
	long all = (long)((s.totalram + s.totalswap) * s.mem_unit / PAGE);
	if (number_in("/proc/sys/vm/overcommit_memory", "") != 0)
		SKIP("another policy");
	FAILS(raw_mmap(NULL, all + all / 2, RW, ANON), ENOMEM);
	CHECK(raw_mmap(NULL, all + all / 2, RW, ANON | MAP_NORESERVE) > 0);
	CHECK(raw_mmap(NULL, all + all / 2, PROT_READ, ANON) > 0);
	CHECK(raw_mmap(NULL, all / 2, RW, ANON) > 0);
	CHECK(raw_mmap(NULL, all / 2, RW, ANON) > 0);
	CHECK(raw_mmap(NULL, all / 2, RW, ANON) > 0);
}

FAULTLINE_TEST(the_policies)
{
	char text[32];
	long limit_pages, room;

	write_to("/proc/sys/vm/overcommit_memory", "1");
	char *huge = (char *)raw_mmap(NULL, 1l << 30, RW, ANON);
	CHECK((long)huge > 0);
	write_to("/proc/sys/vm/overcommit_memory", "0");
	FAILS(raw_mmap(NULL, 1l << 30, RW, ANON), ENOMEM);
	FAILS(fork(), ENOMEM);
	EQ(munmap(huge, (1l << 30) * PAGE), 0);
	int status;
	CHILD(status) {
		snprintf(text, sizeof text, "%ld", (committed() + 1000) * 4);
		write_to("/proc/sys/vm/overcommit_kbytes", text);
		EQ(number_in("/proc/sys/vm/overcommit_ratio", ""), 0);
		limit_pages = number_in("/proc/meminfo", "CommitLimit:") * 1024 / PAGE;
		write_to("/proc/sys/vm/overcommit_memory", "2");
		room = limit_pages - committed();
		FAILS(raw_mmap(NULL, room, RW, ANON), ENOMEM);
		FAILS(raw_mmap(NULL, room, RW, ANON | MAP_NORESERVE), ENOMEM);
		FAILS(raw_mmap(NULL, room, RW, SHARED), ENOMEM);
		char *p = (char *)raw_mmap(NULL, room - 200, RW, ANON);
		CHECK((long)p > 0);
		FAILS(fork(), ENOMEM);
		char *r = (char *)raw_mmap(NULL, 300, PROT_READ, ANON);
		CHECK((long)r > 0);
		FAILS(mprotect(r, 300 * PAGE, RW), ENOMEM);
		FAILS((long)mremap(p, (room - 200) * PAGE, (room + 100) * PAGE, MREMAP_MAYMOVE), ENOMEM);
		EQ(munmap(p, (room - 200) * PAGE), 0);
	}
	EQ(status, 0);
	write_to("/proc/sys/vm/overcommit_memory", "0");
	write_to("/proc/sys/vm/overcommit_ratio", "50");
	EQ(number_in("/proc/sys/vm/overcommit_kbytes", ""), 0);
	int fd = open("/proc/sys/vm/overcommit_memory", O_WRONLY);
	FAILS(write(fd, "3", 1), EINVAL);
	close(fd);
}

TEST(oom_scores)
{
	int status, fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (write(fd, "-1000", 5) != 5)
		SKIP("not allowed here");
	close(fd);
	CHILD(status) {
		EQ(number_in("/proc/self/oom_score", ""), 0);
		EQ(number_in("/proc/self/oom_adj", ""), -17);
		write_to("/proc/self/oom_score_adj", "0");
		long score = number_in("/proc/self/oom_score", "");
		CHECK(score >= 666 && score < 700);
		write_to("/proc/self/oom_score_adj", "300");
		long more = number_in("/proc/self/oom_score", "") - score;		/* 200, less what is lost by rounding */
		CHECK(more > 190 && more <= 200);
		write_to("/proc/self/oom_adj", "15");
		EQ(number_in("/proc/self/oom_score_adj", ""), 1000);
		EQ(number_in("/proc/self/oom_adj", ""), 15);
		write_to("/proc/self/oom_adj", "-17");
		EQ(number_in("/proc/self/oom_score_adj", ""), -1000);
		write_to("/proc/self/oom_adj", "8");
		EQ(number_in("/proc/self/oom_score_adj", ""), 470);
	}
	EQ(status, 0);
}

static volatile sig_atomic_t warned;
static void warn(int signo) { (void)signo; warned++; }

TEST(processor_time)
{
	struct rlimit soft = { 1, 100 }, hard = { 1, 1 }, now;
	int status;

	CHILD(status) {
		signal(SIGXCPU, warn);
		NEED(setrlimit(RLIMIT_CPU, &soft) == 0);
		while (warned < 1)
			continue;
		long long used = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		CHECK(used >= 1000000000 && used < 2000000000);
		NEED(getrlimit(RLIMIT_CPU, &now) == 0);
		EQ(now.rlim_cur, 2);			/* the next warning is due in a second */
	}
	EQ(status, 0);
	CHILD(status) {
		signal(SIGXCPU, SIG_IGN);
		NEED(setrlimit(RLIMIT_CPU, &hard) == 0);
		for (;;)
			continue;
	}
	EQ(status, SIGKILL);
}

/* Children that sleep until they are killed: how many there can be, of most that are tried; then fork says EAGAIN. */
static int children_until_refused(int most)
{
	pid_t children[8];
	int n = 0;

	while (n < most && (children[n] = fork()) > 0)
		n++;
	if (n < most && children[n] == 0)
		for (;;)
			pause();
	if (n < most)
		EQ(errno, EAGAIN);
	for (int i = 0; i < n; i++) {
		kill(children[i], SIGKILL);
		NEED(waitpid(children[i], NULL, 0) == children[i]);
	}
	return n;
}

TEST(how_many_processes_a_user_has)
{
	enum { SOMEBODY = 4711 };
	struct rlimit three = { 3, 3 };
	int status;

	if (geteuid())
		SKIP("needs root");
	CHILD(status) {					/* those of others do not count */
		NEED(setrlimit(RLIMIT_NPROC, &three) == 0);
		EQ(children_until_refused(5), 5);	/* nor does the limit for who may exceed it */
		NEED(setuid(SOMEBODY) == 0);
		EQ(children_until_refused(5), 2);
	}
	EQ(status, 0);
}

TEST(how_many_threads_the_machine_has)
{
	static const char setting[] = "/proc/sys/kernel/threads-max";
	char before[32], few[32];
	struct rlimit processes;

	if (access(setting, W_OK))
		SKIP("not allowed here");
	/* As on Linux: their kernel stacks, of 16 KiB, take an eighth of memory; and a user has half as many. */
	long most = number_in(setting, ""), expected = number_in("/proc/meminfo", "MemTotal:") / (8 * 16);
	CHECK(most == 20 || (most > expected * 9 / 10 && most < expected * 11 / 10));
	NEED(getrlimit(RLIMIT_NPROC, &processes) == 0);
	EQ(processes.rlim_max, most / 2);

	snprintf(before, sizeof before, "%ld", most);
	snprintf(few, sizeof few, "%ld", number_in("/proc/loadavg", "/") + 4);
	write_to(setting, few);
	int n = children_until_refused(8);
	write_to(setting, before);
	EQ(n, 4);
}
