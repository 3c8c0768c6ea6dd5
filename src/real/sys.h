/* SPDX-License-Identifier: MIT */
/*
 * sys.h - raw system calls.
 *
 * Everything interpoll asks of the kernel on its own behalf goes through here:
 * the calls are no cancellation points, leave errno alone, cannot be
 * intercepted by ourselves or by another preload, and are async-signal-safe.
 * Each returns what the kernel returns: 0 or more, or -errno.
 */
#ifndef INTERPOLL_REAL_SYS_H
#define INTERPOLL_REAL_SYS_H

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/raw.h"

#define sys_arg(x) ((long)(uintptr_t)(x))

/* The kernel's sigset_t, not libc's: what the *_sigmask arguments count. */
#define SYS_SIGSET_SIZE (_NSIG / 8)

static inline int sys_epoll_create1(int flags)
{
	return (int)raw_call(SYS_epoll_create1, flags, 0, 0, 0, 0, 0);
}

static inline int sys_epoll_ctl(int epfd, int op, int fd, const struct epoll_event *event)
{
	return (int)raw_call(SYS_epoll_ctl, epfd, op, fd, sys_arg(event), 0, 0);
}

/* Collect what is there, at most @max events; never blocks. */
static inline int sys_epoll_collect(int epfd, struct epoll_event *events, int max)
{
#ifdef SYS_epoll_wait /* a tenth cheaper, but newer architectures have it not */
	return (int)raw_call(SYS_epoll_wait, epfd, sys_arg(events), max, 0, 0, 0);
#else
	return (int)raw_call(SYS_epoll_pwait, epfd, sys_arg(events), max, 0, 0, SYS_SIGSET_SIZE);
#endif
}

/* Poll @nr files once; never blocks. */
static inline int sys_poll_now(struct pollfd *fds, unsigned int nr)
{
#ifdef SYS_poll
	return (int)raw_call(SYS_poll, sys_arg(fds), nr, 0, 0, 0, 0);
#else
	struct timespec timeout = {0, 0};

	return (int)raw_call(SYS_ppoll, sys_arg(fds), nr, sys_arg(&timeout), 0, SYS_SIGSET_SIZE, 0);
#endif
}

/* Poll @nr files; sleeps up to @timeout (NULL: for ever). */
static inline int sys_ppoll(struct pollfd *fds, unsigned int nr, struct timespec *timeout)
{
	return (int)raw_call(SYS_ppoll, sys_arg(fds), nr, sys_arg(timeout), 0, SYS_SIGSET_SIZE, 0);
}

/* The processors that the calling thread may run on. */
static inline int sys_sched_getaffinity(cpu_set_t *ret)
{
	CPU_ZERO(ret);
	return (int)raw_call(SYS_sched_getaffinity, 0, sizeof(*ret), sys_arg(ret), 0, 0, 0);
}

/* How often the calling thread has let go of its processor, and how often it had to. */
struct sys_switches {
	long voluntary, involuntary;
};

static inline struct sys_switches sys_thread_switches(void)
{
	struct rusage usage = {0};

	raw_call(SYS_getrusage, RUSAGE_THREAD, sys_arg(&usage), 0, 0, 0, 0);
	return (struct sys_switches){usage.ru_nvcsw, usage.ru_nivcsw};
}

/* As clock_now_ns(), for where libc's function must not be called. */
static inline uint64_t sys_now_ns(void)
{
	struct timespec now;

	raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, sys_arg(&now), 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int sys_close(int fd)
{
	return (int)raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_dup3(int oldfd, int newfd, int flags)
{
	return (int)raw_call(SYS_dup3, oldfd, newfd, flags, 0, 0, 0);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)raw_call(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)raw_call(SYS_ioctl, fd, (long)request, sys_arg(arg), 0, 0, 0);
}

/* @len: how much room @value has; how much was written on return. */
static inline int sys_getsockopt(int fd, int level, int name, void *value, unsigned int *len)
{
	return (int)raw_call(SYS_getsockopt, fd, level, name, sys_arg(value), sys_arg(len), 0);
}

static inline int sys_eventfd2(unsigned int count, int flags)
{
	return (int)raw_call(SYS_eventfd2, count, flags, 0, 0, 0, 0);
}

static inline int sys_openat(int dirfd, const char *path, int flags)
{
	return (int)raw_call(SYS_openat, dirfd, sys_arg(path), flags, 0, 0, 0);
}

static inline long sys_read(int fd, void *buf, size_t len)
{
	return raw_call(SYS_read, fd, sys_arg(buf), (long)len, 0, 0, 0);
}

static inline long sys_write(int fd, const void *buf, size_t len)
{
	return raw_call(SYS_write, fd, sys_arg(buf), (long)len, 0, 0, 0);
}

static inline long sys_readlinkat(int dirfd, const char *path, char *buf, size_t len)
{
	return raw_call(SYS_readlinkat, dirfd, sys_arg(path), sys_arg(buf), (long)len, 0, 0);
}

static inline int sys_fstat(int fd, struct stat *st)
{
	return (int)raw_call(SYS_fstat, fd, sys_arg(st), 0, 0, 0, 0);
}

static inline int sys_getpid(void)
{
	return (int)raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_gettid(void)
{
	return (int)raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* Does thread @tid of process @pid exist? */
static inline bool sys_has_thread(int pid, int tid)
{
	return raw_call(SYS_tgkill, pid, tid, 0, 0, 0, 0) == 0;
}

static inline long sys_getrandom(void *buf, size_t len)
{
	return raw_call(SYS_getrandom, sys_arg(buf), (long)len, 0, 0, 0, 0);
}

/* Sleep until somebody wakes @word, but not if it is no longer @value.  May end early. */
static inline void sys_futex_wait(const uint32_t *word, uint32_t value)
{
	raw_call(SYS_futex, sys_arg(word), FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static inline void sys_futex_wake_all(const uint32_t *word)
{
	raw_call(SYS_futex, sys_arg(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, 0, 0, 0);
}

/*
 * The alternate signal stack of the calling thread, of size 0 if there is none;
 * SS_ONSTACK if it is running there.
 */
static inline stack_t sys_altstack(void)
{
	stack_t ss = {.ss_flags = SS_DISABLE};

	raw_call(SYS_sigaltstack, 0, sys_arg(&ss), 0, 0, 0, 0);
	if (ss.ss_flags & SS_DISABLE)
		ss.ss_size = 0;
	return ss;
}

#endif
