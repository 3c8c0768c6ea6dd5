// SPDX-License-Identifier: MIT
/*
 * unseen.c - what random programs met and are kept from since: deviations.
 *
 * tests/differential leaves these out (write.c there says where); here each is
 * pinned, so that a change is noticed.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/raw.h"
#include "../conformance/stage.h"

#define RAW_CALLS "a preloaded library sees libc's functions, not system calls"
#define ANEW	  "the kernel has to be told the program's own data, and looks again"
#define LEVELS	  "poll(2) shows levels, not what a wakeup was about"

static int raw_add(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return (int)raw_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, (long)&event, 0, 0);
}

CLAIM_EXCEPT("ours", RAW_CALLS, a_raw_ADD_of_what_was_deleted_is_no_EEXIST)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	unwatch(epfd, p[0]);
	EXPECT_INT(raw_add(epfd, p[0], EPOLLIN, 2), ==, 0);
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(a_raw_ADD_of_what_was_deleted_is_no_EEXIST)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	unwatch(epfd, p[0]);
	/* only this driver leaves it armed for a while */
	EXPECT_INT(raw_add(epfd, p[0], EPOLLIN, 2), ==, driver_is("inline") ? -EEXIST : 0);
	CLOSE(epfd, p[0], p[1]);
}

/* e1 -(raw, lt)-> e0 -(lt)-> p0; what e0 has shown, it would again. */
static void nested_unseen(int *e1, int *e0, int p[2])
{
	*e1 = epoll_open();
	*e0 = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(*e0, p[0], EPOLLIN, 1);
	EXPECT_INT(raw_add(*e1, *e0, EPOLLIN, 2), ==, 0);
	EXPECT_EVENTS(*e0, 0, {EPOLLIN, 1});
}

CLAIM_EXCEPT("ours", RAW_CALLS, an_eventpoll_nested_by_a_raw_call_shows_a_level_that_stays)
{
	int e1, e0, p[2];

	nested_unseen(&e1, &e0, p);
	EXPECT_EVENTS(e1, 0, {EPOLLIN, 2});
	CLOSE(e1, e0, p[0], p[1]);
}
DEVIATION(an_eventpoll_nested_by_a_raw_call_shows_a_level_that_stays)
{
	int e1, e0, p[2];

	nested_unseen(&e1, &e0, p);
	EXPECT_QUIET(e1);
	CLOSE(e1, e0, p[0], p[1]);
}

/* e0 has shown p0's edge, and is then sent, to nobody in particular. */
static void sent_after_an_edge(int *e0, int p[2], int s[2])
{
	*e0 = epoll_open();
	pipe_open(p);
	unix_open(s);
	put(p[1], 1);
	watch(*e0, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(*e0, 0, {EPOLLIN, 1});
	fd_send(s[0], *e0);
}

CLAIM_EXCEPT("epoll", ANEW, an_edge_is_shown_once_although_its_eventpoll_is_sent)
{
	int e0, p[2], s[2];

	sent_after_an_edge(&e0, p, s);
	EXPECT_QUIET(e0);
	CLOSE(e0, p[0], p[1], s[0], s[1]);
}
DEVIATION(an_edge_is_shown_once_although_its_eventpoll_is_sent)
{
	int e0, p[2], s[2];

	sent_after_an_edge(&e0, p, s);
	EXPECT_EVENTS(e0, 0, {EPOLLIN, 1});
	EXPECT_QUIET(e0);
	CLOSE(e0, p[0], p[1], s[0], s[1]);
}

/* e1 is e0 as a message brought it; e0's watch of p0 lives on by a duplicate. */
static void received_with_a_dead_number(int *e0, int *e1, int p[2], int s[2], int *duplicate)
{
	*e0 = epoll_open();
	pipe_open(p);
	unix_open(s);
	watch(*e0, p[0], EPOLLIN, 1);
	*duplicate = fcntl(p[0], F_DUPFD_CLOEXEC, 0);
	CLOSE(p[0]);
	fd_send(s[0], *e0);
	*e1 = fd_receive(s[1]);
	put(p[1], 1);
}

#define NO_NUMBER "the kernel cannot be told the data of a watch whose number is closed"

CLAIM_EXCEPT("epoll poll", NO_NUMBER, a_received_eventpoll_shows_the_data_of_a_closed_number)
{
	int e0, e1, p[2], s[2], duplicate;

	received_with_a_dead_number(&e0, &e1, p, s, &duplicate);
	EXPECT_EVENTS(e1, 0, {EPOLLIN, 1});
	CLOSE(e0, e1, duplicate, p[1], s[0], s[1]);
}
DEVIATION(a_received_eventpoll_shows_the_data_of_a_closed_number)
{
	int e0, e1, p[2], s[2], duplicate;
	struct epoll_event event;

	received_with_a_dead_number(&e0, &e1, p, s, &duplicate);
	EXPECT(epoll_wait(e1, &event, 1, 0) != 1 || event.data.u64 != 1);
	CLOSE(e0, e1, duplicate, p[1], s[0], s[1]);
}

/* e1 -(lt, RDNORM)-> e0 -(lt)-> p0 */
static void nested_for_another_word(int *e1, int *e0, int p[2])
{
	*e1 = epoll_open();
	*e0 = epoll_open();
	pipe_open(p);
	watch(*e0, p[0], EPOLLIN, 1);
	watch(*e1, *e0, EPOLLRDNORM, 2);
	put(p[1], 1);
}

CLAIM_EXCEPT("poll", LEVELS, an_eventpoll_that_becomes_ready_wakes_for_IN_alone)
{
	int e1, e0, p[2];

	nested_for_another_word(&e1, &e0, p);
	EXPECT_QUIET(e1);
	CLOSE(e1, e0, p[0], p[1]);
}
DEVIATION(an_eventpoll_that_becomes_ready_wakes_for_IN_alone)
{
	int e1, e0, p[2];

	nested_for_another_word(&e1, &e0, p);
	EXPECT_EVENTS(e1, 0, {EPOLLRDNORM, 2});
	CLOSE(e1, e0, p[0], p[1]);
}
