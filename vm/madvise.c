/*
 * vm/madvise.c - advice about memory, and looking at it: madvise, mincore, msync.  See mmap.h.
 *
 * What a program may notice is done (pages are discarded, populated, inherited or not); what is only a hint is accepted.
 * Pages go at once where Linux may let them linger (MADV_FREE): a program must be ready for either.
 *
 * Lock: space->lock; not while pages are populated, since each is a fault of its own.
 */
#include "vm/range.h"
#include "vm/fault.h"
#include "vm/object.h"

/* What a piece of advice means for one region and the part [start, end) of it; 0 or an errno.  May drop the lock and take it again. */
typedef int (*advice_fn)(struct space *, struct region *, vaddr_t start, vaddr_t end);

static int discard(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	struct mmu_gather gather;

	(void)r;
	mmu_gather_begin(&gather, &s->mmu);
	mmu_unmap(&s->mmu, start, end, &gather);
	mmu_gather_finish(&gather);
	return 0;
}

static int discard_anonymous(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	return r->object ? -EINVAL : discard(s, r, start, end);
}

/* What discarding needs, before any of it is done. */
static int own_edges(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)r;
	return mmu_own(&s->mmu, start, end, MMU_OWN_EDGES) < 0 ? -EAGAIN : 0;
}

static int nothing(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)s, (void)r, (void)start, (void)end;
	return 0;
}

/* The part [start, end) of one region gets and loses flags: it becomes a region of its own, or part of an equal neighbour. */
static int change_flags(struct space *s, vaddr_t start, vaddr_t end, unsigned set, unsigned clear)
{
	struct region *r = region_find(&s->regions, start);
	unsigned splits = range_splits(s, start, end), flags = (r->flags | set) & ~clear;
	struct reserve reserve;

	if (flags == r->flags)
		return 0;
	if (s->regions.count + splits > MAX_REGIONS || reserve_take(&reserve, sizeof(struct region), splits) < 0)
		return -ENOMEM;
	if (splits)
		range_split(s, start, end, &reserve);
	region_find(&s->regions, start)->flags = flags;
	range_merge(s, start, end);
	reserve_release(&reserve);
	return 0;
}

static int want_huge(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)r;
	return change_flags(s, start, end, REGION_HUGE, REGION_NOHUGE);
}

static int want_no_huge(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	(void)r;
	return change_flags(s, start, end, REGION_NOHUGE, REGION_HUGE);
}

/* MADV_REMOVE.  The hole takes the locks of all spaces that map it, one by one: ours is dropped meanwhile. */
static int punch_hole(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
	if (!r->object || (r->flags & REGION_LOCKED))
		return -EINVAL;
	if ((r->flags & (REGION_SHARED | REGION_NOWRITE)) != REGION_SHARED)
		return -EACCES;
	if (r->object->pager)
		return -EOPNOTSUPP;
	if (r->object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
		return -EPERM;
	struct object *o = object_ref(r->object);
	uint64_t from = (r->offset << PAGE_SHIFT) + (start - r->start);
	mutex_unlock(&s->lock);
	vm_punch(o, from, from + (end - start));
	object_put(o);
	mutex_lock(&s->lock);
	return 0;
}

static advice_fn advice_of(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return discard;
	case MADV_FREE:
		return discard_anonymous;
	case MADV_REMOVE:
		return punch_hole;
	case MADV_HUGEPAGE:
		return want_huge;
	case MADV_NOHUGEPAGE:
		return want_no_huge;
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_COLD: case MADV_PAGEOUT:
	case MADV_MERGEABLE: case MADV_UNMERGEABLE: case MADV_DONTDUMP: case MADV_DODUMP:
		return nothing;
	default:
		return NULL;
	}
}

/* Applies it to what is mapped of [start, end); -ENOMEM when not all is, once the rest has been done. */
static int advise_locked(struct space *s, vaddr_t start, vaddr_t end, advice_fn apply)
{
	int error = 0;

	while (start < end) {
		struct region *r = region_find(&s->regions, start);

		if (!r || r->start > start)
			error = -ENOMEM;
		if (!r || r->start >= end)
			break;
		if (start < r->start)
			start = r->start;
		vaddr_t stop = r->end < end ? r->end : end;
		int failed = apply(s, r, start, stop);
		if (failed)
			return failed;
		start = stop;
	}
	return error;
}

/* MADV_POPULATE_READ and _WRITE: what a touch of each page would do, without signals; but no stack grows for it. */
static int populate(struct space *s, vaddr_t start, vaddr_t end, enum fault_access access, struct fault_stats *who)
{
	for (; start < end; start += PAGE_SIZE) {
		mutex_lock(&s->lock);
		struct mmu_entry e = mmu_query(&s->mmu, start);
		mutex_unlock(&s->lock);
		if (e.pfn != PFN_NONE && (access == FAULT_WRITE ? e.prot & VM_WRITE : e.prot != 0))
			continue;
		switch (vm_fault(s, start, access, FAULT_POPULATE, who).outcome) {
		case FAULT_DONE:
			break;
		case FAULT_SIGNAL_SEGV_ACCERR:
			return -EINVAL;
		case FAULT_SIGNAL_BUS:
			return -EFAULT;
		default:
			return -ENOMEM;
		}
	}
	return 0;
}

int vm_madvise(struct space *s, vaddr_t start, size_t length, int advice, struct fault_stats *who)
{
	advice_fn apply = advice_of(advice);
	bool populates = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
	vaddr_t end;

	if (!apply && !populates)
		return -EINVAL;
	if ((start & PAGE_MASK) || length > (size_t)-1 - PAGE_MASK)
		return -EINVAL;
	if (length == 0)
		return 0;
	if (!range_of_user(start, length, &end))
		return start + length < start ? -EINVAL : -ENOMEM;
	if (populates)
		return populate(s, start, end, advice == MADV_POPULATE_WRITE ? FAULT_WRITE : FAULT_READ, who);
	mutex_lock(&s->lock);
	int error = apply == discard || apply == discard_anonymous ? advise_locked(s, start, end, own_edges) : 0;
	if (error != -EAGAIN)
		error = advise_locked(s, start, end, apply);
	mutex_unlock(&s->lock);
	return error;
}

/* Is the page in memory: mapped, or in its object's cache? */
static bool is_resident(struct space *s, struct region *r, vaddr_t va)
{
	pfn_t cached = PFN_NONE;

	if (mmu_query(&s->mmu, va).pfn != PFN_NONE)
		return true;
	if (r->object) {
		spin_lock(&r->object->lock);
		object_peek(r->object, r->offset + ((va - r->start) >> PAGE_SHIFT), &cached);
		spin_unlock(&r->object->lock);
	}
	return cached != PFN_NONE;
}

int vm_mincore(struct space *s, vaddr_t start, size_t npages, unsigned char *to)
{
	int error = 0;

	mutex_lock(&s->lock);
	for (size_t i = 0; i < npages && !error; i++) {
		vaddr_t va = start + (i << PAGE_SHIFT);
		struct region *r = region_find(&s->regions, va);

		if (!r || r->start > va)
			error = -ENOMEM;
		else
			to[i] = is_resident(s, r, va);
	}
	mutex_unlock(&s->lock);
	return error;
}

int vm_msync(struct space *s, vaddr_t start, size_t length, enum msync_when when)
{
	vaddr_t end;

	if (length == 0)
		return 0;
	if (!range_of_user(start, length, &end))
		return -ENOMEM;
	mutex_lock(&s->lock);
	int error = advise_locked(s, start, end, nothing);
	mutex_unlock(&s->lock);
	if (when == MSYNC_NOW)
		vm_writeback_range(s, start, end);
	return error;
}
