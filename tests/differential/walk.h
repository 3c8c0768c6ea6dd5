/* SPDX-License-Identifier: MIT */
/*
 * walk.h - random programs about epoll, as text: written, read, played, logged.
 *
 *	seed --write_program()--> text --program_play()--> log
 *
 * A program is one step a line: a verb and what it is about.
 *
 *	kind full
 *	epoll e0
 *	pipe p1 p2
 *	add e0 p1 IN|ET 7
 *	write p2 100
 *	wait e0 256
 *
 * Names stand for descriptor numbers.  A name is -1 until a step makes it, and
 * keeps its number when that is closed: stale numbers are part of the matter.  So
 * every line can be left out of any program, which is what shrinking does.
 *
 * The same text is played natively and with libinterpoll.so preloaded, and the two
 * logs must be the same: every return value, errno, and event.  So a step must
 * leave nothing under way: what it causes has happened when it ends (settle.c).
 *
 * This is a plain program: nothing of the library is linked into it.
 */
#ifndef DIFFERENTIAL_WALK_H
#define DIFFERENTIAL_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a program may contain, and how its waits are compared. */
enum kind {
	KIND_FULL,   /* batches with room for everything, compared as sets */
	KIND_THREAD, /* as full, without what the thread driver is known not to do */
	KIND_SHORT,  /* batches of any size, compared in order */
	KIND_POLL,   /* as full, without what the poll source is known not to do */
	KIND_MAX,
};

extern const char *const kind_names[KIND_MAX];

/* -------- write.c: from a seed to a program, the same on every machine -------- */

/* Writes at most @size bytes and returns the length. */
size_t write_program(char *text, size_t size, uint64_t seed, int nr_steps, enum kind kind);

/* -------- program.c: read and play -------- */

enum {
	STEP_ARGS_MAX = 6,
	STEP_LINE_MAX = 192,
	PROGRAM_NAMES_MAX = 1024,
	PROGRAM_SIZE_MAX = 1 << 20,
};

struct arg {
	int name;	  /* of a descriptor: where its number is kept; else -1 */
	int64_t number;	  /* a number, or a mask */
	const char *word; /* as it stands */
};

struct step {
	int nr_args;
	struct arg args[STEP_ARGS_MAX];
};

/* Plays all of @text.  Ends the process with a sentence if it is no program. */
void program_play(const char *text);

/* The number of a file that a step is about, and the naming of one that it made. */
int step_fd(const struct step *step, int index);
void step_name(const struct step *step, int index, int fd);
bool step_says(const struct step *step, int index, const char *word);

/*
 * A child plays the next @nr_lines in our place, which we pass over; the log is ours
 * both.  To be called by a step.
 */
void program_leave_to_child(int nr_lines);

/* Is it the number of an eventpoll that we, a child, share with our parent? */
bool program_is_parents(int fd);

extern bool program_is_sorted; /* compare waits as sets */
extern int program_fd_max;     /* the highest number a name has had */

/* -------- words.c -------- */

/* Masks as text: "IN|ET|0x20".  Returns false if @text is none. */
bool mask_parse(const char *text, uint32_t *ret_mask);
size_t mask_print(char *text, size_t size, uint32_t mask);
void errno_print(char *text, size_t size, int error);

/* -------- log.c: what is compared -------- */

/*
 * The log is hashed; with @is_shown it is written out as well, line by line.  It
 * lives in memory that children share, so that they write the same one.
 */
void log_open(bool is_shown);
void log_step(int line, const char *text);
void log_result(long result);		      /* of a call; errno if it is -1 */
void log_value(const char *name, long value); /* anything else */
void log_event(uint32_t events, uint64_t data);
void log_end_step(void);
void log_close(void); /* the hash, and how much was seen */

/* -------- settle.c: what a step causes has happened when it ends -------- */

enum {
	OWN_FDS = 960, /* the walk's own descriptors are above, programs' below */
};

void settle_init(void);
void settle_note_inet(void);	     /* from now on there are sockets of the network */
void settle_note_terminal(int name); /* the slave; there is one in a program */
void settle_end(int fd);	     /* of a connection, by shutdown(2) */
void settle_inet(void);		     /* packets under way have arrived */
int own_fd(int fd);		     /* move it out of the program's way */

/* write(2); false if what is written there could not be settled: then nothing is. */
bool settle_write(int fd, const void *bytes, size_t length, ssize_t *ret_written);

/* -------- steps_*.c: one function a verb -------- */

typedef void play_fn(const struct step *step);

/* steps_file.c: files are made */
play_fn play_epoll, play_pipe, play_fifo, play_pair, play_tcp, play_udp, play_listen, play_connect,
	play_accept, play_event, play_timer, play_signal, play_inotify, play_pty, play_plain;

/* steps_io.c: something happens to them */
play_fn play_write, play_count, play_read, play_drain, play_fill, play_urgent, play_shut,
	play_linger, play_set, play_raise, play_touch;

/* steps_number.c: descriptors come and go */
play_fn play_close, play_range, play_dup, play_dup2, play_dup3, play_fdup, play_reopen, play_send,
	play_recv;

/* steps_watch.c: the eventpoll */
play_fn play_add, play_mod, play_del, play_ctl, play_null, play_rawadd, play_rawdel, play_wait,
	play_badwait, play_poll, play_select;

/* steps_process.c: other processes, and signals that interrupt */
play_fn play_pidfd, play_hold, play_kill, play_reap, play_spawn, play_interrupt, play_child;

/* steps_wake.c: a thread wakes us out of a wait */
play_fn play_wake;

/* steps_crowd.c: more files than any array of the library's holds */
play_fn play_crowd, play_stir, play_disperse;

void process_init(void);

#endif
