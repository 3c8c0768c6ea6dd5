// SPDX-License-Identifier: MIT
/*
 * waiter.c - threads and child processes that wait, and how to know that they do.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define NR_LOOKS   6	  /* equal looks in a row until a task counts as asleep */
#define LOOKING_NS 300000 /* far more than the way from a thread's begin into its wait takes */

/* ---- asleep? ----------------------------------------------------------- */

/* Where a waiter may sleep: in the kernel's epoll, or where a preload puts it. */
static bool is_waiting_call(long number)
{
	static const long calls[] = {
		SYS_epoll_pwait,     SYS_epoll_pwait2, SYS_ppoll,
		SYS_pselect6,	     SYS_futex,	       SYS_read,
		SYS_rt_sigtimedwait, SYS_wait4,	       SYS_waitid,
		SYS_restart_syscall,
#ifdef SYS_epoll_wait
		SYS_epoll_wait,	     SYS_poll,	       SYS_select,
		SYS_pause,
#endif
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == number)
			return true;
	return false;
}

static bool read_task_file(pid_t pid, pid_t tid, const char *name, char *text, size_t size)
{
	char path[80];
	ssize_t nr;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	nr = read(fd, text, size - 1);
	close(fd);
	text[nr < 0 ? 0 : nr] = '\0';
	return nr > 0;
}

long task_nr_sleeps(pid_t pid, pid_t tid)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char text[4096];
	const char *found;

	if (!read_task_file(pid, tid, "syscall", text, sizeof(text)) || text[0] == 'r' ||
	    !is_waiting_call(atol(text)))
		return -1;
	if (!read_task_file(pid, tid, "status", text, sizeof(text)) || !strstr(text, "\nState:\tS"))
		return -1;
	found = strstr(text, key);
	return found ? atol(found + strlen(key)) : -1;
}

bool task_is_asleep(pid_t pid, pid_t tid)
{
	long first = task_nr_sleeps(pid, tid);

	for (int i = 1; i < NR_LOOKS && first >= 0; i++) {
		sched_yield();
		if (task_nr_sleeps(pid, tid) != first)
			return false;
	}
	return first >= 0;
}

/* The clock of what a thread of ours, or another process, uses of a processor: as in libc. */
static clockid_t clock_of_task(pid_t pid, pid_t tid)
{
	unsigned int of_thread = 4, precise = 2;

	return pid == getpid() ? (clockid_t)(~(unsigned int)tid << 3 | of_thread | precise)
			       : (clockid_t)(~(unsigned int)pid << 3 | precise);
}

/* How much the task has used of a processor, or 0 if it is gone. */
static uint64_t task_used_ns(pid_t pid, pid_t tid)
{
	struct timespec used;

	if (clock_gettime(clock_of_task(pid, tid), &used) < 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/*
 * A waiter that was told to look before it sleeps, and that has used so much of a
 * processor since @used_ns, is in the middle of looking: it had nothing else to do.
 */
static bool task_is_looking(pid_t pid, pid_t tid, uint64_t used_ns)
{
	return is_busy() && task_used_ns(pid, tid) > used_ns + LOOKING_NS;
}

void task_await_asleep(pid_t pid, pid_t tid)
{
	uint64_t used_ns = task_used_ns(pid, tid);

	while (!task_is_asleep(pid, tid) && !task_is_looking(pid, tid, used_ns))
		sched_yield();
}

/* ---- threads ----------------------------------------------------------- */

static void *waiter_run(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->tid, gettid());
	if (waiter->mask)
		waiter->result = epoll_pwait(waiter->epfd, waiter->events, waiter->maxevents,
					     waiter->timeout_ms, waiter->mask);
	else
		waiter->result = epoll_wait(waiter->epfd, waiter->events, waiter->maxevents,
					    waiter->timeout_ms);
	waiter->error = errno;
	atomic_store(&waiter->is_done, true);
	return NULL;
}

void waiter_start_with(struct waiter *waiter, int epfd, int maxevents, int timeout_ms,
		       const sigset_t *mask)
{
	memset(waiter, 0, sizeof(*waiter));
	waiter->epfd = epfd;
	waiter->maxevents = maxevents;
	waiter->timeout_ms = timeout_ms;
	waiter->mask = mask;
	EXPECT_INT(pthread_create(&waiter->thread, NULL, waiter_run, waiter), ==, 0);
}

void waiter_start(struct waiter *waiter, int epfd)
{
	waiter_start_with(waiter, epfd, 8, -1, NULL);
}

void waiter_await_asleep(struct waiter *waiter)
{
	uint64_t used_ns;
	pid_t tid;

	while ((tid = atomic_load(&waiter->tid)) == 0)
		sched_yield();
	used_ns = task_used_ns(getpid(), tid);
	while (!task_is_asleep(getpid(), tid) && !task_is_looking(getpid(), tid, used_ns)) {
		if (waiter_is_done(waiter))
			FAIL("the waiter returned %d (%s) instead of sleeping", waiter->result,
			     waiter->result < 0 ? strerrorname_np(waiter->error) : "no error");
		sched_yield();
	}
}

void waiter_await_queued(struct waiter *waiter)
{
	waiter_await_asleep(waiter);
	while (!task_is_asleep(getpid(), atomic_load(&waiter->tid)))
		sched_yield();
}

void waiter_start_asleep(struct waiter *waiter, int epfd)
{
	waiter_start(waiter, epfd);
	waiter_await_asleep(waiter);
}

bool waiter_is_done(struct waiter *waiter)
{
	return atomic_load(&waiter->is_done);
}

void waiter_await_done(struct waiter *waiter)
{
	while (!waiter_is_done(waiter))
		sched_yield();
}

int waiter_join(struct waiter *waiter)
{
	EXPECT_INT(pthread_join(waiter->thread, NULL), ==, 0);
	return waiter->result;
}

/* ---- processes --------------------------------------------------------- */

pid_t child_fork(void)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void child_join(pid_t pid)
{
	int status = 0;

	EXPECT_INT(waitpid(pid, &status, 0), ==, pid);
	if (status != 0)
		FAIL("a child process ended with wait status 0x%x", (unsigned int)status);
}

void gate_open(struct gate *gate)
{
	MUST(pipe2(gate->ends, O_CLOEXEC));
}

void gate_pass(struct gate *gate)
{
	EXPECT_INT(write(gate->ends[1], "", 1), ==, 1);
}

void gate_wait(struct gate *gate)
{
	char byte;

	EXPECT_INT(read(gate->ends[0], &byte, 1), ==, 1);
}

void gate_close(struct gate *gate)
{
	CLOSE(gate->ends[0], gate->ends[1]);
}
