// SPDX-License-Identifier: MIT
/*
 * Sections and stacks: what a handler interrupted is live wherever the handler's
 * own stack lies.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "engine/section.h"

#define STACK_SIZE ((size_t)1 << 20)

/* linux/signal.h; glibc 2.36 does not have it */
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static int altstack_flags;
static bool altstack_is_above;
static bool entered_in_handler;

static void enter_in_handler(int signal)
{
	(void)signal;
	entered_in_handler = section_enter();
	if (entered_in_handler)
		section_leave();
}

/* A section that a handler on the alternate stack @altstack interrupts. */
static void *be_interrupted(void *altstack)
{
	stack_t ss = {.ss_sp = altstack, .ss_size = STACK_SIZE, .ss_flags = altstack_flags};

	cr_assert_eq(sigaltstack(&ss, NULL), 0);
	cr_assert(section_enter());
	raise(SIGUSR1);
	section_leave();
	return NULL;
}

static void expect_live(void)
{
	struct sigaction action = {.sa_handler = enter_in_handler, .sa_flags = SA_ONSTACK};
	pthread_attr_t attr;
	pthread_t thread;
	char *memory, *stack, *altstack;

	memory = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	cr_assert_neq((void *)memory, MAP_FAILED);
	stack = altstack_is_above ? memory : memory + STACK_SIZE;
	altstack = altstack_is_above ? memory + STACK_SIZE : memory;
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	entered_in_handler = true;
	cr_assert_eq(pthread_attr_init(&attr), 0);
	cr_assert_eq(pthread_attr_setstack(&attr, stack, STACK_SIZE), 0);
	cr_assert_eq(pthread_create(&thread, &attr, be_interrupted, altstack), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_not(entered_in_handler);
}

Test(section_stacks, handler_on_an_alternate_stack_below)
{
	expect_live();
}

Test(section_stacks, handler_on_an_alternate_stack_above)
{
	altstack_is_above = true;
	expect_live();
}

Test(section_stacks, handler_on_an_alternate_stack_that_is_disarmed_meanwhile)
{
	altstack_flags = (int)SS_AUTODISARM;
	expect_live();
}

Test(section_stacks, handler_on_an_alternate_stack_above_that_is_disarmed_meanwhile)
{
	altstack_flags = (int)SS_AUTODISARM;
	altstack_is_above = true;
	expect_live();
}

/*
 *	low address				high address
 *	| below |	alternate stack	|	above |
 */
static char stacks[3][4096];

static bool is_left(const char *frame, const char *sp)
{
	const struct section_mark mark = {.frame = (uintptr_t)frame};

	return section_is_left(&mark, (uintptr_t)sp);
}

Test(section_stacks, a_jump_leaves_what_is_below_its_target)
{
	cr_expect(is_left(&stacks[0][100], &stacks[0][101]));
	cr_expect_not(is_left(&stacks[0][100], &stacks[0][99]));
	cr_expect_not(is_left(NULL, &stacks[0][0]));
	cr_expect_not(is_left(&stacks[0][100], NULL));
}

Test(section_stacks, a_jump_off_the_alternate_stack_leaves_it_and_one_on_it_nothing_else)
{
	const stack_t ss = {.ss_sp = stacks[1], .ss_size = sizeof(stacks[1])};

	cr_assert_eq(sigaltstack(&ss, NULL), 0);
	cr_expect(is_left(&stacks[1][100], &stacks[0][0]));
	cr_expect(is_left(&stacks[1][100], &stacks[2][0]));
	cr_expect_not(is_left(&stacks[0][100], &stacks[1][0]));
	cr_expect_not(is_left(&stacks[2][100], &stacks[1][0]));
	cr_expect(is_left(&stacks[1][100], &stacks[1][101]));
	cr_expect_not(is_left(&stacks[1][100], &stacks[1][99]));
	cr_expect(is_left(&stacks[0][100], &stacks[2][0]));
}
