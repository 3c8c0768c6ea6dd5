// SPDX-License-Identifier: MIT
/*
 * rbtree.c - balancing.
 *
 * In the pictures capitals are black, small letters red, and (x) either.
 * Each case that speaks of a left child has its mirror; both are one piece of
 * code, which asks rb_is_left() once and then says near and far.
 */
#include "base/rbtree.h"

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->parent_colour = (uintptr_t)parent | (node->parent_colour & RB_BLACK);
}

static void set_colour(struct rb_node *node, uintptr_t colour)
{
	node->parent_colour = (node->parent_colour & ~RB_BLACK) | colour;
}

/* A missing child counts as black. */
static bool is_black(const struct rb_node *node)
{
	return !node || !rb_is_red(node);
}

/* Let @parent (the root if NULL) have @new where it had @old. */
static void replace_child(struct rb_root_cached *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/*
 * Lift the right (or left) child of @node into its place; colours stay with
 * the nodes.
 *
 *	  n              c
 *	 / \            / \
 *	A   c    -->   n   D	(left rotation)
 *	   / \        / \
 *	  B   D      A   B
 */
static void rotate(struct rb_root_cached *root, struct rb_node *node, bool is_left)
{
	struct rb_node *child = is_left ? node->right : node->left;
	struct rb_node *inner = is_left ? child->left : child->right;

	if (is_left) {
		node->right = inner;
		child->left = node;
	} else {
		node->left = inner;
		child->right = node;
	}
	if (inner)
		set_parent(inner, node);
	set_parent(child, rb_parent(node));
	replace_child(root, rb_parent(node), node, child);
	set_parent(node, child);
}

void rb_insert_at(struct rb_root_cached *root, struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link, bool is_leftmost)
{
	node->parent_colour = (uintptr_t)parent | RB_RED;
	node->left = NULL;
	node->right = NULL;
	*link = node;
	if (is_leftmost)
		root->leftmost = node;

	/*
	 * @node is red, and the tree is right everywhere but that its parent
	 * may be red as well.  A red parent is not the root, so there is a
	 * grandparent, and that is black.
	 */
	while ((parent = rb_parent(node)) && rb_is_red(parent)) {
		struct rb_node *grand = rb_parent(parent);
		bool is_left = grand->left == parent;
		struct rb_node *uncle = is_left ? grand->right : grand->left;

		if (!is_black(uncle)) {
			/*
			 *	    G            g
			 *	   / \          / \
			 *	  p   u  -->   P   U	and g may now clash above
			 *	 /            /
			 *	n            n
			 */
			set_colour(parent, RB_BLACK);
			set_colour(uncle, RB_BLACK);
			set_colour(grand, RB_RED);
			node = grand;
			continue;
		}
		if (node == (is_left ? parent->right : parent->left)) {
			/*
			 *	  G            G
			 *	 / \          / \
			 *	p   U  -->   n   U	the clash is on the outside now
			 *	 \          /
			 *	  n        p
			 */
			rotate(root, parent, is_left);
			parent = node;
		}
		/*
		 *	    G            P
		 *	   / \          / \
		 *	  p   U  -->   n   g
		 *	 /                  \
		 *	n                    U
		 */
		set_colour(parent, RB_BLACK);
		set_colour(grand, RB_RED);
		rotate(root, grand, !is_left);
		break;
	}
	set_colour(root->node, RB_BLACK);
}

/*
 * One black node is missing on every path through @node, a child of @parent
 * that may be NULL.
 */
static void repair_black(struct rb_root_cached *root, struct rb_node *node, struct rb_node *parent)
{
	/*
	 * Paths through @node are one black short, everything else is right.
	 * So @node's sibling exists: the paths through it have one black more.
	 */
	while (parent && is_black(node)) {
		bool is_left = parent->left == node;
		struct rb_node *sibling = is_left ? parent->right : parent->left;
		struct rb_node *near, *far;

		if (rb_is_red(sibling)) {
			/*
			 *	  P             S
			 *	 / \           / \
			 *	N   s   -->   p   F	a black sibling, red parent
			 *	   / \       / \
			 *	  M   F     N   M
			 */
			set_colour(sibling, RB_BLACK);
			set_colour(parent, RB_RED);
			rotate(root, parent, is_left);
			sibling = is_left ? parent->right : parent->left;
		}
		near = is_left ? sibling->left : sibling->right;
		far = is_left ? sibling->right : sibling->left;
		if (is_black(near) && is_black(far)) {
			/*
			 *	 (p)           (p)
			 *	 / \           / \
			 *	N   S   -->   N   s	now all below p are one short
			 */
			set_colour(sibling, RB_RED);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (is_black(far)) {
			/*
			 *	 (p)           (p)
			 *	 / \           / \
			 *	N   S   -->   N   M
			 *	   / \             \
			 *	  m   F             s	the far one is red now
			 *	                     \
			 *	                      F
			 */
			set_colour(near, RB_BLACK);
			set_colour(sibling, RB_RED);
			rotate(root, sibling, !is_left);
			far = sibling;
			sibling = near;
		}
		/*
		 *	 (p)             (s)
		 *	 / \             / \
		 *	N   S    -->    P   F	one black more on N's side
		 *	   / \         / \
		 *	 (m)  f       N  (m)
		 */
		set_colour(sibling, rb_is_red(parent) ? RB_RED : RB_BLACK);
		set_colour(parent, RB_BLACK);
		set_colour(far, RB_BLACK);
		rotate(root, parent, is_left);
		return;
	}
	/* The root may simply lose one black on all paths; a red node turns black. */
	if (node)
		set_colour(node, RB_BLACK);
}

/* Put @next, the successor of @node without a left child, into @node's place. */
static void take_place(struct rb_root_cached *root, struct rb_node *node, struct rb_node *next)
{
	next->parent_colour = node->parent_colour;
	next->left = node->left;
	next->right = node->right;
	replace_child(root, rb_parent(node), node, next);
	set_parent(next->left, next);
	if (next->right)
		set_parent(next->right, next);
}

void rb_erase(struct rb_root_cached *root, struct rb_node *node)
{
	struct rb_node *next = NULL, *child, *parent;
	struct rb_node *gone = node; /* the node that leaves its place in the tree */
	bool was_black;

	if (root->leftmost == node)
		root->leftmost = rb_next(node);
	if (node->left && node->right) {
		/* Two children: the successor, who has no left one, steps in. */
		for (next = node->right; next->left; next = next->left)
			;
		gone = next;
	}
	child = gone->left ? gone->left : gone->right;
	parent = rb_parent(gone);
	was_black = is_black(gone);
	replace_child(root, parent, gone, child);
	if (child)
		set_parent(child, parent);
	if (next) {
		if (parent == node)
			parent = next;
		take_place(root, node, next);
	}
	if (was_black)
		repair_black(root, child, parent);
	rb_clear(node);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->right) {
		struct rb_node *next = node->right;

		while (next->left)
			next = next->left;
		return next;
	}
	/* All of @node's subtree is before what is looked for. */
	while ((parent = rb_parent(node)) && node == parent->right)
		node = parent;
	return parent;
}
