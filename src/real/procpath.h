/* SPDX-License-Identifier: MIT */
/*
 * procpath.h - paths below /proc/self, without stdio.
 */
#ifndef INTERPOLL_REAL_PROCPATH_H
#define INTERPOLL_REAL_PROCPATH_H

#define PROCPATH_SIZE 48

/*
 * Write "/proc/self/@folder/@fd" to the end of @path and return where it begins.
 * @folder is a word of at most 20 bytes.  Async-signal-safe.
 */
const char *procpath(char path[PROCPATH_SIZE], const char *folder, int fd);

#endif
