// SPDX-License-Identifier: MIT
#include "fd/control.h"

#include <errno.h>
#include <limits.h>

#include "engine/section.h"
#include "fd/lifetime.h"
#include "fd/process.h"
#include "real/uaccess.h"
#include "real/sys.h"

/* Grows only: numbers are small, and walks over them rare. */
static int control_fd_limit;

int control_limit(void)
{
	return __atomic_load_n(&control_fd_limit, __ATOMIC_ACQUIRE);
}

void control_note_eventpoll(int fd)
{
	int seen = control_limit();

	while (seen <= fd && !__atomic_compare_exchange_n(&control_fd_limit, &seen, fd + 1, false,
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Let @fd, which the kernel has just handed out, name @epfile.  Inside a section. */
static int control_publish(int fd, struct file *epfile)
{
	int ret;

	table_lock();
	ret = lifetime_set(fd, epfile);
	if (ret == 0) {
		epfile->born = table_entry(fd)->epoch;
		control_note_eventpoll(fd);
	}
	table_unlock();
	return ret;
}

int control_create(int flags)
{
	struct file *epfile;
	int fd, ret;

	if (!section_enter())
		return sys_epoll_create1(flags);
	fd = ep_open(flags, &epfile);
	if (fd < 0)
		goto out;
	ret = control_publish(fd, epfile);
	if (ret < 0) {
		ep_close(epfile);
		file_put(epfile);
		sys_close(fd);
		fd = ret;
	}
out:
	section_leave();
	return fd;
}

/* @file was made for a call that failed.  The number has not been closed since. */
static void control_unmake(int fd, struct file *file)
{
	uint32_t born = file->born;

	if (!table_clear(fd))
		return; /* a handler has just closed it */
	table_entry(fd)->epoch = born;
	file_put(file);
}

/*
 * The table lock is held across the call, so that no close slips in between what the
 * engine notes of the descriptor and what the table does.  And the table knows the file
 * before the call: its first event may be told to another thread that closes or
 * modifies it while we are still on our way back.
 */
static int control_add(struct file *epfile, int fd, struct epoll_event *event)
{
	struct file *file, *known;
	int ret;

	if (table_is_internal(fd))
		return -EBADF;
	table_lock();
	known = table_lookup(fd);
	file = known ? known : lifetime_file(fd);
	if (!file && table_is_possible(fd))
		ret = -ENOMEM;
	else
		ret = ep_ctl(epfile, EPOLL_CTL_ADD, fd, file, event, table_hint(table_entry(fd)));
	if (ret < 0 && file && !known)
		control_unmake(fd, file);
	table_unlock();
	return ret;
}

int control_ctl(struct file *epfile, int op, int fd, struct epoll_event *event)
{
	struct table_entry *entry;
	int ret;

	if (!section_enter())
		return ep_ctl_interrupted(epfile, op, fd, table_lookup(fd), event);
	entry = table_entry(fd);
	if (op == EPOLL_CTL_ADD)
		ret = control_add(epfile, fd, event);
	else
		ret = ep_ctl(epfile, op, fd, table_file(entry), event, table_hint(entry));
	section_leave();
	return ret;
}

int control_wait(struct file *epfile, const struct ep_wait_args *args)
{
	int ret;

	if (!section_enter())
		return -EINTR;
	ret = ep_wait(epfile, args);
	section_leave();
	return ret;
}

/* A handler inside its thread's own section cannot settle anything: the next poll will. */
static void control_poll_one(int fd)
{
	struct file *epfile = control_find(fd);

	if (!epfile || !section_enter())
		return;
	ep_polled(epfile);
	section_leave();
}

void control_watched(int fd)
{
	if (fd >= 0 && fd < control_limit())
		control_poll_one(fd);
}

void control_polled(const struct pollfd *fds, nfds_t nr)
{
	unsigned int limit = (unsigned int)control_limit();

	if (!limit || nr > INT_MAX / sizeof(*fds) || !uaccess_is_readable(fds, nr * sizeof(*fds)))
		return;
	for (nfds_t i = 0; i < nr; i++)
		if ((unsigned int)fds[i].fd < limit)
			control_poll_one(fds[i].fd);
}

/* Not FD_ISSET(), whose fortified form aborts on the large sets some programs use. */
static bool control_is_in(const fd_set *set, int fd)
{
	const unsigned long *words = (const unsigned long *)(const void *)set;
	int bits = (int)(8 * sizeof(*words));

	return words[fd / bits] >> (fd % bits) & 1;
}

/* An eventpoll becomes readable, and nothing else. */
void control_selected(int nr, const fd_set *in)
{
	int limit = control_limit();

	if (nr > limit)
		nr = limit;
	if (!in || nr <= 0 || !uaccess_is_readable(in, ((size_t)nr + 7) / 8))
		return;
	for (int fd = 0; fd < nr; fd++)
		if (control_is_in(in, fd))
			control_poll_one(fd);
}

/*
 * A handler inside its thread's own section finds no eventpoll it could lock;
 * descriptions count as shared all the same.
 */
void control_distrust(void)
{
	process_note_io_uring();
	if (!section_enter())
		return;
	ep_distrust_all();
	section_leave();
}
