// SPDX-License-Identifier: MIT
/*
 * session_file.c - the launcher's side: the file is made, read and removed.
 */
#include "trace/session_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real/sys.h"

void session_layout_init(struct session *session)
{
	session->version = SESSION_VERSION;
	session->nr_probes = PROBE_MAX;
	session->size = sizeof(*session);
	memcpy(session->magic, SESSION_MAGIC, sizeof(session->magic));
}

static struct session *make_file(const char *dir, char *path, size_t size)
{
	struct session *session = NULL;
	int len, fd, err;

	len = snprintf(path, size, "%s/interpoll-XXXXXX", dir);
	if (len < 0 || (size_t)len >= size) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	fd = mkostemp(path, O_CLOEXEC); /* O_EXCL and 0600 are its own */
	if (fd < 0)
		return NULL;
	err = posix_fallocate(fd, 0, sizeof(*session));
	if (!err) {
		session = mmap(NULL, sizeof(*session), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (session == MAP_FAILED)
			err = errno;
		else
			session_layout_init(session);
	}
	sys_close(fd);
	if (!err)
		return session;
	unlink(path);
	errno = err;
	return NULL;
}

struct session *session_new(char *path, size_t size)
{
	const char *dirs[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
	struct session *session;
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		/* Relative paths would mean something else after a chdir. */
		if (!dirs[i] || dirs[i][0] != '/')
			continue;
		session = make_file(dirs[i], path, size);
		if (session)
			return session;
	}
	return NULL;
}

void session_free(struct session *session, const char *path)
{
	munmap(session, sizeof(*session));
	unlink(path);
}

unsigned int session_nr_arrived(const struct session *session)
{
	return load(&session->nr_arrived);
}

static void sum_counts(struct probe_counts *sum, const struct probe_counts *counts)
{
	int i;

	for (i = 0; i < PROBE_MAX; i++)
		sum->n[i] += load_any(&counts->n[i]);
}

static void read_slot(const struct session *session, uint32_t slot, struct session_process *ret)
{
	const struct process *process = &session->process[slot];
	struct session_eventpoll eventpoll;
	unsigned int cursor = 0;

	memset(ret, 0, sizeof(*ret));
	ret->state = load(&process->state);
	ret->pid = process->pid;
	ret->ppid = process->ppid;
	ret->parent = process->parent;
	ret->flags = process->flags;
	ret->start_ns = process->start_ns;
	session_copy_word(ret->name, sizeof(ret->name), process->name);
	session_copy_word(ret->source, sizeof(ret->source), process->source);
	session_copy_word(ret->driver, sizeof(ret->driver), process->driver);
	ret->nr_eventpolls = load_any(&process->nr_eventpolls);
	ret->nr_open = load_any(&process->nr_open);
	ret->nr_shared = load_any(&process->nr_shared);
	sum_counts(&ret->counts, &process->folded);
	sum_counts(&ret->counts, &process->shared);
	while (session_next_eventpoll(session, slot, &cursor, &eventpoll))
		sum_counts(&ret->counts, &eventpoll.counts);
}

bool session_read_process(const struct session *session, unsigned int slot,
			  struct session_process *ret)
{
	if (slot >= SESSION_NR_PROCESSES || slot >= load(&session->nr_processes))
		return false;
	if (!session_is_taken(load(&session->process[slot].state)))
		return false;
	read_slot(session, slot, ret);
	return true;
}

bool session_next_eventpoll(const struct session *session, unsigned int slot, unsigned int *cursor,
			    struct session_eventpoll *ret)
{
	uint32_t i;

	if (!load_any(&session->process[slot].nr_open))
		return false;
	for (i = *cursor; i < SESSION_NR_BLOCKS; i++) {
		if (load(&session->owner[i]) != slot + 1)
			continue;
		memset(ret, 0, sizeof(*ret));
		ret->fd = load_any(&session->fd[i]);
		sum_counts(&ret->counts, &session->block[i].counts);
		*cursor = i + 1;
		return true;
	}
	return false;
}

uint64_t session_read_earlier(const struct session *session, struct session_process *ret)
{
	read_slot(session, CROWD, ret);
	return load_any(&session->process[CROWD].nr_earlier);
}

uint64_t session_nr_watches(const struct probe_counts *counts)
{
	uint64_t gone = counts->n[PROBE_DEL] + counts->n[PROBE_CLOSED];

	/* A forked child starts with copies that it never added. */
	return counts->n[PROBE_ADD] > gone ? counts->n[PROBE_ADD] - gone : 0;
}
