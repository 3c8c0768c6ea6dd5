// SPDX-License-Identifier: MIT
#include "engine/uaccess.h"

#include <errno.h>

#include "real/sys.h"

/* The smallest there is: asking about a page twice is no harm. */
#define UACCESS_PAGE ((uintptr_t)4096)

/* The page of the last argument this thread was seen to pass: usually of its stack. */
static __thread uintptr_t uaccess_readable __attribute__((tls_model("initial-exec")));

static uintptr_t uaccess_page(uintptr_t address)
{
	return address & ~(UACCESS_PAGE - 1);
}

/*
 * The kernel writes the present signal mask, eight bytes, to any address it is
 * asked to, and does nothing else.  What is written over is about to be written
 * over with an event.
 */
static bool uaccess_probe_write(uintptr_t address)
{
	return raw_call(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)address, SYS_SIGSET_SIZE, 0, 0) !=
	       -EFAULT;
}

bool uaccess_extend(struct uaccess *known, uintptr_t first, uintptr_t end)
{
	if (end < first)
		return false;
	/* an event is at least eight bytes long, and so are its two ends */
	if (!uaccess_probe_write(first) || !uaccess_probe_write(end - SYS_SIGSET_SIZE))
		return false;
	if (first < known->lo || first > known->hi)
		known->lo = uaccess_page(first);
	known->hi = uaccess_page(end - 1) + UACCESS_PAGE;
	return true;
}

/*
 * The kernel copies the event before it looks at anything else, so a call that
 * cannot succeed tells whether it can be read.
 */
static bool uaccess_probe_read(const struct epoll_event *from)
{
	return sys_epoll_ctl(-1, EPOLL_CTL_MOD, -1, from) != -EFAULT;
}

int uaccess_copy_event(struct epoll_event *to, const struct epoll_event *from)
{
	uintptr_t first = (uintptr_t)from, last = first + sizeof(*from) - 1;

	if (uaccess_page(first) != uaccess_readable || uaccess_page(last) != uaccess_readable) {
		if (!uaccess_probe_read(from))
			return -EFAULT;
		uaccess_readable = uaccess_page(last);
	}
	*to = *from;
	return 0;
}
