/* SPDX-License-Identifier: MIT */
/*
 * child.h - the command as a child process: started, watched over, reaped.
 */
#ifndef INTERPOLL_CLI_CHILD_H
#define INTERPOLL_CLI_CHILD_H

#include <sys/types.h>

#include "trace/session.h"

struct child {
	pid_t pid;
	const char *name; /* argv[0], for sentences */
	int wait_status;  /* as waitpid(2) has it; set by child_wait() */
};

/*
 * Execute @path with @argv and the present environment.  The child has the
 * signal mask and dispositions this process was started with; in this process
 * every signal that child_wait() hands on is blocked from now on.
 *
 * Returns 0 once the program has been executed, or a say_status after a sentence
 * on stderr; nothing is left to wait for then.
 */
int child_start(struct child *child, const char *path, char *argv[]);

/*
 * Wait until the child has ended.  Signals that other processes send us go to
 * it; those from the terminal it has received itself.  The handshake: if nobody
 * has arrived in @session after some seconds, or when the child has
 * ended, that is said, once, on stderr.
 */
void child_wait(struct child *child, const struct session *session);

#endif
