// SPDX-License-Identifier: MIT
/*
 * test_pollset_cut.c - a poll set whose owner is cut off, after every instruction, in
 * the middle of adding or removing a file, and who does it again.
 */
#include <criterion/criterion.h>
#include <setjmp.h>

#include "source/pollset.h"
#include "steps.h"

#if STEPS_ARE_POSSIBLE

enum {
	FIRST = 3,
	SECOND,
	WANTED,
	LAST,
	NR_FDS
};

static struct pollset set;
static sigjmp_buf way_out;

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

static void add(int fd)
{
	uint32_t position;

	cr_assert_eq(pollset_add(&set, fd, &position), 0);
	set.files[position].tag = (uint64_t)fd;
}

static void add_wanted(void)
{
	uint32_t position;

	pollset_add(&set, WANTED, &position);
}

static void remove_wanted(void)
{
	pollset_remove(&set, pollset_find(&set, WANTED));
}

/* In the set once, under its own tag, or not at all. */
static void expect_once(int fd, bool is_there, long step)
{
	uint32_t position = pollset_find(&set, fd);
	int nr = 0;

	for (uint32_t i = 0; i < set.nr; i++)
		nr += set.fds[i].fd == fd;
	cr_assert_eq(nr, is_there, "instruction %ld: %d stands there %d times", step, fd, nr);
	cr_assert_eq(position != POLLSET_NONE, is_there, "instruction %ld: %d", step, fd);
	if (is_there)
		cr_assert_eq(set.files[position].tag, (uint64_t)fd, "instruction %ld: %d", step,
			     fd);
}

/* The owner was cut off in @body, and what it was at comes to an end at last. */
static void cut_everywhere(void (*body)(void), int last, bool is_there)
{
	static volatile long step;
	volatile bool was_visited = true;

	for (step = 0; was_visited; step++) {
		pollset_init(&set);
		add(FIRST);
		add(SECOND);
		if (is_there)
			add(WANTED);
		if (last)
			add(last);
		if (!sigsetjmp(way_out, 1))
			was_visited = steps_run(body, step, jump_away);
		if (pollset_find(&set, WANTED) != POLLSET_NONE)
			remove_wanted();
		for (int fd = FIRST; fd < NR_FDS; fd++)
			if (fd != last)
				expect_once(fd, fd < WANTED, step);
		add(WANTED);
		expect_once(WANTED, true, step);
		remove_wanted();
		expect_once(FIRST, true, step);
		expect_once(SECOND, true, step);
		pollset_fini(&set);
	}
	cr_assert_gt(step, 10);
}

Test(pollset, cut_off_in_an_addition, .timeout = 60)
{
	cut_everywhere(add_wanted, 0, false);
}

Test(pollset, cut_off_in_the_removal_of_the_last, .timeout = 60)
{
	cut_everywhere(remove_wanted, 0, true);
}

/* The last one is moved meanwhile: it may stand there twice, but never not at all. */
Test(pollset, cut_off_in_the_removal_of_one_amid_others, .timeout = 60)
{
	cut_everywhere(remove_wanted, LAST, true);
}

#else

Test(pollset, cut_off)
{
	cr_skip("single steps are for x86-64 without sanitizers");
}

#endif
