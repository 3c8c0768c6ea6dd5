/* SPDX-License-Identifier: MIT */
/*
 * steps.h - a signal handler between any two instructions, one place at a time.
 *
 * steps_run() lets the processor trap after every single instruction of a body
 * and calls a visitor after the one asked for, in a real signal handler.  A test
 * that visits step 0, 1, 2... until the body gets by has seen every place where
 * a handler of the host may interrupt it, in the very code that was compiled.
 *
 *	for (step = 0; steps_run(body, step, visitor); step++)
 *		look;
 *
 * x86-64 only (STEPS_ARE_POSSIBLE).  ThreadSanitizer delays signals, and what
 * AddressSanitizer adds takes minutes to step through.
 */
#ifndef UNIT_STEPS_H
#define UNIT_STEPS_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define STEPS_ARE_POSSIBLE 1

#define STEPS_TRAP_FLAG 0x100

static struct steps {
	void (*visitor)(void), (*next)(void); /* no next: NULL */
	long left;			      /* instructions before the visit */
	long gap;			      /* and from it to the next */
	bool was_visited;
} steps;

static int steps_sa_flags; /* more flags of the handler: SA_ONSTACK */

static void steps_handle_trap(int signo, siginfo_t *info, void *context)
{
	void (*visitor)(void) = steps.visitor;
	ucontext_t *ucontext = context;

	(void)signo;
	(void)info;
	if (steps.left-- > 0)
		return;
	if (!steps.next)
		ucontext->uc_mcontext.gregs[REG_EFL] &= ~STEPS_TRAP_FLAG;
	steps.was_visited = true;
	steps.visitor = steps.next;
	steps.next = NULL;
	steps.left = steps.gap;
	visitor(); /* may jump away: handlers run without the flag */
}

/* The flag is pushed and popped, so that nothing else of the flags changes. */
static inline void steps_begin(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torl %0, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 : "i"(STEPS_TRAP_FLAG)
			 : "memory", "cc");
}

static inline void steps_end(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandl %0, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 : "i"(~STEPS_TRAP_FLAG)
			 : "memory", "cc");
}

/*
 * Run @body and call @first after its instruction number @at, and @second @gap
 * instructions later, or never if it has not so many.  Returns whether one was called.
 * If a visitor jumps away, so does this.
 */
static inline bool steps_run_twice(void (*body)(void), long at, void (*first)(void), long gap,
				   void (*second)(void))
{
	struct sigaction action = {
		.sa_sigaction = steps_handle_trap,
		.sa_flags = SA_SIGINFO | steps_sa_flags,
	};

	sigaction(SIGTRAP, &action, NULL);
	steps = (struct steps){.visitor = first, .next = second, .left = at, .gap = gap};
	steps_begin();
	body();
	steps_end();
	return steps.was_visited;
}

/* The same with one visitor. */
static inline bool steps_run(void (*body)(void), long at, void (*visitor)(void))
{
	return steps_run_twice(body, at, visitor, 0, NULL);
}

#else
#define STEPS_ARE_POSSIBLE 0
#endif

#endif
