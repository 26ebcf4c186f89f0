/* tests/host/test_check.c - vm/check.c: each kind of damage is seen, and the check itself leaves everything as it was. */
#include <stdio.h>
#include "harness.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/object.h"
#include "arch/thread.h"
#include "vm/kspace.h"
#include "vm/reclaim.h"
#include "vm/vm.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct space *s, *child;
static struct test_file file;

static vaddr_t page(unsigned n) { return A + n * PAGE_SIZE; }
static pfn_t frame(unsigned n) { return mmu_query(&s->mmu, page(n)).pfn; }

/* Two spaces with one page of each sort: 0 anonymous, 1 the zero frame, 2 shared memory, 3 a file's, 4 anonymous and not yet shared. */
static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 4 * MIB } }, .image = { 0x100000, 0x110000 } });
	s = new_space();
	file_create_in_image(&file, 4 * PAGE_SIZE, IMAGE);
	map(s, page(0), 2, RW, MAP_PRIVATE);
	map(s, page(2), 1, RW, MAP_SHARED);
	map_file(s, page(3), 1, RW, MAP_PRIVATE, &file, 1);
	map(s, page(4), 1, RW, MAP_PRIVATE);
	write_byte(s, page(0), 1);
	read_byte(s, page(1));
	write_byte(s, page(2), 1);
	read_byte(s, page(3));
	child = space_fork(s);
	assert_non_null(child);
	write_byte(s, page(4), 1);
	check_sound();
	return 0;
}

static uint64_t errors(void)
{
	struct vmcheck report;

	vm_check(&report);
	return report.errors;
}

/* vm_check says this, of exactly n things. */
static void sees(const char *what, uint64_t n)
{
	sim_said("");
	assert_int_equal(errors(), n);
	assert_true(sim_said(what));
}

/* And of which frame, address or number. */
static void sees_at(const char *what, uint64_t n, const char *where, uint64_t number)
{
	char text[256];

	snprintf(text, sizeof text, "%s (%s %#llx,", what, where, (unsigned long long)number);
	sees(text, n);
}

TEST(the_report_adds_up)
{
	(void)state;
	struct vmcheck r;
	vm_check(&r);
	assert_int_equal(r.size, sizeof r);
	assert_int_equal(r.spaces, 2);
	assert_int_equal(r.regions, s->regions.count + child->regions.count);
	assert_int_equal(r.anon_frames, 2);
	assert_int_equal(r.borrowed_frames, 1);
	assert_int_equal(r.object_frames, 1);
	assert_int_equal(r.records_file, 1);
	assert_int_equal(r.records_shared, 1);
	assert_int_equal(r.objects, 2);
	assert_int_equal(r.ram_frames, 1024);
	assert_int_equal(r.free_frames + r.anon_frames + r.table_frames + r.object_frames + r.kernel_frames + r.heap_frames + r.stack_frames,
		r.managed_frames);
}

TEST(checking_changes_nothing)
{
	(void)state;
	page_word before[1024];
	memcpy(before, pages, sizeof before);
	uint64_t uses = page_record(pages[frame(2)])->uses;
	for (int i = 0; i < 3; i++)
		assert_int_equal(errors(), 0);
	assert_memory_equal(before, pages, sizeof before);
	assert_int_equal(page_record(pages[frame(2)])->uses, uses);
}

TEST(a_wrong_count_of_an_anonymous_page)
{
	(void)state;
	pages[frame(0)] += PAGE_ANON_ONE;
	sees_at("anonymous page with a wrong count of entries: off by", 1, "frame", frame(0));
	pages[frame(0)] -= 2 * PAGE_ANON_ONE;
	assert_true(errors() > 0);
	pages[frame(0)] += PAGE_ANON_ONE;
	assert_int_equal(errors(), 0);
}

TEST(a_wrong_count_of_an_object_page)
{
	(void)state;
	page_record(pages[frame(3)])->uses++;
	sees_at("page of an object with a wrong count of entries: off by", 1, "frame", frame(3));
	page_record(pages[frame(3)])->uses -= 2;
	sees_at("page of an object with a wrong count of entries: off by", 1, "frame", frame(3));
	page_record(pages[frame(3)])->uses += 1 + RECORD_HOLD;
	sees_at("page of an object with a wrong count of holds", 1, "frame", frame(3));
}

static bool note_table(void *context, pfn_t table, unsigned level, unsigned present)
{
	(void)level, (void)present;
	*(pfn_t *)context = table;
	return true;
}

static pfn_t some_table(void)
{
	pfn_t table = PFN_NONE;
	struct mmu_walker walker = { .context = &table, .table = note_table };

	write_lock(&s->lock);
	mmu_walk(&s->mmu, A, page(5), &walker);
	write_unlock(&s->lock);
	return table;
}

TEST(a_wrong_count_of_a_table)
{
	(void)state;
	pfn_t table = some_table();
	pages[table] = table_count(pages[table], 1, 0);
	sees_at("table with a wrong number of entries", 1, "frame", table);
	pages[table] = table_count(pages[table], -1, 0);
	assert_int_equal(errors(), 0);
	pages[table] = table_count(pages[table], 0, 1);
	sees("table with a wrong number of resident pages", 1);
	pages[table] = table_count(pages[table], 0, -1);
	pages[table] += PAGE_TABLE_REF;
	sim_said("");
	assert_true(errors() > 1);		/* what is below is not counted then */
	assert_true(sim_said("table with a wrong count of upper entries: off by"));
	pages[table] -= PAGE_TABLE_REF;
	assert_int_equal(errors(), 0);
}

TEST(a_table_that_is_not_known_as_one)
{
	(void)state;
	pfn_t table = some_table();
	page_word word = pages[table];
	pages[table] = page_make(PAGE_RESERVED, 0);
	sees_at("table whose word is not a table's", 1, "frame", table);
	pages[table] = word;
	s->mmu.tables++;
	sees("page tables miscounted", 1);
}

TEST(an_anonymous_page_that_nobody_maps)
{
	(void)state;
	/* A leak shows as frames in use, not as an error; a page that is mapped but counted by nobody is one. */
	pages[frame(4)] = page_make(PAGE_ANON, 0);
	assert_true(errors() > 0);
}

TEST(a_free_frame_that_is_mapped)
{
	(void)state;
	pages[frame(4)] = page_make(PAGE_RESERVED, 0);
	sees("entry to a frame that is not user memory", 3);	/* and two spaces' resident pages are one less */
}

static void protect(vaddr_t va, unsigned prot)
{
	struct mmu_gather gather;

	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_protect(&s->mmu, va, va + PAGE_SIZE, prot, MMU_WRITE_SHARED, &gather);
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
}

TEST(a_page_that_is_writable_though_others_have_it)
{
	(void)state;
	protect(page(0), RW);
	sees_at("page writable that others have too", 1, "address", page(0));
}

TEST(a_cached_page_that_is_writable_in_a_private_region)
{
	(void)state;
	protect(page(3), RW);
	sees_at("cached page writable in a private region", 1, "address", page(3));
}

TEST(a_zero_frame_that_is_writable)
{
	(void)state;
	protect(page(1), RW);
	sees("zero frame writable, or in a region with an object", 1);
}

TEST(pages_that_belong_to_another_sort_of_region)
{
	(void)state;
	region_find(&s->regions, page(4))->flags |= REGION_SHARED;
	s->data--;
	sees_at("anonymous page in a shared region", 1, "address", page(4));
	struct region *r = region_find(&s->regions, page(1));
	r->object = file.object;
	sees("zero frame writable, or in a region with an object", 2);		/* and the one before */
}

TEST(more_rights_than_the_region)
{
	(void)state;
	protect(page(4), RW | VM_EXEC);
	sees("entry with more rights than its region", 1);
	protect(page(4), VM_READ);
	region_find(&s->regions, page(4))->rights = 0;
	s->data--;
	sees_at("entry with more rights than its region", 1, "address", page(4));
}

TEST(an_entry_outside_any_region)
{
	(void)state;
	struct region *r = region_find(&s->regions, page(4));
	region_remove(&s->regions, r);
	account_region(s, r, -1);
	sees_at("entry outside any region", 1, "address", page(4));
}

TEST(a_broken_region_tree)
{
	(void)state;
	region_first(&s->regions)->max_gap += PAGE_SIZE;
	sees("region tree broken", 1);
}

TEST(miscounted_pages)
{
	(void)state;
	s->mapped++;
	sees("mapped pages miscounted", 1);
	s->mapped--;
	s->mmu.resident--;
	sees("resident pages miscounted", 1);
	s->mmu.resident++;
	file.object->npages++;
	sees("pages of an object miscounted", 1);
	file.object->npages--;
	s->locked++;
	sees("data, locked or committed pages miscounted", 1);
	s->locked--;
	assert_int_equal(commit_charge(s, 1), 0);
	sees("vmcheck: committed pages miscounted", 1);
	commit_release(1);
	assert_int_equal(errors(), 0);
}

TEST(a_page_of_another_place_in_the_file)
{
	(void)state;
	struct region *r = region_find(&s->regions, page(3));
	r->offset++;
	sees_at("page of another place in the file", 1, "address", page(3));
	r->offset--;
	struct object *o = r->object;
	r->object = region_find(&s->regions, page(2))->object;
	sees_at("page of another place in the file", 1, "address", page(3));
	r->object = o;
}

TEST(a_page_that_is_mapped_before_it_is_filled)
{
	(void)state;
	page_record(pages[frame(3)])->state = RECORD_FILLING;
	sees_at("page mapped before it was filled", 2, "address", page(3));	/* in both spaces */
}

TEST(a_record_of_another_frame)
{
	(void)state;
	page_record(pages[frame(2)])->pfn++;
	sees("record of another frame", 4);		/* in two spaces, and two for its object */
	sees("record whose frame does not know it", 4);
}

TEST(a_record_in_the_index_of_another_object)
{
	(void)state;
	struct page_record *r = page_record(pages[frame(2)]);
	struct object *o = r->object;
	r->object = file.object;
	assert_true(errors() > 0);
	assert_true(sim_said("record in the index of another object"));
	r->object = o;
}

TEST(a_free_block_that_is_not_free)
{
	(void)state;
	pfn_t pfn = frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_KERNEL);
	frame_free(pfn, 0);
	while (page_type(pages[pfn]) != PAGE_FREE)	/* it merged: the block begins further down */
		pfn--;
	page_word word = pages[pfn];
	pages[pfn] = page_kernel(page_order(word), USE_BLOCK);
	sees("block on a free list is not free", 2);
	assert_true(errors() > 0 && sim_said("free frames miscounted"));
	pages[pfn] = word;
	assert_int_equal(errors(), 0);
}

TEST(blocks_that_are_not_whole)
{
	(void)state;
	pfn_t pfn = frame_alloc(1, page_kernel(1, USE_BLOCK), FRAME_KERNEL);
	pages[pfn + 1] = page_make(PAGE_RESERVED, 0);
	sees("inside of a block is not part of it", 1);
	pages[pfn + 1] = page_make(PAGE_PART, 0);
	pages[pfn] = page_kernel(0, USE_BLOCK);
	sees("part of a block that does not exist", 1);
	pages[pfn] = page_kernel(1, USE_BLOCK);
	assert_int_equal(errors(), 0);
	pages[pfn] = page_kernel(1, USE_HEAP);
	sees("heap frames miscounted", 1);
	pages[pfn] = page_kernel(1, USE_BLOCK);
	frame_free(pfn, 1);
}

TEST(an_object_freed_while_the_heap_counts_it)
{
	(void)state;
	void *object = kmalloc(100);
	kfree(object);
	heap_drain();
	*(void **)object = object;			/* written after it was freed: its slab's list goes round */
	assert_true(errors() > 0);
}

TEST(pages_that_reclaim_does_not_know)
{
	(void)state;
	struct page_record *r = page_record(pages[frame(2)]);
	list_init(&r->age);
	reclaim_stats.pages++;
	sees("reclaimable pages miscounted", 1);
	reclaim_stats.pages--;
	struct list other = LIST_INIT(other);
	list_append(&other, &r->age);
	sees("page that reclaim should know and does not, or the reverse", 2);		/* and one more than is counted */
	list_remove(&r->age);
	assert_int_equal(errors(), 0);
}

/* What it says of frames, heap and records is what those say themselves; each is made to be something first. */
TEST(the_report_is_of_now)
{
	(void)state;
	struct vmcheck was, r;
	struct page_record *pinned;
	struct frame_stats frames;
	struct heap_stats heap;
	vm_check(&was);
	void *stack = kstack_alloc(), *small = kmalloc(100), *large = kmalloc(2 * PAGE_SIZE);
	kstack_free(stack);
	assert_int_equal(object_pin(file.object, 1, &pinned), 0);
	mmu_boot_table_bytes = 12345;				/* here it is 0 */
	vm_check(&r);
	frame_get_stats(&frames);
	heap_get_stats(&heap);
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.version, VMCHECK_VERSION);
	assert_int_equal(r.managed_frames, frames.managed);
	assert_int_equal(r.free_frames, frames.free);
	assert_int_equal(r.reserve_frames, frames.reserve);
	assert_int_equal(r.reserve_used, frames.reserve_used);
	assert_int_equal(r.heap_bytes, heap.bytes);
	assert_int_equal(r.heap_objects, heap.objects);
	assert_true(r.heap_objects >= was.heap_objects + 2);
	assert_int_equal(r.heap_frames, heap.slab_frames);
	assert_int_equal(r.stacks_cached, was.stacks_cached + 1);
	assert_int_equal(r.stack_frames, was.stack_frames + KERNEL_STACK_PAGES);
	assert_int_equal(r.kernel_frames, was.kernel_frames + 2);
	assert_int_equal(r.records_pinned, was.records_pinned + 1);
	assert_int_equal(r.records_cut, 0);
	assert_int_equal(r.page_array_bytes, page_array_bytes);
	assert_int_equal(r.page_array_table_bytes, mmu_boot_table_bytes);
	assert_true(r.page_array_bytes > 0);
	object_resize(file.object, 0);				/* the page is mapped and pinned still */
	vm_check(&r);
	assert_int_equal(r.records_cut, 1);
	assert_int_equal(r.records_file, 0);
	object_unpin(file.object, pinned);
	kfree(large);
	kfree(small);
}

static const struct CMUnitTest tests[] = {
#define CHECK_TEST(name) cmocka_unit_test_setup(name, setup)
	CHECK_TEST(the_report_adds_up),
	CHECK_TEST(checking_changes_nothing),
	CHECK_TEST(a_wrong_count_of_an_anonymous_page),
	CHECK_TEST(a_wrong_count_of_an_object_page),
	CHECK_TEST(a_wrong_count_of_a_table),
	CHECK_TEST(a_table_that_is_not_known_as_one),
	CHECK_TEST(an_anonymous_page_that_nobody_maps),
	CHECK_TEST(a_free_frame_that_is_mapped),
	CHECK_TEST(a_page_that_is_writable_though_others_have_it),
	CHECK_TEST(a_cached_page_that_is_writable_in_a_private_region),
	CHECK_TEST(a_zero_frame_that_is_writable),
	CHECK_TEST(pages_that_belong_to_another_sort_of_region),
	CHECK_TEST(more_rights_than_the_region),
	CHECK_TEST(an_entry_outside_any_region),
	CHECK_TEST(a_broken_region_tree),
	CHECK_TEST(miscounted_pages),
	CHECK_TEST(a_page_of_another_place_in_the_file),
	CHECK_TEST(a_page_that_is_mapped_before_it_is_filled),
	CHECK_TEST(a_record_of_another_frame),
	CHECK_TEST(a_record_in_the_index_of_another_object),
	CHECK_TEST(a_free_block_that_is_not_free),
	CHECK_TEST(blocks_that_are_not_whole),
	CHECK_TEST(an_object_freed_while_the_heap_counts_it),
	CHECK_TEST(pages_that_reclaim_does_not_know),
	CHECK_TEST(the_report_is_of_now),
};
RUN_TESTS("check", tests)
