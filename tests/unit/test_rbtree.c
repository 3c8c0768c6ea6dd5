// SPDX-License-Identifier: MIT
/*
 * test_rbtree.c - the invariants of rbtree.h, looked at after every operation.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/rbtree.h"
#include "dice.h"

#define NR_NODES_SMALL 200
#define NR_NODES_LARGE ((size_t)100000)

/* Of the order that is being tried; every failure names it. */
static unsigned long seed_now;

struct node {
	struct rb_node rb;
	size_t key;
};

static size_t key_of(const struct rb_node *rb)
{
	return rb_entry(rb, const struct node, rb)->key;
}

static int cmp_keys(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int cmp_nodes(const struct rb_node *a, const struct rb_node *b)
{
	return cmp_keys(key_of(a), key_of(b));
}

static int cmp_key_node(const void *key, const struct rb_node *b)
{
	return cmp_keys(*(const size_t *)key, key_of(b));
}

static struct node *nodes_new(size_t nr)
{
	struct node *nodes = calloc(nr, sizeof(*nodes));

	cr_assert_not_null(nodes);
	for (size_t i = 0; i < nr; i++) {
		nodes[i].key = i;
		rb_clear(&nodes[i].rb);
	}
	return nodes;
}

/* Of a subtree: how many nodes it has, and how many black ones each way down. */
struct census {
	size_t nr_nodes;
	size_t black_height;
};

/*
 * Look at all below @node.  @low and @high are the keys between which it must
 * lie.  The recursion is as deep as the tree, which is what is being limited.
 */
static struct census check_subtree(const struct rb_node *node, const struct rb_node *parent,
				   const size_t *low, const size_t *high)
{
	struct census left, right;
	size_t key;

	if (!node)
		return (struct census){0, 0};
	key = key_of(node);
	cr_assert_eq(rb_parent(node), parent, "seed %lu: %zu does not know its parent", seed_now,
		     key);
	cr_assert(!low || key > *low, "seed %lu: %zu is not after %zu", seed_now, key,
		  low ? *low : 0);
	cr_assert(!high || key < *high, "seed %lu: %zu is not before %zu", seed_now, key,
		  high ? *high : 0);
	if (rb_is_red(node)) {
		cr_assert_not_null(parent, "seed %lu: the root is red", seed_now);
		cr_assert_not(rb_is_red(parent), "seed %lu: %zu is red below red", seed_now, key);
	}
	left = check_subtree(node->left, node, low, &key);
	right = check_subtree(node->right, node, &key, high);
	cr_assert_eq(left.black_height, right.black_height,
		     "seed %lu: black heights differ below %zu", seed_now, key);
	return (struct census){
		left.nr_nodes + 1 + right.nr_nodes,
		left.black_height + !rb_is_red(node),
	};
}

/* Everything rbtree.h promises of @root, which must have @nr nodes. */
static void check_tree(const struct rb_root_cached *root, size_t nr)
{
	const struct rb_node *first = root->node;
	struct census census = check_subtree(root->node, NULL, NULL, NULL);

	cr_assert_eq(census.nr_nodes, nr, "seed %lu: %zu nodes in the tree, not %zu", seed_now,
		     census.nr_nodes, nr);
	cr_assert_eq(rb_is_empty(root), nr == 0);
	while (first && first->left)
		first = first->left;
	cr_assert_eq(rb_first(root), first, "seed %lu: the cached first node is not the first",
		     seed_now);
}

/* Walk @root by rb_next(); it must visit exactly the linked ones of @nodes, ascending. */
static void check_walk(const struct rb_root_cached *root, const struct node *nodes, size_t nr)
{
	const struct rb_node *rb = rb_first(root);

	for (size_t i = 0; i < nr; i++) {
		if (!rb_is_linked(&nodes[i].rb))
			continue;
		cr_assert_eq(rb, &nodes[i].rb, "seed %lu: the walk misses %zu", seed_now, i);
		rb = rb_next(rb);
	}
	cr_assert_null(rb, "seed %lu: the walk does not end", seed_now);
}

/* Insert 0..@nr-1 in the order @in, erase in the order @out, looking each time. */
static void grow_and_shrink(const size_t *in, const size_t *out, size_t nr)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct node *nodes = nodes_new(nr);

	for (size_t i = 0; i < nr; i++) {
		cr_assert_null(rb_insert(&root, &nodes[in[i]].rb, cmp_nodes));
		check_tree(&root, i + 1);
	}
	check_walk(&root, nodes, nr);
	for (size_t i = 0; i < nr; i++) {
		rb_erase(&root, &nodes[out[i]].rb);
		cr_assert_not(rb_is_linked(&nodes[out[i]].rb));
		check_tree(&root, nr - i - 1);
		check_walk(&root, nodes, nr);
	}
	free(nodes);
}

Test(rbtree, empty_tree_has_nothing)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	size_t key = 1;

	check_tree(&root, 0);
	cr_assert_null(rb_first(&root));
	cr_assert_null(rb_find(&root, &key, cmp_key_node));
}

Test(rbtree, equal_node_is_refused_and_named)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct node first = {.key = 7}, second = {.key = 7};

	rb_clear(&second.rb);
	cr_assert_null(rb_insert(&root, &first.rb, cmp_nodes));
	cr_assert_eq(rb_insert(&root, &second.rb, cmp_nodes), &first.rb);
	cr_assert_not(rb_is_linked(&second.rb));
	check_tree(&root, 1);
}

/* All 7! orders in, and for each one order out: every shape of a small tree. */
Test(rbtree, every_order_of_seven_nodes)
{
	struct dice dice = dice_from_seed(seed_now = 7);
	size_t in[7] = {0, 1, 2, 3, 4, 5, 6}, out[7];
	int i, j;

	for (;;) {
		dice_shuffle(&dice, out, 7);
		grow_and_shrink(in, out, 7);
		/* the next permutation: the last rise is undone, the rest reversed */
		for (i = 5; i >= 0 && in[i] > in[i + 1]; i--)
			;
		if (i < 0)
			return;
		for (j = 6; in[j] < in[i]; j--)
			;
		size_t t = in[i];
		in[i] = in[j];
		in[j] = t;
		for (int a = i + 1, b = 6; a < b; a++, b--) {
			t = in[a];
			in[a] = in[b];
			in[b] = t;
		}
	}
}

Test(rbtree, ascending_and_descending_orders)
{
	size_t up[NR_NODES_SMALL], down[NR_NODES_SMALL];

	for (size_t i = 0; i < NR_NODES_SMALL; i++) {
		up[i] = i;
		down[i] = NR_NODES_SMALL - 1 - i;
	}
	grow_and_shrink(up, up, NR_NODES_SMALL);
	grow_and_shrink(up, down, NR_NODES_SMALL);
	grow_and_shrink(down, up, NR_NODES_SMALL);
	grow_and_shrink(down, down, NR_NODES_SMALL);
}

Test(rbtree, random_orders)
{
	size_t in[NR_NODES_SMALL], out[NR_NODES_SMALL];

	for (seed_now = 1; seed_now <= 40; seed_now++) {
		struct dice dice = dice_from_seed(seed_now);

		dice_shuffle(&dice, in, NR_NODES_SMALL);
		dice_shuffle(&dice, out, NR_NODES_SMALL);
		grow_and_shrink(in, out, NR_NODES_SMALL);
	}
}

/* Insertions and erasures mixed, as in an eventpoll: the tree hovers at half its nodes. */
Test(rbtree, random_mixture)
{
	for (seed_now = 1; seed_now <= 10; seed_now++) {
		struct dice dice = dice_from_seed(seed_now);
		struct rb_root_cached root = RB_ROOT_CACHED;
		struct node *nodes = nodes_new(NR_NODES_SMALL);
		size_t nr = 0;

		for (int step = 0; step < 5000; step++) {
			struct node *node = &nodes[dice_below(&dice, NR_NODES_SMALL)];
			bool is_in = rb_is_linked(&node->rb);
			struct rb_node *found = rb_find(&root, &node->key, cmp_key_node);

			cr_assert_eq(found, is_in ? &node->rb : NULL, "seed %lu, step %d, key %zu",
				     seed_now, step, node->key);
			if (is_in)
				rb_erase(&root, &node->rb);
			else
				cr_assert_null(rb_insert(&root, &node->rb, cmp_nodes));
			nr = is_in ? nr - 1 : nr + 1;
			check_tree(&root, nr);
		}
		check_walk(&root, nodes, NR_NODES_SMALL);
		free(nodes);
	}
}

/*
 * Looking at all of a large tree each time would take hours.  What an operation
 * can break lies on the path from the place it touched to the root; so that
 * path is looked at each time, and all of the tree now and then.
 */
static void check_path(const struct rb_root_cached *root, const struct rb_node *node, size_t nr)
{
	size_t depth = 0, limit = 0;

	/* no path is longer than 2 log2(nr + 1) */
	for (size_t n = nr + 1; n > 0; n /= 2)
		limit += 2;
	for (; rb_parent(node); node = rb_parent(node)) {
		const struct rb_node *parent = rb_parent(node);

		cr_assert(parent->left == node || parent->right == node);
		cr_assert_not(rb_is_red(node) && rb_is_red(parent));
		depth++;
	}
	cr_assert_eq(node, root->node);
	cr_assert_not(rb_is_red(node));
	cr_assert_leq(depth, limit, "seed %lu: %zu deep with %zu nodes", seed_now, depth, nr);
}

Test(rbtree, hundred_thousand_nodes_grow_and_shrink, .timeout = 120)
{
	struct dice dice = dice_from_seed(seed_now = 100000);
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct node *nodes = nodes_new(NR_NODES_LARGE);
	size_t *order = calloc(NR_NODES_LARGE, sizeof(*order));

	dice_shuffle(&dice, order, NR_NODES_LARGE);
	for (size_t i = 0; i < NR_NODES_LARGE; i++) {
		struct rb_node *rb = &nodes[order[i]].rb;

		cr_assert_null(rb_insert(&root, rb, cmp_nodes));
		check_path(&root, rb, i + 1);
		if (i % 1000 == 0)
			check_tree(&root, i + 1);
	}
	check_tree(&root, NR_NODES_LARGE);
	check_walk(&root, nodes, NR_NODES_LARGE);

	dice_shuffle(&dice, order, NR_NODES_LARGE);
	for (size_t i = 0; i < NR_NODES_LARGE; i++) {
		struct rb_node *rb = &nodes[order[i]].rb;
		struct rb_node *next = rb_next(rb);

		rb_erase(&root, rb);
		if (next)
			check_path(&root, next, NR_NODES_LARGE - i - 1);
		if (i % 1000 == 0)
			check_tree(&root, NR_NODES_LARGE - i - 1);
	}
	check_tree(&root, 0);
	free(order);
	free(nodes);
}
