/* arch/time.h - contract: clocks and the tick. */
#pragma once
#include "vm/types.h"

enum { TICK_HZ = 100 };
#define TIME_NEVER	(~(uint64_t)0)

/* The clock runs from now on. */
void time_init(void);
/*
 * This processor's timer: kernel_tick() is called once at this time (time_now_ns()), or soon after if that has passed; in place of what was set before.  TIME_NEVER: not at all.
 * A machine without such timers ticks TICK_HZ times a second whatever is set here.
 */
void time_arm(uint64_t at_ns);
/* Nanoseconds since boot; monotonic; any context.  Under an instruction-counting emulator one instruction is one nanosecond. */
uint64_t time_now_ns(void);
/* Wall clock at boot, seconds since 1970-01-01 UTC, from the battery clock; 0 if there is none. */
uint64_t time_boot_wallclock(void);
/*
 * Code for user mode that reads the clock by itself, as far as it can: an ELF image, which finds its data in the page before it.  time_tell_user writes that page, while programs read it: how
 * far the wall clock is ahead of time_now_ns(), and atomic time of the wall clock.  One caller at a time, all processors are there.
 */
extern const char time_user_image[], time_user_image_end[];
struct time_zone { int32_t minutes_west, dst; };
struct time_told { uint64_t wall_ns, tai_ns; struct time_zone zone; };
void time_tell_user(void *page, const struct time_told *);
/* Frequency of cpu_cycles(), kHz. */
uint64_t time_cycles_khz(void);

/* Upcall, interrupt context: the timer has fired; user says whether it interrupted user mode. */
enum tick_mode { TICK_KERNEL, TICK_USER };
void kernel_tick(enum tick_mode);
