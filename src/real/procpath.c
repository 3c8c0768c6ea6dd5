// SPDX-License-Identifier: MIT
#include "real/procpath.h"

#include <stddef.h>
#include <string.h>

static char *procpath_prepend(char *end, const char *text)
{
	size_t len = strlen(text);

	return memcpy(end - len, text, len);
}

const char *procpath(char path[PROCPATH_SIZE], const char *folder, int fd)
{
	char *at = path + PROCPATH_SIZE - 1;
	unsigned int rest = (unsigned int)fd;

	*at = '\0';
	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	at = procpath_prepend(at, "/");
	at = procpath_prepend(at, folder);
	return procpath_prepend(at, "/proc/thread-self/");
}
