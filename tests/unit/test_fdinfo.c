// SPDX-License-Identifier: MIT
/*
 * test_fdinfo.c - what the kernel says in /proc of an epoll's registrations.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "source/fdinfo.h"

#define NR_MANY 200 /* more than one read has room for */

static struct source_watch seen[NR_MANY + 1];
static int nr_seen, epfd;

static void see(void *ctx, const struct source_watch *watch)
{
	cr_assert_eq(ctx, seen);
	cr_assert_lt(nr_seen, NR_MANY + 1);
	seen[nr_seen++] = *watch;
}

static void open_epoll(void)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	cr_assert_geq(epfd, 0);
}

TestSuite(fdinfo, .init = open_epoll);

static int watched(uint32_t events, uint64_t tag)
{
	struct epoll_event event = {.events = events, .data.u64 = tag};
	int fd = eventfd(0, EFD_CLOEXEC);

	cr_assert_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
	return fd;
}

static void expect_seen(int fd, uint32_t events, uint64_t tag)
{
	for (int i = 0; i < nr_seen; i++) {
		if (seen[i].fd != fd)
			continue;
		cr_assert_eq(seen[i].events, events | EPOLLERR | EPOLLHUP, "%#x", seen[i].events);
		cr_assert_eq(seen[i].tag, tag, "%#llx", (unsigned long long)seen[i].tag);
		return;
	}
	cr_assert_fail("%d was not shown", fd);
}

Test(fdinfo, shows_number_events_and_tag)
{
	int nothing = watched(0, 0);
	int all = watched(EPOLLIN | EPOLLOUT | EPOLLET | EPOLLONESHOT, UINT64_MAX);
	int some = watched(EPOLLPRI, UINT64_C(0x5eed00000100000a));

	cr_assert_eq(dup2(all, 1009), 1009);
	cr_assert_eq(fdinfo_list(epfd, see, seen), 0);
	cr_assert_eq(nr_seen, 3);
	expect_seen(nothing, 0, 0);
	expect_seen(all, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLONESHOT, UINT64_MAX);
	expect_seen(some, EPOLLPRI, UINT64_C(0x5eed00000100000a));
}

Test(fdinfo, shows_as_many_as_there_are)
{
	int fds[NR_MANY];

	for (int i = 0; i < NR_MANY; i++)
		fds[i] = watched(EPOLLIN, UINT64_C(0xabcdef0000000000) + (uint64_t)i);
	cr_assert_eq(fdinfo_list(epfd, see, seen), 0);
	cr_assert_eq(nr_seen, NR_MANY);
	for (int i = 0; i < NR_MANY; i++)
		expect_seen(fds[i], EPOLLIN, UINT64_C(0xabcdef0000000000) + (uint64_t)i);
}

Test(fdinfo, of_an_empty_epoll_shows_nothing)
{
	cr_assert_eq(fdinfo_list(epfd, see, seen), 0);
	cr_assert_eq(nr_seen, 0);
}

Test(fdinfo, of_another_file_is_refused)
{
	int fd = watched(EPOLLIN, 1);

	cr_assert_eq(fdinfo_list(fd, see, seen), -EBADF);
	cr_assert_eq(nr_seen, 0);
}

Test(fdinfo, of_a_closed_number_is_refused)
{
	close(epfd);
	cr_assert_eq(fdinfo_list(epfd, see, seen), -ENOENT);
}

Test(fdinfo, leaves_no_descriptor_open_and_needs_one)
{
	struct rlimit limit;
	int next = dup(epfd);

	close(next);
	cr_assert_eq(fdinfo_list(epfd, see, seen), 0);
	cr_assert_eq(dup(epfd), next);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)next + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	errno = 0;
	cr_assert_eq(fdinfo_list(epfd, see, seen), -EMFILE);
	cr_assert_eq(errno, 0);
}
