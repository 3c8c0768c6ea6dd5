// SPDX-License-Identifier: MIT
/*
 * paths.c - epoll_ctl(2): how many ways may lead from the top to one file.
 *
 * Through one eventpoll any number, through two 500, three 100, four 50, five 10;
 * whoever would make one more is told EINVAL, and nothing is changed by that.
 */
#include <unistd.h>

#include "stage.h"

#define NO_PATHS "the number of paths is left out: the kernel does not know of the nesting"

#define NR_MAX 503

/* A column of eventpolls above a file, and a crowd above the column. */
struct pyramid {
	int column[4];
	int height;
	int event_fd;
	int crowd[NR_MAX];
	int nr;
};

static void pyramid_open(struct pyramid *pyramid, int height)
{
	pyramid->height = height;
	pyramid->nr = 0;
	pyramid->event_fd = eventfd_open(1);
	for (int i = 0; i < height; i++) {
		pyramid->column[i] = epoll_open();
		watch(pyramid->column[i], i ? pyramid->column[i - 1] : pyramid->event_fd, EPOLLIN,
		      (uint64_t)i);
	}
}

/* One more above the column: 0, or -1 and errno. */
static int pyramid_grow(struct pyramid *pyramid)
{
	EXPECT_INT(pyramid->nr, <, NR_MAX);
	pyramid->crowd[pyramid->nr] = epoll_open();
	return ctl_add(pyramid->crowd[pyramid->nr++], pyramid->column[pyramid->height - 1], EPOLLIN,
		       42);
}

static void pyramid_close(struct pyramid *pyramid)
{
	close_all(__FILE__, __LINE__, pyramid->crowd, pyramid->nr);
	close_all(__FILE__, __LINE__, pyramid->column, pyramid->height);
	CLOSE(pyramid->event_fd);
}

static void expect_limit(int height, int limit)
{
	static struct pyramid pyramid;
	int late = eventfd_open(1);

	allow_descriptors(NR_MAX + 32);
	pyramid_open(&pyramid, height);
	for (int i = 0; i < limit; i++)
		MUST(pyramid_grow(&pyramid));
	for (int i = 0; i < 3; i++)
		EXPECT_ERRNO(pyramid_grow(&pyramid), EINVAL);
	/* nothing has come of those */
	EXPECT_QUIET(pyramid.crowd[limit]);
	EXPECT_ERRNO(ctl_del(pyramid.crowd[limit], pyramid.column[height - 1]), ENOENT);
	EXPECT_EVENTS(pyramid.crowd[0], 0, {EPOLLIN, 42});
	EXPECT_EVENTS(pyramid.crowd[limit - 1], 0, {EPOLLIN, 42});
	/* another file at the bottom has ways of its own, as many as there are */
	watch(pyramid.column[0], late, EPOLLIN, 7);
	EXPECT_EVENTS(pyramid.column[0], 0, {EPOLLIN, 0}, {EPOLLIN, 7});
	/* one way less makes room for one */
	unwatch(pyramid.crowd[0], pyramid.column[height - 1]);
	watch(pyramid.crowd[limit], pyramid.column[height - 1], EPOLLIN, 43);
	EXPECT_EVENTS(pyramid.crowd[limit], 0, {EPOLLIN, 43});
	EXPECT_QUIET(pyramid.crowd[0]);
	pyramid_close(&pyramid);
	CLOSE(late);
}

CLAIM_EXCEPT("poll", NO_PATHS, five_hundred_ways_lead_through_two_eventpolls)
{
	expect_limit(1, 500);
}

CLAIM_EXCEPT("poll", NO_PATHS, a_hundred_ways_lead_through_three_eventpolls)
{
	expect_limit(2, 100);
}

CLAIM_EXCEPT("poll", NO_PATHS, fifty_ways_lead_through_four_eventpolls)
{
	expect_limit(3, 50);
}

CLAIM_EXCEPT("poll", NO_PATHS, ten_ways_lead_through_five_eventpolls)
{
	expect_limit(4, 10);
}

CLAIM(any_number_of_eventpolls_may_watch_one_file)
{
	static int epfds[600];
	int event_fd = eventfd_open(1);

	allow_descriptors(600 + 32);
	for (int i = 0; i < 600; i++) {
		epfds[i] = epoll_open();
		watch(epfds[i], event_fd, EPOLLIN, (uint64_t)i);
	}
	for (int i = 0; i < 600; i++)
		EXPECT_EVENTS(epfds[i], 0, {EPOLLIN, (uint64_t)i});
	close_all(__FILE__, __LINE__, epfds, 600);
	CLOSE(event_fd);
}
