/*
 * kernel/futex.c - futex(2): sleeping until a word of user memory changes.
 *
 * A waiter enters the table before it looks at the word, so a wake between the look and the sleep is not lost.  Waiters are
 * found by what the word is: a page offset in a memory object when the region is shared, else an address in a space.
 *
 * The calls that look at a word, or change it, and act upon that at once do both under the locks of their buckets.  A page that is not there cannot be fetched under
 * these: the call drops them, touches the word, and begins again.
 *
 * Locks: each bucket has one (spinlock); two are taken in the order of their addresses.  A waiter lies on the stack of the one who waits, which takes the lock
 * before it goes: until it is dropped, whoever wakes or moves the waiter may use it.
 */
#include "kernel/futex_table.h"
#include "kernel/clock.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "vm/object.h"

enum { BUCKETS = 256 };

static struct futex_bucket table[BUCKETS];

struct futex_bucket *futex_next_bucket(struct futex_bucket *b)
{
	return !b ? table : b + 1 < table + BUCKETS ? b + 1 : NULL;
}

void futex_init(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		spin_init(&table[i].lock, "futex", RANK_WAITQ - 4);
		list_init(&table[i].waiters);
	}
}

/* ---- words and keys --------------------------------------------------------------- */

struct futex_bucket *futex_bucket(const struct futex_key *key)
{
	uint64_t hash = ((uintptr_t)key->of >> 4) * 0x9e3779b97f4a7c15 + (key->at >> 2) * 0xff51afd7ed558ccd;
	return &table[(hash >> 32) % BUCKETS];
}

/* What the word at this address is; to be dropped. */
int futex_find_key(vaddr_t word, unsigned op, struct futex_key *key)
{
	struct space *s = current->space;
	if (word % sizeof(uint32_t))
		return -EINVAL;
	if (word >= USER_MAX)
		return -EFAULT;
	*key = (struct futex_key){ s, word, NULL };
	if (op & FUTEX_PRIVATE)
		return 0;
	key->at |= 1;
	read_lock(&s->lock);
	struct region *r = region_find(&s->regions, word);
	bool inside = r && r->start <= word;
	if (inside && (r->flags & REGION_SHARED) && r->object)
		*key = (struct futex_key){ r->object, (r->offset << PAGE_SHIFT) + (word - r->start), object_ref(r->object) };
	read_unlock(&s->lock);
	return inside ? 0 : -EFAULT;
}

void futex_drop_key(const struct futex_key *key)
{
	if (key->object)
		object_put(key->object);
}

static int find_keys(vaddr_t word, vaddr_t word2, unsigned op, struct futex_key *key, struct futex_key *key2)
{
	int error = futex_find_key(word, op, key);
	if (error)
		return error;
	error = futex_find_key(word2, op, key2);
	if (error)
		futex_drop_key(key);
	return error;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	struct futex_bucket *first = a < b ? a : b, *second = a < b ? b : a;
	spin_lock(&first->lock);
	if (first != second)
		spin_lock_nested(&second->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* ---- waiting ---------------------------------------------------------------------- */

static void enter(struct futex_waiter *w)
{
	struct futex_bucket *b = w->bucket = futex_bucket(&w->key);
	waitq_init(&w->queue);
	w->woken = false;
	spin_lock(&b->lock);
	list_append(&b->waiters, &w->link);
	spin_unlock(&b->lock);
}

/* Has it been woken?  It may have been moved to another bucket. */
bool futex_leave(struct futex_waiter *w)
{
	struct futex_bucket *b;
	while ((b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE)) != NULL) {
		spin_lock(&b->lock);
		bool here = w->bucket == b;
		if (here)
			list_remove(&w->link);
		spin_unlock(&b->lock);
		if (here)
			return false;
	}
	return true;
}

long futex_sleep(struct futex_waiter *w, uint64_t deadline_ns)
{
	int result = 0;
	wait_prepare(&w->queue);
	while (!__atomic_load_n(&w->woken, __ATOMIC_ACQUIRE) && result == 0) {
		result = wait_sleep_until(&w->queue, WAIT_INTERRUPTIBLE, deadline_ns);
		if (result == 0)
			wait_prepare(&w->queue);
	}
	wait_finish(&w->queue);
	return result;
}

static long wait_on(vaddr_t word, unsigned op, uint32_t expected, uint32_t bits, uint64_t deadline_ns);

static long wait_again(struct thread *t)
{
	return wait_on(t->restart.address, t->restart.op, t->restart.expected, t->restart.bits, t->restart.deadline_ns);
}

static long wait_on(vaddr_t word, unsigned op, uint32_t expected, uint32_t bits, uint64_t deadline_ns)
{
	struct futex_waiter w = { .bits = bits };
	uint32_t value;
	if (!bits)
		return -EINVAL;
	long result = futex_find_key(word, op, &w.key);
	if (result)
		return result;
	enter(&w);
	result = user_load32(word, &value);
	if (!result && value != expected)
		result = -EAGAIN;
	if (!result)
		result = futex_sleep(&w, deadline_ns);
	if (futex_leave(&w))
		result = 0;
	futex_drop_key(&w.key);
	if (result != -EINTR)
		return result;
	if (deadline_ns == FOREVER)
		return -ERESTARTSYS;
	struct thread *t = current_thread();
	t->restart.go_on = wait_again;
	t->restart.deadline_ns = deadline_ns;
	t->restart.address = word;
	t->restart.op = op;
	t->restart.expected = expected;
	t->restart.bits = bits;
	return -ERESTART_RESTARTBLOCK;
}

/* ---- waking ----------------------------------------------------------------------- */

/* The bucket's lock is held. */
void futex_wake_waiter(struct futex_waiter *w)
{
	list_remove(&w->link);
	__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
	wake_all(&w->queue);
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_RELEASE);	/* last: the waiter may be gone now */
}

/* The bucket's lock is held.  One is woken even if n says none, as on Linux. */
static int wake_in(struct futex_bucket *b, const struct futex_key *key, int n, uint32_t bits)
{
	int woken = 0;
	list_for_each_safe(l, &b->waiters) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (!futex_same_key(&w->key, key) || !(w->bits & bits))
			continue;
		if (w->pi)
			return -EINVAL;			/* it waits for a mutex, which is to be unlocked */
		futex_wake_waiter(w);
		if (++woken >= n)
			break;
	}
	return woken;
}

static long wake_word(vaddr_t word, unsigned op, int n, uint32_t bits)
{
	struct futex_key key;
	if (!bits)
		return -EINVAL;
	int error = futex_find_key(word, op, &key);
	if (error)
		return error;
	struct futex_bucket *b = futex_bucket(&key);
	spin_lock(&b->lock);
	int woken = wake_in(b, &key, n, bits);
	spin_unlock(&b->lock);
	futex_drop_key(&key);
	return woken;
}

long futex_wake(vaddr_t word, int n)
{
	return wake_word(word, 0, n, ANY_BIT);
}

/* ---- words under the lock --------------------------------------------------------- */

int futex_touch(vaddr_t word)
{
	uint32_t value, seen;
	int error = user_load32(word, &value);
	return error ? error : user_cmpxchg32(word, value, value, &seen);
}

/* ---- requeueing ------------------------------------------------------------------- */

/* Both locks are held. */
static void move_waiter(struct futex_waiter *w, struct futex_bucket *from, struct futex_bucket *to, const struct futex_key *key)
{
	w->key = *key;
	if (key->object)
		object_ref(key->object);
	if (from == to)
		return;
	list_remove(&w->link);
	list_append(&to->waiters, &w->link);
	__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
}

/* Both locks are held.  *moved: how many gave up their reference of the first key. */
static int wake_and_move(struct futex_bucket *from, const struct futex_key *key, int n_wake, int n_move, struct futex_bucket *to, const struct futex_key *key2, int *moved)
{
	int done = 0;
	*moved = 0;
	list_for_each_safe(l, &from->waiters) {
		struct futex_waiter *w = container_of(l, struct futex_waiter, link);
		if (done - n_wake >= n_move)
			break;
		if (!futex_same_key(&w->key, key))
			continue;
		if (w->pi)
			return -EINVAL;
		if (++done <= n_wake) {
			futex_wake_waiter(w);
		} else {
			move_waiter(w, from, to, key2);
			++*moved;
		}
	}
	return done;
}

static long requeue(vaddr_t word, unsigned op, int n_wake, int n_move, vaddr_t word2, const uint32_t *expected)
{
	struct futex_key key, key2;
	if (n_wake < 0 || n_move < 0)
		return -EINVAL;
	long result = find_keys(word, word2, op, &key, &key2);
	if (result)
		return result;
	struct futex_bucket *from = futex_bucket(&key), *to = futex_bucket(&key2);
	int moved = 0;
	uint32_t value = 0;
	do {
		lock_two(from, to);
		faults_off();
		int fault = expected ? user_load32(word, &value) : 0;
		faults_on();
		if (!fault)
			result = expected && value != *expected ? -EAGAIN : wake_and_move(from, &key, n_wake, n_move, to, &key2, &moved);
		unlock_two(from, to);
		if (!fault)
			break;
		result = user_load32(word, &value);
	} while (!result);
	for (int i = 0; i < moved; i++)
		futex_drop_key(&key);			/* for each that was moved */
	futex_drop_key(&key2);
	futex_drop_key(&key);
	return result;
}

/* ---- WAKE_OP ---------------------------------------------------------------------- */

/* What value3 asks for: 4 bits of operation, 4 of comparison, 12 of operand, 12 to compare with; the last two have signs. */
struct wake_op { unsigned how, compare; int operand, with; };

static struct wake_op decode(uint32_t from)
{
	enum { SHIFT_OPERAND = 8, SHIFT_MASK = 31 };
	struct wake_op o = { from >> 28, from >> 24 & 15, (int32_t)(from << 8) >> 20, (int32_t)(from << 20) >> 20 };
	if (o.how & SHIFT_OPERAND)
		o.operand = (int)(1u << (o.operand & SHIFT_MASK));
	o.how &= ~(unsigned)SHIFT_OPERAND;
	return o;
}

static int new_value(const struct wake_op *o, uint32_t old, uint32_t *new)
{
	uint32_t operand = (uint32_t)o->operand;
	switch (o->how) {
	case 0: *new = operand; return 0;
	case 1: *new = old + operand; return 0;
	case 2: *new = old | operand; return 0;
	case 3: *new = old & ~operand; return 0;
	case 4: *new = old ^ operand; return 0;
	default: return -ENOSYS;
	}
}

/* 1, 0, or -ENOSYS. */
static int compare(const struct wake_op *o, uint32_t value)
{
	int32_t old = (int32_t)value;
	switch (o->compare) {
	case 0: return old == o->with;
	case 1: return old != o->with;
	case 2: return old < o->with;
	case 3: return old <= o->with;
	case 4: return old > o->with;
	case 5: return old >= o->with;
	default: return -ENOSYS;
	}
}

/* Changes the word, atomically: 1 or 0, how its old value compares, -ENOSYS, -EFAULT. */
static int change_word(vaddr_t word, const struct wake_op *o)
{
	uint32_t old, new, seen;
	int error = user_load32(word, &old);
	while (!error) {
		error = new_value(o, old, &new);
		if (!error)
			error = user_cmpxchg32(word, old, new, &seen);
		if (!error && seen == old)
			return compare(o, old);
		old = seen;
	}
	return error;
}

static long wake_op(vaddr_t word, unsigned op, int n, int n2, vaddr_t word2, uint32_t encoded)
{
	const struct wake_op o = decode(encoded);
	struct futex_key key, key2;
	long result = find_keys(word, word2, op, &key, &key2);
	if (result)
		return result;
	struct futex_bucket *b = futex_bucket(&key), *b2 = futex_bucket(&key2);
	int matches;
	do {
		lock_two(b, b2);
		faults_off();
		matches = change_word(word2, &o);
		faults_on();
		if (matches >= 0) {
			result = wake_in(b, &key, n, ANY_BIT);
			int more = matches && result >= 0 ? wake_in(b2, &key2, n2, ANY_BIT) : 0;
			result = more < 0 ? more : result + more;
		}
		unlock_two(b, b2);
		if (matches >= 0)
			break;
		result = matches == -EFAULT ? futex_touch(word2) : matches;
	} while (!result);
	futex_drop_key(&key2);
	futex_drop_key(&key);
	return result;
}

/* ---- robust lists ----------------------------------------------------------------- */

enum { ROBUST_MOST = 2048 };

struct robust_head { vaddr_t next; int64_t offset; vaddr_t pending; };
enum robust_kind { ROBUST_LISTED, ROBUST_PENDING };

/* The owner of the mutex with this word, if it is the thread, has died. 0, or -EFAULT. */
static int owner_died(vaddr_t word, const struct thread *t, bool inherits, enum robust_kind kind)
{
	uint32_t value, seen;
	if (word % sizeof value)
		return -EFAULT;
	int error = user_load32(word, &value);
	if (!error && kind == ROBUST_PENDING && !inherits && value == 0) {
		futex_wake(word, 1);			/* it was unlocked, but perhaps nobody has been woken */
		return 0;
	}
	while (!error && (value & OWNER_MASK) == (uint32_t)t->tid) {
		error = user_cmpxchg32(word, value, (value & OWNER_WAITERS) | OWNER_DIED, &seen);
		if (!error && seen == value) {
			if (!inherits && (value & OWNER_WAITERS))
				futex_wake(word, 1);
			break;
		}
		value = seen;
	}
	return error;
}

/* Bit 0 of a link says that the mutex is of the kind that passes priorities on. */
void futex_leave_robust(struct thread *t)
{
	struct robust_head head;
	vaddr_t entry, next;
	if (user_get(head, t->robust_list))
		return;
	entry = head.next;
	for (unsigned n = 0; (entry & ~(vaddr_t)1) != t->robust_list && n < ROBUST_MOST; n++, entry = next) {
		vaddr_t at = entry & ~(vaddr_t)1;
		bool more = user_get(next, at) == 0;	/* before the mutex is anybody else's */
		if (at != (head.pending & ~(vaddr_t)1) && owner_died(at + (vaddr_t)head.offset, t, entry & 1, ROBUST_LISTED) != 0)
			return;
		if (!more)
			return;
	}
	if (head.pending & ~(vaddr_t)1)
		owner_died((head.pending & ~(vaddr_t)1) + (vaddr_t)head.offset, t, head.pending & 1, ROBUST_PENDING);
}

/* ---- the call --------------------------------------------------------------------- */

/* When a wait ends: WAIT takes a time span, WAIT_BITSET a point in time. */
int futex_deadline(vaddr_t from, unsigned op, uint64_t *deadline_ns)
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
	if ((op & FUTEX_COMMAND) == FUTEX_WAIT)
		*deadline_ns = time_now_ns() + ns;
	else if (op & FUTEX_REALTIME)
		*deadline_ns = clock_wall_deadline(ns);
	else
		*deadline_ns = ns;
	return 0;
}

/* futex(word, op, value, timeout or value2, word2, value3) */
long sys_futex(const unsigned long args[6])
{
	unsigned op = (unsigned)args[1], which = op & FUTEX_COMMAND;
	uint32_t value3 = (uint32_t)args[5];
	uint64_t deadline_ns;
	int error, n = (int)args[2], n2 = (int)args[3];

	if ((op & FUTEX_REALTIME) && which != FUTEX_WAIT_BITSET && which != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (which) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		error = futex_deadline(args[3], op, &deadline_ns);
		if (error)
			return error;
		return wait_on(args[0], op, (uint32_t)args[2], which == FUTEX_WAIT ? ANY_BIT : value3, deadline_ns);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return wake_word(args[0], op, n, which == FUTEX_WAKE ? ANY_BIT : value3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(args[0], op, n, n2, args[4], which == FUTEX_CMP_REQUEUE ? &value3 : NULL);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		error = futex_deadline(args[3], which == FUTEX_LOCK_PI ? op | FUTEX_REALTIME : op, &deadline_ns);
		return error ? error : futex_lock_pi(args[0], op, deadline_ns);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(args[0], op, 0);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(args[0], op);
	case FUTEX_WAKE_OP:
		return wake_op(args[0], op, n, n2, args[4], value3);
	default:
		return -ENOSYS;
	}
}
