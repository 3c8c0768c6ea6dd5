// SPDX-License-Identifier: MIT
#include "fake_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

#define FAKE_PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static struct fake fakes[8];

__attribute__((noreturn)) static void fake_give_up(const char *why)
{
	fprintf(stderr, "fake source: %s\n", why);
	abort();
}

static struct fake *fake_by_fd(int fd)
{
	for (size_t i = 0; i < sizeof(fakes) / sizeof(fakes[0]); i++)
		if (fakes[i].source && fakes[i].source->fd == fd)
			return &fakes[i];
	fake_give_up("a call on a descriptor of no source");
}

struct fake *fake_of(const struct source *source)
{
	for (size_t i = 0; i < sizeof(fakes) / sizeof(fakes[0]); i++)
		if (fakes[i].source == source)
			return &fakes[i];
	fake_give_up("a call of a source that is not open");
}

static int fake_open(struct source *source, int flags, const struct source_ops *ops)
{
	struct fake *fake = fakes;
	int fd;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (fake->source)
		if (++fake == fakes + sizeof(fakes) / sizeof(fakes[0]))
			fake_give_up("too many sources");
	memset(fake, 0, sizeof(*fake));
	fake->source = source;
	sem_init(&fake->laid_out, 0, 0);
	*source = (struct source){.ops = ops, .fd = fd};
	return fd;
}

static int fake_open_kernel(struct source *source, int flags)
{
	return fake_open(source, flags, &fake_kernel);
}

static int fake_open_plain(struct source *source, int flags)
{
	return fake_open(source, flags, &fake_plain);
}

static void fake_fini(struct source *source)
{
	fake_of(source)->source = NULL;
}

/* -------- registrations -------- */

static int fake_note(struct fake *fake, enum fake_op op, int fd, uint32_t events, uint64_t tag)
{
	int error = fake->failures[op];

	if (fake->nr_calls == FAKE_CALLS)
		fake_give_up("too many calls");
	fake->calls[fake->nr_calls++] = (struct fake_call){op, fd, events, tag};
	fake->failures[op] = 0;
	return error;
}

const struct fake_call *fake_next_call(struct fake *fake)
{
	if (fake->nr_asserted == fake->nr_calls)
		return NULL;
	return &fake->calls[fake->nr_asserted++];
}

static void fake_register(struct fake *fake, int fd, uint32_t events, uint64_t tag)
{
	for (unsigned int i = 0; i < fake->nr_tags; i++)
		if (fake->tags[i] == tag)
			fake_give_up("a tag was given twice");
	fake->tags[fake->nr_tags++] = tag;
	fake->watches[fd] = (struct fake_watch){true, events | EPOLLERR | EPOLLHUP, tag};
}

static void fake_interrupt(struct fake *fake, bool is_late)
{
	void (*handler)(void) = fake->handler;

	if (!handler || fake->is_handler_late != is_late)
		return;
	fake->handler = NULL;
	handler();
}

static int fake_arm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	struct fake *fake = fake_of(source);
	int error = fake_note(fake, FAKE_ARM, fd, events, tag);

	if (error)
		return error;
	if (fake->watches[fd].is_armed)
		return -EEXIST;
	fake_register(fake, fd, events, tag);
	return 0;
}

static int fake_rearm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	struct fake *fake = fake_of(source);
	int error = fake_note(fake, FAKE_REARM, fd, events, tag);

	fake_interrupt(fake, false);
	if (error)
		return error;
	if (!fake->watches[fd].is_armed)
		return -ENOENT;
	if ((fake->watches[fd].events | events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	fake_register(fake, fd, events, tag);
	fake_interrupt(fake, true);
	return 0;
}

static int fake_disarm(struct source *source, int fd)
{
	struct fake *fake = fake_of(source);
	int error = fake_note(fake, FAKE_DISARM, fd, 0, 0);

	fake_interrupt(fake, false);
	if (error)
		return error;
	if (!fake->watches[fd].is_armed)
		return -ENOENT;
	fake->watches[fd].is_armed = false;
	fake_interrupt(fake, true);
	return 0;
}

void fake_lose(struct fake *fake, int fd)
{
	fake->watches[fd].is_armed = false;
}

static void fake_forget(struct source *source, int fd)
{
	struct fake *fake = fake_of(source);

	fake_note(fake, FAKE_FORGET, fd, 0, 0);
	fake_lose(fake, fd);
}

static void fake_lapsed(struct source *source, int fd, uint32_t mask)
{
	fake_note(fake_of(source), FAKE_LAPSED, fd, mask, 0);
}

static void fake_show(struct source *source, bool is_ready)
{
	fake_note(fake_of(source), FAKE_SHOW, -1, is_ready, 0);
}

void fake_fail(struct fake *fake, enum fake_op op, int error)
{
	fake->failures[op] = error;
}

/* -------- edges -------- */

static void fake_push(struct fake *fake, struct fake_edge edge)
{
	if (fake->nr_edges == FAKE_EDGES)
		fake_give_up("too many edges");
	fake->edges[fake->nr_edges++] = edge;
	if (eventfd_write(fake->source->fd, 1) < 0)
		fake_give_up("eventfd_write");
}

void fake_wake(struct fake *fake, int fd, uint32_t events)
{
	fake_push(fake, (struct fake_edge){.fd = fd, .events = events});
}

void fake_edge(struct fake *fake, uint64_t tag, uint32_t events)
{
	fake_push(fake, (struct fake_edge){.fd = -1, .events = events, .tag = tag});
}

/* What becomes of @edge when it is collected.  Returns whether anything does. */
static bool fake_look(struct fake *fake, const struct fake_edge *edge, struct epoll_event *out)
{
	struct fake_watch *watch;

	*out = (struct epoll_event){.events = edge->events, .data.u64 = edge->tag};
	if (edge->fd < 0)
		return true;
	watch = &fake->watches[edge->fd];
	out->events &= watch->events;
	out->data.u64 = watch->tag;
	if (!watch->is_armed || !out->events)
		return false;
	if (watch->events & EPOLLONESHOT)
		watch->events &= FAKE_PRIVATE_BITS;
	return true;
}

static int fake_take(struct fake *fake, struct epoll_event *edges, int max)
{
	struct epoll_event taken;
	unsigned int used = 0;
	eventfd_t unused;
	int n = 0;

	while (n < max && used < fake->nr_edges) {
		if (!fake_look(fake, &fake->edges[used++], &taken))
			continue;
		/* the kernel's copy fails where ours would be a fault */
		if (n == 0 && getrandom(edges, 1, 0) < 0)
			return -EFAULT;
		edges[n++] = taken;
	}
	fake->nr_edges -= used;
	memmove(fake->edges, fake->edges + used, fake->nr_edges * sizeof(fake->edges[0]));
	if (!fake->nr_edges)
		eventfd_read(fake->source->fd, &unused);
	return n;
}

static int fake_collect(struct source *source, struct epoll_event *edges, int max)
{
	struct fake *fake = fake_of(source);
	int error = fake->collect_error;

	fake->collect_error = 0;
	if (fake->collecting)
		fake->collecting();
	return error ? error : fake_take(fake, edges, max);
}

static unsigned int fake_pollset(struct source *source, struct pollfd *set, unsigned int max)
{
	if (max)
		set[0] = (struct pollfd){.fd = source->fd, .events = POLLIN};
	sem_post(&fake_of(source)->laid_out);
	return 1;
}

static int fake_list(const struct source *source, source_see *see, void *ctx)
{
	struct fake *fake = fake_of(source);
	int error = fake->failures[FAKE_LIST];

	fake->failures[FAKE_LIST] = 0;
	for (int fd = 0; !error && fd < FAKE_FDS; fd++)
		if (fake->watches[fd].is_armed)
			see(ctx, &(struct source_watch){fd, fake->watches[fd].events,
							fake->watches[fd].tag});
	return error;
}

/* -------- sleeping -------- */

void fake_then(struct fake *fake, int (*step)(struct fake *fake))
{
	if (fake->nr_steps == FAKE_STEPS)
		fake_give_up("too many steps");
	fake->steps[fake->nr_steps++] = step;
}

static int fake_sleep(int fd, struct epoll_event *edges, int max, uint64_t timeout_ns,
		      const sigset_t *sigmask)
{
	struct fake *fake = fake_by_fd(fd);
	int (*step)(struct fake *) = fake->steps[0];
	int ret = 0;

	fake->nr_sleeps++;
	fake->buffer = edges;
	fake->max = max;
	fake->timeout_ns = timeout_ns;
	fake->sigmask = sigmask;
	if (fake->nr_edges == 0 && !step && timeout_ns == CLOCK_FOREVER)
		fake_give_up("asleep for ever");
	if (fake->nr_edges == 0 && step) {
		memmove(fake->steps, fake->steps + 1, sizeof(fake->steps) - sizeof(step));
		fake->steps[--fake->nr_steps] = NULL;
		ret = step(fake);
	}
	return ret ? ret : fake_take(fake, edges, max);
}

const struct source_ops fake_kernel = {
	.name = "fake kernel",
	.has_kernel_epoll = true,
	.open = fake_open_kernel,
	.fini = fake_fini,
	.arm = fake_arm,
	.rearm = fake_rearm,
	.disarm = fake_disarm,
	.collect = fake_collect,
	.pollset = fake_pollset,
	.list = fake_list,
	.sleep = fake_sleep,
};

const struct source_ops fake_plain = {
	.name = "fake",
	.open = fake_open_plain,
	.fini = fake_fini,
	.arm = fake_arm,
	.rearm = fake_rearm,
	.disarm = fake_disarm,
	.forget = fake_forget,
	.lapsed = fake_lapsed,
	.collect = fake_collect,
	.pollset = fake_pollset,
	.list = fake_list,
	.show = fake_show,
};
