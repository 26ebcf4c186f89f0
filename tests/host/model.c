/*
 * tests/host/model.c - the model test: random operations of several processes on vm/, beside a reference that is too plain to be wrong.
 *
 *   model SEED STEPS [KIB]
 *
 * The reference is, for each process, an array of pages with rights and bytes; files and shared memory are arrays of pages too.  Each step
 * does one operation on both and compares the result; every CHECK_STEPS all that can be seen is compared, and vm_check must be
 * content.  Memory is small, and allocations are made to fail besides: an operation that says 'no memory' must have been refused
 * some, and must have changed nothing.  The same seed gives the same run; a failure prints seed and step.
 *
 * Up to three threads do that on the same processes.  They change hands where a page is read slowly; what an operation should have come to is
 * then judged by the state at its end, when it looked for the last time.
 */
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim.h"
#include "lib/assert.h"
#include "vm/check.h"
#include "vm/frame.h"
#include "vm/mmap.h"
#include "vm/object.h"
#include "vm/vm.h"

enum {
	PROCESSES = 6, FILES = 5, FILE_PAGES = 48,
	WINDOW = 160,			/* pages in which mappings are made: few, so that they collide */
	LONGEST = 24,			/* pages of a mapping, at most */
	STACK_PAGES = 40,		/* the limit of a stack */
	CHECK_STEPS = 500, THREADS = 3,
};
static const vaddr_t WINDOW_START = USER_MIN, BRK_START = USER_MIN + 5 * 4096 + 100, STACK_TOP = USER_MIN + 4096 * 4096;

/* ---- the reference ----------------------------------------------------------------------------------------------------------- */

struct ref_object {
	unsigned refs;
	unsigned busy;			/* threads that read it at the moment */
	unsigned version;		/* counts writes */
	struct object *object;		/* NULL: shared anonymous memory, which vm_mmap made */
	uint64_t size;
	uint8_t *page[FILE_PAGES];	/* NULL: zeros */
};

struct ref_page {
	bool mapped, shared;
	unsigned rights;
	struct ref_object *object;
	unsigned index;			/* page of the object */
	uint8_t *own;			/* private bytes; NULL: the object's, or zeros */
};

struct process {
	struct space *space;		/* NULL: this slot is free */
	unsigned busy;			/* threads that do something with it at the moment */
	struct ref_page *page;		/* by page number */
	vaddr_t brk, stack_start;
};

static struct process process[PROCESSES];
static struct ref_object file[FILES];
static const uint8_t zeros[1 << PAGE_SHIFT];

static unsigned long seed, step_now, steps;
static const char *operation = "start";
static uint64_t random_state;
static unsigned long pager_failures;

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	abort();
}

/* However it ends, seed and step are told. */
static void report_failure(void)
{
	fprintf(stderr, "# again: model %lu %lu\n", seed, step_now);
	printf("not ok 1 - model %dx%d: seed %lu, step %lu: %s\n1..1\n", SIM_LEVELS, SIM_TABLE_BITS, seed, step_now, operation);
	fflush(stdout);
}

static void on_abort(int signo)
{
	(void)signo;
	report_failure();
	_exit(1);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_word(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(random_word() % n);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

static size_t page_of(vaddr_t va) { return va >> PAGE_SHIFT; }
static vaddr_t address_of(size_t page) { return page << PAGE_SHIFT; }

static void *copy_bytes(const void *bytes)
{
	return memcpy(malloc(PAGE_SIZE), bytes, PAGE_SIZE);
}

static const uint8_t *ref_bytes(const struct ref_page *p)
{
	const uint8_t *bytes = p->own ? p->own : p->object ? p->object->page[p->index] : NULL;

	return bytes ? bytes : zeros;
}

/* Where a write to this page goes. */
static uint8_t *ref_writable(struct ref_page *p)
{
	uint8_t **place = p->shared ? &p->object->page[p->index] : &p->own;

	if (!*place)
		*place = copy_bytes(ref_bytes(p));
	return *place;
}

static void ref_object_put(struct ref_object *o)
{
	if (!o || --o->refs)
		return;
	for (unsigned i = 0; i < FILE_PAGES; i++)
		free(o->page[i]);
	free(o);
}

static void ref_unmap(struct process *p, size_t page, size_t n)
{
	for (; n > 0; n--, page++) {
		free(p->page[page].own);
		ref_object_put(p->page[page].object);
		p->page[page] = (struct ref_page){ .mapped = false };
	}
}

static void ref_map(struct process *p, size_t page, size_t n, struct ref_page what)
{
	ref_unmap(p, page, n);
	for (; n > 0; n--, page++, what.index++) {
		p->page[page] = what;
		if (what.object)
			what.object->refs++;
	}
}

static bool ref_free(const struct process *p, size_t page, size_t n)
{
	while (n > 0 && !p->page[page + n - 1].mapped)
		n--;
	return n == 0;
}

static bool ref_has_gap(const struct process *p, size_t n)
{
	size_t run = 0;

	for (size_t page = page_of(USER_MIN); page < page_of(USER_MAX) && run < n; page++)
		run = p->page[page].mapped ? 0 : run + 1;
	return run >= n;
}

static bool ref_beyond(const struct ref_page *p)
{
	return p->object && p->index >= (p->object->size + PAGE_MASK) >> PAGE_SHIFT;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

enum { FILE_BORROWED, FILE_READ, FILE_SLOW, FILE_FAILING, FILE_TMPFS };

static pfn_t image_frame(struct object *o, uint64_t index)
{
	const struct ref_object *f = o->backing;

	/* Some pages lie well in the image, some do not; never the last one, whose slack is not zero. */
	if (index % 3 == 1 || (index + 1) * PAGE_SIZE > f->size)
		return PFN_NONE;
	return (pfn_t)(0x180000 >> PAGE_SHIFT) + index;
}

static int read_page(struct object *o, uint64_t index, void *to)
{
	const struct ref_object *f = o->backing;
	size_t kind = (size_t)(f - file);

	sim_check_unlocked("a pager reads");
	for (unsigned pauses = kind == FILE_SLOW ? 1 + below(4) : below(2); pauses > 0; pauses--)
		sim_yield();
	if (kind == FILE_FAILING && one_in(4)) {
		pager_failures++;
		return -EIO;
	}
	memcpy(to, f->page[index], PAGE_SIZE);
	return 0;
}

static const struct pager borrowing_pager = { .borrow = image_frame, .read = read_page };
static const struct pager reading_pager = { .read = read_page };

static void create_file(unsigned kind)
{
	struct ref_object *f = &file[kind];
	unsigned npages = 1 + below(FILE_PAGES / 2);

	f->refs = 1;
	f->size = kind == FILE_TMPFS ? 0 : npages * PAGE_SIZE - below(PAGE_SIZE);
	for (unsigned i = 0; i < npages && kind != FILE_TMPFS; i++) {
		f->page[i] = calloc(1, PAGE_SIZE);
		for (size_t k = 0; k < PAGE_SIZE && i * PAGE_SIZE + k < f->size; k++)
			f->page[i][k] = (uint8_t)random_word();
		if (kind == FILE_BORROWED)
			memcpy(direct((0x180000 >> PAGE_SHIFT) + i), f->page[i], PAGE_SIZE);
	}
	f->object = object_create(kind == FILE_TMPFS ? NULL : kind == FILE_BORROWED ? &borrowing_pager : &reading_pager, f, f->size);
	if (!f->object)
		fail("no memory for a file");
}

/* ---- no memory: an excuse that must be true ------------------------------------------------------------------------------------ */

static bool armed;			/* an allocation is going to fail */
static unsigned long injected;
static __thread unsigned long refusals_before, pager_failures_before;

static unsigned long refusals(void)
{
	if (armed && alloc_fail_at == 0) {
		armed = false;
		injected++;
	}
	return injected + sim_alloc_failures;
}

static void begin_operation(const char *name)
{
	operation = name;
	refusals_before = refusals();
	pager_failures_before = pager_failures;
	armed = one_in(12);
	alloc_fail_at = armed ? 1 + below(8) : 0;
}

/* Was some memory refused since the operation began?  From here on none is, for the comparisons. */
static bool memory_was_refused(void)
{
	bool refused = refusals() != refusals_before;

	armed = false;
	alloc_fail_at = 0;
	return refused;
}

static bool pager_failed(void)
{
	return pager_failures != pager_failures_before;
}

/* ---- comparing ----------------------------------------------------------------------------------------------------------------- */

static void compare_regions(struct process *p)
{
	size_t page = 0;
	struct region_info info;

	for (vaddr_t from = 0; vm_region_info(p->space, from, &info); from = info.end) {
		for (; page < page_of(info.start); page++)
			if (p->page[page].mapped)
				fail("page %lx is not mapped", address_of(page));
		for (; page < page_of(info.end); page++) {
			const struct ref_page *r = &p->page[page];
			uint64_t index = (info.offset >> PAGE_SHIFT) + page - page_of(info.start);
			if (!r->mapped || r->rights != info.rights || r->shared != !!(info.flags & REGION_SHARED) || !r->object != !info.object
			    || (r->object && (index != r->index || (r->object->object && r->object->object != info.object))))
				fail("page %lx: region %lx-%lx rights %u flags %u offset %lx; expected mapped %d rights %u shared %d object %d page %u",
					address_of(page), info.start, info.end, info.rights, info.flags, info.offset,
					r->mapped, r->rights, r->shared, r->object != NULL, r->index);
		}
	}
	for (; page < SIM_PAGES; page++)
		if (p->page[page].mapped)
			fail("page %lx is not mapped", address_of(page));
}

/* What the tables show; pages that are absent are left so, or most of them would be present soon. */
static void compare_entries(struct process *p)
{
	for (size_t page = 0; page < page_of(USER_MAX); page++) {
		struct mmu_entry e = mmu_query(&p->space->mmu, address_of(page));
		const struct ref_page *r = &p->page[page];
		if (e.pfn == PFN_NONE)
			continue;
		if (!r->mapped)
			fail("page %lx has an entry but no mapping", address_of(page));
		if (memcmp(direct(e.pfn), ref_bytes(r), PAGE_SIZE) != 0)
			fail("page %lx has wrong bytes in its frame %lx", address_of(page), e.pfn);
	}
}

static void compare_all(void)
{
	struct vmcheck report;

	for (unsigned i = 0; i < PROCESSES; i++)
		if (process[i].space) {
			compare_regions(&process[i]);
			compare_entries(&process[i]);
		}
	vm_check(&report);
	if (report.errors)
		fail("vm_check found %lu errors", report.errors);
	sim_tlb_check();
	if (sim_locks_held())
		fail("a lock is still held");
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------ */

static struct process *any_process(void)
{
	struct process *p;

	do
		p = &process[below(PROCESSES)];
	while (!p->space);
	return p;
}

static size_t any_page(void)
{
	return page_of(WINDOW_START) + below(WINDOW);
}

static size_t any_length(size_t page)
{
	size_t room = page_of(WINDOW_START) + WINDOW - page, n = 1 + below(one_in(4) ? LONGEST : 5);

	return n < room ? n : room;
}

static unsigned any_rights(void)
{
	static const unsigned usual[] = { VM_READ, VM_READ | VM_WRITE, VM_READ | VM_WRITE, VM_READ | VM_WRITE, VM_READ | VM_EXEC, 0 };

	return one_in(6) ? below(8) : usual[below(6)];
}

static struct ref_object *shared_memory(size_t npages)
{
	struct ref_object *o = calloc(1, sizeof *o);

	o->size = npages << PAGE_SHIFT;
	return o;
}

static void op_mmap(struct process *p)
{
	size_t page = any_page(), n = any_length(page);
	struct ref_page what = { .mapped = true, .rights = any_rights() };
	unsigned flags = 0, kind = below(8);
	struct object *object = NULL;
	vaddr_t hint = one_in(3) ? 0 : address_of(page) + (one_in(8) ? below(PAGE_SIZE) : 0);

	if (one_in(2)) {
		flags = one_in(5) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
		hint = address_of(page);
	}
	if (kind < FILES) {
		what.object = &file[kind];
		object = what.object->object;
		what.index = below(FILE_PAGES - LONGEST);
		what.shared = kind == FILE_TMPFS && one_in(2);
	} else if (kind < 6) {
		what.shared = true;
		what.object = shared_memory(n);
	}
	flags |= what.shared ? MAP_SHARED : MAP_PRIVATE;
	if (!object)
		flags |= MAP_ANONYMOUS;
	if (what.object)
		what.object->refs++;

	vaddr_t at = vm_mmap(p->space, hint, (n << PAGE_SHIFT) - below(PAGE_SIZE), what.rights, flags, object,
		(uint64_t)what.index << PAGE_SHIFT);
	bool refused = memory_was_refused();
	ssize error = (ssize)at < 0 && (ssize)at >= -4095 ? (ssize)at : 0;
	if (error == -EEXIST) {
		if (!(flags & MAP_FIXED_NOREPLACE) || ref_free(p, page, n))
			fail("mmap says EEXIST for no reason");
	} else if (error) {
		if (error != -ENOMEM || (!refused && (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || ref_has_gap(p, n))))
			fail("mmap of %zu pages at %lx, flags %x: error %ld", n, hint, flags, error);
	} else {
		if (at & PAGE_MASK || at < USER_MIN || at + (n << PAGE_SHIFT) > USER_MAX)
			fail("mmap gives %lx", at);
		if (!(flags & MAP_FIXED) && !ref_free(p, page_of(at), n))
			fail("mmap gives %lx, which is in use", at);
		if (hint && at != page_floor(hint) && (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || ref_free(p, page_of(hint), n)))
			fail("mmap gives %lx where %lx was asked for and is free", at, hint);
		ref_map(p, page_of(at), n, what);
	}
	ref_object_put(what.object);
}

static void op_munmap(struct process *p)
{
	size_t page = any_page(), n = any_length(page);
	int error = vm_munmap(p->space, address_of(page), (n << PAGE_SHIFT) - below(PAGE_SIZE));

	if (error == 0)
		ref_unmap(p, page, n);
	else if (error != -ENOMEM || !memory_was_refused())
		fail("munmap: error %d", error);
}

/* The rights of the first pages of [page, page + n) as the regions have them: are they all these? */
static bool protected_already(struct process *p, size_t page, size_t n, unsigned rights)
{
	struct region_info info;

	for (size_t end = page + n; page < end; page++)
		if (!vm_region_info(p->space, address_of(page), &info) || info.rights != rights)
			return false;
	return true;
}

static void op_mprotect(struct process *p)
{
	size_t page = any_page(), n = any_length(page), mapped = 0;
	unsigned rights = any_rights();

	while (mapped < n && p->page[page + mapped].mapped)
		mapped++;
	int error = vm_mprotect(p->space, address_of(page), n << PAGE_SHIFT, rights);
	bool refused = memory_was_refused();
	if (error != (mapped == n ? 0 : -ENOMEM) && !(error == -ENOMEM && refused))
		fail("mprotect: error %d", error);
	if (error && refused && !protected_already(p, page, mapped, rights))
		return;
	for (size_t i = 0; i < mapped; i++)
		p->page[page + i].rights = rights;
}

/* What madvise discards: private pages go back to what they were at first. */
static void op_discard(struct process *p)
{
	size_t page = any_page(), n = any_length(page), mapped = 0;

	for (size_t i = 0; i < n; i++)
		mapped += p->page[page + i].mapped;
	int error = vm_madvise(p->space, address_of(page), (n << PAGE_SHIFT) - below(PAGE_SIZE), MADV_DONTNEED, NULL);
	if (error == -EAGAIN && memory_was_refused())
		return;
	if (error != (mapped == n ? 0 : -ENOMEM))
		fail("madvise: error %d", error);
	for (size_t i = 0; i < n; i++) {
		free(p->page[page + i].own);
		p->page[page + i].own = NULL;
	}
}

/* Page `page` as it would be, were the mapping of `first` longer. */
static struct ref_page continued(const struct ref_page *first, size_t distance)
{
	struct ref_page what = *first;

	what.own = NULL;
	what.index += distance;
	return what;
}

static void ref_move(struct process *p, size_t from, size_t old, size_t to, size_t new, bool stays_mapped)
{
	struct ref_page first = p->page[from], *taken = malloc((old + new) * sizeof *taken);
	size_t moved = old < new ? old : new;

	if (first.object)
		first.object->refs++;		/* until all is in its place */
	ref_unmap(p, to, new);
	for (size_t i = 0; i < moved; i++) {
		taken[i] = p->page[from + i];
		p->page[from + i].own = NULL;
	}
	for (size_t i = 0; i < new; i++) {
		ref_map(p, to + i, 1, continued(&first, i));
		if (i < moved) {
			p->page[to + i].rights = taken[i].rights;
			p->page[to + i].own = taken[i].own;
		}
	}
	if (!stays_mapped)
		ref_unmap(p, from, old);
	ref_object_put(first.object);
	free(taken);
}

static void op_mremap(struct process *p)
{
	size_t page = any_page(), old = any_length(page), to = any_page(), new = any_length(to);
	unsigned flags = below(4) ? MREMAP_MAYMOVE : 0;
	struct region_info info;
	bool mapped = vm_region_info(p->space, address_of(page), &info) && info.start <= address_of(page);

	if (flags && one_in(2))
		flags |= MREMAP_FIXED;
	if (flags && one_in(4))
		flags |= MREMAP_DONTUNMAP, old = new = old < new ? old : new;
	if (mapped && p->page[page].object && p->page[page].index + new > FILE_PAGES)
		return;
	bool one_region = mapped && info.end - address_of(page) >= old << PAGE_SHIFT;
	bool overlap = to < page + old && page < to + new;

	vaddr_t at = vm_mremap(p->space, address_of(page), old << PAGE_SHIFT, new << PAGE_SHIFT, flags, address_of(to));
	ssize error = (ssize)at < 0 && (ssize)at >= -4095 ? (ssize)at : 0;
	bool refused = memory_was_refused();
	if (flags & MREMAP_FIXED && overlap) {
		if (error != -EINVAL)
			fail("mremap onto itself: %ld", (long)at);
	} else if (!mapped || (!one_region && (new >= old || flags & MREMAP_FIXED))) {
		if (error != -EFAULT)
			fail("mremap of what is not one mapping: %ld", (long)at);
	} else if (error) {
		if (error != -ENOMEM || (!refused && new <= old && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))))
			fail("mremap: error %ld", (long)error);
		if (!refused && flags & MREMAP_FIXED)
			fail("mremap to a fixed place: error %ld", (long)error);
	} else if (at != address_of(page)) {
		if (flags & MREMAP_FIXED ? at != address_of(to) : !ref_free(p, page_of(at), new))
			fail("mremap gives %lx", at);
		ref_move(p, page, old, page_of(at), new, flags & MREMAP_DONTUNMAP);
	} else if (new < old) {
		ref_unmap(p, page + new, old - new);
	} else {
		if (!ref_free(p, page + old, new - old))
			fail("mremap grows over something");
		for (size_t i = old; i < new; i++)
			ref_map(p, page + i, 1, continued(&p->page[page], i));
	}
}

static void op_brk(struct process *p)
{
	vaddr_t to = BRK_START + below(30 * PAGE_SIZE);
	size_t old = page_of(page_ceil(p->brk)), new = page_of(page_ceil(to));
	bool possible = new <= old || ref_free(p, old, new - old);

	if (one_in(20) && vm_brk(p->space, one_in(2) ? 0 : USER_MAX + PAGE_SIZE) != p->brk)
		fail("brk to nowhere moved the break");
	vaddr_t now = vm_brk(p->space, to);
	if (now != (possible ? to : p->brk) && !(now == p->brk && memory_was_refused()))
		fail("brk from %lx to %lx gives %lx", p->brk, to, now);
	if (now == p->brk)
		return;
	if (new < old)
		ref_unmap(p, new, old - new);
	else
		ref_map(p, old, new - old, (struct ref_page){ .mapped = true, .rights = VM_READ | VM_WRITE });
	p->brk = now;
}

/* What an access to the page should come to. A stack that grows for it is entered. */
static int expected_outcome(struct process *p, size_t page, enum fault_access access)
{
	struct ref_page *r = &p->page[page];

	if (!r->mapped && address_of(page) < p->stack_start && address_of(page) >= STACK_TOP - STACK_PAGES * PAGE_SIZE) {
		size_t n = page_of(p->stack_start) - page;
		ref_map(p, page, n, (struct ref_page){ .mapped = true, .rights = VM_READ | VM_WRITE });
		p->stack_start = address_of(page);
	}
	if (!r->mapped)
		return FAULT_SIGNAL_SEGV_MAPERR;
	if (access == FAULT_READ ? !r->rights : !(r->rights & (access == FAULT_WRITE ? VM_WRITE : VM_EXEC)))
		return FAULT_SIGNAL_SEGV_ACCERR;
	return ref_beyond(r) && !r->own ? FAULT_SIGNAL_BUS : FAULT_DONE;
}

/* Is this outcome right?  True: the access happened. */
static bool judge_access(struct process *p, vaddr_t va, enum fault_access access, int outcome)
{
	int expected = expected_outcome(p, page_of(va), access);

	if (outcome == expected)
		return outcome == FAULT_DONE;
	if (outcome == FAULT_NO_MEMORY && memory_was_refused())
		return false;
	if (outcome == FAULT_SIGNAL_BUS && pager_failed())
		return false;
	fail("access %d to %lx comes to %d in place of %d (fault class %d)", access, va, outcome, expected, sim_last_fault.class);
}

static void touch(struct process *p, vaddr_t va, enum fault_access access)
{
	uint8_t byte = (uint8_t)random_word();
	int outcome = access == FAULT_WRITE ? sim_write_byte(p->space, va, byte)
		: access == FAULT_READ ? sim_read_byte(p->space, va, &byte) : sim_exec(p->space, va);

	if (!judge_access(p, va, access, outcome))
		return;
	struct ref_page *r = &p->page[page_of(va)];
	if (access == FAULT_WRITE)
		ref_writable(r)[va & PAGE_MASK] = byte;
	else if (access == FAULT_READ && byte != ref_bytes(r)[va & PAGE_MASK])
		fail("byte at %lx reads %02x in place of %02x (shared %d, private bytes %d, object %ld page %u, last fault %d, frame %lx)",
			va, byte, ref_bytes(r)[va & PAGE_MASK], r->shared, r->own != NULL,
			r->object && r->object->object ? r->object - file : -1L, r->index, sim_last_fault.class,
			mmu_query(&p->space->mmu, va).pfn);
}

static void op_touch(struct process *p)
{
	size_t page = any_page();

	while (!p->page[page].mapped && !one_in(8))
		page = any_page();
	vaddr_t va = address_of(page) + below(PAGE_SIZE);

	touch(p, va, one_in(10) ? FAULT_EXEC : one_in(2) ? FAULT_WRITE : FAULT_READ);
}

static void op_sweep(struct process *p)
{
	size_t page = any_page(), n = any_length(page);
	enum fault_access access = one_in(2) ? FAULT_WRITE : FAULT_READ;

	for (; n > 0; n--, page++)
		touch(p, address_of(page) + below(PAGE_SIZE), access);
}

static void op_stack(struct process *p)
{
	touch(p, STACK_TOP - 1 - below((STACK_PAGES + 4) * PAGE_SIZE), one_in(3) ? FAULT_READ : FAULT_WRITE);
}

static void op_fork(struct process *parent)
{
	struct process *child = process;

	while (child < process + PROCESSES && child->space)
		child++;
	if (child == process + PROCESSES)
		return;
	child->space = space_fork(parent->space);
	if (!child->space) {
		if (!memory_was_refused())
			fail("fork fails");
		return;
	}
	child->brk = parent->brk;
	child->stack_start = parent->stack_start;
	memcpy(child->page, parent->page, SIM_PAGES * sizeof *child->page);
	for (size_t page = 0; page < SIM_PAGES; page++) {
		struct ref_page *r = &child->page[page];
		if (r->own)
			r->own = copy_bytes(r->own);
		if (r->object)
			r->object->refs++;
	}
}

static void op_exit(struct process *p)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < PROCESSES; i++)
		alive += process[i].space != NULL;
	if (alive == 1 || p->busy > 0)
		return;
	sim_stop(p->space);
	space_put(p->space);
	p->space = NULL;
	ref_unmap(p, 0, SIM_PAGES);
}

/* read(2) and write(2) of a file: to and from memory of the kernel, and of the process, which may fault. */

static void op_file_read(struct process *p)
{
	struct ref_object *f = &file[below(FILES)];
	uint64_t offset = below(FILE_PAGES * PAGE_SIZE);
	uint8_t bytes[3 * 4096];
	size_t n = below(sizeof bytes);
	struct uio uio = uio_kernel(bytes, n);
	size_t expected = offset >= f->size ? 0 : f->size - offset < n ? f->size - offset : n;
	(void)p;

	f->busy++;
	ssize got = object_read(f->object, &uio, offset);
	f->busy--;
	if (got != (ssize)expected && !memory_was_refused() && !pager_failed())
		fail("read of %zu bytes at %lx gives %ld", n, offset, got);
	for (ssize i = 0; i < got; i++) {
		const uint8_t *page = f->page[(offset + (size_t)i) >> PAGE_SHIFT];
		if (bytes[i] != (page ? page[(offset + (size_t)i) & PAGE_MASK] : 0))
			fail("read: wrong byte at %lx", offset + (size_t)i);
	}
}

static void op_file_write(struct process *p)
{
	struct ref_object *f = &file[FILE_TMPFS];
	uint64_t offset = below((FILE_PAGES - 3) * PAGE_SIZE);
	uint8_t bytes[2 * 4096];
	size_t n = 1 + below(sizeof bytes - 1);
	struct uio uio = uio_kernel(bytes, n);
	(void)p;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)random_word();
	ssize put = object_write(f->object, &uio, offset);
	if (put != (ssize)n && !memory_was_refused())
		fail("write of %zu bytes at %lx gives %ld", n, offset, put);
	for (ssize i = 0; i < put; i++) {
		uint8_t **page = &f->page[(offset + (size_t)i) >> PAGE_SHIFT];
		if (!*page)
			*page = calloc(1, PAGE_SIZE);
		(*page)[(offset + (size_t)i) & PAGE_MASK] = bytes[i];
	}
	f->version++;
	if (put > 0 && offset + (size_t)put > f->size)
		f->size = offset + (size_t)put;
}

static void unmap_everywhere(const struct ref_object *f)
{
	for (struct process *p = process; p < process + PROCESSES; p++)
		for (size_t page = 0; page < SIM_PAGES && p->space; page++)
			if (p->page[page].object == f && vm_munmap(p->space, address_of(page), PAGE_SIZE) == 0)
				ref_unmap(p, page, 1);
}

/* A file is forgotten, with its mappings, and read anew. */
static void op_file_renew(struct process *p)
{
	struct ref_object *f = &file[below(FILES)];
	struct object *old = f->object;
	(void)p;

	if (f == &file[FILE_TMPFS])
		return;
	unmap_everywhere(f);
	if (f->refs > 1 || f->busy)
		return;			/* no memory for that, or somebody reads it */
	f->version++;
	f->object = object_create(old->pager, f, f->size);
	if (f->object)
		object_put(old);
	else if (memory_was_refused())
		f->object = old;
	else
		fail("no object");
}

/* The file in memory gets another size while it is mapped: what is cut off goes, private copies too. */
static void op_truncate(struct process *p)
{
	struct ref_object *f = &file[FILE_TMPFS];
	uint64_t size = below((FILE_PAGES - 1) * PAGE_SIZE), keep = (size + PAGE_MASK) >> PAGE_SHIFT;
	bool shorter = size < f->size;
	(void)p;

	f->version++;
	f->size = size;
	vm_truncate(f->object, size);
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		size_t stays = size > i * PAGE_SIZE ? size - i * PAGE_SIZE : 0;
		if (f->page[i] && stays < PAGE_SIZE)
			memset(f->page[i] + stays, 0, PAGE_SIZE - stays);
	}
	for (struct process *q = process; q < process + PROCESSES && shorter; q++)
		for (size_t page = 0; page < SIM_PAGES && q->space; page++)
			if (q->page[page].object == f && q->page[page].index >= keep) {
				free(q->page[page].own);
				q->page[page].own = NULL;
			}
}

/* A file read into user memory: maybe into a mapping of the same file, maybe into nothing. One page at most, so that it is all or not. */
static void op_file_read_to_user(struct process *p)
{
	struct ref_object *f = &file[below(FILES)];
	uint64_t offset = below(FILE_PAGES) * PAGE_SIZE;
	size_t page = any_page(), n = 1 + below(PAGE_SIZE);
	size_t expected = offset >= f->size ? 0 : f->size - offset < n ? f->size - offset : n;
	struct uio uio = uio_user(address_of(page), n);

	unsigned version = f->version;
	sim_enter(p->space);
	f->busy++;
	ssize got = object_read(f->object, &uio, offset);
	f->busy--;
	bool refused = memory_was_refused();
	int outcome = expected ? expected_outcome(p, page, FAULT_WRITE) : FAULT_DONE;
	ssize should = outcome == FAULT_DONE ? (ssize)expected : -EFAULT;
	if (got != should && !refused && !pager_failed() && version == f->version)
		fail("read of %zu bytes to %lx gives %ld in place of %ld", n, address_of(page), got, should);
	if (got <= 0)
		return;
	const uint8_t *from = f->page[offset >> PAGE_SHIFT];
	uint8_t *to = ref_writable(&p->page[page]);
	if (version == f->version)
		memmove(to, from ? from : zeros, (size_t)got);
	else if (sim_read(p->space, address_of(page), to, (size_t)got) != FAULT_DONE)	/* written meanwhile: either is right */
		fail("what was read to %lx cannot be read there", address_of(page));
}

/* ---- running --------------------------------------------------------------------------------------------------------------------- */

static const struct operation { const char *name; void (*run)(struct process *); unsigned weight; } operations[] = {
	{ "mmap", op_mmap, 14 }, { "munmap", op_munmap, 7 }, { "mprotect", op_mprotect, 12 }, { "brk", op_brk, 6 },
	{ "discard", op_discard, 4 }, { "mremap", op_mremap, 8 },
	{ "touch", op_touch, 40 }, { "sweep", op_sweep, 14 }, { "stack", op_stack, 5 }, { "fork", op_fork, 5 }, { "exit", op_exit, 4 },
	{ "file read", op_file_read, 4 }, { "file write", op_file_write, 4 }, { "file read to user", op_file_read_to_user, 6 },
	{ "file renew", op_file_renew, 2 }, { "truncate", op_truncate, 3 },
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void one_step(void)
{
	unsigned total = 0, pick, i = 0;

	for (unsigned k = 0; k < OPERATIONS; k++)
		total += operations[k].weight;
	for (pick = below(total); pick >= operations[i].weight; i++)
		pick -= operations[i].weight;
	struct process *p = any_process();
	begin_operation(operations[i].name);
	p->busy += operations[i].run != op_exit;
	operations[i].run(p);
	p->busy -= operations[i].run != op_exit;
	/* Memory that is really used up comes back when somebody goes, as the OOM policy has it. */
	if (memory_was_refused() && one_in(4))
		op_exit(any_process());
}

static void run_steps(void *unused)
{
	(void)unused;
	while (step_now < steps) {
		step_now++;
		one_step();
		if (step_now % CHECK_STEPS == 0)
			compare_all();
	}
}

static void start(size_t memory)
{
	sim_boot_config(&(struct sim_config){
		.ram = { { 0, 0x20000 }, { 0x180000, 0x1c3000 }, { 0x280000, 0x280000 + memory } },
		.image = { 0x180000, 0x180000 + FILE_PAGES * PAGE_SIZE } });
	for (unsigned i = 0; i < PROCESSES; i++)
		process[i].page = calloc(SIM_PAGES, sizeof *process[i].page);
	for (unsigned i = 0; i < FILES; i++)
		create_file(i);
	struct process *first = &process[0];
	first->space = space_create();
	if (!first->space)
		fail("no memory for the first process");
	first->space->mmap_top = WINDOW_START + WINDOW * PAGE_SIZE;
	first->space->stack_limit = STACK_PAGES * PAGE_SIZE;
	vm_set_brk(first->space, first->brk = BRK_START);
	if (vm_map_stack(first->space, STACK_TOP, 2 * PAGE_SIZE, VM_READ | VM_WRITE))
		fail("no memory for a stack");
	first->stack_start = STACK_TOP - 2 * PAGE_SIZE;
	ref_map(first, page_of(first->stack_start), 2, (struct ref_page){ .mapped = true, .rights = VM_READ | VM_WRITE });
}

/* Everything goes; what is left must be what the machine had at its start. */
static void finish(size_t frames_at_start)
{
	struct vmcheck report;
	struct process *last = any_process();

	operation = "finish";
	alloc_fail_at = 0;
	for (unsigned i = 0; i < PROCESSES; i++)
		if (process[i].space && &process[i] != last)
			op_exit(&process[i]);
	sim_stop(last->space);
	space_put(last->space);
	ref_unmap(last, 0, SIM_PAGES);
	for (unsigned i = 0; i < FILES; i++)
		object_put(file[i].object);
	vm_check(&report);
	if (report.errors || report.spaces || report.objects || report.heap_objects || report.records_file + report.records_shared
	    + report.records_pinned + report.records_cut || frame_free_count() + report.heap_frames != frames_at_start)
		fail("left over: %lu errors, %lu spaces, %lu objects, %lu heap objects, %lu records, %ld frames", report.errors, report.spaces,
			report.objects, report.heap_objects, report.records_file + report.records_shared + report.records_cut,
			(long)(frames_at_start - frame_free_count() - report.heap_frames));
}

static void print_coverage(void)
{
	static const char *const names[] = FAULT_CLASS_NAMES;

	fputs("#", stdout);
	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		if (sim_faults.count[i])
			printf(" %s %lu", names[i], sim_faults.count[i]);
	printf(" waited %lu refused %lu\n", sim_faults.flags[FAULT_FLAG_WAITED], refusals());
}

int main(int argc, char **argv)
{
	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	steps = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;
	random_state = seed;
	size_t memory = (argc > 3 ? strtoul(argv[3], NULL, 0) : 512u << seed % 4) << 10;

	signal(SIGABRT, on_abort);
	__sanitizer_set_death_callback(report_failure);
	start(memory);
	struct vmcheck report;
	vm_check(&report);
	size_t frames = report.managed_frames - report.kernel_frames;	/* what must be free once all is gone */
	struct sim_thread *others[THREADS];
	unsigned nothers = seed % THREADS;
	for (unsigned i = 0; i < nothers; i++)
		others[i] = sim_thread_start(run_steps, NULL);
	run_steps(NULL);
	for (unsigned i = 0; i < nothers; i++)
		sim_thread_join(others[i]);
	compare_all();
	finish(frames);
	print_coverage();
	printf("ok 1 - model %dx%d: seed %lu, %lu steps, %zu KiB\n1..1\n", SIM_LEVELS, SIM_TABLE_BITS, seed, steps, memory >> 10);
	return 0;
}
