/* SPDX-License-Identifier: MIT */
/*
 * world.h - what the writer of programs believes there is.
 *
 * The writer plays nothing: it only guesses, so that most of what it writes has an
 * effect.  Where it is wrong the program is no worse for it.
 */
#ifndef DIFFERENTIAL_WORLD_H
#define DIFFERENTIAL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "walk.h"

enum type {
	TYPE_EPOLL,
	TYPE_PIPE_READ,
	TYPE_PIPE_WRITE,
	TYPE_STREAM,
	TYPE_DGRAM,
	TYPE_SEQPACKET,
	TYPE_TCP,
	TYPE_UDP,
	TYPE_LISTEN_UNIX,
	TYPE_LISTEN_TCP,
	TYPE_EVENT,
	TYPE_TIMER,
	TYPE_SIGNAL,
	TYPE_INOTIFY,
	TYPE_PIDFD,
	TYPE_MASTER,
	TYPE_SLAVE,
	TYPE_PLAIN,
	TYPE_MAX,
};

#define ANY_TYPE ((1u << TYPE_MAX) - 1)
#define T(name)	 (1u << TYPE_##name)
#define SOCKETS	 (T(STREAM) | T(DGRAM) | T(SEQPACKET) | T(TCP) | T(UDP))
#define WRITABLE (SOCKETS | T(PIPE_WRITE) | T(EVENT) | T(MASTER))
#define READABLE (SOCKETS | T(PIPE_READ) | T(EVENT) | T(TIMER) | T(SIGNAL) | T(INOTIFY) | T(SLAVE))

enum {
	THINGS_MAX = 512, /* of one program */
	OPEN_MAX_ = 36,	  /* at a time: numbers are used again soon, and batches hold all */
	WATCHES_MAX = 128,
	EPOLLS_MAX = 5,
};

/* A name of a program: one descriptor number. */
struct thing {
	enum type type;
	bool is_open;
	bool was_deleted; /* some eventpoll watched it once */
	int child;	  /* pidfds: the thing that is its process; else -1 */
};

struct watch {
	int epoll, target; /* things */
};

struct world {
	uint64_t dice;
	enum kind kind;
	uint32_t types;	 /* that this program makes */
	uint32_t habits; /* HABIT_*: what else it does */
	int flags[4];	 /* in percent: ET, ONESHOT, EXCLUSIVE, WAKEUP */
	struct thing things[THINGS_MAX];
	int nr_things, nr_open, nr_epolls;
	struct watch watches[WATCHES_MAX];
	int nr_watches;
	bool has_terminal;
	int children[4]; /* things: processes that hold files */
	int nr_children;
	uint64_t data; /* of the next watch; each has its own */

	char *text;
	size_t size, length;
	int nr_lines;
};

enum {
	HABIT_NESTS = 1 << 0,	/* eventpolls watch eventpolls */
	HABIT_POLLS = 1 << 1,	/* polls and selects eventpolls */
	HABIT_DUPS = 1 << 2,	/* descriptors are doubled */
	HABIT_SENDS = 1 << 3,	/* descriptors are sent */
	HABIT_FORKS = 1 << 4,	/* children hold files */
	HABIT_ERRS = 1 << 5,	/* bad arguments */
	HABIT_RAW = 1 << 6,	/* raw system calls */
	HABIT_SLEEPS = 1 << 7,	/* waits with time-outs, interrupted waits */
	HABIT_STALE = 1 << 8,	/* names that were closed */
	HABIT_ODD = 1 << 9,	/* odd bits in masks */
	HABIT_FILLS = 1 << 10,	/* until nothing fits any more */
	HABIT_EPDUPS = 1 << 11, /* eventpolls have several names, are sent, closed and held */
	HABIT_WAKES = 1 << 12,	/* a thread wakes waits */
	HABIT_CHILD = 1 << 13,	/* children of fork play a part */
	HABIT_CROWD = 1 << 14,	/* hundreds of files */
};

/* -------- dice -------- */

uint64_t roll(struct world *world);
int below(struct world *world, int limit);
bool chance(struct world *world, int percent);
bool does(const struct world *world, int habit);

/* -------- lines -------- */

__attribute__((format(printf, 2, 3))) void line(struct world *world, const char *format, ...);

/* -------- things; -1: there is none -------- */

int thing_new(struct world *world, enum type type);
int thing_any(struct world *world, uint32_t types);  /* open, or now and then not */
int thing_fresh_name(struct world *world, int like); /* another name of what @like is */
void thing_closed(struct world *world, int thing);

/* Make files of type @type, or one that leads to it. */
void world_make(struct world *world, enum type type);

/* -------- steps: one line, or none, or a few -------- */

typedef void write_fn(struct world *world);

/* write_watch.c */
write_fn write_add, write_mod, write_del, write_wait, write_wake, write_interrupt, write_poll,
	write_crowd, write_mistake;

/* write_file.c */
write_fn write_write, write_read, write_fill, write_end, write_special, write_close, write_dup,
	write_send, write_range;

/* write_process.c */
write_fn write_holder, write_child;

void watch_note(struct world *world, int epoll, int target);
void watch_forget(struct world *world, int epoll, int target);

#endif
