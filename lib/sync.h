/*
 * lib/sync.h - locks and waiting: declared here, where they are needed first, and implemented above
 * (kernel/lock.c and kernel/sched.c; on the host tests/host/ with pthreads).
 *
 *   spinlock   short, never held across a sleep.  spin_lock_irq also keeps interrupts off, for data that
 *              interrupt handlers touch.
 *   mutex      may be held across a sleep; taken only where sleeping is allowed.
 *   rwlock     many readers or one writer.  A reader does not sleep; to come in it may have to.  A writer may.
 *   waitq      threads that wait for a condition.  The condition is tested by the caller:
 *
 *                  wait_prepare(q); while (!condition) { drop locks; wait_sleep(q); take locks; wait_prepare(q); } wait_finish(q);
 *
 *              A wake between wait_prepare and wait_sleep is not lost.
 *
 * Who drops a lock does not touch it any more once another could have taken it: what the lock lies in may be freed by whoever takes it next.
 *
 * Whoever spins serves what other processors want of this one (cpu_poll), whether interrupts are on or off: so a lock may be held while its holder
 * waits for all processors to flush their TLBs.
 *
 * Every lock has a rank.  A thread takes locks in rising rank only (equal ranks: parent before child, by the
 * caller's word in mutex_lock_nested).  Builds with LOCK_CHECK verify that, that no spinlock is held at a sleep, and that
 * nothing sleeps in interrupt context.  docs/locking.md has the table.  How often a lock was not to be had at once is counted by its name: /proc/lock_stat.
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
	RANK_TABLE = 60,	/* a page table: vm/page.h */
	RANK_HEAP = 70,
	RANK_CACHE = 78,	/* a processor's frames at hand */
	RANK_ZONE = 80,		/* free frames */
	RANK_WAITQ = 90,	/* wait queues */
	RANK_RUNQUEUE = 92,	/* run queues and sleep timers */
	RANK_CONSOLE = 100,
};

struct spinlock {
	unsigned held;			/* atomic */
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
	uintptr_t owner;		/* the thread that holds it, with MUTEX_AWAITED if others wait for it; 0: free; atomic */
	unsigned rank;
	const char *name;
};
enum { MUTEX_AWAITED = 1 };

struct rwlock {
	struct mutex writer;		/* whoever changes holds it, and sets `writing`: then readers wait for it as well */
	bool writing;			/* atomic */
};

/* The lock that a processor reads under, or looks whether it may; one at a time.  Readers write to nothing that they share; writers look at all processors. */
extern struct lock_reader { const struct rwlock *inside; } CPU_LOCAL lock_readers[CPUS_MAX];	/* atomic */

void spin_init(struct spinlock *, const char *name, enum lock_rank);
void mutex_init(struct mutex *, const char *name, enum lock_rank);
void rwlock_init(struct rwlock *, const char *name, enum lock_rank);
void waitq_init(struct waitq *);

enum { LOCK_NESTED = 0x100 };			/* or-ed to the rank that lock_check_take is told: an equal one may be held */
enum lock_mode { LOCK_SPINS, LOCK_SLEEPS, LOCK_READS };	/* READS: taken where sleeping is allowed, held as a spinlock */
#ifdef LOCK_CHECK
void lock_check_take(const void *lock, const char *name, unsigned rank, enum lock_mode);
void lock_check_drop(const void *lock);
void lock_check_may_sleep(void);		/* panics when a spinlock is held or in an interrupt */
void lock_check_none_held(void);		/* on the way to user mode */
#else
static inline void lock_check_take(const void *l, const char *n, unsigned r, enum lock_mode k) { (void)l, (void)n, (void)r, (void)k; }
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

/* ---- spinlocks ---------------------------------------------------------------------------------------------------------------------- */

void spin_lock_slow(struct spinlock *);		/* counts, and spins until it is ours */
/* One round of a loop that waits for another processor. */
void spin_wait(void);

static inline void spin_lock(struct spinlock *l)
{
	lock_check_take(l, l->name, l->rank, LOCK_SPINS);
	if (__builtin_expect(__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE), 0))
		spin_lock_slow(l);
}

/* As mutex_lock_nested. */
static inline void spin_lock_nested(struct spinlock *l)
{
	lock_check_take(l, l->name, l->rank | LOCK_NESTED, LOCK_SPINS);
	if (__builtin_expect(__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE), 0))
		spin_lock_slow(l);
}

/* Against the order; false: it is held. */
static inline bool spin_trylock(struct spinlock *l)
{
	if (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		return false;
	lock_check_take(l, l->name, 0, LOCK_SPINS);
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

/* ---- mutexes ------------------------------------------------------------------------------------------------------------------------- */

void mutex_lock_slow(struct mutex *);		/* counts, and waits until the mutex is ours */
void mutex_unlock_slow(struct mutex *);		/* drops it and wakes a waiter */

static inline bool mutex_try(struct mutex *m)
{
	uintptr_t free = 0;
	return __atomic_compare_exchange_n(&m->owner, &free, (uintptr_t)cpu_current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void mutex_take(struct mutex *m)
{
	if (__builtin_expect(!mutex_try(m), 0))
		mutex_lock_slow(m);
}

static inline void mutex_give(struct mutex *m)
{
	uintptr_t mine = (uintptr_t)cpu_current();
	if (__builtin_expect(!__atomic_compare_exchange_n(&m->owner, &mine, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED), 0))
		mutex_unlock_slow(m);
}

static inline void mutex_lock(struct mutex *m)
{
	lock_check_take(m, m->name, m->rank, LOCK_SLEEPS);
	mutex_take(m);
}

/* A lock of the same rank is held, and comes before this one by a rule of the caller's (parent before child). */
static inline void mutex_lock_nested(struct mutex *m)
{
	lock_check_take(m, m->name, m->rank | LOCK_NESTED, LOCK_SLEEPS);
	mutex_take(m);
}

static inline bool mutex_trylock(struct mutex *m)
{
	if (!mutex_try(m))
		return false;
	lock_check_take(m, m->name, 0, LOCK_SLEEPS);		/* a trylock may go against the order */
	return true;
}

static inline void mutex_unlock(struct mutex *m)
{
	lock_check_drop(m);
	mutex_give(m);
}

/* ---- readers and a writer --------------------------------------------------------------------------------------------------------------- */

void read_lock_slow(struct rwlock *);		/* a writer is there: goes out and comes in when it has gone */
void write_wait(struct rwlock *);		/* counts, and waits until all readers have gone */

static inline void read_lock(struct rwlock *l)
{
	lock_check_take(l, l->writer.name, l->writer.rank, LOCK_READS);
	__atomic_store_n(&lock_readers[cpu_index()].inside, l, __ATOMIC_SEQ_CST);
	if (__builtin_expect(__atomic_load_n(&l->writing, __ATOMIC_SEQ_CST), 0))
		read_lock_slow(l);
}

static inline void read_unlock(struct rwlock *l)
{
	lock_check_drop(l);
	__atomic_store_n(&lock_readers[cpu_index()].inside, NULL, __ATOMIC_RELEASE);
}

/* Is a processor inside, other than number `but`? */
static inline bool has_reader(const struct rwlock *l, unsigned but)
{
	for (const struct lock_reader *r = lock_readers, *end = r + cpu_count; r < end; r++)
		if (__builtin_expect(__atomic_load_n(&r->inside, __ATOMIC_SEQ_CST) == l, 0) && r != &lock_readers[but])
			return true;
	return false;
}

/* The writer's mutex is held. */
static inline void write_enter(struct rwlock *l)
{
	__atomic_store_n(&l->writing, true, __ATOMIC_SEQ_CST);
	if (has_reader(l, CPUS_MAX))
		write_wait(l);
}

static inline void write_lock(struct rwlock *l)
{
	mutex_lock(&l->writer);
	write_enter(l);
}

/* As mutex_lock_nested. */
static inline void write_lock_nested(struct rwlock *l)
{
	mutex_lock_nested(&l->writer);
	write_enter(l);
}

static inline void write_unlock(struct rwlock *l)
{
	__atomic_store_n(&l->writing, false, __ATOMIC_RELEASE);
	mutex_unlock(&l->writer);
}

/* If no processor but this one, which may be a reader, is inside. */
static inline bool write_try(struct rwlock *l)
{
	if (!mutex_try(&l->writer))
		return false;
	__atomic_store_n(&l->writing, true, __ATOMIC_SEQ_CST);
	if (!has_reader(l, cpu_index()))
		return true;
	__atomic_store_n(&l->writing, false, __ATOMIC_RELEASE);
	mutex_give(&l->writer);
	return false;
}

/* Against the order, and without waiting: false if anybody is inside. */
static inline bool write_trylock(struct rwlock *l)
{
	if (!write_try(l))
		return false;
	lock_check_take(l, l->writer.name, 0, LOCK_SLEEPS);
	return true;
}

/* The only reader becomes the writer; false: there are others, and we are a reader still. */
static inline bool read_upgrade(struct rwlock *l)
{
	if (!write_try(l))
		return false;
	__atomic_store_n(&lock_readers[cpu_index()].inside, NULL, __ATOMIC_RELAXED);
	lock_check_drop(l);
	lock_check_take(l, l->writer.name, 0, LOCK_SLEEPS);
	return true;
}

/* ---- for assertions -------------------------------------------------------------------------------------------------------------------- */

/* By whom is not asked, but of a mutex. */
static inline bool spin_held(const struct spinlock *l) { return __atomic_load_n(&l->held, __ATOMIC_RELAXED); }
static inline bool mutex_held(const struct mutex *m) { return (__atomic_load_n(&m->owner, __ATOMIC_RELAXED) & ~(uintptr_t)MUTEX_AWAITED) == (uintptr_t)cpu_current(); }
static inline bool write_held(const struct rwlock *l) { return mutex_held(&l->writer); }
static inline bool read_held(const struct rwlock *l) { return write_held(l) || __atomic_load_n(&lock_readers[cpu_index()].inside, __ATOMIC_RELAXED) == l; }

/* ---- how often a lock was not to be had at once ------------------------------------------------------------------------------------------ */

/* Counts it; by the name of the lock. */
void lock_contended(const char *name);

/* ---- waiting --------------------------------------------------------------------------------------------------------------------------- */

/* wait_sleep returns 0, or -EINTR when a signal is pending that ends such a sleep (WAIT_KILLABLE: one that ends the process). */
enum wait_how { WAIT_UNINTERRUPTIBLE, WAIT_INTERRUPTIBLE, WAIT_KILLABLE };
void wait_prepare(struct waitq *);
int  wait_sleep(struct waitq *, enum wait_how);
void wait_finish(struct waitq *);
void wake_all(struct waitq *);			/* any context */
void wake_one(struct waitq *);
