// SPDX-License-Identifier: MIT
/*
 * program.c - the text of a program, read and played line by line.
 */
#include "walk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const kind_names[KIND_MAX] = {"full", "short", "poll"};
bool program_is_sorted;
int program_fd_max;

/* -------- verbs -------- */

/*
 * What a verb is followed by: f a file by its name, n a number, m a mask, w a
 * word; + as many more of the last as there are.
 */
struct verb {
	const char *name;
	const char *signature;
	play_fn *play;
	bool settles; /* may leave something under way */
};

static void play_kind(const struct step *step)
{
	program_is_sorted = !step_says(step, 0, "short");
}

static const struct verb verbs[] = {
	{"kind", "w", play_kind, false},

	{"epoll", "f", play_epoll, false},
	{"pipe", "ff", play_pipe, false},
	{"fifo", "ff", play_fifo, false},
	{"pair", "ffw", play_pair, false},
	{"tcp", "ff", play_tcp, true},
	{"udp", "ff", play_udp, true},
	{"listen", "fw", play_listen, true},
	{"connect", "ff", play_connect, true},
	{"accept", "ff", play_accept, true},
	{"event", "fnw", play_event, false},
	{"timer", "f", play_timer, false},
	{"signal", "fn", play_signal, false},
	{"inotify", "f", play_inotify, false},
	{"pidfd", "ff", play_pidfd, true},
	{"pty", "ff", play_pty, true},
	{"plain", "fw", play_plain, false},

	{"write", "fn", play_write, true},
	{"count", "fn", play_count, false},
	{"read", "fn", play_read, true},
	{"drain", "f", play_drain, true},
	{"fill", "f", play_fill, true},
	{"urgent", "f", play_urgent, true},
	{"shut", "fw", play_shut, true},
	{"linger", "f", play_linger, false},
	{"set", "fw", play_set, false},
	{"raise", "nw", play_raise, false},
	{"touch", "", play_touch, false},

	{"close", "fw", play_close, true},
	{"range", "ff", play_range, true},
	{"dup", "ff", play_dup, false},
	{"dup2", "ff", play_dup2, true},
	{"dup3", "ff", play_dup3, true},
	{"fdup", "ffn", play_fdup, false},
	{"reopen", "ff", play_reopen, false},
	{"send", "ff", play_send, false},
	{"recv", "ff", play_recv, false},

	{"add", "ffmn", play_add, false},
	{"mod", "ffmn", play_mod, false},
	{"del", "ff", play_del, false},
	{"ctl", "fnfmn", play_ctl, false},
	{"null", "fnf", play_null, false},
	{"rawadd", "ffmn", play_rawadd, false},
	{"rawdel", "ff", play_rawdel, false},
	{"wait", "fnwn", play_wait, false},
	{"badwait", "fnw", play_badwait, false},
	{"poll", "f+", play_poll, false},
	{"select", "f+", play_select, false},

	{"hold", "f", play_hold, false},
	{"kill", "f", play_kill, true},
	{"reap", "f", play_reap, true},
	{"spawn", "", play_spawn, true},
	{"interrupt", "fnn", play_interrupt, false},
	{"child", "n", play_child, false},
	{"wake", "fnfn", play_wake, true},

	{"crowd", "fnmn", play_crowd, false},
	{"stir", "n", play_stir, false},
	{"disperse", "", play_disperse, false},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* -------- names -------- */

static char *names[PROGRAM_NAMES_MAX];
static int numbers[PROGRAM_NAMES_MAX];

/* The place of @name in the table, made if it is new; -1 if there is no place. */
static int find_name(const char *name)
{
	uint32_t hash = 0;

	for (const char *c = name; *c; c++)
		hash = hash * 31 + (unsigned char)*c;
	for (int i = 0; i < PROGRAM_NAMES_MAX; i++) {
		int at = (int)((hash + (uint32_t)i) % PROGRAM_NAMES_MAX);

		if (!names[at]) {
			names[at] = strdup(name);
			numbers[at] = -1;
			return names[at] ? at : -1;
		}
		if (!strcmp(names[at], name))
			return at;
	}
	return -1;
}

int step_fd(const struct step *step, int index)
{
	return numbers[step->args[index].name];
}

void step_name(const struct step *step, int index, int fd)
{
	numbers[step->args[index].name] = fd;
	if (fd < OWN_FDS && fd > program_fd_max)
		program_fd_max = fd;
}

bool step_says(const struct step *step, int index, const char *word)
{
	return !strcmp(step->args[index].word, word);
}

/* -------- lines -------- */

static bool arg_parse(struct arg *arg, char what, const char *word)
{
	char *end = NULL;
	uint32_t mask;

	arg->word = word;
	switch (what) {
	case 'f':
		arg->name = find_name(word);
		return arg->name >= 0;
	case 'n':
		arg->number = strtoll(word, &end, 0);
		return end != word && !*end;
	case 'm':
		if (!mask_parse(word, &mask))
			return false;
		arg->number = mask;
		return true;
	default:
		return true;
	}
}

/* Cuts @line up.  NULL if it is no step. */
static const struct verb *line_parse(char *line, struct step *step)
{
	char *rest = line, *word = strtok_r(rest, " ", &rest);
	const struct verb *verb = word ? find_verb(word) : NULL;
	const char *what = verb ? verb->signature : "";

	step->nr_args = 0;
	if (!verb)
		return NULL;
	while ((word = strtok_r(rest, " ", &rest))) {
		if (!*what || step->nr_args == STEP_ARGS_MAX ||
		    !arg_parse(&step->args[step->nr_args], *what, word))
			return NULL;
		step->nr_args++;
		if (what[1] != '+')
			what++;
	}
	return !*what || what[1] == '+' ? verb : NULL;
}

static void line_play(int number, const char *text)
{
	char line[STEP_LINE_MAX];
	const struct verb *verb;
	struct step step;

	snprintf(line, sizeof(line), "%s", text);
	verb = line_parse(line, &step);
	if (!verb) {
		fprintf(stderr, "walk: line %d is no step: '%s'; program.c has the list of verbs\n",
			number, text);
		exit(2);
	}
	log_step(number, text);
	verb->play(&step);
	if (verb->settles)
		settle();
	log_end_step();
}

/* -------- the program -------- */

static int nr_lines_left = -1; /* until a child ends; -1: we are none */
static int nr_lines_over;      /* that a child has played for us */

void program_leave_to_child(int nr_lines)
{
	int status = -1;
	pid_t pid;

	if (nr_lines_left >= 0) /* a child has none of its own */
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nr_lines_left = nr_lines;
		return;
	}
	nr_lines_over = nr_lines;
	waitpid(pid, &status, 0);
	log_value("child ended with", status);
}

/* Is the line at hand for us to play? */
static bool line_is_ours(void)
{
	if (nr_lines_left == 0)
		_exit(0);
	if (nr_lines_left > 0)
		nr_lines_left--;
	return nr_lines_over-- <= 0;
}

/* Lines are logged by their number among those that are steps; comments are free. */
void program_play(const char *text)
{
	int number = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");
		char line[STEP_LINE_MAX];

		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		if (length && line[0] != '#') {
			number++;
			if (line_is_ours())
				line_play(number, line);
		}
		text += length + (text[length] == '\n');
	}
	if (nr_lines_left >= 0)
		_exit(0);
}
