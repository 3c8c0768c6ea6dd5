// SPDX-License-Identifier: MIT
/*
 * wait.c - epoll_wait(2): what the three ways to wait have in common.
 *
 *	wait_inline	the thread that waits sleeps in S and runs the callbacks itself
 *	wait_thread	it sleeps on our wait queue, the poll loop runs the callbacks
 *	wait_settled	it sleeps in S, which keeps everything
 *
 * An eventpoll may change its way while somebody sleeps in it; so each way is one
 * step, and the loop here takes the way that is right now.
 */
#include "engine/wait.h"

#include <errno.h>

#include "base/clock.h"

/* Our own place on ep->waiters keeps @ep for us. */
static void wait_give_back(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool is_locked;

	ep_acquire_mtx(ep);
	if (call->waiter->ep == ep && !ep->is_inherited) {
		is_locked = ep_lock_source(ep);
		ep_give_back(call);
		ep_unlock_source(is_locked);
	}
	ep_release_mtx(ep);
}

void wait_cancelled(struct ep_call **sleeper)
{
	struct ep_call *call = *sleeper;

	if (!call || !section_enter())
		return;
	if (call->sink)
		wait_give_back(call);
	if (call->waiter->ep)
		ep_waiter_abandoned(call->waiter);
	waiter_put(call->waiter);
	section_leave();
}

void wait_begin_sleep(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;

	/* from here on, whoever changes what we wait for knows that we must hear of it */
	call->waiter->ep = ep;
	list_add_tail(&call->waiter->link, &ep->waiters);
	probe(ep->counts, PROBE_SLEEP);
	if (call->timeout_ns != CLOCK_FOREVER && !call->has_deadline) {
		call->deadline_ns = clock_deadline_ns(clock_now_ns(), call->timeout_ns);
		call->has_deadline = true;
	}
	ep_release_mtx(ep);
	section_leave();
}

void wait_end_sleep(struct ep_call *call, int n)
{
	struct eventpoll *ep = call->ep;

	section_resume(&call->waiter->mark);
	ep_acquire_mtx(ep);
	list_del_init(&call->waiter->link);
	call->waiter->ep = NULL;
	if (n > 0)
		probe(ep->counts, PROBE_WAKE_EVENT);
	else if (n == 0)
		probe(ep->counts, PROBE_WAKE_TIMEOUT);
	else if (n == -EINTR)
		probe(ep->counts, PROBE_WAKE_SIGNAL);
}

int wait_sleep_in_source(struct ep_call *call, struct epoll_event *buffer, int max)
{
	struct eventpoll *ep = call->ep;
	int (*sleep)(int, struct epoll_event *, int, uint64_t, const sigset_t *);
	struct ep_call *sleeper __attribute__((cleanup(wait_cancelled)));
	struct ep_spin spin;
	int fd, n = 0;

	sleeper = call;
	call->sink = buffer;
	call->sink_max = max;
	sleep = ep->source.ops->sleep;
	fd = ep->source.fd;
	ep_spin_prepare(call, &spin);
	wait_begin_sleep(call);
	if (spin.budget_ns) {
		n = ep_spin(call, &spin);
		fd = ep_source_fd(ep);
	}
	if (n == 0)
		n = sleep(fd, buffer, max, call->timeout_ns, call->args->sigmask);
	sleeper = NULL;
	call->sink = NULL;
	wait_end_sleep(call, n);
	ep_spin_done(call, &spin, n);
	return n;
}

bool wait_time_is_up(struct ep_call *call)
{
	if (call->timeout_ns == CLOCK_FOREVER)
		return false;
	if (call->has_deadline)
		call->timeout_ns = clock_left_ns(call->deadline_ns, clock_now_ns());
	return call->timeout_ns == 0;
}

static int wait_step(struct ep_call *call)
{
	call->collection = 0;
	call->nr_taken = 0; /* what came to nothing takes no room of what comes now */
	if (call->ep->is_settled)
		return wait_settled(call);
	return call->ep->has_loop ? wait_thread(call) : wait_inline(call);
}

int ep_wait(struct file *epfile, const struct ep_wait_args *args)
{
	struct ep_call call = {.args = args, .timeout_ns = args->timeout_ns};
	int ret;

	list_init(&call.requeued);
	if (!uaccess_ok(args->events, (size_t)args->maxevents * sizeof(*args->events)))
		return -EFAULT;
	call.waiter = waiter_get();
	if (!call.waiter)
		return -ENOMEM;
	call.ep = ep_acquire(epfile);
	if (!call.ep) {
		waiter_put(call.waiter);
		return -EBADF;
	}
	probe(call.ep->counts, PROBE_WAIT);
	ret = ep_renew_inherited(call.ep);
	if (ret == 0) {
		do
			ret = wait_step(&call);
		while (ret == -EAGAIN);
	}
	if (ret > 0)
		probe(call.ep->counts, PROBE_RETURN);
	ep_requeue(&call);
	ep_put(call.ep);
	waiter_put(call.waiter);
	return ret;
}
