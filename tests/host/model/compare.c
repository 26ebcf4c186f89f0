/*
 * tests/host/model/compare.c - do the regions, the entries and the objects show what the reference has?
 *
 * A page that is absent is not brought in by being looked at: what it would show follows from where it would come from.
 */
#include <string.h>
#include "inside.h"
#include "files.h"
#include "vm/check.h"
#include "vm/frame.h"
#include "vm/vm.h"

/* ---- one page of a process --------------------------------------------------------------------------------------------------------- */

static struct object *object_of(const struct ref_page *r)
{
	return r->object >= 0 && r->object < FILES ? file[r->object].object : NULL;
}

static void compare_rights(const struct ref_page *r, const struct region *region, vaddr_t va)
{
	uint64_t index = region ? region->offset + ((va - region->start) >> PAGE_SHIFT) : 0;

	if (r->mapped != !!region)
		differ("page %lx is %smapped", va, region ? "" : "not ");
	if (region && (r->rights != region->rights || r->shared != !!(region->flags & REGION_SHARED)
	    || r->locked != !!(region->flags & REGION_LOCKED) || r->kept_back != !!(region->flags & REGION_DONTFORK)
	    || r->wiped != !!(region->flags & REGION_WIPEONFORK) || r->stack != !!(region->flags & REGION_GROWSDOWN) || r->never_written != !!(region->flags & REGION_NOWRITE)))
		differ("page %lx: rights %u, flags %u in place of rights %u, shared %d, stack %d, never written %d", va, region->rights, region->flags,
			r->rights, r->shared, r->stack, r->never_written);
	if (region && ((r->object < 0) != !region->object || (object_of(r) && object_of(r) != region->object)
	    || (r->object >= 0 && r->index != index)))
		differ("page %lx: page %lu of an object in place of page %u of object %d", va, index, r->index, r->object);
}

static void compare_absent(struct ref_process *p, size_t page, const struct region *region)
{
	const struct ref_page *r = &p->page[page];
	pfn_t cached = PFN_NONE;

	if (r->own)
		differ("page %lx has lost its private bytes", address_of(page));
	if (r->object < 0 || ref_beyond(r))
		return;
	spin_lock(&region->object->lock);
	object_peek(region->object, r->index, &cached);
	spin_unlock(&region->object->lock);
	if (cached != PFN_NONE && memcmp(direct(cached), ref_bytes(p, page), PAGE_SIZE) != 0)
		differ("page %lx would show wrong bytes", address_of(page));
}

static void compare_bytes(struct process *p, size_t page, const struct region *region)
{
	struct mmu_entry e = mmu_query(&p->space->mmu, address_of(page));
	const struct ref_page *r = &p->ref->page[page];

	if (e.pfn == PFN_NONE) {
		if (region)
			compare_absent(p->ref, page, region);
		return;
	}
	if (!r->mapped)
		differ("page %lx has an entry but no mapping", address_of(page));
	if (ref_beyond(r) && !r->own)
		differ("page %lx has an entry, beyond the end of the file", address_of(page));
	if (memcmp(direct(e.pfn), ref_bytes(p->ref, page), PAGE_SIZE) != 0)
		differ("page %lx has wrong bytes in its frame %lx", address_of(page), e.pfn);
}

static void compare_pages(struct process *p, size_t from, size_t to)
{
	struct region *region = region_find(&p->space->regions, address_of(from));

	for (size_t page = from; page < to; page++) {
		if (region && region->end <= address_of(page))
			region = region_next(region);
		struct region *here = region && region->start <= address_of(page) ? region : NULL;
		compare_rights(&p->ref->page[page], here, address_of(page));
		compare_bytes(p, page, here);
	}
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------------ */

void compare_changed(void)
{
	for (struct process *p = process; p < process + REF_PROCESSES; p++) {
		if (p->space)
			compare_pages(p, p->ref->changed_from, p->ref->changed_to);
		ref_settled(p->ref);
	}
}

void compare_all(void)
{
	struct vmcheck report;

	for (struct process *p = process; p < process + REF_PROCESSES; p++)
		if (p->space)
			compare_pages(p, 0, arena_pages);
	vm_check(&report);
	if (report.errors)
		differ("vm_check found %lu errors", (unsigned long)report.errors);
	sim_tlb_check();
	if (sim_locks_held())
		differ("a lock is still held");
}

/* What is free once all is gone: the heap keeps an empty slab of a class. */
size_t frames_when_empty(void)
{
	struct vmcheck report;

	vm_check(&report);
	return report.managed_frames - report.kernel_frames;
}

void compare_nothing_left(size_t frames)
{
	struct vmcheck r;

	vm_check(&r);
	size_t records = r.records_file + r.records_shared + r.records_pinned + r.records_cut;
	if (r.errors || r.spaces || r.objects || r.heap_objects || records || frame_free_count() + r.heap_frames != frames)
		differ("left over: %lu errors, %lu spaces, %lu objects, %lu heap objects, %zu records, %ld frames", (unsigned long)r.errors,
			(unsigned long)r.spaces, (unsigned long)r.objects, (unsigned long)r.heap_objects, records,
			(long)(frames - frame_free_count() - r.heap_frames));
}
