// SPDX-License-Identifier: MIT
/*
 * made.c - descriptors are made, and what they name is known from the call.
 *
 * Asked later it costs a system call, or a look into /proc.  What is made otherwise, by
 * number too, is asked.
 */
#include "preload/preload.h"

#include "fd/lifetime.h"

/* @fd, if it is one, names a file of @kind. */
static int made(int fd, enum file_kind kind)
{
	if (fd >= 0 && preload_is_active())
		lifetime_note_made(fd, kind);
	return fd;
}

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	return made(real()->accept(fd, address, length), FILE_REPEATABLE);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return made(real()->accept4(fd, address, length, flags), FILE_REPEATABLE);
}

int eventfd(unsigned int count, int flags)
{
	return made(real()->eventfd(count, flags), FILE_EVENTFD);
}

int timerfd_create(int clock, int flags)
{
	return made(real()->timerfd_create(clock, flags), FILE_REPEATABLE);
}
