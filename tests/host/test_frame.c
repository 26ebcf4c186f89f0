/* tests/host/test_frame.c - vm/frame.c: blocks split and merge, words say what is true after each step, zones are taken in order. */
#include "harness.h"
#include "vm/frame.h"
#include "vm/physmap.h"

enum { MIB = 1 << 20 };
static const page_word BLOCK = PAGE_KERNEL;		/* order 0, USE_BLOCK */

static void start(const struct sim_config *config)
{
	sim_machine(config);
	frame_init();
}

/* With all frames in the zones. */
static struct frame_stats stats(void)
{
	struct frame_stats s;
	frame_drain();
	frame_get_stats(&s);
	return s;
}

/* Every frame's word, and every list of free blocks, say the same; free blocks are aligned, and no two buddies are both free. */
__attribute__((no_sanitize("address")))	/* it looks at free lists without the lock */
static void check_words(void)
{
	struct frame_stats s = stats();
	size_t free_by_word = 0, free_by_count = 0, n;
	size_t blocks[FRAME_MAX_ORDER + 1] = { 0 };
	const struct phys_range *ram = physmap_ram(&n);

	for (size_t i = 0; i < n; i++)
		for (pfn_t pfn = ram[i].start; pfn < ram[i].end; pfn++) {
			if (page_type(pages[pfn]) != PAGE_FREE)
				continue;
			unsigned order = page_order(pages[pfn]);
			pfn_t size = (pfn_t)1 << order;
			assert_true(order <= FRAME_MAX_ORDER && pfn % size == 0 && pfn + size <= ram[i].end);
			for (pfn_t part = pfn + 1; part < pfn + size; part++)
				assert_int_equal(pages[part], page_make(PAGE_PART, 0));
			if (order < FRAME_MAX_ORDER)
				assert_int_not_equal(pages[pfn ^ size], page_make(PAGE_FREE, order));
			free_by_word += size;
			blocks[order]++;
		}
	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) {
		size_t in_lists = 0, counted = 0;
		for (int z = 0; z < ZONES; z++) {
			counted += s.free_blocks[z][order];
			for (unsigned part = 0; part < FRAME_PARTS; part++)
				list_for_each(pos, frame_free_list(z, part, order)) {
					assert_int_equal(pages[direct_pfn(pos)], page_make(PAGE_FREE, order));
					in_lists++;
				}
		}
		assert_int_equal(counted, blocks[order]);
		assert_int_equal(in_lists, blocks[order]);
		free_by_count += counted << order;
	}
	assert_int_equal(free_by_word, s.free);
	assert_int_equal(free_by_count, s.free);
	assert_int_equal(frame_free_count(), s.free);
}

TEST(all_that_is_left_is_managed)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 4 * MIB } } });
	/* 1024 frames, less the root of kernel_mmu and two pages of words (two blocks of 512). */
	assert_int_equal(stats().managed, 1024 - 1 - 2);
	assert_int_equal(stats().free, stats().managed);
	assert_int_equal(page_array_bytes, 2 * PAGE_SIZE);
	check_words();
}

TEST(split_and_merge_word_by_word)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 4 * MIB } } });
	struct frame_stats before = stats();
	pfn_t a = frame_alloc(0, BLOCK, FRAME_KERNEL), b = frame_alloc(0, BLOCK, FRAME_KERNEL);
	pfn_t c = frame_alloc(3, page_kernel(3, USE_BLOCK), FRAME_KERNEL);

	check_words();
	assert_int_equal(pages[a], BLOCK);
	assert_int_equal(pages[b], BLOCK);
	assert_int_equal(pages[c], page_kernel(3, USE_BLOCK));
	assert_int_equal(c % 8, 0);
	for (int i = 1; i < 8; i++)
		assert_int_equal(pages[c + i], page_make(PAGE_PART, 0));
	assert_int_equal(stats().free, before.free - 10);
	frame_free(a, 0);
	check_words();
	frame_free(c, 3);
	check_words();
	frame_free(b, 0);
	check_words();
	struct frame_stats after = stats();
	assert_memory_equal(&before, &after, sizeof before);
}

TEST(a_largest_block_is_split_to_a_frame_and_comes_back)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 2 * MIB }, { 4 * MIB, 6 * MIB } } });
	/* boot_alloc took from the upper piece: the lower is one block of order 9. */
	struct frame_stats before = stats();
	assert_int_equal(before.free_blocks[ZONE_DMA][FRAME_MAX_ORDER], 1);
	pfn_t whole = frame_alloc(FRAME_MAX_ORDER, page_kernel(FRAME_MAX_ORDER, USE_BLOCK), FRAME_KERNEL);
	assert_int_equal(whole, 0);
	assert_int_equal(frame_alloc(FRAME_MAX_ORDER, BLOCK, FRAME_KERNEL), PFN_NONE);
	frame_free(whole, FRAME_MAX_ORDER);
	check_words();

	static pfn_t all[2048];
	size_t n = 0;
	while ((all[n] = frame_alloc(0, BLOCK, FRAME_USER)) != PFN_NONE)
		n++;
	assert_int_equal(n, before.free - before.reserve);
	check_words();
	for (size_t i = 0; i < n; i += 2)	/* every second one first: nothing can merge yet */
		frame_free(all[i], 0);
	check_words();
	for (size_t i = 1; i < n; i += 2)
		frame_free(all[i], 0);
	check_words();
	struct frame_stats after = stats();
	assert_memory_equal(before.free_blocks, after.free_blocks, sizeof before.free_blocks);
}

TEST(zones_highest_first_dma_last)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 8 * MIB, 18 * MIB }, { (paddr_t)4096 * MIB, (paddr_t)4098 * MIB } } });
	const pfn_t dma = 16 * MIB >> PAGE_SHIFT, low = (pfn_t)1 << 20;
	struct frame_stats before = stats();
	pfn_t pfn, lowest = PFN_NONE;
	size_t n = 0;

	for (; (pfn = frame_alloc(0, BLOCK, FRAME_USER)) != PFN_NONE; n++) {
		struct frame_stats now;
		frame_get_stats(&now);		/* a processor takes many at once, and those in any order */
		for (int zone = pfn < dma ? ZONE_DMA32 : pfn < low ? ZONE_NORMAL : ZONES; zone < ZONES; zone++)
			for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
				assert_int_equal(now.free_blocks[zone][order], 0);
		lowest = pfn < lowest ? pfn : lowest;
	}
	assert_int_equal(n, before.free - before.reserve);
	assert_true(lowest < dma);
	frame_free(lowest, 0);
	assert_true(frame_alloc_zone(0, BLOCK, ZONE_DMA) < dma);
}

TEST(a_zone_that_is_asked_for_is_kept_to)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 12 * MIB, 20 * MIB }, { (paddr_t)4096 * MIB, (paddr_t)4104 * MIB } } });
	for (unsigned order = 0; order < 5; order++) {
		assert_true(frame_alloc_zone(order, page_kernel(order, USE_BLOCK), ZONE_DMA) < 16 * MIB >> PAGE_SHIFT);
		pfn_t pfn = frame_alloc_zone(order, page_kernel(order, USE_BLOCK), ZONE_DMA32);
		assert_true(pfn >= 16 * MIB >> PAGE_SHIFT && pfn < (pfn_t)1 << 20);
		assert_true(frame_alloc_zone(order, page_kernel(order, USE_BLOCK), ZONE_NORMAL) >= (pfn_t)1 << 20);
	}
	check_words();
}

TEST(holes_cost_no_words)
{
	(void)state;
	/* RAM at 0 and at 1 TiB: the words of what lies between are not there. */
	start(&(struct sim_config){ .ram = { { 0, 2 * MIB }, { (paddr_t)1 << 40, ((paddr_t)1 << 40) + 2 * MIB } } });
	assert_int_equal(page_array_bytes, 2 * PAGE_SIZE);
	assert_true(frame_exists(0) && frame_exists(511) && frame_exists((pfn_t)1 << 28));
	assert_false(frame_exists(512));
	assert_false(frame_exists(((pfn_t)1 << 28) + 512));
	assert_false(frame_exists(PFN_NONE));
	pfn_t pfn = frame_alloc(0, BLOCK, FRAME_KERNEL);
	assert_true(pfn >= (pfn_t)1 << 28);
	frame_free(pfn, 0);
	check_words();
}

TEST(pieces_of_odd_sizes)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0x1000, 0x9f000 }, { 0x100000, 0x3fd000 }, { 0x403000, 0x777000 } },
		.image = { 0x155000, 0x1aa000 } });
	check_words();
	assert_int_equal(page_type(pages[0x155]), PAGE_RESERVED);
	assert_int_equal(page_type(pages[0x1a9]), PAGE_RESERVED);
	pfn_t pfn;
	while ((pfn = frame_alloc(0, BLOCK, FRAME_USER)) != PFN_NONE)
		assert_true(frame_exists(pfn) && !(pfn >= 0x155 && pfn < 0x1aa));
	check_words();
}

TEST(the_reserve_is_for_the_allocator_itself)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 2 * MIB } } });
	while (frame_alloc(0, BLOCK, FRAME_KERNEL) != PFN_NONE)
		;
	size_t left = frame_free_count();
	assert_true(left > 0);
	assert_int_equal(left, stats().reserve);
	assert_int_equal(frame_alloc(0, BLOCK, FRAME_USER), PFN_NONE);
	assert_int_equal(stats().reserve_used, 0);
	frame_emergency = cpu_current();
	assert_int_equal(frame_alloc(0, BLOCK, FRAME_USER), PFN_NONE);
	assert_int_not_equal(frame_alloc(0, BLOCK, FRAME_KERNEL), PFN_NONE);
	frame_emergency = NULL;
	assert_int_equal(stats().reserve_used, 1);
	assert_int_equal(stats().reserve_low, left - 1);
	assert_int_equal(frame_alloc(0, BLOCK, FRAME_KERNEL), PFN_NONE);
	check_words();
}

TEST(the_kth_allocation_fails)
{
	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 2 * MIB } } });
	alloc_fail_at = 3;
	assert_int_not_equal(frame_alloc(0, BLOCK, FRAME_KERNEL), PFN_NONE);
	assert_int_not_equal(frame_alloc_anon_zeroed(), PFN_NONE);
	assert_int_equal(frame_alloc_table(), PFN_NONE);
	assert_int_not_equal(frame_alloc_table(), PFN_NONE);
	check_words();
}

TEST(random_blocks_against_a_map_of_owners)
{
	enum { STEPS = 20000, MAX = 300 };
	static struct { pfn_t pfn; unsigned order; } owned[MAX];
	static bool used[2 * 512 * 2];
	size_t n = 0;

	(void)state;
	start(&(struct sim_config){ .ram = { { 0, 4 * MIB } } });
	struct frame_stats before = stats();
	srand(7);
	for (int step = 0; step < STEPS; step++) {
		if (n < MAX && rand() % 2) {
			unsigned order = (unsigned)rand() % 6;
			pfn_t pfn = frame_alloc(order, page_kernel(order, USE_BLOCK), FRAME_USER);
			if (pfn == PFN_NONE)
				continue;
			for (pfn_t p = pfn; p < pfn + ((pfn_t)1 << order); p++) {
				assert_false(used[p]);
				used[p] = true;
			}
			owned[n].pfn = pfn;
			owned[n++].order = order;
		} else if (n) {
			size_t i = (size_t)rand() % n;
			for (pfn_t p = owned[i].pfn; p < owned[i].pfn + ((pfn_t)1 << owned[i].order); p++)
				used[p] = false;
			frame_free(owned[i].pfn, owned[i].order);
			owned[i] = owned[--n];
		}
		if (step % 500 == 0)
			check_words();
	}
	while (n--)
		frame_free(owned[n].pfn, owned[n].order);
	check_words();
	struct frame_stats after = stats();
	assert_memory_equal(before.free_blocks, after.free_blocks, sizeof before.free_blocks);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_that_is_left_is_managed),
	cmocka_unit_test(split_and_merge_word_by_word),
	cmocka_unit_test(a_largest_block_is_split_to_a_frame_and_comes_back),
	cmocka_unit_test(zones_highest_first_dma_last),
	cmocka_unit_test(a_zone_that_is_asked_for_is_kept_to),
	cmocka_unit_test(holes_cost_no_words),
	cmocka_unit_test(pieces_of_odd_sizes),
	cmocka_unit_test(the_reserve_is_for_the_allocator_itself),
	cmocka_unit_test(the_kth_allocation_fails),
	cmocka_unit_test(random_blocks_against_a_map_of_owners),
};
RUN_TESTS("frame", tests)
