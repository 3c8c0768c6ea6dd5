// SPDX-License-Identifier: MIT
/*
 * steps.c - a handler of the host, or a jump out of one, after instructions all
 * over the calls that interpoll answers.
 *
 * Each claim takes one visitor through all bodies.  A visit is one instruction of
 * one body; then everything that is watched must still be shown, nothing else,
 * and every descriptor can be deleted, added, waited for and closed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define NR_VISITS      24 /* to one body; at other instructions for each */
#define STRIDE	       61 /* instructions between visits */
#define NR_FINE_VISITS 250
#define FINE_STRIDE    7
#define DATA	       0xabc0000

/* e0 watches level, edge and other; @target is the body's, @extra the handler's. */
static struct {
	int epfd, spare_epfd;
	int level, edge, other, target, extra;
	int result;
	struct epoll_event got[8];
} stage;

static sigjmp_buf way_out;
static volatile bool has_jumped;
static volatile int handler_result;

static int ready_open(void)
{
	return eventfd_open(1);
}

static void ready_watch(int fd, uint32_t events)
{
	watch(stage.epfd, fd, events, DATA + (unsigned int)fd);
}

static int ready_ctl(int op, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = DATA + (unsigned int)fd};

	return epoll_ctl(stage.epfd, op, fd, &event) < 0 ? -errno : 0;
}

static void stage_open(void)
{
	stage.epfd = epoll_open();
	stage.spare_epfd = epoll_open();
	stage.level = ready_open();
	stage.edge = ready_open();
	stage.other = ready_open();
	stage.target = ready_open();
	stage.extra = ready_open();
	ready_watch(stage.level, EPOLLIN);
	ready_watch(stage.edge, EPOLLIN | EPOLLET);
	ready_watch(stage.other, EPOLLIN);
	handler_result = 0;
	has_jumped = false;
}

/* ---- bodies ------------------------------------------------------------ */

static void add(void)
{
	stage.result = ready_ctl(EPOLL_CTL_ADD, stage.target, EPOLLIN);
}

static void modify(void)
{
	stage.result = ready_ctl(EPOLL_CTL_MOD, stage.target, EPOLLIN | EPOLLOUT);
}

static void delete (void)
{
	stage.result = ready_ctl(EPOLL_CTL_DEL, stage.target, 0);
}

static void wait_now(void)
{
	stage.result = epoll_wait(stage.epfd, stage.got, 8, 0);
}

static void close_target(void)
{
	stage.result = close(stage.target);
}

static void close_eventpoll(void)
{
	stage.result = close(stage.spare_epfd);
}

enum target_state {
	UNKNOWN,
	WATCHED,
	DELETED,
};

static const struct body {
	const char *name;
	void (*run)(void);
	enum target_state before;
	bool is_shown_after;
} bodies[] = {
	{"add", add, UNKNOWN, true},
	{"add of a deleted watch", add, DELETED, true},
	{"mod", modify, WATCHED, true},
	{"del", delete, WATCHED, false},
	{"wait", wait_now, WATCHED, true},
	{"close", close_target, WATCHED, false},
	{"close of a deleted watch", close_target, DELETED, false},
	{"close of an eventpoll", close_eventpoll, WATCHED, true},
};

/* ---- visitors ---------------------------------------------------------- */

static void jump_away(void)
{
	has_jumped = true;
	siglongjmp(way_out, 1);
}

static void add_extra(void)
{
	handler_result = ready_ctl(EPOLL_CTL_ADD, stage.extra, EPOLLIN);
}

static void close_other(void)
{
	handler_result = close(stage.other);
}

static void delete_other(void)
{
	handler_result = ready_ctl(EPOLL_CTL_DEL, stage.other, 0);
}

static void modify_other(void)
{
	handler_result = ready_ctl(EPOLL_CTL_MOD, stage.other, EPOLLIN);
}

static void close_other_and_jump(void)
{
	close_other();
	jump_away();
}

/* ---- one visit --------------------------------------------------------- */

static bool is_shown(const struct epoll_event *events, int nr, int fd)
{
	for (int i = 0; i < nr; i++)
		if (events[i].data.u64 == DATA + (unsigned int)fd)
			return true;
	return false;
}

/* What a wait shows after @visitor; edges that a wait took are in stage.got. */
static void expect_shown(const struct body *body, void (*visitor)(void), bool was_visited,
			 const char *where)
{
	bool is_other_gone = was_visited && (visitor == close_other || visitor == delete_other ||
					     visitor == close_other_and_jump);
	struct epoll_event events[8];
	int nr = epoll_wait(stage.epfd, events, 8, 0);

	if (!is_shown(events, nr, stage.level))
		FAIL("%s: level lost (%d shown)", where, nr);
	if (body->run != wait_now && !is_shown(events, nr, stage.edge))
		FAIL("%s: edge lost", where);
	if (body->run == wait_now && !has_jumped && stage.result >= 0 &&
	    is_shown(events, nr, stage.edge) == is_shown(stage.got, stage.result, stage.edge))
		FAIL("%s: edge lost or doubled by the wait", where);
	if (is_shown(events, nr, stage.other) == is_other_gone)
		FAIL("%s: other watch %s", where, is_other_gone ? "shown" : "lost");
	if (visitor == add_extra && was_visited && !is_shown(events, nr, stage.extra))
		FAIL("%s: the handler's watch is not shown", where);
	if (!has_jumped && is_shown(events, nr, stage.target) != body->is_shown_after)
		FAIL("%s: target %s", where, body->is_shown_after ? "lost" : "shown");
}

/* What happens to @fd from now on is told, and no earlier. */
static void expect_alive(int fd, const char *where)
{
	struct epoll_event events[8];
	eventfd_t count;

	if (eventfd_read(fd, &count) < 0)
		FAIL("%s: cannot be read", where);
	epoll_wait(stage.epfd, events, 8, 0);
	if (eventfd_write(fd, 1) < 0)
		FAIL("%s: cannot be written", where);
	if (!is_shown(events, epoll_wait(stage.epfd, events, 8, 0), fd))
		FAIL("%s: what comes now is not shown", where);
}

/* Whatever state a descriptor is in, it can be watched again, and closed. */
static void expect_usable(int fd, const char *where)
{
	struct epoll_event events[8];
	int ret;

	if (fcntl(fd, F_GETFD) < 0)
		return;
	ret = ready_ctl(EPOLL_CTL_DEL, fd, 0);
	if (ret < 0 && ret != -ENOENT)
		FAIL("%s: DEL afterwards: %d", where, ret);
	ret = ready_ctl(EPOLL_CTL_ADD, fd, EPOLLIN);
	if (ret < 0)
		FAIL("%s: ADD afterwards: %d", where, ret);
	if (!is_shown(events, epoll_wait(stage.epfd, events, 8, 0), fd))
		FAIL("%s: not shown afterwards", where);
	CLOSE(fd);
}

static void stage_close(const char *where)
{
	const int fds[] = {stage.level, stage.edge, stage.other, stage.target, stage.extra};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		expect_usable(fds[i], where);
	EXPECT_QUIET(stage.epfd);
	if (fcntl(stage.spare_epfd, F_GETFD) >= 0)
		CLOSE(stage.spare_epfd);
	CLOSE(stage.epfd);
}

/* Returns false if @body has not so many instructions. */
static bool visit(const struct body *body, void (*visitor)(void), long step)
{
	volatile bool was_visited = true;
	char where[80];

	snprintf(where, sizeof(where), "%s, instruction %ld", body->name, step);
	stage_open();
	if (body->before != UNKNOWN)
		ready_watch(stage.target, EPOLLIN);
	if (body->before == DELETED)
		unwatch(stage.epfd, stage.target);
	if (!sigsetjmp(way_out, 1))
		was_visited = steps_run(body->run, step, visitor);
	if (!has_jumped && stage.result < 0 && stage.result != -EINTR && body->run != wait_now)
		FAIL("%s: failed with %d", where, stage.result);
	if (handler_result != 0)
		FAIL("%s: the handler's call failed with %d", where, handler_result);
	expect_shown(body, visitor, was_visited, where);
	expect_alive(stage.level, where);
	expect_alive(stage.edge, where);
	if (body->run == modify)
		expect_alive(stage.target, where);
	stage_close(where);
	return was_visited;
}

static void visit_everywhere(void (*visitor)(void))
{
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		long step = (long)i;

		for (int nr = 0; nr < NR_VISITS && visit(&bodies[i], visitor, step); nr++)
			step += STRIDE;
	}
}

CLAIM(a_jump_out_of_any_call_leaves_all_watches_alive)
{
	visit_everywhere(jump_away);
}

/* A compiler that moves one store past another shows at very few instructions. */
CLAIM(a_jump_out_of_ADD_at_nearly_any_instruction_leaves_all_watches_alive)
{
	for (size_t i = 0; bodies[i].run == add; i++)
		for (long nr = 0; nr < NR_FINE_VISITS; nr++)
			if (!visit(&bodies[i], jump_away, nr * FINE_STRIDE))
				break;
}

CLAIM_ONLY("native epoll", "the poll source cannot learn of a new file in a handler",
	   a_handler_adds_in_the_middle_of_any_call)
{
	visit_everywhere(add_extra);
}

CLAIM(a_handler_closes_in_the_middle_of_any_call)
{
	visit_everywhere(close_other);
}

CLAIM(a_handler_deletes_in_the_middle_of_any_call)
{
	visit_everywhere(delete_other);
}

CLAIM(a_handler_modifies_in_the_middle_of_any_call)
{
	visit_everywhere(modify_other);
}

CLAIM(a_handler_closes_and_jumps_out_of_any_call)
{
	visit_everywhere(close_other_and_jump);
}

/* ---- what lives on ------------------------------------------------------ */

/* Visits to a MOD, after which a file is closed that somebody else keeps open. */
static int count_lost(bool (*is_lost)(long step))
{
	int nr_lost = 0;

	for (long step = 0; step < NR_VISITS * STRIDE; step += STRIDE) {
		stage_open();
		ready_watch(stage.target, EPOLLIN);
		nr_lost += is_lost(step);
		stage_close("one that lives on");
	}
	return nr_lost;
}

static bool is_silent(int fd)
{
	struct epoll_event events[8];

	return !is_shown(events, epoll_wait(stage.epfd, events, 8, 0), fd);
}

static int mail[2], received;

static void receive(void)
{
	received = fd_receive(mail[1]);
}

static bool is_mail_lost(long step)
{
	bool is_lost;

	unix_open(mail);
	fd_send(mail[0], stage.extra);
	if (!steps_run(modify, step, receive))
		receive();
	ready_watch(received, EPOLLIN);
	CLOSE(received);
	is_lost = is_silent(received);
	CLOSE(mail[0], mail[1]);
	return is_lost;
}

CLAIM_ONLY("native epoll", "with the poll source a watch ends with its number",
	   a_file_that_a_handler_received_is_watched_while_it_is_open)
{
	EXPECT_INT(count_lost(is_mail_lost), ==, 0);
}

#define NO_LOCK_NO_ZOMBIE "a handler inside its thread's own section can take no lock"

static bool is_duplicate_lost(long step)
{
	int copy = MUST(fcntl(stage.other, F_DUPFD_CLOEXEC, 0));
	bool is_lost;

	if (!steps_run(modify, step, close_other))
		CLOSE(stage.other);
	is_lost = is_silent(stage.other);
	CLOSE(copy);
	return is_lost;
}

CLAIM_EXCEPT("preloaded", NO_LOCK_NO_ZOMBIE,
	     a_file_that_a_handler_closes_is_watched_while_it_is_open)
{
	EXPECT_INT(count_lost(is_duplicate_lost), ==, 0);
}
DEVIATION(a_file_that_a_handler_closes_is_watched_while_it_is_open)
{
	EXPECT_INT(count_lost(is_duplicate_lost), >, 0);
}
