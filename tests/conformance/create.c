// SPDX-License-Identifier: MIT
/*
 * create.c - epoll_create(2): flags, sizes, errors, and what an epfd is as a file.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stage.h"

CLAIM(epoll_create_returns_a_descriptor)
{
	int epfd = epoll_create(1);

	EXPECT_INT(epfd, >=, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(epoll_create_ignores_any_positive_size)
{
	int small = MUST(epoll_create(1));
	int large = MUST(epoll_create(INT_MAX));

	CLOSE(small, large);
}

CLAIM(epoll_create_of_size_zero_is_EINVAL)
{
	EXPECT_ERRNO(epoll_create(0), EINVAL);
}

CLAIM(epoll_create_of_negative_size_is_EINVAL)
{
	EXPECT_ERRNO(epoll_create(-1), EINVAL);
	EXPECT_ERRNO(epoll_create(INT_MIN), EINVAL);
}

CLAIM(epoll_create_is_not_close_on_exec)
{
	int epfd = MUST(epoll_create(1));

	EXPECT_INT(MUST(fcntl(epfd, F_GETFD)) & FD_CLOEXEC, ==, 0);
	CLOSE(epfd);
}

CLAIM(epoll_create1_without_flags_is_epoll_create)
{
	int epfd = MUST(epoll_create1(0));

	EXPECT_INT(MUST(fcntl(epfd, F_GETFD)) & FD_CLOEXEC, ==, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(EPOLL_CLOEXEC_makes_it_close_on_exec)
{
	int epfd = MUST(epoll_create1(EPOLL_CLOEXEC));

	EXPECT_INT(MUST(fcntl(epfd, F_GETFD)) & FD_CLOEXEC, ==, FD_CLOEXEC);
	CLOSE(epfd);
}

CLAIM(epoll_create1_refuses_unknown_flags_with_EINVAL)
{
	EXPECT_ERRNO(epoll_create1(1), EINVAL);
	EXPECT_ERRNO(epoll_create1(O_NONBLOCK), EINVAL);
	EXPECT_ERRNO(epoll_create1(EPOLL_CLOEXEC | 1), EINVAL);
	EXPECT_ERRNO(epoll_create1(-1), EINVAL);
}

CLAIM(the_lowest_free_number_is_taken)
{
	int a = MUST(epoll_create1(0));
	int b = MUST(epoll_create1(0));
	int again;

	EXPECT_INT(a, <, b);
	CLOSE(a);
	again = MUST(epoll_create1(0));
	EXPECT_INT(again, ==, a);
	CLOSE(again, b);
}

CLAIM(EMFILE_when_the_process_may_open_no_more)
{
	struct rlimit old, none;

	MUST(getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 3;
	MUST(setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_ERRNO(epoll_create1(0), EMFILE);
	EXPECT_ERRNO(epoll_create1(EPOLL_CLOEXEC), EMFILE);
	EXPECT_ERRNO(epoll_create(1), EMFILE);
	MUST(setrlimit(RLIMIT_NOFILE, &old));
	CLOSE(MUST(epoll_create1(0)));
}

CLAIM(EINVAL_goes_before_EMFILE)
{
	struct rlimit old, none;

	MUST(getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 3;
	MUST(setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_ERRNO(epoll_create1(1), EINVAL);
	EXPECT_ERRNO(epoll_create(0), EINVAL);
	MUST(setrlimit(RLIMIT_NOFILE, &old));
}

CLAIM(success_leaves_errno_alone)
{
	int one, other;

	errno = EXFULL;
	one = epoll_create(1);
	EXPECT_INT(errno, ==, EXFULL);
	other = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_INT(errno, ==, EXFULL);
	CLOSE(one, other);
}

CLAIM(two_instances_share_nothing)
{
	int one = epoll_open(), other = epoll_open();
	int p[2];

	pipe_open(p);
	watch(one, p[1], EPOLLOUT, 1);
	EXPECT_EVENTS(one, 0, {EPOLLOUT, 1});
	EXPECT_QUIET(other);
	EXPECT_ERRNO(ctl_del(other, p[1]), ENOENT);
	CLOSE(one, other, p[0], p[1]);
}

CLAIM(a_closed_instance_is_EBADF)
{
	struct epoll_event event;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	CLOSE(epfd);
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 0), EBADF);
	EXPECT_ERRNO(epoll_wait(epfd, &event, 1, 0), EBADF);
	CLOSE(p[0], p[1]);
}

CLAIM(a_number_reused_by_a_new_instance_starts_empty)
{
	int p[2];

	pipe_open(p);
	for (int i = 0; i < 100; i++) {
		int epfd = epoll_open();

		EXPECT_QUIET(epfd);
		watch(epfd, p[1], EPOLLOUT, (uint64_t)i);
		EXPECT_EVENTS(epfd, 0, {EPOLLOUT, (uint64_t)i});
		CLOSE(epfd);
	}
	CLOSE(p[0], p[1]);
}

CLAIM(a_thousand_instances_work_side_by_side)
{
	enum {
		NR = 1000
	};
	static int epfds[NR];
	int event_fd = eventfd_open(0);

	allow_descriptors(NR + 16);
	for (int i = 0; i < NR; i++) {
		epfds[i] = epoll_open();
		watch(epfds[i], event_fd, EPOLLIN, (uint64_t)i);
	}
	count_up(event_fd, 1);
	for (int i = 0; i < NR; i++) {
		EXPECT_EVENTS(epfds[i], 0, {EPOLLIN, (uint64_t)i});
		CLOSE(epfds[i]);
	}
	CLOSE(event_fd);
}

CLAIM(proc_shows_an_eventpoll)
{
	char path[64], target[64] = "";
	int epfd = epoll_open();

	snprintf(path, sizeof(path), "/proc/self/fd/%d", epfd);
	MUST(readlink(path, target, sizeof(target) - 1));
	EXPECT(strcmp(target, "anon_inode:[eventpoll]") == 0);
	CLOSE(epfd);
}

CLAIM(an_instance_is_neither_read_nor_written)
{
	int epfd = epoll_open();
	uint64_t word = 1;

	EXPECT_ERRNO(read(epfd, &word, sizeof(word)), EINVAL);
	EXPECT_ERRNO(write(epfd, &word, sizeof(word)), EINVAL);
	CLOSE(epfd);
}

CLAIM(an_instance_is_not_mapped)
{
	int epfd = epoll_open();
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, epfd, 0);

	EXPECT(map == MAP_FAILED);
	EXPECT_INT(errno, ==, ENODEV);
	CLOSE(epfd);
}

CLAIM(an_instance_has_the_status_flags_of_an_eventpoll)
{
	int epfd = epoll_open();

	EXPECT_INT(MUST(fcntl(epfd, F_GETFL)) & O_ACCMODE, ==, O_RDWR);
	EXPECT_INT(MUST(fcntl(epfd, F_GETFL)) & O_NONBLOCK, ==, 0);
	CLOSE(epfd);
}
CLAIM(O_NONBLOCK_on_an_instance_changes_nothing)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int p[2];

	pipe_open(p);
	MUST(fcntl(epfd, F_SETFL, O_RDWR | O_NONBLOCK));
	watch(epfd, p[0], EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	put(p[1], 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(an_unknown_ioctl_is_EINVAL)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(ioctl(epfd, TCGETS, NULL), EINVAL);
	CLOSE(epfd);
}

/* Linux 6.9; the headers of older systems do not have them. */
struct busy_poll_params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t is_preferred;
	uint8_t pad;
};
#define SET_BUSY_POLL _IOW(0x8A, 0x01, struct busy_poll_params)
#define GET_BUSY_POLL _IOR(0x8A, 0x02, struct busy_poll_params)

CLAIM(busy_poll_parameters_are_set_and_read_back)
{
	struct busy_poll_params set = {.usecs = 20, .budget = 8}, got = {0};
	int epfd = epoll_open();

	MUST(ioctl(epfd, SET_BUSY_POLL, &set));
	MUST(ioctl(epfd, GET_BUSY_POLL, &got));
	EXPECT_INT(got.usecs, ==, 20);
	EXPECT_INT(got.budget, ==, 8);
	CLOSE(epfd);
}
