// SPDX-License-Identifier: MIT
/*
 * polled.c - epoll(7): an eventpoll is itself pollable, by poll(2) and select(2).
 */
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* What poll(2) says of @fd, asked for everything. */
static int poll_once(int fd, int timeout_ms)
{
	struct pollfd watched = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

	MUST(poll(&watched, 1, timeout_ms));
	return watched.revents;
}

static bool select_once(int fd)
{
	struct timeval at_once = {0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return MUST(select(fd + 1, &set, NULL, NULL, &at_once)) == 1;
}

CLAIM(poll_says_POLLIN_of_an_eventpoll_with_events)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	put(p[1], 1);
	EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(poll_once(epfd, -1), ==, POLLIN);
	take(p[0], 1);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(poll_says_nothing_of_an_eventpoll_whose_edge_was_taken)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
		EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_INT(poll_once(epfd, 0), ==, 0);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(poll_sees_the_edges_a_short_buffer_left)
{
	struct epoll_event event;
	int epfd = epoll_open();
	int one = eventfd_open(1), other = eventfd_open(1);

	watch(epfd, one, EPOLLIN | EPOLLET, 1);
	watch(epfd, other, EPOLLIN | EPOLLET, 2);
	EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
	EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	CLOSE(epfd, one, other);
}

CLAIM(poll_sees_what_MOD_made_ready)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, 0, 1);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	rewatch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	CLOSE(epfd, event_fd);
}

CLAIM(poll_takes_nothing_from_the_eventpoll)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 1);
	for (int i = 0; i < 5; i++)
		EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(an_eventpoll_that_was_used_before_it_is_polled_loses_nothing)
{
	int epfd = epoll_open();
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = eventfd_open(1);
	watch(epfd, fds[0], EPOLLIN, 0);
	watch(epfd, fds[1], EPOLLIN | EPOLLET, 1);
	watch(epfd, fds[2], EPOLLIN | EPOLLONESHOT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0}, {EPOLLIN, 1}, {EPOLLIN, 2});
	EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0});
	count_take(fds[0]);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	count_up(fds[2], 1);
	EXPECT_INT(poll_once(epfd, 0), ==, 0);
	count_up(fds[1], 1);
	EXPECT_INT(poll_once(epfd, 0), ==, POLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, fds[0], fds[1], fds[2]);
}

CLAIM(ppoll_and_select_and_pselect_see_the_same_as_poll)
{
	struct timespec at_once = {0};
	struct pollfd watched;
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	fd_set set;

	watched = (struct pollfd){.fd = epfd, .events = POLLIN};
	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT(!select_once(epfd));
	EXPECT_INT(ppoll(&watched, 1, &at_once, NULL), ==, 0);
	count_up(event_fd, 1);
	EXPECT(select_once(epfd));
	EXPECT_INT(ppoll(&watched, 1, &at_once, NULL), ==, 1);
	FD_ZERO(&set);
	FD_SET(epfd, &set);
	EXPECT_INT(pselect(epfd + 1, &set, NULL, NULL, &at_once, NULL), ==, 1);
	CLOSE(epfd, event_fd);
}

/* ---- a thread that sleeps in poll or select ---------------------------- */

struct sleeper {
	int fd;
	bool uses_select;
	int result;
	pthread_t thread;
	_Atomic pid_t tid;
};

static void *sleeper_run(void *argument)
{
	struct sleeper *sleeper = argument;
	struct pollfd watched = {.fd = sleeper->fd, .events = POLLIN};
	fd_set set;

	atomic_store(&sleeper->tid, gettid());
	FD_ZERO(&set);
	FD_SET(sleeper->fd, &set);
	sleeper->result = sleeper->uses_select ? select(sleeper->fd + 1, &set, NULL, NULL, NULL)
					       : poll(&watched, 1, -1);
	return NULL;
}

static void expect_event_wakes(bool uses_select)
{
	struct sleeper sleeper = {.fd = epoll_open(), .uses_select = uses_select};
	int event_fd = eventfd_open(0);

	watch(sleeper.fd, event_fd, EPOLLIN, 1);
	EXPECT_INT(pthread_create(&sleeper.thread, NULL, sleeper_run, &sleeper), ==, 0);
	while (atomic_load(&sleeper.tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), atomic_load(&sleeper.tid));
	count_up(event_fd, 1);
	EXPECT_INT(pthread_join(sleeper.thread, NULL), ==, 0);
	EXPECT_INT(sleeper.result, ==, 1);
	CLOSE(sleeper.fd, event_fd);
}

CLAIM(an_event_wakes_who_sleeps_in_poll_on_the_eventpoll)
{
	expect_event_wakes(false);
}

CLAIM(an_event_wakes_who_sleeps_in_select_on_the_eventpoll)
{
	expect_event_wakes(true);
}

CLAIM(an_event_wakes_both_who_polls_and_who_waits)
{
	struct sleeper sleeper = {.fd = epoll_open()};
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	watch(sleeper.fd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, sleeper.fd);
	EXPECT_INT(pthread_create(&sleeper.thread, NULL, sleeper_run, &sleeper), ==, 0);
	while (atomic_load(&sleeper.tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), atomic_load(&sleeper.tid));
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_INT(pthread_join(sleeper.thread, NULL), ==, 0);
	EXPECT_INT(sleeper.result, ==, 1);
	CLOSE(sleeper.fd, event_fd);
}

CLAIM(the_usual_loop_of_poll_then_wait_sees_every_event)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 50; i++) {
		count_up(event_fd, 1);
		EXPECT_INT(poll_once(epfd, -1), ==, POLLIN);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_INT(poll_once(epfd, 0), ==, 0);
	}
	CLOSE(epfd, event_fd);
}

CLAIM(poll_of_a_closed_eventpoll_is_POLLNVAL)
{
	int epfd = epoll_open();

	CLOSE(epfd);
	EXPECT_INT(poll_once(epfd, 0), ==, POLLNVAL);
}

CLAIM(fstat_of_an_eventpoll_is_that_of_an_anonymous_inode)
{
	struct stat of_epoll, of_eventfd;
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);

	MUST(fstat(epfd, &of_epoll));
	MUST(fstat(event_fd, &of_eventfd));
	EXPECT_INT(of_epoll.st_mode & S_IFMT, ==, of_eventfd.st_mode & S_IFMT);
	EXPECT_INT(of_epoll.st_dev, ==, of_eventfd.st_dev);
	EXPECT_INT(of_epoll.st_size, ==, 0);
	CLOSE(epfd, event_fd);
}
