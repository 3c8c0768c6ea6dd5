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

#include "engine/nest.h"
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
static struct epitem *ep_find_visible(struct eventpoll *ep, int op, const struct file *file, int fd,
				      uint32_t *hint)
{
	struct epitem *epi = ep_find_at(ep, file, fd, hint);

	if (epi && ep_is_disputed(epi))
		epi = ep_overtake(epi, op);
	if (epi)
		return ep_is_visible(epi) ? epi : NULL;
	return ep->nr_zombies ? ep_find_zombie(ep, file, fd) : NULL;
}

/*
 * What must S be told when the interest of @epi, kept by us, becomes @events?  0:
 * nothing.
 */
static uint32_t ep_mask_to_tell(const struct epitem *epi, uint32_t events)
{
	const struct eventpoll *ep = epi->ep;
	uint32_t exact = ep_exact_mask_of(ep, events);
	uint32_t superset = epi->armed | exact;

	if (ep->has_loop || !ep->source.ops->has_kernel_epoll)
		return exact;
	if (events & EPOLLET) {
		/*
		 * Nothing new to arm: yet an edge that S already has would follow
		 * the one this MOD makes, unless the first shot ends the matter.
		 */
		if (epi->armed == exact && (events & EPOLLONESHOT) && list_is_empty(&ep->waiters))
			return 0;
		return exact;
	}
	if (epi->is_exact)
		superset = exact;
	if (superset == epi->armed && list_is_empty(&ep->waiters))
		return 0;
	return superset;
}

/* MOD of an item that S keeps: its flags, and its own judgement of them. */
static int ep_modify_kept(struct epitem *epi, const struct epoll_event *event)
{
	int ret = ep_is_dormant(epi) ? ep_arm(epi, event->events) : ep_rearm(epi, event->events);

	if (ret == -EEXIST) /* a handler has been here just now */
		ret = ep_rearm(epi, event->events);
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

/* MOD of an item that we keep, of which S must hear.  An error leaves it as it was. */
static int ep_modify_ours(struct epitem *epi, const struct epoll_event *event)
{
	struct epoll_event old = epi->event;
	int ret;

	ep_set_event(epi, event);
	epi->stamp = 0;
	ret = ep_rearm(epi, ep_mask_to_tell(epi, event->events));
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

/* Between these two, who is cut off has not modified @epi: ep_rebuild_lists(). */
static void ep_enter_modify(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	ep->before = epi->event;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ep->modified = epi;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void ep_exit_modify(struct eventpoll *ep)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ep->modified = NULL;
}

/*
 * The common MOD by far: S need not hear of it, and whether the file is ready is asked
 * at the next wait.  Returns false if there is more to it.  Nothing is half done where
 * only the conditions change.
 */
static inline bool ep_modify_unverified(struct epitem *epi, const struct epoll_event *event)
{
	struct eventpoll *ep = epi->ep;
	uint32_t events = event->events | EPOLLERR | EPOLLHUP;

	if (epi->state != ITEM_LIVE || epi->dispute || ep_is_kept_by_kernel(epi) ||
	    (events & (EPOLLEXCLUSIVE | EPOLLWAKEUP)) || ep_mask_to_tell(epi, events))
		return false;

	if (__builtin_expect(epi->event.data.u64 != event->data.u64, 0)) {
		ep_enter_modify(epi);
		epi->event.data.u64 = event->data.u64;
		epi->event.events = events;
		ep_exit_modify(ep);
	} else {
		epi->event.events = events;
	}
	epi->stamp = 0;
	probe(ep->counts, PROBE_UNVERIFIED);
	probe(ep->counts, PROBE_MOD);
	ep_queue(epi);
	return true;
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
static int ep_modify(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event,
		     uint32_t *hint)
{
	struct epitem *epi = ep_find_visible(ep, EPOLL_CTL_MOD, file, fd, hint), *outer;
	int ret;

	if (!epi)
		return ep_ask_kernel(ep, EPOLL_CTL_MOD, fd, file, event);
	if ((event->events | epi->event.events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	if (ep_modify_unverified(epi, event))
		return 0;

	event->events |= EPOLLERR | EPOLLHUP;
	ep_enter_modify(epi);
	outer = ep_enter_change(epi);
	ret = ep_modify_item(epi, event);
	ep_exit_modify(ep); /* and the source is told once more until the change is over */
	ep_exit_change(ep, outer);
	if (ret == 0)
		probe(ep->counts, PROBE_MOD);
	return ret;
}

static int ep_delete(struct eventpoll *ep, int fd, struct file *file, uint32_t *hint)
{
	struct epitem *epi = ep_find_visible(ep, EPOLL_CTL_DEL, file, fd, hint);

	if (!epi)
		return ep_ask_kernel(ep, EPOLL_CTL_DEL, fd, file, NULL);
	if (epi->state != ITEM_ZOMBIE && ep_can_park(epi) &&
	    ep_resolve(epi, 0, EP_DISPUTE_PARKED)) {
		ep_park(epi);
		return 0;
	}
	return ep_remove_armed(epi);
}

int ep_control(struct eventpoll *ep, int op, int fd, struct file *file, struct epoll_event *event,
	       uint32_t *hint)
{
	int ret;

	switch (op) {
	case EPOLL_CTL_ADD:
		if (!file)
			return ep_ask_kernel(ep, op, fd, NULL, event);
		return ep_add(ep, fd, file, event, hint);
	case EPOLL_CTL_MOD:
		return ep_modify(ep, fd, file, event, hint);
	case EPOLL_CTL_DEL:
		ret = ep_delete(ep, fd, file, hint);
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

/*
 * What S need not hear of is over before anything else is looked at: an item found in
 * one step is whole, and its eventpoll has a source of its own.
 */
static inline bool ep_ctl_quickly(struct eventpoll *ep, int fd, const struct file *file,
				  const struct epoll_event *event, const uint32_t *hint)
{
	struct epitem *epi;

	if (!hint || ep->is_inherited)
		return false;
	epi = ep_find_hinted(ep, file, fd, __atomic_load_n(hint, __ATOMIC_RELAXED));
	if (!epi || !ep_modify_unverified(epi, event))
		return false;
	selfcheck_changed(&ep->check, "EPOLL_CTL_MOD", fd);
	return true;
}

/* Everything else; @loop is what nest_check_loop() said.  mtx held. */
static __attribute__((noinline)) int ep_ctl_locked(struct eventpoll *ep, int op, int fd,
						   struct file *file, struct epoll_event *event,
						   uint32_t *hint, const int *loop)
{
	bool is_locked;
	int ret;

	ret = ep_renew_inherited(ep);
	if (ret < 0)
		return ret;
	is_locked = ep_lock_source(ep);
	if (loop)
		ep_settle(ep);
	if (!ep->source.ops->has_kernel_epoll)
		ret = nest_check(ep, op, fd, file, event->events);
	if (ret == 0 && loop)
		ret = *loop;
	if (ret == 0)
		ret = ep_control(ep, op, fd, file, event, hint);
	selfcheck_changed(&ep->check, ep_op_name(op), fd);
	ep_unlock_source(is_locked);
	return ret;
}

/* ADD of another eventpoll: the graph of them stands still while an edge is added to it. */
static int ep_add_nested(struct file *epfile, int fd, struct file *file, struct epoll_event *event,
			 uint32_t *hint)
{
	struct eventpoll *ep;
	int loop, ret = -EBADF;

	nest_lock();
	loop = nest_check_loop(epfile, file);
	if (loop == 0)
		ep_polled(file);
	ep = ep_acquire(epfile);
	if (ep) {
		ret = ep_ctl_locked(ep, EPOLL_CTL_ADD, fd, file, event, hint, &loop);
		ep_release_mtx(ep);
	}
	nest_unlock();
	return ret;
}

static inline __attribute__((always_inline)) int ep_ctl_once(struct file *epfile, int op, int fd,
							     struct file *file,
							     struct epoll_event *event,
							     uint32_t *hint)
{
	struct eventpoll *ep;
	int ret = 0;

	if (op == EPOLL_CTL_ADD && file && file->ep && file != epfile)
		return ep_add_nested(epfile, fd, file, event, hint);
	ep = ep_acquire(epfile);
	if (!ep)
		return -EBADF;
	if (op != EPOLL_CTL_MOD || !ep_ctl_quickly(ep, fd, file, event, hint))
		ret = ep_ctl_locked(ep, op, fd, file, event, hint, NULL);
	ep_release_mtx(ep);
	return ret;
}

int ep_ctl(struct file *epfile, int op, int fd, struct file *file, struct epoll_event *event,
	   uint32_t *hint)
{
	struct epoll_event copy = {0};
	int ret;

	if (op != EPOLL_CTL_DEL) {
		ret = uaccess_copy_event(&copy, event);
		if (ret < 0)
			return ret;
	}
	ret = ep_ctl_once(epfile, op, fd, file, &copy, hint);
	/* what other eventpolls have parked counts against the user's limit, too */
	if (__builtin_expect(ret == -ENOSPC, 0) && ep_empty_all_parks())
		ret = ep_ctl_once(epfile, op, fd, file, &copy, hint);
	return ret;
}
