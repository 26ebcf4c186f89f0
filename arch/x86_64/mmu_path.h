/*
 * arch/x86_64/mmu_path.h - four-level page tables: entries, the way to them, and tables that come and go; what the files mmu*.c share.
 * Intel SDM volume 3, chapter 4, for the format.
 *
 * Every operation goes leaf table by leaf table: one walk down for each 2 MiB, an empty upper entry is skipped as a whole, and the loop over the
 * entries is flat.  An entry is 'there' when it is not 0.  One that nobody may use (PROT_NONE) is kept with its present bit clear and
 * PTE_HELD set, so the processor faults and the frame is still known.  An entry of level 1 with PTE_LARGE maps a huge page.
 *
 * Rights are decided at the leaf, but for one: upper entries of user tables allow all, only that of a leaf table which fork has shared lacks
 * PTE_WRITE, until mmu_own gives it back.  Tables above the leaf tables are never shared.  Kernel tables below the top level are made at boot
 * for each top-level slot in use, so all roots share them and no root is ever updated later.
 *
 * Protected by: the lock of the space that the tables belong to (kernel tables: the kspace lock).  Its readers may add tables and entries and change entries: a table's entries change
 * under its own lock, and a table that is missing is put into the one above under that one's lock.  They read entries without: an entry is one word, and what it points to
 * was filled before it was written.
 */
#pragma once
#include "arch/mmu.h"
#include "vm/frame.h"
#include "vm/page.h"
#include "lib/assert.h"
#include "arch/x86_64/tlb.h"

enum { LEVELS = 4, FANOUT = 512 };

/* The way to a leaf table: the upper entries that lead there, [1] the one that points to the leaf table, [3] in the root. */
struct path {
	pte_t *upper[LEVELS];
	pte_t *leaf;			/* first entry of the leaf table; NULL: [1] is a huge entry */
};

/* Entries are read and written whole, while processors and other readers look at them. */
static inline pte_t pte_read(const pte_t *e) { return __atomic_load_n(e, __ATOMIC_ACQUIRE); }
static inline void pte_write(pte_t *e, pte_t v) { __atomic_store_n(e, v, __ATOMIC_RELEASE); }

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
/* What it says.  If that is a count of 1, those who had the page before have done all that they did to it. */
static inline page_word read_word_of(pte_t e) { return __atomic_load_n(word_of(e), __ATOMIC_ACQUIRE); }
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
	pte_t *table = direct(pfn_of(mmu->root)), upper = 0;

#pragma GCC unroll 3
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		path->upper[level] = &table[index_at(va, level)];
		upper = pte_read(path->upper[level]);
		if (!upper) {
			*skip = reach_of(level);
			return false;
		}
		table = table_at(upper);
	}
	path->leaf = upper & PTE_LARGE ? NULL : table;
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
	return table_refs(page_word_of(pte_pfn(pte_read(path->upper[1])))) > 1;
}

/* ---- tables that come and go ---------------------------------------------------------------------------------------------------- */

/*
 * Kernel tables are not counted, locked nor freed: those below a top-level slot are shared by all roots, and a kernel range that needs
 * one must be able to get it in an emergency.
 */
static inline page_word lock_table(vaddr_t va, const pte_t *table)
{
	return is_user(va) ? table_lock(direct_pfn(table)) : 0;
}

static inline void unlock_table(vaddr_t va, const pte_t *table, page_word word)
{
	if (is_user(va))
		table_unlock(direct_pfn(table), word);
}

/* So many more entries of counted pages, and so many more tables. */
static inline void count_mmu(struct mmu *mmu, ssize resident, ssize tables)
{
	if (resident)
		__atomic_fetch_add(&mmu->resident, (size_t)resident, __ATOMIC_RELAXED);
	if (tables)
		__atomic_fetch_add(&mmu->tables, (size_t)tables, __ATOMIC_RELAXED);
}

/* The table in which the upper entry lies has `entries` more (or fewer).  Above the leaves tables are not locked: entries come while the space is locked for reading, and go while for writing. */
static inline void count_upper(vaddr_t va, pte_t *upper, int entries)
{
	if (is_user(va))
		__atomic_fetch_add(&pages[direct_pfn(upper)], table_count(0, entries, 0), __ATOMIC_RELAXED);
}

/*
 * Takes out the tables on the way to va that are empty, from the leaf up; the space is locked for writing.  gather NULL: frees them at once; they were empty from the
 * start, but a processor may have looked at them all the same.
 */
void mmu_prune(struct mmu *, vaddr_t, struct mmu_gather *);

/* Makes the tables on the way to va that are missing, down to level `lowest`; false: no memory, nothing changed. */
bool mmu_make_tables(struct mmu *, vaddr_t va, unsigned lowest);

/* Walks down to the table of va at level `lowest`, making what is missing; false: no memory, nothing changed. */
static inline bool reach(struct mmu *mmu, vaddr_t va, struct path *path, unsigned lowest)
{
	for (;;) {
		pte_t *table = direct(pfn_of(mmu->root));
		unsigned level = LEVELS - 1;

#pragma GCC unroll 3
		for (; level > lowest; level--) {
			path->upper[level] = &table[index_at(va, level)];
			pte_t upper = pte_read(path->upper[level]);
			if (!upper)
				break;
			table = table_at(upper);
		}
		if (level == lowest) {
			path->leaf = table;
			if (lowest > 0)
				path->upper[lowest] = &table[index_at(va, lowest)];
			return true;
		}
		if (!mmu_make_tables(mmu, va, lowest))
			return false;
	}
}

/*
 * The mmu has no entry any more that points to this leaf table, and no TLB knows the way: a reference less.  With the last one the entries go, and the table.
 */
void mmu_leave_table(pfn_t table);
/* Breaks the huge entry at the end of the path into a table of entries with its rights; false: no memory. */
bool mmu_break_huge(struct mmu *, vaddr_t, struct path *);
/* The frames of a huge entry that is gone are a block again, to go back as one: its first frame. */
pfn_t mmu_dissolve_huge(struct mmu *, pte_t huge);
/*
 * Copies the entries [e, last) to `to` and takes the rights `lose` from both.  Returns how many there were, how many of them are of counted pages, and
 * which lost something: [*first_lost, *end_lost).
 */
unsigned mmu_copy_entries(pte_t *e, pte_t *last, pte_t *to, pte_t lose, unsigned *resident, pte_t **first_lost, pte_t **end_lost);
