/* tests/host/sim/x86/arch_mmu.h - for arch/x86_64/mmu.c on the host: its structure (as in arch/x86_64/include), the simulated direct map. */
#pragma once
#include "arch_types.h"

struct mmu {
	paddr_t root;
	size_t resident, tables;
	unsigned cpus;
};

#define MMU_TABLE_REACH	((size_t)1 << HUGE_SHIFT)

enum { MMU_VALUE_BITS = 40 };

static inline void *direct(pfn_t pfn) { return (void *)(SIM_DIRECT + ((vaddr_t)pfn << PAGE_SHIFT)); }
static inline pfn_t direct_pfn(const void *p) { return ((vaddr_t)p - SIM_DIRECT) >> PAGE_SHIFT; }
