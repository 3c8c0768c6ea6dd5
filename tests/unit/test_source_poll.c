// SPDX-License-Identifier: MIT
/*
 * test_source_poll.c - levels become edges: each rise once, none lost, none twice.
 */
#include <poll.h>

#include "poll_stage.h"

TestSuite(source_poll, .init = stage_begin, .fini = stage_end);

/* -------- rises and falls -------- */

Test(source_poll, identity_is_never_readable_by_itself)
{
	struct pollfd identity = {.fd = source.fd, .events = POLLIN | POLLRDNORM};
	int p[2];

	cr_assert_eq(fcntl(source.fd, F_GETFD), FD_CLOEXEC);
	pipe_open(p);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_eq(poll(&identity, 1, 0), 0);
	close_both(p);
}

Test(source_poll, identity_is_inherited_only_if_asked_for)
{
	struct source other;

	cr_assert_geq(source_poll.open(&other, 0), 0);
	cr_assert_eq(fcntl(other.fd, F_GETFD), 0);
	source_poll.fini(&other);
	close(other.fd);
}

Test(source_poll, flags_of_no_meaning_are_refused)
{
	struct source other;

	cr_assert_eq(source_poll.open(&other, 1), -EINVAL);
	cr_assert_eq(source_poll.open(&other, EPOLL_CLOEXEC | O_NONBLOCK), -EINVAL);
}

Test(source_poll, rise_is_one_edge)
{
	int p[2];

	pipe_open(p);
	arm(p[0], EPOLLIN | EPOLLET, 7);
	EXPECT_NO_EDGE();
	put(p[1], 1);
	EXPECT_EDGE(EPOLLIN, 7);
	EXPECT_NO_EDGE();
	close_both(p);
}

Test(source_poll, fall_makes_the_next_rise_an_edge)
{
	int p[2];

	pipe_open(p);
	arm(p[0], EPOLLIN | EPOLLET, 7);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_EDGE(EPOLLIN, 7);
		take(p[0], 1);
		EXPECT_NO_EDGE();
	}
	close_both(p);
}

Test(source_poll, file_that_is_ready_when_armed_is_an_edge)
{
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	arm(p[0], EPOLLIN | EPOLLET, 7);
	EXPECT_EDGE(EPOLLIN, 7);
	close_both(p);
}

Test(source_poll, edge_shows_the_whole_mask)
{
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	put(s[1], 1);
	EXPECT_EDGE(EPOLLIN | EPOLLOUT, 1);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll, bits_not_armed_are_not_reported)
{
	int s[2];

	unix_open(s);
	put(s[1], 1);
	arm(s[0], EPOLLOUT | EPOLLET, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	take(s[0], 1);
	put(s[1], 1);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll, hangup_is_reported_unasked_and_once)
{
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLET, 3);
	EXPECT_NO_EDGE();
	close(s[1]);
	EXPECT_EDGE(EPOLLHUP, 3);
	EXPECT_NO_EDGE();
	close(s[0]);
}

Test(source_poll, error_of_a_pipe_without_reader_is_reported)
{
	int p[2];

	pipe_open(p);
	arm(p[1], EPOLLOUT | EPOLLET, 3);
	EXPECT_EDGE(EPOLLOUT, 3);
	close(p[0]);
	EXPECT_EDGE(EPOLLOUT | EPOLLERR, 3);
	close(p[1]);
}

Test(source_poll, half_close_is_reported_if_asked_for)
{
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLRDHUP | EPOLLET, 3);
	EXPECT_NO_EDGE();
	cr_assert_eq(shutdown(s[1], SHUT_WR), 0);
	EXPECT_EDGE(EPOLLRDHUP, 3);
	close_both(s);
}

/* -------- rearm and lapsed -------- */

Test(source_poll, rearm_of_a_ready_file_is_an_edge_under_the_new_tag)
{
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	rearm(p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EDGE(EPOLLIN, 2);
	EXPECT_NO_EDGE();
	close_both(p);
}

Test(source_poll, rearm_voids_what_was_not_collected_under_the_old_tag)
{
	int s[2];

	unix_open(s);
	arm(s[0], EPOLLIN | EPOLLET, 1);
	put(s[1], 1);
	rearm(s[0], EPOLLOUT | EPOLLET, 2);
	EXPECT_EDGE(EPOLLOUT, 2);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll, unseen_fall_loses_the_rise_of_a_level_item_unless_lapsed)
{
	int p[2];

	pipe_open(p);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	EXPECT_EDGE(EPOLLIN, 1);
	take(p[0], 1);
	put(p[1], 1);
	EXPECT_NO_EDGE(); /* high at both looks */
	source_poll.lapsed(&source, p[0], 0);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	close_both(p);
}

Test(source_poll, lapsed_leaves_the_bits_of_the_mask_seen)
{
	int s[2];

	unix_open(s);
	put(s[1], 1);
	arm(s[0], EPOLLIN | EPOLLOUT | EPOLLET, 1);
	EXPECT_EDGE(EPOLLIN | EPOLLOUT, 1);
	source_poll.lapsed(&source, s[0], EPOLLIN | EPOLLOUT);
	EXPECT_NO_EDGE();
	source_poll.lapsed(&source, s[0], EPOLLOUT);
	EXPECT_EDGE(EPOLLIN | EPOLLOUT, 1);
	close_both(s);
}

Test(source_poll, lapsed_of_an_unknown_file_is_ignored)
{
	source_poll.lapsed(&source, 0, 0);
	source_poll.lapsed(&source, -1, 0);
	source_poll.lapsed(&source, 1 << 20, 0);
	EXPECT_NO_EDGE();
}

/* -------- registrations -------- */

Test(source_poll, disarmed_file_is_silent)
{
	int p[2];

	pipe_open(p);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	disarm(p[0]);
	EXPECT_NO_EDGE();
	cr_assert_eq(source_poll.disarm(&source, p[0]), -ENOENT);
	cr_assert_eq(source_poll.rearm(&source, p[0], EPOLLIN, 2), -ENOENT);
	close_both(p);
}

Test(source_poll, number_that_was_forgotten_can_be_another_file)
{
	int p[2], q[2];

	pipe_open(p);
	pipe_open(q);
	put(p[1], 1);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	source_poll.forget(&source, p[0]);
	source_poll.forget(&source, p[0]);
	cr_assert_eq(dup2(q[0], p[0]), p[0]);
	EXPECT_NO_EDGE();
	arm(p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_NO_EDGE();
	put(q[1], 1);
	EXPECT_EDGE(EPOLLIN, 2);
	close_both(p);
	close_both(q);
}

Test(source_poll, second_arm_of_a_number_replaces_the_first)
{
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	arm(p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EDGE(EPOLLIN, 2);
	disarm(p[0]);
	EXPECT_NO_EDGE();
	close_both(p);
}

Test(source_poll, file_closed_behind_our_back_is_dropped_and_others_are_not)
{
	int p[2], q[2];

	pipe_open(p);
	pipe_open(q);
	arm(p[0], EPOLLIN | EPOLLET, 1);
	arm(q[0], EPOLLIN | EPOLLET, 2);
	put(q[1], 1);
	close(p[0]);
	EXPECT_EDGE(EPOLLIN, 2);
	cr_assert_eq(source_poll.rearm(&source, p[0], EPOLLIN, 3), -ENOENT);
	rearm(q[0], EPOLLIN | EPOLLET, 4);
	EXPECT_EDGE(EPOLLIN, 4);
	close(p[1]);
	close_both(q);
}

/* What arm() says to @fd is what a kernel epoll says. */
static void expect_kernels_answer(int fd, int expected)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epfd = epoll_create1(0);
	int kernels = epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;

	close(epfd);
	cr_assert_eq(kernels, expected, "the kernel says %d, not %d", kernels, expected);
	cr_assert_eq(source_poll.arm(&source, fd, EPOLLIN | EPOLLET, 1), expected);
}

Test(source_poll, arm_accepts_and_refuses_what_the_kernel_does)
{
	static const struct {
		const char *path;
		int flags, expected;
	} files[] = {
		{"/", O_RDONLY | O_DIRECTORY, -EPERM},
		{"/proc/self/exe", O_RDONLY, -EPERM},
		{"/proc/self/mounts", O_RDONLY, 0}, /* a regular file that has a poll */
		{"/dev/null", O_RDWR, -EPERM},
		{"/dev/ptmx", O_RDWR | O_NOCTTY, 0},
		{"/", O_PATH, -EBADF},
	};
	int epfd = epoll_create1(0);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i].path, files[i].flags);

		cr_assert_geq(fd, 0, "%s", files[i].path);
		expect_kernels_answer(fd, files[i].expected);
		source_poll.forget(&source, fd);
		close(fd);
	}
	expect_kernels_answer(epfd, 0);
	close(epfd);
	expect_kernels_answer(-1, -EBADF);
	expect_kernels_answer(1 << 30, -EBADF);
}
