// SPDX-License-Identifier: MIT
#include "cli/library.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"

#define LIBRARY_NAME "libinterpoll.so"

/* The directory of the running executable, links resolved. */
static int find_own_directory(char *dir, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	if (len < 0)
		return -errno;
	dir[len] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

/*
 * The way from the directory of commands to the one of libraries: "../" for each
 * component they do not share, and the rest of the latter.
 */
static void find_way(char *way, size_t size)
{
	const char *from = INTERPOLL_BINDIR, *to = INTERPOLL_LIBDIR;
	size_t i, shared = 0, used = 0;

	for (i = 0; from[i] && from[i] == to[i]; i++)
		if (from[i] == '/')
			shared = i;
	for (i = shared; from[i]; i++)
		if (from[i] == '/' && used + 3 < size) {
			memcpy(way + used, "../", 3);
			used += 3;
		}
	snprintf(way + used, size - used, "%s", to + shared + 1);
}

static bool is_there(char *path, size_t size, const char *dir, const char *way)
{
	int len = snprintf(path, size, "%s%s%s/" LIBRARY_NAME, dir, way[0] ? "/" : "", way);

	return len > 0 && (size_t)len < size && access(path, R_OK) == 0;
}

int library_find(char *path, size_t size)
{
	char dir[PATH_MAX], way[PATH_MAX], resolved[PATH_MAX];
	int err = find_own_directory(dir, sizeof(dir));

	if (err)
		return err;
	find_way(way, sizeof(way));
	if (!is_there(path, size, dir, ".libs") && !is_there(path, size, dir, "") &&
	    !is_there(path, size, dir, way) && !is_there(path, size, INTERPOLL_LIBDIR, ""))
		return -ENOENT;
	if (!realpath(path, resolved))
		return -errno;
	if (strlen(resolved) >= size)
		return -ENAMETOOLONG;
	strcpy(path, resolved);
	/* ld.so(8): LD_PRELOAD is a list, with no way to quote, and expands tokens. */
	return strpbrk(path, " :$") ? -EINVAL : 0;
}

int library_report(char *path, size_t size)
{
	int err = library_find(path, size);

	if (!err)
		return 0;
	if (err == -ENOENT)
		say(LIBRARY_NAME " is missing: it is neither beside this command nor in '%s'",
		    INTERPOLL_LIBDIR);
	else if (err == -EINVAL)
		say("the dynamic linker cannot be told of '%s': "
		    "move it to a path without spaces, colons and $",
		    path);
	else
		say("cannot find " LIBRARY_NAME ": %s", strerror(-err));
	return SAY_OWN_ERROR;
}
