/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the poll loop thread, the `thread' driver's softirq.
 *
 * The loop sleeps in one poll(2) on what its clients name and calls a client
 * back when some of it is ready.  A client joins when an application thread
 * begins to wait and is dropped by the loop when it is ready and nobody waits.
 *
 * One lock, the loop lock (rank LOCK_LOOP), protects the list of clients, the
 * poll sets of all sources driven by the loop, and every collection from them:
 * whoever holds it sees all edges there are and nobody else has some in hand.
 * It is taken under ep->mtx and above wait queues and ep->lock.
 *
 * The thread is made at the first join, blocks all signals, and is not
 * inherited across fork.  Its descriptor is reserved (see loop_wakefd()).
 */
#ifndef INTERPOLL_SOURCE_LOOP_H
#define INTERPOLL_SOURCE_LOOP_H

#include <poll.h>
#include <stdbool.h>

#include "base/list.h"
#include "source/source.h"

struct loop_client {
	struct list_head link;
	struct source *source;
	bool is_joined;

	/*
	 * Something in the client's poll set is ready.  Called by the loop thread
	 * with the loop lock held; returns whether anybody still waits.  If not,
	 * the client has left.
	 */
	bool (*ready)(struct loop_client *client);
	unsigned int first, nr; /* the slice of the loop's poll set that is ours */
};

void loop_lock(void);
void loop_unlock(void);

/*
 * Have @client polled from now on; nothing if it is already.  Loop lock held.
 * Returns 0, or -errno of pthread_create or eventfd when the thread cannot be
 * made.
 */
int loop_join(struct loop_client *client);

/* Stop polling @client.  On return the loop is not inside ready().  Loop lock held. */
void loop_leave(struct loop_client *client);

/* @client's poll set has changed: the loop must look again.  Loop lock held. */
void loop_kick(struct loop_client *client);

/* In the child of fork: there is no loop and there are no clients. */
void loop_reset(void);

/*
 * Called with each descriptor number that the loop takes for itself, so that
 * the descriptor table can keep the host's hands off it.  Set once at start.
 */
extern void (*loop_reserve_fd)(int fd);

#endif
