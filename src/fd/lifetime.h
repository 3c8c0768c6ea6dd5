/* SPDX-License-Identifier: MIT */
/*
 * lifetime.h - descriptors come and go: what that means for files and watches.
 *
 * Everything that ends a descriptor is announced here before libc or the kernel
 * is asked to end it, because a watch whose description lives on must be told
 * the kernel (KEPT) while the number still names it.  What is announced may
 * still fail to happen only where the number was bad in the first place.
 *
 * Context: any, signal handlers included; outside sections (each function makes
 * its own) unless it says otherwise; errno is not touched.  None is a cancellation point.
 */
#ifndef INTERPOLL_FD_LIFETIME_H
#define INTERPOLL_FD_LIFETIME_H

#include "fd/table.h"

/* The slow half of lifetime_forget(): something is known of @fd. */
void lifetime_forget_known(int fd);

/*
 * Descriptor @fd is about to be closed.  For a number that nobody watched or
 * dup'ed this is one look-up: no lock, no call.
 */
static inline void lifetime_forget(int fd)
{
	struct table_entry *entry = table_entry(fd);

	if (!entry)
		return;
	if (__builtin_expect(!__atomic_load_n(&entry->file, __ATOMIC_ACQUIRE), 1))
		table_note_closed(entry);
	else
		lifetime_forget_known(fd);
}

/* All descriptors from @first to @last are about to be closed, but for our own. */
void lifetime_forget_range(unsigned int first, unsigned int last);

/*
 * The file of @fd, made if nobody needed one so far.  NULL for our own
 * descriptors, for numbers beyond the table, and when memory is out.
 * Inside a section, table lock held.
 */
struct file *lifetime_file(int fd);

/*
 * @fd, which the kernel has just handed out, names @file.  A file that the table
 * still has there was closed behind our back, and is forgotten.  0 or -ENOMEM.
 * Inside a section, table lock held.
 */
int lifetime_set(int fd, struct file *file);

/* A dup has made @newfd name what @oldfd names. */
void lifetime_share(int oldfd, int newfd);

/*
 * dup3(@oldfd, @newfd, @flags) is about to be made, dup2 if @flags is -1.
 * Forgets @newfd if the call will end it.  0; -EBUSY where @newfd is one of our
 * own descriptors (documented in dup2(2) for a number the kernel is just about
 * to hand out), -EBADF where @oldfd is.
 */
int lifetime_before_dup2(int oldfd, int newfd, int flags);

/*
 * Close [@first, @last] by @close_range, in pieces that leave our own descriptors
 * out.  Returns 0, or what the first piece that failed returned.
 */
int lifetime_close_around_own(unsigned int first, unsigned int last, int flags,
			      int (*close_range)(unsigned int first, unsigned int last, int flags));

/* A number above all descriptors of our own, at least @low. */
unsigned int lifetime_end_of_own(unsigned int low);

#endif
