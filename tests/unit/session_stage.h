/* SPDX-License-Identifier: MIT */
/*
 * session_stage.h - a launcher and its programs in one test: the session file seen
 * from both sides.
 */
#ifndef UNIT_SESSION_STAGE_H
#define UNIT_SESSION_STAGE_H

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/session.h"

static char stage_dir[] = "/tmp/interpoll-unit-XXXXXX";
static char stage_path[PATH_MAX]; /* of the session */
static struct session *stage_session;

static const struct session_identity stage_identity = {.source = "epoll", .driver = "inline"};

static inline void stage_begin(void)
{
	cr_assert_not_null(mkdtemp(stage_dir));
	setenv("XDG_RUNTIME_DIR", stage_dir, 1);
	stage_session = session_new(stage_path, sizeof(stage_path));
	cr_assert_not_null(stage_session);
}

static inline void stage_end(void)
{
	session_free(stage_session, stage_path);
	cr_assert_eq(rmdir(stage_dir), 0, "something was left in %s", stage_dir);
}

/* This process is a program of the run, called @name. */
static inline void stage_arrive(const char *name)
{
	prctl(PR_SET_NAME, name);
	cr_assert_eq(session_open(stage_path, &stage_identity), 0);
}

/* Count @times of @what in one more eventpoll. */
static inline struct probe_counts *stage_count(enum probe what, uint64_t times)
{
	struct probe_counts *counts = session_counts_get();

	probe_n(counts, what, times);
	return counts;
}

/* Run @child in a fork that arrived; reaps it.  It may kill itself. */
static inline void stage_fork(void (*child)(void))
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		session_fork_child();
		child();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static inline struct session_process stage_read(unsigned int slot)
{
	struct session_process process;

	cr_assert(session_read_process(stage_session, slot, &process), "slot %u", slot);
	return process;
}

#endif
