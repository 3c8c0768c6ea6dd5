/* SPDX-License-Identifier: MIT */
/*
 * locks.h - taking and giving back the locks of an eventpoll; a part of internal.h.
 *
 * Which lock protects what stands there.  All of it is inline: a control call that
 * touches nothing but our own memory spends most of its time here.
 */
#ifndef INTERPOLL_ENGINE_LOCKS_H
#define INTERPOLL_ENGINE_LOCKS_H

#include "engine/internal.h"

/* A sleeper whose handler forked comes here in the child, too. */
static inline void ep_acquire_mtx(struct eventpoll *ep)
{
	if (__builtin_expect(ep_needs_fix_up, 0))
		ep_fix_up();
	section_acquire(&ep->mtx, ep_repair);
}

static inline void ep_release_mtx(struct eventpoll *ep)
{
	if (__builtin_expect(ep->check.after != NULL, 0))
		selfcheck_look(ep);
	section_release(&ep->mtx);
}

/* The eventpoll of @epfile with its mtx held, or NULL if it is gone. */
static inline struct eventpoll *ep_acquire(struct file *epfile)
{
	struct eventpoll *ep = __atomic_load_n(&epfile->ep, __ATOMIC_ACQUIRE);

	if (!ep)
		return NULL;
	ep_acquire_mtx(ep);
	if (__builtin_expect(ep->is_alive && ep->file == epfile, 1))
		return ep;
	ep_release_mtx(ep); /* freed, or another's, while we waited for it */
	return NULL;
}

/*
 * mtx alone does where no loop thread can call back.  Either way, who is cut off in
 * between has done what stands before, and nothing of what stands behind.
 */
static inline void ep_lock(struct eventpoll *ep)
{
	if (__builtin_expect(ep->has_loop, 0))
		section_acquire(&ep->lock, NULL);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void ep_unlock(struct eventpoll *ep)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(ep->has_loop, 0))
		section_release(&ep->lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void ep_lock_loop(void);
void ep_unlock_loop(void);

/*
 * Whoever changes what the source knows holds mtx, and with the thread driver the
 * loop lock, so that no edge is under way meanwhile.  Returns whether it took that,
 * for ep_unlock_source().
 */
static inline bool ep_lock_source(struct eventpoll *ep)
{
	bool has_loop = ep->has_loop || ep->is_polled;

	if (__builtin_expect(has_loop, 0))
		ep_lock_loop();
	return has_loop;
}

static inline void ep_unlock_source(bool is_locked)
{
	if (__builtin_expect(is_locked, 0))
		ep_unlock_loop();
}

#endif
