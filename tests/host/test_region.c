/* tests/host/test_region.c - vm/region.c and lib/rbtree.c against an array: find, gap, insert, remove, resize, and the tree's invariants. */
#include "harness.h"
#include "vm/region.h"

enum { SLOTS = 400 };				/* pages of the array model */
static struct region *owner[SLOTS];
static struct region_tree tree;

static vaddr_t address(size_t slot) { return slot << PAGE_SHIFT; }

static struct region *make(size_t start, size_t end)
{
	struct region *r = test_calloc(1, sizeof *r);

	r->start = address(start);
	r->end = address(end);
	region_insert(&tree, r);
	for (size_t i = start; i < end; i++)
		owner[i] = r;
	return r;
}

static void drop(struct region *r)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (owner[i] == r)
			owner[i] = NULL;
	region_remove(&tree, r);
	test_free(r);
}

static void compare(void)
{
	size_t count = 0;
	const struct region *last = NULL;

	assert_true(region_tree_sound(&tree));
	for (size_t i = 0; i < SLOTS; i++) {
		size_t next = i;
		while (next < SLOTS && !owner[next])
			next++;
		assert_ptr_equal(region_find(&tree, address(i) + 5), next < SLOTS ? owner[next] : NULL);
		if (owner[i] && owner[i] != last) {
			assert_ptr_equal(region_prev(owner[i]), last);
			if (last)
				assert_ptr_equal(region_next(last), owner[i]);
			else
				assert_ptr_equal(region_first(&tree), owner[i]);
			last = owner[i];
			count++;
		}
	}
	if (last)
		assert_null(region_next(last));
	assert_int_equal(tree.count, count);
}

/* The highest free space of n slots within [low, high), or SLOTS. */
static size_t highest_gap(size_t n, size_t low, size_t high)
{
	for (size_t at = high; at-- > low; ) {
		size_t k = 0;
		while (k < n && at + k < high && !owner[at + k])
			k++;
		if (k == n)
			return at;
	}
	return SLOTS;
}

static void compare_gap(size_t n, size_t low, size_t high)
{
	vaddr_t found;
	size_t expected = highest_gap(n, low, high);
	bool there = region_gap(&tree, address(n), address(low), address(high), &found);

	assert_int_equal(there, expected != SLOTS);
	if (there)
		assert_int_equal(found, address(expected));
}

TEST(an_empty_tree)
{
	(void)state;
	vaddr_t found;
	compare();
	assert_null(region_first(&tree));
	assert_true(region_gap(&tree, address(10), address(5), address(100), &found));
	assert_int_equal(found, address(90));
	assert_true(region_gap(&tree, address(95), address(5), address(100), &found));
	assert_false(region_gap(&tree, address(96), address(5), address(100), &found));
}

TEST(insert_in_every_order)
{
	static const int orders[][7] = {
		{ 0, 1, 2, 3, 4, 5, 6 }, { 6, 5, 4, 3, 2, 1, 0 }, { 3, 1, 5, 0, 2, 4, 6 }, { 0, 6, 1, 5, 2, 4, 3 }, { 3, 2, 4, 1, 5, 0, 6 },
	};
	struct region *r[7];

	(void)state;
	for (size_t o = 0; o < sizeof orders / sizeof *orders; o++)
		for (size_t d = 0; d < sizeof orders / sizeof *orders; d++) {
			for (int i = 0; i < 7; i++) {
				size_t at = 10 + 20 * (size_t)orders[o][i];
				r[orders[o][i]] = make(at, at + 5);
				compare();
			}
			for (int i = 0; i < 7; i++) {
				drop(r[orders[d][i]]);
				compare();
			}
		}
}

TEST(gaps_are_the_highest_that_fit)
{
	(void)state;
	struct region *a = make(10, 20), *b = make(30, 40), *c = make(45, 50), *d = make(60, 100);
	for (size_t n = 1; n < 20; n++) {
		compare_gap(n, 0, 100);
		compare_gap(n, 15, 58);
		compare_gap(n, 21, 35);
		compare_gap(n, 0, 60);
		compare_gap(n, 46, 110);
	}
	drop(c);
	compare_gap(15, 0, 100);
	drop(a);
	drop(b);
	drop(d);
	compare();
}

TEST(random_operations_against_an_array)
{
	enum { STEPS = 6000 };

	(void)state;
	srand(11);
	for (int step = 0; step < STEPS; step++) {
		size_t at = (size_t)rand() % SLOTS, n = 1 + (size_t)rand() % 12, free = 0;
		while (free < n && at + free < SLOTS && !owner[at + free])
			free++;
		struct region *r = owner[at];
		if (free) {
			make(at, at + free);
		} else if (rand() % 3 == 0) {
			drop(r);
		} else {			/* new bounds: up to the neighbours, in both directions */
			size_t start = r->start >> PAGE_SHIFT, end = r->end >> PAGE_SHIFT, i;
			size_t low = start, high = end;
			while (low > 0 && !owner[low - 1] && rand() % 4)
				low--;
			while (high < SLOTS && !owner[high] && rand() % 4)
				high++;
			if (rand() % 2 && high - low > 1)
				low += (size_t)rand() % (high - low);
			if (rand() % 2 && high - low > 1)
				high -= (size_t)rand() % (high - low);
			for (i = start; i < end; i++)
				owner[i] = NULL;
			for (i = low; i < high; i++)
				owner[i] = r;
			region_resize(&tree, r, address(low), address(high));
		}
		assert_true(region_tree_sound(&tree));
		size_t low = (size_t)rand() % SLOTS, high = low + (size_t)rand() % (SLOTS - low + 1);
		compare_gap(1 + (size_t)rand() % 30, low, high);
		if (step % 20 == 0)
			compare();
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (owner[i])
			drop(owner[i]);
	compare();
}

TEST(gaps_at_the_ends_of_the_address_space)
{
	(void)state;
	vaddr_t found, top = ~(vaddr_t)PAGE_MASK;
	struct region *r = make(0, 1);
	assert_true(region_gap(&tree, PAGE_SIZE, 0, top, &found));
	assert_int_equal(found, top - PAGE_SIZE);
	assert_false(region_gap(&tree, top, 0, top, &found));
	assert_true(region_gap(&tree, top - PAGE_SIZE, 0, top, &found));
	assert_int_equal(found, PAGE_SIZE);
	assert_false(region_gap(&tree, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, &found));
	drop(r);
}

/* Each thing that a sound tree has, taken away once. */
TEST(an_unsound_tree_is_seen)
{
	(void)state;
	for (size_t i = 0; i < 7; i++)
		make(10 * i + 5, 10 * i + 8);
	struct region *low = region_first(&tree);
	struct region saved = *low;

	low->node.red = !low->node.red;			/* a black one more or less on its way */
	assert_false(region_tree_sound(&tree));
	*low = saved;
	low->node.parent = NULL;
	assert_false(region_tree_sound(&tree));
	*low = saved;
	low->gap--;
	low->max_gap--;
	assert_false(region_tree_sound(&tree));
	*low = saved;
	low->max_gap++;
	assert_false(region_tree_sound(&tree));
	*low = saved;
	low->end = low->start;
	assert_false(region_tree_sound(&tree));
	low->end = region_next(low)->start + PAGE_SIZE;
	assert_false(region_tree_sound(&tree));
	*low = saved;
	tree.count++;
	assert_false(region_tree_sound(&tree));
	tree.count--;
	assert_true(region_tree_sound(&tree));
	while ((low = region_first(&tree)))
		drop(low);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_empty_tree),
	cmocka_unit_test(insert_in_every_order),
	cmocka_unit_test(gaps_are_the_highest_that_fit),
	cmocka_unit_test(random_operations_against_an_array),
	cmocka_unit_test(gaps_at_the_ends_of_the_address_space),
	cmocka_unit_test(an_unsound_tree_is_seen),
};
RUN_TESTS("region", tests)
