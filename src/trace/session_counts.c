// SPDX-License-Identifier: MIT
/*
 * session_counts.c - blocks of counters: claimed, folded, given back.
 */
#include "trace/session_layout.h"

/* Counts from before session_open(), or when there is no memory at all. */
static struct probe_counts nowhere;

void session_fold_counts(struct probe_counts *from, struct probe_counts *to)
{
	int i;

	for (i = 0; i < PROBE_MAX; i++) {
		if (!load_any(&from->n[i]))
			continue;
		add(&to->n[i], __atomic_exchange_n(&from->n[i], 0, __ATOMIC_RELAXED));
	}
}

void session_fold_blocks(struct session *session, uint32_t slot)
{
	struct process *process = &session->process[slot];
	uint32_t i, owner;

	if (!load_any(&process->nr_open))
		return;
	for (i = 0; i < SESSION_NR_BLOCKS; i++) {
		if (load(&session->owner[i]) != slot + 1)
			continue;
		session_fold_counts(&session->block[i].counts, &process->folded);
		owner = slot + 1;
		if (swap(&session->owner[i], &owner, NO_OWNER))
			subtract(&session->nr_blocks, 1);
	}
	store(&process->nr_open, 0);
}

/* Reserve first: a reservation granted means that a free block exists. */
static bool reserve_block(struct session *session)
{
	if (load_any(&session->nr_blocks) < SESSION_NR_BLOCKS) {
		if (add(&session->nr_blocks, 1) < SESSION_NR_BLOCKS)
			return true;
		subtract(&session->nr_blocks, 1);
	}
	return false;
}

struct probe_counts *session_counts_get(void)
{
	struct session *session = session_place.session;
	struct process *process = session_place.process;
	uint32_t i, tried, free_owner;

	if (!session)
		return &nowhere;
	add(&process->nr_eventpolls, 1);
	if (session_place.slot == CROWD || !reserve_block(session)) {
		add(&process->nr_shared, 1);
		return &process->shared;
	}
	i = load_any(&session->block_hint);
	for (tried = 0; tried < 2 * SESSION_NR_BLOCKS; tried++, i++) {
		i %= SESSION_NR_BLOCKS;
		free_owner = NO_OWNER;
		if (load_any(&session->owner[i]) != NO_OWNER ||
		    !swap(&session->owner[i], &free_owner, session_place.slot + 1))
			continue;
		session->fd[i] = -1;
		add(&process->nr_open, 1);
		__atomic_store_n(&session->block_hint, i + 1, __ATOMIC_RELAXED);
		return &session->block[i].counts;
	}
	/* Others were faster at every step, or a killed process leaked reservations. */
	subtract(&session->nr_blocks, 1);
	add(&process->nr_shared, 1);
	return &process->shared;
}

/* The index of the block @counts belongs to, or -1: shared, or another process's. */
static long own_block(const struct probe_counts *counts)
{
	const struct session *session = session_place.session;
	uintptr_t offset;

	if (!session || (uintptr_t)counts < (uintptr_t)session->block)
		return -1;
	offset = (uintptr_t)counts - (uintptr_t)session->block;
	if (offset >= sizeof(session->block))
		return -1;
	offset /= sizeof(session->block[0]);
	return load(&session->owner[offset]) == session_place.slot + 1 ? (long)offset : -1;
}

void session_counts_set_fd(struct probe_counts *counts, int fd)
{
	long i = own_block(counts);

	if (i >= 0)
		__atomic_store_n(&session_place.session->fd[i], fd, __ATOMIC_RELAXED);
}

void session_counts_put(struct probe_counts *counts)
{
	long i = own_block(counts);

	if (i < 0)
		return;
	session_fold_counts(counts, &session_place.process->folded);
	subtract(&session_place.process->nr_open, 1);
	store(&session_place.session->owner[i], NO_OWNER);
	__atomic_store_n(&session_place.session->block_hint, (uint32_t)i, __ATOMIC_RELAXED);
	subtract(&session_place.session->nr_blocks, 1);
}
