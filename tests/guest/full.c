/*
 * tests/guest/full.c - memory that runs out: whoever asks for too much is refused or killed, those who watch live on, and all comes back.
 *
 * Meant for a small machine (64 MiB or less): it is filled completely.  Linux's answers differ in detail, so that this runs on Faultline alone.
 */
#include "tap.h"
#include <sys/sysinfo.h>

/* The watcher is not to be chosen: it has little memory, and the child says that it is the one. */
static int watch(void (*eat)(void))
{
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, 0);
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);
		CHECK(write(fd, "500", 3) == 3);
		close(fd);
		eat();
		_exit(tap_failures ? 1 : 0);
	}
	NEED(pid > 0);
	int status = wait_status(pid);
	kill(-pid, SIGKILL);
	return status;
}

static unsigned long ram(void)
{
	struct sysinfo s;
	NEED(sysinfo(&s) == 0);
	return s.totalram * s.mem_unit;
}

static void write_pages(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
}

static void private_memory(void)
{
	size_t size = 2 * ram();
	write_pages(mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0), size);
}

static void shared_memory(void)
{
	size_t size = 2 * ram();
	write_pages(mmap(NULL, size, RW, SHARED | MAP_NORESERVE, -1, 0), size);
}

/* One page in each page table's reach: hardly any memory of its own, but tables. */
static void page_tables(void)
{
	size_t reach = 2 << 20, size = ram() / PAGE * 2 * reach;
	volatile char *p = mmap(NULL, size, PROT_READ, ANON | MAP_NORESERVE, -1, 0);
	NEED(p != MAP_FAILED);
	for (size_t i = 0; i < size; i += reach)
		(void)p[i];
}

FAULTLINE_TEST(who_takes_all_memory_is_killed)
{
	EQ(watch(private_memory), SIGKILL);
	EQ(watch(shared_memory), SIGKILL);
	EQ(watch(page_tables), SIGKILL);
}

static void files(void)
{
	static char block[64 * 1024];
	char name[64];

	memset(block, 1, sizeof block);
	int fd = open("/tmp/full", O_CREAT | O_RDWR, 0600);
	NEED(fd >= 0 && unlink("/tmp/full") == 0);
	while (write(fd, block, sizeof block) > 0)
		continue;
	EQ(errno, ENOSPC);
	close(fd);

	int n = 0;
	for (; ; n++) {
		snprintf(name, sizeof name, "/tmp/full.%d", n);
		fd = open(name, O_CREAT | O_RDWR, 0600);
		if (fd < 0 || write(fd, "x", 1) != 1)
			break;
		close(fd);
	}
	CHECK(errno == ENOSPC || errno == ENOMEM);
	close(fd);
	for (; n >= 0; n--) {
		snprintf(name, sizeof name, "/tmp/full.%d", n);
		unlink(name);
	}
}

FAULTLINE_TEST(files_that_take_all_are_refused)
{
	EQ(watch(files), 0);
}

/* Processes that keep full pipes: the memory belongs to nobody's address space. */
static void keep_pipes(void)
{
	static char block[65536];
	int ends[2];

	while (pipe2(ends, O_NONBLOCK) == 0)
		if (write(ends[1], block, sizeof block) < 0 && errno != EAGAIN)
			break;
	pause();
}

static void pipes(void)
{
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();
		if (!pid)
			keep_pipes();
		if (pid < 0)
			break;
	}
	sleep_ms(1000);
	kill(-getpgrp(), SIGKILL);
}

FAULTLINE_TEST(pipes_that_take_all_are_refused_or_their_holders_killed)
{
	EQ(watch(pipes), SIGKILL);
	pid_t pid = fork();		/* and at once there is room for others */
	if (!pid)
		_exit(3);
	CHECK(pid > 0);
	EQ(wait_status(pid), 3 << 8);
}

/* Each has its own copy of the same memory: together they need more than there is, and some are killed. */
static void copies(void)
{
	size_t size = ram() / 6;
	char *p = mmap(NULL, size, RW, ANON, -1, 0);

	write_pages(p, size);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (!pid) {
			write_pages(p, size);
			sleep_ms(300);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
}

FAULTLINE_TEST(copies_beyond_all_memory)
{
	watch(copies);
	pid_t pid = fork();
	if (!pid)
		_exit(3);
	CHECK(pid > 0);
	EQ(wait_status(pid), 3 << 8);
}

/*
 * From the packed image every page is a copy: more of them than fit are read, and what is read stays right.  The file has lines of 16 bytes, each
 * the line's number (guest.mk).
 */
TEST_FLAGS(a_file_larger_than_memory_is_read, TAP_RECLAIMS)
{
	static char block[PAGE + 1];
	int fd = open("/host/large", O_RDONLY);
	unsigned long pages = 0;

	if (fd < 0)
		SKIP("needs /host/large");
	for (; read(fd, block, PAGE) == PAGE; pages++)
		if (strtoul(block, NULL, 10) != pages * (PAGE / 16) || strtoul(block + PAGE - 16, NULL, 10) != (pages + 1) * (PAGE / 16) - 1)
			break;
	EQ(pages, lseek(fd, 0, SEEK_END) / PAGE);
	pid_t pid = fork();		/* its pages make room */
	if (!pid)
		_exit(3);
	CHECK(pid > 0);
	EQ(wait_status(pid), 3 << 8);
	char *p = map_anon((size_t)ram() / 2, MAP_PRIVATE);
	write_pages(p, ram() / 2);
	EQ(close(fd), 0);
}
