/*
 * arch/x86_64/mmu_own.c - before a change: a leaf table that fork has shared is copied, a huge entry that is met in part is broken into a table.
 */
#include "arch/x86_64/mmu_path.h"

/*
 * Gives mmu its own copy of the shared leaf table at the end of the path; the pages are shared from now on, each copy-on-write.  Others who have the table may take their
 * copy at the same time, or leave it: so it is left, maybe as the last, when no TLB knows the way to it any more.
 */
static bool copy_table(struct mmu *mmu, vaddr_t va, struct path *path)
{
	pfn_t old = pte_pfn(*path->upper[1]), new = frame_alloc(0, page_table(0, 0, 1), FRAME_KERNEL);
	pte_t *ignored;
	unsigned resident;

	if (new == PFN_NONE)
		return false;
	page_word word = table_lock(old);
	unsigned n = mmu_copy_entries(path->leaf, path->leaf + FANOUT, direct(new), PTE_WRITE, &resident, &ignored, &ignored);
	table_unlock(old, word);
	page_word_set(new, page_table(n, resident, 1));
	pte_write(path->upper[1], (pte_t)new << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER);
	mmu_flush(mmu, page_floor(va), page_floor(va) + PAGE_SIZE, FLUSH_TABLES);
	mmu_leave_table(old);
	return true;
}

bool mmu_break_huge(struct mmu *mmu, vaddr_t va, struct path *path)
{
	pfn_t table = frame_alloc(0, page_table(FANOUT, FANOUT, 1), FRAME_KERNEL);

	if (table == PFN_NONE)
		return false;
	path->leaf = direct(table);
	for (unsigned i = 0; i < FANOUT; i++)
		path->leaf[i] = (*path->upper[1] & ~PTE_LARGE) + ((pte_t)i << PAGE_SHIFT);
	pte_write(path->upper[1], (pte_t)table << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER);
	count_mmu(mmu, 0, 1);
	mmu_flush(mmu, page_floor(va), page_floor(va) + PAGE_SIZE, FLUSH_TABLES);
	return true;
}

static bool own_leaf(struct mmu *mmu, vaddr_t va, struct path *path, enum mmu_own how)
{
	if (!path->leaf)
		return how == MMU_OWN_TABLES || mmu_break_huge(mmu, va, path);
	if (is_shared(path))
		return copy_table(mmu, va, path);
	if (!(*path->upper[1] & PTE_WRITE)) {
		pte_write(path->upper[1], *path->upper[1] | PTE_WRITE);
		mmu_flush(mmu, leaf_start(va), after_leaf(va), FLUSH_HERE);	/* else each page would cost a spurious fault */
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

pfn_t mmu_dissolve_huge(struct mmu *mmu, pte_t huge)
{
	pfn_t pfn = pte_pfn(huge);

	page_word_set(pfn, page_make(PAGE_ANON, 0));
	for (unsigned i = 1; i < FANOUT; i++)
		page_word_set(pfn + i, page_make(PAGE_PART, 0));
	count_mmu(mmu, -FANOUT, 0);
	return pfn;
}

int mmu_map_huge(struct mmu *mmu, vaddr_t va, pfn_t block, unsigned prot)
{
	struct path path;

	if (!reach(mmu, va, &path, 1))
		return -ENOMEM;
	assert(!*path.upper[1]);
	for (unsigned i = 0; i < FANOUT; i++)
		page_word_set(block + i, page_make(PAGE_ANON, 1));
	pte_write(path.upper[1], pte_make(va, block, prot) | PTE_LARGE);
	count_upper(va, path.upper[1], 1);
	count_mmu(mmu, FANOUT, 0);
	return 0;
}
