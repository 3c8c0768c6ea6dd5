// SPDX-License-Identifier: MIT
/*
 * syscalls.c - syscall() hands everything on, and answers what we answer.
 */
#include <poll.h>
#include <signal.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* mmap needs all six: a wrong offset shows in the bytes, a wrong flag or fd fails. */
CLAIM(all_six_arguments_reach_the_kernel)
{
	char name[] = "/tmp/interpoll-XXXXXX";
	int fd = MUST(mkstemp(name));
	char *map;

	MUST(unlink(name));
	MUST(ftruncate(fd, 3 * 4096));
	EXPECT_INT(pwrite(fd, "z", 1, 2 * 4096), ==, 1);
	map = (char *)syscall(SYS_mmap, NULL, 4096L, PROT_READ, MAP_PRIVATE, fd, 2L * 4096);
	EXPECT(map != MAP_FAILED);
	EXPECT_INT(map[0], ==, 'z');
	MUST(syscall(SYS_munmap, map, 4096L));
	CLOSE(fd);
}

/* pselect6 is looked at on its way, and its sixth argument is a pointer to a pair. */
CLAIM(all_six_arguments_reach_the_kernel_of_a_call_that_is_looked_at)
{
	struct timespec none = {0, 0};
	sigset_t all;
	struct {
		const sigset_t *mask;
		size_t size;
	} pair = {&all, _NSIG / 8};
	fd_set in;
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	sigfillset(&all);
	EXPECT_INT(syscall(SYS_pselect6, p[0] + 1, &in, NULL, NULL, &none, &pair), ==, 1);
	EXPECT(FD_ISSET(p[0], &in));
	pair.size = 3;
	EXPECT_ERRNO(syscall(SYS_pselect6, p[0] + 1, &in, NULL, NULL, &none, &pair), EINVAL);
	CLOSE(p[0], p[1]);
}

CLAIM(unknown_numbers_are_the_kernel_s)
{
	EXPECT_ERRNO(syscall(9999, 1, 2, 3, 4, 5, 6), ENOSYS);
	EXPECT_ERRNO(syscall(-1), ENOSYS);
	EXPECT_ERRNO(syscall(511), ENOSYS);
	EXPECT_ERRNO(syscall(512 + 4096), ENOSYS);
	EXPECT_INT(syscall(SYS_getpid), ==, getpid());
}

CLAIM(an_eventpoll_made_and_used_by_number)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 5};
	int epfd = MUST(syscall(SYS_epoll_create1, EPOLL_CLOEXEC));
	int p[2];

	pipe_open(p);
	MUST(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, p[0], &event));
	EXPECT_ERRNO(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, p[0], &event), EEXIST);
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, &event, 1, 0, NULL, 0), ==, 0);
	put(p[1], 1);
	memset(&event, 0, sizeof(event));
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, &event, 1, -1, NULL, 0), ==, 1);
	EXPECT_INT(event.data.u64, ==, 5);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 5});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(epoll_pwait_by_number_reads_the_kernel_s_mask)
{
	unsigned long none = 0;
	struct timespec timeout = {0, 1000};
	struct epoll_event event;
	int epfd = epoll_open();

	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, &event, 1, 0, &none, 8), ==, 0);
	EXPECT_ERRNO(syscall(SYS_epoll_pwait, epfd, &event, 1, 0, &none, 4), EINVAL);
	EXPECT_ERRNO(syscall(SYS_epoll_pwait, epfd, &event, 1, 0, 1L, 8), EFAULT);
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, &event, 1, 0, NULL, 4), ==, 0);
	EXPECT_INT(syscall(SYS_epoll_pwait2, epfd, &event, 1, &timeout, &none, 8), ==, 0);
	EXPECT_ERRNO(syscall(SYS_epoll_pwait2, epfd, &event, 1, 1L, NULL, 8), EFAULT);
	CLOSE(epfd);
}

CLAIM(dup_by_number_over_a_watched_number_is_noticed)
{
	int epfd = epoll_open();
	int p[2], q[2];

	pipe_open(p);
	pipe_open(q);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	EXPECT_INT(syscall(SYS_dup3, q[0], p[0], 0), ==, p[0]);
	EXPECT_QUIET(epfd);
	watch(epfd, p[0], EPOLLIN, 2);
	put(q[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1], q[0], q[1]);
}

CLAIM(poll_by_number_sees_a_ready_eventpoll)
{
	struct pollfd pollfd;
	struct timespec none = {0, 0};
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	pollfd = (struct pollfd){.fd = epfd, .events = POLLIN};
	EXPECT_INT(syscall(SYS_ppoll, &pollfd, 1, &none, NULL, 8), ==, 0);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(syscall(SYS_ppoll, &pollfd, 1, &none, NULL, 8), ==, 1);
	CLOSE(epfd, p[0], p[1]);
}

/* libuv takes any failure of it for a kernel without io_uring. */
CLAIM(io_uring_is_refused_if_the_user_says_so)
{
	const char *refused = getenv("INTERPOLL_NO_IO_URING");
	char params[120];

	memset(params, 0, sizeof(params));
	if (!refused || is_native() || getenv("INTERPOLL_PASSTHROUGH")) {
		EXPECT_ERRNO(syscall(SYS_io_uring_setup, 0, params), EINVAL);
		return;
	}
	EXPECT_ERRNO(syscall(SYS_io_uring_setup, 4, params), ENOSYS);
}

/* Bad pointers are the kernel's to judge, also where we look at what they point to. */
CLAIM(bad_pointers_are_errors)
{
	struct epoll_event event;
	int epfd = epoll_open();
	void *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_ERRNO(poll(bad, 2, 0), EFAULT);
	EXPECT_ERRNO(ppoll(bad, 1, NULL, NULL), EFAULT);
	EXPECT_ERRNO(select(epfd + 1, bad, NULL, NULL, &(struct timeval){0, 0}), EFAULT);
	EXPECT_ERRNO(sendmsg(epfd, bad, 0), ENOTSOCK);
	EXPECT_ERRNO(syscall(SYS_sendmsg, epfd, bad, 0), ENOTSOCK);
	EXPECT_ERRNO(epoll_pwait2(epfd, &event, 1, bad, NULL), EFAULT);
	EXPECT_ERRNO(epoll_pwait(epfd, &event, 1, 0, bad), EFAULT);
	EXPECT_ERRNO(epoll_pwait2(epfd, &event, 1, &(struct timespec){-1, 0}, NULL), EINVAL);
	EXPECT_ERRNO(epoll_pwait2(epfd, &event, 1, &(struct timespec){0, 1000000000}, NULL),
		     EINVAL);
	MUST(munmap(bad, 4096));
	CLOSE(epfd);
}
