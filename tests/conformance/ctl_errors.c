// SPDX-License-Identifier: MIT
/*
 * ctl_errors.c - epoll_ctl(2): every error, and which goes before which.
 *
 * The order in which the kernel looks: the event is copied in (EFAULT), epfd
 * (EBADF), fd (EBADF), may fd be polled (EPERM), is epfd an eventpoll and not
 * fd itself (EINVAL), EPOLLEXCLUSIVE (EINVAL), loops (ELOOP), then the
 * interest list (EEXIST, ENOENT).  The last and the first are in ctl_errors_list.c.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stage.h"

#define NO_DESCRIPTOR 3999 /* a number no claim opens */

static struct epoll_event any = {.events = EPOLLIN};

/* ---- EBADF ------------------------------------------------------------- */

CLAIM(a_bad_epfd_is_EBADF)
{
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(-1, EPOLL_CTL_ADD, p[0], &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(NO_DESCRIPTOR, EPOLL_CTL_ADD, p[0], &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(NO_DESCRIPTOR, EPOLL_CTL_MOD, p[0], &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(NO_DESCRIPTOR, EPOLL_CTL_DEL, p[0], NULL), EBADF);
	EXPECT_ERRNO(epoll_ctl(INT32_MAX, EPOLL_CTL_ADD, p[0], &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(INT32_MIN, EPOLL_CTL_ADD, p[0], &any), EBADF);
	CLOSE(p[0], p[1]);
}

CLAIM(a_bad_fd_is_EBADF)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, -1, &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, NO_DESCRIPTOR, &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, NO_DESCRIPTOR, &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_DEL, NO_DESCRIPTOR, NULL), EBADF);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, INT32_MAX, &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_DEL, INT32_MIN, NULL), EBADF);
	CLOSE(epfd);
}

CLAIM(a_closed_fd_is_EBADF_for_every_operation)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	CLOSE(p[0]);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 1), EBADF);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 1), EBADF);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), EBADF);
	CLOSE(epfd, p[1]);
}

CLAIM(an_O_PATH_descriptor_is_EBADF)
{
	int path = MUST(open("/", O_PATH | O_CLOEXEC));
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_add(epfd, path, EPOLLIN, 0), EBADF);
	EXPECT_ERRNO(epoll_ctl(path, EPOLL_CTL_ADD, epfd, &any), EBADF);
	CLOSE(path, epfd);
}

CLAIM(EBADF_of_fd_goes_before_EINVAL_of_epfd)
{
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(p[0], EPOLL_CTL_ADD, NO_DESCRIPTOR, &any), EBADF);
	CLOSE(p[0], p[1]);
}

CLAIM(EBADF_goes_before_EINVAL_of_the_operation)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_ctl(epfd, 77, NO_DESCRIPTOR, &any), EBADF);
	EXPECT_ERRNO(epoll_ctl(NO_DESCRIPTOR, 77, epfd, &any), EBADF);
	CLOSE(epfd);
}

/* ---- EINVAL ------------------------------------------------------------ */

CLAIM(an_epfd_that_is_no_eventpoll_is_EINVAL)
{
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &any), EINVAL);
	EXPECT_ERRNO(epoll_ctl(p[0], EPOLL_CTL_MOD, p[1], &any), EINVAL);
	EXPECT_ERRNO(epoll_ctl(p[0], EPOLL_CTL_DEL, p[1], NULL), EINVAL);
	CLOSE(p[0], p[1]);
}

CLAIM(an_eventpoll_that_watches_itself_is_EINVAL)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_add(epfd, epfd, EPOLLIN, 0), EINVAL);
	EXPECT_ERRNO(ctl_mod(epfd, epfd, EPOLLIN, 0), EINVAL);
	EXPECT_ERRNO(ctl_del(epfd, epfd), EINVAL);
	CLOSE(epfd);
}

CLAIM(a_duplicate_of_the_eventpoll_is_itself_too)
{
	int epfd = epoll_open();
	int copy = MUST(dup(epfd));

	EXPECT_ERRNO(ctl_add(epfd, copy, EPOLLIN, 0), EINVAL);
	EXPECT_ERRNO(ctl_add(copy, epfd, EPOLLIN, 0), EINVAL);
	CLOSE(epfd, copy);
}

CLAIM(an_unknown_operation_is_EINVAL)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(epfd, 0, p[0], &any), EINVAL);
	EXPECT_ERRNO(epoll_ctl(epfd, 4, p[0], &any), EINVAL);
	EXPECT_ERRNO(epoll_ctl(epfd, -1, p[0], &any), EINVAL);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_ERRNO(epoll_ctl(epfd, 4, p[0], &any), EINVAL);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(EXCLUSIVE_with_other_bits_is_EINVAL)
{
	static const uint32_t refused[] = {
		EPOLLPRI, EPOLLRDHUP, EPOLLONESHOT, EPOLLRDNORM, EPOLLRDBAND, EPOLLMSG, 1u << 27,
	};
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		EXPECT_ERRNO(ctl_add(epfd, s[0], EPOLLIN | EPOLLEXCLUSIVE | refused[i], 0), EINVAL);
	EXPECT_ERRNO(ctl_del(epfd, s[0]), ENOENT);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(EXCLUSIVE_with_the_documented_bits_is_accepted)
{
	static const uint32_t accepted[] = {
		EPOLLIN,
		EPOLLOUT,
		EPOLLIN | EPOLLOUT,
		EPOLLERR,
		EPOLLHUP,
		EPOLLWAKEUP,
		(uint32_t)EPOLLET,
		0,
		EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | (uint32_t)EPOLLET,
	};
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		watch(epfd, s[0], EPOLLEXCLUSIVE | accepted[i], 0);
		unwatch(epfd, s[0]);
	}
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(MOD_to_EXCLUSIVE_is_EINVAL)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 0), EINVAL);
	watch(epfd, p[0], EPOLLIN, 0);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 0), EINVAL);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_of_an_EXCLUSIVE_watch_is_EINVAL)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLEXCLUSIVE, 5);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 6), EINVAL);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], 0, 6), EINVAL);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 5});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(EXCLUSIVE_on_an_eventpoll_is_EINVAL)
{
	int outer = epoll_open(), inner = epoll_open();

	EXPECT_ERRNO(ctl_add(outer, inner, EPOLLIN | EPOLLEXCLUSIVE, 0), EINVAL);
	EXPECT_ERRNO(ctl_del(outer, inner), ENOENT);
	CLOSE(outer, inner);
}

CLAIM(DEL_does_not_look_at_EXCLUSIVE)
{
	struct epoll_event odd = {.events = EPOLLEXCLUSIVE | EPOLLPRI};
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, p[0], &odd));
	CLOSE(epfd, p[0], p[1]);
}

/* ---- EPERM ------------------------------------------------------------- */

CLAIM(a_regular_file_is_EPERM)
{
	int file = MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int memory = MUST(memfd_create("regular", MFD_CLOEXEC));
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_add(epfd, file, EPOLLIN, 0), EPERM);
	EXPECT_ERRNO(ctl_add(epfd, memory, EPOLLIN | EPOLLOUT, 0), EPERM);
	CLOSE(file, memory, epfd);
}

CLAIM(EPERM_is_not_about_the_operation)
{
	int file = MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_mod(epfd, file, EPOLLIN, 0), EPERM);
	EXPECT_ERRNO(ctl_del(epfd, file), EPERM);
	EXPECT_ERRNO(epoll_ctl(epfd, 77, file, &any), EPERM);
	CLOSE(file, epfd);
}

CLAIM(a_directory_is_EPERM)
{
	int directory = MUST(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_add(epfd, directory, EPOLLIN, 0), EPERM);
	CLOSE(directory, epfd);
}

CLAIM(dev_null_is_EPERM)
{
	int null = MUST(open("/dev/null", O_RDWR | O_CLOEXEC));
	int epfd = epoll_open();

	EXPECT_ERRNO(ctl_add(epfd, null, EPOLLIN, 0), EPERM);
	CLOSE(null, epfd);
}

CLAIM(EPERM_goes_before_EINVAL_of_epfd)
{
	int file = MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(p[0], EPOLL_CTL_ADD, file, &any), EPERM);
	EXPECT_ERRNO(epoll_ctl(file, EPOLL_CTL_ADD, file, &any), EPERM);
	EXPECT_ERRNO(epoll_ctl(file, EPOLL_CTL_ADD, p[0], &any), EINVAL);
	CLOSE(file, p[0], p[1]);
}

CLAIM(EPERM_leaves_nothing_behind)
{
	int file = MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int epfd = epoll_open();
	int p[2];

	EXPECT_ERRNO(ctl_add(epfd, file, EPOLLIN, 1), EPERM);
	pipe_open(p);
	MUST(dup2(p[1], file));
	EXPECT_ERRNO(ctl_del(epfd, file), ENOENT);
	watch(epfd, file, EPOLLOUT, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 2});
	CLOSE(file, p[0], p[1], epfd);
}
