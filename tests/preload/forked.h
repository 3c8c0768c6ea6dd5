/* SPDX-License-Identifier: MIT */
/*
 * forked.h - an eventpoll that a child of fork inherits.
 */
#ifndef PRELOAD_FORKED_H
#define PRELOAD_FORKED_H

#include "../conformance/stage.h"

/* e0 watches p0, in parent and child. */
static struct {
	int epfd;
	int p[2];
} shared;

static inline void shared_open(void)
{
	shared.epfd = epoll_open();
	pipe_open(shared.p);
	watch(shared.epfd, shared.p[0], EPOLLIN, 1);
}

/* Whatever child @pid did, the watch in the parent is as it was. */
static inline void parent_expect_unharmed(pid_t pid)
{
	child_join(pid);
	EXPECT_QUIET(shared.epfd);
	put(shared.p[1], 1);
	EXPECT_EVENTS(shared.epfd, 0, {EPOLLIN, 1});
	unwatch(shared.epfd, shared.p[0]);
	CLOSE(shared.epfd, shared.p[0], shared.p[1]);
}

#endif
