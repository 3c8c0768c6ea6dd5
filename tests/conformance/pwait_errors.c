// SPDX-License-Identifier: MIT
/*
 * pwait_errors.c - epoll_pwait(2), epoll_pwait2(2): errors of the time-out and of
 * the signal mask, which go before those of wait_errors.c.
 */
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define NON_CANONICAL ((void *)(uintptr_t)0x8000000000000000u)
#define MASK_BYTES    8 /* of the kernel's sigset_t */

static struct epoll_event room[4];

/* A page that can be neither read nor written. */
static void *hidden_open(void)
{
	void *hidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(hidden != MAP_FAILED);
	return hidden;
}

/* ---- the time-out ------------------------------------------------------ */

CLAIM(an_invalid_timespec_is_EINVAL)
{
	static const struct timespec refused[] = {{-1, 0}, {0, -1}, {0, 1000000000}, {1, LONG_MAX}};
	int epfd = epoll_open();

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		EXPECT_ERRNO(epoll_pwait2(epfd, room, 1, &refused[i], NULL), EINVAL);
	CLOSE(epfd);
}

CLAIM(an_invalid_timespec_is_EINVAL_even_with_events_ready)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, 1, &(struct timespec){0, -1}, NULL), EINVAL);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(an_unreadable_timespec_is_EFAULT)
{
	void *hidden = hidden_open();
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_pwait2(epfd, room, 1, hidden, NULL), EFAULT);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, 1, NON_CANONICAL, NULL), EFAULT);
	CLOSE(epfd);
	munmap(hidden, 4096);
}

CLAIM(errors_of_the_timespec_go_before_all_others)
{
	EXPECT_ERRNO(epoll_pwait2(-1, room, 0, NON_CANONICAL, NULL), EFAULT);
	EXPECT_ERRNO(epoll_pwait2(-1, room, 1, &(struct timespec){0, -1}, NULL), EINVAL);
}

CLAIM(the_timespec_is_not_changed)
{
	static const struct timespec constant = {.tv_nsec = 1000000};
	int epfd = epoll_open();

	EXPECT_INT(epoll_pwait2(epfd, room, 1, &constant, NULL), ==, 0);
	CLOSE(epfd);
}

/* ---- the signal mask --------------------------------------------------- */

CLAIM(an_unreadable_mask_is_EFAULT)
{
	void *hidden = hidden_open();
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_pwait(epfd, room, 1, 0, hidden), EFAULT);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, 1, NULL, hidden), EFAULT);
	CLOSE(epfd);
	munmap(hidden, 4096);
}

CLAIM(EFAULT_of_the_mask_goes_before_errors_of_maxevents_and_epfd)
{
	void *hidden = hidden_open();

	EXPECT_ERRNO(epoll_pwait(-1, room, 0, 0, hidden), EFAULT);
	EXPECT_ERRNO(epoll_pwait(-1, room, 1, 0, hidden), EFAULT);
	munmap(hidden, 4096);
}

CLAIM(the_raw_call_refuses_a_mask_of_another_size_with_EINVAL)
{
	int epfd = epoll_open();
	sigset_t mask;

	sigemptyset(&mask);
	EXPECT_ERRNO(syscall(SYS_epoll_pwait, epfd, room, 1, 0, &mask, MASK_BYTES - 1), EINVAL);
	EXPECT_ERRNO(syscall(SYS_epoll_pwait, epfd, room, 1, 0, &mask, sizeof(mask)), EINVAL);
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, room, 1, 0, &mask, MASK_BYTES), ==, 0);
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, room, 1, 0, NULL, 77), ==, 0);
	CLOSE(epfd);
}
