// SPDX-License-Identifier: MIT
/*
 * test_file.c - files: counted, recycled, and told apart.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/section.h"
#include "steps.h"

static struct file *file_made(void)
{
	struct file *file;

	cr_assert(section_enter());
	file = file_new();
	section_leave();
	cr_assert_not_null(file);
	return file;
}

static void file_dropped(struct file *file)
{
	cr_assert(section_enter());
	file_put(file);
	section_leave();
}

Test(file, new_file_has_one_reference_and_no_watchers)
{
	struct file *file = file_made();

	cr_assert_eq(file->refs, 1);
	cr_assert_eq(file->nr_fds, 0);
	cr_assert_eq(file->kind, FILE_UNKNOWN);
	cr_assert_null(file->ep);
	cr_assert_not(file->is_shared);
	cr_assert(list_is_empty(&file->wq));
	cr_assert_not(lock_is_locked(&file->wq_lock));
}

Test(file, lives_until_its_last_reference_is_put)
{
	struct file *file = file_made(), *other;

	file_get(file);
	file_dropped(file);
	other = file_made();
	cr_assert_neq(other, file, "given out again while somebody watches it");
	file_dropped(file);
	cr_assert_eq(file_made(), file);
}

Test(file, recycled_file_remembers_nothing)
{
	struct file *file = file_made();

	file->ep = (struct eventpoll *)file;
	file->nr_fds = 3;
	file->born = 5;
	file->kind = FILE_ONCE;
	file->is_shared = true;
	file_dropped(file);
	cr_assert_eq(file_made(), file);
	cr_assert_null(file->ep);
	cr_assert_eq(file->nr_fds, 0);
	cr_assert_eq(file->born, 0);
	cr_assert_eq(file->kind, FILE_UNKNOWN);
	cr_assert_not(file->is_shared);
	cr_assert_eq(file->refs, 1);
}

/* Who found the file by a late tag may hold its lock while the slot changes hands. */
Test(file, lock_of_a_recycled_file_stays_held)
{
	struct file *file = file_made();

	cr_assert(section_enter());
	section_acquire(&file->wq_lock, NULL);
	file_put(file);
	cr_assert_eq(file_new(), file);
	cr_assert(lock_is_locked(&file->wq_lock));
	section_release(&file->wq_lock);
	section_leave();
}

static void *get_and_put(void *file)
{
	for (int i = 0; i < 100000; i++) {
		file_get(file);
		file_put(file);
	}
	return NULL;
}

Test(file, references_are_counted_by_several_threads)
{
	struct file *file = file_made();
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, get_and_put, file), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(file->refs, 1);
}

Test(file, child_of_fork_finds_locks_free_and_no_watchers)
{
	struct file *file = file_made();
	struct list_head watcher;

	list_init(&watcher);
	lock_acquire(&file->wq_lock);
	list_add_tail(&watcher, &file->wq);
	file_reset_all();
	cr_assert_not(lock_is_locked(&file->wq_lock));
	cr_assert(list_is_empty(&file->wq));
	cr_assert_eq(file->refs, 1, "the file itself is the child's too");
}

/* Each expectation is of a descriptor that is made, classified and closed. */
static void expect_kind(const char *what, int fd, enum file_kind kind)
{
	int high;

	cr_assert_geq(fd, 0, "%s: errno %d", what, errno);
	errno = ENOTTY;
	cr_assert_eq(file_classify(fd), kind, "%s is %d, not %d", what, file_classify(fd), kind);
	high = fcntl(fd, F_DUPFD, 1000);
	cr_assert_geq(high, 1000);
	cr_assert_eq(file_classify(high), kind, "%s as descriptor %d", what, high);
	cr_assert_eq(errno, ENOTTY);
	close(high);
	close(fd);
	cr_assert_eq(file_classify(fd), FILE_UNKNOWN, "%s, closed", what);
}

Test(file, kinds_of_pipes_and_sockets)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	expect_kind("a pipe to read", fds[0], FILE_REPEATABLE);
	expect_kind("a pipe to write", fds[1], FILE_REPEATABLE);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	expect_kind("a unix socket", fds[0], FILE_REPEATABLE);
	close(fds[1]);
	expect_kind("a TCP socket", socket(AF_INET, SOCK_STREAM, 0), FILE_REPEATABLE);
	expect_kind("a UDP socket", socket(AF_INET, SOCK_DGRAM, 0), FILE_REPEATABLE);
}

Test(file, kinds_of_anonymous_inodes)
{
	sigset_t none;

	sigemptyset(&none);
	expect_kind("an eventfd", eventfd(0, 0), FILE_EVENTFD);
	expect_kind("a timerfd", timerfd_create(CLOCK_MONOTONIC, 0), FILE_REPEATABLE);
	expect_kind("a signalfd", signalfd(-1, &none, 0), FILE_SIGNALFD);
	expect_kind("an inotify", inotify_init1(0), FILE_REPEATABLE);
	expect_kind("an eventpoll", epoll_create1(0), FILE_EVENTPOLL);
	expect_kind("a pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0), FILE_REPEATABLE);
}

Test(file, kinds_of_devices)
{
	expect_kind("a pseudo terminal", posix_openpt(O_RDWR | O_NOCTTY), FILE_REPEATABLE);
	expect_kind("/dev/null", open("/dev/null", O_RDWR), FILE_ONCE);
	expect_kind("/dev/urandom", open("/dev/urandom", O_RDONLY), FILE_ONCE);
}

/* Nobody can wait for these; whatever is not known is left to the kernel. */
Test(file, kinds_of_files_and_folders)
{
	expect_kind("a folder", open("/", O_RDONLY | O_DIRECTORY), FILE_ONCE);
	expect_kind("a regular file", open("/proc/self/exe", O_RDONLY), FILE_ONCE);
	expect_kind("an unnamed file", memfd_create("anon_inode:[eventfd]", 0), FILE_ONCE);
}

Test(file, kind_of_what_is_no_descriptor_is_unknown)
{
	cr_assert_eq(file_classify(-1), FILE_UNKNOWN);
	cr_assert_eq(file_classify(1 << 30), FILE_UNKNOWN);
}

#if STEPS_ARE_POSSIBLE

static struct file *watched;
static struct list_head watchers[3];
static sigjmp_buf way_out;

/* What control operations do to a wait queue, with a watcher on either side. */
static void link_and_unlink(void)
{
	list_add_tail(&watchers[1], &watched->wq);
	list_add_tail(&watchers[2], &watched->wq);
	list_del_init(&watchers[1]);
	list_del_init(&watchers[2]);
}

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

static bool abandon(long step)
{
	if (sigsetjmp(way_out, 1))
		return true;
	return steps_run(link_and_unlink, step, jump_away);
}

/* Both directions agree, and the watcher that nobody touched is still there. */
static void expect_whole(long step)
{
	const struct list_head *node = &watched->wq;
	bool found = false;
	int nr = 0;

	do {
		cr_assert_eq(node->next->prev, node, "after instruction %ld", step);
		node = node->next;
		found |= node == &watchers[0];
		cr_assert_leq(nr++, 3, "a circle after instruction %ld", step);
	} while (node != &watched->wq);
	cr_assert(found, "lost after instruction %ld", step);
}

Test(file, wait_queue_abandoned_anywhere_is_made_whole, .timeout = 60)
{
	long step = 0;
	bool was_abandoned;

	watched = file_made();
	do {
		list_init(&watched->wq);
		for (int i = 0; i < 3; i++)
			list_init(&watchers[i]);
		list_add_tail(&watchers[0], &watched->wq);
		was_abandoned = abandon(step);
		file_repair(&watched->wq_lock);
		expect_whole(step++);
	} while (was_abandoned);
	cr_assert_gt(step, 20);
}

#endif
