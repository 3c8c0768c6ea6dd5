/* SPDX-License-Identifier: MIT */
/*
 * busy.h - how long to look for events before going to sleep.
 *
 * A thread that sleeps must be woken, and that takes long where its processor sleeps
 * too: some 40 us on a virtual machine.  A thread that looks again and again has the
 * event at once, and keeps a processor busy meanwhile.  Which is better depends on who
 * makes the events, and when; so each eventpoll learns it from its own waits:
 *
 *	off ----a short sleep----> spinning ----spent its credit----> pausing
 *	  ^			    |	^				 |
 *	  `------a long sleep-------'	`---so many sleeps have passed--'
 *
 * A spin that got its event earns credit, one in vain costs several times as much.  In
 * vain is the spin before a long sleep (nothing comes), and the spin after which the
 * event comes only as we have gone to sleep: who makes it needs our processor.  Each
 * pause in a row is longer than the one before, so that what is lost on trying becomes
 * nothing against the waits in between.
 *
 * A spin is given twice the time that events have taken lately, and more if they come
 * shortly after it.
 *
 * Pure arithmetic: no clock, no lock of its own (ep->mtx), no memory.
 */
#ifndef INTERPOLL_ENGINE_BUSY_H
#define INTERPOLL_ENGINE_BUSY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum {
	BUSY_SPIN_MIN_NS = 50 * 1000,
	BUSY_SPIN_MAX_NS = 200 * 1000,
	BUSY_SHORT_NS = 250 * 1000, /* a sleep that a spin might have replaced */
	BUSY_CREDIT_START = 8,
	BUSY_CREDIT_MAX = 16,
	BUSY_CREDIT_MISS = 4, /* what a spin in vain costs; one that gained earns 1 */
	BUSY_PAUSE_MIN = 16,  /* sleeps */
	BUSY_PAUSE_MAX = 4096,
	BUSY_PAUSE_GROWTH = 4,
};

/* What an eventpoll has learnt.  busy_init() before its first wait. */
struct busy {
	uint32_t spin_ns;    /* how long the next spin may last; 0: off */
	uint32_t pause;	     /* sleeps to let pass before it */
	uint32_t next_pause; /* how many the next time */
	uint32_t credit;
};

/* How a wait that found nothing at first came to its end. */
struct busy_sample {
	uint64_t spun_ns; /* how long it looked; 0: it went to sleep at once */
	uint64_t took_ns; /* until it came, spin included; CLOCK_FOREVER: nothing did */
	bool has_gained;  /* the event came while it looked */
};

void busy_init(struct busy *busy);

/*
 * A thread is about to sleep: for how long may it look before?  Each answer of
 * more than 0 and each sample that was measured are to be told to busy_learn().
 */
uint32_t busy_next_ns(struct busy *busy);

/* Would a sample of the next sleep teach us anything?  If not, spare the clock. */
static inline bool busy_is_curious(const struct busy *busy)
{
	return !busy->pause;
}

void busy_learn(struct busy *busy, const struct busy_sample *sample);

#endif
