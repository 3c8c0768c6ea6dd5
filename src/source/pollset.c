// SPDX-License-Identifier: MIT
#include "source/pollset.h"

#include <errno.h>
#include <string.h>

#include "base/ensure.h"
#include "base/pages.h"
#include "real/sys.h"

enum {
	POLLSET_FILES_MIN = 64,
	POLLSET_INDEX_MIN = 1024,
};

void pollset_init(struct pollset *set)
{
	*set = (struct pollset){0};
}

void pollset_fini(struct pollset *set)
{
	pages_free(set->fds, set->max * sizeof(*set->fds));
	pages_free(set->files, set->max * sizeof(*set->files));
	pages_free(set->index, set->index_max * sizeof(*set->index));
	pollset_init(set);
}

/* A larger copy of @old, which holds @used of @old_size bytes.  NULL: no memory. */
static void *grow(const void *old, size_t used, size_t new_size)
{
	void *new = pages_alloc(new_size);

	if (new &&used)
		memcpy(new, old, used);
	return new;
}

/*
 * Whoever is cut off, by a fork or a jump out of a handler, leaves a set that can be
 * used: memory is given back once nothing points to it, a file counts once it is there,
 * and another's place is its own before it loses the old one.
 */
static void pollset_keep_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Room for one file more. */
static int grow_files(struct pollset *set)
{
	uint32_t max = set->max ? 2 * set->max : POLLSET_FILES_MIN;
	struct pollset old = *set;
	struct pollset_file *files;
	struct pollfd *fds;

	if (set->nr < set->max)
		return 0;
	fds = grow(set->fds, set->nr * sizeof(*fds), max * sizeof(*fds));
	files = grow(set->files, set->nr * sizeof(*files), max * sizeof(*files));
	if (!fds || !files) {
		pages_free(fds, max * sizeof(*fds));
		pages_free(files, max * sizeof(*files));
		return -ENOMEM;
	}
	set->fds = fds;
	set->files = files;
	set->max = max;
	pollset_keep_order();
	pages_free(old.fds, old.max * sizeof(*fds));
	pages_free(old.files, old.max * sizeof(*files));
	return 0;
}

/* An index that has a place for @fd. */
static int grow_index(struct pollset *set, int fd)
{
	uint32_t max = set->index_max ? set->index_max : POLLSET_INDEX_MIN;
	uint32_t *old_index = set->index, old_max = set->index_max;
	uint32_t *index;

	if ((uint32_t)fd < set->index_max)
		return 0;
	while (max <= (uint32_t)fd)
		max *= 2;
	index = grow(set->index, set->index_max * sizeof(*index), max * sizeof(*index));
	if (!index)
		return -ENOMEM;
	set->index = index;
	set->index_max = max;
	pollset_keep_order();
	pages_free(old_index, old_max * sizeof(*index));
	return 0;
}

int pollset_add(struct pollset *set, int fd, uint32_t *ret_position)
{
	uint32_t position = set->nr;

	ensure(fd >= 0 && pollset_find(set, fd) == POLLSET_NONE);
	if (grow_index(set, fd) < 0 || grow_files(set) < 0)
		return -ENOMEM;
	set->fds[position] = (struct pollfd){.fd = fd};
	set->files[position] = (struct pollset_file){0};
	set->index[fd] = position + 1;
	pollset_keep_order();
	set->nr++;
	*ret_position = position;
	return 0;
}

void pollset_remove(struct pollset *set, uint32_t position)
{
	uint32_t last = set->nr - 1;
	int fd = set->fds[position].fd;

	ensure(position < set->nr);
	set->files[position] = set->files[last];
	pollset_keep_order();
	set->fds[position] = set->fds[last]; /* from here on @fd is not in the set */
	pollset_keep_order();
	if (set->fds[last].fd >= 0) /* else somebody was cut off here before */
		set->index[set->fds[last].fd] = position + 1;
	pollset_keep_order();
	set->fds[last].fd = -1; /* poll(2) passes it over, should it stay */
	pollset_keep_order();
	set->nr = last;
	set->index[fd] = 0;
}

uint32_t pollset_poll(struct pollset *set)
{
	uint32_t first = 0, most = set->nr, nr_ready = 0;

	while (first < set->nr) {
		uint32_t nr = most < set->nr - first ? most : set->nr - first;
		int ret = sys_poll_now(set->fds + first, nr);

		/* -EINTR: a signal is pending, and nothing was ready; masks are 0 */
		if (ret >= 0 || ret == -EINTR) {
			nr_ready += ret > 0 ? (uint32_t)ret : 0;
			first += nr;
		} else if (nr > 1) {
			most = nr / 2;
		} else {
			set->fds[first++].revents = 0;
		}
	}
	return nr_ready;
}
