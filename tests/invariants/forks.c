// SPDX-License-Identifier: MIT
/*
 * forks.c - processes are made while all threads are at work.
 *
 * A child is one thread, and what it inherited belongs to it as well: it may hold
 * descriptions open that its parent closes.  What it does with an eventpoll it
 * inherited the kernel shows to its parent, interpoll does not (README, deviations):
 * children here leave those alone.
 */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disturb.h"
#include "field.h"
#include "stage.h"

extern char **environ;

/* ---- children ---------------------------------------------------------- */

/* An eventpoll of its own must work. */
static void wait_in_child(void)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 100, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 2});
	CLOSE(p[0], p[1]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

/* Its copies of the parent's descriptors. */
static void close_in_child(const struct field *field)
{
	for (int i = 0; i < field->nr_lanes; i++)
		close(field->lanes[i].in);
	for (int i = 0; i < field->nr_epfds; i++)
		close(field->epfds[i]);
}

static void child(const struct field *field, unsigned int kind, int gate)
{
	char byte;

	switch (kind) {
	case 0:
		break;
	case 1:
		wait_in_child();
		break;
	case 2:
		close_in_child(field);
		wait_in_child();
		break;
	case 3:
		closefrom(3);
		wait_in_child();
		break;
	default:
		/* holds everything open until its parent lets it go */
		EXPECT_INT(read(gate, &byte, 1), ==, 1);
		break;
	}
}

/* ---- their parent ------------------------------------------------------ */

static void fork_and_join(const struct field *field)
{
	struct gate gate;
	unsigned int kind = roll(6), stay = roll(60);
	pid_t pid;

	gate_open(&gate);
	pid = MUST(fork());
	if (pid == 0) {
		child(field, kind, gate.ends[0]);
		_exit(0);
	}
	for (unsigned int i = 0; i < stay; i++)
		sched_yield();
	gate_pass(&gate);
	child_join(pid);
	gate_close(&gate);
}

/* It shares our memory, and has descriptors of its own. */
static void vfork_and_join(const struct field *field)
{
	int fd = field->nr_lanes ? field->lanes[0].in : field->bell;
	pid_t pid = vfork();

	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	child_join(MUST(pid));
}

static void spawn_and_join(void)
{
	char name[] = "true";
	char *argv[] = {name, NULL};
	char *nothing[] = {NULL};
	pid_t pid;

	EXPECT_INT(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, roll(2) ? environ : nothing),
		   ==, 0);
	child_join(pid);
}

void disturb_by_fork(struct field *field)
{
	switch (roll(6)) {
	case 0:
		vfork_and_join(field);
		break;
	case 1:
		spawn_and_join();
		break;
	default:
		fork_and_join(field);
		break;
	}
}
