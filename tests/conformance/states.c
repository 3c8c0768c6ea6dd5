// SPDX-License-Identifier: MIT
/*
 * states.c - brings a watch into each of its states.
 */
#include "states.h"

const struct state states[STATES_NR] = {
	{"level, idle", 0, false, false, {false, true, true}},
	{"level, pending", 0, true, false, {true, true, true}},
	{"level, delivered", 0, true, true, {true, true, true}},
	{"edge, idle", EPOLLET, false, false, {false, true, false}},
	{"edge, pending", EPOLLET, true, false, {true, true, false}},
	{"edge, delivered", EPOLLET, true, true, {false, true, false}},
	{"oneshot, idle", EPOLLONESHOT, false, false, {false, true, false}},
	{"oneshot, pending", EPOLLONESHOT, true, false, {true, false, false}},
	{"oneshot, spent", EPOLLONESHOT, true, true, {false, false, false}},
	{"edge oneshot, idle", EPOLLET | EPOLLONESHOT, false, false, {false, true, false}},
	{"edge oneshot, pending", EPOLLET | EPOLLONESHOT, true, false, {true, false, false}},
	{"edge oneshot, spent", EPOLLET | EPOLLONESHOT, true, true, {false, false, false}},
	{"exclusive, idle", EPOLLEXCLUSIVE, false, false, {false, true, true}},
	{"exclusive, pending", EPOLLEXCLUSIVE, true, false, {true, true, true}},
	{"exclusive, delivered", EPOLLEXCLUSIVE, true, true, {true, true, true}},
	{"exclusive edge, pending", EPOLLEXCLUSIVE | EPOLLET, true, false, {true, true, false}},
	{"exclusive edge, delivered", EPOLLEXCLUSIVE | EPOLLET, true, true, {false, true, false}},
};

int state_open(const struct state *state, int p[2])
{
	int epfd = epoll_open();

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | state->mode, 1);
	return epfd;
}

void state_enter(const struct state *state, int epfd, const int p[2])
{
	if (state->is_ready)
		put(p[1], 1);
	if (state->is_delivered)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
}

void state_expect(const struct state *state, const char *when, int epfd, bool is_shown)
{
	struct epoll_event events[4];
	int nr = MUST(epoll_wait(epfd, events, 4, 0));

	if (nr != is_shown)
		FAIL("%s, %s: expected %d events, got %d", state->name, when, is_shown, nr);
	if (nr == 1) {
		EXPECT_INT(events[0].events, ==, EPOLLIN);
		EXPECT_INT(events[0].data.u64, ==, 1);
	}
}
