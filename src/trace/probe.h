/* SPDX-License-Identifier: MIT */
/*
 * probe.h - the one spine: every state transition passes probe().
 *
 * A transition is counted in the statistics block of the eventpoll it happens
 * to.  Blocks live in the session (session.h), so that the launcher can read
 * them while the program runs and after it was killed.
 *
 * Locking: a counter has one writer at a time.  Counters of the EDGE group are
 * written under ep->lock, all others under ep->mtx; readers see each counter
 * whole, but not all of them at one instant.
 */
#ifndef INTERPOLL_TRACE_PROBE_H
#define INTERPOLL_TRACE_PROBE_H

#include <stdint.h>

/*
 * PROBE_LIST(X): X(NAME, "name", "what a person reads in the summary").
 * The order is the order of the summary; append only inside a group.
 */
#define PROBE_LIST(X)                                                                              \
	/* control operations the application asked for, successful ones */                       \
	X(ADD, "add", "watches added")                                                             \
	X(MOD, "mod", "watches modified")                                                          \
	X(DEL, "del", "watches deleted")                                                           \
	X(CLOSED, "closed", "watches gone with their descriptor")                                  \
	/* what the source was asked to do */                                                      \
	X(ARMED, "armed", "registrations armed at the source")                                     \
	X(REARMED, "rearmed", "registrations changed at the source")                               \
	X(DISARMED, "disarmed", "registrations removed from the source")                           \
	X(PARKED, "parked", "deleted watches kept armed for their return")                         \
	X(UNPARKED, "unparked", "watches that returned from the park")                             \
	X(UNVERIFIED, "unverified", "modifications that needed no system call")                    \
	/* edges and callbacks */                                                                  \
	X(EDGE, "edge", "edges from the source")                                                   \
	X(QUEUED, "queued", "edges that put a watch on the ready list")                            \
	X(ALREADY_QUEUED, "already queued", "edges of watches already on the ready list")          \
	X(OVERFLOW, "overflow", "edges that met a scan and went to the overflow list")             \
	X(FILTERED, "filtered", "edges nobody had asked for")                                      \
	X(STALE, "stale", "edges of an earlier registration, dropped")                             \
	X(WOKEN, "woken", "waiters woken")                                                         \
	/* waiting */                                                                              \
	X(WAIT, "wait", "waits")                                                                   \
	X(SLEEP, "sleep", "times a waiter slept")                                                  \
	X(WAKE_EVENT, "wake: event", "sleeps ended by an event")                                   \
	X(WAKE_TIMEOUT, "wake: timeout", "sleeps ended by the time-out")                           \
	X(WAKE_SIGNAL, "wake: signal", "sleeps ended by a signal")                                 \
	X(WAKE_NOTHING, "wake: nothing", "sleeps that ended with nothing to deliver")              \
	X(SPIN, "spin", "times a waiter looked for a while before it slept")                       \
	X(SPIN_GAINED, "spin: gained", "of them an event came and spared the sleep")               \
	X(SPIN_NS, "spin: ns", "nanoseconds spent looking")                                        \
	X(RECHECK_READY, "recheck: ready", "ready-list items still ready at the recheck")          \
	X(RECHECK_DROPPED, "recheck: dropped", "ready-list items that were ready no longer")       \
	X(RETURN, "return", "waits that returned events")                                          \
	X(DELIVERED, "delivered", "events delivered")                                              \
	X(REQUEUED, "requeued", "level-triggered watches queued again")                            \
	X(ONESHOT, "oneshot", "one-shot watches disabled by their event")                          \
	/* what only the kernel can keep */                                                        \
	X(KEPT, "kept by the kernel", "events of watches that the kernel keeps ready")             \
	X(FOREIGN, "foreign", "events of registrations made behind our back")                      \
	X(SETTLED, "settled", "eventpolls settled: the kernel keeps all their watches")            \
	X(ZOMBIE, "zombie", "watches that outlived their descriptor")                              \
	X(REPLACED, "replaced", "stale watches replaced: their close bypassed us")                 \
	X(REBUILT, "rebuilt", "eventpolls rebuilt after fork or an abandoned call")                \
	X(RELEASED, "released", "eventpolls handed to another program")                            \
	/* the self-check */                                                                       \
	X(CHECKED, "checked", "times our books agreed with the kernel's")                          \
	X(UNCHECKED, "unchecked", "times the kernel's could not be read")

enum probe {
#define PROBE_ENUM(id, name, text) PROBE_##id,
	PROBE_LIST(PROBE_ENUM)
#undef PROBE_ENUM
	PROBE_MAX
};

/* One eventpoll's counters.  Zeroed when handed out; see session.h. */
struct probe_counts {
	uint64_t n[PROBE_MAX];
};

/*
 * Count @times occurrences of @what.  Async-signal-safe, no system call, no
 * locked instruction: the caller holds the lock named above.
 */
static inline void probe_n(struct probe_counts *counts, enum probe what, uint64_t times)
{
	uint64_t *n = &counts->n[what];

	__atomic_store_n(n, __atomic_load_n(n, __ATOMIC_RELAXED) + times, __ATOMIC_RELAXED);
}

static inline void probe(struct probe_counts *counts, enum probe what)
{
	probe_n(counts, what, 1);
}

#endif
