// SPDX-License-Identifier: MIT
/*
 * steps_jumped.c - handlers that jump, after instructions all over the calls that
 * interpoll answers: away and far down the stack, or only within the handler; and
 * handlers that end their thread.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../conformance/stage.h"
#include "../unit/steps.h"

#define NR_VISITS    40
#define STRIDE	     37	  /* instructions between visits */
#define NR_FIRST     8000 /* instructions of the first call of a child */
#define STRIDE_FIRST 83
#define HOLE	     65536
#define noinline     __attribute__((noinline, noclone))

/* e0 watches level; @target is the body's. */
static struct {
	int epfd, level, target;
	int result;
} stage;

static sigjmp_buf way_out;

static void stage_open(bool is_watched)
{
	stage.epfd = epoll_open();
	stage.level = eventfd_open(1);
	stage.target = eventfd_open(1);
	watch(stage.epfd, stage.level, EPOLLIN, 1);
	if (is_watched)
		watch(stage.epfd, stage.target, EPOLLIN, 2);
	stage.result = 0;
}

static void stage_close(void)
{
	CLOSE(stage.epfd, stage.level, stage.target);
}

/* ---- bodies ------------------------------------------------------------ */

static void add(void)
{
	stage.result = ctl_add(stage.epfd, stage.target, EPOLLIN, 2);
}

static void modify(void)
{
	stage.result = ctl_mod(stage.epfd, stage.target, EPOLLIN | EPOLLOUT, 2);
}

static void delete (void)
{
	stage.result = ctl_del(stage.epfd, stage.target);
}

static void wait_now(void)
{
	struct epoll_event got[4];

	stage.result = epoll_wait(stage.epfd, got, 4, 0);
}

static void (*const bodies[])(void) = {add, modify, delete, wait_now};

#define NR_BODIES (sizeof(bodies) / sizeof(bodies[0]))

/* Run @body; @visitor comes after instruction @step.  False if there is no such. */
static bool visit(void (*body)(void), long step, void (*visitor)(void))
{
	stage_open(body != add);
	if (sigsetjmp(way_out, 1))
		return true;
	return steps_run(body, step, visitor);
}

static void visit_everywhere(void (*visitor)(void), void (*look)(void))
{
	for (size_t i = 0; i < NR_BODIES; i++) {
		bool was_visited = true;

		for (int nr = 0; nr < NR_VISITS && was_visited; nr++) {
			was_visited = visit(bodies[i], (long)i + nr * STRIDE, visitor);
			look();
			stage_close();
		}
	}
}

/* ---- away -------------------------------------------------------------- */

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

static void expect_served(void)
{
	struct epoll_event events[4];
	bool is_shown = false;
	int nr = MUST(epoll_wait(stage.epfd, events, 4, 0));

	for (int i = 0; i < nr; i++)
		is_shown |= events[i].data.u64 == 1;
	EXPECT(is_shown);
	rewatch(stage.epfd, stage.level, EPOLLOUT, 3);
	nr = MUST(epoll_wait(stage.epfd, events, 4, 0));
	is_shown = false;
	for (int i = 0; i < nr; i++)
		is_shown |= events[i].events == EPOLLOUT && events[i].data.u64 == 3;
	EXPECT(is_shown);
}

/*
 *	| expect_served |  hole, as it was  | here
 *			  dead frame
 *
 * Nothing is written over the frame that was left, so its return address stands.
 */
static noinline void expect_served_far_below(void)
{
	char hole[HOLE];

	__asm__ volatile("" : : "r"(hole) : "memory");
	expect_served();
	__asm__ volatile("" : : "r"(hole) : "memory");
}

CLAIM(a_jump_away_is_no_matter_for_calls_far_below)
{
	visit_everywhere(jump_away, expect_served_far_below);
}

/* In a child of fork: the first wait, which arms all anew; its exit status is a sum of these. */
enum {
	CHILD_WAS_VISITED = 1,
	CHILD_LOST_LEVEL = 2,
	CHILD_LOST_TARGET = 4,
};

/* What comes now is told. */
static int lost_in_child(void)
{
	const int fds[] = {stage.level, stage.target};
	struct epoll_event events[4];
	eventfd_t count;
	int nr, status = CHILD_LOST_LEVEL | CHILD_LOST_TARGET;

	for (int i = 0; i < 2; i++)
		MUST(eventfd_read(fds[i], &count));
	epoll_wait(stage.epfd, events, 4, 0);
	for (int i = 0; i < 2; i++)
		MUST(eventfd_write(fds[i], 1));
	nr = epoll_wait(stage.epfd, events, 4, 0);
	for (int i = 0; i < nr; i++)
		status &= events[i].data.u64 == 1 ? ~CHILD_LOST_LEVEL : ~CHILD_LOST_TARGET;
	return status;
}

static noinline int child_status(long step)
{
	if (sigsetjmp(way_out, 1))
		return CHILD_WAS_VISITED | lost_in_child();
	steps_run(wait_now, step, jump_away);
	return lost_in_child();
}

/* Returns whether the child's wait has so many instructions. */
static bool visit_first_use(long step)
{
	int status;
	pid_t child;

	stage_open(true);
	child = fork();
	if (child == 0)
		_exit(child_status(step));
	EXPECT_INT(waitpid(child, &status, 0), ==, child);
	stage_close();
	EXPECT(WIFEXITED(status));
	if (WEXITSTATUS(status) & ~CHILD_WAS_VISITED)
		FAIL("instruction %ld: status %d", step, WEXITSTATUS(status));
	return WEXITSTATUS(status) & CHILD_WAS_VISITED;
}

CLAIM(a_jump_away_from_the_first_call_of_a_child_loses_no_watch)
{
	for (long step = 0; step < NR_FIRST && visit_first_use(step); step += STRIDE_FIRST)
		;
}

static void use_alternate_stack(void)
{
	static char memory[65536];
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	MUST(sigaltstack(&stack, NULL));
	steps_sa_flags = SA_ONSTACK;
}

CLAIM(a_jump_away_from_an_alternate_stack_is_no_matter)
{
	use_alternate_stack();
	visit_everywhere(jump_away, expect_served_far_below);
}

/* ---- within the handler ------------------------------------------------ */

static noinline void jump_back(sigjmp_buf here)
{
	siglongjmp(here, 1);
}

/* What the handler interrupted goes on afterwards, and still holds what it held. */
static void jump_within(void)
{
	sigjmp_buf here;

	if (!sigsetjmp(here, 0))
		jump_back(here);
	if (ctl_mod(stage.epfd, stage.level, EPOLLIN, 1) < 0)
		FAIL("MOD in the handler: errno %d", errno);
}

static void expect_gone_on(void)
{
	if (stage.result < 0)
		EXPECT_INT(errno, ==, EINTR);
	expect_served();
}

CLAIM(a_jump_within_a_handler_leaves_the_call_it_interrupted_alone)
{
	visit_everywhere(jump_within, expect_gone_on);
}

CLAIM(a_jump_on_the_alternate_stack_leaves_the_call_it_interrupted_alone)
{
	use_alternate_stack();
	visit_everywhere(jump_within, expect_gone_on);
}

/* ---- the end of the thread --------------------------------------------- */

static struct {
	void (*body)(void);
	long step;
} ending;

static void end_thread(void)
{
	pthread_exit(&ending);
}

static void *run_and_end(void *unused)
{
	steps_run(ending.body, ending.step, end_thread);
	return unused;
}

/* The thread has never waited; what it held, others want. */
static void expect_ended_everywhere(void)
{
	for (size_t i = 0; i < NR_BODIES; i++) {
		void *value = &ending;

		ending.body = bodies[i];
		ending.step = (long)i;
		for (int nr = 0; nr < NR_VISITS && value; nr++) {
			pthread_t thread;

			stage_open(bodies[i] != add);
			EXPECT_INT(pthread_create(&thread, NULL, run_and_end, NULL), ==, 0);
			EXPECT_INT(pthread_join(thread, &value), ==, 0);
			expect_served();
			stage_close();
			ending.step += STRIDE;
		}
	}
}

CLAIM(a_handler_that_ends_its_thread_in_any_call_leaves_nothing_locked)
{
	expect_ended_everywhere();
}

/* ---- a wait that was left ---------------------------------------------- */

static struct {
	struct gate left, over;
	_Atomic pid_t tid;
	int epfd;
} sleeper;

static void leave(int signo)
{
	(void)signo;
	siglongjmp(way_out, 1);
}

static void *sleep_and_leave(void *unused)
{
	struct epoll_event event;

	sleeper.tid = gettid();
	if (!sigsetjmp(way_out, 1))
		epoll_wait(sleeper.epfd, &event, 1, -1);
	gate_pass(&sleeper.left);
	gate_wait(&sleeper.over); /* it lives, and does not wait again */
	return unused;
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int nr = 0;

	EXPECT(directory != NULL);
	while (readdir(directory))
		nr++;
	closedir(directory);
	return nr;
}

CLAIM(an_eventpoll_left_by_a_jump_goes_with_its_descriptor)
{
	struct sigaction action = {.sa_handler = leave};
	pthread_t thread;
	int nr_before;

	gate_open(&sleeper.left);
	gate_open(&sleeper.over);
	sleeper.epfd = epoll_open();
	MUST(sigaction(SIGUSR1, &action, NULL));
	EXPECT_INT(pthread_create(&thread, NULL, sleep_and_leave, NULL), ==, 0);
	while (!sleeper.tid)
		;
	task_await_asleep(getpid(), sleeper.tid);
	EXPECT_INT(pthread_kill(thread, SIGUSR1), ==, 0);
	gate_wait(&sleeper.left);
	nr_before = count_descriptors();
	CLOSE(sleeper.epfd);
	EXPECT_INT(count_descriptors(), ==, nr_before - 1);
	gate_pass(&sleeper.over);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	gate_close(&sleeper.left);
	gate_close(&sleeper.over);
}

/* ---- made or not made -------------------------------------------------- */

#define NR_INSTRUCTIONS 900 /* of a MOD are visited, or all if it has fewer */

/* Other than 2 in both halves. */
#define NEW_DATA 0x900000009

static uint32_t mode;

static void modify_to_output(void)
{
	stage.result = ctl_mod(stage.epfd, stage.target, EPOLLOUT | mode, NEW_DATA);
}

/* How the target is shown: as one watch or the other, never as half of each. */
static uint64_t data_shown(long step)
{
	struct epoll_event events[4];
	int nr = MUST(epoll_wait(stage.epfd, events, 4, 0));

	for (int i = 0; i < nr; i++) {
		if (events[i].data.u64 == 1)
			continue;
		if (events[i].data.u64 == 2 && events[i].events == EPOLLIN)
			return 2;
		if (events[i].data.u64 == NEW_DATA && events[i].events == EPOLLOUT)
			return NEW_DATA;
		FAIL("instruction %ld: %#x shown for %#llx", step, events[i].events,
		     (unsigned long long)events[i].data.u64);
	}
	return 0;
}

static void expect_made_or_not(long step)
{
	uint64_t data = data_shown(step);

	if (!data)
		FAIL("instruction %ld: the watch is lost", step);
	count_take(stage.target);
	if (data == 2)
		EXPECT_INT(data_shown(step), ==, 0);
	count_up(stage.target, 1);
	if (mode & EPOLLET && data == NEW_DATA) /* only a read is an edge to who wants to write */
		count_take(stage.target);
	if (data_shown(step) != data)
		FAIL("instruction %ld: what the watch shows next is lost", step);
}

static void expect_made_or_not_everywhere(void)
{
	volatile bool was_visited = true;

	claim_takes(120); /* each visit single-steps through a MOD */
	for (volatile int nr = 0; nr < NR_INSTRUCTIONS && was_visited; nr++) {
		stage_open(false);
		watch(stage.epfd, stage.target, EPOLLIN | mode, 2);
		if (!sigsetjmp(way_out, 1))
			was_visited = steps_run(modify_to_output, nr, jump_away);
		expect_made_or_not(nr);
		stage_close();
	}
}

CLAIM(a_jump_out_of_MOD_leaves_it_made_or_not)
{
	expect_made_or_not_everywhere();
}

CLAIM_ONLY("native epoll", "poll(2) does not show such edges of an eventfd",
	   a_jump_out_of_MOD_of_an_edge_watch_leaves_it_made_or_not)
{
	mode = EPOLLET;
	expect_made_or_not_everywhere();
}
