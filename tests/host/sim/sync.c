/*
 * tests/host/sim/sync.c - locks and waiting of the simulated machine; what makes threads run is turns.c or parallel.c.
 *
 * Lock order is always checked: a thread keeps a list of the locks that it holds.  Where a lock is taken or dropped another thread may go on.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include "thread.h"
#include "vm/check.h"
#include "vm/kspace.h"

unsigned cpu_count = 1;

void sim_thread_setup(struct sim_thread *t)
{
	t->wait.thread = t;
	list_init(&t->wait.link);
	waitq_init(&t->done);
}

void sim_thread_ended(struct sim_thread *t)
{
	lock_check_none_held();
	__atomic_store_n(&t->finished, true, __ATOMIC_RELEASE);
	wake_all(&t->done);
}

/* Waiting. */

/* q is locked. */
static void enter(struct waitq *q, struct place *place)
{
	list_append(&q->waiters, &place->link);
	__atomic_store_n(&place->woken, false, __ATOMIC_RELAXED);
}

static bool is_woken(const struct place *place) { return __atomic_load_n(&place->woken, __ATOMIC_ACQUIRE); }

static void sleep_in(struct place *place)
{
	lock_check_may_sleep();
	while (!is_woken(place))
		sim_block();
}

/* Its queue is locked.  Once it is woken the place may be gone; its thread cannot, for it has to leave the queue. */
static void wake(struct list *link)
{
	struct place *place = container_of(link, struct place, link);
	struct sim_thread *t = place->thread;

	list_remove(link);
	__atomic_store_n(&place->woken, true, __ATOMIC_RELEASE);
	sim_unblock(t);
}

void wait_prepare(struct waitq *q)
{
	spin_lock(&q->lock);
	list_remove(&sim_current->wait.link);
	enter(q, &sim_current->wait);
	spin_unlock(&q->lock);
}

int wait_sleep(struct waitq *q, enum wait_how how)
{
	(void)q, (void)how;
	sleep_in(&sim_current->wait);
	return 0;
}

void wait_finish(struct waitq *q)
{
	spin_lock(&q->lock);
	list_remove(&sim_current->wait.link);
	spin_unlock(&q->lock);
}

void wake_all(struct waitq *q)
{
	spin_lock(&q->lock);
	while (!list_empty(&q->waiters))
		wake(q->waiters.next);
	spin_unlock(&q->lock);
}

void wake_one(struct waitq *q)
{
	spin_lock(&q->lock);
	if (!list_empty(&q->waiters))
		wake(q->waiters.next);
	spin_unlock(&q->lock);
}

/* Locks. */

void spin_init(struct spinlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT(name, rank);
}

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	*m = (struct mutex){ .rank = rank, .name = name };
}

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "waitq", RANK_WAITQ);
	list_init(&q->waiters);
}

/* Who waits for which mutex. */
struct want { struct place place; const struct mutex *mutex; };
static struct waitq wanting = WAITQ_INIT(wanting);

/* wanting is locked.  The first who waits for m behind `from`. */
static struct want *next_want(const struct mutex *m, const struct list *from)
{
	for (struct list *l = from->next; l != &wanting.waiters; l = l->next)
		if (container_of(l, struct want, place.link)->mutex == m)
			return container_of(l, struct want, place.link);
	return NULL;
}

/* wanting is locked.  It becomes ours if it is free, else awaited. */
static bool take_or_await(struct mutex *m)
{
	uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED), others = next_want(m, &wanting.waiters) ? MUTEX_AWAITED : 0;

	while (!__atomic_compare_exchange_n(&m->owner, &owner, owner > MUTEX_AWAITED ? owner | MUTEX_AWAITED : (uintptr_t)sim_current | others,
		false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	return owner <= MUTEX_AWAITED;
}

/* The caller may have prepared to wait for something else: that place in a queue is not touched. */
void mutex_lock_slow(struct mutex *m)
{
	struct want want = { .place = { .link = LIST_INIT(want.place.link), .thread = sim_current }, .mutex = m };

	for (;;) {
		spin_lock(&wanting.lock);
		bool ours = take_or_await(m);
		if (!ours)
			enter(&wanting, &want.place);
		spin_unlock(&wanting.lock);
		if (ours)
			return;
		lock_check_drop(m);		/* as long as we sleep we do not have it */
		sleep_in(&want.place);
		lock_check_take(m, m->name, 0, LOCK_SLEEPS);
	}
}

void mutex_unlock_slow(struct mutex *m)
{
	spin_lock(&wanting.lock);
	struct want *first = next_want(m, &wanting.waiters), *more = first ? next_want(m, &first->place.link) : NULL;

	__atomic_store_n(&m->owner, more ? MUTEX_AWAITED : 0, __ATOMIC_RELEASE);
	if (first)
		wake(&first->place.link);
	spin_unlock(&wanting.lock);
}

void spin_lock_slow(struct spinlock *l)
{
	lock_contended(l->name);
	do
		while (spin_held(l))
			spin_wait();
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE));
}

static unsigned long contended;

void lock_contended(const char *name)
{
	(void)name;
	__atomic_fetch_add(&contended, 1, __ATOMIC_RELAXED);
}

unsigned long sim_contended(void) { return __atomic_load_n(&contended, __ATOMIC_RELAXED); }

/*
 * What locks guard: an access to it while nobody holds the lock is one to poisoned memory, and AddressSanitizer ends the program.
 * Poisoned when the lock is dropped, so that nothing is before it has been taken once.  Not seen: what the compiler can tell to lie inside a
 * static variable of the same file, since it does not ask about that; lists are seen through their neighbours, arrays by their index.
 */
enum { MAX_GUARDED = 32 };
static struct guarded { const void *lock, *datum; size_t size; } guarded[MAX_GUARDED];
static unsigned nguarded;
static bool guards = true;
bool sim_all_stands;

void sim_guard(const void *lock, const void *datum, size_t size)
{
	if (nguarded == MAX_GUARDED)
		panic("too much is guarded");
	guarded[nguarded++] = (struct guarded){ lock, datum, size };
}

static void guard_open(const void *lock)
{
	for (const struct guarded *g = guarded; g < guarded + nguarded; g++)
		if (g->lock == lock)
			ASAN_UNPOISON_MEMORY_REGION(g->datum, g->size);
}

static void guard_close(const void *lock)
{
	for (const struct guarded *g = guarded; guards && !sim_all_stands && g < guarded + nguarded; g++)
		if (g->lock == lock)
			ASAN_POISON_MEMORY_REGION(g->datum, g->size);
}

/* These take no lock, by their contract: nothing else runs. */
void __real_vm_check(struct vmcheck *);
void __wrap_vm_check(struct vmcheck *);
const char *__real_kspace_describe(vaddr_t);
const char *__wrap_kspace_describe(vaddr_t);

static void each_guarded(void (*change)(const void *lock))
{
	for (unsigned i = 0; i < nguarded; i++)
		change(guarded[i].lock);
}

void sim_guard_nothing(void)
{
	guards = false;
	each_guarded(guard_open);
}

void __wrap_vm_check(struct vmcheck *report)
{
	sim_all_stands = true;
	sim_quiet(true);
	each_guarded(guard_open);
	__real_vm_check(report);
	sim_quiet(false);
	sim_all_stands = false;
	each_guarded(guard_close);
}

const char *__wrap_kspace_describe(vaddr_t addr)
{
	each_guarded(guard_open);
	const char *what = __real_kspace_describe(addr);
	each_guarded(guard_close);
	return what;
}

static const char *counted;		/* locks of this name, if any */
static unsigned taken;

unsigned sim_locks_taken(const char *name)
{
	unsigned n = counted && strcmp(counted, name) == 0 ? taken : 0;

	counted = name;
	taken = 0;
	return n;
}

/* Rank 0: a trylock, which may go against the order.  With LOCK_NESTED one of the same rank may be held. */
void lock_check_take(const void *lock, const char *name, unsigned rank, enum lock_mode mode)
{
	struct sim_thread *t = sim_current;
	bool nested = rank & LOCK_NESTED;

	if (rank)
		sim_point();			/* a trylock has it already */
	rank &= ~(unsigned)LOCK_NESTED;
	for (unsigned i = 0; i < t->nlocks; i++) {
		const struct held_lock *h = &t->locks[i];
		if (h->lock == lock)
			panic("lock %s taken twice", name);
		if (rank == 0)
			continue;
		if (h->rank > rank || (h->rank == rank && !nested))
			panic("lock order: %s (rank %u) taken while %s (rank %u) is held", name, rank, h->name, h->rank);
		if (mode != LOCK_SPINS && !h->sleeps)
			panic("mutex %s taken while spinlock %s is held", name, h->name);
	}
	if (t->nlocks == MAX_LOCKS)
		panic("too many locks held");
	t->locks[t->nlocks++] = (struct held_lock){ lock, name, rank, mode == LOCK_SLEEPS };
	if (counted && strcmp(counted, name) == 0)
		taken++;
	guard_open(lock);
}

void lock_check_none_held(void)
{
	if (sim_current->nlocks)
		panic("lock %s is still held", sim_current->locks[0].name);
}

void lock_check_drop(const void *lock)
{
	struct sim_thread *t = sim_current;

	sim_point();
	for (unsigned i = 0; i < t->nlocks; i++)
		if (t->locks[i].lock == lock) {
			t->locks[i] = t->locks[--t->nlocks];
			guard_close(lock);
			return;
		}
	panic("a lock is dropped that this thread does not hold");
}

void lock_check_may_sleep(void)
{
	for (unsigned i = 0; i < sim_current->nlocks; i++)
		if (!sim_current->locks[i].sleeps)
			panic("sleeps with spinlock %s held", sim_current->locks[i].name);
}

void sim_locks_print(void)
{
	list_for_each(l, &sim_threads) {
		const struct sim_thread *t = container_of(l, struct sim_thread, all);
		fprintf(stderr, "# processor %u%s%s holds:", t->cpu, t->finished ? " (ended)" : "", t->blocked ? " (asleep)" : "");
		for (unsigned i = 0; i < t->nlocks; i++)
			fprintf(stderr, " %s", t->locks[i].name);
		fputs("\n", stderr);
	}
}

unsigned sim_locks_held(void)
{
	return sim_current->nlocks;
}

bool sim_holds(const void *lock)
{
	for (unsigned i = 0; i < sim_current->nlocks; i++)
		if (sim_current->locks[i].lock == lock)
			return true;
	return false;
}

bool sim_holds_rank(unsigned rank)
{
	for (unsigned i = 0; i < sim_current->nlocks; i++)
		if (sim_current->locks[i].rank == rank)
			return true;
	return false;
}

void sim_check_unlocked(const char *where)
{
	for (unsigned i = 0; i < sim_current->nlocks; i++)
		if (sim_current->locks[i].rank >= RANK_SPACE)
			panic("%s with lock %s held", where, sim_current->locks[i].name);
}
