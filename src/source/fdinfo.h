/* SPDX-License-Identifier: MIT */
/*
 * fdinfo.h - what the kernel says in /proc of the registrations of an epoll.
 *
 * The kernel writes all of it at the first read, under its own lock: it is the
 * state of one moment, however long the reading takes.
 */
#ifndef INTERPOLL_SOURCE_FDINFO_H
#define INTERPOLL_SOURCE_FDINFO_H

#include "source/source.h"

/*
 * Show every registration of @epfd to @see, with @ctx.  0; -EBADF if @epfd is no
 * epoll; or -errno if it could not be read to its end, for instance because no
 * descriptor is left.  Memory of its own, errno and cancellation: untouched.
 */
int fdinfo_list(int epfd, source_see *see, void *ctx);

#endif
