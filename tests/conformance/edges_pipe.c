// SPDX-License-Identifier: MIT
/*
 * edges_pipe.c - pipes, FIFOs and ttys, step by step; see edges.h.
 */
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "edges.h"

#define PAGE 4096

/* ---- what several kinds do --------------------------------------------- */

static void peer_puts(struct edges_stage *stage)
{
	put(stage->peer, 10);
}

static void take_some(struct edges_stage *stage)
{
	take(stage->fd, 3);
}

static void fill_up(struct edges_stage *stage)
{
	if (stage->peer >= 0)
		fill(stage->fd);
}

/* ---- a pipe ------------------------------------------------------------ */

static void pipe_reader_open(struct edges_stage *stage)
{
	int ends[2];

	pipe_open(ends);
	stage->fd = ends[0];
	stage->peer = ends[1];
}

static const struct edges_kind pipe_reader = {
	pipe_reader_open, peer_puts, take_some, edges_read_all, edges_close_peer,
};

CLAIM(the_reading_end_of_a_pipe_by_level)
{
	edges(&pipe_reader, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IH   H",
	      "-    I    I    I    -    I    I    -    -    I    I    I    IH   H");
}

CLAIM(the_reading_end_of_a_pipe_by_edge)
{
	edges(&pipe_reader, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IH   -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    IH   -");
}

CLAIM(the_reading_end_of_a_pipe_by_oneshot)
{
	edges(&pipe_reader, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -");
}

static void pipe_writer_open(struct edges_stage *stage)
{
	int ends[2];

	pipe_open(ends);
	stage->fd = ends[1];
	stage->peer = ends[0];
	fill(stage->fd);
}

static void peer_takes_two_pages(struct edges_stage *stage)
{
	take(stage->peer, 2 * PAGE);
}

static void put_a_page(struct edges_stage *stage)
{
	put(stage->fd, PAGE);
}

static const struct edges_kind pipe_writer = {
	pipe_writer_open, peer_takes_two_pages, put_a_page, fill_up, edges_close_peer,
};

CLAIM(the_writing_end_of_a_pipe_by_level)
{
	edges(&pipe_writer, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    E    E",
	      "-    O    O    O    -    O    O    -    -    O    O    O    OE   OE");
}

CLAIM(the_writing_end_of_a_pipe_by_edge)
{
	edges(&pipe_writer, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    E    -",
	      "-    O    -    -    -    O    O    -    -    O    -    O    OE   -");
}

CLAIM(the_writing_end_of_a_pipe_by_oneshot)
{
	edges(&pipe_writer, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    -    -    -    -    -    -    -    -    -    -    -    E    -",
	      "-    O    -    -    -    -    O    -    -    O    -    O    -    -");
}

/* ---- a FIFO ------------------------------------------------------------ */

static void fifo_open(struct edges_stage *stage)
{
	char path[80];

	snprintf(path, sizeof(path), "/tmp/conformance-%d", (int)getpid());
	MUST(mkfifo(path, 0600));
	stage->fd = MUST(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	stage->peer = MUST(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	MUST(unlink(path));
}

static const struct edges_kind fifo = {
	fifo_open, peer_puts, take_some, edges_read_all, edges_close_peer,
};

CLAIM(a_FIFO_by_level)
{
	edges(&fifo, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IH   H",
	      "-    I    I    I    -    I    I    -    -    I    I    I    IH   H");
}

CLAIM(a_FIFO_by_edge)
{
	edges(&fifo, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IH   -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    IH   -");
}

CLAIM(a_FIFO_by_oneshot)
{
	edges(&fifo, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -");
}

/* ---- a tty ------------------------------------------------------------- */

static void tty_open(int *primary, int *replica)
{
	struct termios raw;

	MUST(openpty(primary, replica, NULL, NULL, NULL));
	MUST(tcgetattr(*replica, &raw));
	cfmakeraw(&raw);
	MUST(tcsetattr(*replica, TCSANOW, &raw));
	MUST(fcntl(*primary, F_SETFL, O_RDWR | O_NONBLOCK));
	MUST(fcntl(*replica, F_SETFL, O_RDWR | O_NONBLOCK));
}

static void tty_replica_open(struct edges_stage *stage)
{
	tty_open(&stage->peer, &stage->fd);
}

static void tty_primary_open(struct edges_stage *stage)
{
	tty_open(&stage->fd, &stage->peer);
}

/* The line discipline gets it from a kernel thread. */
static void tty_ready(struct edges_stage *stage)
{
	put(stage->peer, 10);
	edges_await_wakeup(stage);
}

static void tty_end(struct edges_stage *stage)
{
	edges_close_peer(stage);
	edges_await_wakeup(stage);
}

static const struct edges_kind tty_replica = {
	tty_replica_open, tty_ready, take_some, edges_read_all, tty_end,
};

CLAIM(the_replica_side_of_a_tty_by_level)
{
	edges(&tty_replica, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IHE  IHE",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   IOHE IOHE");
}

CLAIM(the_replica_side_of_a_tty_by_edge)
{
	edges(&tty_replica, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IHE  -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   IOHE -");
}

CLAIM(the_replica_side_of_a_tty_by_oneshot)
{
	edges(&tty_replica, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}

static const struct edges_kind tty_primary = {
	tty_primary_open, tty_ready, take_some, edges_read_all, tty_end,
};

CLAIM(the_primary_side_of_a_tty_by_level)
{
	edges(&tty_primary, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    IH   H",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   IOH  OH");
}

CLAIM(the_primary_side_of_a_tty_by_edge)
{
	edges(&tty_primary, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    IH   -",
	      "O    IO   IO   -    -    IO   IO   -    -    IO   -    IO   IOH  -");
}

CLAIM(the_primary_side_of_a_tty_by_oneshot)
{
	edges(&tty_primary, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   -    -");
}
