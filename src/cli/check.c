// SPDX-License-Identifier: MIT
/*
 * check.c - a program and its libraries, as the dynamic linker itself lists them.
 */
#include "cli/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/library.h"
#include "cli/say.h"
#include "cli/target.h"

#define LIST_SIZE 256

/* What was found in all files so far. */
struct findings {
	bool has_calls;
	bool has_raw_calls;
	bool is_code_known;
};

static void print_list(const char *path, const char *list, const char *remark)
{
	if (list[0])
		printf("  %s%s: %s\n", path, remark, list);
}

static void look_into(const char *path, struct findings *findings)
{
	char list[LIST_SIZE];
	bool is_libc = false;

	if (!image_list_epoll_imports(path, list, sizeof(list), &is_libc)) {
		print_list(path, list, " calls");
		findings->has_calls |= list[0] != '\0';
	}
	/* Where epoll_wait is defined its system call is, of course. */
	if (is_libc)
		return;
	if (!image_list_raw_epoll_calls(path, list, sizeof(list))) {
		print_list(path, list, " makes raw system calls (inferred from its code)");
		findings->has_raw_calls |= list[0] != '\0';
		findings->is_code_known = true;
	}
}

/* -------- the libraries -------- */

/*
 * What the dynamic linker says when it is told to trace, as ldd(1) does: libraries
 * are found as they will be found, and the program is not run.
 */
static FILE *open_list(const struct target *target, pid_t *ret_pid)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return NULL;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
		execl(target->image.loader, target->image.loader, target->runs, (char *)NULL);
		_exit(SAY_CANNOT_RUN);
	}
	close(fd[1]);
	if (*ret_pid > 0)
		return fdopen(fd[0], "r");
	close(fd[0]);
	return NULL;
}

/* "\tlibm.so.6 => /lib/libm.so.6 (0x...)" or "\t/lib64/ld.so (0x...)": the path, or NULL. */
static char *parse_library(char *line)
{
	char *path = strstr(line, "=> ");

	path = path ? path + 3 : line + strspn(line, "\t ");
	path[strcspn(path, "\n")] = '\0';
	if (path[0] != '/')
		return NULL;
	if (strstr(path, " (0x"))
		*strstr(path, " (0x") = '\0';
	return path;
}

static void look_into_libraries(const struct target *target, struct findings *findings)
{
	FILE *list = NULL;
	char *line = NULL, *path;
	size_t size = 0;
	pid_t pid = -1;

	fflush(stdout);
	list = open_list(target, &pid);
	while (list && getline(&line, &size, list) > 0) {
		path = parse_library(line);
		if (path)
			look_into(path, findings);
		else if (strstr(line, "not found"))
			printf("  a library is missing: %s\n", line + strspn(line, "\t "));
	}
	free(line);
	if (list)
		fclose(list);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* -------- the report -------- */

static int print_verdict(const struct target *target, const struct findings *findings)
{
	if (!findings->is_code_known)
		puts("  its machine code was not searched for raw system calls: unknown here");
	else if (!findings->has_raw_calls)
		puts("  no raw epoll system calls were found (inferred from its code)");
	if (target->image.is_go)
		puts("  it is a Go program: its runtime makes system calls itself, unseen");
	if (findings->has_calls) {
		puts("  interpoll will see its epoll calls");
		return 0;
	}
	puts("  interpoll finds no epoll calls that it would see; "
	     "a library opened later may make some");
	return CHECK_NOTHING;
}

int check(const char *program)
{
	struct findings findings = {.has_calls = false};
	char library[PATH_MAX];
	struct target target;
	int status = library_report(library, sizeof(library));

	if (status)
		return status;
	status = target_examine(&target, program, library);
	if (status) {
		printf("%s: cannot be preloaded: %s\n", program, target.why);
		return status;
	}
	printf("%s: can be preloaded\n", target.path);
	if (strcmp(target.runs, target.path))
		printf("  it is a script, run by %s\n", target.runs);
	if (!target.is_known) {
		puts("  it may not be read, so nothing is known of its calls");
		return CHECK_NOTHING;
	}
	look_into(target.runs, &findings);
	if (target.image.loader[0])
		look_into_libraries(&target, &findings);
	return print_verdict(&target, &findings);
}
