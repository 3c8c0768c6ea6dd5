// SPDX-License-Identifier: MIT
/*
 * test_engine_nest.c - a source without a kernel epoll: the engine checks what the
 * kernel would, keeps everything, and tells the source what that cannot see.
 *
 *	t0 -(ctl, wait)-> e0 -(thread)-> f0, e1, ...
 */
#include "engine_stage.h"
#include "engine/nest.h"

TestSuite(engine_nest, .init = stage_plain);

enum {
	NR_CHAIN = 6,
};

static struct stage_ep chain[NR_CHAIN];

/* -------- the kernel's errors, in its order -------- */

static void expect_error(int op, int fd, uint32_t events, int error)
{
	int ret = try_ctl(&e0, op, fd, events);

	cr_assert_eq(ret, error, "%d, not %d", ret, error);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_nest, closed_descriptor_is_ebadf_before_all_else)
{
	expect_error(EPOLL_CTL_ADD, FAKE_FDS - 1, EPOLLIN, -EBADF);
	expect_error(EPOLL_CTL_MOD, FAKE_FDS - 1, EPOLLIN | EPOLLEXCLUSIVE, -EBADF);
	expect_error(EPOLL_CTL_DEL, FAKE_FDS - 1, 0, -EBADF);
	expect_error(77, FAKE_FDS - 1, 0, -EBADF);
}

Test(engine_nest, file_without_a_poll_is_eperm_before_it_is_unknown)
{
	int fd = memfd_create("plain", MFD_CLOEXEC);

	expect_error(EPOLL_CTL_MOD, fd, EPOLLIN, -EPERM);
	expect_error(EPOLL_CTL_DEL, fd, 0, -EPERM);
}

Test(engine_nest, unknown_watch_is_enoent)
{
	int fd = file_open(0);

	expect_error(EPOLL_CTL_MOD, fd, EPOLLIN, -ENOENT);
	expect_error(EPOLL_CTL_DEL, fd, 0, -ENOENT);
	expect_error(77, fd, 0, -EINVAL);
}

Test(engine_nest, known_watch_exists)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	expect_error(EPOLL_CTL_ADD, fd, EPOLLOUT, -EEXIST);
	expect_watches(&e0, 1);
}

Test(engine_nest, eventpoll_does_not_watch_itself)
{
	expect_error(EPOLL_CTL_ADD, e0.fd, EPOLLIN, -EINVAL);
	expect_error(EPOLL_CTL_MOD, e0.fd, EPOLLIN, -EINVAL);
	expect_error(EPOLL_CTL_DEL, e0.fd, 0, -EINVAL);
}

Test(engine_nest, exclusive_is_not_for_everything)
{
	int fd = file_open(0);

	stage_open(&e1);
	expect_error(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, -EINVAL);
	expect_error(EPOLL_CTL_ADD, fd, EPOLLPRI | EPOLLEXCLUSIVE, -EINVAL);
	expect_error(EPOLL_CTL_ADD, e1.fd, EPOLLIN | EPOLLEXCLUSIVE, -EINVAL);
	expect_error(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, -EINVAL);
	add(&e0, fd, EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN | EPOLLOUT));
	cr_assert_eq(e0.ep->nr_kernel, 0, "there is none to keep it");
	expect_error(EPOLL_CTL_MOD, fd, EPOLLIN, -EINVAL);
}

/* -------- what the source is told -------- */

Test(engine_nest, source_is_told_which_watches_it_must_latch)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN) | SOURCE_LATCH);
	mod(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN));
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT | EPOLLET);
	EXPECT_CALL(&e0, FAKE_REARM, fd, edge(EPOLLIN) | SOURCE_LATCH);
	del(&e0, fd);
	EXPECT_CALL(&e0, FAKE_DISARM, fd, 0);
}

Test(engine_nest, source_is_told_what_each_recheck_saw)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN | EPOLLPRI);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN | EPOLLPRI));
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_CALL(&e0, FAKE_LAPSED, fd, EPOLLIN);
	drop_level(fd);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e0, FAKE_LAPSED, fd, 0);
	EXPECT_NO_CALLS(&e0);
}

Test(engine_nest, close_is_told_whatever_lives_on)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	stage_forget(fd, true);
	EXPECT_CALL(&e0, FAKE_FORGET, fd, 0);
	EXPECT_NO_CALLS(&e0);
	cr_assert_eq(e0.ep->items.nr_live, 0);
	EXPECT_COUNT(&e0, ZOMBIE, 0);
	EXPECT_COUNT(&e0, CLOSED, 1);
}

Test(engine_nest, nothing_settles_and_nothing_is_passed_on)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLWAKEUP);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	cr_assert(section_enter());
	ep_polled(e0.epfile);
	ep_release(e0.epfile);
	section_leave();
	cr_assert_not(e0.ep->is_settled);
	cr_assert_not(ep_is_released(e0.epfile));
	cr_assert(e0.ep->has_loop);
	EXPECT_NO_CALLS(&e0);
	stage_close(&e0);
}

/* -------- who polls it sees whether something is ready -------- */

static noinline void polled(struct stage_ep *e)
{
	cr_assert(section_enter());
	ep_polled(e->epfile);
	section_leave();
}

Test(engine_nest, readiness_is_shown_to_who_polls)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	raise_level(fd);
	loop_lock();
	fake_wake(e0.fake, fd, EPOLLIN);
	loop_unlock();
	polled(&e0);
	EXPECT_CALL(&e0, FAKE_SHOW, -1, true);
	drop_level(fd);
	polled(&e0);
	EXPECT_CALL(&e0, FAKE_LAPSED, fd, 0);
	EXPECT_CALL(&e0, FAKE_SHOW, -1, false);
	polled(&e0);
	EXPECT_NO_CALLS(&e0);
	stage_close(&e0);
}

Test(engine_nest, nobody_polls_and_nothing_is_shown)
{
	int fd = file_open(1);

	add(&e0, fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, fd, edge(EPOLLIN));
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_CALL(&e0, FAKE_LAPSED, fd, EPOLLIN);
	EXPECT_NO_CALLS(&e0);
}

/*
 * e0 -> e1 -> f0: a wait in e0 brings e1 up to date first, which is what e0's own
 * source then sees of it.
 */
Test(engine_nest, wait_refreshes_what_is_watched)
{
	int fd = file_open(1);

	stage_open(&e1);
	add(&e1, fd, EPOLLIN);
	EXPECT_CALL(&e1, FAKE_ARM, fd, edge(EPOLLIN));
	add(&e0, e1.fd, EPOLLIN);
	cr_assert_eq(e0.ep->nr_nested, 1);
	cr_assert(e1.ep->is_polled);
	loop_lock();
	fake_wake(e1.fake, fd, EPOLLIN);
	loop_unlock();
	EXPECT_NO_EVENTS(&e0);
	EXPECT_CALL(&e1, FAKE_SHOW, -1, true);
	EXPECT_NO_CALLS(&e1);
	cr_assert_eq(e1.ep->rdllist.next, &item_of(&e1, fd)->rdllink);
	del(&e0, e1.fd);
	cr_assert_eq(e0.ep->nr_nested, 0);
	stage_close(&e1);
}

/* -------- loops and towers -------- */

Test(engine_nest, two_eventpolls_do_not_watch_each_other)
{
	stage_open(&e1);
	add(&e0, e1.fd, EPOLLIN);
	EXPECT_CALL(&e0, FAKE_ARM, e1.fd, edge(EPOLLIN));
	cr_assert_eq(try_ctl(&e1, EPOLL_CTL_ADD, e0.fd, EPOLLIN), -ELOOP);
	EXPECT_NO_CALLS(&e1);
	del(&e0, e1.fd);
	add(&e1, e0.fd, EPOLLIN);
	EXPECT_CALL(&e1, FAKE_ARM, e0.fd, edge(EPOLLIN));
}

static int link_up(int outer, int inner)
{
	return try_ctl(&chain[outer], EPOLL_CTL_ADD, chain[inner].fd, EPOLLIN);
}

static void open_chain(void)
{
	for (int i = 0; i < NR_CHAIN; i++)
		stage_open(&chain[i]);
}

/* c0 -> c1 -> c2 -> c3 -> c4 is as deep as it goes. */
Test(engine_nest, tower_grows_downwards_to_five)
{
	open_chain();
	for (int i = 0; i < 4; i++)
		cr_assert_eq(link_up(i, i + 1), 0);
	cr_assert_eq(link_up(4, 5), -ELOOP);
	cr_assert_eq(link_up(5, 0), -ELOOP);
	cr_assert_eq(link_up(4, 0), -ELOOP);
	cr_assert_eq(link_up(0, 5), 0, "beside it there is room");
	cr_assert_eq(link_up(0, 4), 0, "and a short cut is no loop");
}

Test(engine_nest, tower_grows_upwards_to_five)
{
	open_chain();
	for (int i = 4; i > 0; i--)
		cr_assert_eq(link_up(i - 1, i), 0);
	cr_assert_eq(link_up(5, 0), -ELOOP);
	cr_assert_eq(link_up(5, 1), 0);
}

/* Two halves that fit each by itself. */
Test(engine_nest, tower_of_two_halves_is_measured_whole)
{
	open_chain();
	cr_assert_eq(link_up(0, 1), 0);
	cr_assert_eq(link_up(1, 2), 0);
	cr_assert_eq(link_up(3, 4), 0);
	cr_assert_eq(link_up(4, 5), 0);
	cr_assert_eq(link_up(2, 3), -ELOOP);
	cr_assert_eq(link_up(2, 4), 0);
	cr_assert_eq(link_up(5, 0), -ELOOP);
}

static void *hold_mtx(void *ep)
{
	lock_acquire(&((struct eventpoll *)ep)->mtx);
	return NULL;
}

/* The thread that held the inner eventpoll's lock is not in the child. */
Test(engine_nest, child_of_fork_nests_what_another_thread_had_locked, .timeout = 20)
{
	pthread_t ghost;

	open_chain();
	cr_assert_eq(pthread_create(&ghost, NULL, hold_mtx, chain[1].ep), 0);
	cr_assert_eq(pthread_join(ghost, NULL), 0);
	cr_assert(section_enter());
	ep_fork_child();
	nest_lock();
	cr_assert_eq(nest_check_loop(chain[0].epfile, chain[1].epfile), 0);
	nest_unlock();
	section_leave();
}
