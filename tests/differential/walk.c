// SPDX-License-Identifier: MIT
/*
 * walk.c - the program that is played natively and preloaded: see walk.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "walk.h"

enum {
	LIMIT_S = 20, /* a walk takes milliseconds */
};

static const char usage[] =
	"usage: walk write SEED STEPS KIND    print the program of a seed\n"
	"       walk play SEED STEPS KIND     play it and print the hash of its log\n"
	"       walk show [FILE]              play a program and print its log\n"
	"KIND is full, thread, short or poll: what waits take, and what the program may contain.\n";

static char text[PROGRAM_SIZE_MAX];

static int refuse(const char *what, const char *value)
{
	fprintf(stderr, "walk: %s: '%s'\n%s", what, value, usage);
	return 2;
}

static bool parse_number(const char *word, uint64_t *ret_number)
{
	char *end;

	*ret_number = strtoull(word, &end, 10);
	return *word && !*end;
}

static void play(bool is_shown)
{
	alarm(LIMIT_S); /* the default action needs nobody's cooperation */
	settle_init();
	process_init();
	log_open(is_shown);
	program_play(text);
	log_close();
}

/* write and play: SEED STEPS KIND */
static int of_seed(char **argv)
{
	uint64_t seed, nr_steps;
	int kind = 0;
	size_t length;

	if (!parse_number(argv[2], &seed))
		return refuse("no seed, which is a number", argv[2]);
	if (!parse_number(argv[3], &nr_steps) || nr_steps > 10000)
		return refuse("no number of steps up to 10000", argv[3]);
	while (kind < KIND_MAX && strcmp(kind_names[kind], argv[4]))
		kind++;
	if (kind == KIND_MAX)
		return refuse("no such kind", argv[4]);
	length = write_program(text, sizeof(text), seed, (int)nr_steps, (enum kind)kind);
	if (!strcmp(argv[1], "write"))
		return fwrite(text, 1, length, stdout) == length ? 0 : 2;
	play(false);
	return 0;
}

static int show(const char *path)
{
	FILE *file = path ? fopen(path, "r") : stdin;

	if (!file)
		return refuse("no program can be read", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	if (file != stdin)
		fclose(file);
	play(true);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && (!strcmp(argv[1], "write") || !strcmp(argv[1], "play")))
		return of_seed(argv);
	if ((argc == 2 || argc == 3) && !strcmp(argv[1], "show"))
		return show(argv[2]);
	fputs(usage, stderr);
	return 2;
}
