// SPDX-License-Identifier: MIT
/*
 * spawned.c - epoll(7): vfork, posix_spawn, system, popen, exec.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

extern char **environ;

/* The shell must answer with 0. */
static void spawn_join(pid_t pid)
{
	int status = -1;

	EXPECT_INT(waitpid(pid, &status, 0), ==, pid);
	EXPECT_INT(status, ==, 0);
}

CLAIM(a_vfork_child_that_closes_files_takes_nothing_from_its_parent)
{
	int epfd = epoll_open();
	int p[2];
	pid_t pid;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	pid = vfork();
	if (pid == 0) {
		close(p[0]);
		close(epfd);
		_exit(0);
	}
	spawn_join(MUST(pid));
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_vfork_child_that_moves_files_about_takes_nothing_from_its_parent)
{
	int epfd = epoll_open();
	int p[2], other = eventfd_open(1);
	pid_t pid;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	pid = vfork();
	if (pid == 0) {
		dup2(other, p[0]);
		dup2(other, epfd);
		_exit(0);
	}
	spawn_join(MUST(pid));
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 2), EEXIST);
	CLOSE(epfd, other, p[0], p[1]);
}

CLAIM(posix_spawn_takes_nothing_from_its_parent)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 0"}, NULL};
	int epfd = epoll_open();
	int p[2];
	pid_t pid;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN | EPOLLET, 1);
	EXPECT_INT(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), ==, 0);
	spawn_join(pid);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

/* The shell inherits the pipe and holds it until its own stdin ends. */
CLAIM_EXCEPT("poll", NO_ZOMBIES, a_file_a_spawned_program_inherited_is_watched_after_we_closed_it)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"read line"}, NULL};
	posix_spawn_file_actions_t actions;
	int epfd = epoll_open();
	int in[2], p[2], status;
	pid_t pid;

	MUST(pipe2(in, O_CLOEXEC));
	MUST(pipe2(p, O_NONBLOCK));
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(posix_spawn_file_actions_init(&actions), ==, 0);
	EXPECT_INT(posix_spawn_file_actions_adddup2(&actions, in[0], 0), ==, 0);
	EXPECT_INT(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), ==, 0);
	posix_spawn_file_actions_destroy(&actions);
	CLOSE(p[0]);
	put(p[1], 1);
	for (int i = 0; i < 3; i++)
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(in[1], in[0]);
	EXPECT_INT(waitpid(pid, &status, 0), ==, pid);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM(system_takes_nothing_from_the_eventpoll)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_INT(system("exit 0"), ==, 0);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

CLAIM(the_pipe_of_popen_is_watched_and_pclose_takes_it_off)
{
	FILE *stream = popen("echo hello", "re");
	int epfd = epoll_open();

	EXPECT(stream != NULL);
	watch(epfd, fileno(stream), EPOLLIN, 1);
	for (;;) {
		struct epoll_event event;
		char line[16];

		EXPECT_INT(MUST(epoll_wait(epfd, &event, 1, -1)), ==, 1);
		if (!(event.events & EPOLLIN))
			break;
		EXPECT_INT(read(fileno(stream), line, sizeof(line)), ==, 6);
	}
	EXPECT_INT(pclose(stream), ==, 0);
	EXPECT_QUIET(epfd);
	CLOSE(epfd);
}

CLAIM(exec_that_fails_leaves_everything_as_it_was)
{
	char *argv[] = {(char[]){"nothing"}, NULL};
	int epfd = MUST(epoll_create1(0));
	int level = eventfd_open(1), edge = eventfd_open(0), spent = eventfd_open(1);

	watch(epfd, level, EPOLLIN, 1);
	watch(epfd, edge, EPOLLIN | EPOLLET, 2);
	watch(epfd, spent, EPOLLIN | EPOLLONESHOT, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 3});
	EXPECT_ERRNO(execv("/nonexistent/nothing", argv), ENOENT);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	count_up(edge, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLIN, 2});
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(epfd, level, edge, spent);
}
