/* SPDX-License-Identifier: MIT */
/*
 * item.h - what an item is called, what its state means, and what its source is told
 * of it; a part of internal.h.
 */
#ifndef INTERPOLL_ENGINE_ITEM_H
#define INTERPOLL_ENGINE_ITEM_H

#include "engine/internal.h"

/* -------- tags: salt 16 | slot 24 | generation 24 -------- */

#define EP_TAG_EMPTY	  UINT64_MAX /* never issued, nor is either half of it */
#define EP_GENERATION_MAX 0xfffffeu  /* 0 and 0xffffff are never issued */

static inline uint64_t ep_tag(const struct epitem *epi)
{
	return (uint64_t)epi->ep->salt << 48 | (uint64_t)epi->slot << 24 | epi->generation;
}

/* What the source is told of an item kept by us: its conditions, each wakeup an edge. */
static inline uint32_t ep_exact_mask_of(const struct eventpoll *ep, uint32_t events)
{
	uint32_t mask = (events & ~EP_PRIVATE_BITS) | EPOLLET;

	if (!ep->source.ops->has_kernel_epoll && (events & EPOLLET))
		mask |= SOURCE_LATCH;
	return mask;
}

static inline uint32_t ep_exact_mask(const struct epitem *epi)
{
	return ep_exact_mask_of(epi->ep, epi->event.events);
}

/* What S calls @epi from now on; edges under its earlier tags are void. */
static inline void ep_renew(struct epitem *epi)
{
	epi->generation = epi->generation < EP_GENERATION_MAX ? epi->generation + 1 : 1;
}

/* -------- what an item is -------- */

/* Disabled by its one shot, until it is modified. */
static inline bool ep_is_spent(const struct epitem *epi)
{
	return !(epi->event.events & ~EP_PRIVATE_BITS);
}

static inline bool ep_is_kept_by_kernel(const struct epitem *epi)
{
	return epi->keeper == KEPT_BY_KERNEL;
}

/* Does the application know @epi? */
static inline bool ep_is_visible(const struct epitem *epi)
{
	return epi->state == ITEM_LIVE || epi->state == ITEM_UNCONFIRMED;
}

/*
 * Kept by the kernel, spent, and not at the source: what is told of ERR and HUP, as
 * every watch is, would show those to who polls the eventpoll.
 */
static inline bool ep_is_dormant(const struct epitem *epi)
{
	return !epi->armed && epi->state != ITEM_NEW;
}

/* What S is told of an item it keeps; a spent one-shot is one that has only its one shot. */
static inline uint32_t ep_kernel_mask(const struct epitem *epi)
{
	return ep_is_spent(epi) ? EPOLLONESHOT : epi->event.events;
}

/* What the source is told of an item, whoever keeps it, when it knows nothing of it. */
static inline uint32_t ep_full_mask(const struct epitem *epi)
{
	return ep_is_kept_by_kernel(epi) ? ep_kernel_mask(epi) : ep_exact_mask(epi);
}

/*
 * Between these two the source may have another registration of @epi than we
 * believe: should the call be abandoned, ep_repair() tells it anew.  They nest.
 * Source locked.
 */
static inline struct epitem *ep_enter_change(struct epitem *epi)
{
	struct epitem *outer = epi->ep->changing;

	epi->ep->changing = epi;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return outer;
}

static inline void ep_exit_change(struct eventpoll *ep, struct epitem *outer)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ep->changing = outer;
}

/* The number of @epi may be another file's by now, which the source is not to be told of. */
static inline bool ep_is_lost(const struct epitem *epi)
{
	return epi->file && epi->file->lost_fd == epi->fd && epi->ep->source.ops->has_kernel_epoll;
}

/* A handler has changed @epi's registration, and the rest of its call is deferred. */
static inline bool ep_is_disputed(const struct epitem *epi)
{
	return epi->dispute & EP_DISPUTE_OP;
}

/* -------- the ready list: which list an item is on, and between which -------- */

/* @epi sits on the ready list, or on a scan's share of it. */
static inline bool ep_is_linked(const struct epitem *epi)
{
	return epi->state == ITEM_LIVE && list_is_linked(&epi->rdllink);
}

static inline bool ep_is_scanning(const struct eventpoll *ep)
{
	return ep->ovflist != EP_UNACTIVE_PTR;
}

static inline bool ep_on_ovflist(const struct epitem *epi)
{
	return epi->next != EP_UNACTIVE_PTR;
}

#endif
