// SPDX-License-Identifier: MIT
/*
 * wait_settled.c - waiting in a settled eventpoll: S does it all.
 *
 * Each waiter collects straight into its caller's buffer, so any number of them
 * may sleep at once; what remains to us is to translate tags.
 */
#include "engine/wait.h"

#include <errno.h>

int wait_settled(struct ep_call *call)
{
	struct epoll_event *buffer = call->args->events + call->n;
	int n;

	n = wait_sleep_in_source(call, buffer, call->args->maxevents - call->n);
	if (n < 0)
		return call->n ? call->n : n;
	/* in place: events are no more than entries, void ones leave a gap for the next */
	for (int i = 0; i < n; i++) {
		struct epoll_event entry = buffer[i];

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

/*
 * The eventpoll has been settled in the middle of a wait that may have events
 * already: whatever else there is belongs to the same wait.
 */
int wait_go_on_settled(struct ep_call *call)
{
	if (call->n == call->args->maxevents)
		return call->n;
	if (call->n)
		call->timeout_ns = 0;
	return -EAGAIN;
}
