// SPDX-License-Identifier: MIT
/*
 * settings.c - the table of settings, its parser, and the rules of combination.
 */
#include "settings/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "real/sys.h"

/* Longer than any sentence made here unless the user's value is absurd. */
#define SENTENCE_SIZE 512

/* At most this much of a bad value is shown again. */
#define SHOWN_VALUE "%.80s"

/* Debug builds check themselves. */
#ifdef INTERPOLL_DEBUG
#define SELFCHECK_FALLBACK "1"
#else
#define SELFCHECK_FALLBACK "0"
#endif

/* The order of the names is the order of the enums. */
static const char *const source_names[] = {"epoll", "poll", NULL};
static const char *const driver_names[] = {"inline", "thread", NULL};

const struct settings_row settings_table[SETTING_MAX] = {
	[SETTING_SOURCE] =
		{
			.option = "source",
			.variable = "INTERPOLL_SOURCE",
			.kind = SETTINGS_CHOICE,
			.choices = source_names,
			.allowed = "epoll, poll",
			.fallback = "epoll",
			.help = "how edges are learned: epoll is exact in everything;\n"
				"poll shows what the same server costs without epoll",
		},
	[SETTING_DRIVER] =
		{
			.option = "driver",
			.variable = "INTERPOLL_DRIVER",
			.kind = SETTINGS_CHOICE,
			.choices = driver_names,
			.allowed = "inline, thread",
			.fallback = "inline for the source epoll, thread for poll",
			.help = "who turns edges into callbacks: the waiting thread\n"
				"itself, or a thread of interpoll's own",
		},
	[SETTING_STRICT] =
		{
			.option = "strict",
			.variable = "INTERPOLL_STRICT",
			.kind = SETTINGS_SWITCH,
			.allowed = "0, 1",
			.fallback = "0",
			.help = "the kernel keeps every watch: its order, at its price",
		},
	[SETTING_PASSTHROUGH] =
		{
			.option = "passthrough",
			.variable = "INTERPOLL_PASSTHROUGH",
			.kind = SETTINGS_SWITCH,
			.allowed = "0, 1",
			.fallback = "0",
			.help = "hand every call on to the kernel's epoll: nothing of\n"
				"interpoll's is used, and no events are counted",
		},
	[SETTING_BUSY_POLL] =
		{
			.option = "busy-poll",
			.variable = "INTERPOLL_BUSY_POLL",
			.kind = SETTINGS_TIME,
			.allowed = "off, auto, or a time from 1us to 10ms",
			.fallback = "off",
			.help = "look for events for a while before sleeping: auto as\n"
				"long as it pays, else always for that time",
		},
	[SETTING_SUMMARY] =
		{
			.option = "summary",
			.variable = "INTERPOLL_SUMMARY",
			.kind = SETTINGS_PATH,
			.allowed = "a file name, or - for stderr",
			.fallback = "no summary",
			.help = "say at the end what the eventpolls did, on stderr or\n"
				"appended to FILE",
		},
	[SETTING_NO_IO_URING] =
		{
			.option = "no-io-uring",
			.variable = "INTERPOLL_NO_IO_URING",
			.kind = SETTINGS_SWITCH,
			.allowed = "0, 1",
			.fallback = "0",
			.help = "make io_uring_setup fail in the program, so that\n"
				"libuv makes epoll calls that interpoll sees",
		},
	[SETTING_SELFCHECK] =
		{
			.option = "selfcheck",
			.variable = "INTERPOLL_SELFCHECK",
			.kind = SETTINGS_SWITCH,
			.allowed = "0, 1",
			.fallback = SELFCHECK_FALLBACK,
			.help = "compare interpoll's books with the kernel's after every\n"
				"change, and abort with a line on stderr if they differ",
		},
};

static const char *name_at(const char *const *names, size_t nr, size_t index)
{
	return index < nr ? names[index] : "?";
}

const char *settings_source_name(enum settings_source source)
{
	return name_at(source_names, 2, source);
}

const char *settings_driver_name(enum settings_driver driver)
{
	return name_at(driver_names, 2, driver);
}

/* One run of settings_parse(): what was given, and how often we refused. */
struct parse {
	struct settings *settings;
	const struct settings_input *input;
	const char *raw[SETTING_MAX];	 /* NULL: absent or empty */
	const char *origin[SETTING_MAX]; /* how the user spelled it */
	int nr_refused;
};

static void refuse(struct parse *parse, const char *text, const char *used)
{
	const struct settings_error error = {.text = text, .used = used};

	parse->nr_refused++;
	parse->input->refuse(parse->input->ctx, &error);
}

static void refuse_value(struct parse *parse, enum setting setting, const char *why)
{
	const struct settings_row *row = &settings_table[setting];
	char text[SENTENCE_SIZE];

	snprintf(text, sizeof(text), "%s: '" SHOWN_VALUE "' %s; allowed: %s",
		 parse->origin[setting], parse->raw[setting], why, row->allowed);
	refuse(parse, text, row->fallback);
}

/* The index of the given value among the choices, or -1 if absent or refused. */
static int parse_choice(struct parse *parse, enum setting setting)
{
	const char *const *choices = settings_table[setting].choices;
	const char *raw = parse->raw[setting];
	int i;

	if (!raw)
		return -1;
	for (i = 0; choices[i]; i++)
		if (!strcmp(choices[i], raw))
			return i;
	refuse_value(parse, setting, "is not a value it can have");
	return -1;
}

static bool parse_switch(struct parse *parse, enum setting setting)
{
	bool fallback = !strcmp(settings_table[setting].fallback, "1");
	const char *raw = parse->raw[setting];

	if (!raw)
		return fallback;
	if (!strcmp(raw, "0"))
		return false;
	if (!strcmp(raw, "1"))
		return true;
	refuse_value(parse, setting, "is not a value it can have");
	return fallback;
}

/* "50us", "1ms": the nanoseconds, or 0 if @text is no time that is allowed. */
static unsigned int parse_time(const char *text)
{
	static const struct {
		const char *name;
		unsigned int ns;
	} units[] = {{"us", 1000}, {"ms", 1000 * 1000}};
	uint64_t number = 0;

	/* a number that is too large already need not be read to its end */
	for (; *text >= '0' && *text <= '9' && number <= SETTINGS_TIME_MAX_NS; text++)
		number = number * 10 + (unsigned int)(*text - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(text, units[i].name) && number <= SETTINGS_TIME_MAX_NS / units[i].ns)
			return (unsigned int)number * units[i].ns;
	return 0;
}

static void parse_busy_poll(struct parse *parse)
{
	struct settings *settings = parse->settings;
	const char *raw = parse->raw[SETTING_BUSY_POLL];

	settings->busy_poll = SETTINGS_BUSY_POLL_OFF;
	settings->busy_poll_ns = 0;
	if (!raw || !strcmp(raw, "off"))
		return;
	if (!strcmp(raw, "auto")) {
		settings->busy_poll = SETTINGS_BUSY_POLL_AUTO;
		return;
	}
	settings->busy_poll_ns = parse_time(raw);
	if (settings->busy_poll_ns)
		settings->busy_poll = SETTINGS_BUSY_POLL_TIME;
	else
		refuse_value(parse, SETTING_BUSY_POLL, "is not a value it can have");
}

static void parse_summary(struct parse *parse)
{
	const char *raw = parse->raw[SETTING_SUMMARY];
	char *path = parse->settings->summary;
	size_t used = 0;

	path[0] = '\0';
	if (!raw)
		return;
	if (raw[0] != '/' && strcmp(raw, "-")) {
		if (!getcwd(path, SETTINGS_PATH_SIZE) || path[0] != '/') {
			path[0] = '\0';
			refuse_value(parse, SETTING_SUMMARY,
				     "is relative, but the working directory has no name");
			return;
		}
		used = strlen(path);
		if (used + 1 < SETTINGS_PATH_SIZE)
			path[used++] = '/';
	}
	if (used + strlen(raw) >= SETTINGS_PATH_SIZE) {
		path[0] = '\0';
		refuse_value(parse, SETTING_SUMMARY, "is too long a path");
		return;
	}
	strcpy(path + used, raw);
}

/*
 * Which settings do not go together, and the sentence about it.  NULL if they do.
 *
 * inline sleeps in the kernel epoll behind the application's descriptor, and
 * strict lets that epoll keep every watch: the poll source has none.  And a
 * waiter of a strict eventpoll sleeps in the kernel, which leaves the thread
 * driver nothing to drive.  Whoever polls busily does so where it would sleep, in that
 * epoll.
 */
static const char *find_conflict(const struct settings *settings)
{
	bool is_poll = settings->source == SETTINGS_SOURCE_POLL;

	if (settings->passthrough)
		return NULL;
	if (is_poll && settings->strict)
		return "the source poll cannot be strict: strict is the kernel's epoll keeping "
		       "every watch; use the source epoll, or drop strict";
	if (is_poll && settings->driver == SETTINGS_DRIVER_INLINE)
		return "the source poll has no driver inline: inline sleeps in the kernel's "
		       "epoll; use the driver thread, or the source epoll";
	if (settings->strict && settings->driver == SETTINGS_DRIVER_THREAD)
		return "the driver thread cannot be strict: waiters of strict eventpolls sleep "
		       "in the kernel itself; use the driver inline, or drop strict";
	if (is_poll && settings->busy_poll)
		return "the source poll cannot poll busily: waiters look for events in the "
		       "kernel's epoll; use the source epoll, or drop busy-poll";
	if (settings->busy_poll && settings->driver == SETTINGS_DRIVER_THREAD)
		return "the driver thread cannot poll busily: its waiters do not look for events "
		       "themselves; use the driver inline, or drop busy-poll";
	return NULL;
}

static void parse_combination(struct parse *parse)
{
	struct settings *settings = parse->settings;
	const char *conflict = find_conflict(settings);

	if (!conflict)
		return;
	settings->source = SETTINGS_SOURCE_EPOLL;
	settings->driver = SETTINGS_DRIVER_INLINE;
	settings->strict = false;
	settings->busy_poll = SETTINGS_BUSY_POLL_OFF;
	settings->busy_poll_ns = 0;
	refuse(parse, conflict, "the source epoll with the driver inline, not strict");
}

int settings_parse(struct settings *settings, const struct settings_input *input)
{
	struct parse parse = {.settings = settings, .input = input};
	int i, choice;

	for (i = 0; i < SETTING_MAX; i++) {
		parse.origin[i] = settings_table[i].variable;
		parse.raw[i] = input->lookup(input->ctx, i, &parse.origin[i]);
		if (parse.raw[i] && !parse.raw[i][0])
			parse.raw[i] = NULL;
	}

	choice = parse_choice(&parse, SETTING_SOURCE);
	settings->source = choice < 0 ? SETTINGS_SOURCE_EPOLL : (enum settings_source)choice;
	choice = parse_choice(&parse, SETTING_DRIVER);
	if (choice >= 0)
		settings->driver = (enum settings_driver)choice;
	else
		settings->driver = settings->source == SETTINGS_SOURCE_POLL
					   ? SETTINGS_DRIVER_THREAD
					   : SETTINGS_DRIVER_INLINE;
	settings->strict = parse_switch(&parse, SETTING_STRICT);
	settings->passthrough = parse_switch(&parse, SETTING_PASSTHROUGH);
	settings->no_io_uring = parse_switch(&parse, SETTING_NO_IO_URING);
	settings->selfcheck = parse_switch(&parse, SETTING_SELFCHECK);
	parse_busy_poll(&parse);
	parse_summary(&parse);
	parse_combination(&parse);
	return parse.nr_refused;
}

const char *settings_find_variable(char *const envp[], const char *variable)
{
	size_t len = strlen(variable);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, variable, len) && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

/* What settings_parse_environ() looks into; NULL where nothing may be believed. */
struct environ_input {
	char *const *envp;
};

static const char *environ_lookup(void *ctx, enum setting setting, const char **ret_origin)
{
	const struct environ_input *from = ctx;

	*ret_origin = settings_table[setting].variable;
	return settings_find_variable(from->envp, settings_table[setting].variable);
}

static void environ_refuse(void *ctx, const struct settings_error *error)
{
	char line[SENTENCE_SIZE + 128];
	int len;

	(void)ctx;
	len = snprintf(line, sizeof(line), "interpoll: %s; using %s\n", error->text, error->used);
	if (len >= (int)sizeof(line)) {
		len = sizeof(line);
		line[len - 1] = '\n';
	}
	/* Nobody to tell if stderr is closed. */
	(void)sys_write(STDERR_FILENO, line, (size_t)len);
}

int settings_parse_environ(struct settings *settings, char *const envp[])
{
	struct environ_input from = {.envp = getauxval(AT_SECURE) ? NULL : envp};
	const struct settings_input input = {
		.lookup = environ_lookup,
		.refuse = environ_refuse,
		.ctx = &from,
	};

	return settings_parse(settings, &input);
}
