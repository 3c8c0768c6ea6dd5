/* SPDX-License-Identifier: MIT */
/*
 * lock.h - ranked futex mutexes.
 *
 * A lock is four bytes; taking and giving back a free one is one inlined
 * atomic instruction each.  There is no owner to clean up after, no libc and
 * no cancellation point, and errno is not touched, so locks can be used inside
 * somebody else's program.
 *
 * Lock order
 *	Every lock has a rank.  A thread may acquire a lock only if it ranks
 *	after every lock the thread holds: enum lock_rank *is* the order of
 *	acquisition, outermost first.  Several locks of one rank are held at
 *	once only through lock_acquire_nested(), in growing subclass.
 *	Debug builds (--enable-debug) check this at each acquisition; on a
 *	violation they print all that is held and abort().
 *
 * Context
 *	No lock is recursive.  A signal handler must not acquire a lock that
 *	the code it interrupted may hold; lock_try() is safe there.
 */
#ifndef INTERPOLL_BASE_LOCK_H
#define INTERPOLL_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
	LOCK_TABLE,   /* descriptor table: everything starts at a descriptor */
	LOCK_NESTING, /* the graph of eventpolls in eventpolls stands still */
	LOCK_GATE,    /* after fork: eventpolls are made whole */
	LOCK_MTX,     /* ep->mtx: outer eventpoll before inner (subclass = depth) */
	LOCK_LOOP,    /* the poll loop's set of eventpolls */
	LOCK_WAITQ,   /* a file's wait queue: callbacks run under it */
	LOCK_EP,      /* ep->lock: ready list, taken by those callbacks */
	LOCK_SLAB,    /* slots of a slab shared by all eventpolls */
	LOCK_PAGES,   /* pages behind every slab */
	LOCK_TRACE,   /* the session: anybody may trace, holding anything */
	LOCK_RANK_MAX
};

/* Subclasses of lock_acquire_nested() are 0..LOCK_SUBCLASS_MAX. */
#define LOCK_SUBCLASS_MAX 15

#define LOCK_WAITERS (UINT32_C(1) << 31) /* somebody may sleep for it */

/* The holder is no more; see lock_tear(). */
#define LOCK_TORN (LOCK_WAITERS - 1)

struct lock {
	uint32_t word; /* 0 free, or the holder's number | LOCK_WAITERS */
#ifdef INTERPOLL_DEBUG
	uint16_t rank;
	uint16_t subclass; /* of the present acquisition */
#endif
};

#ifdef INTERPOLL_DEBUG
#define LOCK_INIT(lock_rank)        \
	{                           \
		.rank = (lock_rank) \
	}
#else
#define LOCK_INIT(lock_rank) \
	{                    \
		0            \
	}
#endif

/* The number of the calling thread among those that take locks; 0: none yet. */
extern __thread uint32_t lock_self __attribute__((tls_model("initial-exec")));

/*
 * The slow halves of lock_own_number(), lock_acquire() and
 * lock_release(); not to be called directly.
 */
uint32_t lock_number_self(void);
bool lock_wait_for(struct lock *lock);
void lock_wake_one(struct lock *lock);

#ifdef INTERPOLL_DEBUG
/* Book-keeping of debug builds; not to be called directly. */
void lock_check_order(const struct lock *lock, unsigned int subclass);
void lock_note_acquired(struct lock *lock, unsigned int subclass);
void lock_note_released(struct lock *lock);
void lock_forget(const struct lock *lock);
void lock_note_recovered(struct lock *lock);

/* Does the calling thread hold @lock?  Debug builds only. */
bool lock_is_held(const struct lock *lock);

/* Abort unless the calling thread holds @lock.  Nothing in release builds. */
void lock_assert_held(const struct lock *lock);

/* Abort if the calling thread holds any lock.  Nothing in release builds. */
void lock_assert_none_held(void);
#else
#define lock_check_order(lock, subclass)   ((void)0)
#define lock_note_acquired(lock, subclass) ((void)0)
#define lock_note_released(lock)	   ((void)0)
#define lock_forget(lock)		   ((void)0)
#define lock_note_recovered(lock)	   ((void)0)
#define lock_assert_held(lock)		   ((void)(lock))
#define lock_assert_none_held()		   ((void)0)
#endif

static inline uint32_t lock_own_number(void)
{
	uint32_t number = lock_self;

	return __builtin_expect(number != 0, 1) ? number : lock_number_self();
}

/* Make @lock a free lock of @rank. */
static inline void lock_init(struct lock *lock, enum lock_rank rank)
{
	lock->word = 0;
#ifdef INTERPOLL_DEBUG
	lock->rank = (uint16_t)rank;
	lock->subclass = 0;
#else
	(void)rank;
#endif
}

/*
 * lock_try - acquire @lock if that needs no waiting.
 * Returns whether the lock is now held.  Its rank is not checked, since a
 * thread that does not wait cannot deadlock.
 */
static inline bool lock_try(struct lock *lock)
{
	uint32_t expected = 0;

	if (!__atomic_compare_exchange_n(&lock->word, &expected, lock_own_number(), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	lock_note_acquired(lock, 0);
	return true;
}

/*
 * lock_acquire_nested - acquire @lock, waiting for it if need be.
 * @subclass orders the locks of one rank among each other: it must be greater
 * than that of every lock of this rank that the thread holds.
 * Returns false if the last holder was cut off in the middle, lock_tear(): the
 * lock is held, and what it protects is to be made whole.
 */
static inline bool lock_acquire_nested(struct lock *lock, unsigned int subclass)
{
	uint32_t expected = 0;
	bool is_whole = true;

	lock_check_order(lock, subclass);
	if (!__atomic_compare_exchange_n(&lock->word, &expected, lock_own_number(), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		is_whole = lock_wait_for(lock);
	lock_note_acquired(lock, subclass);
	(void)subclass;
	return is_whole;
}

/* Acquire @lock, waiting for it if need be.  Returns as lock_acquire_nested() does. */
static inline bool lock_acquire(struct lock *lock)
{
	return lock_acquire_nested(lock, 0);
}

/* Give @lock back; the calling thread holds it.  Any order of release will do. */
static inline void lock_release(struct lock *lock)
{
	lock_note_released(lock);
	if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & LOCK_WAITERS)
		lock_wake_one(lock);
}

/* Is @lock held by anybody?  True only for the moment; for tests and self-checks. */
static inline bool lock_is_locked(const struct lock *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED) != 0;
}

/*
 * lock_recover - give @lock back if the calling thread still holds it.
 * For a thread that has left, by siglongjmp() out of a signal handler, code
 * that was about to acquire, to use or to release @lock; where exactly need not
 * be known.  If the thread holds the lock, @repair (unless NULL) is called
 * first, with the lock held, to make whole what it protects.  Whoever sleeps
 * for the lock is not forgotten, even if it was this thread's turn to wake him.
 */
void lock_recover(struct lock *lock, void (*repair)(struct lock *lock));

/*
 * lock_tear - if another thread holds @lock, it will not give it back.
 * In the child of a fork made by a signal handler: the other threads are gone, but
 * what the handler interrupted goes on, and may hold locks or be about to wait for
 * one.  Nothing can be made whole in the handler; whoever acquires the lock next is
 * told to do it, also if he sleeps for it already.
 */
void lock_tear(struct lock *lock);

/* Does the calling thread hold @lock?  Any context. */
bool lock_is_own(const struct lock *lock);

/*
 * lock_reset - make @lock free, whoever held it.
 * For a holder that will never release it: in the child of fork(), where the
 * other threads are gone.
 * Nobody may be waiting for @lock in this process.
 */
static inline void lock_reset(struct lock *lock)
{
	lock_forget(lock);
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

#endif
