// SPDX-License-Identifier: MIT
#include "real/ownfd.h"

#include "real/sys.h"

/* Far above what a server hands out to its first clients, below the usual limit. */
#define OWNFD_MIN 512

void (*ownfd_was_taken)(int fd);
void (*ownfd_was_closed)(int fd);

/* The descriptor borrowed now, plus 1; 0: none. */
static __thread int ownfd_borrowed __attribute__((tls_model("initial-exec")));

int ownfd_borrow(const char *path)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	__atomic_store_n(&ownfd_borrowed, fd < 0 ? 0 : fd + 1, __ATOMIC_RELAXED);
	return fd;
}

void ownfd_return(int fd)
{
	sys_close(fd);
	__atomic_store_n(&ownfd_borrowed, 0, __ATOMIC_RELAXED);
}

void ownfd_recover(void)
{
	if (ownfd_borrowed)
		ownfd_return(ownfd_borrowed - 1);
}

static int ownfd_note(int fd)
{
	if (fd >= 0 && ownfd_was_taken)
		ownfd_was_taken(fd);
	return fd;
}

static int ownfd_dup_high(int fd)
{
	return ownfd_note(sys_fcntl(fd, F_DUPFD_CLOEXEC, OWNFD_MIN));
}

int ownfd_dup(int fd)
{
	int own = ownfd_dup_high(fd);

	if (own < 0) /* the limit is low: better a small number than none */
		own = ownfd_note(sys_fcntl(fd, F_DUPFD_CLOEXEC, 0));
	return own;
}

int ownfd_take(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = ownfd_dup_high(fd);
	if (high < 0)
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
