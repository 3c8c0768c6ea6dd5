// SPDX-License-Identifier: MIT
/*
 * test_section.c - sections as signal handlers see them: interrupted,
 * abandoned, asked for something later.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/section.h"

#define noinline __attribute__((noinline, noclone))

/* What a handler does, and what it saw; set by each test. */
static struct {
	void (*run)(void);
	bool has_run;
	bool entered;
	int ret;
} handler;

static sigjmp_buf way_out;

static void handle_signal(int signo)
{
	(void)signo;
	handler.has_run = true;
	handler.run();
}

static void install_handler(void (*run)(void), int sa_flags)
{
	struct sigaction action = {.sa_handler = handle_signal, .sa_flags = sa_flags};

	memset(&handler, 0, sizeof(handler));
	handler.run = run;
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static noinline void try_to_enter(void)
{
	handler.entered = section_enter();
	if (handler.entered)
		section_leave();
}

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

/* Interrupted inside a section, at the depth of this function. */
static noinline void interrupted_section(void)
{
	cr_assert(section_enter());
	raise(SIGUSR1);
	cr_assert(section_is_inside());
	section_leave();
}

Test(section, thread_is_inside_from_enter_to_leave)
{
	cr_assert_not(section_is_inside());
	cr_assert(section_enter());
	cr_assert(section_is_inside());
	section_leave();
	cr_assert_not(section_is_inside());
	cr_assert(section_enter());
	section_leave();
}

Test(section, handler_outside_any_section_may_enter)
{
	install_handler(try_to_enter, 0);
	raise(SIGUSR1);
	cr_assert(handler.entered);
	cr_assert_not(section_is_inside());
}

Test(section, handler_inside_a_section_is_refused)
{
	install_handler(try_to_enter, 0);
	interrupted_section();
	cr_assert(handler.has_run);
	cr_assert_not(handler.entered);
	cr_assert_not(section_is_inside());
}

static void *enter_outside(void *unused)
{
	bool *entered = unused;

	*entered = section_enter();
	section_leave();
	return NULL;
}

Test(section, sections_of_other_threads_do_not_matter)
{
	pthread_t thread;
	bool entered = false;

	cr_assert(section_enter());
	cr_assert_eq(pthread_create(&thread, NULL, enter_outside, &entered), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(entered);
	section_leave();
}

/*
 *	low address                               high address
 *	| alternate stack | thread's stack | alternate stack |
 *	  handler here       section here    or handler here
 */
#define STACK_SIZE ((size_t)8 << 20) /* ThreadSanitizer needs much */

static void *interrupted_thread(void *alternate)
{
	stack_t ss = {.ss_sp = alternate, .ss_size = STACK_SIZE};

	cr_assert_eq(sigaltstack(&ss, NULL), 0);
	interrupted_section();
	return NULL;
}

static void interrupt_on_altstack(int place)
{
	char *stacks = mmap(NULL, 3 * STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	cr_assert_neq(stacks, MAP_FAILED);
	install_handler(try_to_enter, SA_ONSTACK);
	pthread_attr_init(&attr);
	cr_assert_eq(pthread_attr_setstack(&attr, stacks + STACK_SIZE, STACK_SIZE), 0);
	cr_assert_eq(pthread_create(&thread, &attr, interrupted_thread,
				    stacks + (size_t)place * STACK_SIZE),
		     0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(handler.has_run);
	cr_assert_not(handler.entered);
}

Test(section, handler_on_an_alternate_stack_below_is_refused)
{
	interrupt_on_altstack(0);
}

Test(section, handler_on_an_alternate_stack_above_is_refused)
{
	interrupt_on_altstack(2);
}

/* Locks of an abandoned section, and who repaired them in which order. */
static struct lock locks[2] = {LOCK_INIT(LOCK_MTX), LOCK_INIT(LOCK_EP)};
static struct lock *repaired[4];
static int nr_repaired;

static void note_repair(struct lock *lock)
{
	cr_assert(lock_is_locked(lock), "repaired without its lock");
	repaired[nr_repaired++] = lock;
}

static noinline void abandoned_section(void)
{
	cr_assert(section_enter());
	section_acquire(&locks[0], note_repair);
	section_acquire(&locks[1], note_repair);
	raise(SIGUSR1);
	cr_assert_fail("the handler has not jumped");
}

static void abandon(void)
{
	install_handler(jump_away, 0);
	if (!sigsetjmp(way_out, 1))
		abandoned_section();
	cr_assert(section_is_inside());
	cr_assert(lock_is_locked(&locks[0]) && lock_is_locked(&locks[1]));
}

static void expect_repaired(void)
{
	cr_assert_eq(nr_repaired, 2);
	cr_assert_eq(repaired[0], &locks[1], "not innermost first");
	cr_assert_eq(repaired[1], &locks[0]);
	cr_assert_not(lock_is_locked(&locks[0]));
	cr_assert_not(lock_is_locked(&locks[1]));
}

Test(section, abandoned_section_is_repaired_at_the_next_entry)
{
	abandon();
	cr_assert(section_enter());
	expect_repaired();
	cr_assert(section_is_inside());
	section_leave();
	cr_assert_not(section_is_inside());
}

static noinline void entered_section(void)
{
	cr_assert(section_enter());
	expect_repaired();
	section_leave();
}

/* The same call from the same depth: the frame has the address of the dead one.
 */
static void abandoned_or_entered(bool is_first)
{
	void (*volatile section)(void) = is_first ? abandoned_section : entered_section;

	section();
}

Test(section, abandonment_is_seen_from_the_same_depth)
{
	install_handler(jump_away, 0);
	if (!sigsetjmp(way_out, 1))
		abandoned_or_entered(true);
	abandoned_or_entered(false);
	cr_assert_eq(nr_repaired, 2);
}

/* The thread goes on far below the dead frame, and has written over it. */
static noinline void enter_deeper(void)
{
	volatile char frames[16384];

	for (size_t i = 0; i < sizeof(frames); i++)
		frames[i] = 0;
	entered_section();
	cr_assert_eq(frames[0], 0);
}

Test(section, abandonment_is_seen_from_deeper_down)
{
	abandon();
	enter_deeper();
	cr_assert_eq(nr_repaired, 2);
}

Test(section, released_locks_are_not_repaired)
{
	install_handler(jump_away, 0);
	cr_assert(section_enter());
	section_acquire(&locks[0], note_repair);
	section_acquire(&locks[1], note_repair);
	section_release(&locks[0]); /* not the innermost first */
	cr_assert_not(lock_is_locked(&locks[0]));
	section_release(&locks[1]);
	cr_assert_eq(section_self.nr_locks, 0);
	section_leave();
	cr_assert_eq(nr_repaired, 0);
}

Test(section, child_of_fork_holds_nothing)
{
	cr_assert(section_enter());
	section_acquire(&locks[0], note_repair);
	section_reset();
	lock_reset(&locks[0]);
	cr_assert_not(section_is_inside());
	cr_assert(section_enter());
	section_leave();
	cr_assert_eq(nr_repaired, 0);
}

/* Deferred calls, in the order in which they ran. */
static int ran[4 * SECTION_DEFERRED_MAX];
static int nr_ran;

static void note_run(const struct deferred *deferred)
{
	cr_assert_not(section_self.nr_locks, "run with locks held");
	ran[nr_ran++] = deferred->fd;
}

static int defer_number(int number)
{
	const struct deferred deferred = {.run = note_run, .fd = number};

	return section_defer(&deferred);
}

static void defer_one(void)
{
	handler.ret = defer_number(7);
}

/* The last place is kept for what is vital. */
static void defer_too_much(void)
{
	const struct deferred vital = {
		.run = note_run, .fd = SECTION_DEFERRED_MAX - 1, .is_vital = true};

	for (int i = 0; i < SECTION_DEFERRED_MAX - 1; i++)
		cr_assert_eq(defer_number(i), 0);
	handler.ret = defer_number(99);
	cr_assert_eq(section_defer(&vital), 0);
}

Test(section, deferred_call_waits_for_the_end_of_the_section)
{
	install_handler(defer_one, 0);
	cr_assert(section_enter());
	raise(SIGUSR1);
	cr_assert_eq(nr_ran, 0);
	section_leave();
	cr_assert_eq(nr_ran, 1);
	cr_assert_eq(ran[0], 7);
	cr_assert(section_enter());
	section_leave();
	cr_assert_eq(nr_ran, 1, "run once more");
}

Test(section, deferred_calls_run_in_order_and_are_bounded)
{
	install_handler(defer_too_much, 0);
	interrupted_section();
	cr_assert_eq(handler.ret, -ENOMEM);
	cr_assert_eq(nr_ran, SECTION_DEFERRED_MAX);
	for (int i = 0; i < nr_ran; i++)
		cr_assert_eq(ran[i], i);
}

static void defer_and_jump(void)
{
	defer_number(7);
	siglongjmp(way_out, 1);
}

Test(section, deferred_calls_survive_abandonment)
{
	install_handler(defer_and_jump, 0);
	if (!sigsetjmp(way_out, 1))
		abandoned_section();
	cr_assert_eq(nr_ran, 0);
	cr_assert(section_enter());
	cr_assert_eq(nr_ran, 1, "not run before the next section begins");
	expect_repaired();
	cr_assert(section_is_inside());
	section_leave();
	cr_assert_eq(nr_ran, 1);
}

static noinline void run_and_defer(const struct deferred *deferred)
{
	const struct deferred next = {.run = run_and_defer, .fd = deferred->fd - 1};

	cr_assert(section_is_inside(), "a handler would get ahead");
	section_acquire(&locks[0], note_repair);
	if (deferred->fd > 0)
		cr_assert_eq(section_defer(&next), 0);
	nr_ran++;
	section_release(&locks[0]);
}

Test(section, deferred_call_is_inside_and_may_be_followed_by_another)
{
	cr_assert(section_enter());
	cr_assert_eq(section_defer(&(struct deferred){.run = run_and_defer, .fd = 3}), 0);
	section_leave();
	cr_assert_not(section_is_inside());
	cr_assert_eq(nr_ran, 4);
	cr_assert(section_enter());
	section_leave();
	cr_assert_eq(nr_ran, 4, "run once more");
}
