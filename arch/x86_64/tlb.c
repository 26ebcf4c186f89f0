/*
 * arch/x86_64/tlb.c - the TLB: what has to be flushed, and which tables the processor runs on.
 *
 * Intel SDM volume 3, 4.10: INVLPG drops one page's translation, global or not, and the paging-structure caches; loading CR3 drops all
 * that is not global; toggling CR4.PGE drops everything.  A space that this processor does not run on has nothing in its TLB: it was flushed
 * when CR3 was loaded.
 */
#include "tlb.h"
#include "vm/frame.h"
#include "cpu_features.h"

enum { FLUSH_SINGLY = 32 };		/* pages; from there on one load of CR3 is cheaper */

struct mmu kernel_mmu;
struct tlb_stats tlb_stats;
paddr_t active_root;

static inline void invlpg(vaddr_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void load_cr3(paddr_t root)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
}

static void flush_global(void)
{
	uint64_t cr4;

	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	if (cr4 & CR4_PGE) {
		__asm__ volatile("movq %0, %%cr4" : : "r"(cr4 & ~CR4_PGE) : "memory");
		__asm__ volatile("movq %0, %%cr4" : : "r"(cr4) : "memory");
	} else {
		load_cr3(active_root);
	}
}

static void flush(const struct mmu_gather *g)
{
	size_t range = (g->end - g->start) >> PAGE_SHIFT;

	if (range <= FLUSH_SINGLY) {
		for (vaddr_t va = g->start; va < g->end; va += PAGE_SIZE)
			invlpg(va);
		tlb_stats.pages += range;
		return;
	}
	if (g->mmu == &kernel_mmu)
		flush_global();
	else
		load_cr3(active_root);
	tlb_stats.full++;
}

void mmu_gather_finish(struct mmu_gather *g)
{
	if (g->start < g->end && mmu_is_active(g->mmu))
		flush(g);
	for (unsigned i = 0; i < g->nframes; i++)
		frame_free(g->frame[i], 0);
	mmu_gather_begin(g, g->mmu);
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	if (mmu_is_active(mmu)) {
		invlpg(va);
		tlb_stats.pages++;
	}
}

void mmu_activate(struct mmu *mmu)
{
	paddr_t root = (mmu ? mmu : &kernel_mmu)->root;

	if (root == active_root)
		return;
	active_root = root;
	load_cr3(root);
	tlb_stats.loads++;
}
