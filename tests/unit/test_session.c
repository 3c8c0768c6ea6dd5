// SPDX-License-Identifier: MIT
/*
 * test_session.c - the handshake and the counts, from both sides and after death.
 */
#include "session_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

TestSuite(session, .init = stage_begin, .fini = stage_end);

Test(session, file_is_its_owners_alone_and_nobody_has_arrived)
{
	struct session_process process;
	struct stat st;

	cr_assert_eq(strncmp(stage_path, stage_dir, strlen(stage_dir)), 0);
	cr_assert_eq(stat(stage_path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_geq(st.st_blocks * 512, st.st_size, "a full disk would be a SIGBUS");
	cr_assert_eq(session_nr_arrived(stage_session), 0);
	cr_assert_not(session_read_process(stage_session, 0, &process));
	cr_assert_not(session_read_process(stage_session, SESSION_NR_PROCESSES, &process));
}

Test(session, is_made_in_the_first_directory_that_works)
{
	char path[PATH_MAX];
	struct session *session;

	setenv("XDG_RUNTIME_DIR", "relative", 1);
	setenv("TMPDIR", stage_dir, 1);
	session = session_new(path, sizeof(path));
	cr_assert_not_null(session);
	cr_assert_eq(strncmp(path, stage_dir, strlen(stage_dir)), 0);
	session_free(session, path);
	setenv("TMPDIR", "/no/such/directory", 1);
	session = session_new(path, sizeof(path));
	cr_assert_not_null(session);
	cr_assert_eq(strncmp(path, "/tmp/", 5), 0);
	session_free(session, path);
	errno = 0;
	cr_assert_null(session_new(path, 8));
	cr_assert_eq(errno, ENAMETOOLONG);
}

Test(session, a_process_that_arrives_is_known)
{
	struct session_process process;
	unsigned int slot = 99;

	stage_arrive("some name");
	process = stage_read(0);
	cr_assert_eq(session_nr_arrived(stage_session), 1);
	cr_assert_eq(process.state, SESSION_RUNNING);
	cr_assert_eq(process.pid, getpid());
	cr_assert_eq(process.parent, -1);
	cr_assert_str_eq(process.name, "some name");
	cr_assert_str_eq(process.source, "epoll");
	cr_assert_str_eq(process.driver, "inline");
	cr_assert_not_null(session_own(&slot));
	cr_assert_eq(slot, 0);
	cr_assert_not(session_is_private());
	session_close();
	session_close();
	cr_assert_eq(stage_read(0).state, SESSION_EXITED);
}

Test(session, counts_are_seen_while_the_eventpoll_is_open_and_kept_afterwards)
{
	struct probe_counts *counts;

	stage_arrive("counts");
	counts = stage_count(PROBE_EDGE, 5);
	cr_assert_eq(stage_read(0).counts.n[PROBE_EDGE], 5);
	cr_assert_eq(stage_read(0).nr_open, 1);
	session_counts_put(counts);
	cr_assert_eq(stage_read(0).counts.n[PROBE_EDGE], 5);
	cr_assert_eq(stage_read(0).nr_open, 0);
	cr_assert_eq(stage_read(0).nr_eventpolls, 1);
	/* Whoever has the block next starts from nothing. */
	counts = session_counts_get();
	cr_assert_eq(counts->n[PROBE_EDGE], 0);
	cr_assert_eq(stage_read(0).counts.n[PROBE_EDGE], 5);
}

Test(session, open_eventpolls_are_listed_with_their_descriptors)
{
	struct session_eventpoll eventpoll;
	unsigned int cursor = 0;
	uint64_t seen = 0;

	stage_arrive("list");
	for (int fd = 3; fd < 10; fd++)
		session_counts_set_fd(stage_count(PROBE_WAIT, (uint64_t)fd * 10), fd);
	while (session_next_eventpoll(stage_session, 0, &cursor, &eventpoll)) {
		cr_assert_eq(eventpoll.counts.n[PROBE_WAIT], (uint64_t)eventpoll.fd * 10);
		seen |= 1u << eventpoll.fd;
	}
	cr_assert_eq(seen, 0x3f8);
}

static struct probe_counts *inherited;

static void count_in_child(void)
{
	stage_count(PROBE_ADD, 7);
	/* Not ours: the parent still counts in it. */
	session_counts_put(inherited);
	session_counts_set_fd(inherited, 77);
}

Test(session, a_forked_child_counts_for_itself)
{
	struct session_eventpoll eventpoll;
	unsigned int cursor = 0;

	stage_arrive("parent");
	inherited = stage_count(PROBE_ADD, 2);
	session_counts_set_fd(inherited, 5);
	stage_fork(count_in_child);
	cr_assert_eq(session_nr_arrived(stage_session), 2);
	cr_assert_eq(stage_read(1).parent, 0);
	cr_assert_eq(stage_read(1).ppid, getpid());
	cr_assert_eq(stage_read(1).counts.n[PROBE_ADD], 7);
	cr_assert_eq(stage_read(0).counts.n[PROBE_ADD], 2);
	cr_assert(session_next_eventpoll(stage_session, 0, &cursor, &eventpoll));
	cr_assert_eq(eventpoll.fd, 5);
}

Test(session, a_child_that_shares_our_place_does_not_close_it)
{
	pid_t pid;

	stage_arrive("parent");
	pid = fork();
	if (pid == 0) {
		session_close(); /* as a vfork child would, in our memory */
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(stage_read(0).state, SESSION_RUNNING);
}

static void count_and_die(void)
{
	stage_count(PROBE_DELIVERED, 1000);
	raise(SIGKILL);
}

Test(session, who_is_killed_stays_counted)
{
	stage_arrive("parent");
	stage_fork(count_and_die);
	cr_assert_eq(stage_read(1).counts.n[PROBE_DELIVERED], 1000);
	cr_assert_eq(stage_read(1).state, SESSION_RUNNING);
}

/* exec keeps the number of the process: its library arrives once more. */
Test(session, a_program_after_exec_has_a_slot_of_its_own)
{
	stage_arrive("before");
	stage_count(PROBE_WAIT, 3);
	stage_arrive("after");
	stage_count(PROBE_WAIT, 4);
	cr_assert_eq(stage_read(0).state, SESSION_REPLACED);
	cr_assert_eq(stage_read(0).nr_open, 0);
	cr_assert_eq(stage_read(0).counts.n[PROBE_WAIT], 3);
	cr_assert_eq(stage_read(1).state, SESSION_RUNNING);
	cr_assert_eq(stage_read(1).counts.n[PROBE_WAIT], 4);
	cr_assert_str_eq(stage_read(1).name, "after");
}

/* -------- what cannot be joined -------- */

static void expect_private(const char *path, int err)
{
	struct session_process process;
	unsigned int slot;

	errno = 4711;
	cr_assert_eq(session_open(path, &stage_identity), err, "%s", path);
	cr_assert_eq(errno, 4711);
	cr_assert(session_is_private());
	stage_count(PROBE_EDGE, 3);
	cr_assert(session_read_process(session_own(&slot), 0, &process));
	cr_assert_eq(process.counts.n[PROBE_EDGE], 3);
	cr_assert_eq(session_nr_arrived(stage_session), 0);
}

Test(session, without_a_path_it_is_private)
{
	expect_private(NULL, 0);
	expect_private("", 0);
}

Test(session, a_file_that_is_not_there_or_a_link_is_not_joined)
{
	char link[PATH_MAX];

	expect_private("/no/such/session", -ENOENT);
	snprintf(link, sizeof(link), "%s/link", stage_dir);
	cr_assert_eq(symlink(stage_path, link), 0);
	expect_private(link, -ELOOP);
	unlink(link);
}

Test(session, a_file_of_another_kind_is_not_joined, .timeout = 60)
{
	char fifo[PATH_MAX];

	snprintf(fifo, sizeof(fifo), "%s/fifo", stage_dir);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	expect_private(fifo, -EPERM);
	unlink(fifo);
	expect_private(stage_dir, -EISDIR);
	expect_private("/dev/null", -EPERM);
}

Test(session, a_file_of_another_size_or_version_is_not_joined)
{
	int fd = open(stage_path, O_RDWR);
	struct stat st;
	char was, other;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(ftruncate(fd, st.st_size - 1), 0);
	expect_private(stage_path, -EPROTO);
	cr_assert_eq(ftruncate(fd, st.st_size), 0);
	for (off_t at = 0; at < 24; at++) { /* magic, version, number of counters, size */
		cr_assert_eq(pread(fd, &was, 1, at), 1);
		other = (char)(was + 1);
		cr_assert_eq(pwrite(fd, &other, 1, at), 1);
		cr_assert_eq(session_open(stage_path, &stage_identity), -EPROTO, "byte %ld",
			     (long)at);
		cr_assert_eq(pwrite(fd, &was, 1, at), 1);
	}
	close(fd);
}

/* -------- more than there is room for -------- */

Test(session, eventpolls_without_a_block_share_one, .timeout = 120)
{
	static struct probe_counts *counts[SESSION_NR_BLOCKS + 10];
	unsigned int i;

	stage_arrive("many");
	for (i = 0; i < SESSION_NR_BLOCKS + 10; i++)
		counts[i] = stage_count(PROBE_ADD, 1);
	cr_assert_eq(stage_read(0).nr_open, SESSION_NR_BLOCKS);
	cr_assert_eq(stage_read(0).nr_shared, 10);
	cr_assert_eq(counts[SESSION_NR_BLOCKS], counts[SESSION_NR_BLOCKS + 9]);
	cr_assert_eq(stage_read(0).counts.n[PROBE_ADD], SESSION_NR_BLOCKS + 10);
	for (i = 0; i < SESSION_NR_BLOCKS + 10; i++)
		session_counts_put(counts[i]);
	cr_assert_eq(stage_read(0).nr_open, 0);
	cr_assert_eq(stage_read(0).counts.n[PROBE_ADD], SESSION_NR_BLOCKS + 10);
	/* There is room again. */
	stage_count(PROBE_ADD, 1);
	cr_assert_eq(stage_read(0).nr_shared, 10);
}

static void count_one(void)
{
	stage_count(PROBE_EDGE, 1);
}

/* The slots of the dead are used again, and their counts are not lost. */
Test(session, processes_are_counted_however_many_there_are, .timeout = 300)
{
	struct session_process process;
	uint64_t nr_edges = 0, nr_earlier;

	stage_arrive("parent");
	for (unsigned int i = 0; i < SESSION_NR_PROCESSES + 50; i++)
		stage_fork(count_one);
	nr_earlier = session_read_earlier(stage_session, &process);
	cr_assert_eq(nr_earlier, 51);
	nr_edges = process.counts.n[PROBE_EDGE];
	for (unsigned int slot = 0; slot < SESSION_NR_PROCESSES; slot++)
		nr_edges += stage_read(slot).counts.n[PROBE_EDGE];
	cr_assert_eq(nr_edges, SESSION_NR_PROCESSES + 50);
	cr_assert_eq(session_nr_arrived(stage_session), SESSION_NR_PROCESSES + 51);
	cr_assert_eq(stage_read(0).pid, getpid());
}

/* -------- many at once -------- */

#define NR_THREADS 4
#define NR_ROUNDS  20000

static void *get_and_put(void *unused)
{
	for (int i = 0; i < NR_ROUNDS; i++) {
		struct probe_counts *counts = stage_count(PROBE_WAIT, 1);

		probe_n(counts, PROBE_EDGE, 2);
		session_counts_put(counts);
	}
	return unused;
}

Test(session, blocks_have_one_user_at_a_time, .timeout = 120)
{
	pthread_t threads[NR_THREADS];

	stage_arrive("threads");
	for (int i = 0; i < NR_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, get_and_put, NULL), 0);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(stage_read(0).nr_shared, 0);
	cr_assert_eq(stage_read(0).nr_open, 0);
	cr_assert_eq(stage_read(0).counts.n[PROBE_WAIT], NR_THREADS * NR_ROUNDS);
	cr_assert_eq(stage_read(0).counts.n[PROBE_EDGE], 2 * NR_THREADS * NR_ROUNDS);
}

Test(session, watches_that_are_there_now)
{
	struct probe_counts counts = {.n = {[PROBE_ADD] = 10, [PROBE_DEL] = 3, [PROBE_CLOSED] = 2}};

	cr_assert_eq(session_nr_watches(&counts), 5);
	/* A forked child may delete what it never added. */
	counts.n[PROBE_DEL] = 100;
	cr_assert_eq(session_nr_watches(&counts), 0);
}
