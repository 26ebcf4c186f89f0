/*
 * kernel/futex_waitv.c - futex_waitv(2): waiting until one of several words is woken.
 *
 * A waiter for each word is in the table before that word is looked at; the thread then waits in the queues of all.
 */
#include "kernel/futex_table.h"
#include "kernel/clock.h"
#include "vm/heap.h"

enum { WORDS_MOST = 128, WORD_32 = 2 };

/* Linux's struct futex_waitv. */
struct wanted { uint64_t value, address; uint32_t flags, reserved; };


static int enter(struct futex_waiter *w, const struct wanted *want)
{
	if (want->flags & ~(uint32_t)(WORD_32 | FUTEX_PRIVATE) || !(want->flags & WORD_32) || want->reserved || want->value > UINT32_MAX)
		return -EINVAL;
	int error = futex_find_key(want->address, want->flags & FUTEX_PRIVATE, &w->key);
	if (error)
		return error;
	struct futex_bucket *b = w->bucket = futex_bucket(&w->key);
	waitq_init(&w->queue);
	w->woken = false;
	w->bits = ANY_BIT;
	spin_lock(&b->lock);
	list_append(&b->waiters, &w->link);
	spin_unlock(&b->lock);
	return 0;
}

/* All leave: the first that was woken, or -1. */
static long leave_all(struct futex_waiter *w, unsigned n)
{
	long woken = -1;
	for (unsigned i = 0; i < n; i++) {
		if (futex_leave(&w[i]) && woken < 0)
			woken = i;
		futex_drop_key(&w[i].key);
	}
	return woken;
}

static bool any_woken(const struct futex_waiter *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (__atomic_load_n(&w[i].woken, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static long sleep_on_all(struct futex_waiter *w, struct waiter *sleeps, unsigned n, uint64_t deadline_ns)
{
	long why = 0;
	while (!why && !any_woken(w, n)) {
		for (unsigned i = 0; i < n; i++)
			waiter_add(&sleeps[i], &w[i].queue);
		if (!any_woken(w, n))
			why = waiters_sleep(sleeps, n, WAIT_INTERRUPTIBLE, deadline_ns);
		for (unsigned i = 0; i < n; i++)
			waiter_remove(&sleeps[i]);
	}
	return why;
}

static long wait_for(vaddr_t array, struct futex_waiter *w, struct waiter *sleeps, unsigned n, uint64_t deadline_ns)
{
	long result = 0;
	unsigned entered = 0;
	for (; entered < n && !result; entered++) {
		struct wanted want;
		uint32_t value;
		result = user_get(want, array + entered * sizeof want);
		if (!result)
			result = enter(&w[entered], &want);
		if (result)
			break;
		result = user_load32(want.address, &value);
		if (!result && value != (uint32_t)want.value)
			result = -EAGAIN;
	}
	if (!result)
		result = sleep_on_all(w, sleeps, n, deadline_ns);
	long woken = leave_all(w, entered);
	return woken >= 0 ? woken : result == -EINTR ? -ERESTARTSYS : result;
}

/* futex_waitv(*words, n, flags, *deadline, clock) */
long sys_futex_waitv(const unsigned long args[6])
{
	unsigned n = (unsigned)args[1], op = FUTEX_WAIT_BITSET;
	uint64_t deadline_ns;
	if (args[2] || n == 0 || n > WORDS_MOST || !args[0])
		return -EINVAL;
	if (args[3] && args[4] != CLOCK_REALTIME && args[4] != CLOCK_MONOTONIC)
		return -EINVAL;
	long result = futex_deadline(args[3], args[4] == CLOCK_REALTIME ? op | FUTEX_REALTIME : op, &deadline_ns);
	if (result)
		return result;
	struct futex_waiter *w = kzalloc(n * sizeof *w);
	struct waiter *sleeps = kzalloc(n * sizeof *sleeps);
	result = w && sleeps ? wait_for(args[0], w, sleeps, n, deadline_ns) : -ENOMEM;
	kfree(sleeps);
	kfree(w);
	return result;
}
