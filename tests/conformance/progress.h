/* SPDX-License-Identifier: MIT */
/*
 * progress.h - is what takes long at work, or does it hang?
 *
 * A busy machine may give a process a twentieth of a processor: that it is not done
 * yet says nothing.  What hangs either uses no processor time, or uses it without end.
 */
#ifndef CONFORMANCE_PROGRESS_H
#define CONFORMANCE_PROGRESS_H

#include <stdbool.h>
#include <sys/types.h>

struct progress {
	pid_t group;
	long last_ms; /* processor time of the group when it was last looked at */
};

/*
 * Has the process group used processor time since this was last asked, and less than
 * @limit_ms in all?
 */
bool progress_is_made(struct progress *progress, long limit_ms);

#endif
