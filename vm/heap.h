/*
 * vm/heap.h - the kernel heap: size classes over frames; large sizes are whole blocks of frames.
 *
 * A slab is one frame (or a few) cut into objects of one class, its header at the front; an empty slab goes back to the buddy.
 * => any context that may take a spinlock of rank RANK_HEAP; never sleeps.
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
/* Panics on a broken slab: free lists, counts, headers. For vm_check. */
void heap_check(void);
