// SPDX-License-Identifier: MIT
/*
 * forked.c - epoll(7): fork, and what parent and child then see.
 *
 * The kernel's eventpoll is shared by both after fork.  A library cannot share
 * one between processes: under it each process has its own from then on.
 */
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

#define OWN_AFTER_FORK                                                                   \
	"after fork each process has an eventpoll of its own: edges are shown to both, " \
	"oneshot work may be done twice"

/* ---- the child's own --------------------------------------------------- */

CLAIM(a_child_makes_and_uses_an_eventpoll_of_its_own)
{
	int epfd = epoll_open();
	pid_t pid;

	CHILD(pid)
	{
		int own = epoll_open();
		int event_fd = eventfd_open(1);

		watch(own, event_fd, EPOLLIN, 1);
		EXPECT_EVENTS(own, 0, {EPOLLIN, 1});
		CLOSE(own, event_fd);
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(a_child_goes_on_with_the_watches_of_its_parent)
{
	int epfd = epoll_open();
	int level = eventfd_open(1), edge = eventfd_open(0);
	pid_t pid;

	watch(epfd, level, EPOLLIN, 1);
	watch(epfd, edge, EPOLLIN | EPOLLET, 2);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		count_take(level);
		EXPECT_QUIET(epfd);
		count_up(edge, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	}
	child_join(pid);
	CLOSE(epfd, level, edge);
}

CLAIM(a_child_can_change_the_watches_it_inherited)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	CHILD(pid)
	{
		EXPECT_ERRNO(ctl_add(epfd, event_fd, EPOLLIN, 2), EEXIST);
		rewatch(epfd, event_fd, EPOLLIN, 3);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
		unwatch(epfd, event_fd);
		EXPECT_QUIET(epfd);
		EXPECT_ERRNO(ctl_del(epfd, event_fd), ENOENT);
	}
	child_join(pid);
	CLOSE(epfd, event_fd);
}

CLAIM(a_grandchild_goes_on_with_the_watches_too)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	CHILD(pid)
	{
		pid_t grandchild;

		CHILD(grandchild)
		{
			EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		}
		child_join(grandchild);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	child_join(pid);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

/* ---- the parent is not disturbed --------------------------------------- */

CLAIM(a_child_that_closes_everything_takes_nothing_from_its_parent)
{
	int epfd = epoll_open();
	int p[2];
	pid_t pid;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	CHILD(pid)
	{
		CLOSE(p[0], p[1], epfd);
	}
	child_join(pid);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN | EPOLLET, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_child_that_closes_only_the_files_takes_nothing_from_its_parent)
{
	int epfd = epoll_open();
	int p[2];
	pid_t pid;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	CHILD(pid)
	{
		CLOSE(p[0], p[1]);
	}
	child_join(pid);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, p[0], p[1]);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_file_closed_by_the_parent_is_watched_while_the_child_has_it)
{
	int epfd = epoll_open();
	struct gate gate;
	int p[2];
	pid_t pid;

	pipe_open(p);
	gate_open(&gate);
	watch(epfd, p[0], EPOLLIN, 1);
	CHILD(pid)
	{
		gate_wait(&gate);
	}
	CLOSE(p[0]);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	gate_pass(&gate);
	child_join(pid);
	EXPECT_QUIET(epfd);
	gate_close(&gate);
	CLOSE(epfd, p[1]);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES,
	     an_edge_watch_closed_by_the_parent_reports_while_the_child_has_the_file)
{
	int epfd = epoll_open();
	struct gate gate;
	int p[2];
	pid_t pid;

	pipe_open(p);
	gate_open(&gate);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	CHILD(pid)
	{
		gate_wait(&gate);
	}
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	for (int i = 0; i < 3; i++) {
		put(p[1], 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	gate_pass(&gate);
	child_join(pid);
	gate_close(&gate);
	CLOSE(epfd, p[1]);
}

CLAIM(fork_does_not_disturb_a_thread_that_waits)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	CHILD(pid)
	{
		CLOSE(event_fd, epfd);
	}
	child_join(pid);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(a_child_waits_in_an_eventpoll_its_parent_slept_in)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	CHILD(pid)
	{
		count_up(event_fd, 1); /* a level: for the parent's waiter too */
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	}
	child_join(pid);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

/* ---- one shared eventpoll ---------------------------------------------- */

CLAIM_EXCEPT("preloaded", OWN_AFTER_FORK, what_a_child_adds_its_parent_is_told_of)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	CHILD(pid)
	{
		watch(epfd, event_fd, EPOLLIN, 1);
	}
	child_join(pid);
	EXPECT_ERRNO(ctl_add(epfd, event_fd, EPOLLIN, 2), EEXIST);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}
DEVIATION(what_a_child_adds_its_parent_is_told_of)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	CHILD(pid)
	{
		watch(epfd, event_fd, EPOLLIN, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	watch(epfd, event_fd, EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, event_fd);
}

CLAIM_EXCEPT("preloaded", OWN_AFTER_FORK, what_a_child_deletes_is_deleted_for_its_parent)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	CHILD(pid)
	{
		unwatch(epfd, event_fd);
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	EXPECT_ERRNO(ctl_del(epfd, event_fd), ENOENT);
	CLOSE(epfd, event_fd);
}
DEVIATION(what_a_child_deletes_is_deleted_for_its_parent)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	CHILD(pid)
	{
		unwatch(epfd, event_fd);
		EXPECT_QUIET(epfd);
	}
	child_join(pid);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	unwatch(epfd, event_fd);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM_EXCEPT("preloaded", OWN_AFTER_FORK, an_edge_the_child_took_the_parent_does_not_see)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}
DEVIATION(an_edge_the_child_took_the_parent_does_not_see)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	child_join(pid);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM_EXCEPT("preloaded", OWN_AFTER_FORK, a_oneshot_is_spent_in_one_process_only)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	child_join(pid);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}
DEVIATION(a_oneshot_is_spent_in_one_process_only)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	CHILD(pid)
	{
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	child_join(pid);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}
