// SPDX-License-Identifier: MIT
/*
 * edges_count.c - eventfd and timerfd, step by step; see edges.h.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "edges.h"

#define LEVELS_ONLY "poll(2) shows levels, an edge is a wakeup"

/* ---- eventfd ----------------------------------------------------------- */

static void counter_open(struct edges_stage *stage)
{
	stage->fd = eventfd_open(0);
}

static void count_up_five(struct edges_stage *stage)
{
	count_up(stage->fd, 5);
}

static const struct edges_kind counter = {
	counter_open, count_up_five, NULL, edges_read_all, NULL,
};

CLAIM(an_eventfd_by_level)
{
	edges(&counter, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -",
	      "O    IO   IO   .    O    IO   IO   -    -    IO   .    IO   .    O");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, an_eventfd_by_edge)
{
	edges(&counter, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -",
	      "O    IO   IO   .    O    IO   IO   -    -    IO   .    IO   .    O");
}

DEVIATION(an_eventfd_by_edge)
{
	edges(&counter, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -",
	      "O    IO   IO   .    O?   IO   IO   -    -    IO   .    IO   .    O?");
}

CLAIM(an_eventfd_by_oneshot)
{
	edges(&counter, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    .    -",
	      "O    -    -    .    -    -    IO   -    -    IO   .    IO   .    -");
}

static void semaphore_open(struct edges_stage *stage)
{
	stage->fd = MUST(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
}

static void take_a_count(struct edges_stage *stage)
{
	count_take(stage->fd);
}

static const struct edges_kind semaphore = {
	semaphore_open, count_up_five, take_a_count, edges_read_all, NULL,
};

CLAIM(a_semaphore_eventfd_by_level)
{
	edges(&semaphore, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    I    -    I    I    -    -    I    I    I    .    -",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   .    O");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_semaphore_eventfd_by_edge)
{
	edges(&semaphore, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -",
	      "O    IO   IO   IO   O    IO   IO   -    -    IO   IO   IO   .    O");
}

DEVIATION(a_semaphore_eventfd_by_edge)
{
	edges(&semaphore, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    -    -    I    I    -    -    I    -    I    .    -",
	      "O    IO   IO   IO   O?   IO   IO   -    -    IO   IO   IO   .    O?");
}

CLAIM(a_semaphore_eventfd_by_oneshot)
{
	edges(&semaphore, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    -    -    -    I    -    -    I    -    I    .    -",
	      "O    -    -    -    -    -    IO   -    -    IO   -    IO   .    -");
}

#define COUNT_MAX (UINT64_MAX - 1)

/* There is room to count up in by all that is read, which is the whole count. */
static void full_counter_open(struct edges_stage *stage)
{
	stage->fd = eventfd_open(0);
	count_up(stage->fd, COUNT_MAX);
}

static void count_up_one(struct edges_stage *stage)
{
	count_up(stage->fd, 1);
}

/* By small steps in the end: how far it has counted is not known. */
static void count_up_fully(struct edges_stage *stage)
{
	uint64_t n;

	n = COUNT_MAX - 8;
	if (write(stage->fd, &n, sizeof(n)) < 0)
		EXPECT_INT(errno, ==, EAGAIN);
	n = 1;
	while (write(stage->fd, &n, sizeof(n)) > 0)
		;
	EXPECT_INT(errno, ==, EAGAIN);
}

static const struct edges_kind full_counter = {
	full_counter_open, edges_read_all, count_up_one, count_up_fully, NULL,
};

CLAIM(a_full_eventfd_by_level)
{
	edges(&full_counter, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "I    -    -    I    I    -    -    -    -    -    I    I    .    I",
	      "I    O    O    IO   I    O    O    -    -    O    IO   IO   .    I");
}

CLAIM(a_full_eventfd_by_edge)
{
	edges(&full_counter, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "I    -    -    I    I    -    -    -    -    -    I    I    .    I",
	      "I    O    -    IO   I    O    O    -    -    O    IO   IO   .    I");
}

CLAIM(a_full_eventfd_by_oneshot)
{
	edges(&full_counter, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "I    -    -    -    -    -    -    -    -    -    I    I    .    -",
	      "I    -    -    -    -    -    O    -    -    O    -    IO   .    -");
}

/* ---- timerfd ----------------------------------------------------------- */

static void timer_open(struct edges_stage *stage)
{
	stage->fd = timerfd_open();
}

static void timer_expire(struct edges_stage *stage)
{
	timerfd_set(stage->fd, 1);
	edges_await_wakeup(stage);
}

static const struct edges_kind timer = {
	timer_open, timer_expire, NULL, edges_read_all, NULL,
};

CLAIM(a_timerfd_by_level)
{
	edges(&timer, 0,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -",
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -");
}

CLAIM_EXCEPT("poll", LEVELS_ONLY, a_timerfd_by_edge)
{
	edges(&timer, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -",
	      "-    I    I    .    -    I    I    -    -    I    .    I    .    -");
}

DEVIATION(a_timerfd_by_edge)
{
	edges(&timer, EPOLLET,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    I    I    -    -    I    .    I    .    -",
	      "-    I    -    .    -    I    I    -    -    I    .    I    .    -");
}

CLAIM(a_timerfd_by_oneshot)
{
	edges(&timer, EPOLLONESHOT,
	      /*ADD  rdy  rdy  use  out  rdy  MOD  off  rdy  on   use  new  end  out */
	      "-    I    -    .    -    -    I    -    -    I    .    I    .    -",
	      "-    I    -    .    -    -    I    -    -    I    .    I    .    -");
}
