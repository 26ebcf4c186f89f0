/*
 * vm/reclaim.c - reclaim: the oldest pages of files first, those in use not.  See reclaim.h.
 *
 * Every copy of a file's page is in one list, by age (a clock, as a list).  The oldest is looked at: was it read() since the last look, or
 * did a processor use it through any mapping (accessed bit)?  Then it becomes the youngest, and what was noted of its use is
 * forgotten.  Otherwise it is taken out of all mappings and freed.  What is borrowed from the boot image would free nothing, and
 * memory of its own (anonymous, tmpfs) has no place to go to: neither is in the list.
 *
 * Progress: the RECLAIM_YOUNGEST last of the list, for each processor, are never touched.  A page that was read for a fault is the last; it stays until that many others
 * have been read or found in use after it.  One instruction needs fewer pages than that, so it has them all at once in the end,
 * however short memory is.
 *
 * Locks go from the space to the object to the list; reclaim goes the other way by trylock only, and a page whose locks are not to be had gets
 * another round.  A page that is being looked at is not in the list, and its object is locked: so it cannot go meanwhile, nor can the object, nor a region
 * that maps it, nor that region's space.
 */
#include "vm/reclaim.h"
#include "vm/heap.h"
#include "vm/object.h"
#include "vm/space.h"

enum { LOOKS_IN_PASSING = 128 };

struct reclaim_stats reclaim_stats;
static struct spinlock age_lock = SPINLOCK_INIT("page ages", RANK_OBJECT + 2);
static struct list by_age = LIST_INIT(by_age);		/* records, the oldest first; age_lock, as is reclaim_stats.pages */
LOCK_GUARDS(age_lock, by_age);

/* age_lock held, but for those who only want to know about how many there are. */
static void pages_change(ssize n) { __atomic_store_n(&reclaim_stats.pages, reclaim_stats.pages + (size_t)n, __ATOMIC_RELAXED); }
static size_t reclaimable(void) { return __atomic_load_n(&reclaim_stats.pages, __ATOMIC_RELAXED); }
/* So many for each processor's instruction. */
static size_t youngest(void) { return (size_t)RECLAIM_YOUNGEST * cpu_count; }

void reclaim_add(struct page_record *r)
{
	spin_lock(&age_lock);
	list_append(&by_age, &r->age);
	pages_change(1);
	spin_unlock(&age_lock);
}

void reclaim_remove(struct page_record *r)
{
	spin_lock(&age_lock);
	pages_change(-(ssize)!list_empty(&r->age));
	list_remove(&r->age);
	spin_unlock(&age_lock);
}

/* The oldest page, out of the list and with its object locked; NULL: it is busy and has become the youngest. */
static struct page_record *take_oldest(void)
{
	spin_lock(&age_lock);
	if (reclaim_stats.pages <= youngest()) {		/* others were quicker */
		spin_unlock(&age_lock);
		return NULL;
	}
	struct page_record *r = container_of(list_pop(&by_age), struct page_record, age);
	if (spin_trylock(&r->object->lock)) {
		pages_change(-1);
	} else {
		list_append(&by_age, &r->age);
		r = NULL;
	}
	spin_unlock(&age_lock);
	return r;
}

/* ---- the mappings of a page ---------------------------------------------------------------------------------------------------------- */

/* What is done with an entry that maps the page; the space is locked. */
typedef void (*entry_fn)(struct page_record *, const struct region *, vaddr_t, struct mmu_entry, struct mmu_gather *);

/* Notes that the page was used through this entry, which must say so anew by the next look; a locked one (mlock) is always in use. */
static void note_use(struct page_record *r, const struct region *m, vaddr_t va, struct mmu_entry e, struct mmu_gather *gather)
{
	r->used |= e.accessed || (m->flags & REGION_LOCKED);
	if (e.accessed)
		mmu_clear_accessed(&m->space->mmu, va, gather);
}

static void take_out(struct page_record *r, const struct region *m, vaddr_t va, struct mmu_entry e, struct mmu_gather *gather)
{
	(void)r, (void)e;
	space_note_peak(m->space);
	mmu_unmap(&m->space->mmu, va, va + PAGE_SIZE, gather);
}

/* The page's entry in this region, if it has one: false if not (nothing there, or a private copy). */
static bool visit_region(struct page_record *r, const struct region *m, entry_fn fn)
{
	vaddr_t va = m->start + ((r->index - m->offset) << PAGE_SHIFT);
	struct mmu_gather gather;

	if (r->index - m->offset >= (m->end - m->start) >> PAGE_SHIFT)
		return false;		/* before or behind what it maps */
	struct mmu_entry e = mmu_query(&m->space->mmu, va);
	if (e.pfn != r->pfn)
		return false;
	mmu_gather_begin(&gather, &m->space->mmu);
	fn(r, m, va, e, &gather);
	mmu_gather_finish(&gather);
	return true;
}

/* All entries that map the page.  false: a space's lock was not to be had, so that not all were found. */
static bool visit_entries(struct page_record *r, entry_fn fn)
{
	unsigned left = record_entries(r);

	for (struct list *pos = r->object->mappings.next; left > 0 && pos != &r->object->mappings; pos = pos->next) {
		struct region *m = container_of(pos, struct region, mapping);

		if (!write_trylock(&m->space->lock))
			return false;
		left -= visit_region(r, m, fn);
		write_unlock(&m->space->lock);
	}
	return left == 0;
}

/* ---- reclaiming ------------------------------------------------------------------------------------------------------------------------ */

/* Nobody has used the page since the last look, and it is out of all mappings now.  Its object is locked. */
static bool is_free_to_go(struct page_record *r)
{
	bool seen = visit_entries(r, note_use), used = r->used || r->pins > 0;

	r->used = false;
	return seen && !used && visit_entries(r, take_out);
}

/* Looks at the oldest page: true if it was given back. */
static bool reclaim_oldest(void)
{
	struct page_record *r = take_oldest();
	bool goes = false;

	__atomic_fetch_add(&reclaim_stats.scanned, 1, __ATOMIC_RELAXED);
	if (r) {
		struct object *o = r->object;

		goes = is_free_to_go(r);
		if (goes)
			object_evict(o, r);
		else
			reclaim_add(r);
		spin_unlock(&o->lock);
	}
	__atomic_fetch_add(&reclaim_stats.stolen, goes, __ATOMIC_RELAXED);
	return goes;
}

static size_t reclaim_looking(size_t wanted, size_t looks)
{
	size_t freed = 0;

	while (freed < wanted && looks-- > 0 && reclaimable() > youngest())
		freed += reclaim_oldest();
	return freed;
}

size_t reclaim_frames(size_t wanted)
{
	size_t freed = reclaim_looking(wanted, 2 * reclaimable());

	return freed ? freed : heap_trim();
}

void reclaim_some(void)
{
	reclaim_looking(RECLAIM_BATCH, LOOKS_IN_PASSING);
}

bool reclaim_keep_free(void)
{
	if (frame_is_short())
		reclaim_frames(RECLAIM_BATCH);
	return frame_free_count() >= frame_level.low / 2;
}
