// SPDX-License-Identifier: MIT
/*
 * ring.c - as much of io_uring as the claims need, by system calls alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring.h"

static _Atomic unsigned int *ring_word(struct ring *ring, unsigned int offset)
{
	return (_Atomic unsigned int *)(void *)(ring->rings + offset);
}

void ring_open(struct ring *ring)
{
	struct io_uring_params *params = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, params);
	if (ring->fd < 0)
		claim_impossible("io_uring_setup is refused: %s", strerrorname_np(errno));
	if (!(params->features & IORING_FEAT_SINGLE_MMAP))
		claim_impossible("this kernel's io_uring has no single mapping");
	ring->rings_size = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	EXPECT((void *)ring->rings != MAP_FAILED);
	ring->requests_size = params->sq_entries * sizeof(struct io_uring_sqe);
	ring->requests = mmap(NULL, ring->requests_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      ring->fd, IORING_OFF_SQES);
	EXPECT((void *)ring->requests != MAP_FAILED);
}

void ring_close(struct ring *ring)
{
	MUST(munmap(ring->requests, ring->requests_size));
	MUST(munmap(ring->rings, ring->rings_size));
	CLOSE(ring->fd);
}

/* Submit @request, and wait for @nr_wanted results. */
static void ring_submit(struct ring *ring, const struct io_uring_sqe *request,
			unsigned int nr_wanted)
{
	unsigned int *indices = (void *)(ring->rings + ring->params.sq_off.array);
	_Atomic unsigned int *tail = ring_word(ring, ring->params.sq_off.tail);
	unsigned int at = *tail & *ring_word(ring, ring->params.sq_off.ring_mask);

	ring->requests[at] = *request;
	indices[at] = at;
	*tail = *tail + 1;
	EXPECT_INT(syscall(SYS_io_uring_enter, ring->fd, 1, nr_wanted, IORING_ENTER_GETEVENTS, NULL,
			   0),
		   ==, 1);
}

bool ring_has_result(struct ring *ring)
{
	return *ring_word(ring, ring->params.cq_off.head) !=
	       *ring_word(ring, ring->params.cq_off.tail);
}

int ring_result(struct ring *ring)
{
	struct io_uring_cqe *results = (void *)(ring->rings + ring->params.cq_off.cqes);
	_Atomic unsigned int *head = ring_word(ring, ring->params.cq_off.head);
	int result;

	if (!ring_has_result(ring))
		MUST(syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	EXPECT(ring_has_result(ring));
	result = results[*head & *ring_word(ring, ring->params.cq_off.ring_mask)].res;
	*head = *head + 1;
	return result;
}

int ring_ctl(struct ring *ring, int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	struct io_uring_sqe request = {
		.opcode = IORING_OP_EPOLL_CTL,
		.fd = epfd,
		.addr = (uintptr_t)&event,
		.len = (unsigned int)op,
		.off = (unsigned int)fd,
	};
	int result;

	ring_submit(ring, &request, 1);
	result = ring_result(ring);
	return result;
}

void ring_poll(struct ring *ring, int fd)
{
	struct io_uring_sqe request = {
		.opcode = IORING_OP_POLL_ADD, .fd = fd, .poll32_events = EPOLLIN};

	ring_submit(ring, &request, 0);
}
