/*
 * vm/truncate.c - cutting an object that is mapped: the pages beyond its new end go from every mapping, private copies included,
 * and the next touch is SIGBUS.
 *
 * The order of locks is space before object, but here the way leads from the object to the spaces that map it.  So its list of mappings is
 * only looked at under its lock, for one space at a time that has not been visited; that gets a reference, and is locked alone.
 * A mapping that comes meanwhile finds the new size.
 */
#include "vm/mmap.h"
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

/* A space with mappings that this visit has not seen, with a reference; all its mappings are seen now. NULL: there is none. */
static struct space *next_space(struct object *o, unsigned visit)
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

static void unmap_from(struct space *s, const struct object *o, uint64_t index)
{
	struct mmu_gather gather;

	mutex_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	for (struct region *r = region_first(&s->regions); r; r = region_next(r)) {
		uint64_t npages = (r->end - r->start) >> PAGE_SHIFT, stay = index > r->offset ? index - r->offset : 0;

		if (r->object == o && stay < npages)
			mmu_unmap(&s->mmu, r->start + (stay << PAGE_SHIFT), r->end, &gather);
	}
	mmu_gather_finish(&gather);
	mutex_unlock(&s->lock);
}

void vm_truncate(struct object *o, uint64_t size)
{
	uint64_t old = o->size;
	struct space *s;

	object_resize(o, size);
	if (size >= old)
		return;
	unsigned visit = __atomic_add_fetch(&o->visits, 1, __ATOMIC_RELAXED);
	while ((s = next_space(o, visit))) {
		unmap_from(s, o, size / PAGE_SIZE + (size & PAGE_MASK ? 1 : 0));
		space_put(s);
	}
}
