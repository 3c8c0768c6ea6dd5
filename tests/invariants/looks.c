// SPDX-License-Identifier: MIT
/*
 * looks.c - second waiters, pollers, outer eventpolls, strangers.
 *
 * Each of them makes interpoll hand all watches of the eventpoll over to the kernel,
 * once and for good, while others sleep in it or are about to.
 */
#include <poll.h>
#include <sched.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "base/raw.h"
#include "disturb.h"
#include "field.h"
#include "stage.h"

static void poll_once(int epfd)
{
	struct pollfd pollfd = {.fd = epfd, .events = POLLIN};

	EXPECT_INT(MUST(poll(&pollfd, 1, (int)roll(2))), <=, 1);
}

static void select_once(int epfd)
{
	struct timeval none = {0};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(epfd, &set);
	EXPECT_INT(MUST(select(epfd + 1, &set, NULL, NULL, &none)), <=, 1);
}

static void nest_once(int epfd)
{
	int outer = epoll_open();
	struct epoll_event event;

	watch(outer, epfd, EPOLLIN | (roll(2) ? EPOLLET : 0), data_make(DATA_INNER, 0, 0));
	EXPECT_INT(MUST(epoll_wait(outer, &event, 1, 0)), <=, 1);
	CLOSE(outer);
}

/*
 * A registration that libc does not see, ready and one-shot: it is told once, with
 * its own data, to one of those who wait.
 */
static void register_stranger(struct field *field, int epfd)
{
	int index = atomic_fetch_add(&field->nr_strangers, 1);
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT,
		.data.u64 = data_make(DATA_STRANGER, (unsigned int)index, 1),
	};
	int event_fd;

	if (index >= NR_STRANGERS_MAX || source_is("poll")) /* its epfd is no kernel epoll */
		return;
	event_fd = eventfd_open(1);
	EXPECT_INT(raw_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, event_fd, (long)&event, 0, 0), ==,
		   0);
	while (!atomic_load(&field->was_stranger_told[index]))
		sched_yield();
	EXPECT_INT(raw_call(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, event_fd, 0, 0, 0), ==, 0);
	CLOSE(event_fd);
}

void disturb_by_look(struct field *field)
{
	struct worker *worker = &field->workers[roll((unsigned int)field->nr_workers)];
	int epfd = worker->epfd;

	/* with one reader, nobody else may fetch */
	switch (roll(field->is_exact ? 4 : 7)) {
	case 0:
		poll_once(epfd);
		break;
	case 1:
		select_once(epfd);
		break;
	case 2:
		nest_once(epfd);
		break;
	case 3:
		register_stranger(field, epfd);
		break;
	default:
		field_look(field, epfd, (int)(1 + roll(NR_EVENTS_MAX)), (int)roll(2));
		break;
	}
}
