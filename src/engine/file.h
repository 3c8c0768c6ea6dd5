/* SPDX-License-Identifier: MIT */
/*
 * file.h - our struct file: an open file description, as far as we know it.
 *
 * A file is named by descriptors of this process (the descriptor table counts
 * them) and watched by items; it lives as long as either exists.  Its wait
 * queue lists the eppoll_entry of every item that watches it.
 *
 * Two files may stand for one description: descriptors that were dup'ed where
 * we could not see it, or came over a socket, know nothing of each other.
 */
#ifndef INTERPOLL_ENGINE_FILE_H
#define INTERPOLL_ENGINE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"

struct eventpoll;

/* What a file is, as far as the engine must treat it differently. */
enum file_kind {
	FILE_UNKNOWN,	 /* not looked at yet */
	FILE_REPEATABLE, /* asking poll(2) again gives the same answer */
	FILE_EVENTFD,	 /* the same, but every edge costs a read: arm exactly */
	FILE_SIGNALFD,	 /* answers each thread about its own signals: not for the loop to ask */
	FILE_EVENTPOLL,	 /* an eventpoll: ours, or one made behind our back */
	FILE_ONCE,	 /* poll(2) consumes what it reports: the kernel keeps it */
};

struct file {
	struct lock wq_lock;  /* rank LOCK_WAITQ; protects wq */
	uint32_t refs;	      /* items that watch us, plus 1 while nr_fds > 0 */
	struct list_head wq;  /* eppoll_entry of each watcher */
	struct eventpoll *ep; /* the eventpoll this is the file of, or NULL */
	uint32_t nr_fds;      /* descriptors that name us; under the table lock */
	uint32_t slot;	      /* in the slab of files */
	uint32_t born;	      /* the fork count when we were first seen */
	uint8_t kind;	      /* enum file_kind */
	bool was_used;	      /* the slot has had a file before */
	bool is_released;     /* an eventpoll: S has the application's own data, pass through */
	bool is_shared;	      /* dup'ed out of sight or passed on: outlives its descriptors */
	int lost_fd; /* which a handler has closed, and our books do not know it yet; or -1 */
};

/*
 * A file with one reference, which is that of its descriptors (nr_fds is 0 and
 * the caller's to count).  NULL when memory is out.
 */
struct file *file_new(void);

/* One more, one less item watches @file; the last reference frees it. */
void file_get(struct file *file);
void file_put(struct file *file);

/* section.h: make the wait queue of an abandoned wq_lock whole. */
void file_repair(struct lock *wq_lock);

/*
 * The kind of the file that @fd names.  fstat, and for anonymous inodes one
 * readlink; never a cancellation point.
 */
enum file_kind file_classify(int fd);

/* In the child of fork, at once: files can be made. */
void file_fork_child(void);

/*
 * Later, before the first of them is watched or closed: locks that other threads held
 * are nobody's, and there are no watchers; who has some puts them back.
 */
void file_reset_all(void);

/* Before that, where a handler forked and what it interrupted goes on: see lock_tear(). */
void file_fork_interrupted(void);

#endif
