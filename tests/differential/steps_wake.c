// SPDX-License-Identifier: MIT
/*
 * steps_wake.c - a thread wakes us out of a wait.
 *
 * The waker acts when everybody else in this process is asleep, which /proc tells:
 * so the wait has found nothing, or is over.  Then it writes.  If all are asleep
 * again and the wait is still not over, what was written is no event for it, and a
 * signal ends it.  Nothing depends on how long anything takes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

enum {
	LOOKS = 3, /* in a row that find everybody asleep */
	TIMEOUT_MS = 10000,
};

static struct {
	pthread_t thread;
	pid_t process; /* that the thread is in: 0, or a parent's */
	pthread_t waiter;
	sem_t go, done;
	atomic_bool is_over; /* the wait */
	int fd;		     /* to be written to */
	size_t length;
	ssize_t written;
	int error;
} waker;

/* "12 (name) S ..." */
static bool task_is_asleep(int tasks, const char *tid)
{
	char path[300], stat[128], *state;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", tid);
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* it has ended */
	length = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[length > 0 ? length : 0] = '\0';
	state = strrchr(stat, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

static bool others_are_asleep(void)
{
	DIR *directory = opendir("/proc/self/task");
	pid_t self = (pid_t)syscall(SYS_gettid);
	bool are_asleep = directory != NULL;
	struct dirent *entry;

	while (are_asleep && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != self)
			are_asleep = task_is_asleep(dirfd(directory), entry->d_name);
	if (directory)
		closedir(directory);
	return are_asleep;
}

static void await_others_asleep(void)
{
	for (int looks = 0; looks < LOOKS; sched_yield())
		looks = others_are_asleep() ? looks + 1 : 0;
}

static void *wake(void *unused)
{
	static const char bytes[4096] = {1}; /* for an eventfd, a count */

	for (;;) {
		sem_wait(&waker.go);
		await_others_asleep();
		waker.written = write(waker.fd, bytes, waker.length);
		waker.error = errno;
		settle_inet();
		await_others_asleep();
		if (!atomic_load(&waker.is_over))
			pthread_kill(waker.waiter, STEP_INTERRUPTION);
		sem_post(&waker.done);
	}
	return unused;
}

static void waker_start(void)
{
	if (waker.process == getpid())
		return;
	waker.process = getpid();
	sem_init(&waker.go, 0, 0);
	sem_init(&waker.done, 0, 0);
	if (pthread_create(&waker.thread, NULL, wake, NULL) != 0) {
		perror("walk: no thread to be woken by");
		exit(2);
	}
}

/* eventpoll, room, file to be written to, bytes */
void play_wake(const struct step *step)
{
	static struct epoll_event events[STEP_EVENTS_MAX];
	int room = (int)step->args[1].number;
	sigset_t let = interruption_let_through();
	int nr;

	if (isatty(step_fd(step, 2))) /* whose kernel thread nobody can wait for */
		return;
	if (fcntl(step_fd(step, 0), F_GETFD) < 0) /* or it is what the waker opens by then */
		return;
	waker_start();
	waker.waiter = pthread_self();
	waker.fd = step_fd(step, 2);
	waker.length = (size_t)step->args[3].number;
	atomic_store(&waker.is_over, false);
	sem_post(&waker.go);
	nr = epoll_pwait(step_fd(step, 0), events, room < STEP_EVENTS_MAX ? room : STEP_EVENTS_MAX,
			 TIMEOUT_MS, &let);
	atomic_store(&waker.is_over, true);
	log_result(nr);
	sem_wait(&waker.done);
	log_events(events, nr > 0 ? nr : 0);
	errno = waker.error;
	log_result(waker.written);
}
