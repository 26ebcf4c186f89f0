/* tests/host/test_madvise.c - vm/madvise.c: what advice does to pages, what mincore says of them, and the errors, as Linux has them. */
#include <string.h>
#include "harness.h"
#include "vm/frame.h"
#include "vm/object.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct census before;
static struct space *s;

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 8 * MIB } }, .image = { 0x100000, 0x140000 } });
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

static int advise(unsigned n, size_t npages, int advice)
{
	return vm_madvise(s, page(n), npages * PAGE_SIZE, advice, NULL);
}

/* mincore of n pages, as a word of 0 and 1. */
static const char *in_core(unsigned from, size_t n)
{
	static char word[64];
	unsigned char byte[64];

	memset(word, 0, sizeof word);
	assert_int_equal(vm_mincore(s, page(from), n, byte), n);
	for (size_t i = 0; i < n; i++)
		word[i] = (char)('0' + byte[i]);
	return word;
}

TEST(arguments)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	assert_int_equal(advise(0, 1, 12345), -EINVAL);
	assert_int_equal(advise(0, 1, -1), -EINVAL);
	assert_int_equal(vm_madvise(s, page(0) + 1, PAGE_SIZE, MADV_DONTNEED, NULL), -EINVAL);
	assert_int_equal(vm_madvise(s, page(0), (size_t)-1, MADV_DONTNEED, NULL), -EINVAL);
	assert_int_equal(vm_madvise(s, page(0), -page(0) + PAGE_SIZE, MADV_DONTNEED, NULL), -EINVAL);	/* wraps around */
	assert_int_equal(vm_madvise(s, page(0), USER_MAX, MADV_DONTNEED, NULL), -ENOMEM);
	assert_int_equal(advise(100, 0, MADV_DONTNEED), 0);
	assert_int_equal(vm_madvise(s, page(0) + 1, 0, MADV_DONTNEED, NULL), -EINVAL);
	assert_int_equal(advise(100, 0, 12345), -EINVAL);
	finish();
}

TEST(discarded_pages_read_as_new)
{
	(void)state;
	size_t frames = frame_free_count();
	map(s, page(0), 4, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 4; i++)
		write_byte(s, page(i), 7);
	assert_int_equal(vm_madvise(s, page(1), PAGE_SIZE + 1, MADV_DONTNEED, NULL), 0);	/* rounded up: two pages */
	assert_string_equal(in_core(0, 4), "1001");
	sim_faults_clear();
	assert_int_equal(read_byte(s, page(1)), 0);
	EXPECT_FAULT(FAULT_ZERO_READ);
	assert_int_equal(read_byte(s, page(0)), 7);
	assert_int_equal(read_byte(s, page(3)), 7);
	assert_int_equal(advise(0, 4, MADV_FREE), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(read_byte(s, page(i)), 0);
	assert_true(frame_free_count() < frames);
	finish();
}

TEST(discarding_keeps_what_an_object_holds)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	map_file(s, page(0), 4, RW, MAP_PRIVATE, &f, 0);
	map(s, page(4), 2, RW, MAP_SHARED);
	write_byte(s, page(0), 99);
	write_byte(s, page(4), 5);
	assert_int_equal(advise(0, 6, MADV_DONTNEED), 0);
	assert_int_equal(read_byte(s, page(0)), file_byte(0));		/* the copy is gone, the file is not */
	assert_int_equal(read_byte(s, page(4)), 5);
	assert_int_equal(f.reads, 1);
	assert_int_equal(advise(0, 1, MADV_FREE), -EINVAL);
	assert_int_equal(advise(4, 1, MADV_FREE), -EINVAL);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(holes_are_told_once_the_rest_is_done)
{
	(void)state;
	map(s, page(0), 1, RW, MAP_PRIVATE);
	map(s, page(2), 2, RW, MAP_PRIVATE);
	write_byte(s, page(0), 1);
	write_byte(s, page(2), 1);
	write_byte(s, page(3), 1);
	assert_int_equal(advise(0, 3, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(read_byte(s, page(0)), 0);
	assert_int_equal(read_byte(s, page(2)), 0);
	assert_int_equal(read_byte(s, page(3)), 1);			/* beyond the range */
	assert_int_equal(advise(1, 1, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(advise(1, 3, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(read_byte(s, page(3)), 0);
	assert_int_equal(advise(2, 3, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(advise(2, 2, MADV_DONTNEED), 0);
	finish();
}

TEST(read_ahead)
{
	(void)state;
	struct test_file f;
	file_create(&f, 8 * PAGE_SIZE);
	map_file(s, page(0), 8, VM_READ, MAP_PRIVATE, &f, 0);
	assert_int_equal(advise(1, 5, MADV_WILLNEED), 0);
	assert_int_equal(f.reads, 5);
	assert_int_equal(space_resident(s), 0);
	sim_faults_clear();
	for (unsigned i = 1; i < 6; i++)
		assert_int_equal(read_byte(s, page(i)), file_byte(i * PAGE_SIZE));
	assert_int_equal(sim_faults.count[FAULT_FILE_MAJOR], 0);
	f.error = -EIO;
	assert_int_equal(advise(0, 8, MADV_WILLNEED), 0);		/* what cannot be read is met by the touch */
	assert_int_equal(f.reads, 6);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(hints_change_nothing)
{
	static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP };
	(void)state;
	map(s, page(0), 2, RW, MAP_PRIVATE);
	write_byte(s, page(0), 3);
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		assert_int_equal(advise(0, 2, hints[i]), 0);
		assert_int_equal(advise(1, 2, hints[i]), -ENOMEM);
	}
	assert_int_equal(read_byte(s, page(0)), 3);
	finish();
}

TEST(populating_is_touching)
{
	(void)state;
	struct fault_stats who = { .neighbours = 0 };
	map(s, page(0), 3, RW, MAP_PRIVATE);
	map(s, page(3), 1, VM_READ, MAP_PRIVATE);
	map(s, page(5), 1, 0, MAP_PRIVATE);
	assert_int_equal(vm_madvise(s, page(0), 2 * PAGE_SIZE, MADV_POPULATE_READ, &who), 0);
	assert_int_equal(who.count[FAULT_ZERO_READ], 2);
	assert_int_equal(vm_madvise(s, page(0), 3 * PAGE_SIZE, MADV_POPULATE_WRITE, &who), 0);
	assert_int_equal(who.count[FAULT_ZERO_UPGRADE], 2);
	assert_int_equal(who.count[FAULT_DEMAND_ZERO], 1);
	assert_int_equal(who.flags[FAULT_FLAG_KERNEL], 5);
	assert_int_equal(vm_madvise(s, page(0), 3 * PAGE_SIZE, MADV_POPULATE_READ, &who), 0);
	assert_int_equal(vm_madvise(s, page(0), 3 * PAGE_SIZE, MADV_POPULATE_WRITE, &who), 0);
	assert_int_equal(who.flags[FAULT_FLAG_KERNEL], 5);		/* nothing was left to do */
	assert_int_equal(vm_madvise(s, page(3), PAGE_SIZE, MADV_POPULATE_READ, &who), 0);
	assert_int_equal(vm_madvise(s, page(3), PAGE_SIZE, MADV_POPULATE_READ, &who), 0);	/* read-only is enough for that */
	assert_int_equal(who.flags[FAULT_FLAG_KERNEL], 6);
	write_byte(s, page(2), 9);
	EXPECT_NO_FAULTS();
	assert_int_equal(advise(3, 1, MADV_POPULATE_WRITE), -EINVAL);	/* no right */
	assert_int_equal(advise(5, 1, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(advise(3, 2, MADV_POPULATE_READ), -ENOMEM);	/* a hole */
	finish();
}

TEST(populating_a_file)
{
	(void)state;
	struct test_file f;
	file_create(&f, 2 * PAGE_SIZE);
	map_file(s, page(0), 4, RW, MAP_PRIVATE, &f, 0);
	assert_int_equal(advise(0, 2, MADV_POPULATE_READ), 0);
	assert_int_equal(f.reads, 2);
	assert_int_equal(advise(0, 3, MADV_POPULATE_READ), -EFAULT);	/* beyond the end */
	assert_int_equal(advise(0, 2, MADV_POPULATE_WRITE), 0);
	assert_int_equal(f.reads, 2);
	write_byte(s, page(1), 1);
	assert_int_equal(s->mmu.resident, 2);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(mincore_knows_the_cache)
{
	(void)state;
	struct test_file read, image;
	unsigned char byte[8];
	pfn_t frame = PFN_NONE;
	file_create(&read, 4 * PAGE_SIZE);
	file_create_in_image(&image, 2 * PAGE_SIZE, IMAGE);
	map_file(s, page(0), 4, VM_READ, MAP_PRIVATE, &read, 0);
	map_file(s, page(4), 4, VM_READ, MAP_PRIVATE, &image, 0);
	map(s, page(8), 2, RW, MAP_PRIVATE);
	assert_string_equal(in_core(0, 10), "0000110000");		/* what lies in the image is in memory already, as far as it goes */
	read_byte(s, page(1));
	write_byte(s, page(9), 1);
	assert_string_equal(in_core(0, 10), "0100110001");
	assert_int_equal(advise(0, 4, MADV_DONTNEED), 0);
	assert_string_equal(in_core(0, 4), "0100");			/* not mapped any more, but cached */
	spin_lock(&read.object->lock);
	object_peek(read.object, 1000, &frame);
	spin_unlock(&read.object->lock);
	assert_int_equal(frame, PFN_NONE);
	assert_int_equal(vm_mincore(s, page(8), 3, byte), 2);
	assert_int_equal(vm_mincore(s, page(20), 1, byte), -ENOMEM);
	assert_int_equal(read.reads, 1);
	drop_space(s);
	file_drop(&read);
	file_drop(&image);
	census_check(&before);
}

TEST(msync_judges_the_range)
{
	(void)state;
	map(s, page(0), 2, RW, MAP_SHARED);
	assert_int_equal(vm_msync(s, page(0), 2 * PAGE_SIZE, MS_SYNC), 0);
	assert_int_equal(vm_msync(s, page(0), 0, MS_SYNC), 0);
	assert_int_equal(vm_msync(s, page(50), 0, MS_SYNC), 0);
	assert_int_equal(vm_msync(s, page(1), 2 * PAGE_SIZE, MS_SYNC), -ENOMEM);
	assert_int_equal(vm_msync(s, page(0), USER_MAX, MS_SYNC), -ENOMEM);
	finish();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(arguments, setup),
	cmocka_unit_test_setup(discarded_pages_read_as_new, setup),
	cmocka_unit_test_setup(discarding_keeps_what_an_object_holds, setup),
	cmocka_unit_test_setup(holes_are_told_once_the_rest_is_done, setup),
	cmocka_unit_test_setup(read_ahead, setup),
	cmocka_unit_test_setup(hints_change_nothing, setup),
	cmocka_unit_test_setup(populating_is_touching, setup),
	cmocka_unit_test_setup(populating_a_file, setup),
	cmocka_unit_test_setup(mincore_knows_the_cache, setup),
	cmocka_unit_test_setup(msync_judges_the_range, setup),
};
RUN_TESTS("madvise", tests)
