// SPDX-License-Identifier: MIT
/*
 * epoll.c - the calls on eventpolls.
 *
 * A call whose arguments the kernel certainly refuses is put to it, so that the
 * precedence of errors is its own.
 */
#include "preload/preload.h"

#include <limits.h>
#include <pthread.h>

#include "base/clock.h"
#include "fd/control.h"
#include "real/uaccess.h"
#include "preload/epoll.h"
#include "real/sys.h"

#define EPOLL_MAXEVENTS (INT_MAX / (int)sizeof(struct epoll_event)) /* the kernel's limit */

int epoll_create(int size)
{
	if (size <= 0 || !preload_is_active())
		return real()->epoll_create(size);
	return (int)preload_return(control_create(0));
}

int epoll_create1(int flags)
{
	if (!preload_is_active())
		return real()->epoll_create1(flags);
	return (int)preload_return(control_create(flags));
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct file *epfile = epoll_find(epfd);

	if (!epfile) {
		if (op == EPOLL_CTL_ADD && preload_is_active())
			control_watched(fd);
		return real()->epoll_ctl(epfd, op, fd, event);
	}
	return (int)preload_return(control_ctl(epfile, op, fd, event));
}

struct file *epoll_find_for_wait(int epfd, int maxevents, const sigset_t *sigmask)
{
	if (maxevents <= 0 || maxevents > EPOLL_MAXEVENTS)
		return NULL;
	if (sigmask && !uaccess_is_readable(sigmask, SYS_SIGSET_SIZE))
		return NULL;
	return preload_is_active() ? control_find_to_wait(epfd) : NULL;
}

bool epoll_read_timeout(const struct timespec *timeout, uint64_t *ret_ns)
{
	*ret_ns = CLOCK_FOREVER;
	if (!timeout)
		return true;
	if (!uaccess_is_readable(timeout, sizeof(*timeout)) || timeout->tv_sec < 0 ||
	    timeout->tv_nsec < 0 || timeout->tv_nsec >= (long)CLOCK_NS_PER_SEC)
		return false;
	*ret_ns = clock_from_timespec(timeout);
	return true;
}

static int epoll_do_wait(struct file *epfile, const struct ep_wait_args *args)
{
	pthread_testcancel();
	return (int)preload_return(control_wait(epfile, args));
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	struct file *epfile = epoll_find_for_wait(epfd, maxevents, NULL);
	struct ep_wait_args args = {events, maxevents, clock_from_ms(timeout), NULL};

	if (!epfile)
		return real()->epoll_wait(epfd, events, maxevents, timeout);
	return epoll_do_wait(epfile, &args);
}

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout,
		const sigset_t *sigmask)
{
	struct file *epfile = epoll_find_for_wait(epfd, maxevents, sigmask);
	struct ep_wait_args args = {events, maxevents, clock_from_ms(timeout), sigmask};

	if (!epfile)
		return real()->epoll_pwait(epfd, events, maxevents, timeout, sigmask);
	return epoll_do_wait(epfile, &args);
}

int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
		 const struct timespec *timeout, const sigset_t *sigmask)
{
	struct file *epfile = epoll_find_for_wait(epfd, maxevents, sigmask);
	struct ep_wait_args args = {events, maxevents, 0, sigmask};

	if (!epfile || !epoll_read_timeout(timeout, &args.timeout_ns))
		return real()->epoll_pwait2(epfd, events, maxevents, timeout, sigmask);
	return epoll_do_wait(epfile, &args);
}
