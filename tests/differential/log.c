// SPDX-License-Identifier: MIT
/*
 * log.c - the log of a walk: hashed always, shown if asked for.
 *
 * Two walks are compared by their hashes, which costs nothing; only one that
 * differs is played again with its log shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walk.h"

static struct {
	uint64_t hash;
	uint64_t nr_steps;
	uint64_t nr_events;
	bool is_shown;
	size_t length; /* of the line */
	char line[1 << 16];
} * shared;

static void mix(uint64_t value)
{
	uint64_t z = (shared->hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);

	shared->hash = z ^ (z >> 29);
}

__attribute__((format(printf, 1, 2))) static void show(const char *format, ...)
{
	size_t room = sizeof(shared->line) - shared->length;
	va_list args;
	int length;

	if (!shared->is_shown)
		return;
	va_start(args, format);
	length = vsnprintf(shared->line + shared->length, room, format, args);
	va_end(args);
	shared->length += (size_t)length < room ? (size_t)length : room - 1;
}

void log_open(bool is_shown)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("walk: no memory for the log");
		exit(2);
	}
	shared->is_shown = is_shown;
}

void log_step(int line, const char *text)
{
	shared->nr_steps++;
	mix((uint64_t)line);
	show("%d: %s", line, text);
}

void log_result(long result)
{
	char error[32];

	mix((uint64_t)result);
	if (result != -1) {
		show(" = %ld", result);
		return;
	}
	mix((uint64_t)errno);
	errno_print(error, sizeof(error), errno);
	show(" = %s", error);
}

void log_value(const char *name, long value)
{
	mix((uint64_t)value);
	show(" %s %ld", name, value);
}

void log_event(uint32_t events, uint64_t data)
{
	char mask[STEP_LINE_MAX];

	shared->nr_events++;
	mix(events);
	mix(data);
	if (!shared->is_shown)
		return;
	mask_print(mask, sizeof(mask), events);
	show(" {%s %" PRIu64 "}", mask, data);
}

static void write_line(void)
{
	show("\n");
	if (write(STDOUT_FILENO, shared->line, shared->length) < 0)
		_exit(2);
	shared->length = 0;
}

void log_end_step(void)
{
	if (shared->is_shown)
		write_line();
}

void log_close(void)
{
	shared->is_shown = true;
	show("%016" PRIx64 " %" PRIu64 " steps %" PRIu64 " events", shared->hash, shared->nr_steps,
	     shared->nr_events);
	write_line();
}
