// SPDX-License-Identifier: MIT
/*
 * send.c - descriptions may be sent to other processes, and come from them.
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

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t ret = real()->recvmsg(fd, msg, flags);

	if (ret >= 0 && msg->msg_controllen && preload_is_active())
		passing_receive(msg);
	return ret;
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int nr, int flags, struct timespec *timeout)
{
	int ret = real()->recvmmsg(fd, msgs, nr, flags, timeout);

	if (ret > 0 && preload_is_active())
		passing_receive_many(msgs, (unsigned int)ret);
	return ret;
}
