/* SPDX-License-Identifier: MIT */
/*
 * script.h - the first line of a script.
 */
#ifndef INTERPOLL_CLI_SCRIPT_H
#define INTERPOLL_CLI_SCRIPT_H

#include <stdbool.h>

/* As much of the line as the kernel reads (BINPRM_BUF_SIZE). */
#define SCRIPT_LINE_SIZE 256

struct script {
	char interpreter[SCRIPT_LINE_SIZE]; /* "/bin/sh" if there is no #! */
	char argument[SCRIPT_LINE_SIZE];    /* the rest of the line, one argument; "" if none */
};

/* Read the #! line of @path.  Returns 0 or -errno. */
int script_read(const char *path, struct script *ret);

/*
 * What env(1) would start, given @argument alone, before the script's name: stored
 * in @command (SCRIPT_LINE_SIZE), "" if it cannot be told.  *@ret_clears tells whether env
 * starts it without the environment, and so without LD_PRELOAD.
 */
void script_parse_env(const char *argument, char *command, bool *ret_clears);

#endif
