/*
 * vm/writeback.c - what was written to the pages of a file goes back to its pager: msync, fsync, sync.
 *
 * A page of an object whose pager has `write` is mapped read-only until somebody writes it; that fault (class shared-write) marks its record dirty.
 * To clean pages, in this order:
 *
 *   1. dirty records are marked as being cleaned;
 *   2. the write right is taken from all mappings, so that the next write is a fault, which marks the record dirty again;
 *   3. the pages are handed to the pager; those still marked are clean.
 *
 * A write before 2 is in what the pager gets; one after 2 leaves the record dirty.  Nothing is lost, whoever writes in between.  Another who cleans must not run in
 * between: the first to come to its 3 would take the other's mark for its own, while the other's 2 is still to come.
 *
 * Locks: none is held on entry.  object->visiting for all three.  One space after the other, as in vm/truncate.c; an object's lock inside.
 */
#include "vm/range.h"
#include "vm/object.h"

/* Takes the write right of pages first to last from the space's shared mappings of the object. */
static void protect_in(struct space *s, const struct object *o, uint64_t first, uint64_t last)
{
	struct mmu_gather gather;

	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	for (struct region *r = region_first(&s->regions); r; r = region_next(r)) {
		uint64_t from = r->offset, to = from + ((r->end - r->start) >> PAGE_SHIFT) - 1;

		if (from < first)
			from = first;
		if (to > last)
			to = last;
		if (r->object == o && (r->flags & REGION_SHARED) && (r->rights & VM_WRITE) && from <= to)
			mmu_protect(&s->mmu, r->start + ((from - r->offset) << PAGE_SHIFT), r->start + ((to - r->offset + 1) << PAGE_SHIFT),
				(r->rights & ~VM_WRITE) | VM_READ, MMU_WRITE_SHARED, &gather);
	}
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
}

void vm_writeback(struct object *o, uint64_t first, uint64_t last)
{
	struct space *s;

	if (!object_tracks(o))
		return;
	mutex_lock(&o->visiting);
	object_begin_clean(o, first, last);
	unsigned visit = ++o->visits;
	while ((s = object_next_space(o, visit))) {
		protect_in(s, o, first, last);
		space_put(s);
	}
	object_end_clean(o, first, last);
	mutex_unlock(&o->visiting);
}

void vm_sync(void)
{
	static unsigned rounds;
	unsigned round = __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	struct object *o;

	while ((o = object_next_unsynced(round))) {
		vm_writeback(o, 0, OBJECT_ENDLESS);
		object_put(o);
	}
}

/* The shared mapping at or above `start` whose pages are written back: its object, with a reference, and which pages below `end`. */
static struct object *next_tracked(struct space *s, vaddr_t *start, vaddr_t end, uint64_t *first, uint64_t *last)
{
	struct region *r = region_find(&s->regions, *start);

	while (r && r->start < end && !(r->flags & REGION_SHARED && r->object && object_tracks(r->object)))
		r = region_next(r);
	if (!r || r->start >= end)
		return NULL;
	vaddr_t from = r->start > *start ? r->start : *start, to = r->end < end ? r->end : end;
	*first = r->offset + ((from - r->start) >> PAGE_SHIFT);
	*last = r->offset + ((to - r->start) >> PAGE_SHIFT) - 1;
	*start = to;
	return object_ref(r->object);
}

void vm_writeback_range(struct space *s, vaddr_t start, vaddr_t end)
{
	while (start < end) {
		uint64_t first, last;

		read_lock(&s->lock);
		struct object *o = next_tracked(s, &start, end, &first, &last);
		read_unlock(&s->lock);
		if (!o)
			return;
		vm_writeback(o, first, last);
		object_put(o);
	}
}
