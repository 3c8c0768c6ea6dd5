// SPDX-License-Identifier: MIT
#include "cli/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Can the effective user execute it?  0 or -errno. */
static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int find_in(const char *dirs, const char *command, char *path, size_t size)
{
	int err = -ENOENT;
	size_t len;
	int ret;

	for (;; dirs += len + 1) {
		len = strcspn(dirs, ":");
		/* An empty component is the working directory. */
		ret = snprintf(path, size, "%.*s%s%s", (int)len, dirs, len ? "/" : "", command);
		if (ret > 0 && (size_t)ret < size) {
			ret = check_executable(path);
			if (!ret)
				return 0;
			if (ret == -EACCES)
				err = ret;
		}
		if (!dirs[len])
			return err;
	}
}

int path_find(const char *command, char *path, size_t size)
{
	const char *dirs = getenv("PATH");
	char standard[256];

	if (!command[0])
		return -ENOENT;
	if (strchr(command, '/')) {
		if (strlen(command) >= size)
			return -ENAMETOOLONG;
		strcpy(path, command);
		return check_executable(path);
	}
	if (!dirs) {
		confstr(_CS_PATH, standard, sizeof(standard));
		dirs = standard;
	}
	return find_in(dirs, command, path, size);
}

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
