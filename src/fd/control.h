/* SPDX-License-Identifier: MIT */
/*
 * control.h - the calls on eventpolls, in terms of descriptors.
 *
 * Finds the files behind the numbers, keeps the table in step with what the
 * engine makes, and makes the sections the engine runs in.  What is not an
 * eventpoll of ours is the kernel's to answer: control_find() says so.
 *
 * All return 0 or more, or -errno; errno is not touched.  Any context, signal
 * handlers included.
 */
#ifndef INTERPOLL_FD_CONTROL_H
#define INTERPOLL_FD_CONTROL_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "engine/eventpoll.h"
#include "fd/table.h"

/*
 * The file of the eventpoll called @epfd; NULL if it is none of ours, or no
 * longer ours alone: then the real call answers.
 */
static inline struct file *control_find(int epfd)
{
	struct file *file = table_lookup(epfd);

	return file && file->ep && !ep_is_released(file) ? file : NULL;
}

/*
 * The same for a wait: also in an eventpoll that is not ours alone, some events are
 * still ours to translate.
 */
static inline struct file *control_find_to_wait(int epfd)
{
	struct file *file = table_lookup(epfd);

	return file && file->ep ? file : NULL;
}

/*
 * epoll_create1(2).  In a handler that interrupted a section of its own thread
 * the eventpoll is the kernel's own.
 */
int control_create(int flags);

/* epoll_ctl(2) on the eventpoll of @epfile. */
int control_ctl(struct file *epfile, int op, int fd, struct epoll_event *event);

/*
 * epoll_wait(2); @args as the kernel would accept them.  A cancellation point.
 * In a handler that interrupted a section of its own thread: -EINTR.
 */
int control_wait(struct file *epfile, const struct ep_wait_args *args);

/*
 * The descriptors of @fds, or those below @nr in the set @in, are about to be
 * polled: only the kernel can be exact about eventpolls among them.  Costs one
 * load as long as there are no eventpolls.
 */
void control_watched(int fd); /* by an eventpoll that is the kernel's own */
void control_polled(const struct pollfd *fds, nfds_t nr);
void control_selected(int nr, const fd_set *in);

/* A number above all that may name an eventpoll; 0 as long as there are none. */
int control_limit(void);

/* io_uring is about to be used, which registers and closes behind our back. */
void control_distrust(void);

/* @fd names an eventpoll from now on. */
void control_note_eventpoll(int fd);

#endif
