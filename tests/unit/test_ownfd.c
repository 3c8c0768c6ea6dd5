// SPDX-License-Identifier: MIT
/*
 * test_ownfd.c - looks into /proc that are left in the middle by a jump.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include "real/ownfd.h"
#include "real/sys.h"
#include "steps.h"

/* Of the numbers that may be in use at all. */
static int nr_open(void)
{
	int nr = 0;

	for (int fd = 0; fd < 64; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

Test(ownfd, what_is_borrowed_is_the_fdinfo)
{
	char text[64];
	int before = nr_open();
	int info = ownfd_borrow_fdinfo(0);

	cr_assert_geq(info, 0);
	cr_assert_eq(fcntl(info, F_GETFD), FD_CLOEXEC);
	cr_assert_gt(sys_read(info, text, sizeof(text)), 4);
	cr_assert_eq(memcmp(text, "pos:", 4), 0);
	ownfd_return(info);
	cr_assert_eq(nr_open(), before);
}

Test(ownfd, a_closed_number_has_none)
{
	cr_assert_eq(ownfd_borrow_fdinfo(63), -ENOENT);
	ownfd_recover();
}

Test(ownfd, nothing_is_recovered_after_the_return)
{
	int info = ownfd_borrow_fdinfo(0), host;

	ownfd_return(info);
	host = open("/proc/thread-self/fdinfo/0", O_RDONLY);
	cr_assert_eq(host, info);
	ownfd_recover();
	cr_assert_geq(fcntl(host, F_GETFD), 0);
}

#if STEPS_ARE_POSSIBLE

static sigjmp_buf out;
static int nr_met_open; /* jumps while it was open */
static int nr_before;

static void look(void)
{
	ownfd_return(ownfd_borrow_fdinfo(0));
}

static void jump(void)
{
	nr_met_open += nr_open() > nr_before;
	siglongjmp(out, 1);
}

Test(ownfd, a_jump_out_of_any_instruction_leaves_nothing_open, .timeout = 120)
{
	volatile long at = 0;
	volatile bool goes_on = true;

	look(); /* what is bound late is bound now */
	nr_before = nr_open();
	while (goes_on) {
		if (sigsetjmp(out, 1) == 0)
			goes_on = steps_run(look, at, jump);
		ownfd_recover();
		cr_assert_eq(nr_open(), nr_before, "left open by a jump at instruction %ld", at);
		at++;
	}
	cr_assert_gt(nr_met_open, 4);
}

#endif
