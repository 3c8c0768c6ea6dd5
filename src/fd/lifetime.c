// SPDX-License-Identifier: MIT
#include "fd/lifetime.h"

#include <errno.h>
#include <sys/resource.h>

#include "engine/eventpoll.h"
#include "engine/section.h"
#include "fd/control.h"
#include "fd/process.h"
#include "real/sys.h"

static bool lifetime_may_live_on(const struct file *file)
{
	return file->nr_fds > 1 || file->is_shared || process_may_share(file->born);
}

/*
 * In the child of fork, an eventpoll in use has a kernel epoll of its own under the
 * number that ep_fd() says; its other names are the parent's still.
 */
static void lifetime_rename_eventpoll(struct file *epfile, int fd, int other)
{
	int flags;

	if (process_may_share(epfile->born)) {
		flags = sys_fcntl(other, F_GETFD, 0);
		sys_dup3(fd, other, flags >= 0 && (flags & FD_CLOEXEC) ? O_CLOEXEC : 0);
	}
	ep_rename(epfile, other);
}

/* @fd is one of the names of eventpoll @epfile.  Table lock held. */
static void lifetime_forget_eventpoll(struct file *epfile, int fd)
{
	int other = epfile->nr_fds > 1 ? table_find(epfile, fd) : -1;

	if (other < 0)
		ep_close(epfile);
	else if (ep_fd(epfile) == fd)
		lifetime_rename_eventpoll(epfile, fd, other);
}

/* Table lock held. */
static void lifetime_detach(struct file *file, int fd, bool may_live_on)
{
	ep_forget_fd(file, fd, may_live_on);
	if (file->ep)
		lifetime_forget_eventpoll(file, fd);
	if (table_clear(fd) && !file->nr_fds)
		file_put(file);
}

/*
 * The section that a closing handler interrupted has ended.  The number may be
 * another file's by now; the file is still what the descriptor held.  Nothing
 * can be told the kernel any more: a description that lives on has lost its
 * watches here.
 */
static void lifetime_forget_late(const struct deferred *deferred)
{
	struct file *file = deferred->object;

	table_lock();
	ep_forget_fd(file, deferred->fd, false);
	if (file->lost_fd == deferred->fd)
		file->lost_fd = -1;
	if (file->ep)
		lifetime_forget_eventpoll(file, deferred->fd);
	if (--file->nr_fds == 0)
		file_put(file);
	table_unlock();
}

/*
 * A handler closes inside a section of its own thread, which may hold any lock.
 * The number is free for the next file at once; what it held is let go later.
 */
static void lifetime_forget_interrupting(int fd)
{
	struct file *file = table_take(fd);
	struct deferred late = {.run = lifetime_forget_late, .object = file, .fd = fd};

	if (!file)
		return;
	file->lost_fd = fd;
	section_defer(&late); /* too many: the file is leaked, and nothing else */
}

void lifetime_forget_known(int fd)
{
	struct file *file;

	if (!section_enter()) {
		lifetime_forget_interrupting(fd);
		return;
	}
	table_lock();
	file = table_lookup(fd);
	if (file)
		lifetime_detach(file, fd, lifetime_may_live_on(file));
	table_unlock();
	section_leave();
}

void lifetime_forget_range(unsigned int first, unsigned int last)
{
	unsigned int end = (unsigned int)table_limit();

	if (last < end)
		end = last + 1;
	for (unsigned int fd = first; fd < end; fd++)
		if (!table_is_internal((int)fd))
			lifetime_forget((int)fd);
}

struct file *lifetime_file(int fd)
{
	struct file *file = table_lookup(fd);

	if (file || table_is_internal(fd) || table_reserve(fd) < 0)
		return file;
	file = file_new();
	if (!file)
		return NULL;
	file->born = table_entry(fd)->epoch;
	table_set(fd, file);
	return file;
}

int lifetime_set(int fd, struct file *file)
{
	struct file *stale = table_lookup(fd);

	if (stale)
		lifetime_detach(stale, fd, false);
	if (table_reserve(fd) < 0)
		return -ENOMEM;
	table_set(fd, file);
	return 0;
}

/* Inside a section. */
static void lifetime_share_now(int oldfd, int newfd)
{
	struct file *file;

	table_lock();
	file = lifetime_file(oldfd);
	if (file && file != table_lookup(newfd)) {
		if (lifetime_set(newfd, file) < 0)
			file->is_shared = true;
		else if (file->ep)
			control_note_eventpoll(newfd);
	}
	table_unlock();
}

static void lifetime_share_late(const struct deferred *deferred)
{
	lifetime_share_now(deferred->op, deferred->fd);
}

void lifetime_share(int oldfd, int newfd)
{
	struct deferred late = {.run = lifetime_share_late, .op = oldfd, .fd = newfd};

	if (oldfd == newfd)
		return;
	if (!section_enter()) {
		section_defer(&late);
		return;
	}
	lifetime_share_now(oldfd, newfd);
	section_leave();
}

/* Would the kernel refuse @newfd as a number, or @oldfd as a descriptor? */
static bool lifetime_is_dup_refused(int oldfd, int newfd)
{
	struct rlimit limit;

	if (sys_fcntl(oldfd, F_GETFD, 0) < 0)
		return true;
	if (raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, sys_arg(&limit), 0, 0) < 0)
		return false;
	return (rlim_t)newfd >= limit.rlim_cur;
}

int lifetime_before_dup2(int oldfd, int newfd, int flags)
{
	struct file *file;

	if (oldfd == newfd || (flags != -1 && (flags & ~O_CLOEXEC)))
		return 0;
	if (table_is_internal(oldfd))
		return -EBADF;
	if (table_is_internal(newfd))
		return -EBUSY;
	file = table_lookup(newfd);
	if (file && file == table_lookup(oldfd))
		return 0;
	if (table_entry(newfd) && !lifetime_is_dup_refused(oldfd, newfd))
		lifetime_forget(newfd);
	return 0;
}

int lifetime_close_around_own(unsigned int first, unsigned int last, int flags,
			      int (*close_range)(unsigned int first, unsigned int last, int flags))
{
	unsigned int limit = (unsigned int)table_limit();
	unsigned int end = last < limit ? last + 1 : limit;
	int ret;

	for (unsigned int fd = first; fd < end; fd++) {
		if (!table_is_internal((int)fd))
			continue;
		ret = fd > first ? close_range(first, fd - 1, flags) : 0;
		if (ret < 0)
			return ret;
		first = fd + 1;
	}
	return first <= last ? close_range(first, last, flags) : 0;
}

unsigned int lifetime_end_of_own(unsigned int low)
{
	unsigned int end = (unsigned int)table_limit();

	while (end > low && !table_is_internal((int)end - 1))
		end--;
	return end > low ? end : low;
}
