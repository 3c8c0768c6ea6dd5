// SPDX-License-Identifier: MIT
#include "real/beacon.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "real/ownfd.h"
#include "real/sys.h"

/* An eventfd whose count is 1 for ever. */
static int beacon_fire = -1;

int beacon_init(void)
{
	int fd, expected = -1;

	if (__atomic_load_n(&beacon_fire, __ATOMIC_ACQUIRE) >= 0)
		return 0;
	fd = ownfd_take(sys_eventfd2(1, EFD_CLOEXEC | EFD_NONBLOCK));
	if (fd < 0)
		return fd;
	if (!__atomic_compare_exchange_n(&beacon_fire, &expected, fd, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		ownfd_close(fd);
	return 0;
}

int beacon_open(int flags)
{
	int ret = beacon_init();

	return ret < 0 ? ret : sys_epoll_create1(flags);
}

void beacon_light(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	sys_epoll_ctl(fd, EPOLL_CTL_ADD, __atomic_load_n(&beacon_fire, __ATOMIC_ACQUIRE), &event);
}

void beacon_douse(int fd)
{
	sys_epoll_ctl(fd, EPOLL_CTL_DEL, __atomic_load_n(&beacon_fire, __ATOMIC_ACQUIRE), NULL);
}

int beacon_ask(int beacon, int fd)
{
	struct epoll_event event = {.events = EPOLLET};
	int ret = sys_epoll_ctl(beacon, EPOLL_CTL_ADD, fd, &event);

	if (ret < 0 && ret != -EEXIST)
		return ret;
	sys_epoll_ctl(beacon, EPOLL_CTL_DEL, fd, NULL);
	return 0;
}

void beacon_reset(void)
{
	beacon_fire = -1;
}
