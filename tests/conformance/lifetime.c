// SPDX-License-Identifier: MIT
/*
 * lifetime.c - epoll(7): what closing and duplicating descriptors does.
 *
 * "Closing a file descriptor causes it to be removed from all epoll interest
 * lists" - but only if no other descriptor refers to the same open file
 * description.  The registration belongs to the description, under the number
 * by which it was made.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

/* A pipe with a byte in it, its reading end watched under data 1. */
static int ready_open(int p[2], uint32_t mode)
{
	int epfd = epoll_open();

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | mode, 1);
	return epfd;
}

/* ---- every way to close ------------------------------------------------ */

CLAIM(close_takes_the_file_off_the_interest_list)
{
	int p[2], epfd = ready_open(p, 0);

	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM(close_takes_the_file_off_every_eventpoll)
{
	int p[2], one = ready_open(p, 0), other = epoll_open();

	watch(other, p[0], EPOLLIN, 2);
	CLOSE(p[0]);
	EXPECT_QUIET(one);
	EXPECT_QUIET(other);
	CLOSE(one, other, p[1]);
}

CLAIM(close_of_a_file_that_is_not_ready_yet_silences_it)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN, 1);
	CLOSE(s[0]);
	EXPECT_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[1]);
}

CLAIM(close_range_takes_files_off_the_interest_list)
{
	int p[2], epfd = ready_open(p, 0);

	/* p[0] and p[1] are neighbours: nothing else was opened in between. */
	EXPECT_INT(p[1], ==, p[0] + 1);
	MUST(close_range((unsigned int)p[0], (unsigned int)p[1], 0));
	EXPECT_QUIET(epfd);
	pipe_open(p);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(close_range_CLOEXEC_closes_nothing_yet)
{
	int p[2], epfd = ready_open(p, 0);

	MUST(close_range((unsigned int)p[0], (unsigned int)p[1], CLOSE_RANGE_CLOEXEC));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(closefrom_takes_files_off_the_interest_list)
{
	int p[2], epfd = ready_open(p, 0);

	EXPECT_INT(epfd, <, p[0]);
	closefrom(p[0]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(closefrom_that_closes_the_eventpoll_too_leaves_nothing)
{
	int p[2], epfd = ready_open(p, 0);

	closefrom(epfd);
	epfd = epoll_open();
	EXPECT_QUIET(epfd);
	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 3});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(fclose_takes_the_file_off_the_interest_list)
{
	int p[2], epfd = ready_open(p, 0);
	FILE *stream = fdopen(p[0], "r");

	EXPECT(stream != NULL);
	EXPECT_INT(fclose(stream), ==, 0);
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), EBADF);
	CLOSE(epfd, p[1]);
}

CLAIM(the_raw_number_of_close_takes_the_file_off_too)
{
	int p[2], epfd = ready_open(p, 0);

	EXPECT_INT(syscall(SYS_close, p[0]), ==, 0);
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 1), EBADF);
	CLOSE(epfd, p[1]);
}

CLAIM(dup2_over_a_watched_number_takes_the_old_file_off)
{
	int p[2], epfd = ready_open(p, 0);
	int event_fd = eventfd_open(1);

	MUST(dup2(event_fd, p[0]));
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	watch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, event_fd, p[0], p[1]);
}

CLAIM(dup3_over_a_watched_number_takes_the_old_file_off)
{
	int p[2], epfd = ready_open(p, 0);
	int event_fd = eventfd_open(1);

	MUST(dup3(event_fd, p[0], O_CLOEXEC));
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 2), ENOENT);
	CLOSE(epfd, event_fd, p[0], p[1]);
}

CLAIM(dup2_of_a_descriptor_onto_itself_changes_nothing)
{
	int p[2], epfd = ready_open(p, 0);

	EXPECT_INT(MUST(dup2(p[0], p[0])), ==, p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(dup2_that_fails_changes_nothing)
{
	int p[2], epfd = ready_open(p, 0);

	EXPECT_ERRNO(dup2(3999, p[0]), EBADF);
	EXPECT_ERRNO(dup3(p[1], p[1], 0), EINVAL);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_second_close_is_EBADF_and_harms_nobody)
{
	int p[2], epfd = ready_open(p, 0);

	CLOSE(p[0]);
	EXPECT_ERRNO(close(p[0]), EBADF);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

/* ---- a duplicate keeps the description alive --------------------------- */

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_outlives_its_number_while_a_duplicate_is_open)
{
	int p[2], epfd = ready_open(p, 0);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	take(copy, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(copy);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_of_a_closed_number_cannot_be_changed_any_more)
{
	int p[2], epfd = ready_open(p, 0);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), EBADF);
	EXPECT_ERRNO(ctl_del(epfd, copy), ENOENT);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[1], copy);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, an_edge_watch_outlives_its_number_while_a_duplicate_is_open)
{
	int p[2], epfd = ready_open(p, EPOLLET);
	int copy = MUST(dup(p[0]));

	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[1], copy);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_pending_edge_outlives_the_close)
{
	int p[2], epfd = ready_open(p, EPOLLET);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1], copy);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, an_armed_oneshot_outlives_the_close_and_is_spent_once)
{
	int p[2], epfd = ready_open(p, EPOLLONESHOT);
	int copy = MUST(dup(p[0]));

	CLOSE(p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1], copy);
}

CLAIM(a_spent_oneshot_stays_spent_after_the_close)
{
	int p[2], epfd = ready_open(p, EPOLLONESHOT);
	int copy = MUST(dup(p[0]));

	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(p[0]);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1], copy);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_duplicate_made_before_the_watch_keeps_it_alive_too)
{
	int epfd = epoll_open();
	int p[2], copy;

	pipe_open(p);
	copy = MUST(fcntl(p[0], F_DUPFD_CLOEXEC, 100));
	watch(epfd, p[0], EPOLLIN, 1);
	CLOSE(p[0]);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(copy);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, the_last_of_many_duplicates_ends_the_watch)
{
	int p[2], epfd = ready_open(p, 0);
	int copies[4];

	copies[0] = MUST(dup(p[0]));
	copies[1] = MUST(fcntl(copies[0], F_DUPFD, 200));
	copies[2] = MUST(dup2(copies[1], 300));
	copies[3] = MUST(dup3(p[0], 301, O_CLOEXEC));
	CLOSE(p[0]);
	for (int i = 0; i < 4; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		CLOSE(copies[i]);
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM(closing_the_duplicate_changes_nothing_for_the_number_watched)
{
	int p[2], epfd = ready_open(p, 0);
	int copy = MUST(dup(p[0]));

	CLOSE(copy);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	unwatch(epfd, p[0]);
	CLOSE(epfd, p[0], p[1]);
}
