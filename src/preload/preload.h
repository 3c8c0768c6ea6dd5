/* SPDX-License-Identifier: MIT */
/*
 * preload.h - what every intercepted call begins and ends with.
 *
 * The files of this room define what the dynamic linker finds instead of libc's
 * functions, one family a file, as real/calls.def has it.  A hook does three
 * things: ask preload_is_active(), tell the rooms below, call the next
 * definition.  Whatever blocks or is a cancellation point is the next
 * definition's doing, outside of any section of ours.
 */
#ifndef INTERPOLL_PRELOAD_PRELOAD_H
#define INTERPOLL_PRELOAD_PRELOAD_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fd/process.h"
#include "real/real.h"

/* What the table names is seen from outside; all else of the library is hidden. */
#define CALL(name, family, why) extern __typeof__(name) name __attribute__((visibility("default")));
#define NUMBER(name, family)
#include "real/calls.def"
#undef CALL
#undef NUMBER

enum preload_state {
	PRELOAD_NEW, /* no call has arrived and the constructor has not run */
	PRELOAD_ACTIVE,
	PRELOAD_PASSTHROUGH, /* everything is forwarded, nothing is ours */
};

extern enum preload_state preload_state;

/* Should io_uring_setup() fail, so that libuv uses the calls we see? */
extern bool preload_refuses_io_uring;

/* The slow half of preload_is_active(): make the library ready if it is not. */
bool preload_start(void);

/*
 * Is this call ours to answer?  Not in a vfork child, whose doings are no
 * business of its parent's tables, and not while the library itself starts.
 */
static inline bool preload_is_active(void)
{
	if (__builtin_expect(__atomic_load_n(&preload_state, __ATOMIC_ACQUIRE) != PRELOAD_ACTIVE,
			     0))
		return preload_start();
	return !process_is_borrowed();
}

/* The one place where -errno becomes errno. */
static inline long preload_return(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
