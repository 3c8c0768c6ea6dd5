// SPDX-License-Identifier: MIT
/*
 * test_engine_park.c - watches that are deleted, stay armed, and come back.
 *
 *	t0 -(ctl, wait)-> e0 -(inline)-> f0, ...
 */
#include "engine_stage.h"

TestSuite(engine_park, .init = stage_inline);

/* A watch that was deleted and is parked; its ADD has been asserted. */
static int park_one(uint32_t events)
{
	int fd = file_open(0);

	add(&e0, fd, events);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(events & ~(EPOLLET | EPOLLONESHOT)));
	del(&e0, fd);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, fd)->state, ITEM_PARKED);
	return fd;
}

Test(engine_park, del_parks_without_a_call)
{
	int fd = park_one(EPOLLIN);

	expect_watches(&e0, 0);
	cr_assert_eq(e0.ep->nr_parked, 1);
	EXPECT_COUNT(&e0, PARKED, 1);
	EXPECT_COUNT(&e0, DISARMED, 0);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN), -ENOENT);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_DEL, fd, 0), -ENOENT);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_park, del_takes_a_queued_watch_off_the_ready_list)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN);
	mod(&e0, fd, EPOLLIN);
	del(&e0, fd);
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(item_of(&e0, fd)->state, ITEM_PARKED);
}

Test(engine_park, add_again_is_told_once_by_the_next_wait)
{
	int fd = park_one(EPOLLIN);
	uint64_t old = tag_of(&e0, fd);

	add(&e0, fd, EPOLLOUT | EPOLLET);
	cr_assert_eq(item_of(&e0, fd)->state, ITEM_UNCONFIRMED);
	cr_assert_eq(e0.ep->nr_parked, 0);
	expect_watches(&e0, 1);
	EXPECT_COUNT(&e0, UNPARKED, 1);
	EXPECT_NO_CALLS(&e0);
	fake_edge(e0.fake, old, EPOLLOUT);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, STALE, 1);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLOUT));
	cr_assert_eq(item_of(&e0, fd)->state, ITEM_LIVE);
	fake_wake(e0.fake, fd, EPOLLOUT);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLOUT});
	EXPECT_NO_CALLS(&e0);
}

Test(engine_park, mod_and_del_of_a_watch_that_came_back_need_no_call)
{
	int fd = park_one(EPOLLIN);

	add(&e0, fd, EPOLLIN);
	mod(&e0, fd, EPOLLOUT);
	mod(&e0, fd, EPOLLOUT | EPOLLONESHOT);
	EXPECT_NO_CALLS(&e0);
	del(&e0, fd);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, fd)->state, ITEM_PARKED);
	cr_assert_eq(e0.ep->nr_parked, 1);
	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	expect_watches(&e0, 1);
}

Test(engine_park, add_of_a_watch_that_came_back_exists)
{
	int fd = park_one(EPOLLIN);

	add(&e0, fd, EPOLLIN);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_ADD, fd, EPOLLOUT), -EEXIST);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLOUT));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, fd)->event.events, level(EPOLLIN));
	expect_watches(&e0, 1);
}

/* Its close was never seen; the number names another file by now. */
Test(engine_park, what_the_source_lost_in_the_park_is_added_anew)
{
	int fd = park_one(EPOLLIN);

	fake_lose(e0.fake, fd);
	add(&e0, fd, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

Test(engine_park, what_the_source_refuses_to_confirm_is_gone)
{
	int fd = park_one(EPOLLIN);

	add(&e0, fd, EPOLLIN);
	fake_fail(e0.fake, FAKE_REARM, -EBADF);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_null(item_of(&e0, fd));
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

Test(engine_park, edge_ends_the_parking)
{
	int fd = park_one(EPOLLIN);

	arrive(&e0, fd);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	cr_assert_null(item_of(&e0, fd));
	cr_assert_eq(e0.ep->nr_parked, 0);
	EXPECT_COUNT(&e0, EDGE, 1);
	EXPECT_COUNT(&e0, QUEUED, 0);
	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
}

Test(engine_park, close_ends_the_parking_and_counts_no_watch)
{
	int fd = park_one(EPOLLIN);

	close_file(fd);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_parked, 0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
	EXPECT_COUNT(&e0, CLOSED, 0);
	expect_watches(&e0, 0);
}

Test(engine_park, close_of_a_watch_that_came_back_counts_it)
{
	int fd = park_one(EPOLLIN);

	add(&e0, fd, EPOLLIN);
	close_file(fd);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, CLOSED, 1);
	expect_watches(&e0, 0);
}

Test(engine_park, sixty_fifth_sends_the_oldest_away)
{
	int fds[EP_PARK_MAX + 1];

	for (int i = 0; i < EP_PARK_MAX; i++)
		fds[i] = park_one(EPOLLIN);
	cr_assert_eq(e0.ep->nr_parked, EP_PARK_MAX);
	fds[EP_PARK_MAX] = file_open(0);
	add(&e0, fds[EP_PARK_MAX], EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fds[EP_PARK_MAX], edge(EPOLLIN));
	del(&e0, fds[EP_PARK_MAX]);
	EXPECT_CALL(&e0, FAKE_DISARM, fds[0], 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_parked, EP_PARK_MAX);
	cr_assert_null(item_of(&e0, fds[0]));
	cr_assert_eq(item_of(&e0, fds[1])->state, ITEM_PARKED);
}

Test(engine_park, no_space_at_the_source_empties_the_park)
{
	int first = park_one(EPOLLIN), second = park_one(EPOLLIN), third = file_open(0);

	fake_fail(e0.fake, FAKE_ARM, -ENOSPC);
	add(&e0, third, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, third, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_DISARM, first, 0);
	EXPECT_CALL(&e0, FAKE_DISARM, second, 0);
	EXPECT_CALL(&e0, FAKE_ARM, third, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_parked, 0);
	expect_watches(&e0, 1);
}

/* -------- what is not parked -------- */

Test(engine_park, what_cannot_be_modified_is_deleted_before_it_is_added)
{
	int fd = park_one(EPOLLIN);

	add(&e0, fd, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLEXCLUSIVE));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_parked, 0);
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	expect_watches(&e0, 0);
}

static void expect_not_parked(int fd)
{
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_null(item_of(&e0, fd));
	cr_assert_eq(e0.ep->nr_parked, 0);
	EXPECT_COUNT(&e0, PARKED, 0);
}

Test(engine_park, watch_of_the_kernels_is_not_parked)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN));
	expect_not_parked(fd);
}

Test(engine_park, watch_of_an_eventpoll_is_not_parked)
{
	int fd = epoll_create1(EPOLL_CLOEXEC); /* made behind our back */

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	expect_not_parked(fd);
}

Test(engine_park, nothing_is_parked_once_others_may_register)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	ep_distrust_all();
	expect_not_parked(fd);
}

Test(engine_park, nothing_is_parked_once_a_foreign_event_was_seen)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	fake_edge(e0.fake, 0x1234, EPOLLIN);
	cr_assert_eq(stage_wait(&e0, 8, 0), 1);
	expect_not_parked(fd);
}

Test(engine_park, del_returns_what_the_source_says)
{
	int fd = file_open(0);

	ep_distrust_all();
	add(&e0, fd, EPOLLIN);
	fake_lose(e0.fake, fd);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_DEL, fd, 0), -ENOENT);
	cr_assert_null(item_of(&e0, fd));
	EXPECT_COUNT(&e0, DEL, 0);
}
