// SPDX-License-Identifier: MIT
#include "engine/busy.h"

static uint32_t busy_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t busy_min(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

void busy_init(struct busy *busy)
{
	*busy = (struct busy){.next_pause = BUSY_PAUSE_MIN, .credit = BUSY_CREDIT_START};
}

uint32_t busy_next_ns(struct busy *busy)
{
	if (!busy->pause)
		return busy->spin_ns;
	busy->pause--;
	return 0;
}

/* Never at once to less than half: one event that was early says little. */
static void busy_gain(struct busy *busy, const struct busy_sample *sample)
{
	uint32_t wanted = busy_min(2 * sample->took_ns, BUSY_SPIN_MAX_NS);

	busy->spin_ns = busy_max(wanted, busy_max(busy->spin_ns / 2, BUSY_SPIN_MIN_NS));
	busy->next_pause = BUSY_PAUSE_MIN;
	if (busy->credit < BUSY_CREDIT_MAX)
		busy->credit++;
}

static void busy_begin_pause(struct busy *busy)
{
	busy->pause = busy->next_pause;
	busy->next_pause = busy_min((uint64_t)busy->pause * BUSY_PAUSE_GROWTH, BUSY_PAUSE_MAX);
}

static void busy_miss(struct busy *busy, bool was_short)
{
	if (was_short)
		busy->spin_ns = busy_min(2 * (uint64_t)busy->spin_ns, BUSY_SPIN_MAX_NS);
	else
		busy->spin_ns = 0;
	busy->credit -= busy_min(busy->credit, BUSY_CREDIT_MISS);
	if (!busy->credit)
		busy_begin_pause(busy);
}

void busy_learn(struct busy *busy, const struct busy_sample *sample)
{
	bool was_short = sample->took_ns - sample->spun_ns <= BUSY_SHORT_NS;

	if (sample->has_gained)
		busy_gain(busy, sample);
	else if (sample->spun_ns)
		busy_miss(busy, was_short);
	else if (was_short)
		busy->spin_ns = busy_max(busy->spin_ns, BUSY_SPIN_MIN_NS);
	else
		busy->spin_ns = 0;
}
