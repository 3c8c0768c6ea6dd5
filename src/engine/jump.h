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

#include <stdbool.h>
#include <stdint.h>

#include "engine/section.h"
#include "engine/waiter.h"

/* Is the calling thread in a handler that interrupted a section or a wait of ours? */
static inline bool jump_is_of_interest(void)
{
	return __builtin_expect(section_is_inside() || waiter_is_inside(), 0);
}

/*
 * The calling thread is about to unwind its stack to @sp (0: nobody knows where to).
 * Any context but inside a section of one's own; errno is not touched.
 */
void jump_leave(uintptr_t sp);

#endif
