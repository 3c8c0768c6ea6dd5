// SPDX-License-Identifier: MIT
/*
 * cases_control.c - epoll_ctl, alone and between waits.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define NR_RANDOM  10000
#define NR_ONESHOT 1000
#define NR_NEW	   500
#define NR_CLIENTS 64

/* ---- MOD --------------------------------------------------------------- */

static void open_one(struct bench *b)
{
	open_pairs(b, 1);
	watch(b, 0, 1, EPOLLIN);
}

static void run_mod(struct bench *b, long nr_times)
{
	while (nr_times--)
		control(b->epfd, EPOLL_CTL_MOD, b->in[0], toggled(nr_times), 0);
}

static void run_mod_random(struct bench *b, long nr_times)
{
	while (nr_times--) {
		int i = draw(b, NR_RANDOM);

		control(b->epfd, EPOLL_CTL_MOD, b->in[i], toggled(b->pass), (uint64_t)i);
	}
}

/* Each has been writable and not before: the first time costs more, and only once. */
static void open_random(struct bench *b)
{
	open_quiet(b, 0, NR_RANDOM);
	watch(b, 0, NR_RANDOM, EPOLLIN);
	shuffle(b, NR_RANDOM);
	run_mod_random(b, 2L * NR_RANDOM);
}

/* One turn of a libevent-style loop: ask for room, be told, ask no more, look. */
static void run_mod_and_wait(struct bench *b, long nr_times)
{
	while (nr_times--) {
		control(b->epfd, EPOLL_CTL_MOD, b->in[0], EPOLLIN | EPOLLOUT, 0);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 1);
		control(b->epfd, EPOLL_CTL_MOD, b->in[0], EPOLLIN, 0);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 0);
	}
}

/* ---- EPOLLONESHOT ------------------------------------------------------ */

static void open_oneshot(struct bench *b)
{
	open_pairs(b, 1);
	put(b, 0);
	watch(b, 0, 1, EPOLLIN | EPOLLONESHOT);
}

static void run_oneshot(struct bench *b, long nr_times)
{
	while (nr_times--) {
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 1);
		control(b->epfd, EPOLL_CTL_MOD, b->in[0], EPOLLIN | EPOLLONESHOT, 0);
	}
}

static void open_oneshots(struct bench *b)
{
	open_pairs(b, NR_ONESHOT);
	for (int i = 0; i < NR_ONESHOT; i++)
		put(b, i);
	watch(b, 0, NR_ONESHOT, EPOLLIN | EPOLLONESHOT);
}

static void run_rearm(struct bench *b, long nr_times)
{
	for (; nr_times > 0; nr_times -= NR_ONESHOT) {
		bench_pause();
		MUST_BE(epoll_wait(b->epfd, b->events, BENCH_EVENTS_MAX, 0), NR_ONESHOT);
		bench_go();
		for (int i = 0; i < NR_ONESHOT; i++)
			control(b->epfd, EPOLL_CTL_MOD, b->in[i], EPOLLIN | EPOLLONESHOT,
				(uint64_t)i);
	}
}

/* ---- DEL and ADD ------------------------------------------------------- */

static void run_del_add(struct bench *b, long nr_times)
{
	while (nr_times--) {
		control(b->epfd, EPOLL_CTL_DEL, b->in[0], 0, 0);
		control(b->epfd, EPOLL_CTL_ADD, b->in[0], EPOLLIN, 0);
	}
}

static void run_del_add_wait(struct bench *b, long nr_times)
{
	while (nr_times--) {
		control(b->epfd, EPOLL_CTL_DEL, b->in[0], 0, 0);
		control(b->epfd, EPOLL_CTL_ADD, b->in[0], EPOLLIN, 0);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, 0), 0);
	}
}

static int new_socket(void)
{
	return MUST(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int new_eventfd(void)
{
	return MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static void add_and_close(struct bench *b, long nr_times, int (*new_file)(void))
{
	for (; nr_times > 0; nr_times -= NR_NEW) {
		bench_pause();
		for (int i = 1; i <= NR_NEW; i++)
			b->in[i] = new_file();
		bench_go();
		for (int i = 1; i <= NR_NEW; i++) {
			control(b->epfd, EPOLL_CTL_ADD, b->in[i], EPOLLIN, (uint64_t)i);
			MUST(close(b->in[i]));
			b->in[i] = 0;
		}
	}
}

static void run_add_close_socket(struct bench *b, long nr_times)
{
	add_and_close(b, nr_times, new_socket);
}

static void run_add_close_eventfd(struct bench *b, long nr_times)
{
	add_and_close(b, nr_times, new_eventfd);
}

/* A close of either end is a reset: a million connections leave no TIME_WAIT behind. */
static void reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1};

	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

static void open_listener(struct bench *b)
{
	uint16_t port;

	b->listener = tcp_listen(&port);
	b->nr = port;
	reset_on_close(b->listener);
	b->epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	control(b->epfd, EPOLL_CTL_ADD, b->listener, EPOLLIN, 0);
}

static void run_accept(struct bench *b, long nr_times)
{
	for (; nr_times > 0; nr_times -= NR_CLIENTS) {
		bench_pause();
		for (int i = 0; i < NR_CLIENTS; i++)
			reset_on_close(b->out[i] = tcp_connect((uint16_t)b->nr));
		bench_go();
		for (int i = 0; i < NR_CLIENTS; i++) {
			int fd = MUST(
				accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));

			control(b->epfd, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, (uint64_t)fd);
			MUST(close(fd));
		}
		bench_pause();
		for (int i = 0; i < NR_CLIENTS; i++) {
			MUST(close(b->out[i]));
			b->out[i] = 0;
		}
		bench_go();
	}
}

const struct bench_case control_cases[] = {
	{"micro", "MOD, one watch", BENCH_CPU, 0, open_one, run_mod, NULL},
	{"micro", "MOD, random of 10,000", BENCH_CPU, 0, open_random, run_mod_random, NULL},
	{"micro", "MOD twice, a wait after each", BENCH_CPU, 0, open_one, run_mod_and_wait, NULL},
	{"micro", "one-shot: wait and re-arm", BENCH_CPU, 0, open_oneshot, run_oneshot, NULL},
	{"micro", "one-shot: re-arm alone", BENCH_CPU, NR_ONESHOT, open_oneshots, run_rearm, NULL},
	{"micro", "DEL + ADD", BENCH_CPU, 0, open_one, run_del_add, NULL},
	{"micro", "DEL + ADD, then a wait", BENCH_CPU, 0, open_one, run_del_add_wait, NULL},
	{"micro", "ADD of a new socket + close", BENCH_CPU, NR_NEW, open_one, run_add_close_socket,
	 NULL},
	{"micro", "ADD of a new eventfd + close", BENCH_CPU, NR_NEW, open_one,
	 run_add_close_eventfd, NULL},
	{"micro", "accept + ADD + close", BENCH_CPU, NR_CLIENTS, open_listener, run_accept, NULL},
	{0},
};
