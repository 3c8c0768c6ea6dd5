// SPDX-License-Identifier: MIT
/*
 * claim.c - modes, the registry of claims, and expectations.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "claim.h"
#include "judge.h"
#include "mask.h"

struct deviation {
	const char *name;
	void (*body)(void);
};

static struct claim *claims;
static struct claim **claims_tail = &claims;
static struct deviation deviations[64];
static int nr_deviations;

static const char *source = "native";
static const char *driver = "native";
static bool strict;
static bool busy;
static bool preloaded;

/* ---- modes ------------------------------------------------------------- */

void claim_read_mode(void)
{
	const char *preload = getenv("LD_PRELOAD");
	const char *value;

	preloaded = preload && strstr(preload, "libinterpoll");
	if (!preloaded)
		return;
	/* The loader goes on without a library it cannot preload; we do not. */
	if (!dlopen("libinterpoll.so", RTLD_LAZY | RTLD_NOLOAD)) {
		fprintf(stderr, "%s was not preloaded\n", preload);
		exit(2);
	}
	value = getenv("INTERPOLL_PASSTHROUGH");
	if (value && strcmp(value, "1") == 0) {
		preloaded = false;
		return;
	}
	value = getenv("INTERPOLL_SOURCE");
	source = value ? value : "epoll";
	value = getenv("INTERPOLL_DRIVER");
	driver = value ? value : (strcmp(source, "poll") == 0 ? "thread" : "inline");
	value = getenv("INTERPOLL_STRICT");
	strict = value && strcmp(value, "1") == 0;
	value = getenv("INTERPOLL_BUSY_POLL");
	busy = value && strcmp(value, "off") != 0;
}

bool is_native(void)
{
	return !preloaded;
}

bool source_is(const char *name)
{
	return strcmp(source, name) == 0;
}

bool driver_is(const char *name)
{
	return strcmp(driver, name) == 0;
}

bool is_strict(void)
{
	return strict;
}

bool is_busy(void)
{
	return busy;
}

static bool simple_word_holds(const char *word)
{
	if (strcmp(word, "native") == 0)
		return is_native();
	if (strcmp(word, "preloaded") == 0)
		return !is_native();
	if (strcmp(word, "ours") == 0)
		return !is_native() && !is_strict();
	if (strcmp(word, "strict") == 0)
		return is_strict();
	if (strcmp(word, "busy") == 0)
		return is_busy();
	return source_is(word) || driver_is(word);
}

/* Of a word with plus signs, every part must hold. */
static bool word_holds(char *word)
{
	char *state;

	for (char *part = strtok_r(word, "+", &state); part; part = strtok_r(NULL, "+", &state))
		if (!simple_word_holds(part))
			return false;
	return true;
}

bool mode_is_one_of(const char *words)
{
	char copy[128];
	char *state;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state))
		if (word_holds(word))
			return true;
	return false;
}

/* ---- registry ---------------------------------------------------------- */

void claim_register(struct claim *claim)
{
	*claims_tail = claim;
	claims_tail = &claim->next;
}

void claim_register_deviation(const char *name, void (*body)(void))
{
	if (nr_deviations == (int)(sizeof(deviations) / sizeof(deviations[0])))
		abort();
	deviations[nr_deviations++] = (struct deviation){name, body};
}

/* Pair deviations with their claims; one without a claim is a misspelling. */
static void attach_deviations(void)
{
	for (int i = 0; i < nr_deviations; i++) {
		struct claim *claim = claims;

		while (claim && strcmp(claim->name, deviations[i].name) != 0)
			claim = claim->next;
		if (!claim || !claim->except) {
			fprintf(stderr, "DEVIATION(%s) belongs to no CLAIM_EXCEPT\n",
				deviations[i].name);
			exit(2);
		}
		claim->deviation = deviations[i].body;
	}
}

const struct claim *claim_list(void)
{
	attach_deviations();
	return claims;
}

/* ---- expectations, in the child ---------------------------------------- */

void claim_passes(const char *file, int line)
{
	verdict->file = file;
	verdict->line = line;
}

void claim_takes(int seconds)
{
	atomic_store(&verdict->more_s, seconds);
}

void claim_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(verdict->note, sizeof(verdict->note), format, arguments);
	va_end(arguments);
}

void claim_impossible(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
	_exit(IMPOSSIBLE_STATUS);
}

void claim_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;
	int used;

	if (atomic_exchange(&verdict->is_written, 1) == 0) {
		used = snprintf(verdict->text, sizeof(verdict->text), "%s:%d: ", file, line);
		va_start(arguments, format);
		vsnprintf(verdict->text + used, sizeof(verdict->text) - (size_t)used, format,
			  arguments);
		va_end(arguments);
	}
	_exit(FAILED_STATUS);
}

void claim_int(const char *file, int line, const char *left_text, const char *op, bool holds,
	       const char *right_text, long long left, long long right)
{
	if (!holds)
		claim_fail(file, line, "expected: %s %s %s (left is %lld, right is %lld)",
			   left_text, op, right_text, left, right);
}

long long claim_must(const char *file, int line, const char *text, long long result)
{
	if (result < 0)
		claim_fail(file, line, "%s failed: %s", text, strerrorname_np(errno));
	return result;
}

static const char *errno_name(int number)
{
	return number ? strerrorname_np(number) : "no errno";
}

void claim_errno(const char *file, int line, const char *text, long long result, int got, int want)
{
	if (result != -1 || got != want)
		claim_fail(file, line, "%s: expected -1 with %s, got %lld with %s", text,
			   errno_name(want), result, errno_name(got));
}

static void describe(char *text, size_t size, const struct want *list, int nr)
{
	char mask[128];
	size_t used = 0;

	snprintf(text, size, "nothing");
	for (int i = 0; i < nr && used < size; i++) {
		mask_format(mask, sizeof(mask), list[i].events);
		used += (size_t)snprintf(text + used, size - used, "%s{%s, %llu}", i ? ", " : "",
					 mask, (unsigned long long)list[i].data);
	}
}

static bool is_same_set(const struct want *left, const struct want *right, int nr)
{
	bool is_taken[64] = {false};

	for (int i = 0; i < nr; i++) {
		int j = 0;

		while (j < nr && (is_taken[j] || left[i].events != right[j].events ||
				  left[i].data != right[j].data))
			j++;
		if (j == nr)
			return false;
		is_taken[j] = true;
	}
	return true;
}

void claim_got(const char *file, int line, const struct epoll_event *got, int nr_got,
	       const struct want *wanted, int nr_wanted)
{
	char got_text[800];
	char want_text[800];
	struct want copy[64];

	if (nr_got > 64)
		claim_fail(file, line, "%d events are too many to compare", nr_got);
	for (int i = 0; i < nr_got; i++)
		copy[i] = (struct want){got[i].events, got[i].data.u64};
	if (nr_got == nr_wanted && is_same_set(copy, wanted, nr_got))
		return;
	describe(got_text, sizeof(got_text), copy, nr_got);
	describe(want_text, sizeof(want_text), wanted, nr_wanted);
	claim_fail(file, line, "expected events %s, got %s", want_text, got_text);
}

void claim_events(const char *file, int line, int epfd, int timeout_ms, const struct want *wanted,
		  int nr_wanted)
{
	struct epoll_event got[64];
	int nr;

	claim_passes(file, line);
	nr = epoll_wait(epfd, got, 64, timeout_ms);
	if (nr < 0)
		claim_fail(file, line, "epoll_wait failed: %s", strerrorname_np(errno));
	claim_got(file, line, got, nr, wanted, nr_wanted);
}
