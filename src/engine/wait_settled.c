// SPDX-License-Identifier: MIT
/*
 * wait_settled.c - waiting in a settled eventpoll: S does it all.
 *
 * Each waiter collects straight into its caller's buffer, so any number of them
 * may sleep at once; what remains to us is to translate tags.
 */
#include "engine/internal.h"

#include <errno.h>

int wait_settled(struct ep_call *call)
{
	const struct ep_wait_args *args = call->args;
	int n;

	n = wait_sleep_in_source(call, args->events, args->maxevents);
	if (n < 0)
		return n;
	/* in place: events are no more than entries, void ones leave a gap for the next */
	for (int i = 0; i < n; i++) {
		struct epoll_event entry = args->events[i];

		ep_take_entry(call->ep, call, &entry);
	}
	if (call->n)
		return call->n;
	if (n == 0)
		return call->nothing;
	probe(call->ep->counts, PROBE_WAKE_NOTHING);
	if (wait_time_is_up(call))
		return call->nothing;
	return -EAGAIN;
}
