/* arch/x86_64/paging.h - the format of page-table entries (Intel SDM volume 3, 4.5) and what mmu.c, tlb.c and boot share. */
#pragma once
#include "arch/mmu.h"

typedef uint64_t pte_t;

#define PTE_PRESENT	((pte_t)1 << 0)
#define PTE_WRITE	((pte_t)1 << 1)
#define PTE_USER	((pte_t)1 << 2)
#define PTE_NOCACHE	((pte_t)1 << 4)
#define PTE_ACCESSED	((pte_t)1 << 5)
#define PTE_DIRTY	((pte_t)1 << 6)
#define PTE_LARGE	((pte_t)1 << 7)		/* upper entries: maps memory itself */
#define PTE_GLOBAL	((pte_t)1 << 8)
#define PTE_HELD	((pte_t)1 << 9)		/* software: not present, but the frame is kept (PROT_NONE) */
#define PTE_VALUE	((pte_t)1 << 10)	/* software: not present nor held: a value of vm/'s in the place of the frame number */
#define PTE_NX		((pte_t)1 << 63)
#define PTE_FRAME	((pte_t)0x000ffffffffff000)
