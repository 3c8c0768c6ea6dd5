// SPDX-License-Identifier: MIT
/*
 * test_lock_torn.c - locks whose holder is no more: the other threads, in the child
 * of a fork that a handler made.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"

static struct lock lock = LOCK_INIT(LOCK_EP);
static atomic_bool is_taken, is_over;

static void *hold(void *unused)
{
	lock_acquire(&lock);
	is_taken = true;
	while (!is_over)
		sched_yield();
	lock_release(&lock);
	return unused;
}

static pthread_t have_it_held(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, hold, NULL), 0);
	while (!is_taken)
		sched_yield();
	return thread;
}

static void let_go(pthread_t thread)
{
	is_over = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* How the child @pid exited; -1 if it did not. */
static int status_of(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(lock_torn, own_and_free_locks_are_left_alone)
{
	lock_tear(&lock);
	cr_assert_not(lock_is_locked(&lock));
	cr_assert_not(lock_is_own(&lock));
	cr_assert(lock_acquire(&lock), "torn, although nobody held it");
	cr_assert(lock_is_own(&lock));
	lock_tear(&lock);
	cr_assert(lock_is_own(&lock));
	lock_release(&lock);
	cr_assert(lock_acquire(&lock));
	lock_release(&lock);
}

Test(lock_torn, who_comes_next_is_told_once, .timeout = 20)
{
	pthread_t thread = have_it_held();
	pid_t pid = fork();

	if (pid == 0) {
		alarm(10);
		cr_assert_not(lock_is_own(&lock));
		lock_tear(&lock);
		if (lock_acquire(&lock) || !lock_is_own(&lock))
			_exit(1);
		lock_release(&lock);
		_exit(lock_acquire(&lock) ? 0 : 2);
	}
	cr_assert_eq(status_of(pid), 0);
	let_go(thread);
}

static pid_t parent, child;

static void fork_and_return(int signo)
{
	(void)signo;
	child = fork();
	if (child == 0) {
		alarm(10);
		lock_tear(&lock);
	} else {
		is_over = true;
	}
}

static bool is_asleep_in_futex(void)
{
	char path[64], text[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", parent, parent);
	file = fopen(path, "r");
	cr_assert_not_null(file);
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return atoi(text) == SYS_futex && text[0] >= '0' && text[0] <= '9';
}

static void *poke(void *main_thread)
{
	while (!is_asleep_in_futex())
		sched_yield();
	cr_assert_eq(pthread_kill(*(pthread_t *)main_thread, SIGUSR1), 0);
	return NULL;
}

/* The handler interrupts a sleep for the lock, and in the child nobody will end that. */
Test(lock_torn, a_sleeper_that_a_handler_interrupted_gets_it, .timeout = 20)
{
	struct sigaction action = {.sa_handler = fork_and_return, .sa_flags = SA_RESTART};
	pthread_t self = pthread_self(), holder = have_it_held(), poker;
	bool is_whole;

	parent = getpid();
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	cr_assert_eq(pthread_create(&poker, NULL, poke, &self), 0);
	is_whole = lock_acquire(&lock);
	if (child == 0)
		_exit(is_whole ? 1 : 0);
	cr_assert(is_whole);
	cr_assert_eq(status_of(child), 0);
	lock_release(&lock);
	cr_assert_eq(pthread_join(poker, NULL), 0);
	cr_assert_eq(pthread_join(holder, NULL), 0);
}
