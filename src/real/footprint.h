/* SPDX-License-Identifier: MIT */
/*
 * footprint.h - how to tell that a signal handler has run.
 *
 * The kernel tells it only to whoever sleeps, by EINTR.  But a handler leaves a
 * footprint: its frame, of which the kernel itself writes more than a kilobyte, lies
 * right below the stack pointer of what it interrupted.  So: mark the stack there, and
 * see whether the mark is still whole.
 *
 *	stack pointer ->+-----------------------+
 *			| FOOTPRINT_SKIP	| for the frames of what we call meanwhile
 *			+-----------------------+
 *			| the mark		| inside the frame of any handler
 *			+-----------------------+
 *
 * Between the two the function may call only what needs less stack than is skipped:
 * raw system calls, and little functions of our own around one.  Nothing of libc, which
 * another preload may have replaced.
 *
 * On x86-64 the frame is 128 bytes (the red zone) and then at least 1,100 bytes of
 * registers; on aarch64 about as many, without the red zone.  A handler on an alternate
 * stack leaves nothing here: ask sys_altstack() whether there can be one.
 */
#ifndef INTERPOLL_REAL_FOOTPRINT_H
#define INTERPOLL_REAL_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FOOTPRINT_SKIP = 768,
	FOOTPRINT_WORDS = 16, /* some of a handler's frame is padding: so more than one */
};

/* What no frame has in all these places; never a pointer, nor a small number. */
#define FOOTPRINT_MARK UINT64_C(0x9c5de3b1f0a7462d)

static inline __attribute__((always_inline)) volatile uint64_t *footprint_place(void)
{
	uintptr_t sp;

#if defined(__x86_64__)
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
#elif defined(__aarch64__)
	__asm__ volatile("mov %0, sp" : "=r"(sp));
#else
#error "footprint_place() is written for x86-64 and aarch64 only"
#endif
	sp -= FOOTPRINT_SKIP + FOOTPRINT_WORDS * sizeof(uint64_t);
	return (volatile uint64_t *)(sp & ~(uintptr_t)7);
}

/*
 * Mark the stack below the calling function.  Returns where; good until that function
 * returns, and never to be written to by anybody else.
 */
static inline __attribute__((always_inline)) const volatile uint64_t *footprint_mark(void)
{
	volatile uint64_t *place = footprint_place();

	for (int i = 0; i < FOOTPRINT_WORDS; i++)
		place[i] = FOOTPRINT_MARK;
	return place;
}

/* Has a handler run on this stack since footprint_mark() returned @place? */
static inline __attribute__((always_inline)) bool footprint_is_there(const volatile uint64_t *place)
{
	uint64_t changed = 0;

	for (int i = 0; i < FOOTPRINT_WORDS; i++)
		changed |= place[i] ^ FOOTPRINT_MARK;
	return changed != 0;
}

#endif
