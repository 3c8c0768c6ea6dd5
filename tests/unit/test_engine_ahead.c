// SPDX-License-Identifier: MIT
/*
 * test_engine_ahead.c - who is asked first: the source, or what was left on the ready
 * list, and the source with it.
 *
 *	t0 -(wait)-> e0 -(inline)-> f0, f1, ...
 */
#include "engine_stage.h"

TestSuite(engine_ahead, .init = stage_inline);

static int nr_collections;

static void count_collection(void)
{
	nr_collections++;
}

/* A level-triggered watch that is ready and was shown, and S that had nothing beside it. */
static int open_quiet(void)
{
	int fd = file_open(0);

	e0.fake->collecting = count_collection;
	add(&e0, fd, EPOLLIN);
	arrive(&e0, fd);
	for (int i = 0; i < 2; i++)
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	nr_collections = 0;
	return fd;
}

Test(engine_ahead, source_that_has_no_edges_is_asked_with_the_leftovers)
{
	int fd = open_quiet();

	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
	cr_assert_eq(nr_collections, 0);
	EXPECT_COUNT(&e0, RECHECK_READY, 4);
}

Test(engine_ahead, edges_beside_leftovers_come_in_the_same_batch)
{
	int fd = open_quiet(), other = file_open(0);

	add(&e0, other, EPOLLIN);
	arrive(&e0, other);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN}, {other, EPOLLIN});
	cr_assert_eq(nr_collections, 1);
}

Test(engine_ahead, small_buffer_asks_about_what_it_holds)
{
	int fd = open_quiet(), other = file_open(0);

	add(&e0, other, EPOLLIN);
	arrive(&e0, other);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN}, {other, EPOLLIN});
	for (int i = 0; i < 3; i++) {
		EXPECT_EVENTS(&e0, 1, {fd, EPOLLIN});
		EXPECT_EVENTS(&e0, 1, {other, EPOLLIN});
	}
	EXPECT_COUNT(&e0, RECHECK_READY, 1 + 1 + 6);
}

/* Where edges come, they confirm the leftovers, and nobody is asked but the source. */
Test(engine_ahead, source_that_had_edges_is_asked_first_again)
{
	int fd = open_quiet();

	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN}); /* found with the leftovers, then collected */
	EXPECT_COUNT(&e0, RECHECK_READY, 2);
	for (int i = 1; i <= 3; i++) {
		arrive(&e0, fd);
		EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
		cr_assert_eq(nr_collections, 1 + i);
	}
	EXPECT_COUNT(&e0, RECHECK_READY, 2);
}

Test(engine_ahead, leftovers_that_dropped_end_in_a_sleep)
{
	int fd = open_quiet();

	drop_level(fd);
	EXPECT_NO_EVENTS(&e0);
	cr_assert_eq(nr_collections, 0);
	EXPECT_COUNT(&e0, RECHECK_DROPPED, 1);
	arrive(&e0, fd);
	EXPECT_EVENTS(&e0, 8, {fd, EPOLLIN});
}
