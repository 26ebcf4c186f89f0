/*
 * vm/sync.h - locks and waiting: declared here, where they are needed first, and implemented above
 * (kernel/lock.c and kernel/sched.c; on the host tests/host/ with pthreads).
 *
 *   spinlock   short, never held across a sleep.  spin_lock_irq also keeps interrupts off, for data that
 *              interrupt handlers touch.
 *   mutex      may be held across a sleep; taken only where sleeping is allowed.
 *   waitq      threads that wait for a condition.  The condition is tested by the caller:
 *
 *                  wait_prepare(q); while (!condition) { drop locks; wait_sleep(q); take locks; wait_prepare(q); } wait_finish(q);
 *
 *              A wake between wait_prepare and wait_sleep is not lost.
 *
 * Every lock has a rank.  A thread takes locks in rising rank only (equal ranks: parent before child, by the
 * caller's word in mutex_lock_nested).  Builds with LOCK_CHECK verify that, that no spinlock is held at a sleep, and that
 * nothing sleeps in interrupt context.  docs/locking.md has the table.
 */
#pragma once
#include "vm/types.h"
#include "lib/list.h"
#include "arch/cpu.h"

enum lock_rank {
	RANK_MOUNT = 20,	/* the mount table */
	RANK_FILE = 22,		/* an open file's position */
	RANK_VNODE = 24,	/* a directory's or file's contents; parent before child */
	RANK_PIPE = 28,		/* a pipe, a tty */
	RANK_PROCESS = 29,	/* the process tree: /proc looks for processes with a directory's lock held */
	RANK_FILES = 30,	/* a file table */
	RANK_SPACE = 40,	/* an address space: regions and what hangs below */
	RANK_LEAF = 46,		/* short spinlocks of fs/: lists and counts, no other lock of fs/ under them */
	RANK_OBJECT = 50,	/* a memory object's pages */
	RANK_KSPACE = 56,	/* kernel ranges */
	RANK_TABLE = 60,	/* page tables */
	RANK_HEAP = 70,
	RANK_ZONE = 80,		/* free frames */
	RANK_WAITQ = 90,	/* wait queues */
	RANK_RUNQUEUE = 92,	/* run queue and sleep timers */
	RANK_CONSOLE = 100,
};

struct spinlock {
	unsigned held;
	unsigned rank;
	const char *name;
};
#define SPINLOCK_INIT(name_, rank_) { .rank = (rank_), .name = (name_) }

struct waitq {
	struct spinlock lock;
	struct list waiters;		/* protected by lock */
};
#define WAITQ_INIT(q) { .lock = SPINLOCK_INIT("waitq", RANK_WAITQ), .waiters = LIST_INIT((q).waiters) }

struct mutex {
	void *owner;			/* the thread that holds it, or NULL; atomic */
	unsigned waiting;		/* threads in mutex_lock_slow; atomic */
	unsigned rank;
	const char *name;
	struct waitq queue;
};

void spin_init(struct spinlock *, const char *name, enum lock_rank);
void mutex_init(struct mutex *, const char *name, enum lock_rank);
void waitq_init(struct waitq *);

enum { LOCK_NESTED = 0x100 };			/* or-ed to the rank that lock_check_take is told: an equal one may be held */
#ifdef LOCK_CHECK
void lock_check_take(const void *lock, const char *name, unsigned rank, bool sleeps);
void lock_check_drop(const void *lock);
void lock_check_may_sleep(void);		/* panics when a spinlock is held or in an interrupt */
void lock_check_none_held(void);		/* on the way to user mode */
#else
static inline void lock_check_take(const void *l, const char *n, unsigned r, bool s) { (void)l, (void)n, (void)r, (void)s; }
static inline void lock_check_drop(const void *l) { (void)l; }
static inline void lock_check_may_sleep(void) {}
static inline void lock_check_none_held(void) {}
#endif

/*
 * What a lock protects, at file scope: LOCK_GUARDS(zone_lock, zones).  In the host tests an access without the lock ends the test
 * (tests/host/sim/sync.c, which says what it does not see); in the kernel it is for the reader.
 */
#ifndef LOCK_GUARDS
#define LOCK_GUARDS(lock, datum) _Static_assert(sizeof(lock) && sizeof(datum), "both exist")
#endif

static inline void spin_lock(struct spinlock *l)
{
	lock_check_take(l, l->name, l->rank, false);
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

/* Against the order; false: it is held. */
static inline bool spin_trylock(struct spinlock *l)
{
	if (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		return false;
	lock_check_take(l, l->name, 0, false);
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
	lock_check_drop(l);
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

/* Returns the interrupt state, to be handed back to spin_unlock_irq. */
static inline unsigned long spin_lock_irq(struct spinlock *l)
{
	unsigned long state = cpu_irq_save();
	spin_lock(l);
	return state;
}

static inline void spin_unlock_irq(struct spinlock *l, unsigned long state)
{
	spin_unlock(l);
	cpu_irq_restore(state);
}

void mutex_lock_slow(struct mutex *);		/* waits until the mutex is ours */
void mutex_unlock_slow(struct mutex *);		/* wakes a waiter */

static inline void mutex_lock_checked(struct mutex *m, unsigned rank)
{
	void *none = NULL;
	lock_check_take(m, m->name, rank, true);
	if (!__atomic_compare_exchange_n(&m->owner, &none, cpu_current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		mutex_lock_slow(m);
}

static inline void mutex_lock(struct mutex *m) { mutex_lock_checked(m, m->rank); }
/* A lock of the same rank is held, and comes before this one by a rule of the caller's (parent before child). */
static inline void mutex_lock_nested(struct mutex *m) { mutex_lock_checked(m, m->rank | LOCK_NESTED); }

static inline bool mutex_trylock(struct mutex *m)
{
	void *none = NULL;
	if (!__atomic_compare_exchange_n(&m->owner, &none, cpu_current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	lock_check_take(m, m->name, 0, true);		/* a trylock may go against the order */
	return true;
}

static inline void mutex_unlock(struct mutex *m)
{
	lock_check_drop(m);
	__atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->waiting, __ATOMIC_SEQ_CST))
		mutex_unlock_slow(m);
}

/* For assertions.  A spinlock: by whom is not asked. */
static inline bool spin_held(const struct spinlock *l) { return l->held; }
static inline bool mutex_held(const struct mutex *m) { return m->owner == cpu_current(); }

/* Waiting.  wait_sleep returns 0, or -EINTR when a signal is pending that ends such a sleep (WAIT_KILLABLE: one that ends the process). */
enum wait_how { WAIT_UNINTERRUPTIBLE, WAIT_INTERRUPTIBLE, WAIT_KILLABLE };
void wait_prepare(struct waitq *);
int  wait_sleep(struct waitq *, enum wait_how);
void wait_finish(struct waitq *);
void wake_all(struct waitq *);			/* any context */
void wake_one(struct waitq *);
