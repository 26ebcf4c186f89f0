/*
 * tests/host/sim/arch_types.h - the simulated machine's units and address ranges.
 *
 * Page tables have SIM_LEVELS levels of 1 << SIM_TABLE_BITS entries: small, so that tables fill and empty often, and two builds with
 * different numbers prove that vm/ does not know them.  Kernel addresses are addresses of the host process, in areas that
 * the sanitizers leave alone; user addresses exist in the simulated tables only.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t vaddr_t;
typedef uint64_t paddr_t;
typedef unsigned long pfn_t;

#ifndef SIM_LEVELS
#define SIM_LEVELS 3
#define SIM_TABLE_BITS 5
#endif

#define PAGE_SHIFT	12
#define HUGE_SHIFT	(PAGE_SHIFT + SIM_TABLE_BITS)

/* What one root reaches, in pages; of large tables only a part is used, which is all that the TLB has room for. */
#define SIM_REACH_BITS	(SIM_LEVELS * SIM_TABLE_BITS)
#define SIM_PAGES	((size_t)1 << (SIM_REACH_BITS < 16 ? SIM_REACH_BITS : 16))

#define USER_MIN	((vaddr_t)0x10000)
#define USER_MAX	((SIM_PAGES - 1) << PAGE_SHIFT)

/*
 * Addresses of the host that the sanitizer leaves alone; that of threads has few such.  Kernel ranges: as much as one root of kernel_mmu reaches.  The direct map is of up to
 * 2 TiB (64 GiB), beside it the words of as many frames.
 */
#ifdef SIM_PARALLEL
#define KSPACE_START	((vaddr_t)0x55a000000000)
#define SIM_DIRECT	((vaddr_t)0x550000000000)
#define SIM_MAX_PFN	((pfn_t)1 << 24)
#define PAGE_WORDS	((vaddr_t)0x558000000000)
#else
#define KSPACE_START	((vaddr_t)0x300000000000)
#define SIM_DIRECT	((vaddr_t)0x200000000000)
#define SIM_MAX_PFN	((pfn_t)1 << 29)
#define PAGE_WORDS	((vaddr_t)0x280000000000)
#endif
#define KSPACE_END	(KSPACE_START + (SIM_PAGES << PAGE_SHIFT))
