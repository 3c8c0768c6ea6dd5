// SPDX-License-Identifier: MIT
/*
 * oneshot.c - a pool of workers, one eventpoll, one-shot watches.
 *
 *	writers --> lanes -(oneshot)-> e0 --> workers, who arm again
 */
#include "trial.h"

static void plan(struct field *field)
{
	field->flags = EPOLLIN | EPOLLONESHOT | (roll(2) ? EPOLLET : 0);
}

static const struct scenario oneshot = {.plan = plan};

INVARIANT(oneshot, a_oneshot_lane_is_served_by_one_at_a_time)
