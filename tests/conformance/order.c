// SPDX-License-Identifier: MIT
/*
 * order.c - epoll_wait(2): which events come first, and that none starves.
 *
 * "If more than maxevents file descriptors are ready, then successive
 * epoll_wait() calls will round robin through the set of ready descriptors."
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stage.h"

#define NO_ORDER "poll(2) tells what is ready, not what became ready first"

#define NR 16

/* NR eventfds, all watched for @events under their index. */
static int set_open(int fds[NR], uint32_t events)
{
	int epfd = epoll_open();

	for (int i = 0; i < NR; i++) {
		fds[i] = eventfd_open(0);
		watch(epfd, fds[i], events, (uint64_t)i);
	}
	return epfd;
}

static void set_close(int epfd, const int fds[NR])
{
	close_all(__FILE__, __LINE__, fds, NR);
	CLOSE(epfd);
}

/* Wait for exactly @nr events; what they carry is written to @data. */
static void wait_for(int epfd, int maxevents, uint64_t *data, int nr)
{
	struct epoll_event events[NR];

	EXPECT_INT(maxevents, <=, NR);
	EXPECT_INT(MUST(epoll_wait(epfd, events, maxevents, 0)), ==, nr);
	for (int i = 0; i < nr; i++)
		data[i] = events[i].data.u64;
}

CLAIM(maxevents_bounds_what_one_wait_delivers)
{
	uint64_t data[NR];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);

	for (int i = 0; i < NR; i++)
		count_up(fds[i], 1);
	for (int room = 1; room <= NR; room++)
		wait_for(epfd, room, data, room);
	set_close(epfd, fds);
}

CLAIM_EXCEPT("poll", NO_ORDER, edges_are_delivered_in_the_order_in_which_they_came)
{
	static const int order[NR] = {5, 3, 15, 0, 9, 1, 14, 7, 2, 8, 12, 4, 6, 13, 10, 11};
	uint64_t data[NR];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN | EPOLLET);

	for (int i = 0; i < NR; i++)
		count_up(fds[order[i]], 1);
	wait_for(epfd, NR, data, NR);
	for (int i = 0; i < NR; i++)
		EXPECT_INT(data[i], ==, order[i]);
	set_close(epfd, fds);
}

CLAIM_EXCEPT("poll", NO_ORDER, levels_are_delivered_in_the_order_in_which_they_became_ready)
{
	static const int order[NR] = {5, 3, 15, 0, 9, 1, 14, 7, 2, 8, 12, 4, 6, 13, 10, 11};
	uint64_t data[NR];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);

	for (int i = 0; i < NR; i++)
		count_up(fds[order[i]], 1);
	for (int round = 0; round < 3; round++) {
		wait_for(epfd, NR, data, NR);
		for (int i = 0; i < NR; i++)
			EXPECT_INT(data[i], ==, order[i]);
	}
	set_close(epfd, fds);
}

CLAIM_EXCEPT("poll", NO_ORDER, a_short_buffer_takes_edges_in_order_across_waits)
{
	uint64_t data[NR];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN | EPOLLET);

	for (int i = NR - 1; i >= 0; i--)
		count_up(fds[i], 1);
	for (int i = NR - 1; i >= 0; i--) {
		wait_for(epfd, 1, data, 1);
		EXPECT_INT(data[0], ==, i);
	}
	EXPECT_QUIET(epfd);
	set_close(epfd, fds);
}

CLAIM(levels_take_turns_when_there_is_room_for_one)
{
	int nr_seen[NR] = {0};
	uint64_t data[1];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);

	for (int i = 0; i < NR; i++)
		count_up(fds[i], 1);
	for (int i = 0; i < 5 * NR; i++) {
		wait_for(epfd, 1, data, 1);
		nr_seen[data[0]]++;
	}
	for (int i = 0; i < NR; i++)
		EXPECT_INT(nr_seen[i], ==, 5);
	set_close(epfd, fds);
}

CLAIM(levels_take_turns_whatever_the_room)
{
	for (int room = 1; room <= NR; room++) {
		int nr_seen[NR] = {0};
		uint64_t data[NR];
		int fds[NR];
		int epfd = set_open(fds, EPOLLIN);

		for (int i = 0; i < NR; i++)
			count_up(fds[i], 1);
		for (int i = 0; i < NR; i++) {
			wait_for(epfd, room, data, room);
			for (int j = 0; j < room; j++)
				nr_seen[data[j]]++;
		}
		for (int i = 0; i < NR; i++)
			EXPECT_INT(nr_seen[i], ==, room);
		set_close(epfd, fds);
	}
}

CLAIM(one_wait_reports_a_file_once)
{
	uint64_t data[NR];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);
	uint64_t seen;

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < NR; i++)
			count_up(fds[i], 1);
		wait_for(epfd, NR, data, NR);
		seen = 0;
		for (int i = 0; i < NR; i++)
			seen |= 1u << data[i];
		EXPECT_INT(seen, ==, (1u << NR) - 1);
	}
	set_close(epfd, fds);
}

CLAIM(who_becomes_ready_later_is_not_starved_by_who_is_always_ready)
{
	uint64_t data[1];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);

	for (int i = 0; i < NR / 2; i++)
		count_up(fds[i], 1);
	for (int i = 0; i < NR; i++)
		wait_for(epfd, 1, data, 1);
	count_up(fds[NR - 1], 1);
	for (int i = 0; i <= NR / 2; i++) {
		wait_for(epfd, 1, data, 1);
		if (data[0] == NR - 1)
			break;
	}
	EXPECT_INT(data[0], ==, NR - 1);
	set_close(epfd, fds);
}

CLAIM(a_new_edge_is_not_starved_by_levels)
{
	int level[4], epfd = epoll_open();
	int edge = eventfd_open(0);
	uint64_t data[1];
	int i;

	for (i = 0; i < 4; i++) {
		level[i] = eventfd_open(1);
		watch(epfd, level[i], EPOLLIN, (uint64_t)i);
	}
	watch(epfd, edge, EPOLLIN | EPOLLET, 9);
	for (int round = 0; round < 10; round++) {
		count_up(edge, 1);
		for (i = 0; i < 5; i++) {
			wait_for(epfd, 1, data, 1);
			if (data[0] == 9)
				break;
		}
		EXPECT_INT(i, <, 5);
	}
	CLOSE(epfd, edge, level[0], level[1], level[2], level[3]);
}

CLAIM(a_file_that_is_not_ready_any_more_makes_room_for_the_next)
{
	uint64_t data[2];
	int fds[NR];
	int epfd = set_open(fds, EPOLLIN);

	for (int i = 0; i < NR; i++)
		count_up(fds[i], 1);
	for (int i = 0; i < NR - 2; i++)
		count_take(fds[i]);
	wait_for(epfd, 2, data, 2);
	EXPECT_INT(data[0], ==, NR - 2);
	EXPECT_INT(data[1], ==, NR - 1);
	set_close(epfd, fds);
}

/* ---- many, and much room ----------------------------------------------- */

CLAIM(a_thousand_ready_files_are_delivered_by_one_wait)
{
	enum {
		MANY = 1000
	};
	static struct epoll_event events[MANY + 1];
	static bool is_seen[MANY];
	static int fds[MANY];
	int epfd = epoll_open();

	allow_descriptors(MANY + 16);
	for (int i = 0; i < MANY; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN, (uint64_t)i);
	}
	for (int round = 0; round < 3; round++) {
		memset(is_seen, 0, sizeof(is_seen));
		EXPECT_INT(MUST(epoll_wait(epfd, events, MANY + 1, 0)), ==, MANY);
		for (int i = 0; i < MANY; i++) {
			EXPECT(!is_seen[events[i].data.u64]);
			is_seen[events[i].data.u64] = true;
		}
	}
	close_all(__FILE__, __LINE__, fds, MANY);
	CLOSE(epfd);
}

CLAIM(a_thousand_edges_are_delivered_in_batches_none_lost_none_doubled)
{
	enum {
		MANY = 1000
	};
	static struct epoll_event events[37];
	static bool is_seen[MANY];
	static int fds[MANY];
	int epfd = epoll_open();
	int nr, total = 0;

	allow_descriptors(MANY + 16);
	for (int i = 0; i < MANY; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLET, (uint64_t)i);
	}
	while ((nr = MUST(epoll_wait(epfd, events, 37, 0))) > 0) {
		for (int i = 0; i < nr; i++) {
			EXPECT(!is_seen[events[i].data.u64]);
			is_seen[events[i].data.u64] = true;
		}
		total += nr;
	}
	EXPECT_INT(total, ==, MANY);
	close_all(__FILE__, __LINE__, fds, MANY);
	CLOSE(epfd);
}

/* ---- 524288 events of room on a small stack ---------------------------- */

#define MUCH_ROOM 524288

struct roomy_wait {
	int epfd;
	int result;
	struct epoll_event *events;
};

static void *wait_with_much_room(void *argument)
{
	struct roomy_wait *wait = argument;

	wait->result = epoll_wait(wait->epfd, wait->events, MUCH_ROOM, -1);
	return NULL;
}

CLAIM(maxevents_of_half_a_million_needs_no_stack)
{
	struct roomy_wait wait = {.epfd = epoll_open()};
	size_t size = MUCH_ROOM * sizeof(struct epoll_event);
	pthread_attr_t small;
	pthread_t thread;
	int p[2];

	wait.events = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	EXPECT((void *)wait.events != MAP_FAILED);
	pipe_open(p);
	watch(wait.epfd, p[1], EPOLLOUT, 1);
	EXPECT_INT(pthread_attr_init(&small), ==, 0);
	EXPECT_INT(pthread_attr_setstacksize(&small, 64 * 1024), ==, 0);
	EXPECT_INT(pthread_create(&thread, &small, wait_with_much_room, &wait), ==, 0);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	pthread_attr_destroy(&small);
	EXPECT_GOT(wait.events, wait.result, {EPOLLOUT, 1});
	munmap(wait.events, size);
	CLOSE(wait.epfd, p[0], p[1]);
}
