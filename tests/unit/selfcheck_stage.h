/* SPDX-License-Identifier: MIT */
/*
 * selfcheck_stage.h - an eventpoll that checks itself, to be broken in a child.
 *
 *	e0 -(inline)-> p0 (pipe, level), c0 (eventfd, edge)
 */
#ifndef UNIT_SELFCHECK_STAGE_H
#define UNIT_SELFCHECK_STAGE_H

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "engine_stage.h"

static int p0[2], c0 __attribute__((unused));

static inline void stage_watches(void)
{
	selfcheck_is_on = true;
	pipe_open(p0);
	c0 = file_open(0);
	add(&e0, p0[0], EPOLLIN);
	add(&e0, c0, EPOLLIN | EPOLLET);
}

static inline void stage_checked(void)
{
	stage_inline();
	stage_watches();
}

static inline struct epitem *item(int fd)
{
	return item_of(&e0, fd);
}

static inline struct fake_watch *watch_of(int fd)
{
	return &e0.fake->watches[fd];
}

/* Somebody changes something, and lets go of the mtx. */
static noinline void look(struct stage_ep *e)
{
	cr_assert(section_enter());
	ep_acquire_mtx(e->ep);
	selfcheck_changed(&e->ep->check, "the test", 7);
	ep_release_mtx(e->ep);
	section_leave();
}

enum {
	CHILD_LIMIT_S = 20 /* an assertion that fails in a child waits for ever */
};

/* What a child says on stderr while it does @body and looks; its status as of wait(2). */
static inline int say_in_child(void (*body)(void), char *said, size_t size)
{
	int ends[2], status;
	ssize_t len, used = 0;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		alarm(CHILD_LIMIT_S);
		dup2(ends[1], STDERR_FILENO);
		body();
		look(&e0);
		_exit(0);
	}
	close(ends[1]);
	while ((len = read(ends[0], said + used, size - 1 - (size_t)used)) > 0)
		used += len;
	said[used] = '\0';
	close(ends[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* The child aborts with one line, which has @text in it. */
static inline void expect_abort(void (*body)(void), const char *text)
{
	char said[1024];
	int status = say_in_child(body, said, sizeof(said));

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x, said: %s",
		  (unsigned int)status, said);
	cr_assert(strstr(said, "interpoll: self-check: eventpoll ") == said, "%s", said);
	cr_assert(strstr(said, text), "not about \"%s\": %s", text, said);
	cr_assert_eq(strchr(said, '\n') - said, (long)strlen(said) - 1, "one line: %s", said);
}

static inline void expect_peace(void (*body)(void))
{
	char said[1024];
	int status = say_in_child(body, said, sizeof(said));

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x, said: %s",
		  (unsigned int)status, said);
	cr_assert_str_eq(said, "");
}

/* DIES(suite, name, text) { break it }; PEACE(suite, name) { change what may be so }. */
#define DIES(suite, name, text)                  \
	static void name##_body(void);           \
	Test(suite, name)                        \
	{                                        \
		expect_abort(name##_body, text); \
	}                                        \
	static void name##_body(void)

#define PEACE(suite, name)                 \
	static void name##_body(void);     \
	Test(suite, name)                  \
	{                                  \
		expect_peace(name##_body); \
	}                                  \
	static void name##_body(void)

#endif
