// SPDX-License-Identifier: MIT
/*
 * ctl_add_mod_del.c - epoll_ctl(2): what the three operations do.
 */
#include <unistd.h>

#include "stage.h"

CLAIM(ADD_reports_what_is_ready_already)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(ADD_of_what_is_not_ready_reports_nothing_until_it_is)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(all_64_bits_of_the_data_come_back)
{
	static const uint64_t patterns[] = {
		0,
		1,
		UINT64_MAX,
		0x8000000000000000u,
		0x0123456789abcdefu,
		0xffffffffu,
		0xffffffff00000000u,
		0xfedcba9876543210u,
	};
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 7);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		rewatch(epfd, p[1], EPOLLOUT, patterns[i]);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, patterns[i]});
		unwatch(epfd, p[1]);
		watch(epfd, p[1], EPOLLOUT, patterns[i]);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, patterns[i]});
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_changes_the_data_of_an_event_that_is_already_pending)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_changes_which_readiness_is_reported)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	put(s[1], 1);
	watch(epfd, s[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, s[0], EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	rewatch(epfd, s[0], EPOLLIN | EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLOUT, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(MOD_takes_back_a_pending_event_nobody_wants_now)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	rewatch(epfd, p[0], EPOLLOUT, 1);
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_to_no_events_silences_data_but_not_the_hang_up)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	rewatch(epfd, p[0], 0, 1);
	EXPECT_QUIET(epfd);
	CLOSE(p[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	CLOSE(epfd, p[0]);
}

CLAIM(MOD_reports_readiness_that_came_while_it_was_not_wanted)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], 0, 1);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

/* epoll(7): "Modify will reread available I/O." */
CLAIM(MOD_rereads_what_is_available)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	take(p[0], 1);
	rewatch(epfd, p[0], EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_from_level_to_edge_reports_once_more)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_from_edge_to_level_reports_for_ever)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN, 2);
	for (int i = 0; i < 5; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(DEL_takes_a_pending_event_with_it)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	unwatch(epfd, p[0]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(what_happens_after_DEL_is_not_reported)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	unwatch(epfd, p[0]);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(p[1]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0]);
}

CLAIM(ADD_after_DEL_starts_afresh)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	unwatch(epfd, p[0]);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	unwatch(epfd, p[0]);
	watch(epfd, p[0], 0, 3);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(DEL_ADD_with_other_events_between_two_waits_takes_the_new_ones)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	put(s[1], 1);
	watch(epfd, s[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	unwatch(epfd, s[0]);
	watch(epfd, s[0], EPOLLOUT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
	unwatch(epfd, s[0]);
	watch(epfd, s[0], EPOLLRDHUP, 3);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(duplicates_are_watches_of_their_own)
{
	int epfd = epoll_open();
	int s[2], copy;

	unix_open(s);
	copy = MUST(dup(s[0]));
	watch(epfd, s[0], EPOLLIN, 1);
	watch(epfd, copy, EPOLLOUT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLOUT, 2});
	unwatch(epfd, s[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
	CLOSE(epfd, s[0], s[1], copy);
}

CLAIM(two_eventpolls_on_one_file_are_both_told)
{
	int one = epoll_open(), other = epoll_open();
	int p[2];

	pipe_open(p);
	watch(one, p[0], EPOLLIN, 1);
	watch(other, p[0], EPOLLIN | EPOLLET, 2);
	put(p[1], 1);
	EXPECT_EVENTS(one, 0, {EPOLLIN, 1});
	EXPECT_EVENTS(other, 0, {EPOLLIN, 2});
	EXPECT_EVENTS(one, 0, {EPOLLIN, 1});
	EXPECT_QUIET(other);
	unwatch(one, p[0]);
	put(p[1], 1);
	EXPECT_QUIET(one);
	CLOSE(one, other, p[0], p[1]);
}

CLAIM(both_ends_of_a_pipe_in_one_eventpoll)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	watch(epfd, p[1], EPOLLOUT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLOUT, 2});
	fill(p[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(EPOLLWAKEUP_is_accepted_and_not_reported)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLWAKEUP, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | EPOLLWAKEUP, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	rewatch(epfd, p[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(bits_that_mean_nothing_are_accepted_and_not_reported)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | 0x00fff000u, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | 0x20u, 2); /* POLLNVAL */
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(more_than_one_event_between_two_waits_is_one_event)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	fill(s[0]);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
	EXPECT_QUIET(epfd);
	drain(s[1]);
	put(s[1], 3);
	put(s[1], 3);
	MUST(shutdown_writing(s[1]));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(two_thousand_watches_in_one_eventpoll)
{
	enum {
		NR = 2000
	};
	static int fds[NR];
	int epfd = epoll_open();

	claim_takes(60); /* the self-check looks at all of them, again and again */
	allow_descriptors(NR + 16);
	for (int i = 0; i < NR; i++) {
		fds[i] = eventfd_open(0);
		watch(epfd, fds[i], EPOLLIN, (uint64_t)i);
	}
	EXPECT_QUIET(epfd);
	for (int i = 0; i < NR; i += 97) {
		count_up(fds[i], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, (uint64_t)i});
		count_take(fds[i]);
		EXPECT_QUIET(epfd);
	}
	for (int i = 0; i < NR; i += 2)
		unwatch(epfd, fds[i]);
	count_up(fds[10], 1);
	count_up(fds[11], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 11});
	for (int i = 0; i < NR; i++)
		CLOSE(fds[i]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}
