/*
 * vm/region.h - regions (VMAs) of an address space: a red-black tree by address, augmented to find gaps in O(log n).
 *
 * Interface: find, gap, insert, remove, resize.  Protected by the lock of the space (kernel ranges: the kspace lock).
 */
#pragma once
#include "vm/types.h"
#include "lib/list.h"
#include "lib/rbtree.h"

struct object;
struct space;

enum region_flags {
	REGION_SHARED = 1,		/* changes are seen by others: MAP_SHARED */
	REGION_GROWSDOWN = 2,		/* a stack: a fault below it extends it */
	REGION_HEAP = 4,		/* the brk region, for /proc maps */
	REGION_STACK = 8,		/* the first stack, for /proc maps */
	REGION_NORESERVE = 16,
	REGION_NOWRITE = 32,		/* may never become writable: a shared mapping of a file opened read-only */
	REGION_LAZY = 64,		/* kernel ranges: allocate on write */
	REGION_HUGE = 128,		/* huge pages are wanted (MADV_HUGEPAGE), or not (MADV_NOHUGEPAGE) */
	REGION_NOHUGE = 256,
	REGION_COMMITTED = 512,		/* its pages count as committed: vm/account.h */
	REGION_LOCKED = 1024,		/* mlock: its pages stay in memory */
	REGION_LOCKONFAULT = 2048,	/* beside REGION_LOCKED: from their first touch on, they are not fetched before */
	REGION_DONTFORK = 4096,		/* a child does not get it */
	REGION_WIPEONFORK = 8192,	/* a child gets it empty */
	REGION_POLICY = 0x3f << 16,	/* what mbind said, for get_mempolicy */
	REGION_POLICY_SHIFT = 16,
};

struct region {
	struct rb_node node;
	vaddr_t start, end;		/* page-aligned, end exclusive */
	size_t gap;			/* bytes between the previous region's end (or 0) and start */
	size_t max_gap;			/* the largest gap in this subtree */
	unsigned rights;		/* VM_READ | VM_WRITE | VM_EXEC */
	unsigned flags;			/* enum region_flags */
	struct object *object;		/* NULL: private anonymous; a region holds a reference */
	uint64_t offset;		/* page of the object at start */
	struct space *space;		/* whose it is; NULL: kernel ranges */
	struct list mapping;		/* in object->mappings, under object->lock */
	unsigned visit;			/* the last visit of the object's mappings that has seen it; object->lock */
};

/* What it maps and how, without its places in trees and lists: those of the object's belong to others, too. */
static inline struct region region_like(const struct region *r)
{
	return (struct region){ .start = r->start, .end = r->end, .rights = r->rights, .flags = r->flags, .object = r->object, .offset = r->offset };
}

enum { REGION_LASTS = 4 };
/* last: that was found, by a processor or one of a few; readers race for it, to whichever it points is there. */
struct region_tree { struct rb_root root; size_t count; struct region *last[REGION_LASTS]; };

/* The region that contains addr, or the first one above it; NULL: none. */
struct region *region_find(struct region_tree *, vaddr_t addr);
struct region *region_next(const struct region *);
struct region *region_prev(const struct region *);
struct region *region_first(const struct region_tree *);
/* start and end are set and overlap nothing. */
void region_insert(struct region_tree *, struct region *);
void region_remove(struct region_tree *, struct region *);
/* Takes out any: for a tree that goes as a whole and is not looked at any more.  NULL: it is empty. */
struct region *region_pop(struct region_tree *);
/* New bounds that overlap no other region and keep the order. */
void region_resize(struct region_tree *, struct region *, vaddr_t start, vaddr_t end);
/* The highest free space of `size` bytes within [low, high): its start in *found; false: there is none. */
bool region_gap(const struct region_tree *, size_t size, vaddr_t low, vaddr_t high, vaddr_t *found);
/* Do the tree's order, colours, gaps and count hold?  For vm_check. */
bool region_tree_sound(const struct region_tree *);
