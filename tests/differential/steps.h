/* SPDX-License-Identifier: MIT */
/*
 * steps.h - what the steps of different families have in common.
 */
#ifndef DIFFERENTIAL_STEPS_H
#define DIFFERENTIAL_STEPS_H

#include <sys/epoll.h>

int open_again(int fd, int flags); /* steps_file.c: another description of the same file */

/* steps_watch.c: as sets or in order, as the program says; sorts them in place */
void log_events(struct epoll_event *events, int nr);

/* steps_process.c: the signals that signalfds read; all are blocked, all the time */
enum {
	WALK_SIGNALS = 4,
};
int walk_signal(int index);

#endif
