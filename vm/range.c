/*
 * vm/range.c - what the memory calls share: regions are split at the edges of a range, taken out, looked for room for, added, merged.
 *
 * A change of part of a region first splits it at the edges, so that the change itself only meets whole regions; equal neighbours are
 * merged afterwards.  A region that has an object is in the object's list of mappings, from region_attach to region_detach.
 *
 * Lock: space->lock throughout; an object's lock inside it.
 */
#include "vm/range.h"
#include "vm/heap.h"
#include "vm/object.h"

/* ---- regions come and go --------------------------------------------------------------------------------------------------- */

void region_attach(struct space *s, struct region *r)
{
	r->space = s;
	region_insert(&s->regions, r);
	if (!r->object)
		return;
	object_ref(r->object);
	spin_lock(&r->object->lock);
	list_append(&r->object->mappings, &r->mapping);
	spin_unlock(&r->object->lock);
	if (r->object->watch)
		r->object->watch(r->object, 1);
}

void region_leave_object(struct region *r)
{
	if (!r->object)
		return;
	spin_lock(&r->object->lock);
	list_remove(&r->mapping);
	spin_unlock(&r->object->lock);
	if (r->object->watch)
		r->object->watch(r->object, -1);
	object_put(r->object);
}

void region_detach(struct space *s, struct region *r)
{
	region_remove(&s->regions, r);
	region_leave_object(r);
}

/* ---- splitting and merging ----------------------------------------------------------------------------------------------- */

/* Cuts r in two at `at`, which lies inside it; returns the upper part, which is the reserved region. */
static struct region *split(struct space *s, struct region *r, vaddr_t at, struct reserve *reserve)
{
	struct region *upper = reserve_use(reserve);

	*upper = region_like(r);
	upper->start = at;
	upper->offset += (at - r->start) >> PAGE_SHIFT;
	region_resize(&s->regions, r, r->start, at);
	region_attach(s, upper);
	return upper;
}

static ssize region_pages(const struct region *r)
{
	return (ssize)((r->end - r->start) >> PAGE_SHIFT);
}

/* The region that crosses the edge, if there is one; r is the first that reaches beyond what lies below it. */
static struct region *crosses(struct space *s, struct region *r, vaddr_t edge)
{
	if (r && r->end < edge)
		r = region_find(&s->regions, edge);
	return r && r->start < edge && r->end > edge ? r : NULL;
}

/* Splits the regions that cross the edges of [start, end).  Needs at most two from the reserve. */
void range_split(struct space *s, vaddr_t start, vaddr_t end, struct reserve *reserve)
{
	struct region *r = region_find(&s->regions, start);

	if (r && r->start < start)
		r = split(s, r, start, reserve);
	if ((r = crosses(s, r, end)))
		split(s, r, end, reserve);
}

/* How many regions range_split will add. */
unsigned range_splits(struct space *s, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(&s->regions, start);

	assert(write_held(&s->lock));
	return (r && r->start < start) + (crosses(s, r, end) != NULL);
}

static bool can_merge(const struct region *low, const struct region *high)
{
	return low->end == high->start && low->rights == high->rights && low->flags == high->flags && low->object == high->object
		&& !(low->flags & REGION_GROWSDOWN)
		&& (!low->object || low->offset + ((low->end - low->start) >> PAGE_SHIFT) == high->offset);
}

static void drop_region(struct space *s, struct region *r)
{
	region_detach(s, r);
	kfree(r);
}

/* Merges r with the region below it, if they are alike; returns the region that has r's pages now. */
static struct region *merge_below(struct space *s, struct region *r)
{
	struct region *low = region_prev(r);
	vaddr_t end = r->end;

	if (!low || !can_merge(low, r))
		return r;
	drop_region(s, r);
	region_resize(&s->regions, low, low->start, end);
	return low;
}

/* Merges what is alike in and around [start, end). */
void range_merge(struct space *s, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(&s->regions, start);

	while (r && r->start <= end) {
		r = merge_below(s, r);
		r = region_next(r);
	}
}

/* ---- taking out -------------------------------------------------------------------------------------------------------------- */

/* The part below `end` of r goes. */
static void trim_front(struct space *s, struct region *r, vaddr_t end)
{
	r->offset += (end - r->start) >> PAGE_SHIFT;
	region_resize(&s->regions, r, end, r->end);
}

struct range_sum range_sum(struct space *s, vaddr_t start, vaddr_t end)
{
	struct range_sum sum = { 0 };

	for (struct region *r = region_find(&s->regions, start); r && r->start < end; r = region_next(r)) {
		size_t n = ((r->end < end ? r->end : end) - (r->start > start ? r->start : start)) >> PAGE_SHIFT;

		sum.mapped += n;
		sum.committed += r->flags & REGION_COMMITTED ? n : 0;
		sum.locked += r->flags & REGION_LOCKED ? n : 0;
	}
	return sum;
}

vaddr_t range_mapped_until(struct space *s, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(&s->regions, start);

	while (r && r->start <= start && start < end) {
		start = r->end;
		r = region_next(r);
	}
	return start < end ? start : end;
}

unsigned range_holes(struct space *s, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(&s->regions, start);

	return r && r->start < start && r->end > end;
}

void range_unmap(struct space *s, vaddr_t start, vaddr_t end, struct reserve *reserve)
{
	struct region *r = region_find(&s->regions, start);

	assert(write_held(&s->lock));
	if (!r || r->start >= end)
		return;
	space_note_peak(s);
	mmu_discard(&s->mmu, start, end);
	if (r->start < start && r->end > end)
		split(s, r, end, reserve);
	if (r->start < start) {
		account_region(s, r, -(ssize)((r->end - start) >> PAGE_SHIFT));
		region_resize(&s->regions, r, r->start, start);
		r = region_next(r);
	}
	while (r && r->start < end) {
		struct region *next = region_next(r);

		account_region(s, r, -(ssize)(((r->end < end ? r->end : end) - r->start) >> PAGE_SHIFT));
		if (r->end > end)
			trim_front(s, r, end);
		else
			drop_region(s, r);
		r = next;
	}
}

/* ---- finding room and adding ---------------------------------------------------------------------------------------------------- */

/* Is [start, start + length) a page-aligned range of user space that is not empty?  Its end in *end. */
bool range_of_user(vaddr_t start, size_t length, vaddr_t *end)
{
	if ((start & PAGE_MASK) || length == 0 || start > USER_MAX || length > USER_MAX - start)
		return false;
	*end = page_ceil(start + length);
	return true;
}

int range_clip(vaddr_t start, size_t length, vaddr_t *end)
{
	if (range_of_user(start, length, end))
		return 0;
	*end = start < USER_MAX ? USER_MAX : start;
	return -ENOMEM;
}

/* Free room for a mapping: at the hint if that is free, else as high as possible below mmap_top, else anywhere. */
bool range_room(struct space *s, vaddr_t hint, size_t size, unsigned flags, vaddr_t *found)
{
	const vaddr_t limit_32bit = (vaddr_t)1 << 31 < USER_MAX ? (vaddr_t)1 << 31 : USER_MAX;
	vaddr_t bottom = USER_MIN, top = s->mmap_top, end = USER_MAX;

	if (flags & MAP_32BIT) {
		end = top = limit_32bit;
		bottom = limit_32bit / 2;		/* as Linux: what is below is for hints */
	}
	hint = page_floor(hint);
	if (hint && hint < USER_MIN)
		hint = USER_MIN;
	if (hint && hint < end && size <= end - hint) {
		struct region *r = region_find(&s->regions, hint);

		*found = hint;
		if (!r || (r->start >= hint + size && !((r->flags & REGION_GROWSDOWN) && r->start - hint - size < STACK_GUARD)))
			return true;
	}
	return region_gap(&s->regions, size, bottom, top, found) || region_gap(&s->regions, size, bottom, end, found);
}

/* Inserts a region that replaces nothing, merged with its neighbours where they are alike. */
void range_add(struct space *s, struct region *r)
{
	struct region *next;

	assert(write_held(&s->lock));
	region_attach(s, r);
	r = merge_below(s, r);
	next = region_next(r);
	if (next)
		merge_below(s, next);
}

int range_remove(struct space *s, vaddr_t start, vaddr_t end)
{
	struct reserve reserve;
	unsigned holes = range_holes(s, start, end);

	if ((holes && s->regions.count >= MAX_REGIONS) || mmu_own(&s->mmu, start, end, MMU_OWN_EDGES) < 0
		|| reserve_take(&reserve, sizeof(struct region), holes) < 0)
		return -ENOMEM;
	range_unmap(s, start, end, &reserve);
	reserve_release(&reserve);
	return 0;
}

/* ---- marking -------------------------------------------------------------------------------------------------------------------- */

void range_flag(struct space *s, vaddr_t start, vaddr_t end, unsigned clear, unsigned set)
{
	for (struct region *r = region_find(&s->regions, start); r && r->start < end; r = region_next(r)) {
		account_region(s, r, -region_pages(r));
		r->flags = (r->flags & ~clear) | set;
		account_region(s, r, region_pages(r));
	}
	range_merge(s, start, end);
}

int range_mark(struct space *s, vaddr_t start, vaddr_t end, unsigned clear, unsigned set)
{
	unsigned splits = range_splits(s, start, end);
	struct reserve reserve;

	if (s->regions.count + splits > MAX_REGIONS || (splits && mmu_own(&s->mmu, start, end, MMU_OWN_EDGES) < 0)
		|| reserve_take(&reserve, sizeof(struct region), splits) < 0)
		return -ENOMEM;
	if (splits)
		range_split(s, start, end, &reserve);
	range_flag(s, start, end, clear, set);
	reserve_release(&reserve);
	return 0;
}
