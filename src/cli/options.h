/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line: settings from settings_table, and what to do.
 */
#ifndef INTERPOLL_CLI_OPTIONS_H
#define INTERPOLL_CLI_OPTIONS_H

#include "settings/settings.h"

enum options_task {
	OPTIONS_RUN,
	OPTIONS_CHECK,
	OPTIONS_HELP,
	OPTIONS_VERSION
};

struct options {
	enum options_task task;
	char **command;		  /* OPTIONS_RUN: the program and its arguments, inside argv */
	const char *check;	  /* OPTIONS_CHECK: the program */
	struct settings settings; /* options over variables over defaults */
	const char *given[SETTING_MAX]; /* the options' values, inside argv or static; or NULL */
};

/*
 * Parse @argv, and the INTERPOLL_* variables for what it leaves open.  Whatever is wrong is
 * said on stderr, naming option, value and what is allowed.  Returns 0, or
 * SAY_OWN_ERROR after the last complaint.
 */
int options_parse(struct options *options, int argc, char *argv[]);

/* Set the variables of the given options, for the program.  0 or -errno. */
int options_export(const struct options *options);

/* The text of --help, on stdout. */
void options_print_help(void);

#endif
