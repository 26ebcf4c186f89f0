/*
 * kernel/run_queue.h - what the parts of the scheduler share: a queue for each processor.
 *
 *   sched.c    who runs where: choosing, switching, sleeping, waking
 *   tick.c     time: ticks, sleeps that end, the timer, what is counted
 *   idle.c     processors that have nothing to do, and such as have to stand still
 *   thread.c   threads as such
 */
#pragma once
#include "kernel/sched.h"

/* Of so many ticks real-time threads get so many at most while others wait. */
enum { REALTIME_PERIOD_TICKS = 100, REALTIME_TICKS = 95 };

struct run_queue {
	struct spinlock lock;
	unsigned cpu;				/* whose it is */
	struct list ready;			/* the one that has waited longest first */
	unsigned nready;			/* read without the lock, too */
	struct list sleepers;			/* by deadline */
	struct thread *running;			/* read without the lock, to compare it */
	struct thread idle;
	struct thread *left;			/* this processor for good (dead), or to go to another (ready): seen to by the thread that comes */
	uint64_t tick_ns;			/* when the next tick is due; this processor's own, as the next */
	uint64_t armed_ns;			/* what its timer is set to */
	unsigned period_ticks, realtime_ticks;	/* so far in this period: all, and those of real-time threads; lock */
	unsigned spins;				/* of loops that wait for other processors */
	uint64_t counted_ns;			/* up to when its time has been counted */
	struct sched_stats stats;
};
extern struct run_queue queues[CPUS_MAX];

extern uint64_t idle_cpus;			/* processors that sleep, or are about to; atomic */
extern uint64_t online_cpus;			/* that take part; atomic */

static inline struct run_queue *here(void) { return current_thread()->queue; }
static inline uint64_t cpu_bit(unsigned cpu) { return (uint64_t)1 << cpu; }

/* ---- sched.c ---- */
/* A thread that waits gets ready.  The queue, its own, is locked, and unlocked here; interrupts are off. */
void run_queue_wake(struct run_queue *, struct thread *);
/* The first in that queue, which is locked, that may run on the processor of the other; NULL: none. */
struct thread *run_queue_first_for(const struct run_queue *from, const struct run_queue *);

/* ---- tick.c ---- */
/* The timer is set if it is not set to as early a time already; too early does little harm.  The queue, this processor's, is locked. */
void run_queue_arm(struct run_queue *);

/* ---- idle.c ---- */
extern bool cpus_stopping;			/* all but one are to stand still; atomic */
void cpu_stand_still(void);			/* until that is over */
