// SPDX-License-Identifier: MIT
/*
 * test_engine_settled.c - where the kernel keeps everything: by --strict from the
 * start, or because another program is going to use the epfd.
 *
 *	t0 -(wait)-> e0 -(settled)-> f0, ...
 */
#include "engine_stage.h"

TestSuite(engine_strict, .init = stage_strict);
TestSuite(engine_release, .init = stage_inline);

static int f0;

Test(engine_strict, strict_is_settled_from_the_start)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLONESHOT));
	mod(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	mod(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_null(item_of(&e0, fd));
	EXPECT_COUNT(&e0, SETTLED, 0);
}

Test(engine_strict, events_are_translated_where_the_kernel_put_them)
{
	int first = file_open(0), second = file_open(0);

	add(&e0, first, EPOLLIN);
	add(&e0, second, EPOLLIN);
	fake_wake(e0.fake, first, EPOLLIN);
	fake_edge(e0.fake, tag_of(&e0, first) + 1, EPOLLIN); /* void */
	fake_edge(e0.fake, 0x1234, EPOLLPRI);		     /* foreign */
	fake_wake(e0.fake, second, EPOLLIN);
	cr_assert_eq(stage_wait(&e0, 8, 0), 3);
	cr_assert_eq(e0.fake->buffer, stage_got);
	cr_assert_eq(e0.fake->max, 8);
	cr_assert_eq(stage_got[0].data.u64, EVENT_DATA(first));
	cr_assert_eq(stage_got[1].data.u64, 0x1234);
	cr_assert_eq(stage_got[1].events, EPOLLPRI);
	cr_assert_eq(stage_got[2].data.u64, EVENT_DATA(second));
	cr_assert_eq(stage_got[3].data.u64, EP_TAG_EMPTY, "the tag of the last is still there");
	EXPECT_COUNT(&e0, KEPT, 2);
	EXPECT_COUNT(&e0, FOREIGN, 1);
	EXPECT_COUNT(&e0, STALE, 1);
	EXPECT_COUNT(&e0, RECHECK_READY, 0);
}

Test(engine_strict, single_shot_is_mirrored)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	cr_assert(ep_is_spent(item_of(&e0, fd)));
	EXPECT_COUNT(&e0, ONESHOT, 1);
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT);
	cr_assert_not(ep_is_spent(item_of(&e0, fd)));
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

static int wake_for_nothing(struct fake *fake)
{
	fake_edge(fake, tag_of(&e0, f0) + 1, EPOLLIN);
	return 0;
}

Test(engine_strict, void_events_alone_are_slept_over)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_then(e0.fake, wake_for_nothing);
	fake_then(e0.fake, wake_f0);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	EXPECT_COUNT(&e0, WAKE_NOTHING, 1);
	fake_edge(e0.fake, tag_of(&e0, f0) + 1, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_strict, efault_and_eintr_are_the_kernels)
{
	void *nowhere = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	fake_wake(e0.fake, f0, EPOLLIN);
	cr_assert_eq(stage_wait_into(&e0, nowhere, 8, 0), -EFAULT);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
}

/* -------- passed on -------- */

static int added(uint32_t events)
{
	int fd = file_open(0);

	add(&e0, fd, events);
	return fd;
}

static noinline void release(void)
{
	cr_assert(section_enter());
	ep_release(e0.epfile);
	section_leave();
	cr_assert(ep_is_released(e0.epfile));
}

static void expect_released(int fd, uint32_t events)
{
	cr_assert_eq(e0.fake->watches[fd].tag, EVENT_DATA(fd));
	cr_assert_eq(e0.fake->watches[fd].events, events);
}

Test(engine_release, released_watches_have_the_applications_flags_and_data)
{
	int flat = added(EPOLLIN), sharp = added(EPOLLIN | EPOLLET);
	int spent = added(EPOLLIN | EPOLLONESHOT), exclusive = file_open(0);

	add(&e0, exclusive, EPOLLIN | EPOLLEXCLUSIVE);
	arrive(&e0, spent);
	EXPECT_EVENTS(&e0, 8, {spent, EPOLLIN});
	release();
	expect_released(flat, level(EPOLLIN));
	expect_released(sharp, edge(EPOLLIN));
	expect_released(spent, level(EPOLLONESHOT));
	expect_released(exclusive, level(EPOLLIN | EPOLLEXCLUSIVE));
	EXPECT_COUNT(&e0, RELEASED, 1);
	release();
	EXPECT_COUNT(&e0, RELEASED, 1);
}
