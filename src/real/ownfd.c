// SPDX-License-Identifier: MIT
#include "real/ownfd.h"

#include "real/sys.h"

/* Far above what a server hands out to its first clients, below the usual limit. */
#define OWNFD_MIN 512

void (*ownfd_was_taken)(int fd);
void (*ownfd_was_closed)(int fd);

static int ownfd_note(int fd)
{
	if (fd >= 0 && ownfd_was_taken)
		ownfd_was_taken(fd);
	return fd;
}

int ownfd_dup(int fd)
{
	return ownfd_note(sys_fcntl(fd, F_DUPFD_CLOEXEC, OWNFD_MIN));
}

int ownfd_take(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = ownfd_dup(fd);
	if (high < 0) /* the limit is low: better a small number than none */
		return ownfd_note(fd);
	sys_close(fd);
	return high;
}

void ownfd_close(int fd)
{
	if (fd < 0)
		return;
	if (ownfd_was_closed)
		ownfd_was_closed(fd);
	sys_close(fd);
}
