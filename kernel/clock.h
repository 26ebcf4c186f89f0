/*
 * kernel/clock.h - wall clock, interval timers, processor time and the load of the system.
 *
 * All times are nanoseconds.  The wall clock is time_now_ns() plus an offset; processor time is that between switches; where it was spent the tick finds.
 */
#pragma once
#include "arch/time.h"

struct process;
struct thread;
struct cpu_time;

#define NS_PER_SECOND	((uint64_t)1000000000)
#define NS_PER_TICK	(NS_PER_SECOND / TICK_HZ)

/* Linux's numbers of clocks; those of processor time of others are negative. */
enum clock_id {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME, CLOCK_THREAD_CPUTIME, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_TAI = 11,
};

/* Before the first tick. */
void clock_init(void);

uint64_t clock_realtime_ns(void);		/* since 1970-01-01 UTC */
void clock_set_realtime(uint64_t ns);
uint64_t clock_boot_realtime_ns(void);		/* when the machine started, by today's wall clock */
int64_t clock_tai_ns(void);			/* by how much atomic time is ahead (kernel/sys_adjust.c) */

/* What the threads of a process have used, living and dead; of those that run on other processors up to their last tick.  Takes signal_lock. */
struct cpu_time process_time(struct process *);
struct cpu_time thread_time(const struct thread *);

/* Load averages of 1, 5 and 15 minutes in units of 1/2048: running and ready threads, sampled every 5 seconds. */
enum { LOAD_SHIFT = 11 };
void load_sample(unsigned running);		/* from the tick */
void load_get(unsigned long load[3]);

/* kernel/itimer.c: setitimer(2).  ITIMER_REAL counts the clock, VIRTUAL user time, PROF all processor time of the process. */
enum itimer_which { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMERS };
struct itimer_value { uint64_t left_ns, interval_ns; };
struct itimer_value itimer_get(struct process *, enum itimer_which);
/* left_ns 0 stops it.  Returns what was set before. */
struct itimer_value itimer_set(struct process *, enum itimer_which, struct itimer_value);
/* Interrupt context.  Those that go by the clock; those that go by the time of this process, whose thread has used some. */
void itimer_tick_real(uint64_t now_ns);
void itimer_tick(struct process *);
/* The same for RLIMIT_CPU (kernel/sys_limits.c). */
void limits_tick(struct process *);
/* When the next that goes by the clock is due. */
uint64_t itimer_next(void);
/* The process goes away: none of its timers may fire any more. */
void itimer_forget(struct process *);
