// SPDX-License-Identifier: MIT
/*
 * send.c - the scan: from the ready list into the caller's buffer.
 *
 * The kernel asks each file again as it delivers (ep_item_poll()).  We ask in
 * batches, by one poll(2), and only about those that no edge of this very call
 * has just confirmed.  Where no edges are to be expected, the same poll(2) asks whether
 * S has any.
 */
#include "engine/wait.h"

#include <errno.h>

#include "real/sys.h"

/* Files to be asked about, and which items they are the files of. */
struct ep_recheck {
	struct pollfd set[EP_RECHECK_MAX + 1];
	struct epitem *items[EP_RECHECK_MAX];
	unsigned int nr;
};

static bool ep_is_verified(const struct epitem *epi)
{
	return epi->stamp == epi->ep->stamp;
}

/* The events of @epi as poll(2) asks for them. */
static short ep_poll_mask(const struct epitem *epi)
{
	return (short)(epi->event.events & ~EP_PRIVATE_BITS & 0xffff);
}

/*
 * poll(2) takes no more files than the limit on descriptors, which may have been
 * lowered: ask about half of them, and then about the others.
 */
static int ep_poll_now(struct pollfd *set, unsigned int nr)
{
	int ret = sys_poll_now(set, nr);

	if (ret != -EINVAL || nr == 1)
		return ret;
	ret = ep_poll_now(set, nr / 2);
	return ret < 0 ? ret : ep_poll_now(set + nr / 2, nr - nr / 2);
}

/* poll(2) itself failed, for memory is out: let the source say again what is ready. */
static void ep_recheck_failed(struct epitem *epi)
{
	epi->revents = 0;
	epi->stamp = epi->ep->stamp;
	ep_rearm(epi, epi->armed);
}

/* The first @max items of @list, as far as they are not verified. */
static void ep_gather(struct ep_recheck *recheck, const struct list_head *list, unsigned int max)
{
	struct epitem *epi;

	recheck->nr = 0;
	list_for_each_entry(epi, list, rdllink) {
		if (max-- == 0)
			break;
		if (ep_is_verified(epi))
			continue;
		recheck->items[recheck->nr] = epi;
		recheck->set[recheck->nr] =
			(struct pollfd){.fd = epi->fd, .events = ep_poll_mask(epi)};
		recheck->nr++;
	}
}

/* What poll(2) said, @ret, is what the items show now. */
static void ep_verify(struct eventpoll *ep, const struct ep_recheck *recheck, int ret)
{
	bool tells_source = ep->source.ops->lapsed != NULL, is_locked = false;

	if (ret < 0 || (tells_source && recheck->nr))
		is_locked = ep_lock_source(ep);
	for (unsigned int i = 0; i < recheck->nr; i++) {
		struct epitem *epi = recheck->items[i];

		if (ret < 0) {
			ep_recheck_failed(epi);
			continue;
		}
		epi->revents = (uint32_t)(unsigned short)recheck->set[i].revents;
		epi->stamp = ep->stamp;
		if (epi->revents & epi->event.events)
			probe(ep->counts, PROBE_RECHECK_READY);
		else
			probe(ep->counts, PROBE_RECHECK_DROPPED);
		if (tells_source)
			ep->source.ops->lapsed(&ep->source, epi->fd, epi->revents);
	}
	ep_unlock_source(is_locked);
}

/* Verify the first @max items of @txlist, asking about those that need it. */
static void ep_recheck(struct eventpoll *ep, const struct list_head *txlist, unsigned int max)
{
	struct ep_recheck recheck;

	ep_gather(&recheck, txlist, max);
	if (recheck.nr)
		ep_verify(ep, &recheck, ep_poll_now(recheck.set, recheck.nr));
}

/* How many items of a scan are asked about in one go, if @room are wanted. */
static unsigned int ep_batch(int room)
{
	return room < EP_RECHECK_MAX ? (unsigned int)room : EP_RECHECK_MAX;
}

bool ep_recheck_ahead(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	struct ep_recheck recheck;
	int ret;

	ep_gather(&recheck, &ep->rdllist, ep_batch(call->args->maxevents));
	recheck.set[recheck.nr] = (struct pollfd){.fd = ep->source.fd, .events = POLLIN};
	ret = ep_poll_now(recheck.set, recheck.nr + 1);
	ep_verify(ep, &recheck, ret);
	return ret < 0 || recheck.set[recheck.nr].revents;
}

/* Write one event behind those the caller has; there is room. */
void ep_put_event(struct ep_call *call, uint32_t events, uint64_t data)
{
	call->args->events[call->n++] = (struct epoll_event){.events = events, .data.u64 = data};
	probe(call->ep->counts, PROBE_DELIVERED);
}

/* Can one event more be written into the caller's buffer? */
bool ep_has_place(struct ep_call *call)
{
	const struct ep_wait_args *args = call->args;

	return call->n < args->maxevents &&
	       uaccess_is_writable(&call->waiter->buffer, &args->events[call->n],
				   sizeof(struct epoll_event));
}

/* One shot fired: quiet until it is modified. */
void ep_spend(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	ep_lock(ep);
	epi->event.events &= EP_PRIVATE_BITS;
	ep_unlock(ep);
	probe(ep->counts, PROBE_ONESHOT);
}

/*
 * Deliver @epi, the first of a scan's list, or drop it.  Returns false, and
 * leaves it where it is, if the caller's buffer cannot be written.
 */
static bool ep_send_one(struct ep_call *call, struct epitem *epi)
{
	struct eventpoll *ep = call->ep;
	uint32_t revents = epi->revents & epi->event.events;

	if (revents && !uaccess_is_writable(&call->waiter->buffer, &call->args->events[call->n],
					    sizeof(struct epoll_event)))
		return false;
	list_del_init(&epi->rdllink);
	epi->stamp = 0; /* what has been delivered is news no more */
	if (!revents)
		return true;
	ep_put_event(call, revents, epi->event.data.u64);
	if (epi->event.events & EPOLLONESHOT) {
		ep_spend(epi);
	} else if (!(epi->event.events & EPOLLET)) {
		list_add_tail(&epi->rdllink, &call->requeued);
		probe(ep->counts, PROBE_REQUEUED);
	}
	return true;
}

/*
 * The kernel's ep_send_events(): deliver from the ready list until the caller
 * has what he asked for or nothing is left.  Returns how many events he has now,
 * -EFAULT if not even one could be written.
 */
int ep_send_events(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	struct list_head txlist;
	bool can_write = true;

	ep_enter_scan(ep, &txlist);
	while (can_write && call->n < call->args->maxevents && !list_is_empty(&txlist)) {
		unsigned int batch = ep_batch(call->args->maxevents - call->n);

		ep_recheck(ep, &txlist, batch);
		while (can_write && batch-- > 0 && !list_is_empty(&txlist))
			can_write = ep_send_one(call,
						list_first_entry(&txlist, struct epitem, rdllink));
	}
	ep_exit_scan(ep, &txlist);
	return call->n || can_write ? call->n : -EFAULT;
}

/*
 * The call is over: what it delivered and is still level queues up again, behind
 * whatever arrived meanwhile.
 */
void ep_requeue(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;

	if (list_is_empty(&call->requeued))
		return;
	ep_lock(ep);
	list_splice_tail_init(&call->requeued, &ep->rdllist);
	ep_show_ready(ep);
	ep_wake_one(ep);
	ep_unlock(ep);
}

/*
 * How many more edges may be collected for the caller, should each be an event for
 * him: as far as his buffer can be written, and no more than the slot holds.
 */
int ep_room(struct ep_call *call)
{
	const struct ep_wait_args *args = call->args;
	int nr_spoken_for = call->n > call->nr_taken ? call->n : call->nr_taken;
	int room = args->maxevents - nr_spoken_for;

	if (room < 0) /* edges that were not events for him do not count, but may be many */
		return 0;
	if (room > EP_SLOT_MAX)
		room = EP_SLOT_MAX;
	while (room > 0 && !uaccess_is_writable(&call->waiter->buffer, &args->events[call->n],
						(size_t)room * sizeof(struct epoll_event)))
		room /= 2;
	return room;
}
