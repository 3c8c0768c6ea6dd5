// SPDX-License-Identifier: MIT
/*
 * everything.c - hosts that close all descriptors there are.
 *
 * Daemons do so at start, and shells and spawn helpers in children.  Eventpolls go
 * with the rest; those made afterwards must work, also where interpoll sleeps on
 * descriptors of its own (driver `thread').
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* The highest number the loops go up to; interpoll's own are below. */
#define LOOP_END 4096

/* Have every thread of interpoll's and every descriptor of its own made. */
static void use_epoll(void)
{
	struct waiter waiter;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

/* Only in a child: the claim's own descriptors are gone afterwards. */
static void claim_survival(void (*close_everything)(void))
{
	pid_t pid;

	CHILD(pid)
	{
		use_epoll();
		close_everything();
		use_epoll();
		use_epoll();
	}
	child_join(pid);
}

static void by_close_range(void)
{
	MUST(close_range(3, ~0U, 0));
}

CLAIM(epoll_works_after_close_range_of_everything)
{
	claim_survival(by_close_range);
}

static void by_close_range_number(void)
{
	MUST(syscall(SYS_close_range, 3, ~0U, 0));
}

CLAIM(epoll_works_after_close_range_by_number)
{
	claim_survival(by_close_range_number);
}

static void by_closefrom(void)
{
	closefrom(3);
}

CLAIM(epoll_works_after_closefrom)
{
	claim_survival(by_closefrom);
}

static void by_loop(void)
{
	for (int fd = 3; fd < LOOP_END; fd++)
		close(fd);
}

CLAIM(epoll_works_after_a_loop_of_close)
{
	claim_survival(by_loop);
}

static void by_loop_of_numbers(void)
{
	for (int fd = 3; fd < LOOP_END; fd++)
		syscall(SYS_close, fd);
}

CLAIM(epoll_works_after_a_loop_of_close_by_number)
{
	claim_survival(by_loop_of_numbers);
}

/* What a loop of dup2 does to them, as daemons do it for 0, 1 and 2. */
static void by_dup2(void)
{
	for (int fd = 512; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dup2(STDIN_FILENO, fd);
}

CLAIM(epoll_works_after_dup2_over_every_high_number)
{
	claim_survival(by_dup2);
}
