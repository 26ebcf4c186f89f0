/*
 * kernel/timer.h - timers: a function is called when a time has come.
 *
 * Each processor has a queue, and its own timer interrupt calls what is due there; a timer goes into the queue of the processor that arms it.  Nobody is interrupted for a timer
 * that is not set.  A time of the wall clock is one that comes earlier or later when that clock is set.
 */
#pragma once
#include "arch/time.h"
#include "lib/rbtree.h"

enum timer_clock { TIMER_MONOTONIC, TIMER_WALL, TIMER_CLOCKS };

struct timer {
	struct rb_node node;		/* queue->lock, as the next two */
	uint64_t at_ns;
	bool armed;
	enum timer_clock clock;
	struct timer_queue *queue;	/* where it is, or was last; NULL: it was never armed; who arms it */
	void (*fire)(struct timer *);	/* once each time that it is armed; interrupt context, with the queue locked (RANK_WAITQ - 2): it arms no timer */
};

void timers_init(void);
/* Both: one caller at a time for each timer; not from `fire`.  What was set before is forgotten. */
void timer_arm(struct timer *, enum timer_clock, uint64_t at_ns);
void timer_cancel(struct timer *);	/* fire is not running any more, nor will it */

/* For the scheduler: what is due on this processor is called; when the next will be, of any processor.  A wall clock that was set: kernel/clock.c. */
void timers_fire(uint64_t now_ns);
uint64_t timers_due(unsigned cpu);
void timers_wall_changed(void);
