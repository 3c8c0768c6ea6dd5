// SPDX-License-Identifier: MIT
/*
 * exclusive.c - epoll_ctl(2): EPOLLEXCLUSIVE, one file in many eventpolls.
 *
 * Promised is "one or more" woken.  What can be claimed is therefore that one
 * event wakes somebody, that the others need not be, and that nothing is lost.
 */
#include <sched.h>
#include <unistd.h>

#include "stage.h"

#define ALL_WOKEN "poll(2) tells every eventpoll that watches the file; one or more may be woken"

#define NR_WAITERS 4

CLAIM(EXCLUSIVE_reports_like_any_watch)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	take(p[0], 1);
	EXPECT_QUIET(epfd);
	CLOSE(p[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	CLOSE(epfd, p[0]);
}

CLAIM(EXCLUSIVE_with_ET_reports_once)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(ADD_EXCLUSIVE_reports_what_is_ready_already)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN | EPOLLEXCLUSIVE, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(EXCLUSIVE_can_be_deleted_and_added_again)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	for (uint64_t i = 0; i < 10; i++) {
		watch(epfd, event_fd, EPOLLIN | EPOLLEXCLUSIVE, i);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, i});
		unwatch(epfd, event_fd);
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, event_fd);
}

CLAIM(a_watch_can_become_EXCLUSIVE_by_DEL_and_ADD_and_back)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	unwatch(epfd, event_fd);
	watch(epfd, event_fd, EPOLLIN | EPOLLEXCLUSIVE, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	unwatch(epfd, event_fd);
	watch(epfd, event_fd, EPOLLIN, 3);
	rewatch(epfd, event_fd, EPOLLIN | EPOLLET, 4);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 4});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(EXCLUSIVE_and_other_watches_live_side_by_side)
{
	int epfd = epoll_open();
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = eventfd_open(1);
	watch(epfd, fds[0], EPOLLIN | EPOLLEXCLUSIVE, 0);
	watch(epfd, fds[1], EPOLLIN, 1);
	watch(epfd, fds[2], EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0}, {EPOLLIN, 1}, {EPOLLIN, 2});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0}, {EPOLLIN, 1});
	count_up(fds[2], 1);
	count_take(fds[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	CLOSE(epfd, fds[0], fds[1], fds[2]);
}

CLAIM(EXCLUSIVE_and_level_take_turns_when_there_is_room_for_one)
{
	struct epoll_event event;
	int epfd = epoll_open();
	int nr_seen[2] = {0, 0};
	int fds[2] = {eventfd_open(1), eventfd_open(1)};

	watch(epfd, fds[0], EPOLLIN | EPOLLEXCLUSIVE, 0);
	watch(epfd, fds[1], EPOLLIN, 1);
	for (int i = 0; i < 40; i++) {
		EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, -1)), ==, 1);
		nr_seen[event.data.u64]++;
	}
	EXPECT_INT(nr_seen[0], ==, 20);
	EXPECT_INT(nr_seen[1], ==, 20);
	CLOSE(epfd, fds[0], fds[1]);
}

CLAIM(MOD_of_another_watch_does_not_disturb_an_EXCLUSIVE_one)
{
	int epfd = epoll_open();
	int p[2], event_fd = eventfd_open(0);

	pipe_open(p);
	watch(epfd, event_fd, EPOLLIN | EPOLLEXCLUSIVE, 1);
	watch(epfd, p[0], EPOLLIN, 2);
	put(p[1], 1);
	rewatch(epfd, p[0], 0, 2);
	EXPECT_QUIET(epfd);
	count_up(event_fd, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd, p[0], p[1]);
}

/* ---- several eventpolls with a waiter each ----------------------------- */

/* Each eventpoll watches the eventfd as the claim asks, and the bell plainly. */
struct crowd {
	int epfds[NR_WAITERS];
	struct waiter waiters[NR_WAITERS];
	int event_fd;
	int bell_fd;
};

#define BELL 99

static void crowd_open(struct crowd *crowd, uint32_t events)
{
	crowd->event_fd = eventfd_open(0);
	crowd->bell_fd = eventfd_open(0);
	for (int i = 0; i < NR_WAITERS; i++) {
		crowd->epfds[i] = epoll_open();
		watch(crowd->epfds[i], crowd->event_fd, events, (uint64_t)i);
		watch(crowd->epfds[i], crowd->bell_fd, EPOLLIN, BELL);
	}
	for (int i = 0; i < NR_WAITERS; i++)
		waiter_start_asleep(&crowd->waiters[i], crowd->epfds[i]);
}

static int crowd_nr_done(struct crowd *crowd)
{
	int nr = 0;

	for (int i = 0; i < NR_WAITERS; i++)
		nr += waiter_is_done(&crowd->waiters[i]);
	return nr;
}

/* Wait until every waiter either has returned or sleeps. */
static void crowd_await_calm(struct crowd *crowd)
{
	for (int i = 0; i < NR_WAITERS; i++)
		while (!waiter_is_done(&crowd->waiters[i]) &&
		       !task_is_asleep(getpid(), atomic_load(&crowd->waiters[i].tid)))
			sched_yield();
}

/* Ring those out who still sleep; returns how many had been woken by the eventfd. */
static int crowd_close(struct crowd *crowd)
{
	int nr_woken = 0;

	count_up(crowd->bell_fd, 1);
	for (int i = 0; i < NR_WAITERS; i++) {
		int nr = waiter_join(&crowd->waiters[i]);
		const struct epoll_event *first = &crowd->waiters[i].events[0];

		EXPECT_INT(nr, >=, 1);
		nr_woken += nr == 1 && first->data.u64 == (uint64_t)i;
	}
	close_all(__FILE__, __LINE__, crowd->epfds, NR_WAITERS);
	CLOSE(crowd->event_fd, crowd->bell_fd);
	return nr_woken;
}

CLAIM(without_EXCLUSIVE_every_eventpoll_is_told)
{
	struct crowd crowd;

	crowd_open(&crowd, EPOLLIN);
	count_up(crowd.event_fd, 1);
	for (int i = 0; i < NR_WAITERS; i++)
		waiter_await_done(&crowd.waiters[i]);
	EXPECT_INT(crowd_close(&crowd), ==, NR_WAITERS);
}

CLAIM_EXCEPT("poll", ALL_WOKEN, with_EXCLUSIVE_one_event_wakes_one_of_the_sleeping_eventpolls)
{
	struct crowd crowd;

	crowd_open(&crowd, EPOLLIN | EPOLLEXCLUSIVE);
	count_up(crowd.event_fd, 1);
	while (crowd_nr_done(&crowd) == 0)
		sched_yield();
	crowd_await_calm(&crowd);
	EXPECT_INT(crowd_nr_done(&crowd), ==, 1);
	crowd_close(&crowd);
}

CLAIM_EXCEPT("poll", ALL_WOKEN, with_EXCLUSIVE_the_next_event_wakes_one_that_still_sleeps)
{
	struct crowd crowd;

	crowd_open(&crowd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
	for (int i = 1; i <= NR_WAITERS; i++) {
		count_up(crowd.event_fd, 1);
		while (crowd_nr_done(&crowd) < i)
			sched_yield();
		crowd_await_calm(&crowd);
		EXPECT_INT(crowd_nr_done(&crowd), ==, i);
	}
	EXPECT_INT(crowd_close(&crowd), ==, NR_WAITERS);
}

DEVIATION(with_EXCLUSIVE_one_event_wakes_one_of_the_sleeping_eventpolls)
{
	struct crowd crowd;

	crowd_open(&crowd, EPOLLIN | EPOLLEXCLUSIVE);
	count_up(crowd.event_fd, 1);
	while (crowd_nr_done(&crowd) == 0)
		sched_yield();
	crowd_close(&crowd);
}
DEVIATION(with_EXCLUSIVE_the_next_event_wakes_one_that_still_sleeps)
{
	struct crowd crowd;

	crowd_open(&crowd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
	for (int i = 0; i < NR_WAITERS; i++)
		count_up(crowd.event_fd, 1);
	for (int i = 0; i < NR_WAITERS; i++)
		waiter_await_done(&crowd.waiters[i]);
	EXPECT_INT(crowd_close(&crowd), ==, NR_WAITERS);
}

CLAIM(a_hang_up_wakes_all_even_with_EXCLUSIVE)
{
	struct waiter waiters[NR_WAITERS];
	int epfds[NR_WAITERS];
	int p[2];

	pipe_open(p);
	for (int i = 0; i < NR_WAITERS; i++) {
		epfds[i] = epoll_open();
		watch(epfds[i], p[0], EPOLLIN | EPOLLEXCLUSIVE, (uint64_t)i);
		waiter_start_asleep(&waiters[i], epfds[i]);
	}
	CLOSE(p[1]);
	for (int i = 0; i < NR_WAITERS; i++)
		EXPECT_WAITER(&waiters[i], {EPOLLHUP, (uint64_t)i});
	close_all(__FILE__, __LINE__, epfds, NR_WAITERS);
	CLOSE(p[0]);
}

CLAIM(EXCLUSIVE_and_plain_watches_of_one_file_the_plain_ones_are_all_told)
{
	int plain[2] = {epoll_open(), epoll_open()}, exclusive = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiters[2];

	watch(exclusive, event_fd, EPOLLIN | EPOLLEXCLUSIVE, 7);
	for (int i = 0; i < 2; i++) {
		watch(plain[i], event_fd, EPOLLIN, (uint64_t)i);
		waiter_start_asleep(&waiters[i], plain[i]);
	}
	count_up(event_fd, 1);
	for (int i = 0; i < 2; i++)
		EXPECT_WAITER(&waiters[i], {EPOLLIN, (uint64_t)i});
	EXPECT_EVENTS(exclusive, 0, {EPOLLIN, 7});
	CLOSE(plain[0], plain[1], exclusive, event_fd);
}
