/* SPDX-License-Identifier: MIT */
/*
 * engine_stage.h - eventpolls on a fake source, real files to watch, and what must
 * come out of both.
 *
 * A file's data is EVENT_DATA(fd).  Masks are written as the source gets them:
 * edge() for what we keep, level() for what it keeps itself.
 */
#ifndef UNIT_ENGINE_STAGE_H
#define UNIT_ENGINE_STAGE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/internal.h"
#include "fake_source.h"

#define noinline __attribute__((noinline, noclone, unused))

#define EVENT_DATA(fd) (UINT64_C(0xda7a00000000) + (uint64_t)(fd))

struct stage_ep {
	int fd;
	struct file *epfile;
	struct eventpoll *ep;
	struct fake *fake;
	struct probe_counts counts;
};

static struct stage_ep e0, e1 __attribute__((unused));
static struct file *stage_files[FAKE_FDS]; /* what the descriptor table would know */
static uint32_t stage_hints[FAKE_FDS];
static struct epoll_event stage_got[1024];
static int nr_stage_got;

/* -------- masks -------- */

static inline uint32_t level(uint32_t events)
{
	return events | EPOLLERR | EPOLLHUP;
}

static inline uint32_t edge(uint32_t events)
{
	return level(events) | EPOLLET;
}

/* -------- eventpolls -------- */

static noinline void stage_open(struct stage_ep *e)
{
	cr_assert(section_enter());
	e->fd = ep_open(EPOLL_CLOEXEC, &e->epfile);
	section_leave();
	cr_assert_geq(e->fd, 0);
	e->epfile->nr_fds = 1;
	stage_files[e->fd] = e->epfile;
	e->ep = e->epfile->ep;
	e->ep->counts = &e->counts;
	e->fake = fake_of(&e->ep->source);
}

static noinline void stage_close(struct stage_ep *e)
{
	cr_assert(section_enter());
	ep_close(e->epfile);
	section_leave();
	close(e->fd);
}

static inline void stage_inline(void)
{
	static const struct ep_config config = {.source = &fake_kernel};

	ep_configure(&config);
	stage_open(&e0);
}

static inline void stage_thread(void)
{
	static const struct ep_config config = {.source = &fake_kernel, .has_loop = true};

	ep_configure(&config);
	stage_open(&e0);
}

static inline void stage_plain(void)
{
	static const struct ep_config config = {.source = &fake_plain, .has_loop = true};

	ep_configure(&config);
	stage_open(&e0);
}

static inline void stage_strict(void)
{
	static const struct ep_config config = {.source = &fake_kernel, .is_strict = true};

	ep_configure(&config);
	stage_open(&e0);
}

/* -------- control -------- */

static noinline int stage_ctl(struct stage_ep *e, int op, int fd, struct epoll_event *event)
{
	struct file *file = stage_files[fd];
	int ret;

	cr_assert(section_enter());
	if (!file && op == EPOLL_CTL_ADD) {
		file = file_new();
		file->nr_fds = 1;
	}
	ret = ep_ctl(e->epfile, op, fd, file, event, &stage_hints[fd]);
	if (ret == 0)
		stage_files[fd] = file;
	else if (!stage_files[fd] && file)
		file_put(file);
	section_leave();
	return ret;
}

static inline int try_ctl(struct stage_ep *e, int op, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = EVENT_DATA(fd)};

	return stage_ctl(e, op, fd, &event);
}

static inline void add(struct stage_ep *e, int fd, uint32_t events)
{
	cr_assert_eq(try_ctl(e, EPOLL_CTL_ADD, fd, events), 0);
}

static inline void mod(struct stage_ep *e, int fd, uint32_t events)
{
	cr_assert_eq(try_ctl(e, EPOLL_CTL_MOD, fd, events), 0);
}

static inline void del(struct stage_ep *e, int fd)
{
	cr_assert_eq(try_ctl(e, EPOLL_CTL_DEL, fd, 0), 0);
}

/* As the descriptor table does it; @fd has no file of ours afterwards. */
static noinline void stage_forget(int fd, bool may_live_on)
{
	struct file *file = stage_files[fd];

	cr_assert_not_null(file);
	cr_assert(section_enter());
	ep_forget_fd(file, fd, may_live_on);
	section_leave();
}

static inline void close_file(int fd)
{
	stage_forget(fd, false);
	cr_assert_eq(--stage_files[fd]->nr_fds, 0);
	file_put(stage_files[fd]);
	stage_files[fd] = NULL;
	close(fd);
}

/* The item behind (@e, @fd), in whatever state; NULL if there is none. */
static inline struct epitem *item_of(struct stage_ep *e, int fd)
{
	return ep_find(e->ep, stage_files[fd], fd);
}

static inline uint64_t tag_of(struct stage_ep *e, int fd)
{
	cr_assert_not_null(item_of(e, fd));
	return ep_tag(item_of(e, fd));
}

/* -------- files -------- */

/* An eventfd that is ready for reading, or not; it always is for writing. */
static inline int file_open(unsigned int count)
{
	int fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);

	cr_assert(fd >= 0 && fd < FAKE_FDS);
	return fd;
}

static inline void raise_level(int fd)
{
	cr_assert_eq(eventfd_write(fd, 1), 0);
}

static inline void drop_level(int fd)
{
	eventfd_t value;

	cr_assert_eq(eventfd_read(fd, &value), 0);
}

/* The file of @fd becomes readable, and the source hears of it. */
static inline void arrive(struct stage_ep *e, int fd)
{
	raise_level(fd);
	fake_wake(e->fake, fd, EPOLLIN);
}

/* A pipe: unlike an eventfd it may be armed for more than is asked. */
static inline void pipe_open(int ends[2])
{
	cr_assert_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static inline void put_byte(int fd)
{
	cr_assert_eq(write(fd, "x", 1), 1);
}

static inline void take_byte(int fd)
{
	char byte;

	cr_assert_eq(read(fd, &byte, 1), 1);
}

/* -------- waiting -------- */

static noinline int stage_wait_into(struct stage_ep *e, struct epoll_event *events, int maxevents,
				    uint64_t timeout_ns)
{
	struct ep_wait_args args = {
		.events = events, .maxevents = maxevents, .timeout_ns = timeout_ns};
	int ret;

	cr_assert(section_enter());
	ret = ep_wait(e->epfile, &args);
	section_leave();
	cr_assert_eq(section_self.nr_locks, 0);
	return ret;
}

static inline int stage_wait(struct stage_ep *e, int maxevents, uint64_t timeout_ns)
{
	nr_stage_got = stage_wait_into(e, stage_got, maxevents, timeout_ns);
	return nr_stage_got;
}

/* Run @body in a thread of its own; returns when that has ended. */
static inline void in_thread(void *(*body)(void *))
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, body, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static inline uint64_t count_of(const struct stage_ep *e, enum probe what)
{
	return e->counts.n[what];
}

/* -------- what must come out -------- */

struct expected {
	int fd;
	uint32_t events;
};

/* What the last wait got, all of it and in this order: {fd, events}, ... */
#define EXPECT_GOT(...)                                                                          \
	do {                                                                                     \
		const struct expected want[] = {__VA_ARGS__};                                    \
		int nr_want = (int)(sizeof(want) / sizeof(want[0]));                             \
                                                                                                 \
		cr_assert_eq(nr_stage_got, nr_want, "%d events, not %d", nr_stage_got, nr_want); \
		for (int at = 0; at < nr_want; at++) {                                           \
			cr_assert_eq(stage_got[at].data.u64, EVENT_DATA(want[at].fd),            \
				     "event %d: data %#llx, not of %d", at,                      \
				     (unsigned long long)stage_got[at].data.u64, want[at].fd);   \
			cr_assert_eq(stage_got[at].events, want[at].events,                      \
				     "event %d: %#x, not %#x", at, stage_got[at].events,         \
				     want[at].events);                                           \
		}                                                                                \
	} while (0)

/* A wait that does not sleep returns just these. */
#define EXPECT_EVENTS(e, maxevents, ...)       \
	do {                                   \
		stage_wait((e), maxevents, 0); \
		EXPECT_GOT(__VA_ARGS__);       \
	} while (0)

#define EXPECT_NO_EVENTS(e) cr_assert_eq(stage_wait((e), 64, 0), 0)

static const char *const stage_op_names[] = {"arm", "rearm", "disarm", "forget", "lapsed", "show"};

/* The next call that the source of @e got. */
#define EXPECT_CALL(e, expected_op, expected_fd, expected_events)                                  \
	do {                                                                                       \
		const struct fake_call *call = fake_next_call((e)->fake);                          \
                                                                                                   \
		cr_assert_not_null(call, "no call");                                               \
		cr_assert_eq(call->op, expected_op, "%s, not %s", stage_op_names[call->op],        \
			     stage_op_names[expected_op]);                                         \
		cr_assert_eq(call->fd, expected_fd, "%s of %d, not %d", stage_op_names[call->op],  \
			     call->fd, expected_fd);                                               \
		cr_assert_eq(call->events, (uint32_t)(expected_events), "%s: %#x, not %#x",        \
			     stage_op_names[call->op], call->events, (uint32_t)(expected_events)); \
	} while (0)

#define EXPECT_NO_CALLS(e)                                                                  \
	do {                                                                                \
		const struct fake_call *call = fake_next_call((e)->fake);                   \
                                                                                            \
		cr_assert_null(call, "%s of %d, %#x", call ? stage_op_names[call->op] : "", \
			       call ? call->fd : -1, call ? call->events : 0);              \
	} while (0)

#define EXPECT_COUNT(e, what, expected)                                                 \
	cr_assert_eq(count_of(e, PROBE_##what), (uint64_t)(expected), #what " is %llu", \
		     (unsigned long long)count_of(e, PROBE_##what))

/* How many watches the application has; and the counters that say so. */
static inline void expect_watches(struct stage_ep *e, unsigned int expected)
{
	unsigned int nr = 0;
	uint32_t slot;

	slab_for_each(slot, &e->ep->items)
		nr += ep_is_visible(slab_at(&e->ep->items, slot));
	cr_assert_eq(nr, expected, "%u watches", nr);
	cr_assert_eq(count_of(e, PROBE_ADD) - count_of(e, PROBE_DEL) - count_of(e, PROBE_CLOSED),
		     expected, "the counters do not add up");
}

#endif
