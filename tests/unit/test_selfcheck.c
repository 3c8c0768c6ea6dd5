// SPDX-License-Identifier: MIT
/*
 * test_selfcheck.c - what the source has otherwise than we believe ends the program,
 * with a line about it; what may be otherwise does not.
 */
#include "selfcheck_stage.h"

/* -------- what the source has -------- */

TestSuite(selfcheck_source, .init = stage_checked);

DIES(selfcheck_source, other_events, "the source has it for events 0x1c")
{
	watch_of(p0[0])->events = EPOLLOUT | EPOLLERR | EPOLLHUP;
}

DIES(selfcheck_source, another_number, "the source has it as descriptor 1000")
{
	*watch_of(1000) = *watch_of(p0[0]);
	watch_of(p0[0])->is_armed = false;
}

DIES(selfcheck_source, the_same_tag_twice, "the source has it twice")
{
	*watch_of(1000) = *watch_of(p0[0]);
}

DIES(selfcheck_source, nothing_where_there_was_a_watch, "the source does not have it; watch of")
{
	fake_lose(e0.fake, p0[0]);
}

DIES(selfcheck_source, nothing_where_a_watch_was_just_armed, "the source does not have it")
{
	int fd = file_open(0);

	selfcheck_is_on = false;
	add(&e0, fd, EPOLLIN);
	selfcheck_is_on = true;
	fake_lose(e0.fake, fd);
}

DIES(selfcheck_source, a_watch_that_was_removed_here_only, "which is nobody's")
{
	cr_assert(section_enter());
	ep_acquire_mtx(e0.ep);
	ep_remove(item(p0[0]));
	ep_release_mtx(e0.ep);
	section_leave();
}

DIES(selfcheck_source, a_tag_that_is_history, "which is nobody's")
{
	watch_of(p0[0])->tag--;
}

DIES(selfcheck_source, parked_watch_gone, "parked, kept by us")
{
	del(&e0, p0[0]);
	fake_lose(e0.fake, p0[0]);
}

DIES(selfcheck_source, unconfirmed_watch_gone, "unconfirmed, kept by us")
{
	del(&e0, p0[0]);
	add(&e0, p0[0], EPOLLIN);
	fake_lose(e0.fake, p0[0]);
}

DIES(selfcheck_source, zombie_with_other_events, "zombie, kept by the kernel")
{
	int fd = p0[0];

	stage_forget(fd, true);
	watch_of(fd)->events |= EPOLLOUT;
}

DIES(selfcheck_source, oneshot_spent_here_only, "the source has it for events")
{
	mod(&e0, p0[0], EPOLLIN | EPOLLONESHOT);
	cr_assert(section_enter());
	ep_acquire_mtx(e0.ep);
	ep_settle(e0.ep);
	ep_spend(item(p0[0]));
	ep_release_mtx(e0.ep);
	section_leave();
}

/* Which change it was, and of what. */
DIES(selfcheck_source, what_was_done_last, "after EPOLL_CTL_MOD of ")
{
	fake_lose(e0.fake, p0[0]);
	mod(&e0, c0, EPOLLIN);
}

/* -------- what proves nothing -------- */

TestSuite(selfcheck_peace, .init = stage_checked);

PEACE(selfcheck_peace, registrations_of_others)
{
	*watch_of(1000) = (struct fake_watch){true, EPOLLIN, 0x5ca1ab1e};
}

PEACE(selfcheck_peace, a_number_closed_behind_our_back)
{
	fake_lose(e0.fake, p0[0]);
	close(p0[0]);
}

PEACE(selfcheck_peace, a_number_that_names_another_file_now)
{
	int other[2];

	fake_lose(e0.fake, p0[0]);
	pipe_open(other);
	dup2(other[0], p0[0]);
}

PEACE(selfcheck_peace, an_eventfd_which_may_be_another)
{
	fake_lose(e0.fake, c0);
}

PEACE(selfcheck_peace, a_watch_modified_behind_our_back)
{
	watch_of(p0[0])->tag = 0x5ca1ab1e;
}

PEACE(selfcheck_peace, a_watch_that_io_uring_may_have_deleted)
{
	ep_distrust_all();
	fake_lose(e0.fake, p0[0]);
}

PEACE(selfcheck_peace, a_watch_that_is_left_to_the_kernel_to_forget)
{
	stage_forget(p0[0], false);
}

PEACE(selfcheck_peace, a_zombie_that_is_gone)
{
	int fd = p0[0];

	stage_forget(fd, true);
	fake_lose(e0.fake, fd);
}

PEACE(selfcheck_peace, a_oneshot_that_fired_and_was_not_collected)
{
	mod(&e0, p0[0], EPOLLIN | EPOLLONESHOT);
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
	watch_of(p0[0])->events &= EP_PRIVATE_BITS;
}

PEACE(selfcheck_peace, a_spent_oneshot_that_was_settled)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	fake_wake(e0.fake, fd, EPOLLIN);
	stage_wait(&e0, 8, 0);
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
	if (watch_of(fd)->is_armed) /* no cr_assert() here: it would wait for its parent */
		abort();
}

PEACE(selfcheck_peace, an_eventpoll_that_was_handed_over)
{
	cr_assert(section_enter());
	ep_release(e0.epfile);
	section_leave();
	fake_lose(e0.fake, p0[0]);
}

PEACE(selfcheck_peace, the_parents_registrations)
{
	e0.ep->is_inherited = true;
	fake_lose(e0.fake, p0[0]);
}

PEACE(selfcheck_peace, while_a_handler_is_ahead_of_our_books)
{
	section_early_begin();
	fake_lose(e0.fake, p0[0]);
}

/* -------- when there is a look -------- */

static uint64_t nr_looks(void)
{
	return count_of(&e0, PROBE_CHECKED);
}

Test(selfcheck_peace, every_change_is_looked_at)
{
	uint64_t before = nr_looks();

	mod(&e0, c0, EPOLLIN);
	cr_assert_eq(nr_looks(), ++before, "MOD");
	try_ctl(&e0, EPOLL_CTL_MOD, c0, EPOLLEXCLUSIVE);
	cr_assert_eq(nr_looks(), ++before, "an error");
	del(&e0, p0[0]);
	cr_assert_eq(nr_looks(), ++before, "DEL");
	add(&e0, p0[0], EPOLLIN);
	cr_assert_eq(nr_looks(), ++before, "ADD");
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(nr_looks(), ++before, "the confirmation");
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(nr_looks(), before, "a wait that changes nothing");
	close_file(c0);
	cr_assert_eq(nr_looks(), ++before, "close");
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
	cr_assert_eq(nr_looks(), ++before, "settling");
}

Test(selfcheck_peace, a_large_eventpoll_is_looked_at_less_often)
{
	uint64_t before = nr_looks();

	e0.ep->items.nr_live = 2048;
	for (int i = 0; i < 9; i++)
		look(&e0);
	cr_assert_eq(nr_looks(), before + 3);
}

Test(selfcheck_peace, a_look_that_cannot_be_had_is_counted)
{
	fake_fail(e0.fake, FAKE_LIST, -EMFILE);
	look(&e0);
	EXPECT_COUNT(&e0, UNCHECKED, 1);
}

Test(selfcheck_peace, off_it_looks_at_nothing)
{
	uint64_t before = nr_looks();

	selfcheck_is_on = false;
	mod(&e0, c0, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(nr_looks(), before);
	cr_assert_null(e0.ep->check.after);
}

/* -------- a source without a kernel -------- */

static void stage_checked_plain(void)
{
	stage_plain();
	selfcheck_is_on = true;
	pipe_open(p0);
	add(&e0, p0[0], EPOLLIN | EPOLLET);
}

TestSuite(selfcheck_plain, .init = stage_checked_plain);

PEACE(selfcheck_plain, all_is_well)
{
}

DIES(selfcheck_plain, file_that_is_not_armed, "the source does not have it")
{
	fake_lose(e0.fake, p0[0]);
}

DIES(selfcheck_plain, file_that_is_not_latched, "the source has it for events")
{
	watch_of(p0[0])->events &= ~SOURCE_LATCH;
}
