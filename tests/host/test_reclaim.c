/* tests/host/test_reclaim.c - vm/reclaim.c: which pages of files go when memory is short, and that those who need them get on. */
#include "harness.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/object.h"
#include "vm/reclaim.h"

enum { MIB = 1 << 20, FILE_PAGES = 100 };
static const vaddr_t A = 0x200000, B = 0x300000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct census before;
static struct test_file f;

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 8 * MIB } }, .image = { 0x100000, 0x140000 } });
	before = census_take();
	file_create(&f, FILE_PAGES * PAGE_SIZE);
	return 0;
}

/* Ends a test that has put everything else away. */
static void finish(void)
{
	file_drop(&f);
	census_check(&before);
}

static bool cached(struct object *o, uint64_t index)
{
	pfn_t frame = PFN_NONE;

	spin_lock(&o->lock);
	object_peek(o, index, &frame);
	spin_unlock(&o->lock);
	return frame != PFN_NONE;
}

/* Exactly the pages [first, end) are gone. */
static void expect_gone(struct object *o, uint64_t first, uint64_t end)
{
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		if (cached(o, i) != (i < first || i >= end))
			fail_msg("page %lu is %s", (unsigned long)i, cached(o, i) ? "there" : "gone");
}

static void read_page(struct test_file *file, uint64_t index)
{
	uint8_t bytes[4096];
	struct uio uio = uio_kernel(bytes, sizeof bytes);

	assert_int_equal(object_read(file->object, &uio, index << PAGE_SHIFT), sizeof bytes);
	assert_int_equal(bytes[17], file_byte((index << PAGE_SHIFT) + 17));
}

static void read_all(void)
{
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		read_page(&f, i);
}

static void check_mapped(struct space *s, vaddr_t at, uint64_t index)
{
	assert_int_equal(read_byte(s, at + (index << PAGE_SHIFT) + 5), file_byte((index << PAGE_SHIFT) + 5));
}

/* Maps the file and uses each of its pages. */
static void map_all(struct space *s, vaddr_t at, unsigned flags)
{
	map_file(s, at, FILE_PAGES, VM_READ, flags, &f, 0);
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		check_mapped(s, at, i);
}

/* All that was used is not noted as used any more, and the first page has gone: the clock has gone round once. */
static void go_round(void)
{
	assert_int_equal(reclaim_frames(1), 1);
	expect_gone(f.object, 0, 1);
}

TEST(the_oldest_go_first_and_the_youngest_stay)
{
	(void)state;
	read_all();
	assert_int_equal(f.reads, FILE_PAGES);
	size_t frames = frame_free_count();
	assert_int_equal(reclaim_frames(30), 30);
	expect_gone(f.object, 0, 30);
	assert_true(frame_free_count() >= frames + 30);
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - 30 - RECLAIM_YOUNGEST);
	expect_gone(f.object, 0, FILE_PAGES - RECLAIM_YOUNGEST);
	assert_int_equal(reclaim_stats.stolen, FILE_PAGES - RECLAIM_YOUNGEST);
	read_page(&f, 3);
	assert_int_equal(f.reads, FILE_PAGES + 1);
	finish();
}

TEST(a_page_that_is_read_again_gets_another_round)
{
	(void)state;
	read_all();
	go_round();
	read_page(&f, 5);
	assert_int_equal(reclaim_frames(10), 10);
	assert_true(cached(f.object, 5));
	assert_false(cached(f.object, 11));
	assert_true(cached(f.object, 12));
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - 11 - RECLAIM_YOUNGEST);
	assert_true(cached(f.object, 5));			/* it has become the youngest */
	assert_int_equal(f.reads, FILE_PAGES);
	finish();
}

TEST(a_mapped_page_that_is_used_gets_another_round)
{
	(void)state;
	struct space *s = new_space();
	map_all(s, A, MAP_SHARED);
	go_round();
	check_mapped(s, A, 1);
	check_mapped(s, A, 2);
	EXPECT_FAULTS(FAULT_FILE_MAJOR, FILE_PAGES);
	assert_int_equal(reclaim_frames(10), 10);
	assert_true(cached(f.object, 1) && cached(f.object, 2) && !cached(f.object, 3) && !cached(f.object, 12) && cached(f.object, 13));
	check_sound();
	assert_int_equal(s->mmu.resident, FILE_PAGES - 11);
	assert_int_equal(s->peak_resident, FILE_PAGES);
	check_mapped(s, A, 13);
	EXPECT_NO_FAULTS();
	check_mapped(s, A, 12);					/* comes back, in both ways of looking at it */
	EXPECT_FAULT(FAULT_FILE_MAJOR);
	assert_int_equal(f.reads, FILE_PAGES + 1);
	drop_space(s);
	finish();
}

TEST(a_page_in_two_spaces_leaves_both_or_none)
{
	(void)state;
	struct space *s = new_space(), *t = new_space();
	map_all(s, A, MAP_SHARED);
	map_all(t, B, MAP_PRIVATE);
	go_round();
	check_mapped(t, B, 1);
	assert_int_equal(reclaim_frames(1), 1);
	assert_true(cached(f.object, 1) && !cached(f.object, 2));
	assert_int_equal(mmu_query(&s->mmu, A + PAGE_SIZE).pfn, mmu_query(&t->mmu, B + PAGE_SIZE).pfn);
	assert_int_equal(mmu_query(&s->mmu, A + 2 * PAGE_SIZE).pfn, PFN_NONE);
	assert_int_equal(mmu_query(&t->mmu, B + 2 * PAGE_SIZE).pfn, PFN_NONE);
	check_sound();
	check_mapped(s, A, 2);
	check_mapped(t, B, 2);
	assert_int_equal(f.reads, FILE_PAGES + 1);
	drop_space(s);
	drop_space(t);
	finish();
}

TEST(many_mappings_do_not_keep_a_page_for_many_rounds)
{
	(void)state;
	struct space *s[10];
	for (int i = 0; i < 10; i++)
		map_all(s[i] = new_space(), A, MAP_SHARED);
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - RECLAIM_YOUNGEST);
	for (int i = 0; i < 10; i++)
		drop_space(s[i]);
	finish();
}

TEST(a_private_copy_stays_and_the_page_goes)
{
	(void)state;
	struct space *s = new_space(), *t = new_space();
	map_file(s, A, FILE_PAGES, VM_READ | VM_WRITE, MAP_PRIVATE, &f, 0);
	for (uint64_t i = 0; i < FILE_PAGES; i++)
		check_mapped(s, A, i);
	write_byte(s, A + 5, 99);
	map_file(t, B, FILE_PAGES - 1, VM_READ, MAP_SHARED, &f, 1);	/* the same pages elsewhere, from another offset */
	assert_int_equal(read_byte(t, B), file_byte(PAGE_SIZE));
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - RECLAIM_YOUNGEST);
	expect_gone(f.object, 0, FILE_PAGES - RECLAIM_YOUNGEST);
	check_sound();
	sim_faults_clear();
	assert_int_equal(read_byte(s, A + 5), 99);
	assert_int_equal(read_byte(s, A + 6), file_byte(6));
	EXPECT_NO_FAULTS();
	assert_int_equal(read_byte(t, B), file_byte(PAGE_SIZE));
	EXPECT_FAULT(FAULT_FILE_MAJOR);
	drop_space(s);
	drop_space(t);
	finish();
}

TEST(a_space_that_is_locked_keeps_its_pages)
{
	(void)state;
	struct space *s = new_space();
	read_all();
	map_file(s, A, 10, VM_READ, MAP_SHARED, &f, 0);
	check_mapped(s, A, 0);
	assert_int_equal(s->mmu.resident, 10);
	write_lock(&s->lock);
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - RECLAIM_YOUNGEST);
	write_unlock(&s->lock);
	for (uint64_t i = 0; i < 10; i++)
		assert_true(cached(f.object, i));
	assert_int_equal(s->mmu.resident, 10);
	check_sound();
	drop_space(s);
	finish();
}

/* The lock of one of two is not to be had: the page does not leave the other alone. */
TEST(a_page_in_a_locked_space_stays_in_the_other)
{
	(void)state;
	struct space *s = new_space(), *t = new_space();
	map_all(s, A, MAP_SHARED);
	map_all(t, A, MAP_SHARED);
	go_round();
	write_lock(&t->lock);
	assert_int_equal(reclaim_frames(1000), 0);
	write_unlock(&t->lock);
	assert_int_equal(s->mmu.resident, FILE_PAGES - 1);
	assert_int_equal(t->mmu.resident, FILE_PAGES - 1);
	drop_space(s);
	drop_space(t);
	finish();
}

/* The mapping is in many regions, of which each has its part. */
TEST(a_split_mapping)
{
	(void)state;
	struct space *s = new_space(), *t = new_space();
	map_all(s, A, MAP_SHARED);
	for (uint64_t i = 1; i < FILE_PAGES; i += 3)
		assert_int_equal(vm_mprotect(s, A + (i << PAGE_SHIFT), PAGE_SIZE, VM_READ | VM_EXEC), 0);
	assert_true(s->regions.count > FILE_PAGES / 2);
	map_all(t, A, MAP_SHARED);
	go_round();
	for (uint64_t i = 4; i < 8; i++)
		check_mapped(t, A, i);
	assert_int_equal(reclaim_frames(10), 10);
	for (uint64_t i = 4; i < 8; i++)
		assert_true(cached(f.object, i));
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - 11 - RECLAIM_YOUNGEST);
	assert_int_equal(s->mmu.resident, RECLAIM_YOUNGEST);
	assert_int_equal(t->mmu.resident, RECLAIM_YOUNGEST);
	check_sound();
	drop_space(s);
	drop_space(t);
	finish();
}

/* Copying a page for a private write maps nothing, but is a use. */
TEST(a_page_that_was_copied_gets_another_round)
{
	(void)state;
	struct space *s = new_space();
	read_all();
	map_file(s, A, 4, VM_READ | VM_WRITE, MAP_PRIVATE, &f, 0);
	go_round();
	write_byte(s, A + PAGE_SIZE, 1);
	EXPECT_FAULT(FAULT_FILE_COW);
	assert_int_equal(reclaim_frames(1), 1);
	assert_true(cached(f.object, 1) && !cached(f.object, 2));
	drop_space(s);
	finish();
}

TEST(a_locked_object_keeps_its_pages)
{
	(void)state;
	struct test_file g;
	read_all();
	file_create(&g, 10 * PAGE_SIZE);
	for (uint64_t i = 0; i < 10; i++)
		read_page(&g, i);
	spin_lock(&f.object->lock);
	assert_int_equal(reclaim_frames(1000), 10);
	spin_unlock(&f.object->lock);
	assert_int_equal(f.object->npages, FILE_PAGES);
	assert_int_equal(g.object->npages, 0);
	file_drop(&g);
	finish();
}

TEST(what_cannot_be_read_again_or_frees_nothing_stays)
{
	(void)state;
	struct test_file borrowed;
	struct page_record *r;
	struct space *s = new_space();
	struct uio uio = uio_kernel("kept", 4);
	file_create_in_image(&borrowed, 4 * PAGE_SIZE, IMAGE);
	struct object *memory = object_create(NULL, NULL, 0);
	assert_int_equal(object_write(memory, &uio, 0), 4);
	read_page(&borrowed, 0);
	map(s, A, 4, VM_READ | VM_WRITE, MAP_PRIVATE);
	write_byte(s, A, 1);
	assert_int_equal(object_pin(f.object, 0, &r), 0);
	read_all();
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - RECLAIM_YOUNGEST);
	assert_true(cached(f.object, 0));			/* pinned */
	assert_false(cached(f.object, 1));
	assert_int_equal(memory->npages, 1);
	assert_int_equal(borrowed.object->npages, 1);
	assert_int_equal(s->mmu.resident, 1);
	object_unpin(f.object, r);
	check_sound();
	object_put(memory);
	file_drop(&borrowed);
	drop_space(s);
	finish();
}

TEST(locked_memory_stays)
{
	(void)state;
	struct space *s = new_space();
	read_all();
	map_file(s, A, 10, VM_READ, MAP_PRIVATE | MAP_LOCKED, &f, 5);
	assert_int_equal(read_byte(s, A), file_byte(5 * PAGE_SIZE));
	assert_int_equal(s->mmu.resident, 10);
	assert_int_equal(reclaim_frames(1000), FILE_PAGES - RECLAIM_YOUNGEST);
	for (uint64_t i = 0; i < FILE_PAGES - RECLAIM_YOUNGEST + 10; i++)
		assert_int_equal(cached(f.object, i), i >= 5 && i < 15);
	assert_int_equal(s->mmu.resident, 10);
	drop_space(s);
	finish();
}

/* What the policy forbids no page can make room for. */
TEST(memory_that_may_not_be_had_reclaims_nothing)
{
	(void)state;
	struct object *memory = object_create(NULL, NULL, 0);
	struct uio uio = uio_kernel("new", 3);
	read_all();
	overcommit = (struct overcommit_policy){ .mode = OVERCOMMIT_NEVER, .kbytes = 1 };
	assert_int_equal(object_write(memory, &uio, 0), -ENOSPC);
	assert_int_equal(f.object->npages, FILE_PAGES);
	object_put(memory);
	finish();
}

TEST(a_failed_allocation_makes_room_and_tries_again)
{
	(void)state;
	struct object *memory = object_create(NULL, NULL, 0);
	struct uio uio = uio_kernel("new", 3);
	for (uint64_t i = 0; i < FILE_PAGES - 1; i++)
		read_page(&f, i);
	alloc_fail_at = 1;
	read_page(&f, FILE_PAGES - 1);
	assert_true(f.object->npages < FILE_PAGES);
	size_t npages = f.object->npages;
	alloc_fail_at = 1;
	assert_int_equal(object_write(memory, &uio, 0), 3);
	assert_true(f.object->npages < npages);
	check_sound();
	object_put(memory);
	finish();
}

TEST(empty_slabs_are_given_back)
{
	(void)state;
	struct heap_stats heap;
	void *p = kmalloc(1000);
	heap_get_stats(&heap);
	kfree(p);
	assert_true(reclaim_frames(1) >= 1);
	struct heap_stats now;
	heap_get_stats(&now);
	assert_true(now.slab_frames < heap.slab_frames);
	assert_int_equal(reclaim_frames(1), 0);
	check_sound();
	finish();
}

/* ---- more than there is memory for ---------------------------------------------------------------------------------------------------- */

/* Leaves so many frames free, the others in anonymous memory of the space at B. */
static void eat_all_but(struct space *s, size_t left)
{
	map(s, B, frame_free_count() + reclaim_stats.pages, VM_READ | VM_WRITE, MAP_PRIVATE);
	for (size_t i = 0; frame_free_count() > left; i++) {
		write_byte(s, B + (i << PAGE_SHIFT), 1);
		frame_drain();			/* what a processor has at hand makes memory look short */
	}
}

struct worker { struct test_file *file; unsigned flags, seed; size_t npages; bool sequential; };

static void use_file(void *arg)
{
	struct worker *w = arg;
	struct space *s = new_space();
	unsigned random = w->seed;

	map_file(s, A, w->npages, VM_READ, w->flags, w->file, 0);
	for (size_t n = 0; n < 3 * w->npages; n++) {
		random = random * 1103515245 + 12345;
		uint64_t i = w->sequential ? n % w->npages : (random >> 8) % w->npages;
		if (n % 3 == 0)
			read_page(w->file, i);
		else
			check_mapped(s, A, i);
	}
	drop_space(s);
}

/* Files of twice the memory that is left, mapped shared and private, and read, in order and at random, by four at once. */
TEST(a_working_set_of_twice_the_memory)
{
	(void)state;
	struct space *eater = new_space();
	struct test_file big;
	struct sim_thread *thread[4];
	eat_all_but(eater, 200);
	file_create(&big, 400 * PAGE_SIZE);
	big.yields = 1;
	struct worker worker[4] = { { &big, MAP_SHARED, 1, 400, true }, { &big, MAP_PRIVATE, 2, 400, true }, { &big, MAP_SHARED, 3, 400, false },
		{ &big, MAP_PRIVATE, 4, 400, false } };
	for (int i = 0; i < 4; i++)
		thread[i] = sim_thread_start(use_file, &worker[i]);
	for (int i = 0; i < 4; i++)
		sim_thread_join(thread[i]);
	assert_int_equal(sim_faults.count[FAULT_OOM], 0);
	assert_true(big.reads > 400);
	check_sound();
	drop_space(eater);
	file_drop(&big);
	finish();
}

/* An instruction that needs many pages at once gets them, when nothing else is left to reclaim: all must be there without a fault in between. */
TEST(what_was_just_read_is_there_for_the_access)
{
	enum { NEEDED = 8 };
	struct space *eater = new_space(), *s = new_space();
	uint64_t rounds = 0;

	(void)state;
	read_all();
	map_file(s, A, FILE_PAGES, VM_READ, MAP_PRIVATE, &f, 0);
	eat_all_but(eater, frame_level.low / 2);
	for (unsigned long faults = 1; faults > 0; rounds++) {
		sim_faults_clear();
		for (uint64_t i = 0; i < NEEDED; i++)
			check_mapped(s, A, i * FILE_PAGES / NEEDED);
		faults = sim_faults.count[FAULT_FILE_MAJOR] + sim_faults.count[FAULT_FILE_MINOR];
		reclaim_frames(5);				/* others need memory as well */
		assert_true(rounds < 20);
	}
	drop_space(eater);
	drop_space(s);
	finish();
}

/* tmpfs makes room as it grows, before there is nothing left for others; and no empty slab is kept then. */
TEST(a_growing_file_of_its_own_makes_room)
{
	(void)state;
	struct space *eater = new_space();
	struct object *memory = object_create(NULL, NULL, 0);
	struct heap_stats heap, now;
	read_all();
	eat_all_but(eater, frame_level.low);
	read_all();
	assert_int_equal(f.object->npages, FILE_PAGES);
	for (uint64_t i = 0; f.object->npages > RECLAIM_YOUNGEST; i++) {
		struct uio uio = uio_kernel("x", 1);
		assert_int_equal(object_write(memory, &uio, i << PAGE_SHIFT), 1);
		assert_true(frame_free_count() >= frame_level.low - 4);
	}
	while (!frame_is_short()) {
		struct uio uio = uio_kernel("x", 1);
		assert_int_equal(object_write(memory, &uio, memory->size + PAGE_SIZE), 1);
	}
	heap_trim();
	heap_get_stats(&heap);
	kfree(kmalloc(2000));
	heap_get_stats(&now);
	assert_int_equal(now.slab_frames, heap.slab_frames);
	object_put(memory);
	drop_space(eater);
	finish();
}

/* Memory is out when nothing can be reclaimed, and not before. */
TEST(no_memory_only_when_nothing_can_go)
{
	struct space *s = new_space();
	size_t n = frame_free_count() + FILE_PAGES;

	(void)state;
	read_all();
	map(s, B, n, VM_READ | VM_WRITE, MAP_PRIVATE);
	for (size_t i = 0;; i++)
		if (sim_write_byte(s, B + (i << PAGE_SHIFT), 1) != FAULT_DONE)
			break;
	assert_int_equal(reclaim_frames(1000), 0);
	assert_int_equal(reclaim_stats.pages, RECLAIM_YOUNGEST);
	check_sound();
	drop_space(s);
	finish();
}

TEST(few_free_frames_call_for_what_the_cache_can_spare)
{
	(void)state;
	static pfn_t taken[2048];
	size_t n = 0, low = frame_level.low;
	read_all();
	assert_true(reclaim_keep_free());
	assert_int_equal(f.object->npages, FILE_PAGES);		/* there is enough */
	while (!frame_is_short()) {
		taken[n++] = frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_USER);
		frame_drain();
	}
	assert_true(reclaim_keep_free());
	assert_true(!frame_is_short() && f.object->npages < FILE_PAGES);
	reclaim_frames(1000);
	heap_trim();
	while (frame_free_count() >= low / 2)
		taken[n++] = frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_USER);
	assert_false(reclaim_keep_free());			/* nothing is left to give */
	frame_free(taken[--n], 0);
	assert_true(reclaim_keep_free());
	while (n > 0)
		frame_free(taken[--n], 0);
	finish();
}

/* More pages of files were used since the last look than a fault looks at in passing. */
TEST(fetching_makes_all_the_room_that_there_is)
{
	(void)state;
	struct test_file large;
	struct space *s = new_space();
	size_t n = frame_free_count() - 200;
	file_create(&large, n * PAGE_SIZE);
	for (unsigned round = 0; round < 2; round++)
		for (uint64_t i = 0; i < n; i++)
			read_page(&large, i);
	map(s, B, 400, VM_READ | VM_WRITE, MAP_PRIVATE);
	pfn_t taken[FRAME_MAX_ORDER * 100];
	size_t ntaken = 0;
	while ((taken[ntaken] = frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_USER)) != PFN_NONE)
		ntaken++;
	assert_int_equal(vm_madvise(s, B, 400 * PAGE_SIZE, MADV_POPULATE_WRITE, NULL), 0);
	assert_int_equal(space_resident(s), 400);
	while (ntaken > 0)
		frame_free(taken[--ntaken], 0);
	drop_space(s);
	file_drop(&large);
	finish();
}

static const struct CMUnitTest tests[] = {
#define RECLAIM_TEST(name) cmocka_unit_test_setup(name, setup)
	RECLAIM_TEST(the_oldest_go_first_and_the_youngest_stay),
	RECLAIM_TEST(a_page_that_is_read_again_gets_another_round),
	RECLAIM_TEST(a_mapped_page_that_is_used_gets_another_round),
	RECLAIM_TEST(a_page_in_two_spaces_leaves_both_or_none),
	RECLAIM_TEST(many_mappings_do_not_keep_a_page_for_many_rounds),
	RECLAIM_TEST(a_private_copy_stays_and_the_page_goes),
	RECLAIM_TEST(a_space_that_is_locked_keeps_its_pages),
	RECLAIM_TEST(a_page_in_a_locked_space_stays_in_the_other),
	RECLAIM_TEST(a_split_mapping),
	RECLAIM_TEST(a_page_that_was_copied_gets_another_round),
	RECLAIM_TEST(a_locked_object_keeps_its_pages),
	RECLAIM_TEST(what_cannot_be_read_again_or_frees_nothing_stays),
	RECLAIM_TEST(locked_memory_stays),
	RECLAIM_TEST(memory_that_may_not_be_had_reclaims_nothing),
	RECLAIM_TEST(a_failed_allocation_makes_room_and_tries_again),
	RECLAIM_TEST(empty_slabs_are_given_back),
	RECLAIM_TEST(a_working_set_of_twice_the_memory),
	RECLAIM_TEST(what_was_just_read_is_there_for_the_access),
	RECLAIM_TEST(a_growing_file_of_its_own_makes_room),
	RECLAIM_TEST(no_memory_only_when_nothing_can_go),
	RECLAIM_TEST(few_free_frames_call_for_what_the_cache_can_spare),
	RECLAIM_TEST(fetching_makes_all_the_room_that_there_is),
};
RUN_TESTS("reclaim", tests)
