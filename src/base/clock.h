/* SPDX-License-Identifier: MIT */
/*
 * clock.h - moments and durations in nanoseconds, and how long is left.
 *
 * A moment is a reading of CLOCK_MONOTONIC, so that nobody who sets the wall
 * clock shortens a wait.  Moments and durations are uint64_t; CLOCK_FOREVER is
 * the moment that never comes and the duration that never ends, and all sums
 * saturate there.  Whatever is rounded is rounded up: epoll_wait(2) may return
 * late, never early.
 *
 * Everything here is async-signal-safe; errno is not touched.
 */
#ifndef INTERPOLL_BASE_CLOCK_H
#define INTERPOLL_BASE_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_MS	 UINT64_C(1000000)
#define CLOCK_NS_PER_SEC UINT64_C(1000000000)
#define CLOCK_FOREVER	 UINT64_MAX

/* The present moment.  Served by the vdso, without a system call. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Duration of @timeout_ms as epoll_wait(2) reads it: negative is for ever. */
static inline uint64_t clock_from_ms(int timeout_ms)
{
	if (timeout_ms < 0)
		return CLOCK_FOREVER;
	return (uint64_t)timeout_ms * CLOCK_NS_PER_MS;
}

/*
 * Duration of @ts, for ever if it does not fit.  @ts is a valid timespec: not
 * negative, tv_nsec below one second; the caller has refused others (EINVAL).
 */
static inline uint64_t clock_from_timespec(const struct timespec *ts)
{
	uint64_t sec = (uint64_t)ts->tv_sec;
	uint64_t nsec = (uint64_t)ts->tv_nsec;

	if (sec > (CLOCK_FOREVER - nsec) / CLOCK_NS_PER_SEC)
		return CLOCK_FOREVER;
	return sec * CLOCK_NS_PER_SEC + nsec;
}

/* @ns as a timespec; 585 years is the longest, CLOCK_FOREVER included. */
static inline struct timespec clock_to_timespec(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / CLOCK_NS_PER_SEC),
		.tv_nsec = (long)(ns % CLOCK_NS_PER_SEC),
	};

	return ts;
}

/* The moment @timeout_ns after @now_ns; CLOCK_FOREVER if either never comes. */
static inline uint64_t clock_deadline_ns(uint64_t now_ns, uint64_t timeout_ns)
{
	if (timeout_ns > CLOCK_FOREVER - now_ns)
		return CLOCK_FOREVER;
	return now_ns + timeout_ns;
}

/* How long from @now_ns to @deadline_ns: 0 if it is past, CLOCK_FOREVER if it never comes. */
static inline uint64_t clock_left_ns(uint64_t deadline_ns, uint64_t now_ns)
{
	if (deadline_ns == CLOCK_FOREVER)
		return CLOCK_FOREVER;
	return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/*
 * @left_ns as the timeout of poll(2) and epoll_wait(2): whole milliseconds,
 * rounded up; -1 for CLOCK_FOREVER.  INT_MAX where it does not fit (24 days), so
 * whoever sleeps with it looks at the clock again afterwards.
 */
static inline int clock_to_ms(uint64_t left_ns)
{
	uint64_t ms;

	if (left_ns == CLOCK_FOREVER)
		return -1;
	ms = left_ns / CLOCK_NS_PER_MS + (left_ns % CLOCK_NS_PER_MS != 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

#endif
