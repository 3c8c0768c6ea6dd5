// SPDX-License-Identifier: MIT
/*
 * bench.c - measure one case: bench list | bench run CASE MILLISECONDS [FILES], or what
 * many watches take: bench memory FILES EVENTPOLLS
 *
 * `run' prints nanoseconds an operation of the processor and on the wall, and whether
 * interpoll was in the process.  Both are lower quartiles of slices, because what the
 * machine does besides only ever adds to them.  Processor time is the whole
 * process's: what a thread of interpoll's own does for it is part of the price.
 */
#include "bench.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NR_SLICES 9
#define NS_PER_MS 1000000L
#define NS_PER_S  1000000000L

struct spent {
	int64_t cpu_ns;
	int64_t wall_ns;
};

static struct spent paused_at; /* when the pause began */
static struct spent paused;    /* all pauses of this slice */

static const struct bench_case *const tables[] = {
	wait_cases, control_cases, thread_cases, descriptor_cases, scale_cases, NULL,
};

_Noreturn void bench_fail(const char *file, int line, const char *text, long got)
{
	fprintf(stderr, "%s:%d: %s: %ld (%s)\n", file, line, text, got,
		got < 0 ? strerror(errno) : "no error");
	_exit(EXIT_FAILURE);
}

/* ---- time -------------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NS_PER_S + time.tv_nsec;
}

int64_t bench_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static struct spent spent_now(void)
{
	return (struct spent){bench_cpu_ns(), clock_ns(CLOCK_MONOTONIC)};
}

static struct spent spent_since(struct spent from)
{
	struct spent now = spent_now();

	return (struct spent){now.cpu_ns - from.cpu_ns, now.wall_ns - from.wall_ns};
}

void bench_pause(void)
{
	paused_at = spent_now();
}

void bench_go(void)
{
	struct spent pause = spent_since(paused_at);

	paused.cpu_ns += pause.cpu_ns;
	paused.wall_ns += pause.wall_ns;
}

/* ---- slices ------------------------------------------------------------ */

static struct spent measure_slice(const struct bench_case *bench_case, struct bench *b, long nr)
{
	struct spent from, spent;

	paused = (struct spent){0};
	from = spent_now();
	bench_case->run(b, nr);
	spent = spent_since(from);
	return (struct spent){spent.cpu_ns - paused.cpu_ns, spent.wall_ns - paused.wall_ns};
}

/* How often the operation is run in about @slice_ns. */
static long calibrate(const struct bench_case *bench_case, struct bench *b, int64_t slice_ns)
{
	long batch = bench_case->batch ? bench_case->batch : 1;

	for (long nr = batch;; nr *= 2) {
		int64_t wall_ns = measure_slice(bench_case, b, nr).wall_ns;

		if (wall_ns * 2 >= slice_ns) {
			long wanted = (long)((double)nr * (double)slice_ns / (double)wall_ns);

			return wanted > batch ? wanted / batch * batch : batch;
		}
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double lower_quartile(double *values, int nr)
{
	qsort(values, (size_t)nr, sizeof(*values), compare);
	return values[nr / 4];
}

static void measure(const struct bench_case *bench_case, struct bench *b, int64_t budget_ns)
{
	double cpu_ns[NR_SLICES], wall_ns[NR_SLICES];
	long nr = calibrate(bench_case, b, budget_ns / NR_SLICES);

	for (int i = 0; i < NR_SLICES; i++) {
		struct spent spent = measure_slice(bench_case, b, nr);

		cpu_ns[i] = (double)spent.cpu_ns / (double)nr;
		wall_ns[i] = (double)spent.wall_ns / (double)nr;
	}
	printf("%.2f %.2f", lower_quartile(cpu_ns, NR_SLICES), lower_quartile(wall_ns, NR_SLICES));
}

/* ---- the command ------------------------------------------------------- */

static int note_interpoll(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	*(bool *)found |= strstr(info->dlpi_name, "libinterpoll.so") != NULL;
	return 0;
}

/* Was it really preloaded?  The dynamic linker goes on without what it cannot load. */
static bool has_interpoll(void)
{
	bool is_found = false;

	dl_iterate_phdr(note_interpoll, &is_found);
	return is_found;
}

static const struct bench_case *find(const char *name)
{
	for (int t = 0; tables[t]; t++)
		for (const struct bench_case *c = tables[t]; c->name; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

static void list(void)
{
	for (int t = 0; tables[t]; t++)
		for (const struct bench_case *c = tables[t]; c->name; c++)
			printf("%s\t%s\t%s\n", c->group, c->name,
			       c->clock == BENCH_CPU ? "cpu" : "wall");
}

static void allow_descriptors(void)
{
	struct rlimit limit;

	MUST(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

/* A number of at least 1, or 0. */
static int parse(const char *text, int max)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *end || number < 1 || number > max ? 0 : (int)number;
}

static int run(struct bench *b, const char *name, const char *ms_text, const char *files_text)
{
	const struct bench_case *bench_case = find(name);
	int ms = parse(ms_text, 60000);

	b->nr = parse(files_text, BENCH_FILES_MAX);
	if (!bench_case || !ms || !b->nr)
		return 2;
	bench_case->open(b);
	measure(bench_case, b, ms * NS_PER_MS);
	if (bench_case->close)
		bench_case->close(b);
	return EXIT_SUCCESS;
}

static int memory(struct bench *b, const char *files_text, const char *epfds_text)
{
	int nr_files = parse(files_text, BENCH_FILES_MAX);
	int nr_epfds = parse(epfds_text, BENCH_FILES_MAX);

	if (!nr_files || !nr_epfds)
		return 2;
	memory_measure(b, nr_files, nr_epfds);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	static struct bench b;
	int status = 2;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return EXIT_SUCCESS;
	}
	allow_descriptors();
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "run") == 0)
		status = run(&b, argv[2], argv[3], argc == 5 ? argv[4] : "1");
	else if (argc == 4 && strcmp(argv[1], "memory") == 0)
		status = memory(&b, argv[2], argv[3]);
	if (status) {
		fputs("usage: bench list | bench run CASE MILLISECONDS [FILES] | "
		      "bench memory FILES EVENTPOLLS\n",
		      stderr);
		return status;
	}
	bench_close_all(&b);
	printf(" %d\n", has_interpoll());
	return EXIT_SUCCESS;
}
