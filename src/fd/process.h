/* SPDX-License-Identifier: MIT */
/*
 * process.h - other processes: who may share our descriptions, and what a child is.
 *
 * A description lives on after its last close here if another process has it.
 * We do not see what other processes hold, only that they were made:
 *
 *	process_begin()	one is about to be made: whatever is open may be shared
 *	...		fork, vfork, clone, posix_spawn
 *	process_end()	it has been: what is opened from now on is ours alone
 *
 * The number of such pairs so far is the fork count.  A description first seen
 * at count n is shared with nobody while the count is n and no pair is open.
 *
 * fork() itself tells us through pthread_atfork(), so that also libc's own forks
 * are seen (daemon, forkpty, and whatever the next libc brings).  No lock of
 * ours is held across a fork: other handlers run between ours and the fork, and
 * may wait for a thread that waits for us.  Nor are signals blocked: what the
 * forking thread blocks would interrupt the waits of the others.  The child mends
 * what it finds.
 *
 * A vfork child runs in our memory and in its parent's thread: while it does,
 * every call goes straight to libc.
 */
#ifndef INTERPOLL_FD_PROCESS_H
#define INTERPOLL_FD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* A pair around whatever makes a process.  Any context; errno is not touched. */
void process_begin(void);
void process_end(void);

/* May a description that was first seen at fork count @born be another process's too? */
bool process_may_share(uint32_t born);

/* io_uring is in use: its requests hold on to descriptions. */
void process_note_io_uring(void);

/*
 * Around fork, in the order of pthread_atfork(); process_begin() and _end()
 * included.  They nest, one fork may make several, and so may a handler that
 * interrupts one to fork itself: a child becomes one once.  errno is not touched.
 */
void process_fork_prepare(void);
void process_fork_parent(void);
void process_fork_child(void);

/*
 * Around vfork, which returns twice from @process_vfork_enter's point of view:
 * process_vfork_leave() is called with what the system call returned, in the
 * child and then in the parent.
 */
void process_vfork_enter(void);
void process_vfork_leave(long ret);

/* How many vfork children deep the thread's memory is borrowed. */
extern __thread unsigned int process_vfork_depth __attribute__((tls_model("initial-exec")));

/* Does the calling thread run as a vfork child, in memory that is not its own? */
static inline bool process_is_borrowed(void)
{
	return __builtin_expect(process_vfork_depth != 0, 0);
}

#endif
