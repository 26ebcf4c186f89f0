/*
 * kernel/lock.c - locks that are not to be had at once, how often that happens, and the checker of lock order (LOCK_CHECK).
 *
 * Threads that wait for a mutex stand in a table that belongs to no mutex: a bucket is found by the mutex's address, its lock guards the step from 'held' to 'awaited'
 * and back.  So whoever drops a mutex touches nothing of it once it is free: it may be gone by then.  Who comes while it is free takes it, though others wait; but the first of those, if that has
 * happened to it once, has it handed over.  A holder that runs on another processor is waited for by spinning, a while.
 *
 * The checker keeps in each thread the list of locks that it holds.  It panics when a lock is taken against its rank, when
 * a thread sleeps with a spinlock or with interrupts off (so in an interrupt handler, too), and when it goes to user mode with any lock.  An interrupt handler
 * adds to the list of the thread that it interrupted, and takes away what it added: a spinlock that interrupts take has a rank above
 * those of the locks that are held with interrupts on.
 */
#include "kernel/sched.h"
#include "lib/print.h"
#include "lib/string.h"

/* ---- contention -------------------------------------------------------------------------------------------------------------------- */

static struct lock_stat stats[LOCK_STATS];	/* a name is written once, a count is atomic; those that find no room are counted at the last */

void lock_contended(const char *name)
{
	struct lock_stat *s = stats;

	for (; s < stats + LOCK_STATS - 1; s++) {
		const char *there = NULL;
		if (__atomic_load_n(&s->name, __ATOMIC_RELAXED) == name)
			break;
		if (__atomic_compare_exchange_n(&s->name, &there, name, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) || strcmp(there, name) == 0)
			break;
	}
	__atomic_fetch_add(&s->contended, 1, __ATOMIC_RELAXED);
}

const struct lock_stat *lock_stats(void)
{
	return stats;
}

/* ---- spinning -------------------------------------------------------------------------------------------------------------------------- */

void spin_init(struct spinlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = rank, .name = name };
}

void spin_wait(void)
{
	cpu_relax();
	cpu_poll();
	sched_spun();
}

void spin_lock_slow(struct spinlock *l)
{
	lock_contended(l->name);
	do {
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			spin_wait();
	} while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE));
}

/* ---- mutexes --------------------------------------------------------------------------------------------------------------------------- */

enum { BUCKETS = 64, SPINS = 100 };			/* looks at a holder that runs on another processor: it will not be long, more often than not */
static struct waitq parked[BUCKETS];

struct parked {
	struct waiter waiter;		/* first, so that a waiter of the bucket is one of these */
	const struct mutex *mutex;
	bool passed_over;		/* was woken, and another had been quicker: the mutex is handed over next time */
};

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	*m = (struct mutex){ .rank = rank, .name = name };
}

void lock_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		waitq_init(&parked[i]);
}

static struct waitq *bucket_of(const struct mutex *m)
{
	return &parked[((uintptr_t)m >> 4 ^ (uintptr_t)m >> 10) % BUCKETS];
}

/* The first who waits for m after `from`; bucket locked. */
static struct parked *next_parked(struct waitq *q, const struct mutex *m, struct list *from)
{
	for (struct list *l = from->next; l != &q->waiters; l = l->next)
		if (container_of(l, struct parked, waiter.link)->mutex == m)
			return container_of(l, struct parked, waiter.link);
	return NULL;
}

/* Bucket locked.  It becomes ours if it is free, else awaited. */
static bool take_or_await(struct mutex *m, bool others)
{
	uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED), new;

	do
		new = owner > MUTEX_AWAITED ? owner | MUTEX_AWAITED : (uintptr_t)cpu_current() | (others ? MUTEX_AWAITED : 0);
	while (!__atomic_compare_exchange_n(&m->owner, &owner, new, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return owner <= MUTEX_AWAITED;
}

/* The waiter is our own, not the thread's: the caller may be about to wait for something else (wait_prepare, then a lock). */
void mutex_lock_slow(struct mutex *m)
{
	struct parked me = { .mutex = m };
	struct waitq *q = bucket_of(m);

	assert(!mutex_held(m));
	lock_contended(m->name);
	for (unsigned n = 0; n < SPINS && sched_is_running((const void *)__atomic_load_n(&m->owner, __ATOMIC_RELAXED)); n++) {
		spin_wait();
		if (mutex_try(m))
			return;
	}
	for (;;) {
		unsigned long irq = spin_lock_irq(&q->lock);
		bool ours = mutex_held(m) || take_or_await(m, next_parked(q, m, &q->waiters));
		if (!ours)
			waiter_enter(&me.waiter, q);
		spin_unlock_irq(&q->lock, irq);
		if (ours)
			return;
		waiters_sleep(&me.waiter, 1, WAIT_UNINTERRUPTIBLE, ~(uint64_t)0);
		me.passed_over = true;
	}
}

void mutex_unlock_slow(struct mutex *m)
{
	struct waitq *q = bucket_of(m);
	unsigned long irq = spin_lock_irq(&q->lock);
	struct parked *first = next_parked(q, m, &q->waiters), *more = first ? next_parked(q, m, &first->waiter.link) : NULL;

	uintptr_t next = first && first->passed_over ? (uintptr_t)first->waiter.thread : 0;

	__atomic_store_n(&m->owner, next | (more ? MUTEX_AWAITED : 0), __ATOMIC_RELEASE);
	if (first)
		waiter_wake(&first->waiter);
	spin_unlock_irq(&q->lock, irq);
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
void lock_check_take(const void *lock, const char *name, unsigned rank, enum lock_mode kind)
{
	struct thread *t = current_thread();
	if (!t || broken)
		return;				/* before sched_init; or see above */
	bool nested = rank & LOCK_NESTED;
	rank &= ~LOCK_NESTED;
	if (kind != LOCK_SPINS && rank)
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
	t->held[t->nheld++].sleeps = kind == LOCK_SLEEPS;
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
