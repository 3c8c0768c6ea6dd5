// SPDX-License-Identifier: MIT
/*
 * dormant.c - a one-shot watch that is spent shows nothing, whoever looks, and is
 * a watch all the same.
 *
 * In all of them e0 -(l, oneshot)-> p0, which has something to read, and the shot is
 * spent.  p1 hangs up before or after somebody polls e0, and with that makes the kernel
 * keep everything.
 */
#include <poll.h>
#include <unistd.h>

#include "ring.h"
#include "stage.h"

#define URING_ABOUT "io_uring may arm the watch again, which the kernel must know of then"
#define KNOWN_BY_S  "the kernel must know the watch, to say so when its file is added again"
#define NO_ZOMBIES  "poll(2) asks about numbers: a watch ends with its number"

static int spent_open(int p[2])
{
	int epfd = epoll_open();

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	return epfd;
}

static int nr_readable(int epfd)
{
	struct pollfd pollfd = {.fd = epfd, .events = POLLIN};

	return MUST(poll(&pollfd, 1, 0));
}

CLAIM(a_hangup_of_a_spent_oneshot_is_not_shown_to_poll)
{
	int p[2], epfd = spent_open(p);

	CLOSE(p[1]);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	EXPECT_QUIET(epfd);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(epfd, p[0]);
}

CLAIM(a_spent_oneshot_that_hangs_up_later_is_not_shown_to_poll)
{
	int p[2], epfd = spent_open(p);

	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(p[1]);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0]);
}

CLAIM_EXCEPT("ours", URING_ABOUT, with_io_uring_about_a_hangup_of_a_spent_oneshot_is_not_shown)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = spent_open(p);
	CLOSE(p[1]);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(epfd, p[0]);
	ring_close(&ring);
}
DEVIATION(with_io_uring_about_a_hangup_of_a_spent_oneshot_is_not_shown)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = spent_open(p);
	CLOSE(p[1]);
	EXPECT_INT(nr_readable(epfd), ==, source_is("epoll"));
	EXPECT_QUIET(epfd); /* once, in vain */
	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(epfd, p[0]);
	ring_close(&ring);
}

/* e1 -(e)-> e0 -(l, oneshot)-> p0 */
CLAIM(a_hangup_of_a_spent_oneshot_is_no_edge_outside)
{
	int p[2], inner = spent_open(p), outer = epoll_open();

	watch(outer, inner, EPOLLIN | EPOLLET, 2);
	EXPECT_QUIET(outer);
	CLOSE(p[1]);
	EXPECT_QUIET(outer);
	CLOSE(outer, inner, p[0]);
}

CLAIM(a_wait_without_a_buffer_does_not_meet_the_hangup_of_a_spent_oneshot)
{
	struct epoll_event *volatile no_buffer = NULL;
	int p[2], epfd = spent_open(p);

	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(p[1]);
	EXPECT_INT(MUST(epoll_wait(epfd, no_buffer, 1, 0)), ==, 0);
	CLOSE(epfd, p[0]);
}

CLAIM(a_spent_oneshot_that_nobody_keeps_is_armed_and_spent_again)
{
	int p[2], epfd = spent_open(p);

	for (int i = 0; i < 3; i++) {
		EXPECT_INT(nr_readable(epfd), ==, 0);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
		EXPECT_INT(nr_readable(epfd), ==, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_spent_oneshot_that_nobody_keeps_is_no_new_watch)
{
	int p[2], epfd = spent_open(p);

	EXPECT_INT(nr_readable(epfd), ==, 0);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 2), EEXIST);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLPRI | EPOLLEXCLUSIVE, 2), EINVAL);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 2), EINVAL);
	EXPECT_QUIET(epfd);
	unwatch(epfd, p[0]);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 2), ENOENT);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	watch(epfd, p[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	CLOSE(epfd, p[0], p[1]);
}

/* What takes over is the very call that finds the watch. */
CLAIM(an_exclusive_ADD_of_a_spent_oneshot_is_EEXIST)
{
	int p[2], epfd = spent_open(p);

	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 2), EEXIST);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	CLOSE(epfd, p[0], p[1]);
}

/* Its number is closed and, by a duplicate, its own again; @polls: e0 is polled before. */
static void spent_comes_back(bool polls)
{
	int p[2], epfd = spent_open(p);
	int copy = MUST(dup(p[0]));

	if (polls)
		EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(p[0]);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	MUST(dup2(copy, p[0]));
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	unwatch(epfd, p[0]);
	CLOSE(epfd, p[0], p[1], copy);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_spent_oneshot_is_found_again_under_its_number)
{
	spent_comes_back(false);
	spent_comes_back(true);
}
DEVIATION(a_spent_oneshot_is_found_again_under_its_number)
{
	int p[2], epfd = spent_open(p);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	MUST(dup2(copy, p[0]));
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 2), ENOENT);
	CLOSE(epfd, p[0], p[1], copy);
}

/* Its number is closed, its file lives on, hangs up, and e0 is polled. */
static int nr_readable_afterwards(void)
{
	int p[2], epfd = spent_open(p);
	int copy = MUST(dup(p[0])), nr;

	CLOSE(p[0], p[1]);
	nr = nr_readable(epfd);
	EXPECT_QUIET(epfd);
	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(epfd, copy);
	return nr;
}

CLAIM_EXCEPT("ours", KNOWN_BY_S, a_spent_oneshot_whose_number_is_closed_shows_no_hangup)
{
	EXPECT_INT(nr_readable_afterwards(), ==, 0);
}
DEVIATION(a_spent_oneshot_whose_number_is_closed_shows_no_hangup)
{
	EXPECT_INT(nr_readable_afterwards(), ==, source_is("epoll")); /* once, in vain */
}

CLAIM(a_child_finds_a_spent_oneshot_silent_and_can_arm_it)
{
	int p[2], epfd = spent_open(p);
	pid_t pid;

	EXPECT_INT(nr_readable(epfd), ==, 0);
	CLOSE(p[1]);
	CHILD(pid)
	{
		EXPECT_INT(nr_readable(epfd), ==, 0);
		EXPECT_QUIET(epfd);
		EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLHUP, 2});
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLHUP, 3});
	CLOSE(epfd, p[0]);
}
