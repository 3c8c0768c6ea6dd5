// SPDX-License-Identifier: MIT
/*
 * limits.c - waiting when descriptors are short.
 *
 * RLIMIT_NOFILE may be lowered below what is open, and a table may be full: what
 * is watched goes on being watched.
 */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stage.h"

#define READY	300
#define ROOM	256
#define LOWERED 64

static void lower_limit(rlim_t nr)
{
	struct rlimit limit;

	MUST(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = nr;
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

CLAIM(a_limit_below_the_number_of_ready_files_hides_none)
{
	static struct epoll_event events[ROOM];
	int fds[READY];
	int epfd;

	allow_descriptors(READY + 16);
	epfd = epoll_open();
	for (int i = 0; i < READY; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN, (uint64_t)i);
	}
	lower_limit(LOWERED);
	for (int round = 0; round < 4; round++) {
		bool seen[READY] = {false};
		int nr_seen = 0;

		for (int wait = 0; wait < 2; wait++) {
			EXPECT_INT(epoll_wait(epfd, events, ROOM, 0), ==, ROOM);
			for (int i = 0; i < ROOM; i++)
				seen[events[i].data.u64] = true;
		}
		for (int i = 0; i < READY; i++)
			nr_seen += seen[i];
		EXPECT_INT(nr_seen, ==, READY);
	}
	close_all(__FILE__, __LINE__, fds, READY);
	CLOSE(epfd);
}

/* Fill the table of descriptors; the number of those it took. */
static int take_all_numbers(int *fds, int max)
{
	int nr = 0;

	while (nr < max && (fds[nr] = dup(STDIN_FILENO)) >= 0)
		nr++;
	EXPECT_INT(nr, <, max);
	return nr;
}

#define NEEDS_ITS_OWN "a thread that waits needs a descriptor of interpoll's to sleep on"

CLAIM_EXCEPT("poll", NEEDS_ITS_OWN, a_full_table_of_descriptors_keeps_nobody_from_waiting)
{
	static int taken[LOWERED];
	struct epoll_event event;
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	int nr_taken;

	watch(epfd, event_fd, EPOLLIN, 1);
	lower_limit(LOWERED);
	nr_taken = take_all_numbers(taken, LOWERED);
	EXPECT_INT(epoll_wait(epfd, &event, 1, 1), ==, 0);
	count_up(event_fd, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	close_all(__FILE__, __LINE__, taken, nr_taken);
	CLOSE(epfd, event_fd);
}

CLAIM_EXCEPT("poll", NEEDS_ITS_OWN, a_child_with_a_full_table_of_descriptors_waits_all_the_same)
{
	static int taken[LOWERED];
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	int nr_taken;
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	lower_limit(LOWERED);
	nr_taken = take_all_numbers(taken, LOWERED);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	child_join(pid);
	close_all(__FILE__, __LINE__, taken, nr_taken);
	CLOSE(epfd, event_fd);
}
