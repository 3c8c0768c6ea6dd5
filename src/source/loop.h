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
 * A poll(2) that sleeps holds a reference on every file it polls: a close in
 * the meantime would not end a connection.  Whatever takes files away
 * (loop_expel(), loop_leave()) therefore waits until the loop has let go.
 *
 * The thread is made at the first join, blocks all signals, and is not
 * inherited across fork.  It has one descriptor of its own (real/ownfd.h).
 *
 * When poll(2) or memory is refused (more files in all poll sets together than
 * RLIMIT_NOFILE permits), the loop calls every client each LOOP_TICK_NS instead.
 */
#ifndef INTERPOLL_SOURCE_LOOP_H
#define INTERPOLL_SOURCE_LOOP_H

#include <poll.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "source/source.h"

#define LOOP_TICK_NS (4 * CLOCK_NS_PER_MS)

struct loop_client {
	struct list_head link;
	struct source *source;
	bool is_joined;	     /* loop_is_joined() knows better, after a fork */
	uint32_t generation; /* of the loop it has joined */

	/*
	 * Something in the client's poll set is ready, or its source is due; there
	 * need be no edge to collect.  Called by the loop thread with the loop
	 * lock held; returns whether anybody still waits.  If not, the client has
	 * left.  It makes no other client leave.
	 */
	bool (*ready)(struct loop_client *client);

	unsigned int first, nr; /* the slice of the loop's poll set that is ours */
	uint64_t due_ns;	/* of the source, when the set was laid out */
};

void loop_lock(void);
void loop_unlock(void);

/* The loop lock itself, for callers who note what they hold (engine/section.h). */
struct lock *loop_mutex(void);

/*
 * Have @client, all zero but @source and @ready before its first time, polled
 * from now on; nothing if it is already.  Loop lock held.  Returns 0, or -errno
 * of pthread_create or eventfd when the thread cannot be made.
 */
int loop_join(struct loop_client *client);

/*
 * Stop polling @client.  On return the loop is not inside ready() and holds
 * none of its files.  Nothing if it has not joined.  Loop lock held.
 */
void loop_leave(struct loop_client *client);

/*
 * @client's poll set has grown or changed: the loop must look again.  Nothing if
 * it is NULL or has not joined.  Sources call it themselves.  Loop lock held.
 */
void loop_kick(struct loop_client *client);

/*
 * A file was taken out of @client's poll set: like loop_kick(), and on return
 * the loop holds no reference on it.  Free unless the loop sleeps on this client;
 * then it costs one hop to the loop's thread and back.  Loop lock held.
 */
void loop_expel(struct loop_client *client);

/* Is the loop polling @client?  Loop lock held. */
bool loop_is_joined(const struct loop_client *client);

/*
 * In the child of a fork by a handler that interrupted our own code, which goes on
 * before loop_reset(): there is no thread to wait for.
 */
void loop_fork_interrupted(void);

/*
 * In the child of fork: there is no loop and there are no clients.  Poll sets are
 * whole only if the forking thread held the loop lock over the fork; it is free
 * afterwards in any case.
 */
void loop_reset(void);

#endif
