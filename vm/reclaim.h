/*
 * vm/reclaim.h - memory that can be had again: copies of files' pages, mapped or not, and empty slabs.
 *
 * Nothing is lost: a page that goes is read again when it is touched.  There is no daemon: whoever is about to take memory looks whether it is
 * short, and makes room first.
 */
#pragma once
#include "vm/frame.h"

/*
 * Gives up to `wanted` frames back; how many it was.  It looks at every page twice if it must, so 0 says that nothing can be had, which is
 * when another process may be killed for its memory.
 * => no spinlock held, other locks may be; pages that are mapped in a space whose lock is held stay.
 */
size_t reclaim_frames(size_t wanted);

/* A batch, with so few looks that it costs little when all is in use: before a fault or a system call that may allocate memory, if frame_is_short(). */
void reclaim_some(void);

/*
 * The same, before the kernel takes memory that belongs to no address space.  false: still too few.  What can do
 * without (pipes) then fails with -ENOMEM: if it took the last frames, others would be killed for it, one after the other.
 */
bool reclaim_keep_free(void);

enum {
	RECLAIM_BATCH = 64,		/* frames at a time, so that the next to ask find some too */
	RECLAIM_YOUNGEST = 32,		/* pages that always stay: see vm/reclaim.c */
};

/* ---- for vm/object.c: which pages there are; their object's lock is held ----------------------------------------------------------------- */

void reclaim_add(struct page_record *);		/* as the youngest */
void reclaim_remove(struct page_record *);	/* does no harm to a page that was not added */

/* pages: age_lock; the others are atomic. */
struct reclaim_stats {
	size_t pages;			/* that can be reclaimed, as far as they are not in use */
	uint64_t scanned, stolen;	/* pages looked at, and given back, since boot */
};
extern struct reclaim_stats reclaim_stats;
