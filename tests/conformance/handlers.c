// SPDX-License-Identifier: MIT
/*
 * handlers.c - epoll calls from a signal handler that interrupted a wait, and
 * waits that are left by siglongjmp or cancellation.
 *
 * epoll_ctl, epoll_wait and close are plain system calls: a handler may make
 * them, also about the very eventpoll its own thread sleeps in.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "stage.h"

/* What the handler works on; set before the signal is sent. */
static struct {
	int epfd;
	int fd;
	int result;
	int error;
	struct epoll_event events[4];
} job;

static void on_signal(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	MUST(sigaction(signal, &action, NULL));
}

/* Interrupt the sleeping waiter with @handler; it must return EINTR or events. */
static int interrupt(struct waiter *waiter, void (*handler)(int))
{
	on_signal(SIGUSR1, handler);
	waiter_await_asleep(waiter);
	EXPECT_INT(pthread_kill(waiter->thread, SIGUSR1), ==, 0);
	waiter_join(waiter);
	if (waiter->result < 0)
		EXPECT_INT(waiter->error, ==, EINTR);
	return waiter->result;
}

/* ---- handlers that call epoll ------------------------------------------ */

static void add_from_handler(int signal)
{
	(void)signal;
	job.result = ctl_add(job.epfd, job.fd, EPOLLIN, 7);
	job.error = errno;
}

CLAIM(a_handler_may_add_to_the_eventpoll_its_thread_sleeps_in)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(1);
	waiter_start(&waiter, job.epfd);
	interrupt(&waiter, add_from_handler);
	EXPECT_INT(job.result, ==, 0);
	EXPECT_EVENTS(job.epfd, 0, {EPOLLIN, 7});
	EXPECT_ERRNO(ctl_add(job.epfd, job.fd, EPOLLIN, 8), EEXIST);
	CLOSE(job.epfd, job.fd);
}

CLAIM(a_handler_is_told_EEXIST_as_anybody)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN, 1);
	waiter_start(&waiter, job.epfd);
	interrupt(&waiter, add_from_handler);
	EXPECT_INT(job.result, ==, -1);
	EXPECT_INT(job.error, ==, EEXIST);
	CLOSE(job.epfd, job.fd);
}

static void mod_from_handler(int signal)
{
	(void)signal;
	job.result = ctl_mod(job.epfd, job.fd, EPOLLIN | EPOLLONESHOT, 7);
}

CLAIM(a_handler_may_modify_what_its_thread_waits_for)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(1);
	watch(job.epfd, job.fd, 0, 1);
	waiter_start(&waiter, job.epfd);
	if (interrupt(&waiter, mod_from_handler) < 0)
		EXPECT_EVENTS(job.epfd, 0, {EPOLLIN, 7});
	EXPECT_INT(job.result, ==, 0);
	EXPECT_QUIET(job.epfd);
	CLOSE(job.epfd, job.fd);
}

static void del_from_handler(int signal)
{
	(void)signal;
	job.result = ctl_del(job.epfd, job.fd);
}

CLAIM(a_handler_may_delete_what_its_thread_waits_for)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN, 1);
	waiter_start(&waiter, job.epfd);
	EXPECT_INT(interrupt(&waiter, del_from_handler), ==, -1);
	EXPECT_INT(job.result, ==, 0);
	count_up(job.fd, 1);
	EXPECT_QUIET(job.epfd);
	CLOSE(job.epfd, job.fd);
}

static void close_from_handler(int signal)
{
	(void)signal;
	job.result = close(job.fd);
}

CLAIM(a_handler_may_close_a_file_its_thread_waits_for)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN, 1);
	waiter_start(&waiter, job.epfd);
	EXPECT_INT(interrupt(&waiter, close_from_handler), ==, -1);
	EXPECT_INT(job.result, ==, 0);
	EXPECT_QUIET(job.epfd);
	EXPECT_ERRNO(ctl_del(job.epfd, job.fd), EBADF);
	CLOSE(job.epfd);
}

CLAIM(a_handler_may_close_the_eventpoll_its_thread_sleeps_in)
{
	struct waiter waiter;
	int event_fd = eventfd_open(0);

	job.epfd = job.fd = epoll_open();
	watch(job.epfd, event_fd, EPOLLIN, 1);
	waiter_start(&waiter, job.epfd);
	EXPECT_INT(interrupt(&waiter, close_from_handler), ==, -1);
	EXPECT_INT(job.result, ==, 0);
	EXPECT_ERRNO(epoll_wait(job.epfd, job.events, 4, 0), EBADF);
	CLOSE(event_fd);
}

static void wait_from_handler(int signal)
{
	(void)signal;
	job.result = epoll_wait(job.epfd, job.events, 4, 0);
	job.error = errno;
}

CLAIM(a_handler_may_wait_in_another_eventpoll)
{
	int epfd = epoll_open();
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(1);
	watch(job.epfd, job.fd, EPOLLIN | EPOLLET, 1);
	waiter_start(&waiter, epfd);
	EXPECT_INT(interrupt(&waiter, wait_from_handler), ==, -1);
	EXPECT_GOT(job.events, job.result, {EPOLLIN, 1});
	EXPECT_QUIET(job.epfd);
	CLOSE(epfd, job.epfd, job.fd);
}

CLAIM(a_handler_that_waits_in_the_same_eventpoll_loses_nothing)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN | EPOLLET, 1);
	waiter_start(&waiter, job.epfd);
	EXPECT_INT(interrupt(&waiter, wait_from_handler), ==, -1);
	EXPECT_INT(job.result, ==, 0);
	count_up(job.fd, 1);
	EXPECT_EVENTS(job.epfd, 0, {EPOLLIN, 1});
	CLOSE(job.epfd, job.fd);
}

static void write_then_wait_from_handler(int signal)
{
	uint64_t one = 1;

	if (write(job.fd, &one, sizeof(one)) == sizeof(one))
		wait_from_handler(signal);
}

CLAIM(an_edge_is_seen_by_the_handler_or_by_the_wait_it_interrupted_not_by_both)
{
	struct waiter waiter;
	int nr_seen;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 20; i++) {
		job.result = 0;
		waiter_start(&waiter, job.epfd);
		nr_seen = interrupt(&waiter, write_then_wait_from_handler) == 1;
		nr_seen += job.result == 1;
		nr_seen += flush(job.epfd);
		EXPECT_INT(nr_seen, ==, 1);
	}
	CLOSE(job.epfd, job.fd);
}

CLAIM(a_handler_leaves_errno_as_the_wait_set_it)
{
	struct waiter waiter;

	job.epfd = epoll_open();
	job.fd = eventfd_open(0);
	watch(job.epfd, job.fd, EPOLLIN, 1);
	waiter_start(&waiter, job.epfd);
	interrupt(&waiter, add_from_handler); /* fails with EEXIST inside */
	EXPECT_INT(waiter.result, ==, -1);
	EXPECT_INT(waiter.error, ==, EINTR);
	CLOSE(job.epfd, job.fd);
}

/* ---- a storm of signals ------------------------------------------------ */

static void wait_and_mod_from_handler(int signal)
{
	int old_errno = errno;

	(void)signal;
	if (epoll_wait(job.epfd, job.events, 4, 0) > 0)
		job.result++;
	ctl_mod(job.epfd, job.fd, EPOLLIN, 1);
	errno = old_errno;
}

/* A timer interrupts control calls, waits and their insides at every place. */
CLAIM(handlers_in_a_storm_of_signals_harm_nothing)
{
	struct itimerval every = {.it_interval.tv_usec = 150, .it_value.tv_usec = 150};
	struct itimerval never = {0};
	int other = eventfd_open(1);
	struct epoll_event event;
	int nr;

	job.epfd = epoll_open();
	job.fd = eventfd_open(1);
	watch(job.epfd, job.fd, EPOLLIN, 1);
	on_signal(SIGALRM, wait_and_mod_from_handler);
	MUST(setitimer(ITIMER_REAL, &every, NULL));
	for (int64_t end_ns = now_ns() + 700 * NS_PER_MS; now_ns() < end_ns;) {
		watch(job.epfd, other, EPOLLIN, 2);
		do
			nr = epoll_wait(job.epfd, &event, 1, -1);
		while (nr < 0 && errno == EINTR);
		EXPECT_INT(nr, ==, 1);
		rewatch(job.epfd, other, 0, 2);
		unwatch(job.epfd, other);
		EXPECT_ERRNO(ctl_del(job.epfd, other), ENOENT);
	}
	MUST(setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EVENTS(job.epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(job.result, >, 0);
	CLOSE(job.epfd, job.fd, other);
}

/* ---- left by siglongjmp ------------------------------------------------ */

static sigjmp_buf escape;

static void jump_from_handler(int signal)
{
	(void)signal;
	siglongjmp(escape, 1);
}

/* A child process asleep in epoll_wait; the parent sends it signals. */
static void *poke(void *argument)
{
	pid_t tid = (pid_t)(intptr_t)argument;

	task_await_asleep(getpid(), tid);
	MUST(tgkill(getpid(), tid, SIGUSR1));
	return NULL;
}

/* Sleep in @epfd until a handler jumps out of it. */
static void sleep_and_escape(int epfd)
{
	pthread_t thread;

	on_signal(SIGUSR1, jump_from_handler);
	EXPECT_INT(pthread_create(&thread, NULL, poke, (void *)(intptr_t)gettid()), ==, 0);
	if (sigsetjmp(escape, 1) == 0) {
		epoll_wait(epfd, job.events, 4, -1);
		FAIL("the wait returned");
	}
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
}

CLAIM(a_wait_left_by_siglongjmp_leaves_the_eventpoll_usable)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 20; i++) {
		sleep_and_escape(epfd);
		count_up(event_fd, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
		rewatch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	}
	CLOSE(epfd, event_fd);
}

CLAIM(a_wait_left_by_siglongjmp_does_not_keep_others_out)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	watch(epfd, event_fd, EPOLLIN, 1);
	sleep_and_escape(epfd);
	waiter_start_asleep(&waiter, epfd);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(an_eventpoll_left_by_siglongjmp_can_be_closed_and_its_number_reused)
{
	int epfd = epoll_open(), again;
	int event_fd = eventfd_open(1);

	sleep_and_escape(epfd);
	CLOSE(epfd);
	again = epoll_open();
	EXPECT_INT(again, ==, epfd);
	watch(again, event_fd, EPOLLIN, 1);
	EXPECT_EVENTS(again, -1, {EPOLLIN, 1});
	CLOSE(again, event_fd);
}
