// SPDX-License-Identifier: MIT
/*
 * behind.c - what reaches an eventpoll behind libc's back: io_uring, which registers
 * (EPOLL_CTL) and polls (POLL_ADD), and system calls by an instruction of one's own.
 *
 * libuv 1.50 and later registers by io_uring.  The ring is set up through libc's
 * syscall(), as there; what it does then no library sees.
 */
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw.h"
#include "ring.h"
#include "stage.h"

#define NO_KERNEL_EPOLL "there is no kernel epoll behind the eventpoll that it could register in"

/* ---- registrations by io_uring ----------------------------------------------------- */

CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, what_io_uring_adds_is_delivered)
{
	struct ring ring;
	int p[2], s[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	unix_open(s);
	watch(epfd, s[0], EPOLLIN, 2);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_ADD, p[0], EPOLLIN, 0xfeed0001), ==, 0);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0xfeed0001});
	put(s[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0xfeed0001}, {EPOLLIN, 2});
	take(p[0], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[1], s[0], s[1]);
	ring_close(&ring);
}

CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, what_io_uring_adds_wakes_the_sleeper)
{
	struct waiter waiter;
	struct ring ring;
	int event_fd, epfd;

	ring_open(&ring);
	epfd = epoll_open();
	event_fd = eventfd_open(1);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_ADD, event_fd, EPOLLIN | EPOLLET, 0xfeed0001),
		   ==, 0);
	EXPECT_WAITER(&waiter, {EPOLLIN, 0xfeed0001});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
	ring_close(&ring);
}

CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, io_uring_and_epoll_ctl_work_on_the_same_watches)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	/* added by one, it is the other's to change */
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_ADD, p[0], EPOLLIN, 1), ==, 0);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_MOD, p[0], EPOLLIN, 3), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	unwatch(epfd, p[0]);
	EXPECT_QUIET(epfd);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_DEL, p[0], 0, 0), ==, -ENOENT);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_MOD, p[0], EPOLLIN, 3), ==, -ENOENT);
	/* and the other way round */
	watch(epfd, p[0], EPOLLIN, 4);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_ADD, p[0], EPOLLIN, 5), ==, -EEXIST);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 4});
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 5), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 5});
	EXPECT_QUIET(epfd);
	EXPECT_INT(ring_ctl(&ring, epfd, EPOLL_CTL_DEL, p[0], 0, 0), ==, 0);
	put(p[1], 1);
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 6), ENOENT);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	watch(epfd, p[0], EPOLLIN, 7);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 7});
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, io_uring_arms_a_spent_oneshot_again)
{
	struct ring ring;
	int event_fd, epfd;

	ring_open(&ring);
	epfd = epoll_open();
	event_fd = eventfd_open(1);
	watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	for (uint64_t i = 2; i < 5; i++) {
		EXPECT_INT(
			ring_ctl(&ring, epfd, EPOLL_CTL_MOD, event_fd, EPOLLIN | EPOLLONESHOT, i),
			==, 0);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, i});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, event_fd);
	ring_close(&ring);
}

/* ---- registrations by an instruction ------------------------------------ */

static int raw_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return (int)raw_call(SYS_epoll_ctl, epfd, op, fd, (long)&event, 0, 0);
}

CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, what_an_instruction_adds_is_delivered_with_all_else)
{
	int epfd = epoll_open();
	int p[2], s[2];

	pipe_open(p);
	unix_open(s);
	watch(epfd, s[0], EPOLLIN, 1);
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(raw_ctl(epfd, EPOLL_CTL_ADD, p[0], EPOLLIN, 2), ==, 0);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	EXPECT_INT(raw_ctl(epfd, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 3), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 3});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 3});
	EXPECT_INT(raw_ctl(epfd, EPOLL_CTL_DEL, p[0], 0, 0), ==, 0);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1], s[0], s[1]);
}

/* e0 -(lt)-> 40 files by instructions, 40 by calls; and fewer places than events */
CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, what_instructions_add_is_delivered_in_short_batches_too)
{
	struct epoll_event events[7];
	int epfd = epoll_open();
	uint64_t seen[2] = {0, 0};
	int fds[80], nr;

	for (int i = 0; i < 80; i++) {
		fds[i] = eventfd_open(1);
		if (i % 2)
			watch(epfd, fds[i], EPOLLIN | EPOLLONESHOT, (uint64_t)i);
		else
			EXPECT_INT(raw_ctl(epfd, EPOLL_CTL_ADD, fds[i], EPOLLIN | EPOLLONESHOT,
					   (uint64_t)i),
				   ==, 0);
	}
	while ((nr = MUST(epoll_wait(epfd, events, 7, 0))) > 0) {
		for (int i = 0; i < nr; i++) {
			uint64_t at = events[i].data.u64;

			EXPECT_INT(seen[at % 2] & UINT64_C(1) << at / 2, ==, 0);
			seen[at % 2] |= UINT64_C(1) << at / 2;
		}
	}
	EXPECT_INT(seen[0], ==, (UINT64_C(1) << 40) - 1);
	EXPECT_INT(seen[1], ==, (UINT64_C(1) << 40) - 1);
	close_all(__FILE__, __LINE__, fds, 80);
	CLOSE(epfd);
}

/* Two who sleep when the first foreign event comes, and a second one for the other. */
CLAIM_EXCEPT("poll", NO_KERNEL_EPOLL, what_an_instruction_adds_wakes_the_sleepers)
{
	struct waiter one, other;
	int first, second, epfd = epoll_open();

	waiter_start_asleep(&one, epfd);
	waiter_start_asleep(&other, epfd);
	first = eventfd_open(0);
	second = eventfd_open(0);
	EXPECT_INT(raw_ctl(epfd, EPOLL_CTL_ADD, first, EPOLLIN | EPOLLET, 1), ==, 0);
	watch(epfd, second, EPOLLIN | EPOLLET, 2);
	count_up(first, 1);
	while (!waiter_is_done(&one) && !waiter_is_done(&other))
		sched_yield();
	count_up(second, 1);
	EXPECT_INT(waiter_join(&one), ==, 1);
	EXPECT_INT(waiter_join(&other), ==, 1);
	EXPECT_INT(one.events[0].data.u64 + other.events[0].data.u64, ==, 3);
	CLOSE(epfd, first, second);
}

/* ---- polling by io_uring ----------------------------------------------------------- */

#define NOT_THE_EVENTPOLL \
	"the kernel does not know what is ready until poll or select are called through libc"
#define KEPT_BY_US "what interpoll keeps ready the kernel's poll does not see"

CLAIM_EXCEPT("poll", NOT_THE_EVENTPOLL, io_uring_tells_of_an_event_that_comes)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	ring_poll(&ring, epfd);
	EXPECT(!ring_has_result(&ring));
	put(p[1], 1);
	EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

DEVIATION(io_uring_tells_of_an_event_that_comes)
{
	struct pollfd pollfd;
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	ring_poll(&ring, epfd);
	put(p[1], 1);
	EXPECT(!ring_has_result(&ring));
	pollfd = (struct pollfd){.fd = epfd, .events = POLLIN};
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 1);
	EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

CLAIM_EXCEPT("ours", KEPT_BY_US, io_uring_sees_a_level_that_was_shown_and_stays)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	for (int i = 0; i < 3; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		ring_poll(&ring, epfd);
		EXPECT(ring_has_result(&ring));
		EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	}
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

DEVIATION(io_uring_sees_a_level_that_was_shown_and_stays)
{
	struct pollfd pollfd;
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	ring_poll(&ring, epfd);
	EXPECT(!ring_has_result(&ring));
	pollfd = (struct pollfd){.fd = epfd, .events = POLLIN};
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 1);
	EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

CLAIM_EXCEPT("poll", NOT_THE_EVENTPOLL, io_uring_sees_nothing_when_an_edge_was_taken)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	ring_poll(&ring, epfd);
	EXPECT(!ring_has_result(&ring));
	put(p[1], 1);
	EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

DEVIATION(io_uring_sees_nothing_when_an_edge_was_taken)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	ring_poll(&ring, epfd);
	put(p[1], 1);
	EXPECT(!ring_has_result(&ring));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

CLAIM_EXCEPT("ours", KEPT_BY_US, io_uring_sees_what_MOD_makes_ready)
{
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	for (uint64_t i = 2; i < 5; i++) {
		ring_poll(&ring, epfd);
		EXPECT(!ring_has_result(&ring));
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, i);
		EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, i});
	}
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}

/* The thread driver tells the source of every MOD. */
DEVIATION(io_uring_sees_what_MOD_makes_ready)
{
	struct pollfd pollfd;
	struct ring ring;
	int p[2], epfd;

	ring_open(&ring);
	epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	ring_poll(&ring, epfd);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
	EXPECT_INT(ring_has_result(&ring), ==, source_is("epoll") && driver_is("thread"));
	/* libc's poll is seen, and then the ring is told */
	pollfd = (struct pollfd){.fd = epfd, .events = POLLIN};
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 1);
	EXPECT_INT(ring_result(&ring), ==, EPOLLIN);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
	ring_close(&ring);
}
