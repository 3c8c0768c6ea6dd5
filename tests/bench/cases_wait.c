// SPDX-License-Identifier: MIT
/*
 * cases_wait.c - waits of one thread that never sleeps.
 *
 *	t0 -(ew)-> e0 -(lt)-> s0 ... sN
 */
#include <unistd.h>

#include "bench.h"

/* ---- so many of so many are ready -------------------------------------- */

static void open_idle(struct bench *b)
{
	open_pairs(b, 1);
	watch(b, 0, 1, EPOLLIN);
}

static void run_idle(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 0);
}

static void make_all_ready(struct bench *b)
{
	for (int i = 0; i < b->nr; i++)
		put(b, i);
	watch(b, 0, b->nr, EPOLLIN);
}

static void open_1_ready(struct bench *b)
{
	open_pairs(b, 1);
	make_all_ready(b);
}

static void open_50_ready(struct bench *b)
{
	open_pairs(b, 50);
	make_all_ready(b);
}

static void open_50_ready_tcp(struct bench *b)
{
	open_tcp_pairs(b, 50);
	make_all_ready(b);
}

static void open_1000_ready(struct bench *b)
{
	open_pairs(b, 1000);
	make_all_ready(b);
}

static void run_all_ready(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST_BE(epoll_wait(b->epfd, b->events, BENCH_EVENTS_MAX, 0), b->nr);
}

static void run_first_ready(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST_BE(epoll_wait(b->epfd, b->events, 1, 0), 1);
}

/* ---- t0 -(ew)-> e0 -(lt)-> e1 -(lt)-> s0 ------------------------------- */

static void open_nested(struct bench *b)
{
	open_pairs(b, 1);
	b->inner = MUST(epoll_create1(EPOLL_CLOEXEC));
	b->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	control(b->epfd, EPOLL_CTL_ADD, b->inner, EPOLLIN, 1);
	control(b->inner, EPOLL_CTL_ADD, b->in[0], EPOLLIN, 2);
}

static void run_nested(struct bench *b, long nr_times)
{
	while (nr_times--) {
		put(b, 0);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 1);
		MUST_BE(b->events[0].data.u64, 1);
		MUST_BE(epoll_wait(b->inner, b->events, 64, 0), 1);
		MUST_BE(b->events[0].data.u64, 2);
		take(b, 0);
	}
}

/* ---- a byte there, an event here --------------------------------------- */

static void open_edge(struct bench *b)
{
	open_pairs(b, 1);
	watch(b, 0, 1, EPOLLIN | EPOLLET);
}

static void run_ping_pong(struct bench *b, long nr_times)
{
	while (nr_times--) {
		put(b, 0);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, -1), 1);
		take(b, 0);
	}
}

const struct bench_case wait_cases[] = {
	{"micro", "wait, idle", BENCH_CPU, 0, open_idle, run_idle, NULL},
	{"micro", "wait, 1 level-ready", BENCH_CPU, 0, open_1_ready, run_all_ready, NULL},
	{"micro", "wait, 50 level-ready", BENCH_CPU, 0, open_50_ready, run_all_ready, NULL},
	{"micro", "wait, 50 level-ready, TCP", BENCH_CPU, 0, open_50_ready_tcp, run_all_ready,
	 NULL},
	{"micro", "wait, 1,000 level-ready", BENCH_CPU, 0, open_1000_ready, run_all_ready, NULL},
	{"micro", "wait for 1, 1,000 level-ready", BENCH_CPU, 0, open_1000_ready, run_first_ready,
	 NULL},
	{"micro", "nested two deep, level", BENCH_CPU, 0, open_nested, run_nested, NULL},
	{"micro", "ping-pong, level", BENCH_CPU, 0, open_idle, run_ping_pong, NULL},
	{"micro", "ping-pong, edge", BENCH_CPU, 0, open_edge, run_ping_pong, NULL},
	{0},
};
