// SPDX-License-Identifier: MIT
/*
 * write_file.c - the writer on files: what happens to them and to their descriptors.
 */
#include "world.h"

/* -------- things happen to files -------- */

void write_write(struct world *world)
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

void write_read(struct world *world)
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

void write_fill(struct world *world)
{
	int thing = thing_any(world, T(PIPE_WRITE) | T(STREAM) | T(DGRAM) | T(SEQPACKET));

	if (thing >= 0)
		line(world, "fill f%d", thing);
}

void write_end(struct world *world)
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
void write_special(struct world *world)
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

void write_close(struct world *world)
{
	static const char *const hows[] = {"close", "close", "close", "number", "range", "stream"};
	int thing = thing_any(world, world->nr_epolls > 1 ? ANY_TYPE : ANY_TYPE & ~T(EPOLL));

	if (thing < 0)
		return;
	line(world, "close f%d %s", thing, hows[below(world, 6)]);
	thing_closed(world, thing);
}

/* Eventpolls over eventpolls only: else nobody knows what is nested. */
static void write_dup_over(struct world *world, int from)
{
	bool is_epoll = world->things[from].type == TYPE_EPOLL;
	int over = thing_any(world, is_epoll ? T(EPOLL) : ANY_TYPE & ~T(EPOLL));

	if (over < 0)
		return;
	line(world, "%s f%d f%d", chance(world, 60) ? "dup2" : "dup3", from, over);
	if (world->things[over].is_open)
		world->things[over].type = world->things[from].type;
}

void write_dup(struct world *world)
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
void write_send(struct world *world)
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

void write_range(struct world *world)
{
	int first = thing_any(world, ANY_TYPE), last = thing_any(world, ANY_TYPE);

	if (first >= 0 && last >= 0)
		line(world, "range f%d f%d", first, last);
}
