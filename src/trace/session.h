/* SPDX-License-Identifier: MIT */
/*
 * session.h - the mapped file in which a run counts: handshake and counters.
 *
 * The launcher makes one session for a run; every process of the run maps it
 * and finds it by the variable INTERPOLL_SESSION.  A process that starts with
 * the library in it claims a process slot: that is the handshake, the proof
 * that preloading worked.  Each eventpoll it makes claims a block of counters.
 * The launcher reads both while the run goes on and after it was killed.
 *
 * Without a launcher the library uses a private mapping of the same layout, so
 * that counting code needs no case distinction; summary_write_at_exit() reads it.
 *
 * The whole file is allocated when it is made: a full disk is an error of the
 * launcher, never a SIGBUS in the program.
 *
 * Ownership.  A block belongs to the process that claimed it, until it is put
 * back or that process is gone; a process slot belongs to its process.  Blocks
 * that are put back are folded first: their counts move, counter by counter, to
 * their process slot, so that totals are exact however often blocks are reused.
 * A process that is killed leaves its blocks as they are, still counted; they
 * are folded when its number or its room is needed again.  A process killed in
 * the middle of a fold loses at most the one counter that was on its way.
 *
 * There are no locks: any process may be killed at any instruction.  Claims are
 * compare-and-swap, folds are atomic exchange and addition.
 */
#ifndef INTERPOLL_TRACE_SESSION_H
#define INTERPOLL_TRACE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/probe.h"

/* The variable that carries the path from the launcher to the library. */
#define SESSION_VARIABLE "INTERPOLL_SESSION"

#define SESSION_NR_PROCESSES 1024u
#define SESSION_NR_BLOCKS    16384u

#define SESSION_NAME_SIZE 16 /* as the kernel's comm, terminating 0 included */
#define SESSION_WORD_SIZE 8  /* source and driver names, terminating 0 included */

/* How a process runs: bits of struct session_identity.flags. */
#define SESSION_PASSTHROUGH 0x1u
#define SESSION_STRICT	    0x2u

enum session_state {
	SESSION_FREE,	 /* nobody's slot */
	SESSION_CLAIMED, /* being filled in, or its owner died filling it in */
	SESSION_RUNNING, /* or killed: nobody reports that from inside */
	SESSION_EXITED,	 /* session_close() was called */
	SESSION_REPLACED /* the process made exec; the new program has its own slot */
};

/* Opaque: a mapping of the session file. */
struct session;

/* What the library says about itself when it arrives. */
struct session_identity {
	const char *source; /* at most SESSION_WORD_SIZE - 1 bytes are kept */
	const char *driver;
	unsigned int flags;
};

/* A copy of one process slot with the sums over its eventpolls. */
struct session_process {
	enum session_state state;
	int pid;
	int ppid;
	int parent; /* slot of the process that forked it, or -1 */
	unsigned int flags;
	uint64_t start_ns;	      /* CLOCK_MONOTONIC at the claim */
	char name[SESSION_NAME_SIZE]; /* the kernel's comm at the claim */
	char source[SESSION_WORD_SIZE];
	char driver[SESSION_WORD_SIZE];
	uint64_t nr_eventpolls; /* made since the start */
	uint64_t nr_open;	/* of them not put back */
	uint64_t nr_shared;	/* of them without a block: counted together,
					   and then only approximately */
	struct probe_counts counts;
};

/* A copy of the block of one eventpoll that is open, or was when its process died. */
struct session_eventpoll {
	int fd; /* as told by session_counts_set_fd(), or -1 */
	struct probe_counts counts;
};

/* -------- the library's side: one session per process -------- */

/*
 * Join the session file at @path, or start a private one, and claim a process
 * slot under @identity.  Call once, from the library's initialisation, before
 * there is a second thread that counts.  Keeps no descriptor.
 *
 * @path NULL or "": a private session.  If the file cannot be joined a private
 * session is used as well and the reason is returned, so counting always works:
 *	-ENOENT ...	what openat(2), fstat(2) or mmap(2) said; -ELOOP: a link
 *	-EPERM		not a regular file of ours, or the program is setuid
 *	-EPROTO		not a session, or another version's
 * Returns 0 if the wish was fulfilled.  No malloc, no stdio.
 */
int session_open(const char *path, const struct session_identity *identity);

/*
 * The process ends normally: mark its slot.  The mapping stays, because other
 * threads may still count.  Async-signal-safe; harmless when called twice or
 * without session_open().
 */
void session_close(void);

/*
 * In the child, after fork and before the child counts anything: claim a slot of
 * its own, naming the parent.  The blocks of inherited eventpolls stay the parent's;
 * the child must not count in them but session_counts_get() new ones when it
 * first uses its copies.  Async-signal-safe.
 */
void session_fork_child(void);

/*
 * A zeroed block of counters for a new eventpoll of the calling process.  Never
 * NULL: when all blocks are taken, or before session_open(), it is a block that
 * several eventpolls share, and then counts may be lost.  Lock-free,
 * async-signal-safe, no system call.
 */
struct probe_counts *session_counts_get(void);

/* Note the descriptor of the eventpoll that counts in @counts.  Async-signal-safe. */
void session_counts_set_fd(struct probe_counts *counts, int fd);

/*
 * The eventpoll is gone: fold @counts and free the block.  The caller guarantees
 * that nobody counts in it any more.  A block that is not the calling process's
 * own (inherited over fork) is left alone.  Lock-free, async-signal-safe.
 */
void session_counts_put(struct probe_counts *counts);

/* The session of this process and the slot it has in it. NULL before session_open(). */
const struct session *session_own(unsigned int *ret_slot);

/* Is it private, so that nobody but this process can report it? */
bool session_is_private(void);

/* -------- the launcher's side -------- */

/*
 * Make a session file, 0600, in $XDG_RUNTIME_DIR, $TMPDIR or /tmp, the first that
 * works, and map it.  Its path, absolute, is stored in @path.  NULL with errno set if
 * none works (the errno of the last) or @size is too small (ENAMETOOLONG).
 */
struct session *session_new(char *path, size_t size);

/* Unmap @session and remove its file.  Processes that have it mapped go on. */
void session_free(struct session *session, const char *path);

/* How many times a program with the library in it has started or forked so far. */
unsigned int session_nr_arrived(const struct session *session);

/*
 * Copy process slot @slot with its sums to *@ret.  Returns false if there is no such
 * slot or nobody has claimed it.  The counts of a running process are each
 * whole, but not of one instant.
 */
bool session_read_process(const struct session *session, unsigned int slot,
			  struct session_process *ret);

/*
 * The next eventpoll of process slot @slot that is open, in no order of meaning.
 * Start with *@cursor 0; returns false after the last.
 */
bool session_next_eventpoll(const struct session *session, unsigned int slot, unsigned int *cursor,
			    struct session_eventpoll *ret);

/*
 * Processes whose slots were needed again, or that found none: how many, and
 * the sums over them all.
 */
uint64_t session_read_earlier(const struct session *session, struct session_process *ret);

/* Watches of an eventpoll, or of several, that are there now. */
uint64_t session_nr_watches(const struct probe_counts *counts);

#endif
