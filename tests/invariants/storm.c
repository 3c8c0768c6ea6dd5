// SPDX-License-Identifier: MIT
/*
 * storm.c - a million signals into one thread that makes nothing but epoll calls.
 *
 *	victim --tokens--> lanes -(lt, et, oneshot)-> e0 --> victim, its handlers
 *
 * Each handler sets the timer for the next, some microseconds ahead, nobody knows how
 * many: they strike in every place of every call.
 */
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"
#include "trial.h"

#define NR_HANDLERS  1000000
#define AHEAD_MAX_NS 20000 /* less, and the victim gets nothing done */
#define LIMIT_S	     180   /* it needs half a minute of a processor */

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct {
	timer_t timer;
	long nr_handlers;
	sem_t is_over;
} storm;

/* ---- signals ----------------------------------------------------------- */

static void set_timer(struct worker *victim)
{
	struct itimerspec ahead = {.it_value.tv_nsec = 1 + roll(AHEAD_MAX_NS)};

	if (victim->nr_handled < storm.nr_handlers) {
		MUST(timer_settime(storm.timer, 0, &ahead, NULL));
	} else {
		atomic_store(&victim->field->is_stormy, false);
		sem_post(&storm.is_over);
	}
}

static void timer_open(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};

	event.sigev_notify_thread_id = gettid();
	MUST(timer_create(CLOCK_MONOTONIC, &event, &storm.timer));
}

/* ---- the thread they strike -------------------------------------------- */

/* While the storm lasts it writes; as long as something is unread it waits. */
static void *victim_run(void *argument)
{
	struct worker *victim = argument;
	struct field *field = victim->field;
	struct epoll_event events[NR_EVENTS_MAX];

	timer_open();
	worker_begin(victim);
	set_timer(victim);
	while (atomic_load(&field->is_stormy) || field->nr_read < field->nr_written) {
		int nr;

		if (atomic_load(&field->is_stormy))
			lane_write(&field->lanes[roll((unsigned int)field->nr_lanes)]);
		nr = epoll_wait(victim->epfd, events, field->maxevents,
				field->nr_read < field->nr_written ? -1 : 0);
		if (nr < 0)
			EXPECT_INT(errno, ==, EINTR);
		field_serve(field, victim->epfd, events, nr);
	}
	worker_end();
	MUST(timer_delete(storm.timer));
	return NULL;
}

static void storm_start(struct field *field)
{
	struct worker *victim = &field->workers[0];

	victim->run = victim_run;
	victim->after_signal = set_timer;
	victim->is_patient = true;
}

static const struct scenario scenario = {.start = storm_start};

static void storm_run(uint32_t flags, long nr_handlers)
{
	static struct field field;

	field = (struct field){.scenario = &scenario, .disturbances = DISTURB_SIGNALS};
	field.flags = EPOLLIN | flags;
	field.nr_epfds = field.nr_workers = 1;
	field.nr_lanes = 3;
	field.maxevents = 2;
	storm.nr_handlers = nr_handlers;
	EXPECT_INT(sem_init(&storm.is_over, 0, 0), ==, 0);
	atomic_store(&field.is_stormy, true);
	field_open(&field);
	MUST(sem_wait(&storm.is_over));
	/* it may wait for what a handler has read: then it sleeps until the bell rings */
	field_calm(&field);
	EXPECT_INT(field.workers[0].nr_handled, ==, nr_handlers);
	EXPECT_INT(field.nr_read, >, nr_handlers / 10); /* else they struck in handlers only */
	field_close(&field);
	sem_destroy(&storm.is_over);
}

CLAIM(a_million_handlers_over_a_busy_loop_lose_and_double_nothing)
{
	static const uint32_t flags[] = {0, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLET};
	/* README, deviations: with the source poll, an edge without one-shot is told from levels. */
	int nr = source_is("poll") ? 3 : 4;

	claim_takes(LIMIT_S);
	trial_prepare();
	for (int i = 0; i < nr; i++)
		storm_run(flags[i], NR_HANDLERS / nr);
}
