// SPDX-License-Identifier: MIT
/*
 * exec.c - the process becomes another program.
 *
 * The functions with an argument list build the vector on the stack: they are
 * called between vfork and exec, where nothing may be allocated.
 */
#include "preload/preload.h"

#include <stdarg.h>

#include "fd/passing.h"

static void exec_before(void)
{
	if (preload_is_active())
		passing_exec();
}

/* How long the vector for @first and @rest is, terminating NULL included. */
static size_t exec_count(const char *first, va_list *rest)
{
	size_t nr = 1;

	while (first) {
		nr++;
		first = va_arg(*rest, const char *);
	}
	return nr;
}

static void exec_collect(char **argv, const char *first, va_list *rest)
{
	while ((*argv++ = (char *)(uintptr_t)first))
		first = va_arg(*rest, const char *);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	exec_before();
	return real()->execve(path, argv, envp);
}

int execv(const char *path, char *const argv[])
{
	exec_before();
	return real()->execv(path, argv);
}

int execvp(const char *file, char *const argv[])
{
	exec_before();
	return real()->execvp(file, argv);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	exec_before();
	return real()->execvpe(file, argv, envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	exec_before();
	return real()->fexecve(fd, argv, envp);
}

int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	exec_before();
	return real()->execveat(fd, path, argv, envp, flags);
}

int execl(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	argv = __builtin_alloca(exec_count(arg, &args) * sizeof(*argv));
	va_end(args);
	va_start(args, arg);
	exec_collect(argv, arg, &args);
	va_end(args);
	exec_before();
	return real()->execv(path, argv);
}

int execlp(const char *file, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	argv = __builtin_alloca(exec_count(arg, &args) * sizeof(*argv));
	va_end(args);
	va_start(args, arg);
	exec_collect(argv, arg, &args);
	va_end(args);
	exec_before();
	return real()->execvp(file, argv);
}

/* The environment follows the NULL that ends the arguments. */
int execle(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv, **envp;

	va_start(args, arg);
	argv = __builtin_alloca(exec_count(arg, &args) * sizeof(*argv));
	envp = va_arg(args, char **);
	va_end(args);
	va_start(args, arg);
	exec_collect(argv, arg, &args);
	va_end(args);
	exec_before();
	return real()->execve(path, argv, envp);
}
