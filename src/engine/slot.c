// SPDX-License-Identifier: MIT
/*
 * slot.c - edges on their way from the source to their items.
 *
 * Edges are collected into the slot, memory of the eventpoll's own, so that a
 * thread that leaves by siglongjmp or cancellation takes nothing with it.  An
 * entry that has been dealt with is emptied; one that is not empty is an edge
 * somebody left behind.  The kernel's copy is not atomic, so an empty tag is one
 * of which neither half is ever issued: a torn entry matches nothing.
 *
 * With the inline driver the slot is written by the one thread that sleeps in
 * S, without a lock, or under mtx; with the thread driver under the loop lock.
 */
#include "engine/wait.h"

#include <errno.h>

void ep_slot_clear(struct epoll_event *entry)
{
	entry->events = 0;
	entry->data.u64 = EP_TAG_EMPTY;
}

void ep_slot_init(struct eventpoll *ep)
{
	for (int i = 0; i < EP_SLOT_MAX; i++)
		ep_slot_clear(&ep->slot[i]);
}

bool ep_slot_is_empty(const struct eventpoll *ep)
{
	for (int i = 0; i < EP_SLOT_MAX; i++)
		if (ep->slot[i].data.u64 != EP_TAG_EMPTY)
			return false;
	return true;
}

void ep_begin_collection(struct ep_call *call)
{
	if (++call->ep->nr_collections == 0) /* none */
		call->ep->nr_collections = 1;
	call->collection = call->ep->nr_collections;
}

void ep_new_stamp(struct eventpoll *ep)
{
	if (++ep->stamp == 0) /* what no item's mask is worth */
		ep->stamp = 1;
}

/*
 * S has shown @epi a second time in one batch: it is level, and S has come to its end
 * and begun anew; or another edge has come in between, which S will not tell again.
 */
static void ep_widen_event(struct ep_call *call, const struct epitem *epi, uint32_t events)
{
	for (int i = call->n - 1; i >= 0; i--) {
		struct epoll_event *event = &call->args->events[i];

		if (event->data.u64 == epi->event.data.u64) {
			event->events |= events;
			return;
		}
	}
}

/*
 * An event of an item kept by the kernel is the application's as it stands.  One
 * that comes for a spent item is the stray HUP of settling.
 */
static void ep_take_kept(struct ep_call *call, struct epitem *epi, uint32_t events)
{
	struct probe_counts *counts = epi->ep->counts;

	if (ep_is_spent(epi)) {
		probe(counts, PROBE_FILTERED);
		return;
	}
	if (call->collection && epi->collection == call->collection) {
		ep_widen_event(call, epi, events);
		return;
	}
	epi->collection = call->collection;
	probe(counts, PROBE_KEPT);
	ep_put_event(call, events, epi->event.data.u64);
	if (epi->event.events & EPOLLONESHOT)
		ep_spend(epi);
}

/* An edge for an item kept by us. */
static void ep_take_edge(struct epitem *epi, uint32_t events)
{
	struct eventpoll *ep = epi->ep;
	bool is_wanted;

	probe(ep->counts, PROBE_EDGE);
	if (epi->state == ITEM_PARKED) { /* nobody waits for its return any more */
		ep_retire(epi);
		return;
	}
	if (epi->state == ITEM_UNCONFIRMED) /* confirming it shows it again */
		return;
	ep_lock(ep);
	is_wanted = ep_poll_callback(epi, events);
	ep_unlock(ep);
	if (is_wanted || ++epi->noise < EP_NOISE_MAX)
		return;
	epi->noise = 0;
	if (epi->armed != ep_exact_mask(epi))
		ep_rearm(epi, ep_exact_mask(epi));
}

/*
 * One entry.  Returns false if it must wait for somebody who has a buffer to
 * deliver it to: the loop thread (@call is NULL) has none, and the first foreign
 * event may come when the buffer is full.
 */
bool ep_take_entry(struct eventpoll *ep, struct ep_call *call, const struct epoll_event *entry)
{
	struct epitem *epi;
	bool is_foreign;

	epi = ep_find_tag(ep, entry->data.u64, &is_foreign);
	if (ep->file->is_released && (!epi || epi->state != ITEM_ZOMBIE))
		is_foreign = true; /* the application's own data, as it happens to look */
	if (is_foreign) {
		ep->has_foreign = true;
		if (!call || !ep_has_place(call))
			return false;
		probe(ep->counts, PROBE_FOREIGN);
		ep_put_event(call, entry->events, entry->data.u64);
	} else if (!epi) {
		probe(ep->counts, PROBE_STALE);
	} else if (!ep_is_kept_by_kernel(epi)) {
		ep_take_edge(epi, entry->events);
	} else {
		if (!call)
			return false;
		ep_take_kept(call, epi, entry->events);
	}
	return true;
}

/* One registration of S, for ep_forget_foreign(): @ctx is the descriptor in question. */
struct slot_search {
	struct eventpoll *ep;
	int fd;
};

static void slot_forget(void *ctx, const struct source_watch *watch)
{
	const struct slot_search *search = ctx;
	bool is_foreign;

	ep_find_tag(search->ep, watch->tag, &is_foreign);
	if (watch->fd != search->fd || !is_foreign) /* a zombie may have that number */
		return;
	for (int i = 0; i < EP_SLOT_MAX; i++)
		if (search->ep->slot[i].data.u64 == watch->tag)
			ep_slot_clear(&search->ep->slot[i]);
}

void ep_forget_foreign(struct eventpoll *ep, int fd)
{
	struct slot_search search = {ep, fd};

	if (ep->has_foreign && !ep->is_settled && !ep_slot_is_empty(ep))
		ep->source.ops->list(&ep->source, slot_forget, &search);
}

/* Deal with the first @n entries of the slot, those that are not empty. */
void ep_take_slot(struct eventpoll *ep, struct ep_call *call, int n)
{
	if (call)
		call->nr_taken += n;
	for (int i = 0; i < n; i++) {
		struct epoll_event entry = ep->slot[i];

		if (entry.data.u64 == EP_TAG_EMPTY)
			continue;
		/* emptied first: whoever is interrupted here does not see it twice */
		ep_slot_clear(&ep->slot[i]);
		if (!ep_take_entry(ep, call, &entry))
			ep->slot[i] = entry;
	}
}

/* One that S will tell again if it is asked to. */
static bool ep_can_ask_again(const struct epitem *epi)
{
	return ep_is_kept_by_kernel(epi) && epi->state == ITEM_LIVE &&
	       !(epi->event.events & EPOLLEXCLUSIVE);
}

void ep_give_back(struct ep_call *call)
{
	struct eventpoll *ep = call->ep;
	bool is_slot = call->sink == ep->slot;

	for (int i = 0; i < call->sink_max; i++) {
		struct epoll_event entry;
		struct epitem *epi;
		bool is_foreign;

		if (!is_slot &&
		    !uaccess_is_writable(&call->waiter->buffer, &call->sink[i], sizeof(entry)))
			return; /* nor could S */
		entry = call->sink[i];
		epi = ep_find_tag(ep, entry.data.u64, &is_foreign);
		if (!is_slot && (is_foreign || ep->file->is_released)) {
			/* the application's as it stands, or what S has not written to */
			call->n = (int)(&call->sink[i] - call->args->events) + 1;
			continue;
		}
		if (entry.data.u64 == EP_TAG_EMPTY)
			continue;
		ep_slot_clear(&call->sink[i]);
		if (epi && ep_can_ask_again(epi))
			ep_rearm(epi, epi->event.events);
		else
			ep_take_entry(ep, call, &entry);
	}
}

/*
 * How many edges may be collected at once.  What we keep can be queued however
 * many there are, and the sooner the closer to the kernel's order.  Events that
 * go straight into the caller's buffer must find room there.
 */
int ep_collect_max(struct ep_call *call)
{
	const struct eventpoll *ep = call->ep;

	if (ep->nr_kernel || ep->has_foreign || ep_is_distrusted)
		return ep_room(call);
	return EP_SLOT_MAX;
}

/* Up to the first foreign event, for what S keeps it would show twice. */
int ep_collected(struct ep_call *call, int n, int max)
{
	struct eventpoll *ep = call->ep;

	while (n > 0) {
		ep_take_slot(ep, call, n);
		if (n < max || ep->has_foreign)
			return 0;
		max = ep_collect_max(call);
		n = max ? ep_source_collect(ep, max) : 0;
	}
	return n;
}

/*
 * The loop thread collects: everything there is.  Returns false if it met
 * something only a waiter can deal with.
 */
bool ep_collect_for_loop(struct eventpoll *ep)
{
	int n;

	do {
		n = ep_source_collect(ep, EP_SLOT_MAX);
		if (n > 0)
			ep_take_slot(ep, NULL, n);
	} while (n == EP_SLOT_MAX && !ep->has_foreign);
	return !ep->has_foreign;
}

/*
 * Entries that a sleeper has not come back for: queue their items unverified.  If
 * it never will (@is_abandoned), the kernel is asked again about those it keeps;
 * what cannot be asked again is lost, as it would be with the thread's stack.
 */
void ep_absorb_slot(struct eventpoll *ep, bool is_abandoned)
{
	for (int i = 0; i < EP_SLOT_MAX; i++) {
		struct epitem *epi;
		bool is_foreign;

		if (ep->slot[i].data.u64 == EP_TAG_EMPTY)
			continue;
		epi = ep_find_tag(ep, ep->slot[i].data.u64, &is_foreign);
		if (!epi || epi->state != ITEM_LIVE)
			continue;
		if (!ep_is_kept_by_kernel(epi)) {
			ep_slot_clear(&ep->slot[i]);
			epi->stamp = 0;
			if (!ep_is_spent(epi))
				ep_queue(epi);
		} else if (is_abandoned) {
			ep_slot_clear(&ep->slot[i]);
			if (!(epi->event.events & EPOLLEXCLUSIVE))
				ep_rearm(epi, epi->event.events);
		}
	}
}
