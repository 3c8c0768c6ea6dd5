// SPDX-License-Identifier: MIT
/*
 * scarce.c - ENOMEM, ENFILE, ENOSPC and EMFILE.
 *
 * Memory, the files of the system and a user's watches cannot be used up for a
 * test without harm to everybody else.  A seccomp filter in the claim's own process
 * lets the kernel refuse instead; what is claimed is what comes of it.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stage.h"

#define REFUSED 700 /* the number that cannot be added */
#define LOWERED 64

/* ---- a kernel that refuses --------------------------------------------- */

static void filter_install(struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = {.len = length, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		claim_impossible("no seccomp filter can be set here: %s", strerrorname_np(errno));
}

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)(value), 0, nr)
#define RETURN(what)	       BPF_STMT(BPF_RET | BPF_K, (unsigned int)(what))

/* No new eventpoll or eventfd from now on: @error. */
static void refuse_files(int error)
{
	struct sock_filter code[] = {
		LOAD(nr),
#ifdef SYS_epoll_create
		SKIP_UNLESS(SYS_epoll_create, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
#endif
		SKIP_UNLESS(SYS_epoll_create1, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
		SKIP_UNLESS(SYS_eventfd2, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	filter_install(code, sizeof(code) / sizeof(code[0]));
}

/* No eventpoll watches the descriptor REFUSED: @error. */
static void refuse_watches(int error)
{
	struct sock_filter code[] = {
		LOAD(nr),
		SKIP_UNLESS(SYS_epoll_ctl, 5),
		LOAD(args[1]),
		SKIP_UNLESS(EPOLL_CTL_ADD, 3),
		LOAD(args[2]),
		SKIP_UNLESS(REFUSED, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	filter_install(code, sizeof(code) / sizeof(code[0]));
}

static void expect_no_eventpoll(int error)
{
	int event_fd = eventfd_open(1), epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	refuse_files(error);
	EXPECT_ERRNO(epoll_create(1), error);
	EXPECT_ERRNO(epoll_create1(0), error);
	EXPECT_ERRNO(epoll_create1(EPOLL_CLOEXEC), error);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}); /* those there are go on */
	CLOSE(epfd, event_fd);
}

CLAIM(ENFILE_is_told_by_epoll_create)
{
	expect_no_eventpoll(ENFILE);
}

CLAIM(ENOMEM_is_told_by_epoll_create)
{
	expect_no_eventpoll(ENOMEM);
}

#define NO_KERNEL_EPOLL "the poll source puts no watch to the kernel, which cannot refuse it"

static void expect_no_watch(int error)
{
	int event_fd = eventfd_open(1), epfd = epoll_open();
	int other = eventfd_open(1);

	MUST(dup2(event_fd, REFUSED));
	refuse_watches(error);
	watch(epfd, event_fd, EPOLLIN, 1);
	watch(epfd, other, EPOLLIN, 2);
	unwatch(epfd, other);
	for (int i = 0; i < 3; i++) {
		EXPECT_ERRNO(ctl_add(epfd, REFUSED, EPOLLIN, 3), error);
		EXPECT_ERRNO(ctl_mod(epfd, REFUSED, EPOLLIN, 3), ENOENT);
		EXPECT_ERRNO(ctl_del(epfd, REFUSED), ENOENT);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	}
	watch(epfd, other, EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	CLOSE(REFUSED);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	CLOSE(epfd, event_fd, other);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, ENOSPC_of_ADD_leaves_nothing_behind)
{
	expect_no_watch(ENOSPC);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, ENOMEM_of_ADD_leaves_nothing_behind)
{
	expect_no_watch(ENOMEM);
}

/* A watch that was deleted and cannot come back is gone; the error may not be late. */
CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, ADD_again_after_DEL_is_told_or_needs_no_memory)
{
	int event_fd = eventfd_open(1), epfd = epoll_open();

	MUST(dup2(event_fd, REFUSED));
	CLOSE(event_fd);
	watch(epfd, REFUSED, EPOLLIN, 1);
	unwatch(epfd, REFUSED);
	refuse_watches(ENOMEM);
	if (ctl_add(epfd, REFUSED, EPOLLIN, 2) == 0) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
		unwatch(epfd, REFUSED);
	} else {
		EXPECT_INT(errno, ==, ENOMEM);
		EXPECT_ERRNO(ctl_del(epfd, REFUSED), ENOENT);
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, REFUSED);
}

/* ---- a table of descriptors that is full ------------------------------- */

static int taken[LOWERED];
static int nr_taken;

static void lower_limit(void)
{
	struct rlimit limit;

	MUST(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = LOWERED;
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

static void take_all_numbers(void)
{
	lower_limit();
	while (nr_taken < LOWERED && (taken[nr_taken] = dup(STDIN_FILENO)) >= 0)
		nr_taken++;
	EXPECT_INT(errno, ==, EMFILE);
}

static void give_back_numbers(void)
{
	close_all(__FILE__, __LINE__, taken, nr_taken);
}

CLAIM(with_no_number_left_files_are_watched_modified_and_deleted)
{
	int event_fd = eventfd_open(1), epfd = epoll_open();
	int p[2], s[2];

	pipe_open(p);
	unix_open(s);
	take_all_numbers();
	EXPECT_ERRNO(epoll_create1(0), EMFILE);
	watch(epfd, event_fd, EPOLLIN, 1);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 2);
	watch(epfd, s[0], EPOLLOUT | EPOLLONESHOT, 3);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLOUT, 3});
	rewatch(epfd, s[0], EPOLLOUT | EPOLLONESHOT, 4);
	unwatch(epfd, event_fd);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 4});
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 1), EEXIST);
	give_back_numbers();
	CLOSE(epfd, event_fd, p[0], p[1], s[0], s[1]);
}

CLAIM(with_no_number_left_an_eventpoll_is_polled_and_watched)
{
	int event_fd = eventfd_open(0), epfd = epoll_open(), outer = epoll_open();
	struct pollfd pollfd = {.fd = epfd, .events = POLLIN};
	struct timeval now = {0, 0};
	fd_set set;

	take_all_numbers();
	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 0);
	count_up(event_fd, 1);
	EXPECT_INT(poll(&pollfd, 1, 0), ==, 1);
	FD_ZERO(&set);
	FD_SET(epfd, &set);
	EXPECT_INT(select(epfd + 1, &set, NULL, NULL, &now), ==, 1);
	watch(outer, epfd, EPOLLIN, 2);
	EXPECT_EVENTS(outer, 0, {EPOLLIN, 2});
	give_back_numbers();
	CLOSE(outer, epfd, event_fd);
}

CLAIM(with_no_number_left_dup_is_EMFILE_and_dup2_over_a_watch_ends_it)
{
	int one = eventfd_open(1), other = eventfd_open(1), epfd = epoll_open();

	watch(epfd, one, EPOLLIN, 1);
	watch(epfd, other, EPOLLIN, 2);
	take_all_numbers();
	EXPECT_ERRNO(dup(one), EMFILE);
	EXPECT_ERRNO(dup(epfd), EMFILE);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	MUST(dup2(other, one));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	give_back_numbers();
	CLOSE(epfd, one, other);
}

/* fork, and a file that lives on: each of them might want a number. */
CLAIM(with_no_number_left_a_child_takes_nothing_from_its_parent)
{
	int event_fd = eventfd_open(0), epfd = epoll_open();
	pid_t pid;

	watch(epfd, event_fd, EPOLLIN, 1);
	take_all_numbers();
	CHILD(pid)
	{
		CLOSE(event_fd);
		CLOSE(epfd);
	}
	child_join(pid);
	count_up(event_fd, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	give_back_numbers();
	CLOSE(epfd, event_fd);
}

/*
 * What a thread driver needs for the sleeper may have no number above a low limit.
 * e0 -(lt)-> event_fd, and e0 is closed under its sleeper
 */
CLAIM(with_a_low_limit_closing_the_eventpoll_does_not_disturb_who_sleeps_in_it)
{
	int event_fd = eventfd_open(0), epfd = epoll_open();
	struct waiter waiter;

	lower_limit();
	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	CLOSE(epfd);
	EXPECT(!waiter_is_done(&waiter));
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(event_fd);
}

#define NEEDS_ITS_OWN "the loop needs a descriptor of its own for what was closed under a sleeper"

static int full_table_closed_under_a_sleeper(struct waiter *waiter)
{
	int event_fd = eventfd_open(0), epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start(waiter, epfd);
	waiter_await_queued(waiter); /* who only looks, by a number, has nowhere to look then */
	take_all_numbers();
	CLOSE(epfd);
	EXPECT(!waiter_is_done(waiter));
	count_up(event_fd, 1);
	return event_fd;
}

CLAIM_EXCEPT("thread", NEEDS_ITS_OWN,
	     with_no_number_left_closing_the_eventpoll_does_not_disturb_who_sleeps_in_it)
{
	struct waiter waiter;
	int event_fd = full_table_closed_under_a_sleeper(&waiter);

	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	give_back_numbers();
	CLOSE(event_fd);
}

/* The poll source needs nothing but the files. */
DEVIATION(with_no_number_left_closing_the_eventpoll_does_not_disturb_who_sleeps_in_it)
{
	struct waiter waiter;
	int event_fd = full_table_closed_under_a_sleeper(&waiter);

	if (source_is("poll")) {
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	} else {
		waiter_await_asleep(&waiter);
		EXPECT_INT(pthread_cancel(waiter.thread), ==, 0);
		EXPECT_INT(pthread_join(waiter.thread, NULL), ==, 0);
	}
	give_back_numbers();
	CLOSE(event_fd);
}
