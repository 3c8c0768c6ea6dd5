/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - what the entry of syscall() and the C behind it know of each other.
 */
#ifndef INTERPOLL_PRELOAD_SYSCALL_H
#define INTERPOLL_PRELOAD_SYSCALL_H

#include <stdint.h>

/* Numbers from here on are none of ours. */
#define SYSCALL_ROUTES 512

/* How syscall() goes on for a number. */
#define SYSCALL_NEXT	 0 /* to the next definition, all registers as they were */
#define SYSCALL_DISPATCH 1 /* to syscall_dispatch() */
#define SYSCALL_PROCESS	 2 /* makes a process: syscall_route_process() decides */
#define SYSCALL_VFORK	 3 /* and that says: the child returns on our stack */

/* Find the next definition; until then syscall() goes through C. */
void syscall_init(void);

#endif
