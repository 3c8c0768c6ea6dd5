/* SPDX-License-Identifier: MIT */
/*
 * ensure.h - assertions of debug builds.
 *
 * assert() prints with stdio, which the host may be in the middle of, and is on
 * unless somebody remembers NDEBUG; ensure() writes one line by system call,
 * aborts, and exists in debug builds (--enable-debug) only.
 */
#ifndef INTERPOLL_BASE_ENSURE_H
#define INTERPOLL_BASE_ENSURE_H

#ifdef INTERPOLL_DEBUG

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/raw.h"

static inline void ensure_fail(const char *text)
{
	raw_call(SYS_write, 2, (long)text, (long)strlen(text), 0, 0, 0);
	abort();
}

#define ENSURE_TEXT(x)	ENSURE_TEXT_(x)
#define ENSURE_TEXT_(x) #x

/* Abort unless @condition is true. */
#define ensure(condition)                                                                          \
	((condition) ? (void)0                                                                     \
		     : ensure_fail("interpoll: " __FILE__ ":" ENSURE_TEXT(                         \
			       __LINE__) ": not true: " #condition "\n"))

#else

/* Not evaluated, but still compiled, so that it cannot rot. */
#define ensure(condition) ((void)sizeof((condition) ? 1 : 0))

#endif

#endif
