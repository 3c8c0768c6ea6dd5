// SPDX-License-Identifier: MIT
/*
 * files.c - what cases watch: sockets with two ends, or with none.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

void open_pairs(struct bench *b, int nr)
{
	for (int i = 0; i < nr; i++) {
		int ends[2];

		MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
		b->in[i] = ends[0];
		b->out[i] = ends[1];
	}
	b->nr = nr;
}

int tcp_listen(uint16_t *port_ret)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(fd, (struct sockaddr *)&address, length));
	MUST(listen(fd, 1024));
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	*port_ret = ntohs(address.sin_port);
	return fd;
}

int tcp_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

void open_tcp_pairs(struct bench *b, int nr)
{
	uint16_t port;
	int one = 1;

	b->listener = tcp_listen(&port);
	for (int i = 0; i < nr; i++) {
		b->out[i] = tcp_connect(port);
		MUST(setsockopt(b->out[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
		b->in[i] = MUST(accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	}
	b->nr = nr;
}

void open_quiet(struct bench *b, int from, int to)
{
	for (int i = from; i < to; i++)
		b->in[i] = MUST(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	b->nr = to;
}

void put(const struct bench *b, int i)
{
	MUST_BE(write(b->out[i], "", 1), 1);
}

void take(const struct bench *b, int i)
{
	char byte;

	MUST_BE(read(b->in[i], &byte, 1), 1);
}

void control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	MUST(epoll_ctl(epfd, op, fd, &event));
}

void watch(struct bench *b, int from, int to, uint32_t events)
{
	if (!b->epfd)
		b->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	for (int i = from; i < to; i++)
		control(b->epfd, EPOLL_CTL_ADD, b->in[i], events, (uint64_t)i);
}

void shuffle(struct bench *b, int nr)
{
	uint64_t state = 88172645463325252u;

	for (int i = 0; i < nr; i++)
		b->order[i] = i;
	for (int i = nr - 1; i > 0; i--) {
		int j, old = b->order[i];

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		j = (int)(state % (unsigned int)(i + 1));
		b->order[i] = b->order[j];
		b->order[j] = old;
	}
}

/* Descriptor 0 is never one of ours: it is what we were started with. */
static void close_one(int *fd)
{
	if (*fd > 0)
		MUST(close(*fd));
	*fd = 0;
}

void bench_close_all(struct bench *b)
{
	close_one(&b->epfd);
	close_one(&b->inner);
	close_one(&b->listener);
	for (int i = 0; i < BENCH_FILES_MAX; i++) {
		close_one(&b->in[i]);
		close_one(&b->out[i]);
	}
}
