/*
 * kernel/load.c - the load averages: how many threads ran or were ready, over the last 1, 5 and 15 minutes.
 *
 * Every 5 seconds each average moves towards the number of the moment: load = load * e + n * (1 - e), with e = exp(-5 s / period),
 * in fixed point with 11 bits behind the point, as Linux shows them.  Written by the tick of processor 0 alone, a word at a time; read as words.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"

enum { ONE = 1 << LOAD_SHIFT, PERIOD_SECONDS = 5 };

static const unsigned long decay[3] = { 1884, 2014, 2037 };	/* 2048 * exp(-5/60), exp(-5/300), exp(-5/900) */
static unsigned long average[3];
static uint64_t next_ns = PERIOD_SECONDS * NS_PER_SECOND;

uint64_t load_next(void)
{
	return next_ns;
}

void load_tick(uint64_t now_ns)
{
	if (now_ns < next_ns)
		return;
	next_ns += PERIOD_SECONDS * NS_PER_SECOND;
	unsigned long n = (unsigned long)sched_runnable() << LOAD_SHIFT;
	for (int i = 0; i < 3; i++) {
		unsigned long sum = average[i] * decay[i] + n * (ONE - decay[i]);
		/* Rounded towards where it is going, or it would never get there. */
		average[i] = (n >= average[i] ? sum + ONE - 1 : sum) >> LOAD_SHIFT;
	}
}

void load_get(unsigned long load[3])
{
	for (int i = 0; i < 3; i++)
		load[i] = average[i];
}
