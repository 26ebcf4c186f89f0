/* arch/x86_64/tlb.h - filling a gather, inlined into the loops of mmu.c; which tables the processor runs on. */
#pragma once
#include "arch/x86_64/paging.h"

extern paddr_t active_root;		/* of this processor */
static inline bool mmu_is_active(const struct mmu *mmu) { return mmu->root == active_root || mmu == &kernel_mmu; }

/* Entries in [start, end) were there and have changed or gone. */
static inline void mmu_gather_range(struct mmu_gather *g, vaddr_t start, vaddr_t end)
{
	if (start < g->start)
		g->start = start;
	if (end > g->end)
		g->end = end;
}

static inline void mmu_gather_entry(struct mmu_gather *g, vaddr_t va)
{
	mmu_gather_range(g, va, va + PAGE_SIZE);
	g->pages++;
}

/* With this bit: not a frame but a block of MMU_HUGE_ORDER. */
#define GATHER_BLOCK	((pfn_t)1 << 63)

/* To be freed once no TLB can hold it.  The gather may be emptied on the way: then what it was told of ranges is done with. */
static inline void mmu_gather_frame(struct mmu_gather *g, pfn_t pfn)
{
	g->frame[g->nframes++] = pfn;
	if (g->nframes == GATHER_FRAMES)
		mmu_gather_finish(g);
}

/* The same for a table on the way to va: one page's flush drops the paging-structure caches too. */
static inline void mmu_gather_table(struct mmu_gather *g, vaddr_t va, pfn_t table)
{
	mmu_gather_range(g, page_floor(va), page_floor(va) + PAGE_SIZE);
	g->tables = true;
	mmu_gather_frame(g, table);
}
