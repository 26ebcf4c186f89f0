/*
 * vm/region.c - the regions of an address space in a red-black tree by address.  See region.h.
 *
 * Each region knows the gap below it (to the end of the one before), each subtree the largest gap in it: free space is found
 * by descending only where there is enough.  A change of bounds or of neighbours touches two gaps.
 */
#include "vm/region.h"
#include "arch/cpu.h"
#include "lib/assert.h"
#include "lib/list.h"

#define region_of(n) container_of((n), struct region, node)

static struct region *region_or_null(struct rb_node *n)
{
	return n ? region_of(n) : NULL;
}

static bool update_max_gap(struct rb_node *n)
{
	struct region *r = region_of(n);
	size_t max = r->gap, before = r->max_gap;

	for (int side = 0; side < 2; side++)
		if (n->child[side] && region_of(n->child[side])->max_gap > max)
			max = region_of(n->child[side])->max_gap;
	r->max_gap = max;
	return max != before;
}

struct region *region_next(const struct region *r)
{
	return region_or_null(rb_step(&r->node, 1));
}

struct region *region_prev(const struct region *r)
{
	return region_or_null(rb_step(&r->node, 0));
}

struct region *region_first(const struct region_tree *tree)
{
	return region_or_null(rb_end(&tree->root, 0));
}

struct region *region_find(struct region_tree *tree, vaddr_t addr)
{
	struct region **last = &tree->last[cpu_index() % REGION_LASTS], *best = __atomic_load_n(last, __ATOMIC_RELAXED);

	if (best && addr >= best->start && addr < best->end)
		return best;
	best = NULL;
	for (struct rb_node *n = tree->root.top; n; ) {
		struct region *r = region_of(n);

		if (addr >= r->end) {
			n = n->child[1];
		} else {
			best = r;
			if (addr >= r->start)
				break;
			n = n->child[0];
		}
	}
	if (best)
		__atomic_store_n(last, best, __ATOMIC_RELAXED);
	return best;
}

static void set_gap(struct region *r, vaddr_t below)
{
	r->gap = r->start - below;
	rb_changed(&r->node, update_max_gap);
}

void region_insert(struct region_tree *tree, struct region *r)
{
	struct rb_node *parent = NULL, *n = tree->root.top;
	struct region *prev = NULL, *next = NULL;
	int side = 0;

	while (n) {
		parent = n;
		side = r->start >= region_of(n)->end;
		if (side)
			prev = region_of(n);
		else
			next = region_of(n);
		n = n->child[side];
	}
	assert((!prev || prev->end <= r->start) && (!next || r->end <= next->start) && r->start < r->end);
	r->gap = r->start - (prev ? prev->end : 0);
	rb_insert(&tree->root, &r->node, parent, side, update_max_gap);
	if (next)
		set_gap(next, r->end);
	tree->count++;
}

void region_remove(struct region_tree *tree, struct region *r)
{
	struct region *prev = region_prev(r), *next = region_next(r);

	rb_remove(&tree->root, &r->node, update_max_gap);
	if (next)
		set_gap(next, prev ? prev->end : 0);
	for (int i = 0; i < REGION_LASTS; i++)
		if (tree->last[i] == r)
			tree->last[i] = NULL;
	tree->count--;
}

struct region *region_pop(struct region_tree *tree)
{
	struct region *r = region_or_null(rb_pop(&tree->root));

	tree->count -= r != NULL;
	return r;
}

void region_resize(struct region_tree *tree, struct region *r, vaddr_t start, vaddr_t end)
{
	struct region *prev = region_prev(r), *next = region_next(r);

	(void)tree;
	assert((!prev || prev->end <= start) && (!next || end <= next->start) && start < end);
	r->start = start;
	r->end = end;
	set_gap(r, prev ? prev->end : 0);
	if (next)
		set_gap(next, end);
}

static vaddr_t lower(vaddr_t a, vaddr_t b) { return a < b ? a : b; }
static vaddr_t higher(vaddr_t a, vaddr_t b) { return a > b ? a : b; }

/* The part of the free range [from, to) inside [low, high), its top `size` bytes. */
static bool fits(vaddr_t from, vaddr_t to, size_t size, vaddr_t low, vaddr_t high, vaddr_t *found)
{
	from = higher(from, low);
	to = lower(to, high);
	if (to < from || to - from < size)
		return false;
	*found = to - size;
	return true;
}

/* The highest fitting gap among those below the regions of this subtree; as deep as the tree. */
static bool gap_in(struct rb_node *n, size_t size, vaddr_t low, vaddr_t high, vaddr_t *found)
{
	if (!n || region_of(n)->max_gap < size)
		return false;
	struct region *r = region_of(n);

	if (r->end < high && gap_in(n->child[1], size, low, high, found))
		return true;
	if (fits(r->start - r->gap, r->start, size, low, high, found))
		return true;
	return r->start - r->gap > low && gap_in(n->child[0], size, low, high, found);
}

bool region_gap(const struct region_tree *tree, size_t size, vaddr_t low, vaddr_t high, vaddr_t *found)
{
	struct region *last = region_or_null(rb_end(&tree->root, 1));

	return fits(last ? last->end : 0, high, size, low, high, found)
		|| gap_in(tree->root.top, size, low, high, found);
}

/* Black height of a sound subtree (1 for none), or -1. */
static int black_height(const struct rb_node *n)
{
	if (!n)
		return 1;
	struct region *r = region_of(n);
	size_t max = r->gap;
	int height[2];

	for (int side = 0; side < 2; side++) {
		const struct rb_node *c = n->child[side];

		height[side] = black_height(c);
		if (c && (c->parent != n || (n->red && c->red)))
			return -1;
		if (c && region_of(c)->max_gap > max)
			max = region_of(c)->max_gap;
	}
	if (height[0] < 0 || height[0] != height[1] || r->max_gap != max)
		return -1;
	return height[0] + !n->red;
}

bool region_tree_sound(const struct region_tree *tree)
{
	vaddr_t below = 0;
	size_t n = 0;

	if (black_height(tree->root.top) < 0)
		return false;
	for (struct region *r = region_first(tree); r; r = region_next(r), n++) {
		if (r->start < below || r->end <= r->start || r->gap != r->start - below)
			return false;
		below = r->end;
	}
	return n == tree->count;
}
