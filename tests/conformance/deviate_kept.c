// SPDX-License-Identifier: MIT
/*
 * deviate_kept.c - what it costs that interpoll keeps watches ready by itself,
 * without a system call where it can.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define NO_CALL_NO_ORDER "a modification without a system call takes its place at once"
#define NO_CALL_NO_FAULT "finding out would cost what is saved"
#define LATE_EDGE	 "the loop must look; more often would cost more"

/* ---- order ------------------------------------------------------------- */

/* p0 is a ready oneshot, spent; q0 becomes ready, and then p0 is armed again. */
static int modified_after_edge(struct epoll_event events[2])
{
	int epfd = epoll_open();
	int p[2], q[2], n;

	pipe_open(p);
	pipe_open(q);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	watch(epfd, q[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	put(q[1], 1);
	rewatch(epfd, p[0], EPOLLIN | EPOLLONESHOT, 1);
	n = epoll_wait(epfd, events, 2, 0);
	CLOSE(epfd, p[0], p[1], q[0], q[1]);
	return n;
}

CLAIM_EXCEPT("ours", NO_CALL_NO_ORDER, a_watch_modified_after_an_edge_comes_after_it)
{
	struct epoll_event events[2];

	EXPECT_INT(modified_after_edge(events), ==, 2);
	EXPECT_INT(events[0].data.u64, ==, 2);
	EXPECT_INT(events[1].data.u64, ==, 1);
}
DEVIATION(a_watch_modified_after_an_edge_comes_after_it)
{
	bool is_told = source_is("epoll") && driver_is("thread"); /* of every modification */
	struct epoll_event events[2];

	EXPECT_INT(modified_after_edge(events), ==, 2);
	EXPECT_INT(events[0].data.u64, ==, is_told ? 2 : 1);
	EXPECT_INT(events[1].data.u64, ==, is_told ? 1 : 2);
}

/* ---- bad pointers ------------------------------------------------------ */

static void *page_map(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(page != MAP_FAILED);
	return page;
}

/* Both calls have used the page, and do again after it is gone. */
static void wait_in_unmapped(void)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	void *page = page_map();

	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_INT(epoll_wait(epfd, page, 1, 0), ==, 1);
	MUST(munmap(page, 4096));
	EXPECT_ERRNO(epoll_wait(epfd, page, 1, 0), EFAULT);
	CLOSE(epfd, event_fd);
}

static void modify_from_unmapped(void)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	struct epoll_event *page = page_map();

	watch(epfd, event_fd, EPOLLIN, 1);
	*page = (struct epoll_event){.events = EPOLLIN, .data.u64 = 2};
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, event_fd, page));
	MUST(munmap(page, 4096));
	EXPECT_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, event_fd, page), EFAULT);
	CLOSE(epfd, event_fd);
}

/* poll(2) of 1536 descriptors, an eventpoll the first: a page of them is missing. */
static void poll_around_unmapped(void)
{
	int epfd = epoll_open();
	size_t size = 3 * 4096;
	struct pollfd *set =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(set != MAP_FAILED);
	allow_descriptors((int)(size / sizeof(*set)));
	memset(set, 0xff, size);
	set[0] = (struct pollfd){.fd = epfd, .events = POLLIN};
	MUST(munmap((char *)set + 4096, 4096));
	EXPECT_ERRNO(poll(set, size / sizeof(*set), 0), EFAULT);
	MUST(munmap(set, 4096));
	MUST(munmap((char *)set + 8192, 4096));
	CLOSE(epfd);
}

/* @body dies of the memory it names. */
static void expect_segfault(void (*body)(void))
{
	const struct rlimit no_core = {0, 0};
	int status;
	pid_t pid;

	pid = MUST(fork());
	if (pid == 0) {
		MUST(setrlimit(RLIMIT_CORE, &no_core));
		signal(SIGSEGV, SIG_DFL);
		body();
		_exit(0);
	}
	EXPECT_INT(waitpid(pid, &status, 0), ==, pid);
	EXPECT(WIFSIGNALED(status));
	EXPECT_INT(WTERMSIG(status), ==, SIGSEGV);
}

CLAIM_EXCEPT("ours", NO_CALL_NO_FAULT, a_buffer_unmapped_after_its_use_is_EFAULT)
{
	wait_in_unmapped();
}
DEVIATION(a_buffer_unmapped_after_its_use_is_EFAULT)
{
	expect_segfault(wait_in_unmapped);
}

CLAIM_EXCEPT("preloaded", NO_CALL_NO_FAULT, an_event_unmapped_after_its_use_is_EFAULT)
{
	modify_from_unmapped();
}
DEVIATION(an_event_unmapped_after_its_use_is_EFAULT)
{
	expect_segfault(modify_from_unmapped);
}

CLAIM_EXCEPT("preloaded", NO_CALL_NO_FAULT, a_hole_amid_the_descriptors_of_poll_is_EFAULT)
{
	poll_around_unmapped();
}
DEVIATION(a_hole_amid_the_descriptors_of_poll_is_EFAULT)
{
	expect_segfault(poll_around_unmapped);
}

/* ---- the poll source looks now and then -------------------------------- */

#define NR_ROUNDS 8

static int compare_ns(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/*
 * How long after a write to a pipe that was never drained its edge wakes a waiter,
 * shortest first.  Before each write the pipe is left alone until the loop looks
 * as seldom as it ever does.
 */
static void measure_late_edges(int64_t delay_ns[NR_ROUNDS])
{
	struct epoll_event event;
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	for (int i = 0; i < NR_ROUNDS; i++) {
		struct waiter waiter;

		EXPECT_INT(epoll_wait(epfd, &event, 1, 200), ==, 0);
		waiter_start_asleep(&waiter, epfd);
		delay_ns[i] = -now_ns();
		put(p[1], 1);
		EXPECT_WAITER(&waiter, {EPOLLIN, 1});
		delay_ns[i] += now_ns();
	}
	qsort(delay_ns, NR_ROUNDS, sizeof(*delay_ns), compare_ns);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM_EXCEPT("poll", LATE_EDGE, an_edge_under_a_level_wakes_at_once)
{
	int64_t delay_ns[NR_ROUNDS];

	measure_late_edges(delay_ns);
	EXPECT_INT(delay_ns[0], <, 4 * NS_PER_MS);
}
DEVIATION(an_edge_under_a_level_wakes_at_once)
{
	int64_t delay_ns[NR_ROUNDS];

	measure_late_edges(delay_ns);
	EXPECT_INT(delay_ns[NR_ROUNDS - 1], >, 4 * NS_PER_MS);
	EXPECT_INT(delay_ns[0], <=, 64 * NS_PER_MS);
}
