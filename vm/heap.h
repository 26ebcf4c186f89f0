/*
 * vm/heap.h - the kernel heap: size classes over frames; large sizes are whole blocks of frames.
 *
 * A slab is one frame (or a few) cut into objects of one class, its header at the front; an empty slab goes back to the buddy.
 * => any context but interrupts that may take a spinlock of rank RANK_HEAP - 1; never sleeps.
 */
#pragma once
#include "vm/types.h"

/* size bytes, aligned to 16 (page-aligned from a page on); contents undefined; NULL: none.  Sizes above 2 MiB come from a kernel range. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);		/* the same, zeroed */
void  kfree(void *);			/* NULL is allowed */
size_t heap_usable_size(const void *);

struct heap_stats { size_t bytes, objects, slab_frames, large_frames; };
void heap_get_stats(struct heap_stats *);
void heap_init(void);
/* The number of slabs whose free list, count or header is wrong: for vm_check. */
size_t heap_check(void);
/* Puts what processors have at hand back into the slabs. */
void heap_drain(void);
/* Gives the frames of slabs back that have no object in use; how many. */
size_t heap_trim(void);
