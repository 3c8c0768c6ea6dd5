// SPDX-License-Identifier: MIT
/*
 * park.c - deleted watches that stay armed for a while.
 *
 * Servers delete a watch and add it again within one turn of their loop.  A
 * deleted item is parked: gone for the application, but armed.  If it is added
 * again it is UNCONFIRMED until the next wait, which tells S by one MOD; should S
 * not know it any more, its close was never seen by us and it is added anew.  An
 * edge, a close, or too many others in the park end it.
 */
#include "engine/internal.h"

#include <errno.h>

/* Watches that S and nobody else may add and delete are never parked. */
bool ep_can_park(const struct epitem *epi)
{
	const struct eventpoll *ep = epi->ep;

	return !ep->has_loop && !ep->has_foreign && !ep_is_distrusted &&
	       ep->source.ops->has_kernel_epoll && !ep_is_kept_by_kernel(epi) &&
	       epi->file->kind != FILE_EVENTPOLL;
}

void ep_park(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	ep_unqueue(epi);
	epi->state = ITEM_PARKED;
	list_move_tail(&epi->rdllink, &ep->parked);
	ep->nr_parked++;
	probe(ep->counts, PROBE_PARKED);
	if (ep->nr_parked > EP_PARK_MAX)
		ep_retire(list_first_entry(&ep->parked, struct epitem, rdllink));
}

/*
 * @epi is parked and is being added again.  Returns true if that is done; if
 * not, the item is gone from our tree and from S, to be added as a new one.
 */
bool ep_unpark(struct epitem *epi, const struct epoll_event *event)
{
	struct eventpoll *ep = epi->ep;

	if (event->events & (EPOLLEXCLUSIVE | EPOLLWAKEUP)) {
		ep_retire(epi);
		return false;
	}
	ep->nr_parked--;
	epi->event = *event;
	epi->state = ITEM_UNCONFIRMED;
	list_move_tail(&epi->rdllink, &ep->unconfirmed);
	if (!list_is_empty(&ep->waiters) && ep_confirm_one(epi) < 0)
		return false;
	probe(ep->counts, PROBE_UNPARKED);
	return true;
}

/* S has been told of @epi, unconfirmed until now. */
void ep_set_live(struct epitem *epi)
{
	list_del_init(&epi->rdllink);
	epi->stamp = 0;
	epi->state = ITEM_LIVE;
}

/*
 * Tell S of @epi.  0, or -errno: then S does not take it and it is gone.  It is
 * unconfirmed until S knows: who is cut off here leaves it to be told once more.
 */
int ep_confirm_one(struct epitem *epi)
{
	int ret = ep_rearm(epi, ep_exact_mask(epi));

	if (ret == -ENOENT)
		ret = ep_arm(epi, ep_exact_mask(epi));
	if (ret < 0)
		ep_remove(epi);
	else
		ep_set_live(epi);
	return ret;
}

void ep_confirm(struct eventpoll *ep)
{
	while (!list_is_empty(&ep->unconfirmed))
		ep_confirm_one(list_first_entry(&ep->unconfirmed, struct epitem, rdllink));
}

void ep_empty_park(struct eventpoll *ep)
{
	while (!list_is_empty(&ep->parked))
		ep_retire(list_first_entry(&ep->parked, struct epitem, rdllink));
}

bool ep_empty_all_parks(void)
{
	bool has_emptied = false;

	for (uint32_t slot = 0; slot < slab_limit(&ep_pool.slab); slot++) {
		struct eventpoll *ep = slab_at(&ep_pool.slab, slot);

		if (!ep->nr_parked) /* a glance; also of a slot that was never used */
			continue;
		ep_acquire_mtx(ep);
		if (ep->is_alive && !ep->is_inherited && ep->nr_parked) {
			bool is_locked = ep_lock_source(ep);

			ep_empty_park(ep);
			ep_unlock_source(is_locked);
			has_emptied = true;
		}
		ep_release_mtx(ep);
	}
	return has_emptied;
}
