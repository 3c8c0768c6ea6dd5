// SPDX-License-Identifier: MIT
/*
 * lock.c - sleeping for a lock, and the lock-order checks of debug builds.
 *
 * The word goes from 0 to the holder's number when a free lock is taken.  Whoever
 * has to wait adds LOCK_WAITERS to it and sleeps while it stays so; whoever finds
 * that bit when giving the lock back wakes one sleeper.  A woken sleeper takes
 * the lock with the bit as well, because it cannot know whether others still
 * sleep: the price is one futex call too many at the end of a queue, never one
 * too few.
 *
 * The number says who holds the lock to one reader only: the holder himself, in
 * lock_recover(), lock_tear() and lock_is_own().
 */
#include <linux/futex.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "base/raw.h"

/* Our sections last some hundred nanoseconds; a futex call lasts longer. */
#define LOCK_SPINS 100

__thread uint32_t lock_self __attribute__((tls_model("initial-exec")));

/*
 * Numbers are counted, not thread ids: nothing changes in the child of fork().
 * A handler may come between and number its thread first; as it holds nothing
 * when it returns, the second number is as good.
 */
uint32_t lock_number_self(void)
{
	static uint32_t nr_threads;

	do
		lock_self = __atomic_add_fetch(&nr_threads, 1, __ATOMIC_RELAXED) & ~LOCK_WAITERS;
	while (!lock_self || lock_self == LOCK_TORN);
	return lock_self;
}

static inline void lock_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool lock_spin(struct lock *lock)
{
	uint32_t expected;
	int i;

	for (i = 0; i < LOCK_SPINS; i++) {
		expected = 0;
		if (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&lock->word, &expected, lock_own_number(), false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
		lock_pause();
	}
	return false;
}

/* Does nobody hold a lock whose word is @word, or nobody who could give it back? */
static bool lock_is_to_be_had(uint32_t word)
{
	return !word || (word & ~LOCK_WAITERS) == LOCK_TORN;
}

/*
 * Acquire @lock, which was held a moment ago.  A futex wait that ends early
 * (signal, word changed) is not distinguished from a wake: the loop looks.
 */
bool lock_wait_for(struct lock *lock)
{
	uint32_t word = 0;

	if (lock_spin(lock))
		return true;
	/* @word is what the lock was last seen to be; 0 is worth an attempt */
	for (;;) {
		uint32_t wanted =
			(lock_is_to_be_had(word) ? lock_own_number() : word) | LOCK_WAITERS;

		if (word != wanted &&
		    !__atomic_compare_exchange_n(&lock->word, &word, wanted, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (lock_is_to_be_had(word))
			return !word;
		raw_call(SYS_futex, (long)&lock->word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
			 (long)wanted, 0, 0, 0);
		word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
	}
}

/*
 * Wake one thread that sleeps for @lock.  The lock is free already, so its
 * memory may be gone: the address is only a key to the kernel, which at worst
 * wakes a sleeper of something new there, and every futex sleeper must expect
 * that.
 */
void lock_wake_one(struct lock *lock)
{
	raw_call(SYS_futex, (long)&lock->word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

void lock_recover(struct lock *lock, void (*repair)(struct lock *lock))
{
	if (!lock_is_own(lock)) {
		/* given back without the wake, or woken for it and jumped away */
		lock_wake_one(lock);
		return;
	}
	lock_note_recovered(lock);
	if (repair)
		repair(lock);
	lock_release(lock);
}

/* A changed word also ends the sleep of a thread that a handler has just interrupted. */
void lock_tear(struct lock *lock)
{
	if (lock_is_locked(lock) && !lock_is_own(lock))
		__atomic_store_n(&lock->word, LOCK_TORN, __ATOMIC_RELEASE);
}

bool lock_is_own(const struct lock *lock)
{
	uint32_t holder = __atomic_load_n(&lock->word, __ATOMIC_RELAXED) & ~LOCK_WAITERS;

	return holder && holder == lock_self;
}

#ifdef INTERPOLL_DEBUG

/*
 * The locks this thread holds, in no order; NULL is a free place.  There is
 * no count to keep in step: a signal handler that takes and gives back locks
 * between any two instructions here leaves the array as it found it.
 */
#define LOCK_HELD_MAX 32
static __thread const struct lock *lock_held[LOCK_HELD_MAX]
	__attribute__((tls_model("initial-exec")));

static const char *const lock_rank_names[LOCK_RANK_MAX] = {
	[LOCK_TABLE] = "table", [LOCK_NESTING] = "nesting", [LOCK_GATE] = "gate",
	[LOCK_MTX] = "mtx",	[LOCK_LOOP] = "loop",	    [LOCK_WAITQ] = "waitq",
	[LOCK_EP] = "ep",	[LOCK_SLAB] = "slab",	    [LOCK_PAGES] = "pages",
	[LOCK_TRACE] = "trace",
};

/* A line of text built without stdio, which the host may be in the middle of. */
struct lock_text {
	char bytes[256];
	size_t len;
};

static void text_add(struct lock_text *text, const char *s)
{
	while (*s && text->len < sizeof(text->bytes))
		text->bytes[text->len++] = *s++;
}

static void text_add_number(struct lock_text *text, unsigned int n)
{
	char digits[12];
	char *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	text_add(text, p);
}

static void text_add_lock(struct lock_text *text, const struct lock *lock, unsigned int subclass)
{
	text_add(text, lock->rank < LOCK_RANK_MAX ? lock_rank_names[lock->rank] : "?");
	text_add(text, " (rank ");
	text_add_number(text, lock->rank);
	text_add(text, ".");
	text_add_number(text, subclass);
	text_add(text, ")");
}

static void text_write(struct lock_text *text)
{
	raw_call(SYS_write, 2, (long)text->bytes, (long)text->len, 0, 0, 0);
	text->len = 0;
}

/* Say what is wrong with @lock (NULL: with what is held) and all that is held, and die. */
static void lock_die(const char *what, const struct lock *lock, unsigned int subclass)
{
	struct lock_text text = {.len = 0};
	int i;

	text_add(&text, "interpoll: lock order: ");
	text_add(&text, what);
	if (lock) {
		text_add(&text, " ");
		text_add_lock(&text, lock, subclass);
	}
	text_add(&text, "\n");
	text_write(&text);
	for (i = 0; i < LOCK_HELD_MAX; i++) {
		if (!lock_held[i])
			continue;
		text_add(&text, "interpoll: lock order: held: ");
		text_add_lock(&text, lock_held[i], lock_held[i]->subclass);
		text_add(&text, "\n");
		text_write(&text);
	}
	abort();
}

void lock_check_order(const struct lock *lock, unsigned int subclass)
{
	int i;

	if (subclass > LOCK_SUBCLASS_MAX)
		lock_die("subclass out of range of", lock, subclass);
	for (i = 0; i < LOCK_HELD_MAX; i++) {
		const struct lock *held = lock_held[i];

		if (!held)
			continue;
		if (held == lock)
			lock_die("acquiring once more", lock, subclass);
		if (held->rank > lock->rank ||
		    (held->rank == lock->rank && held->subclass >= subclass))
			lock_die("too late for", lock, subclass);
	}
}

void lock_note_acquired(struct lock *lock, unsigned int subclass)
{
	int i;

	lock->subclass = (uint16_t)subclass;
	for (i = 0; i < LOCK_HELD_MAX; i++) {
		if (!lock_held[i]) {
			lock_held[i] = lock;
			return;
		}
	}
	lock_die("too many held to note", lock, subclass);
}

void lock_forget(const struct lock *lock)
{
	int i;

	for (i = 0; i < LOCK_HELD_MAX; i++)
		if (lock_held[i] == lock)
			lock_held[i] = NULL;
}

/* A lock is noted after it is taken and forgotten before it is given back. */
void lock_note_recovered(struct lock *lock)
{
	if (!lock_is_held(lock))
		lock_note_acquired(lock, 0);
}

void lock_note_released(struct lock *lock)
{
	if (!lock_is_held(lock))
		lock_die("releasing what this thread does not hold:", lock, 0);
	lock_forget(lock);
}

bool lock_is_held(const struct lock *lock)
{
	int i;

	for (i = 0; i < LOCK_HELD_MAX; i++)
		if (lock_held[i] == lock)
			return true;
	return false;
}

void lock_assert_held(const struct lock *lock)
{
	if (!lock_is_held(lock))
		lock_die("not held, but must be:", lock, 0);
}

void lock_assert_none_held(void)
{
	int i;

	for (i = 0; i < LOCK_HELD_MAX; i++)
		if (lock_held[i])
			lock_die("none may be held here", NULL, 0);
}

#endif
