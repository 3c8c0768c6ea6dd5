// SPDX-License-Identifier: MIT
/*
 * test_settings.c - what can be chosen, what is refused and in which words.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings/settings.h"

/* What the user gave, and what the parser said about it. */
struct given {
	const char *value[SETTING_MAX];
	const char *origin[SETTING_MAX]; /* NULL: leave it to the parser */
	char text[1024];		 /* the last refusal */
	char used[256];
};

static struct settings settings;

static const char *give(void *ctx, enum setting setting, const char **ret_origin)
{
	struct given *given = ctx;

	if (given->origin[setting])
		*ret_origin = given->origin[setting];
	return given->value[setting];
}

static void note(void *ctx, const struct settings_error *error)
{
	struct given *given = ctx;

	snprintf(given->text, sizeof(given->text), "%s", error->text);
	snprintf(given->used, sizeof(given->used), "%s", error->used);
}

static int parse(struct given *given)
{
	const struct settings_input input = {.lookup = give, .refuse = note, .ctx = given};

	memset(&settings, 0xff, sizeof(settings));
	return settings_parse(&settings, &input);
}

static void expect_refusal(struct given *given, const char *text, const char *used)
{
	cr_assert_eq(parse(given), 1);
	cr_assert_str_eq(given->text, text);
	cr_assert_str_eq(given->used, used);
}

static void expect_mode(enum settings_source source, enum settings_driver driver, bool strict)
{
	cr_assert_eq(settings.source, source);
	cr_assert_eq(settings.driver, driver);
	cr_assert_eq(settings.strict, strict);
}

Test(settings, every_row_of_the_table_is_complete)
{
	for (int i = 0; i < SETTING_MAX; i++) {
		const struct settings_row *row = &settings_table[i];

		cr_assert_not_null(row->option, "row %d", i);
		cr_assert_eq(strncmp(row->variable, "INTERPOLL_", 10), 0);
		cr_assert_not_null(row->allowed);
		cr_assert_not_null(row->fallback);
		cr_assert_not_null(row->help);
		cr_assert_eq(row->choices != NULL, row->kind == SETTINGS_CHOICE);
		for (const char *p = row->option, *q = row->variable + 10; *p || *q; p++, q++)
			cr_assert_eq(*q, *p == '-' ? '_' : *p + 'A' - 'a', "%s", row->variable);
	}
}

Test(settings, nothing_given_is_all_defaults)
{
	struct given given = {.value = {NULL}};

	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, false);
	cr_assert_not(settings.passthrough);
	cr_assert_not(settings.no_io_uring);
	cr_assert_eq(settings.busy_poll, SETTINGS_BUSY_POLL_OFF);
	cr_assert_eq(settings.busy_poll_ns, 0);
	cr_assert_str_empty(settings.summary);
}

Test(settings, debug_builds_check_themselves_unless_told_otherwise)
{
	struct given given = {.value = {NULL}};
	bool is_debug = false;

#ifdef INTERPOLL_DEBUG
	is_debug = true;
#endif
	cr_assert_eq(parse(&given), 0);
	cr_assert_eq(settings.selfcheck, is_debug);
	cr_assert_str_eq(settings_table[SETTING_SELFCHECK].fallback, is_debug ? "1" : "0");
	given.value[SETTING_SELFCHECK] = "0";
	cr_assert_eq(parse(&given), 0);
	cr_assert_not(settings.selfcheck);
	given.value[SETTING_SELFCHECK] = "1";
	cr_assert_eq(parse(&given), 0);
	cr_assert(settings.selfcheck);
	given.value[SETTING_SELFCHECK] = "yes";
	cr_assert_eq(parse(&given), 1);
	cr_assert_eq(settings.selfcheck, is_debug);
}

Test(settings, empty_is_as_not_given)
{
	struct given given = {.value = {"", "", "", "", "", "", "", ""}};

	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, false);
}

Test(settings, every_choice_has_its_word)
{
	struct given given = {.value = {[SETTING_SOURCE] = "epoll", [SETTING_DRIVER] = "thread"}};

	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_THREAD, false);
	given.value[SETTING_SOURCE] = "poll";
	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_POLL, SETTINGS_DRIVER_THREAD, false);
	cr_assert_str_eq(settings_source_name(SETTINGS_SOURCE_EPOLL), "epoll");
	cr_assert_str_eq(settings_source_name(SETTINGS_SOURCE_POLL), "poll");
	cr_assert_str_eq(settings_driver_name(SETTINGS_DRIVER_INLINE), "inline");
	cr_assert_str_eq(settings_driver_name(SETTINGS_DRIVER_THREAD), "thread");
}

Test(settings, the_poll_source_brings_its_driver)
{
	struct given given = {.value = {[SETTING_SOURCE] = "poll"}};

	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_POLL, SETTINGS_DRIVER_THREAD, false);
}

Test(settings, switches_are_0_or_1)
{
	struct given given = {.value = {[SETTING_STRICT] = "1",
					[SETTING_PASSTHROUGH] = "0",
					[SETTING_NO_IO_URING] = "1"}};

	cr_assert_eq(parse(&given), 0);
	cr_assert(settings.strict);
	cr_assert_not(settings.passthrough);
	cr_assert(settings.no_io_uring);
}

static void expect_busy_poll(enum settings_busy_poll busy_poll, unsigned int ns)
{
	cr_assert_eq(settings.busy_poll, busy_poll);
	cr_assert_eq(settings.busy_poll_ns, ns);
}

Test(settings, a_time_is_a_number_and_its_unit)
{
	static const struct {
		const char *text;
		enum settings_busy_poll busy_poll;
		unsigned int ns;
	} times[] = {
		{"off", SETTINGS_BUSY_POLL_OFF, 0},
		{"auto", SETTINGS_BUSY_POLL_AUTO, 0},
		{"1us", SETTINGS_BUSY_POLL_TIME, 1000},
		{"50us", SETTINGS_BUSY_POLL_TIME, 50 * 1000},
		{"10000us", SETTINGS_BUSY_POLL_TIME, 10 * 1000 * 1000},
		{"1ms", SETTINGS_BUSY_POLL_TIME, 1000 * 1000},
		{"10ms", SETTINGS_BUSY_POLL_TIME, 10 * 1000 * 1000},
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct given given = {.value = {[SETTING_BUSY_POLL] = times[i].text}};

		cr_assert_eq(parse(&given), 0, "%s", times[i].text);
		expect_busy_poll(times[i].busy_poll, times[i].ns);
	}
}

Test(settings, what_is_no_time_is_refused)
{
	static const char *const texts[] = {
		"0us",	 "0",	    "50",	    "us",
		"11ms",	 "10001us", "50 us",	    "-50us",
		"50ns",	 "1s",	    "50usx",	    "0x10us",
		"1.5ms", "on",	    "4294967296us", "18446744073709551617us"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct given given = {.value = {[SETTING_BUSY_POLL] = texts[i]}};

		cr_assert_eq(parse(&given), 1, "%s", texts[i]);
		cr_assert_not_null(strstr(given.text, "allowed: off, auto, or a time"));
		cr_assert_str_eq(given.used, "off");
		expect_busy_poll(SETTINGS_BUSY_POLL_OFF, 0);
	}
}

Test(settings, a_refusal_names_origin_value_and_what_is_allowed)
{
	struct given given = {.value = {[SETTING_SOURCE] = "magic"},
			      .origin = {[SETTING_SOURCE] = "--source"}};

	expect_refusal(&given, "--source: 'magic' is not a value it can have; allowed: epoll, poll",
		       "epoll");
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, false);
	given = (struct given){.value = {[SETTING_STRICT] = "yes"}};
	expect_refusal(&given, "INTERPOLL_STRICT: 'yes' is not a value it can have; allowed: 0, 1",
		       "0");
	cr_assert_not(settings.strict);
}

Test(settings, every_bad_value_is_refused_by_itself)
{
	struct given given = {.value = {"a", "b", "c", "d", "e", NULL, "f"}};

	cr_assert_eq(parse(&given), 6);
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, false);
}

Test(settings, an_absurd_value_is_shown_in_part)
{
	char value[10000];
	struct given given = {.value = {[SETTING_DRIVER] = value}};

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	cr_assert_eq(parse(&given), 1);
	cr_assert_lt(strlen(given.text), 250);
	cr_assert_not_null(strstr(given.text, "allowed: inline, thread"));
}

Test(settings, combinations_that_do_not_exist_fall_back_together)
{
	static const struct {
		const char *source, *driver, *strict, *busy_poll, *word;
	} conflicts[] = {
		{"poll", NULL, "1", NULL, "cannot be strict"},
		{"poll", "inline", NULL, NULL, "no driver inline"},
		{NULL, "thread", "1", NULL, "cannot be strict"},
		{"poll", NULL, NULL, "auto", "the source poll cannot poll busily"},
		{NULL, "thread", NULL, "50us", "the driver thread cannot poll busily"},
	};

	for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
		struct given given = {.value = {[SETTING_SOURCE] = conflicts[i].source,
						[SETTING_DRIVER] = conflicts[i].driver,
						[SETTING_STRICT] = conflicts[i].strict,
						[SETTING_BUSY_POLL] = conflicts[i].busy_poll}};

		cr_assert_eq(parse(&given), 1, "conflict %zu", i);
		cr_assert_not_null(strstr(given.text, conflicts[i].word), "%s", given.text);
		expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, false);
		expect_busy_poll(SETTINGS_BUSY_POLL_OFF, 0);
		/* Passed through, nothing of it means anything. */
		given.value[SETTING_PASSTHROUGH] = "1";
		cr_assert_eq(parse(&given), 0, "conflict %zu passed through", i);
	}
}

Test(settings, to_poll_busily_goes_with_strict)
{
	struct given given = {.value = {[SETTING_STRICT] = "1", [SETTING_BUSY_POLL] = "auto"}};

	cr_assert_eq(parse(&given), 0);
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, true);
	expect_busy_poll(SETTINGS_BUSY_POLL_AUTO, 0);
}

Test(settings, a_summary_path_becomes_absolute)
{
	struct given given = {.value = {[SETTING_SUMMARY] = "report"}};

	cr_assert_eq(chdir("/usr"), 0);
	cr_assert_eq(parse(&given), 0);
	cr_assert_str_eq(settings.summary, "/usr/report");
	given.value[SETTING_SUMMARY] = "/var/report";
	cr_assert_eq(parse(&given), 0);
	cr_assert_str_eq(settings.summary, "/var/report");
	given.value[SETTING_SUMMARY] = "-";
	cr_assert_eq(parse(&given), 0);
	cr_assert_str_eq(settings.summary, "-");
}

Test(settings, a_summary_path_fits_or_is_refused)
{
	char path[SETTINGS_PATH_SIZE + 1];
	struct given given = {.value = {[SETTING_SUMMARY] = path}};

	memset(path, '/', sizeof(path));
	path[SETTINGS_PATH_SIZE] = '\0';
	cr_assert_eq(parse(&given), 1);
	cr_assert_str_empty(settings.summary);
	path[SETTINGS_PATH_SIZE - 1] = '\0';
	cr_assert_eq(parse(&given), 0);
	cr_assert_str_eq(settings.summary, path);
	/* Relative: one byte too much, with the directory before it. */
	path[0] = 'r';
	cr_assert_eq(chdir("/usr"), 0);
	cr_assert_eq(parse(&given), 1);
	cr_assert_str_empty(settings.summary);
}

Test(settings, variables_are_found_by_their_whole_name)
{
	char *envp[] = {(char[]){"INTERPOLL_SOURCES=no"}, (char[]){"INTERPOLL=no"},
			(char[]){"INTERPOLL_SOURCE=poll"}, (char[]){"EMPTY="}, NULL};

	cr_assert_str_eq(settings_find_variable(envp, "INTERPOLL_SOURCE"), "poll");
	cr_assert_str_eq(settings_find_variable(envp, "EMPTY"), "");
	cr_assert_null(settings_find_variable(envp, "INTERPOLL_S"));
	cr_assert_null(settings_find_variable(NULL, "INTERPOLL_SOURCE"));
}

/* What settings_parse_environ() writes on stderr, in @said. */
static int parse_environ(char *const envp[], char *said, size_t size)
{
	int fd[2], saved = dup(STDERR_FILENO), ret;
	ssize_t len;

	cr_assert_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	ret = settings_parse_environ(&settings, envp);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd[1]);
	len = read(fd[0], said, size - 1);
	said[len > 0 ? len : 0] = '\0';
	close(fd[0]);
	return ret;
}

Test(settings, the_library_says_one_line_and_goes_on)
{
	char *good[] = {(char[]){"INTERPOLL_SOURCE=poll"}, NULL};
	char *bad[] = {(char[]){"INTERPOLL_STRICT=1"}, (char[]){"INTERPOLL_DRIVER=magic"}, NULL};
	char said[1024];

	cr_assert_eq(parse_environ(good, said, sizeof(said)), 0);
	cr_assert_str_empty(said);
	expect_mode(SETTINGS_SOURCE_POLL, SETTINGS_DRIVER_THREAD, false);
	cr_assert_eq(parse_environ(bad, said, sizeof(said)), 1);
	cr_assert_str_eq(said, "interpoll: INTERPOLL_DRIVER: 'magic' is not a value it can have; "
			       "allowed: inline, thread; using inline for the source epoll, "
			       "thread for poll\n");
	expect_mode(SETTINGS_SOURCE_EPOLL, SETTINGS_DRIVER_INLINE, true);
}
