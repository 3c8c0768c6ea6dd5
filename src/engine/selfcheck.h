/* SPDX-License-Identifier: MIT */
/*
 * selfcheck.h - do we believe of an eventpoll what is true?  For src/engine only.
 *
 * With the setting `selfcheck', whoever has changed what an eventpoll watches
 * finds, as he lets go of its mtx, the books compared: tree, lists and counters with
 * the slab, and the slab with what the source has registered, for S that is what
 * /proc says.  A difference ends the program, with one line about it on stderr.
 *
 * An eventpoll of more than a thousand watches is not looked at every time, but it
 * is looked at.
 *
 * What must be at the source, by state of the item
 *
 *	LIVE, PARKED, UNCONFIRMED	its tag, number and armed mask
 *	ZOMBIE		the same, if anything: nobody tells us of its end
 *	spent		(a one-shot) kept by us as it was armed; kept by the kernel with
 *			no condition left, or ERR and HUP, which a MOD leaves on; or
 *			dormant: not at all
 *
 * What else may be there, or not, and proves nothing
 *
 *	- Registrations made behind our back: under no tag of ours.
 *	- Those that were left to the kernel to forget (selfcheck_left()): a close is
 *	  under way, or, where we could not know, the file lives on after it.
 *	- An item whose number was closed behind our back, by a raw system call or by
 *	  a handler in the middle of our code: its registration went with it.  Then the
 *	  number is free, or names another file than when we last saw it.  (Anonymous
 *	  inodes, eventfds and the like, all look alike: of them it cannot be told.)
 *	- A watch that was modified behind our back: its number is there, under a tag
 *	  that is not ours.  With io_uring about, watches may be deleted so, too.
 *	- While a handler's call is at the kernel and not in our books yet
 *	  (section_early), nothing can be said; nor of an S that is the parent's
 *	  over fork, that was handed over, or whose number was closed behind our back.
 *
 * Locks: mtx and the source's, so that neither side changes.  Descriptors: one, for
 * the length of a look; where there is none the look is left out, and counted.
 */
#ifndef INTERPOLL_ENGINE_SELFCHECK_H
#define INTERPOLL_ENGINE_SELFCHECK_H

#include <stdbool.h>
#include <stdint.h>

struct epitem;
struct eventpoll;

/* What is known of a slot of ep->items beside the item. */
struct selfcheck_note {
	uint64_t tag;	   /* under which the source was last seen to have it */
	uint64_t dev, ino; /* what its number named then */
	uint32_t round;	   /* of that look */
	uint32_t left;	   /* the last generation that was left to the kernel to forget; 0: none */
};

/* The part of an eventpoll that belongs to the self-check. */
struct selfcheck {
	const char *after; /* the last change that was not looked at; NULL: none */
	int after_fd;
	uint32_t round;	     /* looks so far */
	uint32_t nr_put_off; /* times one was due since the last, in a large eventpoll */
	struct selfcheck_note *notes;
	uint32_t nr_notes;
	bool is_blind; /* a note could not be kept: the source is not asked any more */
};

extern bool selfcheck_is_on;

/* The books of @ep were changed, by what @after says about @fd.  Any lock. */
static inline void selfcheck_changed(struct selfcheck *check, const char *after, int fd)
{
	if (__builtin_expect(selfcheck_is_on, 0)) {
		check->after_fd = fd;
		__atomic_store_n(&check->after, after, __ATOMIC_RELAXED);
	}
}

/*
 * The registration of @epi, of @generation or older, is left to the kernel to forget
 * by itself; or it has, as it says.
 */
void selfcheck_left(struct epitem *epi, uint32_t generation);

/*
 * Look at @ep, which was changed; mtx is held, and no lock after it.  Returns if
 * all is well, or if another time will do.
 */
void selfcheck_look(struct eventpoll *ep);

void selfcheck_fini(struct selfcheck *check);

/* selfcheck_books.c: the slab, and tree, lists and counters. */
void selfcheck_books(struct eventpoll *ep);

/* Say on stderr what is wrong, of @epi or (NULL) of all of @ep, and abort. */
_Noreturn void selfcheck_fail(const struct eventpoll *ep, const struct epitem *epi,
			      const char *text);

#endif
