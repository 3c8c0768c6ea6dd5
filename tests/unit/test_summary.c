// SPDX-License-Identifier: MIT
/*
 * test_summary.c - the text a person reads, to the letter, and where it goes.
 */
#include "session_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "trace/summary.h"

static char summary[1 << 16];

TestSuite(summary, .init = stage_begin, .fini = stage_end);

/* The summary in @summary, without the pid that a golden text cannot know. */
static void write_summary(int slot)
{
	FILE *file = tmpfile();
	size_t len;

	cr_assert_eq(summary_write(fileno(file), stage_session, slot), 0);
	rewind(file);
	len = fread(summary, 1, sizeof(summary) - 1, file);
	summary[len] = '\0';
	fclose(file);
}

static void expect_line(const char *line)
{
	const char *at = strstr(summary, line);

	cr_assert(at && (at == summary || at[-1] == '\n') && at[strlen(line)] == '\n',
		  "no line '%s' in\n%s", line, summary);
}

Test(summary, is_a_sentence_a_process_and_a_line_a_counter)
{
	char expected[2048];

	stage_arrive("server");
	stage_count(PROBE_ADD, 1234567);
	stage_count(PROBE_WAIT, 1000);
	stage_count(PROBE_DELIVERED, 999);
	write_summary(SUMMARY_ALL);
	snprintf(expected, sizeof(expected),
		 "interpoll: what the eventpolls did\n"
		 "server (%d), source epoll, driver inline: 3 eventpolls with 1,234,567 watches at "
		 "the end, 999 events in 1,000 waits\n"
		 "  watches added                                                 1,234,567\n"
		 "  edges from the source                                                 0\n"
		 "  waits                                                             1,000\n"
		 "  events delivered                                                    999\n",
		 getpid());
	cr_assert_str_eq(summary, expected);
}

Test(summary, one_is_not_many)
{
	char expected[256];

	stage_arrive("one");
	probe(stage_count(PROBE_ADD, 1), PROBE_WAIT);
	stage_count(PROBE_DELIVERED, 1);
	snprintf(expected, sizeof(expected),
		 "one (%d), source epoll, driver inline: 2 eventpolls with 1 watch at the end, "
		 "1 event in 1 wait",
		 getpid());
	write_summary(SUMMARY_ALL);
	expect_line(expected);
}

Test(summary, numbers_are_grouped_to_the_last_digit)
{
	stage_arrive("big");
	stage_count(PROBE_EDGE, UINT64_MAX);
	stage_count(PROBE_QUEUED, 100000);
	write_summary(SUMMARY_ALL);
	expect_line("  edges from the source                                   "
		    "18,446,744,073,709,551,615");
	expect_line("  edges that put a watch on the ready list                        100,000");
}

Test(summary, nobody_is_said_to_be_nobody)
{
	write_summary(SUMMARY_ALL);
	cr_assert_not_null(strstr(summary, "no process had interpoll in it\n"));
}

static void do_nothing(void)
{
}

static void count_two(void)
{
	stage_count(PROBE_DELIVERED, 2);
}

Test(summary, processes_without_an_eventpoll_are_only_counted)
{
	stage_arrive("parent");
	stage_fork(do_nothing);
	stage_fork(count_two);
	write_summary(SUMMARY_ALL);
	expect_line("2 processes without an eventpoll");
	cr_assert_null(strstr(summary, "0 eventpolls"));
	write_summary(2);
	expect_line("  events delivered                                                      2");
	cr_assert_null(strstr(summary, "without"));
}

Test(summary, the_totals_survive_a_crowd, .timeout = 120)
{
	stage_arrive("parent");
	for (int i = 0; i < 40; i++)
		stage_fork(count_two);
	write_summary(SUMMARY_ALL);
	expect_line("8 more processes with eventpolls");
	expect_line("  events delivered                                                     80");
}

Test(summary, passed_through_is_said)
{
	const struct session_identity identity = {
		.source = "epoll", .driver = "inline", .flags = SESSION_PASSTHROUGH};

	cr_assert_eq(session_open(stage_path, &identity), 0);
	write_summary(SUMMARY_ALL);
	expect_line("1 process passed through to the kernel's epoll, not counted");
	cr_assert_null(strstr(summary, "waits"));
}

Test(summary, a_name_moves_no_cursor)
{
	stage_arrive("\033[2J\nbad\177");
	stage_count(PROBE_WAIT, 1);
	write_summary(SUMMARY_ALL);
	cr_assert_not_null(strstr(summary, "\n?[2J?bad? ("));
}

Test(summary, what_write_says_is_returned)
{
	int full = open("/dev/full", O_WRONLY), fd[2];

	stage_arrive("full");
	cr_assert_eq(summary_write(full, stage_session, SUMMARY_ALL), -ENOSPC);
	cr_assert_eq(summary_write(-1, stage_session, SUMMARY_ALL), -EBADF);
	cr_assert_eq(pipe(fd), 0);
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(summary_write(fd[1], stage_session, SUMMARY_ALL), -EPIPE);
	close(fd[1]);
	close(full);
}

/* -------- files -------- */

static const char *in_stage(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", stage_dir, name);
	return path;
}

Test(summary, a_file_is_made_for_its_owner_and_closed_on_exec)
{
	const char *path = in_stage("report");
	struct stat st;
	int fd = summary_open(path);

	cr_assert_geq(fd, 3);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND);
	summary_close(fd);
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
	unlink(path);
}

Test(summary, a_dash_is_stderr_and_stays_open)
{
	cr_assert_eq(summary_open("-"), STDERR_FILENO);
	summary_close(STDERR_FILENO);
	cr_assert_geq(fcntl(STDERR_FILENO, F_GETFD), 0);
}

Test(summary, a_file_takes_no_standard_streams_number)
{
	const char *path = in_stage("report");
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10), fd;

	close(STDERR_FILENO);
	fd = summary_open(path);
	cr_expect_eq(fcntl(STDERR_FILENO, F_GETFD), -1);
	dup2(saved, STDERR_FILENO);
	cr_assert_gt(fd, STDERR_FILENO);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	summary_close(fd);
	close(saved);
	unlink(path);
}

Test(summary, links_directories_and_devices_are_refused)
{
	const char *path = in_stage("link");

	cr_assert_eq(symlink("target", path), 0);
	cr_assert_eq(summary_open(path), -ELOOP);
	unlink(path);
	cr_assert_eq(access(in_stage("target"), F_OK), -1);
	cr_assert_eq(summary_open(stage_dir), -EISDIR);
	cr_assert_eq(summary_open("/dev/null"), -EINVAL);
	cr_assert_eq(summary_open("/no/such/directory/file"), -ENOENT);
}

Test(summary, a_fifo_wants_a_reader, .timeout = 60)
{
	const char *path = in_stage("fifo");
	int reader, fd;

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(summary_open(path), -ENXIO);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	fd = summary_open(path);
	cr_assert_geq(fd, 3);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	summary_close(fd);
	close(reader);
	unlink(path);
}

/* -------- the library's farewell -------- */

/* How much summary_write_at_exit() leaves in a file. */
static long farewell_size(void)
{
	const char *path = in_stage("farewell");
	struct stat st = {.st_size = 0};

	summary_write_at_exit(path);
	if (stat(path, &st) == 0)
		unlink(path);
	return st.st_size;
}

Test(summary, at_exit_only_a_private_session_is_told)
{
	summary_write_at_exit(in_stage("early")); /* before there is any session */
	stage_arrive("launched");
	cr_assert_eq(farewell_size(), 0);
	cr_assert_eq(session_open(NULL, &stage_identity), 0);
	cr_assert_gt(farewell_size(), 0);
	summary_write_at_exit(NULL);
	summary_write_at_exit("");
}

static void expect_silence(void)
{
	if (farewell_size())
		_exit(1);
}

static void expect_words(void)
{
	stage_count(PROBE_WAIT, 1);
	if (!farewell_size())
		_exit(1);
}

static int fork_status(void (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		session_fork_child();
		child();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(summary, at_exit_a_forked_child_speaks_only_of_eventpolls_of_its_own)
{
	cr_assert_eq(session_open(NULL, &stage_identity), 0);
	stage_count(PROBE_WAIT, 1);
	cr_assert_eq(fork_status(expect_silence), 0);
	cr_assert_eq(fork_status(expect_words), 0);
}
