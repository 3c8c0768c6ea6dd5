// SPDX-License-Identifier: MIT
/*
 * edges_inet.c - TCP connections and listeners, UDP, step by step; see edges.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edges.h"

#define LEVELS_ONLY "poll(2) shows levels, an edge is a wakeup"

/* ---- TCP connections --------------------------------------------------- */

/*
 * A segment is dealt with under the lock of its socket, which TCP_INFO takes: once
 * it has wakened anybody and we have had the lock, all is done.
 */
static void segment_await(struct edges_stage *stage)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	edges_await_wakeup(stage);
	MUST(getsockopt(stage->fd, IPPROTO_TCP, TCP_INFO, &info, &length));
}

static void tcp_pair_open(struct edges_stage *stage)
{
	int ends[2];

	tcp_open(ends);
	stage->fd = ends[0];
	stage->peer = ends[1];
}

static void tcp_ready(struct edges_stage *stage)
{
	put(stage->peer, 10);
	segment_await(stage);
}

static void take_some(struct edges_stage *stage)
{
	take(stage->fd, 3);
}

static void tcp_peer_closes(struct edges_stage *stage)
{
	edges_close_peer(stage);
	segment_await(stage);
}

static const struct edges_kind tcp = {
	tcp_pair_open, tcp_ready, take_some, edges_read_all, tcp_peer_closes,
};

CLAIM(a_TCP_connection_by_level)
{
	edges(&tcp, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IR   IR",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   IOR  IOR");
}

CLAIM(a_TCP_connection_by_edge)
{
	edges(&tcp, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IR   -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   IOR  -");
}

CLAIM(a_TCP_connection_by_oneshot)
{
	edges(&tcp, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}

static void tcp_peer_shuts(struct edges_stage *stage)
{
	MUST(shutdown_writing(stage->peer));
	segment_await(stage);
}

static const struct edges_kind tcp_half_closed = {
	tcp_pair_open, tcp_ready, NULL, edges_read_all, tcp_peer_shuts,
};

CLAIM(a_TCP_connection_that_is_half_closed_by_level)
{
	edges(&tcp_half_closed, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    IR   IR",
	      "O    IO   IO   .    O    IO   IO   -    -    IO   .    IO   IOR  IOR");
}

CLAIM(a_TCP_connection_that_is_half_closed_by_edge)
{
	edges(&tcp_half_closed, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    IR   -",
	      "O    IO   IO   .    -    IO   IO   -    -    IO   .    IO   IOR  -");
}

CLAIM(a_TCP_connection_that_is_half_closed_by_oneshot)
{
	edges(&tcp_half_closed, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    -    -",
	      "O    -    -    .    -    -    IO   -    -    IO   .    IO   -    -");
}

static void tcp_peer_resets(struct edges_stage *stage)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	MUST(setsockopt(stage->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	tcp_peer_closes(stage);
}

static const struct edges_kind tcp_reset = {
	tcp_pair_open, tcp_ready, NULL, edges_read_all, tcp_peer_resets,
};

CLAIM(a_TCP_connection_that_is_reset_by_level)
{
	edges(&tcp_reset, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    IRHE IRH",
	      "O    IO   IO   .    O    IO   IO   -    -    IO   .    IO   IORHE IORH");
}

CLAIM(a_TCP_connection_that_is_reset_by_edge)
{
	edges(&tcp_reset, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    IRHE -",
	      "O    IO   IO   .    -    IO   IO   -    -    IO   .    IO   IORHE -");
}

CLAIM(a_TCP_connection_that_is_reset_by_oneshot)
{
	edges(&tcp_reset, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    -    -",
	      "O    -    -    .    -    -    IO   -    -    IO   .    IO   -    -");
}

/* A byte of urgent data, and one that is not. */
static void tcp_urgent_ready(struct edges_stage *stage)
{
	EXPECT_INT(send(stage->peer, "!", 1, MSG_OOB), ==, 1);
	segment_await(stage);
}

static void tcp_take_urgent(struct edges_stage *stage)
{
	char byte;

	EXPECT_INT(recv(stage->fd, &byte, 1, MSG_OOB), ==, 1);
}

static const struct edges_kind tcp_urgent = {
	tcp_pair_open, tcp_urgent_ready, tcp_take_urgent, edges_read_all, tcp_peer_closes,
};

CLAIM(urgent_data_on_a_TCP_connection_by_level)
{
	edges(&tcp_urgent, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    P    P    -    -    P    P    -    -    P    -    -    IR   IR",
	      "O    PO   PO   O    O    PO   PO   -    -    PO   O    O    IOR  IOR");
}

CLAIM(urgent_data_on_a_TCP_connection_by_edge)
{
	edges(&tcp_urgent, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    P    P    -    -    P    P    -    -    P    -    -    IR   -",
	      "O    PO   PO   -    -    PO   PO   -    -    PO   -    O    IOR  -");
}

CLAIM(urgent_data_on_a_TCP_connection_by_oneshot)
{
	edges(&tcp_urgent, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    P    -    -    -    -    P    -    -    P    -    -    IR   -",
	      "O    -    -    -    -    -    PO   -    -    PO   -    O    -    -");
}

/* The peer holds a port, and does not listen. */
static void tcp_refused_open(struct edges_stage *stage)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	stage->fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	stage->peer = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(bind(stage->peer, (struct sockaddr *)&address, sizeof(address)));
}

/* A second attempt is told of the refusal of the first, and makes none. */
static void tcp_refused_connect(struct edges_stage *stage)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	MUST(getsockname(stage->peer, (struct sockaddr *)&address, &length));
	EXPECT_INT(connect(stage->fd, (struct sockaddr *)&address, length), ==, -1);
	if (errno == EINPROGRESS)
		segment_await(stage);
	else
		EXPECT_INT(errno, ==, ECONNREFUSED);
}

static void tcp_take_error(struct edges_stage *stage)
{
	int error;
	socklen_t length = sizeof(error);

	MUST(getsockopt(stage->fd, SOL_SOCKET, SO_ERROR, &error, &length));
}

static const struct edges_kind tcp_refused = {
	tcp_refused_open, tcp_refused_connect, NULL, tcp_take_error, NULL,
};

CLAIM(a_TCP_connection_that_is_refused_by_level)
{
	edges(&tcp_refused, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "H    IRHE H    .    H    IRHE IRHE HE   H    H    .    H    .    H",
	      "OH   IORHE OH   .    OH   IORHE IORHE HE   H    OH   .    OH   .    OH");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_TCP_connection_that_is_refused_by_edge)
{
	edges(&tcp_refused, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "H    IRHE H    .    -    IRHE IRHE HE   H    H    .    H    .    -",
	      "OH   IORHE OH   .    -    IORHE IORHE HE   H    OH   .    OH   .    -");
}

DEVIATION(a_TCP_connection_that_is_refused_by_edge)
{
	edges(&tcp_refused, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "H    IRHE -    .    -    IRHE IRHE HE   -    H    .    H    .    -",
	      "OH   IORHE -    .    -    IORHE IORHE HE   -    OH   .    OH   .    -");
}

CLAIM(a_TCP_connection_that_is_refused_by_oneshot)
{
	edges(&tcp_refused, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "H    -    -    .    -    -    IRHE HE   -    H    .    H    .    -",
	      "OH   -    -    .    -    -    IORHE HE   -    OH   .    OH   .    -");
}

/* ---- a listener -------------------------------------------------------- */

static void tcp_listener_open(struct edges_stage *stage)
{
	uint16_t port;

	stage->fd = tcp_listen(&port);
	stage->count = (uint64_t)port << 16;
}

/* The step counts in the low half, the port is the high half. */
static void tcp_listener_ready(struct edges_stage *stage)
{
	edges_keep(stage, tcp_connect((uint16_t)(stage->count >> 16)));
	edges_await_wakeup(stage);
}

static void accept_one(struct edges_stage *stage)
{
	edges_keep(stage, MUST(accept4(stage->fd, NULL, NULL, SOCK_CLOEXEC)));
}

static void accept_all(struct edges_stage *stage)
{
	int fd;

	while ((fd = accept4(stage->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		edges_keep(stage, fd);
	EXPECT_INT(errno, ==, EAGAIN);
}

static const struct edges_kind tcp_listener = {
	tcp_listener_open, tcp_listener_ready, accept_one, accept_all, NULL,
};

CLAIM(a_TCP_listener_by_level)
{
	edges(&tcp_listener, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -",
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -");
}

CLAIM(a_TCP_listener_by_edge)
{
	edges(&tcp_listener, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -");
}

CLAIM(a_TCP_listener_by_oneshot)
{
	edges(&tcp_listener, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -");
}

/* ---- UDP --------------------------------------------------------------- */

static int udp_socket(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(fd, (struct sockaddr *)address, length));
	MUST(getsockname(fd, (struct sockaddr *)address, &length));
	return fd;
}

static void udp_open(struct edges_stage *stage)
{
	struct sockaddr_in ours, others;

	stage->fd = udp_socket(&ours);
	stage->peer = udp_socket(&others);
	MUST(connect(stage->fd, (struct sockaddr *)&others, sizeof(others)));
	MUST(connect(stage->peer, (struct sockaddr *)&ours, sizeof(ours)));
}

static void udp_ready(struct edges_stage *stage)
{
	for (int i = 0; i < 2; i++) {
		put(stage->peer, 10);
		edges_await_wakeup(stage);
	}
}

/* One datagram of the two. */
static void udp_take_one(struct edges_stage *stage)
{
	take(stage->fd, 10);
}

/* What is sent to nobody is refused, and the sender told. */
static void udp_end(struct edges_stage *stage)
{
	edges_read_all(stage);
	edges_close_peer(stage);
	put(stage->fd, 1);
	edges_await_wakeup(stage);
}

static const struct edges_kind udp = {
	udp_open, udp_ready, udp_take_one, edges_read_all, udp_end,
};

CLAIM(a_UDP_socket_by_level)
{
	edges(&udp, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    E    -",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   OE   O");
}

CLAIM(a_UDP_socket_by_edge)
{
	edges(&udp, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    E    -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   OE   -");
}

CLAIM(a_UDP_socket_by_oneshot)
{
	edges(&udp, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}
