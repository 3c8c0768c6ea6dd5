// SPDX-License-Identifier: MIT
/*
 * eventpoll.c - eventpolls: how they are made, found, and go.
 */
#include "engine/wait.h"

#include <errno.h>

#include "real/ownfd.h"
#include "real/sys.h"
#include "trace/session.h"

struct ep_config ep_config;
bool ep_is_distrusted;

struct pool ep_pool = POOL_INIT(struct eventpoll);

void ep_configure(const struct ep_config *config)
{
	ep_config = *config;
	selfcheck_is_on = config->has_selfcheck;
	waiter_abandoned = ep_waiter_abandoned;
	section_init();
	waiter_init();
	if (config->spins)
		ep_spin_init();
}

void ep_distrust_all(void)
{
	__atomic_store_n(&ep_is_distrusted, true, __ATOMIC_RELEASE);
}

void ep_lock_loop(void)
{
	section_acquire(loop_mutex(), NULL);
}

void ep_unlock_loop(void)
{
	section_release(loop_mutex());
}

/* Random, so that the data of an application is not mistaken for a tag; see EP_TAG_EMPTY. */
static uint16_t ep_make_salt(void)
{
	static uint16_t fallback;
	uint16_t salt;

	do
		if (sys_getrandom(&salt, sizeof(salt)) != (long)sizeof(salt))
			salt = ++fallback;
	while (salt == 0 || salt == UINT16_MAX);
	return salt;
}

static struct eventpoll *ep_alloc(void)
{
	struct eventpoll *ep;
	uint32_t slot;

	ep = pool_alloc(&ep_pool, &slot);
	if (!ep)
		return NULL;

	if (!ep->was_used) { /* a late visitor of the slot's last eventpoll may hold them */
		lock_init(&ep->mtx, LOCK_MTX);
		lock_init(&ep->lock, LOCK_EP);
		ep->was_used = true;
	}
	ep->slab_slot = slot;
	return ep;
}

/* Everything but the source, the file, and what outlives an eventpoll in its slot. */
static void ep_init(struct eventpoll *ep)
{
	ep->rbr = (struct rb_root_cached)RB_ROOT_CACHED;
	list_init(&ep->rdllist);
	list_init(&ep->wq);
	list_init(&ep->waiters);
	list_init(&ep->parked);
	list_init(&ep->unconfirmed);
	list_init(&ep->zombies);
	ep->ovflist = EP_UNACTIVE_PTR;
	ep->changing = NULL;
	ep->modified = NULL;
	slab_init(&ep->items, sizeof(struct epitem));
	ep->counts = session_counts_get();
	ep->client = (struct loop_client){.source = &ep->source, .ready = ep_loop_ready};
	list_init(&ep->client.link);
	ep->source.client = &ep->client;
	ep->stamp = 1;
	ep->salt = ep_make_salt();
	ep->nr_parked = 0;
	ep->nr_kernel = 0;
	ep->nr_zombies = 0;
	ep->nr_nested = 0;
	ep->zombies_max = EP_ZOMBIE_MAX;
	ep->is_orphan = false;
	ep->is_inherited = false;
	ep->is_settled = ep_config.is_strict;
	ep->is_polled = false;
	ep->is_shown_ready = false;
	ep->has_loop = ep_config.has_loop && !ep_config.is_strict;
	ep->has_foreign = false;
	ep->has_leftovers = false;
	ep->kernel_first = true;
	ep->rechecks_first = false;
	ep->has_strayed = false;
	ep->check = (struct selfcheck){0};
	busy_init(&ep->busy);
	ep_slot_init(ep);
}

int ep_open(int flags, struct file **ret_file)
{
	struct eventpoll *ep;
	struct file *file;
	int fd;

	if (ep_needs_fix_up)
		ep_fix_up();
	file = file_new();
	if (!file)
		return -ENOMEM;
	ep = ep_alloc();
	if (!ep) {
		file_put(file);
		return -ENOMEM;
	}
	fd = ep_config.source->open(&ep->source, flags);
	if (fd < 0) {
		pool_free(&ep_pool, ep->slab_slot);
		file_put(file);
		return fd;
	}
	ep_init(ep);
	session_counts_set_fd(ep->counts, fd);
	file_get(file); /* ours; the first is the descriptor's */
	file->kind = FILE_EVENTPOLL;
	ep->file = file;
	ep->is_alive = true;
	__atomic_store_n(&file->ep, ep, __ATOMIC_RELEASE);
	*ret_file = file;
	return fd;
}

/*
 * The kernel's ep_free().  mtx held, and dropped.  S goes with its descriptor;
 * its registrations need not be removed one by one.
 */
static void ep_free(struct eventpoll *ep)
{
	struct file *file = ep->file;
	bool is_locked = ep_lock_source(ep);
	uint32_t slot;

	loop_leave(&ep->client);
	ep_unlock_source(is_locked);
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		if (epi->state != ITEM_NEW)
			ep_remove(epi);
	}
	ep->is_alive = false;
	__atomic_store_n(&file->ep, NULL, __ATOMIC_RELEASE);
	ep->source.ops->fini(&ep->source);
	if (ep->is_orphan)
		ownfd_close(ep->source.fd);
	slab_fini(&ep->items);
	selfcheck_fini(&ep->check);
	session_counts_put(ep->counts);
	ep_release_mtx(ep);
	pool_free(&ep_pool, ep->slab_slot);
	file_put(file);
}

void ep_put(struct eventpoll *ep)
{
	if (ep->is_orphan && list_is_empty(&ep->waiters))
		ep_free(ep);
	else
		ep_release_mtx(ep);
}

/* @waiter will not come back: what it held of @ep goes to others.  mtx held. */
static void ep_drop_waiter(struct eventpoll *ep, struct waiter *waiter)
{
	bool is_locked = ep_lock_source(ep);

	list_del_init(&waiter->link);
	waiter->ep = NULL;
	ep_lock(ep);
	list_del_init(&waiter->wq_link);
	if (waiter->was_woken) /* the wakeup was for somebody who can use it */
		ep_wake_one(ep);
	ep_unlock(ep);
	if (!ep->is_settled && !ep->is_inherited)
		ep_absorb_slot(ep, true);
	ep_unlock_source(is_locked);
}

bool ep_has_other_waiters(struct eventpoll *ep)
{
	struct waiter *waiter, *next;
	bool has_other = false;

	list_for_each_entry_safe(waiter, next, &ep->waiters, link) {
		if (waiter_is_gone(waiter))
			ep_drop_waiter(ep, waiter);
		else if (!waiter_is_own(waiter))
			has_other = true;
	}
	return has_other;
}

void ep_waiter_abandoned(struct waiter *waiter)
{
	struct eventpoll *ep = waiter->ep;

	ep_acquire_mtx(ep);
	if (waiter->ep != ep || !ep->is_alive) {
		ep_release_mtx(ep);
		return;
	}
	ep_drop_waiter(ep, waiter);
	ep_put(ep);
}

/* The source is called @fd from now on; the loop must not poll the old number. */
static void ep_set_fd(struct eventpoll *ep, int fd)
{
	bool is_locked = ep_lock_source(ep);

	__atomic_store_n(&ep->source.fd, fd, __ATOMIC_RELAXED); /* a spinner reads it */
	loop_kick(&ep->client);
	ep_unlock_source(is_locked);
}

/*
 * In the kernel, a wait holds its eventpoll: closing the last descriptor under it
 * changes nothing for it.  Here the sleepers get a descriptor of S of our own, so
 * that they never go back to a number that may be another file's.
 */
void ep_close(struct file *epfile)
{
	struct eventpoll *ep = ep_acquire(epfile);

	if (!ep)
		return;
	if (!ep_has_other_waiters(ep) && list_is_empty(&ep->waiters)) {
		ep_free(ep);
		return;
	}
	if (ep->source.ops->has_kernel_epoll && !ep->is_inherited)
		ep_set_fd(ep, ownfd_dup(ep->source.fd));
	else
		ep_set_fd(ep, -1);
	ep->is_orphan = true;
	ep_release_mtx(ep);
}

void ep_rename(struct file *epfile, int fd)
{
	struct eventpoll *ep = ep_acquire(epfile);

	if (!ep)
		return;
	ep_set_fd(ep, fd);
	session_counts_set_fd(ep->counts, fd);
	ep_release_mtx(ep);
}

int ep_fd(const struct file *epfile)
{
	const struct eventpoll *ep = epfile->ep;

	return ep ? ep->source.fd : -1;
}
