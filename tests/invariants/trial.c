// SPDX-License-Identifier: MIT
/*
 * trial.c - rounds: draw, storm, calm.
 */
#include "trial.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "mask.h"
#include "stage.h"

enum {
	NR_ROUNDS_MIN = 5,
	NR_BURSTS_MAX = 4,
	NR_DISTURBERS_MAX = 2,
	NR_WRITERS_MAX = 2,
};

/* ---- a storm ----------------------------------------------------------- */

struct actor {
	struct field *field;
	pthread_t thread;
	struct dice dice;
	int nr_tokens;
};

static void actor_start(struct actor *actor, struct field *field, void *(*run)(void *))
{
	actor->field = field;
	actor->dice = dice_from_seed(dice_roll(&my_dice));
	EXPECT_INT(pthread_create(&actor->thread, NULL, run, actor), ==, 0);
}

static void *writer_run(void *argument)
{
	struct actor *writer = argument;
	struct field *field = writer->field;
	bool hurries;

	pthread_setname_np(pthread_self(), "writer");
	my_dice = writer->dice;
	hurries = roll(2);
	for (int i = 0; i < writer->nr_tokens; i++) {
		if (field->scenario->write)
			field->scenario->write(field);
		else
			lane_write(&field->lanes[roll((unsigned int)field->nr_lanes)]);
		if (!hurries || roll(16) == 0)
			sched_yield();
	}
	return NULL;
}

static void *disturber_run(void *argument)
{
	struct actor *disturber = argument;

	pthread_setname_np(pthread_self(), "disturber");
	my_dice = disturber->dice;
	do
		disturb(disturber->field);
	while (atomic_load(&disturber->field->is_stormy));
	return NULL;
}

static void burst(struct field *field)
{
	struct actor writers[NR_WRITERS_MAX], disturbers[NR_DISTURBERS_MAX];
	int nr_writers = 1 + (int)roll(NR_WRITERS_MAX);
	int nr_disturbers = field->disturbances ? 1 + (int)roll(NR_DISTURBERS_MAX) : 0;

	for (int i = 0; i < field->nr_workers; i++)
		if (field->workers[i].is_gone)
			worker_restart(&field->workers[i]);
	atomic_store(&field->is_stormy, true);
	for (int i = 0; i < nr_disturbers; i++)
		actor_start(&disturbers[i], field, disturber_run);
	for (int i = 0; i < nr_writers; i++) {
		writers[i].nr_tokens = 1 + (int)roll(roll(2) ? 8 : 120);
		actor_start(&writers[i], field, writer_run);
	}
	for (int i = 0; i < nr_writers; i++)
		EXPECT_INT(pthread_join(writers[i].thread, NULL), ==, 0);
	atomic_store(&field->is_stormy, false);
	for (int i = 0; i < nr_disturbers; i++)
		EXPECT_INT(pthread_join(disturbers[i].thread, NULL), ==, 0);
}

/* ---- a round ----------------------------------------------------------- */

/* What a scenario may draw otherwise. */
static void field_plan(struct field *field)
{
	field->flags = EPOLLIN;
	field->nr_epfds = 1;
	field->nr_lanes = 1 + (int)roll(roll(2) ? 3 : NR_LANES_MAX);
	field->nr_workers = roll(3) ? 1 + (int)roll(4) : 1;
	field->maxevents = 1 + (int)roll(NR_EVENTS_MAX);
	field->has_tcp = roll(4) == 0;
	if (field->scenario->plan)
		field->scenario->plan(field);
}

static void note_round(const struct field *field, uint64_t seed, int round)
{
	char flags[80];

	mask_format(flags, sizeof(flags), field->flags);
	claim_note("seed %llu, round %d: %d workers with room for %d in %d eventpolls, %d lanes "
		   "watched for %s, disturbances 0x%x",
		   (unsigned long long)seed, round, field->nr_workers, field->maxevents,
		   field->nr_epfds, field->nr_lanes, flags, field->disturbances);
}

static void round_run(const struct scenario *scenario, unsigned int disturbances, uint64_t seed,
		      int round)
{
	static struct field field;

	my_dice = dice_from_seed(seed + (uint64_t)round);
	memset(&field, 0, sizeof(field));
	field.scenario = scenario;
	field.disturbances = disturbances;
	if (disturbances == DISTURB_ALL)
		field.disturbances = roll(DISTURB_ALL + 1);
	field_plan(&field);
	note_round(&field, seed, round);
	field_open(&field);
	for (unsigned int i = 1 + roll(NR_BURSTS_MAX); i; i--) {
		burst(&field);
		field_calm(&field);
	}
	if (round < NR_ROUNDS_MIN)
		field_expect_sleep(&field);
	field_close(&field);
}

/* ---- a trial ----------------------------------------------------------- */

static double number_from_environment(const char *name, double otherwise)
{
	const char *value = getenv(name);

	return value ? atof(value) : otherwise;
}

static int64_t share_ns(void)
{
	int nr_claims = 0;

	for (const struct claim *claim = claim_list(); claim; claim = claim->next)
		nr_claims++;
	return (int64_t)(number_from_environment("INVARIANTS_SECONDS", 1) * 1e9) / nr_claims;
}

uint64_t trial_prepare(void)
{
	uint64_t seed = (uint64_t)number_from_environment("INVARIANTS_SEED", 1);

	my_dice = dice_from_seed(seed);
	signals_block(); /* threads inherit it */
	signals_handle();
	return seed;
}

void trial_run(const struct scenario *scenario, unsigned int disturbances)
{
	uint64_t seed = trial_prepare();
	int64_t share = share_ns();
	int64_t end_ns = now_ns() + share;

	claim_takes((int)(share / 1000000000));
	for (int round = 0; round < NR_ROUNDS_MIN || now_ns() < end_ns; round++)
		round_run(scenario, disturbances, seed, round);
}
