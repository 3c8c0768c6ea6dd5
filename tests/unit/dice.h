/* SPDX-License-Identifier: MIT */
/*
 * dice.h - the same random numbers on every machine, for randomised tests.
 *
 * A test names its seeds and prints the one that failed, so that the failing
 * order can be run again; nothing is taken from the clock or the environment.
 */
#ifndef UNIT_DICE_H
#define UNIT_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline struct dice dice_from_seed(uint64_t seed)
{
	return (struct dice){.state = seed};
}

/* 64 random bits (splitmix64: every seed will do, 0 too). */
static inline uint64_t dice_roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number below @limit, which is not 0 and so small that the bias does not matter. */
static inline size_t dice_below(struct dice *dice, size_t limit)
{
	return (size_t)(dice_roll(dice) % limit);
}

/* Fill @order with 0..@nr-1 in random order. */
static inline void dice_shuffle(struct dice *dice, size_t *order, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		size_t j = dice_below(dice, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

#endif
