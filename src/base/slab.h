/* SPDX-License-Identifier: MIT */
/*
 * slab.h - objects of one size in numbered, type-stable slots.
 *
 * A slot number fits 24 bits, so that it can travel in the tag of an event and
 * come back.  The memory of a slot belongs to the slab until slab_fini(): an
 * object looked up by a late tag may be free or somebody new, but it is an
 * object of this type, and its generation can be read and compared.  Freeing
 * leaves every byte of the object as it was; the slab keeps its own links
 * beside the objects.
 *
 *	chunk 0	|obj 0 .. obj n-1  |links|	one page, where the object fits
 *	chunk 1	|obj n .. obj 3n-1       |links|		twice as much
 *	chunk k	2^k times the objects of chunk 0
 *
 * Locking
 *	Callers serialise all calls on one slab, except slab_at(), slab_limit()
 *	and slab_is_live(), which may run beside slab_alloc() and slab_free().
 *	A caller abandoned in the middle (siglongjmp out of a signal handler)
 *	leaks one slot at most; the slab stays sound.
 */
#ifndef INTERPOLL_BASE_SLAB_H
#define INTERPOLL_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_SLOTS  (UINT32_C(1) << 24)
#define SLAB_CHUNKS 25

struct slab {
	uint32_t object_size; /* rounded up to 8 bytes, which is also the alignment */
	uint32_t chunk_shift; /* chunk 0 holds 2^chunk_shift objects */
	uint32_t limit;	      /* slots ever used: 0..limit-1 */
	uint32_t free;	      /* last freed slot, SLAB_NONE if there is none */
	uint32_t nr_live;     /* slots in use now */
	char *chunks[SLAB_CHUNKS];
};

/* Values of a link besides slot numbers. */
#define SLAB_NONE UINT32_MAX	     /* end of the free list */
#define SLAB_LIVE (UINT32_MAX - 1) /* the slot is in use */

/* Make @slab an empty slab of objects of @object_size bytes, 1..2^20.  Takes no memory. */
void slab_init(struct slab *slab, size_t object_size);

/* Give all memory back to pages.h, live objects too; nobody may use the slab meanwhile. */
void slab_fini(struct slab *slab);

/*
 * slab_alloc - take a free slot, the one freed last if there is one.
 * Returns its object and writes the slot's number to @ret_slot.  The object
 * holds what its last user left, all zero the first time.
 * Returns NULL, and writes nothing, if all 2^24 slots are in use or there is no
 * memory.
 */
void *slab_alloc(struct slab *slab, uint32_t *ret_slot);

/* Free @slot, which is live.  The object's bytes stay as they are. */
void slab_free(struct slab *slab, uint32_t slot);

/* Slots 0..slab_limit()-1 have been used at some time. */
static inline uint32_t slab_limit(const struct slab *slab)
{
	return __atomic_load_n(&slab->limit, __ATOMIC_ACQUIRE);
}

/* First slot of chunk @chunk. */
static inline uint32_t slab_chunk_start(const struct slab *slab, uint32_t chunk)
{
	return ((UINT32_C(1) << chunk) - 1) << slab->chunk_shift;
}

/* The chunk of @slot: chunk k starts at (2^k - 1) times the objects of chunk 0. */
static inline uint32_t slab_chunk_of(const struct slab *slab, uint32_t slot)
{
	return 31 - (uint32_t)__builtin_clz((slot >> slab->chunk_shift) + 1);
}

/*
 * slab_at - the object of @slot, live or free; NULL if it was never used.
 * O(1), async-signal-safe; any number may be asked for.
 */
static inline void *slab_at(const struct slab *slab, uint32_t slot)
{
	uint32_t chunk;
	size_t index;

	if (slot >= slab_limit(slab))
		return NULL;
	chunk = slab_chunk_of(slab, slot);
	index = slot - slab_chunk_start(slab, chunk);
	return slab->chunks[chunk] + index * slab->object_size;
}

/* Is @slot in use?  False for numbers never used.  Async-signal-safe. */
bool slab_is_live(const struct slab *slab, uint32_t slot);

/* The first live slot >= @slot, SLAB_NONE if there is none. */
uint32_t slab_next_live(const struct slab *slab, uint32_t slot);

/* Visit the number of every live slot, ascending; the visitor may free it. */
#define slab_for_each(slot, slab)                                                                  \
	for (slot = slab_next_live(slab, 0); slot != SLAB_NONE;                                    \
	     slot = slab_next_live(slab, slot + 1))

#endif
