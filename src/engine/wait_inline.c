// SPDX-License-Identifier: MIT
/*
 * wait_inline.c - waiting with the inline driver: no loop, no hop.
 *
 * The thread that waits sleeps in S with the caller's own timeout and mask, and
 * turns the edges it wakes up with into callbacks itself.  There is one slot, so
 * there is one sleeper; a second thread settles the eventpoll.
 */
#include "engine/wait.h"

#include <errno.h>

/*
 * While the kernel keeps items too, we take turns who is first, so that neither
 * starves the other in a small buffer.
 */
static int wait_take_turns(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool kernel_first = ep->kernel_first;
	int ret;

	ep->kernel_first = !kernel_first;
	if (!kernel_first) {
		ret = ep_send_events(call);
		if (ret < 0 || call->n == call->args->maxevents)
			return ret;
	}
	ret = ep_collect(call);
	if (ret < 0)
		return call->n ? call->n : ret;
	return ep_send_events(call);
}

/*
 * Collect, then deliver.  Edges confirm what was left on the ready list, so that
 * nothing has to be asked about that; but where S had none the last time, it is asked
 * together with what is left.
 */
static int wait_collect_and_send(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool has_leftovers = !list_is_empty(&ep->rdllist), has_edges = true;
	int ret;

	ep_new_stamp(ep);
	ep_begin_collection(call);
	if (__builtin_expect(ep->nr_kernel || ep->has_foreign, 0))
		return wait_take_turns(call);
	if (has_leftovers && ep->rechecks_first)
		has_edges = ep_recheck_ahead(call);
	if (has_edges) {
		ret = ep_collect(call);
		if (ret < 0)
			return call->n ? call->n : ret;
	}
	if (has_leftovers)
		ep->rechecks_first = !call->nr_taken;
	else if (list_is_empty(&ep->rdllist))
		return call->n;
	return ep_send_events(call);
}

/*
 * The sleeper is back with @n edges in the slot.  A handler that waited meanwhile
 * may have absorbed them: the tags tell.
 */
static int wait_woken(struct ep_call *call, int n, int max)
{
	struct eventpoll *ep = call->ep;
	int ret;

	ep_new_stamp(ep);
	ep_begin_collection(call);
	ep_take_slot(ep, call, n);
	if (n == max && !ep->has_foreign) { /* more may be there */
		ret = ep_collect(call);
		if (ret < 0 && !call->n)
			return ret;
	}
	ret = ep_send_events(call);
	if (ret != 0)
		return ret;
	if (call->waiter->was_interrupted)
		return -EINTR;
	probe(ep->counts, PROBE_WAKE_NOTHING);
	return wait_time_is_up(call) ? 0 : -EAGAIN;
}

/*
 * Somebody settled the eventpoll while we slept: what we have is delivered as far
 * as it is still true; everything else is in S again.
 */
static int wait_woken_settled(struct ep_call *call, int n)
{
	ep_take_slot(call->ep, call, n);
	/* edges left untouched by the settling: their items are the kernel's now */
	if (call->n)
		return call->n;
	return n == 0 || wait_time_is_up(call) ? 0 : -EAGAIN;
}

/* Is everything that S may have to show what the program asked for, and nothing else? */
static bool wait_is_armed_exactly(struct eventpoll *ep)
{
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state == ITEM_NEW || ep_is_kept_by_kernel(epi))
			continue;
		if (epi->state != ITEM_LIVE || ep_is_spent(epi) || epi->armed != ep_exact_mask(epi))
			return false;
	}
	return true;
}

/*
 * The caller's buffer cannot be written: EFAULT as soon as there is something to
 * write, which stays where it is.  S must not say so for what nobody asked for: then
 * it is better to let it keep everything.
 */
static int wait_nowhere(struct ep_call *call)
{
	struct epoll_event entry;
	int n;

	ep_new_stamp(call->ep);
	n = ep_send_events(call);
	if (n != 0)
		return n;
	if (!wait_is_armed_exactly(call->ep)) {
		ep_settle(call->ep);
		return -EAGAIN;
	}
	n = wait_sleep_in_source(call, call->args->events, 1);
	if (n <= 0)
		return n;
	entry = call->args->events[0]; /* so it can be written by now */
	ep_take_entry(call->ep, call, &entry);
	return call->n ? call->n : -EAGAIN;
}

static int wait_sleep(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	int max, n;

	call->nr_taken = 0;  /* no event came of it */
	max = ep_room(call); /* it may be settled when we are back */
	n = wait_sleep_in_source(call, ep->slot, max);
	if (n < 0)
		return n;
	if (ep->is_settled)
		return wait_woken_settled(call, n);
	if (n == 0 && list_is_empty(&ep->rdllist))
		return 0;
	return wait_woken(call, n, max);
}

int wait_inline(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	int ret;

	if (!list_is_empty(&ep->waiters)) {
		if (ep_has_other_waiters(ep)) {
			ep_settle(ep);
			return -EAGAIN;
		}
		ep_absorb_slot(ep, false); /* a wait of our own that a handler interrupted */
	}
	if (ep->has_foreign)
		return wait_foreign(call);
	ep_confirm(ep);
	if (ep_room(call) == 0)
		return wait_nowhere(call);

	if (!list_is_empty(&ep->rdllist) || call->timeout_ns == 0) {
		ret = wait_collect_and_send(call);
		if (ret != 0)
			return ret;
		if (call->timeout_ns == 0)
			return call->nothing;
	}
	return wait_sleep(call);
}
