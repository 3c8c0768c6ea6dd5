/* SPDX-License-Identifier: MIT */
/*
 * pollset.h - the armed files of the `poll' source, as poll(2) wants them.
 *
 * fds[] is the array that poll(2) takes, contiguous; files[] has what we know of
 * the same file at the same position.  A file is found by its number in O(1)
 * and removed by moving the last one into its place, so positions last only
 * until the next removal.
 *
 * Memory is from pages.h, grown by doubling.  No locks: whoever drives the source
 * serialises.
 */
#ifndef INTERPOLL_SOURCE_POLLSET_H
#define INTERPOLL_SOURCE_POLLSET_H

#include <poll.h>
#include <stdint.h>

#include "source/activity.h"

#define POLLSET_NONE UINT32_MAX /* no position */

struct pollset_file {
	uint64_t tag;
	uint32_t events; /* as armed, private bits and all */
	uint32_t seen;	 /* of the mask: high when last reported, and not seen low since */
	struct activity activity;
};

struct pollset {
	struct pollfd *fds;
	struct pollset_file *files;
	uint32_t nr, max;
	uint32_t *index; /* by descriptor: position + 1; 0: not in the set */
	uint32_t index_max;
};

/* An empty set, all fields 0; takes no memory until pollset_add(). */
void pollset_init(struct pollset *set);

/* Free all there is; the set is empty then. */
void pollset_fini(struct pollset *set);

/*
 * The position of descriptor @fd, POLLSET_NONE if it is not in the set.  The index may
 * be wrong of what was being added or removed by somebody who was cut off.
 */
static inline uint32_t pollset_find(const struct pollset *set, int fd)
{
	uint32_t position;

	if (fd < 0 || (uint32_t)fd >= set->index_max)
		return POLLSET_NONE;
	position = set->index[fd] - 1;
	return position < set->nr && set->fds[position].fd == fd ? position : POLLSET_NONE;
}

/*
 * Add @fd, >= 0 and not in the set, with nothing armed and nothing seen.
 * Returns 0 and its position in @ret_position, or -ENOMEM and the set as it was.
 */
int pollset_add(struct pollset *set, int fd, uint32_t *ret_position);

/* Remove the file at @position; the last one takes its place. */
void pollset_remove(struct pollset *set, uint32_t position);

/*
 * Poll all files once, without sleeping: their masks are in fds[].revents then.
 * Returns how many are not 0.  One call, or, where poll(2) refuses so many
 * (RLIMIT_NOFILE was lowered, or the kernel is out of memory), as few as it
 * takes; a file that cannot be polled even alone shows nothing.
 */
uint32_t pollset_poll(struct pollset *set);

#endif
