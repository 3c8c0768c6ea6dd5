/* SPDX-License-Identifier: MIT */
/*
 * jmpbuf.h - where a jump goes.
 *
 * libc hides what it keeps in a jmp_buf: xor'ed with a guard of the process, and
 * rotated.  jmpbuf_init() tries whether we can read it.
 */
#ifndef INTERPOLL_REAL_JMPBUF_H
#define INTERPOLL_REAL_JMPBUF_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* Once, before the first jmpbuf_sp(). */
void jmpbuf_init(void);

/*
 * The stack pointer that a jump to @env sets; 0 where it cannot be read (other
 * processors than x86-64, another libc).  Async-signal-safe.
 */
uintptr_t jmpbuf_sp(const struct __jmp_buf_tag *env);

#endif
