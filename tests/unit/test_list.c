// SPDX-License-Identifier: MIT
/*
 * test_list.c - lists against a plain array that says what they must hold.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/list.h"
#include "dice.h"

#define NR_ITEMS 24
#define NR_STEPS 20000

struct item {
	int number;
	struct list_head link;
};

static struct item items[NR_ITEMS];

static void items_init(void)
{
	for (int i = 0; i < NR_ITEMS; i++) {
		items[i].number = i;
		list_init(&items[i].link);
	}
}

/* What a list must hold, first to last. */
struct model {
	int numbers[NR_ITEMS];
	int nr;
};

static void model_insert(struct model *model, int at, int number)
{
	memmove(model->numbers + at + 1, model->numbers + at,
		(size_t)(model->nr - at) * sizeof(int));
	model->numbers[at] = number;
	model->nr++;
}

static void model_remove(struct model *model, int number)
{
	for (int i = 0; i < model->nr; i++) {
		if (model->numbers[i] != number)
			continue;
		model->nr--;
		memmove(model->numbers + i, model->numbers + i + 1,
			(size_t)(model->nr - i) * sizeof(int));
		return;
	}
}

/* @head holds what @model says, read in both directions; @what and @seed say who asks. */
static void expect_same(const struct list_head *head, const struct model *model, const char *what,
			unsigned long seed)
{
	const struct item *item;
	int i = 0;

	list_for_each_entry(item, head, link) {
		cr_assert_lt(i, model->nr, "%s, seed %lu: too many forwards", what, seed);
		cr_assert_eq(item->number, model->numbers[i], "%s, seed %lu: forwards, place %d",
			     what, seed, i);
		i++;
	}
	cr_assert_eq(i, model->nr, "%s, seed %lu: %d forwards, not %d", what, seed, i, model->nr);
	list_for_each_entry_reverse(item, head, link) {
		i--;
		cr_assert_geq(i, 0, "%s, seed %lu: too many backwards", what, seed);
		cr_assert_eq(item->number, model->numbers[i], "%s, seed %lu: backwards, place %d",
			     what, seed, i);
	}
	cr_assert_eq(i, 0, "%s, seed %lu: too few backwards", what, seed);
	cr_assert_eq(list_is_empty(head), model->nr == 0, "%s, seed %lu: empty or not", what, seed);
}

TestSuite(list, .init = items_init);

Test(list, static_list_is_empty)
{
	struct list_head head = LIST_INIT(head);

	cr_assert(list_is_empty(&head));
	cr_assert_not(list_is_linked(&head));
	cr_assert_null(list_pop_entry(&head, struct item, link));
}

Test(list, place_knows_whether_it_is_linked)
{
	struct list_head head;

	list_init(&head);
	cr_assert_not(list_is_linked(&items[0].link));
	list_add(&items[0].link, &head);
	cr_assert(list_is_linked(&items[0].link));
	list_del_init(&items[0].link);
	cr_assert_not(list_is_linked(&items[0].link));
	cr_assert(list_is_empty(&head));
}

Test(list, del_init_twice_is_harmless)
{
	struct list_head head = LIST_INIT(head);
	struct model model = {{1}, 1};

	list_add_tail(&items[0].link, &head);
	list_add_tail(&items[1].link, &head);
	list_del_init(&items[0].link);
	list_del_init(&items[0].link);
	expect_same(&head, &model, "after deleting twice", 0);
}

Test(list, pop_takes_from_the_front)
{
	struct list_head head = LIST_INIT(head);

	for (int i = 0; i < NR_ITEMS; i++)
		list_add_tail(&items[i].link, &head);
	for (int i = 0; i < NR_ITEMS; i++) {
		struct item *item = list_pop_entry(&head, struct item, link);

		cr_assert_eq(item, &items[i]);
		cr_assert_not(list_is_linked(&item->link));
	}
	cr_assert(list_is_empty(&head));
}

Test(list, neighbours_are_reached_from_an_entry)
{
	struct list_head head = LIST_INIT(head);

	for (int i = 0; i < 3; i++)
		list_add_tail(&items[i].link, &head);
	cr_assert_eq(list_first_entry(&head, struct item, link), &items[0]);
	cr_assert_eq(list_last_entry(&head, struct item, link), &items[2]);
	cr_assert_eq(list_next_entry(&items[0], link), &items[1]);
	cr_assert_eq(list_prev_entry(&items[2], link), &items[1]);
	cr_assert(list_is_end(list_next_entry(&items[2], link), &head, link));
}

Test(list, splicing_an_empty_list_changes_nothing)
{
	struct list_head from = LIST_INIT(from), head = LIST_INIT(head);
	struct model model = {{0}, 1};

	list_splice_head_init(&from, &head);
	cr_assert(list_is_empty(&head));
	list_add(&items[0].link, &head);
	list_splice_head_init(&from, &head);
	list_splice_tail_init(&from, &head);
	expect_same(&head, &model, "after splicing nothing", 0);
	cr_assert(list_is_empty(&from));
}

Test(list, visitor_may_unlink_what_it_visits)
{
	struct list_head head = LIST_INIT(head);
	struct item *item, *next;
	struct model model = {.nr = 0};
	int nr_visited = 0;

	for (int i = 0; i < NR_ITEMS; i++)
		list_add_tail(&items[i].link, &head);
	list_for_each_entry_safe(item, next, &head, link) {
		cr_assert_eq(item->number, nr_visited++);
		if (item->number % 3 == 0)
			list_del_init(&item->link);
		else
			model.numbers[model.nr++] = item->number;
	}
	cr_assert_eq(nr_visited, NR_ITEMS);
	expect_same(&head, &model, "after unlinking every third", 0);
}

/* Two lists; each item is on one of them or on none. */
struct pair {
	struct list_head heads[2];
	struct model models[2];
};

static void pair_forget(struct pair *pair, int number)
{
	model_remove(&pair->models[0], number);
	model_remove(&pair->models[1], number);
}

/* One random operation, on the lists and on their models. */
static const char *pair_step(struct pair *pair, struct dice *dice)
{
	int number = (int)dice_below(dice, NR_ITEMS);
	int to = (int)dice_below(dice, 2);
	struct list_head *link = &items[number].link, *head = &pair->heads[to];
	struct model *model = &pair->models[to], *other = &pair->models[!to];

	switch (dice_below(dice, 10)) {
	case 0: /* rarely: it moves everything to one side */
		list_splice_head_init(&pair->heads[!to], head);
		while (other->nr)
			model_insert(model, 0, other->numbers[--other->nr]);
		return "splice_head_init";
	case 1:
		list_splice_tail_init(&pair->heads[!to], head);
		for (int i = 0; i < other->nr; i++)
			model_insert(model, model->nr, other->numbers[i]);
		other->nr = 0;
		return "splice_tail_init";
	case 2 ... 4:
		list_del_init(link);
		pair_forget(pair, number);
		return "del_init";
	case 5 ... 6:
		list_move(link, head);
		pair_forget(pair, number);
		model_insert(model, 0, number);
		return "move";
	case 7:
		list_move_tail(link, head);
		pair_forget(pair, number);
		model_insert(model, model->nr, number);
		return "move_tail";
	default:
		if (list_is_linked(link))
			return "nothing";
		list_add_tail(link, head);
		model_insert(model, model->nr, number);
		return "add_tail";
	}
}

Test(list, random_operations_agree_with_an_array)
{
	for (unsigned long seed = 1; seed <= 3; seed++) {
		struct dice dice = dice_from_seed(seed);
		struct pair pair = {.models = {{.nr = 0}, {.nr = 0}}};

		items_init();
		list_init(&pair.heads[0]);
		list_init(&pair.heads[1]);
		for (int step = 0; step < NR_STEPS; step++) {
			const char *what = pair_step(&pair, &dice);

			expect_same(&pair.heads[0], &pair.models[0], what, seed);
			expect_same(&pair.heads[1], &pair.models[1], what, seed);
		}
	}
}
