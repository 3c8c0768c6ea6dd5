// SPDX-License-Identifier: MIT
/*
 * edge.c - one eventpoll, edge-triggered watches, workers that read until EAGAIN.
 *
 *	writers --> lanes -(et)-> e0 --> workers
 */
#include "trial.h"

static void plan(struct field *field)
{
	field->flags = EPOLLIN | EPOLLET;
	/* README, deviations: refilled to the same count between two looks of poll(2). */
	if (source_is("poll"))
		field->flags |= EPOLLONESHOT;
}

static const struct scenario edge = {.plan = plan};

INVARIANT(edge, nothing_is_unread_while_all_edge_waiters_sleep)
