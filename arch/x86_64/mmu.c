/*
 * arch/x86_64/mmu.c - four-level page tables.  See arch/mmu.h for the contract; Intel SDM volume 3, chapter 4, for the format.
 *
 * Every operation goes leaf table by leaf table: one walk down for each 2 MiB, an empty upper entry is skipped as a whole, and the loop over the
 * entries is flat.  An entry is 'there' when it is not 0.  One that nobody may use (PROT_NONE) is kept with its present bit clear and
 * PTE_HELD set, so the processor faults and the frame is still known.
 *
 * Rights are decided at the leaf: upper entries of user tables allow all.  Kernel tables below the top level are made at boot
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

/* The way to a leaf table: the upper entries that lead there, [1] the one that points to the leaf table, [3] in the root. */
struct path {
	pte_t *upper[LEVELS];
	pte_t *leaf;			/* first entry of the leaf table */
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

/* Walks down to the leaf table of va; false: there is none, and *skip is how far the emptiness reaches. */
static inline bool walk(const struct mmu *mmu, vaddr_t va, struct path *path, size_t *skip)
{
	pte_t *table = direct(pfn_of(mmu->root));

#pragma GCC unroll 3
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		path->upper[level] = &table[index_at(va, level)];
		if (!(*path->upper[level] & PTE_PRESENT)) {
			*skip = reach_of(level);
			return false;
		}
		table = table_at(*path->upper[level]);
	}
	path->leaf = table;
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

static inline vaddr_t after_leaf(vaddr_t va)
{
	return (va & ~(vaddr_t)(MMU_TABLE_REACH - 1)) + MMU_TABLE_REACH;
}

/* ---- tables that come and go ---------------------------------------------------------------------------------------------------- */

/*
 * Kernel tables are not counted and not freed: those below a top-level slot are shared by all roots, and a kernel range that needs
 * one must be able to get it in an emergency.
 */
static inline unsigned count_entries(vaddr_t va, const pte_t *table, int delta)
{
	return is_user(va) ? table_count(direct_pfn(table), delta) : 1;
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
	for (level = LEVELS - 1; level > 0 && (*path.upper[level] & PTE_PRESENT); level--)
		;
	for (level++; level < LEVELS; level++) {	/* now at the lowest table that is there */
		pfn_t table = pte_pfn(*path.upper[level]);

		if (table_entries(pages[table]) > 0)
			return;
		*path.upper[level] = 0;
		mmu->tables--;
		table_count(direct_pfn(path.upper[level]), -1);
		if (gather) {
			mmu_gather_table(gather, va, table);
		} else {
			mmu_flush_local(mmu, va);
			frame_free(table, 0);
		}
	}
}

/* Walks down to the leaf table of va, making what is missing; false: no memory, nothing changed. */
static bool reach(struct mmu *mmu, vaddr_t va, struct path *path)
{
	pte_t *table = direct(pfn_of(mmu->root));

#pragma GCC unroll 3
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		pte_t *upper = path->upper[level] = &table[index_at(va, level)];

		if (!(*upper & PTE_PRESENT)) {
			pfn_t pfn = frame_alloc_table();
			if (pfn == PFN_NONE) {
				prune(mmu, va, NULL);
				return false;
			}
			*upper = (pte_t)pfn << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | (is_user(va) ? PTE_USER : 0);
			count_entries(va, table, 1);
			mmu->tables++;
		}
		table = table_at(*upper);
	}
	path->leaf = table;
	return true;
}

/* ---- the five operations ---------------------------------------------------------------------------------------------------------- */

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	struct path path;
	ssize installed = 0;

	if (!reach(mmu, va, &path))
		return -ENOMEM;
	for (pte_t *e = path.leaf + index_at(va, 0); n > 0; n--, e++, pfns++) {
		if (*pfns == PFN_NONE || *e)
			continue;
		mmu->resident += page_entry_get(*pfns);
		*e = pte_make(va, *pfns, prot);
		installed++;
	}
	count_entries(va, path.leaf, (int)installed);
	if (installed == 0)
		prune(mmu, va, NULL);
	return installed;
}

/* Empties the entries [e, last) of a leaf table, the first of which maps va; both ends are there.  Returns how many there were. */
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
	mmu->resident -= gone - uncounted;
	return gone;
}

void mmu_unmap(struct mmu *mmu, vaddr_t start, vaddr_t end, struct mmu_gather *gather)
{
	struct path path;

	for (vaddr_t va = start; next_leaf(mmu, &va, end, &path); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, end);
		vaddr_t base = va - ((vaddr_t)i << PAGE_SHIFT);

		while (i < last && !path.leaf[i])
			i++;
		while (i < last && !path.leaf[last - 1])
			last--;
		if (i == last)
			continue;
		unsigned gone = unmap_entries(mmu, &path.leaf[i], &path.leaf[last], base + ((vaddr_t)i << PAGE_SHIFT), gather);
		if (count_entries(va, path.leaf, -(int)gone) == 0)
			prune(mmu, va, gather);
	}
}

void mmu_replace(struct mmu *mmu, vaddr_t va, pfn_t pfn, unsigned prot)
{
	struct mmu_gather gather;
	struct path path;
	size_t skip;

	if (!walk(mmu, va, &path, &skip))
		panic("mmu_replace: no table at %#lx", va);
	pte_t *e = &path.leaf[index_at(va, 0)];
	pfn_t old = pte_pfn(*e);

	assert(*e);
	*e = 0;
	mmu_gather_begin(&gather, mmu);
	mmu_gather_entry(&gather, va);
	enum page_put put = page_entry_put(old);
	mmu->resident -= put != PAGE_PUT_UNCOUNTED;
	if (put == PAGE_PUT_LAST)
		mmu_gather_frame(&gather, old);
	mmu_gather_finish(&gather);		/* the old translation is gone everywhere ... */
	mmu->resident += page_entry_get(pfn);
	*e = pte_make(va, pfn, prot);		/* ... before the new one is there */
}

/*
 * Copies the entries [e, last) to `to` and takes the rights `lose` from both.  Returns how many there were, and which lost something: [*first_lost, *end_lost).
 */
static unsigned copy_entries(struct mmu *dst, pte_t *e, pte_t *last, pte_t *to, pte_t lose, pte_t **first_lost, pte_t **end_lost)
{
	unsigned copied = (unsigned)(last - e), uncounted = 0;

	*first_lost = *end_lost = NULL;
	for (; e < last; e++, to++) {
		pte_t old = *e;
		if (!old) {
			copied--;
			continue;
		}
		if (old & lose) {
			old &= ~lose;
			*e = old;
			if (!*first_lost)
				*first_lost = e;
			*end_lost = e + 1;
		}
		*to = old;
		page_word *word = word_of(old);
		if (__builtin_expect(page_type(*word) == PAGE_ANON, 1))
			*word += PAGE_ANON_ONE;
		else if (!page_entry_get(pte_pfn(old)))
			uncounted++;
	}
	dst->resident += copied - uncounted;
	return copied;
}

int mmu_copy(struct mmu *dst, struct mmu *src, vaddr_t start, vaddr_t end, enum mmu_copy how, struct mmu_gather *gather)
{
	const pte_t lose = how == MMU_COPY_PRIVATE ? PTE_WRITE : 0;
	struct path from, to;
	pte_t *first_lost, *end_lost;

	for (vaddr_t va = start; next_leaf(src, &va, end, &from); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, end);
		vaddr_t base = va - ((vaddr_t)i << PAGE_SHIFT);

		while (i < last && !from.leaf[i])
			i++;
		if (i == last)
			continue;		/* the table belongs to neighbours of this range */
		if (!reach(dst, va, &to))
			return -ENOMEM;
		unsigned copied = copy_entries(dst, &from.leaf[i], &from.leaf[last], &to.leaf[i], lose, &first_lost, &end_lost);
		table_count(direct_pfn(to.leaf), (int)copied);
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
			if (!reach(mmu, m.at, &target))
				return m.at;
			if (count_entries(m.at, target.leaf, how == HOLD ? 1 : -1) == 0)
				prune(mmu, m.at, NULL);
		}
	return 0;
}

int mmu_move_prepare(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size)
{
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
		unsigned moved = 0;

		for (unsigned i = index_at(va, 0); i < last_in_leaf(va, from + size); i++) {
			if (!source.leaf[i])
				continue;
			struct move m = move_of(&source, va, i, to - from, &reached);
			if (m.first && !walk(mmu, m.at, &target, &skip))
				panic("mmu_move: no table at %#lx", m.at);
			target.leaf[index_at(m.at, 0)] = *m.entry;
			count_entries(m.at, target.leaf, !m.first);
			*m.entry = 0;
			moved++;
			mmu_gather_entry(gather, m.at - (to - from));
		}
		if (moved && count_entries(va, source.leaf, -(int)moved) == 0)
			prune(mmu, va, gather);
	}
}

void mmu_protect(struct mmu *mmu, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write write, struct mmu_gather *gather)
{
	struct path path;

	for (vaddr_t va = start; next_leaf(mmu, &va, end, &path); va = after_leaf(va)) {
		unsigned i = index_at(va, 0), last = last_in_leaf(va, end);
		vaddr_t base = va - ((vaddr_t)i << PAGE_SHIFT);

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
static void drop_entries(struct mmu *mmu, pte_t *e, unsigned left)
{
	size_t counted = left;

	do {
		e = next_entry(e);
		pte_t old = *e++;
		page_word *word = word_of(old);
		if (__builtin_expect(page_type(*word) == PAGE_ANON && page_value(*word) > 1, 1)) {
			*word -= PAGE_ANON_ONE;
			continue;
		}
		enum page_put put = page_entry_put(pte_pfn(old));
		if (put == PAGE_PUT_LAST)
			frame_free(pte_pfn(old), 0);
		else if (put == PAGE_PUT_UNCOUNTED)
			counted--;
	} while (--left > 0);
	mmu->resident -= counted;
}

/* Frees the table that this entry of `level` points to and all that hangs below it. */
static void drop_below(struct mmu *mmu, pte_t upper, unsigned level)
{
	pte_t *table = table_at(upper);
	pfn_t pfn = pte_pfn(upper);
	unsigned left = table_entries(pages[pfn]);

	if (level == 1 && left > 0) {
		drop_entries(mmu, table, left);
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
	pages[pfn] = page_table(0, 1);
	mmu->tables = 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------ */

static struct mmu_entry entry_of(pte_t e)
{
	if (!e)
		return (struct mmu_entry){ .pfn = PFN_NONE };
	return (struct mmu_entry){ .pfn = pte_pfn(e), .prot = pte_prot(e), .accessed = e & PTE_ACCESSED, .dirty = e & PTE_DIRTY };
}

struct mmu_entry mmu_query(const struct mmu *mmu, vaddr_t va)
{
	struct path path;
	size_t skip;

	return entry_of(walk(mmu, va, &path, &skip) ? path.leaf[index_at(va, 0)] : 0);
}

static void walk_below(pte_t *table, unsigned level, vaddr_t base, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	unsigned present = 0, user_entries = level == LEVELS - 1 ? FANOUT / 2 : FANOUT;

	for (unsigned i = 0; i < user_entries; i++) {
		vaddr_t va = base + i * reach_of(level);

		if (!table[i])
			continue;
		present++;
		if (va >= end || va + reach_of(level) <= start)
			continue;
		if (level > 0)
			walk_below(table_at(table[i]), level - 1, va, start, end, w);
		else if (w->leaf)
			w->leaf(w->context, va, entry_of(table[i]));
	}
	if (w->table)
		w->table(w->context, direct_pfn(table), level, present);
}

void mmu_walk(const struct mmu *mmu, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	walk_below(direct(pfn_of(mmu->root)), LEVELS - 1, 0, start, end, w);
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
