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
#include "real/sys.h"
#include "trace/session.h"

bool ep_needs_fix_up;

/* Protects the fix-up after fork: the first comer makes it, others wait. */
static struct lock ep_gate = LOCK_INIT(LOCK_GATE);

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
		ep_source_disarm(ep, epi->fd); /* the ADD was not to be */
	epi->armed = 0;
	slab_free(&ep->items, slot);
}

/* Tree and lists of items, from the slab.  Waiters stay where they are. */
static void ep_rebuild_lists(struct eventpoll *ep)
{
	uint32_t slot;

	ep->rbr = (struct rb_root_cached)RB_ROOT_CACHED;
	list_init(&ep->rdllist);
	list_init(&ep->parked);
	list_init(&ep->unconfirmed);
	list_init(&ep->zombies);
	list_mend(&ep->waiters);
	list_mend(&ep->wq);
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
 * What only can have been being removed is.
 */
static void ep_complete_change(struct epitem *epi)
{
	if (epi->state == ITEM_UNCONFIRMED)
		ep_confirm_one(epi);
	else if (epi->state == ITEM_PARKED ||
		 (epi->state == ITEM_LIVE && (epi->event.events & EPOLLEXCLUSIVE)))
		ep_remove_armed(epi);
	else if (epi->state == ITEM_LIVE && ep_rearm(epi, ep_full_mask(epi)) == -ENOENT)
		ep_remove(epi);
}

void ep_repair(struct lock *mtx)
{
	struct eventpoll *ep = list_entry(mtx, struct eventpoll, mtx);
	bool is_locked;

	if (!ep->is_alive)
		return;
	ep_rebuild_lists(ep);
	is_locked = ep_lock_source(ep);
	if (ep->changing && !ep->is_inherited)
		ep_complete_change(ep->changing);
	ep->changing = NULL;
	ep_unlock_source(is_locked);
}

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
	ep->changing = NULL; /* each is armed anew before it is needed */
	if (!ep->is_alive)
		return;
	ep->is_inherited = !ep->is_released; /* else S is shared, and whole without us */
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
		if (!ep->is_alive || ep->is_released)
			continue;
		ep->is_inherited = true;
		if (lock_is_own(&ep->mtx))
			ep_let_go_of_source(ep);
	}
}

/* Arm @epi in the new source as it was armed in the parent's.  Gone if that fails. */
static void ep_arm_copy(struct epitem *epi)
{
	if (epi->state == ITEM_PARKED || epi->state == ITEM_ZOMBIE) {
		ep_remove(epi);
		return;
	}
	ep_unqueue(epi); /* arming shows it again if it is ready */
	list_del_init(&epi->rdllink);
	epi->state = ITEM_LIVE;
	ep_renew(epi);
	if (ep_arm(epi, ep_full_mask(epi)) < 0)
		ep_remove(epi);
}

/*
 * A new source under the old number.  The parent's S is replaced in our table of
 * descriptors and never called: that would edit the parent's registrations.
 */
static int ep_open_anew(struct eventpoll *ep)
{
	int old_fd = ep->source.fd;
	int flags = sys_fcntl(old_fd, F_GETFD, 0);
	int fd, ret = 0;

	if (flags < 0)
		return flags;
	flags = flags & FD_CLOEXEC ? EPOLL_CLOEXEC : 0;
	if (ep->source.ops->fini)
		ep->source.ops->fini(&ep->source);
	fd = ep_config.source->open(&ep->source, flags);
	if (fd == -EMFILE) { /* the old number is the last that can be had */
		sys_close(old_fd);
		fd = ep_config.source->open(&ep->source, flags);
	}
	if (fd < 0)
		return fd;
	if (fd != old_fd) {
		ret = sys_dup3(fd, old_fd, flags ? O_CLOEXEC : 0);
		sys_close(fd);
	}
	ep->source.fd = old_fd;
	ep->source.client = &ep->client;
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
	struct file *epfile;
	int ret = 0;

	while (ret == 0 && ep->is_alive && (epfile = ep_inherited_below(ep)) != NULL) {
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
	return ep->is_alive ? ret : -EBADF;
}

int ep_renew_inherited(struct eventpoll *ep)
{
	uint32_t slot;
	bool is_locked;
	int ret = 0;

	if (ep->is_inherited && ep->nr_nested)
		ret = ep_renew_below(ep);
	if (ret < 0 || !ep->is_inherited)
		return ret;
	is_locked = ep_lock_source(ep);
	ret = ep_open_anew(ep);
	if (ret == 0) {
		ep->is_inherited = false;
		session_counts_set_fd(ep->counts, ep->source.fd);
		slab_for_each(slot, &ep->items)
			ep_arm_copy(slab_at(&ep->items, slot));
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
