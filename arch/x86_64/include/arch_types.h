/*
 * arch_types.h - x86-64: integer types, sizes, and where things lie in the address space.
 *
 *   0000000000000000 .. 00007fffffffefff   user space (the last page below the hole stays unused: SYSRET erratum)
 *   ffff800000000000 ..                    direct map of all RAM
 *   ffffff0000000000 .. ffffff0fffffffff   kernel ranges
 *   ffffff4000000000 ..                    page words, indexed by frame number
 *   ffffffff80000000 ..                    the kernel's image
 */
#pragma once
#include <stdint.h>

typedef uint64_t vaddr_t;
typedef uint64_t paddr_t;
typedef uint64_t pfn_t;

#define PAGE_SHIFT	12
#define HUGE_SHIFT	21

#define USER_MIN	0x10000ul
#define USER_MAX	0x7ffffffff000ul
#define DIRECT_BASE	0xffff800000000000ul
#define KSPACE_START	0xffffff0000000000ul
#define KSPACE_END	0xffffff1000000000ul
#define PAGE_WORDS	0xffffff4000000000ul
#define KERNEL_BASE	0xffffffff80000000ul
