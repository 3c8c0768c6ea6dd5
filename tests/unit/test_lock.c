// SPDX-License-Identifier: MIT
/*
 * test_lock.c - one at a time, nobody forgotten; and in debug builds, in order.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "steps.h"

#define NR_THREADS 4

Test(lock, is_held_until_released)
{
	struct lock lock;

	lock_init(&lock, LOCK_EP);
	cr_assert_not(lock_is_locked(&lock));
	lock_acquire(&lock);
	cr_assert(lock_is_locked(&lock));
	lock_release(&lock);
	cr_assert_not(lock_is_locked(&lock));
}

Test(lock, static_initialiser_makes_a_free_lock)
{
	static struct lock lock = LOCK_INIT(LOCK_TABLE);

	cr_assert(lock_try(&lock));
	cr_assert_not(lock_try(&lock));
	lock_release(&lock);
	cr_assert(lock_try(&lock));
	lock_release(&lock);
}

Test(lock, reset_frees_what_its_holder_never_releases)
{
	struct lock lock;

	lock_init(&lock, LOCK_EP);
	lock_acquire(&lock);
	lock_reset(&lock);
	cr_assert_not(lock_is_locked(&lock));
	lock_acquire(&lock);
	lock_release(&lock);
}

/* Two counters that agree whenever the lock is free; not atomic, so that a race shows. */
static struct shared {
	struct lock lock;
	unsigned long rounds;
	volatile unsigned long first, second;
	unsigned long nr_torn;
} shared;

static void *count_under_lock(void *use_try)
{
	for (unsigned long i = 0; i < shared.rounds; i++) {
		if (use_try) {
			while (!lock_try(&shared.lock))
				sched_yield();
		} else {
			lock_acquire(&shared.lock);
		}
		shared.nr_torn += shared.first != shared.second;
		shared.first = shared.first + 1;
		/* now and then be preempted inside, so that others spin out and sleep */
		if (i % 512 == 0)
			sched_yield();
		shared.second = shared.second + 1;
		lock_release(&shared.lock);
	}
	return NULL;
}

static void count_with_threads(bool is_mixed)
{
	pthread_t threads[NR_THREADS];

	shared = (struct shared){.rounds = 100000};
	lock_init(&shared.lock, LOCK_EP);
	for (int i = 0; i < NR_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, count_under_lock,
					    is_mixed && i % 2 ? &shared : NULL),
			     0);
	for (int i = 0; i < NR_THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(shared.nr_torn, 0);
	cr_assert_eq(shared.first, NR_THREADS * shared.rounds);
	cr_assert_eq(shared.second, NR_THREADS * shared.rounds);
	cr_assert_not(lock_is_locked(&shared.lock));
}

Test(lock, excludes_all_others, .timeout = 60)
{
	count_with_threads(false);
}

Test(lock, excludes_those_who_only_try, .timeout = 60)
{
	count_with_threads(true);
}

/*
 *	main	hold ........................ release
 *	others	      acquire: sleep in the futex        each gets it once
 *
 * The kernel is asked whether the others sleep; so none is woken by accident.
 */
static struct {
	struct lock lock;
	pid_t tids[NR_THREADS];
	int nr_got;
} sleepers;

static void *sleep_for_lock(void *tid)
{
	__atomic_store_n((pid_t *)tid, gettid(), __ATOMIC_RELEASE);
	lock_acquire(&sleepers.lock);
	sleepers.nr_got++;
	lock_release(&sleepers.lock);
	return NULL;
}

/* Wait until thread *@tid sleeps in the kernel, as /proc tells it. */
static void await_sleep(const pid_t *tid)
{
	char path[64], state = 0;
	FILE *stat;

	while (!__atomic_load_n(tid, __ATOMIC_ACQUIRE))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)*tid);
	while (state != 'S') {
		stat = fopen(path, "r");
		cr_assert_not_null(stat);
		cr_assert_eq(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
		fclose(stat);
	}
}

Test(lock, every_sleeper_gets_it_in_the_end, .timeout = 60)
{
	pthread_t threads[NR_THREADS];

	lock_init(&sleepers.lock, LOCK_EP);
	lock_acquire(&sleepers.lock);
	for (int i = 0; i < NR_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, sleep_for_lock, &sleepers.tids[i]),
			     0);
	for (int i = 0; i < NR_THREADS; i++)
		await_sleep(&sleepers.tids[i]);
	cr_assert_eq(sleepers.nr_got, 0);
	lock_release(&sleepers.lock);
	for (int i = 0; i < NR_THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(sleepers.nr_got, NR_THREADS);
}

static void ignore_signal(int signo)
{
	(void)signo;
}

/* A signal ends the futex wait early: the sleeper must look again, and keep errno. */
static void *keep_errno_over_signals(void *tid)
{
	errno = ENOTTY;
	sleep_for_lock(tid);
	return (void *)(intptr_t)errno;
}

Test(lock, signals_do_not_let_a_sleeper_through, .timeout = 60)
{
	struct sigaction action = {.sa_handler = ignore_signal};
	pthread_t thread;
	void *seen_errno;

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	lock_init(&sleepers.lock, LOCK_EP);
	lock_acquire(&sleepers.lock);
	cr_assert_eq(pthread_create(&thread, NULL, keep_errno_over_signals, &sleepers.tids[0]), 0);
	for (int i = 0; i < 100; i++) {
		await_sleep(&sleepers.tids[0]);
		cr_assert_eq(pthread_kill(thread, SIGUSR1), 0);
		cr_assert_eq(sleepers.nr_got, 0);
	}
	lock_release(&sleepers.lock);
	cr_assert_eq(pthread_join(thread, &seen_errno), 0);
	cr_assert_eq(sleepers.nr_got, 1);
	cr_assert_eq((intptr_t)seen_errno, ENOTTY);
}

static int nr_repaired;

static void note_repair(struct lock *lock)
{
	cr_assert(lock_is_locked(lock));
	lock_assert_held(lock);
	nr_repaired++;
}

Test(lock, recovery_repairs_and_frees_what_this_thread_holds)
{
	struct lock lock;

	lock_init(&lock, LOCK_EP);
	lock_acquire(&lock);
	lock_recover(&lock, note_repair);
	cr_assert_eq(nr_repaired, 1);
	cr_assert_not(lock_is_locked(&lock));
	lock_recover(&lock, note_repair);
	cr_assert_eq(nr_repaired, 1, "repaired although nobody held it");
	lock_acquire(&lock);
	lock_recover(&lock, NULL);
	cr_assert_not(lock_is_locked(&lock));
}

static void *recover_lock(void *lock)
{
	lock_recover(lock, note_repair);
	return NULL;
}

Test(lock, recovery_leaves_alone_what_another_thread_holds)
{
	struct lock lock;
	pthread_t thread;

	lock_init(&lock, LOCK_EP);
	lock_acquire(&lock);
	cr_assert_eq(pthread_create(&thread, NULL, recover_lock, &lock), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(nr_repaired, 0);
	cr_assert(lock_is_locked(&lock));
	lock_release(&lock);
}

#if STEPS_ARE_POSSIBLE

static sigjmp_buf way_out;

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

static void take_and_give_back(void)
{
	lock_acquire(&sleepers.lock);
	lock_release(&sleepers.lock);
}

static void give_back(void)
{
	lock_release(&sleepers.lock);
}

/* Run @body and jump away after its instruction number @step; false if it has not so many. */
static bool abandon(void (*body)(void), long step)
{
	if (sigsetjmp(way_out, 1))
		return true;
	return steps_run(body, step, jump_away);
}

Test(lock, recovery_after_jumping_away_from_anywhere, .timeout = 60)
{
	long step;

	lock_init(&sleepers.lock, LOCK_EP);
	take_and_give_back(); /* what is done only once must not shorten the way later */
	for (step = 0; abandon(take_and_give_back, step); step++) {
		lock_recover(&sleepers.lock, note_repair);
		cr_assert_not(lock_is_locked(&sleepers.lock), "after instruction %ld", step);
	}
	cr_assert_gt(nr_repaired, 0);
	cr_assert_lt(nr_repaired, step);
}

/* The lock is given back, and its holder jumps away before he wakes the sleeper. */
Test(lock, recovery_wakes_whom_the_holder_did_not, .timeout = 60)
{
	bool was_abandoned = true;

	for (long step = 0; was_abandoned; step++) {
		pthread_t thread;

		memset(&sleepers, 0, sizeof(sleepers));
		lock_init(&sleepers.lock, LOCK_EP);
		lock_acquire(&sleepers.lock);
		cr_assert_eq(pthread_create(&thread, NULL, sleep_for_lock, &sleepers.tids[0]), 0);
		await_sleep(&sleepers.tids[0]);
		was_abandoned = abandon(give_back, step);
		lock_recover(&sleepers.lock, NULL);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_assert_eq(sleepers.nr_got, 1);
	}
}

#endif

#ifdef INTERPOLL_DEBUG

static struct lock table = LOCK_INIT(LOCK_TABLE);
static struct lock outer = LOCK_INIT(LOCK_MTX), inner = LOCK_INIT(LOCK_MTX);
static struct lock ep = LOCK_INIT(LOCK_EP);

Test(lock_rank, growing_ranks_are_fine_and_release_is_in_any_order)
{
	lock_acquire(&table);
	lock_acquire_nested(&outer, 0);
	lock_acquire_nested(&inner, 1);
	lock_acquire(&ep);
	lock_release(&table);
	lock_release(&inner);
	lock_release(&ep);
	lock_release(&outer);
	lock_assert_none_held();
}

Test(lock_rank, holder_is_the_thread_not_the_process)
{
	lock_assert_none_held();
	lock_acquire(&ep);
	cr_assert(lock_is_held(&ep));
	cr_assert_not(lock_is_held(&table));
	lock_assert_held(&ep);
	lock_release(&ep);
	cr_assert_not(lock_is_held(&ep));
}

Test(lock_rank, shrinking_rank_aborts, .signal = SIGABRT)
{
	lock_acquire(&ep);
	lock_acquire(&table);
}

Test(lock_rank, equal_rank_without_subclass_aborts, .signal = SIGABRT)
{
	lock_acquire(&outer);
	lock_acquire(&inner);
}

Test(lock_rank, shrinking_subclass_aborts, .signal = SIGABRT)
{
	lock_acquire_nested(&outer, 2);
	lock_acquire_nested(&inner, 1);
}

Test(lock_rank, subclass_out_of_range_aborts, .signal = SIGABRT)
{
	lock_acquire_nested(&outer, LOCK_SUBCLASS_MAX + 1);
}

/* Without the check this would sleep for ever. */
Test(lock_rank, acquiring_twice_aborts, .signal = SIGABRT, .timeout = 20)
{
	lock_acquire(&ep);
	lock_acquire(&ep);
}

Test(lock_rank, a_lock_that_was_tried_counts_as_held, .signal = SIGABRT)
{
	cr_assert(lock_try(&ep));
	lock_acquire(&table);
}

Test(lock_rank, trying_out_of_order_is_allowed)
{
	lock_acquire(&ep);
	cr_assert(lock_try(&table));
	lock_release(&table);
	lock_release(&ep);
	lock_assert_none_held();
}

Test(lock_rank, releasing_what_is_not_held_aborts, .signal = SIGABRT)
{
	lock_release(&ep);
}

Test(lock_rank, assertion_of_a_lock_not_held_aborts, .signal = SIGABRT)
{
	lock_assert_held(&ep);
}

Test(lock_rank, assertion_of_no_locks_aborts_while_one_is_held, .signal = SIGABRT)
{
	lock_acquire(&ep);
	lock_assert_none_held();
}

static void *try_to_release(void *lock)
{
	lock_release(lock);
	return NULL;
}

Test(lock_rank, release_by_another_thread_aborts, .signal = SIGABRT)
{
	pthread_t thread;

	lock_acquire(&ep);
	pthread_create(&thread, NULL, try_to_release, &ep);
	pthread_join(thread, NULL);
}

Test(lock_rank, reset_forgets_that_this_thread_held_it)
{
	lock_acquire(&ep);
	lock_reset(&ep);
	lock_assert_none_held();
	lock_acquire(&table);
	lock_release(&table);
}

#endif
