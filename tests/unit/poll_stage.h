/* SPDX-License-Identifier: MIT */
/*
 * poll_stage.h - a `poll' source, files to arm, and what a collection must show.
 */
#ifndef INTERPOLL_TESTS_UNIT_POLL_STAGE_H
#define INTERPOLL_TESTS_UNIT_POLL_STAGE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/source.h"

static struct source source;

static inline void stage_begin(void)
{
	cr_assert_geq(source_poll.open(&source, EPOLL_CLOEXEC), 0);
}

static inline void stage_end(void)
{
	source_poll.fini(&source);
	close(source.fd);
}

static inline void arm(int fd, uint32_t events, uint64_t tag)
{
	cr_assert_eq(source_poll.arm(&source, fd, events, tag), 0);
}

static inline void rearm(int fd, uint32_t events, uint64_t tag)
{
	cr_assert_eq(source_poll.rearm(&source, fd, events, tag), 0);
}

static inline void disarm(int fd)
{
	cr_assert_eq(source_poll.disarm(&source, fd), 0);
}

/* Exactly one edge is collected: these events, this tag. */
#define EXPECT_EDGE(expected_events, expected_tag)                                              \
	do {                                                                                    \
		struct epoll_event got[8];                                                      \
		int nr_got = source_poll.collect(&source, got, 8);                              \
                                                                                                \
		cr_assert_eq(nr_got, 1, "%d edges, not 1", nr_got);                             \
		cr_assert_eq(got[0].events, (uint32_t)(expected_events), "events %#x, not %#x", \
			     got[0].events, (uint32_t)(expected_events));                       \
		cr_assert_eq(got[0].data.u64, (uint64_t)(expected_tag));                        \
	} while (0)

#define EXPECT_NO_EDGE()                                                                      \
	do {                                                                                  \
		struct epoll_event got[8] = {{0}};                                            \
		int nr_got = source_poll.collect(&source, got, 8);                            \
                                                                                              \
		cr_assert_eq(nr_got, 0, "%d edges, first %#x, not 0", nr_got, got[0].events); \
	} while (0)

static inline void put(int fd, size_t len)
{
	static const char bytes[65536];

	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
}

static inline void take(int fd, size_t len)
{
	static char bytes[65536];

	cr_assert_eq(read(fd, bytes, len), (ssize_t)len);
}

/* Write to @fd until it is full; returns how much that was. */
static inline size_t fill(int fd)
{
	static const char bytes[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	cr_assert_eq(errno, EAGAIN);
	return len;
}

static inline void pipe_open(int fds[2])
{
	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
}

static inline void unix_open(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

/* An inet socket bound to a free port of the loopback; its address in @address. */
static inline int inet_open(int type, struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, type, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static inline int tcp_listen(struct sockaddr_in *address)
{
	int fd = inet_open(SOCK_STREAM, address);

	cr_assert_eq(listen(fd, 16), 0);
	return fd;
}

static inline int tcp_connect(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

/* A connection over the loopback, both ends here. */
static inline void tcp_open(int fds[2])
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address);

	fds[1] = tcp_connect(&address);
	fds[0] = accept(listener, NULL, NULL);
	cr_assert_geq(fds[0], 0);
	close(listener);
}

static inline void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

#endif
