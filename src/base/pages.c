// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "base/pages.h"
#include "base/raw.h"

#define PAGES_ARENA  ((size_t)1 << 20)
#define PAGES_ORDERS 36 /* up to 2^35 units: 128 TiB, all there is */

/* A free block; the link is the only part of it that is written. */
struct pages_block {
	struct pages_block *next;
};

/*
 * The tail of the present arena has never been handed out and is zero, as the
 * kernel made it; blocks on the free lists have been used and are cleared when
 * they go out again.  All fields are protected by the lock.
 */
static struct {
	struct lock lock;
	char *tail;
	size_t tail_size;
	size_t mapped;
	struct pages_block *free[PAGES_ORDERS]; /* [n]: blocks of 2^n units */
} pages = {.lock = LOCK_INIT(LOCK_PAGES)};

/* Somebody was cut off in the middle: what is free may be half linked. */
static void pages_forget_free(struct lock *lock)
{
	(void)lock;
	pages.tail = NULL;
	pages.tail_size = 0;
	memset(pages.free, 0, sizeof(pages.free));
}

static void pages_lock(void)
{
	if (!lock_acquire(&pages.lock))
		pages_forget_free(&pages.lock);
}

/* The smallest order whose blocks hold @size bytes. */
static unsigned int pages_order(size_t size)
{
	size_t units = size / PAGES_UNIT + (size % PAGES_UNIT != 0);

	if (units <= 1)
		return 0;
	return 64 - (unsigned int)__builtin_clzll((unsigned long long)units - 1);
}

static size_t order_size(unsigned int order)
{
	return PAGES_UNIT << order;
}

static void block_push(void *memory, unsigned int order)
{
	struct pages_block *block = memory;

	block->next = pages.free[order];
	pages.free[order] = block;
}

static void *block_pop(unsigned int order)
{
	struct pages_block *block = pages.free[order];

	if (block)
		pages.free[order] = block->next;
	return block;
}

/* Take a larger free block and keep its first 2^@order units; NULL if there is none. */
static void *block_split(unsigned int order)
{
	unsigned int larger;
	char *block = NULL;

	for (larger = order + 1; larger < PAGES_ORDERS && !block; larger++)
		block = block_pop(larger);
	if (!block)
		return NULL;
	/* The loop left larger one above the block's order. */
	for (larger--; larger > order; larger--)
		block_push(block + order_size(larger - 1), larger - 1);
	return block;
}

static void *tail_take(size_t size)
{
	char *memory = pages.tail;

	if (size > pages.tail_size)
		return NULL;
	pages.tail += size;
	pages.tail_size -= size;
	return memory;
}

/* Put the tail, too short for what is wanted now, on the free lists. */
static void tail_retire(void)
{
	unsigned int order;

	while (pages.tail_size >= PAGES_UNIT) {
		order = pages_order(pages.tail_size);
		if (order_size(order) > pages.tail_size)
			order--;
		block_push(tail_take(order_size(order)), order);
	}
}

/*
 * Map an arena for @size bytes.  What is as large as an arena gets a mapping
 * of its own and leaves the tail alone.
 */
static void *arena_take(size_t size)
{
	size_t arena_size = size > PAGES_ARENA ? size : PAGES_ARENA;
	long ret = raw_call(SYS_mmap, 0, (long)arena_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *arena = (char *)ret;

	if (ret < 0 && ret > -4096)
		return NULL;
	pages.mapped += arena_size;
	if (arena_size == size)
		return arena;
	tail_retire();
	pages.tail = arena;
	pages.tail_size = arena_size;
	return tail_take(size);
}

size_t pages_round(size_t size)
{
	return order_size(pages_order(size));
}

void *pages_alloc(size_t size)
{
	unsigned int order = pages_order(size);
	bool is_used = true;
	void *memory;

	if (order >= PAGES_ORDERS)
		return NULL;
	pages_lock();
	memory = block_pop(order);
	if (!memory) {
		is_used = false;
		memory = tail_take(order_size(order));
	}
	if (!memory) {
		is_used = true;
		memory = block_split(order);
	}
	if (!memory) {
		is_used = false;
		memory = arena_take(order_size(order));
	}
	lock_release(&pages.lock);

	if (memory && is_used)
		memset(memory, 0, order_size(order));
	return memory;
}

void pages_free(void *memory, size_t size)
{
	if (!memory)
		return;
	pages_lock();
	block_push(memory, pages_order(size));
	lock_release(&pages.lock);
}

void pages_fork_child(void)
{
	if (!lock_is_locked(&pages.lock))
		return;
	pages_forget_free(&pages.lock);
	lock_reset(&pages.lock);
}

void pages_fork_interrupted(void)
{
	lock_tear(&pages.lock);
}

void pages_recover(void)
{
	lock_recover(&pages.lock, pages_forget_free);
}

size_t pages_mapped(void)
{
	size_t mapped;

	pages_lock();
	mapped = pages.mapped;
	lock_release(&pages.lock);
	return mapped;
}
