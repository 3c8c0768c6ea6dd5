// SPDX-License-Identifier: MIT
/*
 * main.c - the interpoll command.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/check.h"
#include "cli/options.h"
#include "cli/run.h"
#include "cli/say.h"

/* What was printed is lost if stdout is full or closed: that is no success. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	say("cannot write to stdout");
	return SAY_OWN_ERROR;
}

int main(int argc, char *argv[])
{
	struct options options;
	int status = options_parse(&options, argc, argv);

	if (status)
		return status;
	switch (options.task) {
	case OPTIONS_HELP:
		options_print_help();
		return finish(EXIT_SUCCESS);
	case OPTIONS_VERSION:
		puts(PACKAGE_STRING);
		return finish(EXIT_SUCCESS);
	case OPTIONS_CHECK:
		return finish(check(options.check));
	case OPTIONS_RUN:
		return run(&options);
	}
	return SAY_OWN_ERROR;
}
