// SPDX-License-Identifier: MIT
/*
 * summary.c - the sentences and the table of a summary.
 */
#include "trace/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "real/sys.h"

/* A program that forks for every client shall not bury the totals. */
#define NR_SENTENCES 32u

#define LINE_SIZE  320
#define TEXT_WIDTH 56 /* the longest words of probe.h and two spaces */

/* A number with commas: 20 digits, 6 commas, the terminating 0. */
#define NUMBER_SIZE 28

static const char *const probe_text[PROBE_MAX] = {
#define SUMMARY_TEXT(id, name, text) [PROBE_##id] = (text),
	PROBE_LIST(SUMMARY_TEXT)
#undef SUMMARY_TEXT
};

#define SUMMARY_FITS(id, name, text) \
	_Static_assert(sizeof(text) <= TEXT_WIDTH - 1, "TEXT_WIDTH is too small for " name);
PROBE_LIST(SUMMARY_FITS)
#undef SUMMARY_FITS

/* -------- writing -------- */

/* Lines on their way to @fd: whole summaries in one write(2) where they fit. */
struct writer {
	int fd;
	int err; /* the first -errno; nothing is written after it */
	size_t used;
	char buf[4096];
};

static void writer_flush(struct writer *writer)
{
	size_t done = 0;
	long ret;

	while (done < writer->used && !writer->err) {
		ret = sys_write(writer->fd, writer->buf + done, writer->used - done);
		if (ret > 0)
			done += (size_t)ret;
		else if (ret != -EINTR)
			writer->err = ret ? (int)ret : -EIO;
	}
	writer->used = 0;
}

static __attribute__((format(printf, 2, 3))) void writer_print(struct writer *writer,
							       const char *format, ...)
{
	va_list args;
	int len;

	if (writer->used + LINE_SIZE > sizeof(writer->buf))
		writer_flush(writer);
	va_start(args, format);
	len = vsnprintf(writer->buf + writer->used, LINE_SIZE, format, args);
	va_end(args);
	if (len > 0)
		writer->used += len < LINE_SIZE ? (size_t)len : LINE_SIZE - 1;
}

/* @value with commas between thousands, in @buf. */
static const char *group(uint64_t value, char buf[NUMBER_SIZE])
{
	char *p = buf + NUMBER_SIZE - 1;
	int nr_digits = 0;

	*p = '\0';
	do {
		if (nr_digits && nr_digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + value % 10);
		value /= 10;
		nr_digits++;
	} while (value);
	return p;
}

static const char *plural(uint64_t nr)
{
	return nr == 1 ? "" : "s";
}

/* -------- the sentences -------- */

/* What all processes together did, and how many of them there were. */
struct total {
	uint64_t nr_processes;
	uint64_t nr_silent; /* of them made no eventpoll */
	uint64_t nr_passthrough;
	uint64_t nr_shared; /* eventpolls that were counted approximately */
	unsigned int nr_sentences;
	struct probe_counts counts;
};

/* The name is the program's own choice: nothing in it may move a terminal's cursor. */
static void copy_printable(char to[SESSION_NAME_SIZE], const char *from)
{
	size_t i;

	for (i = 0; i < SESSION_NAME_SIZE - 1 && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

static void print_process(struct writer *writer, const struct session_process *process)
{
	uint64_t nr_watches = session_nr_watches(&process->counts);
	uint64_t nr_delivered = process->counts.n[PROBE_DELIVERED];
	uint64_t nr_waits = process->counts.n[PROBE_WAIT];
	char eventpolls[NUMBER_SIZE], watches[NUMBER_SIZE], events[NUMBER_SIZE], waits[NUMBER_SIZE];
	char name[SESSION_NAME_SIZE];

	copy_printable(name, process->name);
	writer_print(writer,
		     "%s (%d), source %s, driver %s%s: %s eventpoll%s with %s watch%s at the end, "
		     "%s event%s in %s wait%s\n",
		     name, process->pid, process->source, process->driver,
		     process->flags & SESSION_STRICT ? ", strict" : "",
		     group(process->nr_eventpolls, eventpolls), plural(process->nr_eventpolls),
		     group(nr_watches, watches), nr_watches == 1 ? "" : "es",
		     group(nr_delivered, events), plural(nr_delivered), group(nr_waits, waits),
		     plural(nr_waits));
}

static void add_process(struct writer *writer, struct total *total,
			const struct session_process *process)
{
	int i;

	total->nr_processes++;
	total->nr_shared += process->nr_shared;
	for (i = 0; i < PROBE_MAX; i++)
		total->counts.n[i] += process->counts.n[i];
	if (process->flags & SESSION_PASSTHROUGH)
		total->nr_passthrough++;
	else if (!process->nr_eventpolls)
		total->nr_silent++;
	else if (total->nr_sentences++ < NR_SENTENCES)
		print_process(writer, process);
}

/* Processes whose slots were needed again: known by their sum only. */
static void add_earlier(struct writer *writer, struct total *total, const struct session *session)
{
	struct session_process earlier;
	uint64_t nr = session_read_earlier(session, &earlier);
	char number[NUMBER_SIZE];
	int i;

	if (!nr)
		return;
	writer_print(writer, "%s earlier process%s, counted in the totals only\n",
		     group(nr, number), nr == 1 ? "" : "es");
	total->nr_processes += nr;
	total->nr_shared += earlier.nr_shared;
	for (i = 0; i < PROBE_MAX; i++)
		total->counts.n[i] += earlier.counts.n[i];
}

static void add_all(struct writer *writer, struct total *total, const struct session *session)
{
	struct session_process process;
	unsigned int slot;

	for (slot = 0; slot < SESSION_NR_PROCESSES; slot++)
		if (session_read_process(session, slot, &process))
			add_process(writer, total, &process);
	add_earlier(writer, total, session);
}

/* What needs saying once, after the sentences. */
static void print_rest(struct writer *writer, const struct total *total)
{
	char number[NUMBER_SIZE];

	if (total->nr_sentences > NR_SENTENCES)
		writer_print(writer, "%s more processes with eventpolls\n",
			     group(total->nr_sentences - NR_SENTENCES, number));
	if (total->nr_silent)
		writer_print(writer, "%s process%s without an eventpoll\n",
			     group(total->nr_silent, number), total->nr_silent == 1 ? "" : "es");
	if (total->nr_passthrough)
		writer_print(writer,
			     "%s process%s passed through to the kernel's epoll, not counted\n",
			     group(total->nr_passthrough, number),
			     total->nr_passthrough == 1 ? "" : "es");
	if (total->nr_shared)
		writer_print(writer,
			     "%s eventpoll%s found no counters of their own: "
			     "their counts are approximate\n",
			     group(total->nr_shared, number), plural(total->nr_shared));
}

/* -------- the totals -------- */

/* Counters a reader looks for even when they are zero. */
static bool is_always_shown(enum probe what)
{
	return what == PROBE_WAIT || what == PROBE_EDGE || what == PROBE_DELIVERED;
}

static void print_counts(struct writer *writer, const struct probe_counts *counts)
{
	char number[NUMBER_SIZE];
	int i;

	for (i = 0; i < PROBE_MAX; i++)
		if (counts->n[i] || is_always_shown((enum probe)i))
			writer_print(writer, "  %-*s%15s\n", TEXT_WIDTH, probe_text[i],
				     group(counts->n[i], number));
}

int summary_write(int fd, const struct session *session, int slot)
{
	struct writer writer = {.fd = fd};
	struct total total = {.nr_processes = 0};
	struct session_process process;

	writer_print(&writer, "interpoll: what the eventpolls did\n");
	if (slot == SUMMARY_ALL)
		add_all(&writer, &total, session);
	else if (session_read_process(session, (unsigned int)slot, &process))
		add_process(&writer, &total, &process);
	if (!total.nr_processes)
		writer_print(&writer, "no process had interpoll in it\n");
	print_rest(&writer, &total);
	if (total.nr_processes > total.nr_passthrough)
		print_counts(&writer, &total.counts);
	writer_flush(&writer);
	return writer.err;
}
