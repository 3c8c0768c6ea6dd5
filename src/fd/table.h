/* SPDX-License-Identifier: MIT */
/*
 * table.h - descriptor numbers, and what we know of the descriptions behind them.
 *
 * An entry is a pointer to our struct file, or says that nobody watched or
 * dup'ed the number (then we know nothing), or that the descriptor is one of
 * interpoll's own, on which the host must not lay hands.
 *
 *	top	[0 .. 2^14)	pointers to chunks, made when first needed
 *	chunk	[0 .. 2^12)	entries: { file, epoch }
 *
 * Reading takes no lock: chunks are never freed, an entry is one pointer, and
 * files live in a slab, so that a reader who is late finds an old file, never
 * nonsense.  Everything else is under the table lock (rank LOCK_TABLE), the
 * outermost of all.
 *
 * The epoch of a number is the fork count when its last description was
 * closed: what the number names now is younger than that, and is shared with
 * another process only if there was a fork since.
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
};

/* What stands in an entry for a descriptor of our own. */
#define TABLE_INTERNAL ((struct file *)1)

extern struct table_entry *table_chunks[TABLE_NR_CHUNKS];

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

/* The file at @fd, NULL if there is none that we know.  Any context, no lock. */
static inline struct file *table_lookup(int fd)
{
	struct file *file = table_peek(fd);

	return file == TABLE_INTERNAL ? NULL : file;
}

static inline bool table_is_internal(int fd)
{
	return table_peek(fd) == TABLE_INTERNAL;
}

/* The table lock; inside a section (engine/section.h). */
void table_lock(void);
void table_unlock(void);

/* -------- table lock held -------- */

/* Make sure @fd has an entry.  0, -ENOMEM, or -EBADF for a number beyond the table. */
int table_reserve(int fd);

/*
 * Let @fd, which has an entry and no file, name @file: one more of its
 * descriptors.
 */
void table_set(int fd, struct file *file);

/*
 * @fd names its file no longer; the caller drops what the descriptor stood for
 * (file->nr_fds is one less, file_put() is the caller's).  Notes the epoch.
 * Returns the file, NULL if there was none.
 */
struct file *table_clear(int fd);

/* The highest number that may have an entry, -1 for none; for walks. */
int table_limit(void);

/* -------- any context -------- */

/* @fd is a descriptor of our own from now on, until the process ends or gives it back. */
void table_set_internal(int fd);
void table_clear_internal(int fd);

#endif
