/*
 * vm/fault.c - the page-fault handler.
 *
 *  access at addr
 *      |
 *   region? -- none, and no stack to grow ------------------------------------> segv (MAPERR)
 *      | right? -- the region does not give it -------------------------------> segv (ACCERR)
 *      |
 *   entry?
 *      |-- there, allows the access -------------------------------------------> spurious
 *      |
 *      |-- below a table that fork has shared: copy that first; or shared no more: it has its rights again, and they do ----> table-reuse
 *      |
 *      |-- none, private anonymous ----- write: a zeroed frame ----------------> demand-zero
 *      |        |                        read: the shared zero frame ----------> zero-read
 *      |        '-- nothing around it in an aligned huge range, and wanted ----> huge
 *      |-- none, of an object -- beyond its end -------------------------------> bus
 *      |        |-- page is cached ----- private write: copy it ---------------> file-cow
 *      |        |                        shared write of a file: mark it dirty -> shared-write
 *      |        |                        else map it, and its neighbours ------> file-minor (file-major if it was read for us)
 *      |        |-- page is made, zeroed (shared anonymous memory) ------------> shm-zero
 *      |        '-- page must be read: drop the lock, read, look again; it cannot be read: bus
 *      |
 *      |-- there, page of a file, shared write: mark it dirty, loosen ---------> shared-write
 *      |-- there, stricter than the region (all but private writes): loosen it -> protect-upgrade
 *      '-- there, read-only, private write
 *               |-- the zero frame: a zeroed frame ----------------------------> zero-upgrade
 *               |-- anonymous, mine alone: make it writable -------------------> cow-reuse
 *               |-- anonymous, others have it: copy ---------------------------> cow-copy
 *               '-- a page of an object: copy ---------------------------------> file-cow
 *  wherever a frame or table cannot be had --------------------------------------> oom
 *
 * One struct fault goes through small steps; each step says DONE (class is set), NEXT (not settled: on to the next step), AGAIN (another processor has
 * changed what we saw: look again), ALONE (this needs the space for itself), or FILL (the page must be read first, without locks).  A page is filled before any entry shows it;
 * a new translation goes in after the old one is gone.
 *
 * Faults of one space run side by side: an attempt is a reader of the space.  So regions and tables stay, but an entry may have changed between the look at it and its change, which therefore
 * is made under the lock of its table and only if it still is what was seen.  What grows a stack, or replaces a table, is done alone, as a writer.
 *
 * Locks: space->lock for the whole of an attempt, object->lock inside it, a table's lock inside that (arch/mmu.h); none while a page is read.
 */
#include "vm/fault.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/object.h"
#include "vm/reclaim.h"
#include "vm/vm.h"

enum step { STEP_DONE, STEP_NEXT, STEP_AGAIN, STEP_ALONE, STEP_FILL };

enum { AROUND_PAGES = 16, AHEAD_PAGES = 7, STACK_GUARD_PAGES = 256 };

struct fault {
	struct space *space;
	vaddr_t page;			/* of the address, page-aligned */
	enum fault_access access;
	enum fault_mode mode;
	struct region *region;
	struct mmu_entry entry;
	enum fault_class class;
	int outcome;
	unsigned flags;			/* bit n: enum fault_flag n */
	size_t neighbours;
	bool alone;			/* space->lock is, or is to be, held for writing */
	struct object *fill;		/* STEP_FILL: what to read, with a reference */
	uint64_t fill_index;
};

static enum step locked_attempt(struct fault *);
static enum step attempt(struct fault *);
struct ahead;
static bool goes_on(struct fault *, struct fault **at, struct ahead *, enum step *);
static void fill(struct fault *);
static void account(const struct fault *, struct fault_stats *who, uint64_t cycles);

struct fault_result vm_fault(struct space *space, vaddr_t addr, enum fault_access access, enum fault_mode mode, struct fault_stats *who)
{
	uint64_t began = stats_cost_wanted() ? cpu_cycles() : 0;
	struct fault f;

	f.space = space;
	f.page = page_floor(addr);
	f.access = access;
	f.mode = mode;
	f.class = FAULT_CLASSES;
	f.flags = mode != FAULT_USER ? 1u << FAULT_FLAG_KERNEL : 0;
	f.neighbours = 0;
	f.alone = false;

	while (f.class == FAULT_CLASSES) {
		if (frame_is_short())
			reclaim_some();
		if (locked_attempt(&f) == STEP_FILL)
			fill(&f);
	}
	uint64_t cycles = began ? cpu_cycles() - began : 0;
	account(&f, stats_here(), cycles);
	if (who)
		account(&f, who, cycles);
	return (struct fault_result){ f.class, f.outcome };
}

/* A page further on that is served with a fault, and how far on. */
struct ahead { struct fault fault; vaddr_t by; };

/* As a reader; and once more, from its beginning, as the writer if it turns out that it needs that. */
static enum step locked_attempt(struct fault *f)
{
	struct rwlock *lock = &f->space->lock;
	struct fault *at = f;
	struct ahead ahead;
	enum step next;

	if (f->alone)
		write_lock(lock);
	else
		read_lock(lock);
	for (;;) {
		next = attempt(at);
		if (__builtin_expect(fault_ahead == FAULT_AHEAD_ON, 0) && goes_on(f, &at, &ahead, &next))
			continue;
		if (next != STEP_ALONE)
			break;
		f->alone = true;
		if (!read_upgrade(lock)) {
			read_unlock(lock);
			write_lock(lock);
		}
	}
	if (f->alone)
		write_unlock(lock);
	else
		read_unlock(lock);
	return next;
}

unsigned fault_ahead;

static bool may_write(const struct fault *f, vaddr_t page)
{
	return page >= f->region->start && page < f->region->end && mmu_query(&f->space->mmu, page).prot & VM_WRITE;
}

/*
 * Who wrote to the page beside it as well is likely to go on: some more in the same direction are served as if they were written to, as long as a quarter of
 * memory is free.
 */
static bool begins_ahead(const struct fault *f, struct ahead *a)
{
	if (f->mode == FAULT_POPULATE || frame_free_count() < frame_managed() / 4 || (f->class != FAULT_DEMAND_ZERO && f->class != FAULT_FILE_COW))
		return false;
	a->fault = *f;
	a->by = may_write(f, f->page - PAGE_SIZE) ? PAGE_SIZE : -PAGE_SIZE;
	return may_write(f, f->page - a->by);
}

/* After the attempt for *at, which ended with *result: is there another page to serve?  Then *at is the attempt for that; else *result is that of f. */
static __attribute__((cold)) bool goes_on(struct fault *f, struct fault **at, struct ahead *a, enum step *result)
{
	const enum step step = *result;
	struct fault *next = &a->fault;

	if (*at == f) {
		if (step != STEP_DONE || !begins_ahead(f, a))
			return false;
		*at = next;
	} else {
		*result = STEP_DONE;
		if (step == STEP_FILL)
			object_put(next->fill);
		if (step != STEP_DONE || next->class != f->class)
			return false;
		f->neighbours++;
		f->flags |= 1u << FAULT_FLAG_AROUND;
	}
	next->page += a->by;
	return next->page >= f->region->start && next->page < f->region->end && f->neighbours < AHEAD_PAGES;
}

static void account(const struct fault *f, struct fault_stats *who, uint64_t cycles)
{
	who->count[f->class]++;
	who->cost[f->class] += cycles;
	who->neighbours += f->neighbours;
	for (unsigned bits = f->flags; bits; bits &= bits - 1)
		who->flags[__builtin_ctz(bits)]++;
}

/* ---- ways to end ------------------------------------------------------------------------------------------------------- */

static enum step done(struct fault *f, enum fault_class class)
{
	f->class = class;
	f->outcome = FAULT_DONE;
	return STEP_DONE;
}

static enum step refuse(struct fault *f, enum fault_class class, int outcome)
{
	f->class = class;
	f->outcome = outcome;
	return STEP_DONE;
}

static enum step no_memory(struct fault *f)
{
	return refuse(f, FAULT_OOM, FAULT_NO_MEMORY);
}

/* ---- find the region, check the right ------------------------------------------------------------------------------------ */

/* May a stack grow down to the page?  Its limit and the guard gap below say so. */
static bool may_grow(const struct fault *f, const struct region *r)
{
	struct region *below = region_prev(r);

	if (!(r->flags & REGION_GROWSDOWN) || r->end - f->page > f->space->stack_limit || f->page < USER_MIN)
		return false;
	return !below || (below->flags & REGION_GROWSDOWN) || !below->rights || f->page - below->end >= STACK_GUARD_PAGES * PAGE_SIZE;
}

static enum step grow_stack(struct fault *f, struct region *r)
{
	if (account_more(f->space, r, (r->start - f->page) >> PAGE_SHIFT, (struct range_sum){ 0 }) < 0)
		return refuse(f, FAULT_SEGV, FAULT_SIGNAL_SEGV_MAPERR);
	region_resize(&f->space->regions, r, f->page, r->end);
	f->flags |= 1u << FAULT_FLAG_GREW;
	return STEP_NEXT;
}

static enum step find_region(struct fault *f)
{
	struct region *r = f->region = region_find(&f->space->regions, f->page);

	if (r && f->page >= r->start)
		return STEP_NEXT;
	if (!r || f->mode == FAULT_POPULATE || !may_grow(f, r))
		return refuse(f, FAULT_SEGV, FAULT_SIGNAL_SEGV_MAPERR);
	return f->alone ? grow_stack(f, r) : STEP_ALONE;
}

/* Who may write or execute may read. */
static bool allows(unsigned rights, enum fault_access access)
{
	switch (access) {
	case FAULT_WRITE: return rights & VM_WRITE;
	case FAULT_EXEC:  return rights & VM_EXEC;
	default:          return rights != 0;
	}
}

static bool own_table(struct fault *);
static bool wants_huge(const struct fault *);
static bool map_huge(struct fault *);
static enum step demand_zero(struct fault *);
static enum step zero_read(struct fault *);
static enum step resolve_object(struct fault *);
static enum step resolve_present(struct fault *);

/* Is there an entry that allows the access? */
static bool is_served(struct fault *f)
{
	f->entry = mmu_query(&f->space->mmu, f->page);
	return f->entry.pfn != PFN_NONE && allows(f->entry.prot, f->access);
}

static enum step attempt(struct fault *f)
{
	if (f->space->reaped)
		return no_memory(f);
	enum step found = find_region(f);
	if (found != STEP_NEXT)
		return found;
	if (!allows(f->region->rights, f->access))
		return refuse(f, FAULT_SEGV, FAULT_SIGNAL_SEGV_ACCERR);
	if (is_served(f)) {
		mmu_flush_local(&f->space->mmu, f->page);
		return done(f, FAULT_SPURIOUS);
	}
	bool huge = wants_huge(f);
	if (!f->alone && (huge || f->entry.table > MMU_TABLE_HELD))	/* a table is put in another's place */
		return STEP_ALONE;
	if (huge && map_huge(f))
		return done(f, FAULT_HUGE);
	if (f->entry.table > MMU_TABLE_OWN) {
		if (!own_table(f))
			return no_memory(f);
		if (is_served(f))
			return done(f, FAULT_TABLE_REUSE);
	}
	if (f->entry.pfn != PFN_NONE)
		return resolve_present(f);
	if (f->region->object)
		return resolve_object(f);
	return f->access == FAULT_WRITE ? demand_zero(f) : zero_read(f);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------ */

/* What is below a table that others have too must not change: it is copied first.  false: no memory. */
static bool own_table(struct fault *f)
{
	if (mmu_own(&f->space->mmu, f->page, f->page + PAGE_SIZE, MMU_OWN_TABLES) < 0)
		return false;
	if (f->entry.table == MMU_TABLE_SHARED)
		f->flags |= 1u << FAULT_FLAG_UNSHARED;
	return true;
}

/* ---- installing ------------------------------------------------------------------------------------------------------------ */

static bool private_write(const struct fault *f)
{
	return f->access == FAULT_WRITE && !(f->region->flags & REGION_SHARED);
}

/* A write to a file that is to be written back: its page becomes dirty. */
static bool dirtying_write(const struct fault *f)
{
	return f->access == FAULT_WRITE && f->region->flags & REGION_SHARED && object_tracks(f->region->object);
}

/* What an entry gets: a region that may be used at all may be read; pages of files that are written back may be written once they are dirty. */
static unsigned entry_rights(const struct fault *f)
{
	bool clean = f->region->flags & REGION_SHARED && object_tracks(f->region->object) && f->access != FAULT_WRITE;

	return (f->region->rights & ~(clean ? VM_WRITE : 0u)) | VM_READ;
}

/* Installs a frame that nobody else has, where nothing is yet. */
static enum step install_own(struct fault *f, pfn_t pfn, enum fault_class class)
{
	ssize n = mmu_map(&f->space->mmu, f->page, &pfn, 1, entry_rights(f));

	if (n == 1)
		return done(f, class);
	frame_free(pfn, 0);
	return n < 0 ? no_memory(f) : STEP_AGAIN;
}

/* The same in place of the entry that was seen. */
static enum step replace(struct fault *f, pfn_t pfn, enum fault_class class)
{
	if (mmu_replace(&f->space->mmu, f->page, f->entry.pfn, pfn, entry_rights(f)))
		return done(f, class);
	frame_free(pfn, 0);
	return STEP_AGAIN;
}

/* The private copy of a page that others have: of `from`, in place of the entry if there is one. */
static enum step install_copy(struct fault *f, pfn_t from, enum fault_class class)
{
	pfn_t pfn = frame_alloc(0, page_make(PAGE_ANON, 0), FRAME_USER);

	if (pfn == PFN_NONE)
		return no_memory(f);
	page_copy(direct(pfn), direct(from));
	if (f->entry.pfn == PFN_NONE)
		return install_own(f, pfn, class);
	return replace(f, pfn, class);
}

/* ---- no entry: private anonymous memory -------------------------------------------------------------------------------------- */

static enum step demand_zero(struct fault *f)
{
	pfn_t pfn = frame_alloc_anon_zeroed();

	return pfn == PFN_NONE ? no_memory(f) : install_own(f, pfn, FAULT_DEMAND_ZERO);
}

static enum step zero_read(struct fault *f)
{
	ssize n = mmu_map(&f->space->mmu, f->page, &zero_frame, 1, entry_rights(f) & ~VM_WRITE);

	return n == 1 ? done(f, FAULT_ZERO_READ) : n < 0 ? no_memory(f) : STEP_AGAIN;
}

unsigned huge_policy = HUGE_MADVISE;

static vaddr_t huge_start(const struct fault *f)
{
	return f->page & ~(vaddr_t)(MMU_TABLE_REACH - 1);
}

/* A first write to private anonymous memory, in a huge range that has no page yet? */
static bool wants_huge(const struct fault *f)
{
	const struct region *r = f->region;

	if (!f->entry.bare || f->space->no_huge || f->access != FAULT_WRITE || r->object || (r->flags & (REGION_GROWSDOWN | REGION_NOHUGE)))
		return false;
	if (huge_policy != HUGE_ALWAYS && (huge_policy == HUGE_NEVER || !(r->flags & REGION_HUGE)))
		return false;
	return r->start <= huge_start(f) && r->end > huge_start(f) && r->end - huge_start(f) >= MMU_TABLE_REACH;
}

/* One zeroed block for all of it.  false: there is no such block, or no table for it; small pages will do. */
static bool map_huge(struct fault *f)
{
	pfn_t block = frame_alloc(MMU_HUGE_ORDER, page_make(PAGE_ANON, 0), FRAME_USER);
	struct mmu *mmu = &f->space->mmu;

	if (block == PFN_NONE)
		return false;
	for (pfn_t i = 0; i < (pfn_t)1 << MMU_HUGE_ORDER; i++)
		page_zero(direct(block + i));
	mmu_discard(mmu, huge_start(f), huge_start(f) + MMU_TABLE_REACH);	/* the zero frame, where it was read */
	if (mmu_map_huge(mmu, huge_start(f), block, entry_rights(f)) == 0)
		return true;
	frame_free(block, MMU_HUGE_ORDER);
	f->entry = mmu_query(mmu, f->page);		/* the zero frame is gone */
	return false;
}

/* ---- no entry: a page of an object --------------------------------------------------------------------------------------------- */

static uint64_t object_index(const struct fault *f, vaddr_t page)
{
	return f->region->offset + ((page - f->region->start) >> PAGE_SHIFT);
}

/*
 * Maps the page, which is ready, and those around it that are: within an aligned window, the region, and the object's end.
 * A window never crosses a leaf table nor a leaf of the object's index.
 */
static enum step map_around(struct fault *f, struct object *o, enum fault_class class)
{
	const vaddr_t window = AROUND_PAGES * PAGE_SIZE;
	vaddr_t start = f->page & ~(window - 1), end = start + window;
	pfn_t frame[AROUND_PAGES];

	if (start < f->region->start)
		start = f->region->start;
	if (end > f->region->end)
		end = f->region->end;
	uint64_t index = object_index(f, f->page), leaf = index & ~(uint64_t)(OBJECT_FANOUT - 1);
	uint64_t first = object_index(f, start), last = object_index(f, end - PAGE_SIZE);
	if (first < leaf)
		first = leaf;
	if (last > leaf + OBJECT_FANOUT - 1)
		last = leaf + OBJECT_FANOUT - 1;
	while (object_beyond(o, last))
		last--;				/* ends at our own page at the latest: that one is not beyond */

	object_cached(o, first, last - first + 1, frame);
	start = f->page - ((index - first) << PAGE_SHIFT);
	unsigned rights = f->region->flags & REGION_SHARED ? entry_rights(f) : entry_rights(f) & ~VM_WRITE;
	ssize n = mmu_map(&f->space->mmu, start, frame, last - first + 1, rights);
	if (n < 1)
		return n < 0 ? no_memory(f) : STEP_AGAIN;
	if (n > 1) {
		f->neighbours = (size_t)n - 1;
		f->flags |= 1u << FAULT_FLAG_AROUND;
	}
	return done(f, class);
}

/* object->lock is held. */
static enum step resolve_object_locked(struct fault *f, struct object *o, uint64_t index)
{
	bool made;
	int why;

	if (object_beyond(o, index))
		return refuse(f, FAULT_BUS, FAULT_SIGNAL_BUS);
	struct page_record *r = object_lookup(o, index, &why, &made);
	if (!r && why == -ENOMEM)
		return no_memory(f);
	if (!r && why == -ENOSPC)
		return refuse(f, FAULT_BUS, FAULT_SIGNAL_BUS);
	if (!r) {
		f->fill = object_ref(o);
		f->fill_index = index;
		return STEP_FILL;
	}
	if (private_write(f))
		return install_copy(f, r->pfn, FAULT_FILE_COW);
	if (dirtying_write(f)) {
		r->dirty = RECORD_DIRTY;		/* before another thread can write: who cleans it takes this object's lock first */
		ssize n = mmu_map(&f->space->mmu, f->page, &r->pfn, 1, entry_rights(f));
		if (n < 1)
			return n < 0 ? no_memory(f) : STEP_AGAIN;
		return done(f, FAULT_SHARED_WRITE);
	}
	if (made)
		return map_around(f, o, FAULT_SHM_ZERO);
	return map_around(f, o, f->flags & 1u << FAULT_FLAG_READ ? FAULT_FILE_MAJOR : FAULT_FILE_MINOR);
}

static enum step resolve_object(struct fault *f)
{
	struct object *o = f->region->object;

	spin_lock(&o->lock);
	enum step next = resolve_object_locked(f, o, object_index(f, f->page));
	spin_unlock(&o->lock);
	return next;
}

/* Reads the page, or waits for whoever is reading it; without locks, so all must be looked at again. */
static void fill(struct fault *f)
{
	bool waited;
	int error = object_fill(f->fill, f->fill_index, &waited);

	object_put(f->fill);
	f->flags |= 1u << (waited ? FAULT_FLAG_WAITED : FAULT_FLAG_READ);
	if (error == -ENOMEM)
		no_memory(f);
	else if (error)
		refuse(f, FAULT_BUS, FAULT_SIGNAL_BUS);
}

/* ---- an entry that refused the access --------------------------------------------------------------------------------------------- */

/* The region allows what the entry does not, and nobody else is affected. */
static enum step loosen(struct fault *f, enum fault_class class)
{
	bool same = mmu_loosen(&f->space->mmu, f->page, f->entry.pfn, entry_rights(f), f->region->flags & REGION_SHARED ? MMU_WRITE_SHARED : MMU_WRITE_OWN);

	return same ? done(f, class) : STEP_AGAIN;
}

/* The page is in its object's index, or (a truncation is on its way here) cut off: then being dirty means nothing. */
static enum step shared_write(struct fault *f)
{
	struct object *o = f->region->object;

	spin_lock(&o->lock);
	page_record(page_word_of(f->entry.pfn))->dirty = RECORD_DIRTY;
	spin_unlock(&o->lock);
	return loosen(f, FAULT_SHARED_WRITE);
}

static enum step zero_upgrade(struct fault *f)
{
	pfn_t pfn = frame_alloc_anon_zeroed();

	if (pfn == PFN_NONE)
		return no_memory(f);
	return replace(f, pfn, FAULT_ZERO_UPGRADE);
}

/* The page may be replaced and its frame be something else, or be ours alone and written, by the time it is looked at or copied: then `replace` finds out. */
static enum step write_private(struct fault *f)
{
	page_word word = page_word_of(f->entry.pfn);

	if (f->entry.pfn == zero_frame)
		return zero_upgrade(f);
	if (page_is_mine(word))
		return loosen(f, FAULT_COW_REUSE);
	return install_copy(f, f->entry.pfn, page_type(word) == PAGE_ANON ? FAULT_COW_COPY : FAULT_FILE_COW);
}

static enum step resolve_present(struct fault *f)
{
	if (dirtying_write(f))
		return shared_write(f);
	return private_write(f) ? write_private(f) : loosen(f, FAULT_PROTECT_UPGRADE);
}
