// SPDX-License-Identifier: MIT
/*
 * deviate_hidden.c - files that live on, and descriptors that come apart, where
 * nothing tells a library of it.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "stage.h"

#define LIVES_ON_UNSEEN "nothing tells that the file lives on"
#define ONE_TABLE	"interpoll has one table of descriptors for the process"
#define OWN_AFTER_FORK                                                                   \
	"after fork each process has an eventpoll of its own: edges are shown to both, " \
	"oneshot work may be done twice"

/* ---- closed, and alive ------------------------------------------------- */

/* e0 watches p0; @copy is a second descriptor of p0, made unseen. */
static void unseen_copy_open(int *epfd, int p[2], int *copy)
{
	int self = MUST(pidfd_open(getpid(), 0));

	*epfd = epoll_open();
	pipe_open(p);
	watch(*epfd, p[0], EPOLLIN, 1);
	*copy = MUST(pidfd_getfd(self, p[0], 0));
	CLOSE(self, p[0]);
	put(p[1], 1);
}

CLAIM_EXCEPT("preloaded", LIVES_ON_UNSEEN, a_file_taken_by_pidfd_getfd_is_watched_after_its_close)
{
	int epfd, p[2], copy;

	unseen_copy_open(&epfd, p, &copy);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(copy);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}
DEVIATION(a_file_taken_by_pidfd_getfd_is_watched_after_its_close)
{
	int epfd, p[2], copy;

	unseen_copy_open(&epfd, p, &copy);
	EXPECT_QUIET(epfd);
	watch(epfd, copy, EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[1], copy);
}

/* A thread that is in poll(2): the call holds the file. */
struct holder {
	int fd;
	struct gate gate; /* lets it go */
	_Atomic pid_t tid;
	pthread_t thread;
};

static void *holder_run(void *argument)
{
	struct holder *holder = argument;
	struct pollfd set[] = {
		{.fd = holder->fd, .events = POLLPRI},
		{.fd = holder->gate.ends[0], .events = POLLIN},
	};

	holder->tid = gettid();
	MUST(poll(set, 2, -1));
	return NULL;
}

/* e0 watches p0, which is closed while a thread holds it, and then written to. */
static void holder_open(struct holder *holder, int *epfd, int p[2])
{
	*epfd = epoll_open();
	pipe_open(p);
	watch(*epfd, p[0], EPOLLIN, 1);
	holder->fd = p[0];
	holder->tid = 0;
	gate_open(&holder->gate);
	EXPECT_INT(pthread_create(&holder->thread, NULL, holder_run, holder), ==, 0);
	while (!holder->tid)
		sched_yield();
	task_await_asleep(getpid(), holder->tid);
	CLOSE(p[0]);
	put(p[1], 1);
}

static void holder_close(struct holder *holder, int epfd, int p[2])
{
	gate_pass(&holder->gate);
	EXPECT_INT(pthread_join(holder->thread, NULL), ==, 0);
	EXPECT_QUIET(epfd);
	gate_close(&holder->gate);
	CLOSE(epfd, p[1]);
}

CLAIM_EXCEPT("preloaded", LIVES_ON_UNSEEN, a_file_that_a_call_is_about_is_watched_after_its_close)
{
	struct holder holder;
	int epfd, p[2];

	holder_open(&holder, &epfd, p);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	holder_close(&holder, epfd, p);
}
DEVIATION(a_file_that_a_call_is_about_is_watched_after_its_close)
{
	struct holder holder;
	int epfd, p[2];

	holder_open(&holder, &epfd, p);
	EXPECT_QUIET(epfd);
	holder_close(&holder, epfd, p);
}

/* ---- threads with descriptors of their own ----------------------------- */

/* Closes *argument in a table of its own. */
static void *unshare_and_close(void *argument)
{
	MUST(unshare(CLONE_FILES));
	MUST(close(*(int *)argument));
	return NULL;
}

static void *unshare_by_closing(void *argument)
{
	unsigned int fd = (unsigned int)*(int *)argument;

	MUST(close_range(fd, fd, CLOSE_RANGE_UNSHARE));
	return NULL;
}

/* e0 watches p0, ready; a thread closes its p0, and ours is open. */
static void closed_elsewhere_open(int *epfd, int p[2], void *(*close_it)(void *))
{
	pthread_t thread;

	*epfd = epoll_open();
	pipe_open(p);
	watch(*epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(pthread_create(&thread, NULL, close_it, &p[0]), ==, 0);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	put(p[1], 1);
}

static void expect_watched(void *(*close_it)(void *))
{
	int epfd, p[2];

	closed_elsewhere_open(&epfd, p, close_it);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, p[0], p[1]);
}

/*
 * The watch is gone with the other thread's descriptor.  The kernel knows it still:
 * it must be deleted before it can be made again.
 */
static void expect_forgotten(void *(*close_it)(void *))
{
	int epfd, p[2];

	closed_elsewhere_open(&epfd, p, close_it);
	EXPECT_QUIET(epfd);
	if (source_is("epoll")) {
		EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
		unwatch(epfd, p[0]);
	}
	watch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM_EXCEPT("preloaded", ONE_TABLE, a_thread_with_its_own_descriptors_closes_none_of_ours)
{
	expect_watched(unshare_and_close);
}
DEVIATION(a_thread_with_its_own_descriptors_closes_none_of_ours)
{
	expect_forgotten(unshare_and_close);
}

CLAIM_EXCEPT("preloaded", ONE_TABLE, CLOSE_RANGE_UNSHARE_closes_none_of_the_other_threads)
{
	expect_watched(unshare_by_closing);
}
DEVIATION(CLOSE_RANGE_UNSHARE_closes_none_of_the_other_threads)
{
	expect_forgotten(unshare_by_closing);
}

/* ---- one eventpoll, two names, two processes ---------------------------- */

static int poll_now(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return MUST(poll(&pollfd, 1, 0));
}

/* In a child, both names of an eventpoll in which it has made a ready watch. */
static void claim_names_in_child(int nr_seen_by_other)
{
	int epfd = epoll_open();
	int other = MUST(fcntl(epfd, F_DUPFD_CLOEXEC, 0));
	int event_fd = eventfd_open(1);
	pid_t pid;

	CHILD(pid)
	{
		watch(epfd, event_fd, EPOLLIN, 1);
		EXPECT_INT(poll_now(epfd), ==, 1);
		EXPECT_INT(poll_now(other), ==, nr_seen_by_other);
		EXPECT_EVENTS(other, 0, {EPOLLIN, 1}); /* waits in either are the same */
		CLOSE(epfd);
		EXPECT_INT(poll_now(other), ==, 1);
	}
	child_join(pid);
	CLOSE(epfd, other, event_fd);
}

CLAIM_EXCEPT("preloaded", OWN_AFTER_FORK, all_names_of_an_eventpoll_poll_alike_in_a_child)
{
	claim_names_in_child(1);
}
DEVIATION(all_names_of_an_eventpoll_poll_alike_in_a_child)
{
	claim_names_in_child(0);
}
