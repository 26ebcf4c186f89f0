/*
 * vm/types.h - the units that the whole kernel speaks.
 *
 * The architecture (or the host's simulated one) supplies the integer types and the sizes in
 * arch_types.h: vaddr_t, paddr_t, pfn_t, PAGE_SHIFT, HUGE_SHIFT, USER_MIN, USER_MAX, KSPACE_START, KSPACE_END,
 * PAGE_WORDS.  Nothing here or in vm/ has a word size written in.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch_types.h"
#include "lib/errno.h"

typedef ptrdiff_t ssize;		/* a byte count, or a negative errno */

/* What is called so often that its callers are to have it in one piece with themselves. */
#define WARM static inline __attribute__((always_inline))

#define PAGE_SIZE	((size_t)1 << PAGE_SHIFT)
#define PAGE_MASK	(PAGE_SIZE - 1)
#define PFN_NONE	((pfn_t)-1)

/* Rights of a mapping; the values are those of PROT_READ, PROT_WRITE, PROT_EXEC. */
enum { VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_RIGHTS = 7, VM_NOWRITE = 8 };

static inline vaddr_t page_floor(vaddr_t a) { return a & ~(vaddr_t)PAGE_MASK; }
static inline vaddr_t page_ceil(vaddr_t a)  { return (a + PAGE_MASK) & ~(vaddr_t)PAGE_MASK; }
static inline pfn_t   pfn_of(paddr_t a)     { return (pfn_t)(a >> PAGE_SHIFT); }
static inline paddr_t paddr_of(pfn_t n)     { return (paddr_t)n << PAGE_SHIFT; }
