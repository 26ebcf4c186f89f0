/*
 * arch/x86_64/mmu_fork.c - page tables of a process that comes, and of one that goes.  Their loops are what the cost of fork and exit is made of.
 */
#include "arch/x86_64/mmu_path.h"

enum { WORTH_SHARING = FANOUT / 8 };	/* entries: a table with fewer is copied, which spares the fault that would have to copy it later */

unsigned mmu_copy_entries(pte_t *e, pte_t *last, pte_t *to, pte_t lose, unsigned *resident, pte_t **first_lost, pte_t **end_lost)
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
			*to = old;
			pte_write(e, old);
			if (!*first_lost)
				*first_lost = e;
			*end_lost = e + 1;
		}
		page_word *word = word_of(old);
		if (__builtin_expect(page_type(read_word_of(old)) == PAGE_ANON, 1))
			__atomic_fetch_add(word, PAGE_ANON_ONE, __ATOMIC_RELAXED);
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
	struct path to;

	if (!reach(dst, va, &to, 1))
		return false;
	assert(!*to.upper[1]);
	page_word word = table_lock(pte_pfn(*upper));
	if (*upper & PTE_WRITE) {
		pte_write(upper, *upper & ~PTE_WRITE);
		mmu_gather_range(gather, va, va + MMU_TABLE_REACH);
		gather->pages += table_entries(word);
		gather->tables = true;
	}
	pte_write(to.upper[1], *upper);
	table_unlock(pte_pfn(*upper), word + PAGE_TABLE_REF);
	count_upper(va, to.upper[1], 1);
	count_mmu(dst, (ssize)table_resident(word), 1);
	return true;
}

/* May the leaf table at the end of the path be shared, and is it worth it? */
static inline bool can_share(const struct path *path, vaddr_t va, const struct mmu_span *span)
{
	return leaf_start(va) >= span->low && after_leaf(va) <= span->high && table_entries(page_word_of(pte_pfn(*path->upper[1]))) >= WORTH_SHARING;
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

		if (!from.leaf && !mmu_break_huge(src, va, &from))
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
		page_word word = lock_table(va, from.leaf);
		unsigned copied = mmu_copy_entries(&from.leaf[i], &from.leaf[last], &to.leaf[i], lose, &resident, &first_lost, &end_lost);
		unlock_table(va, from.leaf, word);
		unlock_table(va, to.leaf, table_count(lock_table(va, to.leaf), (int)copied, (int)resident));
		count_mmu(dst, (ssize)resident, 0);
		if (!first_lost)
			continue;
		gather->pages += (unsigned)(end_lost - first_lost);
		mmu_gather_range(gather, base + (vaddr_t)(first_lost - from.leaf) * PAGE_SIZE, base + (vaddr_t)(end_lost - from.leaf) * PAGE_SIZE);
	}
	return 0;
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
		page_word word = page_word_of(pte_pfn(old));
		if (page_is_mine(word) || (page_counted(word) && page_entry_put(pte_pfn(old)) == PAGE_PUT_LAST))
			frame_free(pte_pfn(old), 0);
	} while (--left > 0);
}

/* Of those who leave a table at once, each drops a reference under its lock, and the last finds itself alone with it. */
void mmu_leave_table(pfn_t table)
{
	page_word word = table_lock(table);
	bool last = table_refs(word) == 1;

	table_unlock(table, last ? word : word - PAGE_TABLE_REF);
	if (!last)
		return;
	if (table_entries(word) > 0)
		drop_entries(direct(table), table_entries(word));
	frame_free(table, 0);
}

/* Frees the huge page, or the table, that this entry of `level` points to and all that hangs below it; a table that others have stays. */
static void drop_below(struct mmu *mmu, pte_t upper, unsigned level)
{
	pfn_t pfn = pte_pfn(upper);
	page_word word = page_word_of(pfn);

	if (upper & PTE_LARGE) {
		frame_free(mmu_dissolve_huge(mmu, upper), MMU_HUGE_ORDER);
		return;
	}
	if (level == 1) {
		count_mmu(mmu, -(ssize)table_resident(word), 0);
		mmu_leave_table(pfn);
		return;
	}
	unsigned left = table_entries(word);
	for (pte_t *e = table_at(upper); left > 0; e++, left--) {
		e = next_entry(e);
		drop_below(mmu, *e, level - 1);
	}
	frame_free(pfn, 0);
}

void mmu_drop(struct mmu *mmu)
{
	pte_t *root = direct(pfn_of(mmu->root));
	pfn_t pfn = pfn_of(mmu->root);
	unsigned left = table_entries(page_word_of(pfn));

	mmu_evict(mmu);
	for (pte_t *e = root; left > 0; e++, left--) {
		e = next_entry(e);
		drop_below(mmu, *e, LEVELS - 1);
		*e = 0;
	}
	page_word_set(pfn, page_table(0, 0, 1));
	mmu->tables = 0;
}
