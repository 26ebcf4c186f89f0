/* vm/report.h - what an address space has, region by region: for /proc/PID/maps, smaps and status. */
#pragma once
#include "vm/space.h"

/* A file's or an object's page is dirty when it was written since it was read or written back; what has no file behind it always is. */
struct region_info {
	vaddr_t start, end;
	unsigned rights, flags;		/* VM_*, enum region_flags */
	uint64_t offset;		/* bytes */
	const struct object *object;	/* to compare only: not kept alive */
	uint64_t dev, ino;
	/* In pages: */
	size_t resident;		/* in memory and mapped here */
	size_t anonymous, shmem;	/* of these, private ones, and those of objects without a pager; the rest are files' */
	size_t shared, shared_dirty;	/* that other spaces map as well */
	size_t dirty, referenced, huge;
	uint64_t proportional, proportional_dirty;	/* each divided by the number of those who map it, in 4096ths of a page */
	char name[128];
};
/* One line of /proc/PID/maps: the first region that ends above `from`; false: none. Takes space->lock. */
bool vm_region_info(struct space *, vaddr_t from, struct region_info *);
