/*
 * kernel/rwlock.c - readers and a writer, when one has to wait for the other; see lib/sync.h.  Built of mutexes and spinning alone, so that the host tests have the same.
 */
#include "lib/sync.h"

struct lock_reader lock_readers[CPUS_MAX];

void rwlock_init(struct rwlock *l, const char *name, enum lock_rank rank)
{
	*l = (struct rwlock){ .writing = false };
	mutex_init(&l->writer, name, rank);
}

/* A reader that holds the writer's mutex for a moment knows that nobody writes. */
void read_lock_slow(struct rwlock *l)
{
	read_unlock(l);
	lock_check_take(l, l->writer.name, l->writer.rank, LOCK_SLEEPS);
	mutex_take(&l->writer);
	__atomic_store_n(&lock_readers[cpu_index()].inside, l, __ATOMIC_SEQ_CST);
	mutex_give(&l->writer);
	lock_check_drop(l);
	lock_check_take(l, l->writer.name, 0, LOCK_READS);
}

void write_wait(struct rwlock *l)
{
	lock_contended(l->writer.name);
	while (has_reader(l, CPUS_MAX))
		spin_wait();
}
