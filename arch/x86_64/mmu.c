/*
 * arch/x86_64/mmu.c - page tables: map, unmap, replace, protect, and their roots.  See arch/mmu.h for the contract, mmu_path.h for how tables look.
 *
 * Beside it: mmu_own.c (tables and huge pages that must be ours before a change), mmu_fork.c (copy and drop), mmu_move.c (mremap), mmu_look.c (query, walk).
 */
#include "arch/x86_64/mmu_path.h"
#include "arch/x86_64/boot_map.h"

void mmu_prune(struct mmu *mmu, vaddr_t va, struct mmu_gather *gather)
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
		mmu_prune(mmu, va, NULL);
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
		mmu_gather_frame(gather, mmu_dissolve_huge(mmu, old) | GATHER_BLOCK);
	} else {
		pages[pte_pfn(old)] -= PAGE_TABLE_REF;
		mmu->resident -= table_resident(pages[pte_pfn(old)]);
		mmu->tables--;
	}
	mmu_prune(mmu, va, gather);
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
			mmu_prune(mmu, va, gather);
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
		for (; i < last; i++) {
			pte_t old = path.leaf[i];
			if (!old)
				continue;
			assert(!is_shared(&path));
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
