/*
 * kernel/itimer.c - the interval timers of a process: SIGALRM by the clock, SIGVTALRM and SIGPROF by processor time.
 *
 * process->itimer[w].next_ns is when it fires: by time_now_ns() for ITIMER_REAL, by the processor time of the process for the others;
 * 0: it is not set.  Processor 0 looks at the armed real-time timers of all processes when the first is due; every tick looks at the two others of the running process, so
 * these fire up to a tick late.  None fires early.
 *
 * itimer_lock (interrupts off; taken before signal_lock) guards the timers and the list.  A process in the list is alive: itimer_forget
 * takes it out before it goes.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"

static struct spinlock itimer_lock = SPINLOCK_INIT("itimer", RANK_WAITQ - 2);
static struct list armed = LIST_INIT(armed);
static uint64_t next_real_ns = TIME_NEVER;	/* the earliest of them; written under itimer_lock, atomic */

static const int timer_signal[ITIMERS] = { SIGALRM, SIGVTALRM, SIGPROF };

/* The time that this timer goes by. */
static uint64_t timer_now(struct process *p, enum itimer_which which)
{
	if (which == ITIMER_REAL)
		return time_now_ns();
	struct cpu_ticks ticks = process_ticks(p);
	return (which == ITIMER_VIRTUAL ? ticks.user : ticks.user + ticks.kernel) * NS_PER_TICK;
}

/* Sends the signal if the time has come, once however late it is, and sets the next time. */
static void fire_if_due(struct process *p, enum itimer_which which)
{
	uint64_t next = p->itimer[which].next_ns, interval = p->itimer[which].interval_ns;
	if (next == 0)
		return;
	uint64_t now = timer_now(p, which);
	if (now < next)
		return;
	p->itimer[which].next_ns = interval ? next + ((now - next) / interval + 1) * interval : 0;
	signal_send_process(p, timer_signal[which], NULL);
}

/* itimer_lock held. */
static void find_next(void)
{
	uint64_t next = TIME_NEVER;

	list_for_each(l, &armed)
		if (container_of(l, struct process, itimer_link)->itimer[ITIMER_REAL].next_ns < next)
			next = container_of(l, struct process, itimer_link)->itimer[ITIMER_REAL].next_ns;
	__atomic_store_n(&next_real_ns, next, __ATOMIC_SEQ_CST);
}

void itimer_tick_real(uint64_t now_ns)
{
	if (itimer_next() > now_ns)
		return;
	unsigned long irq = spin_lock_irq(&itimer_lock);
	list_for_each_safe(l, &armed) {
		struct process *owner = container_of(l, struct process, itimer_link);
		fire_if_due(owner, ITIMER_REAL);
		if (owner->itimer[ITIMER_REAL].next_ns == 0)
			list_remove(l);
	}
	find_next();
	spin_unlock_irq(&itimer_lock, irq);
}

uint64_t itimer_next(void)
{
	return __atomic_load_n(&next_real_ns, __ATOMIC_SEQ_CST);
}

void itimer_tick(struct process *p)
{
	if (!p->itimer[ITIMER_VIRTUAL].next_ns && !p->itimer[ITIMER_PROF].next_ns)
		return;				/* one that is being set is seen at the next tick */
	unsigned long irq = spin_lock_irq(&itimer_lock);
	fire_if_due(p, ITIMER_VIRTUAL);
	fire_if_due(p, ITIMER_PROF);
	spin_unlock_irq(&itimer_lock, irq);
}

static struct itimer_value value_now(struct process *p, enum itimer_which which)
{
	struct itimer_value v = { 0, p->itimer[which].interval_ns };
	uint64_t next = p->itimer[which].next_ns, now = timer_now(p, which);
	if (next)
		v.left_ns = next > now ? next - now : 1000;	/* due, the tick is on its way: not 0, which means 'not set' */
	return v;
}

struct itimer_value itimer_get(struct process *p, enum itimer_which which)
{
	unsigned long irq = spin_lock_irq(&itimer_lock);
	struct itimer_value v = value_now(p, which);
	spin_unlock_irq(&itimer_lock, irq);
	return v;
}

struct itimer_value itimer_set(struct process *p, enum itimer_which which, struct itimer_value new)
{
	unsigned long irq = spin_lock_irq(&itimer_lock);
	struct itimer_value old = value_now(p, which);
	p->itimer[which].interval_ns = new.interval_ns;
	p->itimer[which].next_ns = new.left_ns ? timer_now(p, which) + new.left_ns : 0;
	if (which == ITIMER_REAL) {
		list_remove(&p->itimer_link);
		if (new.left_ns)
			list_append(&armed, &p->itimer_link);
		find_next();
	}
	spin_unlock_irq(&itimer_lock, irq);
	if (which == ITIMER_REAL)
		sched_timers_changed();
	return old;
}

void itimer_forget(struct process *p)
{
	unsigned long irq = spin_lock_irq(&itimer_lock);
	list_remove(&p->itimer_link);
	for (int w = 0; w < ITIMERS; w++)
		p->itimer[w].next_ns = p->itimer[w].interval_ns = 0;
	spin_unlock_irq(&itimer_lock, irq);
}
