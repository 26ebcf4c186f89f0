/* tests/guest/records.c - what vmcheck reports: page records by reason, frames by kind, the figures that were promised. */
#include "tap.h"
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

static struct vmcheck now(void)
{
	struct vmcheck c;
	NEED(tap_vmcheck(&c) >= 0);
	EQ(c.errors, 0);
	return c;
}

FAULTLINE_TEST(shared_memory_has_records)
{
	struct vmcheck a = now();
	volatile char *p = map_anon(32 * PAGE, MAP_SHARED);

	EQ(now().records_shared, a.records_shared);
	for (int i = 0; i < 32; i++)
		p[i * PAGE] = 1;
	struct vmcheck b = now();
	EQ(b.records_shared, a.records_shared + 32);
	EQ(b.object_frames, a.object_frames + 32);
	EQ(munmap((void *)p, 16 * PAGE), 0);
	EQ(munmap((void *)(p + 16 * PAGE), 16 * PAGE), 0);
	b = now();
	EQ(b.records_shared, a.records_shared);
	EQ(b.object_frames, a.object_frames);
}

FAULTLINE_TEST(files_have_records)
{
	struct vmcheck a = now();
	int fd = open("/tmp/records", O_RDWR | O_CREAT | O_TRUNC, 0600);
	static char block[20 * PAGE];

	NEED(fd >= 0 && write(fd, block, sizeof block) == sizeof block);
	struct vmcheck b = now();
	EQ(b.records_file + b.records_shared, a.records_file + a.records_shared + 20);
	unlink("/tmp/records");
	close(fd);
	b = now();
	EQ(b.records_file + b.records_shared, a.records_file + a.records_shared);
}

FAULTLINE_TEST(cut_pages_keep_a_record_while_mapped)
{
	struct vmcheck a = now();
	int fd = open("/tmp/records-cut", O_RDWR | O_CREAT | O_TRUNC, 0600);
	static char block[4 * PAGE];

	NEED(fd >= 0 && write(fd, block, sizeof block) == sizeof block);
	unlink("/tmp/records-cut");
	volatile char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < 4; i++)
		(void)p[i * PAGE];
	EQ(ftruncate(fd, PAGE), 0);
	struct vmcheck b = now();
	CHECK(b.records_cut <= a.records_cut + 3);
	munmap((void *)p, 4 * PAGE);
	close(fd);
	EQ(now().records_cut, a.records_cut);
	EQ(now().object_frames, a.object_frames);
}

FAULTLINE_TEST(private_memory_has_none)
{
	struct vmcheck a = now();
	volatile char *p = map_anon(256 * PAGE, MAP_PRIVATE);

	for (int i = 0; i < 256; i++)
		p[i * PAGE] = 1;
	struct vmcheck b = now();
	EQ(b.records_shared, a.records_shared);
	EQ(b.records_file, a.records_file);
	EQ(b.anon_frames, a.anon_frames + 256);
	int status;
	CHILD(status) {
		struct vmcheck c = now();
		EQ(c.records_shared, a.records_shared);
		EQ(c.spaces, a.spaces + 1);
		EQ(c.tasks, a.tasks + 1);
	}
	EQ(status, 0);
}

FAULTLINE_TEST(frames_add_up)
{
	struct vmcheck c = now();

	CHECK(c.managed_frames <= c.ram_frames);
	EQ(c.free_frames + c.anon_frames + c.table_frames + c.object_frames + c.borrowed_frames * 0 + c.kernel_frames + c.heap_frames + c.stack_frames <= c.ram_frames, 1);
	CHECK(c.heap_bytes <= (c.heap_frames + c.kernel_frames) * PAGE);
	CHECK(c.reserve_frames > 0);
}

FAULTLINE_TEST(the_page_array_is_small)
{
	struct vmcheck c = now();
	if (c.module_frames > c.ram_frames / 10)
		SKIP("a big image takes its part of the memory");
	double each = (double)(c.page_array_bytes + c.page_array_table_bytes) / (double)c.managed_frames;

	printf("# page array: %.3f bytes a managed frame\n", each);
	/* A word for each frame of RAM, whole blocks of 512 mapped, and one table for 512 pages of words besides 12 KiB of upper ones. */
	CHECK(c.page_array_bytes <= 8 * ((c.ram_frames + 2 * 512) / 512 * 512));
	CHECK(c.page_array_table_bytes <= 12288 + c.page_array_bytes / 512 + PAGE);
	CHECK(c.managed_frames <= 200000 || each <= 8.2);
}

FAULTLINE_TEST(the_kernel_is_small)
{
	struct vmcheck c = now();
	uint64_t used = c.ram_frames - c.module_frames - c.free_frames;

	printf("# used besides the image: %lu KiB, this test and its cached pages included\n", (unsigned long)used * 4);
	if (c.ram_frames < 40000)
		CHECK(used - c.anon_frames - c.object_frames <= 1024 + (c.module_frames > 2000 ? 64 : 0));
}

/* Memory runs out: whoever is largest is killed, and the kernel goes on. */
FAULTLINE_TEST(out_of_memory)
{
	struct vmcheck c = now();
	int status;

	if (c.free_frames > 70000)
		SKIP("would take long with so much memory");
	CHILD(status) {
		size_t all = (c.ram_frames - c.module_frames) * PAGE;	/* pages of files are given back before anyone is killed */
		volatile char *p = mmap(NULL, all, RW, ANON | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			raise(SIGKILL);
		for (size_t i = 0; i < all; i += PAGE)
			p[i] = 1;
	}
	EQ(status, SIGKILL);
}

static int wait_for_ever(void *unused)
{
	(void)unused;
	while (pause() < 0)
		;
	return 0;
}

/* Who runs on the same memory dies with the victim, or nothing would come free. */
FAULTLINE_TEST(out_of_memory_with_a_shared_space)
{
	static char stack[4 * PAGE];
	struct vmcheck c = now();
	int status, fds[2];

	if (c.free_frames > 70000)
		SKIP("would take long with so much memory");
	NEED(pipe(fds) == 0);
	CHILD(status) {
		size_t all = (c.ram_frames - c.module_frames) * PAGE;
		close(fds[0]);
		NEED(clone(wait_for_ever, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) > 0);
		volatile char *p = mmap(NULL, all, RW, ANON | MAP_NORESERVE, -1, 0);
		NEED(p != MAP_FAILED);
		for (size_t i = 0; i < all; i += PAGE)
			p[i] = 1;
	}
	EQ(status, SIGKILL);
	close(fds[1]);
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	EQ(poll(&p, 1, 5000), 1);			/* the other had the pipe open, too */
	EQ(p.revents, POLLHUP);
	close(fds[0]);
}

/* ... also when many share the fault, and when it is the kernel that writes for them. */
FAULTLINE_TEST(out_of_memory_in_a_system_call)
{
	struct vmcheck c = now();
	int status;

	if (c.free_frames > 70000)
		SKIP("would take long with so much memory");
	CHILD(status) {
		size_t all = (c.ram_frames - c.module_frames) * PAGE;	/* pages of files are given back before anyone is killed */
		char *p = mmap(NULL, all, RW, ANON | MAP_NORESERVE, -1, 0);
		int fd = open("/dev/zero", O_RDONLY);
		if (p == MAP_FAILED)
			raise(SIGKILL);
		for (size_t i = 0; i < all; i += 1 << 20)
			if (read(fd, p + i, 1 << 20) < 0)
				raise(SIGKILL);
	}
	EQ(status, SIGKILL);
}

/* The largest sleeps in a write to a pipe, and cannot die while the reader, for whom memory is wanted, has the pipe's lock. */
FAULTLINE_TEST(out_of_memory_with_a_lock_held)
{
	struct vmcheck c = now();
	int ends[2], status;

	if (c.free_frames > 70000)
		SKIP("would take long with so much memory");
	NEED(!pipe(ends));
	pid_t writer = fork();
	if (!writer) {
		size_t half = c.free_frames / 2 * PAGE;
		char *p = map_anon(half, MAP_PRIVATE);
		close(ends[0]);
		memset(p, 1, half);
		while (write(ends[1], p, 1 << 20) > 0)
			;
		_exit(1);
	}
	CHILD(status) {
		close(ends[1]);
		sleep_ms(500);
		size_t rest = now().free_frames * PAGE, most = 4000ul * PAGE;	/* bytes read one to a page: the pipe stays full */
		char *p = mmap(NULL, rest + most, RW, ANON | MAP_NORESERVE, -1, 0);
		NEED(p != MAP_FAILED && rest > most);
		memset(p, 1, rest - most);
		for (size_t i = rest - most; i < rest + most; i += PAGE)
			if (read(ends[0], p + i, 1) != 1)
				break;
	}
	CHECK(status == 0 || status == SIGKILL);
	close(ends[0]);
	close(ends[1]);
	CHECK(WIFSIGNALED(wait_status(writer)));
}

FAULTLINE_TEST(a_fork_bomb_ends)
{
	struct vmcheck c = now();
	int status;

	if (c.free_frames > 70000)
		SKIP("would take long with so much memory");
	CHILD(status) {
		volatile char *p = map_anon(4 << 20, MAP_PRIVATE);
		pid_t pid;
		long generations = (long)c.free_frames / 1024 + 10;
		do {
			for (int i = 0; i < 4 << 20; i += PAGE)
				p[i] = (char)i;
			pid = generations-- ? fork() : -1;
		} while (pid == 0);
		if (pid > 0)
			wait_status(pid);
	}
	CHECK(status == 0 || WIFSIGNALED(status));
}
