/* SPDX-License-Identifier: MIT */
/*
 * judge.h - what claim.c and judge.c know of each other; claims need none of it.
 */
#ifndef CONFORMANCE_JUDGE_H
#define CONFORMANCE_JUDGE_H

#include <stdatomic.h>
#include <stddef.h>

#include "claim.h"

#define FAILED_STATUS	  99 /* exit status of a process whose expectation failed */
#define IMPOSSIBLE_STATUS 98 /* ... of a claim that cannot be shown here */

/*
 * What the child that runs a claim shares with the parent that judges it.  A
 * page of memory, not a pipe: a claim may close, count and renumber descriptors
 * as it likes.
 */
struct verdict {
	atomic_int is_written; /* first failure wins */
	char text[2000];
	const char *file;  /* the last expectation that was reached; same image, */
	int line;	   /* so the pointer means the same in the parent */
	atomic_int more_s; /* time it may take beyond the limit of all claims */
	char note[400];	   /* said with its failure */
};

extern struct verdict *verdict; /* mapped by judge.c */

/* Read the mode of this run from the environment; before any claim. */
void claim_read_mode(void);

/* All claims, in the order of their files, their deviations attached. */
const struct claim *claim_list(void);

#endif
