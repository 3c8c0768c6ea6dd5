/* SPDX-License-Identifier: MIT */
/*
 * field.h - what the threads of one round work on.
 *
 *	writers --tokens--> lanes --events--> eventpolls --> workers, who read the tokens
 *
 * A lane is a file with two ends through which numbered tokens go; its reading end is
 * watched.  What must hold, whatever disturbs the threads (disturb.h):
 *
 *	- a lane's tokens are read in their order, each once;
 *	- one arming of a one-shot watch is told at most once, under the data it was
 *	  armed with, and there is something to read;
 *	- no event tells of a watch that was never made or of a lane that never was;
 *	- when writers and disturbers have stopped and every thread sleeps, nothing is
 *	  left unread.
 *
 * The data of each event says what it is about:
 *
 *	tag 8 | index 8 | arming 48	arming: the number of the call that made the watch
 */
#ifndef INVARIANTS_FIELD_H
#define INVARIANTS_FIELD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "unit/dice.h"

enum {
	NR_LANES_MAX = 12,
	NR_WORKERS_MAX = 5,
	NR_EPFDS_MAX = 4,
	NR_STRANGERS_MAX = 256,
	NR_EVENTS_MAX = 8, /* the most anybody asks for at once */
};

/* What an event is about. */
enum data_tag {
	DATA_LANE = 0xa1,
	DATA_INNER,    /* an eventpoll in an eventpoll; index in field.epfds */
	DATA_BELL,     /* go home */
	DATA_TOY,      /* a worker's own file, which is never ready */
	DATA_STRANGER, /* a registration that went past libc */
	DATA_OTHER,    /* the scenario's own */
};

static inline uint64_t data_make(enum data_tag tag, unsigned int index, uint64_t arming)
{
	return (uint64_t)tag << 56 | (uint64_t)index << 48 | arming;
}

static inline enum data_tag data_tag(uint64_t data)
{
	return (enum data_tag)(data >> 56);
}

static inline unsigned int data_index(uint64_t data)
{
	return (unsigned int)(data >> 48) & 0xff;
}

static inline uint64_t data_arming(uint64_t data)
{
	return data & 0xffffffffffff;
}

struct field;

/* ---- lanes (lane.c) ---------------------------------------------------- */

enum lane_kind {
	LANE_PIPE,
	LANE_UNIX,
	LANE_SEQPACKET,
	LANE_TCP,
	LANE_EVENTFD,
	NR_LANE_KINDS
};

struct lane {
	struct field *field;
	unsigned int index;
	enum lane_kind kind;
	int in, out;
	uint32_t flags;		  /* of its watches */
	int first_epfd, nr_epfds; /* where it is watched, of field.epfds */

	/* Who writes, replaces the lane or changes its watches.  No handler takes it. */
	pthread_mutex_t lock;
	bool is_zombie; /* its watches go on under a number that is closed */
	uint64_t nr_written;

	/*
	 * One at a time reads.  Who finds the lane busy, a signal handler perhaps that
	 * interrupted the reader, leaves his call to the reader.
	 */
	_Atomic uintptr_t reader; /* my_id() of his thread; 0: nobody */
	atomic_uint nr_calls;
	uint64_t nr_read;

	/*
	 * Armings are numbered.  Events of those before @first are about a file that
	 * the lane has left.  One-shot: @due is the arming that has not been told yet,
	 * 0 once it has.
	 */
	_Atomic uint64_t arming, first, due;
};

void lane_open(struct lane *lane, struct field *field, unsigned int index, enum lane_kind kind);
void lane_close(struct lane *lane);
void lane_ends_open(enum lane_kind kind, int *ret_in, int *ret_out);
void lane_watch(struct lane *lane);   /* under a new arming, in all its eventpolls */
void lane_rewatch(struct lane *lane); /* the same by MOD */
void lane_unwatch(struct lane *lane);

/* Write one token, if there is room.  Takes the lock. */
void lane_write(struct lane *lane);

/*
 * An event about @lane, of its @arming.  Async-signal-safe.  False if nothing can
 * be done before the reader whom we interrupted goes on.
 */
bool lane_serve(struct lane *lane, uint64_t arming);

/* Keep readers out; then let those in who called meanwhile.  Not for who takes signals. */
void lane_hold(struct lane *lane);
void lane_release(struct lane *lane);
void lane_drain(struct lane *lane);  /* while holding it */
void lane_forget(struct lane *lane); /* events so far are about a file it is leaving */

/* ---- workers (worker.c) ------------------------------------------------ */

enum worker_how {
	WORKER_WAITS,
	WORKER_POLLS
};

/* A thread that waits and serves until the bell rings. */
struct worker {
	struct field *field;
	unsigned int index;
	int epfd; /* the descriptor, not the index */
	enum worker_how how;
	int timeout_ms; /* of its waits while the storm is on */
	struct epoll_event events[NR_EVENTS_MAX];

	pthread_t thread;
	struct dice dice; /* of the thread, and of those that replace it */
	void *(*run)(void *worker);
	bool is_gone;		/* cancelled, and nobody has taken its place; under workers_lock */
	atomic_bool is_patient; /* its wait has no end */
	atomic_long nr_handled; /* signals */
	void (*after_signal)(struct worker *worker); /* the last its handler does, or NULL */

	/* For its signal handlers: a watch of their own in @epfd, another eventpoll. */
	int toy;
	int toy_epfd;
};

void worker_open(struct worker *worker); /* its toys, and the thread */
void worker_close(struct worker *worker);
void worker_cancel(struct worker *worker);  /* nobody takes its place ... */
void worker_restart(struct worker *worker); /* ... before this */

/* What its thread runs: worker_run(), or something between begin and end. */
void *worker_run(void *worker);
void worker_begin(struct worker *worker);
void worker_end(void);

/* SIGUSR1: handled in the whole process, but only workers take it. */
void signals_handle(void);
void signals_block(void);

/* ---- the field (field.c) ----------------------------------------------- */

struct scenario {
	void (*plan)(struct field *field);  /* draw flags and topology; NULL: everything else */
	void (*write)(struct field *field); /* one token, instead of into a lane */
	void (*serve)(struct field *field, int epfd, const struct epoll_event *event);
	bool (*is_over)(struct field *field); /* it has nothing under way */
	void (*start)(struct field *field);   /* open and watch what is its own */
	void (*finish)(struct field *field);  /* close it */
};

struct field {
	const struct scenario *scenario;
	unsigned int disturbances; /* enum disturbance, as bits */

	/* What plan() draws. */
	uint32_t flags; /* of the lanes' watches, unless start() changes one's */
	bool is_exact;	/* there is one reader: no event without something to read */
	int maxevents;
	int nr_epfds, nr_lanes, nr_workers;
	bool has_tcp;

	int epfds[NR_EPFDS_MAX]; /* workers wait in those that no other watches */
	struct lane lanes[NR_LANES_MAX];
	struct worker workers[NR_WORKERS_MAX];
	pthread_mutex_t workers_lock; /* who sends signals, cancels */
	int bell;

	atomic_long nr_written, nr_read; /* tokens */
	atomic_bool is_stormy;
	atomic_int nr_strangers;
	atomic_uchar was_stranger_told[NR_STRANGERS_MAX];
};

/* The dice of the calling thread. */
extern __thread struct dice my_dice;
static inline unsigned int roll(unsigned int limit)
{
	return (unsigned int)dice_below(&my_dice, limit);
}

void field_open(struct field *field);  /* what plan() drew: eventpolls, lanes, workers */
void field_close(struct field *field); /* the bell rings, and all of it goes */

enum served {
	SERVED_NOTHING,
	SERVED_SOME,
	SERVED_STUCK, /* by what we interrupted: to ask again before that goes on is vain */
	SERVED_BELL,  /* it was among the events */
};

/* Serve @nr events of @epfd. */
enum served field_serve(struct field *field, int epfd, const struct epoll_event *events, int nr);

/* One wait of @timeout_ms in @epfd by whoever comes along, and what comes of it. */
enum served field_look(struct field *field, int epfd, int maxevents, int timeout_ms);

/*
 * Writers and disturbers have stopped: wait until every other thread sleeps, and
 * nothing may be left to do.
 */
void field_calm(struct field *field);

/* Then nobody may wake up without a reason. */
void field_expect_sleep(const struct field *field);

#endif
