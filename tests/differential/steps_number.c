// SPDX-License-Identifier: MIT
/*
 * steps_number.c - descriptors come and go; what they name may live on.
 *
 * A number that a program has no business with (the walk's own, a negative one, or
 * the standard ones) is never closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

static bool is_closable(int fd)
{
	return fd > STDERR_FILENO && fd < OWN_FDS;
}

static int close_stream(int fd)
{
	FILE *stream;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	stream = fdopen(fd, (flags & O_ACCMODE) == O_WRONLY ? "w" : "r");
	return stream ? fclose(stream) : -1;
}

void play_close(const struct step *step)
{
	int fd = step_fd(step, 0);

	if (fd >= 0 && !is_closable(fd))
		return;
	if (step_says(step, 1, "number"))
		log_result(syscall(SYS_close, fd));
	else if (step_says(step, 1, "range"))
		log_result(close_range((unsigned int)fd, (unsigned int)fd, 0));
	else if (step_says(step, 1, "stream"))
		log_result(close_stream(fd));
	else
		log_result(close(fd));
}

void play_range(const struct step *step)
{
	int first = step_fd(step, 0), last = step_fd(step, 1);

	if (is_closable(first) && is_closable(last))
		log_result(close_range((unsigned int)first, (unsigned int)last, 0));
}

void play_dup(const struct step *step)
{
	int fd = dup(step_fd(step, 0));

	log_result(fd);
	step_name(step, 1, fd);
}

void play_dup2(const struct step *step)
{
	int over = step_fd(step, 1);

	if (is_closable(over))
		log_result(dup2(step_fd(step, 0), over));
}

void play_dup3(const struct step *step)
{
	int over = step_fd(step, 1);

	if (is_closable(over))
		log_result(dup3(step_fd(step, 0), over, O_CLOEXEC));
}

void play_fdup(const struct step *step)
{
	int least = (int)step->args[2].number;
	int fd = fcntl(step_fd(step, 0), F_DUPFD_CLOEXEC, least);

	log_result(fd);
	step_name(step, 1, fd);
}

/* For ends of pipes only: sockets cannot be opened, and files of /proc change. */
void play_reopen(const struct step *step)
{
	int old = step_fd(step, 0), flags = fcntl(old, F_GETFL), fd = -1;

	if (flags >= 0)
		fd = open_again(old, flags & O_ACCMODE);
	log_result(fd);
	step_name(step, 1, fd);
}

/* -------- by a socket, to ourselves -------- */

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

void play_send(const struct step *step)
{
	union control control = {0};
	struct iovec data = {.iov_base = (char[]){'f'}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	int fd = step_fd(step, 1);

	/* in flight over itself it is collected by a kernel thread, some time */
	if (socket_domain(fd) == AF_UNIX)
		return;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	log_result(sendmsg(step_fd(step, 0), &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void play_recv(const struct step *step)
{
	union control control = {0};
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header;
	int fd = -1;

	log_result(recvmsg(step_fd(step, 0), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	header = message.msg_controllen ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	log_value("fd", fd);
	step_name(step, 1, fd);
}
