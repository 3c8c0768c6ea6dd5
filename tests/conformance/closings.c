// SPDX-License-Identifier: MIT
/*
 * closings.c - every call that closes a descriptor, on one that is watched.
 *
 * Each is put to a watch that nobody else holds the file of, to one whose file is
 * held by a duplicate, and to one whose number goes to another file at once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

#define FAR 700 /* the watched number; nothing is open above it but COPY, below FAR */

struct closing {
	const char *name;
	void (*close)(int fd);
	bool leaves_a_file; /* under the number: another one */
};

static void by_close(int fd)
{
	CLOSE(fd);
}

static void by_raw_close(int fd)
{
	MUST(syscall(SYS_close, fd));
}

static void by_close_range(int fd)
{
	MUST(close_range((unsigned int)fd, (unsigned int)fd, 0));
}

static void by_raw_close_range(int fd)
{
	MUST(syscall(SYS_close_range, fd, fd + 5, 0));
}

static void by_close_range_to_the_end(int fd)
{
	MUST(close_range((unsigned int)fd, ~0U, 0));
}

static void by_closefrom(int fd)
{
	closefrom(fd);
}

static void by_fclose(int fd)
{
	FILE *stream = fdopen(fd, "r");

	EXPECT(stream);
	EXPECT_INT(fclose(stream), ==, 0);
}

static void by_dup2(int fd)
{
	int event_fd = eventfd_open(0);

	MUST(dup2(event_fd, fd));
	CLOSE(event_fd);
}

static void by_dup3(int fd)
{
	int event_fd = eventfd_open(0);

	MUST(dup3(event_fd, fd, O_CLOEXEC));
	CLOSE(event_fd);
}

static void by_raw_dup3(int fd)
{
	int event_fd = eventfd_open(0);

	MUST(syscall(SYS_dup3, event_fd, fd, 0));
	CLOSE(event_fd);
}

static const struct closing closings[] = {
	{"close", by_close, false},
	{"the number of close", by_raw_close, false},
	{"close_range", by_close_range, false},
	{"the number of close_range", by_raw_close_range, false},
	{"close_range to the end", by_close_range_to_the_end, false},
	{"closefrom", by_closefrom, false},
	{"fclose", by_fclose, false},
	{"dup2", by_dup2, true},
	{"dup3", by_dup3, true},
	{"the number of dup3", by_raw_dup3, true},
};

#define NR_CLOSINGS (sizeof(closings) / sizeof(closings[0]))

/* e0 -(lt)-> FAR, a pipe's reading end with a byte in it */
static int far_open(int *writer, uint32_t mode)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	MUST(dup2(p[0], FAR));
	CLOSE(p[0]);
	put(p[1], 1);
	watch(epfd, FAR, EPOLLIN | mode, 1);
	*writer = p[1];
	return epfd;
}

static void expect_nr_events(const struct closing *closing, const char *when, int epfd, int nr)
{
	struct epoll_event events[4];
	int got = MUST(epoll_wait(epfd, events, 4, 0));

	if (got != nr)
		FAIL("%s, %s: expected %d events, got %d", closing->name, when, nr, got);
}

CLAIM(every_way_to_close_ends_the_watch)
{
	for (size_t i = 0; i < NR_CLOSINGS; i++) {
		int writer, epfd = far_open(&writer, 0);

		expect_nr_events(&closings[i], "before", epfd, 1);
		closings[i].close(FAR);
		expect_nr_events(&closings[i], "closed", epfd, 0);
		EXPECT_ERRNO(ctl_del(epfd, FAR), closings[i].leaves_a_file ? ENOENT : EBADF);
		if (closings[i].leaves_a_file)
			CLOSE(FAR);
		CLOSE(epfd, writer);
	}
}

CLAIM(every_way_to_close_ends_a_watch_that_was_deleted)
{
	for (size_t i = 0; i < NR_CLOSINGS; i++) {
		int writer, epfd = far_open(&writer, EPOLLET);

		unwatch(epfd, FAR);
		closings[i].close(FAR);
		if (closings[i].leaves_a_file)
			CLOSE(FAR);
		/* nobody holds the reading end any more */
		signal(SIGPIPE, SIG_IGN);
		EXPECT_ERRNO(write(writer, "", 1), EPIPE);
		expect_nr_events(&closings[i], "closed", epfd, 0);
		CLOSE(epfd, writer);
	}
}

static void expect_duplicate_shows(uint32_t mode, bool is_shown)
{
	for (size_t i = 0; i < NR_CLOSINGS; i++) {
		int writer, epfd = far_open(&writer, mode);
		int copy = MUST(fcntl(FAR, F_DUPFD_CLOEXEC, FAR - 100));

		EXPECT_INT(copy, <, FAR);
		closings[i].close(FAR);
		expect_nr_events(&closings[i], "closed", epfd, is_shown);
		put(writer, 1);
		expect_nr_events(&closings[i], "written", epfd, is_shown);
		EXPECT_ERRNO(ctl_mod(epfd, FAR, EPOLLIN, 2),
			     closings[i].leaves_a_file ? ENOENT : EBADF);
		if (closings[i].leaves_a_file)
			CLOSE(FAR);
		CLOSE(copy);
		expect_nr_events(&closings[i], "gone", epfd, 0);
		CLOSE(epfd, writer);
	}
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_level_of_a_duplicate_outlives_every_way_to_close)
{
	expect_duplicate_shows(0, true);
}

DEVIATION(a_level_of_a_duplicate_outlives_every_way_to_close)
{
	expect_duplicate_shows(0, false);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, an_edge_of_a_duplicate_outlives_every_way_to_close)
{
	expect_duplicate_shows(EPOLLET, true);
}

DEVIATION(an_edge_of_a_duplicate_outlives_every_way_to_close)
{
	expect_duplicate_shows(EPOLLET, false);
}

/* ---- streams ----------------------------------------------------------- */

CLAIM(freopen_ends_the_watch)
{
	int writer, epfd = far_open(&writer, 0);
	FILE *stream = fdopen(FAR, "r");

	EXPECT(stream);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT(freopen("/dev/null", "r", stream));
	EXPECT_QUIET(epfd);
	EXPECT_INT(fclose(stream), ==, 0);
	CLOSE(epfd, writer);
}

/* e0 -(lt)-> the output of true(1), which has ended */
CLAIM_EXCEPT("poll", NO_ZOMBIES, a_duplicate_of_the_pipe_of_popen_outlives_pclose)
{
	FILE *stream = popen("true", "re");
	int epfd = epoll_open();
	int copy;

	EXPECT(stream);
	watch(epfd, fileno(stream), EPOLLIN, 1);
	copy = MUST(dup(fileno(stream)));
	EXPECT_EVENTS(epfd, -1, {EPOLLHUP, 1});
	EXPECT_INT(pclose(stream), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	CLOSE(copy);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

/* ---- numbers that go on ------------------------------------------------ */

/* One number, watched as one kind of file after another, none of them deleted. */
CLAIM(a_number_may_be_a_file_of_every_kind_in_turn)
{
	int epfd = epoll_open();
	int ends[2];

	for (int round = 0; round < 20; round++) {
		EXPECT_QUIET(epfd);
		ends[0] = eventfd_open(1);
		watch(epfd, ends[0], EPOLLIN | EPOLLET, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		CLOSE(ends[0]);
		pipe_open(ends);
		watch(epfd, ends[0], EPOLLIN, 2);
		EXPECT_QUIET(epfd);
		put(ends[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
		CLOSE(ends[0], ends[1]);
		unix_open(ends);
		watch(epfd, ends[0], EPOLLIN | EPOLLOUT | EPOLLONESHOT, 3);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 3});
		CLOSE(ends[0], ends[1]);
		ends[0] = timerfd_open();
		watch(epfd, ends[0], EPOLLIN, 4);
		EXPECT_QUIET(epfd);
		CLOSE(ends[0]);
		ends[0] = epoll_open();
		watch(epfd, ends[0], EPOLLIN, 5);
		EXPECT_QUIET(epfd);
		CLOSE(ends[0]);
	}
	CLOSE(epfd);
}
