/*
 * kernel/futex.c - futex(2): sleeping until a word of user memory changes.
 *
 * A waiter enters the table before it looks at the word, so a wake between the look and the sleep is not lost.  Waiters are
 * found by what the word is: a page offset in a memory object when the region is shared, else an address in a space.
 *
 * Lock: futex_lock (spinlock, interrupts off) for the table; the waiters lie on the stacks of those who wait.
 */
#include "kernel/futex.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "vm/object.h"

enum { BUCKETS = 32 };
enum futex_op { FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_OP_MASK = 0x7f,
	FUTEX_PRIVATE = 128, FUTEX_REALTIME = 256 };
#define ANY_BIT		0xffffffffu
#define FOREVER		(~(uint64_t)0)

struct futex_key { const void *of; uint64_t at; };

struct futex_waiter {
	struct list link;
	struct futex_key key;
	uint32_t bits;
	bool woken;			/* with link: futex_lock */
	struct waitq queue;
};

static struct spinlock futex_lock = SPINLOCK_INIT("futex", RANK_WAITQ - 1);
static struct list table[BUCKETS];

void futex_init(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&table[i]);
}

static struct list *bucket_of(const struct futex_key *key)
{
	return &table[((uintptr_t)key->of >> 4 ^ key->at >> 2) % BUCKETS];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->of == b->of && a->at == b->at;
}

/* What the word at this address is.  *object gets a reference when it is in shared memory: the key stays unique while it is held. */
static int find_key(vaddr_t word, unsigned op, struct futex_key *key, struct object **object)
{
	struct space *s = current->space;
	*object = NULL;
	if (word % sizeof(uint32_t))
		return -EINVAL;
	if (word >= USER_MAX)
		return -EFAULT;
	*key = (struct futex_key){ s, word };
	if (op & FUTEX_PRIVATE)
		return 0;
	read_lock(&s->lock);
	struct region *r = region_find(&s->regions, word);
	bool inside = r && r->start <= word;
	if (inside && (r->flags & REGION_SHARED) && r->object) {
		*object = object_ref(r->object);
		*key = (struct futex_key){ r->object, (r->offset << PAGE_SHIFT) + (word - r->start) };
	}
	read_unlock(&s->lock);
	return inside ? 0 : -EFAULT;
}

static void enter(struct futex_waiter *w)
{
	waitq_init(&w->queue);
	w->woken = false;
	unsigned long irq = spin_lock_irq(&futex_lock);
	list_append(bucket_of(&w->key), &w->link);
	spin_unlock_irq(&futex_lock, irq);
}

static bool leave(struct futex_waiter *w)
{
	unsigned long irq = spin_lock_irq(&futex_lock);
	list_remove(&w->link);
	bool woken = w->woken;
	spin_unlock_irq(&futex_lock, irq);
	return woken;
}

static long sleep_on(struct futex_waiter *w, uint64_t deadline_ns)
{
	int result = 0;
	wait_prepare(&w->queue);
	while (!w->woken && result == 0) {
		result = wait_sleep_until(&w->queue, WAIT_INTERRUPTIBLE, deadline_ns);
		if (result == 0)
			wait_prepare(&w->queue);
	}
	wait_finish(&w->queue);
	return result;
}

static long futex_wait(vaddr_t word, unsigned op, uint32_t expected, uint32_t bits, uint64_t deadline_ns)
{
	struct futex_waiter w = { .bits = bits };
	struct object *object;
	uint32_t value;
	if (!bits)
		return -EINVAL;
	long result = find_key(word, op, &w.key, &object);
	if (result)
		return result;
	enter(&w);
	result = user_get(value, word);
	if (!result && value != expected)
		result = -EAGAIN;
	if (!result)
		result = sleep_on(&w, deadline_ns);
	if (leave(&w))
		result = 0;
	if (object)
		object_put(object);
	if (result == -EINTR && deadline_ns == FOREVER)
		return -ERESTARTSYS;
	return result;
}

/* futex_lock held. */
static void wake_waiter(struct futex_waiter *w)
{
	list_remove(&w->link);
	w->woken = true;
	wake_all(&w->queue);
}

static long wake_key(const struct futex_key *key, unsigned n, uint32_t bits)
{
	struct list *bucket = bucket_of(key);
	long woken = 0;
	unsigned long irq = spin_lock_irq(&futex_lock);
	list_for_each_safe(l, bucket) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (woken >= n)
			break;
		if (!same_key(&w->key, key) || !(w->bits & bits))
			continue;
		wake_waiter(w);
		woken++;
	}
	spin_unlock_irq(&futex_lock, irq);
	return woken;
}

static long wake_word(vaddr_t word, unsigned op, unsigned n, uint32_t bits)
{
	struct futex_key key;
	struct object *object;
	if (!bits)
		return -EINVAL;
	int error = find_key(word, op, &key, &object);
	if (error)
		return error;
	long woken = wake_key(&key, n, bits);
	if (object)
		object_put(object);
	return woken;
}

long futex_wake(vaddr_t word, unsigned n)
{
	return wake_word(word, 0, n, ANY_BIT);
}

/* When a wait ends: WAIT takes a time span, WAIT_BITSET a point in time. */
static int find_deadline(vaddr_t from, unsigned op, uint64_t *deadline_ns)
{
	struct timespec64 t;
	*deadline_ns = FOREVER;
	if (!from)
		return 0;
	if (user_get(t, from))
		return -EFAULT;
	if (t.sec < 0 || t.nsec < 0 || t.nsec >= (int64_t)NS_PER_SECOND)
		return -EINVAL;
	if (t.sec >= INT64_MAX / (int64_t)NS_PER_SECOND)
		return 0;
	uint64_t ns = (uint64_t)t.sec * NS_PER_SECOND + (uint64_t)t.nsec;
	if ((op & FUTEX_OP_MASK) == FUTEX_WAIT)
		*deadline_ns = time_now_ns() + ns;
	else if (op & FUTEX_REALTIME)
		*deadline_ns = ns > clock_boot_realtime_ns() ? ns - clock_boot_realtime_ns() : 0;
	else
		*deadline_ns = ns;
	return 0;
}

/* futex(word, op, value, timeout, word2, value3) */
long sys_futex(const unsigned long args[6])
{
	unsigned op = (unsigned)args[1], which = op & FUTEX_OP_MASK;
	uint64_t deadline_ns;
	int error;

	switch (which) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		error = find_deadline(args[3], op, &deadline_ns);
		if (error)
			return error;
		return futex_wait(args[0], op, (uint32_t)args[2], which == FUTEX_WAIT ? ANY_BIT : (uint32_t)args[5], deadline_ns);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return wake_word(args[0], op, (unsigned)args[2], which == FUTEX_WAKE ? ANY_BIT : (uint32_t)args[5]);
	default:
		return -ENOSYS;
	}
}
