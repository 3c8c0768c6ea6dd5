// SPDX-License-Identifier: MIT
/*
 * deviate_hooks.c - what a program meets where interpoll stands between it and
 * the kernel's calls.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define OWN_DESCRIPTORS "interpoll's threads sleep on it"
#define NOT_BACK	"an eventpoll that was handed over is the kernel's from then on"
#define BORROWED	"a vfork child must not change what is its parent's"

#define DATA 0x5ca1ab1e

/* Open, although close() says there is no such descriptor: -1 if there is none. */
static int find_own_descriptor(void)
{
	for (int fd = 0; fd < 4096; fd++)
		if (raw_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0) >= 0 && fd > 500 &&
		    close(fd) < 0 && errno == EBADF)
			return fd;
	return -1;
}

CLAIM_EXCEPT("thread", OWN_DESCRIPTORS, dup2_over_a_descriptor_of_interpoll_s_own_is_EBUSY)
{
	int event_fd = eventfd_open(0);

	EXPECT_INT(find_own_descriptor(), ==, -1); /* none is out of the program's reach */
	EXPECT_INT(dup2(event_fd, 512), ==, 512);
	CLOSE(event_fd, 512);
}
DEVIATION(dup2_over_a_descriptor_of_interpoll_s_own_is_EBUSY)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int event_fd = eventfd_open(0);
	int own;

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	own = find_own_descriptor();
	EXPECT_INT(own, >=, 0);
	EXPECT_ERRNO(dup2(event_fd, own), EBUSY);
	EXPECT_ERRNO(dup3(event_fd, own, O_CLOEXEC), EBUSY);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

/* Does the kernel's epoll behind @epfd hand out the program's own data? */
static bool is_kernel_s(int epfd)
{
	struct epoll_event event;

	return raw_call(SYS_epoll_pwait, epfd, (long)&event, 1, 0, 0, 8) == 1 &&
	       event.data.u64 == DATA;
}

/* e0 would stay open in another program; p0 is ready. */
static void inheritable_open(int *epfd, int *event_fd)
{
	*epfd = MUST(epoll_create1(0));
	*event_fd = eventfd_open(1);
	watch(*epfd, *event_fd, EPOLLIN, DATA);
}

CLAIM_EXCEPT("poll", NOT_BACK, an_eventpoll_is_the_kernel_s_after_an_exec_that_failed)
{
	int epfd, event_fd;

	inheritable_open(&epfd, &event_fd);
	EXPECT_ERRNO(execl("/nowhere/at/all", "x", NULL), ENOENT);
	EXPECT(is_kernel_s(epfd));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, DATA});
	CLOSE(epfd, event_fd);
}

/* What a program that a vfork child becomes finds in e0: the exec itself fails here. */
static bool is_handed_over_by_vfork(void)
{
	int epfd, event_fd;
	bool is_theirs;
	pid_t pid;

	inheritable_open(&epfd, &event_fd);
	pid = vfork();
	if (pid == 0) {
		execl("/nowhere/at/all", "x", NULL);
		_exit(0);
	}
	MUST(pid);
	EXPECT_INT(waitpid(pid, NULL, 0), ==, pid);
	is_theirs = is_kernel_s(epfd);
	CLOSE(epfd, event_fd);
	return is_theirs;
}

CLAIM_EXCEPT("preloaded", BORROWED, a_vfork_child_hands_an_eventpoll_to_its_program)
{
	EXPECT(is_handed_over_by_vfork());
}
DEVIATION(a_vfork_child_hands_an_eventpoll_to_its_program)
{
	EXPECT(!is_handed_over_by_vfork());
}
