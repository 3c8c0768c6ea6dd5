// SPDX-License-Identifier: MIT
/*
 * moments.c - epoll_wait(2): how exactly a wait ends, and what comes in that moment.
 *
 * The kernel's own precision is measured beside: by the same call, made by an
 * instruction, on an epoll that interpoll knows nothing of.
 */
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define NS_PER_US 1000LL
#define ROUNDS	  60
#define SLACK_NS  (100 * NS_PER_US) /* for a hop to another thread and back */

/* ---- precision --------------------------------------------------------- */

static int64_t wait_raw(int epfd, const struct timespec *timeout)
{
	struct epoll_event event;
	int64_t started = now_ns();

	EXPECT_INT(raw_call(SYS_epoll_pwait2, epfd, (long)&event, 1, (long)timeout, 0, 8), ==, 0);
	return now_ns() - started;
}

static int64_t wait_by_libc(int epfd, const struct timespec *timeout)
{
	struct epoll_event event;
	int64_t started = now_ns();

	EXPECT_INT(epoll_pwait2(epfd, &event, 1, timeout, NULL), ==, 0);
	return now_ns() - started;
}

/*
 * The best of many, each beside one of the kernel's: what the machine does besides
 * makes waits longer, never shorter.
 */
static void expect_as_precise(int64_t timeout_ns)
{
	struct timespec timeout = {.tv_nsec = timeout_ns};
	int64_t best = INT64_MAX, best_raw = INT64_MAX, took;
	int epfd = epoll_open(), event_fd = eventfd_open(0);
	int raw_epfd = (int)raw_call(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);

	EXPECT_INT(raw_epfd, >=, 0);
	watch(epfd, event_fd, EPOLLIN, 1);
	for (int i = 0; i < ROUNDS; i++) {
		took = wait_raw(raw_epfd, &timeout);
		best_raw = took < best_raw ? took : best_raw;
		took = wait_by_libc(epfd, &timeout);
		EXPECT_INT(took, >=, timeout_ns);
		best = took < best ? took : best;
	}
	EXPECT_INT(best, <=, best_raw + SLACK_NS);
	CLOSE(epfd, event_fd, raw_epfd);
}

CLAIM(fifty_microseconds_are_waited_for_as_precisely_as_by_the_kernel)
{
	expect_as_precise(50 * NS_PER_US);
}

CLAIM(a_millisecond_is_waited_for_as_precisely_as_by_the_kernel)
{
	expect_as_precise(NS_PER_MS);
}

CLAIM(five_milliseconds_are_waited_for_as_precisely_as_by_the_kernel)
{
	expect_as_precise(5 * NS_PER_MS);
}

/* ---- event and time-out in one moment ---------------------------------- */

/*
 * A timer is due when the wait's time is up.  Whichever comes first, the event is
 * shown once: by this wait, or, if that ended with nothing, by the next.
 */
static void expect_once(uint32_t mode, int64_t lead_ns)
{
	struct timespec timeout = {.tv_nsec = 300 * NS_PER_US};
	int epfd = epoll_open(), timer = timerfd_open();

	watch(epfd, timer, EPOLLIN | mode, 0);
	for (uint64_t i = 1; i <= 200; i++) {
		struct epoll_event event;
		int nr;

		rewatch(epfd, timer, EPOLLIN | mode, i);
		timerfd_set(timer, timeout.tv_nsec + lead_ns + (int64_t)(i % 40) * NS_PER_US);
		nr = MUST(epoll_pwait2(epfd, &event, 1, &timeout, NULL));
		if (nr == 0)
			nr = MUST(epoll_wait(epfd, &event, 1, -1));
		EXPECT_INT(nr, ==, 1);
		EXPECT_INT(event.events, ==, EPOLLIN);
		EXPECT_INT(event.data.u64, ==, i);
		if (mode)
			EXPECT_QUIET(epfd);
		EXPECT_INT(count_take(timer), ==, 1);
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, timer);
}

CLAIM(a_level_in_the_moment_of_the_time_out_is_not_lost)
{
	expect_once(0, -20 * NS_PER_US);
}

CLAIM(an_edge_in_the_moment_of_the_time_out_is_shown_once)
{
	expect_once(EPOLLET, -20 * NS_PER_US);
}

CLAIM(a_oneshot_in_the_moment_of_the_time_out_is_shown_once)
{
	expect_once(EPOLLONESHOT, -20 * NS_PER_US);
}

/* As an edge, from a thread that writes around the time the wait ends. */
struct writer {
	int event_fd;
	atomic_bool is_over;
	_Atomic uint64_t nr_written;
	_Atomic uint64_t nr_wanted;
};

static void *writer_run(void *argument)
{
	struct writer *writer = argument;

	while (!atomic_load(&writer->is_over)) {
		struct timespec pause = {.tv_nsec = 40 * NS_PER_US};

		if (atomic_load(&writer->nr_written) == atomic_load(&writer->nr_wanted)) {
			sched_yield();
			continue;
		}
		nanosleep(&pause, NULL);
		atomic_fetch_add(&writer->nr_written, 1);
		count_up(writer->event_fd, 1);
	}
	return NULL;
}

CLAIM(an_edge_written_in_the_moment_of_the_time_out_is_shown_once)
{
	struct writer writer = {.event_fd = eventfd_open(0)};
	struct timespec timeout = {.tv_nsec = 100 * NS_PER_US};
	int epfd = epoll_open();
	pthread_t thread;

	watch(epfd, writer.event_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_INT(pthread_create(&thread, NULL, writer_run, &writer), ==, 0);
	for (int i = 0; i < 1000; i++) {
		struct epoll_event event;
		int nr;

		atomic_fetch_add(&writer.nr_wanted, 1);
		nr = MUST(epoll_pwait2(epfd, &event, 1, &timeout, NULL));
		if (nr == 0)
			nr = MUST(epoll_wait(epfd, &event, 1, -1));
		EXPECT_INT(nr, ==, 1);
		EXPECT_QUIET(epfd);
		EXPECT_INT(count_take(writer.event_fd), ==, 1);
		EXPECT_QUIET(epfd);
	}
	atomic_store(&writer.is_over, true);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	CLOSE(epfd, writer.event_fd);
}
