// SPDX-License-Identifier: MIT
#include "fd/table.h"

#include <errno.h>

#include "base/lock.h"
#include "base/pages.h"
#include "engine/section.h"
#include "real/sys.h"

struct table_entry *table_chunks[TABLE_NR_CHUNKS];
uint32_t table_fork_count;

static struct lock table_mutex = LOCK_INIT(LOCK_TABLE);

/* How often a number has come to name a file. */
static uint32_t table_changes;

/* Chunks below this index may exist; grows only. */
static uint32_t table_nr_chunks;

void table_lock(void)
{
	/* no repair: every step leaves the table whole, a jump out leaks a count at most */
	section_acquire(&table_mutex, NULL);
}

void table_unlock(void)
{
	section_release(&table_mutex);
}

void table_assert_locked(void)
{
	lock_assert_held(&table_mutex);
}

/* In the child of fork: the epochs are the parent's, and say nothing of later. */
static bool table_is_inherited;

/*
 * After a fork, what is not open now can only come to name something younger.  To
 * know that saves a forked worker a zombie for each descriptor it closes for the
 * first time.  A quarter of a millisecond, once in a child's life.
 */
static void table_refresh_epochs(uint32_t index)
{
	struct table_entry *chunk = table_chunks[index];
	uint32_t now = __atomic_load_n(&table_fork_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < TABLE_CHUNK_SIZE; i++)
		if (sys_fcntl((int)(index * TABLE_CHUNK_SIZE + i), F_GETFD, 0) == -EBADF)
			__atomic_store_n(&chunk[i].epoch, now, __ATOMIC_RELEASE);
}

static void table_refresh_inherited(void)
{
	if (!__atomic_exchange_n(&table_is_inherited, false, __ATOMIC_RELAXED))
		return;
	for (uint32_t index = 0; index < table_nr_chunks; index++)
		if (table_chunks[index])
			table_refresh_epochs(index);
}

/* Two threads may make the same chunk at once: the second gives its own back. */
static int table_make_chunk(uint32_t index)
{
	size_t size = TABLE_CHUNK_SIZE * sizeof(struct table_entry);
	struct table_entry *chunk = pages_alloc(size), *expected = NULL;
	uint32_t seen = __atomic_load_n(&table_nr_chunks, __ATOMIC_RELAXED);

	if (!chunk)
		return -ENOMEM;
	/* walks may find the index before the chunk, never a chunk beyond the index */
	while (seen <= index &&
	       !__atomic_compare_exchange_n(&table_nr_chunks, &seen, index + 1, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	if (!__atomic_compare_exchange_n(&table_chunks[index], &expected, chunk, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		pages_free(chunk, size);
	else if (table_fork_count)
		table_refresh_epochs(index);
	return 0;
}

int table_reserve(int fd)
{
	uint32_t index = (uint32_t)fd >> TABLE_CHUNK_SHIFT;

	if (index >= TABLE_NR_CHUNKS)
		return -EBADF;
	if (__builtin_expect(__atomic_load_n(&table_is_inherited, __ATOMIC_RELAXED), 0))
		table_refresh_inherited();
	if (__atomic_load_n(&table_chunks[index], __ATOMIC_ACQUIRE))
		return 0;
	return table_make_chunk(index);
}

uint32_t table_nr_changes(void)
{
	return __atomic_load_n(&table_changes, __ATOMIC_ACQUIRE);
}

void table_set(int fd, struct file *file)
{
	table_assert_locked();
	file->nr_fds++;
	__atomic_store_n(&table_entry(fd)->file, file, __ATOMIC_RELEASE);
	__atomic_add_fetch(&table_changes, 1, __ATOMIC_RELEASE);
}

struct file *table_take(int fd)
{
	struct table_entry *entry = table_entry(fd);
	struct file *file = table_lookup(fd);

	if (!file)
		return NULL;
	table_note_closed(entry);
	/* lost to a handler, or to us in a handler: then it is theirs */
	if (!__atomic_compare_exchange_n(&entry->file, &file, NULL, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return NULL;
	return file;
}

struct file *table_clear(int fd)
{
	struct file *file;

	table_assert_locked();
	file = table_take(fd);
	if (file)
		file->nr_fds--;
	return file;
}

int table_limit(void)
{
	return (int)(__atomic_load_n(&table_nr_chunks, __ATOMIC_ACQUIRE) << TABLE_CHUNK_SHIFT);
}

int table_next(int fd, int end)
{
	while (fd < end) {
		if (!table_entry(fd)) {
			int next = (int)((((uint32_t)fd >> TABLE_CHUNK_SHIFT) + 1)
					 << TABLE_CHUNK_SHIFT);

			fd = next < end ? next : end;
			continue;
		}
		if (table_peek(fd))
			return fd;
		fd++;
	}
	return end;
}

int table_find(const struct file *file, int except)
{
	int end = table_limit();

	table_assert_locked();
	for (int fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end))
		if (fd != except && table_peek(fd) == file)
			return fd;
	return -1;
}

void table_set_internal(int fd)
{
	/*
	 * No room, no entry: then the host may close it.  A file that stands here
	 * was closed behind our back and stays without a descriptor.
	 */
	if (table_reserve(fd) == 0)
		__atomic_store_n(&table_entry(fd)->file, TABLE_INTERNAL, __ATOMIC_RELEASE);
}

void table_clear_internal(int fd)
{
	struct table_entry *entry = table_entry(fd);
	struct file *expected = TABLE_INTERNAL;

	if (!entry)
		return;
	table_note_closed(entry);
	__atomic_compare_exchange_n(&entry->file, &expected, NULL, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
}

void table_fork_skewed(void)
{
	int end = table_limit();

	for (int fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end))
		if (sys_fcntl(fd, F_GETFD, 0) == -EBADF)
			table_take(fd);
}

void table_fork_interrupted(void)
{
	lock_tear(&table_mutex);
}

void table_fork_child(void)
{
	int end = table_limit();
	struct file *file;
	int fd;

	lock_reset(&table_mutex);
	table_is_inherited = true;
	for (fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end))
		if ((file = table_lookup(fd)))
			file->nr_fds = 0;
	for (fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end))
		if ((file = table_lookup(fd)))
			file->nr_fds++;
}
