// SPDX-License-Identifier: MIT
/*
 * test_waiter.c - threads inside a wait: woken, interrupted, gone without a word.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/waiter.h"
#include "real/ownfd.h"

#define noinline __attribute__((noinline, noclone))

#ifdef __SANITIZE_ADDRESS__
/* A cancelled thread's stack stays poisoned, and its signal stack is put away there. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "use_sigaltstack=0";
}
#endif

/* No waiter looks into its eventpoll: any address will do. */
static char some_place;
#define SOME_EP ((struct eventpoll *)(void *)&some_place)

static struct waiter *abandoned[4];
static int nr_abandoned;

static void note_abandoned(struct waiter *waiter)
{
	cr_assert_eq(waiter->ep, SOME_EP);
	abandoned[nr_abandoned++] = waiter;
}

static void waiter_begin(void)
{
	waiter_init();
	waiter_abandoned = note_abandoned;
}

TestSuite(waiter, .init = waiter_begin);

/* A wait as the engine makes it: prepared in a section, asleep outside of it. */
static noinline void wait_once(void (*sleep)(struct waiter *waiter), struct waiter **ret_waiter)
{
	struct waiter *waiter;

	cr_assert(section_enter());
	waiter = waiter_get();
	cr_assert_not_null(waiter);
	cr_assert_null(waiter->ep);
	__atomic_store_n(ret_waiter, waiter, __ATOMIC_RELEASE);
	waiter->ep = SOME_EP;
	section_leave();

	sleep(waiter);

	section_resume(&waiter->mark);
	waiter->ep = NULL;
	waiter_put(waiter);
	section_leave();
}

static void sleep_not(struct waiter *waiter)
{
	cr_assert(waiter_is_own(waiter));
}

/* A waiter of this thread with a descriptor to sleep on. */
static struct waiter *open_waiter(void)
{
	struct waiter *waiter;

	wait_once(sleep_not, &waiter);
	cr_assert_eq(waiter_open(waiter), 0);
	return waiter;
}

Test(waiter, thread_has_one_waiter_for_all_its_waits)
{
	struct waiter *first, *second;

	wait_once(sleep_not, &first);
	wait_once(sleep_not, &second);
	cr_assert_eq(first, second);
	cr_assert_eq(first->tid, gettid());
	cr_assert_eq(nr_abandoned, 0);
}

static void *wait_in_thread(void *ret_waiter)
{
	wait_once(sleep_not, ret_waiter);
	return NULL;
}

static struct waiter *waiter_of_ended_thread(void *(*run)(void *))
{
	struct waiter *waiter = NULL;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run, &waiter), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_not_null(waiter);
	return waiter;
}

Test(waiter, threads_have_waiters_of_their_own_and_leave_them_behind)
{
	struct waiter *mine, *first, *second;

	wait_once(sleep_not, &mine);
	first = waiter_of_ended_thread(wait_in_thread);
	cr_assert_neq(first, mine);
	cr_assert_not(waiter_is_own(first));
	second = waiter_of_ended_thread(wait_in_thread);
	cr_assert_eq(first, second, "not given back when its thread ended");
	cr_assert_eq(nr_abandoned, 0);
}

static int taken_fd = -1, closed_fd = -1;

static void note_taken(int fd)
{
	taken_fd = fd;
}

static void note_closed(int fd)
{
	closed_fd = fd;
}

static void *open_in_thread(void *ret_waiter)
{
	*(struct waiter **)ret_waiter = open_waiter();
	return NULL;
}

Test(waiter, descriptor_is_out_of_the_way_and_closed_with_its_thread)
{
	struct waiter *waiter;
	int fd;

	ownfd_was_taken = note_taken;
	ownfd_was_closed = note_closed;
	waiter = open_waiter();
	fd = waiter->wakefd;
	cr_assert_eq(taken_fd, fd);
	cr_assert_gt(fd, 255);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(waiter_open(waiter), 0);
	cr_assert_eq(waiter->wakefd, fd, "opened twice");

	waiter_of_ended_thread(open_in_thread);
	cr_assert_neq(taken_fd, fd);
	cr_assert_eq(closed_fd, taken_fd);
	cr_assert_eq(fcntl(taken_fd, F_GETFD), -1);
}

Test(waiter, sleep_ends_when_time_is_up_not_before)
{
	struct waiter *waiter = open_waiter();
	uint64_t begin_ns = clock_now_ns();

	cr_assert_eq(waiter_sleep(waiter, 0, NULL), 0);
	cr_assert_eq(waiter_sleep(waiter, 20 * CLOCK_NS_PER_MS, NULL), 0);
	cr_assert_geq(clock_now_ns() - begin_ns, 20 * CLOCK_NS_PER_MS);
}

Test(waiter, wakeup_before_the_sleep_counts_once_it_is_drained_not_at_all)
{
	struct waiter *waiter = open_waiter();

	waiter_wake(waiter);
	waiter_wake(waiter);
	errno = ENOTTY;
	cr_assert_eq(waiter_sleep(waiter, CLOCK_FOREVER, NULL), 1);
	waiter_drain(waiter);
	cr_assert_eq(waiter_sleep(waiter, 0, NULL), 0);
	waiter_drain(waiter);
	cr_assert_eq(errno, ENOTTY);
}

static void *wake(void *waiter)
{
	waiter_wake(waiter);
	return NULL;
}

Test(waiter, another_thread_wakes, .timeout = 20)
{
	struct waiter *waiter = open_waiter();
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, wake, waiter), 0);
	cr_assert_eq(waiter_sleep(waiter, CLOCK_FOREVER, NULL), 1);
	pthread_join(thread, NULL);
}

static void ignore_signal(int signo)
{
	(void)signo;
}

/* Pending and blocked until the sleep's own mask lets it in: no gap to fall through. */
Test(waiter, signal_ends_the_sleep_whatever_sa_restart_says, .timeout = 20)
{
	struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
	struct waiter *waiter = open_waiter();
	sigset_t blocked, none;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0);
	raise(SIGUSR1);
	cr_assert_eq(waiter_sleep(waiter, 0, NULL), 0);
	errno = ENOTTY;
	cr_assert_eq(waiter_sleep(waiter, CLOCK_FOREVER, &none), -EINTR);
	cr_assert_eq(errno, ENOTTY);
}

/* What the innermost wait of a handler saw. */
static struct waiter *inner;

static void wait_in_handler(int signo)
{
	(void)signo;
	wait_once(sleep_not, &inner);
}

static void sleep_interrupted(struct waiter *waiter)
{
	(void)waiter;
	raise(SIGUSR1);
}

Test(waiter, handler_that_waits_gets_a_waiter_of_its_own)
{
	struct waiter *outer, *again;

	signal(SIGUSR1, wait_in_handler);
	wait_once(sleep_interrupted, &outer);
	cr_assert_not_null(inner);
	cr_assert_neq(inner, outer);
	cr_assert(outer->was_interrupted);
	cr_assert_eq(nr_abandoned, 0);
	wait_once(sleep_not, &again);
	cr_assert_eq(again, outer);
	cr_assert_not(again->was_interrupted);
}

static sigjmp_buf way_out;

static void jump_away(struct waiter *waiter)
{
	(void)waiter;
	siglongjmp(way_out, 1);
}

/* A thread that has jumped out of its wait, and then waits again. */
Test(waiter, abandoned_wait_is_cleaned_up_at_the_next)
{
	static struct waiter *first, *second;

	if (!sigsetjmp(way_out, 1))
		wait_once(jump_away, &first);
	cr_assert_eq(nr_abandoned, 0);
	wait_once(sleep_not, &second);
	cr_assert_eq(nr_abandoned, 1);
	cr_assert_eq(abandoned[0], first);
	cr_assert_eq(first, second);
}

static void jump_from_handler(int signo)
{
	(void)signo;
	wait_once(jump_away, &inner);
}

Test(waiter, wait_abandoned_by_its_handlers_wait_is_cleaned_up_with_it)
{
	static struct waiter *outer, *again;

	signal(SIGUSR1, jump_from_handler);
	if (!sigsetjmp(way_out, 1))
		wait_once(sleep_interrupted, &outer);
	wait_once(sleep_not, &again);
	cr_assert_eq(nr_abandoned, 2);
	cr_assert_eq(abandoned[0], inner, "not innermost first");
	cr_assert_eq(abandoned[1], outer);
	cr_assert_eq(again, outer);
}

static void sleep_until_cancelled(struct waiter *waiter)
{
	cr_assert_eq(waiter_open(waiter), 0);
	waiter_sleep(waiter, CLOCK_FOREVER, NULL);
}

static void *wait_until_cancelled(void *ret_waiter)
{
	wait_once(sleep_until_cancelled, ret_waiter);
	return NULL;
}

/* pthread_cancel() acts now or at the sleep: either way the thread ends inside its wait. */
Test(waiter, cancelled_sleeper_is_taken_off, .timeout = 20)
{
	struct waiter *waiter = NULL;
	pthread_t thread;
	void *result;

	cr_assert_eq(pthread_create(&thread, NULL, wait_until_cancelled, &waiter), 0);
	while (!__atomic_load_n(&waiter, __ATOMIC_ACQUIRE))
		sched_yield();
	cr_assert_eq(pthread_cancel(thread), 0);
	cr_assert_eq(pthread_join(thread, &result), 0);
	cr_assert_eq(result, PTHREAD_CANCELED);
	cr_assert_eq(nr_abandoned, 1);
	cr_assert_eq(abandoned[0], waiter);
}

static struct waiter other;

static void *stay_until_told(void *told)
{
	__atomic_store_n(&other.tid, gettid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n((bool *)told, __ATOMIC_ACQUIRE))
		sched_yield();
	return NULL;
}

/* pthread_join() returns a moment before the kernel has forgotten the thread. */
Test(waiter, is_gone_when_its_thread_has_ended, .timeout = 20)
{
	pthread_t thread;
	bool told = false;

	cr_assert_eq(pthread_create(&thread, NULL, stay_until_told, &told), 0);
	while (!__atomic_load_n(&other.tid, __ATOMIC_ACQUIRE))
		sched_yield();
	cr_assert_not(waiter_is_gone(&other));
	__atomic_store_n(&told, true, __ATOMIC_RELEASE);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	while (!waiter_is_gone(&other))
		sched_yield();
}

static int look_in_child(struct waiter *waiter, int fd)
{
	struct waiter *again;

	waiter_reset_all();
	if (waiter->wakefd != -1 || fcntl(fd, F_GETFD) != -1 || waiter->tid != gettid())
		return 1;
	wait_once(sleep_not, &again);
	if (again != waiter || waiter_open(again) || waiter_sleep(again, 0, NULL) != 0)
		return 2;
	waiter_wake(again);
	return waiter_sleep(again, CLOCK_FOREVER, NULL) == 1 ? 0 : 3;
}

Test(waiter, child_of_fork_sleeps_on_a_descriptor_of_its_own, .timeout = 20)
{
	struct waiter *waiter = open_waiter();
	int status, fd = waiter->wakefd;
	pid_t pid = fork();

	if (pid == 0)
		_exit(look_in_child(waiter, fd));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "the child saw something wrong: %#x", (unsigned int)status);
	cr_assert_eq(waiter->wakefd, fd);
	cr_assert_eq(waiter_sleep(waiter, 0, NULL), 0, "woken by its child");
}
