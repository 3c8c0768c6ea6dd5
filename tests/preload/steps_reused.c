// SPDX-License-Identifier: MIT
/*
 * steps_reused.c - a handler, after instructions all over a call that interpoll answers,
 * closes what is watched and watches another file under its number.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define STRIDE 13 /* instructions between visits */

enum {
	OLD = 0xabc0001,
	OTHER,
	NEW
};

static struct {
	int epfd, target, other;
	uint32_t events; /* of what the handler adds */
	int result;
} stage;

static int control(int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(stage.epfd, op, fd, &event) < 0 ? -errno : 0;
}

/* ---- what the watch has been through ------------------------------------ */

static void stage_watch(void)
{
	control(EPOLL_CTL_ADD, stage.target, EPOLLIN, OLD);
}

static void stage_spend(void)
{
	struct epoll_event event;

	control(EPOLL_CTL_ADD, stage.target, EPOLLIN | EPOLLONESHOT, OLD);
	epoll_wait(stage.epfd, &event, 1, 0);
}

static void stage_delete(void)
{
	stage_watch();
	control(EPOLL_CTL_DEL, stage.target, 0, 0);
}

static void stage_add_again(void)
{
	stage_delete();
	stage_watch();
}

static void (*const pasts[])(void) = {stage_watch, stage_spend, stage_delete, stage_add_again};

#define NR_PASTS (sizeof(pasts) / sizeof(pasts[0]))

/* ---- what is interrupted ------------------------------------------------- */

static void wait_now(void)
{
	struct epoll_event events[4];

	epoll_wait(stage.epfd, events, 4, 0);
}

/* Which has the kernel keep everything. */
static void poll_now(void)
{
	struct pollfd pollfd = {.fd = stage.epfd, .events = POLLIN};

	poll(&pollfd, 1, 0);
}

/* ---- by what --------------------------------------------------------------- */

static void reuse_number(void)
{
	int number = stage.target;

	stage.result = close(stage.target);
	stage.target = eventfd(0, EFD_NONBLOCK);
	if (stage.target != number)
		stage.result = -EBADF;
	if (stage.result == 0)
		stage.result = control(EPOLL_CTL_ADD, stage.target, stage.events, NEW);
}

static void modify_and_reuse_number(void)
{
	control(EPOLL_CTL_MOD, stage.target, EPOLLIN, OLD);
	reuse_number();
}

/* What is deleted is added again, as it is nowhere else. */
static void add_exclusively(void)
{
	stage.result = control(EPOLL_CTL_ADD, stage.target, EPOLLIN | EPOLLEXCLUSIVE, NEW);
}

/* ---- one visit --------------------------------------------------------------- */

static void stage_open(void (*past)(void))
{
	stage.epfd = epoll_open();
	stage.target = eventfd_open(1);
	stage.other = eventfd_open(0);
	stage.events = EPOLLIN;
	stage.result = 0;
	control(EPOLL_CTL_ADD, stage.other, EPOLLIN, OTHER);
	past();
}

/* Returns false if @body has not so many instructions. */
static bool visit(void (*past)(void), void (*body)(void), void (*visitor)(void), long step)
{
	struct epoll_event events[4];
	bool was_visited;
	int n;

	stage_open(past);
	was_visited = steps_run(body, step, visitor);
	if (stage.result != 0)
		FAIL("instruction %ld: the handler's call failed with %d", step, stage.result);
	eventfd_write(stage.target, 1);
	n = epoll_wait(stage.epfd, events, 4, 0);
	if (was_visited && (n != 1 || events[0].data.u64 != NEW))
		FAIL("instruction %ld: %d shown instead of the handler's watch", step, n);
	CLOSE(stage.target, stage.other);
	EXPECT_QUIET(stage.epfd);
	CLOSE(stage.epfd);
	return was_visited;
}

static void visit_everywhere(void (*past)(void), void (*body)(void), void (*visitor)(void))
{
	for (long step = 0; visit(past, body, visitor, step);)
		step += STRIDE;
}

#define UNSEEN "the poll source cannot learn of a new file in a handler"

CLAIM_ONLY("native epoll", UNSEEN, a_number_that_a_handler_reuses_amid_a_wait_is_watched)
{
	for (size_t i = 0; i < NR_PASTS; i++)
		visit_everywhere(pasts[i], wait_now, reuse_number);
}

CLAIM_ONLY("native epoll", UNSEEN, a_number_that_a_handler_reuses_amid_a_poll_is_watched)
{
	for (size_t i = 0; i < NR_PASTS; i++)
		visit_everywhere(pasts[i], poll_now, reuse_number);
}

CLAIM_ONLY("native epoll", UNSEEN, a_number_that_a_handler_modifies_and_reuses_is_watched)
{
	visit_everywhere(stage_watch, wait_now, modify_and_reuse_number);
	visit_everywhere(stage_watch, poll_now, modify_and_reuse_number);
}

CLAIM_ONLY("native epoll", "the poll source does it later",
	   what_a_handler_adds_exclusively_is_watched)
{
	visit_everywhere(stage_delete, wait_now, add_exclusively);
	visit_everywhere(stage_delete, poll_now, add_exclusively);
}
