// SPDX-License-Identifier: MIT
/*
 * syscall.c - syscall(): the intercepted calls by number.
 *
 * Numbers that are not ours must reach the next definition as if we were not
 * there: same registers, same stack, same return address (the child of a clone
 * returns on a stack of its own).  So the entry is assembly (syscall_entry.c);
 * what is ours comes here with the arguments of syscall() itself.
 *
 * A call by number is no cancellation point, whatever the function of that name is.
 */
#include "preload/syscall.h"

#include <linux/sched.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "fd/control.h"
#include "fd/lifetime.h"
#include "fd/passing.h"
#include "real/uaccess.h"
#include "preload/epoll.h"
#include "preload/preload.h"
#include "real/sys.h"

/* Read by the entry. */
__attribute__((visibility("hidden"), used)) void *syscall_next;

__attribute__((visibility("hidden"), used)) const uint8_t syscall_routes[SYSCALL_ROUTES] = {
#define CALL(name, family, why)
#define NUMBER(name, family)  [SYS_##name] = SYSCALL_ROUTE_##family,
#define SYSCALL_ROUTE_epoll   SYSCALL_DISPATCH
#define SYSCALL_ROUTE_close   SYSCALL_DISPATCH
#define SYSCALL_ROUTE_dup     SYSCALL_DISPATCH
#define SYSCALL_ROUTE_poll    SYSCALL_DISPATCH
#define SYSCALL_ROUTE_send    SYSCALL_DISPATCH
#define SYSCALL_ROUTE_exec    SYSCALL_DISPATCH
#define SYSCALL_ROUTE_syscall SYSCALL_DISPATCH
#define SYSCALL_ROUTE_process SYSCALL_PROCESS
#define SYSCALL_ROUTE_vfork   SYSCALL_PROCESS
#include "real/calls.def"
#undef CALL
#undef NUMBER
};

/* The six arguments, as syscall() got them. */
struct syscall_args {
	long nr, a, b, c, d, e, f;
};

void syscall_init(void)
{
	__atomic_store_n(&syscall_next, (void *)(uintptr_t)real()->syscall, __ATOMIC_RELEASE);
}

static long syscall_call_next(const struct syscall_args *args)
{
	return real()->syscall(args->nr, args->a, args->b, args->c, args->d, args->e, args->f);
}

static long syscall_close(const struct syscall_args *args)
{
	int fd = (int)args->a;

	if (table_is_internal(fd))
		return preload_return(-EBADF);
	lifetime_forget(fd);
	return syscall_call_next(args);
}

static int syscall_close_piece(unsigned int first, unsigned int last, int flags)
{
	return (int)real()->syscall(SYS_close_range, first, last, flags);
}

static long syscall_close_range(const struct syscall_args *args)
{
	unsigned int first = (unsigned int)args->a, last = (unsigned int)args->b;
	int flags = (int)args->c;

	if (first > last || (flags & ~(int)CLOSE_RANGE_UNSHARE))
		return syscall_call_next(args);
	lifetime_forget_range(first, last);
	return lifetime_close_around_own(first, last, flags, syscall_close_piece);
}

static long syscall_dup(const struct syscall_args *args)
{
	long ret = syscall_call_next(args);

	if (ret >= 0)
		lifetime_share((int)args->a, (int)ret);
	return ret;
}

static long syscall_dup2(const struct syscall_args *args)
{
	int flags = args->nr == SYS_dup3 ? (int)args->c : -1;
	int ret = lifetime_before_dup2((int)args->a, (int)args->b, flags);

	return ret < 0 ? preload_return(ret) : syscall_dup(args);
}

static long syscall_fcntl(const struct syscall_args *args)
{
	if (args->b == F_DUPFD || args->b == F_DUPFD_CLOEXEC)
		return syscall_dup(args);
	return syscall_call_next(args);
}

static long syscall_wait(struct file *epfile, const struct ep_wait_args *wait)
{
	int state;
	long ret;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ret = preload_return(control_wait(epfile, wait));
	pthread_setcancelstate(state, NULL);
	return ret;
}

/* The mask is the kernel's, 8 bytes, and is followed by its size. */
static long syscall_epoll_wait(const struct syscall_args *args)
{
	bool has_mask = args->nr == SYS_epoll_pwait || args->nr == SYS_epoll_pwait2;
	const void *mask = has_mask ? (const void *)args->e : NULL;
	struct file *epfile = epoll_find_for_wait((int)args->a, (int)args->c, mask);
	struct ep_wait_args wait = {(struct epoll_event *)args->b, (int)args->c, 0, NULL};
	sigset_t copy;

	if (!epfile || (mask && args->f != SYS_SIGSET_SIZE))
		return syscall_call_next(args);
	if (mask) {
		memset(&copy, 0, sizeof(copy));
		memcpy(&copy, mask, SYS_SIGSET_SIZE);
		wait.sigmask = &copy;
	}
	if (args->nr != SYS_epoll_pwait2)
		wait.timeout_ns = clock_from_ms((int)args->d);
	else if (!epoll_read_timeout((const struct timespec *)args->d, &wait.timeout_ns))
		return syscall_call_next(args);
	return syscall_wait(epfile, &wait);
}

static long syscall_epoll_create(const struct syscall_args *args)
{
	int flags = args->nr == SYS_epoll_create1 ? (int)args->a : 0;

	if (args->nr != SYS_epoll_create1 && (int)args->a <= 0)
		return syscall_call_next(args);
	return preload_return(control_create(flags));
}

static long syscall_epoll_ctl(const struct syscall_args *args)
{
	struct file *epfile = epoll_find((int)args->a);

	if (!epfile) {
		if ((int)args->b == EPOLL_CTL_ADD)
			control_watched((int)args->c);
		return syscall_call_next(args);
	}
	return preload_return(
		control_ctl(epfile, (int)args->b, (int)args->c, (struct epoll_event *)args->d));
}

/* libuv takes any failure for a kernel without io_uring. */
static long syscall_io_uring_setup(const struct syscall_args *args)
{
	if (preload_refuses_io_uring)
		return preload_return(-ENOSYS);
	control_distrust();
	return syscall_call_next(args);
}

/* A plain fork by number; vfork and threads never come here. */
static long syscall_fork(const struct syscall_args *args)
{
	long ret;

	process_fork_prepare();
	ret = syscall_call_next(args);
	if (ret == 0)
		process_fork_child();
	else
		process_fork_parent();
	return ret;
}

static long syscall_receive(const struct syscall_args *args)
{
	long ret = syscall_call_next(args);

	if (ret >= 0 && args->nr == SYS_recvmsg)
		passing_receive((const struct msghdr *)args->b);
	else if (ret > 0)
		passing_receive_many((const struct mmsghdr *)args->b, (unsigned int)ret);
	return ret;
}

/* The numbers whose arguments are looked at before they are passed on. */
static long syscall_look(const struct syscall_args *args)
{
	switch (args->nr) {
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		control_polled((const struct pollfd *)args->a, (nfds_t)args->b);
		break;
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
		control_selected((int)args->a, (const fd_set *)args->b);
		break;
	case SYS_sendmsg:
		passing_send((const struct msghdr *)args->b);
		break;
	case SYS_sendmmsg:
		passing_send_many((const struct mmsghdr *)args->b, (unsigned int)args->c);
		break;
	case SYS_execve:
	case SYS_execveat:
		passing_exec();
		break;
	}
	return syscall_call_next(args);
}

static long syscall_dispatch_active(const struct syscall_args *args)
{
	switch (args->nr) {
	case SYS_close:
		return syscall_close(args);
	case SYS_close_range:
		return syscall_close_range(args);
	case SYS_dup:
		return syscall_dup(args);
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
		return syscall_dup2(args);
	case SYS_fcntl:
		return syscall_fcntl(args);
#ifdef SYS_epoll_create
	case SYS_epoll_create:
#endif
	case SYS_epoll_create1:
		return syscall_epoll_create(args);
	case SYS_epoll_ctl:
		return syscall_epoll_ctl(args);
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return syscall_epoll_wait(args);
	case SYS_io_uring_setup:
		return syscall_io_uring_setup(args);
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_clone:
	case SYS_clone3:
		return syscall_fork(args);
	case SYS_recvmsg:
	case SYS_recvmmsg:
		return syscall_receive(args);
	default:
		return syscall_look(args);
	}
}

/* Called by the entry with the arguments and the return address of syscall(). */
__attribute__((visibility("hidden"), used)) long syscall_dispatch(long nr, long a, long b, long c,
								  long d, long e, long f);

long syscall_dispatch(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct syscall_args args = {nr, a, b, c, d, e, f};

	return preload_is_active() ? syscall_dispatch_active(&args) : syscall_call_next(&args);
}

/* The flags and the stack of a call that makes a process; zero for fork and vfork. */
static uint64_t syscall_clone_flags(long nr, long a, long b, bool *ret_has_stack)
{
	struct clone_args clone = {.flags = 0};

	*ret_has_stack = false;
#ifdef SYS_vfork
	if (nr == SYS_vfork)
		return CLONE_VM | CLONE_VFORK;
#endif
	if (nr == SYS_clone3) {
		if ((size_t)b < CLONE_ARGS_SIZE_VER0 ||
		    !uaccess_is_readable((const void *)a, CLONE_ARGS_SIZE_VER0))
			return 0;
		memcpy(&clone, (const void *)a, CLONE_ARGS_SIZE_VER0);
	} else if (nr == SYS_clone) {
		clone.flags = (uint64_t)a;
		clone.stack = (uint64_t)b;
	}
	*ret_has_stack = clone.stack != 0;
	return clone.flags;
}

/*
 * Called by the entry.  A child with a stack of its own, and one that shares
 * our memory and does not borrow it for a moment, must not come back through C.
 */
__attribute__((visibility("hidden"), used)) int syscall_route_process(long nr, long a, long b);

int syscall_route_process(long nr, long a, long b)
{
	bool has_stack;
	uint64_t flags = syscall_clone_flags(nr, a, b, &has_stack);

	if (!preload_is_active())
		return SYSCALL_NEXT;
	if (!(flags & CLONE_VM) && !(flags & CLONE_FILES) && !has_stack)
		return SYSCALL_DISPATCH;
	if ((flags & CLONE_VM) && (flags & CLONE_VFORK) && !has_stack) {
		process_vfork_enter();
		return SYSCALL_VFORK;
	}
	if (!(flags & CLONE_FILES)) {
		process_begin();
		process_end();
	}
	return SYSCALL_NEXT;
}
