/*
 * vm/remap.c - mremap: a mapping shrinks, grows where it is, or moves with its pages.  See mmap.h.
 *
 * Moving moves entries, not pages: mmu_move takes them out of one range and puts them into another; the tables for that are made before
 * anything changes.  So a move fails at once or not at all.
 *
 * Lock: space->lock throughout.
 */
#include "vm/range.h"
#include "vm/object.h"

struct remap {
	struct space *space;
	vaddr_t from, to;		/* to: the fixed place, or with DONTUNMAP a hint, if flags say so */
	size_t old_size, new_size;	/* page-aligned */
	unsigned flags;
};

/* Errors of the arguments alone, in Linux's order. */
static int check_arguments(const struct remap *m)
{
	const unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	if ((m->flags & ~known) || ((m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(m->flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && m->old_size != m->new_size)
		return -EINVAL;
	if ((m->from & PAGE_MASK) || m->new_size == 0 || m->new_size > USER_MAX - USER_MIN || m->from >= USER_MAX)
		return -EINVAL;
	if (!(m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return 0;
	if ((m->to & PAGE_MASK) || (m->flags & MREMAP_FIXED && m->to < USER_MIN) || m->to > USER_MAX - m->new_size)
		return -EINVAL;
	if (m->to < m->from + m->old_size && m->from < m->to + m->new_size)
		return -EINVAL;			/* the ranges overlap */
	return 0;
}

/* Room right behind the mapping? */
static bool can_grow(const struct remap *m, const struct region *r)
{
	const struct region *next = region_next(r);
	vaddr_t end = m->from + m->new_size;

	return r->end == m->from + m->old_size && m->new_size <= USER_MAX - m->from
		&& (!next || next->start >= end + (next->flags & REGION_GROWSDOWN ? STACK_GUARD : 0));
}

static int grow(const struct remap *m, struct region *r)
{
	struct space *s = m->space;
	int error = account_more(s, r, (m->new_size - m->old_size) >> PAGE_SHIFT, (struct range_sum){ 0 });

	if (error)
		return error;
	region_resize(&s->regions, r, r->start, m->from + m->new_size);
	range_merge(s, r->start, r->end);
	return 0;
}

static int find_target(struct remap *m)
{
	if (m->flags & MREMAP_FIXED)
		return 0;
	return range_room(m->space, m->flags & MREMAP_DONTUNMAP ? m->to : 0, m->new_size, 0, &m->to) ? 0 : -ENOMEM;
}

/* Does the old place lose its mapping? */
static bool leaves(const struct remap *m)
{
	return m->old_size && !(m->flags & MREMAP_DONTUNMAP);
}

/*
 * What the whole move may need, counted and taken before it starts: tables at the edges, the new region, one for a hole at either place, or two to unlock what
 * stays empty.  The caller releases it.
 */
static int reserve_for(const struct remap *m, const struct region *r, struct reserve *reserve)
{
	struct space *s = m->space;
	unsigned holes = range_holes(s, m->to, m->to + m->new_size);

	if (leaves(m))
		holes += range_holes(s, m->from, m->from + m->old_size);
	else if (m->old_size && (r->flags & REGION_LOCKED))
		holes += range_splits(s, m->from, m->from + m->old_size);

	if (mmu_own(&s->mmu, m->from, m->from + m->old_size, MMU_OWN_EDGES) < 0 || mmu_own(&s->mmu, m->to, m->to + m->new_size, MMU_OWN_EDGES) < 0)
		return -ENOMEM;
	if (s->regions.count + holes >= MAX_REGIONS)
		return -ENOMEM;
	return reserve_take(reserve, sizeof(struct region), holes + 1);
}

/* Accounts for the new place, in view of what goes from there and from the old one. */
static int account_for(const struct remap *m, const struct region *new)
{
	struct range_sum gone = range_sum(m->space, m->to, m->to + m->new_size);

	if (leaves(m)) {
		struct range_sum old = range_sum(m->space, m->from, m->from + m->old_size);

		gone.mapped += old.mapped;
		gone.committed += old.committed;
		gone.locked += old.locked;
	}
	return account_more(m->space, new, m->new_size >> PAGE_SHIFT, gone);
}

/* The old place stays mapped, but empty: what was locked has left. */
static void unlock(struct space *s, vaddr_t start, vaddr_t end, struct reserve *reserve)
{
	range_split(s, start, end, reserve);
	range_flag(s, start, end, REGION_LOCKED | REGION_LOCKONFAULT, 0);
}

/* Moves the pages of [from, from + the lesser size) to a new region at `to`; the old place goes, or stays empty (DONTUNMAP). */
static vaddr_t move(struct remap *m, struct region *r)
{
	struct space *s = m->space;
	struct reserve reserve = { .n = 0 };
	struct region what = region_like(r), *new;
	struct mmu_gather gather;
	size_t moved = m->old_size < m->new_size ? m->old_size : m->new_size;
	int error = find_target(m);

	what.offset += (m->from - r->start) >> PAGE_SHIFT;
	what.flags &= ~(unsigned)REGION_HEAP;
	what.start = m->to;
	what.end = m->to + m->new_size;
	if (!error)
		error = reserve_for(m, r, &reserve);
	if (!error)
		error = account_for(m, &what);
	if (!error) {
		error = mmu_move_prepare(&s->mmu, m->from, m->to, moved);
		if (error)
			account_region(s, &what, -(ssize)(m->new_size >> PAGE_SHIFT));
	}
	if (!error) {				/* from here on nothing fails */
		new = reserve_use(&reserve);
		*new = what;
		if (new->object)
			object_ref(new->object);	/* between the old place's going and the new one's coming */
		range_unmap(s, m->to, m->to + m->new_size, &reserve);
		mmu_gather_begin(&gather, &s->mmu);
		mmu_move(&s->mmu, m->from, m->to, moved, &gather);
		mmu_gather_finish(&gather);
		if (leaves(m))
			range_unmap(s, m->from, m->from + m->old_size, &reserve);
		else if (m->old_size && (what.flags & REGION_LOCKED))
			unlock(s, m->from, m->from + m->old_size, &reserve);
		range_add(s, new);
		if (what.object)
			object_put(what.object);
	}
	reserve_release(&reserve);
	return error ? as_error(error) : m->to;
}

/* Shrinks or grows without moving: true, and the result in *at. */
static bool stays(struct remap *m, struct region *r, vaddr_t *at)
{
	int error = 0;

	*at = m->from;
	if (m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return false;
	if (m->new_size < m->old_size)
		error = range_remove(m->space, m->from + m->new_size, m->from + m->old_size);
	else if (m->new_size > m->old_size && m->old_size && can_grow(m, r))
		error = grow(m, r);
	else if (m->new_size != m->old_size || !m->old_size)
		return false;
	if (error)
		*at = as_error(error);
	return true;
}

static vaddr_t remap_locked(struct remap *m)
{
	struct region *r = region_find(&m->space->regions, m->from);
	vaddr_t at;

	if (!r || r->start > m->from)
		return as_error(-EFAULT);
	if (m->old_size == 0 && !(r->flags & REGION_SHARED))
		return as_error(-EINVAL);
	/* What grows or moves is of one region; what stays, or is only cut off, need not be. */
	size_t part = m->new_size > m->old_size ? m->old_size : m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? m->new_size : 0;
	if (part > r->end - m->from)
		return as_error(-EFAULT);
	if (m->old_size > m->new_size && m->old_size > USER_MAX - m->from)
		return as_error(-EINVAL);		/* beyond user memory there is nothing of ours to cut off */
	if ((r->flags & REGION_LOCKED) && m->new_size > m->old_size
		&& !account_may_lock(m->space->locked + ((m->new_size - m->old_size) >> PAGE_SHIFT)))
		return as_error(-EAGAIN);
	if (stays(m, r, &at))
		return at;
	return m->flags & MREMAP_MAYMOVE ? move(m, r) : as_error(-ENOMEM);
}

vaddr_t vm_mremap(struct space *s, vaddr_t from, size_t old_size, size_t new_size, unsigned flags, vaddr_t to)
{
	struct remap m = { .space = s, .from = from, .to = to, .flags = flags };

	if (old_size > USER_MAX || new_size > USER_MAX)
		return as_error(-EINVAL);
	m.old_size = page_ceil(old_size);
	m.new_size = page_ceil(new_size);
	int error = check_arguments(&m);
	if (error)
		return as_error(error);
	write_lock(&s->lock);
	vaddr_t at = remap_locked(&m);
	write_unlock(&s->lock);
	return at;
}
