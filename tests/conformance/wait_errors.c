// SPDX-License-Identifier: MIT
/*
 * wait_errors.c - epoll_wait(2) and its kin: every error, and which goes first.
 *
 * The order in which the kernel looks: the time-out (EFAULT, EINVAL), the size
 * of the signal mask (EINVAL) and the mask (EFAULT), maxevents (EINVAL), the
 * range of the buffer (EFAULT), is epfd an eventpoll (EINVAL).  A bad epfd
 * (EBADF) goes before maxevents or after the range; kernels differ.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define NO_DESCRIPTOR 3999 /* a number no claim opens */
#define NON_CANONICAL ((void *)(uintptr_t)0x8000000000000000u)
#define MAX_EVENTS    (INT_MAX / (int)sizeof(struct epoll_event))

/* To break the contract that the compiler would hold us to is the point here. */
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wnonnull"

static struct epoll_event room[4];

/* A page that can be neither read nor written. */
static void *hidden_open(void)
{
	void *hidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(hidden != MAP_FAILED);
	return hidden;
}

/* ---- maxevents --------------------------------------------------------- */

CLAIM(maxevents_zero_is_EINVAL)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_wait(epfd, room, 0, 0), EINVAL);
	EXPECT_ERRNO(epoll_pwait(epfd, room, 0, 0, NULL), EINVAL);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, 0, &(struct timespec){0}, NULL), EINVAL);
	CLOSE(epfd);
}

CLAIM(a_negative_maxevents_is_EINVAL)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_wait(epfd, room, -1, 0), EINVAL);
	EXPECT_ERRNO(epoll_wait(epfd, room, INT_MIN, 0), EINVAL);
	EXPECT_ERRNO(epoll_pwait(epfd, room, -1, 0, NULL), EINVAL);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, -1, &(struct timespec){0}, NULL), EINVAL);
	CLOSE(epfd);
}

CLAIM(maxevents_is_limited_by_INT_MAX_bytes)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 1);
	EXPECT_ERRNO(epoll_wait(epfd, room, MAX_EVENTS + 1, 0), EINVAL);
	EXPECT_ERRNO(epoll_wait(epfd, room, INT_MAX, 0), EINVAL);
	EXPECT_INT(MUST(epoll_wait(epfd, room, MAX_EVENTS, 0)), ==, 1);
	EXPECT_GOT(room, 1, {EPOLLOUT, 1});
	CLOSE(epfd, p[0], p[1]);
}

/* The errno with which the kernel itself refuses this wait, past any preload. */
static int errno_of_kernel(int epfd, void *events, int maxevents)
{
	long result = raw_call(SYS_epoll_pwait, epfd, (long)events, maxevents, 0, 0, 0);

	EXPECT_INT(result, <, 0);
	return (int)-result;
}

/* Linux 6.14 moved EBADF to the front: what this kernel does is right. */
CLAIM(of_EBADF_and_other_errors_the_one_of_this_kernel_is_told)
{
	EXPECT_ERRNO(epoll_wait(-1, room, 0, 0), errno_of_kernel(-1, room, 0));
	EXPECT_ERRNO(epoll_wait(NO_DESCRIPTOR, room, -1, 0),
		     errno_of_kernel(NO_DESCRIPTOR, room, -1));
	EXPECT_ERRNO(epoll_wait(-1, NON_CANONICAL, 1, 0), errno_of_kernel(-1, NON_CANONICAL, 1));
	EXPECT_ERRNO(epoll_wait(-1, NON_CANONICAL, 0, 0), errno_of_kernel(-1, NON_CANONICAL, 0));
}

CLAIM(EINVAL_of_maxevents_goes_before_EFAULT)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_wait(epfd, NON_CANONICAL, 0, 0), EINVAL);
	EXPECT_ERRNO(epoll_wait(epfd, NON_CANONICAL, INT_MAX, 0), EINVAL);
	CLOSE(epfd);
}

/* ---- epfd -------------------------------------------------------------- */

CLAIM(waiting_on_a_bad_epfd_is_EBADF)
{
	EXPECT_ERRNO(epoll_wait(-1, room, 1, 0), EBADF);
	EXPECT_ERRNO(epoll_wait(NO_DESCRIPTOR, room, 1, 0), EBADF);
	EXPECT_ERRNO(epoll_wait(INT_MAX, room, 1, -1), EBADF);
	EXPECT_ERRNO(epoll_wait(INT_MIN, room, 1, -1), EBADF);
	EXPECT_ERRNO(epoll_pwait(NO_DESCRIPTOR, room, 1, 0, NULL), EBADF);
	EXPECT_ERRNO(epoll_pwait2(NO_DESCRIPTOR, room, 1, NULL, NULL), EBADF);
}

CLAIM(waiting_on_what_is_no_eventpoll_is_EINVAL)
{
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_wait(p[0], room, 1, 0), EINVAL);
	EXPECT_ERRNO(epoll_wait(p[0], room, 1, -1), EINVAL);
	EXPECT_ERRNO(epoll_pwait(p[0], room, 1, 0, NULL), EINVAL);
	EXPECT_ERRNO(epoll_pwait2(p[0], room, 1, NULL, NULL), EINVAL);
	CLOSE(p[0], p[1]);
}

CLAIM(waiting_on_an_eventfd_is_EINVAL)
{
	int event_fd = eventfd_open(1);

	EXPECT_ERRNO(epoll_wait(event_fd, room, 1, 0), EINVAL);
	CLOSE(event_fd);
}

CLAIM(waiting_on_an_O_PATH_descriptor_is_EBADF)
{
	int path = MUST(open("/", O_PATH | O_CLOEXEC));

	EXPECT_ERRNO(epoll_wait(path, room, 1, 0), EBADF);
	CLOSE(path);
}

CLAIM(a_number_that_became_another_file_is_EINVAL)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	MUST(dup2(p[0], epfd));
	EXPECT_ERRNO(epoll_wait(epfd, room, 1, 0), EINVAL);
	EXPECT_ERRNO(ctl_add(epfd, p[1], EPOLLOUT, 0), EINVAL);
	CLOSE(epfd, p[0], p[1]);
}

/* ---- the buffer -------------------------------------------------------- */

CLAIM(a_buffer_outside_user_space_is_EFAULT_even_with_nothing_ready)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_wait(epfd, NON_CANONICAL, 1, 0), EFAULT);
	EXPECT_ERRNO(epoll_wait(epfd, NON_CANONICAL, 1, -1), EFAULT);
	EXPECT_ERRNO(epoll_wait(epfd, (struct epoll_event *)(intptr_t)-64, 1, 0), EFAULT);
	CLOSE(epfd);
}

CLAIM(EFAULT_of_the_range_goes_before_EINVAL_of_epfd)
{
	int event_fd = eventfd_open(0);

	EXPECT_ERRNO(epoll_wait(event_fd, NON_CANONICAL, 1, 0), EFAULT);
	CLOSE(event_fd);
}

CLAIM(a_NULL_buffer_matters_only_when_there_is_something_to_deliver)
{
	int epfd = epoll_open();
	int p[2];

	EXPECT_INT(epoll_wait(epfd, NULL, 1, 0), ==, 0);
	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 1);
	EXPECT_ERRNO(epoll_wait(epfd, NULL, 1, 0), EFAULT);
	EXPECT_ERRNO(epoll_wait(epfd, NULL, 1, -1), EFAULT);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_NULL_buffer_does_not_hide_EBADF)
{
	EXPECT_ERRNO(epoll_wait(-1, NULL, 1, 0), EBADF);
}

CLAIM(EFAULT_loses_no_level_event)
{
	void *hidden = hidden_open();
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_ERRNO(epoll_wait(epfd, hidden, 4, 0), EFAULT);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
	munmap(hidden, 4096);
}

CLAIM(EFAULT_loses_no_edge)
{
	void *hidden = hidden_open();
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_ERRNO(epoll_wait(epfd, hidden, 4, -1), EFAULT);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
	munmap(hidden, 4096);
}

CLAIM(EFAULT_does_not_spend_a_oneshot)
{
	void *hidden = hidden_open();
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p[1], 1);
	EXPECT_ERRNO(epoll_wait(epfd, hidden, 4, 0), EFAULT);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
	munmap(hidden, 4096);
}

CLAIM(a_buffer_that_ends_early_gets_what_fits_and_loses_nothing)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seen = 0;
	int epfd = epoll_open();
	struct epoll_event *last;
	int fds[3];

	EXPECT((void *)pages != MAP_FAILED);
	MUST(munmap(pages + 4096, 4096));
	last = (struct epoll_event *)(void *)(pages + 4096 - sizeof(*last));
	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLET, 1u << i);
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(MUST(epoll_wait(epfd, last, 3, 0)), ==, 1);
		EXPECT_INT(last->events, ==, EPOLLIN);
		EXPECT_INT(seen & last->data.u64, ==, 0);
		seen |= last->data.u64;
	}
	EXPECT_INT(seen, ==, 7);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, fds[0], fds[1], fds[2]);
	munmap(pages, 4096);
}

CLAIM(what_lies_behind_the_events_delivered_is_not_written)
{
	struct epoll_event events[8];
	unsigned char *bytes = (unsigned char *)events;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	memset(events, 0xa5, sizeof(events));
	EXPECT_INT(epoll_wait(epfd, events, 8, 0), ==, 0);
	watch(epfd, p[1], EPOLLOUT, 1);
	EXPECT_INT(epoll_wait(epfd, events + 1, 7, 0), ==, 1);
	for (size_t i = 0; i < sizeof(events[0]); i++)
		EXPECT_INT(bytes[i], ==, 0xa5);
	for (size_t i = 2 * sizeof(events[0]); i < sizeof(events); i++)
		EXPECT_INT(bytes[i], ==, 0xa5);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(the_buffer_may_lie_at_an_odd_address)
{
	char bytes[2 * sizeof(struct epoll_event) + 1];
	struct epoll_event event;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 0x1122334455667788u);
	EXPECT_INT(epoll_wait(epfd, (struct epoll_event *)(void *)(bytes + 1), 2, 0), ==, 1);
	memcpy(&event, bytes + 1, sizeof(event));
	EXPECT_GOT(&event, 1, {EPOLLOUT, 0x1122334455667788u});
	CLOSE(epfd, p[0], p[1]);
}

/* ---- success ----------------------------------------------------------- */

CLAIM(a_wait_that_succeeds_leaves_errno_alone)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	errno = EXFULL;
	EXPECT_INT(epoll_wait(epfd, room, 1, 0), ==, 0);
	EXPECT_INT(epoll_wait(epfd, room, 1, 1), ==, 0);
	EXPECT_INT(errno, ==, EXFULL);
	watch(epfd, p[1], EPOLLOUT, 1);
	for (int i = 0; i < 3; i++)
		EXPECT_INT(epoll_wait(epfd, room, 1, -1), ==, 1);
	EXPECT_INT(epoll_pwait2(epfd, room, 1, NULL, NULL), ==, 1);
	EXPECT_INT(errno, ==, EXFULL);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(the_raw_numbers_are_answered_like_the_functions)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 5};
	int epfd = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	int p[2];

	EXPECT_INT(epfd, >=, 0);
	pipe_open(p);
	EXPECT_INT(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, p[1], &event), ==, 0);
	EXPECT_INT(syscall(SYS_epoll_pwait, epfd, room, 4, 0, NULL, 0), ==, 1);
	EXPECT_GOT(room, 1, {EPOLLOUT, 5});
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 5});
	EXPECT_ERRNO(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, p[1], &event), EEXIST);
	EXPECT_INT(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, p[1], NULL), ==, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}
