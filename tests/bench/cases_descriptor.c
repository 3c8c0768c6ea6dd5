// SPDX-License-Identifier: MIT
/*
 * cases_descriptor.c - calls that are intercepted only to be passed on, in a program with
 * an eventpoll and in one that never had any.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define NR_NEW 500

static void open_one(struct bench *b)
{
	open_pairs(b, 1);
	watch(b, 0, 1, EPOLLIN);
}

static void run_close(struct bench *b, long nr_times)
{
	for (; nr_times > 0; nr_times -= NR_NEW) {
		bench_pause();
		for (int i = 1; i <= NR_NEW; i++)
			b->in[i] = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
		bench_go();
		for (int i = 1; i <= NR_NEW; i++) {
			MUST(close(b->in[i]));
			b->in[i] = 0;
		}
	}
}

static void run_dup_unwatched(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST(close(MUST(dup(b->out[0]))));
}

static void run_dup_watched(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST(close(MUST(dup(b->in[0]))));
}

/* ---- no eventpoll at all ----------------------------------------------- */

static void open_nothing(struct bench *b)
{
	open_pairs(b, 1);
}

static void run_write_read(struct bench *b, long nr_times)
{
	while (nr_times--) {
		put(b, 0);
		take(b, 0);
	}
}

static void run_poll(struct bench *b, long nr_times)
{
	struct pollfd pollfd = {.fd = b->in[0], .events = POLLIN};

	while (nr_times--)
		MUST_BE(poll(&pollfd, 1, 0), 0);
}

static void run_fcntl(struct bench *b, long nr_times)
{
	while (nr_times--)
		MUST(fcntl(b->in[0], F_GETFL));
}

static void run_syscall(struct bench *b, long nr_times)
{
	(void)b;
	while (nr_times--)
		MUST(syscall(SYS_getppid));
}

const struct bench_case descriptor_cases[] = {
	{"micro", "close, unwatched", BENCH_CPU, NR_NEW, open_one, run_close, NULL},
	{"micro", "dup + close, unwatched", BENCH_CPU, 0, open_one, run_dup_unwatched, NULL},
	{"micro", "dup + close, watched", BENCH_CPU, 0, open_one, run_dup_watched, NULL},
	{"nothing", "no epoll: write + read", BENCH_CPU, 0, open_nothing, run_write_read, NULL},
	{"nothing", "no epoll: dup + close", BENCH_CPU, 0, open_nothing, run_dup_unwatched, NULL},
	{"nothing", "no epoll: poll", BENCH_CPU, 0, open_nothing, run_poll, NULL},
	{"nothing", "no epoll: fcntl", BENCH_CPU, 0, open_nothing, run_fcntl, NULL},
	{"nothing", "no epoll: syscall", BENCH_CPU, 0, open_nothing, run_syscall, NULL},
	{0},
};
