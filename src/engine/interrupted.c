// SPDX-License-Identifier: MIT
/*
 * interrupted.c - epoll_ctl(2) from a handler that interrupted our own code.
 *
 * The handler's thread may hold any lock, and any list may be half changed.  So
 * the kernel judges and does what the handler asks for, under the application's
 * own data, and our books are put right when the interrupted section ends.  Until
 * then the item is disputed: S has what the latest of the handlers' calls made it,
 * or, under our tag again, what the section that went on after it did.
 *
 * What remains: a call that another thread makes on the watch in the very moment of
 * the handler's may come to what neither order of the two explains.
 */
#include "engine/internal.h"

#include <errno.h>

#include "real/sys.h"
#include "real/uaccess.h"

static uint32_t ep_nr_disputes;

static int ep_disputed_op(const struct epitem *epi)
{
	return epi->dispute & EP_DISPUTE_OP;
}

/* What was added and then modified, and all of it deferred, is being added. */
static uint32_t ep_new_dispute(const struct epitem *epi, int op)
{
	uint32_t serial = __atomic_add_fetch(&ep_nr_disputes, EP_DISPUTE_OP + 1, __ATOMIC_RELAXED);

	if (op == EPOLL_CTL_MOD && ep_disputed_op(epi) == EPOLL_CTL_ADD)
		op = EPOLL_CTL_ADD;
	return serial | (uint32_t)op;
}

_Static_assert((EPOLL_CTL_ADD | EPOLL_CTL_MOD | EPOLL_CTL_DEL) == EP_DISPUTE_OP, "two bits");

bool ep_resolve(struct epitem *epi, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&epi->dispute, &from, to, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static void ep_make_live(struct epitem *epi, const struct epoll_event *event)
{
	struct eventpoll *ep = epi->ep;

	ep_lock(ep);
	ep_unqueue(epi);
	list_del_init(&epi->rdllink);
	ep->nr_parked -= epi->state == ITEM_PARKED;
	epi->state = ITEM_LIVE;
	epi->event = *event;
	epi->event.events |= EPOLLERR | EPOLLHUP;
	epi->stamp = 0;
	ep_unlock(ep);
}

/*
 * A handler that adds @epi again while we disarm it does so before, and then we have
 * just undone it, or after.  S tells, and the rest of that call puts it right.
 */
void ep_retire(struct epitem *epi)
{
	const struct epoll_event nothing = {.data = epi->event.data};
	struct epitem *outer = ep_enter_change(epi);
	struct eventpoll *ep = epi->ep;

	if (ep_source_disarm(epi) < 0)
		selfcheck_left(epi, epi->generation);
	probe(ep->counts, PROBE_DISARMED);
	if (ep_disputed_op(epi) == EPOLL_CTL_ADD && ep_arm(epi, EPOLLET) == 0)
		ep_make_live(epi, &nothing);
	else
		ep_remove(epi);
	ep_exit_change(ep, outer);
}

struct epitem *ep_overtake(struct epitem *epi, int op)
{
	struct eventpoll *ep = epi->ep;

	if (ep_disputed_op(epi) == EPOLL_CTL_DEL) {
		ep_retire(epi);
		return NULL;
	}
	if (op != EPOLL_CTL_ADD) { /* S judges, and has the application's data from now on */
		ep_remove(epi);
		ep->has_foreign = true;
		return NULL;
	}
	if (epi->state == ITEM_PARKED)
		ep_make_live(epi, &epi->event);
	return epi;
}

/* ep_retire() may have undone an ADD of this kind, and have armed it for nothing. */
static void ep_adopt_exclusive(struct epitem *epi, const struct epoll_event *event)
{
	if (!(event->events & EPOLLEXCLUSIVE))
		return;
	ep_source_disarm(epi);
	ep_source_arm(epi, event->events, event->data.u64);
}

/*
 * S has the application's data for @epi, or the section that went on after the
 * handler has put our tag there again.  Either way it is put right: the handler's
 * wish under our tag.  What S cannot modify stays as the handler made it.
 */
static void ep_adopt(struct epitem *epi, const struct deferred *deferred)
{
	bool was_dormant = ep_is_dormant(epi);
	struct eventpoll *ep = epi->ep;
	struct epitem *outer;
	int ret;

	if (ep_disputed_op(epi) == EPOLL_CTL_DEL) {
		ep_retire(epi);
		return;
	}
	if ((deferred->event.events | epi->event.events) & EPOLLEXCLUSIVE) {
		ep_adopt_exclusive(epi, &deferred->event);
		ep_remove(epi);
		ep->has_foreign = true;
		return;
	}
	if (!ep_resolve(epi, deferred->serial, 0))
		return; /* by a handler, who has just come */
	outer = ep_enter_change(epi);
	ep_make_live(epi, &deferred->event);
	ret = ep_rearm(epi, ep_full_mask(epi));
	if (ret == -ENOENT && was_dormant) /* it went to sleep after the handler's call */
		ret = ep_arm(epi, ep_full_mask(epi));
	if (ret < 0)
		ep_remove(epi);
	ep_exit_change(ep, outer);
}

/*
 * The other half of ep_ctl_interrupted(), when the section has ended.  A later call
 * has overtaken it if the item is another's to dispute, or nobody's any more.
 */
static void ep_finish_interrupted(const struct deferred *deferred)
{
	struct epoll_event event = deferred->event;
	struct file *epfile = deferred->object;
	struct file *file = deferred->file;
	struct eventpoll *ep = ep_acquire(epfile);
	struct epitem *epi;
	bool is_locked;

	if (!ep)
		return;
	is_locked = ep_lock_source(ep);
	epi = ep_find(ep, file, deferred->fd);
	if (!ep->source.ops->has_kernel_epoll || ep->is_inherited)
		ep_control(ep, deferred->op, deferred->fd, file, &event, NULL);
	else if (!epi)
		ep->has_foreign = true;
	else if (deferred->serial && deferred->serial == epi->dispute)
		ep_adopt(epi, deferred);
	ep_unlock_source(is_locked);
	ep_release_mtx(ep);
}

/* What S has of a number: others' registrations, and what was ours. */
struct stray_search {
	struct eventpoll *ep;
	int fd;
	bool is_registered, is_stray;
};

static void ep_see_stray(void *ctx, const struct source_watch *watch)
{
	struct stray_search *search = ctx;
	bool is_foreign;

	if (watch->fd != search->fd || ep_find_tag(search->ep, watch->tag, &is_foreign))
		return;
	search->is_registered = true;
	search->is_stray |= !is_foreign;
}

/* What a handler has registered is registered still, and under its own data. */
static void ep_repeat(struct eventpoll *ep, const struct deferred *deferred)
{
	struct stray_search search = {.ep = ep, .fd = deferred->fd};

	if (ep->source.ops->list(&ep->source, ep_see_stray, &search) < 0)
		return;
	if (!search.is_registered)
		sys_epoll_ctl(ep->source.fd, EPOLL_CTL_ADD, deferred->fd, &deferred->event);
	else if (search.is_stray)
		sys_epoll_ctl(ep->source.fd, EPOLL_CTL_MOD, deferred->fd, &deferred->event);
	ep->has_strayed = false;
}

/*
 * The other half of an ADD or MOD of a file we have not seen.  Its number may have been
 * one that our own code was just telling S about: closed by the handler before.
 */
static void ep_finish_unseen(const struct deferred *deferred)
{
	struct eventpoll *ep = ep_acquire(deferred->object);
	bool is_locked;

	if (!ep)
		return;
	is_locked = ep_lock_source(ep);
	if (ep->has_strayed)
		ep_repeat(ep, deferred);
	ep_unlock_source(is_locked);
	ep_release_mtx(ep);
}

/*
 * The item of (@file, @fd), without the lock: the tree may be in the middle of a
 * change, the slab is whole.  One that is being added has no file yet.
 */
static struct epitem *ep_find_unlocked(struct eventpoll *ep, const struct file *file, int fd)
{
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);
		bool is_new = epi->state == ITEM_NEW && !epi->file;

		if (epi->fd == fd && epi->state != ITEM_ZOMBIE && (epi->file == file || is_new))
			return epi;
	}
	return NULL;
}

/* Of a spent one-shot, which S may not have been told of. */
static int ep_ask_kernel_of_spent(struct eventpoll *ep, int op, int fd, const struct epitem *epi,
				  const struct epoll_event *event)
{
	int ret;

	if (ep_is_dormant(epi) && op != EPOLL_CTL_MOD)
		return op == EPOLL_CTL_ADD ? -EEXIST : 0;
	ret = sys_epoll_ctl(ep->source.fd, op, fd, event);
	if (ret == -ENOENT && op == EPOLL_CTL_MOD)
		ret = sys_epoll_ctl(ep->source.fd, EPOLL_CTL_ADD, fd, event);
	return ret;
}

/*
 * What S says of a call of a handler's.  @is_gone: the application has deleted the
 * watch, and what S has of it, if anything, is our own.
 */
static int ep_ask_kernel_unlocked(struct eventpoll *ep, int op, int fd, bool is_gone,
				  const struct epoll_event *event)
{
	if (!is_gone)
		return sys_epoll_ctl(ep->source.fd, op, fd, event);
	if (op != EPOLL_CTL_ADD)
		return -ENOENT;
	if (event->events & EPOLLEXCLUSIVE)
		sys_epoll_ctl(ep->source.fd, EPOLL_CTL_DEL, fd, NULL);
	else if (sys_epoll_ctl(ep->source.fd, EPOLL_CTL_MOD, fd, event) == 0)
		return 0;
	return sys_epoll_ctl(ep->source.fd, EPOLL_CTL_ADD, fd, event);
}

/* What was added and deleted, both before the ADD under way, is no matter to that. */
static bool ep_is_settled_dispute(const struct epitem *epi, int op, uint32_t before)
{
	return epi->state == ITEM_NEW && op == EPOLL_CTL_DEL &&
	       (before & EP_DISPUTE_OP) == EPOLL_CTL_ADD;
}

/*
 * Dispute the item first: whoever else changes it from now on asks S.  Returns what S
 * says.
 */
static int ep_dispute(struct eventpoll *ep, struct deferred *deferred)
{
	struct epitem *epi = ep_find_unlocked(ep, deferred->file, deferred->fd);
	uint32_t before;
	bool is_gone;
	int ret;

	if (!epi)
		return sys_epoll_ctl(ep->source.fd, deferred->op, deferred->fd, &deferred->event);
	deferred->serial = ep_new_dispute(epi, deferred->op);
	before = __atomic_exchange_n(&epi->dispute, deferred->serial, __ATOMIC_RELAXED);
	is_gone = before == EP_DISPUTE_PARKED || (before & EP_DISPUTE_OP) == EPOLL_CTL_DEL;
	if (!is_gone && epi->state == ITEM_LIVE && ep_is_spent(epi))
		ret = ep_ask_kernel_of_spent(ep, deferred->op, deferred->fd, epi, &deferred->event);
	else
		ret = ep_ask_kernel_unlocked(ep, deferred->op, deferred->fd, is_gone,
					     &deferred->event);
	if (ret < 0)
		ep_resolve(epi, deferred->serial, before);
	else if (ep_is_settled_dispute(epi, deferred->op, before))
		ep_resolve(epi, deferred->serial, 0);
	return ret;
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
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return sys_epoll_ctl(ep->source.fd, op, fd, &deferred.event);
	if (!file) {
		ret = sys_epoll_ctl(ep->source.fd, op, fd, &deferred.event);
		deferred.run = ep_finish_unseen;
		if (ret == 0 && op != EPOLL_CTL_DEL)
			section_defer(&deferred);
		return ret;
	}
	section_early_begin();
	ret = ep_dispute(ep, &deferred);
	if (ret == 0)
		section_defer(&deferred);
	section_early_end();
	return ret;
}
