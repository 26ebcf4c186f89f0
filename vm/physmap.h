/*
 * vm/physmap.h - physical memory at boot: which ranges are RAM, which are taken, and a bump allocator.
 *
 * A boot loader's map may lie: entries may overlap, be unsorted, empty, wrap around or lie beyond what the processor addresses.
 * First all usable ranges are told, then all that is not usable or is taken; what is left is sorted, disjoint and made of
 * whole pages.  The bump allocator takes from that, top of the low 4 GiB downwards, until frame_init takes over the rest.
 * => boot only, one processor, no locks.
 */
#pragma once
#include "vm/types.h"

enum { PHYSMAP_MAX = 128 };
struct phys_range { pfn_t start, end; };	/* frames [start, end) */

/* RAM [start, end) in bytes, shrunk to whole pages.  More than PHYSMAP_MAX pieces: the smallest is forgotten (and counted). */
void physmap_usable(paddr_t start, paddr_t end);
/* Not to be handed out: [start, end) in bytes, grown to whole pages. Still RAM for physmap_total if physmap_usable covered it. */
void physmap_reserve(paddr_t start, paddr_t end);
/* Not RAM at all, whatever physmap_usable said. */
void physmap_remove(paddr_t start, paddr_t end);

/* npages contiguous frames below 4 GiB and outside the DMA zone where possible, contents undefined; PFN_NONE. */
pfn_t boot_alloc(size_t npages);

/* RAM as told (usable minus removed), and what is left of it. Sorted, disjoint. */
const struct phys_range *physmap_ram(size_t *n);
const struct phys_range *physmap_free(size_t *n);
size_t physmap_forgotten(void);
void physmap_reset(void);		/* tests */
