/* SPDX-License-Identifier: MIT */
/*
 * ring.h - an io_uring of one request at a time.
 *
 * It is set up through libc's syscall(), as libuv does; a claim that opens one is not
 * run where io_uring is refused.
 */
#ifndef CONFORMANCE_RING_H
#define CONFORMANCE_RING_H

#include <linux/io_uring.h>

#include "stage.h"

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings; /* IORING_FEAT_SINGLE_MMAP */
	size_t rings_size;
	struct io_uring_sqe *requests;
	size_t requests_size;
};

void ring_open(struct ring *ring);
void ring_close(struct ring *ring);

/* epoll_ctl(2) by the ring: 0 or -errno. */
int ring_ctl(struct ring *ring, int epfd, int op, int fd, uint32_t events, uint64_t data);

/* Ask to be told of EPOLLIN on @fd, once: the result is the mask. */
void ring_poll(struct ring *ring, int fd);

bool ring_has_result(struct ring *ring); /* already */
int ring_result(struct ring *ring);	 /* the next one, waited for */

#endif
