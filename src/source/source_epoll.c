// SPDX-License-Identifier: MIT
/*
 * source_epoll.c - edges from a real kernel epoll, called S.
 *
 * S is the application's epfd itself.  What is kept by us is registered with
 * EPOLLET, so that S reports each wakeup once and holds no level for us; what
 * is kept by the kernel is registered with the application's own flags.
 */
#include "source/source.h"

#include <errno.h>

#include "base/clock.h"
#include "real/real.h"
#include "real/sys.h"
#include "source/fdinfo.h"

static int source_epoll_open(struct source *source, int flags)
{
	int fd = sys_epoll_create1(flags);

	if (fd >= 0)
		*source = (struct source){.ops = &source_epoll, .fd = fd};
	return fd;
}

static void source_epoll_fini(struct source *source)
{
	(void)source; /* S forgets everything when it is closed */
}

static int source_epoll_ctl(struct source *source, int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = {.events = events, .data.u64 = tag};

	return sys_epoll_ctl(source->fd, op, fd, &event);
}

static int source_epoll_arm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	return source_epoll_ctl(source, EPOLL_CTL_ADD, fd, events, tag);
}

static int source_epoll_rearm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	return source_epoll_ctl(source, EPOLL_CTL_MOD, fd, events, tag);
}

static int source_epoll_disarm(struct source *source, int fd)
{
	return source_epoll_ctl(source, EPOLL_CTL_DEL, fd, 0, 0);
}

static int source_epoll_collect(struct source *source, struct epoll_event *edges, int max)
{
	return sys_epoll_collect(source->fd, edges, max);
}

static unsigned int source_epoll_pollset(struct source *source, struct pollfd *set,
					 unsigned int max)
{
	if (max)
		set[0] = (struct pollfd){.fd = source->fd, .events = POLLIN};
	return 1;
}

static int source_epoll_list(const struct source *source, source_see *see, void *ctx)
{
	return fdinfo_list(source->fd, see, ctx);
}

/*
 * Whole milliseconds, and that is what most applications ask for, go through the
 * calls that every kernel has and every sandbox permits.
 */
static int source_epoll_sleep_ms(int fd, struct epoll_event *edges, int max, uint64_t timeout_ns,
				 const sigset_t *sigmask)
{
	int timeout_ms = clock_to_ms(timeout_ns);
	int n = sigmask ? real()->epoll_pwait(fd, edges, max, timeout_ms, sigmask)
			: real()->epoll_wait(fd, edges, max, timeout_ms);

	return n < 0 ? -errno : n;
}

static int source_epoll_sleep(int fd, struct epoll_event *edges, int max, uint64_t timeout_ns,
			      const sigset_t *sigmask)
{
	int saved_errno = errno;
	int n = -ENOSYS;

	if (timeout_ns != CLOCK_FOREVER && timeout_ns % CLOCK_NS_PER_MS != 0) {
		struct timespec timeout = clock_to_timespec(timeout_ns);

		n = real()->epoll_pwait2(fd, edges, max, &timeout, sigmask);
		n = n < 0 ? -errno : n;
	}
	if (n == -ENOSYS || n == -EPERM)
		n = source_epoll_sleep_ms(fd, edges, max, timeout_ns, sigmask);
	errno = saved_errno;
	return n;
}

const struct source_ops source_epoll = {
	.name = "epoll",
	.has_kernel_epoll = true,
	.open = source_epoll_open,
	.fini = source_epoll_fini,
	.arm = source_epoll_arm,
	.rearm = source_epoll_rearm,
	.disarm = source_epoll_disarm,
	.collect = source_epoll_collect,
	.pollset = source_epoll_pollset,
	.list = source_epoll_list,
	.sleep = source_epoll_sleep,
};
