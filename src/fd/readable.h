/* SPDX-License-Identifier: MIT */
/*
 * readable.h - may we look at what the application passed us?
 *
 * Where the kernel would say EFAULT we must not fault.  The page that a thread
 * passed last, usually of its stack, is remembered, so that the question costs a
 * system call only when a buffer is new.  Of a large buffer both ends are asked
 * about, and a page that is unmapped after it was used is not noticed.
 *
 * Async-signal-safe; errno is not touched.
 */
#ifndef INTERPOLL_FD_READABLE_H
#define INTERPOLL_FD_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* May @size bytes at @from be read?  Nothing at all may. */
bool readable(const void *from, size_t size);

#endif
