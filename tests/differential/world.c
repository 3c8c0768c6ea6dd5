// SPDX-License-Identifier: MIT
/*
 * world.c - things come and go in the world of the writer.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>

/* -------- dice -------- */

/* splitmix64: the same numbers everywhere. */
uint64_t roll(struct world *world)
{
	uint64_t z = world->dice += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int below(struct world *world, int limit)
{
	return (int)(roll(world) % (uint64_t)limit);
}

bool chance(struct world *world, int percent)
{
	return below(world, 100) < percent;
}

bool does(const struct world *world, int habit)
{
	return (world->habits & (uint32_t)habit) != 0;
}

/* -------- lines -------- */

void line(struct world *world, const char *format, ...)
{
	size_t room = world->size - world->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(world->text + world->length, room, format, args);
	va_end(args);
	if ((size_t)length + 1 >= room) /* full: the program ends here */
		return;
	world->length += (size_t)length;
	world->text[world->length++] = '\n';
	world->text[world->length] = '\0';
	world->nr_lines++;
}

/* -------- things -------- */

int thing_new(struct world *world, enum type type)
{
	if (world->nr_things == THINGS_MAX)
		return -1;
	world->things[world->nr_things] =
		(struct thing){.type = type, .is_open = true, .child = -1};
	world->nr_open++;
	world->nr_epolls += type == TYPE_EPOLL;
	return world->nr_things++;
}

/* Younger things more often: those that were closed long ago say nothing new. */
int thing_any(struct world *world, uint32_t types)
{
	bool may_be_closed = does(world, HABIT_STALE) && chance(world, 3);
	int candidates[THINGS_MAX], nr = 0;

	for (int i = world->nr_things - 1; i >= 0 && nr < OPEN_MAX_; i--)
		if ((world->things[i].is_open || may_be_closed) &&
		    (types >> world->things[i].type & 1))
			candidates[nr++] = i;
	return nr ? candidates[below(world, nr)] : -1;
}

int thing_fresh_name(struct world *world, int like)
{
	int thing = thing_new(world, world->things[like].type);

	if (thing >= 0)
		world->things[thing].child = world->things[like].child;
	return thing;
}

void thing_closed(struct world *world, int thing)
{
	struct thing *closed = &world->things[thing];

	if (!closed->is_open)
		return;
	closed->is_open = false;
	world->nr_open--;
	world->nr_epolls -= closed->type == TYPE_EPOLL;
	for (int i = 0; i < world->nr_watches;) {
		struct watch *watch = &world->watches[i];

		/* watches of the closed often live on, and are worth a try now and then */
		if ((watch->epoll == thing || watch->target == thing) && chance(world, 90))
			*watch = world->watches[--world->nr_watches];
		else
			i++;
	}
}

void watch_note(struct world *world, int epoll, int target)
{
	int at = world->nr_watches < WATCHES_MAX ? world->nr_watches++ : below(world, WATCHES_MAX);

	world->watches[at] = (struct watch){epoll, target};
}

void watch_forget(struct world *world, int epoll, int target)
{
	for (int i = 0; i < world->nr_watches; i++) {
		struct watch *watch = &world->watches[i];

		if (watch->epoll == epoll && watch->target == target) {
			*watch = world->watches[--world->nr_watches];
			return;
		}
	}
}

/* -------- files -------- */

static void make_pair(struct world *world, const char *verb, const char *word, enum type first,
		      enum type second)
{
	int a = thing_new(world, first), b = thing_new(world, second);

	if (b >= 0)
		line(world, "%s f%d f%d%s", verb, a, b, word);
}

static void make_accepted(struct world *world, enum type listener)
{
	int from = thing_any(world, 1u << listener), thing;

	if (from < 0)
		return;
	thing = thing_new(world, listener == TYPE_LISTEN_TCP ? TYPE_TCP : TYPE_STREAM);
	if (thing >= 0)
		line(world, "%s f%d f%d", chance(world, 60) ? "connect" : "accept", thing, from);
}

static void make_listener(struct world *world, enum type type)
{
	int thing;

	if (thing_any(world, 1u << type) >= 0 && chance(world, 80)) {
		make_accepted(world, type);
		return;
	}
	thing = thing_new(world, type);
	if (thing >= 0)
		line(world, "listen f%d %s", thing, type == TYPE_LISTEN_TCP ? "tcp" : "unix");
}

static void make_pidfd(struct world *world)
{
	int process = thing_new(world, TYPE_MAX), thing = thing_new(world, TYPE_PIDFD);

	if (thing < 0)
		return;
	world->things[process].is_open = false;
	world->nr_open--;
	world->things[thing].child = process;
	line(world, "pidfd f%d f%d", thing, process);
}

static void make_one(struct world *world, enum type type)
{
	static const char *const plain[] = {"null", "memory", "mounts"};
	int thing = thing_new(world, type);

	if (thing < 0)
		return;
	if (type == TYPE_EPOLL)
		line(world, "epoll f%d", thing);
	else if (type == TYPE_EVENT)
		line(world, "event f%d %d %s", thing, below(world, 3) == 0,
		     chance(world, 30) ? "semaphore" : "counter");
	else if (type == TYPE_TIMER)
		line(world, "timer f%d", thing);
	else if (type == TYPE_SIGNAL)
		line(world, "signal f%d %d", thing, below(world, 4));
	else if (type == TYPE_INOTIFY)
		line(world, "inotify f%d", thing);
	else
		line(world, "plain f%d %s", thing, plain[below(world, 3)]);
}

void world_make(struct world *world, enum type type)
{
	switch (type) {
	case TYPE_PIPE_READ:
	case TYPE_PIPE_WRITE:
		make_pair(world, chance(world, 15) ? "fifo" : "pipe", "", TYPE_PIPE_READ,
			  TYPE_PIPE_WRITE);
		break;
	case TYPE_STREAM:
		make_pair(world, "pair", " stream", type, type);
		break;
	case TYPE_DGRAM:
		make_pair(world, "pair", " dgram", type, type);
		break;
	case TYPE_SEQPACKET:
		make_pair(world, "pair", " seqpacket", type, type);
		break;
	case TYPE_TCP:
		make_pair(world, "tcp", "", type, type);
		break;
	case TYPE_UDP:
		make_pair(world, "udp", "", type, type);
		break;
	case TYPE_LISTEN_UNIX:
	case TYPE_LISTEN_TCP:
		make_listener(world, type);
		break;
	case TYPE_PIDFD:
		make_pidfd(world);
		break;
	case TYPE_MASTER:
	case TYPE_SLAVE:
		if (!world->has_terminal)
			make_pair(world, "pty", "", TYPE_MASTER, TYPE_SLAVE);
		world->has_terminal = true;
		break;
	default:
		make_one(world, type);
		break;
	}
}
