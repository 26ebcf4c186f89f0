/*
 * kernel/timer.c - timers; see timer.h.
 *
 * A queue has a tree for each clock, by time.  When the first is due is kept as a word (next_ns, of the monotonic clock), so that the scheduler asks without a lock.
 *
 * queue->lock (spinlock, RANK_WAITQ - 2, interrupts off) guards the trees and what is in them.  It is held while a timer fires: so whoever cancels waits for that.
 */
#include "kernel/timer.h"
#include "kernel/clock.h"
#include "kernel/sched.h"

static struct timer_queue {
	struct spinlock lock;
	struct rb_root trees[TIMER_CLOCKS];
	uint64_t next_ns;			/* written with lock, atomic */
} CPU_LOCAL queues[CPUS_MAX];

void timers_init(void)
{
	for (unsigned i = 0; i < CPUS_MAX; i++) {
		spin_init(&queues[i].lock, "timers", RANK_WAITQ - 2);
		queues[i].next_ns = TIME_NEVER;
	}
}

static struct timer *first(const struct timer_queue *q, enum timer_clock clock)
{
	struct rb_node *n = rb_end(&q->trees[clock], 0);

	return n ? container_of(n, struct timer, node) : NULL;
}

/* By the monotonic clock. */
static uint64_t due(const struct timer *t)
{
	uint64_t behind = t->clock == TIMER_WALL ? clock_boot_realtime_ns() : 0;

	return t->at_ns > behind ? t->at_ns - behind : 0;
}

static void find_next(struct timer_queue *q)
{
	uint64_t next = TIME_NEVER;

	for (enum timer_clock c = 0; c < TIMER_CLOCKS; c++) {
		const struct timer *t = first(q, c);
		if (t && due(t) < next)
			next = due(t);
	}
	__atomic_store_n(&q->next_ns, next, __ATOMIC_RELAXED);
}

static void insert(struct timer_queue *q, struct timer *t)
{
	struct rb_root *tree = &q->trees[t->clock];
	struct rb_node *parent = NULL;
	int side = 0;

	for (struct rb_node *n = tree->top; n; n = n->child[side]) {
		parent = n;
		side = t->at_ns >= container_of(n, struct timer, node)->at_ns;
	}
	rb_insert(tree, &t->node, parent, side, NULL);
	t->armed = true;
}

static void take_out(struct timer_queue *q, struct timer *t)
{
	rb_remove(&q->trees[t->clock], &t->node, NULL);
	t->armed = false;
}

void timer_cancel(struct timer *t)
{
	struct timer_queue *q = t->queue;

	if (!q)
		return;
	unsigned long irq = spin_lock_irq(&q->lock);
	if (t->armed) {
		take_out(q, t);
		find_next(q);
	}
	spin_unlock_irq(&q->lock, irq);
}

void timer_arm(struct timer *t, enum timer_clock clock, uint64_t at_ns)
{
	timer_cancel(t);
	struct timer_queue *q = t->queue = &queues[cpu_index()];	/* ours until we sleep */
	unsigned long irq = spin_lock_irq(&q->lock);
	t->clock = clock;
	t->at_ns = at_ns;
	insert(q, t);
	find_next(q);
	spin_unlock_irq(&q->lock, irq);
	sched_timers_changed(cpu_index());
}

uint64_t timers_due(unsigned cpu)
{
	return __atomic_load_n(&queues[cpu].next_ns, __ATOMIC_RELAXED);
}

void timers_fire(uint64_t now_ns)
{
	struct timer_queue *q = &queues[cpu_index()];

	if (timers_due(cpu_index()) > now_ns)
		return;
	unsigned long irq = spin_lock_irq(&q->lock);
	for (enum timer_clock c = 0; c < TIMER_CLOCKS; c++)
		for (struct timer *t; (t = first(q, c)) && due(t) <= now_ns; ) {
			take_out(q, t);
			t->fire(t);
		}
	find_next(q);
	spin_unlock_irq(&q->lock, irq);
}

void timers_wall_changed(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		unsigned long irq = spin_lock_irq(&queues[i].lock);
		find_next(&queues[i]);
		spin_unlock_irq(&queues[i].lock, irq);
		sched_timers_changed(i);
	}
}
