// SPDX-License-Identifier: MIT
#include "fd/passing.h"

#include <string.h>

#include "engine/section.h"
#include "fd/control.h"
#include "fd/lifetime.h"
#include "real/uaccess.h"
#include "real/sys.h"

#define PASSING_MESSAGES_MAX 1024 /* the kernel's UIO_MAXIOV */

static bool passing_stays_open(int fd)
{
	int flags = sys_fcntl(fd, F_GETFD, 0);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

/*
 * If the exec fails the eventpolls stay released: they go on working, with the
 * kernel's own order and price.
 */
void passing_exec(void)
{
	int end = control_limit();
	struct file *file;

	if (!end || !section_enter())
		return;
	table_lock();
	for (int fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end)) {
		file = control_find(fd);
		if (file && passing_stays_open(fd))
			ep_release(file);
	}
	table_unlock();
	section_leave();
}

static void passing_mark(int fd)
{
	struct file *file = table_lookup(fd);

	if (!section_enter()) {
		if (file)
			file->is_shared = true;
		return;
	}
	table_lock();
	file = sys_fcntl(fd, F_GETFD, 0) >= 0 ? lifetime_file(fd) : NULL;
	if (file) {
		file->is_shared = true;
		if (control_find(fd))
			ep_release(file);
	}
	table_unlock();
	section_leave();
}

/*
 * @fd has just been received: whoever sent it has the description too, and may be
 * ourselves.  Inside a section.
 */
static void passing_accept_now(int fd)
{
	struct file *file;

	table_lock();
	file = table_reserve(fd) < 0 ? NULL : file_new();
	if (file) {
		file->born = table_entry(fd)->epoch;
		file->is_shared = true;
		lifetime_set(fd, file);
	}
	table_unlock();
}

static void passing_accept_late(const struct deferred *deferred)
{
	passing_accept_now(deferred->fd);
}

static void passing_accept(int fd)
{
	struct deferred late = {.run = passing_accept_late, .fd = fd};

	if (fd < 0)
		return;
	if (!section_enter()) {
		section_defer(&late);
		return;
	}
	passing_accept_now(fd);
	section_leave();
}

static void passing_each(const struct cmsghdr *header, void (*pass)(int fd))
{
	const unsigned char *data = CMSG_DATA(header);
	size_t nr = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < nr; i++) {
		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		pass(fd);
	}
}

/* Not CMSG_NXTHDR(), which trusts its input: the kernel may have yet to check this. */
static void passing_look(const struct msghdr *msg, void (*pass)(int fd))
{
	const unsigned char *at;
	const struct cmsghdr *header;
	size_t left, step;

	if (!uaccess_is_readable(msg, sizeof(*msg)) || !msg->msg_control ||
	    !uaccess_is_readable(msg->msg_control, msg->msg_controllen))
		return;
	at = msg->msg_control;
	left = msg->msg_controllen;
	while (left >= sizeof(*header)) {
		header = (const struct cmsghdr *)(const void *)at;
		if (header->cmsg_len < sizeof(*header) || header->cmsg_len > left)
			return;
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			passing_each(header, pass);
		step = CMSG_ALIGN(header->cmsg_len);
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
}

void passing_send(const struct msghdr *msg)
{
	passing_look(msg, passing_mark);
}

void passing_receive(const struct msghdr *msg)
{
	passing_look(msg, passing_accept);
}

/* The kernel sends, and receives, no more than so many at once. */
static void passing_many(const struct mmsghdr *msgs, unsigned int nr, void (*pass)(int fd))
{
	for (unsigned int i = 0; i < nr && i < PASSING_MESSAGES_MAX; i++) {
		if (!uaccess_is_readable(&msgs[i], sizeof(msgs[i])))
			return;
		passing_look(&msgs[i].msg_hdr, pass);
	}
}

void passing_send_many(const struct mmsghdr *msgs, unsigned int nr)
{
	passing_many(msgs, nr, passing_mark);
}

void passing_receive_many(const struct mmsghdr *msgs, unsigned int nr)
{
	passing_many(msgs, nr, passing_accept);
}
