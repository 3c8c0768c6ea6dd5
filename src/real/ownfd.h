/* SPDX-License-Identifier: MIT */
/*
 * ownfd.h - descriptors that interpoll keeps for itself in the host's process.
 *
 * They are numbered high, so that they do not take the small numbers a host
 * expects to get, close-on-exec, and known to the descriptor table, so that the
 * host's close-everything loops step over them.
 */
#ifndef INTERPOLL_REAL_OWNFD_H
#define INTERPOLL_REAL_OWNFD_H

/*
 * Move @fd, or -errno from the call that should have made it, to a number of our
 * own.  Returns the new number; @fd itself if there is none high enough; -errno.
 */
int ownfd_take(int fd);

/*
 * A second, close-on-exec descriptor of our own for the description of @fd, numbered
 * low if there is none high enough.  -errno.
 */
int ownfd_dup(int fd);

/* Close a descriptor of our own; nothing for -1. */
void ownfd_close(int fd);

/*
 * Open what /proc says of @fd (its fdinfo), close-on-exec, for the length of one
 * look at it; one at a time a thread.  A thread that leaves in the middle by
 * siglongjmp() gives it back with ownfd_recover().  -errno as openat(2).
 */
int ownfd_borrow_fdinfo(int fd);
void ownfd_return(int info);
void ownfd_recover(void);

/* Told of each number taken and given back.  Set once, by the descriptor table. */
extern void (*ownfd_was_taken)(int fd);
extern void (*ownfd_was_closed)(int fd);

#endif
