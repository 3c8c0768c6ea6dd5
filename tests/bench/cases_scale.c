// SPDX-License-Identifier: MIT
/*
 * cases_scale.c - the same with few watches and with many, of which ten are active.
 *
 *	t0 -(ew)-> e0 -(lt)-> s0 ... s9 (active), s10 ... sN (quiet)
 */
#include <unistd.h>

#include "bench.h"

#define NR_ACTIVE 10

static void open_scale(struct bench *b)
{
	int nr = b->nr;

	open_pairs(b, NR_ACTIVE);
	if (nr > NR_ACTIVE)
		open_quiet(b, NR_ACTIVE, nr);
	watch(b, 0, b->nr, EPOLLIN);
	shuffle(b, b->nr);
}

static void open_scale_ready(struct bench *b)
{
	open_scale(b);
	for (int i = 0; i < NR_ACTIVE; i++)
		put(b, i);
}

/* A turn of a server: all ten have something, are told, read and served. */
static void run_turn(struct bench *b, long nr_times)
{
	while (nr_times--) {
		for (int i = 0; i < NR_ACTIVE; i++)
			put(b, i);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, -1), NR_ACTIVE);
		for (int i = 0; i < NR_ACTIVE; i++)
			take(b, i);
	}
}

static void run_wait(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), NR_ACTIVE);
}

static void run_idle(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 0);
}

static void run_mod(struct bench *b, long nr_times)
{
	while (nr_times--) {
		int i = draw(b, b->nr);

		control(b->epfd, EPOLL_CTL_MOD, b->in[i], toggled(b->pass), (uint64_t)i);
	}
}

/* Each has been writable and not before: the first time costs more, and only once. */
static void open_mod(struct bench *b)
{
	open_scale(b);
	run_mod(b, 2L * b->nr);
}

static void run_del_add(struct bench *b, long nr_times)
{
	while (nr_times--) {
		int i = draw(b, b->nr);

		control(b->epfd, EPOLL_CTL_DEL, b->in[i], 0, 0);
		control(b->epfd, EPOLL_CTL_ADD, b->in[i], EPOLLIN, (uint64_t)i);
	}
}

const struct bench_case scale_cases[] = {
	{"scale", "idle wait", BENCH_CPU, 0, open_scale, run_idle, NULL},
	{"scale", "wait, ten ready", BENCH_CPU, 0, open_scale_ready, run_wait, NULL},
	{"scale", "turn of a server, ten served", BENCH_CPU, 0, open_scale, run_turn, NULL},
	{"scale", "MOD of any", BENCH_CPU, 0, open_mod, run_mod, NULL},
	{"scale", "DEL + ADD of any", BENCH_CPU, 0, open_scale, run_del_add, NULL},
	{0},
};
