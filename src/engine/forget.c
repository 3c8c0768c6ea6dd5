// SPDX-License-Identifier: MIT
/*
 * forget.c - the descriptor of a watched file is about to be closed.
 *
 * The kernel forgets a watch with its description, and says nothing; so we must
 * know of every close.  If the description may live on, the watch does too.
 */
#include "engine/internal.h"

/* The first watch of @file through @fd that is no zombie; NULL if there is none. */
static struct eventpoll *ep_first_watcher(struct file *file, int fd)
{
	struct eventpoll *ep = NULL;
	struct epitem *epi;

	section_acquire(&file->wq_lock, file_repair);
	list_for_each_entry(epi, &file->wq, fllink) {
		if (epi->fd == fd && epi->state != ITEM_ZOMBIE) {
			ep = epi->ep;
			break;
		}
	}
	section_release(&file->wq_lock);
	return ep;
}

/* The kernel forgets @epi with its file, or, if somebody else has that, keeps it. */
static void ep_forget_item(struct epitem *epi, bool may_live_on)
{
	struct eventpoll *ep = epi->ep;
	bool is_locked = ep_lock_source(ep);
	int fd = epi->fd;

	if (ep_is_visible(epi))
		probe(ep->counts, PROBE_CLOSED);
	if (ep->is_inherited) {
		ep_remove(epi);
	} else if (may_live_on && ep->source.ops->has_kernel_epoll) {
		ep_settle_loop(ep);
		ep_make_zombie(epi);
	} else {
		if (ep->source.ops->forget)
			ep->source.ops->forget(&ep->source, epi->fd);
		ep_leave(epi);
	}
	selfcheck_changed(&ep->check, "the close", fd);
	ep_unlock_source(is_locked);
}

/* The kernel's eventpoll_release_file(), for one of its descriptors. */
void ep_forget_fd(struct file *file, int fd, bool may_live_on)
{
	struct eventpoll *ep;
	struct epitem *epi;

	if (ep_needs_fix_up) /* the queue of @file is empty until then */
		ep_fix_up();
	while ((ep = ep_first_watcher(file, fd)) != NULL) {
		ep_acquire_mtx(ep);
		epi = ep->is_alive ? ep_find(ep, file, fd) : NULL;
		if (epi)
			ep_forget_item(epi, may_live_on);
		ep_release_mtx(ep);
	}
}
