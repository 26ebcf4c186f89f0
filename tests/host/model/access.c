/* tests/host/model/access.c - memory is read, written and executed, by the process itself and by the kernel for it. */
#include <string.h>
#include "inside.h"
#include "now.h"
#include "arch/uaccess.h"

/* ---- what should happen ---------------------------------------------------------------------------------------------------------- */

/* Does the stack above the page grow down to it?  Where a region ends only the kernel knows. */
static bool grows(struct process *p, size_t page)
{
	struct ref_process *r = p->ref;
	size_t above = ref_next(r, page), below = page;

	if (above >= r->npages || above == page || !r->page[above].stack)
		return false;
	if (page_of(region_find(&p->space->regions, address_of(page))->end) - page > r->stack_limit)
		return false;
	while (below > 0 && !r->page[below - 1].mapped)
		below--;
	if (below > 0 && !r->page[below - 1].stack && r->page[below - 1].rights && page - below < REF_GUARD_PAGES)
		return false;
	ref_map(r, page, above - page, ref_continued(&r->page[above], 0));
	return true;
}

enum ref_access expected_access(struct process *p, size_t page, unsigned right)
{
	if (!p->ref->page[page].mapped)
		grows(p, page);
	return ref_access(p->ref, page, right);
}

size_t part_in_page(vaddr_t va, size_t left)
{
	size_t part = PAGE_SIZE - (va & PAGE_MASK);

	return part < left ? part : left;
}

/* ---- the process itself ------------------------------------------------------------------------------------------------------------ */

static unsigned right_for(enum fault_access access)
{
	return access == FAULT_WRITE ? REF_WRITE : access == FAULT_EXEC ? REF_EXEC : REF_READ;
}

static enum outcome judge(enum ref_access expected, int got, vaddr_t va)
{
	static const int outcome[] = {
		[REF_OK] = FAULT_DONE, [REF_NOT_MAPPED] = FAULT_SIGNAL_SEGV_MAPERR, [REF_NOT_ALLOWED] = FAULT_SIGNAL_SEGV_ACCERR,
		[REF_BEYOND_END] = FAULT_SIGNAL_BUS };

	if (got == FAULT_NO_MEMORY && memory_was_refused())
		return OUT_REFUSED;
	if (got == FAULT_SIGNAL_BUS && pager_failed())
		return OUT_UNREADABLE;
	if (got != outcome[expected])
		differ("access to %lx comes to %d in place of %d (fault class %d)", va, got, outcome[expected], sim_last_fault.class);
	return expected == REF_OK ? OUT_OK : expected == REF_BEYOND_END ? OUT_BUS : OUT_SEGV;
}

static enum outcome touch(struct process *p, vaddr_t va, enum fault_access access, uint8_t byte)
{
	uint8_t seen = 0;
	int got = access == FAULT_WRITE ? sim_write_byte(p->space, va, byte)
		: access == FAULT_READ ? sim_read_byte(p->space, va, &seen) : sim_exec(p->space, va);
	enum outcome outcome = judge(expected_access(p, page_of(va), right_for(access)), got, va);

	ref_changed(p->ref, page_of(va), 1);
	if (outcome == OUT_OK && access == FAULT_WRITE)
		ref_writable(p->ref, page_of(va))[va & PAGE_MASK] = byte;
	if (outcome == OUT_OK && access == FAULT_READ && seen != ref_bytes(p->ref, page_of(va))[va & PAGE_MASK])
		differ("byte at %lx reads %02x in place of %02x", va, seen, ref_bytes(p->ref, page_of(va))[va & PAGE_MASK]);
	return outcome;
}

enum outcome op_touch(struct process *p, const unsigned long *a)
{
	return touch(p, arena_address(a[0]), a[1] % 3, (uint8_t)a[2]);
}

/* The same byte of one page after the other. */
enum outcome op_sweep(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t npages = arena_pages - page_of(at);
	enum outcome all = OUT_OK;

	if (a[1] < npages)
		npages = a[1];
	for (size_t i = 0; i < npages; i++) {
		enum outcome one = touch(p, at + (i << PAGE_SHIFT), a[2] % 3, (uint8_t)(a[3] + i));
		if (one == OUT_REFUSED)
			return one;
		if (one != OUT_OK)
			all = OUT_PARTIAL;
	}
	return all;
}

/* ---- the kernel for it --------------------------------------------------------------------------------------------------------------- */

/* A copy of several pages is judged page by page, by the state at its end: nobody else may change that meanwhile. */
size_t copy_length(vaddr_t at, unsigned long length)
{
	size_t room = address_of(arena_pages) - at, n = length % COPY_MAX + 1;

	if (n > room)
		n = room;
	return running->threads > 1 ? part_in_page(at, n) : n;
}

bool accessible(struct process *p, vaddr_t at, unsigned right, bool ended)
{
	struct region *r = region_find(&p->space->regions, at);

	if (ended && (memory_was_refused() || pager_failed()) && (!r || r->start > at))
		return !p->ref->page[page_of(at)].mapped;	/* something else has ended it, or else it would have grown */
	return expected_access(p, page_of(at), right) == REF_OK;
}

enum outcome judge_copy(struct process *p, vaddr_t at, size_t n, size_t moved, unsigned right)
{
	size_t done = 0;
	bool stopped = false;

	/* Up to the page at which it ended: no stack has grown behind that, and none for that if it was not reached. */
	while (done < n && !stopped && accessible(p, at + done, right, done == moved)) {
		size_t next = done + part_in_page(at + done, n - done);

		stopped = next > moved;
		done = stopped ? moved : next;
	}
	if (moved != done || (stopped && !memory_was_refused() && !pager_failed()))
		differ("copy of %zu bytes at %lx: %zu are moved, and it should go on", n, at, moved);
	if (stopped)
		return memory_was_refused() ? OUT_REFUSED : OUT_UNREADABLE;
	return moved == n ? OUT_OK : moved ? OUT_PARTIAL : OUT_EFAULT;
}

enum outcome op_copy_in(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t n = copy_length(at, a[1]), part;
	uint8_t bytes[COPY_MAX];

	sim_enter(p->space);
	size_t moved = n - user_copy_in(bytes, at, n);
	enum outcome outcome = judge_copy(p, at, n, moved, REF_READ);
	for (size_t i = 0; i < moved; i += part) {
		part = part_in_page(at + i, moved - i);
		if (memcmp(&bytes[i], ref_bytes(p->ref, page_of(at + i)) + ((at + i) & PAGE_MASK), part) != 0)
			differ("bytes at %lx are copied in wrong", at + i);
	}
	return outcome;
}

enum outcome op_copy_out(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t n = copy_length(at, a[1]), part;
	uint8_t bytes[COPY_MAX];

	for (size_t i = 0; i < n; i++)
		bytes[i] = value_byte(a[2], i);
	sim_enter(p->space);
	size_t moved = n - user_copy_out(at, bytes, n);
	enum outcome outcome = judge_copy(p, at, n, moved, REF_WRITE);
	for (size_t i = 0; i < moved; i += part) {
		part = part_in_page(at + i, moved - i);
		memcpy(ref_writable(p->ref, page_of(at + i)) + ((at + i) & PAGE_MASK), &bytes[i], part);
	}
	return outcome;
}
