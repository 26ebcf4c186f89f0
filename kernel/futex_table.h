/*
 * kernel/futex_table.h - between the files of futex(2): futex.c has the table of waiters, and the calls that wait and wake; futex_pi.c those of locks that pass priorities on;
 * futex_waitv.c waits for several words.
 */
#pragma once
#include "kernel/futex.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"

enum futex_op { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET,
	FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE = 128, FUTEX_REALTIME = 256 };
#define FUTEX_COMMAND	(~(unsigned)(FUTEX_PRIVATE | FUTEX_REALTIME))
#define ANY_BIT		0xffffffffu
#define FOREVER		(~(uint64_t)0)
/* The word of a mutex that says who owns it. */
#define OWNER_WAITERS	0x80000000u
#define OWNER_DIED	0x40000000u
#define OWNER_MASK	0x3fffffffu

struct futex_key {
	const void *of;			/* an object, or a space */
	uint64_t at;			/* bytes; odd: asked for as shared, though it is not */
	struct object *object;		/* with a reference, so that the key stays unique; NULL: of is a space */
};
static inline bool futex_same_key(const struct futex_key *a, const struct futex_key *b) { return a->of == b->of && a->at == b->at; }

struct futex_bucket {
	struct spinlock lock;
	struct list waiters;
} CPU_LOCAL;

struct futex_waiter {
	struct list link;		/* bucket->lock, as all that follows */
	struct futex_bucket *bucket;	/* NULL: it has been woken, and nobody uses it any more; read without the lock */
	struct futex_key key;
	uint32_t bits;
	bool woken;			/* read without the lock */
	struct waitq queue;
	/* Of one that waits for a mutex that passes priorities on: */
	bool pi;
	bool owner_died;		/* woken because of that: it has to look again */
	pid_type tid, owner;		/* its own, and whom it waits for */
	int priority;
};

struct futex_bucket *futex_bucket(const struct futex_key *);
struct futex_bucket *futex_next_bucket(struct futex_bucket *);		/* all of them: from NULL to NULL */
/* What the word at this address is; to be dropped. */
int futex_find_key(vaddr_t word, unsigned op, struct futex_key *);
void futex_drop_key(const struct futex_key *);
/* Has it been woken?  It may have been moved to another bucket; it is in none afterwards. */
bool futex_leave(struct futex_waiter *);
long futex_sleep(struct futex_waiter *, uint64_t deadline_ns);		/* 0, -EINTR, -ETIMEDOUT */
void futex_wake_waiter(struct futex_waiter *);				/* the bucket's lock is held */
int futex_touch(vaddr_t word);						/* brings it in, for writing: 0, -EFAULT */
/* When a wait ends: of FUTEX_WAIT a time span, else a point in time. */
int futex_deadline(vaddr_t from, unsigned op, uint64_t *deadline_ns);

/* Between these two a fault in user memory fails at once. */
static inline void faults_off(void) { current_thread()->no_faults = true; }
static inline void faults_on(void)  { current_thread()->no_faults = false; }

long futex_lock_pi(vaddr_t word, unsigned op, uint64_t deadline_ns);	/* FUTEX_TRYLOCK_PI does not wait */
long futex_unlock_pi(vaddr_t word, unsigned op);
