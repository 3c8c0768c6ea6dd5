// SPDX-License-Identifier: MIT
/*
 * ctl_errors_list.c - epoll_ctl(2): errors about the interest list and about
 * the caller's memory, and what errors and success leave alone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stage.h"

#define NON_CANONICAL ((struct epoll_event *)(uintptr_t)0x8000000000000000u)

/* ---- EEXIST, ENOENT ---------------------------------------------------- */

CLAIM(ADD_twice_is_EEXIST_and_changes_nothing)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLOUT, 1);
	EXPECT_ERRNO(ctl_add(epfd, s[0], EPOLLOUT, 2), EEXIST);
	EXPECT_ERRNO(ctl_add(epfd, s[0], EPOLLIN, 3), EEXIST);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(MOD_and_DEL_of_what_was_never_added_are_ENOENT)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 0), ENOENT);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_and_DEL_after_DEL_are_ENOENT)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 0);
	unwatch(epfd, p[0]);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	EXPECT_ERRNO(ctl_mod(epfd, p[0], EPOLLIN, 0), ENOENT);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(MOD_and_DEL_ask_for_the_number_that_was_added)
{
	int epfd = epoll_open();
	int p[2], copy;

	pipe_open(p);
	copy = MUST(dup(p[0]));
	watch(epfd, p[0], EPOLLIN, 0);
	EXPECT_ERRNO(ctl_mod(epfd, copy, EPOLLIN, 0), ENOENT);
	EXPECT_ERRNO(ctl_del(epfd, copy), ENOENT);
	unwatch(epfd, p[0]);
	CLOSE(epfd, p[0], p[1], copy);
}

CLAIM(a_reused_number_is_another_watch)
{
	int epfd = epoll_open();
	int first[2], second[2];

	pipe_open(first);
	watch(epfd, first[0], EPOLLIN, 1);
	CLOSE(first[0]);
	pipe_open(second);
	EXPECT_INT(second[0], ==, first[0]);
	EXPECT_ERRNO(ctl_mod(epfd, second[0], EPOLLIN, 2), ENOENT);
	EXPECT_ERRNO(ctl_del(epfd, second[0]), ENOENT);
	watch(epfd, second[0], EPOLLIN, 2);
	put(second[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, first[1], second[0], second[1]);
}

/* ---- EFAULT ------------------------------------------------------------ */

CLAIM(a_NULL_event_is_EFAULT_for_ADD_and_MOD)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, p[0], NULL), EFAULT);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, p[0], NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], NULL), EFAULT);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_non_canonical_event_is_EFAULT)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], NON_CANONICAL), EFAULT);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, p[0], NON_CANONICAL), EFAULT);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(DEL_does_not_read_the_event)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, p[0], NON_CANONICAL));
	watch(epfd, p[0], EPOLLIN, 1);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, p[0], NULL));
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(EFAULT_goes_before_everything_else)
{
	int epfd = epoll_open();

	EXPECT_ERRNO(epoll_ctl(-1, EPOLL_CTL_ADD, -1, NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, -1, NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, epfd, NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(epfd, 77, epfd, NULL), EFAULT);
	EXPECT_ERRNO(epoll_ctl(-1, EPOLL_CTL_DEL, -1, NULL), EBADF);
	CLOSE(epfd);
}

CLAIM(an_unreadable_event_is_EFAULT_for_ADD)
{
	struct epoll_event *hidden =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int epfd = epoll_open();
	int p[2];

	EXPECT(hidden != MAP_FAILED);
	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], hidden), EFAULT);
	EXPECT_ERRNO(ctl_del(epfd, p[0]), ENOENT);
	CLOSE(epfd, p[0], p[1]);
	munmap(hidden, 4096);
}

CLAIM(an_event_that_ends_in_unmapped_memory_is_EFAULT)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event *across;
	int epfd = epoll_open();
	int p[2];

	EXPECT((void *)pages != MAP_FAILED);
	MUST(munmap(pages + 4096, 4096));
	across = (struct epoll_event *)(void *)(pages + 4096 - sizeof(*across) / 2);
	pipe_open(p);
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], across), EFAULT);
	across = (struct epoll_event *)(void *)(pages + 4096 - sizeof(*across));
	*across = (struct epoll_event){.events = EPOLLIN, .data.u64 = 9};
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], across));
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 9});
	CLOSE(epfd, p[0], p[1]);
	munmap(pages, 4096);
}

/* ---- and what errors and success leave alone --------------------------- */

CLAIM(an_event_may_lie_at_an_odd_address)
{
	char bytes[sizeof(struct epoll_event) + 8];
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	for (int shift = 1; shift < 8; shift++) {
		memcpy(bytes + shift, &event, sizeof(event));
		MUST(epoll_ctl(epfd, shift == 1 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, p[0],
			       (struct epoll_event *)(void *)(bytes + shift)));
	}
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 77});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(the_event_of_the_caller_may_be_read_only_and_is_not_changed)
{
	static const struct epoll_event constant = {.events = EPOLLIN, .data.u64 = 3};
	struct epoll_event event = constant;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, p[0], &event));
	EXPECT(memcmp(&event, &constant, sizeof(event)) == 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, p[0], &event));
	EXPECT(memcmp(&event, &constant, sizeof(event)) == 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, p[0], &event));
	EXPECT(memcmp(&event, &constant, sizeof(event)) == 0);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(success_leaves_errno_alone)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	errno = EXFULL;
	ctl_add(epfd, p[1], EPOLLOUT, 0);
	EXPECT_INT(errno, ==, EXFULL);
	ctl_mod(epfd, p[1], EPOLLOUT, 1);
	EXPECT_INT(errno, ==, EXFULL);
	ctl_mod(epfd, p[1], 0, 1);
	EXPECT_INT(errno, ==, EXFULL);
	ctl_del(epfd, p[1]);
	EXPECT_INT(errno, ==, EXFULL);
	ctl_add(epfd, p[1], EPOLLOUT, 0);
	EXPECT_INT(errno, ==, EXFULL);
	CLOSE(epfd, p[0], p[1]);
}
