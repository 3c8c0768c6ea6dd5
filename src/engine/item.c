// SPDX-License-Identifier: MIT
/*
 * item.c - items: how they are made, found, armed, and go.
 */
#include "engine/internal.h"

#include <errno.h>

/* By file, then by descriptor, as the kernel orders its tree. */
static int ep_compare(const struct file *file, int fd, const struct epitem *epi)
{
	if (file != epi->file)
		return file < epi->file ? -1 : 1;
	return fd < epi->fd ? -1 : fd > epi->fd;
}

int ep_item_compare(const struct rb_node *left, const struct rb_node *right)
{
	const struct epitem *epi = rb_entry(left, struct epitem, rbn);

	return ep_compare(epi->file, epi->fd, rb_entry(right, struct epitem, rbn));
}

struct ep_key {
	const struct file *file;
	int fd;
};

static int ep_compare_key(const void *key, const struct rb_node *node)
{
	const struct ep_key *wanted = key;

	return ep_compare(wanted->file, wanted->fd, rb_entry(node, struct epitem, rbn));
}

/* The item of (@file, @fd) in any state, NULL if there is none. */
struct epitem *ep_find(struct eventpoll *ep, const struct file *file, int fd)
{
	struct ep_key key = {file, fd};
	struct rb_node *node;

	if (!file)
		return NULL;
	node = rb_find(&ep->rbr, &key, ep_compare_key);
	return node ? rb_entry(node, struct epitem, rbn) : NULL;
}

void ep_set_hint(uint32_t *hint, const struct epitem *epi)
{
	if (hint)
		__atomic_store_n(hint, epi->slot, __ATOMIC_RELAXED);
}

struct epitem *ep_find_at(struct eventpoll *ep, const struct file *file, int fd, uint32_t *hint)
{
	struct epitem *epi = NULL;

	if (hint)
		epi = ep_find_hinted(ep, file, fd, __atomic_load_n(hint, __ATOMIC_RELAXED));
	if (epi)
		return epi;
	epi = ep_find(ep, file, fd);
	if (epi)
		ep_set_hint(hint, epi);
	return epi;
}

/*
 * The item that S calls @tag.  NULL if there is none: then *@ret_is_foreign says
 * whether the tag is not ours at all; if it is, the registration is history.
 */
struct epitem *ep_find_tag(struct eventpoll *ep, uint64_t tag, bool *ret_is_foreign)
{
	uint32_t slot = (uint32_t)(tag >> 24) & 0xffffff;
	uint32_t generation = (uint32_t)tag & 0xffffff;
	struct epitem *epi;

	*ret_is_foreign = tag >> 48 != ep->salt;
	if (*ret_is_foreign)
		return NULL;
	epi = slab_at(&ep->items, slot);
	if (!epi) {
		*ret_is_foreign = true;
		return NULL;
	}
	if (epi->generation != generation || epi->state == ITEM_NEW)
		return NULL;
	return epi;
}

/* A NEW item: in its slot, on no list, with a generation nobody has seen.  NULL: ENOMEM. */
struct epitem *ep_item_new(struct eventpoll *ep, int fd, const struct epoll_event *event)
{
	struct epitem *epi;
	uint32_t slot;

	epi = slab_alloc(&ep->items, &slot);
	if (!epi)
		return NULL;
	rb_clear(&epi->rbn);
	list_init(&epi->rdllink);
	list_init(&epi->fllink);
	epi->next = EP_UNACTIVE_PTR;
	epi->file = NULL;
	epi->ep = ep;
	epi->event = *event;
	epi->fd = fd;
	epi->slot = slot;
	epi->armed = 0;
	epi->revents = 0;
	epi->stamp = 0;
	epi->collection = 0;
	epi->dispute = 0;
	epi->state = ITEM_NEW;
	epi->keeper = KEPT_BY_US;
	epi->noise = 0;
	epi->is_nested = false;
	epi->is_exact = false;
	ep_renew(epi);
	return epi;
}

void ep_item_free(struct epitem *epi)
{
	ep_set_keeper(epi, KEPT_BY_US);
	ep_renew(epi);
	slab_free(&epi->ep->items, epi->slot);
}

/* @epi is a watch of @file from now on. */
void ep_item_link(struct epitem *epi, struct file *file)
{
	struct eventpoll *ep = epi->ep;

	file_get(file);
	epi->file = file;
	epi->is_nested = file->ep != NULL;
	epi->is_exact = file->kind == FILE_EVENTFD; /* a superset costs an edge a read */
	ep->nr_nested += epi->is_nested;
	rb_insert(&ep->rbr, &epi->rbn, ep_item_compare);
	section_acquire(&file->wq_lock, file_repair);
	list_add_tail(&epi->fllink, &file->wq);
	section_release(&file->wq_lock);
	ep_lock(ep);
	epi->state = ITEM_LIVE;
	ep_unlock(ep);
}

/* Take @epi off everything and free it.  S has forgotten it. */
void ep_remove(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;
	struct file *file = epi->file;

	ep_lock(ep);
	ep_unqueue(epi);
	list_del_init(&epi->rdllink); /* park, unconfirmed, zombies */
	selfcheck_changed(&ep->check, "removing the watch", epi->fd);
	if (epi->state == ITEM_PARKED)
		ep->nr_parked--;
	if (epi->state == ITEM_ZOMBIE)
		ep->nr_zombies--;
	epi->state = ITEM_NEW;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ep_renew(epi); /* not before: cut off in between, what is live has the tag S knows */
	ep_unlock(ep);

	if (rb_is_linked(&epi->rbn))
		rb_erase(&ep->rbr, &epi->rbn);
	section_acquire(&file->wq_lock, file_repair);
	list_del_init(&epi->fllink);
	section_release(&file->wq_lock);
	epi->file = NULL;
	epi->armed = 0;
	ep->nr_nested -= epi->is_nested;
	ep_item_free(epi);
	file_put(file);
}

void ep_leave(struct epitem *epi)
{
	selfcheck_left(epi, epi->generation);
	ep_remove(epi);
}

/* The same for one that S still knows.  Returns what S said; @epi is gone either way. */
int ep_remove_armed(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;
	struct epitem *outer = ep_enter_change(epi);
	int ret = ep_is_dormant(epi) ? 0 : ep_source_disarm(epi);

	if (ret < 0)
		selfcheck_left(epi, epi->generation);
	probe(ep->counts, PROBE_DISARMED);
	ep_remove(epi);
	ep_exit_change(ep, outer);
	return ret;
}

void ep_set_keeper(struct epitem *epi, enum keeper keeper)
{
	if (epi->keeper == keeper)
		return;
	epi->ep->nr_kernel += keeper == KEPT_BY_KERNEL ? 1u : -1u;
	epi->keeper = (uint8_t)keeper;
}

/*
 * What a source is told goes nowhere while it is the parent's, and counts as done: the
 * child's own will be told when it is opened.  A handler may have forked just now.
 */
static int ep_told(const struct eventpoll *ep, int ret)
{
	return ep->is_inherited ? 0 : ret;
}

/*
 * @epi was lost while the source was told of its number: that may have been of another
 * file, which a handler had just added.
 */
static void ep_note_stray(const struct epitem *epi)
{
	if (__builtin_expect(ep_is_lost(epi), 0))
		epi->ep->has_strayed = true;
}

int ep_source_arm(const struct epitem *epi, uint32_t events, uint64_t tag)
{
	struct eventpoll *ep = epi->ep;

	if (ep_is_lost(epi))
		return -EBADF;
	if (ep->is_inherited)
		return 0;
	return ep_told(ep, ep->source.ops->arm(&ep->source, epi->fd, events, tag));
}

int ep_source_rearm(const struct epitem *epi, uint32_t events, uint64_t tag)
{
	struct eventpoll *ep = epi->ep;
	int ret;

	if (ep_is_lost(epi))
		return -ENOENT;
	if (ep->is_inherited)
		return 0;
	ret = ep_told(ep, ep->source.ops->rearm(&ep->source, epi->fd, events, tag));
	ep_note_stray(epi);
	return ret;
}

int ep_source_disarm(const struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;
	int ret;

	if (ep_is_lost(epi))
		return -EBADF;
	if (ep->is_inherited)
		return 0;
	ret = ep_told(ep, ep->source.ops->disarm(&ep->source, epi->fd));
	ep_note_stray(epi);
	return ret;
}

int ep_arm(struct epitem *epi, uint32_t events)
{
	struct eventpoll *ep = epi->ep;
	int ret;

	epi->armed = events; /* first: whoever is cut off here can tell that it may be */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ret = ep_source_arm(epi, events, ep_tag(epi));
	selfcheck_changed(&ep->check, "arming", epi->fd);
	if (ret < 0) {
		epi->armed = 0;
		return ret;
	}
	probe(ep->counts, PROBE_ARMED);
	return 0;
}

static int ep_tell_source(struct epitem *epi, uint32_t events)
{
	struct eventpoll *ep = epi->ep;
	uint32_t generation = epi->generation;
	int ret;

	ep_lock(ep);
	ep_renew(epi);
	ep_unlock(ep);
	ret = ep_source_rearm(epi, events, ep_tag(epi));
	selfcheck_changed(&ep->check, "arming again", epi->fd);
	if (ret < 0) {
		selfcheck_left(epi, generation);
		if (ret == -ENOENT) /* nothing is registered: the old tag is history */
			return ret;
		ep_lock(ep);
		epi->generation = generation;
		ep_unlock(ep);
		return ret;
	}
	epi->armed = events;
	probe(ep->counts, PROBE_REARMED);
	return 0;
}

/*
 * Register @epi anew: what was collected before is void, and if its file is ready
 * the source says so once more.  An error leaves the registration as it was.
 */
int ep_rearm(struct epitem *epi, uint32_t events)
{
	struct epitem *outer = ep_enter_change(epi);
	int ret = ep_tell_source(epi, events);

	ep_exit_change(epi->ep, outer);
	return ret;
}
