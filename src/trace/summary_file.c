// SPDX-License-Identifier: MIT
/*
 * summary_file.c - where a summary goes, and the library's farewell.
 */
#include "trace/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real/sys.h"

/* A device may do anything when it is written to; a directory cannot be. */
static int check_kind(int fd)
{
	struct stat st;
	int err = sys_fstat(fd, &st);

	if (err)
		return err;
	if (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))
		return 0;
	return S_ISCHR(st.st_mode) && isatty(fd) ? 0 : -EINVAL;
}

/* Away from the numbers of the standard streams, if one of those was closed. */
static int move_up(int fd)
{
	int moved;

	if (fd > STDERR_FILENO)
		return fd;
	moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	sys_close(fd);
	return moved;
}

int summary_open(const char *path)
{
	int fd, err;

	if (!strcmp(path, "-"))
		return STDERR_FILENO;
	/* O_NONBLOCK: a FIFO that nobody reads is an error (ENXIO), not a wait. */
	fd = (int)raw_call(SYS_openat, AT_FDCWD, sys_arg(path),
			   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
				   O_NONBLOCK,
			   0600, 0, 0);
	if (fd >= 0)
		fd = move_up(fd);
	if (fd < 0)
		return fd;
	err = check_kind(fd);
	/* Opened; now a reader that is slow is waited for. */
	if (!err)
		err = sys_fcntl(fd, F_SETFL, O_APPEND);
	if (!err)
		return fd;
	sys_close(fd);
	return err;
}

void summary_close(int fd)
{
	if (fd != STDERR_FILENO)
		sys_close(fd);
}

static void complain(const char *path, int err)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "interpoll: no summary in '%.300s': %s\n", path,
			   strerrordesc_np(-err));

	if (len > 0)
		(void)sys_write(STDERR_FILENO, line, strnlen(line, sizeof(line)));
}

/* The signal that a failed write comes with, or 0. */
static int signal_of(int err)
{
	if (err == -EPIPE)
		return SIGPIPE;
	return err == -EFBIG ? SIGXFSZ : 0;
}

/*
 * Writing to a pipe whose reader left, or past the limit of file sizes, sends a
 * signal, which would change how the program ends.  It is taken off again; one
 * that was pending before is the program's own.
 */
static int write_without_signals(int fd, const struct session *session, int slot)
{
	const struct timespec at_once = {0, 0};
	sigset_t signals, old, pending;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	sigaddset(&signals, SIGXFSZ);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &signals, &old);
	err = summary_write(fd, session, slot);
	if (signal_of(err) && !sigismember(&pending, signal_of(err))) {
		sigemptyset(&signals);
		sigaddset(&signals, signal_of(err));
		sigtimedwait(&signals, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

void summary_write_at_exit(const char *path)
{
	struct session_process process;
	const struct session *session;
	unsigned int slot = 0;
	int saved_errno = errno;
	int fd, err;

	if (!path || !path[0] || !session_is_private())
		return;
	session = session_own(&slot);
	if (!session || !session_read_process(session, slot, &process))
		return;
	if (process.parent >= 0 && !process.nr_eventpolls)
		return;
	fd = summary_open(path);
	err = fd < 0 ? fd : write_without_signals(fd, session, (int)slot);
	if (fd >= 0)
		summary_close(fd);
	if (err && strcmp(path, "-"))
		complain(path, err);
	errno = saved_errno;
}
