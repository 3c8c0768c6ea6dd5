// SPDX-License-Identifier: MIT
/*
 * edges_special.c - signalfd, inotify, pidfd and eventpolls, step by step; see edges.h.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edges.h"

#define LEVELS_ONLY "poll(2) shows levels, an edge is a wakeup"

/* ---- signalfd ---------------------------------------------------------- */

static void signals_open(struct edges_stage *stage)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int i = 0; i < EDGES_OTHERS_MAX; i++)
		sigaddset(&mask, SIGRTMIN + i);
	MUST(sigprocmask(SIG_BLOCK, &mask, NULL));
	stage->fd = MUST(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
}

/* To the process; those of a thread are a matter of who asks. */
static void signals_send(struct edges_stage *stage)
{
	MUST(kill(getpid(), SIGRTMIN + (int)stage->count));
	MUST(kill(getpid(), SIGRTMIN + (int)stage->count));
}

static void signals_take_one(struct edges_stage *stage)
{
	take(stage->fd, sizeof(struct signalfd_siginfo));
}

static const struct edges_kind signals = {
	signals_open, signals_send, signals_take_one, edges_read_all, NULL,
};

CLAIM(a_signalfd_by_level)
{
	edges(&signals, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -",
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_signalfd_by_edge)
{
	edges(&signals, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -");
}

DEVIATION(a_signalfd_by_edge)
{
	edges(&signals, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    I    I    -    -    I    -    I    .    -",
	      "-    I    -    -    -    I    I    -    -    I    -    I    .    -");
}

CLAIM(a_signalfd_by_oneshot)
{
	edges(&signals, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -");
}

/* ---- inotify ----------------------------------------------------------- */

static void notify_open(struct edges_stage *stage)
{
	char path[] = "/tmp/conformance-XXXXXX";

	stage->peer = MUST(mkostemp(path, O_CLOEXEC));
	stage->fd = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	MUST(inotify_add_watch(stage->fd, path, IN_MODIFY | IN_ATTRIB));
	MUST(unlink(path));
	edges_read_all(stage); /* the link is an attribute */
}

/* Two that are not the same: those would be one. */
static void notify_ready(struct edges_stage *stage)
{
	put(stage->peer, 1);
	MUST(fchmod(stage->peer, 0600));
}

/* The last link and descriptor gone, the watch is. */
static const struct edges_kind notify = {
	notify_open, notify_ready, NULL, edges_read_all, edges_close_peer,
};

CLAIM(an_inotify_descriptor_by_level)
{
	edges(&notify, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    I    -",
	      "-    I    I    .    -    I    I    -    -    I    .    I    I    -");
}

CLAIM(an_inotify_descriptor_by_edge)
{
	edges(&notify, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    I    -",
	      "-    I    I    .    -    I    I    -    -    I    .    I    I    -");
}

CLAIM(an_inotify_descriptor_by_oneshot)
{
	edges(&notify, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    -    -",
	      "-    I    -    .    -    -    I    -    -    I    .    I    -    -");
}

/* ---- pidfd ------------------------------------------------------------- */

static void process_open(struct edges_stage *stage)
{
	struct gate gate;
	pid_t pid;

	gate_open(&gate);
	CHILD(pid)
	{
		gate_wait(&gate);
	}
	stage->fd = MUST(pidfd_open(pid, 0));
	stage->peer = gate.ends[1];
	edges_keep(stage, gate.ends[0]);
}

/* It ends once. */
static void process_ready(struct edges_stage *stage)
{
	if (stage->count > 1)
		return;
	EXPECT_INT(write(stage->peer, "", 1), ==, 1);
	edges_await_wakeup(stage);
}

/* There is more to show then, not less; a second time there is nobody to reap. */
static void process_reap(struct edges_stage *stage)
{
	siginfo_t info;

	if (waitid(P_PIDFD, (id_t)stage->fd, &info, WEXITED | WNOHANG) < 0)
		EXPECT_INT(errno, ==, ECHILD);
}

static const struct edges_kind process = {
	process_open, process_ready, NULL, process_reap, NULL,
};

CLAIM(a_pidfd_by_level)
{
	edges(&process, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    IH   IH   IH   H    H    IH   .    IH   .    IH",
	      "-    I    I    .    IH   IH   IH   H    H    IH   .    IH   .    IH");
}

CLAIM(a_pidfd_by_edge)
{
	edges(&process, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    IH   -    IH   H    -    IH   .    IH   .    -",
	      "-    I    -    .    IH   -    IH   H    -    IH   .    IH   .    -");
}

CLAIM(a_pidfd_by_oneshot)
{
	edges(&process, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    IH   H    -    IH   .    IH   .    -",
	      "-    I    -    .    -    -    IH   H    -    IH   .    IH   .    -");
}

/* ---- an eventpoll ------------------------------------------------------ */

/* fd -(lt)-> pipe */
static void eventpoll_open(struct edges_stage *stage)
{
	int ends[2];

	pipe_open(ends);
	stage->fd = epoll_open();
	stage->peer = ends[1];
	edges_keep(stage, ends[0]);
	watch(stage->fd, ends[0], EPOLLIN, 1);
}

static void eventpoll_ready(struct edges_stage *stage)
{
	put(stage->peer, 10);
}

static void eventpoll_use(struct edges_stage *stage)
{
	take(stage->others[0], 3);
}

static void eventpoll_exhaust(struct edges_stage *stage)
{
	drain(stage->others[0]);
}

static const struct edges_kind eventpoll = {
	eventpoll_open, eventpoll_ready, eventpoll_use, eventpoll_exhaust, edges_close_peer,
};

CLAIM(an_eventpoll_by_level)
{
	edges(&eventpoll, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    I    I",
	      "-    I    I    I    -    I    I    -    -    I    I    I    I    I");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, an_eventpoll_by_edge)
{
	edges(&eventpoll, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    I    -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    I    -");
}

DEVIATION(an_eventpoll_by_edge)
{
	edges(&eventpoll, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    I    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    I    I    -    -    I    -    I    -    -");
}

CLAIM(an_eventpoll_by_oneshot)
{
	edges(&eventpoll, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -");
}

/* fd -(et)-> pipe; what is taken are events */
static void edge_eventpoll_open(struct edges_stage *stage)
{
	eventpoll_open(stage);
	rewatch(stage->fd, stage->others[0], EPOLLIN | EPOLLET, 1);
}

static void edge_eventpoll_exhaust(struct edges_stage *stage)
{
	flush(stage->fd);
}

static const struct edges_kind edge_eventpoll = {
	edge_eventpoll_open,	eventpoll_ready,  eventpoll_use,
	edge_eventpoll_exhaust, edges_close_peer,
};

CLAIM(an_eventpoll_of_edges_by_level)
{
	edges(&edge_eventpoll, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    I    -",
	      "-    I    I    I    -    I    I    -    -    I    I    I    I    -");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, an_eventpoll_of_edges_by_edge)
{
	edges(&edge_eventpoll, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    I    -",
	      "-    I    I    -    -    I    I    -    -    I    -    I    I    -");
}

DEVIATION(an_eventpoll_of_edges_by_edge)
{
	edges(&edge_eventpoll, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    I    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    I    I    -    -    I    -    I    -    -");
}

CLAIM(an_eventpoll_of_edges_by_oneshot)
{
	edges(&edge_eventpoll, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -",
	      "-    I    -    -    -    -    I    -    -    I    -    I    -    -");
}
