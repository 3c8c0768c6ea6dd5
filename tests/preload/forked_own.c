// SPDX-License-Identifier: MIT
/*
 * forked_own.c - after fork each process has an epoll of its own.
 *
 * The kernel's is one epoll for both, which a library cannot give: a known
 * deviation, so this is not run natively, nor passed through.
 */
#include <unistd.h>

#include "forked.h"

CLAIM(a_child_s_changes_are_not_the_parent_s)
{
	pid_t pid;

	shared_open();
	CHILD(pid)
	{
		rewatch(shared.epfd, shared.p[0], EPOLLIN, 77);
		unwatch(shared.epfd, shared.p[0]);
		watch(shared.epfd, shared.p[1], EPOLLOUT, 78);
		EXPECT_EVENTS(shared.epfd, 0, {EPOLLOUT, 78});
	}
	parent_expect_unharmed(pid);
}

CLAIM(a_child_s_second_name_is_not_the_parent_s)
{
	int copy;
	pid_t pid;

	shared_open();
	copy = MUST(dup(shared.epfd));
	CHILD(pid)
	{
		EXPECT_QUIET(copy);
		MUST(close(shared.epfd));
		rewatch(copy, shared.p[0], EPOLLIN, 77);
		put(shared.p[1], 1);
		EXPECT_EVENTS(copy, 0, {EPOLLIN, 77});
		take(shared.p[0], 1);
		unwatch(copy, shared.p[0]);
	}
	CLOSE(copy);
	parent_expect_unharmed(pid);
}
