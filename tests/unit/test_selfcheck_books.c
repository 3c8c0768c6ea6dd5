// SPDX-License-Identifier: MIT
/*
 * test_selfcheck_books.c - whatever is inconsistent in an eventpoll's books ends the
 * program, and the line says what it was.
 */
#include "selfcheck_stage.h"

TestSuite(selfcheck_books, .init = stage_checked);

PEACE(selfcheck_books, of_an_untouched_eventpoll_are_in_order)
{
	EXPECT_COUNT(&e0, CHECKED, 2);
}

DIES(selfcheck_books, number_of_parked, "nr_parked is wrong")
{
	e0.ep->nr_parked++;
}

DIES(selfcheck_books, number_of_zombies, "nr_zombies is wrong")
{
	e0.ep->nr_zombies++;
}

DIES(selfcheck_books, number_of_the_kernels, "nr_kernel is wrong")
{
	e0.ep->nr_kernel++;
}

DIES(selfcheck_books, number_of_nested, "nr_nested is wrong")
{
	e0.ep->nr_nested++;
}

DIES(selfcheck_books, tree_without_its_items, "the tree does not have all items")
{
	e0.ep->rbr = (struct rb_root_cached)RB_ROOT_CACHED;
}

DIES(selfcheck_books, item_out_of_the_tree, "in the tree, or not, against its state")
{
	rb_erase(&e0.ep->rbr, &item(c0)->rbn);
}

DIES(selfcheck_books, tree_out_of_order, "the tree is not in order")
{
	struct epitem *first = item(p0[0]), *second = item(c0);
	struct file *file = first->file;

	first->file = second->file;
	second->file = file;
}

DIES(selfcheck_books, half_made_item, "it is half made")
{
	item(c0)->state = ITEM_NEW;
}

DIES(selfcheck_books, parked_item_outside_the_park, "nr_parked is wrong")
{
	item(c0)->state = ITEM_PARKED;
}

DIES(selfcheck_books, park_without_its_items, "the park does not have what is parked")
{
	item(c0)->state = ITEM_PARKED;
	e0.ep->nr_parked = 1;
}

DIES(selfcheck_books, unconfirmed_item_on_no_list, "the list of the unconfirmed is not theirs")
{
	item(c0)->state = ITEM_UNCONFIRMED;
}

DIES(selfcheck_books, ready_item_on_no_list, "the ready list does not have what is linked")
{
	arrive(&e0, c0);
	EXPECT_EVENTS(&e0, 8, {c0, EPOLLIN});
	ep_queue(item(c0));
	list_init(&e0.ep->rdllist);
}

DIES(selfcheck_books, list_that_is_not_linked_to_and_fro, "the ready list")
{
	ep_queue(item(c0));
	ep_queue(item(p0[0]));
	item(c0)->rdllink.prev = &item(c0)->rdllink;
}

DIES(selfcheck_books, zombie_on_no_list, "the list of zombies is not theirs")
{
	stage_forget(c0, true);
	list_init(&e0.ep->zombies);
}

DIES(selfcheck_books, item_of_the_kernels_on_our_list,
     "the kernel keeps it, and our ready list too")
{
	ep_queue(item(c0));
	ep_set_keeper(item(c0), KEPT_BY_KERNEL);
}

DIES(selfcheck_books, item_of_ours_in_a_settled_eventpoll, "we keep it in a settled eventpoll")
{
	e0.ep->is_settled = true;
}

DIES(selfcheck_books, loop_in_a_settled_eventpoll, "a loop drives what is settled")
{
	e0.ep->is_settled = true;
	e0.ep->has_loop = true;
}

DIES(selfcheck_books, item_of_the_kernels_under_a_loop, "the kernel keeps it from a loop")
{
	ep_set_keeper(item(c0), KEPT_BY_KERNEL);
	e0.ep->has_loop = true;
}

DIES(selfcheck_books, zombie_of_ours, "we keep a zombie")
{
	struct epitem *zombie = item(c0);

	stage_forget(c0, true);
	ep_set_keeper(zombie, KEPT_BY_US);
}

DIES(selfcheck_books, generation_that_is_never_given, "its generation is one that is never given")
{
	item(c0)->generation = 0;
}

DIES(selfcheck_books, item_off_the_queue_of_its_file, "it is not on the queue of its file")
{
	list_del_init(&item(c0)->fllink);
}

DIES(selfcheck_books, item_of_a_free_file, "its file is free")
{
	item(c0)->file->refs = 0;
}

DIES(selfcheck_books, item_without_a_file, "it has no file")
{
	item(c0)->file = NULL;
}

DIES(selfcheck_books, item_in_another_slot, "an item is another's")
{
	item(c0)->slot = 7;
}

DIES(selfcheck_books, item_that_was_not_armed, "it is not armed")
{
	item(c0)->armed = 0;
}

DIES(selfcheck_books, level_armed_for_too_little, "it is not armed for all it asks")
{
	item(p0[0])->event.events |= EPOLLOUT;
}

DIES(selfcheck_books, edge_armed_for_too_much, "it is not armed exactly")
{
	item(c0)->armed |= EPOLLOUT;
}

DIES(selfcheck_books, scan_left_open, "a scan was left open")
{
	e0.ep->ovflist = NULL;
}

DIES(selfcheck_books, item_left_on_the_overflow_list, "it is on the overflow list of no scan")
{
	item(c0)->next = NULL;
}

DIES(selfcheck_books, waiter_of_another_eventpoll, "a waiter sleeps elsewhere")
{
	static struct waiter waiter;

	list_add(&waiter.link, &e0.ep->waiters);
}

DIES(selfcheck_books, waiter_of_another_to_be_woken, "a waiter to be woken sleeps elsewhere")
{
	static struct waiter waiter;

	list_add(&waiter.wq_link, &e0.ep->wq);
}

DIES(selfcheck_books, unconfirmed_item_under_a_sleeper,
     "somebody sleeps, and a watch is unconfirmed")
{
	static struct waiter waiter;

	del(&e0, p0[0]);
	add(&e0, p0[0], EPOLLIN);
	waiter.ep = e0.ep;
	list_add(&waiter.link, &e0.ep->waiters);
}
