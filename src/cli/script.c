// SPDX-License-Identifier: MIT
#include "cli/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "real/sys.h"

#define BLANKS " \t"

static int read_line(const char *path, char line[SCRIPT_LINE_SIZE])
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	long len;

	if (fd < 0)
		return fd;
	len = sys_read(fd, line, SCRIPT_LINE_SIZE - 1);
	sys_close(fd);
	if (len < 0)
		return (int)len;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int script_read(const char *path, struct script *ret)
{
	char line[SCRIPT_LINE_SIZE];
	const char *word;
	size_t len;
	int err = read_line(path, line);

	if (err)
		return err;
	memset(ret, 0, sizeof(*ret));
	if (strncmp(line, "#!", 2)) {
		/* execvp(3) and every shell give such a file to the shell. */
		strcpy(ret->interpreter, "/bin/sh");
		return 0;
	}
	for (len = strlen(line); len > 2 && strchr(BLANKS, line[len - 1]); len--)
		line[len - 1] = '\0';
	word = line + 2 + strspn(line + 2, BLANKS);
	len = strcspn(word, BLANKS);
	memcpy(ret->interpreter, word, len);
	word += len;
	word += strspn(word, BLANKS);
	strcpy(ret->argument, word);
	return ret->interpreter[0] ? 0 : -ENOEXEC;
}

/* The next word of *@rest, which moves past it; false at the end. */
static bool next_word(const char **rest, char word[SCRIPT_LINE_SIZE])
{
	const char *from = *rest + strspn(*rest, BLANKS);
	size_t len = strcspn(from, BLANKS);

	memcpy(word, from, len);
	word[len] = '\0';
	*rest = from + len;
	return len > 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

void script_parse_env(const char *argument, char *command, bool *ret_clears)
{
	static const char *const clearing[] = {"-", "-i", "--ignore-environment", NULL};
	static const char *const with_value[] = {"-u", "--unset", "-C", "--chdir", NULL};
	const char *rest = argument;
	char word[SCRIPT_LINE_SIZE];

	*ret_clears = false;
	command[0] = '\0';
	/* Without -S all of it is one word. */
	if (argument[0] != '-') {
		if (!strchr(argument, '='))
			strcpy(command, argument);
		return;
	}
	while (next_word(&rest, word)) {
		if (!strncmp(word, "-S", 2) && word[2])
			memmove(word, word + 2, strlen(word + 2) + 1);
		if (is_one_of(word, clearing))
			*ret_clears = true;
		else if (is_one_of(word, with_value))
			next_word(&rest, word);
		else if (word[0] != '-' && !strchr(word, '='))
			break;
	}
	if (word[0] != '-')
		strcpy(command, word);
}
