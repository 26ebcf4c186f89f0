/*
 * tests/guest/layout.c - where execve puts the parts of a program: randomly, unless the personality or the system's setting says no.
 *
 * Built with glibc the program is position-independent (guest.mk): its own place is looked at as well.
 */
#define TAP_OWN_MAIN
#include "tap.h"
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>

enum { STACK, MAPPING, PROGRAM, BREAK, PLACES, RUNS = 12 };
static const char *const name[PLACES] = { "stack", "mapping", "program", "break" };

static int position_independent(void)
{
	return (uintptr_t)&tap_first > 1ul << 32;
}

/* What a new program of ours says of itself. */
static void tell(void)
{
	uintptr_t place[PLACES] = { getauxval(AT_RANDOM), (uintptr_t)mmap(NULL, PAGE, RW, ANON, -1, 0), (uintptr_t)&tap_first,
		(uintptr_t)syscall(SYS_brk, 0) };
	exit(write(1, place, sizeof place) != sizeof place);
}

static void run(uintptr_t place[PLACES])
{
	int ends[2];

	NEED(!pipe(ends));
	pid_t pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		execl("/proc/self/exe", "layout", "--tell", NULL);
		_exit(1);
	}
	EQ(wait_status(pid), 0);
	NEED(read(ends[0], place, PLACES * sizeof *place) == (ssize_t)(PLACES * sizeof *place));
	close(ends[0]);
	close(ends[1]);
}

/* How many runs out of RUNS found this place elsewhere than the first. */
static void moved(int n[PLACES], uintptr_t first[PLACES])
{
	uintptr_t place[PLACES];

	memset(n, 0, PLACES * sizeof *n);
	run(first);
	for (int i = 1; i < RUNS; i++) {
		run(place);
		for (int j = 0; j < PLACES; j++)
			n[j] += place[j] != first[j];
	}
}

static int setting(int value)
{
	char text[8] = "";
	int fd = open("/proc/sys/kernel/randomize_va_space", value < 0 ? O_RDONLY : O_RDWR);
	NEED(fd >= 0 || value >= 0);
	if (fd < 0)
		SKIP("may not change the system's setting");
	NEED(pread(fd, text, sizeof text - 1, 0) > 0);
	if (value >= 0)
		NEED(dprintf(fd, "%d\n", value) == 2);
	close(fd);
	return atoi(text);
}

TEST(all_places_are_random)
{
	int n[PLACES];
	uintptr_t first[PLACES];

	if (setting(-1) != 2)
		SKIP("the system's setting");
	moved(n, first);
	for (int j = 0; j < PLACES; j++)
		if (n[j] < RUNS - 2 && (j != PROGRAM || position_independent()))
			FAIL("the %s moved in %d runs of %d only", name[j], n[j], RUNS - 1);
	CHECK(first[STACK] >= 0x7ffb00000000 && first[STACK] < 0x7ffffffff000);
	CHECK(first[MAPPING] >= 0x7ef000000000 && first[MAPPING] < first[STACK]);
	if (position_independent())		/* Linux has one without an interpreter among the mappings */
		CHECK((first[PROGRAM] >= 0x555555554000 && first[PROGRAM] < 0x565555600000) || first[PROGRAM] > 0x7ef000000000);
	else
		CHECK(first[BREAK] > first[PROGRAM] && first[BREAK] - first[PROGRAM] < 0x40000000);
}

TEST(the_personality_says_no)
{
	int n[PLACES];
	uintptr_t first[PLACES];

	EQ(personality(ADDR_NO_RANDOMIZE), PER_LINUX);
	moved(n, first);
	for (int j = 0; j < PLACES; j++)
		EQ(n[j], 0);
	CHECK(first[STACK] > 0x7ffffffde000);
	if (position_independent())
		CHECK(first[PROGRAM] - 0x555555554000 < 0x100000 || first[PROGRAM] > 0x7ffff0000000);
	EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
}

/* Part of the address below the page: a new program has it at a new place as well. */
TEST(the_stack_pointer_is_random_within_a_page)
{
	uintptr_t place[PLACES], first;
	int n = 0;

	if (setting(-1) == 0)
		SKIP("the system's setting");
	run(place);
	first = place[STACK] % PAGE;
	for (int i = 1; i < RUNS; i++) {
		run(place);
		n += place[STACK] % PAGE != first;
	}
	CHECK(n >= RUNS - 3);
}

FAULTLINE_TEST(the_setting_says_no)
{
	int n[PLACES], before = setting(0);
	uintptr_t first[PLACES];

	moved(n, first);
	for (int j = 0; j < PLACES; j++)
		EQ(n[j], 0);
	EQ(setting(1), 0);
	moved(n, first);
	CHECK(n[STACK] && n[MAPPING] && (n[PROGRAM] || !position_independent()));
	CHECK(first[BREAK] - first[PROGRAM] < 0x100000);
	EQ(setting(before), 1);
	int fd = open("/proc/sys/kernel/randomize_va_space", O_WRONLY);
	FAILS(write(fd, "x", 1), EINVAL);
	EQ(setting(-1), before);
}

TEST(a_large_stack_has_room)
{
	struct rlimit limit = { 512 << 20, RLIM_INFINITY };
	uintptr_t place[PLACES];

	NEED(!setrlimit(RLIMIT_STACK, &limit));
	for (int i = 0; i < 4; i++) {
		run(place);
		CHECK(place[STACK] - place[MAPPING] > 512 << 20);
	}
}

TEST(a_signal_frame_fits_what_the_vector_says)
{
	unsigned long least = getauxval(AT_MINSIGSTKSZ);

	CHECK(least >= 1000 && least < 16384);
	if (on_faultline())
		CHECK(getauxval(AT_HWCAP2) == 0 || getauxval(AT_HWCAP2) == 2);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--tell"))
		tell();
	return tap_main(argc, argv);
}
