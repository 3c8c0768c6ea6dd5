// SPDX-License-Identifier: MIT
/*
 * timeouts.c - epoll_wait(2): how long a wait lasts.
 *
 * Claims bound a wait from below exactly (it never ends early) and from above
 * only where the kernel would hang otherwise: how late it ends is the load's.
 */
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

static struct epoll_event room[4];

CLAIM(time_out_zero_does_not_wait)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(epoll_wait(epfd, room, 4, 0), ==, 0);
	EXPECT_INT(epoll_pwait(epfd, room, 4, 0, NULL), ==, 0);
	EXPECT_INT(epoll_pwait2(epfd, room, 4, &(struct timespec){0}, NULL), ==, 0);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(time_out_zero_sees_everything_that_is_ready)
{
	int epfd = epoll_open();
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd_open(0);
		watch(epfd, fds[i], EPOLLIN, (uint64_t)i);
	}
	for (int i = 0; i < 3; i++)
		count_up(fds[i], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0}, {EPOLLIN, 1}, {EPOLLIN, 2});
	CLOSE(epfd, fds[0], fds[1], fds[2]);
}

CLAIM(a_wait_is_never_shorter_than_its_time_out)
{
	static const int timeouts_ms[] = {1, 2, 3, 7, 20};
	int epfd = epoll_open();

	for (size_t i = 0; i < sizeof(timeouts_ms) / sizeof(timeouts_ms[0]); i++) {
		int64_t start_ns = now_ns();

		EXPECT_INT(epoll_wait(epfd, room, 4, timeouts_ms[i]), ==, 0);
		EXPECT_INT(now_ns() - start_ns, >=, timeouts_ms[i] * NS_PER_MS);
	}
	CLOSE(epfd);
}

CLAIM(a_timespec_below_a_millisecond_is_waited_for_in_full)
{
	static const long timeouts_ns[] = {1, 999, 50000, 300000, 999999, 1500000};
	int epfd = epoll_open();

	for (size_t i = 0; i < sizeof(timeouts_ns) / sizeof(timeouts_ns[0]); i++) {
		struct timespec timeout = {.tv_nsec = timeouts_ns[i]};
		int64_t start_ns = now_ns();

		EXPECT_INT(epoll_pwait2(epfd, room, 4, &timeout, NULL), ==, 0);
		EXPECT_INT(now_ns() - start_ns, >=, timeouts_ns[i]);
	}
	CLOSE(epfd);
}

CLAIM(a_timespec_below_a_millisecond_is_not_rounded_up_to_one)
{
	struct timespec timeout = {.tv_nsec = 20000};
	int64_t best_ns = INT64_MAX;
	int epfd = epoll_open();

	/* Load can make any single wait long; it cannot make the shortest of many so. */
	for (int i = 0; i < 200 && best_ns >= NS_PER_MS; i++) {
		int64_t start_ns = now_ns();

		EXPECT_INT(epoll_pwait2(epfd, room, 4, &timeout, NULL), ==, 0);
		if (now_ns() - start_ns < best_ns)
			best_ns = now_ns() - start_ns;
	}
	EXPECT_INT(best_ns, <, NS_PER_MS);
	CLOSE(epfd);
}

CLAIM(a_timespec_of_seconds_and_nanoseconds_counts_both)
{
	struct timespec timeout = {.tv_sec = 1, .tv_nsec = 5000000};
	int64_t start_ns = now_ns();
	int epfd = epoll_open();

	EXPECT_INT(epoll_pwait2(epfd, room, 4, &timeout, NULL), ==, 0);
	EXPECT_INT(now_ns() - start_ns, >=, 1005 * NS_PER_MS);
	CLOSE(epfd);
}

CLAIM(an_event_ends_a_timed_wait_at_once)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_start_with(&waiter, epfd, 8, 1000 * 1000, NULL);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(what_is_ready_is_returned_whatever_the_time_out)
{
	static const int timeouts_ms[] = {0, 1, 1000000, INT_MAX, -1, -2, INT_MIN};
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 1);
	for (size_t i = 0; i < sizeof(timeouts_ms) / sizeof(timeouts_ms[0]); i++)
		EXPECT_EVENTS(epfd, timeouts_ms[i], {EPOLLOUT, 1});
	CLOSE(epfd, p[0], p[1]);
}

/* A waiter with @timeout_ms sleeps until it is woken by an event. */
static void expect_waits_for_event(int timeout_ms)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_start_with(&waiter, epfd, 8, timeout_ms, NULL);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(time_out_minus_one_waits_for_ever)
{
	expect_waits_for_event(-1);
}

CLAIM(every_negative_time_out_waits_for_ever)
{
	expect_waits_for_event(-2);
	expect_waits_for_event(-1000);
	expect_waits_for_event(INT_MIN);
}

CLAIM(the_longest_time_out_does_not_overflow)
{
	expect_waits_for_event(INT_MAX);
}

static void *wait_with_timespec(void *argument)
{
	struct waiter *waiter = argument;
	struct timespec timeout = {.tv_sec = INT64_MAX};

	atomic_store(&waiter->tid, gettid());
	waiter->result = epoll_pwait2(waiter->epfd, waiter->events, 8, &timeout, NULL);
	waiter->error = errno;
	atomic_store(&waiter->is_done, true);
	return NULL;
}

CLAIM(the_longest_timespec_does_not_overflow)
{
	struct waiter waiter = {.epfd = epoll_open()};
	int p[2];

	pipe_open(p);
	watch(waiter.epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(pthread_create(&waiter.thread, NULL, wait_with_timespec, &waiter), ==, 0);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(waiter.epfd, p[0], p[1]);
}

CLAIM(a_wakeup_that_delivers_nothing_does_not_end_the_wait_early)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int64_t start_ns;
	int s[2];

	/* The write wakes whoever waits on the socket; nobody asked for IN here. */
	unix_open(s);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	start_ns = now_ns();
	waiter_start_with(&waiter, epfd, 8, 1000, NULL);
	waiter_await_asleep(&waiter);
	for (int i = 0; i < 5; i++)
		put(s[1], 1);
	EXPECT_WAITER(&waiter);
	EXPECT_INT(now_ns() - start_ns, >=, 1000 * NS_PER_MS);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(an_event_that_is_gone_again_does_not_end_the_wait_early)
{
	int64_t start_ns = now_ns();
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	take(p[0], 1);
	EXPECT_INT(epoll_wait(epfd, room, 4, 30), ==, 0);
	EXPECT_INT(now_ns() - start_ns, >=, 30 * NS_PER_MS);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_wait_burns_no_processor_time)
{
	struct timespec before, after;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before));
	EXPECT_INT(epoll_wait(epfd, room, 4, 300), ==, 0);
	MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after));
	EXPECT_INT((after.tv_sec - before.tv_sec) * 1000 * NS_PER_MS + after.tv_nsec -
			   before.tv_nsec,
		   <, 30 * NS_PER_MS);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_timer_ends_a_wait_when_it_is_due)
{
	int64_t start_ns = now_ns();
	int timer = timerfd_open();
	int epfd = epoll_open();

	watch(epfd, timer, EPOLLIN, 1);
	timerfd_set(timer, 20 * NS_PER_MS);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	EXPECT_INT(now_ns() - start_ns, >=, 20 * NS_PER_MS);
	CLOSE(epfd, timer);
}

CLAIM(an_empty_eventpoll_waits_its_time_out)
{
	int64_t start_ns = now_ns();
	int epfd = epoll_open();

	EXPECT_INT(epoll_wait(epfd, room, 4, 10), ==, 0);
	EXPECT_INT(now_ns() - start_ns, >=, 10 * NS_PER_MS);
	CLOSE(epfd);
}

CLAIM(waiting_only_for_spent_oneshots_waits_its_time_out)
{
	int epfd = epoll_open();
	int64_t start_ns;
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT | EPOLLONESHOT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	start_ns = now_ns();
	EXPECT_INT(epoll_wait(epfd, room, 4, 10), ==, 0);
	EXPECT_INT(now_ns() - start_ns, >=, 10 * NS_PER_MS);
	CLOSE(epfd, p[0], p[1]);
}
