// SPDX-License-Identifier: MIT
/*
 * borrowed.c - children that run in their parent's memory until they exec.
 *
 * A vfork child has descriptors of its own and everything else in common with
 * its parent: what it closes and dups is no business of the parent's eventpolls.
 */
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "borrowed.h"

extern char **environ;

CLAIM(a_vfork_child_that_closes_leaves_the_parent_alone)
{
	pid_t pid;

	parent_open();
	pid = vfork();
	if (pid == 0) {
		ruin();
		_exit(7);
	}
	parent_expect_unharmed(MUST(pid), 7);
}

CLAIM(a_vfork_child_that_execs_leaves_the_parent_alone)
{
	pid_t pid;

	parent_open();
	pid = vfork();
	if (pid == 0) {
		ruin();
		execl("/bin/sh", "sh", "-c", "exit $4", "0", "1", "2", "3", "8", NULL);
		_exit(1);
	}
	parent_expect_unharmed(MUST(pid), 8);
}

CLAIM(a_vfork_child_whose_exec_fails_leaves_the_parent_alone)
{
	pid_t pid;

	parent_open();
	pid = vfork();
	if (pid == 0) {
		ruin();
		execlp("there is no such program", "x", NULL);
		_exit(9);
	}
	parent_expect_unharmed(MUST(pid), 9);
}

static int ruin_and_return(void *status)
{
	ruin();
	return *(int *)status;
}

CLAIM(a_clone_that_borrows_leaves_the_parent_alone)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status = 13;

	parent_open();
	parent_expect_unharmed(MUST(clone(ruin_and_return, stack + sizeof(stack),
					  CLONE_VM | CLONE_VFORK | SIGCHLD, &status)),
			       13);
}

CLAIM(a_vfork_child_of_a_vfork_child_leaves_both_alone)
{
	volatile pid_t inner = 0;
	pid_t pid;

	parent_open();
	pid = vfork();
	if (pid == 0) {
		inner = vfork();
		if (inner == 0)
			_exit(3);
		/* it gives our memory back before its descriptors */
		if (waitpid(inner, NULL, 0) != inner)
			_exit(15);
		ruin();
		_exit(14);
	}
	EXPECT(inner > 0);
	parent_expect_unharmed(MUST(pid), 14);
}

CLAIM(posix_spawn_that_closes_and_dups_leaves_the_parent_alone)
{
	static char sh[] = "sh", option[] = "-c", command[] = "exit 15";
	char *const argv[] = {sh, option, command, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	parent_open();
	EXPECT_INT(posix_spawn_file_actions_init(&actions), ==, 0);
	posix_spawn_file_actions_addclose(&actions, parent.p[0]);
	posix_spawn_file_actions_adddup2(&actions, parent.p[1], parent.epfd);
	EXPECT_INT(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), ==, 0);
	posix_spawn_file_actions_destroy(&actions);
	parent_expect_unharmed(pid, 15);
}

CLAIM(vfork_reports_its_failure)
{
	pid_t pid;

	CHILD(pid)
	{
		struct rlimit none = {0, 0};

		parent_open();
		MUST(setgid(65534));
		MUST(setuid(65534));
		MUST(setrlimit(RLIMIT_NPROC, &none));
		EXPECT_ERRNO(vfork(), EAGAIN);
		put(parent.p[1], 1);
		EXPECT_EVENTS(parent.epfd, 0, {EPOLLIN, 1});
		CLOSE(parent.epfd, parent.p[0], parent.p[1]);
	}
	child_join(pid);
}
