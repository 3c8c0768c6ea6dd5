// SPDX-License-Identifier: MIT
/*
 * test_engine_settle.c - an eventpoll is handed to the kernel: each watch by exactly
 * the call it needs, and afterwards.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0, ...
 *	t1 -(wait)----^
 */
#include "engine_stage.h"

TestSuite(engine_settle, .init = stage_inline);

static int f0, f1;

/* Poll the epfd: the plainest of what settles. */
static noinline void settle(struct stage_ep *e)
{
	cr_assert(section_enter());
	ep_polled(e->epfile);
	section_leave();
	cr_assert(e->ep->is_settled);
	cr_assert(list_is_empty(&e->ep->rdllist));
	EXPECT_COUNT(e, SETTLED, 1);
}

static int added(uint32_t events)
{
	int fd = file_open(0);

	add(&e0, fd, events);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(events & ~EP_PRIVATE_BITS));
	return fd;
}

/* -------- the five rules -------- */

/* Rule 1: what is pending, in the order in which it is. */
Test(engine_settle, pending_watches_are_told_in_their_order)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		int ends[2];

		pipe_open(ends);
		fds[i] = ends[0];
		add(&e0, fds[i], EPOLLIN);
		EXPECT_CALL(&e0, FAKE_ARM, fds[i], edge(EPOLLIN));
	}
	mod(&e0, fds[2], EPOLLIN);
	mod(&e0, fds[0], EPOLLIN | EPOLLONESHOT);
	EXPECT_NO_CALLS(&e0);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fds[2], level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, fds[0], level(EPOLLIN | EPOLLONESHOT));
	EXPECT_CALL(&e0, FAKE_REARM, fds[1], level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_kernel, 3);
}

Test(engine_settle, pending_edge_is_told)
{
	int first = added(EPOLLIN | EPOLLET), second = added(EPOLLIN | EPOLLET);
	uint64_t old;

	arrive(&e0, first);
	arrive(&e0, second);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
	old = tag_of(&e0, second);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, second, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_neq(tag_of(&e0, second), old);
}

/* Rule 2: shown again if it were told; it is armed as the application armed it. */
Test(engine_settle, quiet_edge_is_left_untouched)
{
	int fd = added(EPOLLIN | EPOLLET);
	uint64_t old = tag_of(&e0, fd);

	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 1, {fd, EPOLLIN});
	settle(&e0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(tag_of(&e0, fd), old);
	cr_assert_eq(e0.ep->nr_kernel, 1);
	fake_edge(e0.fake, old, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

Test(engine_settle, watch_of_the_kernels_is_left_untouched)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLEXCLUSIVE));
	settle(&e0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_kernel, 1);
}

/* A level that became an edge is armed for more than is asked: told, by its MOD. */
Test(engine_settle, edge_that_was_a_level_is_armed_exactly)
{
	int ends[2];

	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLIN);
	mod(&e0, ends[0], EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN));
	settle(&e0);
	EXPECT_NO_CALLS(&e0);
}

/* Rule 3. */
Test(engine_settle, levels_and_armed_single_shots_are_told)
{
	int quiet = added(EPOLLIN), shot = added(EPOLLIN | EPOLLONESHOT);
	int edge_shot = added(EPOLLOUT | EPOLLET | EPOLLONESHOT);

	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, quiet, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, shot, level(EPOLLIN | EPOLLONESHOT));
	EXPECT_CALL(&e0, FAKE_REARM, edge_shot, edge(EPOLLOUT | EPOLLONESHOT));
	EXPECT_NO_CALLS(&e0);
}

Test(engine_settle, delivered_level_is_told_once)
{
	int fd = added(EPOLLIN);

	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
}

/* Rule 4: S would say once that it hung up. */
Test(engine_settle, spent_single_shot_is_silent_until_it_is_modified)
{
	int shot = added(EPOLLIN | EPOLLONESHOT);
	int edge_shot = added(EPOLLIN | EPOLLET | EPOLLONESHOT);

	arrive(&e0, shot);
	arrive(&e0, edge_shot);
	EXPECT_EVENTS(&e0, 8, {shot, EPOLLIN}, {edge_shot, EPOLLIN});
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_DISARM, shot, 0);
	EXPECT_CALL(&e0, FAKE_DISARM, edge_shot, 0);
	EXPECT_NO_CALLS(&e0);
	EXPECT_NO_EVENTS(&e0);
	mod(&e0, shot, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, shot, level(EPOLLIN | EPOLLONESHOT));
	fake_wake(e0.fake, shot, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {shot, EPOLLIN});
}

/* Rule 5. */
Test(engine_settle, parked_watches_are_deleted)
{
	int fd = added(EPOLLIN);

	del(&e0, fd);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_null(item_of(&e0, fd));
}

Test(engine_settle, watch_that_came_back_is_told_as_it_is_now)
{
	int fd = added(EPOLLIN), lost = added(EPOLLIN);

	del(&e0, fd);
	del(&e0, lost);
	add(&e0, fd, EPOLLOUT | EPOLLET);
	add(&e0, lost, EPOLLOUT);
	fake_lose(e0.fake, lost);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLOUT));
	EXPECT_CALL(&e0, FAKE_REARM, lost, level(EPOLLOUT));
	EXPECT_CALL(&e0, FAKE_ARM, lost, level(EPOLLOUT));
	EXPECT_NO_CALLS(&e0);
	cr_assert(list_is_empty(&e0.ep->unconfirmed));
	expect_watches(&e0, 2);
	fake_wake(e0.fake, lost, EPOLLOUT);
	EXPECT_EVENTS(&e0, 8, {lost, EPOLLOUT});
}

/* It looks untouched, but what woke it in the park was for nobody. */
Test(engine_settle, edge_that_came_back_as_it_was_is_told)
{
	int fd = added(EPOLLIN | EPOLLET);

	del(&e0, fd);
	add(&e0, fd, EPOLLIN | EPOLLET);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
}

Test(engine_settle, watch_that_the_source_lost_is_dropped)
{
	int fd = added(EPOLLIN), other = added(EPOLLIN);

	fake_lose(e0.fake, fd);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, other, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_null(item_of(&e0, fd));
	cr_assert_not_null(item_of(&e0, other));
	cr_assert_eq(e0.ep->nr_kernel, 1);
}

/* -------- what settles -------- */

static void *look(void *unused)
{
	(void)unused;
	EXPECT_NO_EVENTS(&e0);
	return NULL;
}

static int look_from_a_thread(struct fake *fake)
{
	(void)fake;
	in_thread(look);
	cr_assert(e0.ep->is_settled);
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	fake_wake(e0.fake, f0, EPOLLIN);
	return 0;
}

Test(engine_settle, by_a_second_thread_that_only_looks)
{
	f0 = added(EPOLLIN);
	fake_then(e0.fake, look_from_a_thread);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 2, "the other's look was one");
}

Test(engine_settle, not_by_a_second_thread_while_nobody_sleeps)
{
	f0 = added(EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	in_thread(look);
	cr_assert_not(e0.ep->is_settled);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_settle, by_nesting_the_inner_and_the_outer)
{
	stage_open(&e1);
	f0 = file_open(0);
	f1 = file_open(0);
	add(&e0, f0, EPOLLIN);
	add(&e1, f1, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	EXPECT_CALL(&e1, FAKE_ARM, f1, edge(EPOLLIN));
	add(&e0, e1.fd, EPOLLIN);
	cr_assert(e0.ep->is_settled);
	cr_assert(e1.ep->is_settled);
	EXPECT_CALL(&e1, FAKE_REARM, f1, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, e1.fd, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	EXPECT_NO_CALLS(&e1);
}

Test(engine_settle, once_and_for_good)
{
	f0 = added(EPOLLIN);
	settle(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN));
	settle(&e0);
	EXPECT_NO_CALLS(&e0);
}

/* -------- a sleeper comes back into a settled eventpoll -------- */

static int settle_under_a_copy(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	fake->buffer[1] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f1)};
	settle(&e0);
	return 2;
}

/*
 * Both had been copied out: pending, so the kernel shows them again, and what the
 * sleeper has is void.
 */
Test(engine_settle, what_the_sleeper_has_is_pending)
{
	f0 = added(EPOLLIN | EPOLLET);
	f1 = added(EPOLLIN);
	fake_then(e0.fake, settle_under_a_copy);
	cr_assert_eq(stage_wait(&e0, 8, 1000), 0);
	EXPECT_CALL(&e0, FAKE_REARM, f0, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, f1, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, DELIVERED, 0);
	fake_wake(e0.fake, f0, EPOLLIN);
	fake_wake(e0.fake, f1, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN}, {f1, EPOLLIN});
}

static int settle_before_the_copy(struct fake *fake)
{
	settle(&e0);
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	fake->buffer[1] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f1) - 1};
	return 2;
}

/* The copy came after: of the first registration true, of the second an old one. */
Test(engine_settle, sleeper_delivers_what_is_current_and_ignores_what_is_void)
{
	f0 = added(EPOLLIN | EPOLLET);
	f1 = added(EPOLLIN);
	fake_then(e0.fake, settle_before_the_copy);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	EXPECT_COUNT(&e0, STALE, 1);
}

/* One found no room in the wait that collected it, and then somebody polls the epfd. */
Test(engine_settle, foreign_events_left_in_the_slot_are_not_forgotten)
{
	fake_edge(e0.fake, 0x1230, EPOLLIN);
	fake_edge(e0.fake, 0x1231, EPOLLPRI);
	cr_assert_eq(stage_wait(&e0, 1, 0), 1);
	cr_assert_eq(stage_got[0].data.u64, 0x1230);
	settle(&e0);
	cr_assert_eq(stage_wait(&e0, 1, 0), 1);
	cr_assert_eq(stage_got[0].data.u64, 0x1231);
	cr_assert_eq(stage_got[0].events, EPOLLPRI);
	EXPECT_NO_EVENTS(&e0);
}

static int settle_and_show_a_void_one(struct fake *fake)
{
	uint64_t old = tag_of(&e0, f0);

	settle(&e0);
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = old};
	return 1;
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

Test(engine_settle, sleeper_with_nothing_left_sleeps_on)
{
	f0 = added(EPOLLIN);
	fake_then(e0.fake, settle_and_show_a_void_one);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_NS_PER_SEC);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 2);
	cr_assert_eq(e0.fake->buffer, stage_got, "now straight into the caller's buffer");
	cr_assert_lt(e0.fake->timeout_ns, CLOCK_NS_PER_SEC);
}
