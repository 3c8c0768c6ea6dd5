// SPDX-License-Identifier: MIT
/*
 * cancel.c - what is a cancellation point stays one, and what is none stays none.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* What the blocked calls block on. */
static struct {
	int epfd;
	int p[2];
	_Atomic pid_t tid;
	bool was_passed; /* the call came back */
} stage;

static void stage_open(void)
{
	stage.epfd = epoll_open();
	pipe_open(stage.p);
	watch(stage.epfd, stage.p[0], EPOLLIN, 1);
	stage.tid = 0;
	stage.was_passed = false;
}

/* A thread that has entered @call is cancelled there. */
static void claim_cancelled_asleep(void *(*call)(void *unused))
{
	pthread_t thread;
	void *result;

	stage_open();
	EXPECT_INT(pthread_create(&thread, NULL, call, NULL), ==, 0);
	while (!stage.tid)
		sched_yield();
	task_await_asleep(getpid(), stage.tid);
	EXPECT_INT(pthread_cancel(thread), ==, 0);
	EXPECT_INT(pthread_join(thread, &result), ==, 0);
	EXPECT(result == PTHREAD_CANCELED);
	/* the eventpoll is none the worse */
	put(stage.p[1], 1);
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 1});
	CLOSE(stage.epfd, stage.p[0], stage.p[1]);
}

static void *in_epoll_wait(void *unused)
{
	struct epoll_event event;

	stage.tid = gettid();
	epoll_wait(stage.epfd, &event, 1, -1);
	return unused;
}

CLAIM(epoll_wait_can_be_cancelled)
{
	claim_cancelled_asleep(in_epoll_wait);
}

/* Nobody looks there for what may have been written. */
static void *in_epoll_wait_to_nowhere(void *unused)
{
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stage.tid = gettid();
	epoll_wait(stage.epfd, nowhere, 64, -1);
	return unused;
}

CLAIM(epoll_wait_to_nowhere_can_be_cancelled)
{
	claim_cancelled_asleep(in_epoll_wait_to_nowhere);
}

static void *in_epoll_pwait2(void *unused)
{
	struct timespec hour = {3600, 1};
	struct epoll_event event;

	stage.tid = gettid();
	epoll_pwait2(stage.epfd, &event, 1, &hour, NULL);
	return unused;
}

CLAIM(epoll_pwait2_can_be_cancelled)
{
	claim_cancelled_asleep(in_epoll_pwait2);
}

static void *in_poll(void *unused)
{
	struct pollfd pollfd = {.fd = stage.epfd, .events = POLLIN};

	stage.tid = gettid();
	poll(&pollfd, 1, -1);
	return unused;
}

CLAIM(poll_can_be_cancelled)
{
	claim_cancelled_asleep(in_poll);
}

static void *in_select(void *unused)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(stage.epfd, &in);
	stage.tid = gettid();
	select(stage.epfd + 1, &in, NULL, NULL, NULL);
	return unused;
}

CLAIM(select_can_be_cancelled)
{
	claim_cancelled_asleep(in_select);
}

static void *in_system(void *unused)
{
	stage.tid = gettid();
	if (system("exec sleep 1000"))
		return unused;
	return unused;
}

CLAIM(system_can_be_cancelled)
{
	claim_cancelled_asleep(in_system);
}

static void *in_setlkw(void *fd)
{
	struct flock lock = {.l_type = F_WRLCK};

	stage.tid = gettid();
	fcntl(*(int *)fd, F_OFD_SETLKW, &lock);
	return NULL;
}

/* stage.h knows the calls that wait for time; this one waits for somebody. */
static void await_in_fcntl(pid_t tid)
{
	char path[64];
	FILE *file;
	int number = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	while (number != SYS_fcntl) {
		file = fopen(path, "r");
		EXPECT(file != NULL);
		if (fscanf(file, "%d", &number) != 1) /* running */
			number = -1;
		fclose(file);
	}
}

CLAIM(fcntl_that_waits_for_a_lock_can_be_cancelled)
{
	struct flock lock = {.l_type = F_WRLCK};
	char name[] = "/tmp/interpoll-XXXXXX";
	int held = MUST(mkstemp(name));
	int wanted = MUST(open(name, O_RDWR | O_CLOEXEC));
	pthread_t thread;
	void *result;

	MUST(unlink(name));
	MUST(fcntl(held, F_OFD_SETLK, &lock));
	EXPECT_INT(pthread_create(&thread, NULL, in_setlkw, &wanted), ==, 0);
	while (!stage.tid)
		sched_yield();
	await_in_fcntl(stage.tid);
	EXPECT_INT(pthread_cancel(thread), ==, 0);
	EXPECT_INT(pthread_join(thread, &result), ==, 0);
	EXPECT(result == PTHREAD_CANCELED);
	CLOSE(held, wanted);
}

/* A cancellation that is due before the call. */
static void *cancelled_before(void *call)
{
	pthread_cancel(pthread_self());
	((void (*)(void))(uintptr_t)call)();
	stage.was_passed = true;
	pthread_testcancel();
	return NULL;
}

static void claim_pending(void (*call)(void), bool is_point)
{
	pthread_t thread;
	void *result;

	stage_open();
	EXPECT_INT(pthread_create(&thread, NULL, cancelled_before, (void *)(uintptr_t)call), ==, 0);
	EXPECT_INT(pthread_join(thread, &result), ==, 0);
	EXPECT(result == PTHREAD_CANCELED);
	EXPECT_INT(stage.was_passed, !=, is_point);
}

static void close_watched(void)
{
	close(stage.p[0]);
}

CLAIM(a_close_that_is_cancelled_has_closed_nothing)
{
	claim_pending(close_watched, true);
	put(stage.p[1], 1);
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 1});
	CLOSE(stage.epfd, stage.p[0], stage.p[1]);
}

static void close_watched_by_number(void)
{
	syscall(SYS_close, stage.p[0]);
}

CLAIM(close_by_number_is_no_cancellation_point)
{
	claim_pending(close_watched_by_number, false);
	CLOSE(stage.epfd, stage.p[1]);
}

static void look(void)
{
	struct epoll_event event;

	epoll_wait(stage.epfd, &event, 1, 0);
}

CLAIM(epoll_wait_that_does_not_wait_is_a_cancellation_point)
{
	claim_pending(look, true);
	CLOSE(stage.epfd, stage.p[0], stage.p[1]);
}

static void wait_by_number(void)
{
	struct epoll_event event;

	syscall(SYS_epoll_pwait, stage.epfd, &event, 1, 1, NULL, 8);
}

CLAIM(epoll_wait_by_number_is_no_cancellation_point)
{
	claim_pending(wait_by_number, false);
	CLOSE(stage.epfd, stage.p[0], stage.p[1]);
}

static void change(void)
{
	int copy = dup(stage.p[0]);

	rewatch(stage.epfd, stage.p[0], EPOLLIN, 2);
	unwatch(stage.epfd, stage.p[0]);
	watch(stage.epfd, stage.p[0], EPOLLIN, 3);
	dup2(stage.p[1], copy);
	syscall(SYS_close, copy);
}

CLAIM(epoll_ctl_and_dup_are_no_cancellation_points)
{
	claim_pending(change, false);
	put(stage.p[1], 1);
	EXPECT_EVENTS(stage.epfd, 0, {EPOLLIN, 3});
	CLOSE(stage.epfd, stage.p[0], stage.p[1]);
}
