/* SPDX-License-Identifier: MIT */
/*
 * pool.h - a slab that all threads share, ready before anybody's constructor.
 *
 * Files, eventpolls and waiters live in pools; their memory stays of their type, so
 * that who is late with a pointer finds an old object, never nonsense.
 *
 * The lock (rank LOCK_SLAB, a leaf) protects the slab.  Inside a section.
 */
#ifndef INTERPOLL_ENGINE_POOL_H
#define INTERPOLL_ENGINE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/slab.h"

struct pool {
	struct lock lock;
	size_t object_size;
	struct slab slab; /* all zero, and empty, until the first allocation */
};

/* Initialiser of a pool of objects of @type. */
#define POOL_INIT(type)                                                   \
	{                                                                 \
		.lock = LOCK_INIT(LOCK_SLAB), .object_size = sizeof(type) \
	}

/*
 * slab_alloc() and slab_free() under the lock.  NULL when memory is out; an object
 * holds what its last user left, all zero the first time.
 */
void *pool_alloc(struct pool *pool, uint32_t *ret_slot);
void pool_free(struct pool *pool, uint32_t slot);

/* In the child of fork: the lock that another thread held is nobody's. */
void pool_reset(struct pool *pool);

/* Before that, where a handler forked and what it interrupted goes on: see lock_tear(). */
void pool_break(struct pool *pool);

#endif
