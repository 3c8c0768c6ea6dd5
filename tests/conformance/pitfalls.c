// SPDX-License-Identifier: MIT
/*
 * pitfalls.c - what other implementations of epoll got wrong and no other file
 * here claims already.  Where the rest is:
 *
 *	numbers reused by another file		lifetime_reuse, ctl_errors_list
 *	closes not seen				lifetime, lifetime_epoll
 *	descriptions that outlive descriptors	lifetime, forked, spawned
 *	edges mistaken for levels		level_edge
 *	short arrays, arrays that fault		order, wait_errors
 *	scan against callback			storm
 *	ADD and MOD that do not wake		waiters
 *	signals in a wait			signals, handlers
 *	nesting and cycles			nesting
 *	oneshot					oneshot, storm
 *	HUP, ERR, RDHUP				events_local, events_tcp, oneshot
 *	starving				order
 *	half a million events of room		order
 *	the caller's event modified		ctl_errors_list
 *	early and endless waits			timeouts
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define NO_PATHS "cycles and depth are checked with the poll source, the number of paths is not"

CLAIM(an_error_is_told_by_the_call_that_makes_it_not_by_a_later_one)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN, 1);
	unwatch(epfd, event_fd);
	CLOSE(event_fd);
	EXPECT_ERRNO(ctl_add(epfd, event_fd, EPOLLIN, 2), EBADF);
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_mod(epfd, event_fd, EPOLLIN, 2), EBADF);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(a_number_of_a_deleted_watch_taken_by_a_regular_file_is_EPERM)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	int directory;

	watch(epfd, event_fd, EPOLLIN, 1);
	unwatch(epfd, event_fd);
	directory = MUST(openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(dup2(directory, event_fd));
	EXPECT_ERRNO(ctl_add(epfd, event_fd, EPOLLIN, 2), EPERM);
	EXPECT_ERRNO(ctl_del(epfd, event_fd), EPERM);
	CLOSE(epfd, event_fd, directory);
}

CLAIM(a_number_of_a_deleted_watch_taken_by_the_eventpoll_itself_is_EINVAL)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN, 1);
	unwatch(epfd, event_fd);
	MUST(dup2(epfd, event_fd));
	EXPECT_ERRNO(ctl_add(epfd, event_fd, EPOLLIN, 2), EINVAL);
	CLOSE(epfd, event_fd);
}

CLAIM(toggling_interest_in_writing_for_ever_reports_only_what_is_wanted)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN, 1);
	for (int i = 0; i < 500; i++) {
		rewatch(epfd, s[0], EPOLLIN | EPOLLOUT, 2);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
		rewatch(epfd, s[0], EPOLLIN, 3);
		EXPECT_QUIET(epfd);
		put(s[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
		take(s[0], 1);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(DEL_and_ADD_in_every_round_report_only_what_is_wanted)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	for (int i = 0; i < 500; i++) {
		watch(epfd, s[0], EPOLLOUT | (i % 2 ? EPOLLET : 0), (uint64_t)i);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, (uint64_t)i});
		unwatch(epfd, s[0]);
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(each_control_call_of_a_long_random_walk_does_what_it_says)
{
	enum {
		NR = 8
	};
	bool is_watched[NR] = {false};
	uint32_t random = 12345;
	int fds[NR], epfd = epoll_open();

	for (int i = 0; i < NR; i++)
		fds[i] = eventfd_open(1);
	for (int i = 0; i < 3000; i++) {
		int file, nr_watched = 0;

		random = random * 1103515245u + 12345u;
		file = (int)(random >> 16) % NR;
		switch ((random >> 24) % 3) {
		case 0:
			if (is_watched[file])
				EXPECT_ERRNO(ctl_add(epfd, fds[file], EPOLLIN, 0), EEXIST);
			else
				watch(epfd, fds[file], EPOLLIN, 0);
			is_watched[file] = true;
			break;
		case 1:
			if (is_watched[file])
				unwatch(epfd, fds[file]);
			else
				EXPECT_ERRNO(ctl_del(epfd, fds[file]), ENOENT);
			is_watched[file] = false;
			break;
		default:
			if (is_watched[file])
				rewatch(epfd, fds[file], EPOLLIN, 0);
			else
				EXPECT_ERRNO(ctl_mod(epfd, fds[file], EPOLLIN, 0), ENOENT);
		}
		for (int j = 0; j < NR; j++)
			nr_watched += is_watched[j];
		EXPECT_INT(epoll_wait(epfd, (struct epoll_event[NR + 1]){0}, NR + 1, 0), ==,
			   nr_watched);
	}
	close_all(__FILE__, __LINE__, fds, NR);
	CLOSE(epfd);
}

CLAIM(an_event_carries_the_data_and_the_interest_of_one_and_the_same_MOD)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	put(s[1], 1);
	watch(epfd, s[0], EPOLLIN, EPOLLIN);
	for (int i = 0; i < 200; i++) {
		uint32_t wanted = i % 3 == 0 ? EPOLLIN : i % 3 == 1 ? EPOLLOUT : EPOLLIN | EPOLLOUT;

		rewatch(epfd, s[0], wanted, wanted);
		EXPECT_EVENTS(epfd, 0, {wanted, wanted});
	}
	CLOSE(epfd, s[0], s[1]);
}

/* ---- cycles tried by two threads at once -------------------------------- */

struct knot {
	int from, to;
	int result;
	atomic_bool *may_start;
};

static void *tie(void *argument)
{
	struct knot *knot = argument;

	while (!atomic_load(knot->may_start))
		sched_yield();
	knot->result = ctl_add(knot->from, knot->to, EPOLLIN, 0);
	return NULL;
}

CLAIM(two_threads_that_tie_one_cycle_neither_succeed_both_nor_hang)
{
	for (int i = 0; i < 50; i++) {
		atomic_bool may_start = false;
		int one = epoll_open(), other = epoll_open();
		struct knot knots[2] = {{one, other, 1, &may_start}, {other, one, 1, &may_start}};
		pthread_t threads[2];

		for (int j = 0; j < 2; j++)
			EXPECT_INT(pthread_create(&threads[j], NULL, tie, &knots[j]), ==, 0);
		atomic_store(&may_start, true);
		for (int j = 0; j < 2; j++)
			EXPECT_INT(pthread_join(threads[j], NULL), ==, 0);
		EXPECT_INT(knots[0].result + knots[1].result, ==, -1);
		CLOSE(one, other);
	}
}

CLAIM_EXCEPT("poll", NO_PATHS, more_than_five_hundred_eventpolls_above_one_are_EINVAL_for_its_files)
{
	enum {
		NR = 501
	};
	static int outer[NR];
	int inner = epoll_open();
	int event_fd = eventfd_open(1), late = eventfd_open(1);

	allow_descriptors(NR + 16);
	watch(inner, event_fd, EPOLLIN, 1);
	for (int i = 0; i < NR - 1; i++) {
		outer[i] = epoll_open();
		watch(outer[i], inner, EPOLLIN, 2);
	}
	outer[NR - 1] = epoll_open();
	EXPECT_ERRNO(ctl_add(outer[NR - 1], inner, EPOLLIN, 2), EINVAL);
	EXPECT_EVENTS(outer[0], 0, {EPOLLIN, 2});
	watch(inner, late, EPOLLIN, 3);
	EXPECT_EVENTS(inner, 0, {EPOLLIN, 1}, {EPOLLIN, 3});
	close_all(__FILE__, __LINE__, outer, NR);
	CLOSE(inner, event_fd, late);
}

/* ---- a waiter that is closed under, over and over ----------------------- */

CLAIM(closing_file_and_eventpoll_under_a_waiter_that_is_woken_meanwhile)
{
	for (int i = 0; i < 100; i++) {
		int epfd = epoll_open();
		int event_fd = eventfd_open(0);
		struct waiter waiter;
		int bell = eventfd_open(0);

		watch(epfd, event_fd, EPOLLIN, 1);
		watch(epfd, bell, EPOLLIN | EPOLLET, 2);
		waiter_start_asleep(&waiter, epfd);
		count_up(event_fd, 1);
		CLOSE(event_fd);
		CLOSE(epfd);
		count_up(bell, 1);
		EXPECT_INT(waiter_join(&waiter), >=, 1);
		CLOSE(bell);
	}
}

/* ---- arrays of one ------------------------------------------------------ */

CLAIM(wakeups_that_nobody_asked_for_use_up_no_room)
{
	int epfd = epoll_open();
	struct epoll_event event;
	int s[2], p[2];

	unix_open(s);
	pipe_open(p);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT, 1);
	MUST(ctl_mod(epfd, s[0], EPOLLIN, 1)); /* what was armed once may stay armed */
	watch(epfd, p[0], EPOLLIN, 2);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	drain(p[0]);
	fill(s[0]);
	drain(s[1]);
	EXPECT_INT(epoll_wait(epfd, &event, 1, 10), ==, 0);
	CLOSE(epfd, s[0], s[1], p[0], p[1]);
}

static void watch_behind_the_back(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	EXPECT_INT(raw_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, (long)&event, 0, 0), ==, 0);
}

CLAIM_EXCEPT("poll", "a system call that passes libc by finds no epoll there",
	     an_edge_registered_behind_the_back_is_seen_first_time_and_later)
{
	int epfd = epoll_open();
	int first_fd = eventfd_open(1), second_fd = eventfd_open(0);

	watch_behind_the_back(epfd, first_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	watch_behind_the_back(epfd, second_fd, EPOLLIN | EPOLLET, 2);
	count_up(second_fd, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, first_fd, second_fd);
}

/* ---- the clock --------------------------------------------------------- */

CLAIM(interruptions_by_other_files_do_not_stretch_a_time_out)
{
	int epfd = epoll_open();
	int s[2];
	struct waiter waiter;
	int64_t start_ns = now_ns();

	unix_open(s);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	waiter_start_with(&waiter, epfd, 4, 50, NULL);
	/* Wakeups nobody asked for, until well after the time is up. */
	while (!waiter_is_done(&waiter)) {
		if (send(s[1], "x", 1, 0) < 0)
			drain(s[0]);
		EXPECT_INT(now_ns() - start_ns, <, 10000 * NS_PER_MS);
	}
	EXPECT_WAITER(&waiter);
	EXPECT_INT(now_ns() - start_ns, >=, 50 * NS_PER_MS);
	CLOSE(epfd, s[0], s[1]);
}
