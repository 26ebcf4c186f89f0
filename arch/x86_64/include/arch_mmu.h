/* arch_mmu.h - x86-64: the inline part of arch/mmu.h. */
#pragma once
#include "arch_types.h"

struct mmu {
	paddr_t root;		/* the level-4 table; its upper half is the same in all */
	size_t resident;	/* leaf entries that point to counted pages */
	size_t tables;		/* below the root */
	unsigned cpus;		/* which processors have it loaded: bits by index; atomic */
};

/* What one leaf table maps. */
#define MMU_TABLE_REACH	((size_t)1 << HUGE_SHIFT)

/* What an entry that is not present can hold for vm/: see arch/mmu.h. */
enum { MMU_VALUE_BITS = 40 };

static inline void *direct(pfn_t pfn) { return (void *)(DIRECT_BASE + ((vaddr_t)pfn << PAGE_SHIFT)); }
static inline pfn_t direct_pfn(const void *p) { return ((vaddr_t)p - DIRECT_BASE) >> PAGE_SHIFT; }
