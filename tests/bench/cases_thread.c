// SPDX-License-Identifier: MIT
/*
 * cases_thread.c - threads that sleep and wake each other.
 *
 * Measured on the wall: what counts is when the answer is there.  Where the two threads
 * run decides most of it, so each is measured with both on one processor, where a wake
 * is a switch, and on two, where it is an interrupt.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define NR_WAITERS 4
#define NR_LANES   16
#define NR_TOKENS  8
#define BELL	   (~UINT64_C(0)) /* tells the waiters to end */

static void start(struct bench *b, void *(*run)(void *))
{
	MUST_BE(pthread_create(&b->threads[b->nr_threads++], NULL, run, b), 0);
}

static void join_all(struct bench *b)
{
	while (b->nr_threads)
		MUST_BE(pthread_join(b->threads[--b->nr_threads], NULL), 0);
}

/* ---- t0 -(ew)-> e0 -> s0 <=> s1 <- e1 <-(ew)- t1 ----------------------- */

static void use_processor(int index)
{
	cpu_set_t allowed, one;

	MUST(sched_getaffinity(0, sizeof(allowed), &allowed));
	CPU_ZERO(&one);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && index-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one)) /* with one processor both are on it */
		MUST(sched_setaffinity(0, sizeof(one), &one));
}

/* Until the other end is closed. */
static void *answer(void *argument)
{
	struct bench *b = argument;
	struct epoll_event event;
	char byte;

	if (b->nr > 1)
		use_processor(1);
	for (;;) {
		MUST_BE(epoll_wait(b->inner, &event, 1, -1), 1);
		if (MUST(read(b->out[0], &byte, 1)) == 0)
			return NULL;
		MUST_BE(write(b->out[0], &byte, 1), 1);
	}
}

static void open_ping_pong(struct bench *b, uint32_t events, int nr_processors)
{
	open_pairs(b, 1);
	watch(b, 0, 1, events);
	b->inner = MUST(epoll_create1(EPOLL_CLOEXEC));
	control(b->inner, EPOLL_CTL_ADD, b->out[0], events, 0);
	b->nr = nr_processors;
	start(b, answer);
	if (nr_processors > 1)
		use_processor(0);
}

static void open_level_1(struct bench *b)
{
	use_processor(0); /* before the thread starts: it inherits that */
	open_ping_pong(b, EPOLLIN, 1);
}

static void open_edge_1(struct bench *b)
{
	use_processor(0);
	open_ping_pong(b, EPOLLIN | EPOLLET, 1);
}

static void open_level_2(struct bench *b)
{
	open_ping_pong(b, EPOLLIN, 2);
}

static void open_edge_2(struct bench *b)
{
	open_ping_pong(b, EPOLLIN | EPOLLET, 2);
}

static void run_ping_pong(struct bench *b, long nr_times)
{
	while (nr_times--) {
		char byte = 0;

		MUST_BE(write(b->in[0], &byte, 1), 1);
		MUST_BE(epoll_wait(b->epfd, b->events, 64, -1), 1);
		MUST_BE(read(b->in[0], &byte, 1), 1);
	}
}

static void close_ping_pong(struct bench *b)
{
	MUST(shutdown(b->in[0], SHUT_WR));
	join_all(b);
}

/* ---- t1 ... t4 -(ew)-> e0 -(lt)-> s0 <- t0 ----------------------------- */

static void ring_bell(struct bench *b)
{
	uint64_t one = 1;

	MUST_BE(write(b->listener, &one, sizeof(one)), sizeof(one));
	join_all(b);
}

static void open_waiters(struct bench *b, void *(*run)(void *))
{
	b->listener = MUST(eventfd(0, EFD_CLOEXEC));
	control(b->epfd, EPOLL_CTL_ADD, b->listener, EPOLLIN, BELL);
	for (int i = 0; i < NR_WAITERS; i++)
		start(b, run);
}

/* The one who gets the byte sends it back; another may have been woken for nothing. */
static void *send_back(void *argument)
{
	struct bench *b = argument;
	struct epoll_event event;
	char byte;

	for (;;) {
		MUST_BE(epoll_wait(b->epfd, &event, 1, -1), 1);
		if (event.data.u64 == BELL)
			return NULL;
		if (read(b->in[0], &byte, 1) == 1)
			MUST_BE(write(b->in[0], &byte, 1), 1);
	}
}

static void open_four_waiters(struct bench *b)
{
	open_pairs(b, 1);
	MUST(fcntl(b->out[0], F_SETFL, O_RDWR)); /* our end is no longer non-blocking */
	watch(b, 0, 1, EPOLLIN);
	open_waiters(b, send_back);
}

static void run_four_waiters(struct bench *b, long nr_times)
{
	while (nr_times--) {
		char byte = 0;

		MUST_BE(write(b->out[0], &byte, 1), 1);
		MUST_BE(read(b->out[0], &byte, 1), 1);
	}
}

/* ---- t1 ... t4 -(ew)-> e0 -(lt, one-shot)-> s0 ... s15, bytes go round -- */

static void *pass_on(void *argument)
{
	struct bench *b = argument;
	struct epoll_event event;

	for (;;) {
		uint64_t one = 1;
		long left;
		int i;

		MUST_BE(epoll_wait(b->epfd, &event, 1, -1), 1);
		if (event.data.u64 == BELL)
			return NULL;
		i = (int)event.data.u64;
		take(b, i);
		control(b->epfd, EPOLL_CTL_MOD, b->in[i], EPOLLIN | EPOLLONESHOT, (uint64_t)i);
		left = atomic_fetch_sub(&b->left, 1);
		if (left > NR_TOKENS)
			put(b, (i + 1) % NR_LANES);
		else if (left == 1) /* all tokens are gone */
			MUST_BE(write(b->inner, &one, sizeof(one)), sizeof(one));
	}
}

static void open_pool(struct bench *b)
{
	open_pairs(b, NR_LANES);
	watch(b, 0, NR_LANES, EPOLLIN | EPOLLONESHOT);
	b->inner = MUST(eventfd(0, EFD_CLOEXEC));
	open_waiters(b, pass_on);
}

static void run_pool(struct bench *b, long nr_times)
{
	uint64_t count;

	atomic_store(&b->left, nr_times);
	for (int i = 0; i < NR_TOKENS; i++)
		put(b, i * (NR_LANES / NR_TOKENS));
	MUST_BE(read(b->inner, &count, sizeof(count)), sizeof(count));
}

const struct bench_case thread_cases[] = {
	{"micro", "ping-pong of two threads, level, one processor", BENCH_WALL, 0, open_level_1,
	 run_ping_pong, close_ping_pong},
	{"micro", "ping-pong of two threads, edge, one processor", BENCH_WALL, 0, open_edge_1,
	 run_ping_pong, close_ping_pong},
	{"micro", "ping-pong of two threads, level, two processors", BENCH_WALL, 0, open_level_2,
	 run_ping_pong, close_ping_pong},
	{"micro", "ping-pong of two threads, edge, two processors", BENCH_WALL, 0, open_edge_2,
	 run_ping_pong, close_ping_pong},
	{"micro", "four waiters, one file", BENCH_WALL, 0, open_four_waiters, run_four_waiters,
	 ring_bell},
	{"micro", "four waiters, one-shot pool of 16", BENCH_WALL, NR_TOKENS, open_pool, run_pool,
	 ring_bell},
	{0},
};
