/*
 * kernel/cpu_timer.c - timers by processor time; see clock.h.
 *
 * cpu_timer_lock (spinlock, RANK_WAITQ - 2, interrupts off) guards the lists of all processes, and is held while a timer fires.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"

static struct spinlock cpu_timer_lock = SPINLOCK_INIT("processor timers", RANK_WAITQ - 2);

void cpu_timer_init(struct cpu_timer *t, bool user, int tid, uint64_t (*fire)(struct cpu_timer *, uint64_t))
{
	list_init(&t->link);
	t->user = user;
	t->tid = tid;
	t->fire = fire;
}

static uint64_t used(struct cpu_time time, bool user)
{
	return user ? time.user_ns : cpu_time_all(time);
}

uint64_t cpu_timer_now(struct process *p, const struct cpu_timer *t)
{
	struct cpu_time time = { 0, 0 };

	if (!t->tid)
		return used(process_time(p), t->user);
	sched_count_time();
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	list_for_each(l, &p->threads)
		if (container_of(l, struct thread, siblings)->tid == t->tid)
			time = container_of(l, struct thread, siblings)->time;
	spin_unlock_irq(&p->signal_lock, irq);
	return used(time, t->user);
}

void cpu_timer_arm(struct process *p, struct cpu_timer *t, uint64_t at_ns)
{
	unsigned long irq = spin_lock_irq(&cpu_timer_lock);
	list_remove(&t->link);
	t->at_ns = at_ns;
	list_append(&p->cpu_timers, &t->link);
	spin_unlock_irq(&cpu_timer_lock, irq);
}

void cpu_timer_cancel(struct cpu_timer *t)
{
	unsigned long irq = spin_lock_irq(&cpu_timer_lock);
	list_remove(&t->link);
	spin_unlock_irq(&cpu_timer_lock, irq);
}

void cpu_timer_tick(struct process *p)
{
	const struct thread *self = current_thread();

	if (list_empty(&p->cpu_timers))
		return;				/* one that is being set is seen at the next tick */
	unsigned long irq = spin_lock_irq(&cpu_timer_lock);
	struct cpu_time time = process_time(p);
	list_for_each_safe(l, &p->cpu_timers) {
		struct cpu_timer *t = container_of(l, struct cpu_timer, link);
		if (t->tid && t->tid != self->tid)
			continue;
		uint64_t now_ns = used(t->tid ? self->time : time, t->user);
		if (now_ns < t->at_ns)
			continue;
		t->at_ns = t->fire(t, now_ns);
		if (t->at_ns == TIME_NEVER)
			list_remove(&t->link);
	}
	spin_unlock_irq(&cpu_timer_lock, irq);
}
