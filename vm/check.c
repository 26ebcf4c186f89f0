/*
 * vm/check.c - vm_check: does what the tables, trees and lists say agree with what the page words and records say?
 *
 * Counting needs no memory of its own: a first walk judges each entry, a second takes one off the count of whatever an entry points
 * to, so that every count must then be zero, and a third puts all back.  Counts wrap around without harm, so even a wrong
 * count is restored.
 *
 * => runs with nothing else in vm/, on any processor (kernel/sched.h: sched_stop_others): it takes no locks, but those that guard what processors have at hand, and does not sleep.
 */
#include "vm/check.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/kspace.h"
#include "vm/object.h"
#include "vm/physmap.h"
#include "vm/reclaim.h"
#include "vm/space.h"
#include "vm/vm.h"
#include "lib/print.h"

enum { MAX_MESSAGES = 20 };

struct check {
	struct vmcheck *report;
	struct space *space;		/* the one that is walked */
	uintptr_t delta;		/* what count() adds: one off, or one back */
	size_t tables, resident;	/* seen in it: tables, entries of counted pages */
	pfn_t leaf_table;		/* whose entries are being judged; PFN_NONE: none */
	unsigned leaf_resident;		/* its entries of counted pages so far */
	size_t committed;		/* pages, of all spaces and objects */
};

/* One discrepancy: says so, and counts. */
static void wrong(struct vmcheck *report, const char *what, const char *where, uint64_t number, uint64_t value)
{
	if (report->errors++ < MAX_MESSAGES)
		kprintf("vmcheck: %s (%s %#llx, %#llx)\n", what, where, (unsigned long long)number, (unsigned long long)value);
}

/* ---- first walk: is each entry right? -------------------------------------------------------------------------------------- */

static void judge_object_page(struct check *c, struct region *r, vaddr_t va, struct mmu_entry e)
{
	struct page_record *record = page_record(pages[e.pfn]);

	if (record->pfn != e.pfn)
		wrong(c->report, "record of another frame", "frame", e.pfn, record->pfn);
	if (!record->object)
		return;			/* cut off: its file was truncated */
	if (record->object != r->object || record->index != r->offset + ((va - r->start) >> PAGE_SHIFT))
		wrong(c->report, "page of another place in the file", "address", va, e.pfn);
	if (record->state != RECORD_READY)
		wrong(c->report, "page mapped before it was filled", "address", va, e.pfn);
	if ((e.prot & VM_WRITE) && !(r->flags & REGION_SHARED))
		wrong(c->report, "cached page writable in a private region", "address", va, e.pfn);
	if ((e.prot & VM_WRITE) && object_tracks(record->object) && record->dirty == RECORD_CLEAN)
		wrong(c->report, "page of a file writable and not dirty", "address", va, e.pfn);
}

static void judge_leaf(void *context, vaddr_t va, struct mmu_entry e)
{
	struct check *c = context;
	struct region *r = region_find(&c->space->regions, va);

	if (frame_exists(e.pfn) && page_counted(pages[e.pfn])) {
		c->resident++;
		c->leaf_resident += e.table != MMU_TABLE_HUGE;
	}
	if (!r || va < r->start) {
		wrong(c->report, "entry outside any region", "address", va, e.pfn);
		return;
	}
	if (e.table == MMU_TABLE_SHARED && (r->object || (e.prot & VM_WRITE)))
		wrong(c->report, "shared table with a writable entry, or one of an object", "address", va, e.prot);
	if (e.table == MMU_TABLE_HUGE && (r->object || !page_is_mine(pages[e.pfn])))
		wrong(c->report, "huge page that is not private anonymous memory, ours alone", "address", va, e.pfn);
	if (e.prot & ~(r->rights ? r->rights | VM_READ : 0))
		wrong(c->report, "entry with more rights than its region", "address", va, e.prot);
	if (e.pfn == zero_frame) {
		if (r->object || (e.prot & VM_WRITE))
			wrong(c->report, "zero frame writable, or in a region with an object", "address", va, e.prot);
	} else if (!frame_exists(e.pfn) || !page_counted(pages[e.pfn])) {
		wrong(c->report, "entry to a frame that is not user memory", "address", va, e.pfn);
	} else if (page_type(pages[e.pfn]) == PAGE_RECORD) {
		judge_object_page(c, r, va, e);
	} else if (r->flags & REGION_SHARED) {
		wrong(c->report, "anonymous page in a shared region", "address", va, e.pfn);
	} else if ((e.prot & VM_WRITE) && !page_is_mine(pages[e.pfn])) {
		wrong(c->report, "page writable that others have too", "address", va, e.pfn);
	}
}

/* All entries of the last leaf table have been seen. */
static void end_leaf_table(struct check *c)
{
	if (c->leaf_table != PFN_NONE && table_resident(pages[c->leaf_table]) != c->leaf_resident)
		wrong(c->report, "table with a wrong number of resident pages", "frame", c->leaf_table, c->leaf_resident);
	c->leaf_table = PFN_NONE;
	c->leaf_resident = 0;
}

static bool judge_table(void *context, pfn_t table, unsigned level, unsigned present)
{
	struct check *c = context;

	end_leaf_table(c);
	c->tables++;
	if (page_type(pages[table]) != PAGE_TABLE || table_refs(pages[table]) == 0 || (level > 0 && table_refs(pages[table]) != 1)) {
		wrong(c->report, "table whose word is not a table's", "frame", table, pages[table]);
		return true;
	}
	if (table_entries(pages[table]) != present)
		wrong(c->report, "table with a wrong number of entries", "frame", table, present);
	if (level == 0)
		c->leaf_table = table;
	return true;
}

static void judge_space(struct check *c)
{
	struct space sum = { .mapped = 0 };

	c->committed += c->space->committed;
	if (!region_tree_sound(&c->space->regions)) {
		wrong(c->report, "region tree broken", "regions", c->space->regions.count, 0);
		return;
	}
	for (struct region *r = region_first(&c->space->regions); r; r = region_next(r))
		account_region(&sum, r, (ssize)((r->end - r->start) >> PAGE_SHIFT));
	commit_release(sum.committed);		/* it was another sum of the same regions */
	if (sum.mapped != c->space->mapped)
		wrong(c->report, "mapped pages miscounted", "counted", sum.mapped, c->space->mapped);
	if (sum.data != c->space->data || sum.locked != c->space->locked || sum.committed != c->space->committed)
		wrong(c->report, "data, locked or committed pages miscounted", "counted", sum.data, c->space->data);
	struct mmu_walker walker = { .context = c, .leaf = judge_leaf, .table = judge_table };
	c->tables = c->resident = 0;
	c->leaf_table = PFN_NONE;
	c->leaf_resident = 0;
	mmu_walk(&c->space->mmu, 0, USER_MAX, &walker);
	end_leaf_table(c);
	if (c->resident != c->space->mmu.resident)
		wrong(c->report, "resident pages miscounted", "counted", c->resident, c->space->mmu.resident);
	if (c->tables != space_tables(c->space))
		wrong(c->report, "page tables miscounted", "counted", c->tables, space_tables(c->space));
	c->report->regions += c->space->regions.count;
	c->report->spaces++;
}

/* ---- second and third walk: counts down to zero and back --------------------------------------------------------------------- */

/* The entries alone, which may wrap around. */
static void count_record(struct page_record *r, unsigned delta)
{
	r->uses = (r->uses & ~(RECORD_HOLD - 1)) | (record_entries(r) + delta);
}

static void count_leaf(void *context, vaddr_t va, struct mmu_entry e)
{
	struct check *c = context;

	(void)va;
	if (!frame_exists(e.pfn) || !page_counted(pages[e.pfn]))
		return;
	if (page_type(pages[e.pfn]) == PAGE_ANON)
		pages[e.pfn] += c->delta * PAGE_ANON_ONE;
	else
		count_record(page_record(pages[e.pfn]), (unsigned)c->delta);
}

/* A table is met once for each upper entry that points to it; its own entries count once: when the last is taken off, or the first put back. */
static bool count_table(void *context, pfn_t table, unsigned level, unsigned present)
{
	struct check *c = context;

	(void)level, (void)present;
	if (page_type(pages[table]) != PAGE_TABLE)
		return true;
	pages[table] += c->delta * PAGE_TABLE_REF;
	return table_refs(pages[table]) == (c->delta == 1);
}

static void count_space(struct check *c)
{
	struct mmu_walker walker = { .context = c, .leaf = count_leaf, .table = count_table };

	mmu_walk(&c->space->mmu, 0, USER_MAX, &walker);
}

static void each_space(struct check *c, void (*fn)(struct check *))
{
	list_for_each(pos, &space_list) {
		c->space = container_of(pos, struct space, all);
		fn(c);
	}
}

/* ---- all frames: kinds, and counts that must be zero now -------------------------------------------------------------------- */

static void tally_kernel(struct vmcheck *report, page_word word)
{
	uint64_t n = (uint64_t)1 << page_order(word);

	if (page_use(word) == USE_HEAP)
		report->heap_frames += n;
	else if (page_use(word) == USE_STACK)
		report->stack_frames += n;
	else
		report->kernel_frames += n;
}

static void judge_record(struct vmcheck *report, pfn_t pfn, struct page_record *record)
{
	if (record->borrowed)
		report->borrowed_frames++;
	else
		report->object_frames++;
	if (record->pfn != pfn)
		wrong(report, "record of another frame", "frame", pfn, record->pfn);
	if (record_entries(record))
		wrong(report, "page of an object with a wrong count of entries: off by", "frame", pfn, record_entries(record));
	if (record->uses >> 32 != (uint64_t)(record->object != NULL) + (record->pins > 0))
		wrong(report, "page of an object with a wrong count of holds", "frame", pfn, record->uses >> 32);
}

/* Returns how many frames the word at pfn speaks for. */
static pfn_t judge_frame(struct vmcheck *report, pfn_t pfn)
{
	page_word word = pages[pfn];

	switch (page_type(word)) {
	case PAGE_FREE:
		report->free_frames += (uint64_t)1 << page_order(word);
		return (pfn_t)1 << page_order(word);
	case PAGE_KERNEL:
		tally_kernel(report, word);
		return (pfn_t)1 << page_order(word);
	case PAGE_TABLE:
		report->table_frames++;
		if (word == page_table(0, 0, 1))	/* the kernel's own tables count nothing */
			report->kernel_tables++;
		else if (table_refs(word))
			wrong(report, "table with a wrong count of upper entries: off by", "frame", pfn, table_refs(word));
		break;
	case PAGE_ANON:
		report->anon_frames++;
		if (page_value(word))
			wrong(report, "anonymous page with a wrong count of entries: off by", "frame", pfn, page_value(word));
		break;
	case PAGE_RECORD:
		judge_record(report, pfn, page_record(word));
		break;
	case PAGE_PART:
		wrong(report, "part of a block that does not exist", "frame", pfn, word);
		break;
	case PAGE_RESERVED:
	case PAGE_SWAP:
		break;
	}
	return 1;
}

static void judge_frames(struct vmcheck *report)
{
	size_t n;
	const struct phys_range *ram = physmap_ram(&n);

	for (size_t i = 0; i < n; i++) {
		report->ram_frames += ram[i].end - ram[i].start;
		for (pfn_t pfn = ram[i].start; pfn < ram[i].end; ) {
			pfn_t next = pfn + judge_frame(report, pfn);

			while (++pfn < next && pfn < ram[i].end)
				if (page_type(pages[pfn]) != PAGE_PART)
					wrong(report, "inside of a block is not part of it", "frame", pfn, pages[pfn]);
		}
	}
}

/* ---- lists against words ------------------------------------------------------------------------------------------------------- */

static void judge_free_lists(struct vmcheck *report)
{
	uint64_t listed = frame_cached();

	for (unsigned n = 0; n < ZONES * FRAME_PARTS; n++)
		for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
			list_for_each(pos, frame_free_list(n / FRAME_PARTS, n % FRAME_PARTS, order)) {
				pfn_t pfn = direct_pfn(pos);

				listed += (uint64_t)1 << order;
				if (pages[pfn] != page_make(PAGE_FREE, order))
					wrong(report, "block on a free list is not free", "frame", pfn, pages[pfn]);
			}
	if (listed != report->free_frames || listed != frame_free_count())
		wrong(report, "free frames miscounted", "listed", listed, frame_free_count());
}

struct object_walk { struct vmcheck *report; struct object *object; size_t n, aged; };

static void judge_index(void *context, struct page_record *r)
{
	struct object_walk *walk = context;

	walk->n++;
	if (r->object != walk->object)
		wrong(walk->report, "record in the index of another object", "page", r->index, r->pfn);
	walk->aged += !list_empty(&r->age);
	if (list_empty(&r->age) != (!walk->object->pager || r->borrowed))
		wrong(walk->report, "page that reclaim should know and does not, or the reverse", "page", r->index, r->pfn);
	if (pages[r->pfn] != ((page_word)r | PAGE_RECORD))
		wrong(walk->report, "record whose frame does not know it", "frame", r->pfn, pages[r->pfn]);
}

static void judge_objects(struct vmcheck *report, size_t committed)
{
	size_t aged = 0;

	list_for_each(pos, &object_list) {
		struct object_walk walk = { .report = report, .object = container_of(pos, struct object, all) };

		object_each(walk.object, judge_index, &walk);
		if (walk.n != walk.object->npages)
			wrong(report, "pages of an object miscounted", "counted", walk.n, walk.object->npages);
		aged += walk.aged;
		if (!walk.object->pager)
			committed += walk.object->committed ? walk.object->committed : walk.n;
	}
	if (committed != commit_total())
		wrong(report, "committed pages miscounted", "counted", committed, commit_total());
	if (aged != reclaim_stats.pages)
		wrong(report, "reclaimable pages miscounted", "counted", aged, reclaim_stats.pages);
}

static void fill_stats(struct vmcheck *report)
{
	struct frame_stats frames;
	struct heap_stats heap;
	struct object_stats objects;

	frame_get_stats(&frames);
	heap_get_stats(&heap);
	object_get_stats(&objects);
	report->managed_frames = frames.managed;
	report->reserve_frames = frames.reserve;
	report->reserve_used = frames.reserve_used;
	report->heap_bytes = heap.bytes;
	report->heap_objects = heap.objects;
	report->objects = objects.objects;
	report->records_file = objects.records_file;
	report->records_shared = objects.records_shared;
	report->records_pinned = objects.records_pinned;
	report->records_cut = objects.records_cut;
	report->page_array_bytes = page_array_bytes;
	report->page_array_table_bytes = mmu_boot_table_bytes;
	report->stacks_cached = kstack_cached();
	if (heap.slab_frames != report->heap_frames)
		wrong(report, "heap frames miscounted", "counted", report->heap_frames, heap.slab_frames);
}

void vm_check(struct vmcheck *report)
{
	struct check c = { .report = report };

	*report = (struct vmcheck){ .size = sizeof *report, .version = VMCHECK_VERSION };
	heap_drain();				/* so that frames are where they were before their processors took them to hand */
	frame_drain();
	each_space(&c, judge_space);
	c.delta = (uintptr_t)-1;
	each_space(&c, count_space);
	judge_frames(report);
	c.delta = 1;
	each_space(&c, count_space);
	judge_free_lists(report);
	judge_objects(report, c.committed);
	report->errors += heap_check();
	fill_stats(report);
}
