// SPDX-License-Identifier: MIT
/*
 * test_engine_gone.c - sleepers that do not come back, and eventpolls closed under
 * those that do.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0
 */
#include "engine_stage.h"

#include <setjmp.h>

TestSuite(engine_gone, .init = stage_inline);

static int f0;

static bool has_sleeper(void)
{
	return !list_is_empty(&e0.ep->waiters);
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

static sigjmp_buf out;

static int jump(struct fake *fake)
{
	if (f0)
		fake->buffer[0] =
			(struct epoll_event){.events = EPOLLIN, .data.u64 = tag_of(&e0, f0)};
	siglongjmp(out, 1);
}

static noinline void sleep_and_jump(void)
{
	fake_then(e0.fake, jump);
	if (sigsetjmp(out, 1) == 0)
		stage_wait(&e0, 8, CLOCK_FOREVER);
	cr_assert(has_sleeper(), "nobody knows yet");
}

Test(engine_gone, edge_of_a_sleeper_that_jumped_away_is_not_lost)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET);
	sleep_and_jump();
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	cr_assert_not(has_sleeper());
	cr_assert_not(e0.ep->is_settled);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_gone, kernel_is_asked_again_for_what_a_lost_sleeper_had_of_it)
{
	f0 = open("/dev/null", O_RDONLY | O_CLOEXEC);
	add(&e0, f0, EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_ARM, f0, edge(EPOLLIN));
	sleep_and_jump();
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_REARM, f0, edge(EPOLLIN));
	fake_wake(e0.fake, f0, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
}

Test(engine_gone, exclusive_cannot_be_asked_again)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_ARM, f0, level(EPOLLIN | EPOLLEXCLUSIVE));
	sleep_and_jump();
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
	for (int i = 0; i < EP_SLOT_MAX; i++)
		cr_assert_eq(e0.ep->slot[i].data.u64, EP_TAG_EMPTY);
}

static void *look_in_thread(void *unused)
{
	(void)unused;
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	return NULL;
}

static void *sleep_and_end(void *unused)
{
	(void)unused;
	sleep_and_jump();
	return NULL;
}

/* The thread has ended since, and said so. */
Test(engine_gone, sleeper_whose_thread_has_ended_is_none)
{
	f0 = file_open(1);
	add(&e0, f0, EPOLLIN | EPOLLET);
	in_thread(sleep_and_end);
	cr_assert_not(has_sleeper());
	in_thread(look_in_thread);
	cr_assert_not(e0.ep->is_settled);
}

Test(engine_gone, eventpoll_left_by_a_jump_can_be_closed)
{
	sleep_and_jump();
	stage_close(&e0);
	cr_assert_null(e0.fake->source, "freed");
}

/* -------- closed under a sleeper -------- */

static int number_in_sleep;

static int close_under_sleeper(struct fake *fake)
{
	stage_close(&e0);
	cr_assert_not_null(fake->source, "not freed");
	number_in_sleep = fake->source->fd;
	cr_assert_neq(number_in_sleep, e0.fd);
	cr_assert_geq(fcntl(number_in_sleep, F_GETFD), 0);
	cr_assert(e0.ep->is_orphan);
	return 0;
}

Test(engine_gone, last_sleeper_frees_a_closed_eventpoll)
{
	fake_then(e0.fake, close_under_sleeper);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_SEC), 0);
	cr_assert_null(e0.fake->source);
	cr_assert_lt(fcntl(number_in_sleep, F_GETFD), 0, "nor is its descriptor left");
	cr_assert_eq(stage_wait(&e0, 8, 0), -EBADF);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_DEL, number_in_sleep, 0), -EBADF);
}

static int close_and_wake(struct fake *fake)
{
	close_under_sleeper(fake);
	fake_edge(fake, tag_of(&e0, f0), EPOLLOUT);
	return 0;
}

/* e0's number may be any file's now; the fake ends the test if it is slept in. */
Test(engine_gone, sleeper_goes_on_in_a_closed_eventpoll_by_another_number)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, close_and_wake);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_NS_PER_SEC);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 2);
	cr_assert_null(e0.fake->source);
	cr_assert_eq(stage_files[f0]->refs, 1, "its watches are gone with it");
}

Test(engine_gone, renamed_eventpoll_is_slept_in_by_its_new_name)
{
	int name = dup(e0.fd);

	cr_assert(section_enter());
	ep_rename(e0.epfile, name);
	section_leave();
	close(e0.fd);
	cr_assert_eq(ep_fd(e0.epfile), name);
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
}
