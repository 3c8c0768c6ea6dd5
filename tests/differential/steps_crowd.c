// SPDX-License-Identifier: MIT
/*
 * steps_crowd.c - more files than any array of the library's holds: eventfds
 * without names, all watched by one eventpoll.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

enum {
	CROWD_MAX = 400,
};

static int crowd[CROWD_MAX];
static int nr_crowd;

void play_crowd(const struct step *step)
{
	int nr = (int)step->args[1].number, nr_watched = 0;

	for (int i = 0; i < nr && nr_crowd < CROWD_MAX; i++) {
		struct epoll_event event = {.events = (uint32_t)step->args[2].number,
					    .data.u64 = (uint64_t)(step->args[3].number + i)};
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0)
			break;
		crowd[nr_crowd++] = fd;
		nr_watched += epoll_ctl(step_fd(step, 0), EPOLL_CTL_ADD, fd, &event) == 0;
	}
	log_value("watched", nr_watched);
}

/* Every so many of them is counted up, the others are read. */
void play_stir(const struct step *step)
{
	int every = (int)step->args[0].number;
	uint64_t count = 1;
	long total = 0;

	for (int i = 0; i < nr_crowd && every > 0; i++)
		total += i % every ? read(crowd[i], &count, sizeof(count))
				   : write(crowd[i], &(uint64_t){1}, sizeof(count));
	log_result(total);
}

void play_disperse(const struct step *step)
{
	(void)step;
	while (nr_crowd > 0)
		close(crowd[--nr_crowd]);
}
