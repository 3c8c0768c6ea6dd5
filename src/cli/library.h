/* SPDX-License-Identifier: MIT */
/*
 * library.h - where libinterpoll.so is.
 */
#ifndef INTERPOLL_CLI_LIBRARY_H
#define INTERPOLL_CLI_LIBRARY_H

#include <stddef.h>

/*
 * Store the absolute path of libinterpoll.so in @path.  Looked for, in this
 * order: in .libs beside this very executable (a build tree), beside it, where
 * the installation put it relative to the executable (so that a moved prefix
 * works), and where configure said.
 *
 * Returns 0; -ENOENT if it is in none of them; -EINVAL if the dynamic linker could not
 * be told its path, which has a space, a colon or a $ in it (@path is set);
 * or the -errno of finding out where the executable is.
 */
int library_find(char *path, size_t size);

/* The same for a person: 0, or SAY_OWN_ERROR after a sentence on stderr. */
int library_report(char *path, size_t size);

#endif
