/*
 * vm/mlock.c - memory that stays: mlock, munlock, mlockall; and fetching pages before they are touched.  See mmap.h.
 *
 * To lock is to mark regions: what takes pages back from programs (vm/reclaim.c, madvise) passes such regions by, and RLIMIT_MEMLOCK counts them.  Then their pages are
 * fetched, each by a fault of its own, without the lock; a region with REGION_LOCKONFAULT keeps what the program touches.  A lock is not inherited.
 *
 * Lock: space->lock, but not while pages are fetched.
 */
#include "vm/fault.h"
#include "vm/range.h"
#include "vm/reclaim.h"

/* ---- fetching pages ------------------------------------------------------------------------------------------------------- */

static bool has_right(const struct mmu_entry *e, enum fault_access access)
{
	return e->pfn != PFN_NONE && (access == FAULT_WRITE ? e->prot & VM_WRITE : e->prot != 0);
}

/* Nobody is killed for memory that is only fetched; but all that can be had again makes room. */
static int fetch(struct space *s, vaddr_t at, enum fault_access access, struct fault_stats *who)
{
	struct fault_result result;

	do
		result = vm_fault(s, at, access, FAULT_POPULATE, who);
	while (result.outcome == FAULT_NO_MEMORY && !s->reaped && reclaim_frames(RECLAIM_BATCH) > 0);
	switch (result.outcome) {
	case FAULT_DONE:
		return 0;
	case FAULT_SIGNAL_SEGV_ACCERR:
		return -EINVAL;
	case FAULT_SIGNAL_BUS:
		return -EFAULT;
	default:
		return -ENOMEM;
	}
}

int vm_touch(struct space *s, vaddr_t start, vaddr_t end, enum fault_access access, struct fault_stats *who)
{
	int error = 0;

	for (; start < end && !error; start += PAGE_SIZE) {
		read_lock(&s->lock);
		struct mmu_entry e = mmu_query(&s->mmu, start);
		read_unlock(&s->lock);
		if (!has_right(&e, access))
			error = fetch(s, start, access, who);
	}
	return error;
}

/* The next part of [*start, end) that is to be populated, up to *stop; false: there is no more. */
static bool next_part(struct space *s, vaddr_t *start, vaddr_t *stop, vaddr_t end, enum populate which, enum fault_access *access)
{
	unsigned wanted = which == POPULATE_LOCKED ? REGION_LOCKED : 0;
	struct region *r;

	read_lock(&s->lock);
	r = region_find(&s->regions, *start);
	while (r && (r->flags & (wanted | REGION_LOCKONFAULT)) != wanted)
		r = region_next(r);
	bool found = r && r->start < end;
	if (found) {
		*start = r->start > *start ? r->start : *start;
		*stop = r->end < end ? r->end : end;
		*access = (r->rights & VM_WRITE) && !(r->flags & REGION_SHARED) ? FAULT_WRITE : FAULT_READ;	/* copies are made now, too */
	}
	read_unlock(&s->lock);
	return found;
}

int vm_populate(struct space *s, vaddr_t start, vaddr_t end, enum populate which, struct fault_stats *who)
{
	enum fault_access access;
	int error = 0;

	for (vaddr_t stop; start < end && error != -ENOMEM && next_part(s, &start, &stop, end, which, &access); start = stop) {
		int failed = vm_touch(s, start, stop, access, who);

		error = error && failed != -ENOMEM ? error : failed;
	}
	return error;
}

/* ---- locking ---------------------------------------------------------------------------------------------------------------- */

/* Marks what is mapped from start on without a gap; -ENOMEM: not all of it is. */
static int mark(struct space *s, vaddr_t start, vaddr_t end, unsigned flags)
{
	vaddr_t mapped = range_mapped_until(s, start, end);

	if (mapped > start && range_mark(s, start, mapped, REGION_LOCKED | REGION_LOCKONFAULT, flags) < 0)
		return -ENOMEM;
	return mapped < end ? -ENOMEM : 0;
}

/* RLIMIT_MEMLOCK: what is locked already is not counted twice. */
static bool may_lock(struct space *s, vaddr_t start, size_t size)
{
	size_t npages = s->locked + (size >> PAGE_SHIFT);

	return account_may_lock(npages) || account_may_lock(npages - range_sum(s, start, start + size).locked);
}

static int change(struct space *s, vaddr_t start, size_t length, unsigned flags, struct fault_stats *who)
{
	size_t size = page_ceil(length + (start & PAGE_MASK));
	int error = -ENOMEM;

	start = page_floor(start);
	write_lock(&s->lock);
	if (!flags || may_lock(s, start, size))
		error = start + size < start ? -EINVAL : size == 0 ? 0 : mark(s, start, start + size, flags);
	write_unlock(&s->lock);
	if (error || !(flags & REGION_LOCKED))
		return error;
	error = vm_populate(s, start, start + size, POPULATE_LOCKED, who);
	return error == -ENOMEM ? -EAGAIN : error ? -ENOMEM : 0;
}

int vm_mlock(struct space *s, vaddr_t start, size_t length, enum mlock_flags flags, struct fault_stats *who)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	if (!account_may_lock_any())
		return -EPERM;
	return change(s, start, length, REGION_LOCKED | (flags ? REGION_LOCKONFAULT : 0), who);
}

int vm_munlock(struct space *s, vaddr_t start, size_t length)
{
	return change(s, start, length, 0, NULL);
}

int vm_mlockall(struct space *s, unsigned flags, struct fault_stats *who)
{
	unsigned lock = REGION_LOCKED | (flags & MCL_ONFAULT ? REGION_LOCKONFAULT : 0);

	if (!flags || (flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!account_may_lock_any())
		return -EPERM;
	write_lock(&s->lock);
	bool may = !(flags & MCL_CURRENT) || account_may_lock(s->mapped);
	if (may) {
		s->new_flags = flags & MCL_FUTURE ? lock : 0;
		if (flags & MCL_CURRENT)
			range_mark(s, 0, USER_MAX, REGION_LOCKED | REGION_LOCKONFAULT, lock);	/* splits nothing: cannot fail */
	}
	write_unlock(&s->lock);
	if (may && (flags & MCL_CURRENT))
		vm_populate(s, 0, USER_MAX, POPULATE_LOCKED, who);
	return may ? 0 : -ENOMEM;
}

void vm_munlockall(struct space *s)
{
	write_lock(&s->lock);
	s->new_flags = 0;
	range_mark(s, 0, USER_MAX, REGION_LOCKED | REGION_LOCKONFAULT, 0);
	write_unlock(&s->lock);
}
