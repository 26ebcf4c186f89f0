/* tests/host/test_remap.c - vm/remap.c: mremap shrinks, grows, moves; its errors in Linux's order. */
#include "harness.h"
#include "vm/frame.h"
#include "vm/object.h"
#include "vm/range.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE, MOVE = MREMAP_MAYMOVE, FIXED = MREMAP_MAYMOVE | MREMAP_FIXED,
	KEEP = MREMAP_MAYMOVE | MREMAP_DONTUNMAP };
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

static void finish(void)
{
	check_sound();
	drop_space(s);
	census_check(&before);
}

static vaddr_t page(unsigned n) { return A + n * PAGE_SIZE; }

static ssize remap(unsigned from, size_t old, size_t new, unsigned flags, unsigned to)
{
	return (ssize)vm_mremap(s, page(from), old * PAGE_SIZE, new * PAGE_SIZE, flags, page(to));
}

/* Anonymous pages [from, from + n), page i with the byte i. */
static void map_written(unsigned from, unsigned n)
{
	map(s, page(from), n, RW, MAP_PRIVATE);
	for (unsigned i = from; i < from + n; i++)
		write_byte(s, page(i), (uint8_t)i);
	sim_faults_clear();
}

static void expect_byte(unsigned at, unsigned value)
{
	assert_int_equal(read_byte(s, page(at)), value);
}

static void expect_hole(unsigned at)
{
	uint8_t byte;
	assert_int_equal(sim_read_byte(s, page(at), &byte), FAULT_SIGNAL_SEGV_MAPERR);
}

TEST(arguments)
{
	(void)state;
	map_written(0, 4);
	assert_int_equal(remap(0, 1, 2, 8, 0), -EINVAL);
	assert_int_equal(remap(0, 1, 1, MREMAP_FIXED, 10), -EINVAL);
	assert_int_equal(remap(0, 1, 1, MREMAP_DONTUNMAP, 0), -EINVAL);
	assert_int_equal(remap(0, 1, 2, KEEP, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0) + 1, PAGE_SIZE, PAGE_SIZE, MOVE, 0), -EINVAL);
	assert_int_equal(remap(0, 1, 0, MOVE, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, (size_t)-1, MOVE, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), (size_t)-1, PAGE_SIZE, MOVE, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, USER_MAX, MOVE, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, USER_MAX, PAGE_SIZE, PAGE_SIZE, MOVE, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, PAGE_SIZE, FIXED, page(9) + 1), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, PAGE_SIZE, FIXED, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, PAGE_SIZE, FIXED, USER_MAX), -EINVAL);
	assert_int_equal(remap(0, 2, 2, FIXED, 1), -EINVAL);		/* the ranges overlap */
	assert_int_equal(remap(1, 1, 2, FIXED, 0), -EINVAL);
	assert_int_equal(remap(1, 1, 1, FIXED, 0), page(0));		/* they touch */
	assert_int_equal(remap(20, 1, 1, MOVE, 0), -EFAULT);
	assert_int_equal(remap(2, 0, 1, MOVE, 0), -EINVAL);		/* a second mapping of private memory */
	assert_int_equal(remap(2, 3, 4, MOVE, 0), -EFAULT);		/* more than the mapping is to grow */
	assert_int_equal(remap(2, 4, 3, FIXED, 30), -EFAULT);		/* or to move */
	assert_int_equal(remap(2, 3, 3, MOVE, 0), page(2));		/* a size that stays is always right */
	assert_int_equal(remap(2, 3, 2, FIXED, 30), page(30));		/* what is cut off need not be mapped */
	finish();
}

TEST(shrinking)
{
	(void)state;
	map_written(0, 4);
	assert_int_equal(remap(0, 4, 2, 0, 0), page(0));
	expect_byte(1, 1);
	expect_hole(2);
	assert_int_equal(s->mapped, 2);
	assert_int_equal(remap(0, 2, 2, 0, 0), page(0));
	assert_int_equal(remap(0, 2, 1, MOVE, 0), page(0));
	assert_int_equal(s->mapped, 1);
	/* What would be cut off reaches beyond user memory: nothing is. */
	assert_int_equal((ssize)vm_mremap(s, page(0), USER_MAX, PAGE_SIZE, 0, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), USER_MAX - page(0) + PAGE_SIZE, PAGE_SIZE, 0, 0), -EINVAL);
	assert_int_equal((ssize)vm_mremap(s, page(0), USER_MAX, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, USER_MIN), -EINVAL);
	finish();
}

TEST(growing_in_place)
{
	(void)state;
	map_written(0, 2);
	assert_int_equal(remap(0, 2, 4, 0, 0), page(0));
	expect_byte(1, 1);
	write_byte(s, page(3), 3);
	assert_int_equal(s->mapped, 4);
	map(s, page(6), 1, RW, MAP_PRIVATE);
	assert_int_equal(remap(0, 4, 7, 0, 0), -ENOMEM);
	assert_int_equal(remap(0, 4, 6, 0, 0), page(0));		/* up to its neighbour, and they are one */
	assert_int_equal(s->regions.count, 1);
	assert_int_equal(remap(1, 2, 3, 0, 0), -ENOMEM);		/* not at the end of its region */
	finish();
}

TEST(moving)
{
	(void)state;
	map_written(0, 4);
	map(s, page(4), 1, VM_READ, MAP_PRIVATE);
	vaddr_t at = vm_mremap(s, page(1), 3 * PAGE_SIZE, 5 * PAGE_SIZE, MOVE, 0);
	assert_true(at >= page(6));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(read_byte(s, at + i * PAGE_SIZE), i + 1);
	EXPECT_NO_FAULTS();						/* entries were moved, not pages copied */
	assert_int_equal(read_byte(s, at + 4 * PAGE_SIZE), 0);
	expect_byte(0, 0);
	expect_hole(1);
	expect_hole(3);
	assert_int_equal(s->mapped, 1 + 1 + 5);
	finish();
}

TEST(moving_to_a_fixed_place)
{
	(void)state;
	map_written(0, 4);
	map_written(10, 6);
	assert_int_equal(remap(0, 4, 2, FIXED, 12), page(12));		/* shrinks and replaces the middle */
	expect_byte(11, 11);
	expect_byte(12, 0);
	expect_byte(13, 1);
	expect_byte(14, 14);
	expect_hole(0);
	expect_hole(3);
	assert_int_equal(s->mapped, 6);
	assert_int_equal(s->mmu.resident, 6);
	finish();
}

TEST(the_old_place_stays_empty)
{
	(void)state;
	map_written(0, 2);
	assert_int_equal(remap(0, 2, 2, KEEP | MREMAP_FIXED, 8), page(8));
	expect_byte(8, 0);
	expect_byte(9, 1);
	EXPECT_NO_FAULTS();
	expect_byte(1, 0);
	EXPECT_FAULT(FAULT_ZERO_READ);
	assert_int_equal(s->mapped, 4);
	finish();
}

TEST(shared_memory_a_second_time)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_SHARED);
	write_byte(s, page(3), 77);
	assert_int_equal(remap(2, 0, 2, MOVE | MREMAP_FIXED, 8), page(8));
	expect_byte(9, 77);
	write_byte(s, page(9), 78);
	expect_byte(3, 78);
	assert_int_equal(remap(0, 0, 2, 0, 0), -ENOMEM);		/* it cannot be where it is */
	assert_int_equal(region_find(&s->regions, page(0))->object->refs, 2);
	finish();
}

TEST(a_piece_of_a_file_keeps_its_place)
{
	(void)state;
	struct test_file f;
	file_create(&f, 8 * PAGE_SIZE);
	map_file(s, page(0), 6, RW, MAP_PRIVATE, &f, 1);
	assert_int_equal(remap(2, 2, 3, FIXED, 20), page(20));
	for (unsigned i = 0; i < 3; i++)
		expect_byte(20 + i, file_byte((3 + i) * PAGE_SIZE));
	expect_byte(4, file_byte(5 * PAGE_SIZE));
	assert_int_equal(f.object->refs, 4);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(a_stack_above_keeps_its_gap)
{
	(void)state;
	const unsigned gap = STACK_GUARD / PAGE_SIZE;
	map_written(0, 2);
	map(s, page(gap + 4), 2, RW, MAP_PRIVATE | MAP_GROWSDOWN);
	assert_int_equal(remap(0, 2, 5, 0, 0), -ENOMEM);
	assert_int_equal(remap(0, 2, 4, 0, 0), page(0));
	finish();
}

TEST(the_new_place_may_be_hinted_when_the_old_one_stays)
{
	(void)state;
	map_written(0, 2);
	uint8_t first = read_byte(s, page(0));
	assert_int_equal(remap(0, 2, 2, KEEP, 40), page(40));
	expect_byte(40, first);
	assert_int_equal(remap(40, 2, 2, MOVE, 50), page(40));		/* what may stay does, whatever lies in the argument */
	finish();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(arguments, setup),
	cmocka_unit_test_setup(shrinking, setup),
	cmocka_unit_test_setup(growing_in_place, setup),
	cmocka_unit_test_setup(moving, setup),
	cmocka_unit_test_setup(moving_to_a_fixed_place, setup),
	cmocka_unit_test_setup(the_old_place_stays_empty, setup),
	cmocka_unit_test_setup(shared_memory_a_second_time, setup),
	cmocka_unit_test_setup(a_piece_of_a_file_keeps_its_place, setup),
	cmocka_unit_test_setup(a_stack_above_keeps_its_gap, setup),
	cmocka_unit_test_setup(the_new_place_may_be_hinted_when_the_old_one_stays, setup),
};
RUN_TESTS("remap", tests)
