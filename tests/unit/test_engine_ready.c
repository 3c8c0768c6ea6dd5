// SPDX-License-Identifier: MIT
/*
 * test_engine_ready.c - the ready list under a scan: edges that arrive between its
 * beginning and its end.
 *
 *	loop -(edges)-> e0 <-(scan)- t0
 *
 * The test is the loop and the scan at once.
 */
#include "engine_stage.h"

TestSuite(engine_ready, .init = stage_thread);

static int fds[6];
static struct list_head txlist;

static struct epitem *item(int i)
{
	return item_of(&e0, fds[i]);
}

static void edge_of(int i)
{
	fake_wake(e0.fake, fds[i], EPOLLIN);
	cr_assert(ep_collect_for_loop(e0.ep));
}

/* f0 and f1 are on the ready list when @body begins. */
static noinline void scan(void (*body)(void))
{
	for (int i = 0; i < 6; i++) {
		fds[i] = file_open(0);
		add(&e0, fds[i], EPOLLIN);
	}
	cr_assert(section_enter());
	ep_acquire_mtx(e0.ep);
	ep_lock_loop();
	edge_of(0);
	edge_of(1);
	ep_enter_scan(e0.ep, &txlist);
	cr_assert(list_is_empty(&e0.ep->rdllist));
	cr_assert(ep_is_scanning(e0.ep));
	body();
	cr_assert_not(ep_is_scanning(e0.ep));
	ep_unlock_loop();
	ep_release_mtx(e0.ep);
	section_leave();
}

/* @order: one digit for each item on the ready list. */
static void expect_order(const char *order)
{
	const struct epitem *epi;

	list_for_each_entry(epi, &e0.ep->rdllist, rdllink) {
		cr_assert_neq(*order, '\0', "more items than there should be");
		cr_assert_eq(epi, item(*order - '0'), "not %c", *order);
		cr_assert_not(ep_on_ovflist(epi));
		order++;
	}
	cr_assert_eq(*order, '\0', "%s is missing", order);
}

static void leave_all(void)
{
	edge_of(4);
	edge_of(2);
	edge_of(3);
	ep_exit_scan(e0.ep, &txlist);
	expect_order("01423");
	EXPECT_COUNT(&e0, OVERFLOW, 3);
	EXPECT_COUNT(&e0, QUEUED, 2);
}

Test(engine_ready, what_the_scan_left_is_before_what_arrived_in_the_order_it_did)
{
	scan(leave_all);
}

static void take_first(void)
{
	list_del_init(&item(0)->rdllink);
	edge_of(2);
	edge_of(0);
	ep_exit_scan(e0.ep, &txlist);
	expect_order("120");
}

Test(engine_ready, edge_of_what_was_just_delivered_is_queued_behind)
{
	scan(take_first);
}

static void edge_of_what_is_on_the_list(void)
{
	edge_of(1);
	cr_assert(ep_on_ovflist(item(1)));
	edge_of(2);
	ep_exit_scan(e0.ep, &txlist);
	expect_order("012");
}

Test(engine_ready, edge_of_what_the_scan_still_has_keeps_its_place)
{
	scan(edge_of_what_is_on_the_list);
}

static void two_edges_of_one(void)
{
	edge_of(2);
	edge_of(3);
	edge_of(2);
	EXPECT_COUNT(&e0, OVERFLOW, 2);
	ep_exit_scan(e0.ep, &txlist);
	expect_order("0123");
}

Test(engine_ready, second_edge_during_the_scan_adds_nothing)
{
	scan(two_edges_of_one);
}

static void unqueue_between(void)
{
	edge_of(2);
	edge_of(3);
	edge_of(4);
	ep_unqueue(item(3));
	ep_unqueue(item(4));
	ep_unqueue(item(0));
	cr_assert_not(ep_on_ovflist(item(3)));
	ep_exit_scan(e0.ep, &txlist);
	expect_order("12");
	edge_of(3);
	expect_order("123");
}

Test(engine_ready, watch_can_leave_both_lists_during_the_scan)
{
	scan(unqueue_between);
}

static void filtered(void)
{
	item(2)->event.events &= EP_PRIVATE_BITS;
	fake_wake(e0.fake, fds[2], EPOLLIN);
	ep_collect_for_loop(e0.ep);
	cr_assert_not(ep_on_ovflist(item(2)));
	ep_exit_scan(e0.ep, &txlist);
	expect_order("01");
	EXPECT_COUNT(&e0, OVERFLOW, 0);
	EXPECT_COUNT(&e0, FILTERED, 1);
}

Test(engine_ready, filtered_edge_is_filtered_during_the_scan_too)
{
	scan(filtered);
}

/* -------- who is woken -------- */

static struct waiter waiters[3];

static void queue_waiters(void)
{
	for (int i = 0; i < 3; i++) {
		waiters[i].wakefd = -1;
		list_add(&waiters[i].wq_link, &e0.ep->wq);
	}
}

static void expect_woken(bool first, bool second, bool third)
{
	cr_assert_eq(waiters[0].was_woken, first);
	cr_assert_eq(waiters[1].was_woken, second);
	cr_assert_eq(waiters[2].was_woken, third);
}

static void wake_by_edges(void)
{
	queue_waiters();
	edge_of(2);
	expect_woken(false, false, true);
	edge_of(2);
	expect_woken(false, true, true);
	EXPECT_COUNT(&e0, WOKEN, 2);
	ep_exit_scan(e0.ep, &txlist);
	expect_woken(true, true, true);
	cr_assert(list_is_empty(&e0.ep->wq));
}

/* Each edge wakes one, the last to come first; and so does what a scan leaves. */
Test(engine_ready, each_edge_wakes_one_waiter_the_last_to_come_first)
{
	scan(wake_by_edges);
}

static void wake_for_nothing(void)
{
	queue_waiters();
	list_del_init(&item(0)->rdllink);
	list_del_init(&item(1)->rdllink);
	ep_exit_scan(e0.ep, &txlist);
	expect_woken(false, false, false);
	ep_wake_all(e0.ep);
	expect_woken(true, true, true);
}

Test(engine_ready, scan_that_leaves_nothing_wakes_nobody)
{
	scan(wake_for_nothing);
}
