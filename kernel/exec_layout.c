/*
 * kernel/exec_layout.c - where the parts of a new program's memory go.
 *
 * As on Linux: the stack ends at USER_MAX; mappings grow downwards from below the range that is kept for the stack (128 MiB at least);
 * position-independent programs lie at two thirds of user memory; the break is behind the program.  Each of these is moved by a random
 * distance of its own, so that an address that is known tells nothing about the others, unless /proc/sys/kernel/randomize_va_space (norandmaps
 * at boot) or the process's personality says no.
 */
#include "kernel/exec.h"
#include "kernel/random.h"
#include "kernel/settings.h"

static const size_t STACK_GAP_MIN = (size_t)128 << 20, STACK_GAP_MOST = USER_MAX / 6 * 5, STACK_GUARD = (size_t)1 << 20;
/* Powers of two; all but the last in bytes that are whole pages. */
static const size_t STACK_RANDOM = (size_t)1 << 34, MAP_RANDOM = (size_t)1 << 40, BRK_RANDOM = (size_t)1 << 25, STACK_OFFSET_RANDOM = 8192;

unsigned randomize_maps = RANDOMIZE_ALL;

/* The stack's end comes first: what is kept for it is counted from USER_MAX, its own random distance included. */
void exec_choose_layout(struct exec *e)
{
	struct exec_layout *l = &e->layout;
	uint64_t limit = e->process->limits[LIMIT_STACK].cur, dice[5] = { 0 };
	unsigned random = e->personality & ADDR_NO_RANDOMIZE ? RANDOMIZE_NOTHING : __atomic_load_n(&randomize_maps, __ATOMIC_RELAXED);
	size_t gap = limit < STACK_GAP_MOST ? limit : STACK_GAP_MOST;

	if (random != RANDOMIZE_NOTHING) {
		random_bytes(dice, sizeof dice);
		gap += STACK_RANDOM + STACK_GUARD;
	}
	if (gap < STACK_GAP_MIN)
		gap = STACK_GAP_MIN;
	if (gap > STACK_GAP_MOST)
		gap = STACK_GAP_MOST;
	l->stack_top = USER_MAX - page_floor(dice[0] % STACK_RANDOM);
	l->stack_offset = dice[1] % STACK_OFFSET_RANDOM & ~(size_t)15;
	l->mmap_top = page_floor(USER_MAX - gap - dice[2] % MAP_RANDOM);
	l->program = page_floor(USER_MAX / 3 * 2 + dice[3] % MAP_RANDOM);
	l->brk_distance = random == RANDOMIZE_ALL ? page_floor(dice[4] % BRK_RANDOM) : 0;
	size_t room = l->stack_top - l->mmap_top;
	l->stack_limit = limit < room ? limit : room;
}
