// SPDX-License-Identifier: MIT
/*
 * cancel.c - pthreads(7): epoll_wait, epoll_pwait and epoll_pwait2 are
 * cancellation points, epoll_ctl and epoll_create are not.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

struct victim {
	int epfd;
	int fd;
	int variant; /* which of the calls */
	pthread_t thread;
	_Atomic pid_t tid;
	atomic_bool may_go_on;
	atomic_bool was_cleaned_up;
	atomic_bool came_back;
	struct epoll_event events[4];
};

static void clean_up(void *argument)
{
	struct victim *victim = argument;

	atomic_store(&victim->was_cleaned_up, true);
}

static int wait_by_variant(struct victim *victim)
{
	switch (victim->variant) {
	case 0:
		return epoll_wait(victim->epfd, victim->events, 4, -1);
	case 1:
		return epoll_pwait(victim->epfd, victim->events, 4, -1, NULL);
	default:
		return epoll_pwait2(victim->epfd, victim->events, 4, NULL, NULL);
	}
}

static void *victim_wait(void *argument)
{
	struct victim *victim = argument;

	pthread_cleanup_push(clean_up, victim);
	atomic_store(&victim->tid, gettid());
	wait_by_variant(victim);
	atomic_store(&victim->came_back, true);
	pthread_cleanup_pop(0);
	return NULL;
}

static void victim_start_asleep(struct victim *victim)
{
	atomic_store(&victim->tid, 0);
	EXPECT_INT(pthread_create(&victim->thread, NULL, victim_wait, victim), ==, 0);
	while (atomic_load(&victim->tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), atomic_load(&victim->tid));
}

static void victim_cancel(struct victim *victim)
{
	void *result;

	EXPECT_INT(pthread_cancel(victim->thread), ==, 0);
	EXPECT_INT(pthread_join(victim->thread, &result), ==, 0);
	EXPECT(result == PTHREAD_CANCELED);
	EXPECT(victim->was_cleaned_up);
	EXPECT(!victim->came_back);
}

CLAIM(a_sleeping_waiter_can_be_cancelled_in_each_of_the_calls)
{
	for (int variant = 0; variant < 3; variant++) {
		struct victim victim = {.epfd = epoll_open(), .variant = variant};

		victim_start_asleep(&victim);
		victim_cancel(&victim);
		CLOSE(victim.epfd);
	}
}

CLAIM(a_cancelled_waiter_leaves_the_eventpoll_usable)
{
	struct victim victim = {.epfd = epoll_open()};
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	watch(victim.epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (uint64_t i = 2; i < 12; i++) {
		victim_start_asleep(&victim);
		victim_cancel(&victim);
		count_up(event_fd, 1);
		EXPECT_INT(flush(victim.epfd), ==, 1);
		waiter_start_asleep(&waiter, victim.epfd);
		rewatch(victim.epfd, event_fd, EPOLLIN | EPOLLET, i);
		EXPECT_WAITER(&waiter, {EPOLLIN, i});
	}
	CLOSE(victim.epfd, event_fd);
}

CLAIM(cancelling_one_waiter_leaves_the_other_asleep_and_wakeable)
{
	struct victim victim = {.epfd = epoll_open()};
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	watch(victim.epfd, event_fd, EPOLLIN | EPOLLET, 1);
	waiter_start_asleep(&waiter, victim.epfd);
	victim_start_asleep(&victim);
	victim_cancel(&victim);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_QUIET(victim.epfd);
	CLOSE(victim.epfd, event_fd);
}

CLAIM(an_edge_after_the_cancellation_is_kept_for_the_next_waiter)
{
	struct victim victim = {.epfd = epoll_open()};
	int event_fd = eventfd_open(0);

	watch(victim.epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	victim_start_asleep(&victim);
	victim_cancel(&victim);
	count_up(event_fd, 1);
	EXPECT_EVENTS(victim.epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(victim.epfd);
	CLOSE(victim.epfd, event_fd);
}

static void *victim_wait_when_told(void *argument)
{
	struct victim *victim = argument;

	pthread_cleanup_push(clean_up, victim);
	while (!atomic_load(&victim->may_go_on))
		sched_yield(); /* not a cancellation point */
	wait_by_variant(victim);
	atomic_store(&victim->came_back, true);
	pthread_cleanup_pop(0);
	return NULL;
}

CLAIM(a_cancellation_that_is_pending_acts_on_entry_even_with_events_ready)
{
	for (int variant = 0; variant < 3; variant++) {
		struct victim victim = {.epfd = epoll_open(), .variant = variant};
		int event_fd = eventfd_open(1);
		void *result;

		watch(victim.epfd, event_fd, EPOLLIN | EPOLLET, 1);
		EXPECT_INT(pthread_create(&victim.thread, NULL, victim_wait_when_told, &victim), ==,
			   0);
		EXPECT_INT(pthread_cancel(victim.thread), ==, 0);
		atomic_store(&victim.may_go_on, true);
		EXPECT_INT(pthread_join(victim.thread, &result), ==, 0);
		EXPECT(result == PTHREAD_CANCELED);
		EXPECT(!victim.came_back);
		EXPECT_EVENTS(victim.epfd, 0, {EPOLLIN, 1});
		CLOSE(victim.epfd, event_fd);
	}
}

static void *victim_controls(void *argument)
{
	struct victim *victim = argument;
	int epfd;

	while (!atomic_load(&victim->may_go_on))
		sched_yield();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	ctl_add(victim->epfd, victim->fd, EPOLLIN, 1);
	ctl_mod(victim->epfd, victim->fd, EPOLLIN, 2);
	ctl_del(victim->epfd, victim->fd);
	ctl_add(victim->epfd, victim->fd, EPOLLIN, 3);
	victim->fd = epfd;
	atomic_store(&victim->came_back, true);
	return NULL;
}

CLAIM(creating_and_controlling_are_no_cancellation_points)
{
	struct victim victim = {.epfd = epoll_open()};
	int event_fd = eventfd_open(1);
	void *result;

	victim.fd = event_fd;
	EXPECT_INT(pthread_create(&victim.thread, NULL, victim_controls, &victim), ==, 0);
	EXPECT_INT(pthread_cancel(victim.thread), ==, 0);
	atomic_store(&victim.may_go_on, true);
	EXPECT_INT(pthread_join(victim.thread, &result), ==, 0);
	EXPECT(victim.came_back);
	EXPECT_EVENTS(victim.epfd, 0, {EPOLLIN, 3});
	CLOSE(victim.epfd, victim.fd, event_fd);
}

static void *victim_waits_uncancellable(void *argument)
{
	struct victim *victim = argument;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return victim_wait(victim);
}

CLAIM(a_waiter_that_disabled_cancellation_goes_on_sleeping)
{
	struct victim victim = {.epfd = epoll_open()};
	int event_fd = eventfd_open(0);
	void *result;

	watch(victim.epfd, event_fd, EPOLLIN, 1);
	EXPECT_INT(pthread_create(&victim.thread, NULL, victim_waits_uncancellable, &victim), ==,
		   0);
	while (atomic_load(&victim.tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), atomic_load(&victim.tid));
	EXPECT_INT(pthread_cancel(victim.thread), ==, 0);
	task_await_asleep(getpid(), atomic_load(&victim.tid));
	count_up(event_fd, 1);
	EXPECT_INT(pthread_join(victim.thread, &result), ==, 0);
	EXPECT(result == NULL);
	EXPECT(victim.came_back);
	CLOSE(victim.epfd, event_fd);
}
