// SPDX-License-Identifier: MIT
/*
 * test_section_steps.c - sections with a handler, or a jump out of one, after
 * every single instruction.
 */
#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>

#include "engine/section.h"
#include "steps.h"

#if STEPS_ARE_POSSIBLE

#define noinline __attribute__((noinline, noclone))

static struct lock locks[2] = {LOCK_INIT(LOCK_MTX), LOCK_INIT(LOCK_EP)};
static sigjmp_buf way_out;
static int nr_repaired;

static void note_repair(struct lock *lock)
{
	cr_assert(lock_is_locked(lock), "repaired without its lock");
	nr_repaired++;
}

static void jump_away(void)
{
	siglongjmp(way_out, 1);
}

/* A call as the library makes it: inside now, or later.  When was it made, and done? */
enum {
	CALLS_MAX = 16
};

static struct call {
	unsigned int began, returned, done;
} calls[CALLS_MAX];
static unsigned int now, nr_asked, nr_done;

static unsigned int tick(void)
{
	return __atomic_add_fetch(&now, 1, __ATOMIC_RELAXED);
}

static void work(const struct deferred *deferred)
{
	calls[deferred->fd].done = tick();
	__atomic_add_fetch(&nr_done, 1, __ATOMIC_RELAXED); /* in one instruction */
}

static void make_call(const struct deferred *deferred)
{
	if (!section_enter()) {
		cr_assert_eq(section_defer(deferred), 0);
		return;
	}
	section_acquire(&locks[0], note_repair);
	work(deferred);
	section_release(&locks[0]);
	section_leave();
}

static noinline void call(void)
{
	unsigned int nr = __atomic_fetch_add(&nr_asked, 1, __ATOMIC_RELAXED);
	const struct deferred deferred = {.run = work, .fd = (int)nr};

	cr_assert_lt(nr, CALLS_MAX);
	calls[nr].began = tick();
	make_call(&deferred);
	calls[nr].returned = tick();
}

/* Of two calls, one of which was over when the other began, that one was done first. */
static void expect_order(long step)
{
	for (unsigned int i = 0; i < nr_asked; i++)
		for (unsigned int j = 0; j < nr_asked; j++)
			if (calls[i].returned < calls[j].began)
				cr_assert_lt(calls[i].done, calls[j].done,
					     "overtaken after instruction %ld", step);
}

static void call_twice(int signo)
{
	(void)signo;
	call();
	call();
}

/* A section that ends with two calls deferred. */
static noinline void busy_section(void)
{
	if (!section_enter())
		return;
	section_acquire(&locks[0], note_repair);
	raise(SIGUSR1);
	section_release(&locks[0]);
	section_leave();
}

/* The same, but what interrupts us is in the middle of deferring: a handler in a handler. */
static noinline void deferring_section(void)
{
	if (!section_enter())
		return;
	call_twice(0);
	section_leave();
}

static void interrupt_everywhere(void (*body)(void))
{
	long step;

	signal(SIGUSR1, call_twice);
	body(); /* what is done only once must not shorten the way later */
	now = nr_asked = nr_done = 0;
	for (step = 0; steps_run(body, step, call); step++) {
		cr_assert_eq(nr_done, nr_asked, "interrupted after instruction %ld: %u of %u done",
			     step, nr_done, nr_asked);
		expect_order(step);
		now = nr_asked = nr_done = 0;
		cr_assert_not(section_is_inside());
		cr_assert_not(lock_is_locked(&locks[0]));
	}
	cr_assert_gt(step, 50);
	cr_assert_eq(nr_repaired, 0);
}

Test(section, handler_between_any_two_instructions_has_its_call_done_once_in_order, .timeout = 60)
{
	interrupt_everywhere(busy_section);
}

Test(section, handler_of_a_handler_has_its_call_done_once_in_order, .timeout = 60)
{
	interrupt_everywhere(deferring_section);
}

static noinline void locking_section(void)
{
	if (!section_enter())
		return;
	section_acquire(&locks[0], note_repair);
	section_acquire(&locks[1], note_repair);
	section_release(&locks[0]);
	section_release(&locks[1]);
	section_leave();
}

/* Jumped away from anywhere, the next section finds all locks free. */
Test(section, abandonment_between_any_two_instructions, .timeout = 60)
{
	static volatile long step;
	volatile bool was_visited = true;

	locking_section(); /* what is done only once must not shorten the way later */
	for (step = 0; was_visited; step++) {
		if (!sigsetjmp(way_out, 1))
			was_visited = steps_run(locking_section, step, jump_away);
		cr_assert(section_enter(), "abandoned after instruction %ld", step);
		cr_assert_eq(section_self.nr_locks, 0);
		for (int i = 0; i < 2; i++)
			cr_assert_not(lock_is_locked(&locks[i]),
				      "lock %d lost after instruction %ld", i, step);
		section_leave();
		nr_repaired = 0;
	}
	cr_assert_gt(step, 50);
}

#else

Test(section, handler_between_any_two_instructions)
{
	cr_skip("single steps are for x86-64 without sanitizers");
}

#endif
