/* SPDX-License-Identifier: MIT */
/*
 * steps.h - what the steps of different families have in common.
 */
#ifndef DIFFERENTIAL_STEPS_H
#define DIFFERENTIAL_STEPS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>

enum {
	STEP_EVENTS_MAX = 1024, /* that a wait takes */
};

bool is_eventpoll(int fd);
int socket_domain(int fd);	   /* -1: it is no socket */
int open_again(int fd, int flags); /* steps_file.c: another description of the same file */

/* steps_watch.c: as sets or in order, as the program says; sorts them in place */
void log_events(struct epoll_event *events, int nr);

/*
 * steps_process.c: what interrupts waits is blocked but for those that use this mask;
 * it does nothing.
 */
#define STEP_INTERRUPTION SIGUSR2
sigset_t interruption_let_through(void);

/* steps_process.c: the signals that signalfds read; all are blocked, all the time */
enum {
	WALK_SIGNALS = 4,
};
int walk_signal(int index);

#endif
