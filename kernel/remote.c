/*
 * kernel/remote.c - copying from and to an address space that need not be the current one; see remote.h.
 *
 * Lock: space->lock, as a reader for the copy, as the writer where a page that may not be written is replaced by a copy.  None over a fault.
 */
#include "kernel/remote.h"
#include "arch/trap.h"
#include "lib/string.h"
#include "vm/fault.h"
#include "vm/frame.h"

static bool is_write(enum remote_access access) { return access == REMOTE_WRITE || access == REMOTE_POKE; }

static void move(pfn_t pfn, vaddr_t at, void *bytes, size_t n, enum remote_access access)
{
	char *there = (char *)direct(pfn) + (at & PAGE_MASK);
	if (is_write(access))
		memcpy(there, bytes, n);
	else
		memcpy(bytes, there, n);
}

/* The part of one page, if its entry allows the access.  false: it has to be fetched first. */
static bool copy_present(struct space *s, vaddr_t at, void *bytes, size_t n, enum remote_access access)
{
	read_lock(&s->lock);
	struct mmu_entry e = mmu_query(&s->mmu, page_floor(at));
	bool there = e.pfn != PFN_NONE && (access == REMOTE_PEEK || (is_write(access) ? e.prot & VM_WRITE : e.prot != 0));
	if (there)
		move(e.pfn, at, bytes, n, access);
	read_unlock(&s->lock);
	return there;
}

static bool fetch(struct space *s, vaddr_t at, enum fault_access access)
{
	return vm_fault(s, at, access, FAULT_POPULATE, NULL).outcome == FAULT_DONE;
}

/* The page is in memory.  It is, or becomes, a private one of this space alone, and is written though nobody may write there.  The space is locked for writing. */
static bool poke_locked(struct space *s, vaddr_t at, void *bytes, size_t n)
{
	struct region *r = region_find(&s->regions, at);
	vaddr_t page = page_floor(at);
	if (!r || r->start > at || (r->flags & REGION_SHARED) || mmu_own(&s->mmu, page, page + PAGE_SIZE, MMU_OWN_PAGES) < 0)
		return false;
	struct mmu_entry e = mmu_query(&s->mmu, page);
	if (e.pfn == PFN_NONE)
		return false;
	if (page_is_mine(page_word_of(e.pfn))) {
		move(e.pfn, at, bytes, n, REMOTE_POKE);
		return true;
	}
	pfn_t copy = frame_alloc(0, page_make(PAGE_ANON, 0), FRAME_USER);
	if (copy == PFN_NONE)
		return false;
	page_copy(direct(copy), direct(e.pfn));
	move(copy, at, bytes, n, REMOTE_POKE);
	if (mmu_replace(&s->mmu, page, e.pfn, copy, e.prot))
		return true;
	frame_free(copy, 0);
	return false;
}

static bool poke(struct space *s, vaddr_t at, void *bytes, size_t n)
{
	if (!fetch(s, at, FAULT_READ))
		return false;
	write_lock(&s->lock);
	bool done = poke_locked(s, at, bytes, n);
	write_unlock(&s->lock);
	return done;
}

/* A page that was fetched may be gone again before it is copied: then once more. */
static bool copy_page(struct space *s, vaddr_t at, void *bytes, size_t n, enum remote_access access)
{
	while (!copy_present(s, at, bytes, n, access))
		if (!fetch(s, at, is_write(access) ? FAULT_WRITE : FAULT_READ))
			return access == REMOTE_POKE && poke(s, at, bytes, n);
	return true;
}

size_t remote_copy(struct space *s, vaddr_t at, void *bytes, size_t n, enum remote_access access)
{
	size_t done = 0;
	while (done < n && at + done < USER_MAX) {
		size_t part = PAGE_SIZE - ((at + done) & PAGE_MASK);
		if (part > n - done)
			part = n - done;
		if (!copy_page(s, at + done, (char *)bytes + done, part, access))
			break;
		done += part;
	}
	return done;
}
