// SPDX-License-Identifier: MIT
/*
 * process.c - processes are made, and descriptions live on in them.
 *
 * What forks tells us itself, by the handlers that init.c registers with
 * pthread_atfork(); only _Fork() and clone() run none.
 */
#include "preload/preload.h"

#include <stdarg.h>
#include <unistd.h>

#include "fd/lifetime.h"

pid_t fork(void)
{
	preload_is_active(); /* the handlers are there */
	return real()->fork();
}

pid_t __fork(void)
{
	preload_is_active();
	return real()->__fork();
}

pid_t _Fork(void)
{
	pid_t pid;

	if (!preload_is_active())
		return real()->_Fork();
	process_fork_prepare();
	pid = real()->_Fork();
	if (pid == 0)
		process_fork_child();
	else
		process_fork_parent();
	return pid;
}

/* libc has put others in the place of the first three descriptors. */
static void process_forget_standard(void)
{
	if (!preload_is_active())
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		lifetime_forget(fd);
}

int daemon(int nochdir, int noclose)
{
	int ret;

	preload_is_active();
	ret = real()->daemon(nochdir, noclose);
	if (ret == 0 && !noclose)
		process_forget_standard();
	return ret;
}

int forkpty(int *ret_fd, char *name, const struct termios *termios, const struct winsize *size)
{
	pid_t pid;

	preload_is_active();
	pid = real()->forkpty(ret_fd, name, termios, size);
	if (pid == 0)
		process_forget_standard();
	return pid;
}

/*
 * The child of a clone() with a function runs on a stack of its own; @fn is
 * called through one of these, which lies in the parent's frame: the child has
 * it in its copy of our memory, or borrows that while the parent sleeps.
 */
struct process_start {
	int (*fn)(void *arg);
	void *arg;
};

static int process_start_forked(void *arg)
{
	const struct process_start *start = arg;

	process_fork_child();
	return start->fn(start->arg);
}

static int process_start_borrowing(void *arg)
{
	const struct process_start start = *(const struct process_start *)arg;

	process_vfork_leave(0);
	return start.fn(start.arg);
}

static int process_clone_forking(void *stack, int flags, struct process_start *start, pid_t *parent,
				 void *tls, pid_t *child)
{
	int pid;

	process_fork_prepare();
	pid = real()->clone(process_start_forked, stack, flags, start, parent, tls, child);
	process_fork_parent();
	return pid;
}

static int process_clone_borrowing(void *stack, int flags, struct process_start *start,
				   pid_t *parent, void *tls, pid_t *child)
{
	int pid;

	process_vfork_enter();
	pid = real()->clone(process_start_borrowing, stack, flags, start, parent, tls, child);
	process_vfork_leave(pid);
	return pid;
}

int clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...)
{
	struct process_start start = {fn, arg};
	pid_t *parent, *child;
	va_list args;
	void *tls;
	int pid;

	va_start(args, arg);
	parent = va_arg(args, pid_t *);
	tls = va_arg(args, void *);
	child = va_arg(args, pid_t *);
	va_end(args);

	if (!preload_is_active() || !fn || !stack || (flags & CLONE_FILES))
		return real()->clone(fn, stack, flags, arg, parent, tls, child);
	/* with thread-local storage of its own the child is no copy of this thread */
	if (!(flags & (CLONE_VM | CLONE_SETTLS)))
		return process_clone_forking(stack, flags, &start, parent, tls, child);
	if ((flags & (CLONE_VFORK | CLONE_SETTLS)) == CLONE_VFORK)
		return process_clone_borrowing(stack, flags, &start, parent, tls, child);
	process_begin();
	pid = real()->clone(fn, stack, flags, arg, parent, tls, child);
	process_end();
	return pid;
}

/* -------- children that are another program at once -------- */

/* Ends what process_begin() began, also for a thread that is cancelled in between. */
static void process_end_pair(const bool *is_open)
{
	if (*is_open)
		process_end();
}

static bool process_begin_pair(void)
{
	if (!preload_is_active())
		return false;
	process_begin();
	return true;
}

#define PROCESS_PAIR \
	__attribute__((cleanup(process_end_pair))) const bool is_open = process_begin_pair()

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	PROCESS_PAIR;

	return real()->posix_spawn(pid, path, actions, attr, argv, envp);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	PROCESS_PAIR;

	return real()->posix_spawnp(pid, file, actions, attr, argv, envp);
}

int system(const char *command)
{
	PROCESS_PAIR;

	return real()->system(command);
}

FILE *popen(const char *command, const char *type)
{
	PROCESS_PAIR;

	return real()->popen(command, type);
}
