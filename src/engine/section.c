// SPDX-License-Identifier: MIT
#include "engine/section.h"

#include <errno.h>

#include "real/sys.h"

__thread struct section section_self __attribute__((tls_model("initial-exec")));

/*
 * The thread left its section by siglongjmp.  Hand back its locks, innermost
 * first, each with what it protects made whole.
 */
static void section_recover(void)
{
	struct section *section = &section_self;

	while (section->nr_locks) {
		struct section_lock held = section->locks[section->nr_locks - 1];

		if (held.repair)
			held.repair(held.lock);
		section->nr_locks--;
		lock_release(held.lock);
	}
}

/*
 * Stacks grow down: a frame that is not below the mark means that the mark's has
 * been unwound.  A thread that has left it and is now deeper than it was then
 * shows by the return address beside the saved frame pointer, which other calls
 * have written over.
 */
bool section_mark_is_live(const struct section_mark *mark, uintptr_t frame)
{
	const uintptr_t *saved = (const uintptr_t *)mark->frame;

	if (!mark->frame || (frame >= mark->frame && !sys_is_on_altstack()))
		return false;
	return __atomic_load_n(&saved[1], __ATOMIC_RELAXED) == mark->ret;
}

bool section_reenter(struct section_mark here)
{
	if (section_mark_is_live(&section_self.mark, here.frame))
		return false;
	section_recover();
	section_self.mark = here;
	section_leave(); /* what handlers deferred to the end that never came */
	section_self.mark = here;
	return true;
}

void section_run_deferred(void)
{
	struct section *section = &section_self;
	struct deferred todo[SECTION_DEFERRED_MAX];
	unsigned int nr;

	while ((nr = section->nr_deferred) != 0) {
		for (unsigned int i = 0; i < nr; i++)
			todo[i] = section->deferred[i];
		section->nr_deferred = 0;
		for (unsigned int i = 0; i < nr; i++)
			todo[i].run(&todo[i]);
	}
}

int section_defer(const struct deferred *deferred)
{
	struct section *section = &section_self;

	if (section->nr_deferred == SECTION_DEFERRED_MAX)
		return -ENOMEM;
	section->deferred[section->nr_deferred++] = *deferred;
	return 0;
}

/*
 * A lock is noted as soon as it is held and forgotten just before it is given
 * back.  A jump out of the instruction between loses it: that race remains.
 */
void section_acquire(struct lock *lock, void (*repair)(struct lock *lock))
{
	struct section *section = &section_self;

	lock_acquire(lock);
	section->locks[section->nr_locks] = (struct section_lock){lock, repair};
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	section->nr_locks++;
}

void section_acquire_nested(struct lock *lock, unsigned int depth,
			    void (*repair)(struct lock *lock))
{
	struct section *section = &section_self;

	lock_acquire_nested(lock, depth);
	section->locks[section->nr_locks] = (struct section_lock){lock, repair};
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	section->nr_locks++;
}

void section_release(struct lock *lock)
{
	struct section *section = &section_self;
	unsigned int i = section->nr_locks;

	while (i && section->locks[i - 1].lock != lock)
		i--;
	if (i) {
		for (; i < section->nr_locks; i++)
			section->locks[i - 1] = section->locks[i];
		section->nr_locks--;
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	lock_release(lock);
}

void section_reset(void)
{
	section_self.mark.frame = 0;
	section_self.nr_locks = 0;
	section_self.nr_deferred = 0;
}
