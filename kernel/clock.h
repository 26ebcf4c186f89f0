/*
 * kernel/clock.h - wall clock, interval timers, processor time and the load of the system.
 *
 * All times are nanoseconds.  The wall clock is time_now_ns() plus an offset; processor time is that between switches; where it was spent the tick finds.
 */
#pragma once
#include "arch/time.h"
#include "lib/list.h"

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
uint64_t clock_wall_deadline(uint64_t ns);	/* that time of the wall clock, as a deadline; 0: it has passed before the machine started */
uint64_t clock_boot_realtime_ns(void);		/* when the machine started, by today's wall clock */
int64_t clock_tai_ns(void);			/* by how much atomic time is ahead (kernel/sys_adjust.c) */
/* Of the hardware's clock, says whoever sets it: kept for those who ask, as on Linux. */
struct time_zone clock_zone(void);
void clock_set_zone(struct time_zone);
void clock_tell(void);				/* the vDSO: something of all this has changed */

/* What the threads of a process have used, living and dead; of those that run on other processors up to their last tick.  Takes signal_lock. */
struct cpu_time process_time(struct process *);
struct cpu_time thread_time(const struct thread *);

/* 0, or -EINVAL: there is none.  Takes tree_lock for those of others. */
int clock_read(int id, uint64_t *ns);
/* Is it one that can be set?  A time of it by the wall clock; not 0. */
bool clock_is_wall(int id);
uint64_t clock_to_wall(int id, uint64_t ns);
/* Is it processor time of this process (*tid 0), or of one of its threads?  *user: its part in user mode alone. */
bool clock_is_own_cpu(int id, int *tid, bool *user);

/* Load averages of 1, 5 and 15 minutes in units of 1/2048: running and ready threads, sampled every 5 seconds by processor 0. */
enum { LOAD_SHIFT = 11 };
void load_tick(uint64_t now_ns);
uint64_t load_next(void);			/* when it wants the next */
void load_get(unsigned long load[3]);

/*
 * kernel/cpu_timer.c: timers by the processor time of a process or thread.  They are looked at by the tick of whoever uses it, which comes early for them;
 * so they fire a millisecond late, or up to a tick where several threads use the time, or one has just got its processor.
 * p: the process that it belongs to, the current one but at its end.
 */
struct cpu_timer {
	struct list link;		/* in process->cpu_timers: cpu_timer_lock, as all of it */
	bool user;			/* counts time in user mode alone */
	int tid;			/* of this thread alone; 0: of the process */
	uint64_t at_ns;
	uint64_t (*fire)(struct cpu_timer *, uint64_t now_ns);	/* any context, locked (RANK_WAITQ - 2); when next, or TIME_NEVER: it is out of the list */
};
void cpu_timer_init(struct cpu_timer *, bool user, int tid, uint64_t (*fire)(struct cpu_timer *, uint64_t));
void cpu_timer_arm(struct process *, struct cpu_timer *, uint64_t at_ns);
void cpu_timer_cancel(struct cpu_timer *);
uint64_t cpu_timer_now(struct process *, const struct cpu_timer *);	/* what has been used of what it counts; takes signal_lock */
void cpu_timer_tick(struct process *);		/* its current thread has used some */

/* kernel/itimer.c: setitimer(2).  ITIMER_REAL counts the clock, VIRTUAL user time, PROF all processor time of the process. */
enum itimer_which { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMERS };
struct itimer_value { uint64_t left_ns, interval_ns; };
struct itimer_value itimer_get(struct process *, enum itimer_which);
/* left_ns 0 stops it.  Returns what was set before. */
struct itimer_value itimer_set(struct process *, enum itimer_which, struct itimer_value);
void itimer_init(struct process *);
/* SIGALRM has been taken: an ITIMER_REAL that repeats is set again. */
void itimer_taken(struct process *);
/* RLIMIT_CPU, at a tick (kernel/sys_limits.c). */
void limits_tick(struct process *);
/* The process goes away: none of its timers may fire any more. */
void itimer_forget(struct process *);
