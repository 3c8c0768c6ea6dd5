/* SPDX-License-Identifier: MIT */
/*
 * check.h - interpoll --check: what would interpoll see of a program?
 */
#ifndef INTERPOLL_CLI_CHECK_H
#define INTERPOLL_CLI_CHECK_H

/* --check: interpoll would find no epoll call to see. */
#define CHECK_NOTHING 1

/*
 * Say on stdout whether @program can be preloaded, and if so which epoll calls it
 * and the libraries it is linked with make, through the C library or by themselves.
 *
 * Returns 0 if there are calls that interpoll sees, CHECK_NOTHING if none were found,
 * or the say_status that running it would be refused with.
 */
int check(const char *program);

#endif
