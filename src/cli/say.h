/* SPDX-License-Identifier: MIT */
/*
 * say.h - how the command speaks about itself, and how it exits.
 */
#ifndef INTERPOLL_CLI_SAY_H
#define INTERPOLL_CLI_SAY_H

/*
 * Exit statuses that are the command's own, as env(1) and timeout(1) have them;
 * all others are the program's.
 */
enum say_status {
	SAY_OWN_ERROR = 125,  /* interpoll refuses or fails; the program was not started */
	SAY_CANNOT_RUN = 126, /* the program was found but cannot be executed */
	SAY_NOT_FOUND = 127,
};

/* One line on stderr, "interpoll: " before it, in one write(2). */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
