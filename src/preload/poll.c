// SPDX-License-Identifier: MIT
/*
 * poll.c - an eventpoll is polled; the fortified variants keep their checks.
 */
#include "preload/preload.h"

#include "fd/control.h"

static void poll_before(const struct pollfd *fds, nfds_t nr)
{
	if (preload_is_active())
		control_polled(fds, nr);
}

static void poll_before_select(int nr, const fd_set *in)
{
	if (preload_is_active())
		control_selected(nr, in);
}

int poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	poll_before(fds, nr);
	return real()->poll(fds, nr, timeout);
}

int __poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	poll_before(fds, nr);
	return real()->__poll(fds, nr, timeout);
}

int __poll_chk(struct pollfd *fds, nfds_t nr, int timeout, size_t fds_size)
{
	poll_before(fds, nr);
	return real()->__poll_chk(fds, nr, timeout, fds_size);
}

int ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout, const sigset_t *sigmask)
{
	poll_before(fds, nr);
	return real()->ppoll(fds, nr, timeout, sigmask);
}

int __ppoll_chk(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		const sigset_t *sigmask, size_t fds_size)
{
	poll_before(fds, nr);
	return real()->__ppoll_chk(fds, nr, timeout, sigmask, fds_size);
}

int select(int nr, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	poll_before_select(nr, in);
	return real()->select(nr, in, out, except, timeout);
}

int __select(int nr, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	poll_before_select(nr, in);
	return real()->__select(nr, in, out, except, timeout);
}

int pselect(int nr, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
	    const sigset_t *sigmask)
{
	poll_before_select(nr, in);
	return real()->pselect(nr, in, out, except, timeout, sigmask);
}
