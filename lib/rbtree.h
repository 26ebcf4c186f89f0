/*
 * lib/rbtree.h - a red-black tree whose nodes lie inside the elements, with an optional value kept for each subtree.
 *
 * The caller finds the place to insert at by itself.  `update` recomputes a node's subtree value from the node and its two
 * children and says whether it changed; it is called bottom-up, as far as values change.  NULL: there is no such value.
 * Algorithm: Cormen, Leiserson, Rivest, Stein, 'Introduction to Algorithms', chapter 13; the two mirror cases are one by child[dir].
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct rb_node {
	struct rb_node *parent, *child[2];	/* child[0] has the lower keys */
	bool red;
};
struct rb_root { struct rb_node *top; };
typedef bool (*rb_update)(struct rb_node *);

/* Links node as parent->child[side] (parent NULL: the tree is empty) and rebalances. */
void rb_insert(struct rb_root *, struct rb_node *node, struct rb_node *parent, int side, rb_update);
void rb_remove(struct rb_root *, struct rb_node *node, rb_update);
/* What this node's value depends on has changed: recomputes it, and those above as far as they change. */
void rb_changed(struct rb_node *, rb_update);
/* Neighbour in key order: side 1 the next, side 0 the previous; NULL at the end. */
struct rb_node *rb_step(const struct rb_node *, int side);
/* The outermost node: side 0 the first, side 1 the last; NULL in an empty tree. */
struct rb_node *rb_end(const struct rb_root *, int side);
/* Takes out one that has no children, without a care for balance and values: for a tree that goes as a whole.  NULL: it is empty. */
struct rb_node *rb_pop(struct rb_root *);
