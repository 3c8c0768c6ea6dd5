/* SPDX-License-Identifier: MIT */
/*
 * passing.h - descriptions handed to other programs, by exec or over a socket.
 *
 * Another program knows nothing of our tags: an eventpoll that it gets is
 * released first, and the kernel answers for it from then on.  Whatever is sent
 * over a socket, or came over one, is another process's too, and outlives its
 * descriptors here.
 *
 * Any context, outside sections; errno is not touched; no cancellation points.
 */
#ifndef INTERPOLL_FD_PASSING_H
#define INTERPOLL_FD_PASSING_H

#include <sys/socket.h>

/* The process is about to become another program: what is not close-on-exec stays open. */
void passing_exec(void);

/* @msg, or the @nr messages of @msgs, are about to be sent. */
void passing_send(const struct msghdr *msg);
void passing_send_many(const struct mmsghdr *msgs, unsigned int nr);

/* @msg, or the first @nr messages of @msgs, have been received. */
void passing_receive(const struct msghdr *msg);
void passing_receive_many(const struct mmsghdr *msgs, unsigned int nr);

#endif
