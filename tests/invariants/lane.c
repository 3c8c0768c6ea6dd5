// SPDX-License-Identifier: MIT
/*
 * lane.c - lanes: tokens, readers, watches.
 */
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "field.h"
#include "stage.h"

/* ---- its two ends ------------------------------------------------------ */

void lane_ends_open(enum lane_kind kind, int *ret_in, int *ret_out)
{
	int ends[2];

	switch (kind) {
	case LANE_PIPE:
		pipe_open(ends);
		break;
	case LANE_UNIX:
		unix_open(ends);
		break;
	case LANE_SEQPACKET:
		MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
		break;
	case LANE_TCP:
		tcp_open(ends);
		break;
	case LANE_EVENTFD:
	default:
		ends[0] = MUST(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
		ends[1] = MUST(dup(ends[0]));
		break;
	}
	*ret_in = ends[0];
	*ret_out = ends[1];
}

void lane_open(struct lane *lane, struct field *field, unsigned int index, enum lane_kind kind)
{
	*lane = (struct lane){.field = field, .index = index, .kind = kind};
	lane->flags = field->flags;
	lane->nr_epfds = field->nr_epfds;
	pthread_mutex_init(&lane->lock, NULL);
	lane_ends_open(kind, &lane->in, &lane->out);
}

void lane_close(struct lane *lane)
{
	CLOSE(lane->in, lane->out);
	pthread_mutex_destroy(&lane->lock);
}

/* ---- its watches ------------------------------------------------------- */

/* The data under which the lane is armed next; before the call that arms it. */
static uint64_t lane_new_data(struct lane *lane)
{
	uint64_t arming = atomic_load(&lane->arming) + 1;

	atomic_store(&lane->due, arming);
	atomic_store(&lane->arming, arming);
	return data_make(DATA_LANE, lane->index, arming);
}

void lane_watch(struct lane *lane)
{
	uint64_t data = lane_new_data(lane);

	for (int i = 0; i < lane->nr_epfds; i++)
		watch(lane->field->epfds[lane->first_epfd + i], lane->in, lane->flags, data);
}

void lane_rewatch(struct lane *lane)
{
	uint64_t data = lane_new_data(lane);

	for (int i = 0; i < lane->nr_epfds; i++)
		rewatch(lane->field->epfds[lane->first_epfd + i], lane->in, lane->flags, data);
}

void lane_unwatch(struct lane *lane)
{
	for (int i = 0; i < lane->nr_epfds; i++)
		unwatch(lane->field->epfds[lane->first_epfd + i], lane->in);
}

void lane_forget(struct lane *lane)
{
	atomic_store(&lane->first, atomic_load(&lane->arming) + 1);
}

/* ---- tokens ------------------------------------------------------------ */

static bool is_oneshot(const struct lane *lane)
{
	return lane->flags & EPOLLONESHOT;
}

void lane_write(struct lane *lane)
{
	uint64_t token;

	pthread_mutex_lock(&lane->lock);
	token = lane->kind == LANE_EVENTFD ? 1 : lane->nr_written;
	atomic_fetch_add(&lane->field->nr_written, 1); /* before anybody can read it */
	if (write(lane->out, &token, sizeof(token)) == sizeof(token)) {
		lane->nr_written++;
	} else {
		EXPECT_INT(errno, ==, EAGAIN);
		atomic_fetch_sub(&lane->field->nr_written, 1);
	}
	pthread_mutex_unlock(&lane->lock);
}

/* Read one token; false if there is none. */
static bool lane_take(struct lane *lane)
{
	uint64_t token;
	ssize_t nr = read(lane->in, &token, sizeof(token));

	if (nr < 0) {
		EXPECT_INT(errno, ==, EAGAIN);
		return false;
	}
	EXPECT_INT(nr, ==, sizeof(token));
	EXPECT_INT(token, ==, lane->kind == LANE_EVENTFD ? 1 : lane->nr_read);
	lane->nr_read++;
	atomic_fetch_add(&lane->field->nr_read, 1);
	return true;
}

void lane_drain(struct lane *lane)
{
	while (lane_take(lane))
		;
}

/* Edges come once, so all there is must go; else some of it is as good. */
static void lane_read(struct lane *lane)
{
	bool is_edge = (lane->flags & (EPOLLET | EPOLLONESHOT)) == EPOLLET;

	if (is_oneshot(lane)) {
		if (atomic_load(&lane->due)) /* of a call that another has answered */
			return;
	}
	if (!lane_take(lane) && (is_oneshot(lane) || lane->field->is_exact))
		FAIL("lane %u: an event, and nothing to read", lane->index);
	if (is_edge || roll(3) == 0)
		lane_drain(lane);
	else
		for (unsigned int more = roll(4); more && lane_take(lane); more--)
			;
	if (is_oneshot(lane))
		lane_rewatch(lane);
}

/* Another value in each thread, the same in its handlers. */
static uintptr_t my_id(void)
{
	return (uintptr_t)&my_dice;
}

/*
 * Somebody is to read; who is at it already goes round once more.  False if that is
 * the thread whose handler we are.
 */
static bool lane_call(struct lane *lane)
{
	unsigned int nr_calls;

	atomic_fetch_add(&lane->nr_calls, 1);
	do {
		uintptr_t reader = 0;

		if (!atomic_compare_exchange_strong(&lane->reader, &reader, my_id()))
			return reader != my_id();
		nr_calls = atomic_load(&lane->nr_calls);
		lane_read(lane);
		atomic_store(&lane->reader, 0);
	} while (atomic_load(&lane->nr_calls) != nr_calls);
	return true;
}

bool lane_serve(struct lane *lane, uint64_t arming)
{
	uint64_t due = arming;

	if (arming == 0 || arming > atomic_load(&lane->arming))
		FAIL("lane %u: told of arming %llu, which never was", lane->index,
		     (unsigned long long)arming);
	if (is_oneshot(lane) && !atomic_compare_exchange_strong(&lane->due, &due, 0) &&
	    arming >= atomic_load(&lane->first))
		FAIL("lane %u: arming %llu was told twice, or after its end; due is %llu",
		     lane->index, (unsigned long long)arming, (unsigned long long)due);
	return arming < atomic_load(&lane->first) || lane_call(lane);
}

void lane_hold(struct lane *lane)
{
	uintptr_t reader = 0;

	while (!atomic_compare_exchange_weak(&lane->reader, &reader, my_id())) {
		reader = 0;
		sched_yield();
	}
}

void lane_release(struct lane *lane)
{
	atomic_store(&lane->reader, 0);
	lane_call(lane);
}
