// SPDX-License-Identifier: MIT
/*
 * steps_dormant.c - a handler comes upon a spent one-shot that the kernel is just
 * being told to forget, or of again.
 *
 *	e0 -(l, oneshot)-> p0, which has something to read; the shot is spent
 *
 * The body polls e0, which makes the kernel keep all of it, or modifies the watch
 * after that.
 */
#include <poll.h>
#include <setjmp.h>
#include <unistd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define NO_KERNEL_EPOLL "the poll source has no kernel to tell of a watch, or not"

#define STRIDE	   23  /* instructions between visits */
#define VISITS_MAX 400 /* a body of ours has fewer; one with a self-check has many */

static struct {
	int epfd, p[2];
	int result; /* of the handler's call */
} stage;

static sigjmp_buf way_out;

static void poll_it(void)
{
	struct pollfd pollfd = {.fd = stage.epfd, .events = POLLIN};

	MUST(poll(&pollfd, 1, 0));
}

static void arm_it(void)
{
	MUST(ctl_mod(stage.epfd, stage.p[0], EPOLLIN | EPOLLONESHOT, 2));
}

static void stage_open(bool is_polled)
{
	stage.epfd = epoll_open();
	pipe_open(stage.p);
	put(stage.p[1], 1);
	watch(stage.epfd, stage.p[0], EPOLLIN | EPOLLONESHOT, 1);
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 1});
	if (is_polled)
		poll_it();
}

static int result_of(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* ---- visitors ---------------------------------------------------------- */

static void modify(void)
{
	stage.result = result_of(ctl_mod(stage.epfd, stage.p[0], EPOLLIN | EPOLLONESHOT, 2));
}

static void add(void)
{
	stage.result = result_of(ctl_add(stage.epfd, stage.p[0], EPOLLIN | EPOLLONESHOT, 3));
}

static void delete (void)
{
	stage.result = result_of(ctl_del(stage.epfd, stage.p[0]));
}

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

/* ---- visits ------------------------------------------------------------ */

/* False: @body has no such instruction. */
static bool visit(void (*body)(void), long step, void (*visitor)(void))
{
	if (sigsetjmp(way_out, 1))
		return true;
	return steps_run(body, step, visitor);
}

/* @look, every time, at what became of the watch. */
static void visit_everywhere(void (*body)(void), void (*visitor)(void), void (*look)(void))
{
	bool was_visited = true;

	for (int nr = 0; nr < VISITS_MAX && was_visited; nr++) {
		stage.result = 1;
		stage_open(body == arm_it);
		was_visited = visit(body, (long)nr * STRIDE, visitor);
		if (was_visited)
			look();
		CLOSE(stage.epfd, stage.p[0], stage.p[1]);
	}
}

static void expect_armed(void)
{
	EXPECT_INT(stage.result, ==, 0);
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(stage.epfd);
}

static void expect_known(void)
{
	EXPECT_INT(stage.result, ==, -EEXIST);
	EXPECT_QUIET(stage.epfd);
	arm_it();
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 2});
}

static void expect_gone(void)
{
	EXPECT_INT(stage.result, ==, 0);
	EXPECT_ERRNO(ctl_del(stage.epfd, stage.p[0]), ENOENT);
	EXPECT_QUIET(stage.epfd);
}

static void expect_usable(void)
{
	arm_it();
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(stage.epfd);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_handler_arms_what_is_falling_asleep)
{
	visit_everywhere(poll_it, modify, expect_armed);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_handler_adds_what_is_falling_asleep)
{
	visit_everywhere(poll_it, add, expect_known);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_handler_deletes_what_is_falling_asleep)
{
	visit_everywhere(poll_it, delete, expect_gone);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_jump_leaves_what_is_falling_asleep_a_watch)
{
	visit_everywhere(poll_it, jump_away, expect_usable);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_handler_arms_what_is_being_armed)
{
	visit_everywhere(arm_it, modify, expect_armed);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, a_jump_leaves_what_is_being_armed_a_watch)
{
	visit_everywhere(arm_it, jump_away, expect_usable);
}
