// SPDX-License-Identifier: MIT
#include "real/uaccess.h"

#include <errno.h>
#include <linux/futex.h>

#include "real/sys.h"

__thread uintptr_t uaccess_readable __attribute__((tls_model("initial-exec"))) = 1;

/*
 * A futex operation that ORs nothing into a word and wakes nobody: it fails where
 * the word cannot be written, and changes nothing where it can.
 */
static bool uaccess_probe_write(uintptr_t address)
{
	uint32_t futex = 0;

	return raw_call(SYS_futex, sys_arg(&futex), FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
			(long)(address & ~(uintptr_t)3),
			FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) != -EFAULT;
}

bool uaccess_extend(struct uaccess *known, uintptr_t first, uintptr_t end)
{
	if (end < first)
		return false;
	if (!uaccess_probe_write(first) || !uaccess_probe_write(end - 1))
		return false;
	if (first < known->lo || first > known->hi)
		known->lo = uaccess_page(first);
	known->hi = uaccess_page(end - 1) + UACCESS_PAGE;
	return true;
}

/*
 * rt_sigprocmask copies the eight bytes of the new mask before it finds that
 * there is no such way to use them.
 */
static bool uaccess_probe_read(uintptr_t address)
{
	uintptr_t word = address & ~(uintptr_t)7;

	if (uaccess_page(address) == uaccess_readable)
		return true;
	if (raw_call(SYS_rt_sigprocmask, -1, (long)word, 0, SYS_SIGSET_SIZE, 0, 0) == -EFAULT)
		return false;
	uaccess_readable = uaccess_page(address);
	return true;
}

bool uaccess_is_readable(const void *from, size_t size)
{
	uintptr_t first = (uintptr_t)from, last = first + size - 1;

	if (!size)
		return true;
	return last >= first && uaccess_probe_read(last) && uaccess_probe_read(first);
}
