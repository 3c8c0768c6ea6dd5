/* SPDX-License-Identifier: MIT */
/*
 * states.h - the states a watch may be in when something happens to it.
 *
 *	e0 -(mode)-> p0, data 1
 */
#ifndef CONFORMANCE_STATES_H
#define CONFORMANCE_STATES_H

#include "stage.h"

/* In each: what a wait shows then, after one more write, and once more after that. */
struct state {
	const char *name;
	uint32_t mode;
	bool is_ready;	   /* something was written */
	bool is_delivered; /* and a wait has shown it */
	bool shows[3];
};

#define STATES_NR 17
extern const struct state states[STATES_NR];

/* A pipe, and an eventpoll that watches its reading end in the mode of @state. */
int state_open(const struct state *state, int p[2]);

/* Bring the watch into @state. */
void state_enter(const struct state *state, int epfd, const int p[2]);

/* A wait shows the one event, or none; @when is for the report. */
void state_expect(const struct state *state, const char *when, int epfd, bool is_shown);

#endif
