/* tests/host/sim/x86/arch/x86_64/x86.h - the instructions that arch/x86_64/mmu.c and tlb.c use, done to the simulated TLB. */
#pragma once
#include "sim.h"

enum { CR4_PGE = 1 << 7 };
static inline uint64_t read_cr4(void) { return 0; }
static inline void write_cr4(uint64_t v) { (void)v; }

/* SDM 4.10.4.1: a load of CR3 drops all that is not global. */
static inline void write_cr3(uint64_t root)
{
	sim_point();
	sim_tlb_load(pfn_of(root));
	sim_point();
}

/* The same section: INVLPG drops the page's translation, and the paging-structure caches whatever address they are for. */
static inline void flush_page(vaddr_t va)
{
	sim_point();
	sim_tlb_flush_here(sim_tlb_root(), page_floor(va), page_floor(va) + PAGE_SIZE, SIM_UPPER_TOO);
}
