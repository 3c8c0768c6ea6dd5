// SPDX-License-Identifier: MIT
/*
 * polled_deep.c - poll(2) and its kin on eventpolls: in sets with other files, four
 * deep, beside waiters, and while watches are modified.
 *
 *	e3 -> e2 -> e1 -> e0 -> p0
 */
#include <poll.h>
#include <sched.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define DEPTH 4

struct tower {
	int epfds[DEPTH]; /* [0] watches p[0], each other the one before it */
	int p[2];
};

static void tower_open(struct tower *tower, uint32_t mode)
{
	pipe_open(tower->p);
	for (int i = 0; i < DEPTH; i++) {
		tower->epfds[i] = epoll_open();
		watch(tower->epfds[i], i ? tower->epfds[i - 1] : tower->p[0],
		      EPOLLIN | (i ? 0 : mode), (uint64_t)i);
	}
}

static void tower_close(struct tower *tower)
{
	close_all(__FILE__, __LINE__, tower->epfds, DEPTH);
	CLOSE(tower->p[0], tower->p[1]);
}

static bool poll_says(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return MUST(poll(&pollfd, 1, 0)) == 1;
}

static bool ppoll_says(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	struct timespec none = {0, 0};

	return MUST(ppoll(&pollfd, 1, &none, NULL)) == 1;
}

static bool select_says(int fd)
{
	struct timeval none = {0, 0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return MUST(select(fd + 1, &set, NULL, NULL, &none)) == 1;
}

static bool pselect_says(int fd)
{
	struct timespec none = {0, 0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return MUST(pselect(fd + 1, &set, NULL, NULL, &none, NULL)) == 1;
}

typedef bool says_function(int fd);
static says_function *const ways[] = {poll_says, ppoll_says, select_says, pselect_says};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

static void expect_all_say(struct tower *tower, bool is_ready)
{
	for (int i = DEPTH - 1; i >= 0; i--)
		for (size_t way = 0; way < NR_WAYS; way++)
			if (ways[way](tower->epfds[i]) != is_ready)
				FAIL("e%d is %sready by way %zu", i, is_ready ? "not " : "", way);
}

CLAIM(every_storey_says_what_the_level_at_the_bottom_is)
{
	struct tower tower;

	tower_open(&tower, 0);
	expect_all_say(&tower, false);
	for (int round = 0; round < 3; round++) {
		put(tower.p[1], 1);
		expect_all_say(&tower, true);
		for (int i = DEPTH - 1; i >= 0; i--)
			EXPECT_EVENTS(tower.epfds[i], 0, {EPOLLIN, (uint64_t)i});
		expect_all_say(&tower, true); /* delivered, and a level still */
		take(tower.p[0], 1);
		expect_all_say(&tower, false);
	}
	tower_close(&tower);
}

CLAIM(every_storey_is_quiet_when_the_edge_at_the_bottom_is_taken)
{
	struct tower tower;

	tower_open(&tower, EPOLLET);
	for (int round = 0; round < 3; round++) {
		put(tower.p[1], 1);
		expect_all_say(&tower, true);
		EXPECT_EVENTS(tower.epfds[0], 0, {EPOLLIN, 0});
		expect_all_say(&tower, false);
		take(tower.p[0], 1);
		EXPECT_QUIET(tower.epfds[DEPTH - 1]);
	}
	tower_close(&tower);
}

CLAIM(every_storey_follows_a_oneshot_at_the_bottom)
{
	struct tower tower;

	tower_open(&tower, EPOLLONESHOT);
	put(tower.p[1], 1);
	for (uint64_t round = 1; round < 4; round++) {
		expect_all_say(&tower, true);
		MUST(epoll_wait(tower.epfds[0], &(struct epoll_event){0}, 1, 0));
		expect_all_say(&tower, false);
		rewatch(tower.epfds[0], tower.p[0], EPOLLIN | EPOLLONESHOT, round);
	}
	expect_all_say(&tower, true);
	unwatch(tower.epfds[0], tower.p[0]);
	expect_all_say(&tower, false);
	tower_close(&tower);
}

CLAIM(a_tower_that_was_used_before_it_is_polled_says_the_same)
{
	struct epoll_event event;
	int epfd = epoll_open();
	struct tower tower;

	tower_open(&tower, 0);
	put(tower.p[1], 1);
	/* a level left over in e0, unseen by anybody who polls it so far */
	EXPECT_INT(MUST(epoll_wait(tower.epfds[0], &event, 1, 0)), ==, 1);
	expect_all_say(&tower, true);
	watch(epfd, tower.p[0], EPOLLIN, 1);
	EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, 0)), ==, 1);
	EXPECT(poll_says(epfd));
	take(tower.p[0], 1);
	EXPECT(!poll_says(epfd));
	tower_close(&tower);
	CLOSE(epfd);
}

/* ---- asleep ------------------------------------------------------------ */

enum sleep {
	SLEEP_POLL,
	SLEEP_SELECT,
	SLEEP_WAIT,
	NR_SLEEPS
};

struct sleeper {
	enum sleep how;
	int epfd;
	int other; /* beside the eventpoll in the set; -1: nothing */
	_Atomic pid_t tid;
	int result;
	pthread_t thread;
};

static void *sleeper_run(void *argument)
{
	struct sleeper *sleeper = argument;
	struct pollfd set[2] = {{.fd = sleeper->other, .events = POLLIN},
				{.fd = sleeper->epfd, .events = POLLIN}};
	struct epoll_event events[4];
	fd_set in;

	atomic_store(&sleeper->tid, gettid());
	switch (sleeper->how) {
	case SLEEP_POLL:
		sleeper->result = poll(set, 2, -1);
		break;
	case SLEEP_SELECT:
		FD_ZERO(&in);
		FD_SET(sleeper->epfd, &in);
		if (sleeper->other >= 0)
			FD_SET(sleeper->other, &in);
		sleeper->result = select(FD_SETSIZE, &in, NULL, NULL, NULL);
		break;
	default:
		sleeper->result = epoll_wait(sleeper->epfd, events, 4, -1);
	}
	return NULL;
}

static void sleeper_start(struct sleeper *sleeper, enum sleep how, int epfd, int other)
{
	*sleeper = (struct sleeper){.how = how, .epfd = epfd, .other = other};
	EXPECT_INT(pthread_create(&sleeper->thread, NULL, sleeper_run, sleeper), ==, 0);
	while (atomic_load(&sleeper->tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), sleeper->tid);
}

static void sleeper_expect(struct sleeper *sleeper, int result)
{
	EXPECT_INT(pthread_join(sleeper->thread, NULL), ==, 0);
	EXPECT_INT(sleeper->result, ==, result);
}

CLAIM(an_event_at_the_bottom_wakes_who_sleeps_at_the_top_by_any_call)
{
	for (int how = 0; how < NR_SLEEPS; how++) {
		struct sleeper sleeper;
		struct tower tower;

		tower_open(&tower, 0);
		sleeper_start(&sleeper, (enum sleep)how, tower.epfds[DEPTH - 1], -1);
		put(tower.p[1], 1);
		sleeper_expect(&sleeper, 1);
		tower_close(&tower);
	}
}

CLAIM(in_a_mixed_set_either_file_wakes_the_sleeper)
{
	for (int how = SLEEP_POLL; how <= SLEEP_SELECT; how++) {
		for (int is_by_eventpoll = 0; is_by_eventpoll < 2; is_by_eventpoll++) {
			struct sleeper sleeper;
			int other = eventfd_open(0);
			struct tower tower;

			tower_open(&tower, EPOLLET);
			sleeper_start(&sleeper, (enum sleep)how, tower.epfds[0], other);
			if (is_by_eventpoll)
				put(tower.p[1], 1);
			else
				count_up(other, 1);
			sleeper_expect(&sleeper, 1);
			CLOSE(other);
			tower_close(&tower);
		}
	}
}

/* One of each, on one eventpoll: a level is for all of them. */
CLAIM(a_level_wakes_pollers_selecters_and_waiters_alike)
{
	struct sleeper sleepers[NR_SLEEPS];
	int event_fd = eventfd_open(0), epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	for (int how = 0; how < NR_SLEEPS; how++)
		sleeper_start(&sleepers[how], (enum sleep)how, epfd, -1);
	count_up(event_fd, 1);
	for (int how = 0; how < NR_SLEEPS; how++)
		sleeper_expect(&sleepers[how], 1);
	CLOSE(epfd, event_fd);
}

CLAIM(four_pollers_are_woken_by_one_edge_and_one_waiter_takes_it)
{
	struct sleeper sleepers[4];
	int event_fd = eventfd_open(0), epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 4; i++)
		sleeper_start(&sleepers[i], i % 2 ? SLEEP_POLL : SLEEP_SELECT, epfd, -1);
	count_up(event_fd, 1);
	for (int i = 0; i < 4; i++)
		sleeper_expect(&sleepers[i], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT(!poll_says(epfd));
	CLOSE(epfd, event_fd);
}

CLAIM(MOD_and_ADD_wake_who_polls)
{
	for (int how = SLEEP_POLL; how <= SLEEP_SELECT; how++) {
		int event_fd = eventfd_open(1), epfd = epoll_open();
		struct sleeper sleeper;

		sleeper_start(&sleeper, (enum sleep)how, epfd, -1);
		watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
		sleeper_expect(&sleeper, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		sleeper_start(&sleeper, (enum sleep)how, epfd, -1);
		rewatch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 2);
		sleeper_expect(&sleeper, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
		CLOSE(epfd, event_fd);
	}
}

/* ---- a storm of MOD ---------------------------------------------------- */

#define STORM_ROUNDS 2000

struct storm {
	int epfd;
	int event_fd;
	atomic_bool is_over;
};

static void *storm_run(void *argument)
{
	struct storm *storm = argument;

	for (uint64_t i = 0; !atomic_load(&storm->is_over); i++)
		rewatch(storm->epfd, storm->event_fd, EPOLLIN | EPOLLET, i);
	return NULL;
}

/* Each write is seen, by one who polls and then waits, however often it is modified. */
CLAIM(a_storm_of_MOD_hides_no_write_from_who_polls)
{
	struct storm storm = {.epfd = epoll_open(), .event_fd = eventfd_open(0)};
	struct epoll_event event;
	pthread_t thread;

	watch(storm.epfd, storm.event_fd, EPOLLIN | EPOLLET, 0);
	EXPECT_INT(pthread_create(&thread, NULL, storm_run, &storm), ==, 0);
	for (int i = 0; i < STORM_ROUNDS; i++) {
		struct pollfd pollfd = {.fd = storm.epfd, .events = POLLIN};

		count_up(storm.event_fd, 1);
		do
			EXPECT_INT(MUST(poll(&pollfd, 1, -1)), ==, 1);
		while (MUST(epoll_wait(storm.epfd, &event, 1, 0)) == 0);
		EXPECT_INT(event.events, ==, EPOLLIN);
		EXPECT_INT(count_take(storm.event_fd), ==, 1);
	}
	atomic_store(&storm.is_over, true);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	CLOSE(storm.epfd, storm.event_fd);
}
