/* SPDX-License-Identifier: MIT */
/*
 * pages.h - zeroed pages for the rest of the house, without malloc.
 *
 * The host's allocator is not ours to enter: it may be replaced, it may be
 * interrupted by the very signal handler we run in, it may call us.  Pages
 * come from arenas of our own and go back to free lists of powers of two.
 *
 * Memory is never returned to the kernel.  A reader that is late may therefore
 * follow a pointer into pages that were freed, or belong to somebody new: it
 * reads nonsense, but it never faults.
 *
 * Context
 *	Any thread.  Not from a signal handler that may have interrupted
 *	pages_alloc() or pages_free() on its own thread.  The lock (rank
 *	LOCK_PAGES) is taken inside; no system call but mmap is made.  errno is
 *	not touched.
 */
#ifndef INTERPOLL_BASE_PAGES_H
#define INTERPOLL_BASE_PAGES_H

#include <stddef.h>

/* The smallest piece; a kernel with larger pages does not matter here. */
#define PAGES_UNIT ((size_t)4096)

/* How many bytes pages_alloc(@size) really gives: the next power of two of units. */
size_t pages_round(size_t size);

/*
 * pages_alloc - get zeroed memory of at least @size bytes, aligned to PAGES_UNIT.
 * Returns NULL if the kernel has no more (ENOMEM) or @size is beyond reason.
 * The caller owns it until pages_free().
 */
void *pages_alloc(size_t size);

/* Give back what pages_alloc(@size) returned; NULL is ignored. */
void pages_free(void *pages, size_t size);

/*
 * In the child of fork, before its first use: if another thread was inside at
 * that moment, what was free may be half linked and is left behind.  (To hold the
 * lock over fork would need signals blocked, and a SIGCHLD that the forking thread
 * blocks interrupts the others' waits.)
 */
void pages_fork_child(void);

/* The same, where a handler forked and what it interrupted goes on: see lock_tear(). */
void pages_fork_interrupted(void);

/*
 * The calling thread may have left pages_alloc() or pages_free() by siglongjmp()
 * out of a handler: give the lock back if it holds it; what was free is left behind.
 */
void pages_recover(void);

/* How many bytes the arenas have taken from the kernel so far; for tests. */
size_t pages_mapped(void);

#endif
