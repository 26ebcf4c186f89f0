/*
 * arch/x86_64/vdso/data.h - the page of data that the vDSO reads: between the kernel (time.c) and the code for user mode (vdso.c).
 */
#pragma once
#include <stdint.h>

struct vdso_data {
	uint32_t seq;			/* odd while the rest is being written */
	uint32_t clock;			/* enum vdso_clock */
	uint64_t start_cycles;		/* time is (counter - this) * ns_per_cycle >> 32 */
	uint64_t ns_per_cycle;
	uint64_t wall_ns;		/* the wall clock is ahead by so much */
	uint64_t tai_ns;		/* and atomic time of that */
	uint64_t tick_ns;		/* what coarse clocks are said to be exact to */
	int32_t minutes_west, dst;	/* the time zone that was set */
};
/* The counter is the clock, on all processors alike; or the kernel has to be asked. */
enum vdso_clock { VDSO_ASK, VDSO_COUNTER };

/* A segment whose limit is the number of the processor, for LSL. */
enum { CPU_NUMBER_SELECTOR = 0x53 };
