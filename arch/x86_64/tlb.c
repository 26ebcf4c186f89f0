/*
 * arch/x86_64/tlb.c - the TLB: what has to be flushed, and which tables the processor runs on.
 *
 * Intel SDM volume 3, 4.10: INVLPG drops one page's translation, global or not, and the paging-structure caches; loading CR3 drops all
 * that is not global; toggling CR4.PGE drops everything.  A space that this processor does not run on has nothing in its TLB: it was flushed
 * when CR3 was loaded.
 */
#include "arch/x86_64/tlb.h"
#include "vm/frame.h"
#include "vm/page.h"
#include "arch/x86_64/x86.h"

enum { FLUSH_SINGLY = 32 };		/* pages; from there on one load of CR3 is cheaper */

struct mmu kernel_mmu;
static struct tlb_stats stats;
static paddr_t active_root;

static bool is_active(const struct mmu *mmu) { return mmu->root == active_root || mmu == &kernel_mmu; }

static void flush_global(void)
{
	uint64_t cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~(uint64_t)CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(active_root);
	}
}

void mmu_flush(struct mmu *mmu, vaddr_t start, vaddr_t end, enum flush what)
{
	size_t range = start < end ? (end - start) >> PAGE_SHIFT : 0;

	(void)what;
	if (!is_active(mmu))
		return;
	if (range > 0 && range <= FLUSH_SINGLY) {
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			flush_page(va);
		stats.pages += range;
		return;
	}
	if (mmu == &kernel_mmu)
		flush_global();
	else
		write_cr3(active_root);
	stats.full++;
}

/* Nobody can reach it any more: true if it is a frame to free. */
static bool is_free(pfn_t what)
{
	if (__builtin_expect(what & GATHER_BLOCK, 0)) {
		frame_free(what & ~GATHER_BLOCK, MMU_HUGE_ORDER);
		return false;
	}
	return what & GATHER_TABLE || page_is_mine(page_word_of(what)) || page_entry_put(what) == PAGE_PUT_LAST;
}

/* A table may be all that is left to flush: its entries went with an earlier, full gather. */
void mmu_gather_finish(struct mmu_gather *g)
{
	if (g->start < g->end || g->tables)
		mmu_flush(g->mmu, g->start, g->end, g->tables ? FLUSH_TABLES : g->others ? FLUSH_PAGES : FLUSH_HERE);
	unsigned n = 0;
	for (unsigned i = 0; i < g->nframes; i++)
		if (is_free(g->frame[i]))
			g->frame[n++] = g->frame[i] & ~GATHER_TABLE;
	frame_free_all(g->frame, n);
	mmu_gather_begin(g, g->mmu);
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	if (is_active(mmu)) {
		flush_page(va);
		stats.pages++;
	}
}

void mmu_activate(struct mmu *mmu)
{
	paddr_t root = (mmu ? mmu : &kernel_mmu)->root;

	if (root == active_root)
		return;
	active_root = root;
	write_cr3(root);
	stats.loads++;
}

void mmu_rest(void) {}

struct tlb_stats mmu_tlb_stats(void)
{
	return stats;
}
