// SPDX-License-Identifier: MIT
/*
 * dup.c - a description gains a descriptor, and a number may lose one.
 */
#include "preload/preload.h"

#include <stdarg.h>

#include "fd/lifetime.h"

int dup(int fd)
{
	int ret = real()->dup(fd);

	if (ret >= 0 && preload_is_active())
		lifetime_share(fd, ret);
	return ret;
}

/* What dup2 and dup3 begin with: 0, or -errno. */
static int dup_before(int oldfd, int newfd, int flags)
{
	return preload_is_active() ? lifetime_before_dup2(oldfd, newfd, flags) : 0;
}

static int dup_after(int oldfd, int ret)
{
	if (ret >= 0 && preload_is_active())
		lifetime_share(oldfd, ret);
	return ret;
}

int dup2(int oldfd, int newfd)
{
	int ret = dup_before(oldfd, newfd, -1);

	return ret < 0 ? (int)preload_return(ret) : dup_after(oldfd, real()->dup2(oldfd, newfd));
}

int __dup2(int oldfd, int newfd)
{
	int ret = dup_before(oldfd, newfd, -1);

	return ret < 0 ? (int)preload_return(ret) : dup_after(oldfd, real()->__dup2(oldfd, newfd));
}

int dup3(int oldfd, int newfd, int flags)
{
	int ret = dup_before(oldfd, newfd, flags);

	return ret < 0 ? (int)preload_return(ret)
		       : dup_after(oldfd, real()->dup3(oldfd, newfd, flags));
}

/*
 * fcntl() takes an int, a pointer, or nothing; whatever it is travels as one
 * word, as inside libc.
 */
static int dup_after_fcntl(int fd, int cmd, int ret)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? dup_after(fd, ret) : ret;
}

int fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return dup_after_fcntl(fd, cmd, real()->fcntl(fd, cmd, arg));
}

int fcntl64(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return dup_after_fcntl(fd, cmd, real()->fcntl64(fd, cmd, arg));
}

int __fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return dup_after_fcntl(fd, cmd, real()->__fcntl(fd, cmd, arg));
}
