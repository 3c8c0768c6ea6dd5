// SPDX-License-Identifier: MIT
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "real/sys.h"

void say(const char *format, ...)
{
	/* A sentence may name two paths. */
	char line[3 * 4096] = "interpoll: ";
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	/* Nobody to tell if stderr is closed. */
	(void)sys_write(STDERR_FILENO, line, strlen(line));
}
