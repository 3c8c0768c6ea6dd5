// SPDX-License-Identifier: MIT
#include "fd/readable.h"

#include <errno.h>

#include "real/sys.h"

/* The smallest there is: asking about a page twice is no harm. */
#define READABLE_PAGE ((uintptr_t)4096)

static __thread uintptr_t readable_page __attribute__((tls_model("initial-exec")));

/*
 * rt_sigprocmask copies the eight bytes of the new mask before it finds that
 * there is no such way to use them.
 */
static bool readable_probe(uintptr_t address)
{
	uintptr_t page = address & ~(READABLE_PAGE - 1);
	uintptr_t word = address & ~(uintptr_t)7;

	if (page == readable_page)
		return true;
	if (raw_call(SYS_rt_sigprocmask, -1, (long)word, 0, SYS_SIGSET_SIZE, 0, 0) == -EFAULT)
		return false;
	readable_page = page;
	return true;
}

bool readable(const void *from, size_t size)
{
	uintptr_t first = (uintptr_t)from, last = first + size - 1;

	if (!size)
		return true;
	return last >= first && readable_probe(last) && readable_probe(first);
}
