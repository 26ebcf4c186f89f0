/*
 * tests/guest/reserve.c - memory ends inside the kernel: the emergency reserve.
 *
 * A program that must not be killed eats all memory but a little, and starts processes until the kernel has no room for another.  The stack of
 * each is a kernel range: its pages must leave the reserve alone, the allocator's own needs (the range's record, page tables) may come from it.
 * Memory is given back page by page, so that it ends at each point of that once: by cutting a file of /tmp, for which no memory is needed.
 *
 * The new processes share the memory of the one that starts them and touch nothing that is not there: so no fault asks for memory, nobody is killed.
 */
#include "tap.h"
#include <sched.h>

enum { PROCESSES = 800, STACK = 1024, MARGIN = 64, STEPS = 600 };

static char stacks[PROCESSES][STACK] __attribute__((aligned(64)));
static pid_t pids[PROCESSES];
static int started;

static struct vmcheck now(void)
{
	struct vmcheck c;
	NEED(tap_vmcheck(&c) >= 0);
	return c;
}

static int wait_for_the_end(void *nothing)
{
	(void)nothing;
	for (;;)
		pause();
	return 0;
}

/* Starts processes until there are so many or that is refused; with which errno. */
static int start_processes(int most)
{
	while (started < most) {
		pid_t pid = clone(wait_for_the_end, stacks[started] + STACK, CLONE_VM | SIGCHLD, NULL);
		if (pid < 0)
			return errno;
		pids[started++] = pid;
	}
	return 0;
}

static void end_processes(void)
{
	for (int i = 0; i < started; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < started; i++)
		EQ(wait_status(pids[i]), SIGKILL);
	started = 0;
}

/* Touches all code, and does once what will be done: no page must be missing later, for a fault without memory has somebody killed. */
static void rehearse(int file)
{
	extern char __executable_start, etext;

	for (volatile char *code = &__executable_start; code < &etext; code += PAGE)
		(void)*code;
	memset(stacks, 1, sizeof stacks);
	memset(pids, 1, sizeof pids);
	EQ(start_processes(1), 0);
	end_processes();
	NEED(write(file, stacks, PAGE) == PAGE && !ftruncate(file, 0) && !lseek(file, 0, SEEK_SET));
}

static void never_kill_me(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	NEED(fd >= 0 && write(fd, "-1000", 5) == 5);
	close(fd);
}

/* Eats until about MARGIN frames are left above the reserve. */
static void eat(volatile char *memory, size_t size)
{
	size_t eaten = 0;

	for (;;) {
		struct vmcheck c = now();
		uint64_t keep = c.reserve_frames + MARGIN;
		if (c.free_frames <= keep)
			return;
		for (uint64_t n = (c.free_frames - keep + 1) * 15 / 16 + 1; n; n--, eaten++) {
			NEED(eaten * PAGE < size);
			memory[eaten * PAGE] = 1;
		}
	}
}

FAULTLINE_TEST(processes_until_memory_ends)
{
	struct vmcheck before = now(), at_the_end = before, after;
	size_t size = before.ram_frames * PAGE;
	int refused = 0, other_refusals = 0, file = open("/tmp/eaten", O_RDWR | O_CREAT, 0600);

	if (before.free_frames > 70000)
		SKIP("would take long with so much memory");
	NEED(file >= 0 && !unlink("/tmp/eaten"));
	never_kill_me();
	rehearse(file);
	char *memory = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);
	NEED(memory != MAP_FAILED);
	for (int page = 0; page < STEPS; page++)
		NEED(write(file, stacks, PAGE) == PAGE);
	eat(memory, size);
	for (int step = STEPS; step > 0; step--) {
		int error = start_processes(PROCESSES);
		refused += error == ENOMEM;
		other_refusals += error != ENOMEM;
		at_the_end = now();
		if (at_the_end.reserve_used > before.reserve_used || error == 0)
			break;
		NEED(!ftruncate(file, (step - 1) * PAGE));
	}
	NEED(!munmap(memory, size) && !close(file));
	int most = started;
	end_processes();
	after = now();
	printf("# %d processes; refused %d times; the reserve was used %lu times\n", most, refused,
	       (unsigned long)(at_the_end.reserve_used - before.reserve_used));
	CHECK(most > 0);
	CHECK(refused > 0);
	EQ(other_refusals, 0);
	CHECK(at_the_end.reserve_used > before.reserve_used);
	EQ(at_the_end.errors, 0);
	EQ(after.errors, 0);
	CHECK(after.free_frames > after.reserve_frames + MARGIN);
	EQ(after.reserve_frames, before.reserve_frames);
}
