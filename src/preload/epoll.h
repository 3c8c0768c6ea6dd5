/* SPDX-License-Identifier: MIT */
/*
 * epoll.h - how the epoll calls read their arguments, for syscall.c.
 */
#ifndef INTERPOLL_PRELOAD_EPOLL_H
#define INTERPOLL_PRELOAD_EPOLL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "fd/control.h"
#include "preload/preload.h"

/* The file of the eventpoll called @epfd; NULL: the real call answers. */
static inline struct file *epoll_find(int epfd)
{
	return preload_is_active() ? control_find(epfd) : NULL;
}

/* The same for a wait: NULL also where the kernel refuses @maxevents or @sigmask. */
struct file *epoll_find_for_wait(int epfd, int maxevents, const sigset_t *sigmask);

/* How long epoll_pwait2(2) waits; false where the kernel refuses @timeout. */
bool epoll_read_timeout(const struct timespec *timeout, uint64_t *ret_ns);

#endif
