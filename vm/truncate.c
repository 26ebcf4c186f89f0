/*
 * vm/truncate.c - taking pages out of an object that is mapped: out of the object first, then out of every mapping.
 *
 *   truncation   all pages beyond the new end, private copies included; the next touch is SIGBUS
 *   a hole       those in the middle; private copies stay with who made them, and the next touch reads zeros
 *
 * The order of locks is space before object, but here the way leads from the object to the spaces that map it.  So its list of mappings is
 * only looked at under its lock, for one space at a time that has not been visited; that gets a reference, and is locked alone.  One at a time makes such a visit
 * (object->visiting): each marks the regions that it has seen.
 * A mapping that comes meanwhile finds the new size, and new pages in a hole: to unmap such a page costs a fault and loses nothing.
 */
#include "vm/range.h"
#include "vm/object.h"

/* A reference, unless the space is being destroyed: then its pages go anyway. */
static bool ref_if_alive(struct space *s)
{
	unsigned n = __atomic_load_n(&s->refs, __ATOMIC_RELAXED);

	while (n > 0)
		if (__atomic_compare_exchange_n(&s->refs, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

struct space *object_next_space(struct object *o, unsigned visit)
{
	struct space *found = NULL;

	spin_lock(&o->lock);
	list_for_each(pos, &o->mappings) {
		struct region *r = container_of(pos, struct region, mapping);

		if (!found && r->visit != visit && ref_if_alive(r->space))
			found = r->space;
		if (r->space == found)
			r->visit = visit;
	}
	spin_unlock(&o->lock);
	return found;
}

/* Pages of an object, `end` exclusive, and whether the private copies of them go too. */
struct cut { struct object *object; uint64_t first, end; enum { COPIES_GO, COPIES_STAY } copies; };

/* Takes the object's own pages of a private mapping out, page by page: [from, to) are pages of the object. */
static void unmap_uncopied(struct space *s, const struct region *r, uint64_t from, uint64_t to, struct mmu_gather *gather)
{
	while (object_skip(r->object, &from) && from < to) {
		vaddr_t va = r->start + ((from++ - r->offset) << PAGE_SHIFT);
		pfn_t pfn = mmu_query(&s->mmu, va).pfn;

		if (pfn != PFN_NONE && page_type(page_word_of(pfn)) == PAGE_RECORD)
			mmu_unmap(&s->mmu, va, va + PAGE_SIZE, gather);
	}
}

static void unmap_from(struct space *s, const struct cut *cut)
{
	struct mmu_gather gather;

	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	for (struct region *r = region_first(&s->regions); r; r = region_next(r)) {
		uint64_t from = r->offset, to = from + ((r->end - r->start) >> PAGE_SHIFT);

		if (from < cut->first)
			from = cut->first;
		if (to > cut->end)
			to = cut->end;
		if (r->object != cut->object || from >= to)
			continue;
		if (cut->copies == COPIES_STAY && !(r->flags & REGION_SHARED))
			unmap_uncopied(s, r, from, to, &gather);
		else
			mmu_unmap(&s->mmu, r->start + ((from - r->offset) << PAGE_SHIFT), r->start + ((to - r->offset) << PAGE_SHIFT), &gather);
	}
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
}

/* object->visiting is held. */
static void unmap_everywhere(const struct cut *cut)
{
	unsigned visit = ++cut->object->visits;
	struct space *s;

	while ((s = object_next_space(cut->object, visit))) {
		unmap_from(s, cut);
		space_put(s);
	}
	object_trim(cut->object, cut->first, cut->end);
}

void vm_truncate(struct object *o, uint64_t size)
{
	mutex_lock(&o->visiting);
	bool cuts = size <= object_size(o);
	object_resize(o, size);
	if (cuts)
		unmap_everywhere(&(struct cut){ o, object_pages(size), object_pages(OBJECT_ENDLESS), COPIES_GO });
	mutex_unlock(&o->visiting);
}

void vm_punch(struct object *o, uint64_t from, uint64_t to)
{
	mutex_lock(&o->visiting);
	object_punch(o, from, to);
	unmap_everywhere(&(struct cut){ o, object_pages(from), to >> PAGE_SHIFT, COPIES_STAY });
	mutex_unlock(&o->visiting);
}
