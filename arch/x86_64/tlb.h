/* arch/x86_64/tlb.h - filling a gather, inlined into the loops of mmu.c; which tables the processor runs on. */
#pragma once
#include "arch/x86_64/paging.h"

extern paddr_t active_root;		/* of this processor */
static inline bool mmu_is_active(const struct mmu *mmu) { return mmu->root == active_root || mmu == &kernel_mmu; }

/* The entry at va was there and has changed or gone. */
static inline void mmu_gather_entry(struct mmu_gather *g, vaddr_t va)
{
	if (va < g->start)
		g->start = va;
	if (va + PAGE_SIZE > g->end)
		g->end = va + PAGE_SIZE;
	g->pages++;
}

/* To be freed once no TLB can hold it. */
static inline void mmu_gather_frame(struct mmu_gather *g, pfn_t pfn)
{
	g->frame[g->nframes++] = pfn;
	if (g->nframes == GATHER_FRAMES)
		mmu_gather_finish(g);
}

static inline void mmu_gather_table(struct mmu_gather *g, pfn_t table)
{
	g->tables = true;
	mmu_gather_frame(g, table);
}
