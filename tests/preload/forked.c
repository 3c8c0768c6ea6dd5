// SPDX-License-Identifier: MIT
/*
 * forked.c - every way to fork gives the child eventpolls that work, and the
 * parent's are none the worse for what the child does with its own.
 */
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forked.h"

extern pid_t _Fork(void);

/* The child waits in an eventpoll of its own making and closes what it was given. */
static int child_main(void *unused)
{
	int epfd = epoll_open();
	int p[2];

	(void)unused;
	MUST(close(shared.epfd));
	MUST(close(shared.p[0]));
	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 5);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 5});
	MUST(close(p[0]));
	EXPECT_QUIET(epfd);
	return 0;
}

CLAIM(a_child_of_fork_has_eventpolls)
{
	pid_t pid;

	shared_open();
	pid = MUST(fork());
	if (pid == 0)
		_exit(child_main(NULL));
	parent_expect_unharmed(pid);
}

CLAIM(a_child_of__Fork_has_eventpolls)
{
	pid_t pid;

	shared_open();
	pid = MUST(_Fork());
	if (pid == 0)
		_exit(child_main(NULL));
	parent_expect_unharmed(pid);
}

#ifdef SYS_fork
CLAIM(a_child_of_fork_by_number_has_eventpolls)
{
	long pid;

	shared_open();
	pid = MUST(syscall(SYS_fork));
	if (pid == 0)
		_exit(child_main(NULL));
	parent_expect_unharmed((pid_t)pid);
}
#endif

CLAIM(a_child_of_clone_by_number_has_eventpolls)
{
	long pid;

	shared_open();
	pid = MUST(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (pid == 0)
		_exit(child_main(NULL));
	parent_expect_unharmed((pid_t)pid);
}

CLAIM(a_child_of_clone_has_eventpolls)
{
	static char stack[262144] __attribute__((aligned(16)));

	shared_open();
	parent_expect_unharmed(MUST(clone(child_main, stack + sizeof(stack), SIGCHLD, NULL)));
}

CLAIM(a_child_of_forkpty_has_eventpolls)
{
	int terminal;
	pid_t pid;

	shared_open();
	pid = MUST(forkpty(&terminal, NULL, NULL, NULL));
	if (pid == 0)
		_exit(child_main(NULL));
	parent_expect_unharmed(pid);
	CLOSE(terminal);
}

CLAIM(a_daemon_has_eventpolls)
{
	struct gate done;
	pid_t pid;

	gate_open(&done);
	shared_open();
	CHILD(pid)
	{
		MUST(daemon(1, 0));
		child_main(NULL);
		gate_pass(&done);
	}
	gate_wait(&done);
	gate_close(&done);
	parent_expect_unharmed(pid);
}

CLAIM(a_child_delivers_what_it_inherited)
{
	pid_t pid;

	shared_open();
	put(shared.p[1], 1);
	CHILD(pid)
	{
		EXPECT_EVENTS(shared.epfd, 0, {EPOLLIN, 1});
		rewatch(shared.epfd, shared.p[0], EPOLLIN, 2);
		EXPECT_EVENTS(shared.epfd, 0, {EPOLLIN, 2});
	}
	child_join(pid);
	take(shared.p[0], 1);
	CLOSE(shared.epfd, shared.p[0], shared.p[1]);
}

/* A thread that does what takes interpoll's locks, over and over. */
static atomic_bool is_over;

static void *churn(void *unused)
{
	int epfd = epoll_open();
	int p[2], fd;

	(void)unused;
	while (!is_over) {
		pipe_open(p);
		watch(epfd, p[0], EPOLLIN, 1);
		fd = MUST(dup(p[0]));
		unwatch(epfd, p[0]);
		CLOSE(fd, p[0], p[1]);
	}
	CLOSE(epfd);
	return NULL;
}

CLAIM(forks_in_the_middle_of_everything_leave_nobody_stuck)
{
	pthread_t threads[3];
	pid_t pid;

	for (int i = 0; i < 3; i++)
		EXPECT_INT(pthread_create(&threads[i], NULL, churn, NULL), ==, 0);
	for (int i = 0; i < 200; i++) {
		CHILD(pid)
		{
			shared_open();
			child_main(NULL);
		}
		child_join(pid);
	}
	is_over = true;
	for (int i = 0; i < 3; i++)
		EXPECT_INT(pthread_join(threads[i], NULL), ==, 0);
}

CLAIM(system_and_popen_run_their_command)
{
	char line[8] = "";
	FILE *stream;

	shared_open();
	EXPECT_INT(WEXITSTATUS(system("exit 3")), ==, 3);
	stream = popen("echo hello", "r");
	EXPECT(stream != NULL);
	EXPECT(fgets(line, sizeof(line), stream) != NULL);
	EXPECT_INT(line[0], ==, 'h');
	EXPECT_INT(pclose(stream), ==, 0);
	put(shared.p[1], 1);
	EXPECT_EVENTS(shared.epfd, 0, {EPOLLIN, 1});
	CLOSE(shared.epfd, shared.p[0], shared.p[1]);
}

/* Polling an inherited eventpoll is a use of it, too. */
CLAIM(a_child_polls_what_it_inherited)
{
	struct pollfd pollfd;
	pid_t pid;

	shared_open();
	CHILD(pid)
	{
		pollfd = (struct pollfd){.fd = shared.epfd, .events = POLLIN};
		EXPECT_INT(poll(&pollfd, 1, 0), ==, 0);
		put(shared.p[1], 1);
		EXPECT_INT(poll(&pollfd, 1, 1000), ==, 1);
		EXPECT_EVENTS(shared.epfd, 0, {EPOLLIN, 1});
		take(shared.p[0], 1);
	}
	parent_expect_unharmed(pid);
}
