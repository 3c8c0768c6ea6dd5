// SPDX-License-Identifier: MIT
/*
 * write_watch.c - the writer on eventpolls: what is watched, and who waits how.
 */
#include <stdio.h>
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
	if (!world->flags[1] && world->kind != KIND_SHORT) /* not by an odd bit either */
		mask &= ~(uint32_t)EPOLLONESHOT;
	/* poll(2) shows levels: the edge it cannot miss is the first, and there it ends */
	if (world->kind == KIND_POLL && !(mask & EPOLLONESHOT))
		mask &= ~(uint32_t)EPOLLET;
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

void write_add(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL)), target;
	bool is_raw;

	target = thing_any(world, does(world, HABIT_NESTS) && chance(world, 15) ? T(EPOLL)
										: watchable(world));
	if (epoll < 0 || target < 0)
		return;
	/* what was deleted may be parked, which only raw calls can tell */
	is_raw = does(world, HABIT_RAW) && !world->things[target].was_deleted && chance(world, 10);
	write_watch(world, is_raw ? "rawadd" : "add", epoll, target);
	watch_note(world, epoll, target);
}

static const struct watch *any_watch(struct world *world)
{
	return world->nr_watches ? &world->watches[below(world, world->nr_watches)] : NULL;
}

void write_mod(struct world *world)
{
	const struct watch *watch = any_watch(world);

	if (watch)
		write_watch(world, "mod", watch->epoll, watch->target);
}

/* Often it is added again at once, as servers do. */
void write_del(struct world *world)
{
	const struct watch *found = any_watch(world);
	struct watch watch;

	if (!found)
		return;
	watch = *found;
	line(world, "del f%d f%d", watch.epoll, watch.target);
	world->things[watch.target].was_deleted = true;
	if (!world->things[watch.target].is_open) /* whose number it is by now, nobody knows */
		world->habits &= ~(uint32_t)HABIT_RAW;
	if (world->things[watch.target].is_open && chance(world, 40))
		write_watch(world, "add", watch.epoll, watch.target);
	else if (chance(world, 90))
		watch_forget(world, watch.epoll, watch.target);
}

/* -------- waiting -------- */

static int any_room(struct world *world)
{
	if (world->kind == KIND_SHORT)
		return chance(world, 70) ? 1 + below(world, 6) : 64;
	return 1024;
}

void write_wait(struct world *world)
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

void write_interrupt(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL));

	if (epoll >= 0)
		line(world, "interrupt f%d %d %d", epoll, any_room(world),
		     chance(world, 20) ? 0 : 1000);
}

void write_wake(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL)), thing = thing_any(world, WRITABLE);

	if (epoll >= 0 && thing >= 0)
		line(world, "wake f%d %d f%d %d", epoll, any_room(world), thing,
		     world->things[thing].type == TYPE_EVENT ? 8 : 1);
}

void write_crowd(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL));
	char mask[STEP_LINE_MAX - 64];

	if (epoll >= 0 && chance(world, 25)) {
		mask_print(mask, sizeof(mask), any_mask(world));
		line(world, "crowd f%d %d %s %llu", epoll, 100 + below(world, 200), mask,
		     (unsigned long long)world->data);
		world->data += 1000;
	} else if (chance(world, 80)) {
		line(world, "stir %d", 1 + below(world, 4));
	} else {
		line(world, "disperse");
	}
}

void write_poll(struct world *world)
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

/* -------- mistakes -------- */

void write_mistake(struct world *world)
{
	int epoll = thing_any(world, T(EPOLL)), thing = thing_any(world, ANY_TYPE), op;

	if (epoll < 0 || thing < 0)
		return;
	switch (below(world, 7)) {
	case 0:
		op = below(world, 6) - 1;
		line(world, "ctl f%d %d f%d IN 1", epoll, op, thing);
		world->things[thing].was_deleted |= op == EPOLL_CTL_DEL;
		break;
	case 1:
		op = below(world, 5);
		line(world, "null f%d %d f%d", epoll, op, thing);
		world->things[thing].was_deleted |= op == EPOLL_CTL_DEL;
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
