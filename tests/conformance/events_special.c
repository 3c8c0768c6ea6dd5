// SPDX-License-Identifier: MIT
/*
 * events_special.c - which event bits eventfd, timerfd, signalfd, inotify,
 * pidfd and files of /proc show.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define LEVELS_ONLY "poll(2) sees no edge while another wanted bit stays ready"
#define LOOP_ASKS   "the poll loop asks, and a signalfd tells it of its own signals only"

/* ---- eventfd ----------------------------------------------------------- */

CLAIM(an_eventfd_is_readable_above_zero)
{
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	count_up(event_fd, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(count_take(event_fd), ==, 3);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(an_eventfd_is_writable_below_its_maximum)
{
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	count_up(event_fd, UINT64_MAX - 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	count_take(event_fd);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	CLOSE(epfd, event_fd);
}

CLAIM(a_semaphore_eventfd_stays_readable_until_it_is_zero)
{
	int event_fd = MUST(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN, 1);
	for (int i = 0; i < 2; i++) {
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
		EXPECT_INT(count_take(event_fd), ==, 1);
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM_EXCEPT("poll", LEVELS_ONLY,
	     an_edge_of_an_eventfd_watched_both_ways_comes_with_every_write_and_read)
{
	int event_fd = eventfd_open(0);
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	count_up(event_fd, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLOUT, 1});
	EXPECT_QUIET(epfd);
	count_take(event_fd);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

CLAIM(reading_an_eventfd_is_no_edge_for_a_watch_of_IN)
{
	int event_fd = MUST(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
	int epfd = epoll_open();

	watch(epfd, event_fd, EPOLLIN | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	count_take(event_fd); /* wakes those who wait to write; still readable */
	EXPECT_QUIET(epfd);
	CLOSE(epfd, event_fd);
}

/* ---- timerfd ----------------------------------------------------------- */

CLAIM(a_timer_is_readable_once_it_expired_until_it_is_read)
{
	int timer = timerfd_open();
	int epfd = epoll_open();

	watch(epfd, timer, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	timerfd_set(timer, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	count_take(timer);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, timer);
}

CLAIM(a_timer_set_anew_is_no_longer_readable)
{
	int timer = timerfd_open();
	int epfd = epoll_open();

	watch(epfd, timer, EPOLLIN, 1);
	timerfd_set(timer, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	timerfd_set(timer, 3600 * 1000 * NS_PER_MS);
	EXPECT_QUIET(epfd);
	timerfd_set(timer, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, timer);
}

CLAIM(each_expiry_of_a_periodic_timer_is_an_edge)
{
	struct itimerspec every_ms = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
	int timer = timerfd_open();
	int epfd = epoll_open();

	watch(epfd, timer, EPOLLIN | EPOLLET, 1);
	MUST(timerfd_settime(timer, 0, &every_ms, NULL));
	for (int i = 0; i < 5; i++) {
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
		count_take(timer);
	}
	CLOSE(epfd, timer);
}

/* ---- signalfd ---------------------------------------------------------- */

static int signalfd_open(int signal)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, signal);
	MUST(sigprocmask(SIG_BLOCK, &mask, NULL));
	return MUST(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
}

CLAIM(a_signalfd_is_readable_while_its_signal_is_pending)
{
	int signal_fd = signalfd_open(SIGUSR1);
	int epfd = epoll_open();
	struct signalfd_siginfo info;

	watch(epfd, signal_fd, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	MUST(raise(SIGUSR1));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(read(signal_fd, &info, sizeof(info)), ==, sizeof(info));
	EXPECT_INT(info.ssi_signo, ==, SIGUSR1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, signal_fd);
}

CLAIM(a_signal_to_the_process_wakes_who_waits_for_its_signalfd)
{
	int signal_fd = signalfd_open(SIGUSR1);
	int epfd = epoll_open();
	struct waiter waiter;

	watch(epfd, signal_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	MUST(kill(getpid(), SIGUSR1));
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, signal_fd);
}

/* A signal to one thread is pending for that thread only, and so is its signalfd. */
CLAIM_EXCEPT("poll", LOOP_ASKS, a_signalfd_tells_the_thread_that_asks_about_its_own_signals)
{
	int signal_fd = signalfd_open(SIGUSR1);
	int epfd = epoll_open();
	struct waiter waiter;

	watch(epfd, signal_fd, EPOLLIN, 1);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	EXPECT_WAITER(&waiter, {EPOLLIN, 1});
	CLOSE(epfd, signal_fd);
}

DEVIATION(a_signalfd_tells_the_thread_that_asks_about_its_own_signals)
{
	int signal_fd = signalfd_open(SIGUSR1);
	int bell = eventfd_open(0);
	int epfd = epoll_open();
	struct waiter waiter;

	watch(epfd, signal_fd, EPOLLIN, 1);
	watch(epfd, bell, EPOLLIN, 2);
	waiter_start_asleep(&waiter, epfd);
	EXPECT_INT(pthread_kill(waiter.thread, SIGUSR1), ==, 0);
	waiter_await_asleep(&waiter);
	count_up(bell, 1);
	EXPECT_INT(waiter_join(&waiter), >=, 1);
	CLOSE(epfd, signal_fd, bell);
}

/* ---- inotify, pidfd ---------------------------------------------------- */

CLAIM(an_inotify_descriptor_is_readable_when_something_happened)
{
	char path[] = "/tmp/conformance-XXXXXX";
	int epfd = epoll_open();
	int notify, file;

	file = MUST(mkstemp(path));
	notify = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	MUST(inotify_add_watch(notify, path, IN_MODIFY));
	watch(epfd, notify, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	put(file, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	drain(notify);
	EXPECT_QUIET(epfd);
	MUST(unlink(path));
	CLOSE(epfd, notify, file);
}

CLAIM(each_thing_that_happens_is_an_edge_of_inotify)
{
	char path[] = "/tmp/conformance-XXXXXX";
	int epfd = epoll_open();
	int notify, file;

	file = MUST(mkstemp(path));
	notify = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	MUST(inotify_add_watch(notify, path, IN_MODIFY | IN_CLOSE_WRITE));
	watch(epfd, notify, EPOLLIN | EPOLLET, 1);
	put(file, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(file);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	MUST(unlink(path));
	CLOSE(epfd, notify);
}

CLAIM(a_pidfd_is_readable_once_the_process_has_ended)
{
	int epfd = epoll_open();
	struct gate gate;
	int pid_fd;
	pid_t pid;

	gate_open(&gate);
	CHILD(pid)
	{
		gate_wait(&gate);
	}
	pid_fd = MUST(pidfd_open(pid, 0));
	watch(epfd, pid_fd, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	gate_pass(&gate);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	child_join(pid);
	gate_close(&gate);
	CLOSE(epfd, pid_fd);
}

/* ---- files whose poll is not repeatable -------------------------------- */

CLAIM(the_mounts_of_proc_have_no_news_until_something_is_mounted)
{
	int mounts = MUST(open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
	int epfd = epoll_open();

	watch(epfd, mounts, EPOLLIN | EPOLLPRI, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}); /* a regular file in that */
	rewatch(epfd, mounts, EPOLLPRI, 2);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, mounts);
}
