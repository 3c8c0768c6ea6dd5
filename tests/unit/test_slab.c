// SPDX-License-Identifier: MIT
/*
 * test_slab.c - slots: numbered, stable, never two users at once.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/slab.h"
#include "dice.h"

struct object {
	uint64_t stamp;
	uint32_t slot;
	char padding[44];
};

static struct slab slab;

static void slab_begin(void)
{
	slab_init(&slab, sizeof(struct object));
}

static void slab_end(void)
{
	slab_fini(&slab);
}

TestSuite(slab, .init = slab_begin, .fini = slab_end);

static struct object *object_new(uint32_t *ret_slot)
{
	struct object *object = slab_alloc(&slab, ret_slot);

	cr_assert_not_null(object);
	return object;
}

Test(slab, empty_slab_has_no_slots)
{
	cr_assert_eq(slab_limit(&slab), 0);
	cr_assert_null(slab_at(&slab, 0));
	cr_assert_not(slab_is_live(&slab, 0));
	cr_assert_eq(slab_next_live(&slab, 0), SLAB_NONE);
}

Test(slab, slots_are_numbered_from_zero_and_start_zeroed)
{
	static const struct object zero;
	uint32_t slot;

	for (uint32_t i = 0; i < 1000; i++) {
		struct object *object = object_new(&slot);

		cr_assert_eq(slot, i);
		cr_assert_eq(memcmp(object, &zero, sizeof(zero)), 0);
		cr_assert_eq((uintptr_t)object % 8, 0);
		cr_assert_eq(slab_at(&slab, slot), object);
		memset(object, 0xff, sizeof(*object));
	}
	cr_assert_eq(slab.nr_live, 1000);
	cr_assert_eq(slab_limit(&slab), 1000);
}

Test(slab, any_number_may_be_looked_up)
{
	uint32_t slot;

	object_new(&slot);
	cr_assert_null(slab_at(&slab, 1));
	cr_assert_null(slab_at(&slab, SLAB_SLOTS));
	cr_assert_null(slab_at(&slab, SLAB_NONE));
	cr_assert_not(slab_is_live(&slab, SLAB_LIVE));
	cr_assert_not(slab_is_live(&slab, SLAB_NONE));
}

Test(slab, slot_freed_last_comes_back_first_with_its_bytes)
{
	uint32_t slots[3], slot;
	struct object *objects[3];

	for (int i = 0; i < 3; i++) {
		objects[i] = object_new(&slots[i]);
		objects[i]->stamp = 100 + (uint64_t)i;
	}
	slab_free(&slab, slots[0]);
	slab_free(&slab, slots[2]);
	cr_assert_eq(objects[2]->stamp, 102);
	cr_assert_eq(slab_at(&slab, slots[2]), objects[2]);
	cr_assert_not(slab_is_live(&slab, slots[2]));

	cr_assert_eq(object_new(&slot), objects[2]);
	cr_assert_eq(slot, slots[2]);
	cr_assert_eq(objects[2]->stamp, 102);
	cr_assert_eq(object_new(&slot), objects[0]);
	object_new(&slot);
	cr_assert_eq(slot, 3);
}

Test(slab, iteration_visits_live_slots_and_may_free_them)
{
	uint32_t slot, expected = 1;

	for (int i = 0; i < 100; i++)
		object_new(&slot);
	for (slot = 0; slot < 100; slot += 3)
		slab_free(&slab, slot);
	slab_for_each(slot, &slab) {
		cr_assert_eq(slot, expected);
		expected += expected % 3 == 1 ? 1 : 2;
		slab_free(&slab, slot);
	}
	cr_assert_eq(expected, 100);
	cr_assert_eq(slab.nr_live, 0);
	cr_assert_eq(slab_next_live(&slab, 0), SLAB_NONE);
}

Test(slab, fini_leaves_an_empty_usable_slab)
{
	uint32_t slot;

	for (int i = 0; i < 5000; i++)
		object_new(&slot);
	slab_fini(&slab);
	cr_assert_eq(slab_limit(&slab), 0);
	cr_assert_eq(slab.nr_live, 0);
	object_new(&slot);
	cr_assert_eq(slot, 0);
}

/* Sizes around every rounding: no two objects, and no link, may share a byte. */
Test(slab, objects_of_any_size_do_not_overlap)
{
	static const size_t sizes[] = {
		1,    7,    8,	  9,	12,   60,   64,	  100,	 1020,	1024,
		2040, 2044, 4088, 4092, 4096, 4100, 8188, 12345, 65536, 1 << 20,
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t nr = sizes[i] > 4096 ? 20 : 3000, slot;

		slab_fini(&slab);
		slab_init(&slab, sizes[i]);
		for (uint32_t n = 0; n < nr; n++) {
			void *object = slab_alloc(&slab, &slot);

			cr_assert_not_null(object);
			memset(object, (int)(n & 0xff), sizes[i]);
		}
		for (uint32_t n = 0; n < nr; n++) {
			const unsigned char *bytes = slab_at(&slab, n);

			cr_assert(slab_is_live(&slab, n), "size %zu, slot %u", sizes[i], n);
			for (size_t b = 0; b < sizes[i]; b++)
				cr_assert_eq(bytes[b], n & 0xff, "size %zu, slot %u, byte %zu",
					     sizes[i], n, b);
		}
	}
}

Test(slab, random_use_never_gives_one_slot_to_two)
{
	enum {
		NR = 6000,
		STEPS = 200000
	};
	static uint32_t held[NR]; /* slots in use, in no order */

	for (unsigned long seed = 1; seed <= 3; seed++) {
		struct dice dice = dice_from_seed(seed);
		uint32_t nr = 0;

		slab_fini(&slab);
		for (int step = 0; step < STEPS; step++) {
			uint32_t slot, at;
			struct object *object;

			if (nr < NR && (nr == 0 || dice_below(&dice, 100) < 55)) {
				object = object_new(&slot);
				object->stamp = seed << 32 | slot;
				object->slot = slot;
				held[nr++] = slot;
				continue;
			}
			at = (uint32_t)dice_below(&dice, nr);
			slot = held[at];
			object = slab_at(&slab, slot);
			cr_assert(slab_is_live(&slab, slot), "seed %lu, step %d", seed, step);
			cr_assert(object->slot == slot && object->stamp == (seed << 32 | slot),
				  "seed %lu, step %d: slot %u is somebody else's", seed, step,
				  slot);
			slab_free(&slab, slot);
			cr_assert_not(slab_is_live(&slab, slot), "seed %lu, step %d", seed, step);
			held[at] = held[--nr];
		}
		cr_assert_eq(slab.nr_live, nr, "seed %lu", seed);
	}
}

/* Each slot is a tag's 24 bits: the last one is given out, one more is refused. */
Test(slab, sixteen_million_slots_and_no_more, .timeout = 120)
{
	uint32_t slot;

	slab_fini(&slab);
	slab_init(&slab, 1);
	for (uint32_t i = 0; i < 1 << 24; i++) {
		cr_assert_not_null(slab_alloc(&slab, &slot));
		if (slot != i)
			cr_assert_fail("slot %u instead of %u", slot, i);
	}
	slot = 12345;
	cr_assert_null(slab_alloc(&slab, &slot));
	cr_assert_eq(slot, 12345, "written although nothing was given");
	slab_free(&slab, (1 << 24) - 1);
	cr_assert_not_null(slab_alloc(&slab, &slot));
	cr_assert_eq(slot, (1 << 24) - 1);
}

#ifdef INTERPOLL_DEBUG
#include <signal.h>

Test(slab, freeing_twice_aborts, .signal = SIGABRT)
{
	uint32_t slot;

	object_new(&slot);
	slab_free(&slab, slot);
	slab_free(&slab, slot);
}

Test(slab, freeing_what_was_never_used_aborts, .signal = SIGABRT)
{
	slab_free(&slab, 77);
}
#endif
