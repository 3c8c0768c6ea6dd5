/* SPDX-License-Identifier: MIT */
/*
 * real.h - the next definitions of the calls we intercept.
 *
 * "Next" is dlsym(RTLD_NEXT): usually libc, or another preload behind us, with
 * which interpoll chains.  Names libc declares nowhere are declared here.
 */
#ifndef INTERPOLL_REAL_REAL_H
#define INTERPOLL_REAL_REAL_H

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

/* Exported by glibc, declared by none of its headers. */
extern int __close(int fd);
extern int __dup2(int oldfd, int newfd);
extern int __fcntl(int fd, int cmd, ...);
extern int __poll(struct pollfd *fds, nfds_t nr, int timeout_ms);
extern int __poll_chk(struct pollfd *fds, nfds_t nr, int timeout_ms, size_t fds_size);
extern int __ppoll_chk(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		       const sigset_t *sigmask, size_t fds_size);
extern int __select(int nr, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
extern void __longjmp_chk(struct __jmp_buf_tag env[1], int value) __attribute__((noreturn));
extern pid_t __fork(void);
extern pid_t __vfork(void);

struct real {
#define CALL(name, family, why) __typeof__(name) *name;
#define NUMBER(name, family)
#include "real/calls.def"
#undef CALL
#undef NUMBER
};

/* Filled by real_init(); read it through real() only. */
extern struct real real_calls;
extern bool real_is_ready;

/*
 * Resolve every next definition.  Idempotent; racing callers write the same
 * values.  Called by the library's constructor and, for calls that arrive
 * before it (constructors of other libraries), by real().  Uses dlsym, which
 * for names that exist neither allocates nor fails.
 */
void real_init(void);

/* The table, resolved.  Async-signal-safe once the constructor has run. */
static inline const struct real *real(void)
{
	if (__builtin_expect(!__atomic_load_n(&real_is_ready, __ATOMIC_ACQUIRE), 0))
		real_init();
	return &real_calls;
}

#endif
