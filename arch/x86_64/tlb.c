/*
 * arch/x86_64/tlb.c - the TLB: what has to be flushed, and which tables the processor runs on.
 *
 * Intel SDM volume 3, 4.10: INVLPG drops one page's translation, global or not, and the paging-structure caches; loading CR3 drops all
 * that is not global; toggling CR4.PGE drops everything.  A space that this processor does not run on has nothing in its TLB: it was flushed
 * when CR3 was loaded.
 */
#include "arch/x86_64/tlb.h"
#include "vm/frame.h"
#include "arch/x86_64/x86.h"

enum { FLUSH_SINGLY = 32 };		/* pages; from there on one load of CR3 is cheaper */

struct mmu kernel_mmu;
struct tlb_stats tlb_stats;
paddr_t active_root;

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

/* A table may be all that is left to flush: its entries went with an earlier, full gather. */
static void flush(const struct mmu_gather *g)
{
	size_t range = g->start < g->end ? (g->end - g->start) >> PAGE_SHIFT : 0;

	if (range > 0 && range <= FLUSH_SINGLY) {
		for (vaddr_t va = g->start; va < g->end; va += PAGE_SIZE)
			flush_page(va);
		tlb_stats.pages += range;
		return;
	}
	if (g->mmu == &kernel_mmu)
		flush_global();
	else
		write_cr3(active_root);
	tlb_stats.full++;
}

void mmu_gather_finish(struct mmu_gather *g)
{
	if ((g->start < g->end || g->tables) && mmu_is_active(g->mmu))
		flush(g);
	for (unsigned i = 0; i < g->nframes; i++)
		frame_free(g->frame[i] & ~GATHER_BLOCK, g->frame[i] & GATHER_BLOCK ? MMU_HUGE_ORDER : 0);
	mmu_gather_begin(g, g->mmu);
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	if (mmu_is_active(mmu)) {
		flush_page(va);
		tlb_stats.pages++;
	}
}

void mmu_activate(struct mmu *mmu)
{
	paddr_t root = (mmu ? mmu : &kernel_mmu)->root;

	if (root == active_root)
		return;
	active_root = root;
	write_cr3(root);
	tlb_stats.loads++;
}
