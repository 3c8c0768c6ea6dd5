/* SPDX-License-Identifier: MIT */
/*
 * wait.h - a wait in progress, and the steps it is made of; for src/engine only.
 */
#ifndef INTERPOLL_ENGINE_WAIT_H
#define INTERPOLL_ENGINE_WAIT_H

#include "engine/internal.h"

/* A wait in progress. */
struct ep_call {
	struct eventpoll *ep;
	struct waiter *waiter;
	const struct ep_wait_args *args;
	uint64_t timeout_ns;  /* what is left of it */
	uint64_t deadline_ns; /* valid once has_deadline */
	bool has_deadline;
	int nothing; /* what to return with nothing to deliver: 0; -EINTR once a handler ran */
	int n;	     /* events in the caller's buffer */
	uint32_t collection;	  /* in which an item of the kernel's is shown once; 0: no matter */
	int nr_taken;		  /* edges collected in this step, which may all be events */
	struct epoll_event *sink; /* where S writes while we sleep in it; NULL: we do not */
	int sink_max;
	struct list_head requeued; /* level items among the events: not twice in one call */
};

/*
 * spin.c: look for a while before going to sleep in S.
 */

/* What came of it, between the two calls that hold mtx. */
struct ep_spin {
	uint32_t budget_ns; /* at most this long; 0: sleep at once */
	bool is_lesson;	    /* ep->busy is to learn from it ... */
	uint64_t began_ns;  /* ... if it was measured; 0: was not */
	uint64_t ended_ns;  /* of a spin in vain */
	bool has_spun;
	bool has_gained; /* events, and no sleep */
};

/* Once: how many may spin at a time. */
void ep_spin_init(void);

/* Shall the wait spin before its sleep?  mtx held, before wait_begin_sleep(). */
void ep_spin_prepare(struct ep_call *call, struct ep_spin *spin);

/*
 * In place of the sleep, and with what holds for a sleeper: 0 if it is to sleep all
 * the same, for what is left of call->timeout_ns; else what the sleep would return.
 * A cancellation point where it returns -EINTR.
 */
int ep_spin(struct ep_call *call, struct ep_spin *spin);

/*
 * By which number S is to be had just now.  For one that goes on using it without mtx,
 * while the number it knew may be closed.
 */
static inline int ep_source_fd(const struct eventpoll *ep)
{
	return __atomic_load_n(&ep->source.fd, __ATOMIC_RELAXED);
}

/* The sleep, or the spin instead of it, returned @n.  mtx held. */
void ep_spin_done(struct ep_call *call, const struct ep_spin *spin, int n);

/*
 * slot.c: edges from the source to their items.  mtx held, source locked.
 */

/* Masks seen so far are worth nothing from now on. */
void ep_new_stamp(struct eventpoll *ep);

/*
 * What is collected from here on, in several goes but without letting go of mtx, is
 * one batch: S shows what is level again and again.
 */
void ep_begin_collection(struct ep_call *call);

/*
 * How many edges may be collected at once: what must go straight into the buffer
 * has to find room there, everything else can be queued.
 */
int ep_collect_max(struct ep_call *call);

/* @entry has been dealt with: it is no edge any more. */
void ep_slot_clear(struct epoll_event *entry);

/* Has everything that was collected been dealt with? */
bool ep_slot_is_empty(const struct eventpoll *ep);

/* Ask the source for @max edges, into the slot.  How many there are now, or -errno. */
static inline int ep_source_collect(struct eventpoll *ep, int max)
{
	return ep->is_inherited ? 0 : source_collect(&ep->source, ep->slot, max);
}

/* Deal with @n of at most @max edges in the slot, and with what the source has besides. */
int ep_collected(struct ep_call *call, int n, int max);

/* Collect what the source has, and deal with it.  0 or -errno. */
static inline int ep_collect(struct ep_call *call)
{
	int max = ep_collect_max(call);
	int n = max ? ep_source_collect(call->ep, max) : 0;

	return n ? ep_collected(call, n, max) : 0;
}

/*
 * Deal with one edge, or with the first @n entries of the slot that are not empty.
 * @call is NULL in the loop thread, which has no buffer: then false says that the
 * edge is for a waiter to deal with.
 */
bool ep_take_entry(struct eventpoll *ep, struct ep_call *call, const struct epoll_event *entry);
void ep_take_slot(struct eventpoll *ep, struct ep_call *call, int n);

/*
 * The waiter has been cancelled: nobody will return what S has written into its
 * sink.  Others shall see it; what cannot be asked again stands in the caller's
 * buffer, as it would with the kernel.
 */
void ep_give_back(struct ep_call *call);

/*
 * send.c: from the ready list into the caller's buffer.  mtx held.
 */

/*
 * The kernel's ep_send_events().  Returns how many events the caller has now;
 * -EFAULT if there are some and not even one could be written.
 */
int ep_send_events(struct ep_call *call);

/*
 * Verify what the next scan will deliver first, and find out whether S has edges: both
 * by one poll(2).  Inline driver only.
 */
bool ep_recheck_ahead(struct ep_call *call);

/* Append one event to the buffer, which has a place for it. */
void ep_put_event(struct ep_call *call, uint32_t events, uint64_t data);
bool ep_has_place(struct ep_call *call);

/* How many edges may be collected should each be an event; at most what the slot holds. */
int ep_room(struct ep_call *call);

/* The call is over: what it delivered and is still level queues up again. */
void ep_requeue(struct ep_call *call);

/* -------- the three ways to wait; mtx held before and after -------- */

/*
 * Each returns the number of events, call->nothing when the time is up, -errno,
 * or -EAGAIN: look again, perhaps another way.
 */
int wait_inline(struct ep_call *call);
int wait_thread(struct ep_call *call);
int wait_settled(struct ep_call *call);

/*
 * A foreign event has been seen: S is to keep everything.  But first, what was
 * collected and could not be delivered.
 */
int wait_foreign(struct ep_call *call);

/* What they share.  Around a sleep: on ep->waiters, without mtx and section. */
void wait_begin_sleep(struct ep_call *call);
void wait_end_sleep(struct ep_call *call, int n); /* @n: what the sleep returned */

/* __attribute__((cleanup)) of the sleeper, NULL when it is awake: it was cancelled. */
void wait_cancelled(struct ep_call **sleeper);

/* Sleep in S, into @buffer; a cancellation point.  Returns what S returned. */
int wait_sleep_in_source(struct ep_call *call, struct epoll_event *buffer, int max);

/* Nothing was delivered: is the time up?  Brings timeout_ns up to date if not. */
bool wait_time_is_up(struct ep_call *call);

#endif
