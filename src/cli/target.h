/* SPDX-License-Identifier: MIT */
/*
 * target.h - the program that is to run, and whether it can be preloaded.
 *
 * The dynamic linker ignores LD_PRELOAD without a word where it cannot or must
 * not obey.  So the file is read first, as the kernel will read it: through
 * PATH, along the #! lines, past env, to the ELF file that runs in the end.
 */
#ifndef INTERPOLL_CLI_TARGET_H
#define INTERPOLL_CLI_TARGET_H

#include <limits.h>

#include "cli/image.h"

/* Longer than a sentence with two paths in it. */
#define TARGET_WHY_SIZE (3 * PATH_MAX)

struct target {
	char path[PATH_MAX];	   /* what is executed: @command, or found through PATH */
	char runs[PATH_MAX];	   /* the ELF file that runs in the end: @path, unless a script */
	struct image image;	   /* of @runs, if is_known */
	bool is_known;		   /* false: it may be executed but not read */
	char why[TARGET_WHY_SIZE]; /* the refusal: one sentence, no capital, no full stop */
};

/*
 * Find @command as execvp(3) would and follow it to the file that runs in the end.
 * Returns 0, or with @why set:
 *	SAY_OWN_ERROR	@library cannot be preloaded into it
 *	SAY_CANNOT_RUN	execve(2) would fail
 *	SAY_NOT_FOUND	there is no such program, or its interpreter is missing
 * @path and @runs are set as far as they were found.
 */
int target_examine(struct target *target, const char *command, const char *library);

#endif
