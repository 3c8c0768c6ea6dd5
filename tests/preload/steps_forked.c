// SPDX-License-Identifier: MIT
/*
 * steps_forked.c - a handler forks after instructions all over the calls that
 * interpoll answers, while other threads are in the middle of theirs, and the
 * child returns from the handler: its call is finished, and its eventpolls work.
 *
 * The other threads are no more in the child, whatever they were holding.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define NR_VISITS  60 /* to one body; at other instructions for each */
#define STRIDE	   29 /* instructions between visits */
#define NR_THREADS 3
#define PATIENCE_S 10 /* with a child that hangs */

/* e0 watches level and other; @target is the body's. */
static struct {
	int epfd, spare_epfd;
	int level, other, target;
	int result;
	pid_t child;
} stage;

static int target_ctl(int op)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};

	return epoll_ctl(stage.epfd, op, stage.target, &event) < 0 ? -errno : 0;
}

/* ---- bodies ------------------------------------------------------------ */

static void add(void)
{
	stage.result = target_ctl(EPOLL_CTL_ADD);
}

static void modify(void)
{
	stage.result = target_ctl(EPOLL_CTL_MOD);
}

static void delete (void)
{
	stage.result = target_ctl(EPOLL_CTL_DEL);
}

static void wait_now(void)
{
	struct epoll_event got[8];

	stage.result = epoll_wait(stage.epfd, got, 8, 0) < 0 ? -errno : 0;
}

static void wait_for_event(void)
{
	struct epoll_event got[8];

	stage.result = epoll_wait(stage.epfd, got, 1, 1000) < 0 ? -errno : 0;
}

static void close_target(void)
{
	stage.result = close(stage.target) < 0 ? -errno : 0;
}

static void duplicate(void)
{
	int copy = dup(stage.target);

	stage.result = copy < 0 || close(copy) < 0 ? -errno : 0;
}

static void close_eventpoll(void)
{
	stage.result = close(stage.spare_epfd) < 0 ? -errno : 0;
}

static void open_eventpoll(void)
{
	int epfd = epoll_create1(0);

	stage.result = epfd < 0 || close(epfd) < 0 ? -errno : 0;
}

struct body {
	void (*run)(void);
	bool is_watched; /* the target, before */
	int may_fail;	 /* natively, where parent and child do it to one eventpoll */
};

/* ---- the other threads ------------------------------------------------- */

static atomic_bool is_over;

static void *churn(void *unused)
{
	int epfd = epoll_open();
	int p[2], fd;

	(void)unused;
	while (!is_over) {
		pipe_open(p);
		watch(epfd, p[0], EPOLLIN, 1);
		watch(stage.epfd, p[0], EPOLLIN, 4);
		fd = MUST(dup(p[0]));
		EXPECT_QUIET(epfd);
		unwatch(epfd, p[0]);
		CLOSE(fd, p[0], p[1]);
	}
	CLOSE(epfd);
	return NULL;
}

/* ---- one visit --------------------------------------------------------- */

static void fork_here(void)
{
	stage.child = fork();
}

extern pid_t _Fork(void);

static void fork_here_without_handlers(void)
{
	stage.child = _Fork();
}

static void stage_open(const struct body *body)
{
	stage.spare_epfd = epoll_open();
	stage.target = eventfd_open(0);
	stage.child = -1;
	stage.result = 0;
	if (body->is_watched) {
		watch(stage.epfd, stage.target, EPOLLIN, 3);
		watch(stage.spare_epfd, stage.target, EPOLLIN, 3);
	}
}

static void stage_close(const struct body *body)
{
	if (body->run != close_eventpoll)
		CLOSE(stage.spare_epfd);
	if (body->run != close_target)
		CLOSE(stage.target);
}

static bool is_shown(const struct epoll_event *events, int nr, uint64_t data)
{
	for (int i = 0; i < nr; i++)
		if (events[i].data.u64 == data)
			return true;
	return false;
}

static void expect_usable(const char *where)
{
	struct epoll_event events[8];
	int fd = eventfd_open(1);
	int nr;

	watch(stage.epfd, fd, EPOLLIN, 5);
	nr = MUST(epoll_wait(stage.epfd, events, 8, 0));
	if (!is_shown(events, nr, 1) || !is_shown(events, nr, 2))
		FAIL("%s: a level is lost (%d shown)", where, nr);
	if (!is_shown(events, nr, 5))
		FAIL("%s: a new watch is not shown", where);
	CLOSE(fd);
}

/* Returns false if @body has not so many instructions. */
static bool visit(const struct body *body, long step)
{
	bool was_visited;
	char where[80];

	snprintf(where, sizeof(where), "instruction %ld", step);
	stage_open(body);
	was_visited = steps_run(body->run, step, step % 2 ? fork_here : fork_here_without_handlers);
	if (stage.child == 0)
		alarm(PATIENCE_S);
	if (stage.result < 0 && (!is_native() || stage.result != body->may_fail) &&
	    stage.result != -EINTR)
		FAIL("%s: failed with %d in the %s", where, stage.result,
		     stage.child ? "parent" : "child");
	expect_usable(where);
	if (stage.child == 0)
		_exit(0);
	if (stage.child > 0)
		child_join(stage.child);
	stage_close(body);
	return was_visited;
}

static void visit_everywhere(const struct body *body)
{
	pthread_t threads[NR_THREADS];
	long step = 0;

	stage.epfd = epoll_open();
	stage.level = eventfd_open(1);
	stage.other = eventfd_open(1);
	watch(stage.epfd, stage.level, EPOLLIN, 1);
	watch(stage.epfd, stage.other, EPOLLIN, 2);
	for (int i = 0; i < NR_THREADS; i++)
		EXPECT_INT(pthread_create(&threads[i], NULL, churn, NULL), ==, 0);
	for (int nr = 0; nr < NR_VISITS && visit(body, step); nr++)
		step += STRIDE;
	is_over = true;
	for (int i = 0; i < NR_THREADS; i++)
		EXPECT_INT(pthread_join(threads[i], NULL), ==, 0);
	CLOSE(stage.epfd, stage.level, stage.other);
}

CLAIM(a_child_returns_from_its_handler_into_ADD)
{
	visit_everywhere(&(struct body){add, false, -EEXIST});
}

CLAIM(a_child_returns_from_its_handler_into_MOD)
{
	visit_everywhere(&(struct body){modify, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_DEL)
{
	visit_everywhere(&(struct body){delete, true, -ENOENT});
}

CLAIM(a_child_returns_from_its_handler_into_a_wait)
{
	visit_everywhere(&(struct body){wait_now, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_a_wait_that_may_sleep)
{
	visit_everywhere(&(struct body){wait_for_event, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_close)
{
	visit_everywhere(&(struct body){close_target, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_dup)
{
	visit_everywhere(&(struct body){duplicate, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_close_of_an_eventpoll)
{
	visit_everywhere(&(struct body){close_eventpoll, true, 0});
}

CLAIM(a_child_returns_from_its_handler_into_epoll_create)
{
	visit_everywhere(&(struct body){open_eventpoll, true, 0});
}
