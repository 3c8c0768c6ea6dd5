// SPDX-License-Identifier: MIT
/*
 * test_pages.c - memory without malloc: zeroed, aligned, reused, ours alone.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pages.h"
#include "dice.h"

#define ARENA ((size_t)1 << 20)

static bool is_filled_with(const void *memory, unsigned char byte, size_t size)
{
	const unsigned char *bytes = memory;

	return size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0);
}

Test(pages, sizes_are_rounded_to_powers_of_two)
{
	cr_assert_eq(pages_round(0), PAGES_UNIT);
	cr_assert_eq(pages_round(1), PAGES_UNIT);
	cr_assert_eq(pages_round(PAGES_UNIT), PAGES_UNIT);
	cr_assert_eq(pages_round(PAGES_UNIT + 1), 2 * PAGES_UNIT);
	cr_assert_eq(pages_round(3 * PAGES_UNIT), 4 * PAGES_UNIT);
	cr_assert_eq(pages_round(ARENA), ARENA);
	cr_assert_eq(pages_round(ARENA + 1), 2 * ARENA);
}

Test(pages, memory_is_zeroed_and_aligned)
{
	for (size_t size = 1; size <= 4 * ARENA; size = size * 3 + 1) {
		void *memory = pages_alloc(size);

		cr_assert_not_null(memory);
		cr_assert_eq((uintptr_t)memory % PAGES_UNIT, 0);
		cr_assert(is_filled_with(memory, 0, pages_round(size)), "%zu bytes", size);
		memset(memory, 0xa5, pages_round(size));
	}
}

Test(pages, freed_memory_comes_back_zeroed)
{
	for (size_t size = 1; size <= 4 * ARENA; size = size * 3 + 1) {
		void *memory = pages_alloc(size);
		size_t mapped;

		memset(memory, 0xa5, pages_round(size));
		pages_free(memory, size);
		mapped = pages_mapped();
		cr_assert_eq(pages_alloc(size), memory, "%zu bytes are not reused", size);
		cr_assert(is_filled_with(memory, 0, pages_round(size)), "%zu bytes", size);
		cr_assert_eq(pages_mapped(), mapped);
	}
}

Test(pages, large_free_block_serves_small_requests)
{
	size_t mapped, nr = ARENA / PAGES_UNIT;
	char *block = pages_alloc(4 * ARENA), *memory;

	/* use up the tail, so that only the block is left to give */
	do
		memory = pages_alloc(PAGES_UNIT);
	while ((uintptr_t)memory != 0 && nr--);
	memset(block, 0xa5, 4 * ARENA);
	pages_free(block, 4 * ARENA);
	while ((memory = pages_alloc(PAGES_UNIT)) &&
	       (memory < block || memory >= block + 4 * ARENA))
		;
	mapped = pages_mapped();
	for (nr = 1; nr < 4 * ARENA / PAGES_UNIT; nr++) {
		memory = pages_alloc(PAGES_UNIT);
		cr_assert(memory >= block && memory < block + 4 * ARENA);
		cr_assert(is_filled_with(memory, 0, PAGES_UNIT));
	}
	cr_assert_eq(pages_mapped(), mapped);
}

/* An arena that is too short for the next request is not thrown away. */
Test(pages, tail_of_an_arena_is_used_up)
{
	size_t before = pages_mapped(), after;

	for (int i = 0; i < 8; i++) {
		cr_assert_not_null(pages_alloc(3 * PAGES_UNIT));
		cr_assert_not_null(pages_alloc(ARENA / 2));
	}
	after = pages_mapped();
	cr_assert_geq(after - before, 4 * ARENA, "more given than was mapped");
	/* 4 MiB of halves; what is left of their arenas pays for the small ones */
	cr_assert_leq(after - before, 5 * ARENA + ARENA / 2);
	for (size_t i = 0; i < 100; i++)
		cr_assert_not_null(pages_alloc(PAGES_UNIT));
	cr_assert_eq(pages_mapped(), after);
}

Test(pages, absurd_sizes_are_refused)
{
	errno = 0;
	cr_assert_null(pages_alloc(SIZE_MAX));
	cr_assert_null(pages_alloc(SIZE_MAX / 2 + 1));
	cr_assert_null(pages_alloc((size_t)1 << 47));
	cr_assert_eq(errno, 0);
	cr_assert_not_null(pages_alloc(1));
}

/* Nothing may be lost, counted or left locked when the kernel says no. */
Test(pages, allocation_fails_softly_when_memory_is_out)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	cr_skip("the sanitizer needs address space of its own");
#else
	struct rlimit limit, none;
	size_t mapped;

	cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	cr_assert_not_null(pages_alloc(1));
	mapped = pages_mapped();
	cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
	errno = 0;
	void *huge = pages_alloc(64 * ARENA);
	int seen_errno = errno;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);

	cr_assert_null(huge);
	cr_assert_eq(seen_errno, 0);
	cr_assert_eq(pages_mapped(), mapped);
	cr_assert_not_null(pages_alloc(64 * ARENA));
#endif
}

Test(pages, freeing_nothing_is_ignored)
{
	pages_free(NULL, 100);
	cr_assert_not_null(pages_alloc(100));
}

/* A block in use, filled with a byte that nobody else writes. */
struct block {
	void *memory;
	size_t size;
	unsigned char byte;
};

Test(pages, random_use_never_gives_a_byte_to_two)
{
	enum {
		NR = 200,
		STEPS = 20000
	};
	static struct block blocks[NR];

	for (unsigned long seed = 1; seed <= 3; seed++) {
		struct dice dice = dice_from_seed(seed);

		for (int step = 0; step < STEPS; step++) {
			struct block *block = &blocks[dice_below(&dice, NR)];

			if (block->memory) {
				cr_assert(is_filled_with(block->memory, block->byte, block->size),
					  "seed %lu, step %d: %zu bytes overwritten", seed, step,
					  block->size);
				pages_free(block->memory, block->size);
				block->memory = NULL;
				continue;
			}
			block->size = dice_below(&dice, (size_t)1 << (1 + dice_below(&dice, 17)));
			block->byte = (unsigned char)(1 + dice_below(&dice, 255));
			block->memory = pages_alloc(block->size);
			cr_assert_not_null(block->memory);
			cr_assert(is_filled_with(block->memory, 0, block->size),
				  "seed %lu, step %d: %zu bytes not zero", seed, step, block->size);
			memset(block->memory, block->byte, block->size);
		}
	}
}

/* Each thread fills what it gets and looks whether it still is its own. */
static void *alloc_and_free_much(void *arg)
{
	unsigned long seed = (unsigned long)(uintptr_t)arg;
	struct dice dice = dice_from_seed(seed);
	uintptr_t nr_bad = 0;

	for (int i = 0; i < 20000; i++) {
		size_t size = 1 + dice_below(&dice, 3 * PAGES_UNIT);
		unsigned char *memory = pages_alloc(size);

		if (!memory || !is_filled_with(memory, 0, size))
			return (void *)(uintptr_t)-1;
		memset(memory, (int)seed, size);
		nr_bad += !is_filled_with(memory, (unsigned char)seed, size);
		pages_free(memory, size);
	}
	return (void *)nr_bad;
}

Test(pages, threads_do_not_share_blocks)
{
	pthread_t threads[4];
	void *nr_bad;

	for (uintptr_t i = 0; i < 4; i++)
		cr_assert_eq(
			pthread_create(&threads[i], NULL, alloc_and_free_much, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(threads[i], &nr_bad), 0);
		cr_assert_null(nr_bad, "thread of seed %d", i + 1);
	}
}

static bool fork_stop;

static void *alloc_until_told(void *arg)
{
	while (!__atomic_load_n(&fork_stop, __ATOMIC_RELAXED))
		pages_free(pages_alloc(PAGES_UNIT), PAGES_UNIT);
	return arg;
}

/* Without pages_fork_child() some child would find the lock held by nobody. */
Test(pages, child_of_a_busy_process_can_allocate)
{
	pthread_t thread;
	int status;

	cr_assert_eq(pthread_create(&thread, NULL, alloc_until_told, NULL), 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(20);
			pages_fork_child();
			_exit(pages_alloc(PAGES_UNIT) && pages_alloc(2 * ARENA) ? 0 : 1);
		}
		cr_assert_gt(pid, 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert_eq(status, 0, "child %d: status %#x", i, (unsigned int)status);
	}
	__atomic_store_n(&fork_stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}
