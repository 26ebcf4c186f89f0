/*
 * kernel/clock.c - the wall clock, what the tick sets off, and processor time.
 *
 * One offset turns the monotonic clock into the wall clock; setting the time changes the offset alone, so that nothing that
 * waits for a time span notices.  Protected by clock_lock (interrupts off: 64 bits are written at once, but read by other processors later).
 */
#include "kernel/clock.h"
#include "kernel/sched.h"

static struct spinlock clock_lock = SPINLOCK_INIT("clock", RANK_WAITQ - 2);
static uint64_t wall_offset_ns;			/* clock_lock */
static uint64_t next_load_ns;			/* processor 0's tick's; others read it as a word */

enum { LOAD_PERIOD_SECONDS = 5 };

void clock_init(void)
{
	wall_offset_ns = time_boot_wallclock() * NS_PER_SECOND;
	next_load_ns = LOAD_PERIOD_SECONDS * NS_PER_SECOND;
}

void timers_tick(uint64_t now_ns)
{
	itimer_tick_real(now_ns);
	if (now_ns >= next_load_ns) {
		next_load_ns += LOAD_PERIOD_SECONDS * NS_PER_SECOND;
		load_sample(sched_runnable());
	}
}

uint64_t timers_next(void)
{
	uint64_t timer = itimer_next();

	return timer < next_load_ns ? timer : next_load_ns;
}

struct timespec64 vfs_now(void)
{
	uint64_t now = clock_realtime_ns();
	return (struct timespec64){ (int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND) };
}

uint64_t clock_realtime_ns(void)
{
	unsigned long irq = spin_lock_irq(&clock_lock);
	uint64_t now = time_now_ns() + wall_offset_ns;
	spin_unlock_irq(&clock_lock, irq);
	return now;
}

void clock_set_realtime(uint64_t ns)
{
	unsigned long irq = spin_lock_irq(&clock_lock);
	wall_offset_ns = ns - time_now_ns();
	spin_unlock_irq(&clock_lock, irq);
}

uint64_t clock_boot_realtime_ns(void)
{
	unsigned long irq = spin_lock_irq(&clock_lock);
	uint64_t boot = wall_offset_ns;
	spin_unlock_irq(&clock_lock, irq);
	return boot;
}

struct cpu_ticks process_ticks(struct process *p)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct cpu_ticks sum = { p->dead_user_ticks, p->dead_kernel_ticks };
	list_for_each(l, &p->threads) {
		const struct thread *t = container_of(l, struct thread, siblings);
		sum.user += t->user_ticks;
		sum.kernel += t->kernel_ticks;
	}
	spin_unlock_irq(&p->signal_lock, irq);
	return sum;
}
