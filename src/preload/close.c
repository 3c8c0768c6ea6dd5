// SPDX-License-Identifier: MIT
/*
 * close.c - a descriptor goes away.
 *
 * The watches are told first, then libc closes; close(2) stays the cancellation
 * point it is.  A thread that is cancelled there has closed nothing, so the
 * cancellation that is due already is let happen before anything is told.
 */
#include "preload/preload.h"

#include <pthread.h>
#include <stdio.h>

#include "fd/lifetime.h"
#include "real/sys.h"

/* May libc close @fd?  False for a descriptor of our own, which the host cannot know. */
static bool close_may(int fd)
{
	if (!preload_is_active())
		return true;
	if (__builtin_expect(table_peek(fd) != NULL, 0)) {
		if (table_is_internal(fd))
			return false;
		pthread_testcancel();
	}
	lifetime_forget(fd);
	return true;
}

int close(int fd)
{
	return close_may(fd) ? real()->close(fd) : (int)preload_return(-EBADF);
}

int __close(int fd)
{
	return close_may(fd) ? real()->__close(fd) : (int)preload_return(-EBADF);
}

static int close_range_raw(unsigned int first, unsigned int last, int flags)
{
	return (int)raw_call(SYS_close_range, first, last, flags, 0, 0, 0);
}

static int close_range_next(unsigned int first, unsigned int last, int flags)
{
	return real()->close_range ? real()->close_range(first, last, flags)
				   : (int)preload_return(close_range_raw(first, last, flags));
}

/* CLOSE_RANGE_CLOEXEC closes nothing, and what the kernel refuses neither. */
int close_range(unsigned int first, unsigned int last, int flags)
{
	if (!preload_is_active() || first > last || (flags & ~(int)CLOSE_RANGE_UNSHARE))
		return close_range_next(first, last, flags);
	lifetime_forget_range(first, last);
	return lifetime_close_around_own(first, last, flags, close_range_next);
}

/* A piece between two of our own descriptors, also on a kernel without close_range. */
static int close_piece(unsigned int first, unsigned int last, int flags)
{
	if (close_range_raw(first, last, flags) != -ENOSYS)
		return 0;
	for (unsigned int fd = first; fd <= last; fd++)
		raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return 0;
}

void closefrom(int low)
{
	unsigned int first = low < 0 ? 0 : (unsigned int)low, end;

	if (!preload_is_active()) {
		real()->closefrom(low);
		return;
	}
	lifetime_forget_range(first, ~0U);
	end = lifetime_end_of_own(first);
	if (end > first)
		lifetime_close_around_own(first, end - 1, 0, close_piece);
	real()->closefrom((int)end);
}

/* The descriptor of @stream is about to be closed inside libc. */
static void close_stream(FILE *stream)
{
	int saved_errno = errno;
	int fd;

	if (!preload_is_active())
		return;
	fd = fileno_unlocked(stream);
	if (fd >= 0)
		lifetime_forget(fd);
	errno = saved_errno;
}

int fclose(FILE *stream)
{
	close_stream(stream);
	return real()->fclose(stream);
}

int pclose(FILE *stream)
{
	close_stream(stream);
	return real()->pclose(stream);
}

FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	close_stream(stream);
	return real()->freopen(path, mode, stream);
}

FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	close_stream(stream);
	return real()->freopen64(path, mode, stream);
}
