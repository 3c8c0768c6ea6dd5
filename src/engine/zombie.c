// SPDX-License-Identifier: MIT
/*
 * zombie.c - watches whose descriptor is closed and whose description lives on.
 *
 * The kernel goes on delivering them, and so do we: S keeps them under their tag.
 * We never ask their number anything again, it may be another file's.  A zombie
 * is in no tree; if its number comes to name its description again, S still
 * knows it, and says so when it is added, modified or deleted.
 *
 * Often a description only may have lived on (a fork, long ago), and S has
 * forgotten the watch with its last descriptor.  Zombies above a bound are looked
 * for in what the kernel has registered.
 */
#include "engine/internal.h"

/*
 * The descriptor of @epi, visible or parked, is about to be closed.  Call this
 * before the real close: it may make one MOD.
 */
void ep_make_zombie(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	if (epi->state == ITEM_PARKED) {
		ep_retire(epi);
		return;
	}
	if (ep_keep_by_kernel(epi) < 0)
		return;
	/* who adds it under a number that we take for another file is told by S */
	if (ep_is_dormant(epi) && ep_arm(epi, ep_kernel_mask(epi)) < 0) {
		ep_remove(epi);
		return;
	}
	rb_erase(&ep->rbr, &epi->rbn);
	epi->state = ITEM_ZOMBIE;
	list_add_tail(&epi->rdllink, &ep->zombies);
	probe(ep->counts, PROBE_ZOMBIE);
	if (++ep->nr_zombies > ep->zombies_max)
		ep_sweep_zombies(ep);
}

struct epitem *ep_find_zombie(struct eventpoll *ep, const struct file *file, int fd)
{
	struct epitem *epi;

	if (!file)
		return NULL;
	list_for_each_entry(epi, &ep->zombies, rdllink)
		if (epi->file == file && epi->fd == fd)
			return epi;
	return NULL;
}

/* The number of @epi names its description again: it is live, and stays the kernel's. */
void ep_revive(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	list_del_init(&epi->rdllink);
	ep->nr_zombies--;
	epi->state = ITEM_LIVE;
	rb_insert(&ep->rbr, &epi->rbn, ep_item_compare);
}

/* The source still has a registration under this tag. */
static void ep_see_zombie(void *ctx, const struct source_watch *watch)
{
	bool is_foreign;
	struct epitem *epi = ep_find_tag(ctx, watch->tag, &is_foreign);

	if (epi && epi->state == ITEM_ZOMBIE)
		epi->noise = 1;
}

void ep_sweep_zombies(struct eventpoll *ep)
{
	struct epitem *epi, *next;

	list_for_each_entry(epi, &ep->zombies, rdllink)
		epi->noise = 0;
	if (ep->source.ops->list(&ep->source, ep_see_zombie, ep) == 0)
		list_for_each_entry_safe(epi, next, &ep->zombies, rdllink)
			if (!epi->noise)
				ep_remove(epi);
	ep->zombies_max = 2 * ep->nr_zombies > EP_ZOMBIE_MAX ? 2 * ep->nr_zombies : EP_ZOMBIE_MAX;
}
