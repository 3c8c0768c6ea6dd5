// SPDX-License-Identifier: MIT
/*
 * edges.c - runs the script of edges.h.
 *
 * How a claim knows that a wakeup has been given: a kernel epoll that interpoll
 * knows nothing of, the witness, watches the file too and was there first.  The
 * kernel tells the youngest watcher of a file first, so what the witness has been
 * told, the eventpoll has.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw.h"
#include "edges.h"

#define INTEREST_IN   (EPOLLIN | EPOLLPRI | EPOLLRDHUP)
#define INTEREST_BOTH (INTEREST_IN | EPOLLOUT)

#define WORD_SIZE 8
#define DATA	  7

enum step {
	ADD,
	READY,
	USE,
	EXHAUST,
	MOD,
	OFF,
	ON,
	RENEW,
	END
};

static const enum step script[] = {
	ADD, READY, READY, USE, EXHAUST, READY, MOD, OFF, READY, ON, USE, RENEW, END, EXHAUST,
};

#define NR_STEPS ((int)(sizeof(script) / sizeof(script[0])))

/* One run of the script. */
struct run {
	const struct edges_kind *kind;
	struct edges_stage stage;
	uint32_t interest;
	uint32_t trigger;
	bool arms_again; /* MOD after each event */
	int epfd;
	uint32_t armed; /* what the eventpoll was told last */
};

/* ---- for kinds --------------------------------------------------------- */

void edges_keep(struct edges_stage *stage, int fd)
{
	EXPECT_INT(stage->nr_others, <, EDGES_OTHERS_MAX);
	stage->others[stage->nr_others++] = fd;
}

void edges_close_peer(struct edges_stage *stage)
{
	CLOSE(stage->peer);
	stage->peer = -1;
}

void edges_read_all(struct edges_stage *stage)
{
	char bytes[4096];

	while (read(stage->fd, bytes, sizeof(bytes)) > 0)
		;
}

static int raw_must(long result)
{
	if (result < 0)
		FAIL("the kernel said %s", strerrorname_np((int)-result));
	return (int)result;
}

static void witness_open(struct edges_stage *stage)
{
	struct epoll_event event = {.events = INTEREST_BOTH | EPOLLET};

	stage->witness = raw_must(raw_call(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0));
	raw_must(raw_call(SYS_epoll_ctl, stage->witness, EPOLL_CTL_ADD, stage->fd, (long)&event, 0,
			  0));
}

static int witness_ask(struct edges_stage *stage, int timeout_ms)
{
	struct epoll_event event;

	return raw_must(raw_call(SYS_epoll_pwait, stage->witness, (long)&event, 1, timeout_ms, 0,
				 sizeof(uint64_t)));
}

void edges_await_wakeup(struct edges_stage *stage)
{
	EXPECT_INT(witness_ask(stage, -1), ==, 1);
}

/* ---- words ------------------------------------------------------------- */

static void word_of(char word[WORD_SIZE], uint32_t events)
{
	static const struct {
		uint32_t bit;
		char letter;
	} letters[] = {
		{EPOLLIN, 'I'},	   {EPOLLPRI, 'P'}, {EPOLLOUT, 'O'},
		{EPOLLRDHUP, 'R'}, {EPOLLHUP, 'H'}, {EPOLLERR, 'E'},
	};
	int nr = 0;

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (events & letters[i].bit)
			word[nr++] = letters[i].letter;
	if (nr == 0)
		word[nr++] = '-';
	word[nr] = '\0';
}

/* The next blank-separated word of a row. */
static void next_word(const char **row, char word[WORD_SIZE])
{
	int length;

	*row += strspn(*row, " ");
	length = (int)strcspn(*row, " ");
	EXPECT_INT(length, >, 0);
	EXPECT_INT(length, <, WORD_SIZE);
	memcpy(word, *row, (size_t)length);
	word[length] = '\0';
	*row += length;
}

static bool is_as_wanted(const char *got, const char *want)
{
	size_t length = strlen(want);

	if (want[length - 1] != '?')
		return strcmp(got, want) == 0;
	return strcmp(got, "-") == 0 ||
	       (strlen(got) == length - 1 && memcmp(got, want, length - 1) == 0);
}

static bool is_certain(const char *want)
{
	return !strchr(want, '?');
}

/* ---- the script -------------------------------------------------------- */

/* One wait: the bits it shows of the one file, 0 if nothing. */
static uint32_t look(struct run *run)
{
	struct epoll_event events[4];
	int nr = MUST(epoll_wait(run->epfd, events, 4, 0));

	if (nr == 0)
		return 0;
	EXPECT_INT(nr, ==, 1);
	EXPECT_INT(events[0].data.u64, ==, DATA);
	EXPECT_INT(events[0].events, !=, 0);
	if (run->arms_again)
		rewatch(run->epfd, run->stage.fd, run->armed, DATA);
	return events[0].events;
}

static void arm(struct run *run, bool is_new, uint32_t events)
{
	run->armed = events | run->trigger;
	if (is_new)
		watch(run->epfd, run->stage.fd, run->armed, DATA);
	else
		rewatch(run->epfd, run->stage.fd, run->armed, DATA);
}

/* False if the kind has no such step. */
static bool take_step(struct run *run, enum step step)
{
	struct edges_stage *stage = &run->stage;

	while (witness_ask(stage, 0) > 0)
		;
	switch (step) {
	case ADD:
		arm(run, true, run->interest);
		return true;
	case READY:
		stage->count++;
		run->kind->ready(stage);
		return true;
	case USE:
		if (run->kind->use)
			run->kind->use(stage);
		return run->kind->use != NULL;
	case EXHAUST:
		run->kind->exhaust(stage);
		return true;
	case MOD:
	case ON:
		arm(run, false, run->interest);
		return true;
	case OFF:
		arm(run, false, 0);
		return true;
	case RENEW:
		unwatch(run->epfd, stage->fd);
		arm(run, true, run->interest);
		return true;
	case END:
		if (run->kind->end)
			run->kind->end(stage);
		return run->kind->end != NULL;
	}
	return false;
}

static void run_open(struct run *run)
{
	run->stage = (struct edges_stage){.fd = -1, .peer = -1};
	run->kind->open(&run->stage);
	witness_open(&run->stage);
	run->epfd = epoll_open();
}

static void run_close(struct run *run)
{
	struct edges_stage *stage = &run->stage;

	if (stage->peer >= 0)
		CLOSE(stage->peer);
	close_all(__FILE__, __LINE__, stage->others, stage->nr_others);
	CLOSE(run->epfd, stage->witness, stage->fd);
}

/* What the second wait must say after the first said @shown. */
static uint32_t shown_again(const struct run *run, uint32_t shown)
{
	return run->trigger && !run->arms_again ? 0 : shown;
}

static void run_script(struct run *run, const char *name, const char *row)
{
	char all[NR_STEPS * (WORD_SIZE + 8) + 1] = "";
	const char *rest = row;
	bool is_right = true;

	run_open(run);
	for (int i = 0; i < NR_STEPS; i++) {
		char want[WORD_SIZE], got[WORD_SIZE] = ".", again[WORD_SIZE];
		size_t used = strlen(all);
		uint32_t shown, second;

		next_word(&rest, want);
		if (take_step(run, script[i])) {
			shown = look(run);
			second = look(run);
			word_of(got, shown);
			word_of(again, second);
			snprintf(all + used, sizeof(all) - used, " %s%s%s", got,
				 second == shown_again(run, shown) ? "" : "/",
				 second == shown_again(run, shown) ? "" : again);
			if (is_certain(want) && second != shown_again(run, shown))
				is_right = false;
		} else {
			snprintf(all + used, sizeof(all) - used, " .");
		}
		is_right &= is_as_wanted(got, want);
	}
	if (!is_right)
		FAIL("with interest in %s: expected %s, got%s", name, row, all);
	run_close(run);
}

static void run_both(const struct edges_kind *kind, uint32_t trigger, bool arms_again,
		     const char *row_in, const char *row_both)
{
	struct run run = {.kind = kind, .trigger = trigger, .arms_again = arms_again};

	run.interest = INTEREST_IN;
	run_script(&run, arms_again ? "input, armed again" : "input", row_in);
	run.interest = INTEREST_BOTH;
	run_script(&run, arms_again ? "both, armed again" : "both", row_both);
}

void edges(const struct edges_kind *kind, uint32_t trigger, const char *row_in,
	   const char *row_both)
{
	run_both(kind, trigger, false, row_in, row_both);
	if (trigger == 0) {
		run_both(kind, EPOLLONESHOT, true, row_in, row_both);
		run_both(kind, EPOLLONESHOT | EPOLLET, true, row_in, row_both);
	}
	if (trigger == EPOLLONESHOT)
		run_both(kind, EPOLLONESHOT | EPOLLET, false, row_in, row_both);
}
