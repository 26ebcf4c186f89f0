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

static vaddr_t as_error(int error)
{
	return (vaddr_t)(ssize)error;
}

struct remap {
	struct space *space;
	vaddr_t from, to;		/* to: the fixed place, if flags say so */
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
	if (!(m->flags & MREMAP_FIXED))
		return 0;
	if ((m->to & PAGE_MASK) || m->to < USER_MIN || m->to > USER_MAX - m->new_size)
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

static void grow(const struct remap *m, struct region *r)
{
	struct space *s = m->space;

	s->mapped += (m->new_size - m->old_size) >> PAGE_SHIFT;
	region_resize(&s->regions, r, r->start, m->from + m->new_size);
	range_merge(s, r->start, r->end);
}

static int find_target(struct remap *m)
{
	if (m->flags & MREMAP_FIXED)
		return 0;
	return range_room(m->space, 0, m->new_size, 0, &m->to) ? 0 : -ENOMEM;
}

/* Does the old place lose its mapping? */
static bool leaves(const struct remap *m)
{
	return m->old_size && !(m->flags & MREMAP_DONTUNMAP);
}

/* What the whole move may need, counted and taken before it starts: tables at the edges, splits at both places and the new region.  The caller releases both. */
static int reserve_for(const struct remap *m, struct reserve *source, struct reserve *target)
{
	struct space *s = m->space;
	unsigned splits = leaves(m) ? range_splits(s, m->from, m->from + m->old_size) : 0, more = range_splits(s, m->to, m->to + m->new_size);

	if (mmu_own(&s->mmu, m->from, m->from + m->old_size, MMU_OWN_EDGES) < 0 || mmu_own(&s->mmu, m->to, m->to + m->new_size, MMU_OWN_EDGES) < 0)
		return -ENOMEM;
	if (s->regions.count + splits + more >= MAX_REGIONS || reserve_take(source, sizeof(struct region), splits) < 0)
		return -ENOMEM;
	return reserve_take(target, sizeof(struct region), more + 1);
}

/* Moves the pages of [from, from + the lesser size) to a new region at `to`; the old place goes, or stays empty (DONTUNMAP). */
static vaddr_t move(struct remap *m, struct region *r)
{
	struct space *s = m->space;
	struct reserve source = { .n = 0 }, target = { .n = 0 };
	struct mmu_gather gather;
	size_t moved = m->old_size < m->new_size ? m->old_size : m->new_size;
	int error = find_target(m);

	if (!error)
		error = reserve_for(m, &source, &target);
	if (!error)
		error = mmu_move_prepare(&s->mmu, m->from, m->to, moved);
	if (!error) {				/* from here on nothing fails */
		struct region *new = reserve_use(&target);

		*new = *r;
		new->offset += (m->from - r->start) >> PAGE_SHIFT;
		new->flags &= ~(unsigned)REGION_HEAP;
		new->start = m->to;
		new->end = m->to + m->new_size;
		if (new->object)
			object_ref(new->object);	/* between the old place's going and the new one's coming */
		if (target.n)
			range_split(s, m->to, m->to + m->new_size, &target);
		range_unmap(s, m->to, m->to + m->new_size);
		mmu_gather_begin(&gather, &s->mmu);
		mmu_move(&s->mmu, m->from, m->to, moved, &gather);
		mmu_gather_finish(&gather);
		if (source.n)
			range_split(s, m->from, m->from + m->old_size, &source);
		if (leaves(m))
			range_unmap(s, m->from, m->from + m->old_size);
		struct object *object = new->object;
		range_add(s, new);
		if (object)
			object_put(object);
	}
	reserve_release(&source);
	reserve_release(&target);
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
		grow(m, r);
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
	if (m->old_size > r->end - m->from && (m->new_size >= m->old_size || (m->flags & MREMAP_MAYMOVE && m->flags & MREMAP_FIXED)))
		return as_error(-EFAULT);
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
	mutex_lock(&s->lock);
	vaddr_t at = remap_locked(&m);
	mutex_unlock(&s->lock);
	return at;
}
