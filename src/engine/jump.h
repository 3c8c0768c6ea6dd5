/* SPDX-License-Identifier: MIT */
/*
 * jump.h - a thread is about to jump, by longjmp() and its like.
 *
 * A jump out of a handler leaves what the handler interrupted for good.  Where that
 * is code of ours, a section is abandoned, or a wait; both are cleaned up before the
 * jump, while it is certain what is left.  (Jumps we do not see are noticed at the
 * next entry, as far as the stack shows them: section_mark_is_live().)
 */
#ifndef INTERPOLL_ENGINE_JUMP_H
#define INTERPOLL_ENGINE_JUMP_H

#include <stdint.h>

#include "engine/section.h"
#include "engine/waiter.h"

/* The slow half of jump_begins(). */
void jump_leave(uintptr_t sp);

/*
 * The calling thread is about to unwind its stack to @sp.  Two loads, unless it is
 * inside a section or a wait, and so in a handler that interrupted it.  Any context
 * but inside a section of one's own; errno is not touched.
 */
static inline void jump_begins(uintptr_t sp)
{
	if (__builtin_expect(section_is_inside() || waiter_is_inside(), 0))
		jump_leave(sp);
}

#endif
