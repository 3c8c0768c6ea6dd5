/* SPDX-License-Identifier: MIT */
/*
 * source.h - where edges come from.
 *
 * The engine owns epoll's semantics and asks a source for one thing: edges.
 * An edge says that the file behind a registration was woken, and what its
 * poll mask was when the edge was collected.  A registration is named by a
 * tag, 64 bits that mean nothing to the source.
 *
 *	source_epoll	a real kernel epoll; edges are the kernel's own wakeups
 *	source_poll	poll(2) over the armed files; edges are inferred from levels
 *	a fake		unit tests drive the engine with edges of their own
 *
 * Locking: all functions are called with the eventpoll's mtx held, or, for a
 * source driven by the poll loop thread, with the loop lock held as stated at
 * each function.  None is a cancellation point except sleep().  None touches
 * errno.  All return 0 or more, or -errno.
 */
#ifndef INTERPOLL_SOURCE_SOURCE_H
#define INTERPOLL_SOURCE_SOURCE_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "real/sys.h"

struct loop_client;
struct source;
struct source_poll;

/*
 * In the events of arm() and rearm() of a source without a kernel epoll, where
 * EPOLLWAKEUP itself means nothing: the engine hands an edge of this registration
 * out once and does not look at the file again (EPOLLET).  A source that infers
 * edges from levels must then look for activity under a level that stays high;
 * without this bit it need not, because the engine looks itself and reports what
 * it saw with lapsed().
 */
#define SOURCE_LATCH EPOLLWAKEUP

/* One registration, as the source has it. */
struct source_watch {
	int fd; /* the number it was made under */
	uint32_t events;
	uint64_t tag;
};

/* Is shown registrations, one after the other. */
typedef void source_see(void *ctx, const struct source_watch *watch);

struct source_ops {
	const char *name;

	/*
	 * Registrations live in a kernel epoll, which validates them, keeps those
	 * the engine asks it to keep, and is the application's epfd itself.
	 * Without it the engine validates, keeps everything, and detects loops.
	 */
	bool has_kernel_epoll;

	/*
	 * Make the descriptor that the application will know as its epfd.
	 * @flags: EPOLL_CLOEXEC or 0.  Fills in @source; returns the descriptor,
	 * -EINVAL (other flags), -EMFILE, -ENFILE or -ENOMEM.
	 */
	int (*open)(struct source *source, int flags);

	/* Free what open() and arm() made, except the descriptor.  Harmless twice. */
	void (*fini)(struct source *source);

	/*
	 * Register descriptor @fd under @tag.  With EPOLLET in @events every
	 * wakeup is an edge; without it the kernel keeps the level (only asked
	 * of a source that has a kernel epoll).  A file that is ready when it is
	 * armed counts as woken.  Errors: epoll_ctl(2), EPOLL_CTL_ADD.
	 */
	int (*arm)(struct source *source, int fd, uint32_t events, uint64_t tag);

	/*
	 * Change the registration of @fd: new events, new tag.  Edges collected
	 * under the old tag are void; a ready file counts as woken.
	 * Errors: epoll_ctl(2), EPOLL_CTL_MOD.
	 */
	int (*rearm)(struct source *source, int fd, uint32_t events, uint64_t tag);

	/* Remove the registration of @fd.  Errors: epoll_ctl(2), EPOLL_CTL_DEL. */
	int (*disarm)(struct source *source, int fd);

	/*
	 * Descriptor @fd is about to be closed and its description will be gone:
	 * forget it without a system call.  May be NULL where the kernel forgets.
	 */
	void (*forget)(struct source *source, int fd);

	/*
	 * The engine has looked at the file of @fd itself and saw only the bits in
	 * @mask: each of the others is an edge when it rises again, although the
	 * source never saw it fall.  To be called for whatever a recheck finds with
	 * fewer bits than it is armed for, after every such recheck; too often is
	 * harmless (a bit that is high in truth is one edge more), too seldom loses
	 * edges.  An unknown @fd is ignored.  Never a system call but a kick of the
	 * loop.  Loop lock held.  NULL for a source that is told of wakeups.
	 */
	void (*lapsed)(struct source *source, int fd, uint32_t mask);

	/*
	 * Collect at most @max edges into @edges (tag in data.u64); never blocks.
	 * Loop lock held where the source is driven by the poll loop.
	 */
	int (*collect)(struct source *source, struct epoll_event *edges, int max);

	/*
	 * Write what the poll loop must poll for this source to @set, at most
	 * @max entries; returns the number there are, which may be larger.
	 * Loop lock held.
	 */
	unsigned int (*pollset)(struct source *source, struct pollfd *set, unsigned int max);

	/*
	 * The moment at which the poll loop must collect although nothing of the
	 * poll set has become ready; CLOCK_FOREVER: none.  Every collection moves
	 * it on.  NULL where the poll set tells everything.  Loop lock held.
	 */
	uint64_t (*due_ns)(const struct source *source);

	/*
	 * Show @see all registrations, others' too.  0, or -errno if they could not
	 * be found out: then not all have been shown.  Loop lock held where the
	 * source is driven by the poll loop.  @see calls nothing of the source.
	 */
	int (*list)(const struct source *source, source_see *see, void *ctx);

	/*
	 * Make the epfd itself readable or not, for those who poll it.  NULL where
	 * the kernel does.
	 */
	void (*show)(struct source *source, bool is_ready);

	/*
	 * Like collect(), but sleeps until there is an edge, for at most
	 * @timeout_ns (CLOCK_FOREVER: no end), with @sigmask installed (NULL: as it
	 * is).  No lock held.  A cancellation point.  -EINTR after a handler.
	 * NULL for a source whose waiters cannot sleep in it.
	 */
	int (*sleep)(int fd, struct epoll_event *edges, int max, uint64_t timeout_ns,
		     const sigset_t *sigmask);
};

/* The part of an eventpoll that belongs to its source. */
struct source {
	const struct source_ops *ops;
	int fd;			    /* the epfd: S, or what stands for it */
	struct source_poll *poll;   /* source_poll: the armed files */
	struct loop_client *client; /* as which the loop polls it; loop.c's, NULL: does not */
};

extern const struct source_ops source_epoll;
extern const struct source_ops source_poll;

/*
 * ops->collect().  Inline, since a processor that forgets its return addresses in the
 * kernel pays for each function to return from after a call.
 */
static inline int source_collect(struct source *source, struct epoll_event *edges, int max)
{
	if (__builtin_expect(source->ops == &source_epoll, 1))
		return sys_epoll_collect(source->fd, edges, max);
	return source->ops->collect(source, edges, max);
}

#endif
