// SPDX-License-Identifier: MIT
/*
 * program.c - the text of a program, read and played line by line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

const char *const kind_names[KIND_MAX] = {"full", "thread", "short", "poll"};
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
	bool settles;  /* may leave something under way */
	bool is_epoll; /* is about the eventpolls it names, and what they watch */
};

static void play_kind(const struct step *step)
{
	program_is_sorted = !step_says(step, 0, "short");
}

static const struct verb verbs[] = {
	{"kind", "w", play_kind, false, false},

	{"epoll", "f", play_epoll, false, false},
	{"pipe", "ff", play_pipe, false, false},
	{"fifo", "ff", play_fifo, false, false},
	{"pair", "ffw", play_pair, false, false},
	{"tcp", "ff", play_tcp, true, false},
	{"udp", "ff", play_udp, true, false},
	{"listen", "fw", play_listen, true, false},
	{"connect", "ff", play_connect, true, false},
	{"accept", "ff", play_accept, true, false},
	{"event", "fnw", play_event, false, false},
	{"timer", "f", play_timer, false, false},
	{"signal", "fn", play_signal, false, false},
	{"inotify", "f", play_inotify, false, false},
	{"pidfd", "ff", play_pidfd, true, false},
	{"pty", "ff", play_pty, true, false},
	{"plain", "fw", play_plain, false, false},

	{"write", "fn", play_write, true, false},
	{"count", "fn", play_count, false, false},
	{"read", "fn", play_read, true, false},
	{"drain", "f", play_drain, true, false},
	{"fill", "f", play_fill, true, false},
	{"urgent", "f", play_urgent, true, false},
	{"shut", "fw", play_shut, true, false},
	{"linger", "f", play_linger, false, false},
	{"set", "fw", play_set, false, false},
	{"raise", "nw", play_raise, false, false},
	{"touch", "", play_touch, false, false},

	{"close", "fw", play_close, true, false},
	{"range", "ff", play_range, true, false},
	{"dup", "ff", play_dup, false, false},
	{"dup2", "ff", play_dup2, true, false},
	{"dup3", "ff", play_dup3, true, false},
	{"fdup", "ffn", play_fdup, false, false},
	{"reopen", "ff", play_reopen, false, false},
	{"send", "ff", play_send, false, false},
	{"recv", "ff", play_recv, false, false},

	{"add", "ffmn", play_add, false, true},
	{"mod", "ffmn", play_mod, false, true},
	{"del", "ff", play_del, false, true},
	{"ctl", "fnfmn", play_ctl, false, true},
	{"null", "fnf", play_null, false, true},
	{"rawadd", "ffmn", play_rawadd, false, true},
	{"rawdel", "ff", play_rawdel, false, true},
	{"wait", "fnwn", play_wait, false, true},
	{"badwait", "fnw", play_badwait, false, true},
	{"poll", "f+", play_poll, false, true},
	{"select", "f+", play_select, false, true},

	{"hold", "f", play_hold, false, false},
	{"kill", "f", play_kill, true, false},
	{"reap", "f", play_reap, true, false},
	{"spawn", "", play_spawn, true, false},
	{"interrupt", "fnn", play_interrupt, false, true},
	{"child", "n", play_child, false, false},
	{"wake", "fnfn", play_wake, true, true},

	{"crowd", "fnmn", play_crowd, false, true},
	{"stir", "n", play_stir, false, false},
	{"disperse", "", play_disperse, false, false},
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
	arg->name = -1;
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

/* A child and its parent have an eventpoll each, when preloaded: a known deviation. */
static bool names_parents(const struct step *step)
{
	for (int i = 0; i < step->nr_args; i++)
		if (step->args[i].name >= 0 && program_is_parents(step_fd(step, i)))
			return true;
	return false;
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
	if (verb->is_epoll && names_parents(&step))
		return;
	log_step(number, text);
	verb->play(&step);
	if (verb->settles)
		settle_inet();
	log_end_step();
}

/* -------- the program -------- */

static int nr_lines_left = -1; /* until a child ends; -1: we are none */
static int nr_lines_over;      /* that a child has played for us */

/* By number: eventpolls when the child began. */
static bool is_parents[OWN_FDS];

bool program_is_parents(int fd)
{
	return fd >= 0 && fd < OWN_FDS && is_parents[fd];
}

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
		for (int fd = 0; fd <= program_fd_max; fd++)
			is_parents[fd] = is_eventpoll(fd);
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
