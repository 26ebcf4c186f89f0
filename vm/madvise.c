/*
 * vm/madvise.c - advice about memory, and looking at it: madvise, mincore, msync.  See mmap.h.
 *
 * What a program may notice is done (pages are discarded, populated, inherited or not); what is only a hint is accepted.
 * Pages go at once where Linux may let them linger (MADV_FREE): a program must be ready for either.
 *
 * Lock: space->lock; not while pages are populated, since each is a fault of its own.
 */
#include "vm/range.h"
#include "vm/fault.h"
#include "vm/object.h"
#include "vm/reclaim.h"

/* What a piece of advice does with one region and the part [start, end) of it; 0 or an errno.  May drop the lock and take it again. */
typedef int (*advice_fn)(struct space *, struct region *, vaddr_t start, vaddr_t end);

struct advice {
	enum { UNKNOWN, HINT, DISCARD, CHANGE } kind;	/* discarding has to own the tables first */
	advice_fn apply;
	unsigned clear, set;			/* flags of the region (CHANGE) */
	unsigned refused;			/* -EINVAL for regions with one of these flags, */
	bool anonymous;				/* and for those with an object */
};

static int discard(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)r;
	mmu_discard(&s->mmu, start, end);
	return 0;
}

/* What discarding needs, before any of it is done. */
static int own_edges(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)r;
	return mmu_own(&s->mmu, start, end, MMU_OWN_EDGES) < 0 ? -EAGAIN : 0;
}

/* MADV_REMOVE.  The hole takes the locks of all spaces that map it, one by one: ours is dropped meanwhile. */
static int punch_hole(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	if (!r->object || (r->flags & REGION_LOCKED))
		return -EINVAL;
	if ((r->flags & (REGION_SHARED | REGION_NOWRITE)) != REGION_SHARED)
		return -EACCES;
	if (r->object->pager)
		return -EOPNOTSUPP;
	if (r->object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
		return -EPERM;
	struct object *o = object_ref(r->object);
	uint64_t from = (r->offset << PAGE_SHIFT) + (start - r->start);
	write_unlock(&s->lock);
	vm_punch(o, from, from + (end - start));
	object_put(o);
	write_lock(&s->lock);
	return 0;
}

enum { READ_AHEAD_PAGES = 128 };

/* MADV_WILLNEED.  Brings pages of a file into the cache, a bounded number of them; the region may be gone meanwhile. */
static int read_ahead(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	uint64_t index = r->offset + ((start - r->start) >> PAGE_SHIFT), last = index + ((end - start) >> PAGE_SHIFT);
	struct object *o = r->object;
	bool waited;

	if (!o || !o->pager)
		return 0;
	object_ref(o);
	write_unlock(&s->lock);
	for (unsigned n = 0; index < last && n < READ_AHEAD_PAGES && reclaim_keep_free(); index++, n++)
		if (object_fill(o, index, &waited) < 0)
			break;
	object_put(o);
	write_lock(&s->lock);
	return 0;
}

static const struct advice known[] = {
	[MADV_NORMAL] = { HINT }, [MADV_RANDOM] = { HINT }, [MADV_SEQUENTIAL] = { HINT },
	[MADV_DONTDUMP] = { HINT }, [MADV_DODUMP] = { HINT },
	[MADV_COLD] = { HINT, .refused = REGION_LOCKED }, [MADV_PAGEOUT] = { HINT, .refused = REGION_LOCKED },
	[MADV_WILLNEED] = { HINT, read_ahead },
	[MADV_DONTNEED] = { DISCARD, discard, .refused = REGION_LOCKED },
	[MADV_DONTNEED_LOCKED] = { DISCARD, discard },
	[MADV_FREE] = { DISCARD, discard, .refused = REGION_LOCKED, .anonymous = true },
	[MADV_REMOVE] = { HINT, punch_hole, .refused = REGION_LOCKED },
	[MADV_DONTFORK] = { CHANGE, .set = REGION_DONTFORK },
	[MADV_DOFORK] = { CHANGE, .clear = REGION_DONTFORK },
	[MADV_WIPEONFORK] = { CHANGE, .set = REGION_WIPEONFORK, .refused = REGION_SHARED, .anonymous = true },
	[MADV_KEEPONFORK] = { CHANGE, .clear = REGION_WIPEONFORK },
	[MADV_HUGEPAGE] = { CHANGE, .clear = REGION_NOHUGE, .set = REGION_HUGE },
	[MADV_NOHUGEPAGE] = { CHANGE, .clear = REGION_HUGE, .set = REGION_NOHUGE },
};

static bool suits(const struct region *r, const struct advice *a)
{
	return !(r->flags & a->refused) && !(a->anonymous && r->object);
}

/* Flags change up to the first region for which the advice is not meant: all at once, or -EAGAIN and nothing. */
static int change_locked(struct space *s, vaddr_t start, vaddr_t end, const struct advice *a)
{
	int error = range_mapped_until(s, start, end) < end ? -ENOMEM : 0;

	for (struct region *r = region_find(&s->regions, start); r && r->start < end; r = region_next(r))
		if (!suits(r, a)) {
			end = r->start > start ? r->start : start;
			error = -EINVAL;
		}
	return end > start && range_mark(s, start, end, a->clear, a->set) < 0 ? -EAGAIN : error;
}

/* Applies it to what is mapped of [start, end); -ENOMEM when not all is, once the rest has been done. */
static int advise_locked(struct space *s, vaddr_t start, vaddr_t end, const struct advice *a)
{
	int error = 0;

	while (start < end) {
		struct region *r = region_find(&s->regions, start);

		if (!r || r->start > start)
			error = -ENOMEM;
		if (!r || r->start >= end)
			break;
		if (start < r->start)
			start = r->start;
		vaddr_t stop = r->end < end ? r->end : end;
		int failed = !suits(r, a) ? -EINVAL : a->apply ? a->apply(s, r, start, stop) : 0;
		if (failed)
			return failed;
		start = stop;
	}
	return error;
}

int vm_madvise(struct space *s, vaddr_t start, size_t length, int advice, struct fault_stats *who)
{
	static const struct advice owning = { .kind = HINT, .apply = own_edges };
	const struct advice *a = advice >= 0 && (size_t)advice < sizeof known / sizeof *known ? &known[advice] : &known[MADV_POPULATE_READ];
	bool populates = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
	vaddr_t end;

	if (a->kind == UNKNOWN && !populates)
		return -EINVAL;
	if ((start & PAGE_MASK) || length > (size_t)-1 - PAGE_MASK)
		return -EINVAL;
	if (length == 0)
		return 0;
	if (start + length < start)
		return -EINVAL;
	int clipped = range_clip(start, length, &end), error;
	if (populates) {
		error = vm_touch(s, start, end, advice == MADV_POPULATE_WRITE ? FAULT_WRITE : FAULT_READ, who);
		return error ? error : clipped;
	}
	write_lock(&s->lock);
	error = a->kind == DISCARD ? advise_locked(s, start, end, &owning) : 0;
	if (error != -EAGAIN)
		error = a->kind == CHANGE ? change_locked(s, start, end, a) : advise_locked(s, start, end, a);
	write_unlock(&s->lock);
	return error ? error : clipped;
}

/* Is the page in memory: mapped, or in its object's cache? */
static bool is_resident(struct space *s, struct region *r, vaddr_t va)
{
	pfn_t cached = PFN_NONE;

	if (mmu_query(&s->mmu, va).pfn != PFN_NONE)
		return true;
	if (r->object) {
		spin_lock(&r->object->lock);
		object_peek(r->object, r->offset + ((va - r->start) >> PAGE_SHIFT), &cached);
		spin_unlock(&r->object->lock);
	}
	return cached != PFN_NONE;
}

ssize vm_mincore(struct space *s, vaddr_t start, size_t npages, unsigned char *to)
{
	size_t n = 0;

	read_lock(&s->lock);
	for (struct region *r; n < npages; n++, start += PAGE_SIZE) {
		r = region_find(&s->regions, start);
		if (!r || r->start > start)
			break;
		to[n] = is_resident(s, r, start);
	}
	read_unlock(&s->lock);
	return n || !npages ? (ssize)n : -ENOMEM;
}

int vm_set_policy(struct space *s, vaddr_t start, vaddr_t end, unsigned policy)
{
	write_lock(&s->lock);
	int error = range_mapped_until(s, start, end) < end ? -EFAULT : range_mark(s, start, end, REGION_POLICY, policy << REGION_POLICY_SHIFT);
	write_unlock(&s->lock);
	return error;
}

int vm_policy(struct space *s, vaddr_t at)
{
	read_lock(&s->lock);
	const struct region *r = region_find(&s->regions, at);
	int policy = r && r->start <= at ? (int)(r->flags & REGION_POLICY) >> REGION_POLICY_SHIFT : -EFAULT;
	read_unlock(&s->lock);
	return policy;
}

/* What is locked has to stay as it is. */
static int if_unlocked(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)s, (void)start, (void)end;
	return r->flags & REGION_LOCKED ? -EBUSY : 0;
}

int vm_msync(struct space *s, vaddr_t start, size_t length, unsigned flags)
{
	vaddr_t end;

	if (length == 0)
		return 0;
	int clipped = range_clip(start, length, &end);
	write_lock(&s->lock);
	int error = advise_locked(s, start, end, &(struct advice){ .kind = HINT, .apply = flags & MS_INVALIDATE ? if_unlocked : NULL });
	write_unlock(&s->lock);
	if ((flags & MS_SYNC) && error != -EBUSY)
		vm_writeback_range(s, start, end);
	return error ? error : clipped;
}
