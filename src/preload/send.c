// SPDX-License-Identifier: MIT
/*
 * send.c - descriptions may be sent to other processes.
 */
#include "preload/preload.h"

#include "fd/passing.h"

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (preload_is_active())
		passing_send(msg);
	return real()->sendmsg(fd, msg, flags);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned int nr, int flags)
{
	if (preload_is_active())
		passing_send_many(msgs, nr);
	return real()->sendmmsg(fd, msgs, nr, flags);
}
