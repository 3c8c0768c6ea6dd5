// SPDX-License-Identifier: MIT
/*
 * write.c - the writer of programs.
 *
 * Every program has a temper of its own: which files it makes, which habits it
 * has, how often its watches are edge-triggered.  A program that does a few things
 * often finds more than one that does everything now and then.
 */
#include <string.h>

#include "world.h"

/* -------- the program -------- */

static void write_made(struct world *world)
{
	enum type type;

	if (world->nr_epolls == 0 || (world->nr_epolls < EPOLLS_MAX && chance(world, 15))) {
		world_make(world, TYPE_EPOLL);
		return;
	}
	do
		type = (enum type)below(world, TYPE_MAX);
	while (type == TYPE_EPOLL || !(world->types >> type & 1));
	world_make(world, type);
}

static const struct {
	int weight;
	int habit; /* only with it */
	void (*write)(struct world *world);
} choices[] = {
	{14, 0, write_add},
	{9, 0, write_mod},
	{6, 0, write_del},
	{22, 0, write_wait},
	{16, 0, write_write},
	{12, 0, write_read},
	{3, 0, write_end},
	{5, 0, write_special},
	{5, 0, write_close},
	{2, HABIT_FILLS, write_fill},
	{3, HABIT_POLLS, write_poll},
	{5, HABIT_DUPS, write_dup},
	{4, HABIT_SENDS, write_send},
	{1, HABIT_FORKS, write_holder},
	{1, HABIT_CHILD, write_child},
	{3, HABIT_CROWD, write_crowd},
	{4, HABIT_WAKES, write_wake},
	{3, HABIT_ERRS, write_mistake},
	{3, HABIT_SLEEPS, write_interrupt},
	{1, HABIT_STALE, write_range},
};
#define NR_CHOICES (sizeof(choices) / sizeof(choices[0]))

static void write_step(struct world *world)
{
	int total = 0, left;

	if (world->nr_open < 6 || (world->nr_open < OPEN_MAX_ && chance(world, 8))) {
		write_made(world);
		return;
	}
	if (world->nr_open >= OPEN_MAX_) {
		write_close(world);
		return;
	}
	for (size_t i = 0; i < NR_CHOICES; i++)
		if (!choices[i].habit || does(world, choices[i].habit))
			total += choices[i].weight;
	left = below(world, total);
	for (size_t i = 0; i < NR_CHOICES; i++) {
		if (choices[i].habit && !does(world, choices[i].habit))
			continue;
		left -= choices[i].weight;
		if (left < 0) {
			choices[i].write(world);
			return;
		}
	}
}

/*
 * What is known, and in the table of deviations in README.md, is left out; nothing
 * else.
 */
static void avoid_deviations(struct world *world)
{
	enum {
		ONESHOT = 1
	};

	/*
	 * Nesting by a raw system call is seen by nobody, nor does one find a spent
	 * one-shot; the thread driver shows what was registered by one without the
	 * others, once.
	 */
	if (does(world, HABIT_RAW) && world->kind != KIND_SHORT)
		world->flags[ONESHOT] = 0;
	/*
	 * A spent one-shot whose number was closed and whose file lives on may show its
	 * HUP to those who poll the eventpoll when the kernel takes it over; and to who
	 * waits without a buffer.  A stale number may be that of an eventpoll.
	 */
	if ((world->kind == KIND_FULL || world->kind == KIND_THREAD) &&
	    does(world, HABIT_DUPS | HABIT_SENDS | HABIT_FORKS | HABIT_CHILD) &&
	    does(world, HABIT_POLLS | HABIT_NESTS | HABIT_STALE | HABIT_ERRS))
		world->flags[ONESHOT] = 0;
	/*
	 * An eventpoll that is sent shows edges once more, what is EXCLUSIVE queues up
	 * anew, and who receives it finds tags of closed numbers.
	 */
	if (does(world, HABIT_EPDUPS))
		world->habits &= ~(uint32_t)HABIT_SENDS;
	if (does(world, HABIT_RAW))
		world->habits &= ~(uint32_t)(HABIT_STALE | HABIT_CROWD); /* batches get short */
	if (world->kind == KIND_THREAD)
		world->habits &= ~(uint32_t)HABIT_RAW;
	/* An eventpoll that is sent is armed anew: edges and shots are shown again. */
	if (does(world, HABIT_SENDS) && does(world, HABIT_EPDUPS | HABIT_STALE))
		memset(world->flags, 0, sizeof(world->flags));
	if (world->kind != KIND_POLL)
		return;
	/* an eventpoll says IN to who watches it, and is readable in every way */
	if (does(world, HABIT_NESTS | HABIT_STALE))
		world->habits &= ~(uint32_t)HABIT_ODD;
	/* poll(2) asks about numbers: a watch ends with its descriptor */
	world->habits &= ~(uint32_t)(HABIT_DUPS | HABIT_SENDS | HABIT_FORKS | HABIT_CHILD);
	/* who enters the kernel on his own meets no epoll there that watches anything */
	world->habits &= ~(uint32_t)HABIT_RAW;
}

static void choose_temper(struct world *world)
{
	static const int shares[] = {0, 10, 40, 80};

	world->types =
		(uint32_t)(roll(world) & roll(world)) | 1u << (1 + below(world, TYPE_MAX - 1));
	world->types &= ANY_TYPE;
	if (!(world->types & ~T(EPOLL) & ANY_TYPE))
		world->types |= T(STREAM);
	world->habits = (uint32_t)(roll(world) & roll(world));
	world->flags[0] = shares[below(world, 4)];
	world->flags[1] = shares[below(world, 4)] / 2;
	world->flags[2] = chance(world, 25) ? 20 : 0;
	world->flags[3] = chance(world, 15) ? 10 : 0;
	avoid_deviations(world);
}

size_t write_program(char *text, size_t size, uint64_t seed, int nr_steps, enum kind kind)
{
	struct world world = {.dice = seed, .kind = kind, .data = 1, .text = text, .size = size};

	choose_temper(&world);
	line(&world, "kind %s", kind_names[kind]);
	for (int i = 0; world.nr_lines < nr_steps && i < 8 * nr_steps; i++)
		write_step(&world);
	return world.length;
}
