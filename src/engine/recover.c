// SPDX-License-Identifier: MIT
/*
 * recover.c - eventpolls whose owner was cut off in the middle of changing them.
 *
 * Either a signal handler left a section by siglongjmp, or a thread was inside
 * when another forked.  What the slab of items says is live is whole; tree and
 * lists are made anew from it, and every item that may be ready is queued
 * unverified: the recheck drops those that are not.  An edge-triggered watch may
 * be shown once more by this; none is lost.
 */
#include "engine/internal.h"

#include <errno.h>

#include "base/lock.h"

/* The list that an item of this state belongs on. */
static struct list_head *ep_list_of(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	switch ((enum epitem_state)epi->state) {
	case ITEM_PARKED:
		return &ep->parked;
	case ITEM_UNCONFIRMED:
		return &ep->unconfirmed;
	case ITEM_ZOMBIE:
		return &ep->zombies;
	case ITEM_LIVE:
		return ep_is_kept_by_kernel(epi) || ep_is_spent(epi) ? NULL : &ep->rdllist;
	case ITEM_NEW:
		break;
	}
	return NULL;
}

static void ep_rebuild_item(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;
	struct list_head *list = ep_list_of(epi);

	rb_clear(&epi->rbn);
	list_init(&epi->rdllink);
	epi->next = EP_UNACTIVE_PTR;
	epi->stamp = 0;
	if (!ep_is_disputed(epi))
		epi->dispute = epi->state == ITEM_PARKED ? EP_DISPUTE_PARKED : 0;
	if (list)
		list_add_tail(&epi->rdllink, list);
	if (epi->state != ITEM_ZOMBIE)
		rb_insert(&ep->rbr, &epi->rbn, ep_item_compare);
	ep->nr_parked += epi->state == ITEM_PARKED;
	ep->nr_zombies += epi->state == ITEM_ZOMBIE;
	ep->nr_nested += epi->is_nested;
	ep->nr_kernel += ep_is_kept_by_kernel(epi);
}

static bool ep_watches(struct eventpoll *ep, int fd)
{
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state != ITEM_NEW && epi->state != ITEM_ZOMBIE && epi->fd == fd)
			return true;
	}
	return false;
}

/*
 * Half made: it may be armed, and has a file from when it may be on that file's
 * queue.  Half gone: it has its file until it is off the queue.
 */
static void ep_rebuild_gone(struct eventpoll *ep, struct epitem *epi, uint32_t slot)
{
	struct file *file = epi->file;

	if (file) {
		section_acquire(&file->wq_lock, file_repair);
		list_del_init(&epi->fllink);
		section_release(&file->wq_lock);
		epi->file = NULL;
		file_put(file);
	}
	if (epi->armed && !ep->is_inherited && ep_watches(ep, epi->fd))
		selfcheck_left(epi, epi->generation);
	else if (epi->armed)
		ep_source_disarm(epi); /* the ADD was not to be */
	epi->armed = 0;
	slab_free(&ep->items, slot);
}

/*
 * Who was cut off in a MOD has not made it: between its halves there were new events
 * beside old data.
 */
static void ep_undo_change(struct eventpoll *ep)
{
	if (ep->modified)
		ep->modified->event = ep->before;
	ep->modified = NULL;
}

/* Tree and lists of items, from the slab.  Waiters stay where they are. */
void ep_rebuild_lists(struct eventpoll *ep)
{
	uint32_t slot;

	ep->rbr = (struct rb_root_cached)RB_ROOT_CACHED;
	list_init(&ep->rdllist);
	list_init(&ep->parked);
	list_init(&ep->unconfirmed);
	list_init(&ep->zombies);
	list_mend(&ep->waiters);
	list_mend(&ep->wq);
	ep_undo_change(ep);
	ep->ovflist = EP_UNACTIVE_PTR;
	ep->nr_parked = 0;
	ep->nr_zombies = 0;
	ep->nr_nested = 0;
	ep->nr_kernel = 0;
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state != ITEM_NEW)
			ep_rebuild_item(epi);
	}
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state == ITEM_NEW)
			ep_rebuild_gone(ep, epi, slot);
	}
	selfcheck_changed(&ep->check, "a repair", -1);
	probe(ep->counts, PROBE_REBUILT);
}

/*
 * A change of @epi's registration was cut off: before the source knew of it or
 * after, with the old tag or the new one.  Tell it, under one that is newer still.
 * What only can have been being removed is.  (Zombies are changed only through a
 * number that names their description again.)
 */
static void ep_complete_change(struct epitem *epi)
{
	if (epi->state == ITEM_UNCONFIRMED)
		ep_confirm_one(epi);
	else if (epi->state == ITEM_PARKED ||
		 (epi->state == ITEM_LIVE && (epi->event.events & EPOLLEXCLUSIVE)))
		ep_retire(epi);
	else if (epi->state == ITEM_LIVE && ep_is_kept_by_kernel(epi) && ep_can_be_dormant(epi))
		ep_make_dormant(epi);
	else if (epi->state != ITEM_NEW && ep_rearm(epi, ep_full_mask(epi)) == -ENOENT)
		ep_remove(epi);
}

void ep_repair(struct lock *mtx)
{
	struct eventpoll *ep = list_entry(mtx, struct eventpoll, mtx);
	bool is_locked;

	if (!ep->is_alive)
		return;
	is_locked = ep_lock_source(ep); /* the loop thread may be in the lists */
	ep_rebuild_lists(ep);
	if (ep->changing && !ep->is_inherited)
		ep_complete_change(ep->changing);
	ep->changing = NULL;
	ep_unlock_source(is_locked);
}
