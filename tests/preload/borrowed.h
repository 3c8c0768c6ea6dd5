/* SPDX-License-Identifier: MIT */
/*
 * borrowed.h - a parent whose memory is borrowed, and the harm a child can do.
 */
#ifndef PRELOAD_BORROWED_H
#define PRELOAD_BORROWED_H

#include <sys/wait.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* e0 watches p0; both are what the child lays hands on. */
static struct {
	int epfd;
	int p[2];
} parent;

static void parent_open(void)
{
	parent.epfd = epoll_open();
	pipe_open(parent.p);
	watch(parent.epfd, parent.p[0], EPOLLIN, 1);
}

/* The child did its worst; it exited with @status. */
static void parent_expect_unharmed(pid_t pid, int status)
{
	int got;

	EXPECT_INT(waitpid(pid, &got, 0), ==, pid);
	EXPECT(WIFEXITED(got));
	EXPECT_INT(WEXITSTATUS(got), ==, status);
	EXPECT_QUIET(parent.epfd);
	put(parent.p[1], 1);
	EXPECT_EVENTS(parent.epfd, 0, {EPOLLIN, 1});
	rewatch(parent.epfd, parent.p[0], EPOLLIN, 2);
	EXPECT_EVENTS(parent.epfd, 0, {EPOLLIN, 2});
	EXPECT_ERRNO(ctl_add(parent.epfd, parent.p[0], EPOLLIN, 3), EEXIST);
	MUST(close(parent.p[0]));
	EXPECT_QUIET(parent.epfd);
	CLOSE(parent.epfd, parent.p[1]);
}

/* Runs in the child; only calls that are allowed there. */
static inline void ruin(void)
{
	close(parent.p[0]);
	dup2(parent.p[1], parent.epfd);
	close_range(3, ~0U, 0);
}

#endif
