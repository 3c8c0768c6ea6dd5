// SPDX-License-Identifier: MIT
/*
 * storm.c - many threads at once: nothing lost, nothing doubled, nothing hung.
 *
 * Each claim ends by what it counted, never by time: a lost event shows as a
 * hang, a doubled one as a wrong count.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

/*
 * The waiters below empty a file before they wait again, and a writer may refill
 * it to the same count before poll(2) looks: no figure of the kernel's tells.
 */
#define REFILLED "emptied and refilled to the same count between two looks of poll(2)"

#define NR_FILES   16
#define NR_THREADS 4
#define NR_ROUNDS  2000

static struct {
	int epfd;
	int maxevents;
	uint32_t mode;
	int fds[NR_FILES];
	atomic_int busy[NR_FILES]; /* who handles the file just now */
	atomic_long nr_written;
	atomic_long nr_read;
	atomic_bool is_over;
} storm;

static void storm_open(uint32_t mode, int maxevents)
{
	memset(&storm, 0, sizeof(storm));
	storm.epfd = epoll_open();
	storm.mode = mode;
	storm.maxevents = maxevents;
	for (int i = 0; i < NR_FILES; i++) {
		storm.fds[i] = eventfd_open(0);
		watch(storm.epfd, storm.fds[i], EPOLLIN | mode, (uint64_t)i);
	}
}

static void storm_close(void)
{
	close_all(__FILE__, __LINE__, storm.fds, NR_FILES);
	CLOSE(storm.epfd);
}

/* Add 1 to files in turn, a different one in each thread, NR_ROUNDS times. */
static void *writer_run(void *argument)
{
	int first = (int)(intptr_t)argument;

	for (int i = 0; i < NR_ROUNDS; i++) {
		count_up(storm.fds[(first + i * 7) % NR_FILES], 1);
		atomic_fetch_add(&storm.nr_written, 1);
		if (i % 61 == 0)
			sched_yield();
	}
	return NULL;
}

static void threads_start(pthread_t *threads, int nr, void *(*run)(void *))
{
	for (int i = 0; i < nr; i++)
		EXPECT_INT(pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i), ==, 0);
}

static void threads_join(pthread_t *threads, int nr)
{
	for (int i = 0; i < nr; i++)
		EXPECT_INT(pthread_join(threads[i], NULL), ==, 0);
}

/* The eventfd may have been emptied by who came first: then 0. */
static long take_all(int event_fd)
{
	uint64_t n = 0;

	if (read(event_fd, &n, sizeof(n)) != sizeof(n)) {
		EXPECT_INT(errno, ==, EAGAIN);
		return 0;
	}
	return (long)n;
}

/* ---- one waiter, many writers ------------------------------------------ */

static void expect_one_waiter_reads_all(uint32_t mode, int maxevents)
{
	pthread_t writers[NR_THREADS];
	struct epoll_event events[NR_FILES];
	long total = (long)NR_THREADS * NR_ROUNDS;

	storm_open(mode, maxevents);
	threads_start(writers, NR_THREADS, writer_run);
	while (storm.nr_read < total) {
		int nr = MUST(epoll_wait(storm.epfd, events, maxevents, -1));

		EXPECT_INT(nr, >=, 1);
		for (int i = 0; i < nr; i++) {
			int file = (int)events[i].data.u64;

			EXPECT_INT(events[i].events, ==, EPOLLIN);
			storm.nr_read += take_all(storm.fds[file]);
			if (mode & EPOLLONESHOT)
				rewatch(storm.epfd, storm.fds[file], EPOLLIN | mode,
					(uint64_t)file);
		}
	}
	threads_join(writers, NR_THREADS);
	EXPECT_INT(storm.nr_read, ==, total);
	EXPECT_QUIET(storm.epfd);
	storm_close();
}

CLAIM(one_level_waiter_sees_all_that_many_threads_write)
{
	expect_one_waiter_reads_all(0, NR_FILES);
}

CLAIM(one_level_waiter_with_room_for_three_sees_all)
{
	expect_one_waiter_reads_all(0, 3);
}

CLAIM_EXCEPT("poll", REFILLED, one_edge_waiter_sees_all_that_many_threads_write)
{
	expect_one_waiter_reads_all(EPOLLET, NR_FILES);
}
DEVIATION(one_edge_waiter_sees_all_that_many_threads_write)
{
	expect_one_waiter_reads_all(EPOLLET | EPOLLONESHOT, NR_FILES);
}

CLAIM_EXCEPT("poll", REFILLED, one_edge_waiter_with_room_for_one_sees_all)
{
	expect_one_waiter_reads_all(EPOLLET, 1);
}
DEVIATION(one_edge_waiter_with_room_for_one_sees_all)
{
	expect_one_waiter_reads_all(EPOLLET | EPOLLONESHOT, 1);
}

CLAIM(one_oneshot_waiter_with_room_for_two_sees_all)
{
	expect_one_waiter_reads_all(EPOLLONESHOT, 2);
}

CLAIM(one_waiter_of_edge_and_oneshot_sees_all)
{
	expect_one_waiter_reads_all(EPOLLET | EPOLLONESHOT, 5);
}

/* ---- many waiters ------------------------------------------------------ */

#define LAST NR_FILES /* the data of the file that ends the storm */

/* With ONESHOT nobody else may be told of the file before it is armed again. */
static void handle_file(int file)
{
	if (storm.mode & EPOLLONESHOT)
		EXPECT_INT(atomic_fetch_add(&storm.busy[file], 1), ==, 0);
	atomic_fetch_add(&storm.nr_read, take_all(storm.fds[file]));
	if (storm.mode & EPOLLONESHOT) {
		atomic_fetch_sub(&storm.busy[file], 1);
		rewatch(storm.epfd, storm.fds[file], EPOLLIN | storm.mode, (uint64_t)file);
	}
}

static void *worker_run(void *argument)
{
	struct epoll_event events[NR_FILES];

	(void)argument;
	for (;;) {
		int nr = MUST(epoll_wait(storm.epfd, events, storm.maxevents, -1));

		EXPECT_INT(nr, >=, 1);
		for (int i = 0; i < nr; i++) {
			if (events[i].data.u64 == LAST)
				return NULL;
			handle_file((int)events[i].data.u64);
		}
	}
}

static void expect_workers_read_all(uint32_t mode, int maxevents)
{
	pthread_t writers[NR_THREADS], workers[NR_THREADS];
	long total = (long)NR_THREADS * NR_ROUNDS;
	int last = eventfd_open(0);

	storm_open(mode, maxevents);
	watch(storm.epfd, last, EPOLLIN, LAST);
	threads_start(workers, NR_THREADS, worker_run);
	threads_start(writers, NR_THREADS, writer_run);
	threads_join(writers, NR_THREADS);
	while (atomic_load(&storm.nr_read) < total)
		sched_yield();
	count_up(last, 1); /* a level nobody drains: every worker sees it */
	threads_join(workers, NR_THREADS);
	EXPECT_INT(storm.nr_read, ==, total);
	CLOSE(last);
	storm_close();
}

CLAIM(many_level_waiters_see_all)
{
	expect_workers_read_all(0, 4);
}

CLAIM_EXCEPT("poll", REFILLED, many_edge_waiters_see_all)
{
	expect_workers_read_all(EPOLLET, 1);
}
DEVIATION(many_edge_waiters_see_all)
{
	expect_workers_read_all(EPOLLET | EPOLLONESHOT, 1);
}

CLAIM(many_oneshot_waiters_see_all_and_never_two_the_same_file)
{
	expect_workers_read_all(EPOLLONESHOT, 1);
}

CLAIM(many_waiters_of_edge_and_oneshot_see_all_and_never_two_the_same_file)
{
	expect_workers_read_all(EPOLLET | EPOLLONESHOT, 3);
}

/* ---- a changing interest list ------------------------------------------ */

static void *toggler_run(void *argument)
{
	int file = (int)(intptr_t)argument;

	while (!atomic_load(&storm.is_over)) {
		unwatch(storm.epfd, storm.fds[file]);
		watch(storm.epfd, storm.fds[file], EPOLLIN | storm.mode, (uint64_t)file);
		rewatch(storm.epfd, storm.fds[file], EPOLLIN | storm.mode, (uint64_t)file);
		sched_yield();
	}
	return NULL;
}

static void expect_changes_lose_nothing(uint32_t mode)
{
	pthread_t writers[NR_THREADS], togglers[2];
	struct epoll_event events[4];
	long total = (long)NR_THREADS * NR_ROUNDS;

	storm_open(mode, 4);
	threads_start(togglers, 2, toggler_run);
	threads_start(writers, NR_THREADS, writer_run);
	while (storm.nr_read < total) {
		int nr = MUST(epoll_wait(storm.epfd, events, 4, -1));

		for (int i = 0; i < nr; i++)
			storm.nr_read += take_all(storm.fds[events[i].data.u64]);
	}
	atomic_store(&storm.is_over, true);
	threads_join(togglers, 2);
	threads_join(writers, NR_THREADS);
	EXPECT_INT(storm.nr_read, ==, total);
	storm_close();
}

CLAIM(DEL_ADD_and_MOD_by_other_threads_lose_no_level)
{
	expect_changes_lose_nothing(0);
}

CLAIM_EXCEPT("poll", REFILLED, DEL_ADD_and_MOD_by_other_threads_lose_no_edge)
{
	expect_changes_lose_nothing(EPOLLET);
}
DEVIATION(DEL_ADD_and_MOD_by_other_threads_lose_no_edge)
{
	expect_changes_lose_nothing(0);
}

/* Opens, watches, readies and closes files for as long as the storm lasts. */
static void *opener_run(void *argument)
{
	uint64_t data = 1000 + (uint64_t)(intptr_t)argument;

	for (int i = 0; i < NR_ROUNDS; i++) {
		int s[2];

		unix_open(s);
		watch(storm.epfd, s[0], EPOLLIN | (i % 2 ? EPOLLET : 0), data);
		if (i % 3)
			put(s[1], 1);
		if (i % 5 == 0)
			unwatch(storm.epfd, s[0]);
		CLOSE(s[0], s[1]);
	}
	return NULL;
}

static void expect_openers_disturb_nobody(uint32_t mode)
{
	pthread_t writers[NR_THREADS], openers[2];
	struct epoll_event events[4];
	long total = (long)NR_THREADS * NR_ROUNDS;

	storm_open(mode, 4);
	threads_start(openers, 2, opener_run);
	threads_start(writers, NR_THREADS, writer_run);
	while (storm.nr_read < total) {
		int nr = MUST(epoll_wait(storm.epfd, events, 4, -1));

		for (int i = 0; i < nr; i++) {
			uint64_t data = events[i].data.u64;

			if (data < NR_FILES)
				storm.nr_read += take_all(storm.fds[data]);
			else
				EXPECT(data == 1000 || data == 1001);
		}
	}
	threads_join(openers, 2);
	threads_join(writers, NR_THREADS);
	EXPECT_QUIET(storm.epfd);
	storm_close();
}

CLAIM_EXCEPT("poll", REFILLED, files_opened_and_closed_by_other_threads_disturb_nobody)
{
	expect_openers_disturb_nobody(EPOLLET);
}
DEVIATION(files_opened_and_closed_by_other_threads_disturb_nobody)
{
	expect_openers_disturb_nobody(0);
}

static void *creator_run(void *argument)
{
	(void)argument;
	for (int i = 0; i < NR_ROUNDS / 4; i++) {
		int epfd = epoll_open();

		for (int file = 0; file < NR_FILES; file++)
			watch(epfd, storm.fds[file], EPOLLIN | storm.mode, (uint64_t)file);
		flush(epfd);
		CLOSE(epfd);
	}
	return NULL;
}

static void expect_creators_disturb_nobody(uint32_t mode)
{
	pthread_t writers[NR_THREADS], creators[2];
	struct epoll_event events[4];
	long total = (long)NR_THREADS * NR_ROUNDS;

	storm_open(mode, 4);
	threads_start(creators, 2, creator_run);
	threads_start(writers, NR_THREADS, writer_run);
	while (storm.nr_read < total) {
		int nr = MUST(epoll_wait(storm.epfd, events, 4, -1));

		for (int i = 0; i < nr; i++)
			storm.nr_read += take_all(storm.fds[events[i].data.u64]);
	}
	threads_join(creators, 2);
	threads_join(writers, NR_THREADS);
	storm_close();
}

CLAIM_EXCEPT("poll", REFILLED, eventpolls_made_and_closed_by_other_threads_disturb_nobody)
{
	expect_creators_disturb_nobody(EPOLLET);
}
DEVIATION(eventpolls_made_and_closed_by_other_threads_disturb_nobody)
{
	expect_creators_disturb_nobody(0);
}
