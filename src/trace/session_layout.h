/* SPDX-License-Identifier: MIT */
/*
 * session_layout.h - what the session file looks like inside; for session*.c only.
 *
 *	struct session        header, hints
 *	  process[]           one slot a process; the last is the crowd's
 *	  owner[], fd[]       of the blocks, apart from them so that a search
 *	                      touches few pages
 *	  block[]             counters, one block an eventpoll, on lines of their own
 *
 * Orders that matter.  A claim publishes a slot or block by a release store of its
 * state or owner; whoever reads them acquires.  A block is all zero whenever its
 * owner is nobody: the fold empties it before the owner is cleared.
 */
#ifndef INTERPOLL_TRACE_SESSION_LAYOUT_H
#define INTERPOLL_TRACE_SESSION_LAYOUT_H

#include <string.h>

#include "trace/session.h"

#define SESSION_MAGIC	"intrpoll" /* eight bytes, no terminating 0 in the file */
#define SESSION_VERSION 1u
#define CACHE_LINE	64

/* The slot of those that found none: never anybody's own. */
#define CROWD	 SESSION_NR_PROCESSES
#define NO_OWNER 0u

struct process {
	uint32_t state; /* enum session_state */
	uint32_t flags;
	int32_t pid;
	int32_t ppid;
	int32_t parent;
	uint32_t nr_earlier; /* crowd only: processes folded in, or without a slot */
	uint64_t pid_ns;     /* pids are compared only within one name space */
	uint64_t start_ns;
	char name[SESSION_NAME_SIZE];
	char source[SESSION_WORD_SIZE];
	char driver[SESSION_WORD_SIZE];
	uint64_t nr_eventpolls;
	uint64_t nr_open;
	uint64_t nr_shared;
	struct probe_counts folded; /* of eventpolls that are gone */
	struct probe_counts shared; /* of eventpolls that found no block */
} __attribute__((aligned(CACHE_LINE)));

struct block {
	struct probe_counts counts;
} __attribute__((aligned(CACHE_LINE)));

struct session {
	char magic[8];
	uint32_t version;
	uint32_t nr_probes; /* the builds must agree about the counters */
	uint64_t size;
	uint32_t nr_arrived;
	uint32_t nr_processes; /* slots below it have been claimed once */
	uint32_t nr_blocks;    /* blocks with an owner; may be too high, never too low */
	uint32_t block_hint;   /* where a free block may be */
	struct process process[SESSION_NR_PROCESSES + 1];
	uint32_t owner[SESSION_NR_BLOCKS]; /* process slot + 1, or NO_OWNER */
	int32_t fd[SESSION_NR_BLOCKS];
	struct block block[SESSION_NR_BLOCKS];
};

/* This process's place.  Written before a second thread counts, and after fork. */
struct session_place {
	struct session *session;
	struct process *process;
	uint32_t slot;
	bool is_private;
};

extern struct session_place session_place;

#define load(p)	       __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_any(p)    __atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)    __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define add(p, v)      __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define subtract(p, v) __atomic_fetch_sub(p, v, __ATOMIC_RELAXED)
#define swap(p, old, new) \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)

/* Make a zeroed mapping a session. */
void session_layout_init(struct session *session);

/* Move all counts of @from to @to.  Each count is in one of the two, or in our hand. */
void session_fold_counts(struct probe_counts *from, struct probe_counts *to);

/* Fold and free the blocks of process slot @slot, whose process is gone or made exec. */
void session_fold_blocks(struct session *session, uint32_t slot);

/* Has a process filled in this slot? */
static inline bool session_is_taken(uint32_t state)
{
	return state == SESSION_RUNNING || state == SESSION_EXITED || state == SESSION_REPLACED;
}

/* Copy as much of @from as fits and fill up with zeros. */
static inline void session_copy_word(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	memset(to + len, 0, size - len);
}

#endif
