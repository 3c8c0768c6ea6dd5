// SPDX-License-Identifier: MIT
/*
 * closes.c - watched files are closed, replaced and renumbered.
 *
 * The lane is drained before its file goes, so that no token goes with it; events
 * about the old file may come late, those about the new one must not be missed.
 */
#include <fcntl.h>
#include <unistd.h>

#include "disturb.h"
#include "field.h"
#include "stage.h"

/* Nothing of the old file counts any more. */
static void leave(struct lane *lane)
{
	lane_forget(lane);
	lane_drain(lane);
}

/* The lane has a new one. */
static void enter(struct lane *lane)
{
	lane->is_zombie = false;
	lane->nr_written = lane->nr_read = 0;
	lane_watch(lane);
}

/* A new file for the lane, under whatever number comes. */
static void replace(struct lane *lane, bool unwatch_first)
{
	leave(lane);
	if (unwatch_first && !lane->is_zombie)
		lane_unwatch(lane);
	CLOSE(lane->in, lane->out);
	lane_ends_open(lane->kind, &lane->in, &lane->out);
	enter(lane);
}

/* A new file under the same number, whose old one nobody closes by name. */
static void replace_in_place(struct lane *lane)
{
	int in, out;

	leave(lane);
	lane_ends_open(lane->kind, &in, &out);
	if (roll(2))
		EXPECT_INT(dup2(in, lane->in), ==, lane->in);
	else
		EXPECT_INT(dup3(in, lane->in, O_CLOEXEC), ==, lane->in);
	CLOSE(in, lane->out);
	lane->out = out;
	enter(lane);
}

/* The number goes, the file stays under another: its watch goes on. */
static void change_number(struct lane *lane)
{
	int other = MUST(fcntl(lane->in, F_DUPFD_CLOEXEC, 0));

	CLOSE(lane->in);
	lane->in = other;
	lane->is_zombie = true;
}

/* The same file comes over its own number: nothing is closed. */
static void dup_over_itself(struct lane *lane)
{
	int other = MUST(dup(lane->in));

	EXPECT_INT(dup2(other, lane->in), ==, lane->in);
	CLOSE(other);
}

static void close_by_range(struct lane *lane)
{
	leave(lane);
	MUST(close_range((unsigned int)lane->in, (unsigned int)lane->in, 0));
	CLOSE(lane->out);
	lane_ends_open(lane->kind, &lane->in, &lane->out);
	enter(lane);
}

/*
 * README, deviations: with the source poll a watch ends with its descriptor, and so
 * does one whose descriptor becomes a duplicate.
 */
static bool may_outlive_numbers(void)
{
	return !source_is("poll");
}

static void step(struct lane *lane)
{
	bool is_oneshot = lane->flags & EPOLLONESHOT;

	switch (roll(7)) {
	case 0:
		replace(lane, true);
		break;
	case 1:
		replace_in_place(lane);
		break;
	case 2:
		close_by_range(lane);
		break;
	case 3:
	case 4:
		/* a spent watch whose number is gone cannot be armed again */
		if (may_outlive_numbers() && !is_oneshot && !lane->is_zombie)
			change_number(lane);
		break;
	case 5:
		if (may_outlive_numbers())
			dup_over_itself(lane);
		break;
	default:
		replace(lane, false);
		break;
	}
}

void disturb_by_close(struct field *field)
{
	struct lane *lane;

	if (field->nr_lanes == 0)
		return;
	lane = &field->lanes[roll((unsigned int)field->nr_lanes)];
	pthread_mutex_lock(&lane->lock);
	lane_hold(lane);
	step(lane);
	lane_release(lane);
	pthread_mutex_unlock(&lane->lock);
}
