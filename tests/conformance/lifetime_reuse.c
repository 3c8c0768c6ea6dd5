// SPDX-License-Identifier: MIT
/*
 * lifetime_reuse.c - epoll(7): the number of a watched file is used again, by
 * the same file or by another.
 */
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

/* A pipe with a byte in it, its reading end watched under data 1. */
static int ready_open(int p[2])
{
	int epfd = epoll_open();

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	return epfd;
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, another_file_under_the_number_is_added_beside_the_old_watch)
{
	int p[2], epfd = ready_open(p);
	int copy = MUST(dup(p[0]));
	int event_fd = eventfd_open(1);

	MUST(dup2(event_fd, p[0]));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	watch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	rewatch(epfd, p[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 3});
	unwatch(epfd, p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(copy);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd, p[0], p[1]);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, the_same_file_back_under_its_number_is_the_watch_it_was)
{
	int p[2], epfd = ready_open(p);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	EXPECT_INT(MUST(dup2(copy, p[0])), ==, p[0]);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	unwatch(epfd, p[0]);
	EXPECT_QUIET(epfd);
	watch(epfd, p[0], EPOLLIN, 4);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 4});
	CLOSE(epfd, p[0], p[1], copy);
}

CLAIM(dup2_of_the_same_file_over_its_number_changes_nothing)
{
	int p[2], epfd = ready_open(p);
	int copy = MUST(dup(p[0]));

	MUST(dup2(copy, p[0]));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1], copy);
}

CLAIM(a_number_closed_and_reused_a_thousand_times_is_always_a_new_watch)
{
	int epfd = epoll_open();

	for (uint64_t i = 0; i < 1000; i++) {
		int event_fd = eventfd_open(i % 2);

		watch(epfd, event_fd, EPOLLIN | (i % 3 ? EPOLLET : 0), i);
		if (i % 2)
			EXPECT_EVENTS(epfd, 0, {EPOLLIN, i});
		else
			EXPECT_QUIET(epfd);
		CLOSE(event_fd);
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(DEL_then_close_then_the_same_number_is_a_new_watch)
{
	int epfd = epoll_open();

	for (uint64_t i = 0; i < 100; i++) {
		int event_fd = eventfd_open(i % 2);

		watch(epfd, event_fd, EPOLLIN, i);
		unwatch(epfd, event_fd);
		CLOSE(event_fd);
		event_fd = eventfd_open(1);
		EXPECT_QUIET(epfd);
		watch(epfd, event_fd, EPOLLIN, 1000 + i);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1000 + i});
		CLOSE(event_fd);
	}
	CLOSE(epfd);
}
