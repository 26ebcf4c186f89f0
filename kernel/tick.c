/*
 * kernel/tick.c - the scheduler's time: ticks, sleeps that end, what the timer is set to, and what is counted for /proc.
 *
 * No tick comes unless it is of use.  A processor that runs a thread ticks TICK_HZ times a second, for the slice; one that is idle is woken for the next sleep that ends, if
 * there is one, or the next timer of its own (kernel/timer.c).
 */
#include "kernel/run_queue.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "kernel/clock.h"
#include "kernel/timer.h"

enum { SPINS_TO_NAP = 512, NAP_NS = 100000 };

/* When this processor has something to do next.  Its queue is locked. */
static uint64_t next_event(const struct run_queue *q)
{
	uint64_t next = timers_due(q->cpu);

	if (q->cpu == 0 && load_next() < next)
		next = load_next();

	if (!list_empty(&q->sleepers) && container_of(q->sleepers.next, struct thread, timer)->deadline_ns < next)
		next = container_of(q->sleepers.next, struct thread, timer)->deadline_ns;
	return q->running != &q->idle && q->tick_ns < next ? q->tick_ns : next;
}

void run_queue_arm(struct run_queue *q)
{
	if (__builtin_expect(q->running != &q->idle && q->armed_ns > q->tick_ns, 0)) {
		uint64_t now_ns = time_now_ns();
		if (q->tick_ns <= now_ns)		/* it was idle when the last were due.  Always at the same places: who runs for less than a tick is met as often as is right */
			q->tick_ns = (now_ns / NS_PER_TICK + 1) * NS_PER_TICK;
	}
	uint64_t next = next_event(q);
	if (next < q->armed_ns) {
		q->armed_ns = next;
		time_arm(next);
	}
}

static void wake_sleepers(struct run_queue *q, uint64_t now_ns)
{
	for (;;) {
		spin_lock(&q->lock);
		struct thread *t = list_empty(&q->sleepers) ? NULL : container_of(q->sleepers.next, struct thread, timer);
		if (!t || t->deadline_ns > now_ns)
			break;
		run_queue_wake(q, t);
	}
	spin_unlock(&q->lock);
}

void sched_tick_by(uint64_t ns)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = here();
	spin_lock(&q->lock);
	if (ns < q->tick_ns) {
		q->tick_ns = ns;
		run_queue_arm(q);
	}
	spin_unlock_irq(&q->lock, irq);
}

static bool others_wait(const struct run_queue *q)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (i != q->cpu && __atomic_load_n(&queues[i].nready, __ATOMIC_RELAXED) > 0)
			return true;
	return false;
}

static void count_realtime(struct run_queue *q, const struct thread *t)
{
	spin_lock(&q->lock);
	if (++q->period_ticks >= REALTIME_PERIOD_TICKS)
		q->period_ticks = q->realtime_ticks = 0;
	q->realtime_ticks += t->priority > 0;
	spin_unlock(&q->lock);
}

static void tick(struct run_queue *q, struct thread *t, enum tick_mode mode, uint64_t now_ns)
{
	q->tick_ns = (now_ns / NS_PER_TICK + 1) * NS_PER_TICK;
	if (t == &q->idle)
		return;
	t->mode = mode;
	sched_count_time();
	count_realtime(q, t);
	if (t->process) {
		cpu_timer_tick(t->process);
		limits_tick(t->process);
	}
	if (--t->slice <= 0 && (q->nready > 0 || others_wait(q)))
		thread_work_add(t, WORK_RESCHEDULE);
}

void kernel_tick(enum tick_mode mode)
{
	struct run_queue *q = here();
	uint64_t now_ns = time_now_ns();

	q->armed_ns = TIME_NEVER;
	q->stats.interrupts++;
	if (now_ns >= q->tick_ns)
		tick(q, current_thread(), mode, now_ns);
	wake_sleepers(q, now_ns);
	timers_fire(now_ns);
	if (q->cpu == 0)
		load_tick(now_ns);
	spin_lock(&q->lock);
	run_queue_arm(q);
	spin_unlock(&q->lock);
}

void sched_spun(void)
{
	const struct thread *t = current_thread();
	struct run_queue *q = t ? t->queue : NULL;	/* none: it is just starting */

	if (!q || ++q->spins % SPINS_TO_NAP || !cpu_irq_enabled())
		return;
	cpu_irq_disable();
	uint64_t until_ns = time_now_ns() + NAP_NS;
	if (until_ns < q->armed_ns) {
		q->armed_ns = until_ns;
		time_arm(until_ns);
	}
	cpu_idle();
	cpu_irq_enable();
}

void sched_timers_changed(unsigned cpu)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = &queues[cpu];
	spin_lock(&q->lock);
	bool earlier = next_event(q) < q->armed_ns, ours = cpu_index() == cpu;
	if (earlier && ours) {
		run_queue_arm(q);
	} else if (earlier) {
		q->armed_ns = TIME_NEVER;			/* it sets its timer anew when it switches */
		thread_work_add(q->running, WORK_RESCHEDULE);
	}
	spin_unlock(&q->lock);
	if (earlier && !ours)
		cpu_kick(cpu);
	cpu_irq_restore(irq);
}

bool sched_needed(void)
{
	return thread_work(current_thread(), WORK_RESCHEDULE);
}

bool kernel_work_pending(void)
{
	const struct thread *t = cpu_current();
	return __atomic_load_n(&t->work, __ATOMIC_RELAXED) != 0;
}

unsigned sched_runnable(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		n += (__atomic_load_n(&queues[i].running, __ATOMIC_RELAXED) != &queues[i].idle) + __atomic_load_n(&queues[i].nready, __ATOMIC_RELAXED);
	return n;
}

/* With what an idle processor has slept up to now. */
struct sched_stats sched_stats_of(unsigned cpu)
{
	struct run_queue *q = &queues[cpu];
	unsigned long irq = spin_lock_irq(&q->lock);
	struct sched_stats s = q->stats;
	uint64_t now_ns = time_now_ns();
	if (q->running == &q->idle && now_ns > q->counted_ns)
		s.idle_ns += now_ns - q->counted_ns;
	spin_unlock_irq(&q->lock, irq);
	return s;
}

struct sched_stats sched_stats_all(void)
{
	struct sched_stats sum = { .idle_ns = 0 };

	for (unsigned i = 0; i < cpu_count; i++) {
		const struct sched_stats s = sched_stats_of(i);
		sum.time.user_ns += s.time.user_ns;
		sum.time.kernel_ns += s.time.kernel_ns;
		sum.idle_ns += s.idle_ns;
		sum.switches += s.switches;
		sum.forks += s.forks;
		sum.interrupts += s.interrupts;
	}
	return sum;
}

void sched_count_fork(void)
{
	here()->stats.forks++;
}
