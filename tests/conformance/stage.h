/* SPDX-License-Identifier: MIT */
/*
 * stage.h - what claims need around epoll: files with two ends, watches, and
 * threads and processes that wait.
 *
 * Every function here ends the claim as failed if something it needs fails, so
 * that claims read as the plain sequence of what happens.  All descriptors
 * made here are non-blocking and close-on-exec; the claim closes them.
 */
#ifndef CONFORMANCE_STAGE_H
#define CONFORMANCE_STAGE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "claim.h"

/* ---- files ------------------------------------------------------------- */

void pipe_open(int ends[2]);	/* [0] is read, [1] is written */
void unix_open(int ends[2]);	/* two ends of a unix stream */
void tcp_open(int ends[2]);	/* [0] connected, [1] is the accepted end */
int tcp_listen(uint16_t *port); /* on 127.0.0.1, a port that was free */
int tcp_connect(uint16_t port); /* blocks until connected */
int eventfd_open(unsigned int count);
int timerfd_open(void);			    /* CLOCK_MONOTONIC, disarmed */
void timerfd_set(int fd, int64_t delay_ns); /* once; 0 disarms, the past is due now */

void put(int fd, size_t nr_bytes);  /* write exactly so many */
void take(int fd, size_t nr_bytes); /* read exactly so many */
size_t fill(int fd);		    /* write until EAGAIN; the number of bytes */
size_t drain(int fd);		    /* read until EAGAIN or the end of file */
int shutdown_writing(int socket);   /* of a socket; -1 and errno */
void count_up(int event_fd, uint64_t n);
uint64_t count_take(int event_fd);
void fd_send(int unix_socket, int fd); /* a duplicate of it, with one byte */
int fd_receive(int unix_socket);

/* CLOSE(a, b, c): each must be open. */
#define CLOSE(...)                                                \
	close_all(__FILE__, __LINE__, (const int[]){__VA_ARGS__}, \
		  (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
void close_all(const char *file, int line, const int *fds, int nr);

/* Raise the soft limit on descriptors so that @nr more fit. */
void allow_descriptors(int nr);

/* ---- watches ----------------------------------------------------------- */

int epoll_open(void); /* close-on-exec */
void watch(int epfd, int fd, uint32_t events, uint64_t data);
void rewatch(int epfd, int fd, uint32_t events, uint64_t data);
void unwatch(int epfd, int fd);

/* The same calls, for claims about their errors: -1 and errno. */
int ctl_add(int epfd, int fd, uint32_t events, uint64_t data);
int ctl_mod(int epfd, int fd, uint32_t events, uint64_t data);
int ctl_del(int epfd, int fd);

/*
 * Wait with timeout 0 until nothing is delivered any more; the number of
 * events.  Only for watches whose readiness ends by delivery (EPOLLET).
 */
int flush(int epfd);

/* ---- time -------------------------------------------------------------- */

int64_t now_ns(void); /* CLOCK_MONOTONIC */

#define NS_PER_MS 1000000LL

/* ---- others that wait -------------------------------------------------- */

/*
 * True if task @tid of process @pid sleeps in a system call that waits, and
 * has done nothing else over a number of looks.  This is how claims know that
 * a waiter is inside; they never sleep in the hope that it is by now.
 */
bool task_is_asleep(pid_t pid, pid_t tid);

/*
 * How often the task has gone to sleep so far, -1 if it is not asleep in such a call.
 * Twice the same number: it slept all the time between.
 */
long task_nr_sleeps(pid_t pid, pid_t tid);

/*
 * Wait until it is; or, where a wait first looks for events for a while, until it is in
 * the middle of that, which must be the same to everybody.
 */
void task_await_asleep(pid_t pid, pid_t tid);

/* A thread that makes one epoll_wait (or epoll_pwait, if it has a mask). */
struct waiter {
	int epfd;
	int timeout_ms;
	int maxevents;
	const sigset_t *mask;

	int result; /* of the call, and its errno */
	int error;
	struct epoll_event events[8];

	pthread_t thread;
	_Atomic pid_t tid;
	atomic_bool is_done;
};

/* Start it with maxevents 8 and no time-out; it may not have entered yet. */
void waiter_start(struct waiter *waiter, int epfd);
void waiter_start_with(struct waiter *waiter, int epfd, int maxevents, int timeout_ms,
		       const sigset_t *mask);
void waiter_await_asleep(struct waiter *waiter); /* fails the claim if it returns instead */
void waiter_await_queued(struct waiter *waiter); /* asleep, and not just looking */
void waiter_start_asleep(struct waiter *waiter, int epfd); /* both */
bool waiter_is_done(struct waiter *waiter);
void waiter_await_done(struct waiter *waiter); /* result is valid; still to be joined */
int waiter_join(struct waiter *waiter);	       /* its result */

/* The waiter returns and has exactly these events. */
#define EXPECT_WAITER(waiter, ...)                                           \
	do {                                                                 \
		claim_passes(__FILE__, __LINE__);                            \
		waiter_join(waiter);                                         \
		errno = (waiter)->error;                                     \
		MUST((waiter)->result);                                      \
		EXPECT_GOT((waiter)->events, (waiter)->result, __VA_ARGS__); \
	} while (0)

/* ---- processes --------------------------------------------------------- */

/*
 * CHILD(pid) { ... } runs the block in a forked child which then exits with 0;
 * a failed expectation in it fails the claim.
 */
#define CHILD(pid) for (pid_t pid##_ = (pid) = child_fork(); pid##_ == 0; _exit(0))
pid_t child_fork(void);
void child_join(pid_t pid); /* it exited with 0 */

/* A turnstile between processes or threads: each pass lets one through. */
struct gate {
	int ends[2];
};

void gate_open(struct gate *gate);
void gate_pass(struct gate *gate); /* let one through */
void gate_wait(struct gate *gate); /* be let through; blocks */
void gate_close(struct gate *gate);

#endif
