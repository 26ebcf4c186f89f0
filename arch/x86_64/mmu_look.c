/*
 * arch/x86_64/mmu_look.c - looking at page tables: one entry, its accessed bit, all of them.
 */
#include "arch/x86_64/mmu_path.h"

static enum mmu_table state_of(vaddr_t va, pte_t upper)
{
	if (upper & PTE_LARGE)
		return MMU_TABLE_HUGE;
	if (!is_user(va))
		return MMU_TABLE_OWN;
	if (table_refs(page_word_of(pte_pfn(upper))) > 1)
		return MMU_TABLE_SHARED;
	return upper & PTE_WRITE ? MMU_TABLE_OWN : MMU_TABLE_HELD;
}

/* The leaf entry e, reached by `upper`; rights are what both give. */
static struct mmu_entry entry_of(vaddr_t va, pte_t upper, pte_t e)
{
	struct mmu_entry found = { .pfn = PFN_NONE, .table = state_of(va, upper), .spaces = 1 };

	if (found.table == MMU_TABLE_HUGE)
		e = (upper & ~PTE_LARGE) + ((pte_t)index_at(va, 0) << PAGE_SHIFT);
	else
		found.bare = is_user(va) && table_resident(page_word_of(pte_pfn(upper))) == 0;
	if (found.table == MMU_TABLE_SHARED)
		found.spaces = (unsigned)table_refs(page_word_of(pte_pfn(upper)));
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
	return entry_of(va, pte_read(path.upper[1]), path.leaf ? pte_read(&path.leaf[index_at(va, 0)]) : 0);
}

void mmu_clear_accessed(struct mmu *mmu, vaddr_t va, struct mmu_gather *gather)
{
	struct path path;
	size_t skip;

	if (walk(mmu, va, &path, &skip)) {
		__atomic_fetch_and(&path.leaf[index_at(va, 0)], ~PTE_ACCESSED, __ATOMIC_RELAXED);
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
