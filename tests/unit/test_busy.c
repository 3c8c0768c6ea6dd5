// SPDX-License-Identifier: MIT
/*
 * test_busy.c - what an eventpoll learns about looking before it sleeps.
 *
 * Made of samples only: each test plays the waits of a program, and who makes the
 * events for it.
 */
#include <criterion/criterion.h>

#include "engine/busy.h"

#define US 1000

/* A program that waits, and when the next event comes. */
struct play {
	struct busy busy;
	uint64_t spun_ns; /* altogether */
	unsigned int nr_spins, nr_gained;
};

static void play_begin(struct play *play)
{
	*play = (struct play){.nr_spins = 0};
	busy_init(&play->busy);
}

/*
 * One wait whose event comes @arrives_ns after it began, or only @after_ns after the
 * thread has gone to sleep, whichever is later.  CLOCK_FOREVER: nothing comes.
 */
static void play_wait(struct play *play, uint64_t arrives_ns, uint64_t after_ns)
{
	struct busy_sample sample = {.spun_ns = 0};
	bool is_curious = busy_is_curious(&play->busy);
	uint32_t budget_ns = busy_next_ns(&play->busy);

	sample.has_gained = budget_ns && !after_ns && arrives_ns < budget_ns;
	if (budget_ns) {
		cr_assert(is_curious, "a spin that nobody learns from");
		play->nr_spins++;
		sample.spun_ns = sample.has_gained ? arrives_ns : budget_ns;
		play->spun_ns += sample.spun_ns;
	}
	sample.took_ns = arrives_ns;
	if (arrives_ns != CLOCK_FOREVER && sample.spun_ns + after_ns > arrives_ns)
		sample.took_ns = sample.spun_ns + after_ns;
	play->nr_gained += sample.has_gained;
	if (is_curious)
		busy_learn(&play->busy, &sample);
}

static void play_waits(struct play *play, unsigned int nr, uint64_t arrives_ns, uint64_t after_ns)
{
	while (nr--)
		play_wait(play, arrives_ns, after_ns);
}

Test(busy, who_has_learnt_nothing_sleeps_at_once)
{
	struct play play;

	play_begin(&play);
	cr_assert(busy_is_curious(&play.busy));
	cr_assert_eq(busy_next_ns(&play.busy), 0);
}

Test(busy, idle_program_never_spins)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 10000, 1000000 * US, 0);
	play_waits(&play, 10000, CLOCK_FOREVER, 0);
	cr_assert_eq(play.nr_spins, 0);
}

Test(busy, program_that_is_idle_from_now_on_spins_once_more)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 100, 20 * US, 0);
	cr_assert_gt(play.nr_gained, 90);
	play.nr_spins = 0;
	play_waits(&play, 1000, CLOCK_FOREVER, 0);
	cr_assert_eq(play.nr_spins, 1);
}

Test(busy, nothing_that_comes_is_no_short_sleep)
{
	struct busy_sample timed_out = {.took_ns = CLOCK_FOREVER};
	struct busy busy;

	busy_init(&busy);
	busy_learn(&busy, &timed_out);
	cr_assert_eq(busy_next_ns(&busy), 0);
}

Test(busy, peer_on_another_processor_is_waited_for)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 1000, 20 * US, 0);
	cr_assert_eq(play.nr_gained, 999, "all but the first");
	cr_assert_eq(busy_next_ns(&play.busy), BUSY_SPIN_MIN_NS);
}

/* Longer than the first spin: it grows until it reaches. */
Test(busy, slow_peer_is_waited_for_longer)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 1000, 95 * US, 0);
	cr_assert_geq(play.nr_gained, 998);
	cr_assert_eq(busy_next_ns(&play.busy), 190 * US);
}

Test(busy, spin_shrinks_with_what_is_needed_but_not_at_once)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 10, 95 * US, 0);
	cr_assert_eq(busy_next_ns(&play.busy), 190 * US);
	play_wait(&play, 10 * US, 0);
	cr_assert_eq(busy_next_ns(&play.busy), 95 * US);
	play_waits(&play, 10, 10 * US, 0);
	cr_assert_eq(busy_next_ns(&play.busy), BUSY_SPIN_MIN_NS);
}

Test(busy, spin_never_grows_past_its_bound)
{
	struct play play;

	play_begin(&play);
	for (int i = 0; i < 1000; i++) {
		cr_assert_leq(busy_next_ns(&play.busy), BUSY_SPIN_MAX_NS);
		play_wait(&play, (190 + i % 30) * US, 0);
	}
}

/*
 * The peer shares our processor: its event comes 15 us after we let go of it, however
 * long we have looked before.
 */
Test(busy, peer_on_our_processor_is_given_way_to)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 100 * 1000, 15 * US, 15 * US);
	cr_assert_eq(play.nr_gained, 0);
	cr_assert_lt(play.nr_spins, 40);
	cr_assert_lt(play.spun_ns, UINT64_C(100) * 1000 * 15 * US / 100, "one in a hundred");
	cr_assert_eq(play.busy.next_pause, BUSY_PAUSE_MAX);
}

Test(busy, two_spins_in_vain_are_enough_to_begin_with)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 1 + BUSY_PAUSE_MIN + 2, 15 * US, 15 * US);
	cr_assert_eq(play.nr_spins, 2);
	play_wait(&play, 15 * US, 15 * US);
	cr_assert_eq(play.nr_spins, 3, "and after the pause one is tried");
	cr_assert_eq(play.busy.pause, BUSY_PAUSE_MIN * BUSY_PAUSE_GROWTH);
}

Test(busy, peer_that_moves_to_another_processor_is_noticed)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 100 * 1000, 15 * US, 15 * US);
	play_waits(&play, BUSY_PAUSE_MAX, 15 * US, 0);
	play.nr_gained = 0;
	play_waits(&play, 1000, 15 * US, 0);
	cr_assert_eq(play.nr_gained, 1000);
	cr_assert_eq(play.busy.next_pause, BUSY_PAUSE_MIN);
}

/* One long wait among many short ones costs one spin, not the gains after it. */
Test(busy, who_has_gained_much_may_miss_now_and_then)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 100, 20 * US, 0);
	play.nr_gained = 0;
	for (int i = 0; i < 100; i++) {
		play_wait(&play, 5000 * US, 0);
		play_waits(&play, 10, 20 * US, 0);
	}
	cr_assert_eq(play.nr_gained, 900, "all but the first after each");
}

/* A short wait is no promise: here the next is always long. */
Test(busy, short_and_long_in_turn_are_soon_not_worth_it)
{
	struct play play;

	play_begin(&play);
	for (int i = 0; i < 10 * 1000; i++) {
		play_wait(&play, 20 * US, 0);
		play_wait(&play, 5000 * US, 0);
	}
	cr_assert_lt(play.nr_spins, 50);
}

Test(busy, while_it_pauses_nothing_is_to_be_measured)
{
	struct play play;

	play_begin(&play);
	play_waits(&play, 3, 15 * US, 15 * US);
	cr_assert_eq(play.busy.pause, BUSY_PAUSE_MIN);
	for (int i = 0; i < BUSY_PAUSE_MIN; i++) {
		cr_assert_not(busy_is_curious(&play.busy));
		cr_assert_eq(busy_next_ns(&play.busy), 0);
	}
	cr_assert(busy_is_curious(&play.busy));
	cr_assert_gt(busy_next_ns(&play.busy), 0);
}
