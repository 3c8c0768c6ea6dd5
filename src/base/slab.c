// SPDX-License-Identifier: MIT
#include "base/ensure.h"
#include "base/pages.h"
#include "base/slab.h"

#define SLAB_ALIGN 8

/* Bytes of one object and its link. */
static size_t slot_size(const struct slab *slab)
{
	return (size_t)slab->object_size + sizeof(uint32_t);
}

/* Chunk 0 is one page, or as many as one object needs; chunk k is 2^k times that. */
static size_t chunk_size(const struct slab *slab, uint32_t chunk)
{
	return pages_round(slot_size(slab)) << chunk;
}

static uint32_t chunk_objects(const struct slab *slab, uint32_t chunk)
{
	return UINT32_C(1) << (slab->chunk_shift + chunk);
}

/* The link of @slot, which is below the limit; links lie behind the chunk's objects. */
static uint32_t *slab_link(const struct slab *slab, uint32_t slot)
{
	uint32_t chunk = slab_chunk_of(slab, slot);
	size_t objects_size = (size_t)chunk_objects(slab, chunk) * slab->object_size;
	void *links = slab->chunks[chunk] + objects_size;

	return (uint32_t *)links + (slot - slab_chunk_start(slab, chunk));
}

static uint32_t link_read(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_RELAXED);
}

static void link_write(uint32_t *link, uint32_t value)
{
	__atomic_store_n(link, value, __ATOMIC_RELAXED);
}

/* A slot that is free twice would be handed out twice: who is cut off here leaks it. */
static void slab_keep_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void slab_init(struct slab *slab, size_t object_size)
{
	size_t per_chunk;

	object_size = (object_size + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
	*slab = (struct slab){.object_size = (uint32_t)object_size, .free = SLAB_NONE};
	per_chunk = pages_round(slot_size(slab)) / slot_size(slab);
	slab->chunk_shift = 31 - (uint32_t)__builtin_clz((uint32_t)per_chunk);
}

void slab_fini(struct slab *slab)
{
	uint32_t chunk;

	for (chunk = 0; chunk < SLAB_CHUNKS; chunk++)
		pages_free(slab->chunks[chunk], chunk_size(slab, chunk));
	slab_init(slab, slab->object_size);
}

/*
 * Bring the first slot never used into use; its chunk exists before the limit
 * tells slab_at() of it.
 */
static uint32_t slab_grow(struct slab *slab)
{
	uint32_t slot = slab->limit;
	uint32_t chunk = slab_chunk_of(slab, slot);

	if (slot >= SLAB_SLOTS)
		return SLAB_NONE;
	if (!slab->chunks[chunk])
		slab->chunks[chunk] = pages_alloc(chunk_size(slab, chunk));
	if (!slab->chunks[chunk])
		return SLAB_NONE;
	link_write(slab_link(slab, slot), SLAB_LIVE);
	__atomic_store_n(&slab->limit, slot + 1, __ATOMIC_RELEASE);
	return slot;
}

void *slab_alloc(struct slab *slab, uint32_t *ret_slot)
{
	uint32_t slot = slab->free;

	if (slot == SLAB_NONE) {
		slot = slab_grow(slab);
		if (slot == SLAB_NONE)
			return NULL;
	} else {
		uint32_t *link = slab_link(slab, slot);

		slab->free = link_read(link);
		slab_keep_order();
		link_write(link, SLAB_LIVE);
	}
	slab->nr_live++;
	*ret_slot = slot;
	return slab_at(slab, slot);
}

void slab_free(struct slab *slab, uint32_t slot)
{
	uint32_t *link;

	ensure(slab_is_live(slab, slot));
	link = slab_link(slab, slot);
	link_write(link, slab->free);
	slab_keep_order();
	slab->free = slot;
	slab->nr_live--;
}

bool slab_is_live(const struct slab *slab, uint32_t slot)
{
	return slot < slab_limit(slab) && link_read(slab_link(slab, slot)) == SLAB_LIVE;
}

uint32_t slab_next_live(const struct slab *slab, uint32_t slot)
{
	uint32_t limit = slab_limit(slab);

	for (; slot < limit; slot++)
		if (link_read(slab_link(slab, slot)) == SLAB_LIVE)
			return slot;
	return SLAB_NONE;
}
