// SPDX-License-Identifier: MIT
/*
 * settled.c - everything that makes the kernel take an eventpoll over, in every state.
 *
 * By default interpoll keeps watches ready by itself until only the kernel can be
 * exact: when the eventpoll is polled, nested, waited in by two, or used behind libc's
 * back.  No program may notice that moment: in the kernel there is none.
 *
 *	e0 -(state)-> p0, beside a watch that was deleted and a oneshot that is spent
 */
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw.h"
#include "states.h"

struct settling {
	const char *name;
	void (*settle)(int epfd, int *ret_fd); /* *ret_fd: to be closed; -1 */
};

static void by_poll(int epfd, int *ret_fd)
{
	struct pollfd pollfd = {.fd = epfd, .events = POLLIN};

	(void)ret_fd;
	MUST(poll(&pollfd, 1, 0));
}

static void by_select(int epfd, int *ret_fd)
{
	struct timeval none = {0, 0};
	fd_set set;

	(void)ret_fd;
	FD_ZERO(&set);
	FD_SET(epfd, &set);
	MUST(select(epfd + 1, &set, NULL, NULL, &none));
}

static void by_being_watched(int epfd, int *ret_fd)
{
	*ret_fd = epoll_open();
	watch(*ret_fd, epfd, EPOLLIN, 1);
}

static void by_watching(int epfd, int *ret_fd)
{
	*ret_fd = epoll_open();
	watch(epfd, *ret_fd, EPOLLIN, 5);
}

static void by_an_exclusive_watch(int epfd, int *ret_fd)
{
	*ret_fd = eventfd_open(0);
	watch(epfd, *ret_fd, EPOLLIN | EPOLLEXCLUSIVE, 5);
}

static void by_an_instruction(int epfd, int *ret_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 5};

	*ret_fd = eventfd_open(0);
	EXPECT_INT(raw_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, *ret_fd, (long)&event, 0, 0), ==,
		   0);
}

static void by_a_duplicate_that_is_closed(int epfd, int *ret_fd)
{
	(void)ret_fd;
	CLOSE(MUST(dup(epfd)));
}

static const struct settling settlings[] = {
	{"poll", by_poll},
	{"select", by_select},
	{"being watched", by_being_watched},
	{"watching", by_watching},
	{"an exclusive watch", by_an_exclusive_watch},
	{"an instruction", by_an_instruction},
	{"a duplicate", by_a_duplicate_that_is_closed},
};

#define NR_SETTLINGS (sizeof(settlings) / sizeof(settlings[0]))

/* What is there besides: deleted, deleted and added again, and spent; all ready. */
struct company {
	int deleted, renewed, spent;
};

static void company_open(struct company *company, int epfd)
{
	company->deleted = eventfd_open(1);
	company->renewed = eventfd_open(0);
	company->spent = eventfd_open(1);
	watch(epfd, company->spent, EPOLLIN | EPOLLONESHOT, 7);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 7});
	watch(epfd, company->deleted, EPOLLIN | EPOLLET, 8);
	watch(epfd, company->renewed, EPOLLIN, 9);
	unwatch(epfd, company->deleted);
	unwatch(epfd, company->renewed);
	watch(epfd, company->renewed, EPOLLIN | EPOLLET, 9);
}

static void company_close(struct company *company)
{
	CLOSE(company->deleted, company->renewed, company->spent);
}

/* The company can still do what it could. */
static void company_goes_on(struct company *company, int epfd)
{
	EXPECT_ERRNO(ctl_del(epfd, company->deleted), ENOENT);
	watch(epfd, company->deleted, EPOLLIN | EPOLLONESHOT, 8);
	rewatch(epfd, company->spent, EPOLLIN | EPOLLONESHOT, 7);
	count_up(company->renewed, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 7}, {EPOLLIN, 8}, {EPOLLIN, 9});
	EXPECT_QUIET(epfd);
}

static void settle_in(const struct state *state, const struct settling *settling)
{
	int p[2], fd = -1;
	int epfd = state_open(state, p);
	struct company company;

	company_open(&company, epfd);
	state_enter(state, epfd, p);
	settling->settle(epfd, &fd);
	state_expect(state, settling->name, epfd, state->shows[0]);
	put(p[1], 1);
	state_expect(state, "then written", epfd, state->shows[1]);
	state_expect(state, "and again", epfd, state->shows[2]);
	unwatch(epfd, p[0]);
	company_goes_on(&company, epfd);
	if (fd >= 0)
		CLOSE(fd);
	company_close(&company);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(nothing_that_makes_the_kernel_take_over_is_noticed_in_any_state)
{
	for (size_t i = 0; i < STATES_NR; i++)
		for (size_t j = 0; j < NR_SETTLINGS; j++)
			settle_in(&states[i], &settlings[j]);
}

/* ---- under a sleeper --------------------------------------------------- */

static void settle_under_sleeper(const struct state *state, const struct settling *settling)
{
	int p[2], fd = -1;
	int epfd = state_open(state, p);
	int bell = eventfd_open(0);
	struct company company;
	struct waiter waiter;

	company_open(&company, epfd);
	watch(epfd, bell, EPOLLIN | EPOLLET, 6);
	state_enter(state, epfd, p);
	waiter_start_asleep(&waiter, epfd);
	settling->settle(epfd, &fd);
	waiter_await_asleep(&waiter);
	put(p[1], 1);
	if (state->shows[1]) {
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	} else {
		waiter_await_asleep(&waiter);
		count_up(bell, 1);
		EXPECT_WAITER(&waiter, {EPOLLIN, 6});
	}
	state_expect(state, settling->name, epfd, state->shows[2]);
	unwatch(epfd, p[0]);
	company_goes_on(&company, epfd);
	if (fd >= 0)
		CLOSE(fd);
	company_close(&company);
	CLOSE(epfd, bell, p[0], p[1]);
}

CLAIM(nothing_that_makes_the_kernel_take_over_disturbs_a_sleeper)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		if (states[i].shows[0]) /* nobody sleeps there */
			continue;
		for (size_t j = 0; j < NR_SETTLINGS; j++)
			settle_under_sleeper(&states[i], &settlings[j]);
	}
}

/* Another waiter comes, and goes with nothing: the first sleeps on and misses nothing. */
CLAIM(a_second_waiter_that_leaves_disturbs_no_sleeper_in_any_state)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		struct waiter sleeper, second;
		int p[2], epfd;

		if (states[i].shows[0])
			continue;
		epfd = state_open(&states[i], p);
		state_enter(&states[i], epfd, p);
		waiter_start_asleep(&sleeper, epfd);
		waiter_start_with(&second, epfd, 8, 1, NULL);
		EXPECT_INT(waiter_join(&second), ==, 0);
		waiter_await_asleep(&sleeper);
		put(p[1], 1);
		if (!states[i].shows[1]) {
			waiter_await_asleep(&sleeper);
			rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
		}
		EXPECT_WAITER(&sleeper, {EPOLLIN, 1});
		state_expect(&states[i], "after two waiters", epfd, states[i].shows[2]);
		CLOSE(epfd, p[0], p[1]);
	}
}
