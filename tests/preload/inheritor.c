// SPDX-License-Identifier: MIT
/*
 * inheritor.c - another program that finds an epoll among its descriptors.
 *
 * usage: inheritor EPFD EVENTS DATA: exits with 0 if one wait delivers just that.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>

int main(int argc, char **argv)
{
	struct epoll_event events[4];

	if (argc != 4)
		return 2;
	if (epoll_wait(atoi(argv[1]), events, 4, 0) != 1)
		return 3;
	if (events[0].events != strtoul(argv[2], NULL, 0))
		return 4;
	return events[0].data.u64 == strtoull(argv[3], NULL, 0) ? 0 : 5;
}
