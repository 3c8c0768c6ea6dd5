// SPDX-License-Identifier: MIT
/*
 * child.c - one child, and everything that can happen meanwhile, in one
 * sigtimedwait(2): that it ends, that we are sent a signal, that the time for the
 * handshake is over.  The arrival itself wakes nobody: it is looked for only when
 * it should have been.
 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/say.h"

#define HANDSHAKE_LIMIT_SEC 5

/*
 * All but those that stop this process like any other of its terminal's group, and
 * those that are about this process itself.
 */
static void fill_handled(sigset_t *set)
{
	static const int left_alone[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS,
					 SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};
	size_t i;

	sigfillset(set);
	for (i = 0; i < sizeof(left_alone) / sizeof(left_alone[0]); i++)
		sigdelset(set, left_alone[i]);
}

void child_prepare(struct child *child)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct child_signals *inherited = &child->inherited;
	sigset_t handled;

	/* Whoever ignores SIGCHLD is not told how the child ended. */
	sigaction(SIGCHLD, &by_default, &inherited->sigchld);
	fill_handled(&handled);
	sigprocmask(SIG_BLOCK, &handled, &inherited->mask);
}

static void restore_signals(const struct child_signals *inherited)
{
	sigaction(SIGCHLD, &inherited->sigchld, NULL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}

/* -------- start -------- */

static _Noreturn void exec(const struct child *child, const char *path, char *argv[], int error_fd)
{
	int err;

	restore_signals(&child->inherited);
	/* p: a script without #! goes to the shell, as env would have it. */
	execvp(path, argv);
	err = errno;
	while (write(error_fd, &err, sizeof(err)) < 0 && errno == EINTR)
		continue;
	_exit(SAY_CANNOT_RUN);
}

/* The errno of the child's exec, or 0: then the pipe was closed on exec. */
static int read_exec_error(int fd)
{
	int err = 0;
	ssize_t len;

	do
		len = read(fd, &err, sizeof(err));
	while (len < 0 && errno == EINTR);
	return len == (ssize_t)sizeof(err) ? err : 0;
}

static int refuse(const char *path, int err, int status)
{
	say("'%s' cannot be executed: %s", path, strerror(err));
	return status;
}

int child_start(struct child *child, const char *path, char *argv[])
{
	int pipe_fd[2], err;

	child->name = argv[0];
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return refuse(path, errno, SAY_OWN_ERROR);
	child->pid = fork();
	if (child->pid == 0)
		exec(child, path, argv, pipe_fd[1]);
	err = errno;
	close(pipe_fd[1]);
	if (child->pid < 0) {
		close(pipe_fd[0]);
		return refuse(path, err, SAY_OWN_ERROR);
	}
	err = read_exec_error(pipe_fd[0]);
	close(pipe_fd[0]);
	if (!err)
		return 0;
	waitpid(child->pid, NULL, 0);
	return refuse(path, err, err == ENOENT ? SAY_NOT_FOUND : SAY_CANNOT_RUN);
}

/* -------- wait -------- */

/* A terminal sends these to its whole foreground group, the child included. */
static bool is_from_terminal(const siginfo_t *info)
{
	if (info->si_code != SI_KERNEL)
		return false;
	return info->si_signo == SIGINT || info->si_signo == SIGQUIT || info->si_signo == SIGHUP ||
	       info->si_signo == SIGWINCH;
}

static void hand_on(const struct child *child, const siginfo_t *info)
{
	if (info->si_signo == SIGCHLD || info->si_signo == SIGPIPE || is_from_terminal(info))
		return;
	if (info->si_code == SI_QUEUE)
		sigqueue(child->pid, info->si_signo, info->si_value);
	else
		kill(child->pid, info->si_signo);
}

/* Reap the child if it has ended. */
static bool has_ended(struct child *child)
{
	return waitpid(child->pid, &child->wait_status, WNOHANG) == child->pid;
}

/* Returns a signal in *@info, or false when @deadline_ns has come. */
static bool wait_for_signal(const sigset_t *set, siginfo_t *info, uint64_t deadline_ns)
{
	struct timespec left = clock_to_timespec(clock_left_ns(deadline_ns, clock_now_ns()));

	if (deadline_ns == CLOCK_FOREVER)
		return sigwaitinfo(set, info) >= 0;
	return sigtimedwait(set, info, &left) >= 0;
}

void child_wait(struct child *child, const struct session *session)
{
	uint64_t deadline_ns = clock_now_ns() + HANDSHAKE_LIMIT_SEC * CLOCK_NS_PER_SEC;
	bool was_said = false;
	sigset_t handled;
	siginfo_t info;

	fill_handled(&handled);
	while (!has_ended(child)) {
		if (wait_for_signal(&handled, &info, deadline_ns)) {
			hand_on(child, &info);
			continue;
		}
		/* EINTR: stopped and continued. */
		if (errno != EAGAIN)
			continue;
		deadline_ns = CLOCK_FOREVER;
		if (session_nr_arrived(session))
			continue;
		was_said = true;
		say("after %d s libinterpoll.so has not been heard of in '%s': "
		    "its epoll calls go to the kernel unseen",
		    HANDSHAKE_LIMIT_SEC, child->name);
	}
	if (!was_said && !session_nr_arrived(session))
		say("libinterpoll.so was never heard of in '%s': "
		    "its epoll calls went to the kernel unseen",
		    child->name);
}
