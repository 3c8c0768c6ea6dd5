// SPDX-License-Identifier: MIT
/*
 * interrupted.c - epoll_ctl(2) from a handler that interrupted our own code.
 *
 * The handler's thread may hold any lock, and any list may be half changed.  So
 * the kernel judges and does what the handler asks for, under the application's
 * own data, and our books are put right when the interrupted section ends.
 */
#include "engine/internal.h"

#include <errno.h>

#include "real/sys.h"
#include "real/uaccess.h"

/*
 * S has the application's data for @epi, or the section that went on after the
 * handler has put our tag there again.  Either way it is put right: the handler's
 * wish under our tag.  What S cannot modify stays as the handler made it.
 */
static void ep_adopt(struct epitem *epi, int op, const struct epoll_event *event)
{
	struct eventpoll *ep = epi->ep;
	struct epitem *outer;

	if (op == EPOLL_CTL_DEL || ((event->events | epi->event.events) & EPOLLEXCLUSIVE)) {
		ep_remove(epi);
		ep->has_foreign = true;
		return;
	}
	outer = ep_enter_change(epi);
	ep_lock(ep);
	ep_unqueue(epi);
	list_del_init(&epi->rdllink);
	ep->nr_parked -= epi->state == ITEM_PARKED;
	epi->state = ITEM_LIVE;
	epi->event = *event;
	epi->event.events |= EPOLLERR | EPOLLHUP;
	epi->stamp = 0;
	ep_unlock(ep);
	if (ep_rearm(epi, ep_full_mask(epi)) < 0)
		ep_remove(epi);
	ep_exit_change(ep, outer);
}

/* The other half of ep_ctl_interrupted(), when the section has ended. */
static void ep_finish_interrupted(const struct deferred *deferred)
{
	struct epoll_event event = deferred->event;
	struct file *epfile = deferred->object;
	struct file *file = deferred->file;
	struct eventpoll *ep;
	struct epitem *epi;
	bool is_locked;

	ep = ep_acquire(epfile);
	if (!ep)
		return;
	is_locked = ep_lock_source(ep);
	epi = ep_find(ep, file, deferred->fd);
	if (!ep->source.ops->has_kernel_epoll || ep->is_inherited)
		ep_control(ep, deferred->op, deferred->fd, file, &event, NULL);
	else if (epi)
		ep_adopt(epi, deferred->op, &event);
	else
		ep->has_foreign = true;
	ep_unlock_source(is_locked);
	ep_release_mtx(ep);
}

/*
 * Has the application deleted (@file, @fd), although S has it still?  Without the
 * lock: the tree may be in the middle of a change, the slab is whole.
 */
static bool ep_is_parked_unlocked(struct eventpoll *ep, const struct file *file, int fd)
{
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state == ITEM_PARKED && epi->file == file && epi->fd == fd)
			return true;
	}
	return false;
}

/* What S says of a call of a handler's, and what it would say without the park. */
static int ep_ask_kernel_unlocked(struct eventpoll *ep, int op, int fd, const struct file *file,
				  const struct epoll_event *event)
{
	bool is_parked = file && ep_is_parked_unlocked(ep, file, fd);

	if (is_parked && (op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL))
		return -ENOENT;
	if (is_parked && op == EPOLL_CTL_ADD && !(event->events & EPOLLEXCLUSIVE))
		op = EPOLL_CTL_MOD;
	else if (is_parked && op == EPOLL_CTL_ADD)
		sys_epoll_ctl(ep->source.fd, EPOLL_CTL_DEL, fd, NULL);
	return sys_epoll_ctl(ep->source.fd, op, fd, event);
}

int ep_ctl_interrupted(struct file *epfile, int op, int fd, struct file *file,
		       struct epoll_event *event)
{
	struct deferred deferred = {
		.run = ep_finish_interrupted, .object = epfile, .file = file, .op = op, .fd = fd};
	struct eventpoll *ep = epfile->ep;
	int ret;

	if (!ep)
		return -EBADF;
	if (op != EPOLL_CTL_DEL) {
		ret = uaccess_copy_event(&deferred.event, event);
		if (ret < 0)
			return ret;
	}
	if (!ep->source.ops->has_kernel_epoll || ep->is_inherited) {
		if (sys_fcntl(fd, F_GETFD, 0) < 0)
			return -EBADF;
		if (!file) /* the table cannot learn of it here */
			return -ENOMEM;
		return section_defer(&deferred);
	}
	section_early_begin();
	ret = ep_ask_kernel_unlocked(ep, op, fd, file, &deferred.event);
	if (ret == 0 && file)
		section_defer(&deferred);
	section_early_end();
	return ret;
}
