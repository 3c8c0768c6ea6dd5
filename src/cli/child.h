/* SPDX-License-Identifier: MIT */
/*
 * child.h - the command as a child process: started, watched over, reaped.
 */
#ifndef INTERPOLL_CLI_CHILD_H
#define INTERPOLL_CLI_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "trace/session.h"

/* What a program inherits and this process changes for itself. */
struct child_signals {
	sigset_t mask;
	struct sigaction sigchld;
};

struct child {
	struct child_signals inherited;
	pid_t pid;
	const char *name; /* argv[0], for sentences */
	int wait_status;  /* as waitpid(2) has it; set by child_wait() */
};

/*
 * Block, from now on, every signal that child_wait() hands on: one that comes before
 * there is a child waits for it.  Nothing else of a run is lost or half done then, and
 * writing past a limit is an error, not the end.
 */
void child_prepare(struct child *child);

/*
 * Execute @path with @argv and the present environment; the child has the signal
 * mask and dispositions this process had before child_prepare().
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
