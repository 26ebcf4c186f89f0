/*
 * vm/object.h - memory objects: the pages of a file, or shared anonymous memory, by page offset.
 *
 * read(), write() and mmap use the same pages.  A page that is not there comes from the object's pager: borrowed where it
 * lies, or read into a new frame; without a pager it starts zeroed.
 *
 * Lock: object->lock (spinlock, RANK_OBJECT) guards the index, the size and the records' fields.  It is never held over a pager
 * call: the record goes into the index in state RECORD_FILLING, the lock is dropped, the page is read, and whoever
 * waits for it is woken.
 */
#pragma once
#include "vm/page.h"
#include "lib/sync.h"
#include "vm/uio.h"

struct object;

struct pager {
	/*
	 * The frame that already holds exactly this page (the boot image's, frame-aligned and the file's own, bytes beyond the end zero), to be
	 * mapped in place and never freed; PFN_NONE: it has to be read.  Does not sleep, allocates nothing.  May be NULL.
	 */
	pfn_t (*borrow)(struct object *, uint64_t index);
	/* Fills the page at `to` (a kernel address), bytes beyond the end of the file zeroed.  May sleep; no lock is held.  0 or -EIO, -ENOMEM. */
	int (*read)(struct object *, uint64_t index, void *to);
	/*
	 * Takes a page back that was written: `from` is what `read` filled, or the borrowed frame itself.  object->lock is held; does not sleep,
	 * cannot fail.  NULL: nobody may write the object's pages.
	 */
	void (*write)(struct object *, uint64_t index, const void *from);
	/* The last reference to the object went, its pages are freed: `backing` is not needed any more.  May be NULL. */
	void (*release)(struct object *);
};

struct object {
	struct spinlock lock;
	unsigned refs;			/* regions, vnodes, open users; atomic */
	const struct pager *pager;	/* NULL: pages start zeroed (shared anonymous memory, tmpfs) */
	void *backing;			/* the pager's own data; must stay valid until pager->release */
	char *name;			/* path for /proc maps, or NULL; owned; set by fs/, as are the next two; lock */
	uint64_t dev, ino;		/* which file, for /proc maps */
	uint64_t size;			/* bytes; touching a page wholly beyond it is SIGBUS; OBJECT_ENDLESS: no end */
	void *root;			/* index: radix tree, OBJECT_FANOUT slots a node; leaves hold records */
	unsigned levels;		/* of the index; 0: empty */
	size_t npages;			/* records in the index */
	unsigned seals;			/* enum seal; lock (fs/memfd.c) */
	size_t committed;		/* pages, by object_commit */
	struct mutex visiting;		/* one at a time goes through all mappings: vm/truncate.c, vm/writeback.c */
	unsigned synced;		/* the last vm_sync that has seen it; object_list_lock */
	struct waitq filled;		/* those who wait for a RECORD_FILLING page */
	struct list mappings;		/* regions that map it */
	void (*watch)(struct object *, int change);	/* NULL, or is told of a region that came (1) or goes (-1), with the space's lock or while it is destroyed */
	unsigned visits;		/* of the mappings: vm/truncate.c; visiting */
	unsigned maps_coming;		/* shared mappings that may become writable and are not in the list yet; lock */
	struct list all;		/* in object_list; object_list_lock */
};

/* What a seal forbids for ever, Linux's F_SEAL_*: more seals, to shrink, to grow, to write, to write but by the mappings that are there, to change who may run it. */
enum seal { SEAL_SEAL = 1, SEAL_SHRINK = 2, SEAL_GROW = 4, SEAL_WRITE = 8, SEAL_FUTURE_WRITE = 16, SEAL_EXEC = 32, SEAL_ALL = 63 };

#define FILE_MAX	((uint64_t)INT64_MAX)	/* bytes: what a file offset can hold */
#define OBJECT_ENDLESS ((uint64_t)-1)
enum { OBJECT_FANOUT_BITS = 6, OBJECT_FANOUT = 1 << OBJECT_FANOUT_BITS };

/* An object with one reference; NULL: no memory. */
struct object *object_create(const struct pager *, void *backing, uint64_t size);
struct object *object_ref(struct object *);
/* The same where nobody may have one any more: NULL then. */
struct object *object_try_ref(struct object *);
/*
 * Commits the whole of an object that starts zeroed (pager NULL) and has no page yet, until it goes; -ENOMEM (vm/account.h).  One that has not been committed
 * commits each page when it comes, and -ENOSPC is the answer if that is forbidden.
 */
int object_commit(struct object *);
/* The last reference frees the pages, then calls pager->release. */
void object_put(struct object *);

/* ---- for system calls: may sleep, no spinlock held, nor a space's lock --------------------------------------------- */

/*
 * The page `index`, ready and pinned: it stays what it is and where it is until object_unpin.
 * => 0; -EIO and others from the pager; -ENOMEM; -ENXIO: beyond the end.
 */
int  object_pin(struct object *, uint64_t index, struct page_record **);
void object_unpin(struct object *, struct page_record *);

/* Copies bytes from `offset` on, clipped to the size; the bytes moved, 0 at the end, or an errno if none could be. */
ssize object_read(struct object *, struct uio *, uint64_t offset);
/* The same into the object: without a pager (tmpfs) it grows as needed, with one (whose `write` there is) it ends at the size.  The caller keeps writers apart. */
ssize object_write(struct object *, struct uio *, uint64_t offset);
/* New size; new bytes are zeros.  For an object that may be mapped call vm_truncate (vm/mmap.h).  Pages beyond it are given up (while still mapped or pinned they stay, cut off); the rest of the last page is zeroed. */
void object_resize(struct object *, uint64_t size);
/* The bytes [from, to) become zeros, their whole pages are given up in the same way (vm_punch for what may be mapped).  Not for objects with a pager, but by object_resize. */
void object_punch(struct object *, uint64_t from, uint64_t to);
/* Moves *index up to where pages are, or have been until a hole was made, over the gaps between; false: none there or above. */
bool object_skip(struct object *, uint64_t *index);
/* Frees what pages first to last took in the index, where none is left: after a hole, when nobody needs object_skip any more. */
void object_trim(struct object *, uint64_t first, uint64_t last);

/*
 * A mapping is on its way: rights, and flags (enum region_flags), as they are to be; what is sealed against writing gets REGION_NOWRITE, or -EPERM.  0: object_mapped when it is
 * there, or not to be.
 */
int object_will_map(struct object *, unsigned rights, unsigned *flags);
void object_mapped(struct object *, unsigned flags);
/* object->lock held.  May anybody write through a shared mapping, now or after an mprotect? */
bool object_mapped_for_writing(const struct object *);

/* ---- for the fault handler ------------------------------------------------------------------------------------------ */

/* Pages that hold `bytes` bytes. */
static inline uint64_t object_pages(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + (bytes & PAGE_MASK ? 1 : 0);
}

/* Its size where the lock is not held: it may be another at once. */
static inline uint64_t object_size(const struct object *o) { return __atomic_load_n(&o->size, __ATOMIC_RELAXED); }

/* Is page `index` beyond the last page that has bytes? */
static inline bool object_beyond(const struct object *o, uint64_t index)
{
	uint64_t size = object_size(o);

	return size != OBJECT_ENDLESS && (size == 0 || index > (size - 1) >> PAGE_SHIFT);
}

/*
 * object->lock held.  The record of page `index` if it is there and ready, or could be borrowed or made (zeroed) at once;
 * else NULL with *why: -EAGAIN: it has to be read or waited for (object_fill), -ENOMEM, -ENOSPC (object_commit).
 * *made tells whether a zeroed page was made for it.
 */
struct page_record *object_lookup(struct object *, uint64_t index, int *why, bool *made);

/*
 * object->lock held.  For i < n: frame[i] is that of page `index` + i if that is ready or can be borrowed, else PFN_NONE.
 * All n lie in one index leaf (OBJECT_FANOUT pages, aligned), in which some page is already.
 */
void object_cached(struct object *, uint64_t index, size_t n, pfn_t *frame);

/* object->lock held.  Its frame if page `index` is in memory, without bringing it there; else *frame stays. */
void object_peek(struct object *, uint64_t index, pfn_t *frame);

/* No lock held, may sleep.  Reads the page or waits for whoever does.  0: look again (also when a frame had to be reclaimed first); -EIO, -ENOMEM; *waited: another was reading it. */
int object_fill(struct object *, uint64_t index, bool *waited);

/* object->lock held.  Takes a page that nobody maps or pins out of its object and frees it, written back if it is dirty: for vm/reclaim.c; the pager must be able to read it again. */
void object_evict(struct object *, struct page_record *);

/* Are its pages written back?  Then an entry may only be writable if its record is dirty. */
static inline bool object_tracks(const struct object *o) { return o->pager && o->pager->write; }

/*
 * The two halves of writing back pages first to last, between which the write right is taken from all mappings (vm/writeback.c): marks the dirty ones as
 * being cleaned; and hands those that are marked, or have been written again since, to the pager.
 */
void object_begin_clean(struct object *, uint64_t first, uint64_t last);
void object_end_clean(struct object *, uint64_t first, uint64_t last);
/* An object whose pages are written back, with a reference, that this round of vm_sync has not seen; NULL: no more. */
struct object *object_next_unsynced(unsigned round);

/* ---- for vm_check ---------------------------------------------------------------------------------------------------- */

/* Live objects, and records by reason. */
struct object_stats { size_t objects, records_file, records_shared, records_pinned, records_cut, borrowed; };
void object_get_stats(struct object_stats *);
extern struct list object_list;
/* Calls fn for each record in the index. */
void object_each(struct object *, void (*fn)(void *context, struct page_record *), void *context);
/* The same for all objects, with the lock of each: for counts. */
void object_each_of_all(void (*fn)(void *context, struct page_record *), void *context);
