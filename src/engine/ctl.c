// SPDX-License-Identifier: MIT
/*
 * ctl.c - epoll_ctl(2).
 *
 * S judges: every ADD reaches it, and so does whatever our tree knows nothing
 * of.  Control operations on items we keep may take shortcuts, as long as nobody
 * sleeps in S who would have to be woken by them, and with the inline driver
 * only; the thread driver is the plain model and tells the source everything.
 */
#include "engine/internal.h"

#include <errno.h>

#include "real/sys.h"

/*
 * Put a call to S as it is: it fails, or it concerns what was made behind our back.
 * A parked watch is what S knows and the application does not.
 */
static int ep_ask_kernel(struct eventpoll *ep, int op, int fd, const struct file *file,
			 const struct epoll_event *event)
{
	const struct epitem *epi = ep_find(ep, file, fd);

	if (epi && epi->state == ITEM_PARKED)
		return op == EPOLL_CTL_MOD && (event->events & EPOLLEXCLUSIVE) ? -EINVAL : -ENOENT;
	if (!ep->source.ops->has_kernel_epoll)
		return op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL ? -ENOENT
											 : -EINVAL;
	if (op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL)
		ep_forget_foreign(ep, fd);
	return sys_epoll_ctl(ep->source.fd, op, fd, event);
}

/* The item of (@file, @fd) that the application knows; a zombie may have come back. */
static struct epitem *ep_find_visible(struct eventpoll *ep, const struct file *file, int fd)
{
	struct epitem *epi = ep_find(ep, file, fd);

	if (epi)
		return ep_is_visible(epi) ? epi : NULL;
	return ep->nr_zombies ? ep_find_zombie(ep, file, fd) : NULL;
}

static int ep_arm_new(struct epitem *epi)
{
	int ret = ep_arm(epi, ep_full_mask(epi));

	if (ret != -ENOSPC || list_is_empty(&epi->ep->parked))
		return ret;
	ep_empty_park(epi->ep); /* what is parked counts against the user's limit */
	return ep_arm(epi, ep_full_mask(epi));
}

/* The kernel's ep_insert().  @file is referenced by the new item if this returns 0. */
static int ep_insert(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event)
{
	struct epitem *epi, *old = ep_find(ep, file, fd);
	int ret;

	if (old && old->state == ITEM_PARKED) {
		if (ep_unpark(old, event))
			return 0;
		old = NULL;
	} else if (old && old->state == ITEM_UNCONFIRMED && ep_confirm_one(old) < 0) {
		old = NULL;
	}
	if (old && !ep->source.ops->has_kernel_epoll)
		return -EEXIST;

	epi = ep_item_new(ep, fd, event);
	if (!epi)
		return -ENOMEM;
	if (ep_is_for_kernel(ep, file, event->events)) {
		ep_settle_loop(ep);
		ep_set_keeper(epi, KEPT_BY_KERNEL);
	}
	ret = ep_arm_new(epi);
	if (ret < 0) {
		ep_item_free(epi);
		return ret;
	}
	if (old) { /* S did not know it any more: its close passed us by */
		probe(ep->counts, PROBE_REPLACED);
		ep_leave(old);
	}
	ep_item_link(epi, file);
	return 0;
}

static int ep_add(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event)
{
	int ret;

	if (!file)
		return ep_ask_kernel(ep, EPOLL_CTL_ADD, fd, NULL, event);
	if (file->kind == FILE_UNKNOWN)
		file->kind = (uint8_t)file_classify(fd);
	event->events |= EPOLLERR | EPOLLHUP;
	ret = ep_insert(ep, fd, file, event);
	if (ret == 0)
		probe(ep->counts, PROBE_ADD);
	return ret;
}

/*
 * What must S be told when the interest of @epi, kept by us, becomes what it is
 * now?  0: nothing.
 */
static uint32_t ep_mask_to_tell(const struct epitem *epi)
{
	const struct eventpoll *ep = epi->ep;
	uint32_t exact = ep_exact_mask(epi);
	uint32_t superset = epi->armed | exact;

	if (ep->has_loop || !ep->source.ops->has_kernel_epoll)
		return exact;
	if (epi->event.events & EPOLLET) {
		/*
		 * Nothing new to arm: yet an edge that S already has would follow
		 * the one this MOD makes, unless the first shot ends the matter.
		 */
		if (epi->armed == exact && (epi->event.events & EPOLLONESHOT) &&
		    list_is_empty(&ep->waiters))
			return 0;
		return exact;
	}
	if (epi->file->kind == FILE_EVENTFD) /* a superset costs an edge a read */
		superset = exact;
	if (superset == epi->armed && list_is_empty(&ep->waiters))
		return 0;
	return superset;
}

/* MOD of an item that S keeps: its flags, and its own judgement of them. */
static int ep_modify_kept(struct epitem *epi, const struct epoll_event *event)
{
	int ret = ep_rearm(epi, event->events);

	if (ret < 0)
		return ret;
	epi->event = *event;
	return 0;
}

static void ep_set_event(struct epitem *epi, const struct epoll_event *event)
{
	ep_lock(epi->ep);
	epi->event = *event;
	ep_unlock(epi->ep);
}

/* MOD of an item that we keep.  An error leaves it as it was. */
static int ep_modify_ours(struct epitem *epi, const struct epoll_event *event)
{
	struct epoll_event old = epi->event;
	uint32_t mask;
	int ret;

	ep_set_event(epi, event);
	mask = ep_mask_to_tell(epi);
	epi->stamp = 0;
	if (!mask) {
		probe(epi->ep->counts, PROBE_UNVERIFIED);
		ep_queue(epi);
		return 0;
	}
	ret = ep_rearm(epi, mask);
	if (ret < 0) {
		ep_set_event(epi, &old);
		return ret;
	}
	/* S shows it again if it is ready: once is enough where nothing else tells */
	if ((event->events & (EPOLLET | EPOLLONESHOT)) == EPOLLET) {
		ep_lock(epi->ep);
		ep_unqueue(epi);
		ep_unlock(epi->ep);
	}
	return 0;
}

/* MOD of @epi, whoever keeps it; it may be gone after an error. */
static int ep_modify_item(struct epitem *epi, const struct epoll_event *event)
{
	struct eventpoll *ep = epi->ep;
	int ret;

	if (epi->state == ITEM_UNCONFIRMED) {
		epi->event = *event;
		return list_is_empty(&ep->waiters) ? 0 : ep_confirm_one(epi);
	}
	if ((event->events & EPOLLWAKEUP) && ep->source.ops->has_kernel_epoll) {
		ep_settle_loop(ep);
		ret = ep_keep_by_kernel(epi);
		if (ret < 0)
			return ret;
	}
	ret = ep_is_kept_by_kernel(epi) ? ep_modify_kept(epi, event) : ep_modify_ours(epi, event);
	if (ret == -ENOENT) /* its close passed us by */
		ep_remove(epi);
	else if (ret == 0 && epi->state == ITEM_ZOMBIE)
		ep_revive(epi);
	return ret;
}

/* The kernel's ep_modify(). */
static int ep_modify(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event)
{
	struct epitem *epi = ep_find_visible(ep, file, fd), *outer;
	int ret;

	if (!epi)
		return ep_ask_kernel(ep, EPOLL_CTL_MOD, fd, file, event);
	if ((event->events | epi->event.events) & EPOLLEXCLUSIVE)
		return -EINVAL;

	event->events |= EPOLLERR | EPOLLHUP;
	ep->before = epi->event;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ep->modified = epi;
	outer = ep_enter_change(epi);
	ret = ep_modify_item(epi, event);
	ep->modified = NULL; /* and the source is told once more until the change is over */
	ep_exit_change(ep, outer);
	return ret;
}

static int ep_delete(struct eventpoll *ep, int fd, struct file *file)
{
	struct epitem *epi = ep_find_visible(ep, file, fd);

	if (!epi)
		return ep_ask_kernel(ep, EPOLL_CTL_DEL, fd, file, NULL);
	if (epi->state != ITEM_ZOMBIE && ep_can_park(epi)) {
		ep_park(epi);
		return 0;
	}
	return ep_remove_armed(epi);
}

int ep_control(struct eventpoll *ep, int op, int fd, struct file *file, struct epoll_event *event)
{
	int ret;

	switch (op) {
	case EPOLL_CTL_ADD:
		return ep_add(ep, fd, file, event);
	case EPOLL_CTL_MOD:
		ret = ep_modify(ep, fd, file, event);
		if (ret == 0)
			probe(ep->counts, PROBE_MOD);
		return ret;
	case EPOLL_CTL_DEL:
		ret = ep_delete(ep, fd, file);
		if (ret == 0)
			probe(ep->counts, PROBE_DEL);
		return ret;
	default:
		return ep_ask_kernel(ep, op, fd, NULL, event);
	}
}

static const char *ep_op_name(int op)
{
	switch (op) {
	case EPOLL_CTL_ADD:
		return "EPOLL_CTL_ADD";
	case EPOLL_CTL_MOD:
		return "EPOLL_CTL_MOD";
	case EPOLL_CTL_DEL:
		return "EPOLL_CTL_DEL";
	default:
		return "an unknown operation";
	}
}

static int ep_ctl_once(struct file *epfile, int op, int fd, struct file *file,
		       struct epoll_event *event)
{
	struct epoll_event copy = {0};
	struct eventpoll *ep;
	bool is_nesting, is_locked;
	int ret, loop = 0;

	if (op != EPOLL_CTL_DEL) {
		ret = uaccess_copy_event(&copy, event);
		if (ret < 0)
			return ret;
	}
	/* the graph of eventpolls stands still while an edge is added to it */
	is_nesting = op == EPOLL_CTL_ADD && file && file->ep && file != epfile;
	if (is_nesting) {
		nest_lock();
		loop = nest_check_loop(epfile, file);
		if (loop == 0)
			ep_polled(file);
	}
	ep = ep_acquire(epfile);
	if (!ep) {
		ret = -EBADF;
		goto out_nest;
	}
	ret = ep_renew_inherited(ep);
	if (ret < 0)
		goto out;
	is_locked = ep_lock_source(ep);
	if (is_nesting)
		ep_settle(ep);
	ret = nest_check(ep, op, fd, file, copy.events);
	if (ret == 0)
		ret = loop;
	if (ret == 0)
		ret = ep_control(ep, op, fd, file, &copy);
	selfcheck_changed(&ep->check, ep_op_name(op), fd);
	ep_unlock_source(is_locked);
out:
	ep_release_mtx(ep);
out_nest:
	if (is_nesting)
		nest_unlock();
	return ret;
}

int ep_ctl(struct file *epfile, int op, int fd, struct file *file, struct epoll_event *event)
{
	int ret = ep_ctl_once(epfile, op, fd, file, event);

	/* what other eventpolls have parked counts against the user's limit, too */
	if (ret == -ENOSPC && ep_empty_all_parks())
		ret = ep_ctl_once(epfile, op, fd, file, event);
	return ret;
}
