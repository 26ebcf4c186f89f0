/*
 * kernel/lock.c - mutexes that have to wait, and the checker of lock order (LOCK_CHECK).
 *
 * The checker keeps in each thread the list of locks that it holds.  It panics when a lock is taken against its rank, when
 * a thread sleeps with a spinlock or with interrupts off (so in an interrupt handler, too), and when it goes to user mode with any lock.  An interrupt handler
 * adds to the list of the thread that it interrupted, and takes away what it added: a spinlock that interrupts take has a rank above
 * those of the locks that are held with interrupts on.
 */
#include "kernel/sched.h"
#include "lib/print.h"

void spin_init(struct spinlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = rank, .name = name };
}

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	m->owner = NULL;
	m->waiting = 0;
	m->rank = rank;
	m->name = name;
	waitq_init(&m->queue);
}

static bool try_own(struct mutex *m)
{
	void *none = NULL;
	return __atomic_compare_exchange_n(&m->owner, &none, cpu_current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The waiter is our own, not the thread's: the caller may be about to wait for something else (wait_prepare, then a lock). */
void mutex_lock_slow(struct mutex *m)
{
	struct waiter w = { 0 };
	assert(m->owner != cpu_current());
	__atomic_fetch_add(&m->waiting, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		waiter_add(&w, &m->queue);
		if (try_own(m))
			break;
		waiters_sleep(&w, 1, WAIT_UNINTERRUPTIBLE, ~(uint64_t)0);
	}
	waiter_remove(&w);
	__atomic_fetch_sub(&m->waiting, 1, __ATOMIC_SEQ_CST);
}

void mutex_unlock_slow(struct mutex *m)
{
	wake_one(&m->queue);
}

#ifdef LOCK_CHECK

enum { MAX_HELD = sizeof ((struct thread *)0)->held / sizeof ((struct thread *)0)->held[0] };

static bool broken;			/* a violation is being reported: what that takes is not checked */

static void print_held(const struct thread *t)
{
	broken = true;
	for (unsigned i = 0; i < t->nheld; i++)
		kprintf("  holds %s (rank %u)\n", t->held[i].name, t->held[i].rank);
}

/* Ranks rise; equal ones need LOCK_NESTED.  Rank 0 (trylock) may come in any order. */
void lock_check_take(const void *lock, const char *name, unsigned rank, bool sleeps)
{
	struct thread *t = current_thread();
	if (!t || broken)
		return;				/* before sched_init; or see above */
	bool nested = rank & LOCK_NESTED;
	rank &= ~LOCK_NESTED;
	if (sleeps && rank)
		lock_check_may_sleep();
	unsigned long irq = cpu_irq_save();
	for (unsigned i = 0; i < t->nheld; i++) {
		bool falls = rank && (nested ? t->held[i].rank > rank : t->held[i].rank >= rank);
		if (t->held[i].lock != lock && !falls)
			continue;
		print_held(t);
		panic("lock order: %s (rank %u) is taken %s", name, rank, t->held[i].lock == lock ? "twice" : "too late");
	}
	if (t->nheld == MAX_HELD)
		panic("lock order: too many locks are held, with %s", name);
	t->held[t->nheld].lock = lock;
	t->held[t->nheld].name = name;
	t->held[t->nheld].rank = rank;
	t->held[t->nheld++].sleeps = sleeps;
	cpu_irq_restore(irq);
}

void lock_check_drop(const void *lock)
{
	struct thread *t = current_thread();
	if (!t || broken)
		return;
	unsigned long irq = cpu_irq_save();
	unsigned i = t->nheld;
	while (i-- > 0)
		if (t->held[i].lock == lock)
			break;
	if (i == (unsigned)-1)
		panic("lock order: a lock is dropped that is not held");
	for (t->nheld--; i < t->nheld; i++)
		t->held[i] = t->held[i + 1];
	cpu_irq_restore(irq);
}

void lock_check_may_sleep(void)
{
	struct thread *t = current_thread();
	if (!t || broken)
		return;
	for (unsigned i = 0; i < t->nheld; i++) {
		if (t->held[i].sleeps)
			continue;
		print_held(t);
		panic("a thread sleeps with the spinlock %s", t->held[i].name);
	}
	if (!cpu_irq_enabled())
		panic("sleep with interrupts off: in an interrupt handler, or nobody would wake it");
}

void lock_check_none_held(void)
{
	struct thread *t = current_thread();
	if (!t->nheld)
		return;
	print_held(t);
	panic("a thread returns to user mode with a lock");
}

#endif
