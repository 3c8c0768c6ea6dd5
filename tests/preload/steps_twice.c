// SPDX-License-Identifier: MIT
/*
 * steps_twice.c - two handlers of the host in one call that interpoll answers, each
 * after any instruction, that control the very watch the call is about.
 *
 * Every call of a handler's was over when the next began, so what they came to is
 * known; only the interrupted call itself may be first or last.
 */
#include <stdio.h>
#include <sys/eventfd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define STEPS_MAX 4000 /* more than any of the calls has instructions */
#define STRIDE	  401  /* instructions between first visits */

enum data {
	OLD = 0xabc0001,
	BODYS,
	FIRSTS,
	SECONDS
};

static struct {
	int epfd, target;
} stage;

/* What one call wants of the target; NONE: a wait, or nobody at all. */
enum wish {
	NONE,
	ADD,
	DEL,
	MOD
};

static const char *const wish_names[] = {"wait", "ADD", "DEL", "MOD"};

static int control(enum wish wish, enum data data)
{
	static const int ops[] = {
		[ADD] = EPOLL_CTL_ADD, [DEL] = EPOLL_CTL_DEL, [MOD] = EPOLL_CTL_MOD};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

	return epoll_ctl(stage.epfd, ops[wish], stage.target, &event) < 0 ? -errno : 0;
}

/* The three calls of a visit, what they wished for and what they got. */
static struct {
	enum wish wish;
	bool was_made;
	int result;
} body, first, second;

static void run_body(void)
{
	struct epoll_event events[4];

	body.was_made = true;
	body.result = body.wish ? control(body.wish, BODYS) : epoll_wait(stage.epfd, events, 4, 0);
}

static void visit_first(void)
{
	first.was_made = true;
	first.result = control(first.wish, FIRSTS);
}

static void visit_second(void)
{
	second.was_made = true;
	second.result = control(second.wish, SECONDS);
}

/* What a watch is after @wish; 0: there is none.  @ret_result is what the call says. */
static enum data after(enum wish wish, enum data own, enum data before, int *ret_result)
{
	*ret_result = 0;
	if (wish == NONE)
		return before;
	if (wish == ADD ? before != 0 : before == 0) {
		*ret_result = before ? -EEXIST : -ENOENT;
		return before;
	}
	return wish == DEL ? 0 : own;
}

/* Can the calls have come to what they did if the body's was number @turn of them? */
static bool is_explained(int turn, enum data before, enum data now)
{
	enum data data = before;
	bool is_same = true;
	int result;

	for (int i = 0; i < 3; i++) {
		if (i == turn) {
			data = after(body.wish, BODYS, data, &result);
			is_same &= body.wish == NONE || result == body.result;
		}
		if (i == 0 && first.was_made) {
			data = after(first.wish, FIRSTS, data, &result);
			is_same &= result == first.result;
		}
		if (i == 1 && second.was_made) {
			data = after(second.wish, SECONDS, data, &result);
			is_same &= result == second.result;
		}
	}
	return is_same && data == now;
}

/* What a wait shows of the target, and control says of it; then it is gone. */
static enum data find_out(const char *where)
{
	struct epoll_event events[4] = {0};
	int n = epoll_wait(stage.epfd, events, 4, 0);
	int result = control(DEL, OLD);

	if (n > 1)
		FAIL("%s: shown %d times", where, n);
	if (result != (n ? 0 : -ENOENT))
		FAIL("%s: %s, and DEL afterwards says %d", where, n ? "shown" : "not shown",
		     result);
	EXPECT_QUIET(stage.epfd);
	result = control(ADD, OLD);
	if (result != 0)
		FAIL("%s: ADD afterwards says %d", where, result);
	if (epoll_wait(stage.epfd, events + 1, 3, 0) != 1)
		FAIL("%s: not shown when it is added again", where);
	return n ? (enum data)events[0].data.u64 : 0;
}

/* Deleted, or deleted and added again: then the next wait has to tell the kernel. */
enum past {
	UNWATCHED,
	WATCHED,
	DELETED,
	RETURNED
};

static const char *const past_names[] = {"unwatched", "watched", "deleted", "returned"};

static void stage_open(enum past past)
{
	stage.epfd = epoll_open();
	stage.target = eventfd_open(1);
	if (past != UNWATCHED)
		control(ADD, OLD);
	if (past == DELETED || past == RETURNED)
		control(DEL, OLD);
	if (past == RETURNED)
		control(ADD, OLD);
}

/* Visit after instruction @step and @gap further; false: the call has not so many. */
static bool visit(enum past past, long step, long gap)
{
	enum data before = past == WATCHED || past == RETURNED ? OLD : 0, now;
	char where[128];

	snprintf(where, sizeof(where), "%s, %s, then %s at %ld, %s %ld later", past_names[past],
		 wish_names[body.wish], wish_names[first.wish], step, wish_names[second.wish], gap);
	stage_open(past);
	first.was_made = second.was_made = false;
	steps_run_twice(run_body, step, visit_first, gap, visit_second);
	now = find_out(where);
	if (!is_explained(0, before, now) && !is_explained(1, before, now) &&
	    !is_explained(2, before, now))
		FAIL("%s: said %d, %d and %d; data is %#x", where, body.result, first.result,
		     second.result, (unsigned int)now);
	CLOSE(stage.target);
	CLOSE(stage.epfd);
	return first.was_made;
}

static void visit_everywhere(enum past past, enum wish wish)
{
	static const long gaps[] = {1, 90, 500};
	static const enum wish wishes[][2] = {{ADD, DEL}, {ADD, MOD}, {DEL, ADD}, {DEL, DEL},
					      {MOD, DEL}, {MOD, MOD}, {DEL, MOD}, {ADD, ADD}};
	size_t nr_wishes = sizeof(wishes) / sizeof(wishes[0]);

	body.wish = wish;
	for (size_t i = 0; i < nr_wishes * sizeof(gaps) / sizeof(gaps[0]); i++) {
		first.wish = wishes[i % nr_wishes][0];
		second.wish = wishes[i % nr_wishes][1];
		for (long step = (long)i * 17 % STRIDE; step < STEPS_MAX; step += STRIDE)
			if (!visit(past, step, gaps[i / nr_wishes]))
				break;
	}
}

/* The poll source cannot judge a call inside our own code, and does it later. */
#define LATE "the poll source does what a handler asks for when our own code has ended"

CLAIM_ONLY("native epoll", LATE, two_handlers_control_what_a_wait_is_about)
{
	visit_everywhere(RETURNED, NONE);
	visit_everywhere(WATCHED, NONE);
}

CLAIM_ONLY("native epoll", LATE, two_handlers_control_what_is_being_added)
{
	visit_everywhere(UNWATCHED, ADD);
}

CLAIM_ONLY("native epoll", LATE, two_handlers_control_what_is_being_added_again)
{
	visit_everywhere(DELETED, ADD);
}

CLAIM_ONLY("native epoll", LATE, two_handlers_control_what_is_being_modified)
{
	visit_everywhere(WATCHED, MOD);
	visit_everywhere(RETURNED, MOD);
}

CLAIM_ONLY("native epoll", LATE, two_handlers_control_what_is_being_deleted)
{
	visit_everywhere(WATCHED, DEL);
	visit_everywhere(RETURNED, DEL);
}
