// SPDX-License-Identifier: MIT
/*
 * nest.c - what the kernel checks in epoll_ctl(2), for a source without a kernel.
 *
 * S makes these checks itself; for the poll source they are made here, in the
 * kernel's order, so that the same call fails with the same error.
 */
#include "engine/nest.h"

#include <errno.h>

#include "real/beacon.h"
#include "real/sys.h"

/* The kernel's EP_MAX_NESTS: eventpolls below the outermost. */
#define NEST_MAX 4

/*
 * Protects the graph of eventpolls that watch each other while it is searched:
 * nobody adds to it meanwhile.  Only its holder takes more than one mtx.
 */
static struct lock nest_mutex = LOCK_INIT(LOCK_NESTING);

void nest_lock(void)
{
	if (ep_needs_fix_up) /* the search takes the locks of eventpolls itself */
		ep_fix_up();
	section_acquire(&nest_mutex, NULL);
}

void nest_unlock(void)
{
	section_release(&nest_mutex);
}

void nest_break(void)
{
	lock_tear(&nest_mutex);
}

void nest_reset(void)
{
	lock_reset(&nest_mutex);
}

/*
 * How many eventpolls deep @file reaches, itself not counted; more than NEST_MAX
 * if @goal is among them.
 */
static int nest_depth_below(struct file *file, const struct file *goal, int depth)
{
	struct eventpoll *ep = file->ep;
	int deepest = 0;
	uint32_t slot;

	if (file == goal || depth > NEST_MAX)
		return NEST_MAX + 1;
	if (!ep)
		return 0;
	section_acquire_nested(&ep->mtx, (unsigned int)depth, ep_repair);
	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);
		int below;

		if (!ep_is_visible(epi) || !epi->file->ep)
			continue;
		below = nest_depth_below(epi->file, goal, depth + 1) + 1;
		deepest = below > deepest ? below : deepest;
	}
	section_release(&ep->mtx);
	return deepest;
}

/* How many eventpolls are stacked on top of @file. */
static int nest_depth_above(struct file *file, int depth)
{
	int highest = 0;
	struct epitem *epi;

	if (depth > NEST_MAX)
		return depth;
	section_acquire_nested(&file->wq_lock, (unsigned int)depth, file_repair);
	list_for_each_entry(epi, &file->wq, fllink) {
		int above = nest_depth_above(epi->ep->file, depth + 1) + 1;

		highest = above > highest ? above : highest;
	}
	section_release(&file->wq_lock);
	return highest;
}

int nest_check_loop(struct file *epfile, struct file *target)
{
	const struct eventpoll *ep = epfile->ep;

	if (!ep || ep->source.ops->has_kernel_epoll)
		return 0;
	if (nest_depth_below(target, epfile, 0) + 1 + nest_depth_above(epfile, 0) > NEST_MAX)
		return -ELOOP;
	return 0;
}

/* Is @epi ready?  What it watches has been refreshed. */
static bool nest_is_ready(const struct epitem *epi)
{
	struct pollfd file = {.fd = epi->fd, .events = (short)(epi->event.events & 0xffff)};

	return sys_poll_now(&file, 1) < 0 || ((uint32_t)file.revents & epi->event.events);
}

/* Drop from the ready list what is ready no longer, as the kernel's scan does. */
static void nest_recheck(struct eventpoll *ep)
{
	struct epitem *epi, *next;

	ep_lock(ep);
	list_for_each_entry_safe(epi, next, &ep->rdllist, rdllink) {
		if (nest_is_ready(epi))
			break; /* one is enough to be ready */
		list_del_init(&epi->rdllink);
		if (ep->source.ops->lapsed)
			ep->source.ops->lapsed(&ep->source, epi->fd, 0);
	}
	ep_show_ready(ep);
	ep_unlock(ep);
}

static void nest_refresh_below(struct eventpoll *ep)
{
	uint32_t slot;

	if (!ep->nr_nested)
		return;
	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state == ITEM_LIVE && epi->is_nested && epi->file->ep)
			nest_refresh(epi->file->ep);
	}
}

/*
 * The loop lock alone will do for all of them: control calls hold it as well, and
 * ADD has seen to it that there is no loop in the graph.
 */
void nest_refresh(struct eventpoll *ep)
{
	if (ep->source.ops->has_kernel_epoll || !ep->is_alive)
		return;
	nest_refresh_below(ep);
	ep_collect_for_loop(ep);
	if (ep->is_polled)
		nest_recheck(ep);
}

int nest_check(const struct eventpoll *ep, int op, int fd, const struct file *file, uint32_t events)
{
	if (sys_fcntl(fd, F_GETFD, 0) < 0)
		return -EBADF;
	/* what has no poll of its own; an ADD that is not EXCLUSIVE is told so when it is armed */
	if ((op != EPOLL_CTL_ADD || (events & EPOLLEXCLUSIVE)) &&
	    (!file || list_is_empty(&file->wq)) && beacon_ask(ep->source.fd, fd) == -EPERM)
		return -EPERM;
	if (file == ep->file)
		return -EINVAL;
	if (!(events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && ((file && file->ep) || (events & ~EP_EXCLUSIVE_OK)))
		return -EINVAL;
	return 0;
}
