/* SPDX-License-Identifier: MIT */
/*
 * settings.h - what a user can choose, and how it is spelled.
 *
 * One table (settings_table) names every setting: its command line option, its
 * INTERPOLL_* variable, the values allowed, the default and the help text.  The
 * launcher's option parser, `interpoll --help', the environment reader of the
 * preloaded library, and all error sentences are computed from it.
 *
 * The rules about which settings go together live here too, so that launcher and
 * library cannot disagree.  They differ only in what they do about a bad value:
 * the launcher refuses to start, the library says it in one line and goes on
 * with the default, because it must never harm its host.
 *
 * Nothing here allocates or uses stdio streams: the library reads its settings
 * in its constructor, possibly under somebody else's malloc.
 */
#ifndef INTERPOLL_SETTINGS_SETTINGS_H
#define INTERPOLL_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* The longest summary path, terminating 0 included. */
#define SETTINGS_PATH_SIZE 4096

enum setting {
	SETTING_SOURCE,
	SETTING_DRIVER,
	SETTING_STRICT,
	SETTING_PASSTHROUGH,
	SETTING_BUSY_POLL,
	SETTING_SUMMARY,
	SETTING_NO_IO_URING,
	SETTING_SELFCHECK,
	SETTING_MAX
};

enum settings_kind {
	SETTINGS_CHOICE, /* one of a list of words; the option needs a value */
	SETTINGS_SWITCH, /* 0 or 1; the option alone means 1 */
	SETTINGS_PATH,	 /* a file, "-" for stderr; the option alone means "-" */
	SETTINGS_TIME,	 /* "off", "auto" or a number with its unit; the option needs a value */
};

/* How the library learns of edges (DESIGN: sources). */
enum settings_source {
	SETTINGS_SOURCE_EPOLL,
	SETTINGS_SOURCE_POLL
};

/* Who turns edges into callbacks (DESIGN: drivers). */
enum settings_driver {
	SETTINGS_DRIVER_INLINE,
	SETTINGS_DRIVER_THREAD
};

/* The longest TIME. */
#define SETTINGS_TIME_MAX_NS 10000000u

/* Whether to look for events for a while before sleeping, and for how long. */
enum settings_busy_poll {
	SETTINGS_BUSY_POLL_OFF,
	SETTINGS_BUSY_POLL_AUTO, /* as long as it pays */
	SETTINGS_BUSY_POLL_TIME,
};

/* One row of the table. */
struct settings_row {
	const char *option;   /* "source": the option is --source */
	const char *variable; /* "INTERPOLL_SOURCE" */
	enum settings_kind kind;
	const char *const *choices; /* SETTINGS_CHOICE: NULL-terminated, else NULL */
	const char *allowed;	    /* the values allowed, for people: "epoll, poll" */
	const char *fallback;	    /* the default, for people */
	const char *help;	    /* what it does, for --help; lines end in \n except the last */
};

extern const struct settings_row settings_table[SETTING_MAX];

/* The result.  A plain value: copy it freely. */
struct settings {
	enum settings_source source;
	enum settings_driver driver;
	bool strict;
	bool passthrough; /* source, driver, strict and busy_poll then mean nothing */
	enum settings_busy_poll busy_poll;
	unsigned int busy_poll_ns; /* of SETTINGS_BUSY_POLL_TIME, else 0 */
	bool no_io_uring;
	bool selfcheck;
	char summary[SETTINGS_PATH_SIZE]; /* "" none, "-" stderr, else an absolute path */
};

/* A value or a combination that is not allowed. */
struct settings_error {
	const char *text; /* one sentence without capital, full stop or newline: names
			     where the value came from, the value, and what is allowed */
	const char *used; /* what is used instead: "epoll", or a combination */
};

/* Where settings_parse() finds raw values and whom it tells about bad ones. */
struct settings_input {
	/*
	 * The raw value of @setting, or NULL if it was not given.  *@ret_origin
	 * is set to how the user spelled it: "--source" or "INTERPOLL_SOURCE".
	 */
	const char *(*lookup)(void *ctx, enum setting setting, const char **ret_origin);
	/* Called for each bad value and each bad combination; @error is on the stack. */
	void (*refuse)(void *ctx, const struct settings_error *error);
	void *ctx;
};

/*
 * Fill @settings from @input.  A setting that is absent, empty or refused has
 * its default; a refused combination gives the default of source, driver,
 * strict and busy_poll together.  A relative summary path is made absolute with the current
 * working directory, because the program may change it.
 *
 * Returns the number of refusals, 0 if all is well; @settings is usable either way.
 */
int settings_parse(struct settings *settings, const struct settings_input *input);

/*
 * The library's way: read the INTERPOLL_* variables of @envp (NULL-terminated);
 * each refusal is one line on stderr, written with one write(2).  In a program
 * that runs with more privilege than its caller (AT_SECURE) the variables are
 * ignored.  Returns as settings_parse().
 */
int settings_parse_environ(struct settings *settings, char *const envp[]);

/* The value of @variable in @envp, or NULL; a pointer into @envp. */
const char *settings_find_variable(char *const envp[], const char *variable);

/* The words for the values: "epoll", "poll"; "inline", "thread". */
const char *settings_source_name(enum settings_source source);
const char *settings_driver_name(enum settings_driver driver);

#endif
