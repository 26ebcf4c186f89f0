/*
 * vm/object.h - memory objects: the pages of a file, or shared anonymous memory, by page offset.
 *
 * read(), write() and mmap use the same pages.  A page that is not there comes from the object's pager.
 * Locks: object->lock (spinlock) guards the index and the records' fields; it is never held over a pager call: the record
 * is put into the index in state RECORD_FILLING, the lock dropped, the page read, and whoever waits for it is woken.
 */
#pragma once
#include "vm/page.h"
#include "vm/sync.h"
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
	/* The last reference to the object went, its pages are freed: `backing` is not needed any more.  May be NULL. */
	void (*release)(struct object *);
};

struct object {
	struct spinlock lock;
	unsigned refs;			/* regions, vnodes, open users; atomic */
	const struct pager *pager;	/* NULL: pages start zeroed (shared anonymous memory, tmpfs) */
	void *backing;			/* the pager's own data; must stay valid until pager->release */
	char *name;			/* path for /proc maps, or NULL; owned; set once */
	uint64_t size;			/* bytes; mapping beyond the last page of it is SIGBUS; ~0: no end */
	void *root;			/* index: radix tree of records, 64 a node */
	unsigned levels;
	size_t npages;			/* records in the index */
	struct waitq filled;		/* for RECORD_FILLING pages */
};

/* refs 1; NULL: no memory. */
struct object *object_create(const struct pager *, void *backing, uint64_t size);
struct object *object_ref(struct object *);
/* The last reference frees the pages, then calls pager->release. */
void object_put(struct object *);

/*
 * The page `index`, ready and pinned: it stays what it is and where it is until object_unpin.
 * => 0; -EIO and others from the pager; -ENOMEM; -ENXIO: beyond the end (size).  May sleep: no spinlock held, nor the space's lock.
 */
int  object_pin(struct object *, uint64_t index, struct page_record **);
void object_unpin(struct page_record *);

/* Copies bytes [offset, offset + uio->left) clipped to the size; returns the bytes moved, 0 at the end, or an errno if none could be. */
ssize object_read(struct object *, struct uio *, uint64_t offset);
/* The same into the object, which grows as needed (for objects without a pager: tmpfs). */
ssize object_write(struct object *, struct uio *, uint64_t offset);
/* New size; pages beyond it are given up, the rest of the last page is zeroed. */
void object_resize(struct object *, uint64_t size);

/* Live objects and records, by reason, for vm_check and tests. */
struct object_stats { size_t objects, records_file, records_shared, records_pinned, records_cut; };
void object_get_stats(struct object_stats *);
