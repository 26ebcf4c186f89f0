/*
 * arch/x86_64/mmu.c - four-level page tables.  See arch/mmu.h for the contract; Intel SDM volume 3, chapter 4, for the format.
 *
 * Every operation goes leaf table by leaf table: one walk down for each 2 MiB, an empty upper entry is skipped as a whole, and the loop over the
 * entries is flat.  An entry is 'there' when it is not 0.  One that nobody may use (PROT_NONE) is kept with its present bit clear and
 * PTE_HELD set, so the processor faults and the frame is still known.  An entry of level 1 with PTE_LARGE maps a huge page.
 *
 * Rights are decided at the leaf, but for one: upper entries of user tables allow all, only that of a leaf table which fork has shared lacks
 * PTE_WRITE, until mmu_own gives it back.  Tables above the leaf tables are never shared.  Kernel tables below the top level are made at boot
 * for each top-level slot in use, so all roots share them and no root is ever updated later.
 *
 * Protected by: the lock of the space that the tables belong to; kernel tables by the kspace lock.
 */
#include "arch/mmu.h"
#include "vm/frame.h"
#include "vm/page.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/tlb.h"

enum { LEVELS = 4, FANOUT = 512 };
enum { WORTH_SHARING = FANOUT / 8 };	/* entries: a table with fewer is copied, which spares the fault that would have to copy it later */

/* The way to a leaf table: the upper entries that lead there, [1] the one that points to the leaf table, [3] in the root. */
struct path {
	pte_t *upper[LEVELS];
	pte_t *leaf;			/* first entry of the leaf table; NULL: [1] is a huge entry */
};

static inline unsigned index_at(vaddr_t va, unsigned level)
{
	return (va >> (PAGE_SHIFT + 9 * level)) & (FANOUT - 1);
}

static inline size_t reach_of(unsigned level)		/* bytes that one entry of this level maps */
{
	return (size_t)PAGE_SIZE << (9 * level);
}

static inline pfn_t pte_pfn(pte_t e)
{
	return (e & PTE_FRAME) >> PAGE_SHIFT;
}

/*
 * The word of the page that a leaf entry points to.  The loops of fork and exit change the counts of anonymous pages right there, as
 * page_entry_get and page_entry_put would: these are the instructions that the cost of a fork is made of.
 */
static inline page_word *word_of(pte_t e)
{
	return (page_word *)((char *)pages + (e >> (PAGE_SHIFT - 3) & PTE_FRAME >> (PAGE_SHIFT - 3)));
}
_Static_assert(sizeof(page_word) == 8, "word_of shifts by 3");

_Static_assert((PTE_FRAME >> PAGE_SHIFT) + 1 == (pte_t)1 << MMU_VALUE_BITS && !(PTE_VALUE & (PTE_FRAME | PTE_PRESENT | PTE_HELD)),
	"a value of vm/'s has the place of the frame number, and a bit that says so");

static inline pte_t *table_at(pte_t upper)
{
	return direct(pte_pfn(upper));
}

static inline bool is_user(vaddr_t va)
{
	return va < USER_MAX;
}

/* The leaf entry for these rights. */
static inline pte_t pte_make(vaddr_t va, pfn_t pfn, unsigned prot)
{
	pte_t e = (pte_t)pfn << PAGE_SHIFT;

	if (!prot)
		return e | PTE_HELD;
	e |= PTE_PRESENT | (is_user(va) ? PTE_USER : PTE_GLOBAL);
	if (prot & VM_WRITE)
		e |= PTE_WRITE;
	if (!(prot & VM_EXEC))
		e |= PTE_NX;
	return e;
}

static inline unsigned pte_prot(pte_t e)
{
	if (e & PTE_HELD)
		return 0;
	return VM_READ | (e & PTE_WRITE ? VM_WRITE : 0) | (e & PTE_NX ? 0 : VM_EXEC);
}

/* ---- walking ----------------------------------------------------------------------------------------------------------------- */

/* Walks down to the leaf table or huge entry of va; false: there is none, and *skip is how far the emptiness reaches. */
static inline bool walk(const struct mmu *mmu, vaddr_t va, struct path *path, size_t *skip)
{
	pte_t *table = direct(pfn_of(mmu->root));

#pragma GCC unroll 3
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		path->upper[level] = &table[index_at(va, level)];
		if (!*path->upper[level]) {
			*skip = reach_of(level);
			return false;
		}
		table = table_at(*path->upper[level]);
	}
	path->leaf = *path->upper[1] & PTE_LARGE ? NULL : table;
	return true;
}

/* The first leaf table at or after *va, below end; moves *va there.  false: none. */
static inline bool next_leaf(const struct mmu *mmu, vaddr_t *va, vaddr_t end, struct path *path)
{
	size_t skip;

	while (*va < end) {
		if (walk(mmu, *va, path, &skip))
			return true;
		vaddr_t next = (*va & ~(vaddr_t)(skip - 1)) + skip;
		if (next <= *va)
			return false;		/* past the last address */
		*va = next;
	}
	return false;
}

/* The entries of this leaf table that [va, end) covers: index of the first, and one past the last. */
static inline unsigned last_in_leaf(vaddr_t va, vaddr_t end)
{
	vaddr_t stop = (va & ~(vaddr_t)(MMU_TABLE_REACH - 1)) + MMU_TABLE_REACH;

	return end < stop ? index_at(end, 0) : FANOUT;
}

static inline vaddr_t leaf_start(vaddr_t va)
{
	return va & ~(vaddr_t)(MMU_TABLE_REACH - 1);
}

static inline vaddr_t after_leaf(vaddr_t va)
{
	return leaf_start(va) + MMU_TABLE_REACH;
}

/* Does [va, end) cover all that the leaf table at va maps? */
static inline bool covers_leaf(vaddr_t va, vaddr_t end)
{
	return va == leaf_start(va) && end - va >= MMU_TABLE_REACH;
}

/* User leaf tables alone: does another space have it too? */
static inline bool is_shared(const struct path *path)
{
	return table_refs(pages[pte_pfn(*path->upper[1])]) > 1;
}

/* ---- tables that come and go ---------------------------------------------------------------------------------------------------- */

/*
 * Kernel tables are not counted and not freed: those below a top-level slot are shared by all roots, and a kernel range that needs
 * one must be able to get it in an emergency.
 */
static inline unsigned count_upper(vaddr_t va, const pte_t *table, int delta)
{
	return is_user(va) ? table_count(direct_pfn(table), delta, 0) : 1;
}

/* The same for a leaf table, and for the whole mmu: `resident` of the entries point to counted pages. */
static inline unsigned count_leaf(struct mmu *mmu, vaddr_t va, const pte_t *table, int entries, int resident)
{
	mmu->resident += (size_t)resident;
	return is_user(va) ? table_count(direct_pfn(table), entries, resident) : 1;
}

/*
 * Takes out the tables on the way to va that are empty, from the leaf up.  gather NULL: frees them at once; they were empty from the
 * start, but the processor may have looked at them all the same.
 */
static void prune(struct mmu *mmu, vaddr_t va, struct mmu_gather *gather)
{
	struct path path;
	size_t skip;
	unsigned level;

	if (!is_user(va))
		return;
	walk(mmu, va, &path, &skip);
	for (level = LEVELS - 1; level > 0 && *path.upper[level]; level--)
		;
	for (level++; level < LEVELS; level++) {	/* now at the lowest table that is there */
		pfn_t table = pte_pfn(*path.upper[level]);

		if (table_entries(pages[table]) > 0)
			return;
		*path.upper[level] = 0;
		mmu->tables--;
		count_upper(va, path.upper[level], -1);
		if (gather) {
			mmu_gather_table(gather, va, table);
		} else {
			mmu_flush_local(mmu, va);
			frame_free(table, 0);
		}
	}
}

/* Walks down to the table of va at level `lowest`, making what is missing; false: no memory, nothing changed. */
static inline bool reach(struct mmu *mmu, vaddr_t va, struct path *path, unsigned lowest)
{
	pte_t *table = direct(pfn_of(mmu->root));

#pragma GCC unroll 3
	for (unsigned level = LEVELS - 1; level > lowest; level--) {
		pte_t *upper = path->upper[level] = &table[index_at(va, level)];

		if (!*upper) {
			pfn_t pfn = frame_alloc_table();
			if (pfn == PFN_NONE) {
				prune(mmu, va, NULL);
				return false;
			}
			*upper = (pte_t)pfn << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | (is_user(va) ? PTE_USER : 0);
			count_upper(va, table, 1);
			mmu->tables++;
		}
		table = table_at(*upper);
	}
	path->leaf = table;
	if (lowest > 0)
		path->upper[lowest] = &table[index_at(va, lowest)];
	return true;
}

/* ---- tables and huge pages that become ours ---------------------------------------------------------------------------------------- */

/* The upper entry has changed, not the pages: what processors have cached of the way to [start, end) goes. */
static void changed_way(struct mmu *mmu, vaddr_t start, vaddr_t end)
{
	struct mmu_gather gather;

	mmu_gather_begin(&gather, mmu);
	mmu_gather_range(&gather, start, end);
	gather.tables = true;
	mmu_gather_finish(&gather);
}

static unsigned copy_entries(pte_t *e, pte_t *last, pte_t *to, pte_t lose, unsigned *resident, pte_t **first_lost, pte_t **end_lost);

/* Gives mmu its own copy of the shared leaf table at the end of the path; the pages are shared from now on, each copy-on-write. */
static bool copy_table(struct mmu *mmu, vaddr_t va, struct path *path)
{
	pfn_t old = pte_pfn(*path->upper[1]), new = frame_alloc(0, page_table(0, 0, 1), FRAME_KERNEL);
	pte_t *ignored;
	unsigned resident;

	if (new == PFN_NONE)
		return false;
	unsigned n = copy_entries(path->leaf, path->leaf + FANOUT, direct(new), PTE_WRITE, &resident, &ignored, &ignored);
	pages[new] = page_table(n, resident, 1);
	pages[old] -= PAGE_TABLE_REF;
	*path->upper[1] = (pte_t)new << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER;
	changed_way(mmu, page_floor(va), page_floor(va) + PAGE_SIZE);
	return true;
}

/* Breaks the huge entry at the end of the path into a table of entries with its rights. */
static bool break_huge(struct mmu *mmu, vaddr_t va, struct path *path)
{
	pfn_t table = frame_alloc(0, page_table(FANOUT, FANOUT, 1), FRAME_KERNEL);

	if (table == PFN_NONE)
		return false;
	path->leaf = direct(table);
	for (unsigned i = 0; i < FANOUT; i++)
		path->leaf[i] = (*path->upper[1] & ~PTE_LARGE) + ((pte_t)i << PAGE_SHIFT);
	*path->upper[1] = (pte_t)table << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER;
	mmu->tables++;
	changed_way(mmu, page_floor(va), page_floor(va) + PAGE_SIZE);
	return true;
}

static bool own_leaf(struct mmu *mmu, vaddr_t va, struct path *path, enum mmu_own how)
{
	if (!path->leaf)
		return how == MMU_OWN_TABLES || break_huge(mmu, va, path);
	if (is_shared(path))
		return copy_table(mmu, va, path);
	if (!(*path->upper[1] & PTE_WRITE)) {
		*path->upper[1] |= PTE_WRITE;
		changed_way(mmu, leaf_start(va), after_leaf(va));	/* else each page would cost a spurious fault */
	}
	return true;
}

int mmu_own(struct mmu *mmu, vaddr_t start, vaddr_t end, enum mmu_own how)
{
	struct path path;
	vaddr_t va = start;

	while (next_leaf(mmu, &va, end, &path)) {
		bool whole = covers_leaf(va, end);

		if (whole && how == MMU_OWN_EDGES)
			va = leaf_start(end);	/* all between the edges is covered */
		else if (!own_leaf(mmu, va, &path, whole ? how : MMU_OWN_PAGES))
			return -ENOMEM;
		else
			va = after_leaf(va);
	}
	return 0;
}

/* Its frames are a block again and go back as one. */
static pfn_t dissolve_huge(struct mmu *mmu, pte_t huge)
{
	pfn_t pfn = pte_pfn(huge);

	pages[pfn] = page_make(PAGE_ANON, 0);
	for (unsigned i = 1; i < FANOUT; i++)
		pages[pfn + i] = page_make(PAGE_PART, 0);
	mmu->resident -= FANOUT;
	return pfn;
}

int mmu_map_huge(struct mmu *mmu, vaddr_t va, pfn_t block, unsigned prot)
{
	struct path path;

	if (!reach(mmu, va, &path, 1))
		return -ENOMEM;
	assert(!*path.upper[1]);
	for (unsigned i = 0; i < FANOUT; i++)
		pages[block + i] = page_make(PAGE_ANON, 1);
	*path.upper[1] = pte_make(va, block, prot) | PTE_LARGE;
	count_upper(va, path.upper[1], 1);
	mmu->resident += FANOUT;
	return 0;
}

/* ---- the five operations ---------------------------------------------------------------------------------------------------------- */

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	struct path path;
	int installed = 0, resident = 0;

	if (!reach(mmu, va, &path, 0))
		return -ENOMEM;
	assert(!(*path.upper[1] & PTE_LARGE) && (!is_user(va) || !is_shared(&path)));
	for (pte_t *e = path.leaf + index_at(va, 0); n > 0; n--, e++, pfns++) {
		if (*pfns == PFN_NONE || *e)
			continue;
		resident += page_entry_get(*pfns);
		*e = pte_make(va, *pfns, prot);
		installed++;
	}
	count_leaf(mmu, va, path.leaf, installed, resident);
	if (installed == 0)
		prune(mmu, va, NULL);
	return installed;
}

/* Empties the entries [e, last) of a leaf table, the first of which maps va; both ends are there.  Returns how many are left in the table. */
static unsigned unmap_entries(struct mmu *mmu, pte_t *e, pte_t *last, vaddr_t va, struct mmu_gather *gather)
{
	const vaddr_t end = va + (vaddr_t)(last - e) * PAGE_SIZE;
	unsigned gone = 0, uncounted = 0;

	mmu_gather_range(gather, va, end);
	for (pte_t *first = e; e < last; e++) {
		pte_t old = *e;
		if (!old)
			continue;
		*e = 0;
		gone++;
		enum page_put put = page_entry_put(pte_pfn(old));
		if (put == PAGE_PUT_KEPT)
			continue;
		if (put == PAGE_PUT_UNCOUNTED) {
			uncounted++;
			continue;
		}
		mmu_gather_frame(gather, pte_pfn(old));
		if (gather->nframes == 0)		/* it was full and is empty now: the rest of the range is still to come */
			mmu_gather_range(gather, va + (vaddr_t)(e - first) * PAGE_SIZE, end);
	}
	gather->pages += gone;
	return count_leaf(mmu, va, last - 1, -(int)gone, -(int)(gone - uncounted));
}

/* What the range covers as a whole and is huge, or shared with others who keep it: the upper entry is all that goes. */
static void unmap_upper(struct mmu *mmu, vaddr_t va, struct path *path, struct mmu_gather *gather)
{
	pte_t old = *path->upper[1];

	*path->upper[1] = 0;
	count_upper(va, path->upper[1], -1);
	mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
	gather->tables = true;
	if (old & PTE_LARGE) {
		mmu_gather_frame(gather, dissolve_huge(mmu, old) | GATHER_BLOCK);
	} else {
		pages[pte_pfn(old)] -= PAGE_TABLE_REF;
		mmu->resident -= table_resident(pages[pte_pfn(old)]);
		mmu->tables--;
	}
	prune(mmu, va, gather);
}

void mmu_unmap(struct mmu *mmu, vaddr_t start, vaddr_t end, struct mmu_gather *gather)
{
	struct path path;

	for (vaddr_t va = start; next_leaf(mmu, &va, end, &path); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, end);
		vaddr_t base = leaf_start(va);

		if (!path.leaf || (is_user(va) && is_shared(&path) && covers_leaf(va, end))) {
			assert(covers_leaf(va, end));
			unmap_upper(mmu, va, &path, gather);
			continue;
		}
		while (i < last && !path.leaf[i])
			i++;
		while (i < last && !path.leaf[last - 1])
			last--;
		assert(i == last || !is_user(va) || !is_shared(&path));
		if (i < last && unmap_entries(mmu, &path.leaf[i], &path.leaf[last], base + ((vaddr_t)i << PAGE_SHIFT), gather) == 0)
			prune(mmu, va, gather);
	}
}

void mmu_replace(struct mmu *mmu, vaddr_t va, pfn_t pfn, unsigned prot)
{
	struct mmu_gather gather;
	struct path path;
	size_t skip;

	if (!walk(mmu, va, &path, &skip) || !path.leaf || is_shared(&path))
		panic("mmu_replace: no table of our own at %#lx", va);
	pte_t *e = &path.leaf[index_at(va, 0)];
	pfn_t old = pte_pfn(*e);

	assert(*e);
	*e = 0;
	mmu_gather_begin(&gather, mmu);
	mmu_gather_entry(&gather, va);
	enum page_put put = page_entry_put(old);
	if (put == PAGE_PUT_LAST)
		mmu_gather_frame(&gather, old);
	mmu_gather_finish(&gather);		/* the old translation is gone everywhere ... */
	count_leaf(mmu, va, path.leaf, 0, page_entry_get(pfn) - (put != PAGE_PUT_UNCOUNTED));
	*e = pte_make(va, pfn, prot);		/* ... before the new one is there */
}

/*
 * Copies the entries [e, last) to `to` and takes the rights `lose` from both.  Returns how many there were, how many of them are of counted pages, and
 * which lost something: [*first_lost, *end_lost).
 */
static unsigned copy_entries(pte_t *e, pte_t *last, pte_t *to, pte_t lose, unsigned *resident, pte_t **first_lost, pte_t **end_lost)
{
	unsigned copied = (unsigned)(last - e), uncounted = 0;

	*first_lost = *end_lost = NULL;
	for (; e < last; e++, to++) {
		pte_t old = *to = *e;
		if (!old) {
			copied--;
			continue;
		}
		if (old & lose) {
			old &= ~lose;
			*to = *e = old;
			if (!*first_lost)
				*first_lost = e;
			*end_lost = e + 1;
		}
		page_word *word = word_of(old);
		if (__builtin_expect(page_type(*word) == PAGE_ANON, 1))
			*word += PAGE_ANON_ONE;
		else if (!page_entry_get(pte_pfn(old)))
			uncounted++;
	}
	*resident = copied - uncounted;
	return copied;
}

/* The leaf table at the end of the path becomes dst's as well; neither may write below it.  false: no memory. */
static bool share_table(struct mmu *dst, vaddr_t va, struct path *path, struct mmu_gather *gather)
{
	pte_t *upper = path->upper[1];
	page_word *word = &pages[pte_pfn(*upper)];
	struct path to;

	if (!reach(dst, va, &to, 1))
		return false;
	assert(!*to.upper[1]);
	if (*upper & PTE_WRITE) {
		*upper &= ~PTE_WRITE;
		mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
		gather->pages += table_entries(*word);
		gather->tables = true;
	}
	*to.upper[1] = *upper;
	*word += PAGE_TABLE_REF;
	count_upper(va, to.upper[1], 1);
	dst->resident += table_resident(*word);
	dst->tables++;
	return true;
}

/* May the leaf table at the end of the path be shared, and is it worth it? */
static inline bool can_share(const struct path *path, vaddr_t va, const struct mmu_span *span)
{
	return leaf_start(va) >= span->low && after_leaf(va) <= span->high && table_entries(pages[pte_pfn(*path->upper[1])]) >= WORTH_SHARING;
}

int mmu_copy(struct mmu *dst, struct mmu *src, struct mmu_span span, enum mmu_copy how, struct mmu_gather *gather)
{
	const pte_t lose = how == MMU_COPY_SHARED ? 0 : PTE_WRITE;
	struct path from, to;
	pte_t *first_lost, *end_lost;
	unsigned resident;

	for (vaddr_t va = span.start; next_leaf(src, &va, span.end, &from); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, span.end);
		vaddr_t base = leaf_start(va);

		if (!from.leaf && !break_huge(src, va, &from))
			return -ENOMEM;
		if (how == MMU_COPY_TABLES && can_share(&from, va, &span)) {
			if (!share_table(dst, leaf_start(va), &from, gather))
				return -ENOMEM;
			continue;
		}
		while (i < last && !from.leaf[i])
			i++;
		if (i == last)
			continue;		/* the table belongs to neighbours of this range */
		if (!reach(dst, va, &to, 0))
			return -ENOMEM;
		unsigned copied = copy_entries(&from.leaf[i], &from.leaf[last], &to.leaf[i], lose, &resident, &first_lost, &end_lost);
		count_leaf(dst, va, to.leaf, (int)copied, (int)resident);
		if (!first_lost)
			continue;
		gather->pages += (unsigned)(end_lost - first_lost);
		mmu_gather_range(gather, base + (vaddr_t)(first_lost - from.leaf) * PAGE_SIZE, base + (vaddr_t)(end_lost - from.leaf) * PAGE_SIZE);
	}
	return 0;
}

/* One entry that is to be moved: its place in the source, where it goes, and whether it is the first to go into that leaf table. */
struct move { pte_t *entry; vaddr_t at; bool first; };

static struct move move_of(const struct path *source, vaddr_t va, unsigned i, vaddr_t by, vaddr_t *reached)
{
	vaddr_t at = va - ((vaddr_t)index_at(va, 0) << PAGE_SHIFT) + ((vaddr_t)i << PAGE_SHIFT) + by;
	struct move m = { .entry = &source->leaf[i], .at = at, .first = at >= *reached };

	if (m.first)
		*reached = after_leaf(at);
	return m;
}

enum hold { HOLD, RELEASE };

/*
 * A table that waits for entries to be moved into it counts one more than it has, so that it stays though it may be empty; the first entry
 * that goes into it takes that back.  HOLD makes the tables and counts, RELEASE takes it back below `stop`.
 * => the address whose table could not be made; 0: all is well.
 */
static vaddr_t hold_targets(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, enum hold how, vaddr_t stop)
{
	struct path source, target;
	vaddr_t reached = 0;

	for (vaddr_t va = from; next_leaf(mmu, &va, from + size, &source); va = after_leaf(va))
		for (unsigned i = index_at(va, 0); i < last_in_leaf(va, from + size); i++) {
			if (!source.leaf[i])
				continue;
			struct move m = move_of(&source, va, i, to - from, &reached);
			if (!m.first || m.at >= stop)
				continue;
			if (!reach(mmu, m.at, &target, 0))
				return m.at;
			if (count_leaf(mmu, m.at, target.leaf, how == HOLD ? 1 : -1, 0) == 0)
				prune(mmu, m.at, NULL);
		}
	return 0;
}

int mmu_move_prepare(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size)
{
	if (mmu_own(mmu, from, from + size, MMU_OWN_PAGES) < 0 || mmu_own(mmu, to, to + size, MMU_OWN_PAGES) < 0)
		return -ENOMEM;
	vaddr_t failed = hold_targets(mmu, from, to, size, HOLD, to + size);
	if (!failed)
		return 0;
	hold_targets(mmu, from, to, size, RELEASE, failed);
	return -ENOMEM;
}

void mmu_move(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *gather)
{
	struct path source, target = { .leaf = NULL };
	vaddr_t reached = 0;
	size_t skip;

	for (vaddr_t va = from; next_leaf(mmu, &va, from + size, &source); va = after_leaf(va)) {
		int moved = 0, resident = 0;

		for (unsigned i = index_at(va, 0); i < last_in_leaf(va, from + size); i++) {
			if (!source.leaf[i])
				continue;
			struct move m = move_of(&source, va, i, to - from, &reached);
			if (m.first && !walk(mmu, m.at, &target, &skip))
				panic("mmu_move: no table at %#lx", m.at);
			bool counted = page_counted(*word_of(*m.entry));
			target.leaf[index_at(m.at, 0)] = *m.entry;
			count_leaf(mmu, m.at, target.leaf, !m.first, counted);
			*m.entry = 0;
			moved++;
			resident += counted;
			mmu_gather_entry(gather, m.at - (to - from));
		}
		if (moved && count_leaf(mmu, va, source.leaf, -moved, -resident) == 0)
			prune(mmu, va, gather);
	}
}

/* A huge page is its space's alone: it may get any right. */
static void protect_huge(pte_t *entry, vaddr_t va, unsigned prot, struct mmu_gather *gather)
{
	pte_t new = pte_make(va, pte_pfn(*entry), prot) | PTE_LARGE | (*entry & (PTE_ACCESSED | PTE_DIRTY));

	if (new == *entry)
		return;
	*entry = new;
	mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
	gather->pages++;
}

void mmu_protect(struct mmu *mmu, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write write, struct mmu_gather *gather)
{
	struct path path;

	for (vaddr_t va = start; next_leaf(mmu, &va, end, &path); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, end);
		vaddr_t base = leaf_start(va);

		if (!path.leaf) {
			assert(covers_leaf(va, end));
			protect_huge(path.upper[1], va, prot, gather);
			continue;
		}
		assert(!is_shared(&path));
		for (; i < last; i++) {
			pte_t old = path.leaf[i];
			if (!old)
				continue;
			pfn_t pfn = pte_pfn(old);
			bool may_write = write == MMU_WRITE_SHARED || page_is_mine(pages[pfn]);
			pte_t new = pte_make(va, pfn, may_write ? prot : prot & ~(unsigned)VM_WRITE)
				| (old & (PTE_ACCESSED | PTE_DIRTY));

			if (new == old)
				continue;
			path.leaf[i] = new;
			mmu_gather_entry(gather, base + ((vaddr_t)i << PAGE_SHIFT));
		}
	}
}

/* The first entry from e on that is not empty; there is one.  Empty ones are passed by eight at a time. */
static inline pte_t *next_entry(pte_t *e)
{
	while (!*e) {
		e++;
		while ((uintptr_t)e % (8 * sizeof *e) == 0 && !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]))
			e += 8;
	}
	return e;
}

/* Drops the pages of a leaf table that has `left` entries, at least one. */
static void drop_entries(pte_t *e, unsigned left)
{
	do {
		e = next_entry(e);
		pte_t old = *e++;
		page_word *word = word_of(old);
		if (__builtin_expect(page_type(*word) == PAGE_ANON && page_value(*word) > 1, 1)) {
			*word -= PAGE_ANON_ONE;
			continue;
		}
		if (page_entry_put(pte_pfn(old)) == PAGE_PUT_LAST)
			frame_free(pte_pfn(old), 0);
	} while (--left > 0);
}

/* Frees the huge page, or the table, that this entry of `level` points to and all that hangs below it; a table that others have stays. */
static void drop_below(struct mmu *mmu, pte_t upper, unsigned level)
{
	pte_t *table = table_at(upper);
	pfn_t pfn = pte_pfn(upper);
	unsigned left = table_entries(pages[pfn]);

	if (upper & PTE_LARGE) {
		frame_free(dissolve_huge(mmu, upper), MMU_HUGE_ORDER);
		return;
	}
	if (level == 1)
		mmu->resident -= table_resident(pages[pfn]);
	if (table_refs(pages[pfn]) > 1) {
		pages[pfn] -= PAGE_TABLE_REF;
		return;
	}
	if (level == 1 && left > 0) {
		drop_entries(table, left);
	} else {
		for (pte_t *e = table; left > 0; e++, left--) {
			e = next_entry(e);
			drop_below(mmu, *e, level - 1);
		}
	}
	frame_free(pfn, 0);
}

void mmu_drop(struct mmu *mmu)
{
	pte_t *root = direct(pfn_of(mmu->root));
	pfn_t pfn = pfn_of(mmu->root);
	unsigned left = table_entries(pages[pfn]);

	assert(!mmu_is_active(mmu));
	for (pte_t *e = root; left > 0; e++, left--) {
		e = next_entry(e);
		drop_below(mmu, *e, LEVELS - 1);
		*e = 0;
	}
	pages[pfn] = page_table(0, 0, 1);
	mmu->tables = 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------ */

static enum mmu_table state_of(vaddr_t va, pte_t upper)
{
	if (upper & PTE_LARGE)
		return MMU_TABLE_HUGE;
	if (!is_user(va))
		return MMU_TABLE_OWN;
	if (table_refs(pages[pte_pfn(upper)]) > 1)
		return MMU_TABLE_SHARED;
	return upper & PTE_WRITE ? MMU_TABLE_OWN : MMU_TABLE_HELD;
}

/* The leaf entry e, reached by `upper`; rights are what both give. */
static struct mmu_entry entry_of(vaddr_t va, pte_t upper, pte_t e)
{
	struct mmu_entry found = { .pfn = PFN_NONE, .table = state_of(va, upper) };

	if (found.table == MMU_TABLE_HUGE)
		e = (upper & ~PTE_LARGE) + ((pte_t)index_at(va, 0) << PAGE_SHIFT);
	else
		found.bare = is_user(va) && table_resident(pages[pte_pfn(upper)]) == 0;
	if (!e)
		return found;
	found.pfn = pte_pfn(e);
	found.prot = pte_prot(e) & (upper & PTE_WRITE ? VM_RIGHTS : VM_RIGHTS & ~VM_WRITE);
	found.accessed = e & PTE_ACCESSED;
	found.dirty = e & PTE_DIRTY;
	return found;
}

struct mmu_entry mmu_query(const struct mmu *mmu, vaddr_t va)
{
	struct path path;
	size_t skip;

	if (!walk(mmu, va, &path, &skip))
		return (struct mmu_entry){ .pfn = PFN_NONE, .bare = true };
	return entry_of(va, *path.upper[1], path.leaf ? path.leaf[index_at(va, 0)] : 0);
}

void mmu_clear_accessed(struct mmu *mmu, vaddr_t va, struct mmu_gather *gather)
{
	struct path path;
	size_t skip;

	if (walk(mmu, va, &path, &skip)) {
		path.leaf[index_at(va, 0)] &= ~PTE_ACCESSED;
		mmu_gather_entry(gather, va);
	}
}

struct range { vaddr_t start, end; };

static bool outside(vaddr_t va, unsigned level, struct range range)
{
	return va >= range.end || va + reach_of(level) <= range.start;
}

/* The leaf table or huge page that `upper` points to. */
static void walk_leaf(pte_t upper, vaddr_t base, struct range range, const struct mmu_walker *w)
{
	const pte_t *table = table_at(upper);

	for (unsigned i = 0; i < FANOUT && w->leaf; i++) {
		vaddr_t va = base + i * reach_of(0);

		if (((upper & PTE_LARGE) || table[i]) && !outside(va, 0, range))
			w->leaf(w->context, va, entry_of(va, upper, upper & PTE_LARGE ? 0 : table[i]));
	}
}

static void walk_below(pte_t upper, unsigned level, vaddr_t base, struct range range, const struct mmu_walker *w)
{
	const pte_t *table = table_at(upper);
	unsigned present = 0, entries = level == LEVELS - 1 ? FANOUT / 2 : FANOUT;

	for (unsigned i = 0; i < entries && !(upper & PTE_LARGE); i++)
		present += table[i] != 0;
	if (w->table && !(upper & PTE_LARGE) && !w->table(w->context, pte_pfn(upper), level, present))
		return;
	if (level == 0) {
		walk_leaf(upper, base, range, w);
		return;
	}
	for (unsigned i = 0; i < entries; i++)
		if (table[i] && !outside(base + i * reach_of(level), level, range))
			walk_below(table[i], level - 1, base + i * reach_of(level), range, w);
}

void mmu_walk(const struct mmu *mmu, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	walk_below(mmu->root, LEVELS - 1, 0, (struct range){ start, end }, w);
}

/* ---- roots ------------------------------------------------------------------------------------------------------------------------------ */

int mmu_create(struct mmu *mmu)
{
	pfn_t pfn = frame_alloc_table();

	if (pfn == PFN_NONE)
		return -ENOMEM;
	*mmu = (struct mmu){ .root = paddr_of(pfn) };
	kernel_slots_copy(direct(pfn));
	return 0;
}

void mmu_destroy(struct mmu *mmu)
{
	assert(mmu->resident == 0 && table_entries(pages[pfn_of(mmu->root)]) == 0);
	frame_free(pfn_of(mmu->root), 0);
}
