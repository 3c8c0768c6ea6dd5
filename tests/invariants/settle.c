// SPDX-License-Identifier: MIT
/*
 * settle.c - the one moment at which interpoll hands an eventpoll to the kernel.
 *
 *	writers --> lanes -(lt, et, oneshot)-> e0 --> one worker; somebody polls e0
 *
 * Watches of all kinds are pending, told, spent, deleted and added again when it comes,
 * once in a round, to a worker that sleeps, wakes up or fetches events one by one.
 * There is one reader, so an event shown twice is one without anything to read.
 */
#include "stage.h"
#include "trial.h"

static void plan(struct field *field)
{
	field->nr_lanes = 2 + (int)roll(NR_LANES_MAX - 1);
	field->nr_workers = 1;
	field->maxevents = 1 + (int)roll(3);
	field->has_tcp = false;
	field->is_exact = true;
}

static void start(struct field *field)
{
	static const uint32_t flags[] = {0, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLET};

	/* README, deviations: as in edge.c. */
	for (int i = 0; i < field->nr_lanes; i++)
		field->lanes[i].flags |= flags[roll(source_is("poll") ? 3 : 4)];
}

/* Who arms a one-shot watch again would meet one that is gone: those stay. */
static void delete_and_add(struct lane *lane)
{
	if (lane->flags & EPOLLONESHOT)
		return;
	pthread_mutex_lock(&lane->lock);
	lane_unwatch(lane);
	lane_watch(lane);
	pthread_mutex_unlock(&lane->lock);
}

/* All at once, so that some are left when the worker has fetched what it has room for. */
static void write_to_all(struct field *field)
{
	unsigned int nr_lanes = (unsigned int)field->nr_lanes;

	if (roll(4) == 0)
		delete_and_add(&field->lanes[roll(nr_lanes)]);
	for (unsigned int i = 0, first = roll(nr_lanes); i < nr_lanes; i++)
		lane_write(&field->lanes[(first + i) % nr_lanes]);
}

static const struct scenario settling = {.plan = plan, .start = start, .write = write_to_all};

INVARIANT_UNDER(settling, one_reader_is_told_of_nothing_in_vain, DISTURB_NOTHING)
INVARIANT_UNDER(settling, settling_loses_and_doubles_nothing, DISTURB_LOOKS)
INVARIANT_UNDER(settling, settling_beside_forks_loses_and_doubles_nothing,
		DISTURB_LOOKS | DISTURB_FORKS)
