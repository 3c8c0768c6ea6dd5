// SPDX-License-Identifier: MIT
/*
 * ready.c - the ready list, the overflow list, and waking up.
 *
 * An item sits on rdllist while it may be ready.  A scan (ep_send_events) takes
 * the whole list as its own, txlist, and decides item by item without the lock;
 * callbacks that arrive meanwhile put their item on ovflist, which the end of
 * the scan merges back.  Order after a scan is the kernel's: what the scan did
 * not get to, what arrived meanwhile, what was delivered and is still level.
 */
#include "engine/internal.h"

void ep_queue(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	if (ep_is_linked(epi))
		return;
	list_add_tail(&epi->rdllink, &ep->rdllist);
	ep_show_ready(ep);
}

/* Rare, so the search of a list that is nearly always empty is no matter. */
static void ep_leave_ovflist(struct epitem *epi)
{
	struct epitem **link = &epi->ep->ovflist;

	if (!ep_is_scanning(epi->ep) || !ep_on_ovflist(epi))
		return;
	while (*link && *link != epi)
		link = &(*link)->next;
	if (*link)
		*link = epi->next;
	epi->next = EP_UNACTIVE_PTR;
}

void ep_unqueue(struct epitem *epi)
{
	if (ep_is_linked(epi))
		list_del_init(&epi->rdllink);
	ep_leave_ovflist(epi);
}

/*
 * The kernel's ep_poll_callback(): the file of @epi was woken, and @revents is
 * what it had to show when that was collected.  Returns false for an edge that
 * nobody has asked for.  ep->lock held.
 */
bool ep_poll_callback(struct epitem *epi, uint32_t revents)
{
	struct eventpoll *ep = epi->ep;

	/* spent: callbacks stay quiet until it is modified */
	if (ep_is_spent(epi) || !(revents & epi->event.events)) {
		probe(ep->counts, PROBE_FILTERED);
		return false;
	}
	epi->noise = 0;
	epi->revents = revents;
	epi->stamp = ep->stamp;

	if (ep_is_scanning(ep)) {
		if (!ep_on_ovflist(epi)) {
			epi->next = ep->ovflist;
			ep->ovflist = epi;
			probe(ep->counts, PROBE_OVERFLOW);
		}
	} else if (ep_is_linked(epi)) {
		probe(ep->counts, PROBE_ALREADY_QUEUED);
	} else {
		ep_queue(epi);
		probe(ep->counts, PROBE_QUEUED);
	}
	ep_wake_one(ep);
	return true;
}

/* All that is ready is the scan's; ep->ovflist takes what comes. */
void ep_enter_scan(struct eventpoll *ep, struct list_head *txlist)
{
	list_init(txlist);
	ep_lock(ep);
	list_splice_tail_init(&ep->rdllist, txlist);
	ep->ovflist = NULL;
	ep_unlock(ep);
}

/*
 * Give back what is left of @txlist.  ovflist is last in first out: each of its
 * items goes before the ones already merged.
 */
void ep_exit_scan(struct eventpoll *ep, struct list_head *txlist)
{
	struct epitem *epi, *next;

	ep_lock(ep);
	for (epi = ep->ovflist; epi; epi = next) {
		next = epi->next;
		epi->next = EP_UNACTIVE_PTR;
		if (!ep_is_linked(epi))
			list_add(&epi->rdllink, &ep->rdllist);
	}
	ep->ovflist = EP_UNACTIVE_PTR;
	list_splice_head_init(txlist, &ep->rdllist);
	ep_show_ready(ep);
	if (!list_is_empty(&ep->rdllist))
		ep_wake_one(ep);
	ep_unlock(ep);
}

/*
 * Wake the waiter that came last; it leaves the queue, so that the next wakeup
 * is another's.  ep->lock held.
 */
void ep_wake_one(struct eventpoll *ep)
{
	struct waiter *waiter;

	if (list_is_empty(&ep->wq))
		return;
	waiter = list_first_entry(&ep->wq, struct waiter, wq_link);
	list_del_init(&waiter->wq_link);
	waiter->was_woken = true;
	probe(ep->counts, PROBE_WOKEN);
	waiter_wake(waiter);
}

void ep_wake_all(struct eventpoll *ep)
{
	while (!list_is_empty(&ep->wq))
		ep_wake_one(ep);
}

/*
 * Whoever polls or watches an eventpoll of the poll source polls its identity: let
 * it be readable while something may be ready.  ep->lock held.
 */
void ep_show_ready(struct eventpoll *ep)
{
	bool is_ready = !list_is_empty(&ep->rdllist);

	if (!ep->is_polled || ep->is_shown_ready == is_ready)
		return;
	ep->is_shown_ready = is_ready;
	ep->source.ops->show(&ep->source, is_ready);
}
