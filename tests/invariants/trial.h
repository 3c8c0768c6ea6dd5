/* SPDX-License-Identifier: MIT */
/*
 * trial.h - a scenario put to the test under one disturbance, for a while.
 *
 * A trial is a row of short rounds.  Each draws its own topology, lets tokens flow
 * while the disturbance lasts, waits until all threads sleep and looks whether
 * anything is left; a loss that the next token would hide shows there.  The seed
 * decides what is drawn, not what the scheduler makes of it.
 */
#ifndef INVARIANTS_TRIAL_H
#define INVARIANTS_TRIAL_H

#include "claim.h"
#include "disturb.h"
#include "field.h"

/*
 * From the environment: INVARIANTS_SECONDS, the time for all claims of the program;
 * INVARIANTS_SEED.
 */
void trial_run(const struct scenario *scenario, unsigned int disturbances);

/* Before a field is made otherwise than by trial_run(): seed and signals.  Returns the seed. */
uint64_t trial_prepare(void);

#define INVARIANT_UNDER(scenario, name, disturbances) \
	CLAIM(name)                                   \
	{                                             \
		trial_run(&(scenario), disturbances); \
	}

/* Claims NAME_undisturbed, NAME_under_signals and so on of @scenario. */
#define INVARIANT(scenario, name)                                              \
	INVARIANT_UNDER(scenario, name##_undisturbed, DISTURB_NOTHING)         \
	INVARIANT_UNDER(scenario, name##_under_signals, DISTURB_SIGNALS)       \
	INVARIANT_UNDER(scenario, name##_under_cancellations, DISTURB_CANCELS) \
	INVARIANT_UNDER(scenario, name##_under_closes, DISTURB_CLOSES)         \
	INVARIANT_UNDER(scenario, name##_under_forks, DISTURB_FORKS)           \
	INVARIANT_UNDER(scenario, name##_under_looks, DISTURB_LOOKS)           \
	INVARIANT_UNDER(scenario, name##_under_everything, DISTURB_ALL)

#endif
