// SPDX-License-Identifier: MIT
/*
 * write.c - the writer of programs.
 *
 * Every program has a temper of its own: which files it makes, which habits it
 * has, how often its watches are edge-triggered.  A program that does a few things
 * often finds more than one that does everything now and then.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "world.h"

/* -------- watching -------- */

static uint32_t any_conditions(struct world *world)
{
	static const uint32_t usual[] = {
		EPOLLIN,
		EPOLLIN,
		EPOLLIN,
		EPOLLOUT,
		EPOLLIN | EPOLLOUT,
		EPOLLIN | EPOLLOUT,
		EPOLLIN | EPOLLRDHUP,
		EPOLLIN | EPOLLOUT | EPOLLRDHUP,
		EPOLLIN | EPOLLPRI,
		EPOLLRDHUP,
		EPOLLPRI,
		0,
	};

	if (does(world, HABIT_ODD) && chance(world, 10))
		return (uint32_t)roll(world) & 0x3fff;
	return usual[below(world, sizeof(usual) / sizeof(usual[0]))];
}

static uint32_t any_mask(struct world *world)
{
	static const uint32_t flags[] = {EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLWAKEUP};
	uint32_t mask = any_conditions(world);

	for (int i = 0; i < 4; i++)
		if (chance(world, world->flags[i]))
			mask |= flags[i];
	/* with these it is legal, and that should be the rule */
	if ((mask & EPOLLEXCLUSIVE) && chance(world, 90))
		mask &= EPOLLIN | EPOLLOUT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE;
	if (does(world, HABIT_ODD) && chance(world, 2))
		mask |= 1u << below(world, 32);
	return mask;
}

/* "ctl verb, eventpoll, file, mask, data" */
static void write_watch(struct world *world, const char *verb, int epoll, int target)
{
	char mask[STEP_LINE_MAX - 64];

	mask_print(mask, sizeof(mask), any_mask(world));
	line(world, "%s f%d f%d %s %llu", verb, epoll, target, mask,
	     (unsigned long long)world->data++);
}

static uint32_t watchable(const struct world *world)
{
	return does(world, HABIT_NESTS) ? ANY_TYPE : ANY_TYPE & ~T(EPOLL);
}

static void write_add(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL)), target;

	target = thing_any(world, does(world, HABIT_NESTS) && chance(world, 15) ? T(EPOLL)
										: watchable(world));
	if (epoll < 0 || target < 0)
		return;
	write_watch(world, does(world, HABIT_RAW) && chance(world, 10) ? "rawadd" : "add", epoll,
		    target);
	watch_note(world, epoll, target);
}

static const struct watch *any_watch(struct world *world)
{
	return world->nr_watches ? &world->watches[below(world, world->nr_watches)] : NULL;
}

static void write_mod(struct world *world)
{
	const struct watch *watch = any_watch(world);

	if (watch)
		write_watch(world, "mod", watch->epoll, watch->target);
}

/* Often it is added again at once, as servers do. */
static void write_del(struct world *world)
{
	const struct watch *found = any_watch(world);
	struct watch watch;

	if (!found)
		return;
	watch = *found;
	line(world, "del f%d f%d", watch.epoll, watch.target);
	if (chance(world, 40))
		write_watch(world, "add", watch.epoll, watch.target);
	else if (chance(world, 90))
		watch_forget(world, watch.epoll, watch.target);
}

/* -------- waiting -------- */

static int any_room(struct world *world)
{
	if (world->kind == KIND_SHORT)
		return chance(world, 70) ? 1 + below(world, 6) : 64;
	return 256;
}

static void write_wait(struct world *world)
{
	static const char *const hows[] = {"wait", "wait", "wait", "pwait", "pwait2", "number"};
	const char *how = hows[below(world, 6)];
	int epoll = thing_any(world, T(EPOLL)), us = 0;

	if (epoll < 0)
		return;
	if (does(world, HABIT_SLEEPS) && chance(world, 15)) {
		us = 20;
		how = "pwait2";
	}
	line(world, "wait f%d %d %s %d", epoll, any_room(world), how, us);
}

static void write_interrupt(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL));

	if (epoll >= 0)
		line(world, "interrupt f%d %d %d", epoll,
		     world->kind == KIND_SHORT ? 1 + below(world, 8) : 64,
		     chance(world, 20) ? 0 : 1000);
}

static void write_poll(struct world *world)
{
	char files[STEP_LINE_MAX / 2];
	int length = 0;

	for (int i = below(world, 3); i >= 0; i--) {
		int thing = thing_any(world, i ? ANY_TYPE : T(EPOLL));

		if (thing < 0)
			return;
		length += snprintf(files + length, sizeof(files) - (size_t)length, " f%d", thing);
	}
	line(world, "%s%s", chance(world, 70) ? "poll" : "select", files);
}

/* -------- things happen to files -------- */

static void write_write(struct world *world)
{
	static const int lengths[] = {1, 1, 8, 8, 100, 100, 1000, 4096, 5000, 0};
	int thing = thing_any(world, WRITABLE), length;

	if (thing < 0)
		return;
	length = lengths[below(world, 10)];
	/* an eventfd counts what is in the bytes: zeros; a terminal must not overflow */
	if (world->things[thing].type == TYPE_MASTER)
		length = 1;
	else if (world->things[thing].type == TYPE_TCP && length > 100)
		length = 100;
	if (world->things[thing].type == TYPE_EVENT)
		line(world, "count f%d %d", thing, 1 + below(world, 3));
	else
		line(world, "write f%d %d", thing, length);
}

static void write_read(struct world *world)
{
	static const int lengths[] = {1, 8, 8, 100, 1000, 65536};
	int thing = thing_any(world, READABLE);

	if (thing < 0)
		return;
	if (chance(world, 40))
		line(world, "drain f%d", thing);
	else
		line(world, "read f%d %d", thing, lengths[below(world, 6)]);
}

static void write_fill(struct world *world)
{
	int thing = thing_any(world, T(PIPE_WRITE) | T(STREAM) | T(DGRAM) | T(SEQPACKET));

	if (thing >= 0)
		line(world, "fill f%d", thing);
}

static void write_end(struct world *world)
{
	static const char *const hows[] = {"read", "write", "write", "both"};
	int thing = thing_any(world, T(STREAM) | T(SEQPACKET) | T(TCP));

	if (thing < 0)
		return;
	if (world->things[thing].type == TYPE_TCP && chance(world, 30))
		line(world, "%s f%d", chance(world, 60) ? "urgent" : "linger", thing);
	else
		line(world, "shut f%d %s", thing, hows[below(world, 4)]);
}

/* What only one type has. */
static void write_special(struct world *world)
{
	static const char *const times[] = {"now", "now", "off", "far"};
	int thing = thing_any(world, T(TIMER) | T(SIGNAL) | T(INOTIFY) | T(PIDFD));

	if (thing < 0)
		return;
	switch (world->things[thing].type) {
	case TYPE_TIMER:
		line(world, "set f%d %s", thing, times[below(world, 4)]);
		break;
	case TYPE_SIGNAL:
		line(world, "raise %d %s", below(world, 4),
		     world->kind != KIND_POLL && chance(world, 50) ? "thread" : "process");
		break;
	case TYPE_INOTIFY:
		line(world, "touch");
		break;
	default:
		line(world, "%s f%d", chance(world, 60) ? "kill" : "reap",
		     world->things[thing].child);
		break;
	}
}

/* -------- descriptors -------- */

static uint32_t doublable(const struct world *world)
{
	return does(world, HABIT_EPDUPS) ? ANY_TYPE : ANY_TYPE & ~T(EPOLL);
}

static void write_close(struct world *world)
{
	static const char *const hows[] = {"close", "close", "close", "number", "range", "stream"};
	int thing = thing_any(world, world->nr_epolls > 1 ? ANY_TYPE : ANY_TYPE & ~T(EPOLL));

	if (thing < 0)
		return;
	line(world, "close f%d %s", thing, hows[below(world, 6)]);
	thing_closed(world, thing);
}

static void write_dup_over(struct world *world, int from)
{
	int over = thing_any(world, doublable(world));

	if (over < 0)
		return;
	line(world, "%s f%d f%d", chance(world, 60) ? "dup2" : "dup3", from, over);
	if (world->things[over].is_open && world->things[over].type != TYPE_EPOLL)
		world->things[over].type = world->things[from].type == TYPE_EPOLL
						   ? world->things[over].type
						   : world->things[from].type;
}

static void write_dup(struct world *world)
{
	int from = thing_any(world, doublable(world)), thing;

	if (from < 0)
		return;
	if (chance(world, 35)) {
		write_dup_over(world, from);
		return;
	}
	thing = thing_fresh_name(world, from);
	if (thing < 0)
		return;
	if (chance(world, 15) && (world->things[from].type == TYPE_PIPE_READ ||
				  world->things[from].type == TYPE_PIPE_WRITE))
		line(world, "reopen f%d f%d", from, thing);
	else if (chance(world, 25))
		line(world, "fdup f%d f%d %d", from, thing, below(world, 60));
	else
		line(world, "dup f%d f%d", from, thing);
}

/*
 * By a socket and back.  No sockets are sent: a socket that is in flight over
 * itself is collected by a kernel thread, some time.
 */
static void write_send(struct world *world)
{
	uint32_t sendable =
		doublable(world) & ~(T(STREAM) | T(DGRAM) | T(SEQPACKET) | T(LISTEN_UNIX));
	int socket = thing_any(world, T(STREAM) | T(DGRAM) | T(SEQPACKET)), what;

	if (socket < 0)
		return;
	what = thing_any(world, sendable);
	if (what < 0)
		return;
	if (chance(world, 55)) {
		line(world, "send f%d f%d", socket, what);
	} else {
		int thing = thing_fresh_name(world, what);

		if (thing >= 0)
			line(world, "recv f%d f%d", socket, thing);
	}
}

static void write_range(struct world *world)
{
	int first = thing_any(world, ANY_TYPE), last = thing_any(world, ANY_TYPE);

	if (first >= 0 && last >= 0)
		line(world, "range f%d f%d", first, last);
}

/* -------- processes -------- */

static void write_child(struct world *world)
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

/* -------- mistakes -------- */

static void write_mistake(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL)), thing = thing_any(world, ANY_TYPE);

	if (epoll < 0 || thing < 0)
		return;
	switch (below(world, 7)) {
	case 0:
		line(world, "ctl f%d %d f%d IN 1", epoll, below(world, 6) - 1, thing);
		break;
	case 1:
		line(world, "null f%d %d f%d", epoll, below(world, 5), thing);
		break;
	case 2:
		line(world, "add f%d f%d IN 1", thing, epoll);
		break;
	case 3:
		line(world, "wait f%d %d wait 0", epoll, -below(world, 2));
		break;
	case 4:
		line(world, "wait f%d 4 wait 0", world->kind == KIND_SHORT ? thing : -1);
		break;
	case 5:
		line(world, "badwait f%d 256 %s", epoll, chance(world, 50) ? "null" : "0");
		break;
	default:
		if (world->kind == KIND_SHORT)
			line(world, "badwait f%d 64 %d", epoll, 1 + below(world, 3));
		break;
	}
}

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
	{1, HABIT_FORKS, write_child},
	{3, HABIT_ERRS, write_mistake},
	{3, HABIT_SLEEPS, write_interrupt},
	{1, HABIT_DUPS, write_range},
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
	/*
	 * What is known, and in the table of deviations: a spent one-shot watch may
	 * show its HUP to those who poll the eventpoll when the kernel takes it over.
	 */
	if (world->kind == KIND_FULL && does(world, HABIT_POLLS | HABIT_NESTS))
		world->flags[1] = 0;
	/* What is sent is armed anew, and shows its edges and shots again. */
	if (does(world, HABIT_EPDUPS) && does(world, HABIT_SENDS))
		world->flags[0] = world->flags[1] = 0;
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
