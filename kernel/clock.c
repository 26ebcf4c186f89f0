/*
 * kernel/clock.c - the wall clock, and processor time.
 *
 * One offset turns the monotonic clock into the wall clock; setting the time changes the offset alone, so that nothing that
 * waits for a time span notices.  It is one word, read as such; the vDSO has a copy.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "kernel/timerfd.h"
#include "kernel/vdso.h"

static uint64_t wall_offset_ns;			/* atomic */
static struct spinlock setting = SPINLOCK_INIT("wall clock", RANK_LEAF);	/* one at a time sets it */

void clock_init(void)
{
	wall_offset_ns = time_boot_wallclock() * NS_PER_SECOND;
	timers_init();
}

struct timespec64 vfs_now(void)
{
	uint64_t now = clock_realtime_ns();
	return (struct timespec64){ (int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND) };
}

uint64_t clock_boot_realtime_ns(void)
{
	return __atomic_load_n(&wall_offset_ns, __ATOMIC_RELAXED);
}

uint64_t clock_realtime_ns(void)
{
	return time_now_ns() + clock_boot_realtime_ns();
}

void clock_set_realtime(uint64_t ns)
{
	spin_lock(&setting);
	uint64_t offset_ns = ns - time_now_ns();
	__atomic_store_n(&wall_offset_ns, offset_ns, __ATOMIC_SEQ_CST);
	vdso_set_wall(offset_ns);
	spin_unlock(&setting);
	timers_wall_changed();
	timerfd_wall_changed();
}

struct cpu_time process_time(struct process *p)
{
	sched_count_time();			/* it may be our own */
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct cpu_time sum = p->dead_time;
	list_for_each(l, &p->threads)
		cpu_time_add(&sum, container_of(l, struct thread, siblings)->time);
	spin_unlock_irq(&p->signal_lock, irq);
	return sum;
}

struct cpu_time thread_time(const struct thread *t)
{
	sched_count_time();
	return t->time;
}
