/* SPDX-License-Identifier: MIT */
/*
 * fake_source.h - a source whose edges and errors the test writes.
 *
 * It keeps registrations as a kernel epoll does: what is armed twice exists, what
 * is unknown has no entry, what is EXCLUSIVE cannot be modified, and what has fired
 * its one shot says nothing more.  A tag given twice ends the test.  Every call is
 * noted, to be asserted in order.
 *
 * Nobody ever sleeps: sleep() runs the next step of the test instead, on the
 * sleeper's own thread and outside of its section, as a signal handler would run.
 * A step may make a thread, and wait for its end.
 *
 * With the thread driver all of it is under the loop lock.
 */
#ifndef UNIT_FAKE_SOURCE_H
#define UNIT_FAKE_SOURCE_H

#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "source/source.h"

enum {
	FAKE_FDS = 1024,
	FAKE_EDGES = 1024,
	FAKE_CALLS = 2048,
	FAKE_STEPS = 8,
};

enum fake_op {
	FAKE_ARM,
	FAKE_REARM,
	FAKE_DISARM,
	FAKE_FORGET,
	FAKE_LAPSED, /* events: the mask */
	FAKE_SHOW,   /* events: 1 ready, 0 not */
	FAKE_LIST,   /* not noted: it changes nothing */
	FAKE_NR_OPS,
};

struct fake_call {
	enum fake_op op;
	int fd;
	uint32_t events;
	uint64_t tag;
};

struct fake {
	struct source *source; /* NULL: nobody's */
	struct fake_watch {
		bool is_armed;
		uint32_t events; /* with ERR and HUP, as the kernel adds them */
		uint64_t tag;
	} watches[FAKE_FDS];
	struct fake_edge {
		int fd; /* -1: @tag says */
		uint32_t events;
		uint64_t tag;
	} edges[FAKE_EDGES];
	unsigned int nr_edges;
	struct fake_call calls[FAKE_CALLS];
	unsigned int nr_calls, nr_asserted;
	uint64_t tags[FAKE_CALLS]; /* all that were ever given */
	unsigned int nr_tags;
	int failures[FAKE_NR_OPS]; /* of the next call: -errno */
	int collect_error;	   /* of the next collection: -errno */
	void (*collecting)(void);  /* runs in every collection */
	void (*handler)(void);	   /* runs in the next change of a registration ... */
	bool is_handler_late;	   /* ... before it is made, or after */
	int (*steps[FAKE_STEPS])(struct fake *fake);
	unsigned int nr_steps, nr_sleeps;
	/* of the last sleep */
	struct epoll_event *buffer;
	int max;
	uint64_t timeout_ns;
	const sigset_t *sigmask;
	sem_t laid_out; /* posted when the loop asks what to poll */
};

extern const struct source_ops fake_kernel; /* has a kernel epoll */
extern const struct source_ops fake_plain;  /* has none */

/* The fake behind @source. */
struct fake *fake_of(const struct source *source);

/*
 * The file of @fd was woken and has @events to show.  Collected under the tag it
 * is registered with by then, if it is, and if that asks for any of them.
 */
void fake_wake(struct fake *fake, int fd, uint32_t events);

/* An edge of just this tag. */
void fake_edge(struct fake *fake, uint64_t tag, uint32_t events);

/* @fd was closed and nobody was told. */
void fake_lose(struct fake *fake, int fd);

/* The next @op fails with @error, a -errno, and changes nothing. */
void fake_fail(struct fake *fake, enum fake_op op, int error);

/*
 * What happens during the next sleep that nothing is planned for.  @step returns 0:
 * the sleep ends with the edges there are by then; n: with that many, which it
 * has put into fake->buffer itself; or -errno: with that.  A sleep that nothing is
 * planned for times out, or, if it may not, ends the test.
 */
void fake_then(struct fake *fake, int (*step)(struct fake *fake));

/* The oldest call that was not asserted yet; NULL if there is none. */
const struct fake_call *fake_next_call(struct fake *fake);

#endif
