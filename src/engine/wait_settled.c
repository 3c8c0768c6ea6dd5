// SPDX-License-Identifier: MIT
/*
 * wait_settled.c - waiting in a settled eventpoll: S does it all.
 *
 * Each waiter collects straight into its caller's buffer, so any number of them
 * may sleep at once; what remains to us is to translate tags.
 */
#include "engine/wait.h"

#include <errno.h>

/* Events that S has handed out, and that found no room before it was settled. */
static int wait_take_leftovers(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;

	ep_take_slot(ep, call, EP_SLOT_MAX);
	ep->has_leftovers = !ep_slot_is_empty(ep);
	if (call->n)
		return call->n;
	return ep->has_leftovers ? -EFAULT : -EAGAIN;
}

int wait_settled(struct ep_call *call)
{
	struct epoll_event *buffer = call->args->events + call->n, *end;
	int n;

	if (call->ep->has_leftovers)
		return wait_take_leftovers(call);
	n = wait_sleep_in_source(call, buffer, call->args->maxevents - call->n);
	if (n < 0)
		return call->n ? call->n : n;
	/* in place: events are no more than entries, void ones leave a gap for the next */
	for (int i = 0; i < n; i++) {
		struct epoll_event entry = buffer[i];

		ep_take_entry(call->ep, call, &entry);
	}
	/* that gap must not be news to a later wait that is cancelled in this buffer */
	end = buffer + n;
	for (buffer = call->args->events + call->n; buffer < end; buffer++)
		ep_slot_clear(buffer);
	if (call->n)
		return call->n;
	if (n == 0)
		return call->nothing;
	probe(call->ep->counts, PROBE_WAKE_NOTHING);
	if (wait_time_is_up(call))
		return call->nothing;
	return -EAGAIN;
}

/*
 * Foreign events in the slot had no place in the buffer of who collected them, or the
 * loop has, which has none.  Whether S shows them once more we cannot know: so the
 * call that delivers them asks S for nothing else.  Other waiters have no loop any
 * more, and go and sleep in S.
 */
int wait_foreign(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool is_locked = ep_lock_source(ep);
	bool is_empty;
	int ret;

	ep_take_slot(ep, call, EP_SLOT_MAX);
	is_empty = ep_slot_is_empty(ep);
	if (is_empty && !call->n)
		ep_settle(ep);
	ep_unlock_source(is_locked);
	if (ep->is_settled)
		return -EAGAIN;

	ep_new_stamp(ep);
	ret = ep_send_events(call);
	if (is_empty) {
		is_locked = ep_lock_source(ep);
		ep_settle(ep);
		ep_unlock_source(is_locked);
	} else {
		ep_lock(ep);
		ep_wake_one(ep);
		ep_unlock(ep);
	}
	return ret ? ret : -EFAULT;
}
