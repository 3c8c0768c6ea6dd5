/* SPDX-License-Identifier: MIT */
/*
 * eventpoll.h - what the rooms above may ask of the engine.
 *
 * An eventpoll is the user-space counterpart of the kernel's struct eventpoll.
 * The rooms above hold the mapping from descriptors to files; the engine knows
 * files, items, and what is ready.
 *
 * Context: every function is called inside a section (section.h) and takes
 * ep->mtx itself; none may be called with an ep->mtx held.  ep_wait() leaves
 * the section while it sleeps and is a cancellation point, the others are not.
 * All return 0 or more, or -errno; errno is not touched.
 */
#ifndef INTERPOLL_ENGINE_EVENTPOLL_H
#define INTERPOLL_ENGINE_EVENTPOLL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "engine/file.h"
#include "source/source.h"

struct eventpoll;

/* How eventpolls are made from now on; set once, before the first is made. */
struct ep_config {
	const struct source_ops *source;
	bool has_loop;	/* driver `thread': the poll loop collects, waiters sleep on a wait queue */
	bool is_strict; /* every eventpoll is settled from the start */
	bool has_selfcheck; /* compare what we believe with what is, after every change */
	bool spins;	    /* look for a while before sleeping in S ... */
	uint32_t spin_ns;   /* ... so long, always; 0: as long as it pays */

	/* Does @fd name @file?  For the child of fork; NULL: all do that did. */
	bool (*names)(int fd, const struct file *file);
};

void ep_configure(const struct ep_config *config);

/*
 * Make an eventpoll and its file; @flags as epoll_create1(2) takes them.
 * Returns the descriptor and stores the file, with the descriptor's reference,
 * in @ret_file.  -EINVAL, -EMFILE, -ENFILE, -ENOMEM.
 */
int ep_open(int flags, struct file **ret_file);

/*
 * epoll_ctl(2) on the eventpoll of @epfile.  @file is what @fd names; NULL if we
 * know nothing of it: then the kernel answers.  @event may be any pointer.  @hint,
 * if not NULL, is a word to be kept for each @fd, 0 at first: where its watch was
 * found last.  It may be wrong, and several threads may write it at once.
 * Errors: epoll_ctl(2); -EBADF if the eventpoll is gone.
 */
int ep_ctl(struct file *epfile, int op, int fd, struct file *file, struct epoll_event *event,
	   uint32_t *hint);

/*
 * epoll_ctl(2) from a signal handler that interrupted this thread's own section
 * (section_enter() said false): takes no lock.  With a kernel epoll the call is
 * put to it with the application's own flags and data; when the section ends, a
 * watch that we know becomes ours again, and one that we do not know stays the
 * kernel's, as everything that is registered behind our back.  Without a kernel
 * epoll, what can be checked is checked and the operation is made when the
 * section ends.
 */
int ep_ctl_interrupted(struct file *epfile, int op, int fd, struct file *file,
		       struct epoll_event *event);

/* One wait, as the caller asked for it. */
struct ep_wait_args {
	struct epoll_event *events;
	int maxevents;
	uint64_t timeout_ns;	 /* 0: look and return; CLOCK_FOREVER */
	const sigset_t *sigmask; /* NULL: leave the mask alone */
};

/* epoll_wait(2).  Returns the number of events, or -errno; -EBADF if the eventpoll is gone. */
int ep_wait(struct file *epfile, const struct ep_wait_args *args);

/*
 * The descriptor @fd of @file is about to be closed.  Items that watch it go,
 * or, if the description @may_live_on, become zombies that the kernel keeps.
 * Call it before the real close; it makes a system call only for zombies.
 */
void ep_forget_fd(struct file *file, int fd, bool may_live_on);

/*
 * The last descriptor of @epfile is about to be closed: free the eventpoll, or,
 * if threads sleep in it, leave that to the last of them.
 */
void ep_close(struct file *epfile);

/* @epfile is called @fd from now on: the number known so far is about to be closed. */
void ep_rename(struct file *epfile, int fd);

/* Somebody polls @epfile: from now on only the kernel can be exact about it. */
void ep_polled(struct file *epfile);

/*
 * @epfile is about to be used by another program: give every registration the
 * application's own flags and data.  From then on ep_is_released(): control calls
 * are the kernel's to answer, and of events only those of zombies, which could not
 * be given back, are ours.
 */
void ep_release(struct file *epfile);

static inline bool ep_is_released(const struct file *epfile)
{
	return epfile->is_released;
}

/* The application may register with @epfile's kernel epoll behind our back: park nothing. */
void ep_distrust_all(void);

/*
 * In the child of fork, before anything else of the engine is used: eventpolls
 * are the parent's until their next use, when ep_ctl() and ep_wait() give them
 * a kernel epoll of their own on the same number.
 */
void ep_fork_child(void);

/* Before that, where a handler forked and what it interrupted goes on: see lock_tear(). */
void ep_fork_interrupted(void);

/* The descriptor through which the application knows @epfile. */
int ep_fd(const struct file *epfile);

#endif
