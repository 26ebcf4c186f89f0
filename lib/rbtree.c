/* lib/rbtree.c - red-black tree; see rbtree.h. */
#include "lib/rbtree.h"

static bool is_red(const struct rb_node *n)
{
	return n && n->red;
}

static void replace_in_parent(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
	struct rb_node *parent = old->parent;

	if (!parent)
		root->top = new;
	else
		parent->child[parent->child[1] == old] = new;
	if (new)
		new->parent = parent;
}

/* Turns x towards side dir: its child of the other side takes its place. */
static void rotate(struct rb_root *root, struct rb_node *x, int dir, rb_update update)
{
	struct rb_node *y = x->child[!dir];

	replace_in_parent(root, x, y);
	x->child[!dir] = y->child[dir];
	if (x->child[!dir])
		x->child[!dir]->parent = x;
	y->child[dir] = x;
	x->parent = y;
	if (update) {
		update(x);
		update(y);
	}
}

void rb_changed(struct rb_node *n, rb_update update)
{
	while (n && update && update(n))
		n = n->parent;
}

void rb_insert(struct rb_root *root, struct rb_node *n, struct rb_node *parent, int side, rb_update update)
{
	n->parent = parent;
	n->child[0] = n->child[1] = NULL;
	n->red = true;
	if (parent)
		parent->child[side] = n;
	else
		root->top = n;
	if (update)
		update(n);
	rb_changed(parent, update);

	while (is_red(parent = n->parent)) {
		struct rb_node *grand = parent->parent;		/* a red node is not the root */
		int dir = grand->child[1] == parent;
		struct rb_node *uncle = grand->child[!dir];

		if (is_red(uncle)) {
			parent->red = uncle->red = false;
			grand->red = true;
			n = grand;
			continue;
		}
		if (parent->child[!dir] == n) {
			rotate(root, parent, dir, update);
			parent = n;
		}
		parent->red = false;
		grand->red = true;
		rotate(root, grand, !dir, update);
		break;
	}
	root->top->red = false;
}

/* The paths through parent->child with n in it lack one black node. */
static void rebalance_removed(struct rb_root *root, struct rb_node *n, struct rb_node *parent, rb_update update)
{
	while (parent && !is_red(n)) {
		int dir = parent->child[1] == n;
		struct rb_node *sibling = parent->child[!dir];	/* there is one: its side has a black node more */

		if (sibling->red) {
			sibling->red = false;
			parent->red = true;
			rotate(root, parent, dir, update);
			sibling = parent->child[!dir];
		}
		if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
			sibling->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!is_red(sibling->child[!dir])) {
			sibling->child[dir]->red = false;
			sibling->red = true;
			rotate(root, sibling, !dir, update);
			sibling = parent->child[!dir];
		}
		sibling->red = parent->red;
		parent->red = false;
		sibling->child[!dir]->red = false;
		rotate(root, parent, dir, update);
		return;
	}
	if (n)
		n->red = false;
}

/* Recomputes all the way up: a node that moved into another's place has a value from elsewhere, so 'unchanged' says nothing. */
static void update_all(struct rb_node *n, rb_update update)
{
	for (; n && update; n = n->parent)
		update(n);
}

void rb_remove(struct rb_root *root, struct rb_node *n, rb_update update)
{
	struct rb_node *child, *parent;
	bool red, moved = n->child[0] && n->child[1];

	if (moved) {
		struct rb_node *next = n->child[1];		/* takes n's place */

		while (next->child[0])
			next = next->child[0];
		child = next->child[1];
		red = next->red;
		parent = next->parent == n ? next : next->parent;
		if (parent != next) {
			replace_in_parent(root, next, child);
			next->child[1] = n->child[1];
			next->child[1]->parent = next;
		}
		replace_in_parent(root, n, next);
		next->child[0] = n->child[0];
		next->child[0]->parent = next;
		next->red = n->red;
	} else {
		child = n->child[0] ? n->child[0] : n->child[1];
		red = n->red;
		parent = n->parent;
		replace_in_parent(root, n, child);
	}
	if (moved)
		update_all(parent, update);
	else
		rb_changed(parent, update);
	if (!red)
		rebalance_removed(root, child, parent, update);
}

struct rb_node *rb_step(const struct rb_node *n, int side)
{
	if (n->child[side]) {
		n = n->child[side];
		while (n->child[!side])
			n = n->child[!side];
		return (struct rb_node *)n;
	}
	while (n->parent && n->parent->child[side] == n)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_end(const struct rb_root *root, int side)
{
	struct rb_node *n = root->top;

	while (n && n->child[side])
		n = n->child[side];
	return n;
}

struct rb_node *rb_pop(struct rb_root *root)
{
	struct rb_node *n = root->top;

	if (!n)
		return NULL;
	while (n->child[0] || n->child[1])
		n = n->child[!n->child[0]];
	if (n->parent)
		n->parent->child[n->parent->child[1] == n] = NULL;
	else
		root->top = NULL;
	return n;
}
