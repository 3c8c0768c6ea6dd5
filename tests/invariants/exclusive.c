// SPDX-License-Identifier: MIT
/*
 * exclusive.c - every lane is watched in several eventpolls, each with its own worker.
 *
 *	writers --> lanes -(exclusive)-> e0, e1, e2 --> a worker each
 */
#include "trial.h"

static void plan(struct field *field)
{
	field->nr_epfds = 1 + (int)roll(NR_EPFDS_MAX);
	field->nr_workers = field->nr_epfds + (int)roll(2);
	field->flags = EPOLLIN | EPOLLEXCLUSIVE;
	/* README, deviations: with the source poll, an edge without one-shot is told from levels. */
	if (roll(2) && !source_is("poll"))
		field->flags |= EPOLLET;
}

static const struct scenario exclusive = {.plan = plan};

INVARIANT(exclusive, an_exclusive_waiter_is_woken_for_every_token)
