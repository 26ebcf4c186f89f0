/*
 * tests/host/test_fault.c - vm/fault.c: each class, with exact counts; and the mistakes that other kernels shipped.
 */
#include "harness.h"
#include "vm/frame.h"
#include "vm/object.h"
#include "vm/vm.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;		/* aligned to a leaf table and to a fault-around window on both machines */
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;

static struct census before;

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 4 * MIB }, { 6 * MIB, 8 * MIB } }, .image = { 0x100000, 0x140000 } });
	fork_tables = FORK_COPIES;		/* each page by itself; tables that are shared: test_tables.c */
	before = census_take();
	return 0;
}

static vaddr_t page(unsigned n) { return A + n * PAGE_SIZE; }

static struct mmu_entry entry(struct space *s, vaddr_t va) { return mmu_query(&s->mmu, va); }

/* ---- private anonymous memory ---------------------------------------------------------------------------------------------------- */

TEST(nothing_is_handed_out_before_it_is_touched)
{
	(void)state;
	struct space *s = new_space();
	size_t frames = frame_free_count();
	map(s, A, 4096, RW, MAP_PRIVATE);
	assert_true(frames - frame_free_count() <= 1);		/* a slab for the region, if that */
	assert_int_equal(space_resident(s), 0);
	EXPECT_NO_FAULTS();
	drop_space(s);
	census_check(&before);
}

TEST(demand_zero)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 8, RW, MAP_PRIVATE);
	write_byte(s, page(3) + 17, 5);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	assert_int_equal(read_byte(s, page(3) + 17), 5);
	assert_int_equal(read_byte(s, page(3) + 18), 0);
	EXPECT_NO_FAULTS();
	assert_int_equal(space_resident(s), 1);
	assert_int_equal(pages[entry(s, page(3)).pfn], page_make(PAGE_ANON, 1));
	check_sound();
	drop_space(s);
	census_check(&before);
}

TEST(zero_read_and_zero_upgrade)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 8, RW, MAP_PRIVATE);
	assert_int_equal(read_byte(s, A), 0);
	EXPECT_FAULT(FAULT_ZERO_READ);
	assert_int_equal(entry(s, A).pfn, zero_frame);
	assert_int_equal(entry(s, A).prot, VM_READ);
	assert_int_equal(space_resident(s), 0);
	write_byte(s, A, 9);
	EXPECT_FAULT(FAULT_ZERO_UPGRADE);
	assert_int_equal(space_resident(s), 1);
	assert_int_equal(read_byte(s, page(1)), 0);		/* the zero frame is still zero */
	EXPECT_FAULT(FAULT_ZERO_READ);
	check_sound();
	drop_space(s);
	census_check(&before);
}

TEST(segv_maperr_and_accerr)
{
	(void)state;
	struct space *s = new_space();
	uint8_t byte;
	map(s, A, 2, VM_READ, MAP_PRIVATE);
	map(s, page(2), 1, 0, MAP_PRIVATE);
	map(s, page(3), 1, VM_WRITE, MAP_PRIVATE);
	assert_int_equal(sim_read_byte(s, A - 1, &byte), FAULT_SIGNAL_SEGV_MAPERR);
	assert_int_equal(sim_read_byte(s, page(4), &byte), FAULT_SIGNAL_SEGV_MAPERR);
	assert_int_equal(sim_write_byte(s, A, 1), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(sim_exec(s, A), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(sim_read_byte(s, page(2), &byte), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(sim_write_byte(s, page(2), 1), FAULT_SIGNAL_SEGV_ACCERR);
	EXPECT_FAULTS(FAULT_SEGV, 6);
	write_byte(s, page(3), 1);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	assert_int_equal(read_byte(s, page(3)), 1);		/* who may write may read */
	EXPECT_NO_FAULTS();
	assert_int_equal(sim_read_byte(s, (vaddr_t)1 << 46, &byte), FAULT_SIGNAL_SEGV_MAPERR);
	EXPECT_FAULT(FAULT_SEGV);
	drop_space(s);
	census_check(&before);
}

TEST(segv_leaves_a_present_page_alone)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 1, RW, MAP_PRIVATE);
	write_byte(s, A, 7);
	assert_int_equal(vm_mprotect(s, A, PAGE_SIZE, VM_READ), 0);
	sim_faults_clear();
	assert_int_equal(sim_write_byte(s, A, 8), FAULT_SIGNAL_SEGV_ACCERR);
	EXPECT_FAULT(FAULT_SEGV);
	assert_int_equal(read_byte(s, A), 7);
	EXPECT_NO_FAULTS();
	drop_space(s);
	census_check(&before);
}

TEST(spurious_is_proved_and_does_nothing)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 1, RW, MAP_PRIVATE);
	write_byte(s, A, 7);
	sim_faults_clear();
	sim_tlb_make_strict(s, A);
	pfn_t pfn = entry(s, A).pfn;
	write_byte(s, A, 8);
	EXPECT_FAULT(FAULT_SPURIOUS);
	assert_int_equal(entry(s, A).pfn, pfn);
	drop_space(s);
	census_check(&before);
}

TEST(protect_upgrade_loosens_a_stricter_entry)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 2, RW, MAP_SHARED);
	write_byte(s, A, 7);
	sim_faults_clear();
	/* What a harvest leaves: the entry is stricter than the region. */
	struct mmu_gather gather;
	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_protect(&s->mmu, A, page(1), VM_READ, MMU_WRITE_SHARED, &gather);
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
	write_byte(s, A, 8);
	EXPECT_FAULT(FAULT_PROTECT_UPGRADE);
	write_byte(s, A, 9);
	EXPECT_NO_FAULTS();
	drop_space(s);
	census_check(&before);
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------------- */

TEST(fork_copies_no_page_and_each_write_copies_one)
{
	(void)state;
	enum { PAGES = 50 };
	struct space *parent = new_space();
	map(parent, A, PAGES, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < PAGES; i++)
		write_byte(parent, page(i), (uint8_t)i);
	EXPECT_FAULTS(FAULT_DEMAND_ZERO, PAGES);
	struct vmcheck report;
	vm_check(&report);
	uint64_t anon = report.anon_frames;
	struct space *child = space_fork(parent);
	assert_non_null(child);
	vm_check(&report);
	assert_int_equal(report.anon_frames, anon);
	assert_int_equal(space_resident(child), PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(read_byte(child, page(i)), i);
	EXPECT_NO_FAULTS();
	for (unsigned i = 0; i < PAGES; i++)
		write_byte(child, page(i), 100);
	EXPECT_FAULTS(FAULT_COW_COPY, PAGES);
	check_sound();
	for (unsigned i = 0; i < PAGES; i++) {
		assert_int_equal(read_byte(parent, page(i)), i);
		write_byte(parent, page(i), 200);
	}
	EXPECT_FAULTS(FAULT_COW_REUSE, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(read_byte(child, page(i)), 100);
	EXPECT_NO_FAULTS();
	drop_space(child);
	drop_space(parent);
	census_check(&before);
}

TEST(fork_of_pages_that_are_copy_on_write_already)
{
	(void)state;
	struct space *a = new_space();
	map(a, A, 4, RW, MAP_PRIVATE);
	write_byte(a, A, 1);
	struct space *b = space_fork(a), *c = space_fork(b), *d = space_fork(a);
	assert_int_equal(pages[entry(a, A).pfn], page_make(PAGE_ANON, 4));
	sim_faults_clear();
	write_byte(c, A, 3);
	EXPECT_FAULT(FAULT_COW_COPY);
	assert_int_equal(pages[entry(a, A).pfn], page_make(PAGE_ANON, 3));
	drop_space(a);
	write_byte(b, A, 2);
	EXPECT_FAULT(FAULT_COW_COPY);
	write_byte(d, A, 4);
	EXPECT_FAULT(FAULT_COW_REUSE);
	assert_int_equal(read_byte(b, A), 2);
	assert_int_equal(read_byte(c, A), 3);
	assert_int_equal(read_byte(d, A), 4);
	check_sound();
	drop_space(b);
	drop_space(c);
	drop_space(d);
	census_check(&before);
}

TEST(fork_then_exit_of_the_child_leaves_the_parent_its_pages)
{
	(void)state;
	struct space *parent = new_space();
	map(parent, A, 8, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 8; i++)
		write_byte(parent, page(i), 1);
	for (unsigned round = 0; round < 5; round++) {
		struct space *child = space_fork(parent);
		drop_space(child);
	}
	sim_faults_clear();
	for (unsigned i = 0; i < 8; i++)
		write_byte(parent, page(i), 2);
	EXPECT_FAULTS(FAULT_COW_REUSE, 8);
	drop_space(parent);
	census_check(&before);
}

TEST(mprotect_then_fork_then_mprotect)
{
	(void)state;
	struct space *parent = new_space();
	map(parent, A, 2, RW, MAP_PRIVATE);
	write_byte(parent, A, 1);
	assert_int_equal(vm_mprotect(parent, A, 2 * PAGE_SIZE, VM_READ), 0);
	struct space *child = space_fork(parent);		/* the page is read-only, but shared now all the same */
	assert_int_equal(vm_mprotect(parent, A, 2 * PAGE_SIZE, RW), 0);
	assert_int_equal(vm_mprotect(child, A, 2 * PAGE_SIZE, RW), 0);
	check_sound();
	sim_faults_clear();
	write_byte(parent, A, 2);
	EXPECT_FAULT(FAULT_COW_COPY);
	assert_int_equal(read_byte(child, A), 1);
	write_byte(child, A, 3);
	EXPECT_FAULT(FAULT_COW_REUSE);
	assert_int_equal(read_byte(parent, A), 2);
	drop_space(child);
	drop_space(parent);
	census_check(&before);
}

TEST(fork_of_zero_frames)
{
	(void)state;
	struct space *parent = new_space();
	map(parent, A, 2, RW, MAP_PRIVATE);
	read_byte(parent, A);
	struct space *child = space_fork(parent);
	sim_faults_clear();
	write_byte(child, A, 1);
	EXPECT_FAULT(FAULT_ZERO_UPGRADE);
	assert_int_equal(read_byte(parent, A), 0);
	EXPECT_NO_FAULTS();
	drop_space(parent);
	drop_space(child);
	census_check(&before);
}

/* ---- shared anonymous memory ------------------------------------------------------------------------------------------------------- */

TEST(shm_zero_and_sharing)
{
	(void)state;
	struct space *parent = new_space();
	map(parent, A, 4, RW, MAP_SHARED);
	write_byte(parent, A, 1);
	EXPECT_FAULT(FAULT_SHM_ZERO);
	assert_int_equal(read_byte(parent, page(1)), 0);
	EXPECT_FAULT(FAULT_SHM_ZERO);
	struct space *child = space_fork(parent);
	write_byte(child, A, 2);
	EXPECT_NO_FAULTS();
	assert_int_equal(read_byte(parent, A), 2);
	write_byte(child, page(2), 3);				/* made after the fork: one page all the same */
	EXPECT_FAULT(FAULT_SHM_ZERO);
	assert_int_equal(read_byte(parent, page(2)), 3);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(entry(parent, page(2)).pfn, entry(child, page(2)).pfn);
	check_sound();
	drop_space(parent);
	assert_int_equal(read_byte(child, page(2)), 3);
	drop_space(child);
	census_check(&before);
}

/* ---- files -------------------------------------------------------------------------------------------------------------------------- */

TEST(file_major_then_minor)
{
	(void)state;
	struct test_file f;
	file_create(&f, 10 * PAGE_SIZE);
	struct space *s = new_space(), *t = new_space();
	map_file(s, A, 10, VM_READ, MAP_PRIVATE, &f, 0);
	map_file(t, A, 10, VM_READ, MAP_PRIVATE, &f, 0);
	assert_int_equal(f.reads, 0);
	assert_int_equal(read_byte(s, page(4) + 5), file_byte(4 * PAGE_SIZE + 5));
	assert_int_equal(sim_faults.flags[FAULT_FLAG_READ], 1);
	EXPECT_FAULT(FAULT_FILE_MAJOR);
	assert_int_equal(f.reads, 1);
	assert_int_equal(read_byte(t, page(4) + 5), file_byte(4 * PAGE_SIZE + 5));
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(f.reads, 1);
	assert_int_equal(entry(s, page(4)).pfn, entry(t, page(4)).pfn);
	assert_int_equal(pages[entry(s, page(4)).pfn] & PAGE_TYPE_MASK, PAGE_RECORD);
	check_sound();
	drop_space(s);
	drop_space(t);
	file_drop(&f);
	census_check(&before);
}

TEST(file_minor_maps_cached_neighbours)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 40 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	map_file(s, A, 40, VM_READ, MAP_PRIVATE, &f, 0);
	assert_int_equal(read_byte(s, page(20)), file_byte(20 * PAGE_SIZE));
	assert_int_equal(sim_faults.neighbours, 15);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_AROUND], 1);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	for (unsigned i = 16; i < 32; i++)
		assert_int_equal(read_byte(s, page(i) + i), file_byte(i * PAGE_SIZE + i));
	EXPECT_NO_FAULTS();
	assert_int_equal(entry(s, page(15)).pfn, PFN_NONE);
	assert_int_equal(entry(s, page(32)).pfn, PFN_NONE);
	assert_int_equal(entry(s, page(20)).pfn, IMAGE + 20);
	assert_int_equal(f.reads, 0);
	check_sound();
	drop_space(s);
	file_drop(&f);
	assert_int_equal(page_type(pages[IMAGE + 20]), PAGE_RESERVED);
	census_check(&before);
}

TEST(neighbours_stop_at_the_region)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 40 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	map_file(s, page(18), 5, VM_READ, MAP_PRIVATE, &f, 18);
	assert_int_equal(read_byte(s, page(20)), file_byte(20 * PAGE_SIZE));
	assert_int_equal(sim_faults.neighbours, 4);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(entry(s, page(17)).pfn, PFN_NONE);
	assert_int_equal(entry(s, page(23)).pfn, PFN_NONE);
	assert_int_equal(space_resident(s), 5);
	check_sound();
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(neighbours_stop_at_the_end_of_the_file)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 20 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	uint8_t byte;
	map_file(s, A, 40, VM_READ, MAP_PRIVATE, &f, 0);
	read_byte(s, page(19));
	assert_int_equal(sim_faults.neighbours, 3);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(entry(s, page(20)).pfn, PFN_NONE);
	assert_int_equal(sim_read_byte(s, page(20), &byte), FAULT_SIGNAL_BUS);
	EXPECT_FAULT(FAULT_BUS);
	check_sound();
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(neighbours_leave_what_is_there)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 16 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	map_file(s, A, 16, RW, MAP_PRIVATE, &f, 0);
	write_byte(s, page(3), 200);
	EXPECT_FAULT(FAULT_FILE_COW);
	read_byte(s, page(4));
	assert_int_equal(sim_faults.neighbours, 14);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(read_byte(s, page(3)), 200);
	EXPECT_NO_FAULTS();
	check_sound();
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(a_mapping_that_is_not_aligned_with_the_file)
{
	(void)state;
	struct test_file f;
	file_create(&f, 130 * PAGE_SIZE);
	struct space *s = new_space();
	map_file(s, page(1), 100, VM_READ, MAP_PRIVATE, &f, 29);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(read_byte(s, page(1 + i) + 3), file_byte((29 + i) * PAGE_SIZE + 3));
	assert_int_equal(f.reads, 100);
	EXPECT_FAULTS(FAULT_FILE_MAJOR, 100);
	check_sound();
	assert_int_equal(vm_munmap(s, page(1), 100 * PAGE_SIZE), 0);
	map_file(s, page(1), 100, VM_READ, MAP_PRIVATE, &f, 29);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(read_byte(s, page(1 + i) + 3), file_byte((29 + i) * PAGE_SIZE + 3));
	assert_int_equal(f.reads, 100);
	assert_int_equal(sim_faults.count[FAULT_FILE_MINOR] + sim_faults.neighbours, 100);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(bytes_after_the_end_are_zero_and_pages_after_it_are_bus)
{
	(void)state;
	struct test_file f;
	file_create(&f, 2 * PAGE_SIZE + 100);
	struct space *s = new_space();
	uint8_t byte;
	map_file(s, A, 5, RW, MAP_PRIVATE, &f, 0);
	assert_int_equal(read_byte(s, page(2) + 99), file_byte(2 * PAGE_SIZE + 99));
	assert_int_equal(read_byte(s, page(2) + 100), 0);
	sim_faults_clear();
	assert_int_equal(sim_read_byte(s, page(3), &byte), FAULT_SIGNAL_BUS);
	assert_int_equal(sim_write_byte(s, page(4), 1), FAULT_SIGNAL_BUS);
	EXPECT_FAULTS(FAULT_BUS, 2);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(file_cow_from_cache_and_from_an_entry)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 4 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	map_file(s, A, 4, RW, MAP_PRIVATE, &f, 0);
	write_byte(s, page(1), 201);				/* nothing was mapped yet */
	EXPECT_FAULT(FAULT_FILE_COW);
	read_byte(s, page(2));
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(entry(s, page(2)).prot, VM_READ);
	write_byte(s, page(2), 202);				/* a read-only entry was */
	EXPECT_FAULT(FAULT_FILE_COW);
	assert_int_equal(read_byte(s, page(1)), 201);
	assert_int_equal(read_byte(s, page(1) + 1), file_byte(PAGE_SIZE + 1));
	assert_int_equal(*(uint8_t *)direct(IMAGE + 1), file_byte(PAGE_SIZE));
	assert_int_equal(*(uint8_t *)direct(IMAGE + 2), file_byte(2 * PAGE_SIZE));
	write_byte(s, page(2), 203);
	EXPECT_NO_FAULTS();
	check_sound();
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(mprotect_rw_of_a_private_file_mapping_leaves_the_cache_read_only)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 4 * PAGE_SIZE, IMAGE);
	struct space *s = new_space();
	map_file(s, A, 4, VM_READ, MAP_PRIVATE, &f, 0);
	read_byte(s, A);
	EXPECT_FAULT(FAULT_FILE_MINOR);
	assert_int_equal(vm_mprotect(s, A, 4 * PAGE_SIZE, RW), 0);
	assert_int_equal(entry(s, A).prot & VM_WRITE, 0);
	check_sound();
	write_byte(s, A, 77);
	EXPECT_FAULT(FAULT_FILE_COW);
	assert_int_equal(*(uint8_t *)direct(IMAGE), file_byte(0));
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(fork_of_file_pages)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	struct space *parent = new_space();
	map_file(parent, A, 4, RW, MAP_PRIVATE, &f, 0);
	read_byte(parent, A);
	write_byte(parent, page(1), 200);
	struct space *child = space_fork(parent);
	sim_faults_clear();
	write_byte(child, A, 201);
	EXPECT_FAULT(FAULT_FILE_COW);
	write_byte(child, page(1), 202);
	EXPECT_FAULT(FAULT_COW_COPY);
	assert_int_equal(read_byte(parent, A), file_byte(0));
	assert_int_equal(read_byte(parent, page(1)), 200);
	write_byte(parent, page(1), 203);
	EXPECT_FAULT(FAULT_COW_REUSE);
	check_sound();
	drop_space(child);
	drop_space(parent);
	file_drop(&f);
	census_check(&before);
}

TEST(a_pager_that_fails_is_bus_and_may_work_later)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	struct space *s = new_space();
	uint8_t byte;
	map_file(s, A, 4, VM_READ, MAP_PRIVATE, &f, 0);
	f.error = -EIO;
	assert_int_equal(sim_read_byte(s, A, &byte), FAULT_SIGNAL_BUS);
	EXPECT_FAULT(FAULT_BUS);
	f.error = -ENOMEM;
	assert_int_equal(sim_read_byte(s, A, &byte), FAULT_NO_MEMORY);
	EXPECT_FAULT(FAULT_OOM);
	f.error = 0;
	assert_int_equal(read_byte(s, A), file_byte(0));
	EXPECT_FAULT(FAULT_FILE_MAJOR);
	check_sound();
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

struct reader { struct space *space; vaddr_t at; int outcome; uint8_t byte; };

static void read_in_thread(void *arg)
{
	struct reader *r = arg;
	r->outcome = sim_read_byte(r->space, r->at, &r->byte);
}

TEST(two_threads_fault_on_one_page_that_is_read_once)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	f.yields = 3;
	struct reader reader[3];
	struct sim_thread *thread[3];
	for (unsigned i = 0; i < 3; i++) {
		reader[i] = (struct reader){ new_space(), A + i, -1, 0 };
		map_file(reader[i].space, A, 4, VM_READ, MAP_PRIVATE, &f, 0);
		thread[i] = sim_thread_start(read_in_thread, &reader[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		sim_thread_join(thread[i]);
	assert_int_equal(f.reads, 1);
	assert_int_equal(sim_faults.count[FAULT_FILE_MAJOR], 1);
	assert_int_equal(sim_faults.count[FAULT_FILE_MINOR], 2);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_WAITED], 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(reader[i].outcome, FAULT_DONE);
		assert_int_equal(reader[i].byte, file_byte(i));
		drop_space(reader[i].space);
	}
	file_drop(&f);
	census_check(&before);
}

static void unmap_in_thread(void *arg)
{
	struct reader *r = arg;
	r->outcome = vm_munmap(r->space, r->at, PAGE_SIZE);
}

TEST(the_mapping_goes_while_its_page_is_read)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	f.yields = 3;
	struct space *s = new_space();
	map_file(s, A, 4, VM_READ, MAP_PRIVATE, &f, 0);
	struct reader reader = { s, A, -1, 0 }, unmapper = { s, A, -1, 0 };
	struct sim_thread *r = sim_thread_start(read_in_thread, &reader), *u = sim_thread_start(unmap_in_thread, &unmapper);
	sim_thread_join(r);
	sim_thread_join(u);
	assert_int_equal(unmapper.outcome, 0);
	assert_int_equal(reader.outcome, FAULT_SIGNAL_SEGV_MAPERR);
	EXPECT_FAULT(FAULT_SEGV);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

/* ---- stack ---------------------------------------------------------------------------------------------------------------------------- */

TEST(a_stack_grows_to_its_limit)
{
	(void)state;
	struct space *s = new_space();
	const vaddr_t top = 0x800000;
	uint8_t byte;
	assert_int_equal(vm_map_stack(s, top, 2 * PAGE_SIZE, RW), 0);
	write_byte(s, top - 1, 1);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_GREW], 0);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	write_byte(s, top - 10 * PAGE_SIZE, 1);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_GREW], 1);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	assert_int_equal(s->mapped, 10);
	assert_int_equal(read_byte(s, top - 64 * PAGE_SIZE), 0);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_GREW], 1);
	EXPECT_FAULT(FAULT_ZERO_READ);
	assert_int_equal(sim_read_byte(s, top - 64 * PAGE_SIZE - 1, &byte), FAULT_SIGNAL_SEGV_MAPERR);
	assert_int_equal(s->mapped, 64);
	check_sound();
	drop_space(s);
	census_check(&before);
}

TEST(a_stack_keeps_its_distance)
{
	(void)state;
	struct space *s = new_space();
	const vaddr_t top = 0x800000;
	s->stack_limit = 1000 * PAGE_SIZE;
	assert_int_equal(vm_map_stack(s, top, PAGE_SIZE, RW), 0);
	map(s, top - 300 * PAGE_SIZE, 1, VM_READ, MAP_PRIVATE);
	write_byte(s, top - 43 * PAGE_SIZE, 1);
	assert_int_equal(sim_write_byte(s, top - 44 * PAGE_SIZE, 1), FAULT_SIGNAL_SEGV_MAPERR);
	drop_space(s);
	census_check(&before);
}

/* ---- no memory -------------------------------------------------------------------------------------------------------------------------- */

TEST(oom_changes_nothing_and_the_access_works_later)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 2048, RW, MAP_PRIVATE);
	unsigned n = 0;
	while (sim_write_byte(s, page(n), 1) == FAULT_DONE)
		n++;
	assert_int_equal(sim_last_fault.class, FAULT_OOM);
	assert_int_equal(sim_faults.count[FAULT_OOM], 1);
	assert_int_equal(sim_faults.count[FAULT_DEMAND_ZERO], n);
	assert_int_equal(space_resident(s), n);
	check_sound();
	assert_int_equal(vm_munmap(s, A, PAGE_SIZE), 0);
	write_byte(s, page(n), 1);
	drop_space(s);
	census_check(&before);
}

TEST(no_memory_in_the_middle_of_fork_leaves_the_parent_as_it_was)
{
	(void)state;
	struct space *s = new_space();
	map(s, A, 2048, RW, MAP_PRIVATE);
	unsigned n = 0;
	while (sim_write_byte(s, page(n), (uint8_t)n) == FAULT_DONE)
		n++;
	/* Some frames come back: enough to begin, not to end. */
	for (unsigned freed = 1; ; freed++) {
		assert_int_equal(vm_munmap(s, page(freed * 2 - 1), PAGE_SIZE), 0);
		size_t frames = frame_free_count();
		struct space *child = space_fork(s);
		check_sound();
		if (child) {
			assert_true(freed > 1);
			drop_space(child);
			break;
		}
		assert_true(frame_free_count() >= frames - 2);
		for (unsigned i = 0; i < n; i += 2)
			assert_int_equal(read_byte(s, page(i)), (uint8_t)i);
	}
	drop_space(s);
	census_check(&before);
}

/* Copies through the kernel's pair of functions fault as well. */
TEST(kernel_mode_faults_are_flagged)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	struct space *s = new_space();
	map(s, A, 2, RW, MAP_PRIVATE);
	sim_enter(s);
	struct uio uio = uio_user(A + PAGE_SIZE - 10, 20);
	assert_int_equal(object_read(f.object, &uio, 5), 20);
	assert_int_equal(sim_faults.flags[FAULT_FLAG_KERNEL], 2);
	EXPECT_FAULTS(FAULT_DEMAND_ZERO, 2);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(read_byte(s, A + PAGE_SIZE - 10 + i), file_byte(5 + i));
	uio = uio_user(page(2), 1);
	assert_int_equal(object_read(f.object, &uio, 0), -EFAULT);
	EXPECT_FAULT(FAULT_SEGV);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(read_into_a_mapping_of_the_same_file)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	f.yields = 1;
	struct space *s = new_space();
	map_file(s, A, 4, RW, MAP_PRIVATE, &f, 0);
	sim_enter(s);
	struct uio uio = uio_user(A, 2 * PAGE_SIZE);
	assert_int_equal(object_read(f.object, &uio, PAGE_SIZE), 2 * PAGE_SIZE);
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i += 100)
		assert_int_equal(read_byte(s, A + i), file_byte(PAGE_SIZE + i));
	assert_int_equal(read_byte(s, page(2)), file_byte(2 * PAGE_SIZE));
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

/* The entry of a private page that a child has too was left without rights: reading gives it back for reading alone. */
TEST(protect_upgrade_gives_no_write_right_that_others_would_see)
{
	(void)state;
	struct mmu_gather gather;
	struct space *s = new_space();
	map(s, A, 1, RW, MAP_PRIVATE);
	write_byte(s, A, 7);
	struct space *child = space_fork(s);
	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_protect(&s->mmu, A, page(1), 0, MMU_WRITE_OWN, &gather);
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
	sim_faults_clear();
	assert_int_equal(read_byte(s, A), 7);
	EXPECT_FAULT(FAULT_PROTECT_UPGRADE);
	check_sound();
	write_byte(s, A, 8);
	EXPECT_FAULT(FAULT_COW_COPY);
	assert_int_equal(read_byte(child, A), 7);
	drop_space(child);
	drop_space(s);
	census_check(&before);
}

static const struct CMUnitTest tests[] = {
#define FAULT_TEST(name) cmocka_unit_test_setup(name, setup)
	FAULT_TEST(nothing_is_handed_out_before_it_is_touched),
	FAULT_TEST(demand_zero),
	FAULT_TEST(zero_read_and_zero_upgrade),
	FAULT_TEST(segv_maperr_and_accerr),
	FAULT_TEST(segv_leaves_a_present_page_alone),
	FAULT_TEST(spurious_is_proved_and_does_nothing),
	FAULT_TEST(protect_upgrade_loosens_a_stricter_entry),
	FAULT_TEST(fork_copies_no_page_and_each_write_copies_one),
	FAULT_TEST(fork_of_pages_that_are_copy_on_write_already),
	FAULT_TEST(fork_then_exit_of_the_child_leaves_the_parent_its_pages),
	FAULT_TEST(mprotect_then_fork_then_mprotect),
	FAULT_TEST(fork_of_zero_frames),
	FAULT_TEST(shm_zero_and_sharing),
	FAULT_TEST(file_major_then_minor),
	FAULT_TEST(file_minor_maps_cached_neighbours),
	FAULT_TEST(neighbours_stop_at_the_region),
	FAULT_TEST(neighbours_stop_at_the_end_of_the_file),
	FAULT_TEST(neighbours_leave_what_is_there),
	FAULT_TEST(a_mapping_that_is_not_aligned_with_the_file),
	FAULT_TEST(bytes_after_the_end_are_zero_and_pages_after_it_are_bus),
	FAULT_TEST(file_cow_from_cache_and_from_an_entry),
	FAULT_TEST(mprotect_rw_of_a_private_file_mapping_leaves_the_cache_read_only),
	FAULT_TEST(fork_of_file_pages),
	FAULT_TEST(a_pager_that_fails_is_bus_and_may_work_later),
	FAULT_TEST(two_threads_fault_on_one_page_that_is_read_once),
	FAULT_TEST(the_mapping_goes_while_its_page_is_read),
	FAULT_TEST(a_stack_grows_to_its_limit),
	FAULT_TEST(a_stack_keeps_its_distance),
	FAULT_TEST(oom_changes_nothing_and_the_access_works_later),
	FAULT_TEST(no_memory_in_the_middle_of_fork_leaves_the_parent_as_it_was),
	FAULT_TEST(kernel_mode_faults_are_flagged),
	FAULT_TEST(read_into_a_mapping_of_the_same_file),
	FAULT_TEST(protect_upgrade_gives_no_write_right_that_others_would_see),
};
RUN_TESTS("fault", tests)
