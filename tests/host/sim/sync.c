/*
 * tests/host/sim/sync.c - threads, locks and waiting of the simulated machine.
 *
 * A thread is a pthread, but only the one that holds the baton runs; it hands the baton on where it sleeps or yields, to the thread that
 * has waited longest.  So a test runs the same way each time, and the kernel's rule (one processor, not preemptible) holds.
 * Lock order is always checked: a thread keeps a list of the locks that it holds.
 */
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"
#include "vm/check.h"
#include "vm/kspace.h"

enum { MAX_LOCKS = 16 };

struct held_lock { const void *lock; const char *name; unsigned rank; bool sleeps; };

/* A thread's place in a queue: its own, between wait_prepare and wait_finish, or that of a mutex that it wants meanwhile. */
struct place { struct list link; struct sim_thread *thread; bool woken; };

struct sim_thread {
	struct list run;		/* in ready, when it could run */
	struct place wait;
	struct place *asleep;		/* where it sleeps until it is woken; NULL: it does not */
	bool finished;
	pthread_t pthread;
	pthread_cond_t baton_here;
	void (*fn)(void *);
	void *arg;
	struct waitq done;
	unsigned nlocks;
	struct held_lock locks[MAX_LOCKS];
};

static struct sim_thread first_thread;
__thread struct sim_thread *sim_current;
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static struct sim_thread *running = &first_thread;
static struct list ready = LIST_INIT(ready);

static void thread_setup(struct sim_thread *t)
{
	list_init(&t->run);
	t->wait.thread = t;
	list_init(&t->wait.link);
	pthread_cond_init(&t->baton_here, NULL);
	waitq_init(&t->done);
}

__attribute__((constructor)) static void threads_begin(void)
{
	sim_current = &first_thread;
	thread_setup(&first_thread);
}

/* Lets the first ready thread run; the current one goes on when it gets the baton back. */
static void hand_over(void)
{
	struct sim_thread *me = sim_current;
	struct list *next = list_pop(&ready);

	if (!next)
		panic("all threads sleep: nobody is left to wake them");
	running = container_of(next, struct sim_thread, run);
	if (running == me)
		return;
	pthread_mutex_lock(&baton);
	pthread_cond_signal(&running->baton_here);
	while (running != me && !me->finished)
		pthread_cond_wait(&me->baton_here, &baton);
	pthread_mutex_unlock(&baton);
}

static void *thread_main(void *arg)
{
	struct sim_thread *me = arg;

	sim_current = me;
	pthread_mutex_lock(&baton);
	while (running != me)
		pthread_cond_wait(&me->baton_here, &baton);
	pthread_mutex_unlock(&baton);
	me->fn(me->arg);
	lock_check_none_held();
	me->finished = true;
	wake_all(&me->done);
	hand_over();
	return NULL;
}

struct sim_thread *sim_thread_start(void (*fn)(void *), void *arg)
{
	struct sim_thread *t = calloc(1, sizeof(*t));

	thread_setup(t);
	t->fn = fn;
	t->arg = arg;
	list_append(&ready, &t->run);
	if (pthread_create(&t->pthread, NULL, thread_main, t))
		panic("pthread_create failed");
	return t;
}

void sim_thread_join(struct sim_thread *t)
{
	wait_prepare(&t->done);
	while (!t->finished) {
		wait_sleep(&t->done, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&t->done);
	}
	wait_finish(&t->done);
	pthread_join(t->pthread, NULL);
	pthread_cond_destroy(&t->baton_here);
	free(t);
}

void sim_yield(void)
{
	lock_check_may_sleep();
	list_append(&ready, &sim_current->run);
	hand_over();
}

/* Waiting. */

static void enter(struct waitq *q, struct place *place)
{
	list_remove(&place->link);
	list_append(&q->waiters, &place->link);
	place->woken = false;
}

static void sleep_in(struct place *place)
{
	lock_check_may_sleep();
	if (place->woken)
		return;
	sim_current->asleep = place;
	hand_over();
}

static void wake(struct list *link)
{
	struct place *place = container_of(link, struct place, link);
	struct sim_thread *t = place->thread;

	list_remove(link);
	place->woken = true;
	if (t->asleep == place) {
		t->asleep = NULL;
		list_append(&ready, &t->run);
	}
}

void wait_prepare(struct waitq *q)
{
	enter(q, &sim_current->wait);
}

int wait_sleep(struct waitq *q, enum wait_how how)
{
	(void)q, (void)how;
	sleep_in(&sim_current->wait);
	return 0;
}

void wait_finish(struct waitq *q)
{
	(void)q;
	list_remove(&sim_current->wait.link);
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

/* The caller may have prepared to wait for something else: that place in a queue is not touched. */
void mutex_lock_slow(struct mutex *m)
{
	struct want want = { .place = { .link = LIST_INIT(want.place.link), .thread = sim_current }, .mutex = m };

	for (enter(&wanting, &want.place); !mutex_try(m); enter(&wanting, &want.place)) {
		m->owner |= MUTEX_AWAITED;
		sleep_in(&want.place);
	}
	list_remove(&want.place.link);
	list_for_each(l, &wanting.waiters)
		if (container_of(l, struct want, place.link)->mutex == m)
			m->owner |= MUTEX_AWAITED;
}

void mutex_unlock_slow(struct mutex *m)
{
	m->owner = 0;
	list_for_each_safe(l, &wanting.waiters)
		if (container_of(l, struct want, place.link)->mutex == m)
			wake(l);
}

void spin_wait(void)
{
	panic("one thread runs at a time, and waits for another");
}

void spin_lock_slow(struct spinlock *l)
{
	panic("spinlock %s is held by another thread", l->name);
}

void rwlock_init(struct rwlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct rwlock){ .readers = 0 };
	mutex_init(&l->writer, name, rank);
}

void read_lock_slow(struct rwlock *l)
{
	lock_check_drop(l);
	l->readers--;
	lock_check_take(l, l->writer.name, l->writer.rank, LOCK_SLEEPS);
	mutex_take(&l->writer);
	l->readers++;
	mutex_give(&l->writer);
	lock_check_drop(l);
	lock_check_take(l, l->writer.name, 0, LOCK_READS);
}

void write_wait(struct rwlock *l)
{
	panic("%s: one thread runs at a time, and a reader sleeps", l->writer.name);
}

void lock_contended(const char *name)
{
	(void)name;
}

/*
 * What locks guard: an access to it while nobody holds the lock is one to poisoned memory, and AddressSanitizer ends the program.
 * Poisoned when the lock is dropped, so that nothing is before it has been taken once.  Not seen: what the compiler can tell to lie inside a
 * static variable of the same file, since it does not ask about that; lists are seen through their neighbours, arrays by their index.
 */
enum { MAX_GUARDED = 32 };
static struct guarded { const void *lock, *datum; size_t size; } guarded[MAX_GUARDED];
static unsigned nguarded;

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
	for (const struct guarded *g = guarded; g < guarded + nguarded; g++)
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

bool sim_all_stands;

void __wrap_vm_check(struct vmcheck *report)
{
	sim_all_stands = true;
	each_guarded(guard_open);
	__real_vm_check(report);
	each_guarded(guard_close);
	sim_all_stands = false;
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
	taken += counted && strcmp(counted, name) == 0;
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

unsigned sim_locks_held(void)
{
	return sim_current->nlocks;
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
