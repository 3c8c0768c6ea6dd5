// SPDX-License-Identifier: MIT
#include "source/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/lock.h"
#include "base/pages.h"
#include "real/sys.h"

/* Ours begin here, far above what a server hands out to its clients. */
#define LOOP_FD_MIN 512

void (*loop_reserve_fd)(int fd);

static struct loop {
	struct lock lock; /* rank LOCK_LOOP; see loop.h */
	struct list_head clients;
	struct pollfd *set; /* [0] is wakefd; a client's slice follows another's */
	unsigned int max;
	int wakefd;
	bool is_running;
	bool is_stale;	/* the set was changed since the thread built it */
	bool is_asleep; /* in poll(2), or about to be: a change needs a kick */
} loop = {
	.lock = LOCK_INIT(LOCK_LOOP),
	.clients = LIST_INIT(loop.clients),
	.wakefd = -1,
};

void loop_lock(void)
{
	lock_acquire(&loop.lock);
}

void loop_unlock(void)
{
	lock_release(&loop.lock);
}

/* Room for @need entries.  Returns false if there is no memory. */
static bool loop_reserve(unsigned int need)
{
	struct pollfd *set;
	unsigned int max = loop.max ? loop.max : 512;

	if (need <= loop.max)
		return true;
	while (max < need)
		max *= 2;
	set = pages_alloc(max * sizeof(*set));
	if (!set)
		return false;
	if (loop.set)
		pages_free(loop.set, loop.max * sizeof(*set));
	loop.set = set;
	loop.max = max;
	return true;
}

/* Lay the clients' poll sets one after another.  Returns the number of entries. */
static unsigned int loop_build(void)
{
	struct loop_client *client;
	unsigned int nr = 1;

	if (!loop_reserve(nr))
		return 0;
	list_for_each_entry(client, &loop.clients, link) {
		unsigned int want;

		while ((want = client->source->ops->pollset(client->source, loop.set + nr,
							    loop.max - nr)) > loop.max - nr) {
			/* grown and laid out afresh: the slices before ours are lost */
			if (!loop_reserve(nr + want))
				return nr;
			return loop_build();
		}
		client->first = nr;
		client->nr = want;
		nr += want;
	}
	loop.set[0] = (struct pollfd){.fd = loop.wakefd, .events = POLLIN};
	loop.is_stale = false;
	return nr;
}

static bool loop_client_is_ready(const struct loop_client *client)
{
	for (unsigned int i = 0; i < client->nr; i++)
		if (loop.set[client->first + i].revents)
			return true;
	return false;
}

static void loop_dispatch(void)
{
	struct loop_client *client, *next;

	list_for_each_entry_safe(client, next, &loop.clients, link) {
		/* joined while we slept: no slice of what we polled is his */
		if (!client->nr || !loop_client_is_ready(client))
			continue;
		if (client->ready(client))
			loop.is_stale = true;
		else
			loop_leave(client);
	}
}

static void *loop_main(void *unused)
{
	uint64_t kicks;
	unsigned int nr;

	(void)unused;
	for (;;) {
		loop_lock();
		nr = loop_build();
		loop.is_asleep = true;
		loop_unlock();

		/* nobody but this thread touches the set while is_asleep */
		sys_ppoll(loop.set, nr, NULL);

		loop_lock();
		loop.is_asleep = false;
		if (loop.set[0].revents)
			sys_read(loop.wakefd, &kicks, sizeof(kicks));
		loop_dispatch();
		loop_unlock();
	}
	return NULL;
}

static int loop_open_wakefd(void)
{
	int low = sys_eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int high;

	if (low < 0)
		return low;
	high = sys_fcntl(low, F_DUPFD_CLOEXEC, LOOP_FD_MIN);
	if (high < 0)
		high = low;
	else
		sys_close(low);
	loop.wakefd = high;
	if (loop_reserve_fd)
		loop_reserve_fd(high);
	return 0;
}

static int loop_start(void)
{
	pthread_t thread;
	sigset_t all, saved;
	int ret;

	if (loop.wakefd < 0) {
		ret = loop_open_wakefd();
		if (ret < 0)
			return ret;
	}
	/* the host's signals are for the host's threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	ret = pthread_create(&thread, NULL, loop_main, NULL);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (ret)
		return -ret;
	pthread_detach(thread);
	loop.is_running = true;
	return 0;
}

void loop_kick(struct loop_client *client)
{
	static const uint64_t one = 1;

	if (!client->is_joined || loop.is_stale)
		return;
	loop.is_stale = true;
	if (loop.is_asleep)
		sys_write(loop.wakefd, &one, sizeof(one));
}

int loop_join(struct loop_client *client)
{
	int ret;

	if (client->is_joined)
		return 0;
	if (!loop.is_running) {
		ret = loop_start();
		if (ret < 0)
			return ret;
	}
	list_add_tail(&client->link, &loop.clients);
	client->is_joined = true;
	client->nr = 0;
	loop_kick(client);
	return 0;
}

void loop_leave(struct loop_client *client)
{
	if (!client->is_joined)
		return;
	list_del_init(&client->link);
	client->is_joined = false;
	client->nr = 0;
}

void loop_reset(void)
{
	lock_reset(&loop.lock);
	list_init(&loop.clients);
	if (loop.wakefd >= 0)
		sys_close(loop.wakefd);
	loop.wakefd = -1;
	loop.is_running = false;
	loop.is_stale = false;
	loop.is_asleep = false;
}
