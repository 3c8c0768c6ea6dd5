/* SPDX-License-Identifier: MIT */
/*
 * bench.h - one operation, measured.
 *
 * A case is one row of a table and up to three functions: what it needs is opened, the
 * operation is run so many times, all is closed.  The same program runs natively and
 * preloaded; how often an operation is run it finds out by itself, from the time it
 * is given.
 *
 * A case checks what it measures: a wait that returns another number of events than
 * it must ends the program with status 1.  A wrong answer is never fast.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>

#define BENCH_FILES_MAX	  20000
#define BENCH_EVENTS_MAX  1024
#define BENCH_THREADS_MAX 4

/* Where a case works; all zero when it is opened.  Each uses what it needs. */
struct bench {
	int epfd;
	int inner;		    /* another eventpoll */
	int listener;		    /* or whatever else is one of a kind */
	int nr;			    /* files: given for scale, else the case's own choice */
	int in[BENCH_FILES_MAX];    /* what is watched */
	int out[BENCH_FILES_MAX];   /* where writing makes it readable */
	int order[BENCH_FILES_MAX]; /* indices in random order, cheaper than dice */
	int next;		    /* in that order */
	int pass;		    /* how often through it */
	int nr_threads;
	pthread_t threads[BENCH_THREADS_MAX];
	_Atomic long left; /* operations that threads still have to do */
	struct epoll_event events[BENCH_EVENTS_MAX];
};

/* What is shown of a case: time of the processor, or on the wall, where threads meet. */
enum bench_clock {
	BENCH_CPU,
	BENCH_WALL
};

struct bench_case {
	const char *group;
	const char *name;
	enum bench_clock clock;
	int batch; /* it is run a multiple of that; 0: of one */
	void (*open)(struct bench *b);
	void (*run)(struct bench *b, long nr_times);
	void (*close)(struct bench *b); /* NULL: bench_close_all() */
};

/* The cases of each file; a row without a name ends them. */
extern const struct bench_case wait_cases[];
extern const struct bench_case control_cases[];
extern const struct bench_case thread_cases[];
extern const struct bench_case descriptor_cases[];
extern const struct bench_case scale_cases[];

/* What follows is not measured, until bench_go(). */
void bench_pause(void);
void bench_go(void);

/* Processor time of the process. */
int64_t bench_cpu_ns(void);

_Noreturn void bench_fail(const char *file, int line, const char *text, long got);

static inline int bench_must(const char *file, int line, const char *text, long got)
{
	if (__builtin_expect(got < 0, 0))
		bench_fail(file, line, text, got);
	return (int)got;
}

static inline void bench_must_be(const char *file, int line, const char *text, long got, long want)
{
	if (__builtin_expect(got != want, 0))
		bench_fail(file, line, text, got);
}

/* @call is not negative: its value. */
#define MUST(call) bench_must(__FILE__, __LINE__, #call " fails", (long)(call))

/* @call is @want. */
#define MUST_BE(call, want) \
	bench_must_be(__FILE__, __LINE__, #call " is not " #want, (long)(call), (long)(want))

/* ---- files.c ----------------------------------------------------------- */

/* in[0..nr): ends of unix stream sockets, out[]: the others; non-blocking. */
void open_pairs(struct bench *b, int nr);

/* The same of TCP connections over loopback. */
void open_tcp_pairs(struct bench *b, int nr);

/* in[from..to): sockets that nobody talks to: never readable, always writable. */
void open_quiet(struct bench *b, int from, int to);

int tcp_listen(uint16_t *port_ret);
int tcp_connect(uint16_t port);

/* A byte into out[i], so that in[i] is readable; and out of in[i] again. */
void put(const struct bench *b, int i);
void take(const struct bench *b, int i);

/* The eventpoll, if there is none yet, and in[from..to) watched in it under their index. */
void watch(struct bench *b, int from, int to, uint32_t events);

/* order[0..nr) is 0..nr-1, shuffled. */
void shuffle(struct bench *b, int nr);

/* The next in that order, and the pass it is in: what is toggled differs each time. */
static inline int draw(struct bench *b, int nr)
{
	if (++b->next >= nr) {
		b->next = 0;
		b->pass++;
	}
	return b->order[b->next];
}

/* What servers toggle when a socket is full, and when it no longer is. */
static inline uint32_t toggled(long n)
{
	return n & 1 ? EPOLLIN : EPOLLIN | EPOLLOUT;
}

void control(int epfd, int op, int fd, uint32_t events, uint64_t data);

/* Every descriptor in @b, and the eventpolls. */
void bench_close_all(struct bench *b);

/* ---- memory.c ---------------------------------------------------------- */

/*
 * @nr_files watched in each of @nr_epfds eventpolls; prints, a watch: time of its ADD,
 * bytes of the process, bytes with the kernel's; of any: MOD, idle wait; close.
 */
void memory_measure(struct bench *b, int nr_files, int nr_epfds);

#endif
