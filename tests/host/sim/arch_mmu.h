/* tests/host/sim/arch_mmu.h - the simulated MMU's part of arch/mmu.h. */
#pragma once
#include "arch_types.h"

struct mmu {
	pfn_t root;
	size_t resident;	/* leaf entries that point to counted pages */
	size_t tables;		/* below the root */
	vaddr_t base;		/* the lowest address that the root reaches */
};

/* What one leaf table maps. */
#define MMU_TABLE_REACH	((size_t)1 << HUGE_SHIFT)

/* What an entry that is not present can hold for vm/: see arch/mmu.h. */
enum { MMU_VALUE_BITS = 40 };

static inline void *direct(pfn_t pfn) { return (void *)(SIM_DIRECT + ((vaddr_t)pfn << PAGE_SHIFT)); }
static inline pfn_t direct_pfn(const void *p) { return ((vaddr_t)p - SIM_DIRECT) >> PAGE_SHIFT; }
