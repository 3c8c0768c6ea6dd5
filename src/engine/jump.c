// SPDX-License-Identifier: MIT
#include "engine/jump.h"

void jump_leave(uintptr_t sp)
{
	if (section_is_left(&section_self.mark, sp))
		section_abandon();
	if (!section_enter())
		return; /* the jump stays within a handler, and so do its waits */
	waiter_leave(sp);
	section_leave();
}
