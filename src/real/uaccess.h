/* SPDX-License-Identifier: MIT */
/*
 * uaccess.h - the application's memory, of which the kernel would say EFAULT.
 *
 * We cannot fault and recover inside somebody else's program, so memory is asked
 * about before it is touched: one cheap system call a page, made once, because a
 * thread's buffers stay where they are.  A buffer that is unmapped after it was
 * used is the case this misses.
 *
 * Async-signal-safe; errno is not touched.
 */
#ifndef INTERPOLL_REAL_UACCESS_H
#define INTERPOLL_REAL_UACCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* The end of the addresses a program can have: the kernel's access_ok(). */
#if defined(__x86_64__)
#define UACCESS_END (((uintptr_t)1 << 47) - 4096)
#else
#define UACCESS_END ((uintptr_t)1 << 52)
#endif

/* Could @size bytes at @at be the program's at all? */
static inline bool uaccess_ok(const void *at, size_t size)
{
	return size <= UACCESS_END && (uintptr_t)at <= UACCESS_END - size;
}

/* Addresses lo <= a < hi are known to be writable. */
struct uaccess {
	uintptr_t lo, hi;
};

/* The slow half of uaccess_is_writable(). */
bool uaccess_extend(struct uaccess *known, uintptr_t first, uintptr_t end);

/* May @size bytes at @to, a page at most, be written?  If so @known remembers. */
static inline bool uaccess_is_writable(struct uaccess *known, const void *to, size_t size)
{
	uintptr_t first = (uintptr_t)to;

	if (__builtin_expect(first >= known->lo && first + size <= known->hi, 1))
		return true;
	return uaccess_extend(known, first, first + size);
}

/*
 * May @size bytes at @from be read?  Both ends are asked about, and the page that
 * the calling thread passed last, usually of its stack, is remembered.
 */
bool uaccess_is_readable(const void *from, size_t size);

/* That page; 1, which is the address of none, before the first. */
extern __thread uintptr_t uaccess_readable __attribute__((tls_model("initial-exec")));

/* The smallest there is: asking about a page twice is no harm. */
#define UACCESS_PAGE ((uintptr_t)4096)

static inline uintptr_t uaccess_page(uintptr_t address)
{
	return address & ~(UACCESS_PAGE - 1);
}

/* Copy what the application passed to epoll_ctl(2).  0 or -EFAULT. */
static inline int uaccess_copy_event(struct epoll_event *to, const struct epoll_event *from)
{
	uintptr_t first = (uintptr_t)from, last = first + sizeof(*from) - 1;

	if (__builtin_expect(uaccess_page(first) != uaccess_readable ||
				     uaccess_page(last) != uaccess_readable,
			     0) &&
	    !uaccess_is_readable(from, sizeof(*from)))
		return -EFAULT;
	*to = *from;
	return 0;
}

#endif
