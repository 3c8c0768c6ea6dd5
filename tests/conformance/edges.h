/* SPDX-License-Identifier: MIT */
/*
 * edges.h - one script for files of every kind: what shows after each of its steps.
 *
 * A kind of file says how it is made ready, used, exhausted and ended.  The script
 * is always the same, and so are its columns in the claims:
 *
 *	ADD	added to a new eventpoll		off	MOD to no events at all
 *	rdy	made ready				rdy	made ready
 *	rdy	and once more, nobody having used it	on	MOD to the events
 *	use	a part is used				use	a part is used
 *	out	all is used up				new	DEL and ADD
 *	rdy	made ready				end	the other side goes
 *	MOD	to the same events			out	all is used up
 *
 * A row of a claim has one word for each: what a wait shows then, `-' for nothing,
 * else I IN, P PRI, O OUT, R RDHUP, H HUP, E ERR; `.' stands for a step that files of
 * the kind do not have.  A level must be shown by a second wait too, and anything
 * else must not.
 *
 * A word with a `?' may as well be nothing: it depends on the time.  Only rows of
 * known deviations have such.
 */
#ifndef CONFORMANCE_EDGES_H
#define CONFORMANCE_EDGES_H

#include "stage.h"

#define EDGES_OTHERS_MAX 16

struct edges_stage {
	int fd;	     /* is watched */
	int peer;    /* its other end; -1 if there is none (any more) */
	int witness; /* a kernel epoll of its own that watches fd too */
	int others[EDGES_OTHERS_MAX];
	int nr_others;	/* whatever else is to be closed */
	uint64_t count; /* of steps, or what the kind likes */
};

struct edges_kind {
	void (*open)(struct edges_stage *stage);
	void (*ready)(struct edges_stage *stage);
	void (*use)(struct edges_stage *stage); /* NULL: only all or nothing */
	void (*exhaust)(struct edges_stage *stage);
	void (*end)(struct edges_stage *stage); /* NULL: there is no other side */
};

/*
 * Run the script with @trigger, 0 for level, EPOLLET or EPOLLONESHOT; once with an
 * interest in input only, and once in output too.  For level, the same rows must
 * come from one-shot watches armed again after each event; for EPOLLONESHOT, with
 * EPOLLET too.
 */
void edges(const struct edges_kind *kind, uint32_t trigger, const char *row_in,
	   const char *row_both);

/* For kinds: keep @fd to be closed at the end. */
void edges_keep(struct edges_stage *stage, int fd);

/* Close the other end. */
void edges_close_peer(struct edges_stage *stage);

/* Read or accept no more than there is, whatever the end may say. */
void edges_read_all(struct edges_stage *stage);

/*
 * The file tells of it in its own time (another thread of the kernel's does): wait
 * until it has told those who wait for it, the eventpoll among them.
 */
void edges_await_wakeup(struct edges_stage *stage);

#endif
