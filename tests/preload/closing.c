// SPDX-License-Identifier: MIT
/*
 * closing.c - every way to close a descriptor is noticed.
 *
 * Each claim watches a pipe, closes the watched end in one way, lets another
 * pipe take the number, and makes both ready: the first is gone, and the second is
 * not mistaken for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* Two pipes; reading ends are high-numbered, so that their numbers are ours to choose. */
struct pair {
	int epfd;
	int number; /* the watched descriptor */
	int write_end;
	int other[2];
};

#define NUMBER 700

static void pair_open(struct pair *pair)
{
	int ends[2];

	pair->epfd = epoll_open();
	pair->number = NUMBER;
	pipe_open(ends);
	MUST(dup2(ends[0], NUMBER));
	CLOSE(ends[0]);
	pair->write_end = ends[1];
	pipe_open(pair->other);
	watch(pair->epfd, NUMBER, EPOLLIN, 1);
	put(pair->write_end, 1);
	EXPECT_EVENTS(pair->epfd, 0, {EPOLLIN, 1});
}

/* The number has just been closed. */
static void pair_expect_forgotten(struct pair *pair)
{
	EXPECT_QUIET(pair->epfd);
	EXPECT_ERRNO(ctl_del(pair->epfd, NUMBER), EBADF);
	MUST(dup2(pair->other[0], NUMBER));
	put(pair->other[1], 1);
	EXPECT_QUIET(pair->epfd);
	EXPECT_ERRNO(ctl_mod(pair->epfd, NUMBER, EPOLLIN, 2), ENOENT);
	watch(pair->epfd, NUMBER, EPOLLIN, 3);
	EXPECT_EVENTS(pair->epfd, 0, {EPOLLIN, 3});
	CLOSE(pair->epfd, NUMBER, pair->write_end, pair->other[0], pair->other[1]);
}

CLAIM(close_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(close_by_number_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(syscall(SYS_close, NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(fclose_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(fclose(fdopen(NUMBER, "r")));
	pair_expect_forgotten(&pair);
}

CLAIM(freopen_is_noticed)
{
	struct pair pair;
	FILE *stream;

	pair_open(&pair);
	stream = freopen("/dev/null", "r", fdopen(NUMBER, "r"));
	EXPECT(stream != NULL);
	EXPECT_QUIET(pair.epfd);
	MUST(fclose(stream));
	pair_expect_forgotten(&pair);
}

CLAIM(pclose_is_noticed)
{
	FILE *stream = popen("exec cat >/dev/null", "w");
	int epfd = epoll_open();
	int p[2], fd = fileno(stream);

	watch(epfd, fd, EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	EXPECT_INT(pclose(stream), ==, 0);
	EXPECT_QUIET(epfd);
	pipe_open(p);
	MUST(dup2(p[1], fd == p[1] ? p[0] : fd));
	EXPECT_QUIET(epfd);
	if (fd != p[0] && fd != p[1])
		CLOSE(fd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(close_range_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(close_range(NUMBER - 20, NUMBER + 20, 0));
	pair_expect_forgotten(&pair);
}

CLAIM(close_range_by_number_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(syscall(SYS_close_range, NUMBER, NUMBER, 0));
	pair_expect_forgotten(&pair);
}

CLAIM(close_range_that_only_marks_closes_nothing)
{
	struct pair pair;

	pair_open(&pair);
	MUST(close_range(NUMBER, NUMBER, CLOSE_RANGE_CLOEXEC));
	EXPECT_EVENTS(pair.epfd, 0, {EPOLLIN, 1});
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(close_range_refused_closes_nothing)
{
	struct pair pair;

	pair_open(&pair);
	EXPECT_ERRNO(close_range(NUMBER + 1, NUMBER, 0), EINVAL);
	EXPECT_ERRNO(close_range(NUMBER, NUMBER, 1 << 20), EINVAL);
	EXPECT_EVENTS(pair.epfd, 0, {EPOLLIN, 1});
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(dup2_over_a_watched_number_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(dup2(pair.write_end, NUMBER));
	EXPECT_QUIET(pair.epfd);
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(dup3_over_a_watched_number_is_noticed)
{
	struct pair pair;

	pair_open(&pair);
	MUST(dup3(pair.write_end, NUMBER, O_CLOEXEC));
	EXPECT_QUIET(pair.epfd);
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

CLAIM(a_dup2_that_fails_changes_nothing)
{
	struct pair pair;

	pair_open(&pair);
	EXPECT_ERRNO(dup2(NUMBER + 1, NUMBER), EBADF);
	EXPECT_ERRNO(dup3(pair.write_end, NUMBER, 1), EINVAL);
	EXPECT_ERRNO(dup3(NUMBER, NUMBER, 0), EINVAL);
	EXPECT_INT(dup2(NUMBER, NUMBER), ==, NUMBER);
	EXPECT_EVENTS(pair.epfd, 0, {EPOLLIN, 1});
	MUST(close(NUMBER));
	pair_expect_forgotten(&pair);
}

/*
 * What is called here concerns descriptors that are watched, dup'ed, epolls: each
 * has something to tell interpoll, none may show it in errno.
 */
CLAIM(errno_is_untouched_by_what_succeeds)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epfd, p[2], fd;

	pipe_open(p);
	errno = EXDEV;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_INT(errno, ==, EXDEV);
	EXPECT_INT(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], &event), ==, 0);
	EXPECT_INT(epoll_ctl(epfd, EPOLL_CTL_MOD, p[0], &event), ==, 0);
	EXPECT_INT(errno, ==, EXDEV);
	fd = fcntl(p[0], F_DUPFD_CLOEXEC, NUMBER);
	EXPECT_INT(dup2(p[0], fd), ==, fd);
	EXPECT_INT(errno, ==, EXDEV);
	EXPECT_INT(epoll_wait(epfd, &event, 1, 0), ==, 0);
	EXPECT_INT(epoll_wait(epfd, &event, 1, 1), ==, 0);
	EXPECT_INT(errno, ==, EXDEV);
	EXPECT_INT(close(fd), ==, 0);
	EXPECT_INT(close(p[0]), ==, 0);
	EXPECT_INT(close(epfd), ==, 0);
	EXPECT_INT(errno, ==, EXDEV);
	CLOSE(p[1]);
}
