// SPDX-License-Identifier: MIT
#include "engine/waiter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/slab.h"
#include "real/real.h"
#include "real/sys.h"

/* Ours begin here, far above what a server hands out to its clients. */
#define WAITER_FD_MIN 512

void (*waiter_reserve_fd)(int fd);
void (*waiter_abandoned)(struct waiter *waiter);

static struct lock waiter_slab_lock = LOCK_INIT(LOCK_SLAB); /* protects waiter_slab */
static struct slab waiter_slab;
static bool waiter_slab_is_ready;
static uint32_t waiter_fork_count;

static pthread_once_t waiter_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t waiter_key;

static __thread struct waiter *waiter_mine __attribute__((tls_model("initial-exec")));

/* The thread ends: give back its waiter, and what it slept on. */
static void waiter_free(void *value)
{
	struct waiter *waiter = value;

	if (waiter->ep && waiter_abandoned)
		waiter_abandoned(waiter);
	waiter_mine = NULL;
	if (waiter->wakefd >= 0 && waiter->fork_count == waiter_fork_count)
		sys_close(waiter->wakefd);
	lock_acquire(&waiter_slab_lock);
	slab_free(&waiter_slab, waiter->slot);
	lock_release(&waiter_slab_lock);
}

static void waiter_make_key(void)
{
	pthread_key_create(&waiter_key, waiter_free);
}

static struct waiter *waiter_new(void)
{
	struct waiter *waiter;
	uint32_t slot;

	lock_acquire(&waiter_slab_lock);
	if (!waiter_slab_is_ready) {
		slab_init(&waiter_slab, sizeof(struct waiter));
		waiter_slab_is_ready = true;
	}
	waiter = slab_alloc(&waiter_slab, &slot);
	lock_release(&waiter_slab_lock);
	if (!waiter)
		return NULL;

	list_init(&waiter->link);
	list_init(&waiter->wq_link);
	waiter->ep = NULL;
	waiter->visit = 0;
	waiter->tid = sys_gettid();
	waiter->wakefd = -1;
	waiter->slot = slot;
	waiter->fork_count = waiter_fork_count;
	return waiter;
}

struct waiter *waiter_self(void)
{
	if (waiter_mine)
		return waiter_mine;
	waiter_mine = waiter_new();
	if (waiter_mine) {
		pthread_once(&waiter_key_once, waiter_make_key);
		pthread_setspecific(waiter_key, waiter_mine);
	}
	return waiter_mine;
}

bool waiter_is_gone(const struct waiter *waiter)
{
	return !sys_has_thread(sys_getpid(), waiter->tid);
}

int waiter_open(struct waiter *waiter)
{
	int low, high;

	if (waiter->wakefd >= 0)
		return 0;
	low = sys_eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (low < 0)
		return low;
	high = sys_fcntl(low, F_DUPFD_CLOEXEC, WAITER_FD_MIN);
	if (high < 0)
		high = low;
	else
		sys_close(low);
	waiter->wakefd = high;
	if (waiter_reserve_fd)
		waiter_reserve_fd(high);
	return 0;
}

int waiter_sleep(struct waiter *waiter, uint64_t timeout_ns, const sigset_t *sigmask)
{
	struct pollfd pollfd = {.fd = waiter->wakefd, .events = POLLIN};
	struct timespec timeout = clock_to_timespec(timeout_ns);
	int saved_errno = errno;
	int n = real()->ppoll(&pollfd, 1, timeout_ns == CLOCK_FOREVER ? NULL : &timeout, sigmask);

	n = n < 0 ? -errno : n;
	errno = saved_errno;
	return n;
}

void waiter_wake(struct waiter *waiter)
{
	static const uint64_t one = 1;

	sys_write(waiter->wakefd, &one, sizeof(one));
}

void waiter_drain(struct waiter *waiter)
{
	uint64_t wakeups;

	sys_read(waiter->wakefd, &wakeups, sizeof(wakeups));
}

void waiter_reset_all(void)
{
	lock_reset(&waiter_slab_lock);
	waiter_fork_count++;
	if (!waiter_mine)
		return;
	list_init(&waiter_mine->link);
	list_init(&waiter_mine->wq_link);
	waiter_mine->ep = NULL;
	waiter_mine->tid = sys_gettid();
	waiter_mine->fork_count = waiter_fork_count;
	if (waiter_mine->wakefd >= 0)
		sys_close(waiter_mine->wakefd); /* its counter is the parent's */
	waiter_mine->wakefd = -1;
}
