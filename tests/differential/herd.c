// SPDX-License-Identifier: MIT
/*
 * herd.c - plays the programs of many seeds, natively and preloaded, and compares.
 *
 * Every walk is a process of its own, newly executed: nothing is left over from
 * the one before.  What they say is one line, a hash of all they saw.  For every
 * program that is not the same everywhere, herd prints a line:
 *
 *	differs SEED MODE	natively the same each time, and not so in that mode
 *	wavers SEED		not the same natively each time: the program is at fault
 *
 * and at last `done PROGRAMS STEPS EVENTS WALKS'.  Everything else (which seeds,
 * shrinking, what it means) is up to `run' beside this file.
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MODES_MAX = 8,
	ENVIRONMENT_MAX = 512,
	VERDICT_SIZE = 128,
	AGAIN = 3,   /* native walks of a program that seems to differ */
	SAMPLE = 16, /* of so many programs one is walked natively twice anyway */
};

#define ENDED "ended with status " /* instead of a hash */

struct mode {
	const char *name;
	char *environment[ENVIRONMENT_MAX];
	int nr_variables;
};

struct verdict {
	char text[VERDICT_SIZE];
};

static struct mode modes[MODES_MAX + 1]; /* [0] is native */
static int nr_modes = 1;
static char **walk_argv;
static uint64_t nr_walks, nr_steps, nr_events;

static void fail(const char *what)
{
	fprintf(stderr, "herd: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void add_variable(struct mode *mode, char *variable)
{
	if (mode->nr_variables < ENVIRONMENT_MAX - 1)
		mode->environment[mode->nr_variables++] = variable;
}

/* "epoll-strict,INTERPOLL_STRICT=1", and what preloads; NULL: native */
static void add_mode(char *text, char *preload)
{
	struct mode *mode = &modes[text ? nr_modes++ : 0];
	char *rest = text, *word;

	mode->name = text ? strtok_r(rest, ",", &rest) : "native";
	for (char **variable = environ; *variable; variable++)
		if (strncmp(*variable, "LD_PRELOAD=", 11) && strncmp(*variable, "INTERPOLL_", 10))
			add_variable(mode, *variable);
	if (!text)
		return;
	add_variable(mode, preload);
	while ((word = strtok_r(rest, ",", &rest)))
		add_variable(mode, word);
}

/* Play it; what the walk says, or how it ended if it says nothing. */
static struct verdict walk(struct mode *mode)
{
	posix_spawn_file_actions_t actions;
	struct verdict verdict;
	size_t length = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe(ends) < 0)
		fail("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (posix_spawn(&pid, walk_argv[0], &actions, NULL, walk_argv, mode->environment) != 0)
		fail(walk_argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while ((n = read(ends[0], verdict.text + length, VERDICT_SIZE - 1 - length)) > 0)
		length += (size_t)n;
	close(ends[0]);
	waitpid(pid, &status, 0);
	verdict.text[length] = '\0';
	if (status != 0)
		snprintf(verdict.text, VERDICT_SIZE, ENDED "%#x", status);
	nr_walks++;
	return verdict;
}

static bool is_same(const struct verdict *a, const struct verdict *b)
{
	return !strcmp(a->text, b->text);
}

static bool wavers(const struct verdict *native, int nr_more)
{
	while (nr_more-- > 0) {
		struct verdict again = walk(&modes[0]);

		if (!is_same(native, &again))
			return true;
	}
	return false;
}

static void compare(uint64_t seed)
{
	struct verdict native = walk(&modes[0]), theirs;
	uint64_t steps, events;

	if (!strncmp(native.text, ENDED, strlen(ENDED))) { /* then it compares with nothing */
		printf("wavers %" PRIu64 "\n", seed);
		return;
	}
	if (sscanf(native.text, "%*s %" SCNu64 " steps %" SCNu64, &steps, &events) == 2) {
		nr_steps += steps;
		nr_events += events;
	}
	if (seed % SAMPLE == 0 && wavers(&native, 1)) {
		printf("wavers %" PRIu64 "\n", seed);
		return;
	}
	for (int i = 1; i < nr_modes; i++) {
		theirs = walk(&modes[i]);
		if (is_same(&native, &theirs))
			continue;
		if (wavers(&native, AGAIN)) {
			printf("wavers %" PRIu64 "\n", seed);
			return;
		}
		printf("differs %" PRIu64 " %s\n", seed, modes[i].name);
	}
}

int main(int argc, char **argv)
{
	char seed[32], verb[] = "play", *walk_words[] = {NULL, verb, seed, NULL, NULL, NULL};
	uint64_t first, count;

	if (argc < 8) {
		fputs("usage: herd WALK LD_PRELOAD=LIBRARY FIRST COUNT STEPS KIND "
		      "MODE[,VARIABLE=VALUE]...\n",
		      stderr);
		return 2;
	}
	walk_words[0] = argv[1];
	walk_words[3] = argv[5];
	walk_words[4] = argv[6];
	walk_argv = walk_words;
	add_mode(NULL, NULL);
	for (int i = 7; i < argc && nr_modes <= MODES_MAX; i++)
		add_mode(argv[i], argv[2]);
	first = strtoull(argv[3], NULL, 10);
	count = strtoull(argv[4], NULL, 10);
	for (uint64_t i = first; i < first + count; i++) {
		snprintf(seed, sizeof(seed), "%" PRIu64, i);
		compare(i);
	}
	printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count, nr_steps, nr_events,
	       nr_walks);
	return 0;
}
