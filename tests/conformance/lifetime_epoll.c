// SPDX-License-Identifier: MIT
/*
 * lifetime_epoll.c - epoll(7): duplicates of the eventpoll itself, and its
 * close while somebody is inside.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

static struct epoll_event room[4];

CLAIM(a_duplicate_is_the_same_eventpoll)
{
	int epfd = epoll_open();
	int copy = MUST(dup(epfd));
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_ERRNO(ctl_add(copy, event_fd, EPOLLIN, 2), EEXIST);
	EXPECT_EVENTS(copy, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	rewatch(copy, event_fd, EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	unwatch(copy, event_fd);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, copy, event_fd);
}

CLAIM(an_eventpoll_lives_until_its_last_duplicate_is_closed)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	int copies[3];

	watch(epfd, event_fd, EPOLLIN, 1);
	copies[0] = MUST(dup(epfd));
	copies[1] = MUST(fcntl(epfd, F_DUPFD_CLOEXEC, 100));
	copies[2] = MUST(dup2(epfd, 200));
	CLOSE(epfd);
	for (int i = 0; i < 3; i++) {
		EXPECT_EVENTS(copies[i], 0, {EPOLLIN, 1});
		CLOSE(copies[i]);
	}
	EXPECT_ERRNO(epoll_wait(copies[2], room, 4, 0), EBADF);
	CLOSE(event_fd);
}

CLAIM(dup2_of_an_eventpoll_over_a_file_it_watches_takes_the_file_off)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	MUST(dup2(epfd, p[0]));
	EXPECT_QUIET(epfd);
	EXPECT_QUIET(p[0]);
	watch(p[0], p[1], EPOLLIN, 2);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(dup2_of_one_eventpoll_over_another_ends_the_other)
{
	int one = epoll_open(), other = epoll_open();
	int event_fd = eventfd_open(1);

	watch(one, event_fd, EPOLLIN, 1);
	watch(other, event_fd, EPOLLIN, 2);
	MUST(dup2(one, other));
	EXPECT_EVENTS(other, 0, {EPOLLIN, 1});
	rewatch(other, event_fd, EPOLLIN, 3);
	EXPECT_EVENTS(one, 0, {EPOLLIN, 3});
	CLOSE(one, other, event_fd);
}

CLAIM(a_waiter_in_one_duplicate_is_woken_through_the_other)
{
	int epfd = epoll_open();
	int copy = MUST(dup(epfd));
	int event_fd = eventfd_open(1);
	struct waiter waiter;

	waiter_start_asleep(&waiter, epfd);
	watch(copy, event_fd, EPOLLIN, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, copy, event_fd);
}

CLAIM(closing_the_eventpoll_keeps_the_files_it_watched_open)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	CLOSE(epfd);
	put(p[1], 1);
	take(p[0], 1);
	CLOSE(p[0], p[1]);
}

CLAIM(watching_a_file_does_not_keep_it_open)
{
	int epfd = epoll_open();
	int s[2];
	char byte;

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLET, 1);
	EXPECT_QUIET(epfd);
	CLOSE(s[0]);
	EXPECT_INT(read(s[1], &byte, 1), ==, 0); /* the end of file, at once */
	CLOSE(epfd, s[1]);
}

CLAIM(a_deleted_watch_does_not_keep_its_file_open)
{
	int epfd = epoll_open();
	int s[2];
	char byte;

	unix_open(s);
	watch(epfd, s[0], EPOLLIN, 1);
	unwatch(epfd, s[0]);
	CLOSE(s[0]);
	EXPECT_INT(read(s[1], &byte, 1), ==, 0);
	CLOSE(epfd, s[1]);
}

/* ---- closed while somebody sleeps inside ------------------------------- */

CLAIM(closing_the_eventpoll_does_not_wake_who_sleeps_in_it)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	CLOSE(epfd);
	waiter_await_asleep(&waiter);
	/* The sleeper still holds the eventpoll, and the eventpoll its watches. */
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(event_fd);
}

CLAIM(a_number_reused_under_a_sleeper_is_not_what_the_sleeper_waits_in)
{
	int old_event = eventfd_open(0), new_event = eventfd_open(0);
	int epfd = epoll_open(), again;
	struct waiter waiter;

	watch(epfd, old_event, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	CLOSE(epfd);
	again = epoll_open();
	EXPECT_INT(again, ==, epfd);
	watch(again, new_event, EPOLLIN, 2);
	count_up(new_event, 1);
	EXPECT_EVENTS(again, 0, {EPOLLIN, 2});
	waiter_await_asleep(&waiter);
	count_up(old_event, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(again, old_event, new_event);
}

CLAIM(dup2_over_an_eventpoll_somebody_sleeps_in_leaves_the_sleeper_in_the_old_one)
{
	int epfd = epoll_open(), other = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	MUST(dup2(other, epfd));
	EXPECT_QUIET(epfd);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, other, event_fd);
}

CLAIM(close_range_over_an_eventpoll_somebody_sleeps_in_does_not_wake_it)
{
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();
	struct waiter waiter;

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	MUST(close_range((unsigned int)epfd, (unsigned int)epfd, 0));
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(event_fd);
}

CLAIM(a_sleeper_with_a_time_out_ends_on_time_after_the_close)
{
	int64_t start_ns = now_ns();
	int epfd = epoll_open();
	struct waiter waiter;

	waiter_start_with(&waiter, epfd, 4, 1000, NULL);
	waiter_await_asleep(&waiter);
	CLOSE(epfd);
	EXPECT_WAITER(&waiter);
	EXPECT_INT(now_ns() - start_ns, >=, 1000 * NS_PER_MS);
}

CLAIM(closing_a_watched_file_does_not_wake_the_sleeper)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	watch(epfd, event_fd, EPOLLIN, 2);
	waiter_start_asleep(&waiter, epfd);
	CLOSE(p[0]);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 2});
	CLOSE(epfd, event_fd, p[1]);
}

CLAIM(a_file_closed_after_it_became_ready_is_not_reported_to_the_next_wait)
{
	int epfd = epoll_open();
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLET, (uint64_t)i);
	}
	CLOSE(fds[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0}, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, fds[0], fds[2]);
}

/* ---- sent to somebody -------------------------------------------------- */

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_file_sent_over_a_socket_is_watched_until_nobody_can_receive_it)
{
	int epfd = epoll_open();
	int p[2], carrier[2];

	pipe_open(p);
	unix_open(carrier);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	fd_send(carrier[0], p[0]);
	CLOSE(p[0]);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(carrier[0], carrier[1]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}
