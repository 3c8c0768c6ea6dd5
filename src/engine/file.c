// SPDX-License-Identifier: MIT
#include "engine/file.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "engine/pool.h"
#include "engine/section.h"
#include "real/procpath.h"
#include "real/sys.h"

static struct pool file_pool = POOL_INIT(struct file);

struct file *file_new(void)
{
	struct file *file;
	uint32_t slot;

	file = pool_alloc(&file_pool, &slot);
	if (!file)
		return NULL;

	if (!file->was_used) { /* a late reader of the slot's last file may hold its lock */
		lock_init(&file->wq_lock, LOCK_WAITQ);
		file->was_used = true;
	}
	list_init(&file->wq);
	file->ep = NULL;
	file->nr_fds = 0;
	file->slot = slot;
	file->born = 0;
	file->kind = FILE_UNKNOWN;
	file->is_released = false;
	file->is_shared = false;
	file->lost_fd = -1;
	__atomic_store_n(&file->refs, 1, __ATOMIC_RELEASE);
	return file;
}

void file_get(struct file *file)
{
	__atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
}

void file_put(struct file *file)
{
	if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL) == 0)
		pool_free(&file_pool, file->slot);
}

/*
 * Anonymous inodes share one inode number; only their name tells them apart.
 * Those not listed (perf events, and whatever the next kernel brings) are not
 * known to answer twice alike.
 */
static enum file_kind file_classify_anon(int fd)
{
	static const char prefix[] = "anon_inode:";
	static const struct {
		const char *name;
		enum file_kind kind;
	} kinds[] = {
		{"[eventfd]", FILE_EVENTFD},	 {"[timerfd]", FILE_REPEATABLE},
		{"[signalfd]", FILE_SIGNALFD},	 {"inotify", FILE_REPEATABLE},
		{"[pidfd]", FILE_REPEATABLE},	 {"[eventpoll]", FILE_EVENTPOLL},
		{"[fanotify]", FILE_REPEATABLE},
	};
	char path[PROCPATH_SIZE], name[64];
	long len = sys_readlinkat(AT_FDCWD, procpath(path, "fd", fd), name, sizeof(name) - 1);

	if (len < (long)sizeof(prefix) - 1)
		return FILE_ONCE;
	name[len] = '\0';
	if (strncmp(name, "pidfd:", 6) == 0)
		return FILE_REPEATABLE;
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return FILE_ONCE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name + sizeof(prefix) - 1, kinds[i].name) == 0)
			return kinds[i].kind;
	return FILE_ONCE;
}

/* Character devices whose poll looks at a buffer: ttys, and pseudo terminals. */
static bool file_is_tty(dev_t device)
{
	unsigned int number = major(device);

	return number == 4 || number == 5 || (number >= 136 && number <= 143);
}

enum file_kind file_classify(int fd)
{
	struct stat st;

	if (sys_fstat(fd, &st) < 0)
		return FILE_UNKNOWN;
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
	case S_IFIFO:
		return FILE_REPEATABLE;
	case S_IFCHR:
		return file_is_tty(st.st_rdev) ? FILE_REPEATABLE : FILE_ONCE;
	default: /* anonymous inodes have no type, or that of a regular file */
		return file_classify_anon(fd);
	}
}

void file_repair(struct lock *wq_lock)
{
	list_mend(&list_entry(wq_lock, struct file, wq_lock)->wq);
}

void file_fork_interrupted(void)
{
	pool_break(&file_pool);
	for (uint32_t slot = 0; slot < slab_limit(&file_pool.slab); slot++) {
		struct file *file = slab_at(&file_pool.slab, slot);

		lock_tear(&file->wq_lock);
	}
}

void file_fork_child(void)
{
	pool_reset(&file_pool);
}

void file_reset_all(void)
{
	for (uint32_t slot = 0; slot < slab_limit(&file_pool.slab); slot++) {
		struct file *file = slab_at(&file_pool.slab, slot);

		lock_reset(&file->wq_lock);
		list_init(&file->wq);
	}
}
