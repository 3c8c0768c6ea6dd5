/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - a thread inside epoll_wait.
 *
 * Each thread has a waiter, made at its first wait and freed when the thread
 * ends.  While the thread sleeps it is on its eventpoll's list of waiters; with
 * the `thread' driver it is also on the wait queue and sleeps on a beacon of its
 * own.  (A futex would do for waking, but not for sleeping: only a real epoll_wait
 * takes a signal mask, ends with EINTR whatever SA_RESTART says and after SIGCONT,
 * and is a cancellation point.)
 *
 * A signal handler that waits while its thread sleeps gets a waiter more,
 * stacked on the interrupted one.  A thread may also leave a wait by siglongjmp:
 * waiter_leave().  Should that pass us by, its waiter shows it at the thread's next
 * wait, by the frame that is no longer there, or, if the thread has ended, by its tid.
 */
#ifndef INTERPOLL_ENGINE_WAITER_H
#define INTERPOLL_ENGINE_WAITER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/section.h"
#include "real/uaccess.h"

struct eventpoll;

struct waiter {
	struct list_head link;	  /* on ep->waiters; under ep->mtx */
	struct list_head wq_link; /* on ep->wq; under ep->lock */
	struct eventpoll *ep;	  /* asleep in whose wait; NULL: awake */
	struct section_mark mark; /* of the wait */
	struct waiter *outer;	  /* the wait of this thread that a handler interrupted */
	struct uaccess buffer;	  /* where this thread's buffers are known to be */
	bool was_interrupted;	  /* a handler made a wait of its own while we slept */
	bool was_woken;		  /* taken off wq by a wakeup; under ep->lock */
	int tid;
	int wakefd; /* thread driver: beacon to sleep on; -1: not made yet */
	uint32_t slot;
};

/*
 * Once, before any other function here.  Early in the program's life: a thread
 * needs no memory for a value of one of its first keys.
 */
void waiter_init(void);

/*
 * The waiter for a wait that the calling thread begins inside its section; NULL
 * when memory is out.  Cleans up after abandoned waits of the thread, which may
 * take the mtx of their eventpolls: none may be held.
 */
struct waiter *waiter_get(void);

/* The wait has returned. */
void waiter_put(struct waiter *waiter);

/* The innermost waiter of this thread. */
extern __thread struct waiter *waiter_mine __attribute__((tls_model("initial-exec")));

/* Has a handler interrupted a sleep of the calling thread, or a handler's wait? */
static inline bool waiter_is_inside(void)
{
	const struct waiter *waiter = waiter_mine;

	return waiter && (waiter->ep || waiter->outer);
}

/*
 * The calling thread is about to jump to @sp (section_is_left()): it is off the lists
 * of the waits it leaves.  Inside a section; may take the mtx of their eventpolls.
 */
void waiter_leave(uintptr_t sp);

/* Will @waiter never come back?  Its thread has ended, or is ours and left the wait. */
bool waiter_is_gone(const struct waiter *waiter);

/* Is @waiter the calling thread's? */
bool waiter_is_own(const struct waiter *waiter);

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

/*
 * In the child of fork: only the calling thread is left, and what it was on is the
 * parent's.  waiter->ep says still where it slept.
 */
void waiter_reset_all(void);

/* Visit the waits that the calling thread is in the middle of, innermost first. */
void waiter_for_each_own(void (*visit)(struct waiter *waiter));

/* Before that, where a handler forked and what it interrupted goes on: see lock_tear(). */
void waiter_fork_interrupted(void);

/*
 * Called for a waiter that left its wait without a word, or whose thread ends
 * inside one: take it off the lists it is on.  Set once, by the engine.
 */
extern void (*waiter_abandoned)(struct waiter *waiter);

#endif
