/*
 * vm/mmap.c - the memory calls: mmap, munmap, mprotect, brk, and the first stack.  See mmap.h.
 *
 * Each call is decode, then perform: arguments are checked and the regions that a split may need are reserved; from
 * then on nothing can fail.  A change of part of a region first splits it at the edges, so that the change itself only meets whole
 * regions; equal neighbours are merged afterwards.
 *
 * Lock: space->lock throughout.
 */
#include "vm/range.h"
#include "vm/heap.h"
#include "vm/object.h"
#include "lib/string.h"

/* ---- munmap ----------------------------------------------------------------------------------------------------------------- */

int vm_munmap(struct space *s, vaddr_t start, size_t length)
{
	vaddr_t end;

	if (!range_of_user(start, length, &end))
		return -EINVAL;
	write_lock(&s->lock);
	int error = range_remove(s, start, end);
	write_unlock(&s->lock);
	return error;
}

int vm_detach(struct space *s, vaddr_t base)
{
	const struct object *o = NULL;
	struct region *next;

	write_lock(&s->lock);
	for (struct region *r = region_find(&s->regions, base); r; r = next) {
		next = region_next(r);
		if (!r->object || !r->object->watch || (o && r->object != o) || (r->start - base) >> PAGE_SHIFT != r->offset)
			continue;
		o = r->object;
		range_unmap(s, r->start, r->end, NULL);		/* whole regions: no hole */
	}
	write_unlock(&s->lock);
	return o ? 0 : -EINVAL;
}

/* ---- mmap ------------------------------------------------------------------------------------------------------------------- */

static vaddr_t mmap_locked(struct space *s, vaddr_t at, struct region what, unsigned flags)
{
	size_t size = what.end, npages = size >> PAGE_SHIFT;
	struct reserve reserve;

	what.flags |= s->new_flags;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		struct region *r = region_find(&s->regions, at);

		if ((flags & MAP_FIXED_NOREPLACE) && r && r->start < at + size)
			return as_error(-EEXIST);
	} else if (!range_room(s, at, size, flags, &at)) {
		return as_error(-ENOMEM);
	}
	unsigned holes = range_holes(s, at, at + size);
	struct range_sum gone = range_sum(s, at, at + size);
	if (s->regions.count + holes >= MAX_REGIONS || mmu_own(&s->mmu, at, at + size, MMU_OWN_EDGES) < 0)
		return as_error(-ENOMEM);
	gone.locked = 0;			/* Linux has them count until they have gone */
	int error = account_more(s, &what, npages, gone);
	if (error)
		return as_error(error);
	if (reserve_take(&reserve, sizeof(struct region), 1 + holes) < 0) {
		account_region(s, &what, -(ssize)npages);
		return as_error(-ENOMEM);
	}
	struct region *r = reserve_use(&reserve);
	range_unmap(s, at, at + size, &reserve);
	*r = what;
	r->start = at;
	r->end = at + size;
	range_add(s, r);
	reserve_release(&reserve);
	return at;
}

/* Errors of the arguments alone. */
static int check_mmap(vaddr_t hint, size_t length, unsigned flags, const struct object *object, uint64_t offset)
{
	unsigned type = flags & MAP_TYPE;

	if (type != MAP_PRIVATE && type != MAP_SHARED && (type != MAP_SHARED_VALIDATE || !object))
		return -EINVAL;
	if (length == 0 || (offset & PAGE_MASK))
		return -EINVAL;
	if ((flags & MAP_GROWSDOWN) && (object || type != MAP_PRIVATE))
		return -EINVAL;			/* growing down would shift its pages */
	if (length > USER_MAX - USER_MIN)
		return -ENOMEM;
	if (object && (offset > FILE_MAX || page_ceil(length) > FILE_MAX - offset))
		return -EOVERFLOW;
	if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_LEGACY))
		return -EOPNOTSUPP;
	if (flags & MAP_HUGETLB)
		return -ENOMEM;			/* there is no pool of huge pages */
	if ((flags & MAP_LOCKED) && !account_may_lock_any())
		return -EPERM;
	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		return 0;
	if (hint & PAGE_MASK)
		return -EINVAL;
	if (hint > USER_MAX || page_ceil(length) > USER_MAX - hint)
		return -ENOMEM;
	return hint < USER_MIN ? -EPERM : 0;
}

vaddr_t vm_mmap(struct space *s, vaddr_t hint, size_t length, unsigned rights, unsigned flags, struct object *object,
	uint64_t offset)
{
	int error = check_mmap(hint, length, flags, object, offset);
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	struct object *own = NULL;
	vaddr_t at = 0;

	if (error)
		return as_error(error);
	bool reserves = !(flags & MAP_NORESERVE) || overcommit.mode == OVERCOMMIT_NEVER;
	struct region what = {
		.end = page_ceil(length),	/* the size, until a place is found */
		.rights = rights & VM_RIGHTS,
		.flags = (shared ? REGION_SHARED : 0) | (flags & MAP_GROWSDOWN ? REGION_GROWSDOWN : 0) | (flags & MAP_LOCKED ? REGION_LOCKED : 0)
			| (reserves ? 0 : REGION_NORESERVE) | (rights & VM_NOWRITE ? REGION_NOWRITE : 0),
		.object = object,
		.offset = object ? offset >> PAGE_SHIFT : 0,
	};
	if (region_commits(what.rights, what.flags))
		what.flags |= REGION_COMMITTED;
	if (!object && shared) {
		own = what.object = object_create(NULL, NULL, page_ceil(length));
		error = !own || (reserves && object_commit(own) < 0) ? -ENOMEM : 0;
	}
	if (!error && shared)
		error = object_will_map(what.object, what.rights, &what.flags);
	if (!error) {
		write_lock(&s->lock);
		at = mmap_locked(s, hint, what, flags);
		write_unlock(&s->lock);
		if (shared)
			object_mapped(what.object, what.flags);
	}
	if (own)
		object_put(own);
	return error ? as_error(error) : at;
}

int vm_remap_pages(struct space *s, vaddr_t start, vaddr_t end, uint64_t index)
{
	write_lock(&s->lock);
	struct region *r = region_find(&s->regions, start), what = { .object = NULL };
	if (r && r->start <= start && (r->flags & REGION_SHARED))
		what = region_like(r);
	while (r && r->end < end && (r = region_next(r)))
		if (r->start != what.end || r->object != what.object || r->flags != what.flags)
			r = NULL;
		else
			what.end = r->end;
	int error = !r || !what.object ? -EINVAL : index > (FILE_MAX - (end - start)) >> PAGE_SHIFT ? -EOVERFLOW
		: object_will_map(what.object, what.rights, &what.flags);
	if (!error) {
		object_ref(what.object);		/* while it is mapped in neither way */
		what.offset = index;
		what.end = end - start;			/* the size */
		vaddr_t at = mmap_locked(s, start, what, MAP_FIXED);
		error = at == start ? 0 : (int)at;
		object_mapped(what.object, what.flags);
		object_put(what.object);
	}
	write_unlock(&s->lock);
	return error;
}

/* ---- mprotect --------------------------------------------------------------------------------------------------------------- */

/* Will the region commit its memory, and does not yet? */
static bool will_commit(const struct region *r, unsigned rights)
{
	return !(r->flags & REGION_COMMITTED) && !(r->rights & VM_WRITE) && region_commits(rights, r->flags);
}

/*
 * Until where in [start, end), which is mapped, may these rights be given?  *error says what is against more.  What that will commit is charged: *charge pages.
 */
static vaddr_t permitted_until(struct space *s, vaddr_t start, vaddr_t end, unsigned rights, size_t *charge, int *error)
{
	size_t data = 0;

	*charge = 0;
	for (struct region *r = region_find(&s->regions, start); r && r->start < end && (rights & VM_WRITE); r = region_next(r)) {
		vaddr_t from = r->start > start ? r->start : start;
		size_t npages = ((r->end < end ? r->end : end) - from) >> PAGE_SHIFT;

		if (r->flags & REGION_NOWRITE) {
			*error = -EACCES;
			return from;
		}
		if (!(r->rights & VM_WRITE))
			data += npages;
		if (!account_fits(s, rights, r->flags, data) && account_fits(s, r->rights, r->flags, data)) {
			*error = -ENOMEM;
			return from;
		}
		if (!will_commit(r, rights))
			continue;
		if (commit_charge(s, npages) < 0) {
			*error = -ENOMEM;
			return from;
		}
		*charge += npages;
	}
	return end;
}

static void set_rights(struct space *s, struct region *r, unsigned rights)
{
	ssize npages = (ssize)((r->end - r->start) >> PAGE_SHIFT);

	account_region(s, r, -npages);
	if (will_commit(r, rights))
		r->flags |= REGION_COMMITTED;
	r->rights = rights;
	account_region(s, r, npages);
}

/* What entries get: pages of a file that are to be written back become writable one by one, as they are written. */
static unsigned rights_of_entries(const struct region *r)
{
	unsigned rights = r->rights ? r->rights | VM_READ : 0;

	return r->flags & REGION_SHARED && object_tracks(r->object) ? rights & ~(unsigned)VM_WRITE : rights;
}

static void protect_range(struct space *s, vaddr_t start, vaddr_t end, unsigned rights)
{
	struct mmu_gather gather;

	mmu_gather_begin(&gather, &s->mmu);
	for (struct region *r = region_find(&s->regions, start); r && r->start < end; r = region_next(r)) {
		if (r->rights == rights)
			continue;
		set_rights(s, r, rights);
		mmu_protect(&s->mmu, r->start, r->end, rights_of_entries(r), r->flags & REGION_SHARED ? MMU_WRITE_SHARED : MMU_WRITE_OWN, &gather);
	}
	mmu_gather_finish(&gather);
	range_merge(s, start, end);
}

static int mprotect_locked(struct space *s, vaddr_t start, vaddr_t end, unsigned rights)
{
	vaddr_t mapped = range_mapped_until(s, start, end);
	int error = mapped < end ? -ENOMEM : 0;
	size_t charge;
	vaddr_t permitted = permitted_until(s, start, mapped, rights, &charge, &error);
	unsigned splits = range_splits(s, start, permitted);
	struct reserve reserve;

	if (permitted > start && (s->regions.count + splits > MAX_REGIONS || mmu_own(&s->mmu, start, permitted, MMU_OWN_TABLES) < 0
		|| reserve_take(&reserve, sizeof(struct region), splits) < 0)) {
		error = -ENOMEM;
	} else if (permitted > start) {
		if (splits)
			range_split(s, start, permitted, &reserve);
		protect_range(s, start, permitted, rights);
		reserve_release(&reserve);
	}
	commit_release(charge);
	return error;				/* as Linux: what lies before the obstacle is changed */
}

/* PROT_GROWSDOWN: from the bottom of the stack that is there.  Nothing grows upwards. */
static int extend(struct space *s, vaddr_t *start, vaddr_t end, unsigned long grows)
{
	struct region *r = region_find(&s->regions, *start);

	if (!r || r->start >= end || (grows == PROT_GROWSUP && r->start > *start))
		return -ENOMEM;
	if (grows == PROT_GROWSUP || !(r->flags & REGION_GROWSDOWN))
		return -EINVAL;
	*start = r->start;
	return 0;
}

int vm_mprotect(struct space *s, vaddr_t start, size_t length, unsigned long prot)
{
	unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	vaddr_t end;

	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (start & PAGE_MASK))
		return -EINVAL;
	if (length == 0)
		return 0;
	if (start + length < start)
		return -ENOMEM;
	if (prot & ~(unsigned long)(VM_RIGHTS | PROT_SEM | grows))
		return -EINVAL;
	int clipped = range_clip(start, length, &end);
	write_lock(&s->lock);
	int error = grows ? extend(s, &start, end, grows) : 0;
	if (!error)
		error = mprotect_locked(s, start, end, (unsigned)prot & VM_RIGHTS);
	write_unlock(&s->lock);
	return error ? error : clipped;
}

/* ---- brk and stack ------------------------------------------------------------------------------------------------------------ */

void vm_set_brk(struct space *s, vaddr_t start)
{
	write_lock(&s->lock);
	s->brk_start = s->brk = start;
	write_unlock(&s->lock);
}

/* Maps [from, to), page-aligned, as heap; false: something is in the way, or no memory. */
static bool grow_break(struct space *s, vaddr_t from, vaddr_t to)
{
	struct region *above = region_find(&s->regions, from), *r;

	if (to > USER_MAX || (above && above->start < to + (above->flags & REGION_GROWSDOWN ? STACK_GUARD : 0)))
		return false;
	if (s->regions.count >= MAX_REGIONS || !(r = kmalloc(sizeof *r)))
		return false;
	*r = (struct region){ .start = from, .end = to, .rights = VM_READ | VM_WRITE, .flags = REGION_HEAP | REGION_COMMITTED | s->new_flags };
	bool fits = account_more(s, r, (to - from) >> PAGE_SHIFT, (struct range_sum){ 0 }) == 0;
	if (fits)
		range_add(s, r);
	else
		kfree(r);
	return fits;
}

static vaddr_t brk_locked(struct space *s, vaddr_t to)
{
	vaddr_t old = page_ceil(s->brk), new = page_ceil(to);

	if (to < s->brk_start || new < to)
		return s->brk;
	if (new > old && !grow_break(s, old, new))
		return s->brk;
	if (new < old && range_remove(s, new, old) < 0)
		return s->brk;
	return s->brk = to;
}

vaddr_t vm_brk(struct space *s, vaddr_t to)
{
	write_lock(&s->lock);
	vaddr_t now = brk_locked(s, to);
	write_unlock(&s->lock);
	return now;
}

int vm_map_stack(struct space *s, vaddr_t top, size_t initial, unsigned rights)
{
	vaddr_t start = top - page_ceil(initial);

	if (initial == 0)
		return -ENOMEM;
	struct region *r = kmalloc(sizeof *r), *above;
	if (!r)
		return -ENOMEM;
	*r = (struct region){ .start = start, .end = top, .rights = rights & VM_RIGHTS, .flags = REGION_GROWSDOWN | REGION_STACK | REGION_COMMITTED };
	write_lock(&s->lock);
	above = region_find(&s->regions, start);
	bool taken = above && above->start < top;		/* by a segment of a program that says it belongs there */
	if (!taken)
		taken = account_more(s, r, (top - start) >> PAGE_SHIFT, (struct range_sum){ 0 }) < 0;
	if (!taken) {
		s->stack_top = top;
		range_add(s, r);
	}
	write_unlock(&s->lock);
	if (taken)
		kfree(r);
	return taken ? -ENOMEM : 0;
}
