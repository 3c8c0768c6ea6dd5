/* SPDX-License-Identifier: MIT */
/*
 * summary.h - what the eventpolls of a run did, as text for a person.
 *
 * First a sentence for each process that made eventpolls, then the totals, one
 * line a counter: two spaces, the words of probe.h, and the number, grouped by
 * commas and right-aligned.  Lines of counters that are zero are left out, with the
 * exception of those that a reader looks for (waits, edges, events).  The words
 * are stable: tests and scripts may grep for them.
 *
 * Nothing here allocates or uses stdio streams: the library writes its summary in
 * a destructor, when the program's own state may be anything.
 */
#ifndef INTERPOLL_TRACE_SUMMARY_H
#define INTERPOLL_TRACE_SUMMARY_H

#include "trace/session.h"

/* Every process of the session, for summary_write(). */
#define SUMMARY_ALL (-1)

/*
 * Write the summary of @session to @fd: of all processes, or only of the one in
 * process slot @slot.  Returns 0 or the -errno of write(2).
 */
int summary_write(int fd, const struct session *session, int slot);

/*
 * Open the file that a summary is appended to: made 0600 if it is missing, never
 * through a symbolic link, and only if it is a regular file, FIFO or terminal.
 * "-" gives STDERR_FILENO, which summary_close() does not close.
 * Returns a descriptor (close-on-exec), or -errno; -ELOOP: a symbolic link;
 * -EINVAL: another kind of file.
 */
int summary_open(const char *path);
void summary_close(int fd);

/*
 * For the library's destructor: a process with a private session (preloaded by
 * hand) appends the summary of itself alone to @path ("" or NULL: says nothing).
 * With a launcher's session this does nothing, the launcher reports.  A forked
 * child that made no eventpoll is silent.  Errors are told in one line on stderr.
 */
void summary_write_at_exit(const char *path);

#endif
