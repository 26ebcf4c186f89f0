/*
 * vm/frame.h - physical frames: a buddy allocator by zone.
 *
 * Free blocks are linked through their own first bytes (by the direct map), so splitting and merging allocates
 * nothing: the loop 'a record to allocate a frame' does not exist.  A block's buddy is its frame number XOR its size.
 *
 * Single frames come from and go to a cache of the processor's own, which is filled and emptied in batches,
 * and each has a part of the zones to look at first: two processors meet there when memory is nearly used up.
 *
 * => any context but interrupts that may take a spinlock of rank RANK_CACHE; never sleeps.
 */
#pragma once
#include "vm/page.h"
#include "lib/list.h"

/* A block of the largest order has one page of page words, so a buddy's word is always mapped. */
enum { FRAME_MAX_ORDER = 9, FRAME_PARTS = 16 };	/* parts of a zone, each with its lock */

enum zone_id { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONES };

/* What an allocation may do when free frames run out. */
enum frame_need {
	FRAME_USER,		/* leaves the emergency reserve alone */
	FRAME_KERNEL,		/* inside the allocator itself (frame_emergency) it may take from the reserve */
};

/*
 * 2^order frames, the words of the first set to `word`, of the others to PAGE_PART; contents undefined.
 * Highest zone first, DMA last.  PFN_NONE when there is none.
 */
pfn_t frame_alloc(unsigned order, page_word word, enum frame_need);
/* A frame below 16 MiB (ZONE_DMA) or 4 GiB (ZONE_DMA32). */
pfn_t frame_alloc_zone(unsigned order, page_word word, enum zone_id highest);
/* A zeroed frame of kind PAGE_ANON with no entry yet, or PFN_NONE. */
pfn_t frame_alloc_anon_zeroed(void);
/* A zeroed page-table frame: no entries, one reference; PFN_NONE. */
pfn_t frame_alloc_table(void);
/* Gives 2^order frames back. */
void frame_free(pfn_t, unsigned order);
/* The same for n single frames. */
void frame_free_all(const pfn_t *, unsigned n);

struct frame_stats {
	size_t managed;			/* frames under the allocator's care */
	size_t free;			/* of those, free; those in caches included */
	size_t reserve;			/* frames kept for emergencies, inside free */
	size_t reserve_low;		/* fewest free frames seen since boot, counted inside the reserve: reserve_low < reserve: it was used */
	size_t reserve_used;		/* times that a frame came from the reserve */
	size_t free_blocks[ZONES][FRAME_MAX_ORDER + 1];
};
void frame_get_stats(struct frame_stats *);
/* Frames that are free in the zones, and how few are few: then what can be had again (vm/reclaim.h) is to make room.  Atomic. */
extern struct frame_level { size_t free, low; } frame_level;
static inline bool frame_is_short(void) { return __atomic_load_n(&frame_level.free, __ATOMIC_RELAXED) < frame_level.low; }
/* Free frames, those in caches included; and all that are managed. */
size_t frame_free_count(void);
size_t frame_managed(void);
/* Frames in the caches of all processors. */
size_t frame_cached(void);
/* Empties the caches into the zones; returns how many frames that were. */
size_t frame_drain(void);

/* Boot: takes over all that the physical map has left; sizes the reserve. */
void frame_init(void);
/* Does the frame exist, has it a word? */
bool frame_exists(pfn_t);

/* Bytes of page words that are mapped. */
extern size_t page_array_bytes;
/* The thread that allocates inside the allocator itself, or NULL: its FRAME_KERNEL may take from the reserve.  Written under the kspace lock; atomic. */
extern const void *frame_emergency;
/* The links of free blocks, for vm_check. */
const struct list *frame_free_list(enum zone_id, unsigned part, unsigned order);

/*
 * Test hook, not in release builds: the k-th allocation from now on fails (0: none), of frames and of the heap; of all threads, or of this one alone.
 * Atomic; set while the machine is quiet.
 */
#ifdef NDEBUG
static inline bool alloc_should_fail(void) { return false; }
#else
extern unsigned long alloc_fail_at;
extern const void *alloc_fail_thread;
bool alloc_should_fail(void);
#endif
