/* SPDX-License-Identifier: MIT */
/*
 * nest.h - what the kernel would check in epoll_ctl(2), for a source without one.
 */
#ifndef INTERPOLL_ENGINE_NEST_H
#define INTERPOLL_ENGINE_NEST_H

#include "engine/internal.h"

/*
 * @epfile is about to watch @target, an eventpoll: 0 or -ELOOP.  nest_lock held,
 * no mtx.
 */
int nest_check_loop(struct file *epfile, struct file *target);

/* The other checks of epoll_ctl(2), in the kernel's order; S makes them itself.  mtx held. */
int nest_check(const struct eventpoll *ep, int op, int fd, const struct file *file,
	       uint32_t events);

/*
 * Without a kernel: bring what @ep shows of itself up to date, and before that all
 * eventpolls it watches.  Loop lock held.
 */
void nest_refresh(struct eventpoll *ep);

void nest_lock(void);
void nest_unlock(void);
void nest_reset(void);
void nest_break(void);

#endif
