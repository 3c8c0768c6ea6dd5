// SPDX-License-Identifier: MIT
/*
 * wake_order.c - which of several waiters is woken.
 *
 * No manual promises it, and servers are tuned to it: of the threads that wait in one
 * eventpoll the last to come is the first to be woken, which keeps a warm thread warm;
 * of the eventpolls that watch one file EXCLUSIVE the first to be added is.
 */
#include <unistd.h>

#include "stage.h"

#define HINT_ONLY "poll(2) tells all of them"

#define NR 4

/* Whoever looks before it sleeps has no turn until it sleeps. */
static void waiter_start_queued(struct waiter *waiter, int epfd)
{
	waiter_start(waiter, epfd);
	waiter_await_queued(waiter);
}

static void all_start(struct waiter waiters[NR], int epfd)
{
	for (int i = 0; i < NR; i++)
		waiter_start_queued(&waiters[i], epfd);
}

/* @waiter returns, and those before it sleep on. */
static void expect_woken(struct waiter waiters[NR], int woken)
{
	waiter_await_done(&waiters[woken]);
	for (int i = 0; i < woken; i++)
		waiter_await_asleep(&waiters[i]);
}

static void last_is_woken_first(uint32_t mode)
{
	struct waiter waiters[NR];
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | mode, 1);
	all_start(waiters, epfd);
	for (int i = NR - 1; i >= 0; i--) {
		count_up(event_fd, 1);
		expect_woken(waiters, i);
		EXPECT_WAITER(&waiters[i], {EPOLLIN, 1});
		if (mode & EPOLLONESHOT) {
			count_take(event_fd);
			rewatch(epfd, event_fd, EPOLLIN | mode, 1);
		}
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(the_last_to_sleep_is_woken_by_the_first_edge)
{
	last_is_woken_first(EPOLLET);
}

CLAIM(the_last_to_sleep_is_woken_by_the_first_oneshot)
{
	last_is_woken_first(EPOLLONESHOT);
}

CLAIM(the_last_to_sleep_is_woken_by_ADD_and_by_MOD)
{
	struct waiter waiters[NR];
	int event_fd = eventfd_open(1);
	int epfd = epoll_open();

	all_start(waiters, epfd);
	watch(epfd, event_fd, EPOLLIN | EPOLLET, 9);
	expect_woken(waiters, NR - 1);
	EXPECT_WAITER(&waiters[NR - 1], {EPOLLIN, 9});
	for (int i = NR - 2; i >= 0; i--) {
		rewatch(epfd, event_fd, EPOLLIN | EPOLLET, (uint64_t)i);
		expect_woken(waiters, i);
		EXPECT_WAITER(&waiters[i], {EPOLLIN, (uint64_t)i});
	}
	CLOSE(epfd, event_fd);
}

/* Who returns and waits again is the last to have come. */
CLAIM(a_thread_that_comes_back_is_woken_again)
{
	struct waiter waiters[NR], again;
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	all_start(waiters, epfd);
	count_up(event_fd, 1);
	expect_woken(waiters, NR - 1);
	EXPECT_WAITER(&waiters[NR - 1], {EPOLLIN, 1});
	for (int i = 0; i < 3; i++) {
		waiter_start_queued(&again, epfd);
		count_up(event_fd, 1);
		EXPECT_WAITER(&again, {EPOLLIN, 1});
		for (int j = 0; j < NR - 1; j++)
			waiter_await_asleep(&waiters[j]);
	}
	for (int i = NR - 2; i >= 0; i--) {
		count_up(event_fd, 1);
		EXPECT_WAITER(&waiters[i], {EPOLLIN, 1});
	}
	CLOSE(epfd, event_fd);
}

/* ---- EXCLUSIVE --------------------------------------------------------- */

static void exclusive_open(struct waiter waiters[NR], int epfds[NR], int event_fd)
{
	for (int i = 0; i < NR; i++) {
		epfds[i] = epoll_open();
		watch(epfds[i], event_fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, (uint64_t)i);
	}
	for (int i = NR - 1; i >= 0; i--)
		waiter_start_queued(&waiters[i], epfds[i]);
}

CLAIM_ONLY("native epoll", HINT_ONLY, with_EXCLUSIVE_who_was_added_first_is_woken_first)
{
	struct waiter waiters[NR];
	int epfds[NR], event_fd = eventfd_open(0);

	exclusive_open(waiters, epfds, event_fd);
	for (int i = 0; i < NR; i++) {
		count_up(event_fd, 1);
		EXPECT_WAITER(&waiters[i], {EPOLLIN, (uint64_t)i});
		for (int j = i + 1; j < NR; j++)
			waiter_await_asleep(&waiters[j]);
		unwatch(epfds[i], event_fd); /* or it would be told next time too */
	}
	close_all(__FILE__, __LINE__, epfds, NR);
	CLOSE(event_fd);
}

CLAIM_ONLY("native epoll", HINT_ONLY, with_EXCLUSIVE_DEL_and_ADD_go_to_the_end_of_the_queue)
{
	struct waiter waiters[NR];
	int epfds[NR], event_fd = eventfd_open(0);

	exclusive_open(waiters, epfds, event_fd);
	unwatch(epfds[0], event_fd);
	watch(epfds[0], event_fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 0);
	for (int i = 0; i < NR; i++) {
		int woken = (i + 1) % NR;

		count_up(event_fd, 1);
		EXPECT_WAITER(&waiters[woken], {EPOLLIN, (uint64_t)woken});
		unwatch(epfds[woken], event_fd);
		count_take(event_fd);
	}
	close_all(__FILE__, __LINE__, epfds, NR);
	CLOSE(event_fd);
}
