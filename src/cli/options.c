// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

/* What getopt_long() returns besides characters: a setting from OPTION_SETTING on, or these. */
enum {
	OPTION_CHECK = UCHAR_MAX + 1,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_SETTING
};

#define NR_OPTIONS (SETTING_MAX + 3)

static bool needs_value(const struct settings_row *row)
{
	return row->kind == SETTINGS_CHOICE || row->kind == SETTINGS_TIME;
}

static void fill_table(struct option table[NR_OPTIONS + 1])
{
	const struct settings_row *row;
	int i;

	for (i = 0; i < SETTING_MAX; i++) {
		row = &settings_table[i];
		table[i] = (struct option){
			.name = row->option,
			.has_arg = needs_value(row) ? required_argument : optional_argument,
			.val = OPTION_SETTING + i,
		};
	}
	table[i++] = (struct option){"check", required_argument, NULL, OPTION_CHECK};
	table[i++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	table[i++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	table[i] = (struct option){NULL, 0, NULL, 0};
}

/* An option alone means on; for a path, stderr. */
static void note_setting(struct options *options, enum setting setting, const char *value)
{
	if (!value)
		value = settings_table[setting].kind == SETTINGS_PATH ? "-" : "1";
	options->given[setting] = value;
}

static int parse_words(struct options *options, int argc, char *argv[])
{
	struct option table[NR_OPTIONS + 1];
	int option, before;

	fill_table(table);
	opterr = 0;
	for (;;) {
		before = optind;
		/* + ends the options at the command, : tells a missing value apart */
		option = getopt_long(argc, argv, "+:", table, NULL);
		if (option == -1)
			return 0;
		if (option >= OPTION_SETTING) {
			note_setting(options, (enum setting)(option - OPTION_SETTING), optarg);
			continue;
		}
		switch (option) {
		case OPTION_CHECK:
			options->task = OPTIONS_CHECK;
			options->check = optarg;
			break;
		case OPTION_HELP:
			options->task = OPTIONS_HELP;
			return 0;
		case OPTION_VERSION:
			options->task = OPTIONS_VERSION;
			return 0;
		case ':':
			say("%s: needs a value; see interpoll --help", argv[before]);
			return SAY_OWN_ERROR;
		default:
			say("%s: is not an option of interpoll; see interpoll --help",
			    argv[before]);
			return SAY_OWN_ERROR;
		}
	}
}

/* -------- settings: the option, or else the variable -------- */

struct lookup {
	const struct options *options;
	char origin[SETTING_MAX][32]; /* "--source" */
};

static const char *look_up(void *ctx, enum setting setting, const char **ret_origin)
{
	struct lookup *lookup = ctx;

	if (!lookup->options->given[setting])
		return getenv(settings_table[setting].variable);
	snprintf(lookup->origin[setting], sizeof(lookup->origin[setting]), "--%s",
		 settings_table[setting].option);
	*ret_origin = lookup->origin[setting];
	return lookup->options->given[setting];
}

static void complain(void *ctx, const struct settings_error *error)
{
	(void)ctx;
	say("%s", error->text);
}

static int parse_settings(struct options *options)
{
	struct lookup lookup = {.options = options};
	const struct settings_input input = {
		.lookup = look_up,
		.refuse = complain,
		.ctx = &lookup,
	};

	return settings_parse(&options->settings, &input) ? SAY_OWN_ERROR : 0;
}

int options_parse(struct options *options, int argc, char *argv[])
{
	int status;

	memset(options, 0, sizeof(*options));
	optind = argc > 1 && !strcmp(argv[1], "run") ? 2 : 1;
	status = parse_words(options, argc, argv);
	if (status || options->task == OPTIONS_HELP || options->task == OPTIONS_VERSION)
		return status;
	status = parse_settings(options);
	if (status)
		return status;
	options->command = argv + optind;
	if (options->task == OPTIONS_RUN && !options->command[0]) {
		say("no command to run; see interpoll --help");
		return SAY_OWN_ERROR;
	}
	if (options->task == OPTIONS_CHECK && options->command[0]) {
		say("--check: only looks at '%s', it does not run '%s'", options->check,
		    options->command[0]);
		return SAY_OWN_ERROR;
	}
	return 0;
}

int options_export(const struct options *options)
{
	const char *value;
	int i;

	for (i = 0; i < SETTING_MAX; i++) {
		value = options->given[i];
		/* Absolute: the program may change its directory. */
		if (i == SETTING_SUMMARY && options->settings.summary[0])
			value = options->settings.summary;
		if (value && setenv(settings_table[i].variable, value, 1) < 0)
			return -errno;
	}
	return 0;
}

/* -------- help -------- */

#define HELP_COLUMN 26

/* @text in the right-hand column; its lines are broken by the table already. */
static void print_text(const char *left, const char *text)
{
	size_t len;

	printf("  %-*s", HELP_COLUMN - 2, left);
	for (;; text += len + 1) {
		len = strcspn(text, "\n");
		printf("%.*s\n", (int)len, text);
		if (!text[len])
			return;
		printf("%*s", HELP_COLUMN, "");
	}
}

static void print_setting(const struct settings_row *row)
{
	char left[64];

	switch (row->kind) {
	case SETTINGS_CHOICE:
		snprintf(left, sizeof(left), "--%s=%s", row->option, "WORD");
		break;
	case SETTINGS_TIME:
		snprintf(left, sizeof(left), "--%s=TIME", row->option);
		break;
	case SETTINGS_SWITCH:
		snprintf(left, sizeof(left), "--%s", row->option);
		break;
	case SETTINGS_PATH:
		snprintf(left, sizeof(left), "--%s[=FILE]", row->option);
		break;
	}
	print_text(left, row->help);
	if (needs_value(row))
		printf("%*s%s; default: %s\n", HELP_COLUMN, "", row->allowed, row->fallback);
	printf("%*s%s\n", HELP_COLUMN, "", row->variable);
}

void options_print_help(void)
{
	int i;

	puts("Usage: interpoll [run] [options] [--] command [argument...]\n"
	     "       interpoll --check=PROGRAM\n"
	     "\n"
	     "Run a command on interpoll's own epoll.\n"
	     "\n"
	     "Options, and the variables for libinterpoll.so preloaded by hand:");
	for (i = 0; i < SETTING_MAX; i++)
		print_setting(&settings_table[i]);
	print_text("--check=PROGRAM", "do not run it, but say whether it can be preloaded and\n"
				      "which epoll calls it and its libraries make");
	print_text("--version", "say which version this is");
	print_text("--help", "say this");
	puts("\n"
	     "The exit status is the command's; 125 if interpoll itself fails or refuses,\n"
	     "126 if the command cannot be executed, 127 if it is not found.\n"
	     "--check: 0 if interpoll will see epoll calls, 1 if it finds none to see,\n"
	     "125 to 127 if the program would be refused.");
}
