// SPDX-License-Identifier: MIT
/*
 * field.c - a round's eventpolls, what events mean, and when all is calm.
 */
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "field.h"
#include "stage.h"

#define CALM_LIMIT_MS 15000 /* a machine that others use, too */
#define IDLE_MS	      30    /* longer than any time-out a worker ever has */
#define NR_TASKS_MAX  32

__thread struct dice my_dice;

/* ---- events ------------------------------------------------------------ */

/* Until nothing is left: an inner eventpoll may be watched for edges.  False if stuck. */
static bool look_into(struct field *field, int epfd)
{
	enum served served;

	do
		served = field_look(field, epfd, field->maxevents, 0);
	while (served == SERVED_SOME);
	return served == SERVED_NOTHING;
}

/* False if it is stuck. */
static bool serve_one(struct field *field, int epfd, const struct epoll_event *event)
{
	uint64_t data = event->data.u64;
	unsigned int index = data_index(data);

	switch (data_tag(data)) {
	case DATA_LANE:
		EXPECT_INT(index, <, field->nr_lanes);
		return lane_serve(&field->lanes[index], data_arming(data));
	case DATA_INNER:
		return look_into(field, field->epfds[index]);
	case DATA_STRANGER:
		EXPECT_INT(index, <, NR_STRANGERS_MAX);
		if (atomic_fetch_add(&field->was_stranger_told[index], 1) != 0)
			FAIL("one-shot stranger %u was told twice", index);
		break;
	case DATA_TOY:
		FAIL("the toy of worker %u is ready, which it never is", index);
	case DATA_OTHER:
		field->scenario->serve(field, epfd, event);
		break;
	case DATA_BELL:
	default:
		FAIL("an event 0x%x with data 0x%llx, which nobody watches", event->events,
		     (unsigned long long)data);
	}
	return true;
}

enum served field_serve(struct field *field, int epfd, const struct epoll_event *events, int nr)
{
	enum served served = nr > 0 ? SERVED_SOME : SERVED_NOTHING;

	for (int i = 0; i < nr; i++) {
		if (data_tag(events[i].data.u64) == DATA_BELL)
			served = SERVED_BELL;
		else if (!serve_one(field, epfd, &events[i]))
			served = SERVED_STUCK;
	}
	return served;
}

enum served field_look(struct field *field, int epfd, int maxevents, int timeout_ms)
{
	struct epoll_event events[NR_EVENTS_MAX];
	int nr = epoll_wait(epfd, events, maxevents, timeout_ms);

	if (nr < 0) {
		EXPECT_INT(errno, ==, EINTR);
		return SERVED_SOME; /* as far as we know */
	}
	return field_serve(field, epfd, events, nr);
}

/* ---- made and unmade --------------------------------------------------- */

static bool is_waited_in(const struct field *field, int epfd)
{
	for (int i = 0; i < field->nr_workers; i++)
		if (field->workers[i].epfd == epfd)
			return true;
	return false;
}

void field_open(struct field *field)
{
	pthread_mutex_init(&field->workers_lock, NULL);
	field->bell = eventfd_open(0);
	for (int i = 0; i < field->nr_epfds; i++)
		field->epfds[i] = epoll_open();
	for (int i = 0; i < field->nr_lanes; i++) {
		enum lane_kind kind = roll(NR_LANE_KINDS);

		if (kind == LANE_TCP && !field->has_tcp)
			kind = LANE_UNIX;
		lane_open(&field->lanes[i], field, (unsigned int)i, kind);
	}
	for (int i = 0; i < field->nr_workers; i++) {
		struct worker *worker = &field->workers[i];

		worker->field = field;
		worker->index = (unsigned int)i;
		worker->epfd = field->epfds[i % field->nr_epfds];
		worker->how = WORKER_WAITS;
		worker->run = worker_run;
		worker->timeout_ms = roll(4) ? -1 : (int)roll(3);
		worker->dice = dice_from_seed(dice_roll(&my_dice));
	}
	if (field->scenario->start)
		field->scenario->start(field);
	for (int i = 0; i < field->nr_lanes; i++)
		lane_watch(&field->lanes[i]);
	for (int i = 0; i < field->nr_epfds; i++)
		if (is_waited_in(field, field->epfds[i]))
			watch(field->epfds[i], field->bell, EPOLLIN, data_make(DATA_BELL, 0, 0));
	for (int i = 0; i < field->nr_workers; i++)
		worker_open(&field->workers[i]);
}

void field_close(struct field *field)
{
	count_up(field->bell, 1); /* a level that nobody drains: all hear it */
	for (int i = 0; i < field->nr_workers; i++)
		worker_close(&field->workers[i]);
	if (field->scenario->finish)
		field->scenario->finish(field);
	for (int i = 0; i < field->nr_lanes; i++)
		lane_close(&field->lanes[i]);
	for (int i = 0; i < field->nr_epfds; i++)
		CLOSE(field->epfds[i]);
	CLOSE(field->bell);
	pthread_mutex_destroy(&field->workers_lock);
}

/* ---- calm -------------------------------------------------------------- */

/* How often each thread but ours has gone to sleep, in the order of /proc. */
struct sleeps {
	int nr;
	pid_t tids[NR_TASKS_MAX];
	long nr_sleeps[NR_TASKS_MAX];
};

/* False if a thread is awake, or will be by itself. */
static bool look_at_all(const struct field *field, struct sleeps *sleeps)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool sleep = true;

	EXPECT(dir);
	memset(sleeps, 0, sizeof(*sleeps));
	while (sleep && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);
		int i = sleeps->nr;

		if (tid == 0 || tid == gettid())
			continue;
		EXPECT_INT(i, <, NR_TASKS_MAX);
		sleeps->tids[i] = tid;
		sleeps->nr_sleeps[i] = task_nr_sleeps(getpid(), tid);
		sleep = sleeps->nr_sleeps[i] >= 0;
		sleeps->nr++;
	}
	closedir(dir);
	for (int i = 0; i < field->nr_workers; i++)
		sleep = sleep && atomic_load(&field->workers[i].is_patient);
	return sleep;
}

static bool slept_on(const struct field *field, const struct sleeps *before)
{
	struct sleeps now;

	return look_at_all(field, &now) && memcmp(before, &now, sizeof(now)) == 0;
}

/* A lane whose reader has something to read; -1: none. */
static int find_unread(const struct field *field)
{
	for (int i = 0; i < field->nr_lanes; i++) {
		struct pollfd pollfd = {.fd = field->lanes[i].in, .events = POLLIN};

		if (MUST(poll(&pollfd, 1, 0)) == 1)
			return i;
	}
	return -1;
}

static bool is_all_done(struct field *field)
{
	return atomic_load(&field->nr_read) == atomic_load(&field->nr_written) &&
	       (!field->scenario->is_over || field->scenario->is_over(field));
}

void field_calm(struct field *field)
{
	int64_t end_ns = now_ns() + CALM_LIMIT_MS * NS_PER_MS;
	struct sleeps before;
	int lane;

	while (now_ns() < end_ns) {
		bool is_done;

		sched_yield();
		if (!look_at_all(field, &before))
			continue;
		is_done = is_all_done(field);
		lane = find_unread(field);
		if (!slept_on(field, &before))
			continue;
		if (lane >= 0)
			FAIL("lost: lane %d (kind %d, arming %llu, due %llu) is unread while all "
			     "%d threads sleep; %ld tokens of %ld were read",
			     lane, field->lanes[lane].kind,
			     (unsigned long long)field->lanes[lane].arming,
			     (unsigned long long)field->lanes[lane].due, before.nr, field->nr_read,
			     field->nr_written);
		if (is_done)
			return;
		/* else it is on its way through the kernel's network */
	}
	FAIL("no calm after %d ms: %ld tokens of %ld were read, and %s", CALM_LIMIT_MS,
	     field->nr_read, field->nr_written,
	     look_at_all(field, &before) ? "all threads sleep" : "a thread does not sleep");
}

void field_expect_sleep(const struct field *field)
{
	struct timespec idle = {.tv_nsec = IDLE_MS * NS_PER_MS};
	struct sleeps before;

	EXPECT(look_at_all(field, &before));
	nanosleep(&idle, NULL);
	if (!slept_on(field, &before))
		FAIL("a thread woke up within %d ms in which nothing happened", IDLE_MS);
}
