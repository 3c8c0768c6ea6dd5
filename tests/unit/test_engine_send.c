// SPDX-License-Identifier: MIT
/*
 * test_engine_send.c - from the ready list into the caller's buffer: asked again, in
 * order, in turn, and nothing lost where the buffer ends.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0, f1, ...
 */
#include "engine_stage.h"

#include <sys/resource.h>

TestSuite(engine_send, .init = stage_inline);

enum {
	NR_MANY = EP_RECHECK_MAX + 44,
};

static int many[NR_MANY + 1];

/* -------- the recheck -------- */

Test(engine_send, level_stays_until_it_drops)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, REQUEUED, 3);
	EXPECT_COUNT(&e0, RECHECK_READY, 2);
	drop_level(fd);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_NO_EVENTS(&e0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
	EXPECT_COUNT(&e0, DELIVERED, 3);
}

Test(engine_send, recheck_tells_what_is_true_now)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLOUT);
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLOUT});
	raise_level(fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN | EPOLLOUT});
	mod(&e0, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

Test(engine_send, recheck_asks_for_the_orders_bits_of_no_watch)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLONESHOT | EPOLLET);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT | EPOLLET);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_READY, 1);
	EXPECT_COUNT(&e0, ONESHOT, 2);
	cr_assert(ep_is_spent(item_of(&e0, fd)));
	EXPECT_NO_EVENTS(&e0);
}

/* Stamp 0 says that a mask is worth nothing; no call has it. */
Test(engine_send, stamps_come_round_without_the_one_that_is_worth_nothing)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	drop_level(fd);
	e0.ep->stamp = UINT32_MAX;
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(e0.ep->stamp, 1);
}

/* Watches whose level dropped, as many as two batches hold, and behind them one that is ready. */
static void queue_many(void)
{
	for (int i = 0; i < NR_MANY; i++) {
		many[i] = file_open(0);
		add(&e0, many[i], EPOLLIN);
		fake_wake(e0.fake, many[i], EPOLLIN);
	}
	cr_assert_eq(stage_wait(&e0, 1024, 0), NR_MANY);
	many[NR_MANY] = file_open(1);
	add(&e0, many[NR_MANY], EPOLLIN);
	mod(&e0, many[NR_MANY], EPOLLIN);
}

Test(engine_send, batch_that_drops_whole_is_followed_by_the_next)
{
	queue_many();
	EXPECT_EVENTS(&e0, 1024, {many[NR_MANY], EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_DROPPED, NR_MANY);
	EXPECT_COUNT(&e0, RECHECK_READY, 1);
}

Test(engine_send, small_buffer_is_not_left_empty_either)
{
	queue_many();
	EXPECT_EVENTS(&e0, 1, {many[NR_MANY], EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_DROPPED, NR_MANY);
	cr_assert_eq(e0.fake->nr_sleeps, 0);
}

Test(engine_send, more_than_a_batch_is_delivered_in_one_call)
{
	for (int i = 0; i < NR_MANY; i++) {
		many[i] = file_open(1);
		add(&e0, many[i], EPOLLIN);
		mod(&e0, many[i], EPOLLIN);
	}
	cr_assert_eq(stage_wait(&e0, 1024, 0), NR_MANY);
	for (int i = 0; i < NR_MANY; i++)
		cr_assert_eq(stage_got[i].data.u64, EVENT_DATA(many[i]));
	EXPECT_COUNT(&e0, RECHECK_READY, NR_MANY);
}

/* Only what the caller has room for is asked about. */
Test(engine_send, no_more_is_asked_than_can_be_told)
{
	for (int i = 0; i < 8; i++) {
		many[i] = file_open(1);
		add(&e0, many[i], EPOLLIN);
		mod(&e0, many[i], EPOLLIN);
	}
	EXPECT_EVENTS(&e0, 2, {many[0], EPOLLIN}, {many[1], EPOLLIN});
	EXPECT_COUNT(&e0, RECHECK_READY, 2);
}

/* f0 to f3, ready, all to be asked about. */
static void queue_four(void)
{
	for (int i = 0; i < 4; i++) {
		many[i] = file_open(1);
		add(&e0, many[i], EPOLLIN);
		mod(&e0, many[i], EPOLLIN);
		EXPECT_CALL(&e0, FAKE_ARM, many[i], edge(EPOLLIN));
	}
}

/* poll(2) says EINVAL if it is asked about more files than may be open. */
static void look_with_limit(rlim_t max)
{
	struct rlimit all, limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	limit = (struct rlimit){.rlim_cur = max, .rlim_max = all.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	stage_wait(&e0, 8, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
}

Test(engine_send, where_poll_takes_fewer_files_it_is_asked_about_some_and_then_others)
{
	queue_four();
	look_with_limit(3);
	EXPECT_GOT({many[0], EPOLLIN}, {many[1], EPOLLIN}, {many[2], EPOLLIN}, {many[3], EPOLLIN});
	EXPECT_NO_CALLS(&e0);
}

Test(engine_send, where_poll_fails_the_source_is_asked_again)
{
	queue_four();
	look_with_limit(0);
	cr_assert_eq(nr_stage_got, 0);
	for (int i = 0; i < 4; i++) {
		EXPECT_CALL(&e0, FAKE_REARM, many[i], edge(EPOLLIN));
		fake_wake(e0.fake, many[i], EPOLLIN);
	}
	EXPECT_NO_CALLS(&e0);
	EXPECT_EVENTS(&e0, 8, {many[0], EPOLLIN}, {many[1], EPOLLIN}, {many[2], EPOLLIN},
		      {many[3], EPOLLIN});
}

/* -------- turns -------- */

Test(engine_send, level_watches_take_turns_in_a_buffer_of_one)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = file_open(0);
		add(&e0, fds[i], EPOLLIN);
		arrive(&e0, fds[i]);
	}
	for (int i = 0; i < 9; i++)
		EXPECT_EVENTS(&e0, 1, {fds[i % 3], EPOLLIN});
}

Test(engine_send, level_watches_keep_their_order_in_a_large_buffer)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = file_open(0);
		add(&e0, fds[i], EPOLLIN);
		arrive(&e0, fds[i]);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(&e0, 8, {fds[0], EPOLLIN}, {fds[1], EPOLLIN}, {fds[2], EPOLLIN});
}

Test(engine_send, newcomer_is_before_what_was_delivered_and_is_still_level)
{
	int first = file_open(0), second = file_open(0);

	add(&e0, first, EPOLLIN);
	add(&e0, second, EPOLLIN);
	arrive(&e0, first);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
	arrive(&e0, second);
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN}); /* it queued up first */
	EXPECT_EVENTS(&e0, 1, {second, EPOLLIN});
	EXPECT_EVENTS(&e0, 1, {first, EPOLLIN});
}

Test(engine_send, level_watch_is_told_once_a_call)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	fake_wake(e0.fake, fd, EPOLLIN);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, ALREADY_QUEUED, 2);
}

/* k0 is always ready and the kernel's, f0 always ready and ours. */
Test(engine_send, what_the_kernel_keeps_and_what_we_keep_take_turns)
{
	int k0 = file_open(1), f0 = file_open(0);
	int nr_k0 = 0;

	add(&e0, k0, EPOLLIN | EPOLLEXCLUSIVE);
	add(&e0, f0, EPOLLIN);
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	for (int i = 0; i < 8; i++) {
		fake_wake(e0.fake, k0, EPOLLIN);
		cr_assert_eq(stage_wait(&e0, 1, 0), 1);
		nr_k0 += stage_got[0].data.u64 == EVENT_DATA(k0);
	}
	cr_assert_eq(nr_k0, 4, "%d of 8", nr_k0);
}

/* However large it is, each once; and never more than it holds. */
Test(engine_send, both_share_a_buffer_that_has_room_for_both)
{
	int k0 = file_open(1), k1 = file_open(1), f0 = file_open(0);

	add(&e0, k0, EPOLLIN | EPOLLEXCLUSIVE);
	add(&e0, k1, EPOLLIN | EPOLLEXCLUSIVE);
	add(&e0, f0, EPOLLIN);
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	for (int i = 0; i < 4; i++) {
		fake_wake(e0.fake, k0, EPOLLIN);
		cr_assert_eq(stage_wait(&e0, 8, 0), 2);
		cr_assert_neq(stage_got[0].data.u64, stage_got[1].data.u64);
	}
	for (int i = 0; i < 4; i++) {
		fake_wake(e0.fake, k0, EPOLLIN);
		fake_wake(e0.fake, k1, EPOLLIN);
		cr_assert_eq(stage_wait(&e0, 2, 0), 2);
		cr_assert_neq(stage_got[0].data.u64, stage_got[1].data.u64);
	}
}

/* Nothing is collected for which there is no place: the kernel keeps it. */
Test(engine_send, kernels_events_are_collected_as_far_as_there_is_room)
{
	for (int i = 0; i < 4; i++) {
		many[i] = file_open(1);
		add(&e0, many[i], EPOLLIN | EPOLLEXCLUSIVE);
		fake_wake(e0.fake, many[i], EPOLLIN);
	}
	EXPECT_EVENTS(&e0, 3, {many[0], EPOLLIN}, {many[1], EPOLLIN}, {many[2], EPOLLIN});
	cr_assert_eq(e0.fake->nr_edges, 1);
	EXPECT_EVENTS(&e0, 3, {many[3], EPOLLIN});
}

/* f0's edge was collected for this call: no second event of the kernel's takes its place. */
Test(engine_send, edge_of_ours_keeps_its_place_among_the_kernels)
{
	int f0 = file_open(0);

	add(&e0, f0, EPOLLIN | EPOLLET);
	arrive(&e0, f0);
	for (int i = 0; i < 2; i++) {
		many[i] = file_open(1);
		add(&e0, many[i], EPOLLIN | EPOLLEXCLUSIVE);
		fake_wake(e0.fake, many[i], EPOLLIN);
	}
	EXPECT_EVENTS(&e0, 2, {many[0], EPOLLIN}, {f0, EPOLLIN});
	EXPECT_EVENTS(&e0, 2, {many[1], EPOLLIN});
}

/* What the kernel keeps is shown in @first, and in @second when the slot was full once. */
static int show_twice(uint32_t flags, uint32_t first, uint32_t second)
{
	int ours = file_open(0), kept = file_open(1);

	add(&e0, ours, EPOLLIN | EPOLLET);
	add(&e0, kept, EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE | flags);
	fake_wake(e0.fake, kept, first);
	raise_level(ours);
	for (int i = 1; i < EP_SLOT_MAX; i++)
		fake_wake(e0.fake, ours, EPOLLIN);
	fake_wake(e0.fake, kept, second);
	stage_wait(&e0, 1024, 0);
	cr_assert_eq(nr_stage_got, 2);
	cr_assert_eq(stage_got[0].data.u64, EVENT_DATA(kept));
	return (int)stage_got[0].events;
}

Test(engine_send, level_of_the_kernels_is_told_once_a_call)
{
	cr_assert_eq(show_twice(0, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLOUT), EPOLLIN | EPOLLOUT);
}

/* The kernel does not tell the second edge again: it must not be taken for the first. */
Test(engine_send, edge_between_two_collections_of_one_call_is_told)
{
	cr_assert_eq(show_twice(EPOLLET, EPOLLOUT, EPOLLIN), EPOLLIN | EPOLLOUT);
}

/* -------- the caller's buffer -------- */

static struct epoll_event *pages(int first, int second)
{
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq((void *)at, MAP_FAILED);
	cr_assert_eq(mprotect(at, 4096, first), 0);
	cr_assert_eq(mprotect(at + 4096, 4096, second), 0);
	return (struct epoll_event *)(void *)at;
}

Test(engine_send, buffer_that_cannot_be_written_costs_no_event)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN | EPOLLET);
	arrive(&e0, fd);
	cr_assert_eq(stage_wait_into(&e0, pages(PROT_READ, PROT_READ), 8, 0), -EFAULT);
	cr_assert_eq(stage_wait_into(&e0, NULL, 8, 0), -EFAULT);
	mod(&e0, fd, EPOLLIN | EPOLLONESHOT | EPOLLET);
	cr_assert_eq(stage_wait_into(&e0, pages(PROT_NONE, PROT_NONE), 8, 0), -EFAULT);
	EXPECT_COUNT(&e0, DELIVERED, 0);
	EXPECT_COUNT(&e0, ONESHOT, 0);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	EXPECT_COUNT(&e0, ONESHOT, 1);
}

Test(engine_send, level_that_is_still_there_is_efault_without_asking_the_source)
{
	int fd = file_open(0);

	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	cr_assert_eq(stage_wait_into(&e0, pages(PROT_READ, PROT_READ), 8, 0), -EFAULT);
	cr_assert_eq(e0.fake->nr_sleeps, 0);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}

Test(engine_send, buffer_that_cannot_be_written_is_no_matter_if_there_is_nothing_to_write)
{
	cr_assert_eq(stage_wait_into(&e0, pages(PROT_READ, PROT_READ), 8, 0), 0);
	cr_assert_eq(stage_wait_into(&e0, NULL, 8, 0), 0);
}

Test(engine_send, buffer_is_used_as_far_as_it_can_be_written)
{
	struct epoll_event *events =
		(struct epoll_event *)(void *)((char *)pages(PROT_READ | PROT_WRITE, PROT_NONE) +
					       4096 - 2 * sizeof(*events));

	for (int i = 0; i < 4; i++) {
		many[i] = file_open(0);
		add(&e0, many[i], EPOLLIN | EPOLLET);
		arrive(&e0, many[i]);
	}
	cr_assert_eq(stage_wait_into(&e0, events, 8, 0), 2);
	cr_assert_eq(events[0].data.u64, EVENT_DATA(many[0]));
	cr_assert_eq(events[1].data.u64, EVENT_DATA(many[1]));
	EXPECT_EVENTS(&e0, 8, {many[2], EPOLLIN}, {many[3], EPOLLIN});
}

Test(engine_send, buffer_outside_of_all_memory_is_refused_at_once)
{
	struct epoll_event *events = (struct epoll_event *)(UACCESS_END - sizeof(*events));

	cr_assert_eq(stage_wait_into(&e0, events, 2, 0), -EFAULT);
	cr_assert_eq(e0.fake->nr_sleeps, 0);
	EXPECT_COUNT(&e0, WAIT, 0);
}
