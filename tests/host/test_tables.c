/*
 * tests/host/test_tables.c - page tables that fork shares, and huge pages: who has which table, what each change copies or breaks, and that
 * nobody sees another's change.
 */
#include <stdio.h>
#include "harness.h"
#include "vm/frame.h"
#include "vm/page.h"
#include "vm/vm.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
#define REACH	(MMU_TABLE_REACH >> PAGE_SHIFT)		/* pages of a leaf table */
static const vaddr_t A = 0x800000;			/* aligned to the reach of a leaf table on all machines */

static struct census before;
static struct space *s, *child;

static int setup(void **state)
{
	(void)state;
	sim_boot(32 * MIB);
	before = census_take();
	s = new_space();
	child = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (child)
		drop_space(child);
	drop_space(s);
	census_check(&before);
	return 0;
}

static vaddr_t page(size_t n) { return A + n * PAGE_SIZE; }
static struct mmu_entry entry(struct space *in, size_t n) { return mmu_query(&in->mmu, page(n)); }
static uint8_t byte_of(size_t n) { return (uint8_t)(n * 7 + 1); }

/* n pages at A, each with a byte of its own. */
static void populate(size_t n)
{
	map(s, A, n, RW, MAP_PRIVATE);
	for (size_t i = 0; i < n; i++)
		write_byte(s, page(i), byte_of(i));
	sim_faults_clear();
}

static void expect_bytes(struct space *in, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(read_byte(in, page(i)), byte_of(i));
}

/* Drops the child, so that the parent is alone again. */
static void child_exits(void)
{
	drop_space(child);
	child = NULL;
}

static bool is_unshared(void)
{
	return sim_faults.flags[FAULT_FLAG_UNSHARED];
}

/* ---- shared tables ------------------------------------------------------------------------------------------------------------- */

TEST(fork_shares_full_tables)
{
	(void)state;
	populate(4 * REACH);
	size_t free = frame_free_count();
	child = space_fork(s);
	assert_true(free - frame_free_count() < 4 + 2);		/* a root, the tables on the way, a slab: no leaf table */
	for (size_t i = 0; i < 4 * REACH; i++) {
		assert_int_equal(entry(child, i).table, MMU_TABLE_SHARED);
		assert_int_equal(entry(s, i).table, MMU_TABLE_SHARED);
		assert_int_equal(entry(s, i).prot, VM_READ);
		assert_int_equal(pages[entry(s, i).pfn], page_make(PAGE_ANON, 1));	/* one entry, which both have */
	}
	assert_int_equal(space_resident(child), space_resident(s));
	check_sound();
	expect_bytes(child, 0, 4 * REACH);
	expect_bytes(s, 0, 4 * REACH);
	EXPECT_NO_FAULTS();
}

TEST(a_write_copies_one_table_and_one_page)
{
	(void)state;
	populate(2 * REACH);
	child = space_fork(s);
	write_byte(child, page(1), 99);
	assert_true(is_unshared());
	EXPECT_FAULT(FAULT_COW_COPY);
	assert_int_equal(entry(child, 1).table, MMU_TABLE_OWN);
	assert_int_equal(entry(child, REACH).table, MMU_TABLE_SHARED);
	assert_int_equal(entry(s, 1).table, MMU_TABLE_HELD);
	assert_int_equal(read_byte(s, page(1)), byte_of(1));
	check_sound();
	write_byte(s, page(1), 98);				/* nobody else has the page: its table first, then the page */
	assert_false(is_unshared());
	EXPECT_FAULT(FAULT_COW_REUSE);
	write_byte(s, page(2), 97);
	EXPECT_FAULT(FAULT_COW_COPY);
	write_byte(child, page(2), 96);
	EXPECT_FAULT(FAULT_COW_REUSE);
	assert_int_equal(read_byte(child, page(1)), 99);
	assert_int_equal(read_byte(s, page(2)), 97);
	expect_bytes(child, 3, 2 * REACH);
	expect_bytes(s, 3, 2 * REACH);
}

TEST(a_table_that_is_alone_again_is_writable_as_a_whole)
{
	(void)state;
	populate(2 * REACH);
	child = space_fork(s);
	expect_bytes(child, 0, 2 * REACH);
	child_exits();
	assert_int_equal(entry(s, 0).table, MMU_TABLE_HELD);
	for (size_t i = 0; i < 2 * REACH; i++)
		write_byte(s, page(i), 5);
	EXPECT_FAULTS(FAULT_TABLE_REUSE, 2);
}

TEST(a_change_for_reading_copies_the_table_too)
{
	(void)state;
	map(s, A, REACH, RW, MAP_PRIVATE);
	for (size_t i = 0; i < REACH; i += 2)
		write_byte(s, page(i), byte_of(i));
	child = space_fork(s);
	sim_faults_clear();
	assert_int_equal(read_byte(child, page(1)), 0);
	assert_true(is_unshared());
	EXPECT_FAULT(FAULT_ZERO_READ);
	assert_int_equal(entry(s, 1).pfn, PFN_NONE);
}

TEST(three_generations_share_one_table)
{
	(void)state;
	populate(REACH);
	child = space_fork(s);
	struct space *grandchild = space_fork(child);
	assert_int_equal(entry(grandchild, 0).pfn, entry(s, 0).pfn);
	write_byte(child, page(0), 50);
	assert_int_equal(entry(s, 0).table, MMU_TABLE_SHARED);		/* with the grandchild */
	assert_int_equal(read_byte(grandchild, page(0)), byte_of(0));
	check_sound();
	drop_space(grandchild);
	assert_int_equal(entry(s, 0).table, MMU_TABLE_HELD);
	assert_int_equal(read_byte(s, page(0)), byte_of(0));
}

TEST(sparse_tables_are_copied)
{
	(void)state;
	map(s, A, REACH, RW, MAP_PRIVATE);
	write_byte(s, page(3), byte_of(3));
	child = space_fork(s);
	assert_int_equal(entry(child, 3).table, MMU_TABLE_OWN);
	assert_int_equal(pages[entry(s, 3).pfn], page_make(PAGE_ANON, 2));
}

TEST(a_table_with_pages_of_an_object_is_copied)
{
	(void)state;
	populate(REACH - 1);
	map(s, page(REACH - 1), 1, RW, MAP_SHARED);
	child = space_fork(s);
	assert_int_equal(entry(child, 0).table, MMU_TABLE_OWN);
	expect_bytes(child, 0, REACH - 1);
}

TEST(the_room_beside_a_region_hinders_nothing)
{
	(void)state;
	populate(REACH - 2);			/* the table's last two pages are nobody's */
	child = space_fork(s);
	assert_int_equal(entry(child, 0).table, MMU_TABLE_SHARED);
	map(child, page(REACH - 1), 1, RW, MAP_SHARED);		/* until something comes there */
	assert_int_equal(entry(child, 0).table, MMU_TABLE_OWN);
	write_byte(child, page(REACH - 1), 1);
	assert_int_equal(entry(s, REACH - 1).pfn, PFN_NONE);
}

TEST(fork_that_copies_shares_nothing)
{
	(void)state;
	populate(2 * REACH);
	fork_tables = FORK_COPIES;
	child = space_fork(s);
	for (size_t i = 0; i < 2 * REACH; i++)
		write_byte(child, page(i), 9);
	EXPECT_FAULTS(FAULT_COW_COPY, 2 * REACH);
	for (size_t i = 0; i < 2 * REACH; i++)
		write_byte(s, page(i), 8);
	EXPECT_FAULTS(FAULT_COW_REUSE, 2 * REACH);
	fork_tables = FORK_SHARES;
	struct space *second = space_fork(s);
	fork_tables = FORK_COPIES;
	struct space *third = space_fork(s);		/* copies a table that two others share */
	write_byte(third, page(0), 7);
	write_byte(second, page(1), 6);
	check_sound();
	drop_space(third);
	drop_space(second);
	assert_int_equal(read_byte(s, page(0)), 8);
	assert_int_equal(read_byte(s, page(1)), 8);
}

TEST(unmapping_below_a_shared_table)
{
	(void)state;
	populate(3 * REACH);
	child = space_fork(s);
	size_t free = frame_free_count();
	assert_int_equal(vm_munmap(child, page(REACH), MMU_TABLE_REACH), 0);	/* a whole one: nothing to copy */
	assert_true(frame_free_count() >= free);
	assert_int_equal(entry(s, REACH).table, MMU_TABLE_HELD);
	assert_int_equal(vm_munmap(child, page(1), 2 * PAGE_SIZE), 0);		/* a part */
	assert_int_equal(entry(child, 0).table, MMU_TABLE_OWN);
	assert_int_equal(vm_munmap(s, page(2 * REACH + 1), (REACH - 1) * PAGE_SIZE), 0);
	assert_int_equal(vm_munmap(s, page(0), MMU_TABLE_REACH), 0);
	check_sound();
	expect_bytes(child, 3, REACH);
	expect_bytes(child, 2 * REACH, 3 * REACH);
	expect_bytes(s, REACH, 2 * REACH + 1);
}

TEST(protecting_below_a_shared_table)
{
	(void)state;
	populate(2 * REACH);
	child = space_fork(s);
	assert_int_equal(vm_mprotect(child, page(0), REACH * PAGE_SIZE, 0), 0);
	assert_int_equal(vm_mprotect(s, page(REACH + 1), PAGE_SIZE, VM_READ), 0);
	check_sound();
	expect_bytes(s, 0, 2 * REACH);
	expect_bytes(child, REACH, 2 * REACH);
	write_byte(s, page(0), 4);
	write_byte(child, page(REACH + 1), 3);
	assert_int_equal(vm_mprotect(child, page(0), REACH * PAGE_SIZE, RW), 0);
	expect_bytes(child, 0, REACH);
}

TEST(discarding_and_moving_below_a_shared_table)
{
	(void)state;
	populate(2 * REACH);
	child = space_fork(s);
	assert_int_equal(vm_madvise(child, page(0), REACH * PAGE_SIZE, MADV_DONTNEED, NULL), 0);
	assert_int_equal(read_byte(child, page(0)), 0);
	vaddr_t to = vm_mremap(child, page(REACH), REACH * PAGE_SIZE, REACH * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(5 * REACH + 3));
	assert_int_equal(to, page(5 * REACH + 3));
	check_sound();
	for (size_t i = 0; i < REACH; i++)
		assert_int_equal(read_byte(child, to + i * PAGE_SIZE), byte_of(REACH + i));
	expect_bytes(s, 0, 2 * REACH);
	write_byte(child, to, 2);
	assert_int_equal(read_byte(s, page(REACH)), byte_of(REACH));
}

/* What the move empties beyond the pages that come is part of a shared table as well. */
TEST(growing_and_shrinking_onto_a_shared_table)
{
	(void)state;
	populate(3 * REACH);
	child = space_fork(s);
	assert_int_equal(vm_mremap(child, page(0), PAGE_SIZE, REACH / 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(2 * REACH - 1)), page(2 * REACH - 1));
	assert_int_equal(vm_mremap(child, page(1), (REACH + 1) * PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(5 * REACH)), page(5 * REACH));
	check_sound();
	assert_int_equal(read_byte(child, page(2 * REACH - 1)), byte_of(0));
	assert_int_equal(read_byte(child, page(5 * REACH)), byte_of(1));
	expect_bytes(s, 0, 3 * REACH);
}

TEST(moving_onto_a_shared_table)
{
	(void)state;
	populate(2 * REACH);
	child = space_fork(s);
	assert_int_equal(vm_mremap(child, page(0), REACH * PAGE_SIZE, REACH * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(REACH)), page(REACH));
	check_sound();
	for (size_t i = 0; i < REACH; i++)
		assert_int_equal(read_byte(child, page(REACH + i)), byte_of(i));
	expect_bytes(s, 0, 2 * REACH);
}

/* Each of these needs the copy of a table, and cannot have it. */
TEST(no_memory_for_the_copy_of_a_table)
{
	(void)state;
	populate(REACH);
	child = space_fork(s);
	alloc_fail_at = 1;
	assert_int_equal(sim_write_byte(child, page(0), 1), FAULT_NO_MEMORY);
	alloc_fail_at = 1;
	assert_int_equal(vm_munmap(child, page(0), PAGE_SIZE), -ENOMEM);
	alloc_fail_at = 1;
	assert_int_equal(vm_mprotect(child, page(0), REACH * PAGE_SIZE, VM_READ), -ENOMEM);
	alloc_fail_at = 1;
	assert_int_equal(vm_madvise(child, page(1), PAGE_SIZE, MADV_DONTNEED, NULL), -EAGAIN);
	alloc_fail_at = 1;
	assert_int_equal((ssize)vm_mremap(child, page(1), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(2)), -ENOMEM);
	alloc_fail_at = 1;
	assert_int_equal((ssize)vm_mmap(child, page(1), PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), -ENOMEM);
	alloc_fail_at = 0;
	assert_int_equal(entry(child, 0).table, MMU_TABLE_SHARED);
	check_sound();
	sim_faults_clear();
	expect_bytes(child, 0, REACH);
	EXPECT_NO_FAULTS();
}

/* ---- huge pages ---------------------------------------------------------------------------------------------------------------- */

static void map_huge_range(size_t npages)
{
	huge_policy = HUGE_ALWAYS;
	map(s, A, npages, RW, MAP_PRIVATE);
	sim_faults_clear();
}

/* One huge page at A, each of its pages with a byte of its own. */
static void populate_huge(void)
{
	map_huge_range(REACH);
	for (size_t i = 0; i < REACH; i++)
		write_byte(s, page(i), byte_of(i));
	EXPECT_FAULT(FAULT_HUGE);
}

TEST(one_fault_serves_a_huge_page)
{
	(void)state;
	populate_huge();
	assert_int_equal(space_resident(s), REACH);
	assert_int_equal(entry(s, 1).table, MMU_TABLE_HUGE);
	assert_int_equal(entry(s, 1).pfn, entry(s, 0).pfn + 1);
	assert_int_equal(read_byte(s, page(1) + 9), 0);
	expect_bytes(s, 0, REACH);
	check_sound();
}

TEST(a_huge_page_that_others_have_is_seen)
{
	(void)state;
	struct vmcheck report;
	char text[128];
	populate_huge();
	assert_int_equal(vm_mprotect(s, A, REACH * PAGE_SIZE, VM_READ), 0);
	pages[entry(s, 3).pfn] += PAGE_ANON_ONE;
	snprintf(text, sizeof text, "huge page that is not private anonymous memory, ours alone (address %#llx,", (unsigned long long)page(3));
	vm_check(&report);
	assert_int_equal(report.errors, 2);			/* and its count is wrong */
	assert_true(sim_said(text));
	pages[entry(s, 3).pfn] -= PAGE_ANON_ONE;
}

TEST(what_was_only_read_becomes_huge)
{
	(void)state;
	map_huge_range(REACH);
	assert_int_equal(read_byte(s, page(1)), 0);
	EXPECT_FAULT(FAULT_ZERO_READ);
	write_byte(s, page(2), 1);
	EXPECT_FAULT(FAULT_HUGE);
	assert_int_equal(read_byte(s, page(1)), 0);
	EXPECT_NO_FAULTS();
	check_sound();
}

TEST(huge_pages_only_where_they_fit_and_are_wanted)
{
	(void)state;
	map_huge_range(2 * REACH - 1);
	write_byte(s, page(REACH), 1);			/* one page short */
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	huge_policy = HUGE_MADVISE;
	write_byte(s, page(0), 1);			/* nobody asked */
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	huge_policy = HUGE_ALWAYS;
	write_byte(s, page(1), 1);			/* there is a page already */
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	map(s, page(2 * REACH), REACH, RW, MAP_SHARED);
	write_byte(s, page(2 * REACH), 1);
	EXPECT_FAULT(FAULT_SHM_ZERO);
}

TEST(without_a_block_small_pages_do)
{
	(void)state;
	map_huge_range(REACH);
	alloc_fail_at = 1;
	write_byte(s, page(0), 1);
	assert_int_equal(alloc_fail_at, 0);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	check_sound();
}

TEST(a_huge_page_without_a_table_above_it)
{
	(void)state;
	map_huge_range(REACH);
	alloc_fail_at = 2;				/* the block is there, the way to it is not */
	write_byte(s, page(0), 1);
	EXPECT_FAULT(FAULT_DEMAND_ZERO);
	assert_int_equal(space_resident(s), 1);
	check_sound();
}

TEST(unmapping_a_part_breaks_it)
{
	(void)state;
	populate_huge();
	size_t free = frame_free_count();
	assert_int_equal(vm_munmap(s, page(1), 2 * PAGE_SIZE), 0);
	assert_int_equal(frame_free_count(), free + 2 - 1);	/* a table came */
	check_sound();
	expect_bytes(s, 0, 1);
	expect_bytes(s, 3, REACH);
	EXPECT_NO_FAULTS();
	assert_int_equal(vm_munmap(s, page(0), REACH * PAGE_SIZE), 0);
	assert_int_equal(space_resident(s), 0);
}

TEST(unmapping_all_gives_the_block_back)
{
	(void)state;
	populate_huge();
	size_t free = frame_free_count();
	assert_int_equal(vm_madvise(s, A, REACH * PAGE_SIZE, MADV_DONTNEED, NULL), 0);
	assert_true(frame_free_count() >= free + REACH);
	assert_int_equal(read_byte(s, page(0)), 0);
	check_sound();
}

TEST(protecting_keeps_it_whole_or_breaks_it)
{
	(void)state;
	populate_huge();
	for (unsigned rights = 0; rights <= VM_READ; rights += VM_READ) {
		assert_int_equal(vm_mprotect(s, A, REACH * PAGE_SIZE, rights), 0);
		assert_int_equal(entry(s, 0).table, MMU_TABLE_HUGE);
		assert_int_equal(sim_write_byte(s, page(1), 1), FAULT_SIGNAL_SEGV_ACCERR);
		check_sound();
	}
	expect_bytes(s, 0, REACH);
	assert_int_equal(vm_mprotect(s, A, REACH * PAGE_SIZE, RW), 0);
	sim_faults_clear();
	write_byte(s, page(3), byte_of(3));
	EXPECT_NO_FAULTS();
	assert_int_equal(vm_mprotect(s, page(2), PAGE_SIZE, 0), 0);
	assert_int_equal(entry(s, 0).table, MMU_TABLE_OWN);
	expect_bytes(s, 3, REACH);
	check_sound();
}

TEST(a_huge_page_without_rights_is_broken_as_well)
{
	(void)state;
	populate_huge();
	assert_int_equal(vm_mprotect(s, A, REACH * PAGE_SIZE, 0), 0);
	assert_int_equal(vm_mprotect(s, page(1), PAGE_SIZE, RW), 0);
	assert_int_equal(read_byte(s, page(1)), byte_of(1));
	assert_int_equal(sim_read_byte(s, page(2), &(uint8_t){ 0 }), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(vm_munmap(s, A, REACH * PAGE_SIZE), 0);
	check_sound();
}

TEST(fork_breaks_and_shares_it)
{
	(void)state;
	populate_huge();
	child = space_fork(s);
	assert_int_equal(entry(s, 0).table, MMU_TABLE_SHARED);
	write_byte(child, page(0), 77);
	assert_int_equal(read_byte(s, page(0)), byte_of(0));
	check_sound();
	child_exits();
	sim_faults_clear();
	write_byte(s, page(1), 1);
	expect_bytes(s, 2, REACH);
	fork_tables = FORK_COPIES;
	map(s, page(REACH), REACH, RW, MAP_PRIVATE);
	write_byte(s, page(REACH), 1);
	child = space_fork(s);
	write_byte(child, page(REACH), 2);
	assert_int_equal(read_byte(s, page(REACH)), 1);
	check_sound();
}

TEST(moving_breaks_it)
{
	(void)state;
	populate_huge();
	vaddr_t to = page(4 * REACH + 1);
	assert_int_equal(vm_mremap(s, A, REACH * PAGE_SIZE, REACH * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	for (size_t i = 0; i < REACH; i++)
		assert_int_equal(read_byte(s, to + i * PAGE_SIZE), byte_of(i));
	check_sound();
}

TEST(no_memory_to_break_it)
{
	(void)state;
	populate_huge();
	alloc_fail_at = 1;
	assert_int_equal(vm_munmap(s, page(1), PAGE_SIZE), -ENOMEM);
	alloc_fail_at = 1;
	assert_int_equal(vm_mprotect(s, page(1), PAGE_SIZE, 0), -ENOMEM);
	alloc_fail_at = 0;
	assert_int_equal(entry(s, 0).table, MMU_TABLE_HUGE);
	for (unsigned long k = 1; !child && k < 20; k++) {
		alloc_fail_at = k;
		child = space_fork(s);
		alloc_fail_at = 0;
		check_sound();
		expect_bytes(s, 0, REACH);
	}
	assert_non_null(child);
}

static const struct CMUnitTest tests[] = {
#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	TABLE_TEST(fork_shares_full_tables),
	TABLE_TEST(a_write_copies_one_table_and_one_page),
	TABLE_TEST(a_table_that_is_alone_again_is_writable_as_a_whole),
	TABLE_TEST(a_change_for_reading_copies_the_table_too),
	TABLE_TEST(three_generations_share_one_table),
	TABLE_TEST(sparse_tables_are_copied),
	TABLE_TEST(a_table_with_pages_of_an_object_is_copied),
	TABLE_TEST(the_room_beside_a_region_hinders_nothing),
	TABLE_TEST(fork_that_copies_shares_nothing),
	TABLE_TEST(unmapping_below_a_shared_table),
	TABLE_TEST(protecting_below_a_shared_table),
	TABLE_TEST(discarding_and_moving_below_a_shared_table),
	TABLE_TEST(growing_and_shrinking_onto_a_shared_table),
	TABLE_TEST(moving_onto_a_shared_table),
	TABLE_TEST(no_memory_for_the_copy_of_a_table),
	TABLE_TEST(one_fault_serves_a_huge_page),
	TABLE_TEST(a_huge_page_that_others_have_is_seen),
	TABLE_TEST(what_was_only_read_becomes_huge),
	TABLE_TEST(huge_pages_only_where_they_fit_and_are_wanted),
	TABLE_TEST(without_a_block_small_pages_do),
	TABLE_TEST(a_huge_page_without_a_table_above_it),
	TABLE_TEST(unmapping_a_part_breaks_it),
	TABLE_TEST(unmapping_all_gives_the_block_back),
	TABLE_TEST(protecting_keeps_it_whole_or_breaks_it),
	TABLE_TEST(a_huge_page_without_rights_is_broken_as_well),
	TABLE_TEST(fork_breaks_and_shares_it),
	TABLE_TEST(moving_breaks_it),
	TABLE_TEST(no_memory_to_break_it),
};
RUN_TESTS("tables", tests)
