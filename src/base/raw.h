/* SPDX-License-Identifier: MIT */
/*
 * raw.h - system calls without libc.
 *
 * libc's syscall() is one of the names we export, so inside the library it
 * would lead back to ourselves; its wrappers set errno, and many of them are
 * cancellation points.  raw_call() is neither: it enters the kernel and hands
 * back what the kernel said.
 */
#ifndef INTERPOLL_BASE_RAW_H
#define INTERPOLL_BASE_RAW_H

/*
 * raw_call - make system call @nr with six arguments (pass 0 for the rest).
 * Returns the kernel's result: >= 0, or -errno in -4095..-1; errno itself is
 * not touched.  Async-signal-safe, no cancellation point.
 */
static inline long raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "raw_call() is written for x86-64 and aarch64 only"
#endif
}

#endif
