// SPDX-License-Identifier: MIT
/*
 * churn.c - watches that change while others wait: MOD, DEL and ADD by the writers.
 *
 *	writers --> lanes -(lt)-> e0 --> workers
 */
#include <sched.h>

#include "stage.h"
#include "trial.h"

/* Away and back, or deaf and back; what is written meanwhile must show at the end. */
static void change(struct lane *lane)
{
	int epfd = lane->field->epfds[0];

	pthread_mutex_lock(&lane->lock);
	if (lane->is_zombie) { /* nobody can reach its watch */
		pthread_mutex_unlock(&lane->lock);
		return;
	}
	switch (roll(3)) {
	case 0:
		lane_unwatch(lane);
		if (roll(2))
			sched_yield();
		lane_watch(lane);
		break;
	case 1:
		rewatch(epfd, lane->in, 0,
			data_make(DATA_LANE, lane->index, atomic_load(&lane->arming)));
		if (roll(2))
			sched_yield();
		lane_rewatch(lane);
		break;
	default:
		lane_rewatch(lane);
		break;
	}
	pthread_mutex_unlock(&lane->lock);
}

static void write_and_change(struct field *field)
{
	lane_write(&field->lanes[roll((unsigned int)field->nr_lanes)]);
	if (roll(2))
		change(&field->lanes[roll((unsigned int)field->nr_lanes)]);
}

static const struct scenario churn = {.write = write_and_change};

INVARIANT(churn, no_level_is_lost_while_watches_change)
