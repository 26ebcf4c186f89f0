/*
 * arch/x86_64/mmu_move.c - mremap: entries move from one range to another, their pages and counts stay.
 *
 * The source is taken in stretches that lie in one leaf table and go into one.  The space is locked for writing and both tables are its own, so nobody else changes entries of them.
 */
#include "arch/x86_64/mmu_path.h"

struct stretch {
	struct path source;
	pte_t *first, *end;		/* entries of the source's leaf table */
	vaddr_t va, stop;		/* what they map */
	vaddr_t to;			/* where the first goes */
};

static inline vaddr_t lesser(vaddr_t a, vaddr_t b)
{
	return a < b ? a : b;
}

/* The next stretch of [*va, end) in which a table is; *va goes behind it.  Addresses grow by `by`.  false: no more. */
static bool next_stretch(struct mmu *mmu, vaddr_t *va, vaddr_t end, vaddr_t by, struct stretch *s)
{
	if (!next_leaf(mmu, va, end, &s->source))
		return false;
	s->va = *va;
	s->to = *va + by;
	s->stop = *va = lesser(lesser(end, after_leaf(s->va)), after_leaf(s->to) - by);
	s->first = &s->source.leaf[index_at(s->va, 0)];
	s->end = s->first + ((s->stop - s->va) >> PAGE_SHIFT);
	while (s->first < s->end && !*s->first) {
		s->first++;
		s->va += PAGE_SIZE;
		s->to += PAGE_SIZE;
	}
	return true;
}

/* Returns how many entries the table has then. */
static unsigned count_entries(vaddr_t va, const pte_t *table, int entries, int resident)
{
	page_word word = table_count(lock_table(va, table), entries, resident);

	unlock_table(va, table, word);
	return table_entries(word);
}

enum hold { HOLD, RELEASE };

/*
 * A table that waits for entries to be moved into it counts one more than it has, so that it stays though it may be empty; the first stretch
 * that goes into it takes that back.  HOLD makes the tables and counts, RELEASE takes it back below `stop`.
 * => the address whose table could not be made; 0: all is well.
 */
static vaddr_t hold_targets(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, enum hold how, vaddr_t stop)
{
	struct stretch s;
	struct path target;
	vaddr_t reached = 0, va = from;

	while (next_stretch(mmu, &va, from + size, to - from, &s)) {
		if (s.first == s.end || s.to < reached || s.to >= stop)
			continue;
		reached = after_leaf(s.to);
		if (!reach(mmu, s.to, &target, 0))
			return s.to;
		if (count_entries(s.to, target.leaf, how == HOLD ? 1 : -1, 0) == 0)
			mmu_prune(mmu, s.to, NULL);
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

/* Moves the entries of one stretch; the last of them maps *last.  Returns how many there were, and how many of counted pages. */
static int move_entries(const struct stretch *s, pte_t *target, vaddr_t *last, int *resident)
{
	int moved = 0;

	*resident = 0;
	for (pte_t *e = s->first; e < s->end; e++, target++) {
		if (!*e)
			continue;
		*resident += page_counted(read_word_of(*e));
		pte_write(target, *e);
		pte_write(e, 0);
		moved++;
		*last = s->va + ((vaddr_t)(e - s->first) << PAGE_SHIFT);
	}
	return moved;
}

void mmu_move(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *gather)
{
	struct stretch s;
	struct path target;
	vaddr_t reached = 0, va = from, last = from;
	size_t skip;
	int resident;

	while (next_stretch(mmu, &va, from + size, to - from, &s)) {
		if (s.first == s.end)
			continue;
		if (!walk(mmu, s.to, &target, &skip))
			panic("mmu_move: no table at %#lx", s.to);
		int moved = move_entries(&s, &target.leaf[index_at(s.to, 0)], &last, &resident);
		count_entries(s.to, target.leaf, moved - (s.to >= reached), resident);
		reached = after_leaf(s.to);
		mmu_gather_range(gather, s.va, last + PAGE_SIZE);
		gather->pages += (unsigned)moved;
		if (count_entries(s.va, s.source.leaf, -moved, -resident) == 0)
			mmu_prune(mmu, s.va, gather);
	}
}
