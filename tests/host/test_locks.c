/*
 * tests/host/test_locks.c - locks that one processor could do without: what they protect is read or changed at one moment.  Nothing else would tell that a call
 * has forgotten its lock; a second processor would.  So the times that a lock is taken are counted.
 */
#include "harness.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/kspace.h"
#include "vm/object.h"
#include "vm/uio.h"

/* The call takes locks of this name n times. */
#define EXPECT_LOCKS(name, n, call) do { sim_locks_taken(name); call; assert_int_equal(sim_locks_taken(name), (n)); } while (0)

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;
static struct census before;
static struct space *s;

static int setup(void **state)
{
	(void)state;
	sim_boot(8 * MIB);
	before = census_take();
	s = new_space();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drop_space(s);
	census_check(&before);
	return 0;
}

TEST(counts_are_of_one_moment)
{
	(void)state;
	struct heap_stats heap;
	struct kspace_stats kspace;
	EXPECT_LOCKS("heap", 1, heap_get_stats(&heap));
	EXPECT_LOCKS("kspace", 1, kspace_get_stats(&kspace));
}

TEST(large_blocks_are_counted)
{
	(void)state;
	void *block = NULL;
	EXPECT_LOCKS("heap objects at hand", 1, block = kmalloc(3 * PAGE_SIZE));
	assert_non_null(block);
	EXPECT_LOCKS("heap objects at hand", 1, kfree(block));
}

TEST(an_object_is_used)
{
	(void)state;
	struct test_file f;
	struct page_record *r;
	uint8_t bytes[10];
	file_create(&f, PAGE_SIZE);
	assert_int_equal(object_pin(f.object, 0, &r), 0);
	EXPECT_LOCKS("object", 1, object_unpin(f.object, r));
	struct uio to = uio_kernel(bytes, sizeof bytes);
	EXPECT_LOCKS("object", 2, object_read(f.object, &to, 0));		/* to pin the page, and to unpin it */
	EXPECT_LOCKS("object", 3, map_file(s, A, 1, VM_READ, MAP_SHARED, &f, 0));	/* sealed?  In the list; no more on its way */
	EXPECT_LOCKS("object", 4, vm_truncate(f.object, PAGE_SIZE));	/* the size; the space that has it; that no other has; the index */
	EXPECT_LOCKS("object", 1, vm_munmap(s, A, PAGE_SIZE));
	file_drop(&f);
}

TEST(a_space_is_looked_at)
{
	(void)state;
	struct region_info info;
	map(s, A, 2, RW, MAP_SHARED);
	write_byte(s, A, 1);
	EXPECT_LOCKS("space", 1, vm_region_info(s, A, &info));
	EXPECT_LOCKS("object", 1, vm_region_info(s, A, &info));		/* for its name */
	EXPECT_LOCKS("space", 1, vm_touch(s, A, A + PAGE_SIZE, FAULT_READ, NULL));
	EXPECT_LOCKS("space", 2, vm_populate(s, A, A + PAGE_SIZE, POPULATE_MAPPED, NULL));	/* for the region, and for the page */
	assert_true(space_may_fork(s));
	EXPECT_LOCKS("space", 1, space_may_fork(s));
	EXPECT_LOCKS("space", 1, vm_set_brk(s, A + 4 * PAGE_SIZE));
}

static const struct CMUnitTest tests[] = {
#define LOCKS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	LOCKS_TEST(counts_are_of_one_moment),
	LOCKS_TEST(large_blocks_are_counted),
	LOCKS_TEST(an_object_is_used),
	LOCKS_TEST(a_space_is_looked_at),
};
RUN_TESTS("locks", tests)
