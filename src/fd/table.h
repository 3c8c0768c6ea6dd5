/* SPDX-License-Identifier: MIT */
/*
 * table.h - descriptor numbers, and what we know of the descriptions behind them.
 *
 * An entry is a pointer to our struct file, or says that nobody watched or
 * dup'ed the number (then we know nothing), or that the descriptor is one of
 * interpoll's own, on which the host must not lay hands.
 *
 *	top	[0 .. 2^14)	pointers to chunks, made when first needed
 *	chunk	[0 .. 2^12)	entries: { file, epoch, hint }
 *
 * Reading takes no lock: chunks are never freed, an entry is one pointer, and
 * files live in a slab, so that a reader who is late finds an old file, never
 * nonsense.  Everything else is under the table lock (rank LOCK_TABLE), the
 * outermost of all, except what a signal handler does to a thread that may hold
 * it, table_take(): an exchange, so that a descriptor's reference has one owner.
 *
 * The epoch of a number is the fork count when its last description was
 * closed: what the number names now is younger than that, and is shared with
 * another process only if there was a fork since.  Numbers whose chunk was not
 * needed yet, and those a child of fork inherits, get theirs when the table is
 * first needed again: what is open then is as old as can be, the rest is young.
 */
#ifndef INTERPOLL_FD_TABLE_H
#define INTERPOLL_FD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/file.h"

#define TABLE_CHUNK_SHIFT 12
#define TABLE_CHUNK_SIZE  (1u << TABLE_CHUNK_SHIFT)
#define TABLE_NR_CHUNKS	  (1u << 14)

struct table_entry {
	struct file *file; /* NULL: unknown; TABLE_INTERNAL: ours */
	uint32_t epoch;
	uint32_t hint; /* the engine's: where the watch of this number is, ep_ctl() */
};

/* What stands in an entry for a descriptor of our own. */
#define TABLE_INTERNAL ((struct file *)1)

extern struct table_entry *table_chunks[TABLE_NR_CHUNKS];

/* The fork count (fd/process.h keeps it); stored in the epoch of what is closed. */
extern uint32_t table_fork_count;

/* Is @fd a number that can have an entry?  Others are no descriptors. */
static inline bool table_is_possible(int fd)
{
	return (uint32_t)fd >> TABLE_CHUNK_SHIFT < TABLE_NR_CHUNKS;
}

/* The entry of @fd, NULL if its chunk was never needed or @fd is negative.  Any context. */
static inline struct table_entry *table_entry(int fd)
{
	struct table_entry *chunk;
	uint32_t index = (uint32_t)fd >> TABLE_CHUNK_SHIFT;

	if (index >= TABLE_NR_CHUNKS)
		return NULL;
	chunk = __atomic_load_n(&table_chunks[index], __ATOMIC_ACQUIRE);
	return chunk ? &chunk[(uint32_t)fd & (TABLE_CHUNK_SIZE - 1)] : NULL;
}

/* What stands at @fd: a file, NULL, or TABLE_INTERNAL.  Any context, no lock. */
static inline struct file *table_peek(int fd)
{
	struct table_entry *entry = table_entry(fd);

	return entry ? __atomic_load_n(&entry->file, __ATOMIC_ACQUIRE) : NULL;
}

/* The file in @entry, which may be NULL; NULL if there is none that we know. */
static inline struct file *table_file(struct table_entry *entry)
{
	struct file *file = entry ? __atomic_load_n(&entry->file, __ATOMIC_ACQUIRE) : NULL;

	return file == TABLE_INTERNAL ? NULL : file;
}

static inline uint32_t *table_hint(struct table_entry *entry)
{
	return entry ? &entry->hint : NULL;
}

/* The file at @fd, NULL if there is none that we know.  Any context, no lock. */
static inline struct file *table_lookup(int fd)
{
	return table_file(table_entry(fd));
}

static inline bool table_is_internal(int fd)
{
	return table_peek(fd) == TABLE_INTERNAL;
}

static inline bool table_names(int fd, const struct file *file)
{
	return table_peek(fd) == file;
}

/*
 * What @fd names next is younger than now.  Called before the real close, so
 * that whoever opens the number again finds it noted.  Any context, no lock.
 */
static inline void table_note_closed(struct table_entry *entry)
{
	uint32_t now = __atomic_load_n(&table_fork_count, __ATOMIC_RELAXED);

	if (__builtin_expect(__atomic_load_n(&entry->epoch, __ATOMIC_RELAXED) != now, 0))
		__atomic_store_n(&entry->epoch, now, __ATOMIC_RELEASE);
}

/* The table lock; inside a section (engine/section.h). */
void table_lock(void);
void table_unlock(void);

/* Abort unless the calling thread holds the table lock.  Debug builds only. */
void table_assert_locked(void);

/* -------- table lock held -------- */

/*
 * Let @fd, which has an entry (table_reserve()) and no file, name @file: one
 * more of its descriptors.
 */
void table_set(int fd, struct file *file);

/*
 * @fd names its file no longer: file->nr_fds is one less, and if that was the
 * last the caller drops the reference of the descriptors, file_put().  Notes
 * the epoch.  Returns the file, NULL if there was none.
 */
struct file *table_clear(int fd);

/* A number other than @except that names @file, or -1.  Walks the table. */
int table_find(const struct file *file, int except);

/* -------- any context, no lock -------- */

/* Make sure @fd has an entry.  0, -ENOMEM, or -EBADF for a number beyond the table. */
int table_reserve(int fd);

/*
 * As table_clear(), but file->nr_fds is not touched: whoever takes the file
 * out owes it that, under the lock.  For signal handlers.
 */
struct file *table_take(int fd);

/* A number above all that have an entry; for walks. */
int table_limit(void);

/*
 * The first number in [@fd, @end) that stands for a file or is our own, or
 * @end.  Skips what was never needed a chunk at a time.
 */
int table_next(int fd, int end);

/* @fd is a descriptor of our own from now on, until the process ends or gives it back. */
void table_set_internal(int fd);
void table_clear_internal(int fd);

/*
 * fork copies the descriptors first and the memory later.  If other threads have
 * changed the table in between, it names descriptors that the child has not:
 * table_nr_changes() tells, and table_fork_skewed() lets go of them, at once, before
 * their numbers name anything else.  Any context, no lock.
 */
uint32_t table_nr_changes(void);
void table_fork_skewed(void);

/*
 * In the child of fork, which has one thread: the lock is free, and nr_fds is
 * counted anew, because another thread may have been in the middle of it.
 */
void table_fork_child(void);

/* Before that, where a handler forked and what it interrupted goes on: see lock_tear(). */
void table_fork_interrupted(void);

#endif
