// SPDX-License-Identifier: MIT
/*
 * forked_states.c - watches of every state over fork, when one of the two goes on.
 *
 * The eventpoll is one for both in the kernel, so what one of them takes the other
 * does not get: forked.c has that.  Here only one acts, and must find everything as
 * it would have without the fork.
 *
 *	e0 -(state)-> p0, then fork
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "states.h"

#define ARMED_ANEW \
	"the child's eventpoll is armed anew: an edge that was delivered may come once more"
#define LEVELS_ONLY "poll(2) shows levels, an edge is a wakeup"

/* Delivered as an edge, and its cause still there: shown again by an eventpoll armed anew. */
static bool comes_once_more(const struct state *state)
{
	return !is_native() && (state->mode & EPOLLET) && !(state->mode & EPOLLONESHOT) &&
	       state->is_delivered;
}

static void go_on(const struct state *state, int epfd, const int p[2], bool is_armed_anew)
{
	state_expect(state, "forked", epfd,
		     state->shows[0] || (is_armed_anew && comes_once_more(state)));
	put(p[1], 1);
	state_expect(state, "written", epfd, state->shows[1]);
	state_expect(state, "again", epfd, state->shows[2]);
	if (state->mode & EPOLLEXCLUSIVE) {
		unwatch(epfd, p[0]);
		watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
	} else {
		rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 2);
	}
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	unwatch(epfd, p[0]);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	watch(epfd, p[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
}

CLAIM(a_parent_finds_every_state_as_it_was_while_a_child_lives)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		int p[2], epfd = state_open(&states[i], p);
		struct gate gate;
		pid_t pid;

		gate_open(&gate);
		state_enter(&states[i], epfd, p);
		CHILD(pid)
		{
			gate_wait(&gate);
		}
		go_on(&states[i], epfd, p, false);
		gate_pass(&gate);
		child_join(pid);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
		gate_close(&gate);
		CLOSE(epfd, p[0], p[1]);
	}
}

CLAIM(a_parent_finds_every_state_as_it_was_when_a_child_has_closed_all)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		int p[2], epfd = state_open(&states[i], p);
		pid_t pid;

		state_enter(&states[i], epfd, p);
		CHILD(pid)
		{
			CLOSE(p[0], epfd, p[1]);
		}
		child_join(pid);
		go_on(&states[i], epfd, p, false);
		CLOSE(epfd, p[0], p[1]);
	}
}

/* ---- in the child ------------------------------------------------------ */

static void child_goes_on_in(const struct state *state, void (*leave)(void), bool is_armed_anew)
{
	int p[2], epfd = state_open(state, p);
	pid_t pid;

	state_enter(state, epfd, p);
	CHILD(pid)
	{
		leave();
		go_on(state, epfd, p, is_armed_anew);
		CLOSE(epfd, p[0], p[1]);
	}
	child_join(pid);
	CLOSE(epfd, p[0], p[1]);
}

static void child_goes_on(void (*leave)(void), bool is_armed_anew)
{
	for (size_t i = 0; i < STATES_NR; i++)
		child_goes_on_in(&states[i], leave, is_armed_anew);
}

static void in_the_child(void)
{
}

static void in_a_grandchild(void)
{
	pid_t pid = MUST(fork());

	if (pid > 0) {
		child_join(pid);
		_exit(0);
	}
}

/* Its parent leaves at once, which for us is what child_join() sees. */
static void as_a_daemon(void)
{
	struct gate gate;
	pid_t pid;

	gate_open(&gate);
	pid = MUST(fork());
	if (pid == 0) {
		MUST(daemon(1, 1));
		alarm(10);
	} else {
		char byte;

		CLOSE(gate.ends[1]);
		child_join(pid);
		/* the end of file: the daemon has ended, as it should or not */
		EXPECT_INT(read(gate.ends[0], &byte, 1), ==, 0);
		_exit(0);
	}
}

CLAIM_EXCEPT("preloaded", ARMED_ANEW, a_child_finds_every_state_as_it_was)
{
	child_goes_on(in_the_child, false);
}

DEVIATION(a_child_finds_every_state_as_it_was)
{
	child_goes_on(in_the_child, true);
}

CLAIM_EXCEPT("preloaded", ARMED_ANEW, a_grandchild_finds_every_state_as_it_was)
{
	child_goes_on(in_a_grandchild, false);
}

DEVIATION(a_grandchild_finds_every_state_as_it_was)
{
	child_goes_on(in_a_grandchild, true);
}

CLAIM_EXCEPT("preloaded", ARMED_ANEW, a_daemon_finds_every_state_as_it_was)
{
	child_goes_on(as_a_daemon, false);
}

DEVIATION(a_daemon_finds_every_state_as_it_was)
{
	child_goes_on(as_a_daemon, true);
}

/* ---- from a thread ----------------------------------------------------- */

struct forker {
	const struct state *state;
	int epfd;
	int p[2];
	bool is_armed_anew;
};

static void *fork_and_go_on(void *argument)
{
	struct forker *forker = argument;
	pid_t pid;

	CHILD(pid)
	{
		go_on(forker->state, forker->epfd, forker->p, forker->is_armed_anew);
	}
	child_join(pid);
	return NULL;
}

/* The other threads are gone in the child, one of them from the midst of a wait. */
static void threads_child_goes_on(bool is_armed_anew)
{
	struct waiter elsewhere;
	int other = epoll_open(), bell = eventfd_open(0);

	watch(other, bell, EPOLLIN, 9);
	waiter_start_asleep(&elsewhere, other);
	for (size_t i = 0; i < STATES_NR; i++) {
		struct forker forker = {.state = &states[i], .is_armed_anew = is_armed_anew};
		pthread_t thread;

		forker.epfd = state_open(&states[i], forker.p);
		state_enter(&states[i], forker.epfd, forker.p);
		EXPECT_INT(pthread_create(&thread, NULL, fork_and_go_on, &forker), ==, 0);
		EXPECT_INT(pthread_join(thread, NULL), ==, 0);
		CLOSE(forker.epfd, forker.p[0], forker.p[1]);
	}
	count_up(bell, 1);
	EXPECT_WAITER(&elsewhere, {EPOLLIN, 9});
	CLOSE(other, bell);
}

CLAIM_EXCEPT("preloaded", ARMED_ANEW, a_child_of_a_thread_finds_every_state_as_it_was)
{
	threads_child_goes_on(false);
}

DEVIATION(a_child_of_a_thread_finds_every_state_as_it_was)
{
	threads_child_goes_on(true);
}

/* ---- nested ------------------------------------------------------------ */

/* outer -(lt)-> e0 -(state)-> p0 */
static void child_of_nested_goes_on(bool is_armed_anew)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		int p[2], epfd = state_open(&states[i], p), outer = epoll_open();
		pid_t pid;

		watch(outer, epfd, EPOLLIN, 7);
		state_enter(&states[i], epfd, p);
		CHILD(pid)
		{
			struct epoll_event event;

			if (is_armed_anew && comes_once_more(&states[i])) {
				flush(epfd);
			} else {
				if (MUST(epoll_wait(outer, &event, 1, 0)) != states[i].shows[0])
					FAIL("%s: the outer one does not say so", states[i].name);
				state_expect(&states[i], "forked", epfd, states[i].shows[0]);
			}
			put(p[1], 1);
			if (MUST(epoll_wait(outer, &event, 1, 0)) != states[i].shows[1])
				FAIL("%s: the outer one does not say what came", states[i].name);
			state_expect(&states[i], "written", epfd, states[i].shows[1]);
		}
		child_join(pid);
		CLOSE(outer, epfd, p[0], p[1]);
	}
}

CLAIM_EXCEPT("preloaded", ARMED_ANEW,
	     a_child_finds_a_nested_eventpoll_of_every_state_ready_as_it_was)
{
	child_of_nested_goes_on(false);
}

DEVIATION(a_child_finds_a_nested_eventpoll_of_every_state_ready_as_it_was)
{
	child_of_nested_goes_on(true);
}

CLAIM_EXCEPT("poll", LEVELS_ONLY,
	     a_parent_finds_a_nested_eventpoll_ready_as_it_was_while_a_child_lives)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		int p[2], epfd = state_open(&states[i], p), outer = epoll_open();
		struct epoll_event event;
		struct gate gate;
		pid_t pid;

		gate_open(&gate);
		watch(outer, epfd, EPOLLIN | EPOLLET, 7);
		state_enter(&states[i], epfd, p);
		flush(outer);
		CHILD(pid)
		{
			gate_wait(&gate);
		}
		put(p[1], 1);
		if (MUST(epoll_wait(outer, &event, 1, 0)) !=
		    (states[i].shows[1] || states[i].shows[0]))
			FAIL("%s: the outer one does not say what came", states[i].name);
		EXPECT_QUIET(outer);
		gate_pass(&gate);
		child_join(pid);
		gate_close(&gate);
		CLOSE(outer, epfd, p[0], p[1]);
	}
}

/* top -(lt)-> outer -(lt)-> inner; the child begins with the one at the top */
CLAIM(what_a_child_adds_to_a_nested_eventpoll_is_told_at_the_top)
{
	int top = epoll_open(), outer = epoll_open(), inner = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(outer, inner, EPOLLIN, 2);
	watch(top, outer, EPOLLIN, 3);
	CHILD(pid)
	{
		EXPECT_QUIET(top);
		watch(inner, event_fd, EPOLLIN | EPOLLONESHOT, 1);
		EXPECT_EVENTS(top, 0, {EPOLLIN, 3});
		EXPECT_EVENTS(outer, 0, {EPOLLIN, 2});
		EXPECT_EVENTS(inner, 0, {EPOLLIN, 1});
		EXPECT_QUIET(top);
		rewatch(inner, event_fd, EPOLLIN, 4);
		EXPECT_EVENTS(top, -1, {EPOLLIN, 3});
	}
	child_join(pid);
	CLOSE(top, outer, inner, event_fd);
}
