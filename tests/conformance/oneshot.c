// SPDX-License-Identifier: MIT
/*
 * oneshot.c - epoll_ctl(2): EPOLLONESHOT, and what arms it again.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

CLAIM(a_oneshot_reports_once)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_oneshot_not_yet_reported_stays_armed)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	for (int i = 0; i < 5; i++) {
		EXPECT_QUIET(epfd);
		put(p[1], 1);
		take(p[0], 1);
	}
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(all_bits_of_a_spent_oneshot_are_disarmed_not_only_the_reported_ones)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	put(s[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_spent_oneshot_does_not_even_report_the_hang_up)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, 1);
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(s[1]);
	EXPECT_QUIET(epfd);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0]);
}

CLAIM(a_spent_oneshot_does_not_report_an_error)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[1], 0, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLERR, 2});
	CLOSE(epfd, p[1]);
}

CLAIM(an_armed_oneshot_is_spent_by_a_hang_up)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLONESHOT, 1);
	put(s[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0]);
}

CLAIM(MOD_arms_a_oneshot_again)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	for (uint64_t i = 2; i < 20; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, i - 1});
		EXPECT_QUIET(epfd);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, i);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_a_spent_oneshot_reports_what_came_meanwhile)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	put(s[1], 1);
	CLOSE(s[1]);
	rewatch(epfd, s[0], EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP | EPOLLHUP, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0]);
}

CLAIM(MOD_of_a_spent_oneshot_whose_file_is_not_ready_reports_the_next_readiness)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	take(p[0], 1);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_without_ONESHOT_makes_it_an_ordinary_level)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 2);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_a_pending_level_to_ONESHOT_reports_once)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_spent_oneshot_is_still_on_the_interest_list)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	EXPECT_ERRNO(ctl_add(epfd, p[1], EPOLLOUT, 2), EEXIST);
	EXPECT_QUIET(epfd);
	unwatch(epfd, p[1]);
	EXPECT_ERRNO(ctl_del(epfd, p[1]), ENOENT);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(DEL_ADD_of_a_spent_oneshot_starts_afresh)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	for (uint64_t i = 0; i < 5; i++) {
		watch(epfd, p[1], EPOLLOUT | EPOLLONESHOT, i);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, i});
		EXPECT_QUIET(epfd);
		unwatch(epfd, p[1]);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(ONESHOT_with_ET_reports_once_and_is_armed_by_MOD)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN | EPOLLET | EPOLLONESHOT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(ONESHOT_with_ET_spends_nothing_on_an_edge_that_is_gone)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET | EPOLLONESHOT, 1);
	put(p[1], 1);
	take(p[0], 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_oneshot_left_over_by_a_short_buffer_is_not_spent)
{
	struct epoll_event event;
	int epfd = epoll_open();
	uint64_t seen = 0;
	int fds[5];

	for (int i = 0; i < 5; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLONESHOT, 1u << i);
	}
	for (int i = 0; i < 5; i++) {
		EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
		EXPECT_INT(seen & event.data.u64, ==, 0);
		seen |= event.data.u64;
	}
	EXPECT_INT(seen, ==, 0x1f);
	EXPECT_QUIET(epfd);
	close_all(__FILE__, __LINE__, fds, 5);
	CLOSE(epfd);
}

CLAIM(MOD_between_readiness_and_wait_keeps_the_event)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	for (uint64_t i = 2; i < 10; i++) {
		put(p[1], 1);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, i);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, i});
		EXPECT_QUIET(epfd);
		take(p[0], 1);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, i);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_to_what_a_spent_oneshot_cannot_do_is_silent)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	rewatch(epfd, s[0], EPOLLONESHOT, 2);
	EXPECT_QUIET(epfd);
	put(s[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0]);
}

CLAIM(a_sleeping_waiter_spends_a_oneshot_once)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	waiter_start_asleep(&waiter, epfd);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_by_another_thread_arms_a_oneshot_for_the_sleeping_waiter)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	for (uint64_t i = 2; i < 30; i++) {
		waiter_start_asleep(&waiter, epfd);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, i);
		EXPECT_WAITER(&waiter, {EPOLLIN, i});
	}
	CLOSE(epfd, p[0], p[1]);
}
