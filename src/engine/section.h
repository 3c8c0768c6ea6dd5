/* SPDX-License-Identifier: MIT */
/*
 * section.h - where a thread is inside interpoll, as its signal handlers see it.
 *
 * A handler may run between any two instructions of ours and call us again.
 * Blocking signals would cost more than most of our calls, so a thread marks
 * instead that it is inside a section, and which locks it holds there:
 *
 *	section_enter() says false	a handler interrupted this thread's own
 *					section: take no lock, put to the kernel
 *					what the kernel must judge, and defer the
 *					rest with section_defer()
 *	section_enter() says true	inside now.  If the thread had left an earlier
 *					section by siglongjmp, its locks have been
 *					handed back and what they protect repaired
 *
 * Sections are short and never sleep; a waiter leaves its section for the time
 * it sleeps.  All of it is per thread: no atomics, a few plain stores.
 */
#ifndef INTERPOLL_ENGINE_SECTION_H
#define INTERPOLL_ENGINE_SECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/ensure.h"
#include "base/lock.h"

enum {
	SECTION_LOCKS_MAX = 16,	   /* locks held at once: table, loop, nested eventpolls */
	SECTION_DEFERRED_MAX = 32, /* the last place is for a vital one */
};

/*
 * A call that a handler made inside our own section, to be finished after it: inside
 * a section still, with no lock held, in the order of the calls and before any later
 * one of the thread.
 */
struct deferred {
	void (*run)(const struct deferred *deferred);
	void *object; /* what it is about, */
	void *file;   /* and what else */
	int op, fd;
	uint32_t serial; /* the caller's */
	bool is_vital;	 /* there is always room for one that is */
	struct epoll_event event;
};

/* Where on its stack a thread was: the address of a frame, and what it returned to. */
struct section_mark {
	uintptr_t frame; /* 0: nowhere */
	uintptr_t ret;
};

/*
 * Is the frame of @mark still on the stack of the calling thread, which is now
 * at @frame?  A handler runs below what it interrupted, or on the alternate
 * stack, and what it interrupted has kept its return address.  This tells of jumps
 * nobody saw (jump.h); it may take what is left for live, where nothing has been
 * written over it.
 */
bool section_mark_is_live(const struct section_mark *mark, uintptr_t frame);

/*
 * The calling thread is about to jump to @sp, the stack pointer of a function that
 * has not returned.  Does that unwind the frame of @mark?
 */
bool section_is_left(const struct section_mark *mark, uintptr_t sp);

/* The section that the calling thread's handler interrupted will not go on. */
void section_abandon(void);

struct section {
	struct section_mark mark;	     /* frame 0: outside */
	unsigned int nr_deferred, nr_popped; /* ever; a slot without run is being filled */
	bool is_finishing;		     /* what was popped last has not come to its end */
	bool is_announced;		     /* the end of the thread will be noticed */
	unsigned int nr_locks;
	struct section_lock {
		struct lock *lock;
		void (*repair)(struct lock *lock); /* of what it protects; may be NULL */
	} locks[SECTION_LOCKS_MAX];
	struct deferred deferred[SECTION_DEFERRED_MAX];
};

extern __thread struct section section_self __attribute__((tls_model("initial-exec")));

/* Once, early: see waiter_init(). */
void section_init(void);

/*
 * The slow half of section_enter(): we are inside already, or were abandoned, or a
 * handler comes between the end of a section and what was deferred in it.
 */
bool section_reenter(struct section_mark here);

/* The slow half of section_leave(). */
void section_run_deferred(void);

/* Is something deferred that has not been run? */
static inline bool section_is_behind(void)
{
	return section_self.nr_deferred != section_self.nr_popped;
}

/*
 * Both halves or, after a handler that made a section of its own in between, both
 * halves again.
 */
static inline void section_set_mark(struct section_mark here)
{
	struct section_mark *mark = &section_self.mark;

	do {
		__atomic_store_n(&mark->ret, here.ret, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_store_n(&mark->frame, here.frame, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&mark->ret, __ATOMIC_RELAXED) != here.ret ||
		 __atomic_load_n(&mark->frame, __ATOMIC_RELAXED) != here.frame);
}

static inline __attribute__((always_inline)) bool section_enter(void)
{
	struct section_mark here = {
		.frame = (uintptr_t)__builtin_frame_address(0),
		.ret = (uintptr_t)__builtin_return_address(0),
	};

	if (__builtin_expect(section_self.mark.frame != 0 || section_is_behind(), 0))
		return section_reenter(here);
	section_set_mark(here);
	return true;
}

/*
 * Go on with a section that was left to sleep; @mark is what section_self.mark
 * was in it.  (A frame of its own would be gone with the caller's next return.)
 */
static inline void section_resume(const struct section_mark *mark)
{
	section_set_mark(*mark);
}

static inline void section_leave(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	section_self.mark.frame = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(section_is_behind(), 0))
		section_run_deferred();
}

/* Is the calling thread inside a section?  For assertions. */
static inline bool section_is_inside(void)
{
	return section_self.mark.frame != 0;
}

/*
 * The slow halves of section_note() and section_release(): the first lock of a
 * thread, and locks that are not released in the order of acquisition.
 */
void section_announce(void);
void section_release_amid(struct lock *lock);

/*
 * A lock is noted before it is taken and forgotten after it is given back, so
 * that section_recover() finds it wherever the thread has jumped away;
 * lock_recover() knows whether it was held.
 */
static inline void section_note(struct lock *lock, void (*repair)(struct lock *lock))
{
	struct section *section = &section_self;
	unsigned int nr = section->nr_locks;

	if (__builtin_expect(!section->is_announced, 0))
		section_announce();
	ensure(nr < SECTION_LOCKS_MAX);
	if (__builtin_expect(nr == SECTION_LOCKS_MAX, 0))
		return; /* better a lock that a jump would lose than a write beyond */
	section->locks[nr] = (struct section_lock){lock, repair};
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	section->nr_locks = nr + 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Take @lock inside the section; @repair is called with the lock held if the
 * section is abandoned, and at once if its last holder was cut off (lock_tear()).
 * Locks are released in any order.
 */
static inline void section_acquire_nested(struct lock *lock, unsigned int depth,
					  void (*repair)(struct lock *lock))
{
	section_note(lock, repair);
	if (__builtin_expect(!lock_acquire_nested(lock, depth), 0) && repair)
		repair(lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void section_acquire(struct lock *lock, void (*repair)(struct lock *lock))
{
	section_acquire_nested(lock, 0, repair);
}

static inline void section_release(struct lock *lock)
{
	struct section *section = &section_self;
	unsigned int nr = section->nr_locks;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	lock_release(lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(nr && section->locks[nr - 1].lock == lock &&
				     (nr == 1 || section->locks[nr - 2].lock),
			     1))
		section->nr_locks = nr - 1;
	else
		section_release_amid(lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Have @deferred->run called when this thread's section ends.  For handlers
 * that interrupted it.  Returns 0, or -ENOMEM when too much is deferred, but not
 * to the first that is vital.
 */
int section_defer(const struct deferred *deferred);

/*
 * A handler's call is early while the kernel may know of it and our books do not:
 * whoever compares the two then learns nothing.  One that could not be deferred
 * never ends.  Counted over all threads, for the self-check.
 */
struct section_early {
	uint32_t begun, ended; /* ever */
};

extern struct section_early section_early;

static inline void section_early_begin(void)
{
	__atomic_add_fetch(&section_early.begun, 1, __ATOMIC_SEQ_CST);
}

static inline void section_early_end(void)
{
	__atomic_add_fetch(&section_early.ended, 1, __ATOMIC_SEQ_CST);
}

static inline uint32_t section_early_begun(void)
{
	return __atomic_load_n(&section_early.begun, __ATOMIC_SEQ_CST);
}

static inline bool section_is_early(void)
{
	return __atomic_load_n(&section_early.ended, __ATOMIC_SEQ_CST) != section_early_begun();
}

/* In the child of fork: the section that forked holds nothing here. */
void section_reset(void);

#endif
