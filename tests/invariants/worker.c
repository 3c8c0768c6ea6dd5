// SPDX-License-Identifier: MIT
/*
 * worker.c - threads that wait and serve, and what their signal handlers do.
 *
 * A worker can be cancelled while it waits, nowhere else.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/raw.h"
#include "disturb.h"
#include "field.h"
#include "stage.h"

static __thread struct worker *my_worker;

/* ---- signals ----------------------------------------------------------- */

static void signals_set(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(how, &set, NULL);
}

/* ---- waiting ----------------------------------------------------------- */

/*
 * libc may act on a cancellation after the kernel has filled the buffer: what stands
 * there then has been told, and nobody else will be.
 */
static void serve_what_is_there(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < NR_EVENTS_MAX; i++)
		if (worker->events[i].events)
			field_serve(worker->field, worker->epfd, &worker->events[i], 1);
}

/* In the calm, one that wakes up by itself would hide what was lost. */
static int timeout_of(const struct worker *worker)
{
	return worker->is_patient ? -1 : worker->timeout_ms;
}

static int wait_for_events(struct worker *worker)
{
	int timeout_ms = timeout_of(worker);
	struct timespec timeout = {.tv_nsec = timeout_ms * NS_PER_MS};
	int max = worker->field->maxevents;

	switch (roll(4)) {
	case 0:
		return epoll_pwait(worker->epfd, worker->events, max, timeout_ms, NULL);
	case 1:
		return epoll_pwait2(worker->epfd, worker->events, max,
				    timeout_ms < 0 ? NULL : &timeout, NULL);
	default:
		return epoll_wait(worker->epfd, worker->events, max, timeout_ms);
	}
}

/* Sleep until the eventpoll is readable, then see what it has. */
static int poll_for_events(struct worker *worker)
{
	struct pollfd pollfd = {.fd = worker->epfd, .events = POLLIN};
	int timeout_ms = timeout_of(worker);
	int nr;

	if (roll(3) == 0) {
		struct timeval timeout = {.tv_usec = timeout_ms * 1000};
		fd_set set;

		FD_ZERO(&set);
		FD_SET(worker->epfd, &set);
		nr = select(worker->epfd + 1, &set, NULL, NULL, timeout_ms < 0 ? NULL : &timeout);
	} else {
		nr = poll(&pollfd, 1, timeout_ms);
	}
	if (nr < 0)
		return nr;
	return epoll_wait(worker->epfd, worker->events, worker->field->maxevents, 0);
}

/*
 * Cancellation is on or off for the calling thread.  To disable it is not enough: a
 * cancellation that was sent before may arrive after, and libc acts on it in any
 * call that could be cancelled.  So its signal, which libc lets nobody block, is
 * blocked past libc.
 */
static void cancellation_set(bool is_on)
{
	uint64_t cancel_signal = UINT64_C(1) << (32 - 1);

	if (!is_on)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	raw_call(SYS_rt_sigprocmask, is_on ? SIG_UNBLOCK : SIG_BLOCK, (long)&cancel_signal, 0,
		 sizeof(cancel_signal), 0, 0);
	if (is_on)
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

static int worker_wait(struct worker *worker)
{
	int nr;

	for (int i = 0; i < NR_EVENTS_MAX; i++)
		worker->events[i].events = 0; /* no event is */
	worker->is_patient = worker->timeout_ms < 0 || !atomic_load(&worker->field->is_stormy);
	pthread_cleanup_push(serve_what_is_there, worker);
	cancellation_set(true);
	nr = worker->how == WORKER_POLLS ? poll_for_events(worker) : wait_for_events(worker);
	cancellation_set(false);
	pthread_cleanup_pop(0);
	return nr;
}

/* A child's SIGCHLD goes to any thread if the one that forks has it blocked, as libc does. */
static bool may_be_interrupted(const struct field *field)
{
	return field->disturbances & (DISTURB_SIGNALS | DISTURB_FORKS);
}

void worker_begin(struct worker *worker)
{
	char name[16];

	cancellation_set(false);
	snprintf(name, sizeof(name), "worker %u", worker->index);
	pthread_setname_np(pthread_self(), name);
	my_dice = dice_from_seed(dice_roll(&worker->dice));
	my_worker = worker;
	signals_set(SIG_UNBLOCK);
}

void worker_end(void)
{
	signals_set(SIG_BLOCK);
}

void *worker_run(void *argument)
{
	struct worker *worker = argument;
	enum served served;
	int nr;

	worker_begin(worker);
	do {
		nr = worker_wait(worker);
		if (nr < 0) {
			EXPECT_INT(errno, ==, EINTR);
			EXPECT(may_be_interrupted(worker->field));
		}
		served = field_serve(worker->field, worker->epfd, worker->events, nr);
	} while (served != SERVED_BELL);
	worker_end();
	return NULL;
}

/* ---- its life ---------------------------------------------------------- */

static void worker_start(struct worker *worker)
{
	EXPECT_INT(pthread_create(&worker->thread, NULL, worker->run, worker), ==, 0);
}

void worker_open(struct worker *worker)
{
	worker->toy = eventfd_open(0);
	worker->toy_epfd = epoll_open();
	watch(worker->epfd, worker->toy, EPOLLIN, data_make(DATA_TOY, worker->index, 1));
	watch(worker->toy_epfd, worker->field->bell, EPOLLIN, data_make(DATA_BELL, 0, 0));
	worker_start(worker);
}

void worker_close(struct worker *worker)
{
	if (!worker->is_gone)
		EXPECT_INT(pthread_join(worker->thread, NULL), ==, 0);
	CLOSE(worker->toy, worker->toy_epfd);
}

void worker_cancel(struct worker *worker)
{
	EXPECT_INT(pthread_cancel(worker->thread), ==, 0);
	EXPECT_INT(pthread_join(worker->thread, NULL), ==, 0);
	worker->is_gone = true;
	worker->is_patient = true;
}

void worker_restart(struct worker *worker)
{
	worker->is_gone = false;
	worker_start(worker);
}

/* ---- its handlers ------------------------------------------------------ */

/* README, deviations: with the source poll a handler's epoll_ctl may fail with ENOMEM. */
static bool may_control(void)
{
	return !source_is("poll");
}

/* A new file under the old number, or under another: whoever is quicker. */
static void exchange_toy(struct worker *worker)
{
	MUST(close(worker->toy));
	worker->toy = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	watch(worker->epfd, worker->toy, EPOLLIN, data_make(DATA_TOY, worker->index, 1));
}

static void play(struct worker *worker)
{
	uint64_t data = data_make(DATA_TOY, worker->index, 1);
	unsigned int first = may_control() ? 0 : 3;

	switch (first + roll(10 - first)) {
	case 0:
		rewatch(worker->epfd, worker->toy, roll(2) ? EPOLLIN : 0, data);
		break;
	case 1:
		unwatch(worker->epfd, worker->toy);
		watch(worker->epfd, worker->toy, EPOLLIN | (roll(2) ? EPOLLET : 0), data);
		break;
	case 2:
		exchange_toy(worker);
		break;
	case 3:
		field_look(worker->field, worker->toy_epfd, 1, 0);
		break;
	case 4:
	case 5:
		field_look(worker->field, worker->epfd, worker->field->maxevents, 0);
		break;
	default:
		break;
	}
}

static void on_signal(int signal)
{
	int old_errno = errno;
	int old_state;

	(void)signal;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_state);
	play(my_worker);
	atomic_fetch_add(&my_worker->nr_handled, 1);
	if (my_worker->after_signal)
		my_worker->after_signal(my_worker);
	pthread_setcancelstate(old_state, NULL);
	errno = old_errno;
}

void signals_handle(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	memset(&action.sa_mask, 0xff, sizeof(action.sa_mask)); /* see cancellation_set() */
	MUST(sigaction(SIGUSR1, &action, NULL));
}

void signals_block(void)
{
	signals_set(SIG_BLOCK);
}
