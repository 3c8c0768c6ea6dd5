// SPDX-License-Identifier: MIT
/*
 * wait_thread.c - waiting with the thread driver: the kernel's own architecture.
 *
 * The poll loop stands for the softirq: it collects edges and runs callbacks.
 * Waiters sleep on the eventpoll's wait queue and are woken one by one, the last
 * to come first.  Callbacks that meet a scan go to the overflow list.
 */
#include "engine/wait.h"

#include <errno.h>

#include "engine/nest.h"

/*
 * The poll loop found something: the hook of loop.h.  The loop lock is held, and
 * with it everything that has left the source is here.
 */
bool ep_loop_ready(struct loop_client *client)
{
	struct eventpoll *ep = list_entry(client, struct eventpoll, client);
	bool goes_on = ep_collect_for_loop(ep), has_waiters;

	ep_lock(ep);
	has_waiters = !list_is_empty(&ep->wq);
	if (!goes_on) /* what is left in the slot is for a waiter to take */
		ep_wake_one(ep);
	ep_unlock(ep);
	return goes_on && (has_waiters || ep->is_polled);
}

/* No mask is worth anything here: the loop may have collected it long ago. */
static int wait_thread_collect(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	int ret;

	if (ep->nr_nested)
		nest_refresh(ep);
	ret = ep_collect(call);
	ep_new_stamp(ep);
	return ret < 0 && !call->n ? ret : 0;
}

/* Queue up to be woken.  Returns false if there is something to look at first. */
static bool wait_thread_enqueue(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool is_ready;

	ep_lock(ep);
	is_ready = !list_is_empty(&ep->rdllist);
	if (!is_ready) {
		call->waiter->was_woken = false;
		list_add(&call->waiter->wq_link, &ep->wq);
	}
	ep_unlock(ep);
	return !is_ready;
}

/* Off the queue.  Returns whether a wakeup has taken us off it already. */
static bool wait_thread_dequeue(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool was_woken;

	ep_lock(ep);
	list_del_init(&call->waiter->wq_link);
	was_woken = call->waiter->was_woken;
	call->waiter->was_woken = false;
	ep_unlock(ep);
	return was_woken;
}

static int wait_thread_join(struct eventpoll *ep)
{
	int ret;

	ep_lock_loop();
	ret = loop_join(&ep->client);
	ep_unlock_loop();
	return ret;
}

/*
 * A wakeup must not be lost on a waiter that leaves for another reason: it takes
 * one last look.
 */
static int wait_thread_woken(struct ep_call *call, int n)
{
	bool was_woken = wait_thread_dequeue(call);

	if (n == -EINTR || call->waiter->was_interrupted)
		call->nothing = -EINTR;
	else if (n < 0)
		return n;
	else if (n > 0 && !wait_time_is_up(call))
		return -EAGAIN;
	if (!was_woken && !call->ep->is_settled)
		return call->nothing;
	call->timeout_ns = 0;
	return -EAGAIN;
}

static int wait_thread_sleep(struct ep_call *call)
{
	struct ep_call *sleeper __attribute__((cleanup(wait_cancelled)));
	struct eventpoll *ep = call->ep;
	int ret, n;

	sleeper = NULL;
	ret = waiter_open(call->waiter);
	if (ret < 0)
		return ret;
	waiter_drain(call->waiter);
	/* first on the queue: a loop that finds nobody there drops the eventpoll */
	if (!wait_thread_enqueue(call))
		return -EAGAIN;
	ret = wait_thread_join(ep);
	if (ret < 0) {
		wait_thread_dequeue(call);
		return ret;
	}

	sleeper = call;
	wait_begin_sleep(call);
	n = waiter_sleep(call->waiter, call->timeout_ns, call->args->sigmask);
	sleeper = NULL;
	if (n == -EBADF) /* a handler has just forked, and the beacon was the parent's */
		n = 1;
	wait_end_sleep(call, n);
	return wait_thread_woken(call, n);
}

int wait_thread(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool is_foreign;
	int ret = 0;

	ep_lock_loop();
	is_foreign = ep->has_foreign;
	if (!is_foreign)
		ret = wait_thread_collect(call);
	ep_unlock_loop();
	if (is_foreign)
		return wait_foreign(call);
	if (ret < 0)
		return ret;
	ret = ep_send_events(call);
	if (ret != 0)
		return ret;
	if (ep->has_foreign) /* seen just now, and not delivered: there was no place */
		return -EAGAIN;
	if (call->timeout_ns == 0)
		return call->nothing;
	ret = wait_thread_sleep(call);
	if (ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM) {
		/* without a place of our own to sleep in, S must do; or nobody can */
		ep_lock_loop();
		ep_settle(ep);
		ep_unlock_loop();
		return ep->is_settled ? -EAGAIN : ret;
	}
	return ret;
}
