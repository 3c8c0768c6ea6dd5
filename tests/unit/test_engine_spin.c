// SPDX-License-Identifier: MIT
/*
 * test_engine_spin.c - looking before the sleep, and what happens meanwhile.
 *
 *	t0 -(wait: look, look, ... sleep)-> e0 -(inline)-> f0
 *
 * What happens in a look is done by the fake as it collects.  It must be little: what
 * needs much stack is taken for a handler.
 */
#include "engine_stage.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>

#include "real/sys.h"

#define SPIN_NS (10 * CLOCK_NS_PER_MS)

static int f0;
static unsigned int nr_looks, nr_handled;
static struct sys_switches switches; /* at the beginning */

static void stage_f0(void)
{
	f0 = file_open(0);
	add(&e0, f0, EPOLLIN);
	switches = sys_thread_switches();
}

static void stage_spin(void)
{
	static const struct ep_config config = {
		.source = &fake_kernel, .spins = true, .spin_ns = SPIN_NS};

	ep_configure(&config);
	stage_open(&e0);
	stage_f0();
}

static void stage_spin_strict(void)
{
	static const struct ep_config config = {
		.source = &fake_kernel, .is_strict = true, .spins = true, .spin_ns = SPIN_NS};

	ep_configure(&config);
	stage_open(&e0);
	stage_f0();
}

TestSuite(engine_spin, .init = stage_spin);
TestSuite(engine_spin_strict, .init = stage_spin_strict);

static int sleep_for_good(struct fake *fake)
{
	(void)fake;
	return 0;
}

static void expect_spins(unsigned int nr, unsigned int nr_gained)
{
	EXPECT_COUNT(&e0, SPIN, nr);
	EXPECT_COUNT(&e0, SPIN_GAINED, nr_gained);
	cr_assert_eq(count_of(&e0, PROBE_SPIN_NS) > 0, nr > 0);
	cr_assert(list_is_empty(&e0.ep->waiters));
}

/* Did others want our processor?  Then a spin gives way to them. */
static bool was_in_the_way(void)
{
	return sys_thread_switches().involuntary != switches.involuntary;
}

static void expect_spin_lasted(uint64_t ns)
{
	if (!was_in_the_way())
		cr_assert_geq(count_of(&e0, PROBE_SPIN_NS), ns);
}

/* -------- events, and their want -------- */

static void wake_in_third_look(void)
{
	if (++nr_looks == 3)
		arrive(&e0, f0);
}

static void expect_gain(void)
{
	e0.fake->collecting = wake_in_third_look;
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(e0.fake->nr_sleeps, 0);
	expect_spins(1, 1);
	EXPECT_COUNT(&e0, WAKE_EVENT, 1);
}

Test(engine_spin, event_spares_the_sleep)
{
	expect_gain();
}

Test(engine_spin_strict, event_spares_the_sleep)
{
	expect_gain();
}

Test(engine_spin, event_that_was_there_is_no_spin)
{
	fake_wake(e0.fake, f0, EPOLLIN);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	expect_spins(0, 0);
}

Test(engine_spin, nothing_comes_and_it_sleeps_for_the_time_left)
{
	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_SEC), 0);
	cr_assert_eq(e0.fake->nr_sleeps, 1);
	expect_spins(1, 0);
	expect_spin_lasted(SPIN_NS);
	cr_assert_leq(e0.fake->timeout_ns, CLOCK_NS_PER_SEC - count_of(&e0, PROBE_SPIN_NS));
}

Test(engine_spin, sleep_without_end_stays_one)
{
	fake_then(e0.fake, sleep_for_good);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	cr_assert_eq(e0.fake->timeout_ns, CLOCK_FOREVER);
}

Test(engine_spin, time_may_be_up_before_the_spin)
{
	uint64_t began_ns = clock_now_ns();

	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_MS), 0);
	cr_assert_geq(clock_now_ns() + e0.fake->timeout_ns, began_ns + CLOCK_NS_PER_MS);
	expect_spin_lasted(CLOCK_NS_PER_MS - 100 * 1000); /* the way there counts, too */
	if (!was_in_the_way())
		cr_assert_eq(e0.fake->timeout_ns, 0);
}

Test(engine_spin, look_with_no_time_does_not_spin)
{
	EXPECT_NO_EVENTS(&e0);
	expect_spins(0, 0);
}

/* -------- signals -------- */

static void handle(int signal)
{
	(void)signal;
	nr_handled++;
}

static void handle_signals(int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static void signal_in_third_look(void)
{
	if (++nr_looks == 3)
		raise(SIGUSR1);
}

static void signal_and_wake_in_third_look(void)
{
	wake_in_third_look();
	if (nr_looks == 3)
		raise(SIGUSR1);
}

Test(engine_spin, handler_ends_it)
{
	handle_signals(SA_RESTART);
	e0.fake->collecting = signal_in_third_look;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	cr_assert_eq(nr_handled, 1);
	cr_assert_eq(nr_looks, 3, "and nobody looks any more");
	cr_assert_eq(e0.fake->nr_sleeps, 0);
	EXPECT_COUNT(&e0, WAKE_SIGNAL, 1);
	expect_spins(1, 0);
}

Test(engine_spin_strict, handler_ends_it)
{
	handle_signals(0);
	e0.fake->collecting = signal_in_third_look;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	cr_assert_eq(nr_looks, 3);
}

static void signal_in_first_look(void)
{
	if (++nr_looks == 1)
		raise(SIGUSR1);
}

Test(engine_spin, handler_in_the_first_look_ends_it)
{
	handle_signals(0);
	e0.fake->collecting = signal_in_first_look;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	cr_assert_eq(e0.fake->nr_sleeps, 0);
}

/* As in the kernel: what is there is collected before the signal is looked at. */
Test(engine_spin, events_go_before_a_handler)
{
	handle_signals(0);
	e0.fake->collecting = signal_and_wake_in_third_look;
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(nr_handled, 1);
}

Test(engine_spin, signal_that_is_ignored_does_not_end_it)
{
	cr_assert_neq(signal(SIGUSR1, SIG_IGN), SIG_ERR);
	e0.fake->collecting = signal_in_third_look;
	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_SEC), 0);
	cr_assert_gt(nr_looks, 3);
	expect_spins(1, 0);
}

/* A handler there leaves no footprint. */
Test(engine_spin, thread_with_an_alternate_stack_sleeps_at_once)
{
	static char room[1 << 16];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};

	cr_assert_eq(sigaltstack(&stack, NULL), 0);
	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_SEC), 0);
	cr_assert_eq(e0.fake->nr_sleeps, 1);
	expect_spins(0, 0);
}

Test(engine_spin, wait_with_a_signal_mask_sleeps_at_once)
{
	struct epoll_event events[1];
	sigset_t mask;
	struct ep_wait_args args = {
		.events = events, .maxevents = 1, .timeout_ns = CLOCK_NS_PER_SEC, .sigmask = &mask};

	sigemptyset(&mask);
	fake_then(e0.fake, sleep_for_good);
	cr_assert(section_enter());
	cr_assert_eq(ep_wait(e0.epfile, &args), 0);
	section_leave();
	cr_assert_eq(e0.fake->timeout_ns, CLOCK_NS_PER_SEC);
	expect_spins(0, 0);
}

/* -------- a spinner is a sleeper -------- */

static void look_around_in_third_look(void)
{
	if (++nr_looks != 3)
		return;
	cr_assert(!list_is_empty(&e0.ep->waiters));
	cr_assert_not(section_is_inside());
}

Test(engine_spin, spinner_is_found_where_sleepers_are)
{
	e0.fake->collecting = look_around_in_third_look;
	fake_then(e0.fake, sleep_for_good);
	stage_wait(&e0, 8, CLOCK_NS_PER_SEC);
	cr_assert_gt(nr_looks, 3);
}

static void wait_in_handler(int signal)
{
	handle(signal);
	e0.fake->collecting = NULL;
	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_MS), 0);
	cr_assert_eq(e0.fake->timeout_ns, CLOCK_NS_PER_MS, "which does not spin beside its own");
}

Test(engine_spin, handler_may_wait_and_then_ends_it)
{
	struct sigaction action = {.sa_handler = wait_in_handler};

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	e0.fake->collecting = signal_in_third_look;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	cr_assert_eq(nr_handled, 1);
	cr_assert_not(e0.ep->is_settled);
	expect_spins(1, 0);
}

static sigjmp_buf away;

static void jump_away(int signal)
{
	(void)signal;
	e0.fake->collecting = NULL;
	siglongjmp(away, 1);
}

Test(engine_spin, handler_may_jump_out_of_it)
{
	struct sigaction action = {.sa_handler = jump_away};

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	e0.fake->collecting = signal_in_third_look;
	if (!sigsetjmp(away, 1)) {
		stage_wait(&e0, 8, CLOCK_FOREVER);
		cr_assert_fail("the wait returned");
	}
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
	cr_assert_not(e0.ep->is_settled, "nobody is left behind");
}

static void cancel_in_third_look(void)
{
	if (++nr_looks == 3) {
		pthread_cancel(pthread_self());
		raise(SIGUSR1); /* as libc does to a thread in a cancellation point */
	}
}

static void *spin_until_cancelled(void *unused)
{
	e0.fake->collecting = cancel_in_third_look;
	stage_wait(&e0, 8, CLOCK_FOREVER);
	cr_assert_fail("the wait returned");
	return unused;
}

Test(engine_spin, thread_may_be_cancelled_in_it)
{
	handle_signals(0);
	in_thread(spin_until_cancelled);
	cr_assert_eq(nr_looks, 3);
	cr_assert(list_is_empty(&e0.ep->waiters));
	e0.fake->collecting = NULL;
	arrive(&e0, f0);
	EXPECT_EVENTS(&e0, 8, {f0, EPOLLIN});
}

/* Closed by another thread: S is called otherwise now, and goes on being looked at. */
static void rename_in_third_look(void)
{
	switch (++nr_looks) {
	case 2:
		e0.fake->collect_error = -EBADF;
		break;
	case 3: /* the look that fails so */
		e0.ep->source.fd++;
		break;
	case 6:
		arrive(&e0, f0);
	}
}

Test(engine_spin, look_at_a_number_just_closed_is_made_again)
{
	e0.fake->collecting = rename_in_third_look;
	stage_wait(&e0, 8, CLOCK_FOREVER);
	e0.ep->source.fd--;
	EXPECT_GOT({f0, EPOLLIN});
	cr_assert_eq(nr_looks, 6);
	expect_spins(1, 1);
}

Test(engine_spin, error_of_a_look_is_the_sleeps)
{
	e0.fake->collect_error = -EBADF;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EBADF);
	expect_spins(0, 0);
}

/*
 * As many as leave a processor for others, and at least one.
 *
 *	t0 -(spin)-> e0		t1 -(sleep)-> e1
 */
static void stage_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	stage_spin();
}

TestSuite(engine_spin_alone, .init = stage_one_processor);

static void *wait_in_e1(void *unused)
{
	fake_then(e1.fake, sleep_for_good);
	cr_assert_eq(stage_wait_into(&e1, stage_got, 8, CLOCK_NS_PER_SEC), 0);
	return unused;
}

static void wait_beside_in_third_look(void)
{
	if (++nr_looks == 3)
		in_thread(wait_in_e1);
}

Test(engine_spin_alone, second_thread_sleeps_at_once)
{
	stage_open(&e1);
	e0.fake->collecting = wait_beside_in_third_look;
	fake_then(e0.fake, sleep_for_good);
	stage_wait(&e0, 8, CLOCK_NS_PER_SEC);
	EXPECT_COUNT(&e0, SPIN, 1);
	EXPECT_COUNT(&e1, SPIN, 0);
	cr_assert_eq(e1.fake->nr_sleeps, 1);
	in_thread(wait_in_e1);
	EXPECT_COUNT(&e1, SPIN, 1);
}

/* Whoever jumps away keeps its place no longer than it might have stayed. */
Test(engine_spin_alone, place_of_one_who_left_is_free_again)
{
	struct sigaction action = {.sa_handler = jump_away};
	uint64_t begun_ns = clock_now_ns();

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	e0.fake->collecting = signal_in_third_look;
	if (!sigsetjmp(away, 1))
		stage_wait(&e0, 8, CLOCK_FOREVER);
	while (clock_now_ns() <= begun_ns + 2 * SPIN_NS)
		;
	fake_then(e0.fake, sleep_for_good);
	stage_wait(&e0, 8, CLOCK_NS_PER_SEC);
	EXPECT_COUNT(&e0, SPIN, 1);
}

/* -------- learnt -------- */

static void stage_learn(void)
{
	static const struct ep_config config = {.source = &fake_kernel, .spins = true};

	ep_configure(&config);
	stage_open(&e0);
	stage_f0();
}

TestSuite(engine_spin_learnt, .init = stage_learn);

static int wake_f0(struct fake *fake)
{
	fake_wake(fake, f0, EPOLLIN);
	return 0;
}

/* The fake sleeps for no time: short enough for anybody. */
Test(engine_spin_learnt, short_sleep_makes_the_next_wait_spin)
{
	fake_then(e0.fake, wake_f0);
	raise_level(f0);
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_GOT({f0, EPOLLIN});
	expect_spins(0, 0);
	drop_level(f0);
	cr_assert_eq(e0.ep->busy.spin_ns, BUSY_SPIN_MIN_NS);
	fake_then(e0.fake, wake_f0); /* should this machine be slow */
	e0.fake->collecting = wake_in_third_look;
	stage_wait(&e0, 8, CLOCK_FOREVER);
	EXPECT_COUNT(&e0, SPIN, 1);
}

Test(engine_spin_learnt, time_that_is_up_teaches_to_sleep)
{
	e0.ep->busy.spin_ns = BUSY_SPIN_MIN_NS;
	fake_then(e0.fake, sleep_for_good);
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_NS_PER_SEC), 0);
	expect_spins(1, 0);
	cr_assert_eq(e0.ep->busy.spin_ns, 0);
}

Test(engine_spin_learnt, signal_teaches_nothing)
{
	handle_signals(0);
	e0.ep->busy.spin_ns = BUSY_SPIN_MIN_NS;
	e0.fake->collecting = signal_in_third_look;
	cr_assert_eq(stage_wait(&e0, 8, CLOCK_FOREVER), -EINTR);
	cr_assert_eq(e0.ep->busy.spin_ns, BUSY_SPIN_MIN_NS);
	cr_assert_eq(e0.ep->busy.credit, BUSY_CREDIT_START);
}
