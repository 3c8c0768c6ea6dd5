// SPDX-License-Identifier: MIT
/*
 * nested.c - eventpolls in an eventpoll.
 *
 *	writers --> lanes -(lt, et, oneshot)-> e1, e2, e3 -(lt, et)-> e0 --> workers
 */
#include "stage.h"
#include "trial.h"

static void plan(struct field *field)
{
	static const uint32_t flags[] = {0, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLET};

	field->nr_epfds = 2 + (int)roll(NR_EPFDS_MAX - 1);
	/* README, deviations: as in edge.c. */
	field->flags |= flags[roll(source_is("poll") ? 3 : 4)];
}

static void start(struct field *field)
{
	bool is_chain = roll(2);

	for (int i = 0; i < field->nr_workers; i++)
		field->workers[i].epfd = field->epfds[0];
	for (int i = 1; i < field->nr_epfds; i++)
		watch(field->epfds[is_chain ? i - 1 : 0], field->epfds[i],
		      EPOLLIN | (roll(2) && !source_is("poll") ? EPOLLET : 0),
		      data_make(DATA_INNER, (unsigned int)i, 1));
	for (int i = 0; i < field->nr_lanes; i++) {
		field->lanes[i].first_epfd = 1 + (int)roll((unsigned int)field->nr_epfds - 1);
		field->lanes[i].nr_epfds = 1;
	}
}

static const struct scenario nested = {.plan = plan, .start = start};

INVARIANT(nested, nothing_is_unread_below_an_eventpoll_in_which_all_sleep)
