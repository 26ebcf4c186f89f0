/*
 * kernel/futex_pi.c - mutexes whose word says who owns them, and whose owner runs with the priority of whoever waits: FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI.
 *
 * Who has to wait sets the word's WAITERS bit and enters the table under the bucket's lock; so the owner's unlock comes into the kernel, and hands the word over to the waiter of the highest
 * priority (of those, the first): the word has a new owner before that one runs.  Priority is passed on from a waiter to the owner, not from there to whom that one waits for.
 *
 * An owner that dies wakes the best waiter of each of its mutexes to look again: the word has lost its owner by then (a robust mutex), or still names the dead one.
 *
 * Locks: tree_lock over a bucket's lock, so that the owner is a thread that is there and has not begun to leave (`futex_left`, which is set under it).
 */
#include "kernel/futex_table.h"

static unsigned waiting;			/* for mutexes of this kind, of all threads; atomic */

/* The best waiter for the word; NULL: none. The bucket is locked. */
static struct futex_waiter *best_waiter(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *best = NULL;
	list_for_each(l, &b->waiters) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (w->pi && futex_same_key(&w->key, key) && (!best || w->priority > best->priority))
			best = w;
	}
	return best;
}

/* All who wait for the word wait for this owner now: true if there are any. */
static bool set_owner(struct futex_bucket *b, const struct futex_key *key, pid_type owner)
{
	bool any = false;
	list_for_each(l, &b->waiters) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (!w->pi || !futex_same_key(&w->key, key))
			continue;
		w->owner = owner;
		any = true;
	}
	return any;
}

/* ---- locking -------------------------------------------------------------------------- */

enum { LOCKED, QUEUED, LOOK_AGAIN, TOUCH };	/* what an attempt comes to, or an errno */

/* The word has no owner, or a dead one that we were told of: it is ours, if nobody is quicker. */
static int take(vaddr_t word, struct futex_waiter *w, struct futex_bucket *b, uint32_t value)
{
	bool others = best_waiter(b, &w->key) != NULL, dead = (value & OWNER_MASK) != 0;
	uint32_t seen, new = (uint32_t)w->tid | (others ? OWNER_WAITERS : 0) | (value & OWNER_DIED) | (dead ? OWNER_DIED : 0);
	if (user_cmpxchg32(word, value, new, &seen))
		return TOUCH;
	if (seen != value)
		return LOOK_AGAIN;
	set_owner(b, &w->key, w->tid);
	return LOCKED;
}

/* The bucket is locked, and so is the tree; owner: of that value, NULL: there is none such. */
static int attempt_locked(vaddr_t word, struct futex_waiter *w, struct futex_bucket *b, uint32_t value, struct thread *owner, bool may_wait)
{
	uint32_t now, seen;
	if (user_load32(word, &now))
		return TOUCH;
	if (now != value)
		return LOOK_AGAIN;
	const pid_type tid = (pid_type)(value & OWNER_MASK);
	if (!tid || (w->owner_died && tid == w->owner && (!owner || owner->futex_left)))
		return take(word, w, b, value);
	if (!owner)
		return -ESRCH;
	if (owner->futex_left)
		return LOOK_AGAIN;
	if (!may_wait)
		return -EAGAIN;
	if (user_cmpxchg32(word, value, value | OWNER_WAITERS, &seen))
		return TOUCH;
	if (seen != value)
		return LOOK_AGAIN;
	w->owner = tid;
	w->owner_died = w->woken = false;
	w->bucket = b;
	list_append(&b->waiters, &w->link);
	__atomic_fetch_add(&waiting, 1, __ATOMIC_RELAXED);
	if (w->priority > owner->priority)
		sched_boost(owner, w->priority);
	return QUEUED;
}

static int attempt(vaddr_t word, struct futex_waiter *w, bool may_wait)
{
	struct futex_bucket *b = futex_bucket(&w->key);
	uint32_t value;
	if (user_load32(word, &value))
		return -EFAULT;
	if ((value & OWNER_MASK) == (uint32_t)w->tid)
		return -EDEADLK;
	mutex_lock(&tree_lock);
	struct thread *owner = thread_find((pid_type)(value & OWNER_MASK));
	spin_lock(&b->lock);
	faults_off();
	int result = attempt_locked(word, w, b, value, owner, may_wait);
	faults_on();
	spin_unlock(&b->lock);
	mutex_unlock(&tree_lock);
	if (result == LOOK_AGAIN)
		sched_yield();
	return result == TOUCH ? futex_touch(word) ? -EFAULT : LOOK_AGAIN : result;
}

static long lock(vaddr_t word, struct futex_waiter *w, uint64_t deadline_ns, bool may_wait)
{
	for (;;) {
		int result = attempt(word, w, may_wait);
		if (result == LOOK_AGAIN && !signal_fatal_pending(current_thread()))
			continue;
		if (result != QUEUED)
			return result == LOOK_AGAIN ? -EINTR : result;
		long why = futex_sleep(w, deadline_ns);
		bool woken = futex_leave(w);
		__atomic_fetch_sub(&waiting, 1, __ATOMIC_RELAXED);
		if (woken && !w->owner_died)
			return 0;
		if (!woken)
			return why == -EINTR ? -ERESTARTNOINTR : why;
	}
}

long futex_lock_pi(vaddr_t word, unsigned op, uint64_t deadline_ns)
{
	struct thread *t = current_thread();
	struct futex_waiter w = { .pi = true, .tid = t->tid, .priority = t->priority, .bits = ANY_BIT };
	long result = futex_find_key(word, op, &w.key);
	if (result)
		return result;
	waitq_init(&w.queue);
	result = lock(word, &w, deadline_ns, (op & FUTEX_COMMAND) != FUTEX_TRYLOCK_PI);
	futex_drop_key(&w.key);
	return result;
}

/* ---- unlocking ------------------------------------------------------------------------ */

/* The highest priority of those who wait for this thread; 0: none has one, or none waits. */
static int awaited_priority(pid_type owner)
{
	int highest = 0;
	if (__atomic_load_n(&waiting, __ATOMIC_RELAXED) == 0)
		return 0;
	for (struct futex_bucket *b = futex_next_bucket(NULL); b; b = futex_next_bucket(b)) {
		spin_lock(&b->lock);
		list_for_each(l, &b->waiters) {
			const struct futex_waiter *w = container_of(l, struct futex_waiter, link);
			if (w->pi && w->owner == owner && w->priority > highest)
				highest = w->priority;
		}
		spin_unlock(&b->lock);
	}
	return highest;
}

/* The bucket is locked. */
static int hand_over(vaddr_t word, const struct futex_key *key, struct futex_bucket *b, uint32_t value)
{
	struct futex_waiter *best = best_waiter(b, key);
	uint32_t seen;
	if (user_cmpxchg32(word, value, best ? (uint32_t)best->tid | OWNER_WAITERS : 0, &seen))
		return TOUCH;
	if (seen != value)
		return LOOK_AGAIN;
	if (best) {
		set_owner(b, key, best->tid);
		futex_wake_waiter(best);
	}
	return 0;
}

long futex_unlock_pi(vaddr_t word, unsigned op)
{
	struct thread *t = current_thread();
	struct futex_key key;
	uint32_t value;
	long result = futex_find_key(word, op, &key);
	if (result)
		return result;
	struct futex_bucket *b = futex_bucket(&key);
	do {
		if (user_load32(word, &value)) {
			result = -EFAULT;
		} else if ((value & OWNER_MASK) != (uint32_t)t->tid) {
			result = -EPERM;
		} else {
			spin_lock(&b->lock);
			faults_off();
			result = hand_over(word, &key, b, value);
			faults_on();
			spin_unlock(&b->lock);
			if (result == TOUCH)
				result = futex_touch(word) ? -EFAULT : LOOK_AGAIN;
		}
	} while (result == LOOK_AGAIN);
	futex_drop_key(&key);
	if (t->boost)
		sched_boost(t, awaited_priority(t->tid));
	return result;
}

/* ---- an owner that dies ---------------------------------------------------------------- */

/* One of those who wait for this thread; the bucket is locked. */
static struct futex_waiter *waiter_for(struct futex_bucket *b, pid_type owner)
{
	list_for_each(l, &b->waiters) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (w->pi && w->owner == owner)
			return w;
	}
	return NULL;
}

void futex_leave_pi(struct thread *t)
{
	mutex_lock(&tree_lock);
	t->futex_left = true;			/* from now on nobody begins to wait for it */
	mutex_unlock(&tree_lock);
	if (__atomic_load_n(&waiting, __ATOMIC_RELAXED) == 0)
		return;
	for (struct futex_bucket *b = futex_next_bucket(NULL); b; b = futex_next_bucket(b)) {
		struct futex_waiter *w;
		spin_lock(&b->lock);
		while ((w = waiter_for(b, t->tid))) {
			w = best_waiter(b, &w->key);
			w->owner_died = true;
			const struct futex_key key = w->key;		/* to compare alone */
			futex_wake_waiter(w);
			set_owner(b, &key, 0);				/* they wait for whoever gets it */
		}
		spin_unlock(&b->lock);
	}
}
