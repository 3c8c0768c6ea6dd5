// SPDX-License-Identifier: MIT
/*
 * early.c - a library whose constructor uses epoll, perhaps before interpoll's has
 * run.  Preloaded beside it, into any program.
 *
 * Writes what it saw to descriptor EARLY_FD: "early WAITED DATA ERRNO IS_OURS\n".
 * IS_OURS says whether the kernel knows the watch by a tag of interpoll's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DATA 0x5ca1ab1e

/* Does fdinfo show another word than the application's for the only watch? */
static int is_ours(int epfd)
{
	char path[64], text[512];
	char *data;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	data = strstr(text, "data:");
	return data ? strtoull(data + 5, NULL, 16) != DATA : -1;
}

static __attribute__((constructor)) void begin(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = DATA};
	const char *to = getenv("EARLY_FD");
	int epfd, p[2], waited, ours;

	if (!to)
		return;
	errno = 0;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], &event);
	ours = is_ours(epfd);
	if (write(p[1], "x", 1) != 1)
		return;
	event.data.u64 = 0;
	waited = epoll_wait(epfd, &event, 1, 0);
	close(p[0]);
	close(p[1]);
	dprintf(atoi(to), "early %d %llx %d %d\n", waited, (unsigned long long)event.data.u64,
		errno, ours);
	close(epfd);
}
