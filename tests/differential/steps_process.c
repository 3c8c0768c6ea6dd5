// SPDX-License-Identifier: MIT
/*
 * steps_process.c - other processes that hold files or end, and signals.
 *
 * A child stops itself when it is as it should be, so that its parent knows; it is
 * killed, and reaped, by steps of their own, or with the walk.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

extern char **environ;

int walk_signal(int index)
{
	switch ((unsigned int)index % WALK_SIGNALS) {
	case 0:
		return SIGUSR1;
	case 1:
		return SIGHUP;
	default: /* these queue up */
		return SIGRTMIN + index;
	}
}

void process_init(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < WALK_SIGNALS; i++)
		sigaddset(&set, walk_signal(i));
	sigaddset(&set, STEP_INTERRUPTION);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGCHLD); /* libc blocks it now and then: signalfds notice */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* -------- children: by what they are for; the name has the process's number -------- */

enum {
	CHILDREN_MAX = 64,
};

static pid_t children[CHILDREN_MAX];
static int nr_children;

static bool is_child(pid_t pid)
{
	for (int i = 0; i < nr_children; i++)
		if (children[i] == pid)
			return true;
	return false;
}

/* A child that has all our descriptors, or none. */
static pid_t child_start(bool has_files)
{
	pid_t pid;

	if (nr_children == CHILDREN_MAX)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!has_files)
			close_range(STDERR_FILENO + 1, ~0U, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, WUNTRACED) != pid)
		return -1;
	children[nr_children++] = pid;
	return pid;
}

void play_hold(const struct step *step)
{
	pid_t pid = child_start(true);

	log_result(pid < 0 ? -1 : 0);
	step_name(step, 0, pid);
}

void play_pidfd(const struct step *step)
{
	pid_t pid = child_start(false);
	int fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);

	log_result(fd);
	step_name(step, 0, fd);
	step_name(step, 1, pid);
}

/* The end of a child, which is a zombie afterwards; not of one that has been reaped. */
void play_kill(const struct step *step)
{
	siginfo_t info;
	pid_t pid = step_fd(step, 0);

	if (!is_child(pid))
		return;
	kill(pid, SIGKILL);
	log_result(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

void play_reap(const struct step *step)
{
	pid_t pid = step_fd(step, 0);

	if (!is_child(pid))
		return;
	kill(pid, SIGKILL);
	log_result(waitpid(pid, NULL, 0) == pid ? 0 : -1);
	for (int i = 0; i < nr_children; i++)
		if (children[i] == pid)
			children[i] = children[--nr_children];
	step_name(step, 0, -1);
}

/* A program that runs and ends: vfork and exec, and everything is shared for a moment. */
void play_spawn(const struct step *step)
{
	char name[] = "true", *argv[] = {name, NULL};
	pid_t pid;
	int ret;

	(void)step;
	ret = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	log_value("spawned", ret);
	if (ret == 0)
		waitpid(pid, NULL, 0);
}

void play_child(const struct step *step)
{
	program_leave_to_child((int)step->args[0].number);
}

/* -------- interruptions -------- */

static void interrupted(int signal)
{
	(void)signal;
}

sigset_t interruption_let_through(void)
{
	struct sigaction action = {.sa_handler = interrupted};
	sigset_t mask;

	sigaction(STEP_INTERRUPTION, &action, NULL);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, STEP_INTERRUPTION);
	return mask;
}

/*
 * A wait that lets a pending signal through: the signal comes if there is no event,
 * and stays pending if there is.  It is taken back afterwards.
 */
void play_interrupt(const struct step *step)
{
	struct timespec none = {0, 0};
	int maxevents = (int)step->args[1].number;
	static struct epoll_event events[STEP_EVENTS_MAX];
	sigset_t only, let = interruption_let_through();
	int nr;

	if (maxevents > STEP_EVENTS_MAX)
		maxevents = STEP_EVENTS_MAX;
	sigemptyset(&only);
	sigaddset(&only, STEP_INTERRUPTION);
	raise(STEP_INTERRUPTION);
	nr = epoll_pwait(step_fd(step, 0), events, maxevents, (int)step->args[2].number, &let);
	log_result(nr);
	log_events(events, nr > 0 ? nr : 0);
	log_value("pending", sigtimedwait(&only, NULL, &none) == STEP_INTERRUPTION);
}
