// SPDX-License-Identifier: MIT
/*
 * test_engine_edge.c - what becomes of an edge: queued, filtered, void, or not ours.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0, f1
 */
#include "engine_stage.h"

TestSuite(engine_edge, .init = stage_inline);

static int ends[2];

Test(engine_edge, edge_is_queued_and_delivered_as_it_was_collected)
{
	int fd = file_open(0); /* not ready: only the edge says so */

	add(&e0, fd, EPOLLIN | EPOLLOUT);
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, EDGE, 1);
	EXPECT_COUNT(&e0, QUEUED, 1);
	EXPECT_COUNT(&e0, DELIVERED, 1);
	EXPECT_COUNT(&e0, RETURN, 1);
	EXPECT_COUNT(&e0, RECHECK_READY, 0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 0);
}

/* What one call collected, the next looks at again: ready no longer. */
Test(engine_edge, mask_is_worth_something_within_one_call_only)
{
	int first = file_open(0), second = file_open(0);

	add(&e0, first, EPOLLIN | EPOLLET);
	add(&e0, second, EPOLLIN | EPOLLET);
	fake_wake(e0.fake, first, EPOLLIN);
	fake_wake(e0.fake, second, EPOLLIN);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
}

Test(engine_edge, second_edge_of_a_queued_watch_is_one_event)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLOUT | EPOLLET);
	fake_wake(e0.fake, fd, EPOLLOUT);
	fake_wake(e0.fake, fd, EPOLLIN | EPOLLOUT);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN | EPOLLOUT});
	EXPECT_COUNT(&e0, EDGE, 2);
	EXPECT_COUNT(&e0, QUEUED, 1);
	EXPECT_COUNT(&e0, ALREADY_QUEUED, 1);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_edge, each_edge_is_an_event_although_nothing_was_read)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++) {
		arrive(&e0, fd);
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
		EXPECT_NO_EVENTS(&e0);
	}
	EXPECT_COUNT(&e0, REQUEUED, 0);
}

Test(engine_edge, edges_are_delivered_in_the_order_they_came)
{
	int fds[5];

	for (int i = 0; i < 5; i++) {
		fds[i] = file_open(0);
		add(&e0, fds[i], EPOLLIN | EPOLLET);
	}
	arrive(&e0, fds[3]);
	arrive(&e0, fds[0]);
	arrive(&e0, fds[4]);
	arrive(&e0, fds[1]);
	arrive(&e0, fds[0]);
	EXPECT_EVENTS(&e0, 8, {fds[3], EPOLLIN}, {fds[0], EPOLLIN}, {fds[4], EPOLLIN},
		      {fds[1], EPOLLIN});
}

Test(engine_edge, edge_of_what_is_armed_but_not_asked_for_is_filtered)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLPRI);
	fake_wake(e0.fake, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, FILTERED, 1);
	EXPECT_COUNT(&e0, QUEUED, 0);
}

Test(engine_edge, only_what_was_asked_for_is_told)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLPRI);
	fake_wake(e0.fake, ends[0], EPOLLIN | EPOLLPRI | EPOLLHUP);
	EXPECT_EVENTS(&e0, 8, {ends[0], EPOLLPRI | EPOLLHUP});
}

Test(engine_edge, edge_of_an_earlier_registration_is_void)
{
	int fd = file_open(0);
	uint64_t old;

	add(&e0, fd, EPOLLIN | EPOLLET);
	old = tag_of(&e0, fd);
	mod(&e0, fd, EPOLLIN | EPOLLET);
	cr_assert_neq(tag_of(&e0, fd), old);
	fake_edge(e0.fake, old, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, STALE, 1);
	EXPECT_COUNT(&e0, EDGE, 0);
	fake_edge(e0.fake, tag_of(&e0, fd), EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

Test(engine_edge, edge_of_a_watch_that_is_gone_is_void_even_in_its_reused_place)
{
	int fd = file_open(0), other = file_open(0);
	uint64_t old;

	add(&e0, fd, EPOLLIN);
	old = tag_of(&e0, fd);
	close_file(fd);
	fake_lose(e0.fake, fd);
	fake_edge(e0.fake, old, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	add(&e0, other, EPOLLIN);
	cr_assert_eq(tag_of(&e0, other) & ~UINT64_C(0xffffff), old & ~UINT64_C(0xffffff));
	fake_edge(e0.fake, old, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, STALE, 2);
}

Test(engine_edge, generations_come_round_without_the_two_that_are_never_issued)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET);
	item_of(&e0, fd)->generation = EP_GENERATION_MAX;
	e0.fake->nr_tags = 0; /* the first comes again */
	mod(&e0, fd, EPOLLIN | EPOLLET);
	cr_assert_eq(tag_of(&e0, fd) & 0xffffff, 1);
}

Test(engine_edge, spent_oneshot_hears_of_nothing)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	fake_wake(e0.fake, fd, EPOLLIN);
	fake_wake(e0.fake, fd, EPOLLHUP);
	fake_wake(e0.fake, fd, EPOLLERR);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, FILTERED, 3);
	EXPECT_COUNT(&e0, ONESHOT, 1);
}

/* -------- noise: edges that are armed but not asked for -------- */

Test(engine_edge, noise_is_armed_away_after_four_edges_in_a_row)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLPRI);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	for (int i = 0; i < EP_NOISE_MAX - 1; i++) {
		fake_wake(e0.fake, ends[0], EPOLLIN);
		EXPECT_NO_EVENTS(&e0);
	}
	EXPECT_NO_CALLS(&e0);
	fake_wake(e0.fake, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLPRI));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, FILTERED, EP_NOISE_MAX);
}

Test(engine_edge, wanted_edge_ends_the_row_of_noise)
{
	pipe_open(ends);
	add(&e0, ends[1], EPOLLIN | EPOLLOUT);
	mod(&e0, ends[1], EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_ARM, ends[1], edge(EPOLLIN | EPOLLOUT));
	for (int i = 0; i < EP_NOISE_MAX - 1; i++)
		fake_wake(e0.fake, ends[1], EPOLLIN);
	fake_wake(e0.fake, ends[1], EPOLLOUT);
	for (int i = 0; i < EP_NOISE_MAX - 1; i++)
		fake_wake(e0.fake, ends[1], EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {ends[1], EPOLLOUT});
	EXPECT_NO_CALLS(&e0);
}

Test(engine_edge, noise_is_counted_anew_once_it_was_armed_away)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLPRI);
	for (int i = 0; i < EP_NOISE_MAX; i++)
		fake_wake(e0.fake, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	mod(&e0, ends[0], EPOLLIN | EPOLLPRI);
	mod(&e0, ends[0], EPOLLPRI);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLPRI));
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	for (int i = 0; i < EP_NOISE_MAX - 1; i++)
		fake_wake(e0.fake, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_edge, what_is_armed_exactly_cannot_be_armed_away)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	for (int i = 0; i < 2 * EP_NOISE_MAX; i++)
		fake_edge(e0.fake, tag_of(&e0, fd), EPOLLOUT);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_edge, spent_oneshot_that_is_noisy_is_armed_away_until_its_mod)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	for (int i = 0; i < EP_NOISE_MAX; i++)
		fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, fd, EPOLLET);
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
}

/* -------- foreign -------- */

static void expect_foreign(uint32_t events, uint64_t data)
{
	cr_assert_eq(nr_stage_got, 1);
	cr_assert_eq(stage_got[0].events, events);
	cr_assert_eq(stage_got[0].data.u64, data);
}

Test(engine_edge, foreign_event_is_passed_through_and_settles)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	fake_edge(e0.fake, 0x1234, EPOLLOUT | EPOLLRDNORM);
	stage_wait(&e0, 8, 0);
	expect_foreign(EPOLLOUT | EPOLLRDNORM, 0x1234);
	EXPECT_COUNT(&e0, FOREIGN, 1);
	cr_assert(e0.ep->has_foreign);
	cr_assert_not(e0.ep->is_settled);
	EXPECT_NO_EVENTS(&e0);
	cr_assert(e0.ep->is_settled);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
}

/* Our salt, but no such place: chance, not history. */
Test(engine_edge, tag_of_a_place_we_never_had_is_foreign)
{
	uint64_t tag = (uint64_t)e0.ep->salt << 48 | UINT64_C(4711) << 24 | 1;

	fake_edge(e0.fake, tag, EPOLLIN);
	stage_wait(&e0, 8, 0);
	expect_foreign(EPOLLIN, tag);
	EXPECT_COUNT(&e0, STALE, 0);
}

Test(engine_edge, foreign_event_fits_into_a_buffer_of_one)
{
	fake_edge(e0.fake, 0x1234, EPOLLIN);
	stage_wait(&e0, 1, 0);
	expect_foreign(EPOLLIN, 0x1234);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_edge, foreign_events_that_find_no_room_wait_for_the_next_calls)
{
	for (uint64_t data = 0x1230; data < 0x1233; data++)
		fake_edge(e0.fake, data, EPOLLIN);
	for (uint64_t data = 0x1230; data < 0x1233; data++) {
		stage_wait(&e0, 1, 0);
		expect_foreign(EPOLLIN, data);
	}
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, FOREIGN, 3);
	cr_assert(e0.ep->is_settled);
}

/* What was collected with it comes later. */
Test(engine_edge, foreign_event_takes_no_place_from_ours_for_good)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET);
	arrive(&e0, fd);
	fake_edge(e0.fake, 0x1234, EPOLLIN);
	stage_wait(&e0, 1, 0);
	expect_foreign(EPOLLIN, 0x1234);
	stage_wait(&e0, 1, 0); /* settles: the kernel shows what we had queued */
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 1, {fd, EPOLLIN});
	EXPECT_NO_EVENTS(&e0);
}

/* -------- the slot -------- */

Test(engine_edge, slot_is_empty_after_every_call)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	for (int i = 0; i < EP_SLOT_MAX; i++)
		cr_assert_eq(e0.ep->slot[i].data.u64, EP_TAG_EMPTY);
}

static uint64_t copied_tag;

/*
 * The kernel was copying two entries when the handler came that now waits: of the
 * first only one half was there.
 */
static int wait_in_torn_copy(struct fake *fake)
{
	uint64_t low = copied_tag | UINT64_C(0xffffffff00000000);
	uint64_t high = copied_tag | UINT64_C(0x00000000ffffffff);

	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = low};
	fake->buffer[1] = (struct epoll_event){.events = EPOLLIN, .data.u64 = high};
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(fake->buffer[0].data.u64, low);
	cr_assert_eq(fake->buffer[1].data.u64, high);
	EXPECT_COUNT(&e0, FOREIGN, 0);
	EXPECT_COUNT(&e0, STALE, 0);
	fake->buffer[0].data.u64 = copied_tag; /* the copy goes on */
	fake->buffer[1].data.u64 = EP_TAG_EMPTY;
	return 1;
}

Test(engine_edge, torn_entries_are_left_to_the_one_they_are_copied_for)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN | EPOLLET);
	copied_tag = tag_of(&e0, fd);
	fake_then(e0.fake, wait_in_torn_copy);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({fd, EPOLLIN});
}

Test(engine_edge, more_edges_than_the_slot_holds_are_collected_in_one_call)
{
	int fds[EP_SLOT_MAX + 10];

	for (int i = 0; i < EP_SLOT_MAX + 10; i++) {
		fds[i] = file_open(0);
		add(&e0, fds[i], EPOLLIN | EPOLLET);
		arrive(&e0, fds[i]);
	}
	cr_assert_eq(stage_wait(&e0, 1, 0), 1);
	EXPECT_COUNT(&e0, EDGE, EP_SLOT_MAX + 10);
	cr_assert_eq(stage_wait(&e0, 1024, 0), EP_SLOT_MAX + 9);
	for (int i = 0; i < nr_stage_got; i++)
		cr_assert_eq(stage_got[i].data.u64, EVENT_DATA(fds[i + 1]));
}

/* An error of the source is the caller's only if there is nothing else to tell. */
Test(engine_edge, collection_that_fails_is_told)
{
	e0.fake->collect_error = -EBADF;
	cr_assert_eq(stage_wait(&e0, 8, 0), -EBADF);
}
