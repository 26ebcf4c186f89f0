/*
 * vm/range.h - inside vm/: what the memory calls share.  space->lock is held throughout.
 */
#pragma once
#include "vm/account.h"
#include "vm/mmap.h"
#include "vm/reserve.h"

enum { MAX_REGIONS = 65530, STACK_GUARD = 1 << 20 };	/* as Linux: vm.max_map_count, the gap below a stack */

static inline vaddr_t as_error(int error) { return (vaddr_t)(ssize)error; }

/* Puts a region with its bounds and object set into the space (and into its object's list, with a reference), or takes it out. */
void region_attach(struct space *, struct region *);
void region_detach(struct space *, struct region *);
void region_leave_object(struct region *);	/* the half of it that is not about the tree */

/*
 * To go through all spaces that map an object, with no lock held: the next one that this visit (a new number from object->visits) has not seen, with a
 * reference; NULL: no more.
 */
struct space *object_next_space(struct object *, unsigned visit);

/* Is [start, start + length) a page-aligned range of user space that is not empty?  Its end, page-aligned, in *end. */
bool range_of_user(vaddr_t start, size_t length, vaddr_t *end);
/* The end of the part of it that is user space, start being page-aligned; `start`: there is none.  -ENOMEM: that is not all of it. */
int range_clip(vaddr_t start, size_t length, vaddr_t *end);
/* How many regions range_split will add: 0 to 2. */
unsigned range_splits(struct space *, vaddr_t start, vaddr_t end);
/* Splits the regions that cross the edges of [start, end), with regions from the reserve. */
void range_split(struct space *, vaddr_t start, vaddr_t end, struct reserve *);
/* The end of the mapped stretch that begins at start, at most `end`; `start` itself if that is not mapped. */
vaddr_t range_mapped_until(struct space *, vaddr_t start, vaddr_t end);
/* How many regions range_unmap will need: 1 for a hole in the middle of one, else 0. */
unsigned range_holes(struct space *, vaddr_t start, vaddr_t end);
/* Takes out everything in [start, end): pages first, flushed, then regions and their objects, or parts of them. */
void range_unmap(struct space *, vaddr_t start, vaddr_t end, struct reserve *);
struct range_sum range_sum(struct space *, vaddr_t start, vaddr_t end);
/* Takes flags (enum region_flags) from the regions in [start, end), whose edges are split, and gives them others; merges. */
void range_flag(struct space *, vaddr_t start, vaddr_t end, unsigned clear, unsigned set);
/* The same for any range; -ENOMEM: a split needs a region. */
int range_mark(struct space *, vaddr_t start, vaddr_t end, unsigned clear, unsigned set);
/* Merges what is alike in and around [start, end). */
void range_merge(struct space *, vaddr_t start, vaddr_t end);
/* Free room: at the hint if that is free, else as high as possible below mmap_top, else anywhere.  flags: MAP_32BIT or 0. */
bool range_room(struct space *, vaddr_t hint, size_t size, unsigned flags, vaddr_t *found);
/* Adds a region (with start, end, rights, flags, object, offset) that replaces nothing and is accounted for, merged with its neighbours where they are alike. */
void range_add(struct space *, struct region *);
/* munmap of a range that is checked; -ENOMEM: a split needs a region. */
int range_remove(struct space *, vaddr_t start, vaddr_t end);
