/* SPDX-License-Identifier: MIT */
/*
 * beacon.h - descriptors that can be made readable, and look like an epoll.
 *
 * A beacon is an epoll file in which one descriptor of ours, always readable, is
 * registered as long as the beacon is lit.  Other than an eventfd it is never
 * writable, a read from it fails, and a sleep in it is a sleep in epoll_wait(2):
 * it ends with EINTR whenever that one would, also after SIGCONT.
 *
 * Async-signal-safe but for beacon_init(); errno is not touched.
 */
#ifndef INTERPOLL_REAL_BEACON_H
#define INTERPOLL_REAL_BEACON_H

/*
 * Make the descriptor that lights beacons, if this process has none.  To be called
 * before the first beacon_light(); by several threads at once if need be.
 * 0, -EMFILE, -ENFILE, -ENOMEM.
 */
int beacon_init(void);

/* @flags: EPOLL_CLOEXEC or 0.  A descriptor like any other, or -errno. */
int beacon_open(int flags);

/* Make @fd readable, or not.  Nothing if it is so already. */
void beacon_light(int fd);
void beacon_douse(int fd);

/*
 * Would an epoll watch @fd?  0, or what epoll_ctl(2) says: the kernel only knows for
 * certain.  (Some regular files can be polled, /proc/self/mounts; some devices cannot.)
 * @beacon is asked itself: who jumps away in between leaves a watch there that is met
 * again, and no descriptor.
 */
int beacon_ask(int beacon, int fd);

/* In the child of fork: the descriptor that lights beacons is closed. */
void beacon_reset(void);

#endif
