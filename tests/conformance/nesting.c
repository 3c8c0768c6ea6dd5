// SPDX-License-Identifier: MIT
/*
 * nesting.c - epoll(7): an eventpoll watched by an eventpoll.
 *
 * Pictures: o -(l)-> i -(e)-> p reads "outer watches inner level-triggered,
 * which watches a pipe edge-triggered".
 */
#include <unistd.h>

#include "stage.h"

#define LEVELS_ONLY "poll(2) sees an eventpoll that stays ready, not the event added to it"

#define DEEPEST 5 /* eventpolls below the first: the kernel's EP_MAX_NESTS + 1 */

/* o -(@outer)-> i -(@inner)-> p; the eventpolls' data is 1 and 2. */
struct nest {
	int outer, inner;
	int p[2];
};

static void nest_open(struct nest *nest, uint32_t outer, uint32_t inner)
{
	nest->outer = epoll_open();
	nest->inner = epoll_open();
	pipe_open(nest->p);
	watch(nest->inner, nest->p[0], EPOLLIN | inner, 2);
	watch(nest->outer, nest->inner, EPOLLIN | outer, 1);
}

static void nest_close(struct nest *nest)
{
	CLOSE(nest->outer, nest->inner, nest->p[0], nest->p[1]);
}

/* ---- readiness --------------------------------------------------------- */

/* o -(l)-> i -(l)-> p */
CLAIM(an_eventpoll_with_events_is_IN)
{
	struct nest nest;

	nest_open(&nest, 0, 0);
	EXPECT_QUIET(nest.outer);
	put(nest.p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(nest.inner, 0, {EPOLLIN, 2});
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	take(nest.p[0], 1);
	EXPECT_QUIET(nest.outer);
	EXPECT_QUIET(nest.inner);
	nest_close(&nest);
}

CLAIM(an_eventpoll_is_IN_and_RDNORM_and_nothing_else)
{
	int outer = epoll_open(), inner = epoll_open();
	int event_fd = eventfd_open(1);

	watch(inner, event_fd, EPOLLIN | EPOLLOUT, 2);
	watch(outer, inner, 0x1fffu & ~0x20u, 1);
	EXPECT_EVENTS(outer, 0, {EPOLLIN | EPOLLRDNORM, 1});
	CLOSE(outer, inner, event_fd);
}

/* o -(e)-> i -(l)-> p */
CLAIM(an_eventpoll_watched_by_edge_is_reported_once_for_each_event_inside)
{
	struct nest nest;

	nest_open(&nest, EPOLLET, 0);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_QUIET(nest.outer);
	nest_close(&nest);
}

/* o -(l)-> i -(e)-> p */
CLAIM(a_level_outside_ends_when_the_edge_inside_is_taken)
{
	struct nest nest;

	nest_open(&nest, 0, EPOLLET);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(nest.inner, 0, {EPOLLIN, 2});
	EXPECT_QUIET(nest.outer);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	nest_close(&nest);
}

/* o -(e)-> i -(e)-> p */
CLAIM_EXCEPT("poll", LEVELS_ONLY, edges_inside_and_outside_report_each_write_once)
{
	struct nest nest;

	nest_open(&nest, EPOLLET, EPOLLET);
	for (int i = 0; i < 5; i++) {
		put(nest.p[1], 1);
		EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
		EXPECT_QUIET(nest.outer);
		EXPECT_EVENTS(nest.inner, 0, {EPOLLIN, 2});
		EXPECT_QUIET(nest.inner);
	}
	nest_close(&nest);
}

CLAIM(a_oneshot_outside_reports_the_eventpoll_once)
{
	struct nest nest;

	nest_open(&nest, EPOLLONESHOT, 0);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_QUIET(nest.outer);
	rewatch(nest.outer, nest.inner, EPOLLIN | EPOLLONESHOT, 3);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 3});
	EXPECT_QUIET(nest.outer);
	nest_close(&nest);
}

CLAIM(an_eventpoll_ready_at_ADD_is_reported)
{
	int outer = epoll_open(), inner = epoll_open();
	int event_fd = eventfd_open(1);

	watch(inner, event_fd, EPOLLIN, 2);
	watch(outer, inner, EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 1});
	CLOSE(outer, inner, event_fd);
}

CLAIM(an_eventpoll_in_use_before_it_is_watched_loses_nothing)
{
	int outer = epoll_open(), inner = epoll_open();
	int level = eventfd_open(0), edge = eventfd_open(0);

	watch(inner, level, EPOLLIN, 2);
	watch(inner, edge, EPOLLIN | EPOLLET, 3);
	count_up(edge, 1);
	EXPECT_EVENTS(inner, 0, {EPOLLIN, 3});
	watch(outer, inner, EPOLLIN, 1);
	EXPECT_QUIET(outer);
	count_up(level, 1);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(inner, 0, {EPOLLIN, 2});
	count_take(level);
	EXPECT_QUIET(outer);
	count_up(edge, 1);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(inner, 0, {EPOLLIN, 3});
	CLOSE(outer, inner, level, edge);
}

CLAIM(MOD_inside_makes_the_eventpoll_ready_outside)
{
	struct nest nest;

	nest_open(&nest, 0, 0);
	rewatch(nest.inner, nest.p[0], 0, 2);
	put(nest.p[1], 1);
	EXPECT_QUIET(nest.outer);
	rewatch(nest.inner, nest.p[0], EPOLLIN, 2);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	unwatch(nest.inner, nest.p[0]);
	EXPECT_QUIET(nest.outer);
	nest_close(&nest);
}

CLAIM(ADD_inside_makes_the_eventpoll_ready_outside)
{
	int outer = epoll_open(), inner = epoll_open();
	int event_fd = eventfd_open(1);

	watch(outer, inner, EPOLLIN, 1);
	EXPECT_QUIET(outer);
	watch(inner, event_fd, EPOLLIN, 2);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 1});
	CLOSE(outer, inner, event_fd);
}

CLAIM(a_spent_oneshot_inside_is_no_readiness_outside)
{
	struct nest nest;

	nest_open(&nest, 0, EPOLLONESHOT);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(nest.inner, 0, {EPOLLIN, 2});
	EXPECT_QUIET(nest.outer);
	rewatch(nest.inner, nest.p[0], EPOLLIN | EPOLLONESHOT, 4);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	nest_close(&nest);
}

/* o -(l)-> {i0, i1} -(l)-> e */
CLAIM(one_file_below_two_eventpolls_makes_both_ready)
{
	int outer = epoll_open();
	int inner[2] = {epoll_open(), epoll_open()};
	int event_fd = eventfd_open(0);

	for (int i = 0; i < 2; i++) {
		watch(inner[i], event_fd, EPOLLIN, 7);
		watch(outer, inner[i], EPOLLIN, (uint64_t)i);
	}
	count_up(event_fd, 1);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 0}, {EPOLLIN, 1});
	count_take(event_fd);
	EXPECT_QUIET(outer);
	CLOSE(outer, inner[0], inner[1], event_fd);
}

/* ---- waiters ----------------------------------------------------------- */

CLAIM(an_event_inside_wakes_who_sleeps_outside)
{
	static const uint32_t modes[] = {0, (uint32_t)EPOLLET};

	for (int i = 0; i < 4; i++) {
		struct waiter waiter;
		struct nest nest;

		nest_open(&nest, modes[i & 1], modes[i >> 1]);
		waiter_start_asleep(&waiter, nest.outer);
		put(nest.p[1], 1);
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
		nest_close(&nest);
	}
}

CLAIM(an_event_inside_wakes_both_who_sleep_inside_and_outside)
{
	struct waiter inside, outside;
	struct nest nest;

	nest_open(&nest, 0, 0);
	waiter_start_asleep(&inside, nest.inner);
	waiter_start_asleep(&outside, nest.outer);
	put(nest.p[1], 1);
	EXPECT_WAITER(&inside, {EPOLLIN, 2});
	EXPECT_WAITER(&outside, {EPOLLIN, 1});
	nest_close(&nest);
}

CLAIM(ADD_of_a_ready_eventpoll_wakes_the_sleeper)
{
	int outer = epoll_open(), inner = epoll_open();
	int event_fd = eventfd_open(1);
	struct waiter waiter;

	watch(inner, event_fd, EPOLLIN, 2);
	waiter_start_asleep(&waiter, outer);
	watch(outer, inner, EPOLLIN, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(outer, inner, event_fd);
}

/* ---- depth and cycles -------------------------------------------------- */

/* epfds[0] -> epfds[1] -> ...; the chain of @nr eventpolls must be possible. */
static void chain_open(int *epfds, int nr)
{
	for (int i = 0; i < nr; i++)
		epfds[i] = epoll_open();
	for (int i = nr - 1; i > 0; i--)
		watch(epfds[i - 1], epfds[i], EPOLLIN, (uint64_t)i);
}

CLAIM(five_eventpolls_may_watch_each_other_in_a_row)
{
	int epfds[DEEPEST];
	int event_fd = eventfd_open(0);

	chain_open(epfds, DEEPEST);
	watch(epfds[DEEPEST - 1], event_fd, EPOLLIN, 99);
	EXPECT_QUIET(epfds[0]);
	count_up(event_fd, 1);
	EXPECT_EVENTS(epfds[0], 0, {EPOLLIN, 1});
	count_take(event_fd);
	EXPECT_QUIET(epfds[0]);
	close_all(__FILE__, __LINE__, epfds, DEEPEST);
	CLOSE(event_fd);
}

CLAIM(an_event_at_the_bottom_of_five_wakes_the_sleeper_at_the_top)
{
	int epfds[DEEPEST];
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	chain_open(epfds, DEEPEST);
	watch(epfds[DEEPEST - 1], event_fd, EPOLLIN, 99);
	waiter_start_asleep(&waiter, epfds[0]);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	close_all(__FILE__, __LINE__, epfds, DEEPEST);
	CLOSE(event_fd);
}

CLAIM(a_sixth_eventpoll_on_top_is_ELOOP)
{
	int epfds[DEEPEST];
	int top = epoll_open();

	chain_open(epfds, DEEPEST);
	EXPECT_ERRNO(ctl_add(top, epfds[0], EPOLLIN, 0), ELOOP);
	EXPECT_ERRNO(ctl_del(top, epfds[0]), ENOENT);
	close_all(__FILE__, __LINE__, epfds, DEEPEST);
	CLOSE(top);
}

CLAIM(a_sixth_eventpoll_below_is_ELOOP)
{
	int epfds[DEEPEST];
	int bottom = epoll_open();

	chain_open(epfds, DEEPEST);
	EXPECT_ERRNO(ctl_add(epfds[DEEPEST - 1], bottom, EPOLLIN, 0), ELOOP);
	close_all(__FILE__, __LINE__, epfds, DEEPEST);
	CLOSE(bottom);
}

CLAIM(two_eventpolls_that_watch_each_other_are_ELOOP)
{
	int one = epoll_open(), other = epoll_open();

	watch(one, other, EPOLLIN, 1);
	EXPECT_ERRNO(ctl_add(other, one, EPOLLIN, 2), ELOOP);
	EXPECT_QUIET(one);
	EXPECT_QUIET(other);
	CLOSE(one, other);
}

CLAIM(a_longer_cycle_is_ELOOP)
{
	int epfds[3];

	chain_open(epfds, 3);
	EXPECT_ERRNO(ctl_add(epfds[2], epfds[0], EPOLLIN, 0), ELOOP);
	unwatch(epfds[0], epfds[1]);
	watch(epfds[2], epfds[0], EPOLLIN, 0);
	close_all(__FILE__, __LINE__, epfds, 3);
}

CLAIM(closing_an_eventpoll_takes_it_off_the_one_that_watches_it)
{
	struct nest nest;

	nest_open(&nest, 0, 0);
	put(nest.p[1], 1);
	EXPECT_EVENTS(nest.outer, 0, {EPOLLIN, 1});
	CLOSE(nest.inner);
	EXPECT_QUIET(nest.outer);
	CLOSE(nest.outer, nest.p[0], nest.p[1]);
}

CLAIM(DEL_of_an_eventpoll_silences_it)
{
	struct nest nest;

	nest_open(&nest, 0, 0);
	put(nest.p[1], 1);
	unwatch(nest.outer, nest.inner);
	EXPECT_QUIET(nest.outer);
	EXPECT_EVENTS(nest.inner, 0, {EPOLLIN, 2});
	nest_close(&nest);
}
