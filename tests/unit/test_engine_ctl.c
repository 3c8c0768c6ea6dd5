// SPDX-License-Identifier: MIT
/*
 * test_engine_ctl.c - epoll_ctl(2): what the source is told of it, and what not.
 *
 *	t0 -(ctl)-> e0 -(inline)-> f0
 */
#include "engine_stage.h"

TestSuite(engine_ctl, .init = stage_inline);

static int ends[2];

Test(engine_ctl, add_arms_every_watch_as_edges)
{
	static const uint32_t modes[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int fd = file_open(0);

		add(&e0, fd, EPOLLIN | modes[i]);
		EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
		cr_assert_eq(e0.fake->watches[fd].tag, tag_of(&e0, fd));
	}
	EXPECT_NO_CALLS(&e0);
	expect_watches(&e0, 4);
	EXPECT_COUNT(&e0, ARMED, 4);
	cr_assert_eq(e0.ep->nr_kernel, 0);
}

Test(engine_ctl, add_of_no_conditions_still_asks_for_errors)
{
	int fd = file_open(0);

	add(&e0, fd, 0);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(0));
	fake_wake(e0.fake, fd, EPOLLHUP);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLHUP});
}

Test(engine_ctl, what_the_source_refuses_leaves_nothing)
{
	static const int errors[] = {-EPERM, -EBADF, -ENOSPC, -ENOMEM};
	int fd = file_open(0);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake_fail(e0.fake, FAKE_ARM, errors[i]);
		cr_assert_eq(try_ctl(&e0, EPOLL_CTL_ADD, fd, EPOLLIN), errors[i]);
		cr_assert_null(stage_files[fd]);
	}
	cr_assert_eq(e0.ep->items.nr_live, 0);
	expect_watches(&e0, 0);
	EXPECT_COUNT(&e0, ARMED, 0);
}

Test(engine_ctl, add_again_is_put_to_the_source)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_ADD, fd, EPOLLOUT), -EEXIST);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLOUT));
	cr_assert_eq(item_of(&e0, fd)->event.events, level(EPOLLIN));
	cr_assert_eq(stage_files[fd]->refs, 2, "the descriptor's and one watch's");
	expect_watches(&e0, 1);
}

/* The number was closed and used again behind our back: the source knows better. */
Test(engine_ctl, add_that_the_source_takes_replaces_what_we_held)
{
	int fd = file_open(1);
	uint64_t old;

	add(&e0, fd, EPOLLIN);
	old = tag_of(&e0, fd);
	fake_lose(e0.fake, fd);
	add(&e0, fd, EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLOUT));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, REPLACED, 1);
	cr_assert_eq(e0.ep->items.nr_live, 1);
	cr_assert_eq(stage_files[fd]->refs, 2);

	fake_edge(e0.fake, old, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, STALE, 1);
	fake_wake(e0.fake, fd, EPOLLOUT);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLOUT});
}

Test(engine_ctl, event_that_cannot_be_read_is_efault_and_changes_nothing)
{
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = file_open(0);

	cr_assert_eq(stage_ctl(&e0, EPOLL_CTL_ADD, fd, NULL), -EFAULT);
	cr_assert_eq(stage_ctl(&e0, EPOLL_CTL_ADD, fd, nowhere), -EFAULT);
	add(&e0, fd, EPOLLIN);
	cr_assert_eq(stage_ctl(&e0, EPOLL_CTL_MOD, fd, nowhere), -EFAULT);
	cr_assert_eq(stage_ctl(&e0, EPOLL_CTL_DEL, fd, nowhere), 0);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	EXPECT_NO_CALLS(&e0);
}

/* -------- MOD of a level -------- */

Test(engine_ctl, mod_of_a_level_grows_what_is_armed_and_never_shrinks_it)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN));
	mod(&e0, ends[0], EPOLLIN | EPOLLPRI);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN | EPOLLPRI));
	mod(&e0, ends[0], EPOLLPRI);
	mod(&e0, ends[0], EPOLLIN);
	mod(&e0, ends[0], 0);
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, UNVERIFIED, 3);
	mod(&e0, ends[0], EPOLLRDHUP);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN | EPOLLPRI | EPOLLRDHUP));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, MOD, 5);
	EXPECT_COUNT(&e0, REARMED, 2);
}

/* No call told anybody: the file itself is asked. */
Test(engine_ctl, mod_without_a_call_shows_what_is_ready)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	put_byte(ends[1]);
	mod(&e0, ends[0], EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {ends[0], EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_READY, 1);
	take_byte(ends[0]);
	mod(&e0, ends[0], EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1); /* requeued by delivery, queued once by MOD */
}

Test(engine_ctl, mod_of_a_queued_watch_keeps_its_place)
{
	int others[2];

	pipe_open(ends);
	pipe_open(others);
	add(&e0, ends[0], EPOLLIN);
	add(&e0, others[0], EPOLLIN);
	put_byte(ends[1]);
	put_byte(others[1]);
	mod(&e0, ends[0], EPOLLIN);
	mod(&e0, others[0], EPOLLIN);
	mod(&e0, ends[0], EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {ends[0], EPOLLIN}, {others[0], EPOLLIN});
}

Test(engine_ctl, mod_of_an_eventfd_arms_exactly)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLOUT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN | EPOLLOUT));
	mod(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	mod(&e0, fd, EPOLLIN);
	EXPECT_NO_CALLS(&e0);
}

/* -------- MOD of edges and single shots -------- */

Test(engine_ctl, mod_of_an_edge_is_always_told_exactly)
{
	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_ARM, ends[0], edge(EPOLLIN));
	mod(&e0, ends[0], EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLIN));
	mod(&e0, ends[0], EPOLLPRI | EPOLLET);
	EXPECT_CALL(&e0, FAKE_REARM, ends[0], edge(EPOLLPRI));
	EXPECT_NO_CALLS(&e0);
	EXPECT_COUNT(&e0, UNVERIFIED, 0);
}

/* The edge was queued, the MOD shows it again: once is enough. */
Test(engine_ctl, mod_of_a_queued_edge_shows_it_once)
{
	int first = file_open(0), second = file_open(0);

	add(&e0, first, EPOLLIN | EPOLLET);
	add(&e0, second, EPOLLIN | EPOLLET);
	arrive(&e0, first);
	arrive(&e0, second);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
	cr_assert(ep_is_linked(item_of(&e0, second)));
	mod(&e0, second, EPOLLIN | EPOLLET);
	cr_assert_not(ep_is_linked(item_of(&e0, second)));
	EXPECT_NO_EVENTS(&e0);
	fake_wake(e0.fake, second, EPOLLIN); /* as a kernel does for what is ready */
	EXPECT_EVENTS(&e0, 8, {second, EPOLLIN});
}

Test(engine_ctl, spent_oneshot_is_rearmed_without_a_call)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, ONESHOT, 1);
	arrive(&e0, fd);
	EXPECT_NO_EVENTS(&e0);
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_NO_CALLS(&e0);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, ONESHOT, 2);
}

Test(engine_ctl, edge_oneshot_is_rearmed_without_a_call_if_armed_exactly)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	mod(&e0, fd, EPOLLIN | EPOLLET | EPOLLONESHOT);
	EXPECT_NO_CALLS(&e0);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	mod(&e0, fd, EPOLLOUT | EPOLLET | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLOUT));
}

/* -------- MOD that fails, MOD of what is kept by the kernel -------- */

Test(engine_ctl, mod_that_fails_leaves_the_watch_as_it_was)
{
	uint64_t tag;

	pipe_open(ends);
	add(&e0, ends[0], EPOLLIN | EPOLLET);
	tag = tag_of(&e0, ends[0]);
	fake_fail(e0.fake, FAKE_REARM, -ENOMEM);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, ends[0], EPOLLPRI | EPOLLET), -ENOMEM);
	cr_assert_eq(tag_of(&e0, ends[0]), tag);
	put_byte(ends[1]);
	fake_wake(e0.fake, ends[0], EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {ends[0], EPOLLIN});
	EXPECT_COUNT(&e0, MOD, 0);
	EXPECT_COUNT(&e0, REARMED, 0);
}

Test(engine_ctl, mod_of_a_watch_the_source_has_lost_forgets_it)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET);
	fake_lose(e0.fake, fd);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET), -ENOENT);
	cr_assert_null(item_of(&e0, fd));
	cr_assert_eq(stage_files[fd]->refs, 1);
}

Test(engine_ctl, exclusive_is_the_kernels_from_the_start_and_never_modified)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLEXCLUSIVE));
	cr_assert_eq(e0.ep->nr_kernel, 1);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN), -EINVAL);
	EXPECT_NO_CALLS(&e0);
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
	cr_assert_eq(e0.ep->nr_kernel, 0);
	expect_watches(&e0, 0);
}

Test(engine_ctl, wakeup_is_the_kernels_from_the_start)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLWAKEUP);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLWAKEUP));
	mod(&e0, fd, EPOLLIN | EPOLLWAKEUP);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN | EPOLLWAKEUP));
	EXPECT_NO_CALLS(&e0);
}

Test(engine_ctl, nothing_becomes_exclusive_by_mod)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE), -EINVAL);
	cr_assert_eq(item_of(&e0, fd)->event.events, level(EPOLLIN));
}

/* /dev/null cannot be watched, but the fake does not know; what counts is the kind. */
Test(engine_ctl, file_not_known_to_repeat_itself_is_the_kernels)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT);
	EXPECT_CALL(&e0, FAKE_ARM, fd, level(EPOLLIN | EPOLLONESHOT));
	mod(&e0, fd, EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	mod(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_COUNT(&e0, UNVERIFIED, 0);
}

Test(engine_ctl, wakeup_by_mod_hands_the_watch_to_the_kernel)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	mod(&e0, fd, EPOLLIN | EPOLLWAKEUP);
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN));
	EXPECT_CALL(&e0, FAKE_REARM, fd, level(EPOLLIN | EPOLLWAKEUP));
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->nr_kernel, 1);
}

/* -------- what we know nothing of -------- */

/* The identity of a fake is an eventfd: no kernel takes it for an epoll. */
Test(engine_ctl, unknown_watches_and_operations_are_put_to_the_kernel)
{
	int fd = file_open(0);

	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, fd, EPOLLIN), -EINVAL);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_DEL, fd, EPOLLIN), -EINVAL);
	cr_assert_eq(try_ctl(&e0, 77, fd, EPOLLIN), -EINVAL);
	add(&e0, fd, EPOLLIN);
	cr_assert_eq(try_ctl(&e0, 77, fd, EPOLLIN), -EINVAL);
	EXPECT_COUNT(&e0, MOD, 0);
	EXPECT_COUNT(&e0, DEL, 0);
	expect_watches(&e0, 1);
}

Test(engine_ctl, one_file_in_two_eventpolls_is_two_watches)
{
	int fd = file_open(0);

	stage_open(&e1);
	add(&e0, fd, EPOLLIN);
	add(&e1, fd, EPOLLIN);
	raise_level(fd);
	fake_wake(e1.fake, fd, EPOLLIN);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_EVENTS(&e1, 8, {fd, EPOLLIN});
	close_file(fd);
	expect_watches(&e0, 0);
	expect_watches(&e1, 0);
	EXPECT_COUNT(&e0, CLOSED, 1);
	EXPECT_COUNT(&e1, CLOSED, 1);
}

/* Also one that names another's watch, one that is gone, or none. */
Test(engine_ctl, hint_that_is_wrong_is_mended)
{
	int a = file_open(0), b = file_open(0), gone = file_open(0);
	uint32_t hints[] = {0, 1, 2, 3, 4711, UINT32_MAX};

	add(&e0, a, EPOLLIN);
	add(&e0, b, EPOLLIN);
	add(&e0, gone, EPOLLIN);
	close_file(gone);
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		uint32_t events = i % 2 ? EPOLLIN : EPOLLOUT;

		stage_hints[b] = hints[i];
		mod(&e0, b, events);
		cr_assert_eq(item_of(&e0, b)->event.events, level(events), "hint %u", hints[i]);
		cr_assert_eq(stage_hints[b], item_of(&e0, b)->slot);
	}
	cr_assert_eq(item_of(&e0, a)->event.events, level(EPOLLIN));
	stage_hints[a] = stage_hints[b];
	del(&e0, a);
	cr_assert_eq(try_ctl(&e0, EPOLL_CTL_MOD, a, EPOLLIN), -ENOENT);
	expect_watches(&e0, 1);
}

Test(engine_ctl, hint_serves_two_eventpolls_in_turn)
{
	int fds[2];

	pipe_open(fds);
	stage_open(&e1);
	add(&e1, file_open(0), EPOLLIN);
	add(&e0, fds[0], EPOLLIN);
	add(&e1, fds[0], EPOLLIN);
	for (uint32_t i = 0; i < 4; i++) {
		mod(&e0, fds[0], i % 2 ? EPOLLIN : EPOLLIN | EPOLLOUT);
		mod(&e1, fds[0], i % 2 ? EPOLLPRI : EPOLLRDHUP);
	}
	cr_assert_eq(item_of(&e0, fds[0])->event.events, level(EPOLLIN));
	cr_assert_eq(item_of(&e1, fds[0])->event.events, level(EPOLLPRI));
	EXPECT_COUNT(&e0, UNVERIFIED, 3);
}

/* What is not changed in one step is changed as a whole: ep_rebuild_lists() undoes it. */
Test(engine_ctl, new_data_is_taken_with_new_conditions)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
	int fds[2];

	pipe_open(fds);
	put_byte(fds[1]);
	add(&e0, fds[0], EPOLLIN);
	cr_assert_eq(stage_ctl(&e0, EPOLL_CTL_MOD, fds[0], &event), 0);
	EXPECT_COUNT(&e0, UNVERIFIED, 1);
	cr_assert_null(e0.ep->modified);
	cr_assert_eq(stage_wait(&e0, 8, 0), 1);
	cr_assert_eq(stage_got[0].data.u64, event.data.u64);
}
