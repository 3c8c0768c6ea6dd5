// SPDX-License-Identifier: MIT
/*
 * insert.c - epoll_ctl(2), EPOLL_CTL_ADD.
 */
#include "engine/internal.h"

#include <errno.h>

static int ep_arm_new(struct epitem *epi)
{
	int ret = ep_arm(epi, ep_full_mask(epi));

	if (ret != -ENOSPC || list_is_empty(&epi->ep->parked))
		return ret;
	ep_empty_park(epi->ep); /* what is parked counts against the user's limit */
	return ep_arm(epi, ep_full_mask(epi));
}

/* What S would say to an ADD of what is watched already, if it were not dormant. */
static int ep_refuse_dormant(uint32_t events)
{
	return (events & EPOLLEXCLUSIVE) && (events & ~EP_EXCLUSIVE_OK) ? -EINVAL : -EEXIST;
}

/* The kernel's ep_insert().  @file is referenced by the new item if this returns 0. */
static int ep_insert(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event,
		     uint32_t *hint)
{
	struct epitem *epi, *old = ep_find_at(ep, file, fd, hint);
	int ret;

	if (old && ep_is_disputed(old))
		old = ep_overtake(old, EPOLL_CTL_ADD);
	if (old && old->state == ITEM_PARKED) {
		if (!ep_resolve(old, EP_DISPUTE_PARKED, 0))
			return -EEXIST; /* a handler has just added it */
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
	ret = old && ep_is_dormant(old) ? ep_refuse_dormant(event->events) : ep_arm_new(epi);
	if (ret < 0) {
		ep_item_free(epi);
		return ret;
	}
	if (old) { /* S did not know it any more: its close passed us by */
		probe(ep->counts, PROBE_REPLACED);
		ep_leave(old);
	}
	ep_item_link(epi, file);
	ep_set_hint(hint, epi);
	return 0;
}

int ep_add(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event,
	   uint32_t *hint)
{
	int ret;

	if (file->kind == FILE_UNKNOWN)
		file->kind = (uint8_t)file_classify(fd);
	event->events |= EPOLLERR | EPOLLHUP;
	ret = ep_insert(ep, fd, file, event, hint);
	if (ret == 0)
		probe(ep->counts, PROBE_ADD);
	return ret;
}
