/*
 * fs/locks.c - advisory locks; see locks.h.
 *
 * A vnode with locks has a struct lock_list of them; they go with the last one.  Ranges of one owner do not overlap: setting one first cuts
 * it out of what the owner has.  A flock lock is one of the whole file whose owner is the open file; the two kinds do not see each other.
 *
 * Lock: locks_mutex (mutex, below RANK_LEAF) guards all lists.  Waiters of all files share one queue: locks are seldom waited for.
 */
#include "fs/locks.h"
#include "vm/heap.h"

enum lock_kind { KIND_RECORD, KIND_FLOCK };

struct held { struct list link; struct record_lock lock; enum lock_kind kind; };
struct lock_list { struct list held; };

static struct mutex locks_mutex = { .rank = RANK_LEAF - 1, .name = "file_locks" };
static struct waitq released = WAITQ_INIT(released);
/* Processes that wait for a lock of bytes; locks_mutex. */
struct blocked { struct list link; struct vnode *vnode; const struct record_lock *want; };
static struct list blocked = LIST_INIT(blocked);

/* The first one, by its place in the file, that is in the way. */
static struct held *conflict(struct vnode *v, enum lock_kind kind, const struct record_lock *want)
{
	struct held *first = NULL;

	if (!v->locks || want->type == LOCK_NONE)
		return NULL;
	list_for_each(l, &v->locks->held) {
		struct held *h = container_of(l, struct held, link);
		if (h->kind == kind && h->lock.owner != want->owner && h->lock.from < want->to && want->from < h->lock.to
			&& (h->lock.type == LOCK_WRITE || want->type == LOCK_WRITE) && (!first || h->lock.from < first->lock.from))
			first = h;
	}
	return first;
}

static void drop_list_if_empty(struct vnode *v)
{
	if (v->locks && list_empty(&v->locks->held)) {
		kfree(v->locks);
		v->locks = NULL;
	}
}

/* Cuts the range out of what its owner has; `spare` becomes the second part of a lock that is cut in two. True: it was used. */
static bool cut_out(struct vnode *v, enum lock_kind kind, const struct record_lock *range, struct held *spare)
{
	bool used = false;

	list_for_each_safe(l, &v->locks->held) {
		struct held *h = container_of(l, struct held, link);
		struct record_lock *old = &h->lock;

		if (h->kind != kind || old->owner != range->owner || old->from >= range->to || range->from >= old->to)
			continue;
		if (old->from < range->from && range->to < old->to) {
			*spare = *h;
			spare->lock.from = range->to;
			old->to = range->from;
			list_append(&v->locks->held, &spare->link);
			used = true;
		} else if (old->from < range->from) {
			old->to = range->from;
		} else if (range->to < old->to) {
			old->from = range->to;
		} else {
			list_remove(&h->link);
			kfree(h);
		}
	}
	return used;
}

/* Memory for all that may be needed; locks_mutex is held. */
static int prepare(struct vnode *v, struct held *fresh[2])
{
	fresh[0] = kmalloc(sizeof *fresh[0]);
	fresh[1] = kmalloc(sizeof *fresh[1]);
	if (!v->locks && fresh[0] && fresh[1] && (v->locks = kmalloc(sizeof *v->locks)))
		list_init(&v->locks->held);
	if (fresh[0] && fresh[1] && v->locks)
		return 0;
	kfree(fresh[0]);
	kfree(fresh[1]);
	return -ENOMEM;
}

/* What the owner has on both sides of a new lock, and is of its type, becomes part of it. */
static void absorb_neighbours(struct vnode *v, struct held *new)
{
	list_for_each_safe(l, &v->locks->held) {
		struct held *h = container_of(l, struct held, link);
		if (h->kind != new->kind || h->lock.owner != new->lock.owner || h->lock.type != new->lock.type)
			continue;
		if (h->lock.to != new->lock.from && h->lock.from != new->lock.to)
			continue;
		if (h->lock.from < new->lock.from)
			new->lock.from = h->lock.from;
		else
			new->lock.to = h->lock.to;
		list_remove(&h->link);
		kfree(h);
	}
}

/* locks_mutex is held, nothing is in the way. */
static int replace(struct vnode *v, enum lock_kind kind, const struct record_lock *want)
{
	struct held *fresh[2];
	int error = prepare(v, fresh);

	if (error)
		return error;
	if (!cut_out(v, kind, want, fresh[1]))
		kfree(fresh[1]);
	if (want->type == LOCK_NONE) {
		kfree(fresh[0]);
	} else {
		fresh[0]->lock = *want;
		fresh[0]->kind = kind;
		absorb_neighbours(v, fresh[0]);
		list_append(&v->locks->held, &fresh[0]->link);
	}
	drop_list_if_empty(v);
	wake_all(&released);
	return 0;
}

static const struct blocked *blocked_of(const void *owner)
{
	list_for_each(l, &blocked) {
		const struct blocked *b = container_of(l, struct blocked, link);
		if (b->want->owner == owner)
			return b;
	}
	return NULL;
}

/* Does whoever is in the way wait, by way of others, for this owner?  As on Linux, chains that are longer are not looked at to their end. */
static bool is_deadlock(const struct held *in_the_way, const void *owner)
{
	enum { CHAIN_MAX = 10 };

	for (int i = 0; i < CHAIN_MAX && in_the_way; i++) {
		const struct blocked *b = blocked_of(in_the_way->lock.owner);
		if (in_the_way->lock.owner == owner)
			return true;
		in_the_way = b ? conflict(b->vnode, KIND_RECORD, b->want) : NULL;
	}
	return false;
}

/* A flock of another type goes before the new one is asked for: on Linux the change is not one step. */
static void drop_other_flock(struct vnode *v, const struct record_lock *want)
{
	if (!v->locks)
		return;
	list_for_each_safe(l, &v->locks->held) {
		struct held *h = container_of(l, struct held, link);
		if (h->kind == KIND_FLOCK && h->lock.owner == want->owner && h->lock.type != want->type) {
			list_remove(&h->link);
			kfree(h);
			wake_all(&released);
		}
	}
	drop_list_if_empty(v);
}

static int set(struct vnode *v, enum lock_kind kind, const struct record_lock *want, enum lock_how how)
{
	struct blocked me = { .link = LIST_INIT(me.link), .vnode = v, .want = want };
	bool of_process = kind == KIND_RECORD && want->pid >= 0;
	struct held *h;
	int error = 0;

	mutex_lock(&locks_mutex);
	if (kind == KIND_FLOCK)
		drop_other_flock(v, want);
	while (!error && (h = conflict(v, kind, want))) {
		error = how == LOCK_TRY ? -EAGAIN : of_process && is_deadlock(h, want->owner) ? -EDEADLK : 0;
		if (error)
			break;
		if (of_process)
			list_append(&blocked, &me.link);
		wait_prepare(&released);
		mutex_unlock(&locks_mutex);
		error = wait_sleep(&released, WAIT_INTERRUPTIBLE);
		wait_finish(&released);
		mutex_lock(&locks_mutex);
		list_remove(&me.link);
	}
	if (!error)
		error = want->type == LOCK_NONE && !v->locks ? 0 : replace(v, kind, want);
	mutex_unlock(&locks_mutex);
	return error;
}

bool locks_conflict(struct vnode *v, const struct record_lock *want, struct record_lock *other)
{
	mutex_lock(&locks_mutex);
	struct held *h = conflict(v, KIND_RECORD, want);
	if (h)
		*other = h->lock;
	mutex_unlock(&locks_mutex);
	return h;
}

int locks_set(struct vnode *v, const struct record_lock *want, enum lock_how how)
{
	return set(v, KIND_RECORD, want, how);
}

/* Removes what the owner has: whole locks, so that no memory is needed. */
static void drop(struct vnode *v, const void *owner)
{
	if (!__atomic_load_n(&v->locks, __ATOMIC_RELAXED))	/* ours would be there: nobody sets one for this owner and this file any more */
		return;
	mutex_lock(&locks_mutex);
	if (v->locks) {
		list_for_each_safe(l, &v->locks->held) {
			struct held *h = container_of(l, struct held, link);
			if (h->lock.owner == owner) {
				list_remove(&h->link);
				kfree(h);
			}
		}
		drop_list_if_empty(v);
		wake_all(&released);
	}
	mutex_unlock(&locks_mutex);
}

void locks_drop_owner(struct vnode *v, const void *owner)
{
	drop(v, owner);
}

int locks_flock(struct file *f, enum lock_type type, enum lock_how how)
{
	const struct record_lock want = { .from = 0, .to = LOCK_TO_END, .type = type, .owner = f };

	return set(f->vnode, KIND_FLOCK, &want, how);
}

void locks_drop_file(struct file *f)
{
	drop(f->vnode, f);
}
