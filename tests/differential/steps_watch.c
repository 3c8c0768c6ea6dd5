// SPDX-License-Identifier: MIT
/*
 * steps_watch.c - epoll_ctl(2), epoll_wait(2), and poll(2) of an eventpoll.
 *
 * Besides results and events the log has what a call must leave alone: errno after
 * success, the caller's event, and, where the kernel keeps everything, the part of
 * his buffer that holds no event.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw.h"
#include "steps.h"
#include "walk.h"

enum {
	TAIL = 4, /* entries behind the last that are looked at */
	ERRNO_BEFORE = 4242,
	NS_PER_US = 1000,
	US_PER_MS = 1000,
};

/* -------- control -------- */

static void control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	int ret;

	errno = ERRNO_BEFORE;
	ret = epoll_ctl(epfd, op, fd, &event);
	log_result(ret);
	if (ret == 0 && errno != ERRNO_BEFORE)
		log_value("errno was set to", errno);
	if (event.events != events || event.data.u64 != data)
		log_value("event was changed to", event.events);
}

static void control_step(const struct step *step, int op)
{
	control(step_fd(step, 0), op, step_fd(step, 1), (uint32_t)step->args[2].number,
		(uint64_t)step->args[3].number);
}

void play_add(const struct step *step)
{
	control_step(step, EPOLL_CTL_ADD);
}

void play_mod(const struct step *step)
{
	control_step(step, EPOLL_CTL_MOD);
}

void play_del(const struct step *step)
{
	errno = ERRNO_BEFORE;
	log_result(epoll_ctl(step_fd(step, 0), EPOLL_CTL_DEL, step_fd(step, 1), NULL));
}

void play_ctl(const struct step *step)
{
	control(step_fd(step, 0), (int)step->args[1].number, step_fd(step, 2),
		(uint32_t)step->args[3].number, (uint64_t)step->args[4].number);
}

void play_null(const struct step *step)
{
	struct epoll_event *volatile nowhere = NULL;

	log_result(
		epoll_ctl(step_fd(step, 0), (int)step->args[1].number, step_fd(step, 2), nowhere));
}

/* A system call that no library sees. */
static void raw_control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	long ret = raw_call(SYS_epoll_ctl, epfd, op, fd, (long)&event, 0, 0);

	if (ret < 0)
		errno = (int)-ret;
	log_result(ret < 0 ? -1 : ret);
}

void play_rawadd(const struct step *step)
{
	if (is_eventpoll(step_fd(step, 1))) /* nesting that nobody sees: a known deviation */
		return;
	raw_control(step_fd(step, 0), EPOLL_CTL_ADD, step_fd(step, 1),
		    (uint32_t)step->args[2].number, (uint64_t)step->args[3].number);
}

void play_rawdel(const struct step *step)
{
	raw_control(step_fd(step, 0), EPOLL_CTL_DEL, step_fd(step, 1), 0, 0);
}

/* -------- waits -------- */

static struct epoll_event buffer[STEP_EVENTS_MAX + TAIL];

static int compare_events(const void *left, const void *right)
{
	const struct epoll_event *a = left, *b = right;

	if (a->data.u64 != b->data.u64)
		return a->data.u64 < b->data.u64 ? -1 : 1;
	return a->events < b->events ? -1 : a->events > b->events;
}

void log_events(struct epoll_event *events, int nr)
{
	if (program_is_sorted)
		qsort(events, (size_t)nr, sizeof(*events), compare_events);
	for (int i = 0; i < nr; i++)
		log_event(events[i].events, events[i].data.u64);
}

/* What no event was written to is as it was before. */
static void log_tail(int nr)
{
	const unsigned char *tail = (const unsigned char *)(buffer + nr);

	for (size_t i = 0; i < TAIL * sizeof(*buffer); i++) {
		if (tail[i] != 0xa5) {
			log_value("written beyond the events, byte", (long)i);
			return;
		}
	}
}

/* By one of the calls there are; @us is 0 or so short that nothing happens meanwhile. */
static int wait_by(const char *how, int epfd, int maxevents, long us)
{
	struct timespec timeout = {.tv_nsec = us * NS_PER_US};
	int ms = (int)((us + US_PER_MS - 1) / US_PER_MS);
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (!strcmp(how, "pwait"))
		return epoll_pwait(epfd, buffer, maxevents, ms, &mask);
	if (!strcmp(how, "pwait2"))
		return epoll_pwait2(epfd, buffer, maxevents, &timeout, NULL);
	if (!strcmp(how, "number"))
		return (int)syscall(SYS_epoll_pwait, epfd, buffer, maxevents, ms, NULL, _NSIG / 8);
	return epoll_wait(epfd, buffer, maxevents, ms);
}

void play_wait(const struct step *step)
{
	int maxevents = (int)step->args[1].number;
	int nr;

	if (maxevents > STEP_EVENTS_MAX)
		maxevents = STEP_EVENTS_MAX;
	if (!program_is_sorted)
		memset(buffer, 0xa5,
		       (size_t)(maxevents > 0 ? maxevents + TAIL : TAIL) * sizeof(*buffer));
	errno = ERRNO_BEFORE;
	nr = wait_by(step->args[2].word, step_fd(step, 0), maxevents, (long)step->args[3].number);
	log_result(nr);
	if (nr >= 0 && errno != ERRNO_BEFORE)
		log_value("errno was set to", errno);
	if (nr > maxevents)
		log_value("more events than", maxevents);
	if (!program_is_sorted)
		log_tail(nr > 0 ? nr : 0);
	log_events(buffer, nr > 0 ? nr : 0);
}

/* The last @room events before a page that cannot be written. */
static struct epoll_event *buffer_before_end(int room)
{
	static char *pages;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (!pages) {
		pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		mprotect(pages + size, size, PROT_NONE);
	}
	return (void *)(pages + size - (size_t)room * sizeof(struct epoll_event));
}

void play_badwait(const struct step *step)
{
	struct epoll_event *events = NULL;
	int maxevents = (int)step->args[1].number;
	int nr;

	if (!step_says(step, 2, "null"))
		events = buffer_before_end(atoi(step->args[2].word));
	nr = epoll_wait(step_fd(step, 0), events, maxevents, 0);
	log_result(nr);
	log_events(events, nr > 0 ? nr : 0);
}

/* -------- eventpolls, and others, polled -------- */

void play_poll(const struct step *step)
{
	struct pollfd set[STEP_ARGS_MAX];

	for (int i = 0; i < step->nr_args; i++)
		set[i] = (struct pollfd){.fd = step_fd(step, i), .events = POLLIN | POLLOUT};
	log_result(poll(set, (nfds_t)step->nr_args, 0));
	for (int i = 0; i < step->nr_args; i++)
		log_value("", set[i].revents);
}

void play_select(const struct step *step)
{
	struct timeval none = {0, 0};
	int limit = 0, fd;
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	for (int i = 0; i < step->nr_args; i++) {
		fd = step_fd(step, i);
		if (fd < 0 || fd >= FD_SETSIZE)
			continue;
		FD_SET(fd, &in);
		FD_SET(fd, &out);
		if (fd >= limit)
			limit = fd + 1;
	}
	log_result(select(limit, &in, &out, NULL, &none));
	for (int i = 0; i < step->nr_args; i++) {
		fd = step_fd(step, i);
		if (fd >= 0 && fd < FD_SETSIZE)
			log_value("", (FD_ISSET(fd, &in) ? 1 : 0) | (FD_ISSET(fd, &out) ? 2 : 0));
	}
}
