// SPDX-License-Identifier: MIT
/*
 * test_table.c - the descriptor table, and what it does without its lock.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/section.h"
#include "fd/lifetime.h"
#include "fd/process.h"
#include "fd/table.h"

#define FAR_FD (3 * (int)TABLE_CHUNK_SIZE + 17)

/* Numbers no descriptor of this process has. */
enum {
	FD_A = 2000,
	FD_B = 2001,
};

static void lock_table(void)
{
	cr_assert(section_enter());
	table_lock();
}

static void unlock_table(void)
{
	table_unlock();
	section_leave();
}

/* A new file, named by @fd. */
static struct file *name_new_file(int fd)
{
	struct file *file;

	lock_table();
	file = file_new();
	cr_assert_not_null(file);
	cr_assert_eq(table_reserve(fd), 0);
	table_set(fd, file);
	unlock_table();
	return file;
}

Test(table, numbers_of_nobody_have_no_file)
{
	static const int fds[] = {INT_MIN, -1, 0, FD_A, FAR_FD, INT_MAX};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		cr_expect_null(table_peek(fds[i]));
		cr_expect_null(table_lookup(fds[i]));
		cr_expect_not(table_is_internal(fds[i]));
		cr_expect_null(table_take(fds[i]));
	}
}

Test(table, reserve__refuses_numbers_beyond_the_table)
{
	cr_expect_eq(table_reserve(-1), -EBADF);
	cr_expect_eq(table_reserve(INT_MAX), -EBADF);
	cr_expect_eq(table_reserve(INT_MIN), -EBADF);
	cr_expect_eq(table_limit(), 0);
	cr_expect_eq(table_reserve((int)(TABLE_NR_CHUNKS * TABLE_CHUNK_SIZE - 1)), 0);
}

Test(table, reserve__makes_one_chunk_and_keeps_it)
{
	struct table_entry *entry;

	cr_assert_null(table_entry(FAR_FD));
	cr_assert_eq(table_reserve(FAR_FD), 0);
	entry = table_entry(FAR_FD);
	cr_assert_not_null(entry);
	cr_expect_eq(table_reserve(FAR_FD + 1), 0);
	cr_expect_eq(table_entry(FAR_FD + 1), entry + 1);
	cr_expect_null(table_entry(FD_A));
	cr_expect_eq(table_limit(), 4 * (int)TABLE_CHUNK_SIZE);
}

Test(table, set_and_clear__count_descriptors)
{
	struct file *file = name_new_file(FD_A);

	lock_table();
	table_set(FD_B, file);
	cr_expect_eq(file->nr_fds, 2);
	cr_expect_eq(table_lookup(FD_A), file);
	cr_expect_eq(table_find(file, FD_A), FD_B);
	cr_expect_eq(table_find(file, FD_B), FD_A);
	cr_expect_eq(table_clear(FD_A), file);
	cr_expect_eq(file->nr_fds, 1);
	cr_expect_null(table_lookup(FD_A));
	cr_expect_null(table_clear(FD_A));
	cr_expect_eq(table_find(file, FD_B), -1);
	cr_expect_eq(table_clear(FD_B), file);
	cr_expect_eq(file->nr_fds, 0);
	unlock_table();
}

Test(table, take__leaves_the_count_to_whoever_took)
{
	struct file *file = name_new_file(FD_A);

	cr_expect_eq(table_take(FD_A), file);
	cr_expect_eq(file->nr_fds, 1);
	cr_expect_null(table_lookup(FD_A));
	lock_table();
	cr_expect_null(table_clear(FD_A), "a descriptor's reference has one owner");
	cr_expect_eq(file->nr_fds, 1);
	unlock_table();
}

Test(table, closing__notes_the_fork_count)
{
	name_new_file(FD_A);
	cr_assert_eq(table_reserve(FD_B), 0);
	process_begin();
	process_end();
	cr_expect_eq(table_fork_count, 1);
	cr_expect_eq(table_entry(FD_A)->epoch, 0);
	lifetime_forget(FD_A);
	lifetime_forget(FD_B);
	cr_expect_eq(table_entry(FD_A)->epoch, 1);
	cr_expect_eq(table_entry(FD_B)->epoch, 1);
}

Test(table, descriptions_are_shared_from_the_beginning_of_a_fork)
{
	cr_expect_not(process_may_share(0));
	process_begin();
	cr_expect(process_may_share(0));
	cr_expect(process_may_share(table_fork_count), "opened before the fork has happened");
	process_end();
	cr_expect(process_may_share(0));
	cr_expect_not(process_may_share(table_fork_count));
}

Test(table, internal_numbers_have_no_file_and_are_told_apart)
{
	table_set_internal(FAR_FD);
	cr_expect(table_is_internal(FAR_FD));
	cr_expect_null(table_lookup(FAR_FD));
	cr_expect_null(table_take(FAR_FD));
	cr_expect_eq(lifetime_before_dup2(0, FAR_FD, -1), -EBUSY);
	cr_expect_eq(lifetime_before_dup2(FAR_FD, 0, -1), -EBADF);
	lifetime_forget(FAR_FD);
	cr_expect(table_is_internal(FAR_FD), "the host's close passes it by");
	table_clear_internal(FAR_FD);
	cr_expect_not(table_is_internal(FAR_FD));
}

Test(table, clear_internal__leaves_a_file_alone)
{
	struct file *file = name_new_file(FD_A);

	table_clear_internal(FD_A);
	cr_expect_eq(table_lookup(FD_A), file);
}

Test(table, next__walks_over_chunks_that_are_not_there)
{
	int end;

	name_new_file(FD_A);
	table_set_internal(FAR_FD);
	end = table_limit();
	cr_expect_eq(table_next(0, end), FD_A);
	cr_expect_eq(table_next(FD_A, end), FD_A);
	cr_expect_eq(table_next(FD_A + 1, end), FAR_FD);
	cr_expect_eq(table_next(FD_A + 1, FAR_FD), FAR_FD, "the end of what was asked for");
	cr_expect_eq(table_next(FAR_FD + 1, end), end);
	cr_expect_eq(table_next(0, 5), 5);
}

Test(table, fork_child__counts_descriptors_anew)
{
	struct file *file = name_new_file(FD_A);

	lock_table();
	table_set(FD_B, file);
	file->nr_fds = 17; /* as another thread in the middle of it might leave it */
	table_fork_child();
	section_reset();
	cr_expect_eq(file->nr_fds, 2);
	lock_table(); /* it is free */
	unlock_table();
}

Test(table, fork_child__takes_only_what_is_open_for_old)
{
	int fd = dup(0);

	name_new_file(FD_A);
	cr_assert_geq(fd, 0);
	process_begin();
	process_end();
	cr_assert(section_enter());
	table_fork_child();
	section_leave();
	cr_assert_eq(table_reserve(fd), 0);
	cr_expect_eq(table_entry(fd)->epoch, 0, "open: from before the fork");
	cr_expect_eq(table_entry(FD_B)->epoch, 1, "not open: what comes is young");
	cr_assert_eq(table_reserve(FAR_FD), 0);
	cr_expect_eq(table_entry(FAR_FD)->epoch, 1);
	close(fd);
}

/* -------- forks inside forks -------- */

/* In a child: what is first seen now is nobody else's. */
static _Noreturn void exit_unless_alone(void)
{
	_exit(process_may_share(table_fork_count) ? 1 : 0);
}

static void expect_child_to_be_alone(pid_t child)
{
	int status;

	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	cr_expect_not(process_may_share(table_fork_count));
}

/* prepare prepare fork -> child child */
Test(table, child_of_a_fork_told_twice_is_alone)
{
	pid_t child;

	process_fork_prepare();
	process_fork_prepare();
	child = fork();
	if (child == 0) {
		process_fork_child();
		process_fork_child();
		exit_unless_alone();
	}
	process_fork_parent();
	process_fork_parent();
	expect_child_to_be_alone(child);
}

/* prepare [handler: prepare fork -> child] -> the same fork fails, or is made, here too */
Test(table, child_made_by_a_handler_in_the_middle_of_a_fork_is_alone_after_it)
{
	pid_t child;

	process_fork_prepare();
	process_fork_prepare();
	child = fork();
	if (child == 0) {
		process_fork_child();
		if (!process_may_share(table_fork_count))
			_exit(2);
		process_fork_parent();
		exit_unless_alone();
	}
	process_fork_parent();
	process_fork_parent();
	expect_child_to_be_alone(child);
}

/* -------- ranges around our own descriptors -------- */

static struct {
	unsigned int first, last;
} pieces[8];
static unsigned int nr_pieces;

static int note_piece(unsigned int first, unsigned int last, int flags)
{
	cr_assert_eq(flags, 4);
	cr_assert_lt(nr_pieces, 8);
	pieces[nr_pieces].first = first;
	pieces[nr_pieces++].last = last;
	return 0;
}

static void expect_piece(unsigned int i, unsigned int first, unsigned int last)
{
	cr_expect_eq(pieces[i].first, first);
	cr_expect_eq(pieces[i].last, last);
}

Test(table, close_around_own__leaves_them_out)
{
	table_set_internal(512);
	table_set_internal(513);
	table_set_internal(600);

	cr_expect_eq(lifetime_close_around_own(3, ~0U, 4, note_piece), 0);
	cr_expect_eq(nr_pieces, 3);
	expect_piece(0, 3, 511);
	expect_piece(1, 514, 599);
	expect_piece(2, 601, ~0U);

	nr_pieces = 0;
	cr_expect_eq(lifetime_close_around_own(512, 600, 4, note_piece), 0);
	cr_expect_eq(nr_pieces, 1);
	expect_piece(0, 514, 599);

	nr_pieces = 0;
	cr_expect_eq(lifetime_close_around_own(512, 513, 4, note_piece), 0);
	cr_expect_eq(nr_pieces, 0);

	cr_expect_eq(lifetime_end_of_own(3), 601);
	cr_expect_eq(lifetime_end_of_own(700), 700);
}

/* -------- with the lock in somebody else's hands -------- */

static pthread_barrier_t is_held, may_go;

static void *hold_lock(void *unused)
{
	lock_table();
	pthread_barrier_wait(&is_held);
	pthread_barrier_wait(&may_go);
	unlock_table();
	return unused;
}

/* A lock taken by any of these would never be got: the test would not end. */
Test(table, what_is_promised_to_take_no_lock_takes_none, .timeout = 20)
{
	struct file *file = name_new_file(FD_A);
	pthread_t holder;

	pthread_barrier_init(&is_held, NULL, 2);
	pthread_barrier_init(&may_go, NULL, 2);
	cr_assert_eq(pthread_create(&holder, NULL, hold_lock, NULL), 0);
	pthread_barrier_wait(&is_held);

	lifetime_forget(FD_B);
	lifetime_forget(FAR_FD);
	lifetime_forget(-1);
	cr_expect_eq(table_lookup(FD_A), file);
	cr_expect_eq(table_reserve(FAR_FD), 0);
	table_set_internal(FAR_FD);
	table_clear_internal(FAR_FD);
	cr_expect_eq(table_take(FD_A), file);

	pthread_barrier_wait(&may_go);
	cr_assert_eq(pthread_join(holder, NULL), 0);
}

static void *reserve_far(void *ret)
{
	pthread_barrier_wait(&is_held);
	cr_assert_eq(table_reserve(FAR_FD), 0);
	*(struct table_entry **)ret = table_entry(FAR_FD);
	return NULL;
}

Test(table, reserve__by_many_at_once_makes_one_chunk)
{
	enum {
		NR = 8
	};
	struct table_entry *entries[NR];
	pthread_t threads[NR];

	pthread_barrier_init(&is_held, NULL, NR);
	for (int i = 0; i < NR; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, reserve_far, &entries[i]), 0);
	for (int i = 0; i < NR; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < NR; i++)
		cr_expect_eq(entries[i], table_entry(FAR_FD));
}
