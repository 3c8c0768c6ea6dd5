// SPDX-License-Identifier: MIT
/*
 * run.c - the order of a run: refuse early, start, watch over, report.
 */
#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/library.h"
#include "cli/say.h"
#include "cli/target.h"
#include "trace/session.h"
#include "trace/summary.h"

#define PRELOAD_VARIABLE "LD_PRELOAD"

/* One run and what it holds. */
struct run {
	const struct options *options;
	char library[PATH_MAX];
	struct target target;
	struct child child;
	int summary_fd; /* -1: none */
	struct session *session;
	char session_path[PATH_MAX];
	int killed_by; /* the signal the command died by, or 0 */
};

/* -------- before -------- */

static int open_summary(struct run *run)
{
	const char *path = run->options->settings.summary;

	run->summary_fd = -1;
	if (!path[0])
		return 0;
	run->summary_fd = summary_open(path);
	if (run->summary_fd >= 0)
		return 0;
	say("--summary: cannot append to '%s': %s", path,
	    run->summary_fd == -EINVAL ? "neither a file, a FIFO nor a terminal"
				       : strerror(-run->summary_fd));
	return SAY_OWN_ERROR;
}

static int open_session(struct run *run)
{
	run->session = session_new(run->session_path, sizeof(run->session_path));
	if (run->session)
		return 0;
	say("cannot make a session file in $XDG_RUNTIME_DIR, $TMPDIR or /tmp: %s", strerror(errno));
	return SAY_OWN_ERROR;
}

/* Ours first: a preload that forwards to the next definition then finds us before libc. */
static int export_preload(const char *library)
{
	const char *others = getenv(PRELOAD_VARIABLE);
	char *list = NULL;
	int err = 0;

	if (!others || !others[0])
		return setenv(PRELOAD_VARIABLE, library, 1) < 0 ? -errno : 0;
	if (asprintf(&list, "%s:%s", library, others) < 0)
		return -ENOMEM;
	if (setenv(PRELOAD_VARIABLE, list, 1) < 0)
		err = -errno;
	free(list);
	return err;
}

static int export_environment(const struct run *run)
{
	int err = options_export(run->options);

	if (!err)
		err = export_preload(run->library);
	if (!err && setenv(SESSION_VARIABLE, run->session_path, 1) < 0)
		err = -errno;
	if (!err)
		return 0;
	say("cannot set up the environment: %s", strerror(-err));
	return SAY_OWN_ERROR;
}

/* -------- after -------- */

static void write_summary(const struct run *run)
{
	int err = summary_write(run->summary_fd, run->session, SUMMARY_ALL);

	if (err)
		say("--summary: cannot write to '%s': %s", run->options->settings.summary,
		    strerror(-err));
	summary_close(run->summary_fd);
}

/* Die as the command died, leaving its core, not ours. */
static int die_by(int signal_number)
{
	const struct rlimit no_core = {0, 0};
	sigset_t set;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(signal_number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	raise(signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + signal_number;
}

static int run_session(struct run *run)
{
	int status = export_environment(run);

	if (!status)
		status = child_start(&run->child, run->target.path, run->options->command);
	if (status)
		return status;
	child_wait(&run->child, run->session);
	status = run->child.wait_status;
	run->killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (run->summary_fd >= 0)
		write_summary(run);
	return WEXITSTATUS(status);
}

int run(const struct options *options)
{
	struct run run = {.options = options};
	int status = library_report(run.library, sizeof(run.library));

	if (status)
		return status;
	status = target_examine(&run.target, options->command[0], run.library);
	if (status) {
		say("%s", run.target.why);
		return status;
	}
	child_prepare(&run.child);
	status = open_summary(&run);
	if (status)
		return status;
	status = open_session(&run);
	if (status)
		return status;
	status = run_session(&run);
	session_free(run.session, run.session_path);
	return run.killed_by ? die_by(run.killed_by) : status;
}
