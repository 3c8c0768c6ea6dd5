/* SPDX-License-Identifier: MIT */
/*
 * procpath.h - paths of descriptors in /proc, without stdio.
 *
 * They are the calling thread's: /proc/self is empty once the main thread has
 * ended.
 */
#ifndef INTERPOLL_REAL_PROCPATH_H
#define INTERPOLL_REAL_PROCPATH_H

#define PROCPATH_SIZE 48

/*
 * Write "/proc/thread-self/@folder/@fd" to the end of @path and return where it begins.
 * @folder is a word of at most 20 bytes.  Async-signal-safe.
 */
const char *procpath(char path[PROCPATH_SIZE], const char *folder, int fd);

#endif
