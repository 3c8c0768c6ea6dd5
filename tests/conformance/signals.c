// SPDX-License-Identifier: MIT
/*
 * signals.c - epoll_wait(2), epoll_pwait(2): EINTR and the signal mask.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

static atomic_int nr_handled;
static struct epoll_event room[4];

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&nr_handled, 1);
}

static void handle(int signal, int flags)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};

	MUST(sigaction(signal, &action, NULL));
}

static void block(int signal)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, signal);
	MUST(sigprocmask(SIG_BLOCK, &mask, NULL));
}

static bool is_blocked(int signal)
{
	sigset_t mask;

	MUST(sigprocmask(SIG_BLOCK, NULL, &mask));
	return sigismember(&mask, signal) == 1;
}

static void expect_interrupted(struct waiter *waiter)
{
	EXPECT_INT(waiter_join(waiter), ==, -1);
	EXPECT_INT(waiter->error, ==, EINTR);
}

/* ---- EINTR ------------------------------------------------------------- */

CLAIM(a_handled_signal_ends_the_wait_with_EINTR)
{
	int epfd = epoll_open();
	struct waiter waiter;

	handle(SIGUSR1, 0);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	expect_interrupted(&waiter);
	EXPECT_INT(nr_handled, ==, 1);
	CLOSE(epfd);
}

CLAIM(SA_RESTART_does_not_restart_the_wait)
{
	int epfd = epoll_open();
	struct waiter waiter;

	handle(SIGUSR1, SA_RESTART);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	expect_interrupted(&waiter);
	CLOSE(epfd);
}

CLAIM(a_timed_wait_ends_with_EINTR_before_its_time)
{
	int epfd = epoll_open();
	struct waiter waiter;

	handle(SIGUSR1, SA_RESTART);
	waiter_start_with(&waiter, epfd, 4, 1000 * 1000, NULL);
	waiter_await_asleep(&waiter);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	expect_interrupted(&waiter);
	CLOSE(epfd);
}

CLAIM(an_ignored_signal_does_not_end_the_wait)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	MUST(signal(SIGUSR1, SIG_IGN) == SIG_ERR ? -1 : 0);
	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	for (int i = 0; i < 5; i++) {
		EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
		waiter_await_asleep(&waiter);
	}
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(a_blocked_signal_does_not_end_the_wait)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	handle(SIGUSR1, 0);
	block(SIGUSR1); /* for the waiter too: threads inherit the mask */
	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	waiter_await_asleep(&waiter);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_INT(nr_handled, ==, 0);
	CLOSE(epfd, event_fd);
}

CLAIM(stop_and_continue_end_the_wait_with_EINTR)
{
	int epfd = epoll_open();
	int status;
	pid_t pid;

	/* signal(7): epoll_wait is one of the calls that fail so after SIGCONT. */
	CHILD(pid)
	{
		EXPECT_ERRNO(epoll_wait(epfd, room, 4, -1), EINTR);
	}
	task_await_asleep(pid, pid);
	MUST(kill(pid, SIGSTOP));
	EXPECT_INT(waitpid(pid, &status, WUNTRACED), ==, pid);
	EXPECT(WIFSTOPPED(status));
	MUST(kill(pid, SIGCONT));
	child_join(pid);
	CLOSE(epfd);
}

CLAIM(a_pending_signal_does_not_hide_events_that_are_ready)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	sigset_t none;

	handle(SIGUSR1, 0);
	block(SIGUSR1);
	MUST(raise(SIGUSR1));
	sigemptyset(&none);
	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_INT(epoll_pwait(epfd, room, 4, -1, &none), ==, 1);
	EXPECT_GOT(room, 1, {EPOLLIN, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(EINTR_loses_no_event)
{
	int epfd = epoll_open();
	int edge = eventfd_open(0), oneshot = eventfd_open(0);
	struct waiter waiter;

	handle(SIGUSR1, 0);
	watch(epfd, edge, EPOLLIN | EPOLLET, 1);
	watch(epfd, oneshot, EPOLLIN | EPOLLONESHOT, 2);
	for (int i = 0; i < 20; i++) {
		waiter_start_asleep(&waiter, epfd);
		EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
		expect_interrupted(&waiter);
		count_up(edge, 1);
		count_up(oneshot, 1);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
		EXPECT_QUIET(epfd);
		rewatch(epfd, edge, EPOLLIN | EPOLLET, 1);
		EXPECT_INT(flush(epfd), ==, 1);
		count_take(oneshot);
		rewatch(epfd, oneshot, EPOLLIN | EPOLLONESHOT, 2);
	}
	CLOSE(epfd, edge, oneshot);
}

/* The signal and the event race; whatever the wait returns, the event comes once. */
CLAIM(a_signal_that_races_with_an_edge_neither_loses_nor_doubles_it)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	handle(SIGUSR1, 0);
	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 100; i++) {
		waiter_start_asleep(&waiter, epfd);
		if (i % 2)
			EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
		count_up(event_fd, 1);
		if (i % 2 == 0)
			EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
		if (waiter_join(&waiter) == 1) {
			EXPECT_GOT(waiter.events, 1, {EPOLLIN, 1});
			EXPECT_QUIET(epfd);
		} else {
			EXPECT_INT(waiter.error, ==, EINTR);
			EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		}
	}
	CLOSE(epfd, event_fd);
}

CLAIM(a_signal_that_races_with_a_oneshot_neither_loses_nor_doubles_it)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;

	handle(SIGUSR1, 0);
	watch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	for (int i = 0; i < 100; i++) {
		waiter_start_asleep(&waiter, epfd);
		EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
		count_up(event_fd, 1);
		if (waiter_join(&waiter) != 1)
			EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
		count_take(event_fd);
		rewatch(epfd, event_fd, EPOLLIN | EPOLLONESHOT, 1);
	}
	CLOSE(epfd, event_fd);
}

/* ---- the mask ---------------------------------------------------------- */

CLAIM(epoll_pwait_lets_a_signal_through_that_is_blocked_otherwise)
{
	int epfd = epoll_open();
	sigset_t none;

	handle(SIGUSR1, 0);
	block(SIGUSR1);
	MUST(raise(SIGUSR1));
	EXPECT_INT(nr_handled, ==, 0);
	sigemptyset(&none);
	EXPECT_ERRNO(epoll_pwait(epfd, room, 4, -1, &none), EINTR);
	EXPECT_INT(nr_handled, ==, 1);
	EXPECT(is_blocked(SIGUSR1));
	CLOSE(epfd);
}

CLAIM(epoll_pwait2_lets_a_signal_through_that_is_blocked_otherwise)
{
	int epfd = epoll_open();
	sigset_t none;

	handle(SIGUSR1, 0);
	block(SIGUSR1);
	MUST(raise(SIGUSR1));
	sigemptyset(&none);
	EXPECT_ERRNO(epoll_pwait2(epfd, room, 4, NULL, &none), EINTR);
	EXPECT_INT(nr_handled, ==, 1);
	EXPECT(is_blocked(SIGUSR1));
	CLOSE(epfd);
}

CLAIM(epoll_pwait_holds_back_a_signal_that_is_let_through_otherwise)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(0);
	struct waiter waiter;
	sigset_t held;

	handle(SIGUSR1, 0);
	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	watch(epfd, event_fd, EPOLLIN, 1);
	waiter_start_with(&waiter, epfd, 4, -1, &held);
	waiter_await_asleep(&waiter);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	waiter_await_asleep(&waiter);
	EXPECT_INT(nr_handled, ==, 0);
	count_up(event_fd, 1);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	EXPECT_INT(nr_handled, ==, 1); /* delivered as the wait ended */
	CLOSE(epfd, event_fd);
}

CLAIM(the_mask_is_put_back_whatever_the_wait_returns)
{
	int epfd = epoll_open();
	int event_fd = eventfd_open(1);
	sigset_t none;

	handle(SIGUSR1, 0);
	block(SIGUSR1);
	sigemptyset(&none);
	EXPECT_INT(epoll_pwait(epfd, room, 4, 1, &none), ==, 0);
	EXPECT(is_blocked(SIGUSR1));
	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_INT(epoll_pwait(epfd, room, 4, -1, &none), ==, 1);
	EXPECT(is_blocked(SIGUSR1));
	EXPECT_ERRNO(epoll_pwait(epfd, room, 0, -1, &none), EINVAL);
	EXPECT(is_blocked(SIGUSR1));
	EXPECT_ERRNO(epoll_pwait(-1, room, 4, -1, &none), EBADF);
	EXPECT(is_blocked(SIGUSR1));
	CLOSE(epfd, event_fd);
}

CLAIM(the_mask_of_the_caller_is_not_changed)
{
	int epfd = epoll_open();
	sigset_t mask, copy;

	memset(&mask, 0, sizeof(mask));
	sigfillset(&mask);
	memcpy(&copy, &mask, sizeof(mask));
	EXPECT_INT(epoll_pwait(epfd, room, 4, 1, &mask), ==, 0);
	EXPECT(memcmp(&mask, &copy, sizeof(mask)) == 0);
	CLOSE(epfd);
}

CLAIM(a_full_mask_still_lets_SIGKILL_through)
{
	int epfd = epoll_open();
	sigset_t all;
	int status;
	pid_t pid;

	sigfillset(&all);
	CHILD(pid)
	{
		epoll_pwait(epfd, room, 4, -1, &all);
	}
	task_await_asleep(pid, pid);
	MUST(kill(pid, SIGKILL));
	EXPECT_INT(waitpid(pid, &status, 0), ==, pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CLOSE(epfd);
}

/*
 * Unblocking and sleeping are one step: a signal that is pending when the wait
 * begins cannot slip in between and leave it sleeping.
 */
CLAIM(the_mask_is_set_and_the_sleep_begun_in_one_step)
{
	int epfd = epoll_open();
	pid_t pid, parent = getpid();
	sigset_t none;

	handle(SIGUSR1, 0);
	block(SIGUSR1);
	sigemptyset(&none);
	CHILD(pid)
	{
		for (int i = 0; i < 300; i++) {
			sigset_t answer;
			int got;

			MUST(kill(parent, SIGUSR1));
			sigemptyset(&answer);
			sigaddset(&answer, SIGUSR1);
			EXPECT_INT(sigwait(&answer, &got), ==, 0);
		}
	}
	for (int i = 1; i <= 300; i++) {
		EXPECT_ERRNO(epoll_pwait(epfd, room, 4, -1, &none), EINTR);
		EXPECT_INT(nr_handled, ==, i);
		MUST(kill(pid, SIGUSR1));
	}
	child_join(pid);
	CLOSE(epfd);
}
