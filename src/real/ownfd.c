// SPDX-License-Identifier: MIT
#include "real/ownfd.h"

#include <string.h>

#include "real/procpath.h"
#include "real/sys.h"

/* Far above what a server hands out to its first clients, below the usual limit. */
#define OWNFD_MIN 512

#define OWNFD_LINK_MAX	 32 /* of "PID/task/TID" */
#define OWNFD_NAME_SIZE	 (sizeof("/proc/") + OWNFD_LINK_MAX + PROCPATH_SIZE)
#define OWNFD_SEARCH_MAX 65536

void (*ownfd_was_taken)(int fd);
void (*ownfd_was_closed)(int fd);

/*
 * Of which descriptor the calling thread has, or may have, the fdinfo open, plus 1;
 * 0: of none.  The number it has it under cannot be noted for certain: a jump may
 * come between the system call and the note.
 */
static __thread int ownfd_looked_at __attribute__((tls_model("initial-exec")));

static void ownfd_look_at(int fd_or_none)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&ownfd_looked_at, fd_or_none + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int ownfd_borrow_fdinfo(int fd)
{
	char buffer[PROCPATH_SIZE];
	const char *path = procpath(buffer, "fdinfo", fd);
	int info;

	ownfd_look_at(fd);
	info = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		ownfd_look_at(-1);
	return info;
}

void ownfd_return(int info)
{
	sys_close(info);
	ownfd_look_at(-1);
}

/*
 * Is @fd open, and the file that /proc calls @name?  In @name there is the thread, so
 * nobody else has it.
 */
static bool ownfd_is_called(int fd, const char *name, size_t length)
{
	char path[PROCPATH_SIZE], link[OWNFD_NAME_SIZE];
	long got = sys_readlinkat(AT_FDCWD, procpath(path, "fd", fd), link, sizeof(link));

	return got == (long)length && memcmp(link, name, length) == 0;
}

/* What /proc calls the fdinfo of @fd.  Returns its length, or -errno. */
static long ownfd_name(char name[OWNFD_NAME_SIZE], int fd)
{
	static const char proc[] = "/proc/", self[] = "/proc/thread-self";
	char path[PROCPATH_SIZE];
	const char *file = procpath(path, "fdinfo", fd) + strlen(self);
	char *end = name + strlen(proc);
	long length;

	memcpy(name, proc, strlen(proc));
	length = sys_readlinkat(AT_FDCWD, self, end, OWNFD_LINK_MAX); /* "PID/task/TID" */
	if (length < 0)
		return length;
	end += length;
	memcpy(end, file, strlen(file));
	return end - name + (long)strlen(file);
}

void ownfd_recover(void)
{
	char name[OWNFD_NAME_SIZE];
	long length;

	if (!ownfd_looked_at)
		return;
	length = ownfd_name(name, ownfd_looked_at - 1);
	for (int fd = 0; length > 0 && fd < OWNFD_SEARCH_MAX; fd++) {
		if (ownfd_is_called(fd, name, (size_t)length)) {
			sys_close(fd);
			break;
		}
	}
	ownfd_look_at(-1);
}

static int ownfd_note(int fd)
{
	if (fd >= 0 && ownfd_was_taken)
		ownfd_was_taken(fd);
	return fd;
}

static int ownfd_dup_high(int fd)
{
	return ownfd_note(sys_fcntl(fd, F_DUPFD_CLOEXEC, OWNFD_MIN));
}

int ownfd_dup(int fd)
{
	int own = ownfd_dup_high(fd);

	if (own < 0) /* the limit is low: better a small number than none */
		own = ownfd_note(sys_fcntl(fd, F_DUPFD_CLOEXEC, 0));
	return own;
}

int ownfd_take(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = ownfd_dup_high(fd);
	if (high < 0)
		return ownfd_note(fd);
	sys_close(fd);
	return high;
}

void ownfd_close(int fd)
{
	if (fd < 0)
		return;
	if (ownfd_was_closed)
		ownfd_was_closed(fd);
	sys_close(fd);
}
