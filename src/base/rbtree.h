/* SPDX-License-Identifier: MIT */
/*
 * rbtree.h - intrusive red-black trees with the leftmost node at hand.
 *
 * struct rb_node is embedded in the structure it orders; the colour lives in
 * the lowest bit of the parent pointer.  No allocation, no recursion, no
 * locking: callers serialise.
 *
 * The invariants, which every function here keeps:
 *	1. the root is black;
 *	2. a red node has no red child;
 *	3. all paths from a node down to a missing child pass equally many
 *	   black nodes.
 * So no path is more than twice as long as another.
 */
#ifndef INTERPOLL_BASE_RBTREE_H
#define INTERPOLL_BASE_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rb_node {
	uintptr_t parent_colour; /* parent | RB_RED or RB_BLACK */
	struct rb_node *left;
	struct rb_node *right;
};

#define RB_RED	 ((uintptr_t)0)
#define RB_BLACK ((uintptr_t)1)

struct rb_root_cached {
	struct rb_node *node;
	struct rb_node *leftmost;
};

#define RB_ROOT_CACHED {NULL, NULL}

/* The structure of @type whose @member is @node, which may be const: comparisons get such. */
#define rb_entry(node, type, member) ((type *)((uintptr_t)(node)-offsetof(type, member)))

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->parent_colour & ~RB_BLACK);
}

static inline bool rb_is_red(const struct rb_node *node)
{
	return (node->parent_colour & RB_BLACK) == RB_RED;
}

/* Mark @node as being in no tree; rb_erase() does so too. */
static inline void rb_clear(struct rb_node *node)
{
	node->parent_colour = (uintptr_t)node;
}

/* Is @node, once cleared or inserted, in a tree? */
static inline bool rb_is_linked(const struct rb_node *node)
{
	return node->parent_colour != (uintptr_t)node;
}

static inline bool rb_is_empty(const struct rb_root_cached *root)
{
	return !root->node;
}

/* The first node in order, NULL in an empty tree.  O(1). */
static inline struct rb_node *rb_first(const struct rb_root_cached *root)
{
	return root->leftmost;
}

/* The node after @node in order, NULL after the last.  O(log n), amortised O(1). */
struct rb_node *rb_next(const struct rb_node *node);

/*
 * rb_insert_at - hang @node into *@link, an empty child of @parent (of the root
 * if @parent is NULL), and balance the tree.  @is_leftmost: @node is the new first.
 * The second half of rb_insert(), for callers that look the place up themselves.
 */
void rb_insert_at(struct rb_root_cached *root, struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link, bool is_leftmost);

/* Take @node out of @root and mark it so. */
void rb_erase(struct rb_root_cached *root, struct rb_node *node);

/*
 * rb_insert - put @node where @cmp(@node, other) says.
 * @cmp returns < 0, 0 or > 0 as its first argument is before, equal to or after
 * the second.  Returns NULL on success; if an equal node exists it is returned
 * and the tree is unchanged.  Inline, so that @cmp is too.
 */
static inline struct rb_node *rb_insert(struct rb_root_cached *root, struct rb_node *node,
					int (*cmp)(const struct rb_node *, const struct rb_node *))
{
	struct rb_node **link = &root->node;
	struct rb_node *parent = NULL;
	bool is_leftmost = true;

	/* @node belongs below *@link; all turns so far were left: is_leftmost. */
	while (*link) {
		int order = cmp(node, *link);

		if (order == 0)
			return *link;
		parent = *link;
		if (order < 0) {
			link = &parent->left;
		} else {
			link = &parent->right;
			is_leftmost = false;
		}
	}
	rb_insert_at(root, node, parent, link, is_leftmost);
	return NULL;
}

/* The node for which @cmp(@key, node) is 0, NULL if there is none. */
static inline struct rb_node *rb_find(const struct rb_root_cached *root, const void *key,
				      int (*cmp)(const void *, const struct rb_node *))
{
	struct rb_node *node = root->node;

	/* What is looked for is below @node, or nowhere. */
	while (node) {
		int order = cmp(key, node);

		if (order == 0)
			return node;
		node = order < 0 ? node->left : node->right;
	}
	return NULL;
}

#endif
