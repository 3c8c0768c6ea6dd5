/* SPDX-License-Identifier: MIT */
/*
 * criterion.h - as much of Criterion as our unit tests use, for ThreadSanitizer.
 *
 * Criterion starts its tests in an arena at an address that ThreadSanitizer has
 * taken (Snaipe/Criterion issue 274), so that none of them would run.  With
 * --enable-tsan this file is found in its place: the same tests, each in a
 * forked child, run one after another.  It is never used otherwise.
 *
 * A program argument names the tests to run, by a part of "suite/name".
 */
#ifndef UNIT_TSAN_CRITERION_H
#define UNIT_TSAN_CRITERION_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct unit_options {
	int begin; /* so that there is a comma to put the others behind */
	void (*init)(void);
	void (*fini)(void);
	int signal;	/* that must end the test */
	double timeout; /* in seconds */
};

struct unit_test {
	const char *suite, *name;
	void (*body)(void); /* NULL: these are the options of the suite */
	struct unit_options options;
	struct unit_test *next;
};

enum {
	UNIT_EXIT_FAILED = 1,
	UNIT_EXIT_SKIPPED = 77,
};

static struct unit_test *unit_tests;
static bool unit_has_failed;

static inline void unit_register(struct unit_test *test)
{
	struct unit_test **link = &unit_tests;

	while (*link)
		link = &(*link)->next;
	*link = test;
}

#define UNIT_REGISTER(id, ...)                                       \
	static struct unit_test id = {__VA_ARGS__};                  \
	__attribute__((constructor)) static void id##_register(void) \
	{                                                            \
		unit_register(&id);                                  \
	}

#define TestSuite(suite, ...)                                                             \
	UNIT_REGISTER(suite##_suite, #suite, "", NULL, {.begin = 0, ##__VA_ARGS__}, NULL) \
	struct unit_test

#define Test(suite, name, ...)                                                     \
	static void suite##_##name##_impl(void);                                   \
	UNIT_REGISTER(suite##_##name##_test, #suite, #name, suite##_##name##_impl, \
		      {.begin = 0, ##__VA_ARGS__}, NULL)                           \
	static void suite##_##name##_impl(void)

/* -------- what tests say -------- */

/* A blank before the format, so that it may be left out. */
#define unit_complain(file, line, what, ...)                                                       \
	(unit_has_failed = true, fprintf(stderr, "[----] %s:%d: not true: %s:", file, line, what), \
	 fprintf(stderr, " " __VA_ARGS__), fputc('\n', stderr))

#define cr_expect(condition, ...) \
	((condition) ? (void)0 : (void)unit_complain(__FILE__, __LINE__, #condition, ##__VA_ARGS__))
#define cr_assert(condition, ...)                                                     \
	((condition) ? (void)0                                                        \
		     : (unit_complain(__FILE__, __LINE__, #condition, ##__VA_ARGS__), \
			exit(UNIT_EXIT_FAILED)))
#define cr_assert_fail(...) \
	(unit_complain(__FILE__, __LINE__, "failed", ##__VA_ARGS__), exit(UNIT_EXIT_FAILED))
#define cr_skip(...) \
	(fprintf(stderr, " " __VA_ARGS__), fputc('\n', stderr), exit(UNIT_EXIT_SKIPPED))

#define cr_skip_test cr_skip

#define cr_assert_not(a, ...)	    cr_assert(!(a), ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...)	    cr_assert((a) == (b), ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...)    cr_assert((a) != (b), ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...)	    cr_assert((a) < (b), ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...)    cr_assert((a) <= (b), ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)	    cr_assert((a) > (b), ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...)    cr_assert((a) >= (b), ##__VA_ARGS__)
#define cr_assert_null(a, ...)	    cr_assert((a) == NULL, ##__VA_ARGS__)
#define cr_assert_not_null(a, ...)  cr_assert((a) != NULL, ##__VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp(a, b) == 0, ##__VA_ARGS__)
#define cr_assert_str_empty(a, ...) cr_assert(!*(a), ##__VA_ARGS__)
#define cr_expect_not(a, ...)	    cr_expect(!(a), ##__VA_ARGS__)
#define cr_expect_eq(a, b, ...)	    cr_expect((a) == (b), ##__VA_ARGS__)
#define cr_expect_neq(a, b, ...)    cr_expect((a) != (b), ##__VA_ARGS__)
#define cr_expect_null(a, ...)	    cr_expect((a) == NULL, ##__VA_ARGS__)
#define cr_expect_not_null(a, ...)  cr_expect((a) != NULL, ##__VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) cr_expect(strcmp(a, b) == 0, ##__VA_ARGS__)

/* -------- running them -------- */

/* Tests fork with threads running; they know what they do. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static const struct unit_options *unit_suite_options(const struct unit_test *test)
{
	static const struct unit_options none;
	const struct unit_test *suite;

	for (suite = unit_tests; suite; suite = suite->next)
		if (!suite->body && strcmp(suite->suite, test->suite) == 0)
			return &suite->options;
	return &none;
}

/* exit() and not _exit(): that is where ThreadSanitizer counts what it found. */
static void unit_run_child(const struct unit_test *test)
{
	const struct unit_options *suite = unit_suite_options(test);
	const struct unit_options *own = &test->options;

	alarm((unsigned int)(own->timeout > 0 ? own->timeout : 60));
	if (suite->init)
		suite->init();
	if (own->init)
		own->init();
	test->body();
	if (own->fini)
		own->fini();
	if (suite->fini)
		suite->fini();
	exit(unit_has_failed ? UNIT_EXIT_FAILED : EXIT_SUCCESS);
}

/* Run @test.  Returns EXIT_SUCCESS, UNIT_EXIT_FAILED or UNIT_EXIT_SKIPPED. */
static int unit_run(const struct unit_test *test)
{
	int status = 0, ending = test->options.signal;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		unit_run_child(test);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return UNIT_EXIT_FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == UNIT_EXIT_SKIPPED)
		return UNIT_EXIT_SKIPPED;
	if (ending ? WIFSIGNALED(status) && WTERMSIG(status) == ending : status == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "[FAIL] %s::%s: wait status %#x\n", test->suite, test->name,
		(unsigned int)status);
	return UNIT_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	unsigned int nr_tested = 0, nr_failed = 0;
	const struct unit_test *test;
	char full_name[256];

	for (test = unit_tests; test; test = test->next) {
		int ret;

		snprintf(full_name, sizeof(full_name), "%s/%s", test->suite, test->name);
		if (!test->body || (argc > 1 && !strstr(full_name, argv[1])))
			continue;
		ret = unit_run(test);
		nr_tested += ret != UNIT_EXIT_SKIPPED;
		nr_failed += ret == UNIT_EXIT_FAILED;
	}
	fprintf(stderr, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u\n", nr_tested,
		nr_tested - nr_failed, nr_failed);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
