// SPDX-License-Identifier: MIT
/*
 * write_process.c - the writer on other processes: they hold files, or play a part.
 */
#include <stdio.h>
#include <string.h>

#include "world.h"

/* -------- processes -------- */

void write_holder(struct world *world)
{
	int process;

	if (chance(world, 10)) {
		line(world, "spawn");
		return;
	}
	if (world->nr_children == 4 || (world->nr_children && chance(world, 60))) {
		process = world->children[--world->nr_children];
		line(world, "reap f%d", process);
		return;
	}
	process = thing_new(world, TYPE_MAX);
	if (process < 0)
		return;
	world->things[process].is_open = false;
	world->nr_open--;
	world->children[world->nr_children++] = process;
	line(world, "hold f%d", process);
}

/* One step of a child: whatever touches nothing of its parent's but files. */
static void write_child_step(struct world *world)
{
	static void (*const steps[])(struct world *) = {
		write_add,  write_add,	write_add,   write_mod,	  write_del,  write_wait,
		write_wait, write_wait, write_write, write_write, write_read, write_close,
	};

	steps[below(world, sizeof(steps) / sizeof(steps[0]))](world);
}

/* Forget what the child has done to its descriptors; names and data stay used up. */
static void leave_child(struct world *world, const struct world *before)
{
	for (int i = 0; i < world->nr_things; i++) {
		if (i < before->nr_things)
			world->things[i] = before->things[i];
		else
			world->things[i].is_open = false;
	}
	memcpy(world->watches, before->watches, sizeof(world->watches));
	world->nr_watches = before->nr_watches;
	world->nr_open = before->nr_open;
	world->nr_epolls = before->nr_epolls;
	world->habits = before->habits;
}

/*
 * A child of fork plays some steps while we wait for it.  It leaves alone what the
 * two would share, were they not preloaded: our eventpolls.
 */
void write_child(struct world *world)
{
	static struct world before;
	int first, nr = 5 + below(world, 20);
	size_t at;

	before = *world;
	at = world->length;
	line(world, "child %3d", 0);
	if (world->length == at)
		return;
	first = world->nr_lines;
	world->habits &= ~(uint32_t)(HABIT_STALE | HABIT_RAW | HABIT_NESTS);
	world->nr_watches = 0;
	for (int i = 0; i < world->nr_things; i++)
		if (world->things[i].type == TYPE_EPOLL)
			world->things[i].is_open = false;
	world_make(world, TYPE_EPOLL);
	for (int i = 0; i < 4 * nr && world->nr_lines < first + nr; i++)
		write_child_step(world);
	snprintf(world->text + at, sizeof("child 123"), "child %3d", world->nr_lines - first);
	world->text[at + strlen("child 123")] = '\n';
	leave_child(world, &before);
}
