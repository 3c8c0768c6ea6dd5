/* SPDX-License-Identifier: MIT */
/*
 * disturb.h - what happens to a field while tokens go through it.
 *
 * Each disturbance is a step that a thread takes again and again while the writers
 * write.  No step changes what must hold; whoever takes it cleans up after it.
 */
#ifndef INVARIANTS_DISTURB_H
#define INVARIANTS_DISTURB_H

struct field;

enum disturbance {
	DISTURB_NOTHING = 0,
	DISTURB_SIGNALS = 1 << 0, /* to workers, whose handlers call epoll */
	DISTURB_CANCELS = 1 << 1, /* of workers, each replaced by a new thread */
	DISTURB_CLOSES = 1 << 2,  /* of watched files: closed, renumbered, replaced */
	DISTURB_FORKS = 1 << 3,	  /* children that exit, linger, wait, close, execute */
	DISTURB_LOOKS = 1 << 4,	  /* everything that makes interpoll settle */
	DISTURB_ALL = (1 << 5) - 1,
};

/* One step of one of field->disturbances. */
void disturb(struct field *field);

void disturb_by_signal(struct field *field);
void disturb_by_cancel(struct field *field);
void disturb_by_close(struct field *field); /* closes.c */
void disturb_by_fork(struct field *field);  /* forks.c */
void disturb_by_look(struct field *field);  /* looks.c */

#endif
