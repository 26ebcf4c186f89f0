/*
 * arch_types.h - x86-64: integer types, page sizes, and the map of the address space.
 *
 *   0000000000010000  USER_MIN      user programs
 *   00007ffffffff000  USER_MAX
 *   ffff800000000000  DIRECT_BASE   all RAM, physical address + this                 slots 256.. of the root
 *   ffffff0000000000  PAGE_WORDS    one word a frame, mapped where frames exist      slot 510
 *   ffffff4000000000  KSPACE_START  kernel ranges: stacks and the like               slot 510
 *   ffffff8000000000  KSPACE_END
 *   ffffffff80000000  KERNEL_BASE   the kernel's image, wherever it lies in RAM      slot 511
 *
 * Each used slot of the root has its table from the start, so that all roots share the kernel's half by pointing to the same tables.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t vaddr_t;
typedef uint64_t paddr_t;
typedef unsigned long pfn_t;

#define PAGE_SHIFT	12
#define HUGE_SHIFT	21

#define USER_MIN	((vaddr_t)0x10000)
#define USER_MAX	((vaddr_t)0x7ffffffff000)

#define DIRECT_BASE	((vaddr_t)0xffff800000000000)
#define PAGE_WORDS	((vaddr_t)0xffffff0000000000)
#define KSPACE_START	((vaddr_t)0xffffff4000000000)
#define KSPACE_END	((vaddr_t)0xffffff8000000000)
#define KERNEL_BASE	((vaddr_t)0xffffffff80000000)

/* Everything from here up belongs to the kernel. */
#define KERNEL_HALF	DIRECT_BASE
/* Physical memory beyond this is ignored: what the page words and the direct map have room for. */
#define PHYS_LIMIT	((paddr_t)1 << 45)
