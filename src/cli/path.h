/* SPDX-License-Identifier: MIT */
/*
 * path.h - a command's file, by the rules of execvp(3).
 */
#ifndef INTERPOLL_CLI_PATH_H
#define INTERPOLL_CLI_PATH_H

#include <stddef.h>

/*
 * Store in @path the file that execvp(3) would execute for @command, in the
 * present environment.  Returns 0; -ENOENT; -EACCES if there are only files that
 * may not be executed; -ENAMETOOLONG.
 */
int path_find(const char *command, char *path, size_t size);

/* The last component of @path. */
const char *path_name(const char *path);

#endif
