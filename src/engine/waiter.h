/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - a thread inside epoll_wait.
 *
 * Each thread has one waiter, made at its first wait and freed when the thread
 * ends.  It is on its eventpoll's list of waiters from the moment it has
 * decided to sleep until it is back; with the `thread' driver it is also on
 * the wait queue and sleeps on a descriptor of its own.  (A futex would do for
 * waking, but not for sleeping: only a real wait takes a signal mask, ends
 * with EINTR whatever SA_RESTART says, and is a cancellation point.)
 *
 * A thread may leave a wait by siglongjmp and never say so.  Its waiter shows
 * it: at the thread's next wait, or, if the thread has ended, to whoever asks
 * waiter_is_gone().
 */
#ifndef INTERPOLL_ENGINE_WAITER_H
#define INTERPOLL_ENGINE_WAITER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct eventpoll;

struct waiter {
	struct list_head link;	  /* on ep->waiters; under ep->mtx */
	struct list_head wq_link; /* on ep->wq; under ep->lock */
	struct eventpoll *ep;	  /* inside whose wait; NULL: outside */
	uint64_t visit;		  /* counts waits: a wait that finds another number was abandoned */
	int tid;
	int wakefd; /* thread driver: eventfd to sleep on; -1: not made yet */
	uint32_t slot;
	uint32_t fork_count; /* the process that wakefd belongs to */
};

/*
 * The calling thread's waiter; NULL when memory is out.  Not to be called
 * while the thread's waiter might be on a list of another process: see
 * waiter_reset().
 */
struct waiter *waiter_self(void);

/* Has the thread of @waiter ended? */
bool waiter_is_gone(const struct waiter *waiter);

/* Make the descriptor that @waiter sleeps on, if it has none.  0 or -errno. */
int waiter_open(struct waiter *waiter);

/*
 * Sleep until waiter_wake(), at most @timeout_ns, with @sigmask (may be NULL).
 * 1 woken, 0 time is up, -EINTR.  A cancellation point; no lock held.
 */
int waiter_sleep(struct waiter *waiter, uint64_t timeout_ns, const sigset_t *sigmask);

/* Wake @waiter, now or when it goes to sleep.  Any context. */
void waiter_wake(struct waiter *waiter);

/* Forget wakeups that were meant for an earlier sleep. */
void waiter_drain(struct waiter *waiter);

/* In the child of fork: only the calling thread is left, and it waits nowhere. */
void waiter_reset_all(void);

/* Called with each descriptor number a waiter takes for itself.  Set once at start. */
extern void (*waiter_reserve_fd)(int fd);

/* Called when the thread of @waiter, still inside a wait, ends. */
extern void (*waiter_abandoned)(struct waiter *waiter);

#endif
