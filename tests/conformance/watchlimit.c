// SPDX-License-Identifier: MIT
/*
 * watchlimit.c - ENOSPC: no more watches than max_user_watches.
 *
 * Lowering the limit would be felt by everybody on the machine, and reaching it takes
 * a gigabyte.  So a thread of ours stands in for the kernel's count: a seccomp filter
 * asks it about every epoll_ctl, and it lets the call through or refuses.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/raw.h"
#include "stage.h"

#define NO_KERNEL_EPOLL "the poll source puts no watch to the kernel, which cannot refuse it"

#define LIMIT 20

/* ---- the count --------------------------------------------------------- */

struct warden {
	int listener;
	int nr_watches;
	pthread_t thread;
	_Atomic int ready_listener; /* -1: not yet */
};

/* Every ADD that is let through succeeds, and every DEL: the claims see to that. */
static void warden_answer(struct warden *warden, const struct seccomp_notif *call)
{
	struct seccomp_notif_resp answer = {.id = call->id};
	int op = (int)call->data.args[1];

	if (op == EPOLL_CTL_ADD && warden->nr_watches == LIMIT) {
		answer.error = -ENOSPC;
	} else {
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		warden->nr_watches += (op == EPOLL_CTL_ADD) - (op == EPOLL_CTL_DEL);
	}
	ioctl(warden->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Until the claim ends, with the whole process. */
static void *warden_run(void *argument)
{
	struct warden *warden = argument;
	struct seccomp_notif call;

	while ((warden->listener = atomic_load(&warden->ready_listener)) < 0)
		sched_yield();
	for (;;) {
		memset(&call, 0, sizeof(call));
		if (ioctl(warden->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
			warden_answer(warden, &call);
		else if (errno != EINTR && errno != ENOENT)
			return NULL;
	}
}

/* The thread is there before the filter, so its own calls are not asked about. */
static void warden_start(struct warden *warden)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	long listener;

	*warden = (struct warden){.ready_listener = -1};
	EXPECT_INT(pthread_create(&warden->thread, NULL, warden_run, warden), ==, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    (long)&program, 0, 0, 0);
	if (listener < 0)
		claim_impossible("no seccomp filter can ask us: %s",
				 strerrorname_np((int)-listener));
	atomic_store(&warden->ready_listener, (int)listener);
}

static void add_all(int epfd, const int *fds, int nr)
{
	for (int i = 0; i < nr; i++)
		watch(epfd, fds[i], EPOLLIN | EPOLLONESHOT, (uint64_t)i);
}

static void files_open(int fds[LIMIT + 1])
{
	for (int i = 0; i <= LIMIT; i++)
		fds[i] = eventfd_open(1);
}

static void end(struct warden *warden, const int fds[LIMIT + 1])
{
	close_all(__FILE__, __LINE__, fds, LIMIT + 1);
	CLOSE(warden->ready_listener);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, ENOSPC_at_the_limit_and_not_below)
{
	static struct warden warden;
	int fds[LIMIT + 1], epfd = epoll_open();

	files_open(fds);
	warden_start(&warden);
	add_all(epfd, fds, LIMIT);
	EXPECT_ERRNO(ctl_add(epfd, fds[LIMIT], EPOLLIN, 1), ENOSPC);
	EXPECT_ERRNO(ctl_mod(epfd, fds[LIMIT], EPOLLIN, 1), ENOENT);
	unwatch(epfd, fds[0]);
	watch(epfd, fds[LIMIT], EPOLLIN, 1);
	EXPECT_ERRNO(ctl_add(epfd, fds[0], EPOLLIN, 1), ENOSPC);
	CLOSE(epfd);
	end(&warden, fds);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, what_was_deleted_does_not_count)
{
	static struct warden warden;
	int fds[LIMIT + 1], epfd = epoll_open();

	files_open(fds);
	warden_start(&warden);
	for (int round = 0; round < 3; round++) {
		add_all(epfd, fds, LIMIT);
		for (int i = 0; i < LIMIT; i++)
			unwatch(epfd, fds[LIMIT - 1 - i]);
		watch(epfd, fds[LIMIT], EPOLLIN, 1);
		add_all(epfd, fds, LIMIT - 1);
		EXPECT_ERRNO(ctl_add(epfd, fds[LIMIT - 1], EPOLLIN, 1), ENOSPC);
		for (int i = 0; i < LIMIT - 1; i++)
			unwatch(epfd, fds[i]);
		unwatch(epfd, fds[LIMIT]);
	}
	CLOSE(epfd);
	end(&warden, fds);
}

CLAIM_ONLY("native epoll", NO_KERNEL_EPOLL, what_was_deleted_in_another_eventpoll_does_not_count)
{
	static struct warden warden;
	int fds[LIMIT + 1], one = epoll_open(), other = epoll_open(), third = epoll_open();

	files_open(fds);
	warden_start(&warden);
	add_all(one, fds, LIMIT / 2);
	add_all(other, fds, LIMIT / 2);
	for (int i = 0; i < LIMIT / 2; i++) {
		unwatch(one, fds[i]);
		unwatch(other, fds[i]);
	}
	add_all(third, fds, LIMIT);
	EXPECT_ERRNO(ctl_add(one, fds[0], EPOLLIN, 1), ENOSPC);
	for (int i = 0; i < LIMIT; i++)
		unwatch(third, fds[i]);
	add_all(one, fds, LIMIT);
	CLOSE(one, other, third);
	end(&warden, fds);
}
