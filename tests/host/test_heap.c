/* tests/host/test_heap.c - vm/heap.c and vm/reserve.c. */
#include "harness.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/kspace.h"
#include "vm/reserve.h"

enum { MIB = 1 << 20 };

static struct census before;

static void start(void)
{
	sim_boot(16 * MIB);
	before = census_take();
}

static struct heap_stats stats(void)
{
	struct heap_stats s;
	heap_get_stats(&s);
	return s;
}

TEST(all_sizes_are_aligned_and_large_enough)
{
	(void)state;
	start();
	for (size_t size = 0; size < 9000; size += size < 2100 ? 1 : 37) {
		uint8_t *a = kmalloc(size), *b = kmalloc(size);
		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal((uintptr_t)a % (size >= PAGE_SIZE ? PAGE_SIZE : 16), 0);
		assert_true(heap_usable_size(a) >= size);
		assert_true(a + size <= b || b + size <= a);
		memset(a, 1, size);
		memset(b, 2, size);
		for (size_t i = 0; i < size; i++)
			assert_true(a[i] == 1 && b[i] == 2);
		kfree(a);
		kfree(b);
	}
	assert_int_equal(heap_check(), 0);
	census_check(&before);
}

TEST(small_sizes_waste_little)
{
	(void)state;
	start();
	for (size_t size = 16; size <= 2016; size++) {
		void *p = kmalloc(size);
		assert_true(heap_usable_size(p) <= size + size / 2 + 16);
		kfree(p);
	}
	census_check(&before);
}

TEST(zeroed_means_zeroed)
{
	(void)state;
	start();
	for (size_t size = 1; size < 3 * PAGE_SIZE; size = size * 3 / 2 + 1) {
		uint8_t *p = kmalloc(size);
		memset(p, 0xff, heap_usable_size(p));
		kfree(p);
		p = kzalloc(size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		kfree(p);
	}
	kfree(NULL);
	census_check(&before);
}

TEST(freed_objects_are_used_again)
{
	(void)state;
	start();
	void *first = kmalloc(100);
	size_t frames = stats().slab_frames;
	for (int i = 0; i < 1000; i++) {
		void *p = kmalloc(100);
		kfree(p);
	}
	assert_int_equal(stats().slab_frames, frames);
	kfree(first);
	census_check(&before);
}

TEST(empty_slabs_go_back)
{
	enum { OBJECTS = 2000 };
	static void *object[OBJECTS];

	(void)state;
	start();
	for (size_t size = 16; size <= 2016; size *= 2) {
		size_t frames = stats().slab_frames;
		for (int i = 0; i < OBJECTS; i++)
			assert_non_null(object[i] = kmalloc(size));
		assert_true(stats().slab_frames >= frames + OBJECTS * size / PAGE_SIZE);
		for (int i = 0; i < OBJECTS; i += 2)
			kfree(object[i]);
		for (int i = 1; i < OBJECTS; i += 2)
			kfree(object[i]);
		heap_drain();
		assert_true(stats().slab_frames <= frames + 1);		/* one is kept for the next */
		assert_int_equal(heap_check(), 0);
	}
	census_check(&before);
}

TEST(blocks_and_ranges)
{
	(void)state;
	start();
	for (size_t size = PAGE_SIZE; size <= 4 * MIB; size = size * 2 - PAGE_SIZE / 2) {
		uint8_t *p = kmalloc(size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % PAGE_SIZE, 0);
		memset(p, 7, size);
		assert_true(heap_usable_size(p) >= size);
		kfree(p);
	}
	assert_null(kmalloc((size_t)-1));
	assert_null(kmalloc((size_t)-1 - PAGE_SIZE));
	assert_null(kmalloc((size_t)1 << 40));
	assert_null(kmalloc(64 * MIB));
	census_check(&before);
}

TEST(random_objects_keep_their_bytes)
{
	enum { OBJECTS = 500, STEPS = 50000 };
	static struct { uint8_t *p; size_t size; uint8_t fill; } o[OBJECTS];

	(void)state;
	start();
	srand(3);
	for (int step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rand() % OBJECTS;
		if (o[i].p) {
			assert_int_equal(o[i].p[0], o[i].fill);
			assert_int_equal(o[i].p[o[i].size / 2], o[i].fill);
			assert_int_equal(o[i].p[o[i].size - 1], o[i].fill);
			kfree(o[i].p);
			o[i].p = NULL;
			continue;
		}
		o[i].size = 1 + (size_t)rand() % (rand() % 20 ? 600 : 10000);
		o[i].fill = (uint8_t)rand();
		o[i].p = kmalloc(o[i].size);
		if (o[i].p)
			memset(o[i].p, o[i].fill, o[i].size);
		if (step % 5000 == 0)
			check_sound();
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		kfree(o[i].p);
	census_check(&before);
}

TEST(exhaustion_returns_null_and_is_no_end)
{
	(void)state;
	start();
	struct list { struct list *next; } *all = NULL, *p;
	while ((p = kmalloc(1000))) {
		p->next = all;
		all = p;
	}
	assert_null(kmalloc(5000));
	check_sound();
	while ((p = all)) {
		all = p->next;
		kfree(p);
	}
	census_check(&before);
}

TEST(a_reservation_is_taken_whole_or_not_at_all)
{
	(void)state;
	start();
	struct reserve r;
	for (unsigned k = 1; k <= 3; k++) {
		alloc_fail_at = 2 * k;		/* a slab's frame is counted too; some of these hit */
		if (reserve_take(&r, 48, 3) == 0)
			reserve_release(&r);
		alloc_fail_at = 0;
		census_check(&before);
	}
	assert_int_equal(reserve_take(&r, 48, 3), 0);
	void *a = reserve_use(&r), *b = reserve_use(&r);
	assert_true(a && b && a != b);
	reserve_release(&r);
	kfree(a);
	kfree(b);
	census_check(&before);
}

/* ---- kernel ranges --------------------------------------------------------------------------------------------------------------- */

TEST(a_range_is_zeroed_and_has_guard_pages)
{
	(void)state;
	start();
	uint8_t *p = kspace_alloc(5, KSPACE_MAPPED), *q = kspace_alloc(1, KSPACE_MAPPED);
	for (size_t i = 0; i < 5 * PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
	memset(p, 1, 5 * PAGE_SIZE);
	assert_int_equal(*q, 0);
	assert_true(sim_kernel_faults(p - 1, FAULT_READ));
	assert_true(sim_kernel_faults(p + 5 * PAGE_SIZE, FAULT_WRITE));
	assert_false(sim_kernel_faults(p, FAULT_WRITE));
	assert_non_null(strstr(kspace_describe((vaddr_t)p - 1), "guard"));
	assert_null(kspace_describe((vaddr_t)p));
	kspace_free(p);
	assert_true(sim_kernel_faults(p, FAULT_READ));
	kspace_free(q);
	assert_null(kspace_alloc(0, KSPACE_MAPPED));
	assert_null(kspace_alloc((size_t)-1, KSPACE_LAZY));
	assert_null(kspace_alloc((size_t)-3, KSPACE_LAZY));
	census_check(&before);
}

TEST(a_lazy_range_gets_what_is_touched)
{
	(void)state;
	start();
	uint8_t *p = kspace_alloc(200, KSPACE_LAZY);
	struct kspace_stats s;
	kspace_get_stats(&s);
	assert_int_equal(s.pages, before.kspace_pages);
	for (int i = 0; i < 200; i += 50)
		p[i * PAGE_SIZE + 1] = (uint8_t)i;
	kspace_get_stats(&s);
	assert_int_equal(s.pages, before.kspace_pages + 4);
	for (int i = 0; i < 200; i += 50) {
		assert_int_equal(p[i * PAGE_SIZE + 1], i);
		assert_int_equal(p[i * PAGE_SIZE], 0);
	}
	assert_true(sim_kernel_faults(p - 1, FAULT_WRITE));
	kspace_free(p);
	census_check(&before);
}

TEST(stacks_are_kept_for_reuse)
{
	(void)state;
	start();
	void *stack[40];
	for (int i = 0; i < 40; i++) {
		stack[i] = kstack_alloc();
		assert_non_null(stack[i]);
		assert_true(sim_kernel_faults((uint8_t *)stack[i] - 1, FAULT_WRITE));
	}
	assert_non_null(strstr(kspace_describe((vaddr_t)stack[0] - 1), "stack"));
	for (int i = 0; i < 40; i++)
		kstack_free(stack[i]);
	size_t kept = kstack_cached();
	assert_true(kept > 0 && kept < 40);
	check_sound();
	for (size_t i = 0; i < kept; i++)
		stack[i] = kstack_alloc();
	assert_int_equal(kstack_cached(), 0);
	for (size_t i = 0; i < kept; i++)
		kstack_free(stack[i]);
}

/* Which are kept does not depend on the order in which they come: the highest. */
TEST(the_highest_stacks_are_kept)
{
	(void)state;
	start();
	void *stack[32];
	for (int i = 0; i < 32; i++) {
		stack[i] = kstack_alloc();
		assert_true(i == 0 || stack[i] < stack[i - 1]);
	}
	for (int i = 31; i >= 0; i--)
		kstack_free(stack[i]);
	size_t kept = kstack_cached(), found = 0;
	for (size_t i = 0; i < kept; i++) {
		void *again = kstack_alloc();
		for (size_t k = 0; k < kept; k++)
			found += again == stack[k];
	}
	assert_int_equal(found, kept);
	check_sound();
}

TEST(a_fault_that_no_range_explains)
{
	(void)state;
	start();
	uint8_t *lazy = kspace_alloc(3, KSPACE_LAZY), *mapped = kspace_alloc(3, KSPACE_MAPPED), *stack = kstack_alloc();
	vaddr_t at = (vaddr_t)lazy;
	size_t stack_size = kspace_size(stack);
	struct kspace_stats s;

	assert_true(vm_fault_kernel(at + 2 * PAGE_SIZE + 5, FAULT_WRITE));
	assert_true(vm_fault_kernel(at + 2 * PAGE_SIZE + 5, FAULT_READ));	/* it is there by now */
	kspace_get_stats(&s);
	assert_int_equal(s.ranges, before.kspace_ranges + 3);
	assert_int_equal(s.pages, before.kspace_pages + 1 + 3 + stack_size / PAGE_SIZE);
	assert_false(vm_fault_kernel(at, FAULT_EXEC));
	assert_false(vm_fault_kernel(at - 1, FAULT_WRITE));
	assert_false(vm_fault_kernel(at + 3 * PAGE_SIZE, FAULT_WRITE));
	assert_false(vm_fault_kernel((vaddr_t)mapped - 1, FAULT_WRITE));
	assert_false(vm_fault_kernel((vaddr_t)mapped, FAULT_WRITE));		/* nothing is missing there */
	assert_false(vm_fault_kernel(KSPACE_START - 1, FAULT_WRITE));
	assert_false(vm_fault_kernel(KSPACE_START, FAULT_WRITE));
	assert_false(vm_fault_kernel(KSPACE_END, FAULT_WRITE));

	assert_null(kspace_describe(KSPACE_START - 1));
	assert_null(kspace_describe(KSPACE_END));
	assert_null(kspace_describe(at + 3 * PAGE_SIZE - 1));
	assert_string_equal(kspace_describe(KSPACE_START), "unused kernel range");
	assert_string_equal(kspace_describe(at - PAGE_SIZE), "guard page below a kernel range");
	assert_string_equal(kspace_describe(at + 3 * PAGE_SIZE), "guard page above a kernel range");
	assert_string_equal(kspace_describe((vaddr_t)stack - 1), "guard page below a kernel stack");
	assert_string_equal(kspace_describe((vaddr_t)stack + stack_size), "guard page above a kernel stack");
	assert_int_equal(kspace_size(lazy), 3 * PAGE_SIZE);
	kspace_free(lazy);
	kspace_free(mapped);
	check_sound();
}

TEST(ranges_fail_at_every_allocation_and_leave_nothing)
{
	(void)state;
	start();
	unsigned k = 0;
	void *p;
	do {
		alloc_fail_at = ++k;
		p = kspace_alloc(40, KSPACE_MAPPED);
		bool hit = alloc_fail_at == 0;
		alloc_fail_at = 0;
		assert_int_equal(!p, hit);
		if (!p)
			census_check(&before);
	} while (!p);
	assert_true(k > 40);
	kspace_free(p);
	census_check(&before);
}

/* Memory ends inside a kernel-range mapping: what the allocator itself needs then comes from the reserve. */
TEST(the_reserve_is_used_inside_a_kernel_range_mapping)
{
	(void)state;
	start();
	struct frame_stats s;
	frame_get_stats(&s);
	assert_int_equal(s.reserve_used, 0);
	uint8_t *lazy = kspace_alloc(2000, KSPACE_LAZY);
	/* All but one frame, so that a page can be had but the tables for it cannot. */
	while (frame_free_count() > s.reserve + 1)
		assert_int_not_equal(frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_USER), PFN_NONE);
	lazy[1000 * PAGE_SIZE] = 1;
	frame_get_stats(&s);
	assert_true(s.reserve_used > 0);
	assert_true(s.reserve_low < s.reserve);
	check_sound();
	assert_true(sim_kernel_faults(lazy, FAULT_WRITE));	/* a page is not what the reserve is for */
	kspace_free(lazy);
	assert_true(frame_free_count() >= s.reserve);
	check_sound();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_sizes_are_aligned_and_large_enough),
	cmocka_unit_test(small_sizes_waste_little),
	cmocka_unit_test(zeroed_means_zeroed),
	cmocka_unit_test(freed_objects_are_used_again),
	cmocka_unit_test(empty_slabs_go_back),
	cmocka_unit_test(blocks_and_ranges),
	cmocka_unit_test(random_objects_keep_their_bytes),
	cmocka_unit_test(exhaustion_returns_null_and_is_no_end),
	cmocka_unit_test(a_reservation_is_taken_whole_or_not_at_all),
	cmocka_unit_test(a_range_is_zeroed_and_has_guard_pages),
	cmocka_unit_test(a_lazy_range_gets_what_is_touched),
	cmocka_unit_test(stacks_are_kept_for_reuse),
	cmocka_unit_test(the_highest_stacks_are_kept),
	cmocka_unit_test(a_fault_that_no_range_explains),
	cmocka_unit_test(ranges_fail_at_every_allocation_and_leave_nothing),
	cmocka_unit_test(the_reserve_is_used_inside_a_kernel_range_mapping),
};
RUN_TESTS("heap", tests)
