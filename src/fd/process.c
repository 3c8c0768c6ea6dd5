// SPDX-License-Identifier: MIT
#include "fd/process.h"

#include <signal.h>

#include "base/pages.h"
#include "engine/eventpoll.h"
#include "engine/file.h"
#include "engine/section.h"
#include "engine/waiter.h"
#include "fd/table.h"
#include "real/beacon.h"
#include "real/sys.h"
#include "source/loop.h"
#include "trace/session.h"

/* Pairs of process_begin() and process_end() that are open now, */
static uint32_t process_nr_open;

/* and the calling thread's among them: in the child of a fork there are no others. */
static __thread uint32_t process_nr_own __attribute__((tls_model("initial-exec")));

static bool process_has_io_uring;

__thread unsigned int process_vfork_depth __attribute__((tls_model("initial-exec")));

/* The fork that this thread is in the middle of. */
static __thread struct process_fork {
	unsigned int depth;
	int pid;	     /* of the parent; in the child its own, once it knows that it is one */
	uint32_t nr_changes; /* of the table, before */
	bool is_interrupting; /* a handler forks inside a section of its own thread */
	bool is_late;	      /* the child's part of that is yet to come */
} process_fork __attribute__((tls_model("initial-exec")));

/* A handler that forks in between finds a pair too many open, never one too few. */
void process_begin(void)
{
	process_nr_own++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_add_fetch(&process_nr_open, 1, __ATOMIC_SEQ_CST);
}

static void process_close_pair(void)
{
	__atomic_sub_fetch(&process_nr_open, 1, __ATOMIC_SEQ_CST);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	process_nr_own--;
}

/* The count goes up before the pair is closed, so that readers miss neither. */
void process_end(void)
{
	__atomic_add_fetch(&table_fork_count, 1, __ATOMIC_SEQ_CST);
	process_close_pair();
}

bool process_may_share(uint32_t born)
{
	if (__atomic_load_n(&process_nr_open, __ATOMIC_SEQ_CST))
		return true;
	return born < __atomic_load_n(&table_fork_count, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&process_has_io_uring, __ATOMIC_RELAXED);
}

void process_note_io_uring(void)
{
	__atomic_store_n(&process_has_io_uring, true, __ATOMIC_RELAXED);
}

void process_fork_prepare(void)
{
	struct process_fork *fork = &process_fork;
	bool is_interrupting;

	if (process_is_borrowed())
		return;
	if (!fork->depth++)
		process_begin();
	fork->pid = sys_getpid();
	is_interrupting = !section_enter();
	if (!is_interrupting)
		section_leave();
	fork->is_interrupting = is_interrupting;
	fork->nr_changes = table_nr_changes();
}

void process_fork_parent(void)
{
	struct process_fork *fork = &process_fork;

	if (process_is_borrowed() || --fork->depth)
		return;
	process_end();
}

/*
 * The threads that slept on our own descriptors are gone; nobody else will close
 * them.
 */
static void process_close_own(void)
{
	int end = table_limit();

	for (int fd = table_next(0, end); fd < end; fd = table_next(fd + 1, end)) {
		if (!table_is_internal(fd))
			continue;
		sys_close(fd);
		table_clear_internal(fd);
	}
}

/* Bottom-up: each room finds those below it whole. */
static void process_become_child(void)
{
	pages_fork_child();
	__atomic_store_n(&process_nr_open, process_nr_own, __ATOMIC_RELAXED);
	__atomic_add_fetch(&table_fork_count, 1, __ATOMIC_RELAXED);
	table_fork_child();
	session_fork_child();
	file_fork_child();
	loop_reset();
	beacon_reset();
	waiter_reset_all();
	process_close_own();
	ep_fork_child();
}

/*
 * The same cannot be done yet where a handler forked in the middle of our own code.
 * But that goes on when the handler returns: it must not wait for a thread that is
 * not here, nor trust what such a thread was in the middle of changing, nor touch
 * the kernel epolls of the parent.
 */
static void process_expect_ghosts(void)
{
	pages_fork_interrupted();
	loop_fork_interrupted();
	file_fork_interrupted();
	waiter_fork_interrupted();
	ep_fork_interrupted();
	table_fork_interrupted();
}

/* The section that the forking handler interrupted has ended, in the child. */
static void process_become_child_late(const struct deferred *deferred)
{
	(void)deferred;
	process_fork.is_late = false;
	process_become_child();
}

void process_fork_child(void)
{
	static const struct deferred late = {.run = process_become_child_late, .is_vital = true};
	struct process_fork *fork = &process_fork;

	if (process_is_borrowed())
		return;
	if (!--fork->depth)
		process_close_pair();
	/* the first process of a namespace may make the first of another */
	if (fork->pid == sys_getpid() && (fork->pid != 1 || fork->depth))
		return;
	fork->pid = sys_getpid();
	if (fork->nr_changes != table_nr_changes())
		table_fork_skewed();
	if (fork->is_interrupting) {
		process_expect_ghosts();
		if (!fork->is_late)
			section_defer(&late);
		fork->is_late = true;
	} else {
		section_reset();
		if (section_enter()) {
			process_become_child();
			section_leave();
		}
	}
}

void process_vfork_enter(void)
{
	if (!process_is_borrowed())
		process_begin();
}

void process_vfork_leave(long ret)
{
	if (ret == 0) {
		process_vfork_depth++;
		return;
	}
	if (ret > 0)
		process_vfork_depth--;
	if (!process_is_borrowed())
		process_end();
}
