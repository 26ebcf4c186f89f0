/*
 * vm/physmap.c - physical memory at boot: sets of frame ranges, and the bump allocator.  See physmap.h.
 *
 * Two sets are kept: `ram`, all usable memory, and `avail`, what of it nobody has taken.  A set is a sorted array of
 * disjoint ranges that do not touch.  When the array is full, the smallest piece is forgotten: memory is lost, nothing else.
 */
#include "vm/physmap.h"
#include "lib/string.h"

struct range_set {
	size_t n;
	struct phys_range range[PHYSMAP_MAX + 1];	/* one spare, to insert before the smallest is forgotten */
};

static struct range_set ram, avail;
static size_t forgotten;				/* frames */

static const pfn_t LOW_4G = (pfn_t)1 << (32 - PAGE_SHIFT);

static void delete_at(struct range_set *set, size_t i)
{
	memmove(&set->range[i], &set->range[i + 1], (set->n - i - 1) * sizeof set->range[0]);
	set->n--;
}

static void insert_at(struct range_set *set, size_t i, pfn_t start, pfn_t end)
{
	memmove(&set->range[i + 1], &set->range[i], (set->n - i) * sizeof set->range[0]);
	set->range[i] = (struct phys_range){ start, end };
	set->n++;
	if (set->n <= PHYSMAP_MAX)
		return;
	size_t smallest = 0;
	for (size_t k = 1; k < set->n; k++)
		if (set->range[k].end - set->range[k].start < set->range[smallest].end - set->range[smallest].start)
			smallest = k;
	forgotten += set->range[smallest].end - set->range[smallest].start;
	delete_at(set, smallest);
}

static void set_add(struct range_set *set, pfn_t start, pfn_t end)
{
	size_t i = 0;

	while (i < set->n && set->range[i].end < start)
		i++;
	while (i < set->n && set->range[i].start <= end) {	/* swallow what overlaps or touches */
		if (set->range[i].start < start)
			start = set->range[i].start;
		if (set->range[i].end > end)
			end = set->range[i].end;
		delete_at(set, i);
	}
	insert_at(set, i, start, end);
}

static void set_subtract(struct range_set *set, pfn_t start, pfn_t end)
{
	for (size_t i = 0; i < set->n; ) {
		struct phys_range *r = &set->range[i], old = *r;

		if (old.end <= start || old.start >= end) {
			i++;
		} else if (old.start >= start && old.end <= end) {
			delete_at(set, i);
		} else if (old.start < start && old.end > end) {
			r->end = start;
			insert_at(set, i + 1, end, old.end);
			return;
		} else {
			if (old.start < start)
				r->end = start;
			else
				r->start = end;
			i++;
		}
	}
}

void physmap_usable(paddr_t start, paddr_t end)
{
	paddr_t first = start + PAGE_MASK;

	if (end <= start || first < start || pfn_of(first) >= pfn_of(end))
		return;					/* empty, wraps around, or less than a page */
	set_add(&ram, pfn_of(first), pfn_of(end));
	set_add(&avail, pfn_of(first), pfn_of(end));
}

/* The frames that [start, end) touches; false: none. */
static bool touched(paddr_t start, paddr_t end, struct phys_range *out)
{
	if (end <= start)
		return false;
	*out = (struct phys_range){ pfn_of(start), pfn_of(end - 1) + 1 };
	return true;
}

void physmap_reserve(paddr_t start, paddr_t end)
{
	struct phys_range r;

	if (touched(start, end, &r))
		set_subtract(&avail, r.start, r.end);
}

void physmap_remove(paddr_t start, paddr_t end)
{
	struct phys_range r;

	if (touched(start, end, &r)) {
		set_subtract(&ram, r.start, r.end);
		set_subtract(&avail, r.start, r.end);
	}
}

pfn_t boot_alloc(size_t npages)
{
	for (size_t i = avail.n; i-- > 0; ) {
		pfn_t start = avail.range[i].start;
		pfn_t end = avail.range[i].end < LOW_4G ? avail.range[i].end : LOW_4G;

		if (start < end && end - start >= npages) {
			set_subtract(&avail, end - npages, end);
			return end - npages;
		}
	}
	return PFN_NONE;
}

const struct phys_range *physmap_ram(size_t *n)
{
	*n = ram.n;
	return ram.range;
}

const struct phys_range *physmap_free(size_t *n)
{
	*n = avail.n;
	return avail.range;
}

size_t physmap_forgotten(void)
{
	return forgotten;
}

void physmap_reset(void)
{
	ram.n = avail.n = forgotten = 0;
}
