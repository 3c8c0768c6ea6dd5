// SPDX-License-Identifier: MIT
/*
 * keep.c - who keeps an item ready: we, or the kernel.
 *
 * Handing an item over must neither lose an event nor show one twice.  A MOD in S
 * makes S look at the file anew and voids what was collected before, so it is
 * right for whatever is pending or level; an edge-triggered item that is neither
 * would be shown again, and is left untouched: it is armed as the application
 * would have armed it.
 */
#include "engine/internal.h"

#include <errno.h>

#include "engine/nest.h"

/*
 * Must the kernel keep a watch of @file with @events from the start?  EXCLUSIVE
 * is about others who wait for the file; WAKEUP about the time until the event
 * is fetched; a file that tells a thing only once must not be asked twice; and one
 * that answers each thread differently, not by the loop's.
 */
bool ep_is_for_kernel(const struct eventpoll *ep, const struct file *file, uint32_t events)
{
	if (!ep->source.ops->has_kernel_epoll)
		return false;
	return ep->is_settled || (events & (EPOLLEXCLUSIVE | EPOLLWAKEUP)) ||
	       file->kind == FILE_ONCE || (file->kind == FILE_SIGNALFD && ep->has_loop);
}

/* Armed as the application armed it, with nothing under way: S may take over as it is. */
static bool ep_is_kept_alike(const struct epitem *epi)
{
	return epi->state == ITEM_LIVE && !ep_is_linked(epi) && !ep_is_spent(epi) &&
	       (epi->event.events & EPOLLET) && !(epi->event.events & EPOLLONESHOT) &&
	       epi->armed == ep_exact_mask(epi);
}

/*
 * A spent one-shot is best not at the source, which would report ERR and HUP.  An
 * eventpoll has neither, and must be there, to be counted where eventpolls are nested;
 * and where closes pass us by, S must be there to say so.
 */
bool ep_can_be_dormant(const struct epitem *epi)
{
	return ep_is_spent(epi) && epi->state != ITEM_UNCONFIRMED &&
	       epi->file->kind != FILE_EVENTPOLL && !ep_is_distrusted;
}

/* Its tag is void, and what S says does not matter: it may have forgotten the file. */
void ep_make_dormant(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;
	uint32_t generation = epi->generation;

	ep_set_keeper(epi, KEPT_BY_KERNEL);
	epi->armed = 0; /* first: who is cut off here is completed by doing it again */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (ep_source_disarm(epi) < 0)
		selfcheck_left(epi, generation);
	ep_lock(ep);
	ep_renew(epi);
	ep_unlock(ep);
	probe(ep->counts, PROBE_DISARMED);
}

/*
 * From now on the kernel keeps @epi, which is LIVE or UNCONFIRMED.  -ENOENT or
 * -EBADF if S does not know it: a close passed us by.  Then it is gone.
 */
int ep_keep_by_kernel(struct epitem *epi)
{
	bool was_unconfirmed = epi->state == ITEM_UNCONFIRMED;
	struct eventpoll *ep = epi->ep;
	struct epitem *outer;
	int ret = 0;

	if (ep_is_kept_by_kernel(epi))
		return 0;
	outer = ep_enter_change(epi);
	if (ep_can_be_dormant(epi)) {
		ep_unqueue(epi);
		ep_make_dormant(epi);
	} else if (!ep_is_kept_alike(epi)) {
		ep_unqueue(epi);
		ret = ep_rearm(epi, ep_kernel_mask(epi));
		if (ret == -ENOENT && was_unconfirmed)
			ret = ep_arm(epi, ep_kernel_mask(epi));
	}
	if (ret < 0) {
		ep_remove(epi);
	} else {
		if (was_unconfirmed)
			ep_set_live(epi);
		ep_set_keeper(epi, KEPT_BY_KERNEL);
	}
	ep_exit_change(ep, outer);
	return ret;
}

/*
 * Settle: the kernel keeps all of @ep, for good.  S is not drained first; what
 * the slot holds counts as pending.
 */
void ep_settle(struct eventpoll *ep)
{
	struct epitem *epi, *next;
	struct list_head pending;
	uint32_t slot;

	if (ep->is_settled || !ep->source.ops->has_kernel_epoll)
		return;
	ep_absorb_slot(ep, false);
	ep_empty_park(ep);

	list_init(&pending);
	list_splice_tail_init(&ep->rdllist, &pending);
	list_for_each_entry_safe(epi, next, &pending, rdllink)
		ep_keep_by_kernel(epi);
	slab_for_each(slot, &ep->items) {
		epi = slab_at(&ep->items, slot);
		if (ep_is_visible(epi))
			ep_keep_by_kernel(epi);
	}

	selfcheck_changed(&ep->check, "settling", -1);
	ep->is_settled = true;
	/* not what a sleeper of the inline driver is about to take from its slot */
	ep->has_leftovers = ep->has_foreign && (ep->has_loop || list_is_empty(&ep->waiters));
	probe(ep->counts, PROBE_SETTLED);
	if (!ep->has_loop)
		return;
	/* those who sleep on our wait queue go and sleep in S */
	loop_leave(&ep->client);
	ep_lock(ep);
	ep_wake_all(ep);
	ep_unlock(ep);
	ep->has_loop = false;
}

/*
 * The kernel is about to keep an item: a loop that collected that would spin, or
 * take what is another waiter's.
 */
void ep_settle_loop(struct eventpoll *ep)
{
	if (ep->has_loop)
		ep_settle(ep);
}

/* Give @epi to the application: S has its own flags and data from now on. */
static void ep_release_item(struct epitem *epi)
{
	uint64_t data = epi->event.data.u64;

	if (ep_is_dormant(epi)) {
		ep_source_arm(epi, ep_kernel_mask(epi), data);
	} else if (epi->event.events & EPOLLEXCLUSIVE) {
		ep_source_disarm(epi);
		ep_source_arm(epi, epi->event.events, data);
	} else {
		ep_source_rearm(epi, ep_kernel_mask(epi), data);
	}
}

void ep_release(struct file *epfile)
{
	struct eventpoll *ep = ep_acquire(epfile);
	bool is_locked;
	uint32_t slot;

	if (!ep)
		return;
	if (ep_renew_inherited(ep) < 0) { /* S is the parent's, who goes on with it */
		ep_release_mtx(ep);
		return;
	}
	is_locked = ep_lock_source(ep);
	if (!ep->file->is_released && ep->source.ops->has_kernel_epoll) {
		ep_settle(ep);
		slab_for_each(slot, &ep->items) {
			struct epitem *epi = slab_at(&ep->items, slot);

			if (epi->state == ITEM_LIVE)
				ep_release_item(epi);
		}
		ep->file->is_released = true;
		probe(ep->counts, PROBE_RELEASED);
	}
	ep_unlock_source(is_locked);
	ep_release_mtx(ep);
}

/*
 * Somebody polls the epfd.  Only the kernel can be exact about S; without one, the
 * identity shows from now on whether something is ready, and the loop stays.
 */
void ep_polled(struct file *epfile)
{
	struct eventpoll *ep = ep_acquire(epfile);
	bool is_locked;

	if (!ep)
		return;
	if (ep_renew_inherited(ep) < 0) {
		ep_release_mtx(ep);
		return;
	}
	is_locked = ep_lock_source(ep);
	ep_settle(ep);
	if (!ep->source.ops->has_kernel_epoll) {
		ep->is_polled = true;
		loop_join(&ep->client);
		nest_refresh(ep);
	}
	ep_unlock_source(is_locked);
	ep_release_mtx(ep);
}
