/*
 * tests/host/test_writeback.c - files whose pages are written back: which write takes a fault, what makes a page dirty and what cleans it, and that the
 * pager gets every byte.
 */
#include <string.h>
#include "harness.h"
#include "vm/frame.h"
#include "vm/object.h"
#include "vm/reclaim.h"
#include "vm/uio.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE, FILE_PAGES = 12 };
static const vaddr_t A = 0x800000;			/* aligned to the reach of a leaf table on all machines */
static struct census before;
static struct space *s;
static struct object *file;
static uint8_t disk[FILE_PAGES][1 << PAGE_SHIFT];
static unsigned writes;				/* pages that the pager was given */

static int disk_read(struct object *o, uint64_t index, void *to)
{
	(void)o;
	memcpy(to, disk[index], PAGE_SIZE);
	return 0;
}

static void disk_write(struct object *o, uint64_t index, const void *from)
{
	assert_true(index < FILE_PAGES);
	assert_true(spin_held(&o->lock));
	memcpy(disk[index], from, PAGE_SIZE);
	writes++;
}

static const struct pager disk_pager = { .read = disk_read, .write = disk_write };

static int setup(void **state)
{
	(void)state;
	sim_boot(8 * MIB);
	before = census_take();
	for (unsigned i = 0; i < FILE_PAGES; i++)
		memset(disk[i], (int)i + 1, PAGE_SIZE);
	writes = 0;
	file = object_create(&disk_pager, NULL, sizeof disk);
	assert_non_null(file);
	s = new_space();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drop_space(s);
	if (file)
		object_put(file);
	census_check(&before);
	return 0;
}

static vaddr_t page(size_t n) { return A + n * PAGE_SIZE; }

static void map_disk(struct space *in, vaddr_t at, size_t npages, unsigned rights, unsigned flags, uint64_t first)
{
	assert_int_equal(vm_mmap(in, at, npages << PAGE_SHIFT, rights, flags | MAP_FIXED, file, first << PAGE_SHIFT), at);
	sim_faults_clear();
}

static void sync_pages(size_t from, size_t n)
{
	assert_int_equal(vm_msync(s, page(from), n * PAGE_SIZE, MS_SYNC), 0);
	check_sound();
}

TEST(the_first_write_is_a_fault_of_its_own)
{
	(void)state;
	map_disk(s, A, 4, RW, MAP_SHARED, 0);
	assert_int_equal(read_byte(s, page(1)), 2);
	EXPECT_FAULT(FAULT_FILE_MAJOR);
	write_byte(s, page(1), 99);
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	write_byte(s, page(1) + 1, 98);
	EXPECT_NO_FAULTS();
	write_byte(s, page(2), 97);				/* without having been read */
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	assert_int_equal(disk[1][0], 2);
	check_sound();
}

TEST(msync_writes_what_was_written)
{
	(void)state;
	map_disk(s, A, 6, RW, MAP_SHARED, 2);
	write_byte(s, page(0), 50);
	write_byte(s, page(3) + 7, 51);
	write_byte(s, page(5), 52);
	assert_int_equal(read_byte(s, page(4)), 7);
	assert_int_equal(vm_msync(s, page(0), 6 * PAGE_SIZE, MS_ASYNC), 0);
	assert_int_equal(writes, 0);
	sync_pages(0, 4);
	assert_int_equal(writes, 2);
	assert_int_equal(disk[2][0], 50);
	assert_int_equal(disk[5][7], 51);
	assert_int_equal(disk[7][0], 8);			/* beyond the range */
	sim_faults_clear();
	write_byte(s, page(0), 53);				/* dirty anew */
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	write_byte(s, page(5), 54);				/* still dirty */
	EXPECT_NO_FAULTS();
	sync_pages(0, 6);
	assert_int_equal(writes, 4);
	assert_int_equal(disk[2][0], 53);
	assert_int_equal(disk[7][0], 54);
	sync_pages(0, 6);
	assert_int_equal(writes, 4);				/* nothing to do */
}

TEST(msync_ends_with_its_range)
{
	(void)state;
	map_disk(s, A, 4, RW, MAP_SHARED, 2);
	for (unsigned i = 0; i < 4; i++)
		write_byte(s, page(i), (uint8_t)(60 + i));
	sync_pages(1, 2);
	assert_int_equal(writes, 2);
	assert_int_equal(disk[2][0], 3);
	assert_int_equal(disk[4][0], 62);
	assert_int_equal(disk[5][0], 6);
	sim_faults_clear();
	write_byte(s, page(3), 70);				/* still dirty */
	EXPECT_NO_FAULTS();
}

TEST(memory_is_not_written_back)
{
	(void)state;
	map(s, A, 1, RW, MAP_SHARED);
	write_byte(s, A, 1);
	sim_faults_clear();
	vm_writeback(region_first(&s->regions)->object, 0, OBJECT_ENDLESS);
	write_byte(s, A, 2);					/* its right to write is still there */
	EXPECT_NO_FAULTS();
}

TEST(msync_judges_the_range)
{
	(void)state;
	map_disk(s, A, 2, RW, MAP_SHARED, 0);
	map_disk(s, page(3), 2, RW, MAP_SHARED, 4);
	write_byte(s, page(1), 60);
	write_byte(s, page(4), 61);
	assert_int_equal(vm_msync(s, A, 5 * PAGE_SIZE, MS_SYNC), -ENOMEM);
	assert_int_equal(disk[1][0], 60);
	assert_int_equal(disk[5][0], 61);
}

TEST(a_clean_page_that_is_writable_is_seen)
{
	(void)state;
	struct vmcheck report;
	map_disk(s, A, 1, RW, MAP_SHARED, 0);
	write_byte(s, A, 60);
	struct page_record *r = page_record(pages[mmu_query(&s->mmu, A).pfn]);
	assert_int_equal(r->dirty, RECORD_DIRTY);
	r->dirty = RECORD_CLEAN;
	vm_check(&report);
	assert_int_equal(report.errors, 1);
	assert_true(sim_said("page of a file writable and not dirty (address 0x800000,"));
	r->dirty = RECORD_DIRTY;
}

TEST(a_write_without_memory_for_a_table)
{
	(void)state;
	struct page_record *r;
	map_disk(s, A, 1, RW, MAP_SHARED, 0);
	assert_int_equal(object_pin(file, 0, &r), 0);
	object_unpin(file, r);
	alloc_fail_at = 1;
	assert_int_equal(sim_write_byte(s, A, 60), FAULT_NO_MEMORY);
	alloc_fail_at = 0;				/* the page may be dirty for nothing, but not the other way round */
	write_byte(s, A, 61);
	assert_int_equal(r->dirty, RECORD_DIRTY);
	check_sound();
}

TEST(two_spaces_write_one_page)
{
	(void)state;
	struct space *other = new_space();
	map_disk(s, A, 2, RW, MAP_SHARED, 0);
	map_disk(other, page(7), 2, RW, MAP_SHARED, 0);
	write_byte(s, page(1), 70);
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	write_byte(other, page(8) + 1, 71);			/* dirty already, but its own entry says so too */
	assert_int_equal(sim_faults.count[FAULT_SHARED_WRITE], 1);
	sync_pages(0, 2);
	assert_int_equal(disk[1][0], 70);
	assert_int_equal(disk[1][1], 71);
	sim_faults_clear();
	write_byte(other, page(8), 72);
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	write_byte(s, page(1), 73);
	assert_int_equal(sim_faults.count[FAULT_SHARED_WRITE], 1);
	sync_pages(0, 2);
	assert_int_equal(disk[1][0], 73);
	drop_space(other);
}

TEST(a_child_writes_through_what_it_inherits)
{
	(void)state;
	map_disk(s, A, 2, RW, MAP_SHARED, 0);
	write_byte(s, A, 80);
	struct space *child = space_fork(s);
	sync_pages(0, 2);
	sim_faults_clear();
	write_byte(child, A, 81);
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	sync_pages(0, 2);
	assert_int_equal(disk[0][0], 81);
	drop_space(child);
}

TEST(mprotect_gives_no_right_to_a_clean_page)
{
	(void)state;
	map_disk(s, A, 3, VM_READ, MAP_SHARED, 0);
	read_byte(s, A);
	assert_int_equal(vm_mprotect(s, A, 3 * PAGE_SIZE, RW), 0);
	check_sound();
	sim_faults_clear();
	write_byte(s, A, 90);
	EXPECT_FAULT(FAULT_SHARED_WRITE);
	assert_int_equal(vm_mprotect(s, A, 3 * PAGE_SIZE, VM_READ), 0);
	sync_pages(0, 3);					/* of what cannot be written any more, too */
	assert_int_equal(disk[0][0], 90);
	assert_int_equal(vm_mprotect(s, A, 3 * PAGE_SIZE, RW), 0);
	check_sound();
}

TEST(a_private_mapping_dirties_nothing)
{
	(void)state;
	map_disk(s, A, 2, RW, MAP_PRIVATE, 0);
	write_byte(s, A, 91);
	EXPECT_FAULT(FAULT_FILE_COW);
	sync_pages(0, 2);
	vm_sync();
	assert_int_equal(writes, 0);
}

TEST(what_is_never_synced_goes_back_in_the_end)
{
	(void)state;
	map_disk(s, A, 2, RW, MAP_SHARED, 0);
	write_byte(s, A, 92);
	assert_int_equal(vm_munmap(s, A, 2 * PAGE_SIZE), 0);
	assert_int_equal(writes, 0);				/* read() sees it in the cache */
	object_put(file);
	file = NULL;
	assert_int_equal(disk[0][0], 92);
}

TEST(sync_writes_all_files)
{
	(void)state;
	struct object *second = object_create(&disk_pager, NULL, sizeof disk);
	map_disk(s, A, 2, RW, MAP_SHARED, 0);
	assert_int_equal(vm_mmap(s, page(4), PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, second, 6 << PAGE_SHIFT), page(4));
	write_byte(s, A, 93);
	write_byte(s, page(4), 94);
	vm_sync();
	assert_int_equal(disk[0][0], 93);
	assert_int_equal(disk[6][0], 94);
	assert_int_equal(writes, 2);
	vm_sync();
	assert_int_equal(writes, 2);
	object_put(second);
}

static void clean_in_thread(void *arg)
{
	(void)arg;
	vm_writeback(file, 0, 0);
}

static void write_in_thread(void *arg)
{
	(void)arg;
	write_byte(s, A, 99);
}

TEST(two_that_clean_one_page)
{
	(void)state;
	struct space *in_front = new_space(), *behind = new_space();	/* as the object lists its mappings */
	struct sim_thread *one, *other, *writer;
	map_disk(in_front, A, 1, RW, MAP_SHARED, 0);
	map_disk(s, A, 1, RW, MAP_SHARED, 0);
	map_disk(behind, A, 1, RW, MAP_SHARED, 0);
	write_byte(s, A, 97);
	assert_true(write_trylock(&behind->lock));
	one = sim_thread_start(clean_in_thread, NULL);
	sim_yield();					/* has been to s, waits for `behind` */
	write_byte(s, A, 98);
	assert_true(write_trylock(&in_front->lock));
	other = sim_thread_start(clean_in_thread, NULL);
	sim_yield();					/* has not been to s */
	write_unlock(&behind->lock);
	writer = sim_thread_start(write_in_thread, NULL);	/* runs when `one` has ended, and before `other` goes on */
	write_unlock(&in_front->lock);
	sim_thread_join(one);
	sim_thread_join(writer);
	sim_thread_join(other);
	assert_int_equal(disk[0][0], 99);
	drop_space(in_front);
	drop_space(behind);
}

TEST(write_goes_through_the_same_pages)
{
	(void)state;
	static const char text[] = "written";
	map_disk(s, A, 4, RW, MAP_SHARED, 0);
	struct uio from = uio_kernel((void *)(uintptr_t)text, sizeof text);
	assert_int_equal(object_write(file, &from, PAGE_SIZE - 3), sizeof text);
	assert_int_equal(read_byte(s, page(1)), 't');
	assert_int_equal(disk[1][0], 2);
	vm_writeback(file, 0, OBJECT_ENDLESS);
	assert_int_equal(memcmp(&disk[0][PAGE_SIZE - 3], "wri", 3), 0);
	assert_int_equal(memcmp(disk[1], "tten", 4), 0);
	check_sound();
}

TEST(a_page_that_goes_is_written_first)
{
	(void)state;
	struct object *large = object_create(&disk_pager, NULL, sizeof disk);
	assert_int_equal(vm_mmap(s, A, FILE_PAGES * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, large, 0), A);
	for (unsigned i = 0; i < FILE_PAGES; i++)
		write_byte(s, page(i), (uint8_t)(100 + i));
	/* As many others of the other object, so that the youngest pages are its. */
	vaddr_t at = page(100);
	for (unsigned n = 0; n < RECLAIM_YOUNGEST / FILE_PAGES + 1; n++, at += sizeof disk)
		assert_int_equal(vm_mmap(s, at, sizeof disk, VM_READ, MAP_SHARED | MAP_FIXED, file, 0), at);
	struct object *filler[4];
	for (unsigned n = 0; n < 4; n++) {
		filler[n] = object_create(&disk_pager, NULL, sizeof disk);
		for (unsigned i = 0; i < FILE_PAGES; i++) {
			struct page_record *r;
			assert_int_equal(object_pin(filler[n], i, &r), 0);
			object_unpin(filler[n], r);
		}
	}
	assert_true(reclaim_frames(FILE_PAGES) > 0);
	check_sound();
	for (unsigned i = 0; i < FILE_PAGES; i++)
		assert_int_equal(read_byte(s, page(i)), 100 + i);	/* from the disk, if it was taken */
	for (unsigned n = 0; n < 4; n++)
		object_put(filler[n]);
	object_put(large);
}

TEST(cutting_forgets_what_was_written_beyond)
{
	(void)state;
	map_disk(s, A, 4, RW, MAP_SHARED, 0);
	write_byte(s, page(1), 110);
	write_byte(s, page(3), 111);
	vm_truncate(file, 2 * PAGE_SIZE);
	assert_int_equal(sim_write_byte(s, page(3), 1), FAULT_SIGNAL_BUS);
	vm_sync();
	assert_int_equal(disk[1][0], 110);
	assert_int_equal(disk[3][0], 4);
	assert_int_equal(writes, 1);
	check_sound();
}

/* A mapping may grow into empty room below a table that fork has shared; it has no entries there, so there is nothing to protect. */
TEST(a_mapping_beside_a_shared_table)
{
	(void)state;
	size_t reach = MMU_TABLE_REACH >> PAGE_SHIFT;
	map_disk(s, page(reach - 1), 1, RW, MAP_SHARED, 0);
	map(s, page(reach + 4), reach - 4, RW, MAP_PRIVATE);
	for (size_t i = 4; i < reach; i++)
		write_byte(s, page(reach + i), 1);
	struct space *child = space_fork(s);
	assert_int_equal(mmu_query(&s->mmu, page(reach + 4)).table, MMU_TABLE_SHARED);
	assert_int_equal(vm_mremap(s, page(reach - 1), PAGE_SIZE, 3 * PAGE_SIZE, 0, 0), page(reach - 1));
	write_byte(s, page(reach - 1), 120);
	sync_pages(reach - 1, 3);
	vm_truncate(file, PAGE_SIZE);
	assert_int_equal(disk[0][0], 120);
	assert_int_equal(mmu_query(&s->mmu, page(reach + 4)).table, MMU_TABLE_SHARED);
	drop_space(child);
}

static const struct CMUnitTest tests[] = {
#define WRITEBACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	WRITEBACK_TEST(the_first_write_is_a_fault_of_its_own),
	WRITEBACK_TEST(msync_writes_what_was_written),
	WRITEBACK_TEST(msync_ends_with_its_range),
	WRITEBACK_TEST(memory_is_not_written_back),
	WRITEBACK_TEST(msync_judges_the_range),
	WRITEBACK_TEST(a_clean_page_that_is_writable_is_seen),
	WRITEBACK_TEST(a_write_without_memory_for_a_table),
	WRITEBACK_TEST(two_spaces_write_one_page),
	WRITEBACK_TEST(a_child_writes_through_what_it_inherits),
	WRITEBACK_TEST(mprotect_gives_no_right_to_a_clean_page),
	WRITEBACK_TEST(a_private_mapping_dirties_nothing),
	WRITEBACK_TEST(what_is_never_synced_goes_back_in_the_end),
	WRITEBACK_TEST(sync_writes_all_files),
	WRITEBACK_TEST(two_that_clean_one_page),
	WRITEBACK_TEST(write_goes_through_the_same_pages),
	WRITEBACK_TEST(a_page_that_goes_is_written_first),
	WRITEBACK_TEST(cutting_forgets_what_was_written_beyond),
	WRITEBACK_TEST(a_mapping_beside_a_shared_table),
};
RUN_TESTS("writeback", tests)
