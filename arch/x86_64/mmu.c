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

		if (table_entries(page_word_of(table)) > 0)
			return;
		pte_write(path.upper[level], 0);
		count_mmu(mmu, 0, -1);
		count_upper(va, path.upper[level], -1);
		if (gather) {
			mmu_gather_table(gather, va, table);
		} else {
			mmu_flush(mmu, page_floor(va), page_floor(va) + PAGE_SIZE, FLUSH_TABLES);
			frame_free(table, 0);
		}
	}
}

/* The upper entry of va at `level`, which is empty so far, is to point to this table; false: another processor was first. */
static bool put_table(struct mmu *mmu, vaddr_t va, pte_t *upper, pfn_t pfn)
{
	pte_t none = 0, entry = (pte_t)pfn << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | (is_user(va) ? PTE_USER : 0);

	if (!__atomic_compare_exchange_n(upper, &none, entry, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;
	count_upper(va, upper, 1);
	count_mmu(mmu, 0, 1);
	return true;
}

bool mmu_make_tables(struct mmu *mmu, vaddr_t va, unsigned lowest)
{
	pfn_t made[LEVELS];
	unsigned level = LEVELS - 1, n = 0;
	pte_t *upper = (pte_t *)direct(pfn_of(mmu->root)) + index_at(va, level), below;

	for (; level > lowest && (below = pte_read(upper)); upper = &table_at(below)[index_at(va, level)])
		level--;
	for (unsigned missing = level - lowest; n < missing; n++)
		if ((made[n] = frame_alloc_table()) == PFN_NONE) {
			while (n > 0)
				frame_free(made[--n], 0);
			return false;
		}
	while (n > 0 && put_table(mmu, va, upper, made[n - 1]))
		upper = (pte_t *)direct(made[--n]) + index_at(va, --level);
	while (n > 0)
		frame_free(made[--n], 0);		/* another processor was first, and may have made more */
	return true;
}

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	struct path path;
	int installed = 0, resident = 0;

	if (!reach(mmu, va, &path, 0))
		return -ENOMEM;
	assert(!(pte_read(path.upper[1]) & PTE_LARGE) && (!is_user(va) || !is_shared(&path)));
	page_word word = lock_table(va, path.leaf);
	for (pte_t *e = path.leaf + index_at(va, 0); n > 0; n--, e++, pfns++) {
		if (*pfns == PFN_NONE || *e)
			continue;
		resident += page_entry_get(*pfns);
		pte_write(e, pte_make(va, *pfns, prot));
		installed++;
	}
	count_mmu(mmu, resident, 0);
	unlock_table(va, path.leaf, table_count(word, installed, resident));
	return installed;
}

/* Empties the entries [e, last) of a leaf table, the first of which maps va; both ends are there.  Returns how many are left in the table. */
static unsigned unmap_entries(struct mmu *mmu, pte_t *e, pte_t *last, vaddr_t va, struct mmu_gather *gather)
{
	const vaddr_t end = va + (vaddr_t)(last - e) * PAGE_SIZE;
	const pte_t *table = direct(direct_pfn(e));
	unsigned gone = 0, uncounted = 0;
	page_word word = lock_table(va, table);

	mmu_gather_range(gather, va, end);
	for (pte_t *first = e; e < last; e++) {
		pte_t old = *e;
		if (!old)
			continue;
		pte_write(e, 0);
		gone++;
		if (!page_counted(read_word_of(old))) {
			uncounted++;
			continue;
		}
		mmu_gather_page(gather, pte_pfn(old));
		if (gather->nframes == 0)		/* it was full and is empty now: the rest of the range is still to come */
			mmu_gather_range(gather, va + (vaddr_t)(e - first) * PAGE_SIZE, end);
	}
	gather->pages += gone;
	word = table_count(word, -(int)gone, -(int)(gone - uncounted));
	count_mmu(mmu, -(ssize)(gone - uncounted), 0);
	unlock_table(va, table, word);
	return is_user(va) ? table_entries(word) : 1;
}

/* What the range covers as a whole and is huge, or shared with others who keep it: the upper entry is all that goes.  Its pages stay counted until no TLB has them. */
static void unmap_upper(struct mmu *mmu, vaddr_t va, struct path *path, struct mmu_gather *gather)
{
	pte_t old = *path->upper[1];

	pte_write(path->upper[1], 0);
	count_upper(va, path->upper[1], -1);
	mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
	gather->tables = true;
	if (old & PTE_LARGE) {
		mmu_gather_block(gather, mmu_dissolve_huge(mmu, old));
	} else {
		count_mmu(mmu, -(ssize)table_resident(page_word_of(pte_pfn(old))), -1);
		mmu_gather_finish(gather);
		mmu_leave_table(pte_pfn(old));
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

/* The leaf table of va and its lock; NULL: its entry does not map pfn any more. */
static pte_t *lock_entry(struct mmu *mmu, vaddr_t va, pfn_t pfn, page_word *word)
{
	struct path path;
	size_t skip;

	if (!walk(mmu, va, &path, &skip) || !path.leaf || is_shared(&path))
		panic("no page table of our own at %#lx", va);
	pte_t *e = &path.leaf[index_at(va, 0)];

	*word = lock_table(va, path.leaf);
	if (*e && pte_pfn(*e) == pfn)
		return e;
	unlock_table(va, path.leaf, *word);
	return NULL;
}

bool mmu_replace(struct mmu *mmu, vaddr_t va, pfn_t old, pfn_t new, unsigned prot)
{
	page_word word;
	pte_t *e = lock_entry(mmu, va, old, &word);

	if (!e)
		return false;
	if (*e & PTE_WRITE) {
		unlock_table(va, e, word);
		return false;
	}
	bool counted = page_counted(page_word_of(old));

	pte_write(e, 0);
	mmu_flush(mmu, va, va + PAGE_SIZE, FLUSH_PAGES);		/* the old translation is gone everywhere ... */
	int resident = page_entry_get(new) - counted;
	count_mmu(mmu, resident, 0);
	pte_write(e, pte_make(va, new, prot));				/* ... before the new one is there */
	unlock_table(va, e, table_count(word, 0, resident));
	if (counted && page_entry_put(old) == PAGE_PUT_LAST)
		frame_free(old, 0);
	return true;
}

/* The bits of an entry with these rights, and of one that may not be written; which of them it gets depends on its page. */
struct rights { pte_t full, unwritable; bool ask; };

static struct rights rights_of(vaddr_t va, unsigned prot, enum mmu_write write)
{
	pte_t full = pte_make(va, 0, prot);

	return (struct rights){ full, full & ~PTE_WRITE, write == MMU_WRITE_OWN && full & PTE_WRITE };
}

static pte_t with_rights(pte_t old, const struct rights *r)
{
	return (old & (PTE_FRAME | PTE_ACCESSED | PTE_DIRTY)) | (r->ask && !page_is_mine(read_word_of(old)) ? r->unwritable : r->full);
}

bool mmu_loosen(struct mmu *mmu, vaddr_t va, pfn_t pfn, unsigned prot, enum mmu_write write)
{
	const struct rights rights = rights_of(va, prot, write);
	page_word word;
	pte_t *e = lock_entry(mmu, va, pfn, &word);

	if (!e)
		return false;
	pte_write(e, with_rights(*e, &rights));
	unlock_table(va, e, word);
	mmu_flush_local(mmu, va);
	return true;
}

/* A huge page is its space's alone: it may get any right. */
static void protect_huge(pte_t *entry, vaddr_t va, unsigned prot, struct mmu_gather *gather)
{
	pte_t new = pte_make(va, pte_pfn(*entry), prot) | PTE_LARGE | (*entry & (PTE_ACCESSED | PTE_DIRTY));

	if (new == *entry)
		return;
	pte_write(entry, new);
	mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
	gather->pages++;
}

/* Rights for the entries [e, last) of a leaf table, the first of which maps va. */
static void protect_entries(pte_t *e, pte_t *last, vaddr_t va, unsigned prot, enum mmu_write write, struct mmu_gather *gather)
{
	const struct rights rights = rights_of(va, prot, write);
	pte_t *first = NULL, *end = NULL, lost = 0, won = 0;

	va -= (vaddr_t)e / sizeof *e * PAGE_SIZE;
	for (; e < last; e++) {
		pte_t old = *e, new = with_rights(old, &rights);
		if (!old || new == old)
			continue;
		pte_write(e, new);
		lost |= old & ~new;
		won |= new & ~old;
		gather->pages++;
		first = first ? first : e;
		end = e + 1;
	}
	if (first)
		mmu_gather_change(gather, va + (vaddr_t)first / sizeof *e * PAGE_SIZE, va + (vaddr_t)end / sizeof *e * PAGE_SIZE, lost, won);
}

void mmu_protect(struct mmu *mmu, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write write, struct mmu_gather *gather)
{
	struct path path;

	for (vaddr_t va = start; next_leaf(mmu, &va, end, &path); va = after_leaf(va)) {
		unsigned i = index_at(va, 0);

		if (!path.leaf) {
			assert(covers_leaf(va, end));
			protect_huge(path.upper[1], va, prot, gather);
			continue;
		}
		protect_entries(&path.leaf[i], &path.leaf[last_in_leaf(va, end)], va, prot, write, gather);	/* alone: needs no lock */
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
	assert(mmu->resident == 0 && table_entries(page_word_of(pfn_of(mmu->root))) == 0);
	frame_free(pfn_of(mmu->root), 0);
}
