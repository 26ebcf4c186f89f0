/*
 * kernel/rwlock.c - readers and a writer, when one has to wait for the other; see vm/sync.h.  Built of mutexes and spinning alone, so that the host tests have the same.
 */
#include "vm/sync.h"

void rwlock_init(struct rwlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct rwlock){ .readers = 0 };
	mutex_init(&l->writer, name, rank);
}

/* A reader that holds the writer's mutex for a moment knows that nobody writes. */
void read_lock_slow(struct rwlock *l)
{
	lock_check_drop(l);
	__atomic_fetch_sub(&l->readers, 1, __ATOMIC_RELEASE);
	lock_check_take(l, l->writer.name, l->writer.rank, LOCK_SLEEPS);
	mutex_take(&l->writer);
	__atomic_fetch_add(&l->readers, 1, __ATOMIC_ACQUIRE);
	mutex_give(&l->writer);
	lock_check_drop(l);
	lock_check_take(l, l->writer.name, 0, LOCK_READS);
}

void write_wait(struct rwlock *l)
{
	lock_contended(l->writer.name);
	while (__atomic_load_n(&l->readers, __ATOMIC_ACQUIRE) != 0)
		spin_wait();
}
