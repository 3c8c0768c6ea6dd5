// SPDX-License-Identifier: MIT
/*
 * polled.c - some wait in the eventpoll, others poll it and look when it is readable.
 *
 *	writers --> lanes -(lt, et)-> e0 --> a waiter, pollers
 */
#include "trial.h"

static void plan(struct field *field)
{
	field->nr_workers = 1 + (int)roll(3);
	/* README, deviations: as in edge.c. */
	if (roll(2) && !source_is("poll"))
		field->flags |= EPOLLET;
}

static void start(struct field *field)
{
	unsigned int nr_pollers = 1 + roll((unsigned int)field->nr_workers);

	for (unsigned int i = 0; i < nr_pollers; i++)
		field->workers[i].how = WORKER_POLLS;
}

static const struct scenario polled = {.plan = plan, .start = start};

INVARIANT(polled, nothing_is_unread_while_waiters_and_pollers_sleep)
