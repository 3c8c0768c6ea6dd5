// SPDX-License-Identifier: MIT
/*
 * edges_unix.c - unix sockets and listeners, step by step; see edges.h.
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "edges.h"

#define LEVELS_ONLY "poll(2) shows levels, an edge is a wakeup"

#define PAGE 4096

/* ---- sockets ----------------------------------------------------------- */

static void peer_puts(struct edges_stage *stage)
{
	put(stage->peer, 10);
}

static void take_some(struct edges_stage *stage)
{
	take(stage->fd, 3);
}

static void pair_open(struct edges_stage *stage, int type)
{
	int ends[2];

	MUST(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	stage->fd = ends[0];
	stage->peer = ends[1];
}

static void unix_stream_open(struct edges_stage *stage)
{
	pair_open(stage, SOCK_STREAM);
}

static const struct edges_kind unix_stream = {
	unix_stream_open, peer_puts, take_some, edges_read_all, edges_close_peer,
};

CLAIM(a_unix_stream_by_level)
{
	edges(&unix_stream, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IRH  IRH",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   IORH IORH");
}

CLAIM(a_unix_stream_by_edge)
{
	edges(&unix_stream, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IRH  -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   IORH -");
}

CLAIM(a_unix_stream_by_oneshot)
{
	edges(&unix_stream, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}

static void unix_stream_full_open(struct edges_stage *stage)
{
	unix_stream_open(stage);
	fill(stage->fd);
}

static void put_a_page(struct edges_stage *stage)
{
	put(stage->fd, PAGE);
}

static void fill_up(struct edges_stage *stage)
{
	if (stage->peer >= 0)
		fill(stage->fd);
}

static void peer_takes_all(struct edges_stage *stage)
{
	drain(stage->peer);
}

static const struct edges_kind unix_stream_full = {
	unix_stream_full_open, peer_takes_all, put_a_page, fill_up, edges_close_peer,
};

CLAIM(a_full_unix_stream_by_level)
{
	edges(&unix_stream_full, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    IRHE IRHE",
	      "-    O    O    O    -    O    O    -    -    O    O    O    IORHE IORHE");
}

CLAIM(a_full_unix_stream_by_edge)
{
	edges(&unix_stream_full, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    IRHE -",
	      "-    O    -    -    -    O    O    -    -    O    -    O    IORHE -");
}

CLAIM(a_full_unix_stream_by_oneshot)
{
	edges(&unix_stream_full, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    IRHE -",
	      "-    O    -    -    -    -    O    -    -    O    -    O    -    -");
}

static void unix_dgram_open(struct edges_stage *stage)
{
	pair_open(stage, SOCK_DGRAM);
}

static const struct edges_kind unix_dgram = {
	unix_dgram_open, peer_puts, NULL, edges_read_all, edges_close_peer,
};

CLAIM(a_unix_dgram_socket_by_level)
{
	edges(&unix_dgram, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    I    -",
	      "O    IO   IO   .    O    IO   IO   -    -    IO   .    IO   IO   O");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_unix_dgram_socket_by_edge)
{
	edges(&unix_dgram, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    -    -",
	      "O    IO   IO   .    -    IO   IO   -    -    IO   .    IO   -    -");
}

DEVIATION(a_unix_dgram_socket_by_edge)
{
	edges(&unix_dgram, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    I    I    -    -    I    .    I    -    -",
	      "O    IO   -    .    -    IO   IO   -    -    IO   .    IO   -    -");
}

CLAIM(a_unix_dgram_socket_by_oneshot)
{
	edges(&unix_dgram, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    -    -",
	      "O    -    -    .    -    -    IO   -    -    IO   .    IO   -    -");
}

static void unix_seqpacket_open(struct edges_stage *stage)
{
	pair_open(stage, SOCK_SEQPACKET);
}

/* A message of two, of which one is taken. */
static void take_one(struct edges_stage *stage)
{
	take(stage->fd, 10);
}

static void peer_puts_two(struct edges_stage *stage)
{
	put(stage->peer, 10);
	put(stage->peer, 10);
}

static const struct edges_kind unix_seqpacket = {
	unix_seqpacket_open, peer_puts_two, take_one, edges_read_all, edges_close_peer,
};

CLAIM(a_unix_seqpacket_socket_by_level)
{
	edges(&unix_seqpacket, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IRH  IRH",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   IORH IORH");
}

CLAIM(a_unix_seqpacket_socket_by_edge)
{
	edges(&unix_seqpacket, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IRH  -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   IORH -");
}

CLAIM(a_unix_seqpacket_socket_by_oneshot)
{
	edges(&unix_seqpacket, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}

/* ---- a listener -------------------------------------------------------- */

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

static void unix_listener_open(struct edges_stage *stage)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX}; /* the kernel finds a name */

	stage->fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	MUST(bind(stage->fd, (struct sockaddr *)&any, offsetof(struct sockaddr_un, sun_path)));
	MUST(listen(stage->fd, 16));
}

static void unix_listener_ready(struct edges_stage *stage)
{
	int client = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_un address;
	socklen_t length = sizeof(address);

	MUST(getsockname(stage->fd, (struct sockaddr *)&address, &length));
	MUST(connect(client, (struct sockaddr *)&address, length));
	edges_keep(stage, client);
}

static const struct edges_kind unix_listener = {
	unix_listener_open, unix_listener_ready, accept_one, accept_all, NULL,
};

CLAIM(a_unix_listener_by_level)
{
	edges(&unix_listener, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -",
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_unix_listener_by_edge)
{
	edges(&unix_listener, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -");
}

DEVIATION(a_unix_listener_by_edge)
{
	edges(&unix_listener, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    I    I    -    -    I    -    I    .    -",
	      "-    I    -    -    -    I    I    -    -    I    -    I    .    -");
}

CLAIM(a_unix_listener_by_oneshot)
{
	edges(&unix_listener, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -");
}
