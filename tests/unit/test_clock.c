// SPDX-License-Identifier: MIT
/*
 * test_clock.c - durations: never early, never wrapped, for ever is for ever.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>

#include "base/clock.h"

Test(clock, negative_milliseconds_are_for_ever)
{
	cr_assert_eq(clock_from_ms(-1), CLOCK_FOREVER);
	cr_assert_eq(clock_from_ms(-2), CLOCK_FOREVER);
	cr_assert_eq(clock_from_ms(INT_MIN), CLOCK_FOREVER);
}

Test(clock, milliseconds_become_nanoseconds)
{
	cr_assert_eq(clock_from_ms(0), 0);
	cr_assert_eq(clock_from_ms(1), UINT64_C(1000000));
	cr_assert_eq(clock_from_ms(INT_MAX), UINT64_C(2147483647000000));
}

Test(clock, timespec_becomes_nanoseconds)
{
	struct timespec ts = {.tv_sec = 3, .tv_nsec = 14};

	cr_assert_eq(clock_from_timespec(&ts), UINT64_C(3000000014));
	ts = (struct timespec){0, 0};
	cr_assert_eq(clock_from_timespec(&ts), 0);
}

/* 2^64 ns are 18446744073 s 709551616 ns, and the last value is taken by for ever. */
Test(clock, timespec_that_does_not_fit_is_for_ever)
{
	struct timespec ts = {.tv_sec = 18446744073, .tv_nsec = 709551614};

	cr_assert_eq(clock_from_timespec(&ts), CLOCK_FOREVER - 1);
	ts.tv_nsec = 709551616;
	cr_assert_eq(clock_from_timespec(&ts), CLOCK_FOREVER);
	ts = (struct timespec){.tv_sec = 18446744074, .tv_nsec = 0};
	cr_assert_eq(clock_from_timespec(&ts), CLOCK_FOREVER);
	ts = (struct timespec){.tv_sec = LONG_MAX, .tv_nsec = 999999999};
	cr_assert_eq(clock_from_timespec(&ts), CLOCK_FOREVER);
}

Test(clock, nanoseconds_become_a_valid_timespec_and_back)
{
	static const uint64_t durations[] = {
		0, 1, 999999999, 1000000000, 1000000001, UINT64_C(86400000000001), CLOCK_FOREVER,
	};

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		struct timespec ts = clock_to_timespec(durations[i]);

		cr_assert(ts.tv_sec >= 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
		cr_assert_eq(clock_from_timespec(&ts), durations[i]);
	}
}

Test(clock, deadline_saturates)
{
	cr_assert_eq(clock_deadline_ns(5, 7), 12);
	cr_assert_eq(clock_deadline_ns(5, 0), 5);
	cr_assert_eq(clock_deadline_ns(5, CLOCK_FOREVER), CLOCK_FOREVER);
	cr_assert_eq(clock_deadline_ns(5, CLOCK_FOREVER - 5), CLOCK_FOREVER);
	cr_assert_eq(clock_deadline_ns(5, CLOCK_FOREVER - 4), CLOCK_FOREVER);
	cr_assert_eq(clock_deadline_ns(5, CLOCK_FOREVER - 6), CLOCK_FOREVER - 1);
}

Test(clock, what_is_past_leaves_nothing)
{
	cr_assert_eq(clock_left_ns(10, 4), 6);
	cr_assert_eq(clock_left_ns(10, 10), 0);
	cr_assert_eq(clock_left_ns(10, 11), 0);
	cr_assert_eq(clock_left_ns(CLOCK_FOREVER, 11), CLOCK_FOREVER);
	cr_assert_eq(clock_left_ns(CLOCK_FOREVER, CLOCK_FOREVER), CLOCK_FOREVER);
}

Test(clock, milliseconds_are_rounded_up_never_down)
{
	cr_assert_eq(clock_to_ms(0), 0);
	cr_assert_eq(clock_to_ms(1), 1);
	cr_assert_eq(clock_to_ms(999999), 1);
	cr_assert_eq(clock_to_ms(1000000), 1);
	cr_assert_eq(clock_to_ms(1000001), 2);
	cr_assert_eq(clock_to_ms(CLOCK_FOREVER), -1);
	cr_assert_eq(clock_to_ms(CLOCK_FOREVER - 1), INT_MAX);
	cr_assert_eq(clock_to_ms(clock_from_ms(INT_MAX)), INT_MAX);
	cr_assert_eq(clock_to_ms(clock_from_ms(INT_MAX) + 1), INT_MAX);
}

Test(clock, now_is_the_monotonic_clock_and_leaves_errno_alone)
{
	struct timespec before, after;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &before);
	errno = ENOTTY;
	now_ns = clock_now_ns();
	cr_assert_eq(errno, ENOTTY);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_geq(now_ns, clock_from_timespec(&before));
	cr_assert_leq(now_ns, clock_from_timespec(&after));
}
