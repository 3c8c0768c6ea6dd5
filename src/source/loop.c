// SPDX-License-Identifier: MIT
#include "source/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "base/lock.h"
#include "base/pages.h"
#include "real/ownfd.h"
#include "real/sys.h"

#define LOOP_SET_MIN 512

/* Is the thread inside poll(2), holding the files of the set?  A futex. */
enum loop_sleep {
	LOOP_AWAKE,
	LOOP_ASLEEP,  /* or about to be */
	LOOP_AWAITED, /* the same, and somebody waits for the end of it */
};

static struct loop {
	struct lock lock; /* rank LOCK_LOOP; see loop.h */
	struct list_head clients;
	struct pollfd *set; /* [0] is wakefd; a client's slice follows another's */
	unsigned int max;
	int wakefd;	     /* readable: the set has changed.  -1: none */
	uint32_t generation; /* counts forks: who joined in the parent has not here */
	uint32_t sleep;	     /* enum loop_sleep; set with the lock held, cleared without */
	bool is_running;
	bool is_kicked; /* wakefd has been written since the thread read it */
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

struct lock *loop_mutex(void)
{
	return &loop.lock;
}

bool loop_is_joined(const struct loop_client *client)
{
	return client->is_joined && client->generation == loop.generation;
}

/* -------- the poll set; by the loop thread, with the lock held -------- */

/* Room for @need entries.  What is in the set is lost.  Returns false if there is no memory. */
static bool loop_reserve(unsigned int need)
{
	struct pollfd *set, *old_set = loop.set;
	unsigned int max = loop.max ? loop.max : LOOP_SET_MIN, old_max = loop.max;

	if (need <= loop.max)
		return true;
	while (max < need)
		max *= 2;
	set = pages_alloc(max * sizeof(*set));
	if (!set)
		return false;
	loop.set = set;
	loop.max = max;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* a fork may cut us off: nothing is freed twice */
	pages_free(old_set, old_max * sizeof(*set));
	return true;
}

/* Lay out the clients' poll sets as far as there is room.  Returns how many entries there are. */
static unsigned int loop_lay_out(void)
{
	struct loop_client *client;
	unsigned int nr = 1;

	if (loop.max)
		loop.set[0] = (struct pollfd){.fd = loop.wakefd, .events = POLLIN};
	list_for_each_entry(client, &loop.clients, link) {
		const struct source_ops *ops = client->source->ops;
		unsigned int room = nr < loop.max ? loop.max - nr : 0;

		client->first = nr;
		client->nr = ops->pollset(client->source, loop.set + (room ? nr : 0), room);
		client->due_ns = ops->due_ns ? ops->due_ns(client->source) : CLOCK_FOREVER;
		nr += client->nr;
	}
	return nr;
}

/* Build the set.  Returns the number of entries, 0 if there is no memory for them. */
static unsigned int loop_build(void)
{
	unsigned int nr = loop_lay_out();

	if (nr <= loop.max)
		return nr;
	if (!loop_reserve(nr))
		return 0;
	return loop_lay_out();
}

/* When the first client wants to be called although nothing of it is ready. */
static uint64_t loop_due_ns(void)
{
	struct loop_client *client;
	uint64_t due_ns = CLOCK_FOREVER;

	list_for_each_entry(client, &loop.clients, link)
		if (client->due_ns < due_ns)
			due_ns = client->due_ns;
	return due_ns;
}

static bool loop_client_is_ready(const struct loop_client *client, uint64_t now_ns)
{
	if (client->due_ns <= now_ns)
		return true;
	for (unsigned int i = 0; i < client->nr; i++)
		if (loop.set[client->first + i].revents)
			return true;
	return false;
}

/* Call the clients that have something; @is_blind: nobody knows who, so call all. */
static void loop_dispatch(bool is_blind)
{
	uint64_t now_ns = clock_now_ns();
	struct loop_client *client, *next;

	list_for_each_entry_safe(client, next, &loop.clients, link) {
		/* one that joined while we slept has no slice and is not due */
		if (!is_blind && !loop_client_is_ready(client, now_ns))
			continue;
		if (!client->ready(client))
			loop_leave(client);
	}
}

/* -------- the thread -------- */

static int loop_open_wakefd(void)
{
	loop.wakefd = ownfd_take(sys_eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return loop.wakefd;
}

/*
 * Sleep until something of the set is ready, or @due_ns.  No lock held, and
 * nobody else touches the set meanwhile.  Returns false if poll(2) refused, or
 * the set is not there (@nr is 0): then a tick has passed.
 */
static bool loop_sleep(unsigned int nr, uint64_t due_ns)
{
	struct timespec left = clock_to_timespec(clock_left_ns(due_ns, clock_now_ns()));
	struct timespec tick = clock_to_timespec(LOOP_TICK_NS);
	int ret;

	if (nr) {
		ret = sys_ppoll(loop.set, nr, due_ns == CLOCK_FOREVER ? NULL : &left);
		if (ret >= 0 || ret == -EINTR)
			return true;
	}
	sys_ppoll(NULL, 0, &tick);
	return false;
}

/* The thread has let go of all files; whoever waits for that need not any longer. */
static void loop_note_awake(void)
{
	if (__atomic_exchange_n(&loop.sleep, LOOP_AWAKE, __ATOMIC_ACQ_REL) == LOOP_AWAITED)
		sys_futex_wake_all(&loop.sleep);
}

/* Forget the kicks.  A wakefd that somebody has closed is replaced. */
static void loop_take_kick(bool is_closed)
{
	uint64_t kicks;

	if (is_closed)
		loop.wakefd = -1;
	else if (loop.is_kicked)
		sys_read(loop.wakefd, &kicks, sizeof(kicks));
	loop.is_kicked = false;
}

static void *loop_main(void *unused)
{
	bool is_set_whole;
	unsigned int nr;
	uint64_t due_ns;

	(void)unused;
	raw_call(SYS_prctl, PR_SET_NAME, sys_arg("interpoll"), 0, 0, 0, 0);
	for (;;) {
		loop_lock();
		nr = loop.wakefd >= 0 || loop_open_wakefd() >= 0 ? loop_build() : 0;
		due_ns = loop_due_ns();
		__atomic_store_n(&loop.sleep, LOOP_ASLEEP, __ATOMIC_RELEASE);
		loop_unlock();

		is_set_whole = loop_sleep(nr, due_ns);
		loop_note_awake();

		loop_lock();
		loop_take_kick(is_set_whole && loop.set[0].revents & POLLNVAL);
		loop_dispatch(!is_set_whole);
		loop_unlock();
	}
	return NULL;
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

/* -------- for everybody else -------- */

/* Make the thread look at the set again.  Returns whether it is asleep and will be woken. */
static bool loop_wake(void)
{
	static const uint64_t one = 1;

	if (__atomic_load_n(&loop.sleep, __ATOMIC_ACQUIRE) == LOOP_AWAKE)
		return false; /* it builds a new set before it sleeps, with the lock we hold */
	if (!loop.is_kicked)
		loop.is_kicked = sys_write(loop.wakefd, &one, sizeof(one)) == sizeof(one);
	return loop.is_kicked;
}

void loop_kick(struct loop_client *client)
{
	if (client && loop_is_joined(client))
		loop_wake();
}

void loop_expel(struct loop_client *client)
{
	uint32_t sleep = LOOP_ASLEEP;

	if (!client || !loop_is_joined(client) || !client->nr || !loop_wake())
		return;
	/* it cannot fall asleep again before we give the lock back */
	__atomic_compare_exchange_n(&loop.sleep, &sleep, LOOP_AWAITED, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	while (__atomic_load_n(&loop.sleep, __ATOMIC_ACQUIRE) == LOOP_AWAITED)
		sys_futex_wait(&loop.sleep, LOOP_AWAITED);
}

int loop_join(struct loop_client *client)
{
	int ret;

	if (loop_is_joined(client))
		return 0;
	if (!loop.is_running) {
		ret = loop_start();
		if (ret < 0)
			return ret;
	}
	list_add_tail(&client->link, &loop.clients);
	client->is_joined = true;
	client->generation = loop.generation;
	client->nr = 0;
	client->due_ns = CLOCK_FOREVER;
	client->source->client = client;
	loop_wake();
	return 0;
}

void loop_leave(struct loop_client *client)
{
	if (!loop_is_joined(client))
		return;
	loop_expel(client);
	list_del_init(&client->link);
	client->is_joined = false;
	client->nr = 0;
	client->source->client = NULL;
}

void loop_fork_interrupted(void)
{
	lock_tear(&loop.lock);
	__atomic_store_n(&loop.sleep, LOOP_AWAKE, __ATOMIC_RELEASE);
}

void loop_reset(void)
{
	lock_reset(&loop.lock);
	list_init(&loop.clients);
	ownfd_close(loop.wakefd);
	loop.wakefd = -1;
	loop.generation++;
	loop.sleep = LOOP_AWAKE;
	loop.is_running = false;
	loop.is_kicked = false;
}
