// SPDX-License-Identifier: MIT
/*
 * disturb.c - choose a disturbance; those that are done to workers.
 */
#include "disturb.h"

#include <sched.h>
#include <signal.h>

#include "field.h"
#include "stage.h"

/* Let others run, a little or a little longer. */
static void linger(void)
{
	for (unsigned int i = roll(8); i; i--)
		sched_yield();
}

void disturb_by_signal(struct field *field)
{
	struct worker *worker = &field->workers[roll((unsigned int)field->nr_workers)];

	pthread_mutex_lock(&field->workers_lock);
	for (unsigned int i = worker->is_gone ? 0 : 1 + roll(6); i; i--) {
		EXPECT_INT(pthread_kill(worker->thread, SIGUSR1), ==, 0);
		linger();
	}
	pthread_mutex_unlock(&field->workers_lock);
}

/* Somebody else is there to do its work. */
static bool is_dispensable(const struct field *field, const struct worker *worker)
{
	for (int i = 0; i < field->nr_workers; i++) {
		const struct worker *other = &field->workers[i];

		if (other != worker && !other->is_gone && other->epfd == worker->epfd)
			return true;
	}
	return false;
}

/*
 * One that is replaced at once may do what the cancelled one left undone; so some are
 * not before the next burst.
 */
void disturb_by_cancel(struct field *field)
{
	struct worker *worker = &field->workers[roll((unsigned int)field->nr_workers)];

	pthread_mutex_lock(&field->workers_lock);
	if (!worker->is_gone) {
		worker_cancel(worker);
		if (roll(2) || !is_dispensable(field, worker))
			worker_restart(worker);
	}
	pthread_mutex_unlock(&field->workers_lock);
	linger();
}

void disturb(struct field *field)
{
	static void (*const steps[])(struct field *) = {
		disturb_by_signal, disturb_by_cancel, disturb_by_close,
		disturb_by_fork,   disturb_by_look,
	};
	unsigned int which;

	if (!field->disturbances)
		return;
	do
		which = roll(sizeof(steps) / sizeof(steps[0]));
	while (!(field->disturbances & 1u << which));
	steps[which](field);
	linger();
}
