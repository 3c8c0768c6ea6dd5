// SPDX-License-Identifier: MIT
/*
 * test_engine_wait.c - asleep in the source, and what happens meanwhile.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0, ...
 *
 * What a step does, a handler of the sleeping thread does, or another thread.
 */
#include "engine_stage.h"

#include <signal.h>

TestSuite(engine_wait, .init = stage_inline);

#define ONE_SECOND CLOCK_NS_PER_SEC

static int f0, f1, f2;

static bool has_sleeper(void)
{
	return !list_is_empty(&e0.ep->waiters);
}

static int pass_time(struct fake *fake)
{
	(void)fake;
	cr_assert(has_sleeper());
	cr_assert_not(section_is_inside());
	return 0;
}

Test(engine_wait, sleep_is_the_callers)
{
	struct epoll_event events[16];
	sigset_t mask;
	struct ep_wait_args args = {
		.events = events, .maxevents = 16, .timeout_ns = 1234567, .sigmask = &mask};

	sigemptyset(&mask);
	fake_then(e0.fake, pass_time);
	cr_assert(section_enter());
	cr_assert_eq(ep_wait(e0.epfile, &args), 0);
	section_leave();
	cr_assert_eq(e0.fake->nr_sleeps, 1);
	cr_assert_eq(e0.fake->timeout_ns, 1234567);
	cr_assert_eq(e0.fake->sigmask, &mask);
	cr_assert_eq(e0.fake->max, 16);
	cr_assert_eq(e0.fake->buffer, e0.ep->slot, "into memory of the eventpoll's own");
	cr_assert_not(has_sleeper());
	EXPECT_COUNT(&e0, SLEEP, 1);
	EXPECT_COUNT(&e0, WAKE_TIMEOUT, 1);
	EXPECT_COUNT(&e0, RETURN, 0);
}

Test(engine_wait, look_never_sleeps)
{
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(e0.fake->nr_sleeps, 0);
	EXPECT_COUNT(&e0, SLEEP, 0);
	EXPECT_COUNT(&e0, WAIT, 1);
}

static int interrupt(struct fake *fake)
{
	(void)fake;
	return -EINTR;
}

Test(engine_wait, handler_ends_the_sleep)
{
	fake_then(e0.fake, interrupt);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	EXPECT_COUNT(&e0, WAKE_SIGNAL, 1);
	cr_assert_not(has_sleeper());
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

Test(engine_wait, edge_ends_the_sleep)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	EXPECT_COUNT(&e0, WAKE_EVENT, 1);
	EXPECT_COUNT(&e0, RECHECK_READY, 0);
}

/* The level dropped: the list has nothing, so the wait sleeps after all. */
Test(engine_wait, stale_level_does_not_keep_anybody_awake)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	drop_level(f0);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 1);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
}

static int wake_for_nothing(struct fake *fake)
{
	fake_edge(fake, ep_tag(item_of(&e0, f0)), EPOLLOUT);
	return 0;
}

Test(engine_wait, unwanted_edge_is_slept_over)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_for_nothing);
	fake_then(e0.fake, wake_for_nothing);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, ONE_SECOND);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 3);
	cr_assert_lt(e0.fake->timeout_ns, ONE_SECOND, "for the time that is left");
	cr_assert_gt(e0.fake->timeout_ns, 0);
	EXPECT_COUNT(&e0, WAKE_NOTHING, 2);
}

Test(engine_wait, unwanted_edge_at_the_end_of_the_time_is_nothing)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_for_nothing);
	cr_assert_eq(stage_wait(&e0, 8, 1), 0);
	cr_assert_eq(e0.fake->nr_sleeps, 1);
}

static int many[EP_SLOT_MAX + 3];

/* The sleep collects no more than the slot holds; what is left is there already. */
static int wake_many(struct fake *fake)
{
	cr_assert_eq(fake->max, EP_SLOT_MAX);
	for (int i = 0; i < EP_SLOT_MAX + 3; i++)
		fake_wake(fake, many[i], EPOLLIN);
	return 0;
}

Test(engine_wait, full_slot_is_followed_by_one_more_look)
{
	for (int i = 0; i < EP_SLOT_MAX + 3; i++) {
		many[i] = file_open(0);
		add(&e0, many[i], EPOLLIN);
	}
	fake_then(e0.fake, wake_many);
	cr_assert_eq(stage_wait(&e0, 1024, CLOCK_FOREVER), EP_SLOT_MAX + 3);
	cr_assert_eq(e0.fake->nr_sleeps, 1);
}

/* -------- on the way to the sleep -------- */

static void handle(int signal)
{
	(void)signal;
}

static void signal_once(void)
{
	e0.fake->collecting = NULL;
	raise(SIGUSR1);
}

/* A known deviation: the kernel does not begin to sleep when a signal has come. */
Test(engine_wait, signal_during_the_look_before_it_does_not_end_the_sleep)
{
	struct sigaction action = {.sa_handler = handle};

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	drop_level(f0);
	e0.fake->collecting = signal_once;
	fake_then(e0.fake, pass_time);
	cr_assert_eq(stage_wait(&e0, 8, ONE_SECOND), 0);
	cr_assert_null(e0.fake->collecting);
}

/* -------- control calls while somebody sleeps -------- */

static int change_while_asleep(struct fake *fake)
{
	(void)fake;
	mod(&e0, f0, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, f0, edge(EPOLLIN));
	mod(&e0, f1, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_REARM, f1, edge(EPOLLIN));
	mod(&e0, f2, EPOLLIN | EPOLLET | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_REARM, f2, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, UNVERIFIED, 0);
	fake_wake(e0.fake, f1, EPOLLIN);
	return 0;
}

Test(engine_wait, mod_is_told_to_the_source_that_somebody_sleeps_in)
{
	f0 = file_open(0);
	f1 = file_open(0);
	f2 = file_open(0);
	add(&e0, f0, EPOLLIN);
	add(&e0, f1, EPOLLIN | EPOLLONESHOT);
	add(&e0, f2, EPOLLIN | EPOLLET | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, f1, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, f2, edge(EPOLLIN));
	fake_then(e0.fake, change_while_asleep);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f1, EPOLLIN});
}

static int come_back_while_asleep(struct fake *fake)
{
	(void)fake;
	del(&e0, f0);
	EXPECT_NO_CALLS(&e0);
	add(&e0, f0, EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_REARM, f0, edge(EPOLLOUT));
	cr_assert_eq(item_of(&e0, f0)->state, ITEM_LIVE);
	fake_wake(e0.fake, f0, EPOLLOUT);
	return 0;
}

Test(engine_wait, watch_that_comes_back_is_confirmed_at_once)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	fake_then(e0.fake, come_back_while_asleep);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLOUT});
}

/* A mask collected before the other thread's MOD: void, the MOD shows what is true. */
static int change_behind_a_collected_edge(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	mod(&e0, f0, EPOLLOUT | EPOLLIN | EPOLLET);
	return 1;
}

static int wake_f0_both(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN | EPOLLOUT);
	return 0;
}

Test(engine_wait, edge_collected_before_a_mod_is_void)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN | EPOLLET);
	fake_then(e0.fake, change_behind_a_collected_edge);
	fake_then(e0.fake, wake_f0_both);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN | EPOLLOUT});
	EXPECT_COUNT(&e0, STALE, 1);
	cr_assert_eq(e0.fake->nr_sleeps, 2);
}

/* -------- a handler waits while its thread sleeps -------- */

static int wait_in_handler(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	cr_assert_eq(fake->buffer[0].data.u64, EP_TAG_EMPTY);
	cr_assert_not(e0.ep->is_settled);
	return 1;
}

Test(engine_wait, handler_takes_what_the_sleeper_had_and_the_sleeper_is_interrupted)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET);
	fake_then(e0.fake, wait_in_handler);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	EXPECT_COUNT(&e0, RECHECK_READY, 1);
	EXPECT_COUNT(&e0, DELIVERED, 1);
	cr_assert_not(has_sleeper());
}

/* What the handler absorbs is worth no more than a rumour. */
static int wait_in_handler_for_nothing(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	EXPECT_NO_EVENTS(&e0);
	return 1;
}

Test(engine_wait, handler_asks_again_about_what_it_absorbs)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wait_in_handler_for_nothing);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
	EXPECT_COUNT(&e0, STALE, 0);
}

static int wait_in_handler_for_one(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	fake->buffer[1] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f1)};
	EXPECT_EVENTS(&e0, 1, {f0, EPOLLIN});
	return 0;
}

Test(engine_wait, what_the_handler_had_no_room_for_is_the_sleepers_even_when_its_time_is_up)
{
	f0 = file_open(1);
	f1 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET);
	add(&e0, f1, EPOLLIN | EPOLLET);
	fake_then(e0.fake, wait_in_handler_for_one);
	stage_wait(&e0, 8, ONE_SECOND);
	EXPECT_GOT({f1, EPOLLIN});
}

/* What the kernel keeps is told once, and by the one it was collected for. */
static int wait_in_handler_beside(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(fake->buffer[0].data.u64, tag_of(&e0, f0));
	return 1;
}

Test(engine_wait, handler_leaves_the_sleeper_what_the_kernel_keeps)
{
	f0 = open("/dev/null", O_RDONLY | O_CLOEXEC);
	add(&e0, f0, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, f0, level(EPOLLIN));
	fake_then(e0.fake, wait_in_handler_beside);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
}

static int park_and_wait_in_handler(struct fake *fake)
{
	fake->buffer[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	del(&e0, f0);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, f0)->state, ITEM_PARKED);
	return 1;
}

Test(engine_wait, handler_leaves_the_sleeper_the_edge_that_ends_a_parking)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	fake_then(e0.fake, park_and_wait_in_handler);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	EXPECT_CALL(&e0, FAKE_DISARM, f0, 0);
	cr_assert_null(item_of(&e0, f0));
}

/* -------- nowhere to put it -------- */

Test(engine_wait, sleeper_without_a_buffer_gets_the_kernels_efault)
{
	void *nowhere = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_f0);
	cr_assert_eq(stage_wait_into(&e0, nowhere, 8, CLOCK_FOREVER), -EFAULT);
	cr_assert_eq(e0.fake->buffer, nowhere);
	cr_assert_eq(e0.fake->max, 1);
}

/* f0's edge was collected by a call that had no room for it, and is history. */
Test(engine_wait, what_an_earlier_call_collected_is_no_reason_for_efault)
{
	void *nowhere = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	f0 = file_open(0);
	f1 = file_open(0);
	add(&e0, f1, EPOLLIN | EPOLLET);
	add(&e0, f0, EPOLLIN | EPOLLET);
	fake_wake(e0.fake, f1, EPOLLIN);
	fake_wake(e0.fake, f0, EPOLLIN);
	EXPECT_EVENTS(&e0, 1, {f1, EPOLLIN});
	cr_assert_eq(stage_wait_into(&e0, nowhere, 8, 0), 0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
}
