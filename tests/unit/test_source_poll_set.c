// SPDX-License-Identifier: MIT
/*
 * test_source_poll_set.c - many files: short collections, turns, limits, and
 * which of them the poll loop is told to poll.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "poll_stage.h"

TestSuite(source_poll_set, .init = stage_begin, .fini = stage_end);

/* -------- many -------- */

Test(source_poll_set, rises_for_which_there_was_no_room_come_next)
{
	enum {
		NR = 10
	};
	struct epoll_event edges[3];
	unsigned int times[NR] = {0};
	int p[NR][2];

	for (int i = 0; i < NR; i++) {
		pipe_open(p[i]);
		put(p[i][1], 1);
		arm(p[i][0], EPOLLIN | EPOLLET, (uint64_t)i);
	}
	for (int left = NR; left > 0; left -= 3) {
		int n = source_poll.collect(&source, edges, 3);

		cr_assert_eq(n, left < 3 ? left : 3);
		for (int i = 0; i < n; i++)
			times[edges[i].data.u64]++;
	}
	for (int i = 0; i < NR; i++)
		cr_assert_eq(times[i], 1);
	EXPECT_NO_EDGE();
	for (int i = 0; i < NR; i++)
		close_both(p[i]);
}

/* p0 rises again before each collection of one edge: the others have their turn. */
Test(source_poll_set, busy_file_does_not_starve_others)
{
	struct epoll_event edge;
	bool is_served[3] = {false};
	int p[3][2];

	for (int i = 0; i < 3; i++) {
		pipe_open(p[i]);
		put(p[i][1], 1);
		arm(p[i][0], EPOLLIN | EPOLLET, (uint64_t)i);
	}
	for (int i = 0; i < 3; i++) {
		source_poll.lapsed(&source, p[0][0], 0);
		cr_assert_eq(source_poll.collect(&source, &edge, 1), 1);
		is_served[edge.data.u64] = true;
	}
	cr_assert(is_served[0] && is_served[1] && is_served[2]);
	for (int i = 0; i < 3; i++)
		close_both(p[i]);
}

static void allow_descriptors(rlim_t nr)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_geq(limit.rlim_max, nr, "the test needs %ld descriptors", (long)nr);
	limit.rlim_cur = nr;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* eventfds 0..NR-1; every third is ready, then every third is disarmed. */
Test(source_poll_set, five_thousand_files_each_have_their_edge)
{
	enum {
		NR = 5000
	};
	static struct epoll_event edges[NR];
	static int fds[NR];
	static bool is_seen[NR];

	allow_descriptors(NR + 100);
	for (int i = 0; i < NR; i++) {
		fds[i] = eventfd(i % 3 == 0, EFD_NONBLOCK);
		cr_assert_geq(fds[i], 0);
		arm(fds[i], EPOLLIN | EPOLLET, (uint64_t)i);
	}
	/* poll(2) takes no more files than the limit is; what is armed stays armed */
	allow_descriptors(1000);
	cr_assert_eq(source_poll.collect(&source, edges, NR), (NR + 2) / 3);
	for (int i = 0; i < (NR + 2) / 3; i++) {
		cr_assert_eq(edges[i].data.u64 % 3, 0);
		cr_assert_not(is_seen[edges[i].data.u64]);
		is_seen[edges[i].data.u64] = true;
	}
	for (int i = 0; i < NR; i += 3)
		disarm(fds[i]);
	EXPECT_NO_EDGE();
	for (int i = 0; i < NR; i++)
		put(fds[i], 8); /* a count of 0 rises nothing */
	EXPECT_NO_EDGE();
	cr_assert_eq(eventfd_write(fds[NR - 1], 1), 0);
	EXPECT_EDGE(EPOLLIN, NR - 1);
	for (int i = 0; i < NR; i++)
		close(fds[i]);
}

/* -------- what the loop polls -------- */

Test(source_poll_set, poll_set_leaves_out_what_is_seen)
{
	struct pollfd set[2];
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
	cr_assert_eq(source_poll.pollset(&source, set, 2), 1);
	cr_assert_eq(set[0].fd, s[0]);
	cr_assert_eq(set[0].events, POLLIN | POLLOUT);
	EXPECT_EDGE(EPOLLOUT, 1);
	cr_assert_eq(source_poll.pollset(&source, set, 2), 1);
	cr_assert_eq(set[0].events, POLLIN);
	source_poll.lapsed(&source, s[0], 0);
	cr_assert_eq(source_poll.pollset(&source, set, 2), 1);
	cr_assert_eq(set[0].events, POLLIN | POLLOUT);
	close_both(s);
}

Test(source_poll_set, poll_set_tells_its_size_whatever_the_room)
{
	struct pollfd set[2] = {{.fd = -7}, {.fd = -7}};
	int p[2], q[2];

	pipe_open(p);
	pipe_open(q);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	arm(q[0], EPOLLIN | EPOLLET, 2);
	cr_assert_eq(source_poll.pollset(&source, NULL, 0), 2);
	cr_assert_eq(source_poll.pollset(&source, set, 1), 2);
	cr_assert_eq(set[1].fd, -7);
	close_both(p);
	close_both(q);
}

Test(source_poll_set, poll_set_leaves_out_files_whose_hangup_is_seen)
{
	struct pollfd set[1];
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLET, 1);
	cr_assert_eq(source_poll.pollset(&source, set, 1), 1);
	close(s[1]);
	EXPECT_EDGE(EPOLLHUP, 1);
	cr_assert_eq(source_poll.pollset(&source, set, 1), 0);
	close(s[0]);
}
