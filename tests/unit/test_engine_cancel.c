// SPDX-License-Identifier: MIT
/*
 * test_engine_cancel.c - a waiter is cancelled when S has written events for it already.
 *
 *	t1 -(wait, cancelled)-> e0 -(...)-> f0	t0 -(wait)-> e0
 */
#include "engine_stage.h"

TestSuite(engine_cancel_strict, .init = stage_strict);
TestSuite(engine_cancel_inline, .init = stage_inline);

static int f0, f1;

/* As libc acts on a cancellation after the system call: the frames are unwound. */
static int exit_with_entries(struct fake *fake)
{
	struct epoll_event entries[4];
	int n = fake->source->ops->collect(fake->source, entries, 4);

	memcpy(fake->buffer, entries, (size_t)n * sizeof(entries[0]));
	pthread_exit(NULL);
}

static void *wait_until_cancelled(void *unused)
{
	memset(stage_got, 0, sizeof(stage_got));
	stage_wait(&e0, 4, CLOCK_FOREVER);
	cr_assert_fail("the wait returned");
	return unused;
}

static void cancel_with(int (*step)(struct fake *fake))
{
	fake_then(e0.fake, step);
	in_thread(wait_until_cancelled);
	cr_assert(list_is_empty(&e0.ep->waiters));
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return exit_with_entries(fake);
}

static int wake_f1_and_f0(struct fake *fake)
{
	fake_wake(fake, f1, EPOLLIN);
	return wake_f0(fake);
}

static int wake_void_foreign_and_f0(struct fake *fake)
{
	fake_edge(fake, tag_of(&e0, f0) + 1, EPOLLIN); /* void */
	fake_edge(fake, 0x1234, EPOLLPRI);	       /* foreign */
	return wake_f0(fake);
}

Test(engine_cancel_strict, oneshot_and_edge_are_told_again)
{
	f0 = file_open(1);
	f1 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLONESHOT);
	add(&e0, f1, EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_ARM, f0, level(EPOLLIN | EPOLLONESHOT));
	EXPECT_CALL(&e0, FAKE_ARM, f1, edge(EPOLLIN));
	cancel_with(wake_f1_and_f0);
	EXPECT_CALL(&e0, FAKE_REARM, f1, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN | EPOLLONESHOT));
	cr_assert_not(ep_is_spent(item_of(&e0, f0)));
	for (int i = 0; i < 4; i++)
		cr_assert_eq(stage_got[i].events, 0);
}

Test(engine_cancel_strict, exclusive_stands_in_the_buffer)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
	cancel_with(wake_f0);
	cr_assert_eq(stage_got[0].events, EPOLLIN);
	cr_assert_eq(stage_got[0].data.u64, EVENT_DATA(f0));
	cr_assert_eq(stage_got[1].events, 0);
}

Test(engine_cancel_strict, foreign_and_void_events_stay_what_they_are)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
	cancel_with(wake_void_foreign_and_f0);
	cr_assert_eq(stage_got[0].events, 0);
	cr_assert_eq(stage_got[1].events, EPOLLPRI);
	cr_assert_eq(stage_got[1].data.u64, 0x1234);
	cr_assert_eq(stage_got[2].events, EPOLLIN);
	cr_assert_eq(stage_got[2].data.u64, EVENT_DATA(f0));
}

Test(engine_cancel_inline, what_we_keep_is_for_the_next_waiter)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLONESHOT);
	cancel_with(wake_f0);
	cr_assert_eq(stage_got[0].events, 0);
	EXPECT_EVENTS(&e0, 4, {f0, EPOLLIN});
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_cancel_inline, exclusive_stands_in_the_buffer)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
	cancel_with(wake_f0);
	cr_assert_eq(stage_got[0].events, EPOLLIN);
	cr_assert_eq(stage_got[0].data.u64, EVENT_DATA(f0));
}

/* Another thread settles while the one that is to be cancelled sleeps with the slot. */
static void *wait_beside(void *unused)
{
	EXPECT_NO_EVENTS(&e0);
	return unused;
}

static int settle_and_exit(struct fake *fake)
{
	struct epoll_event *slot = fake->buffer;

	in_thread(wait_beside);
	cr_assert(e0.ep->is_settled);
	fake->buffer = slot;
	return wake_f0(fake);
}

Test(engine_cancel_inline, settled_during_the_sleep_the_slot_is_told_again)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	cancel_with(settle_and_exit);
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN | EPOLLONESHOT)); /* settled */
	EXPECT_CALL(&e0, FAKE_REARM, f0, level(EPOLLIN | EPOLLONESHOT)); /* told again */
	cr_assert_not(ep_is_spent(item_of(&e0, f0)));
}
