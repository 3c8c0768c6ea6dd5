// SPDX-License-Identifier: MIT
/*
 * waiters.c - epoll_wait(2): several threads wait in one eventpoll, and others
 * change what is watched meanwhile.
 *
 * Which of several waiters is woken is not promised and not claimed.
 */
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

#define NR 4

/* ---- one waiter -------------------------------------------------------- */

CLAIM(a_sleeping_waiter_is_woken_by_an_event)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	for (int i = 0; i < 20; i++) {
		waiter_start_asleep(&waiter, epfd);
		put(p[1], 1);
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
		take(p[0], 1);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_waiter_entering_while_the_event_comes_does_not_miss_it)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 300; i++) {
		waiter_start(&waiter, epfd);
		for (int spin = 0; spin < i % 30; spin++)
			sched_yield();
		count_up(event_fd, 1);
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	}
	CLOSE(epfd, event_fd);
}

CLAIM(ADD_of_a_ready_file_wakes_the_sleeper)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	waiter_start_asleep(&waiter, epfd);
	watch(epfd, p[1], EPOLLOUT, 1);
	EXPECT_WAITER(&waiter, {EPOLLOUT, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(ADD_of_an_idle_file_lets_the_sleeper_see_its_events)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	waiter_start_asleep(&waiter, epfd);
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_a_ready_file_wakes_the_sleeper)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], 0, 1);
	waiter_start_asleep(&waiter, epfd);
	rewatch(epfd, p[1], EPOLLOUT, 2);
	EXPECT_WAITER(&waiter, {EPOLLOUT, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_a_reported_edge_wakes_the_sleeper_again)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	for (uint64_t i = 2; i < 20; i++) {
		waiter_start_asleep(&waiter, epfd);
		rewatch(epfd, p[0], EPOLLIN | EPOLLET, i);
		EXPECT_WAITER(&waiter, {EPOLLIN, i});
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_an_idle_file_while_somebody_sleeps_loses_nothing)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	waiter_start_asleep(&waiter, epfd);
	rewatch(epfd, s[0], EPOLLIN, 2);
	waiter_await_asleep(&waiter);
	put(s[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 2});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(DEL_while_somebody_sleeps_silences_the_file)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2], event_fd = eventfd_open(0);

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	watch(epfd, event_fd, EPOLLIN, 2);
	waiter_start_asleep(&waiter, epfd);
	unwatch(epfd, p[0]);
	put(p[1], 1);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 2});
	CLOSE(epfd, event_fd, p[0], p[1]);
}

CLAIM(DEL_ADD_while_somebody_sleeps_wakes_with_the_new_data)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	for (uint64_t i = 2; i < 10; i++) {
		waiter_start_asleep(&waiter, epfd);
		unwatch(epfd, p[0]);
		put(p[1], 1);
		watch(epfd, p[0], EPOLLIN, i);
		EXPECT_WAITER(&waiter, {EPOLLIN, i});
		take(p[0], 1);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_write_nobody_asked_for_leaves_the_sleeper_asleep)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	waiter_start_asleep(&waiter, epfd);
	for (int i = 0; i < 5; i++) {
		put(s[1], 1);
		waiter_await_asleep(&waiter);
	}
	MUST(shutdown(s[1], SHUT_WR));
	EXPECT_WAITER(&waiter, {EPOLLRDHUP, 1});
	CLOSE(epfd, s[0], s[1]);
}

/* ---- several waiters --------------------------------------------------- */

/* NR waiters, all asleep in @epfd, with room for @maxevents each. */
static void all_start(struct waiter waiters[NR], int epfd, int maxevents)
{
	for (int i = 0; i < NR; i++)
		waiter_start_with(&waiters[i], epfd, maxevents, -1, NULL);
	for (int i = 0; i < NR; i++)
		waiter_await_asleep(&waiters[i]);
}

static int nr_done(struct waiter waiters[NR])
{
	int nr = 0;

	for (int i = 0; i < NR; i++)
		nr += waiter_is_done(&waiters[i]);
	return nr;
}

/* Wait until every waiter either has returned or sleeps. */
static void all_await_calm(struct waiter waiters[NR])
{
	for (int i = 0; i < NR; i++)
		while (!waiter_is_done(&waiters[i]) &&
		       !task_is_asleep(getpid(), atomic_load(&waiters[i].tid)))
			sched_yield();
}

static void await_nr_done(struct waiter waiters[NR], int nr)
{
	while (nr_done(waiters) < nr)
		sched_yield();
	all_await_calm(waiters);
	EXPECT_INT(nr_done(waiters), ==, nr);
}

CLAIM(one_edge_wakes_one_waiter)
{
	struct waiter waiters[NR];
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	all_start(waiters, epfd, 8);
	for (int i = 1; i <= NR; i++) {
		count_up(event_fd, 1);
		await_nr_done(waiters, i);
	}
	for (int i = 0; i < NR; i++)
		EXPECT_WAITER(&waiters[i], {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(a_level_nobody_drains_wakes_every_waiter)
{
	struct waiter waiters[NR];
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	all_start(waiters, epfd, 8);
	count_up(event_fd, 1);
	for (int i = 0; i < NR; i++)
		EXPECT_WAITER(&waiters[i], {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(a_oneshot_wakes_one_waiter_however_many_writes)
{
	struct waiter waiters[NR];
	int event_fd = eventfd_open(0), bell = eventfd_open(0);
	int epfd = epoll_open();
	int nr_told = 0;

	watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	watch(epfd, bell, EPOLLIN, 2);
	all_start(waiters, epfd, 8);
	for (int i = 0; i < 5; i++)
		count_up(event_fd, 1);
	await_nr_done(waiters, 1);
	count_up(bell, 1);
	for (int i = 0; i < NR; i++) {
		EXPECT_INT(waiter_join(&waiters[i]), ==, 1);
		nr_told += waiters[i].events[0].data.u64 == 1;
	}
	EXPECT_INT(nr_told, ==, 1);
	CLOSE(epfd, event_fd, bell);
}

CLAIM(two_files_ready_wake_two_waiters_with_room_for_one_each)
{
	struct waiter waiters[NR];
	int epfd = epoll_open();
	uint64_t seen = 0;
	int fds[NR];

	for (int i = 0; i < NR; i++) {
		fds[i] = eventfd_open(0);
		watch(epfd, fds[i], EPOLLIN | EPOLLET, 1u << i);
	}
	all_start(waiters, epfd, 1);
	for (int i = 0; i < NR; i++)
		count_up(fds[i], 1);
	for (int i = 0; i < NR; i++) {
		EXPECT_INT(waiter_join(&waiters[i]), ==, 1);
		EXPECT_INT(seen & waiters[i].events[0].data.u64, ==, 0);
		seen |= waiters[i].events[0].data.u64;
	}
	EXPECT_INT(seen, ==, (1u << NR) - 1);
	close_all(__FILE__, __LINE__, fds, NR);
	CLOSE(epfd);
}

CLAIM(what_a_short_buffer_leaves_wakes_the_next_waiter)
{
	struct waiter waiters[NR];
	int outer_fds[NR];
	int epfd = epoll_open();
	uint64_t seen = 0;
	int p[2];

	/* One write makes all four duplicates ready; each waiter has room for one. */
	pipe_open(p);
	for (int i = 0; i < NR; i++) {
		outer_fds[i] = MUST(dup(p[0]));
		watch(epfd, outer_fds[i], EPOLLIN | EPOLLET, 1u << i);
	}
	all_start(waiters, epfd, 1);
	put(p[1], 1);
	for (int i = 0; i < NR; i++) {
		EXPECT_INT(waiter_join(&waiters[i]), ==, 1);
		seen |= waiters[i].events[0].data.u64;
	}
	EXPECT_INT(seen, ==, (1u << NR) - 1);
	close_all(__FILE__, __LINE__, outer_fds, NR);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_wait_without_time_beside_a_sleeper_takes_what_there_is)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_QUIET(epfd);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_second_waiter_joining_a_sleeper_neither_loses_nor_doubles_an_edge)
{
	int epfd = epoll_open();
	struct waiter first, second;
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	waiter_start_asleep(&first, epfd);
	waiter_start_asleep(&second, epfd);
	count_up(event_fd, 1);
	while (!waiter_is_done(&first) && !waiter_is_done(&second))
		sched_yield();
	EXPECT_QUIET(epfd);
	count_up(event_fd, 1);
	EXPECT_WAITER(&first, {EPOLLIN, 1});
	EXPECT_WAITER(&second, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(a_level_taken_by_a_second_waiter_still_wakes_the_first)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int event_fd = eventfd_open(1);
	struct epoll_event event;

	/* The level is on the list when the second thread comes to sleep. */
	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
	count_take(event_fd);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_QUIET(epfd);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(waiters_with_time_outs_of_their_own_end_at_their_own_time)
{
	int epfd = epoll_open();
	struct waiter brief, patient;
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&patient, epfd);
	waiter_start_with(&brief, epfd, 8, 20, NULL);
	EXPECT_WAITER(&brief);
	EXPECT(!waiter_is_done(&patient));
	count_up(event_fd, 1);
	EXPECT_WAITER(&patient, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}
