// SPDX-License-Identifier: MIT
/*
 * test_lifetime.c - signal handlers that close and dup between any two
 * instructions of what they interrupted, in a real eventpoll of the real source.
 *
 * Each body is run again and again, with the handler an instruction later each
 * time; then descriptors, files and watches must agree again.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/eventpoll.h"
#include "engine/section.h"
#include "fd/control.h"
#include "fd/lifetime.h"
#include "steps.h"

#if STEPS_ARE_POSSIBLE

/*
 * e0 watches p0 and p1, whose reading ends have numbers nobody else takes; the
 * writing end of p0 has a second descriptor.
 */
static struct {
	int epfd;
	struct file *epfile;
	int p0[2], p1[2];
	int spare; /* names what p0[1] names */
	int copy;  /* made by a handler, -1: not */
} stage;

enum {
	FD_P0 = 900,
	FD_P1 = 901,
};

static int add(int fd, uint64_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

	return control_ctl(stage.epfile, EPOLL_CTL_ADD, fd, &event);
}

/* The data of the one event there is; 0: there is none. */
static uint64_t look(void)
{
	struct epoll_event events[4];
	struct ep_wait_args args = {.events = events, .maxevents = 4};
	int n = control_wait(stage.epfile, &args);

	cr_assert_geq(n, 0);
	cr_assert_leq(n, 1);
	return n ? events[0].data.u64 : 0;
}

static void close_known(int fd)
{
	lifetime_forget(fd);
	close(fd);
}

static void pipe_open(int ends[2], int number)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	ends[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, number);
	cr_assert_eq(ends[0], number);
	close(fds[0]);
	ends[1] = fds[1];
}

static void stage_open(void)
{
	static const struct ep_config config = {.source = &source_epoll};

	ep_configure(&config);
	stage.epfd = control_create(EPOLL_CLOEXEC);
	cr_assert_geq(stage.epfd, 0);
	stage.epfile = control_find(stage.epfd);
	cr_assert_not_null(stage.epfile);
	pipe_open(stage.p0, FD_P0);
	pipe_open(stage.p1, FD_P1);
	cr_assert_eq(add(FD_P0, 10), 0);
	cr_assert_eq(add(FD_P1, 20), 0);
	stage.spare = dup(stage.p0[1]);
	lifetime_share(stage.p0[1], stage.spare);
	stage.copy = -1;
}

/* The first watch works, nothing is left behind, and every descriptor is accounted for. */
static void stage_close(void)
{
	cr_assert_eq(look(), 0);
	cr_assert_eq(write(stage.p0[1], "x", 1), 1);
	cr_assert_eq(look(), 10);
	cr_assert_not(section_is_inside());
	if (stage.spare >= 0)
		close_known(stage.spare);
	if (stage.copy >= 0)
		close_known(stage.copy);
	close_known(FD_P0);
	close_known(FD_P1);
	close_known(stage.p0[1]);
	close_known(stage.p1[1]);
	close_known(stage.epfd);
	cr_assert_eq(table_next(0, table_limit()), table_limit(), "no number has a file left");
}

/* The number of the closed reading end of p1 comes to name another pipe. */
static void expect_number_is_free(void)
{
	int fresh[2];

	cr_assert_null(table_peek(FD_P1));
	cr_assert_eq(write(stage.p1[1], "x", 1), -1, "nobody reads it any more");
	pipe_open(fresh, FD_P1);
	cr_assert_eq(write(fresh[1], "x", 1), 1);
	cr_assert_eq(look(), 0);
	cr_assert_eq(add(FD_P1, 30), 0);
	cr_assert_eq(look(), 30);
	close_known(FD_P1);
	cr_assert_eq(look(), 0);
	close(stage.p1[1]);
	stage.p1[1] = fresh[1];
}

/* -------- what is interrupted -------- */

static void close_spare(void)
{
	close_known(stage.spare);
	stage.spare = -1;
}

static void share_spare(void)
{
	lifetime_share(stage.p0[1], stage.spare);
}

static void change_first(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLPRI, .data.u64 = 10};

	control_ctl(stage.epfile, EPOLL_CTL_MOD, FD_P0, &event);
}

static void watch_spare(void)
{
	struct epoll_event event = {.events = EPOLLERR, .data.u64 = 40};

	control_ctl(stage.epfile, EPOLL_CTL_ADD, stage.spare, &event);
}

/*
 * Stepping takes time with the square of the number of instructions, of which
 * ADD has thousands.
 */
#define ADD_STRIDE 11

/* -------- what interrupts it -------- */

static void close_second(void)
{
	close_known(FD_P1);
}

static void dup_second(void)
{
	stage.copy = dup(FD_P1);
	lifetime_share(FD_P1, stage.copy);
}

static void close_in_the_middle_of(void (*body)(void), long stride)
{
	bool was_visited = true;

	signal(SIGPIPE, SIG_IGN);
	for (long at = 0; was_visited; at += stride) {
		stage_open();
		was_visited = steps_run(body, at, close_second);
		if (was_visited)
			expect_number_is_free();
		stage_close();
	}
}

Test(lifetime, handler_closes_while_the_thread_closes, .timeout = 120)
{
	close_in_the_middle_of(close_spare, 1);
}

Test(lifetime, handler_closes_while_the_thread_dups, .timeout = 120)
{
	close_in_the_middle_of(share_spare, 1);
}

Test(lifetime, handler_closes_while_the_thread_modifies, .timeout = 120)
{
	close_in_the_middle_of(change_first, 1);
}

Test(lifetime, handler_closes_while_the_thread_adds, .timeout = 120)
{
	close_in_the_middle_of(watch_spare, ADD_STRIDE);
}

static void dup_in_the_middle_of(void (*body)(void), long stride)
{
	bool was_visited = true;

	for (long at = 0; was_visited; at += stride) {
		stage_open();
		was_visited = steps_run(body, at, dup_second);
		if (was_visited) {
			cr_assert_not_null(table_lookup(FD_P1));
			cr_assert_eq(table_lookup(stage.copy), table_lookup(FD_P1));
			cr_assert_eq(table_lookup(FD_P1)->nr_fds, 2);
		}
		stage_close();
	}
}

Test(lifetime, handler_dups_while_the_thread_closes, .timeout = 120)
{
	dup_in_the_middle_of(close_spare, 1);
}

Test(lifetime, handler_dups_while_the_thread_adds, .timeout = 120)
{
	dup_in_the_middle_of(watch_spare, ADD_STRIDE);
}

#else
Test(lifetime, handlers_need_a_processor_that_steps)
{
	cr_skip_test("single steps are for x86-64, without sanitizers");
}
#endif
