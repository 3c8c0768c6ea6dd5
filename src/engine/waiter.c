// SPDX-License-Identifier: MIT
#include "engine/waiter.h"

#include <pthread.h>

#include "engine/pool.h"
#include "real/beacon.h"
#include "real/ownfd.h"
#include "real/sys.h"
#include "source/source.h"

void (*waiter_abandoned)(struct waiter *waiter);

static struct pool waiter_pool = POOL_INIT(struct waiter);

static pthread_key_t waiter_key;

__thread struct waiter *waiter_mine __attribute__((tls_model("initial-exec")));

static struct waiter *waiter_new(void)
{
	struct waiter *waiter;
	uint32_t slot;

	waiter = pool_alloc(&waiter_pool, &slot);
	if (!waiter)
		return NULL;

	*waiter = (struct waiter){.tid = sys_gettid(), .wakefd = -1, .slot = slot};
	list_init(&waiter->link);
	list_init(&waiter->wq_link);
	return waiter;
}

static void waiter_free(struct waiter *waiter)
{
	ownfd_close(waiter->wakefd);
	pool_free(&waiter_pool, waiter->slot);
}

/* Leave the innermost waiter behind: its wait is over or will never end. */
static void waiter_pop(void)
{
	struct waiter *waiter = waiter_mine;

	if (waiter->ep && waiter_abandoned)
		waiter_abandoned(waiter);
	waiter->ep = NULL;
	waiter_mine = waiter->outer;
	waiter_free(waiter);
}

static void waiter_thread_ends(void *unused)
{
	(void)unused;
	if (!section_enter())
		return;
	while (waiter_mine)
		waiter_pop();
	section_leave();
}

void waiter_init(void)
{
	pthread_key_create(&waiter_key, waiter_thread_ends);
}

/* The thread's first waiter, or one on top of a wait that a handler interrupted. */
static struct waiter *waiter_push(void)
{
	struct waiter *waiter = waiter_new();

	if (!waiter)
		return NULL;
	waiter->outer = waiter_mine;
	if (waiter->outer) {
		waiter->outer->was_interrupted = true;
	} else {
		pthread_setspecific(waiter_key, waiter);
	}
	waiter_mine = waiter;
	return waiter;
}

/* The innermost wait has been left; the waiter of the outermost is kept. */
static void waiter_abandon(void)
{
	if (waiter_mine->outer) {
		waiter_pop();
		return;
	}
	if (waiter_mine->ep && waiter_abandoned)
		waiter_abandoned(waiter_mine);
	waiter_mine->ep = NULL;
}

void waiter_leave(uintptr_t sp)
{
	while (waiter_is_inside() && section_is_left(&waiter_mine->mark, sp))
		waiter_abandon();
}

struct waiter *waiter_get(void)
{
	struct section_mark here = section_self.mark;

	while (waiter_is_inside()) {
		if (section_mark_is_live(&waiter_mine->mark, here.frame)) {
			if (!waiter_push())
				return NULL;
			break;
		}
		waiter_abandon();
	}
	if (!waiter_mine && !waiter_push())
		return NULL;
	waiter_mine->mark = here;
	waiter_mine->was_interrupted = false;
	return waiter_mine;
}

void waiter_put(struct waiter *waiter)
{
	if (waiter->outer && waiter == waiter_mine)
		waiter_pop();
}

bool waiter_is_own(const struct waiter *waiter)
{
	for (const struct waiter *own = waiter_mine; own; own = own->outer)
		if (own == waiter)
			return true;
	return false;
}

bool waiter_is_gone(const struct waiter *waiter)
{
	if (waiter_is_own(waiter))
		return !section_mark_is_live(&waiter->mark, section_self.mark.frame);
	return !sys_has_thread(sys_getpid(), waiter->tid);
}

int waiter_open(struct waiter *waiter)
{
	int fd;

	if (waiter->wakefd >= 0)
		return 0;
	fd = ownfd_take(beacon_open(EPOLL_CLOEXEC));
	if (fd < 0)
		return fd;
	waiter->wakefd = fd;
	return 0;
}

int waiter_sleep(struct waiter *waiter, uint64_t timeout_ns, const sigset_t *sigmask)
{
	struct epoll_event event;

	return source_epoll.sleep(waiter->wakefd, &event, 1, timeout_ns, sigmask);
}

void waiter_wake(struct waiter *waiter)
{
	beacon_light(waiter->wakefd);
}

void waiter_drain(struct waiter *waiter)
{
	beacon_douse(waiter->wakefd);
}

void waiter_for_each_own(void (*visit)(struct waiter *waiter))
{
	for (struct waiter *waiter = waiter_mine; waiter; waiter = waiter->outer)
		visit(waiter);
}

void waiter_fork_interrupted(void)
{
	pool_break(&waiter_pool);
}

void waiter_reset_all(void)
{
	pool_reset(&waiter_pool);
	for (struct waiter *waiter = waiter_mine; waiter; waiter = waiter->outer) {
		list_init(&waiter->link);
		list_init(&waiter->wq_link);
		waiter->tid = sys_gettid();
		ownfd_close(waiter->wakefd); /* its counter is the parent's, too */
		waiter->wakefd = -1;
	}
}
