// SPDX-License-Identifier: MIT
/*
 * deviate_raw.c - system calls that do not go through libc, and what /proc shows.
 *
 * A preloaded library sees libc's functions.  Who enters the kernel by an
 * instruction of his own meets the epoll behind the eventpoll: armed edge by edge
 * under tags of interpoll's, or, with the poll source, watching nothing at all.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define RAW_CALLS  "a preloaded library sees libc's functions, not system calls"
#define OTHER_TAGS "the kernel's epoll behind the descriptor is armed for interpoll"

#define DATA 0x5ca1ab1e

/* ---- raw system calls -------------------------------------------------- */

static int raw_poll_now(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	struct timespec none = {0, 0};

	return MUST(raw_call(SYS_ppoll, (long)&pollfd, 1, (long)&none, 0, 8, 0));
}

/* p0 is ready and stays so: e0 has shown it, and will again. */
static void shown_level_open(int *epfd, int p[2])
{
	*epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(*epfd, p[0], EPOLLIN, DATA);
	EXPECT_EVENTS(*epfd, 0, {EPOLLIN, DATA});
}

CLAIM_EXCEPT("ours", RAW_CALLS, a_raw_poll_sees_a_level_that_stays)
{
	int epfd, p[2];

	shown_level_open(&epfd, p);
	EXPECT_INT(raw_poll_now(epfd), ==, 1);
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(a_raw_poll_sees_a_level_that_stays)
{
	struct pollfd pollfd;
	int epfd, p[2];

	shown_level_open(&epfd, p);
	EXPECT_INT(raw_poll_now(epfd), ==, 0);
	pollfd = (struct pollfd){.fd = epfd, .events = POLLIN};
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 1); /* libc's is seen, and settles it */
	EXPECT_INT(raw_poll_now(epfd), ==, 1);
	CLOSE(epfd, p[0], p[1]);
}

/* e0 watched p0 for one shot, which is spent; poll(2) has made the kernel keep e0. */
static long raw_mod_of_spent(int *epfd, int p[2])
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = DATA};
	struct pollfd pollfd;

	*epfd = epoll_open();
	pipe_open(p);
	put(p[1], 1);
	watch(*epfd, p[0], EPOLLIN | EPOLLONESHOT, DATA);
	EXPECT_EVENTS(*epfd, 0, {EPOLLIN, DATA});
	pollfd = (struct pollfd){.fd = *epfd, .events = POLLIN};
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 0);
	return raw_call(SYS_epoll_ctl, *epfd, EPOLL_CTL_MOD, p[0], (long)&event, 0, 0);
}

CLAIM_EXCEPT("ours", RAW_CALLS, a_raw_MOD_arms_a_spent_oneshot_again)
{
	int epfd, p[2];

	EXPECT_INT(raw_mod_of_spent(&epfd, p), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, DATA});
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(a_raw_MOD_arms_a_spent_oneshot_again)
{
	int epfd, p[2];

	EXPECT_INT(raw_mod_of_spent(&epfd, p), ==, -ENOENT);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

static long raw_wait_now(int epfd, struct epoll_event *event)
{
	return raw_call(SYS_epoll_pwait, epfd, (long)event, 1, 0, 0, 8);
}

CLAIM_EXCEPT("preloaded", RAW_CALLS, a_raw_epoll_wait_returns_the_program_s_data)
{
	struct epoll_event event;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, DATA);
	EXPECT_INT(raw_wait_now(epfd, &event), ==, 1);
	EXPECT_INT(event.data.u64, ==, DATA);
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(a_raw_epoll_wait_returns_the_program_s_data)
{
	struct epoll_event event;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, DATA);
	if (source_is("poll")) {
		EXPECT_INT(raw_wait_now(epfd, &event), ==, 0); /* watches nothing */
	} else {
		EXPECT_INT(raw_wait_now(epfd, &event), ==, 1);
		EXPECT_INT(event.data.u64, !=, DATA);
	}
	CLOSE(epfd, p[0], p[1]);
}

/* The number of p0, closed behind libc's back, goes to another pipe, ready too. */
static void reuse_behind_our_back(int p0, int q[2])
{
	MUST(raw_call(SYS_close, p0, 0, 0, 0, 0, 0));
	pipe_open(q);
	EXPECT_INT(q[0], ==, p0);
	put(q[1], 1);
}

CLAIM_EXCEPT("ours", RAW_CALLS, a_raw_close_ends_a_watch)
{
	int epfd, p[2], q[2];

	shown_level_open(&epfd, p);
	reuse_behind_our_back(p[0], q);
	EXPECT_QUIET(epfd);
	watch(epfd, q[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, q[0], q[1], p[1]);
}
DEVIATION(a_raw_close_ends_a_watch)
{
	int epfd, p[2], q[2];

	shown_level_open(&epfd, p);
	reuse_behind_our_back(p[0], q);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, DATA}); /* the other file, taken for the first */
	if (source_is("poll"))
		EXPECT_ERRNO(ctl_add(epfd, q[0], EPOLLIN, 2), EEXIST);
	else
		watch(epfd, q[0], EPOLLIN, 2); /* the kernel knows better */
	rewatch(epfd, q[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	CLOSE(epfd, q[0], q[1], p[1]);
}

/* ---- /proc ------------------------------------------------------------- */

/* How many watches fdinfo shows; the data of the last. */
static int fdinfo_watches(int epfd, uint64_t *ret_data)
{
	char path[64], line[256];
	int tfd, nr = 0;
	unsigned int events;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
	file = fopen(path, "re");
	EXPECT(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "tfd: %d events: %x data: %" SCNx64, &tfd, &events, ret_data) == 3)
			nr++;
	MUST(fclose(file));
	return nr;
}

CLAIM_EXCEPT("preloaded", OTHER_TAGS, fdinfo_shows_the_program_s_data)
{
	int epfd, p[2];
	uint64_t data;

	shown_level_open(&epfd, p);
	EXPECT_INT(fdinfo_watches(epfd, &data), ==, 1);
	EXPECT_INT(data, ==, DATA);
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(fdinfo_shows_the_program_s_data)
{
	int epfd, p[2];
	uint64_t data = DATA;

	shown_level_open(&epfd, p);
	if (source_is("poll")) {
		EXPECT_INT(fdinfo_watches(epfd, &data), ==, 0);
	} else {
		EXPECT_INT(fdinfo_watches(epfd, &data), ==, 1);
		EXPECT_INT(data, !=, DATA);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM_EXCEPT("ours", OTHER_TAGS, fdinfo_shows_no_deleted_watch)
{
	int epfd, p[2];
	uint64_t data;

	shown_level_open(&epfd, p);
	unwatch(epfd, p[0]);
	EXPECT_INT(fdinfo_watches(epfd, &data), ==, 0);
	CLOSE(epfd, p[0], p[1]);
}
DEVIATION(fdinfo_shows_no_deleted_watch)
{
	int epfd, p[2];
	uint64_t data;

	shown_level_open(&epfd, p);
	unwatch(epfd, p[0]);
	/* only this driver takes the short cut of leaving it armed */
	EXPECT_INT(fdinfo_watches(epfd, &data), ==, driver_is("inline") ? 1 : 0);
	EXPECT_QUIET(epfd);
	watch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}
