// SPDX-License-Identifier: MIT
/*
 * memory.c - what a great many watches take: memory of ours and of the kernel's, and time.
 *
 *	e0 ... eM -(lt)-> s0 ... sN, each of each: M x N watches
 *
 * Descriptors are few and eventpolls many, because descriptors are limited and watches
 * hardly.  The kernel's memory is the machine's, of which there is one figure for
 * everybody: it means something from some hundred thousand watches on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define NR_DRAWN 200000

static int *epfds(struct bench *b)
{
	return b->out;
}

/* ---- memory ------------------------------------------------------------ */

/* The kilobytes that the line of that name tells. */
static double read_bytes(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[200];
	size_t length = strlen(name);
	double number = -1;

	MUST_BE(file != NULL, 1);
	while (number < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, name, length) == 0)
			number = strtod(line + length, NULL);
	fclose(file);
	MUST_BE(number >= 0, 1);
	return number * 1024;
}

static double own_bytes(void)
{
	return read_bytes("/proc/self/smaps_rollup", "Rss:"); /* statm's is stale */
}

static double kernel_bytes(void)
{
	return read_bytes("/proc/meminfo", "SUnreclaim:");
}

/* ---- time -------------------------------------------------------------- */

/* Any two of so many; dice, because an order of a million would not stay in the cache. */
static unsigned int roll(unsigned int nr)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 32) % nr;
}

static void mod_any(struct bench *b, int nr_epfds)
{
	for (int i = 0; i < NR_DRAWN; i++) {
		int fd = b->in[roll((unsigned int)b->nr)];

		control(epfds(b)[roll((unsigned int)nr_epfds)], EPOLL_CTL_MOD, fd, EPOLLIN,
			(uint64_t)i);
	}
}

static void wait_any(struct bench *b, int nr_epfds)
{
	for (int i = 0; i < NR_DRAWN; i++)
		MUST_BE(epoll_wait(epfds(b)[roll((unsigned int)nr_epfds)], b->events, 64, 0), 0);
}

static void add_all(struct bench *b, int nr_epfds)
{
	for (int e = 0; e < nr_epfds; e++) {
		epfds(b)[e] = MUST(epoll_create1(EPOLL_CLOEXEC));
		for (int i = 0; i < b->nr; i++)
			control(epfds(b)[e], EPOLL_CTL_ADD, b->in[i], EPOLLIN, (uint64_t)i);
	}
}

/* A file that so many eventpolls watch is closed. */
static void close_files(struct bench *b)
{
	for (int i = 0; i < b->nr; i++) {
		MUST(close(b->in[i]));
		b->in[i] = 0;
	}
}

static void report(const char *name, int64_t ns, double nr)
{
	printf("%s %.2f ", name, (double)ns / nr);
}

void memory_measure(struct bench *b, int nr_files, int nr_epfds)
{
	double nr_watches = (double)nr_files * nr_epfds;
	double own, kernel;
	int64_t from_ns;

	open_quiet(b, 0, nr_files);
	memset(b->out, 0, sizeof(b->out)); /* pages that are ours, not the watches' */
	own_bytes();			   /* reads with memory that is no watch's, either */
	own = own_bytes();
	kernel = kernel_bytes();
	from_ns = bench_cpu_ns();
	add_all(b, nr_epfds);
	report("add", bench_cpu_ns() - from_ns, nr_watches);
	own = own_bytes() - own;
	kernel = kernel_bytes() - kernel;
	printf("ours %.1f all %.1f ", own / nr_watches, (own + kernel) / nr_watches);
	from_ns = bench_cpu_ns();
	mod_any(b, nr_epfds);
	report("mod", bench_cpu_ns() - from_ns, NR_DRAWN);
	from_ns = bench_cpu_ns();
	wait_any(b, nr_epfds);
	report("wait", bench_cpu_ns() - from_ns, NR_DRAWN);
	from_ns = bench_cpu_ns();
	close_files(b);
	report("close", bench_cpu_ns() - from_ns, nr_watches);
}
