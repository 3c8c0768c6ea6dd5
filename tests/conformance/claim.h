/* SPDX-License-Identifier: MIT */
/*
 * claim.h - named claims about epoll, judged by running them.
 *
 * A claim is one sentence and the code that shows it.  Every claim runs in a
 * forked child of its own, in its own process group, watched by the parent: a
 * claim that fails an expectation, crashes, hangs, or leaves a descriptor open
 * is not ok.  The same program runs natively, where the kernel is the oracle,
 * and with libinterpoll.so preloaded; see `run' beside this file.
 *
 *	CLAIM(reading_it_all_ends_the_level)
 *	{
 *		...
 *		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
 *		CLOSE(epfd, p[0], p[1]);
 *	}
 *
 * Nothing here is Criterion: Criterion itself runs on epoll.
 */
#ifndef CONFORMANCE_CLAIM_H
#define CONFORMANCE_CLAIM_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/*
 * Modes.  The words by which claims name the modes they do not hold in:
 *
 *	native		no library of ours is preloaded, or it passes everything through
 *	preloaded	it is, and answers
 *	epoll, poll	... with this source
 *	inline, thread	... with this driver
 *	strict		... and every eventpoll kept by the kernel
 *	ours		... and not strict
 *	busy		... and told to look for events for a while before it sleeps
 *	epoll+thread	both of them
 *
 * They are read from LD_PRELOAD and the INTERPOLL_* variables, once, at start.
 */
bool is_native(void);
bool source_is(const char *name);
bool driver_is(const char *name);
bool is_strict(void);
bool is_busy(void);

/* True if one of the blank-separated words in @words names the current mode. */
bool mode_is_one_of(const char *words);

/* Skip to the end of this header's registry part; claims use the macros below. */
struct claim {
	const char *name;
	void (*body)(void);
	const char *only;	 /* modes it is claimed for, NULL: all */
	const char *except;	 /* modes in which it is known not to hold, or NULL */
	const char *reason;	 /* of only or except */
	void (*deviation)(void); /* what holds there instead, or NULL */
	struct claim *next;
};

void claim_register(struct claim *claim);
void claim_register_deviation(const char *name, void (*body)(void));

#define CLAIM_DEFINE(name_, only_, except_, reason_)                    \
	static void name_(void);                                        \
	static struct claim claim_of_##name_ = {                        \
		#name_, name_, only_, except_, reason_, NULL, NULL};    \
	__attribute__((constructor)) static void register_##name_(void) \
	{                                                               \
		claim_register(&claim_of_##name_);                      \
	}                                                               \
	static void name_(void)

/* Holds in every mode. */
#define CLAIM(name) CLAIM_DEFINE(name, NULL, NULL, NULL)

/* Is claimed for the modes in @modes only; elsewhere it is not run. */
#define CLAIM_ONLY(modes, reason, name) CLAIM_DEFINE(name, modes, NULL, reason)
#define CLAIM_NATIVE(reason, name)	CLAIM_DEFINE(name, "native", NULL, reason)
#define CLAIM_PRELOADED(reason, name)	CLAIM_DEFINE(name, "preloaded", NULL, reason)

/*
 * A known deviation: the claim does not hold in @modes, for @reason.  There
 * the body that DEVIATION(name) gives must hold instead; with no such body the
 * claim itself is run and must fail, so that a deviation which has been mended
 * is noticed.
 */
#define CLAIM_EXCEPT(modes, reason, name) CLAIM_DEFINE(name, NULL, modes, reason)
#define DEVIATION(name_)                                                            \
	static void name_##_deviation(void);                                        \
	__attribute__((constructor)) static void register_##name_##_deviation(void) \
	{                                                                           \
		claim_register_deviation(#name_, name_##_deviation);                \
	}                                                                           \
	static void name_##_deviation(void)

/*
 * Expectations.  The first that fails ends the claim, from whatever thread or
 * child process it is in, and says where, what and which values.
 */
void claim_passes(const char *file, int line); /* remembered: where a hang is */
_Noreturn void claim_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void claim_int(const char *file, int line, const char *left_text, const char *op, bool holds,
	       const char *right_text, long long left, long long right);
long long claim_must(const char *file, int line, const char *text, long long result);
void claim_errno(const char *file, int line, const char *text, long long result, int got, int want);

/*
 * For a claim that runs long: it may take @seconds more than others before it counts
 * as hung; and what is to be said with its failure, whatever that is.  Both before
 * what they are about.
 */
void claim_takes(int seconds);
void claim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define FAIL(...) claim_fail(__FILE__, __LINE__, __VA_ARGS__)

/*
 * This machine does not let us show it, for this reason: the claim is not run.  Only
 * before anything is claimed, and never for what interpoll does or does not.
 */
_Noreturn void claim_impossible(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* @expression is true. */
#define EXPECT(expression)                                                           \
	do {                                                                         \
		claim_passes(__FILE__, __LINE__);                                    \
		if (!(expression))                                                   \
			claim_fail(__FILE__, __LINE__, "expected: %s", #expression); \
	} while (0)

/* EXPECT_INT(n, ==, 3): prints both values if not. */
#define EXPECT_INT(left, op, right)                                                                \
	do {                                                                                       \
		claim_passes(__FILE__, __LINE__);                                                  \
		long long left_ = (long long)(left);                                               \
		long long right_ = (long long)(right);                                             \
		claim_int(__FILE__, __LINE__, #left, #op, left_ op right_, #right, left_, right_); \
	} while (0)

/* The call succeeds (>= 0); the value of MUST is the call's. */
#define MUST(call)                         \
	(claim_passes(__FILE__, __LINE__), \
	 (int)claim_must(__FILE__, __LINE__, #call, (long long)(call)))

/* The call returns -1 and sets errno to @want. */
#define EXPECT_ERRNO(call, want)                                              \
	do {                                                                  \
		claim_passes(__FILE__, __LINE__);                             \
		errno = 0;                                                    \
		long long result_ = (long long)(call);                        \
		claim_errno(__FILE__, __LINE__, #call, result_, errno, want); \
	} while (0)

/* An event as a claim writes it. */
struct want {
	uint32_t events;
	uint64_t data;
};

/*
 * One epoll_wait(@epfd, ..., @timeout_ms) with room for 64 delivers exactly
 * these events, in any order: EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1}, {EPOLLOUT, 2}).
 */
#define EXPECT_EVENTS(epfd, timeout_ms, ...)                                                   \
	claim_events(__FILE__, __LINE__, epfd, timeout_ms, (const struct want[]){__VA_ARGS__}, \
		     (int)(sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want)))
void claim_events(const char *file, int line, int epfd, int timeout_ms, const struct want *wanted,
		  int nr_wanted);

/* The @nr events in @got are exactly these, in any order. */
#define EXPECT_GOT(got, nr, ...)                                                   \
	claim_got(__FILE__, __LINE__, got, nr, (const struct want[]){__VA_ARGS__}, \
		  (int)(sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want)))
void claim_got(const char *file, int line, const struct epoll_event *got, int nr_got,
	       const struct want *wanted, int nr_wanted);

/* epoll_wait(@epfd, ..., 0) has nothing to deliver. */
#define EXPECT_QUIET(epfd) claim_events(__FILE__, __LINE__, epfd, 0, NULL, 0)

#endif
