/* tests/host/test_physmap.c - vm/physmap.c: what a boot loader may say of memory, true or not. */
#include "harness.h"
#include "vm/physmap.h"

enum { MIB = 1 << 20 };

static void assert_ranges(const struct phys_range *r, size_t n, const struct phys_range *expected, size_t nexpected)
{
	assert_int_equal(n, nexpected);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(r[i].start, expected[i].start);
		assert_int_equal(r[i].end, expected[i].end);
	}
}

#define ASSERT_RAM(...) do { \
	const struct phys_range expected[] = { __VA_ARGS__ }; size_t n; \
	const struct phys_range *r = physmap_ram(&n); \
	assert_ranges(r, n, expected, sizeof expected / sizeof *expected); } while (0)
#define ASSERT_FREE(...) do { \
	const struct phys_range expected[] = { __VA_ARGS__ }; size_t n; \
	const struct phys_range *r = physmap_free(&n); \
	assert_ranges(r, n, expected, sizeof expected / sizeof *expected); } while (0)

TEST(unsorted_ranges_are_sorted_and_joined)
{
	(void)state;
	physmap_usable(0x30000, 0x40000);
	physmap_usable(0x10000, 0x20000);
	physmap_usable(0x20000, 0x30000);
	physmap_usable(0x50000, 0x60000);
	ASSERT_RAM({ 0x10, 0x40 }, { 0x50, 0x60 });
}

TEST(overlaps_count_once)
{
	(void)state;
	physmap_usable(0x10000, 0x30000);
	physmap_usable(0x20000, 0x50000);
	physmap_usable(0x12000, 0x13000);
	physmap_usable(0x10000, 0x30000);
	ASSERT_RAM({ 0x10, 0x50 });
	physmap_usable(0x60000, 0x70000);
	physmap_usable(0x80000, 0x90000);
	physmap_usable(0x0, 0x100000);		/* swallows them all */
	ASSERT_RAM({ 0, 0x100 });
}

TEST(usable_is_shrunk_to_pages_and_reserved_is_grown)
{
	(void)state;
	physmap_usable(0x10001, 0x20fff);
	ASSERT_RAM({ 0x11, 0x20 });
	physmap_usable(0x30fff, 0x31001);	/* not one whole page */
	physmap_usable(0x40800, 0x40900);
	ASSERT_RAM({ 0x11, 0x20 });
	physmap_reserve(0x13fff, 0x14001);
	ASSERT_FREE({ 0x11, 0x13 }, { 0x15, 0x20 });
	ASSERT_RAM({ 0x11, 0x20 });
	physmap_reserve(0x18000, 0x18000);	/* empty */
	physmap_reserve(0x19000, 0x18000);	/* backwards */
	ASSERT_FREE({ 0x11, 0x13 }, { 0x15, 0x20 });
}

TEST(ranges_that_wrap_around_are_ignored)
{
	(void)state;
	physmap_usable(~(paddr_t)0 - 100, 50);
	physmap_usable(0x20000, 0x10000);
	physmap_usable(~(paddr_t)0 - 10, ~(paddr_t)0);
	size_t n;
	physmap_ram(&n);
	assert_int_equal(n, 0);
}

TEST(a_range_at_one_tebibyte)
{
	(void)state;
	physmap_usable(0, 64 * MIB);
	physmap_usable((paddr_t)1 << 40, ((paddr_t)1 << 40) + MIB);
	physmap_remove(0xfd00000000, 0x10000000000);
	ASSERT_RAM({ 0, 0x4000 }, { 0x10000000, 0x10000100 });
	physmap_remove((paddr_t)1 << 39, ~(paddr_t)0);
	ASSERT_RAM({ 0, 0x4000 });
	ASSERT_FREE({ 0, 0x4000 });
}

TEST(remove_and_reserve_cut_at_every_edge)
{
	(void)state;
	physmap_usable(0x10000, 0x20000);
	physmap_usable(0x30000, 0x40000);
	physmap_usable(0x50000, 0x60000);
	physmap_remove(0x18000, 0x58000);
	ASSERT_RAM({ 0x10, 0x18 }, { 0x58, 0x60 });
	physmap_reserve(0x10000, 0x12000);
	physmap_reserve(0x16000, 0x18000);
	physmap_reserve(0x58000, 0x60000);
	ASSERT_FREE({ 0x12, 0x16 });
	physmap_remove(0, 0x100000);
	size_t n;
	physmap_free(&n);
	assert_int_equal(n, 0);
}

TEST(more_pieces_than_room_forgets_the_smallest)
{
	(void)state;
	for (paddr_t i = 0; i < 3 * PHYSMAP_MAX; i++)
		physmap_usable(i * 0x10000, i * 0x10000 + (i % 7 + 1) * PAGE_SIZE);
	size_t n, frames = 0, told = 0;
	const struct phys_range *r = physmap_ram(&n);
	assert_true(n <= PHYSMAP_MAX);
	for (size_t i = 0; i < n; i++) {
		frames += r[i].end - r[i].start;
		assert_true(r[i].start < r[i].end && (i == 0 || r[i - 1].end < r[i].start));
		assert_true(r[i].end - r[i].start >= 3);	/* the small ones went */
	}
	for (size_t i = 0; i < 3 * PHYSMAP_MAX; i++)
		told += i % 7 + 1;
	assert_true(frames < told);
	assert_true(physmap_forgotten() > 0);
	/* A hole made in a full array must not write beyond it. */
	for (pfn_t i = 0; i < 3 * PHYSMAP_MAX; i++)
		physmap_reserve((i << 16) + PAGE_SIZE, (i << 16) + 2 * PAGE_SIZE);
	physmap_free(&n);
	assert_true(n <= PHYSMAP_MAX);
}

TEST(boot_alloc_takes_from_the_top_below_4_gib)
{
	(void)state;
	physmap_usable(0, 32 * MIB);
	physmap_usable(0xfff00000, 0x100100000);
	assert_int_equal(boot_alloc(1), 0xfffff);
	assert_int_equal(boot_alloc(0xff), 0xfff00);
	assert_int_equal(boot_alloc(1), 0x1fff);	/* nothing is left right below 4 GiB */
	assert_int_equal(boot_alloc(0x2000), PFN_NONE);
	ASSERT_FREE({ 0, 0x1fff }, { 0x100000, 0x100100 });
	ASSERT_RAM({ 0, 0x2000 }, { 0xfff00, 0x100100 });
}

TEST(against_a_bitmap)
{
	enum { FRAMES = 300, RUNS = 300 };
	static bool ram[FRAMES], avail[FRAMES];

	(void)state;
	srand(1);
	for (int run = 0; run < RUNS; run++) {
		physmap_reset();
		memset(ram, 0, sizeof ram);
		memset(avail, 0, sizeof avail);
		for (int i = 0; i < 20; i++) {
			pfn_t a = (pfn_t)rand() % FRAMES, b = a + (pfn_t)rand() % 40;
			if (b > FRAMES)
				b = FRAMES;
			int what = rand() % 4;
			if (what <= 1)
				physmap_usable(paddr_of(a), paddr_of(b));
			else if (what == 2)
				physmap_reserve(paddr_of(a), paddr_of(b));
			else
				physmap_remove(paddr_of(a), paddr_of(b));
			for (pfn_t p = a; p < b; p++) {
				ram[p] = what <= 1 || (ram[p] && what == 2);
				avail[p] = what <= 1;
			}
		}
		for (int set = 0; set < 2; set++) {
			size_t n, k = 0;
			const struct phys_range *r = set ? physmap_free(&n) : physmap_ram(&n);
			for (pfn_t p = 0; p < FRAMES; p++) {
				while (k < n && r[k].end <= p)
					k++;
				assert_int_equal(k < n && p >= r[k].start, (set ? avail : ram)[p]);
			}
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(unsorted_ranges_are_sorted_and_joined),
	cmocka_unit_test(overlaps_count_once),
	cmocka_unit_test(usable_is_shrunk_to_pages_and_reserved_is_grown),
	cmocka_unit_test(ranges_that_wrap_around_are_ignored),
	cmocka_unit_test(a_range_at_one_tebibyte),
	cmocka_unit_test(remove_and_reserve_cut_at_every_edge),
	cmocka_unit_test(more_pieces_than_room_forgets_the_smallest),
	cmocka_unit_test(boot_alloc_takes_from_the_top_below_4_gib),
	cmocka_unit_test(against_a_bitmap),
};
RUN_TESTS("physmap", tests)
