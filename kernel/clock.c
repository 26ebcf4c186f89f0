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
static struct spinlock setting = SPINLOCK_INIT("wall clock", RANK_LEAF);	/* one at a time sets it, or tells of it */
static struct time_zone zone;			/* setting */

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

uint64_t clock_wall_deadline(uint64_t ns)
{
	const uint64_t boot_ns = clock_boot_realtime_ns();
	return ns > boot_ns ? ns - boot_ns : 0;
}

uint64_t clock_boot_realtime_ns(void)
{
	return __atomic_load_n(&wall_offset_ns, __ATOMIC_RELAXED);
}

uint64_t clock_realtime_ns(void)
{
	return time_now_ns() + clock_boot_realtime_ns();
}

static void tell(void)
{
	vdso_tell(&(struct time_told){ clock_boot_realtime_ns(), (uint64_t)clock_tai_ns(), zone });
}

void clock_tell(void)
{
	spin_lock(&setting);
	tell();
	spin_unlock(&setting);
}

struct time_zone clock_zone(void)
{
	spin_lock(&setting);
	struct time_zone z = zone;
	spin_unlock(&setting);
	return z;
}

void clock_set_zone(struct time_zone z)
{
	spin_lock(&setting);
	zone = z;
	tell();
	spin_unlock(&setting);
}

void clock_set_realtime(uint64_t ns)
{
	spin_lock(&setting);
	__atomic_store_n(&wall_offset_ns, ns - time_now_ns(), __ATOMIC_SEQ_CST);
	tell();
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
