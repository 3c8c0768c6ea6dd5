// SPDX-License-Identifier: MIT
/*
 * test_engine_zombie.c - watches whose descriptor is closed and whose file lives on.
 *
 *	t0 -(wait)-> e0 -(inline)-> z0, ...
 *
 * A closed descriptor's file stays in stage_files[]: the test says what it names.
 */
#include "engine_stage.h"

TestSuite(engine_zombie, .init = stage_inline);

static int added(uint32_t events)
{
	int fd = file_open(0);

	add(&e0, fd, events);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(events & ~EP_PRIVATE_BITS));
	return fd;
}

/* The item of @fd, which is about to be a zombie. */
static struct epitem *bury(int fd)
{
	struct epitem *epi = item_of(&e0, fd);

	stage_forget(fd, true);
	return epi;
}

static void expect_zombie(const struct epitem *epi)
{
	cr_assert_eq(epi->state, ITEM_ZOMBIE);
	cr_assert_eq(epi->keeper, KEPT_BY_KERNEL);
	cr_assert_null(item_of(&e0, epi->fd), "in no tree");
}

/* -------- each kind by the call it needs, before the close -------- */

Test(engine_zombie, quiet_edge_is_left_untouched)
{
	int fd = added(EPOLLIN | EPOLLET);
	uint64_t old = tag_of(&e0, fd);
	struct epitem *epi = bury(fd);

	EXPECT_NO_CALLS(&e0);
	expect_zombie(epi);
	cr_assert_eq(ep_tag(epi), old);
	EXPECT_COUNT(&e0, ZOMBIE, 1);
	EXPECT_COUNT(&e0, CLOSED, 1);
	expect_watches(&e0, 0);
}

Test(engine_zombie, watch_of_the_kernels_is_left_untouched)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLEXCLUSIVE));
	expect_zombie(bury(fd));
	EXPECT_NO_CALLS(&e0);
}

Test(engine_zombie, level_is_told)
{
	int fd = added(EPOLLIN);
	uint64_t old = tag_of(&e0, fd);
	struct epitem *epi = bury(fd);

	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	expect_zombie(epi);
	cr_assert_neq(ep_tag(epi), old);
}

Test(engine_zombie, armed_single_shot_is_told)
{
	int fd = added(EPOLLIN | EPOLLONESHOT);

	expect_zombie(bury(fd));
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN | EPOLLONESHOT));
	EXPECT_NO_CALLS(&e0);
}

Test(engine_zombie, spent_single_shot_keeps_only_its_order)
{
	int fd = added(EPOLLIN | EPOLLONESHOT);

	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	expect_zombie(bury(fd));
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_CALL(&e0, FAKE_ARM, fd, EPOLLONESHOT);
	EXPECT_NO_CALLS(&e0);
	fake_wake(e0.fake, fd, EPOLLHUP);
	EXPECT_NO_EVENTS(&e0);
}

Test(engine_zombie, pending_edge_is_told_and_leaves_our_list)
{
	int first = added(EPOLLIN | EPOLLET), second = added(EPOLLIN | EPOLLET);

	arrive(&e0, first);
	arrive(&e0, second);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
	expect_zombie(bury(second));
	EXPECT_CALL(&e0, FAKE_REARM, second, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert(list_is_empty(&e0.ep->rdllist));
	fake_wake(e0.fake, second, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {second, EPOLLIN});
}

Test(engine_zombie, parked_watch_is_deleted_before_the_close)
{
	int fd = added(EPOLLIN);

	del(&e0, fd);
	stage_forget(fd, true);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_zombies, 0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

Test(engine_zombie, watch_that_came_back_is_told_as_it_is_now)
{
	int fd = added(EPOLLIN);

	del(&e0, fd);
	add(&e0, fd, EPOLLOUT);
	expect_zombie(bury(fd));
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLOUT));
	EXPECT_NO_CALLS(&e0);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_zombie, watch_that_the_source_lost_is_none)
{
	int fd = added(EPOLLIN);

	fake_lose(e0.fake, fd);
	stage_forget(fd, true);
	cr_assert_eq(e0.ep->nr_zombies, 0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

Test(engine_zombie, file_that_goes_with_its_descriptor_leaves_none)
{
	int fd = added(EPOLLIN);

	stage_forget(fd, false);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
	EXPECT_COUNT(&e0, ZOMBIE, 0);
	EXPECT_COUNT(&e0, CLOSED, 1);
}

Test(engine_zombie, watches_through_other_descriptors_stay)
{
	int fd = added(EPOLLIN), copy = dup(fd);

	stage_files[copy] = stage_files[fd];
	add(&e0, copy, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, copy, edge(EPOLLIN));
	expect_zombie(bury(fd));
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, copy)->state, ITEM_LIVE);
	expect_watches(&e0, 1);
}

/* -------- their life -------- */

/* Its number names a file that is ready: that is not what is asked. */
Test(engine_zombie, events_are_delivered_and_nobody_asks_the_number)
{
	int fd = added(EPOLLIN);

	bury(fd);
	raise_level(fd);
	for (int i = 0; i < 3; i++) {
		EXPECT_NO_EVENTS(&e0);
		fake_wake(e0.fake, fd, EPOLLIN);
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	}
	EXPECT_COUNT(&e0, RECHECK_READY, 0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 0);
	EXPECT_COUNT(&e0, KEPT, 3);
}

Test(engine_zombie, settling_leaves_them_as_they_are)
{
	int fd = added(EPOLLIN);

	bury(fd);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	section_leave();
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_zombies, 1);
}

/* Another file of that number is another watch. */
Test(engine_zombie, number_may_be_another_files)
{
	int fd = added(EPOLLIN);
	struct epitem *epi = bury(fd);
	struct epitem *second;

	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	stage_files[fd] = NULL;
	fake_lose(e0.fake, fd); /* a kernel has both; the fake knows one of a number */
	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	second = bury(fd);
	cr_assert_neq(second, epi);
	cr_assert_eq(e0.ep->nr_zombies, 2);
	fake_edge(e0.fake, ep_tag(epi), EPOLLIN);
	fake_edge(e0.fake, ep_tag(second), EPOLLIN);
	cr_assert_eq(stage_wait(&e0, 8, 0), 2);
	mod(&e0, fd, EPOLLIN);
	cr_assert_eq(item_of(&e0, fd), second, "whose file it is now");
	cr_assert_eq(epi->state, ITEM_ZOMBIE);
}

Test(engine_zombie, they_go_with_their_eventpoll)
{
	int fd = added(EPOLLIN);
	struct file *file = stage_files[fd];

	bury(fd);
	cr_assert_eq(file->refs, 2);
	stage_close(&e0);
	cr_assert_eq(file->refs, 1);
	cr_assert_null(e0.fake->source);
}

/* -------- the number names the file again -------- */

Test(engine_zombie, mod_revives_and_it_stays_the_kernels)
{
	int fd = added(EPOLLIN | EPOLLET);
	struct epitem *epi = bury(fd);

	mod(&e0, fd, EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLOUT));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(item_of(&e0, fd), epi);
	cr_assert_eq(epi->state, ITEM_LIVE);
	cr_assert_eq(epi->keeper, KEPT_BY_KERNEL);
	cr_assert_eq(e0.ep->nr_zombies, 0);
	mod(&e0, fd, EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLOUT));
	fake_wake(e0.fake, fd, EPOLLOUT);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLOUT});
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	cr_assert_eq(e0.ep->nr_kernel, 0);
}

Test(engine_zombie, del_takes_it_away)
{
	int fd = added(EPOLLIN | EPOLLET);

	bury(fd);
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_zombies, 0);
	cr_assert_eq(e0.ep->nr_kernel, 0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

Test(engine_zombie, mod_of_one_the_kernel_has_forgotten_sweeps_it)
{
	int fd = added(EPOLLIN | EPOLLET);

	bury(fd);
	fake_lose(e0.fake, fd);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN), -ENOENT);
	cr_assert_eq(e0.ep->nr_zombies, 0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
}

Test(engine_zombie, add_of_its_number_and_file_exists)
{
	int fd = added(EPOLLIN | EPOLLET);

	bury(fd);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_ADD, fd, EPOLLIN), -EEXIST);
	cr_assert_eq(e0.ep->nr_zombies, 1);
}

/* -------- swept -------- */

Test(engine_zombie, too_many_are_looked_for_in_what_the_source_has)
{
	struct epitem *kept, *last;

	for (int i = 0; i < EP_ZOMBIE_MAX; i++) {
		int fd = added(EPOLLIN | EPOLLET);

		kept = bury(fd);
		stage_files[fd] = NULL;
		if (i < EP_ZOMBIE_MAX - 1)
			fake_lose(e0.fake, fd);
	}
	cr_assert_eq(e0.ep->nr_zombies, EP_ZOMBIE_MAX);
	last = bury(added(EPOLLIN | EPOLLET));
	cr_assert_eq(e0.ep->nr_zombies, 2);
	cr_assert_eq(e0.ep->nr_kernel, 2);
	cr_assert_eq(kept->state, ITEM_ZOMBIE);
	cr_assert_eq(last->state, ITEM_ZOMBIE);
	cr_assert_eq(e0.ep->zombies_max, EP_ZOMBIE_MAX);
}

Test(engine_zombie, those_that_stay_raise_the_bound)
{
	e0.ep->zombies_max = 3;
	for (int i = 0; i < EP_ZOMBIE_MAX / 2 + 8; i++) {
		bury(added(EPOLLIN | EPOLLET));
		if (i == 3)
			cr_assert_eq(e0.ep->zombies_max, EP_ZOMBIE_MAX);
	}
	cr_assert_eq(e0.ep->nr_zombies, EP_ZOMBIE_MAX / 2 + 8, "all of them are known");
	cr_assert(section_enter());
	ep_acquire_mtx(e0.ep);
	ep_sweep_zombies(e0.ep);
	ep_release_mtx(e0.ep);
	section_leave();
	cr_assert_eq(e0.ep->nr_zombies, EP_ZOMBIE_MAX / 2 + 8);
	cr_assert_eq(e0.ep->zombies_max, EP_ZOMBIE_MAX + 16);
}

Test(engine_zombie, where_the_source_cannot_tell_none_is_swept)
{
	int fd = added(EPOLLIN | EPOLLET);

	e0.ep->zombies_max = 0;
	fake_lose(e0.fake, fd);
	fake_fail(e0.fake, FAKE_LIST, -EMFILE);
	bury(fd);
	cr_assert_eq(e0.ep->nr_zombies, 1);
}
