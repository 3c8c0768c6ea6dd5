// SPDX-License-Identifier: MIT
#include "engine/section.h"

#include <errno.h>
#include <pthread.h>

#include "base/pages.h"
#include "real/ownfd.h"
#include "real/sys.h"
#include "real/uaccess.h"

__thread struct section section_self __attribute__((tls_model("initial-exec")));

struct section_early section_early;

/*
 * The thread left its section by siglongjmp.  Hand back its locks, innermost
 * first, each with what it protects made whole.
 */
static void section_recover(void)
{
	struct section *section = &section_self;

	ownfd_recover();
	pages_recover(); /* the room below cannot note its lock here */
	while (section->nr_locks) {
		struct section_lock held = section->locks[section->nr_locks - 1];

		if (held.lock)
			lock_recover(held.lock, held.repair);
		section->nr_locks--;
	}
	if (section->is_finishing)
		section_early_end();
	section->is_finishing = false;
}

/*
 * The stack of a thread that libc made ends at the thread's own descriptor.  What is
 * above that is another stack: an alternate one, of which sigaltstack(2) does not
 * tell while a handler is on it that was registered with SS_AUTODISARM.
 */
static bool section_is_other_stack(uintptr_t below, uintptr_t above)
{
	uintptr_t end = (uintptr_t)pthread_self();

	return below < end && above >= end;
}

/* A handler may end its thread in the middle of our code, by pthread_exit(). */
static pthread_key_t section_key;
static bool section_has_key;

static void section_thread_ends(void *unused)
{
	(void)unused;
	if (section_is_inside() || section_is_behind())
		section_abandon();
}

void section_init(void)
{
	section_has_key = pthread_key_create(&section_key, section_thread_ends) == 0;
}

/*
 * Stacks grow down: a frame that is not below the mark means that the mark's
 * has been unwound.  A thread that has left it and is now deeper than it was
 * then shows by the return address beside the saved frame pointer, which other
 * calls have written over.
 */
bool section_mark_is_live(const struct section_mark *mark, uintptr_t frame)
{
	const uintptr_t *saved = (const uintptr_t *)mark->frame;

	if (!mark->frame)
		return false;
	if (frame >= mark->frame && !(sys_altstack().ss_flags & SS_ONSTACK) &&
	    !section_is_other_stack(mark->frame, frame))
		return false;
	if (!uaccess_is_readable(saved, 2 * sizeof(*saved)))
		return false; /* the stack itself is gone */
	return __atomic_load_n(&saved[1], __ATOMIC_RELAXED) == mark->ret;
}

static bool section_is_within(const stack_t *stack, uintptr_t at)
{
	return at - (uintptr_t)stack->ss_sp < stack->ss_size;
}

/*
 * On one stack, what is below the target goes.  Whoever leaves the alternate stack
 * leaves all of it; whoever jumps on it leaves nothing of the thread's own.
 */
bool section_is_left(const struct section_mark *mark, uintptr_t sp)
{
	stack_t alternate = sys_altstack();
	bool is_mark_within = section_is_within(&alternate, mark->frame);
	bool is_target_within = section_is_within(&alternate, sp);

	if (!mark->frame || !sp)
		return false;
	if (is_mark_within != is_target_within)
		return is_mark_within;
	/* the alternate stack of a handler that disarms it; the main thread's is not told */
	if (!alternate.ss_size && sys_gettid() != sys_getpid()) {
		if (section_is_other_stack(mark->frame, sp))
			return false;
		if (section_is_other_stack(sp, mark->frame))
			return true;
	}
	return sp > mark->frame;
}

static struct deferred *section_deferred_slot(unsigned int nr)
{
	return &section_self.deferred[nr % SECTION_DEFERRED_MAX];
}

/*
 * Take the oldest deferred call off the queue.  Inside a section, so that a handler
 * that comes now adds to the queue and does not run what is on it.
 */
static bool section_pop_deferred(struct deferred *ret_deferred)
{
	struct section *section = &section_self;
	struct deferred *slot;

	while (section_is_behind()) {
		slot = section_deferred_slot(section->nr_popped);
		*ret_deferred = *slot;
		slot->run = NULL;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		section->nr_popped++;
		if (ret_deferred->run) /* else whoever took the slot has jumped away */
			return true;
	}
	return false;
}

/* Inside a section that holds no lock yet, or none any more. */
static void section_finish(void)
{
	struct deferred deferred;

	while (section_pop_deferred(&deferred)) {
		section_self.is_finishing = true;
		deferred.run(&deferred);
		section_self.is_finishing = false;
		section_early_end();
	}
}

/*
 * Each round is a section.  A handler that comes before it begins is a section of its
 * own and does what is deferred first.
 */
__attribute__((noinline)) void section_run_deferred(void)
{
	struct section_mark here = {
		.frame = (uintptr_t)__builtin_frame_address(0),
		.ret = (uintptr_t)__builtin_return_address(0),
	};

	while (section_is_behind()) {
		section_set_mark(here);
		section_finish();
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		section_self.mark.frame = 0;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
}

void section_abandon(void)
{
	section_recover();
	section_leave(); /* and what handlers deferred to the end that never came */
}

bool section_reenter(struct section_mark here)
{
	bool was_inside = section_self.mark.frame != 0;

	if (section_mark_is_live(&section_self.mark, here.frame))
		return false;
	section_set_mark(here); /* before the recovery: a handler in it must not begin another */
	if (was_inside)
		section_recover();
	section_finish();
	return true;
}

/* A handler may interrupt a handler here: first the slot is ours, then it is
 * filled. */
int section_defer(const struct deferred *deferred)
{
	struct section *section = &section_self;
	struct deferred later = *deferred;
	unsigned int nr = __atomic_load_n(&section->nr_deferred, __ATOMIC_RELAXED);
	struct deferred *slot;

	section_early_begin();
	do
		if (nr - section->nr_popped + !deferred->is_vital >= SECTION_DEFERRED_MAX)
			return -ENOMEM;
	while (!__atomic_compare_exchange_n(&section->nr_deferred, &nr, nr + 1, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	slot = section_deferred_slot(nr);
	later.run = NULL; /* until the rest is there */
	*slot = later;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	slot->run = deferred->run;
	return 0;
}

void section_announce(void)
{
	if (!section_has_key)
		return;
	section_self.is_announced = true;
	pthread_setspecific(section_key, &section_self);
}

void section_release_amid(struct lock *lock)
{
	struct section *section = &section_self;
	unsigned int i = section->nr_locks;

	while (i && section->locks[i - 1].lock != lock)
		i--;
	ensure(i);
	if (i)
		section->locks[i - 1].lock = NULL;
	/* the places of locks released out of order go when they are on top */
	while (section->nr_locks && !section->locks[section->nr_locks - 1].lock)
		section->nr_locks--;
}

void section_reset(void)
{
	section_self.mark.frame = 0;
	section_self.nr_locks = 0;
	section_self.nr_deferred = 0;
	section_self.nr_popped = 0;
	section_self.is_finishing = false;
	section_early.ended = section_early.begun; /* the other threads' calls are the parent's */
}
