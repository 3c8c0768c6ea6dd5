// SPDX-License-Identifier: MIT
#include "engine/pool.h"

#include "engine/section.h"

void *pool_alloc(struct pool *pool, uint32_t *ret_slot)
{
	void *object;

	section_acquire(&pool->lock, NULL);
	if (!pool->slab.object_size)
		slab_init(&pool->slab, pool->object_size);
	object = slab_alloc(&pool->slab, ret_slot);
	section_release(&pool->lock);
	return object;
}

void pool_free(struct pool *pool, uint32_t slot)
{
	section_acquire(&pool->lock, NULL);
	slab_free(&pool->slab, slot);
	section_release(&pool->lock);
}

void pool_reset(struct pool *pool)
{
	lock_reset(&pool->lock);
}

void pool_break(struct pool *pool)
{
	lock_tear(&pool->lock);
}
