// SPDX-License-Identifier: MIT
/*
 * inherit.c - eventpolls in the child of fork.
 *
 * S is shared with the parent, and whatever is done to it the parent would feel; so
 * the child makes no call on it, and opens one of its own, under the same number, when
 * it first uses the eventpoll.  Other threads may have been in the middle of anything.
 */
#include "engine/internal.h"

#include <errno.h>

#include "base/lock.h"
#include "engine/nest.h"
#include "real/sys.h"
#include "trace/session.h"

bool ep_needs_fix_up;

/* Protects the fix-up after fork: the first comer makes it, others wait. */
static struct lock ep_gate = LOCK_INIT(LOCK_GATE);

/* Does @epi watch through a descriptor that another thread opened too late for us? */
static bool ep_is_nameless(const struct epitem *epi)
{
	return epi->file && epi->state != ITEM_ZOMBIE && ep_config.names &&
	       !ep_config.names(epi->fd, epi->file);
}

/* The child of fork has its own copy of @ep, and nobody waits in it. */
static void ep_inherit(struct eventpoll *ep)
{
	uint32_t slot;

	lock_reset(&ep->mtx);
	lock_reset(&ep->lock);
	list_init(&ep->wq);
	list_init(&ep->waiters);
	list_init(&ep->client.link);
	ep->client.is_joined = false;
	ep_slot_init(ep);
	if (!ep->is_alive)
		return;
	ep->is_inherited = !ep->file->is_released; /* else S is shared, and whole without us */
	if (ep->is_orphan) /* its sleepers, and our descriptor of S, are the parent's */
		ep->source.fd = -1;
	ep->counts = session_counts_get();
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		list_init(&epi->fllink);
		if (ep_is_nameless(epi))
			epi->state = ITEM_NEW;
	}
	ep_rebuild_lists(ep);
	ep->changing = NULL; /* each is armed anew before it is needed */
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		list_init(&epi->fllink);
		list_add_tail(&epi->fllink, &epi->file->wq);
	}
}

/*
 * Nothing of this happens in fork itself: a child that only goes on to exec another
 * program pays nothing.
 */
void ep_fix_up(void)
{
	uint32_t slot;

	section_acquire(&ep_gate, NULL);
	if (__atomic_load_n(&ep_needs_fix_up, __ATOMIC_ACQUIRE)) {
		file_reset_all();
		slab_for_each(slot, &ep_pool.slab) {
			struct eventpoll *ep = slab_at(&ep_pool.slab, slot);

			if (ep)
				ep_inherit(ep);
		}
	}
	__atomic_store_n(&ep_needs_fix_up, false, __ATOMIC_RELEASE);
	section_release(&ep_gate);
}

/*
 * What the handler interrupted may be about to make a call on S, which is the
 * parent's: let the number name an epoll where that does no harm.
 */
static void ep_let_go_of_source(struct eventpoll *ep)
{
	int fd = sys_epoll_create1(EPOLL_CLOEXEC);
	int flags = sys_fcntl(ep->source.fd, F_GETFD, 0);

	if (fd < 0)
		return;
	if (flags >= 0)
		sys_dup3(fd, ep->source.fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	sys_close(fd);
}

void ep_fork_interrupted(void)
{
	uint32_t slot;

	lock_tear(&ep_gate);
	nest_break();
	pool_break(&ep_pool);
	for (slot = 0; slot < slab_limit(&ep_pool.slab); slot++) {
		struct eventpoll *ep = slab_at(&ep_pool.slab, slot);

		lock_tear(&ep->lock);
		lock_tear(&ep->mtx);
		if (!ep->is_alive || ep->file->is_released)
			continue;
		ep->is_inherited = true;
		if (lock_is_own(&ep->mtx))
			ep_let_go_of_source(ep);
	}
}

/*
 * Arm @epi in the new source as it was armed in the parent's.  Gone if that fails.
 * (Not by ep_arm(): until all are armed the source counts as the parent's, and whoever
 * is cut off begins anew.)
 */
static void ep_arm_copy(struct epitem *epi)
{
	struct source *source = &epi->ep->source;

	if (epi->state == ITEM_PARKED || epi->state == ITEM_ZOMBIE) {
		ep_remove(epi);
		return;
	}
	ep_unqueue(epi); /* arming shows it again if it is ready */
	list_del_init(&epi->rdllink);
	epi->state = ITEM_LIVE;
	ep_renew(epi);
	if (ep_is_kept_by_kernel(epi) && ep_can_be_dormant(epi)) {
		epi->armed = 0;
		return;
	}
	epi->armed = ep_full_mask(epi);
	if (source->ops->arm(source, epi->fd, epi->armed, ep_tag(epi)) < 0)
		ep_remove(epi);
	else
		probe(epi->ep->counts, PROBE_ARMED);
}

/*
 * A new source under the old number.  The parent's S is replaced in our table of
 * descriptors and never called: that would edit the parent's registrations.
 */
static int ep_open_anew(struct eventpoll *ep)
{
	struct source old = ep->source, source;
	int old_fd = old.fd;
	int flags = sys_fcntl(old_fd, F_GETFD, 0);
	int fd, ret = 0;

	if (flags < 0)
		return flags;
	flags = flags & FD_CLOEXEC ? EPOLL_CLOEXEC : 0;
	fd = ep_config.source->open(&source, flags);
	if (fd == -EMFILE) { /* the old number is the last that can be had */
		sys_close(old_fd);
		fd = ep_config.source->open(&source, flags);
	}
	if (fd < 0)
		return fd;
	if (fd != old_fd) {
		ret = sys_dup3(fd, old_fd, flags ? O_CLOEXEC : 0);
		sys_close(fd);
	}
	source.fd = old_fd;
	source.client = &ep->client;
	ep->source = source;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (old.ops->fini)
		old.ops->fini(&old);
	ep->is_shown_ready = false;
	return ret < 0 ? ret : 0;
}

/* The file of an eventpoll that @ep watches and whose S is the parent's; NULL: none. */
static struct file *ep_inherited_below(struct eventpoll *ep)
{
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);

		if (ep_is_visible(epi) && epi->is_nested && epi->file->ep &&
		    epi->file->ep->is_inherited)
			return epi->file;
	}
	return NULL;
}

/*
 * Bottom up: what is armed in S is the S of the eventpoll below, which must not be the
 * parent's.  No two mtx are held at once: the one of @ep is dropped meanwhile.
 */
static int ep_renew_below(struct eventpoll *ep)
{
	const struct file *own = ep->file; /* its place in the pool may be used anew */
	struct file *epfile;
	int ret = 0;

	while (ret == 0 && ep->is_alive && ep->file == own &&
	       (epfile = ep_inherited_below(ep)) != NULL) {
		struct eventpoll *below;

		file_get(epfile);
		ep_release_mtx(ep);
		below = ep_acquire(epfile);
		if (below) {
			ret = ep_renew_inherited(below);
			ep_release_mtx(below);
		}
		file_put(epfile);
		ep_acquire_mtx(ep);
	}
	return ep->is_alive && ep->file == own ? ret : -EBADF;
}

int ep_renew_source(struct eventpoll *ep)
{
	uint32_t slot;
	bool is_locked;
	int ret = 0;

	if (ep->nr_nested)
		ret = ep_renew_below(ep);
	if (ret < 0 || !ep->is_inherited)
		return ret;
	is_locked = ep_lock_source(ep);
	ret = ep_open_anew(ep);
	if (ret == 0) {
		session_counts_set_fd(ep->counts, ep->source.fd);
		slab_for_each(slot, &ep->items)
			ep_arm_copy(slab_at(&ep->items, slot));
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		ep->is_inherited = false;
		selfcheck_changed(&ep->check, "a fork", -1);
	}
	ep_unlock_source(is_locked);
	return ret;
}

/*
 * A handler forked when its thread had made all ready to sleep in S, or slept there.
 * The sleep may yet begin, and must not be in the parent's.
 */
static void ep_go_on_sleeping(struct waiter *waiter)
{
	struct eventpoll *ep = waiter->ep;

	waiter->ep = NULL;
	if (!ep)
		return;
	ep_acquire_mtx(ep);
	if (ep->is_alive && !ep->is_orphan && ep_renew_inherited(ep) == 0) {
		waiter->ep = ep;
		list_add_tail(&waiter->link, &ep->waiters);
	}
	ep_release_mtx(ep);
}

void ep_fork_child(void)
{
	lock_reset(&ep_gate);
	nest_reset();
	pool_reset(&ep_pool);
	ep_needs_fix_up = true;
	waiter_for_each_own(ep_go_on_sleeping);
}
