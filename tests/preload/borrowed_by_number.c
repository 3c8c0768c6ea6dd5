// SPDX-License-Identifier: MIT
/*
 * borrowed_by_number.c - syscall() that makes a child in our memory.
 *
 * Only ours survives a child that calls functions: libc's syscall() has its
 * return address on the stack that both processes share.  So these are not run
 * natively, nor passed through.
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "borrowed.h"

#ifdef SYS_vfork
CLAIM(a_child_of_vfork_by_number_leaves_the_parent_alone)
{
	long pid;

	parent_open();
	pid = syscall(SYS_vfork);
	if (pid == 0) {
		ruin();
		_exit(10);
	}
	parent_expect_unharmed(MUST(pid), 10);
}
#endif

CLAIM(a_child_of_clone_by_number_that_borrows_leaves_the_parent_alone)
{
	long pid;

	parent_open();
	pid = syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		ruin();
		_exit(11);
	}
	parent_expect_unharmed(MUST(pid), 11);
}

CLAIM(a_child_of_clone3_that_borrows_leaves_the_parent_alone)
{
	struct clone_args args = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
	long pid;

	parent_open();
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		ruin();
		_exit(12);
	}
	parent_expect_unharmed(MUST(pid), 12);
}
