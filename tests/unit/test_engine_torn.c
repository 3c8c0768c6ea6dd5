// SPDX-License-Identifier: MIT
/*
 * test_engine_torn.c - a registration whose change was cut off by a jump out of a
 * handler: told to the source or not, the watch goes on.
 *
 *	e0 -(inline)-> p0 (pipe)	cut off before the source knows, and after
 */
#include <setjmp.h>

#include "selfcheck_stage.h"

static void stage_checked_loop(void)
{
	stage_thread();
	stage_watches();
}

TestSuite(engine_torn, .init = stage_checked);
TestSuite(engine_torn_loop, .init = stage_checked_loop);

static sigjmp_buf out;

static void jump(void)
{
	siglongjmp(out, 1);
}

/* Deeper than what comes after the jump, so that the section is seen to be left. */
static noinline void do_and_jump(void (*body)(void), bool is_late)
{
	e0.fake->handler = jump;
	e0.fake->is_handler_late = is_late;
	if (sigsetjmp(out, 1) == 0)
		body();
	cr_assert_null(e0.fake->handler, "nothing was changed at the source");
}

/* Books and source agree, and a byte that comes now is told. */
static void expect_alive(void)
{
	char byte;

	look(&e0);
	stage_wait(&e0, 8, 0);
	put_byte(p0[1]);
	fake_wake(e0.fake, p0[0], EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {p0[0], EPOLLIN});
	cr_assert_eq(read(p0[0], &byte, 1), 1);
}

static void modify_level(void)
{
	mod(&e0, p0[0], EPOLLIN | EPOLLPRI);
}

static void modify_edge(void)
{
	mod(&e0, p0[0], EPOLLIN | EPOLLET);
}

static void modify_kept(void)
{
	mod(&e0, p0[0], EPOLLIN | EPOLLPRI);
}

static void confirm(void)
{
	del(&e0, p0[0]);
	add(&e0, p0[0], EPOLLIN | EPOLLPRI);
	stage_wait(&e0, 8, 0);
}

static noinline void settle(void)
{
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
}

static void make_zombie(void)
{
	stage_forget(p0[0], true);
}

#define TORN(name)                                        \
	Test(engine_torn, name##_before_the_source_knows) \
	{                                                 \
		do_and_jump(name, false);                 \
		expect_alive();                           \
	}                                                 \
	Test(engine_torn, name##_when_the_source_knows)   \
	{                                                 \
		do_and_jump(name, true);                  \
		expect_alive();                           \
	}

TORN(modify_level)
TORN(modify_edge)
TORN(confirm)
TORN(settle)
TORN(make_zombie)

Test(engine_torn, modify_of_the_kernels_before_it_knows)
{
	settle();
	do_and_jump(modify_kept, false);
	expect_alive();
}

Test(engine_torn, modify_of_the_kernels_when_it_knows)
{
	settle();
	do_and_jump(modify_kept, true);
	expect_alive();
}

/* The number names its description again when it is modified. */
Test(engine_torn, modify_of_a_zombie_before_the_source_knows)
{
	make_zombie();
	do_and_jump(modify_kept, false);
	expect_alive();
}

Test(engine_torn, modify_of_a_zombie_when_the_source_knows)
{
	make_zombie();
	do_and_jump(modify_kept, true);
	expect_alive();
}

/* With a loop WAKEUP settles: p0 is told, and cut off, in the middle of a MOD of c0. */
static void modify_another(void)
{
	mod(&e0, c0, EPOLLIN | EPOLLWAKEUP);
}

Test(engine_torn_loop, modify_that_settles_undoes_nothing_but_itself)
{
	do_and_jump(modify_another, false);
	expect_alive();
}

/* -------- what was being deleted is deleted, or goes on -------- */

static void delete (void)
{
	del(&e0, p0[0]);
}

static void close_parked(void)
{
	stage_forget(p0[0], true);
}

static void expect_usable(void)
{
	look(&e0);
	try_ctl(&e0, EPOLL_CTL_DEL, p0[0], 0);
	add(&e0, p0[0], EPOLLIN);
	expect_alive();
}

Test(engine_torn, delete_before_the_source_knows)
{
	settle();
	do_and_jump(delete, false);
	expect_alive();
}

Test(engine_torn, delete_when_the_source_knows)
{
	settle();
	do_and_jump(delete, true);
	look(&e0);
	cr_assert_null(item(p0[0]));
	expect_usable();
}

Test(engine_torn, delete_of_an_exclusive_watch)
{
	del(&e0, p0[0]);
	add(&e0, p0[0], EPOLLIN | EPOLLEXCLUSIVE);
	do_and_jump(delete, true);
	expect_usable();
}

Test(engine_torn, close_of_a_parked_watch_before_the_source_knows)
{
	del(&e0, p0[0]);
	do_and_jump(close_parked, false);
	expect_usable();
}

Test(engine_torn, close_of_a_parked_watch_when_the_source_knows)
{
	del(&e0, p0[0]);
	do_and_jump(close_parked, true);
	expect_usable();
}
