// SPDX-License-Identifier: MIT
/*
 * level_edge.c - epoll(7): level-triggered and edge-triggered.
 *
 * An edge is a wakeup by the file, not a change of its level: what the kernel
 * reports here a poll(2) in a loop cannot see.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

/* ---- level ------------------------------------------------------------- */

CLAIM(a_level_is_reported_as_long_as_it_holds)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 3);
	for (int i = 0; i < 3; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
		take(p[0], 1);
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_level_that_came_and_went_is_not_reported)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	for (int i = 0; i < 5; i++) {
		put(p[1], 1);
		take(p[0], 1);
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_level_reports_what_is_ready_now_not_what_was)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLOUT, 1});
	fill(s[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	take(s[0], 1);
	EXPECT_QUIET(epfd);
	drain(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_level_dropped_by_one_wait_comes_back_with_the_next_write)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN, 1);
	for (int i = 0; i < 50; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		count_take(event_fd);
		EXPECT_QUIET(epfd);
		EXPECT_QUIET(epfd);
		count_up(event_fd, 1);
	}
	CLOSE(epfd, event_fd);
}

CLAIM(room_in_a_full_pipe_is_reported_when_a_page_is_free)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	fill(p[1]);
	watch(epfd, p[1], EPOLLOUT, 1);
	EXPECT_QUIET(epfd);
	take(p[0], 1);
	EXPECT_QUIET(epfd);
	take(p[0], 4095);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, p[0], p[1]);
}

/* ---- edge -------------------------------------------------------------- */

CLAIM(an_edge_is_reported_once)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

/* The example of epoll(7): 2 kB written, 1 kB read, and the reader hangs. */
CLAIM(what_is_left_unread_is_not_reported_again)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 2048);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	take(p[0], 1024);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_second_write_to_an_undrained_pipe_is_a_new_edge)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 5; i++) {
		put(p[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_second_write_to_an_undrained_unix_socket_is_a_new_edge)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 5; i++) {
		put(s[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_second_segment_on_an_undrained_tcp_socket_is_a_new_edge)
{
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 5; i++) {
		put(s[1], 1);
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_write_to_an_eventfd_that_is_readable_already_is_a_new_edge)
{
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 5; i++) {
		count_up(event_fd, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, event_fd);
}

CLAIM(two_writes_before_one_wait_are_one_event)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(an_edge_whose_cause_is_gone_is_not_reported)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	take(p[0], 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(drained_and_written_again_is_a_new_edge)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 50; i++) {
		put(s[1], 10);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_INT(drain(s[0]), ==, 10);
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(an_edge_reports_every_wanted_bit_that_is_ready)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLOUT, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(an_edge_for_writing_comes_when_a_full_pipe_is_read)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	fill(p[1]);
	EXPECT_QUIET(epfd);
	drain(p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(an_edge_for_writing_comes_when_a_full_socket_is_read)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLOUT | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	fill(s[0]);
	EXPECT_QUIET(epfd);
	drain(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(ADD_ET_of_a_ready_file_reports_it_once)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_ET_of_a_ready_file_reports_it_again)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 5; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
		rewatch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	}
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(the_hang_up_is_an_edge_of_its_own)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	MUST(shutdown(s[1], SHUT_WR));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP, 1});
	EXPECT_QUIET(epfd);
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP | EPOLLHUP, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0]);
}

CLAIM(level_and_edge_watches_live_side_by_side)
{
	int epfd = epoll_open();
	int level = eventfd_open(1), edge = eventfd_open(1);

	watch(epfd, level, EPOLLIN, 1);
	watch(epfd, edge, EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	count_up(edge, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	count_take(level);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, level, edge);
}

CLAIM(one_file_is_level_in_one_eventpoll_and_edge_in_another)
{
	int level = epoll_open(), edge = epoll_open();
	int event_fd = eventfd_open(1);

	watch(level, event_fd, EPOLLIN, 1);
	watch(edge, event_fd, EPOLLIN | EPOLLET, 2);
	for (int i = 0; i < 3; i++) {
		EXPECT_EVENTS(level, 0, {EPOLLIN, 1});
		EXPECT_EVENTS(edge, 0, {EPOLLIN, 2});
		EXPECT_EVENTS(level, 0, {EPOLLIN, 1});
		EXPECT_QUIET(edge);
		count_up(event_fd, 1);
	}
	CLOSE(level, edge, event_fd);
}

CLAIM(an_edge_left_over_by_a_short_buffer_is_delivered_by_the_next_wait)
{
	struct epoll_event event;
	int epfd = epoll_open();
	uint64_t seen = 0;
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLET, 1u << i);
	}
	for (int i = 0; i < 8; i++) {
		EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
		EXPECT_INT(seen & event.data.u64, ==, 0);
		seen |= event.data.u64;
	}
	EXPECT_INT(seen, ==, 0xff);
	EXPECT_QUIET(epfd);
	close_all(__FILE__, __LINE__, fds, 8);
	CLOSE(epfd);
}
