/*
 * arch/x86_64/mmu_move.c - mremap: entries move from one range to another, their pages and counts stay.
 */
#include "arch/x86_64/mmu_path.h"

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
				mmu_prune(mmu, m.at, NULL);
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
			mmu_prune(mmu, va, gather);
	}
}
