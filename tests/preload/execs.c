// SPDX-License-Identifier: MIT
/*
 * execs.c - exec with an epoll that is not close-on-exec hands it to the program
 * that follows, which must find in it what the application put there.
 *
 * The program is `inheritor' beside this one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

#define DATA	  0x123456789abcdef0
#define DATA_TEXT "0x123456789abcdef0"

static char program[4096];
static char number[16], events[] = "1", data[] = DATA_TEXT;

/*
 * An epoll that the next program inherits, with one ready watch in it.  Made in
 * the process that makes the exec: a fork in between is another matter.
 */
static void prepare(void)
{
	int epfd = MUST(epoll_create1(0));
	int p[2];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 20);

	EXPECT(length > 0);
	program[length] = '\0';
	/* libtool may run us from .libs */
	strcpy(strrchr(program, '/') + 1, "inheritor");
	if (access(program, X_OK) < 0) {
		*strrchr(program, '/') = '\0';
		strcpy(strrchr(program, '/') + 1, "inheritor");
	}
	MUST(access(program, X_OK));
	MUST(pipe(p));
	watch(epfd, p[0], EPOLLIN, DATA);
	put(p[1], 1);
	snprintf(number, sizeof(number), "%d", epfd);
}

/* The arguments of inheritor, for those that take a vector. */
#define ARGV ((char *[]){program, number, events, data, NULL})

static void claim_inherited(void (*exec)(void))
{
	pid_t pid;

	CHILD(pid)
	{
		prepare();
		exec();
		FAIL("exec: errno %d", errno);
	}
	child_join(pid);
}

extern char **environ;

static void by_execve(void)
{
	execve(program, ARGV, environ);
}

static void by_execv(void)
{
	execv(program, ARGV);
}

static void by_execvp(void)
{
	execvp(program, ARGV);
}

static void by_execvpe(void)
{
	execvpe(program, ARGV, environ);
}

static void by_execl(void)
{
	execl(program, program, number, "1", DATA_TEXT, NULL);
}

static void by_execlp(void)
{
	execlp(program, program, number, "1", DATA_TEXT, NULL);
}

static void by_execle(void)
{
	execle(program, program, number, "1", DATA_TEXT, NULL, environ);
}

static void by_fexecve(void)
{
	fexecve(MUST(open(program, O_RDONLY | O_CLOEXEC)), ARGV, environ);
}

static void by_execveat(void)
{
	execveat(AT_FDCWD, program, ARGV, environ, 0);
}

static void by_number(void)
{
	syscall(SYS_execve, program, ARGV, environ);
}

#define POLL_EXEC "what is inherited of a source without a kernel epoll is an eventfd"

CLAIM_EXCEPT("poll", POLL_EXEC, execve_hands_on_an_epoll)
{
	claim_inherited(by_execve);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execv_hands_on_an_epoll)
{
	claim_inherited(by_execv);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execvp_hands_on_an_epoll)
{
	claim_inherited(by_execvp);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execvpe_hands_on_an_epoll)
{
	claim_inherited(by_execvpe);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execl_hands_on_an_epoll)
{
	claim_inherited(by_execl);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execlp_hands_on_an_epoll)
{
	claim_inherited(by_execlp);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execle_hands_on_an_epoll)
{
	claim_inherited(by_execle);
}

CLAIM_EXCEPT("poll", POLL_EXEC, fexecve_hands_on_an_epoll)
{
	claim_inherited(by_fexecve);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execveat_hands_on_an_epoll)
{
	claim_inherited(by_execveat);
}

CLAIM_EXCEPT("poll", POLL_EXEC, execve_by_number_hands_on_an_epoll)
{
	claim_inherited(by_number);
}

CLAIM(an_exec_that_fails_leaves_a_working_epoll)
{
	int epfd = MUST(epoll_create1(0));
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	EXPECT_ERRNO(execl("/nowhere/at/all", "x", NULL), ENOENT);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	rewatch(epfd, p[0], EPOLLIN, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 2});
	EXPECT_ERRNO(ctl_add(epfd, p[0], EPOLLIN, 3), EEXIST);
	MUST(close(p[0]));
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}
