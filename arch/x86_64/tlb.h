/* arch/x86_64/tlb.h - flushing, and filling a gather, inlined into the loops of mmu*.c. */
#pragma once
#include "arch/x86_64/paging.h"

/* Which processors must forget: this one alone, since the others' entries are only stricter than they need be; all that run the mmu; all, and what they know of tables as well. */
enum flush { FLUSH_HERE, FLUSH_PAGES, FLUSH_TABLES };
/* The translations of [start, end) are gone everywhere when it returns. */
void mmu_flush(struct mmu *, vaddr_t start, vaddr_t end, enum flush);
/* No processor has it loaded any more: those that rest on it leave it. */
void mmu_evict(struct mmu *);

/* What a gather holds is a page whose entry is gone and still counted; or, with one of these bits, a table, or a block of MMU_HUGE_ORDER. */
#define GATHER_TABLE	((pfn_t)1 << 62)
#define GATHER_BLOCK	((pfn_t)1 << 63)

/* Entries in [start, end) were there and have gone or become stricter. */
static inline void mmu_gather_range(struct mmu_gather *g, vaddr_t start, vaddr_t end)
{
	if (start < g->start)
		g->start = start;
	if (end > g->end)
		g->end = end;
	g->others = true;
}

static inline void mmu_gather_entry(struct mmu_gather *g, vaddr_t va)
{
	mmu_gather_range(g, va, va + PAGE_SIZE);
	g->pages++;
}

/* Entries in [start, end) have lost some bits and won some.  Who may do more than before finds out by a fault that there is nothing to do. */
static inline void mmu_gather_change(struct mmu_gather *g, vaddr_t start, vaddr_t end, pte_t lost, pte_t won)
{
	bool others = g->others || lost & (PTE_PRESENT | PTE_WRITE) || won & PTE_NX;

	mmu_gather_range(g, start, end);
	g->others = others;
}

/* The gather may be emptied on the way: then what it was told of ranges is done with. */
static inline void mmu_gather_page(struct mmu_gather *g, pfn_t pfn)
{
	g->frame[g->nframes++] = pfn;
	if (g->nframes == GATHER_FRAMES)
		mmu_gather_finish(g);
}

static inline void mmu_gather_block(struct mmu_gather *g, pfn_t pfn)
{
	mmu_gather_page(g, pfn | GATHER_BLOCK);
}

/* A table on the way to va: one page's flush drops the paging-structure caches too. */
static inline void mmu_gather_table(struct mmu_gather *g, vaddr_t va, pfn_t table)
{
	mmu_gather_range(g, page_floor(va), page_floor(va) + PAGE_SIZE);
	g->tables = true;
	mmu_gather_page(g, table | GATHER_TABLE);
}
