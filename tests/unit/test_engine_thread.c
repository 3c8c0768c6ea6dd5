// SPDX-License-Identifier: MIT
/*
 * test_engine_thread.c - the thread driver: the loop collects, waiters sleep on our
 * wait queue, and the source is told everything.
 *
 *	loop -(edges)-> e0 <-(wait)- t0, t1
 *
 * A fake's identity is readable while it has edges: the loop polls that.
 */
#include "engine_stage.h"

#include <sched.h>

TestSuite(engine_thread, .init = stage_thread);

static int f0, f1;

/* -------- control: no shortcuts -------- */

Test(engine_thread, every_mod_is_told_exactly)
{
	int ends[2];

	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLPRI);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	mod(&e0, ends[0], EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN));
	mod(&e0, ends[0], EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN));
	mod(&e0, ends[0], EPOLLIN | EPOLLET | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, UNVERIFIED, 0);
}

Test(engine_thread, every_del_is_told)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	del(&e0, f0);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_DISARM, f0, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

/* -------- looking -------- */

/* The loop may have collected it long ago. */
Test(engine_thread, no_mask_is_believed)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_wake(e0.fake, f0, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_READY, 1);
}

/* -------- the kernel keeps something -------- */

Test(engine_thread, first_watch_of_the_kernels_settles)
{
	f0 = file_open(0);
	f1 = file_open(0);
	add(&e0, f0, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	add(&e0, f1, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, f1, level(EPOLLIN | EPOLLEXCLUSIVE));
	EXPECT_NO_CALLS(&e0);
	cr_assert(e0.ep->is_settled);
	cr_assert_not(e0.ep->has_loop);
}

Test(engine_thread, first_zombie_settles)
{
	f0 = file_open(0);
	f1 = file_open(0);
	add(&e0, f0, EPOLLIN);
	add(&e0, f1, EPOLLIN);
	stage_forget(f0, true);
	cr_assert(e0.ep->is_settled);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, f1, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, f1, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_zombies, 1);
}

/* Deciding needs a buffer: the loop has none, and leaves it. */
Test(engine_thread, foreign_event_waits_for_somebody_with_a_buffer)
{
	bool goes_on;

	fake_edge(e0.fake, 0x1234, EPOLLIN);
	cr_assert(section_enter());
	ep_lock_loop();
	goes_on = ep_loop_ready(&e0.ep->client);
	ep_unlock_loop();
	section_leave();
	cr_assert_not(goes_on);
	cr_assert(e0.ep->has_foreign);
	cr_assert_eq(stage_wait(&e0, 1, 0), 1);
	cr_assert_eq(stage_got[0].data.u64, 0x1234);
	EXPECT_NO_EVENTS(&e0);
	cr_assert(e0.ep->is_settled);
	EXPECT_COUNT(&e0, FOREIGN, 1);
}

/* ... also if somebody polls the epfd before he comes. */
Test(engine_thread, foreign_event_the_loop_left_outlives_the_settling)
{
	fake_edge(e0.fake, 0x1234, EPOLLIN);
	cr_assert(section_enter());
	ep_lock_loop();
	cr_assert_not(ep_loop_ready(&e0.ep->client));
	ep_unlock_loop();
	ep_polled(e0.epfile);
	section_leave();
	cr_assert(e0.ep->is_settled);
	cr_assert_eq(stage_wait(&e0, 8, 0), 1);
	cr_assert_eq(stage_got[0].data.u64, 0x1234);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_thread, loop_lets_go_of_an_eventpoll_nobody_waits_in)
{
	cr_assert(section_enter());
	ep_lock_loop();
	cr_assert_not(ep_loop_ready(&e0.ep->client));
	ep_unlock_loop();
	section_leave();
}

/* -------- sleeping -------- */

struct sleeper {
	pthread_t thread;
	int n;
	struct epoll_event events[4];
};

static void *sleep_once(void *data)
{
	struct sleeper *sleeper = data;

	sleeper->n = stage_wait_into(&e0, sleeper->events, 4, CLOCK_FOREVER);
	return NULL;
}

static noinline unsigned int nr_sleepers(void)
{
	const struct waiter *waiter;
	unsigned int nr = 0;

	cr_assert(section_enter());
	ep_acquire_mtx(e0.ep);
	list_for_each_entry(waiter, &e0.ep->waiters, link)
		nr++;
	ep_release_mtx(e0.ep);
	section_leave();
	return nr;
}

/* Until @nr threads are asleep, @sleeper's among them. */
static void begin(struct sleeper *sleeper, unsigned int nr)
{
	cr_assert_eq(pthread_create(&sleeper->thread, NULL, sleep_once, sleeper), 0);
	while (nr_sleepers() != nr)
		sched_yield();
}

static void expect_slept(struct sleeper *sleeper, int fd, uint32_t events)
{
	cr_assert_eq(pthread_join(sleeper->thread, NULL), 0);
	cr_assert_eq(sleeper->n, 1, "%d", sleeper->n);
	cr_assert_eq(sleeper->events[0].data.u64, EVENT_DATA(fd));
	cr_assert_eq(sleeper->events[0].events, events);
}

static void arrive_by_loop(int fd)
{
	raise_level(fd);
	loop_lock();
	fake_wake(e0.fake, fd, EPOLLIN);
	loop_unlock();
}

Test(engine_thread, loop_wakes_a_sleeper)
{
	struct sleeper sleeper;

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	begin(&sleeper, 1);
	arrive_by_loop(f0);
	expect_slept(&sleeper, f0, EPOLLIN);
	EXPECT_COUNT(&e0, WOKEN, 1);
	EXPECT_COUNT(&e0, WAKE_EVENT, 1);
	EXPECT_COUNT(&e0, QUEUED, 1);
	cr_assert_eq(e0.fake->nr_sleeps, 0, "not in the source");
	cr_assert_not(e0.ep->is_settled);
}

Test(engine_thread, one_edge_wakes_one_the_last_to_come_first)
{
	struct sleeper first, second;

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN | EPOLLET);
	begin(&first, 1);
	begin(&second, 2);
	arrive_by_loop(f0);
	expect_slept(&second, f0, EPOLLIN);
	cr_assert_eq(nr_sleepers(), 1);
	arrive_by_loop(f0);
	expect_slept(&first, f0, EPOLLIN);
	EXPECT_COUNT(&e0, WOKEN, 2);
	cr_assert_not(e0.ep->is_settled, "any number may wait");
}

Test(engine_thread, level_wakes_the_next_when_it_was_delivered)
{
	struct sleeper first, second;

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	begin(&first, 1);
	begin(&second, 2);
	arrive_by_loop(f0);
	expect_slept(&first, f0, EPOLLIN);
	expect_slept(&second, f0, EPOLLIN);
	EXPECT_COUNT(&e0, REQUEUED, 2);
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

Test(engine_thread, settling_sends_sleepers_to_sleep_in_the_source)
{
	struct sleeper sleeper;

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_f0);
	begin(&sleeper, 1);
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
	expect_slept(&sleeper, f0, EPOLLIN);
	cr_assert_eq(e0.fake->nr_sleeps, 1);
	cr_assert_eq(e0.fake->buffer, sleeper.events);
	cr_assert_eq(e0.fake->timeout_ns, CLOCK_FOREVER);
}

Test(engine_thread, time_is_up_without_an_edge)
{
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_MS), 0);
	EXPECT_COUNT(&e0, SLEEP, 1);
	EXPECT_COUNT(&e0, WAKE_TIMEOUT, 1);
	cr_assert(list_is_empty(&e0.ep->wq));
}
