// SPDX-License-Identifier: MIT
/*
 * zombies.c - watches whose descriptor is closed and whose description lives on.
 *
 * What keeps it alive, and in which state the watch was when its number went: every
 * combination of the two.
 *
 *	e0 -(state)-> p0, p0 closed, and its description still held by ...
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "states.h"

#define NO_ZOMBIES "poll(2) asks about numbers: a watch ends with its number"

#define COPY 600 /* a number nobody else has */

/* ---- what keeps the description alive ---------------------------------- */

struct zombie {
	int epfd;
	int p[2];      /* p[0] is watched under data 1, and closed */
	int copy;      /* of p[0], if we hold it; else -1 */
	int letter[2]; /* a socket pair, p[0] sent from [0] and on its way to [1] */
	struct gate gate;
	pid_t child;
};

struct life {
	void (*hold)(struct zombie *zombie);
	void (*fetch)(struct zombie *zombie);  /* bring it to zombie->copy; NULL: cannot be */
	void (*let_go)(struct zombie *zombie); /* what is not zombie->copy */
};

static void nothing_to_do(struct zombie *zombie)
{
	(void)zombie;
}

static void hold_dup(struct zombie *zombie)
{
	zombie->copy = MUST(dup(zombie->p[0]));
}

static void hold_dup2(struct zombie *zombie)
{
	zombie->copy = MUST(dup2(zombie->p[0], COPY));
}

static void hold_dup3(struct zombie *zombie)
{
	zombie->copy = MUST(dup3(zombie->p[0], COPY, O_CLOEXEC));
}

static void hold_dupfd(struct zombie *zombie)
{
	zombie->copy = MUST(fcntl(zombie->p[0], F_DUPFD, 100));
}

static void hold_dupfd_cloexec(struct zombie *zombie)
{
	zombie->copy = MUST(fcntl(zombie->p[0], F_DUPFD_CLOEXEC, 100));
}

static void hold_raw_dup(struct zombie *zombie)
{
	zombie->copy = (int)MUST(syscall(SYS_dup, zombie->p[0]));
}

static void hold_child(struct zombie *zombie)
{
	pid_t pid;

	gate_open(&zombie->gate);
	CHILD(pid)
	{
		CLOSE(zombie->p[1]);
		gate_wait(&zombie->gate);
	}
	zombie->child = pid;
}

static void let_child_go(struct zombie *zombie)
{
	gate_pass(&zombie->gate);
	child_join(zombie->child);
	gate_close(&zombie->gate);
}

static void hold_in_flight(struct zombie *zombie)
{
	unix_open(zombie->letter);
	fd_send(zombie->letter[0], zombie->p[0]);
}

static void fetch_letter(struct zombie *zombie)
{
	zombie->copy = fd_receive(zombie->letter[1]);
}

static void drop_letter(struct zombie *zombie)
{
	CLOSE(zombie->letter[0], zombie->letter[1]);
}

static void hold_received(struct zombie *zombie)
{
	hold_in_flight(zombie);
	fetch_letter(zombie);
	drop_letter(zombie);
}

/* ---- the script -------------------------------------------------------- */

static void zombie_open(struct zombie *zombie, const struct state *state, const struct life *life)
{
	*zombie = (struct zombie){.copy = -1};
	zombie->epfd = state_open(state, zombie->p);
	life->hold(zombie);
	state_enter(state, zombie->epfd, zombie->p);
}

static void zombie_close(struct zombie *zombie, const struct life *life)
{
	if (zombie->copy >= 0)
		CLOSE(zombie->copy);
	life->let_go(zombie);
	EXPECT_QUIET(zombie->epfd);
	CLOSE(zombie->epfd, zombie->p[1]);
}

static void expect_closed_number_is_EBADF(const struct zombie *zombie)
{
	EXPECT_ERRNO(ctl_mod(zombie->epfd, zombie->p[0], EPOLLIN, 5), EBADF);
	EXPECT_ERRNO(ctl_del(zombie->epfd, zombie->p[0]), EBADF);
	EXPECT_ERRNO(ctl_add(zombie->epfd, zombie->p[0], EPOLLIN, 5), EBADF);
}

/* Its number becomes another file's: that is to be watched on its own. */
static void reuse_number(const struct zombie *zombie, const struct state *state)
{
	struct epoll_event events[4];
	int event_fd = eventfd_open(1);
	int nr;

	if (event_fd != zombie->p[0]) {
		MUST(dup2(event_fd, zombie->p[0]));
		CLOSE(event_fd);
	}
	EXPECT_ERRNO(ctl_mod(zombie->epfd, zombie->p[0], EPOLLIN, 5), ENOENT);
	EXPECT_ERRNO(ctl_del(zombie->epfd, zombie->p[0]), ENOENT);
	watch(zombie->epfd, zombie->p[0], EPOLLIN | EPOLLONESHOT, 5);
	nr = MUST(epoll_wait(zombie->epfd, events, 4, 0));
	if (nr != 1 + state->shows[2])
		FAIL("%s, beside another file: got %d events", state->name, nr);
	rewatch(zombie->epfd, zombie->p[0], EPOLLIN | EPOLLONESHOT, 6);
	unwatch(zombie->epfd, zombie->p[0]);
	state_expect(state, "after another file", zombie->epfd, state->shows[2]);
	CLOSE(zombie->p[0]);
}

/* Its number names its description again: it is the watch it was. */
static void bring_back(struct zombie *zombie, const struct state *state)
{
	MUST(dup2(zombie->copy, zombie->p[0]));
	EXPECT_ERRNO(ctl_add(zombie->epfd, zombie->p[0], EPOLLIN, 7), EEXIST);
	state_expect(state, "brought back", zombie->epfd, state->shows[2]);
	if (state->mode & EPOLLEXCLUSIVE) {
		EXPECT_ERRNO(ctl_mod(zombie->epfd, zombie->p[0], EPOLLIN, 7), EINVAL);
	} else {
		rewatch(zombie->epfd, zombie->p[0], EPOLLIN, 7);
		EXPECT_EVENTS(zombie->epfd, 0, {EPOLLIN, 7});
		EXPECT_EVENTS(zombie->epfd, 0, {EPOLLIN, 7});
	}
	unwatch(zombie->epfd, zombie->p[0]);
	EXPECT_QUIET(zombie->epfd);
	watch(zombie->epfd, zombie->p[0], EPOLLIN, 8);
	EXPECT_EVENTS(zombie->epfd, 0, {EPOLLIN, 8});
	unwatch(zombie->epfd, zombie->p[0]);
	CLOSE(zombie->p[0]);
	if (zombie->copy == zombie->p[0]) /* what is received gets the lowest number */
		zombie->copy = -1;
}

static void lives_on_in(const struct state *state, const struct life *life)
{
	struct zombie zombie;

	zombie_open(&zombie, state, life);
	CLOSE(zombie.p[0]);
	state_expect(state, "closed", zombie.epfd, state->shows[0]);
	put(zombie.p[1], 1);
	state_expect(state, "written", zombie.epfd, state->shows[1]);
	state_expect(state, "again", zombie.epfd, state->shows[2]);
	expect_closed_number_is_EBADF(&zombie);
	reuse_number(&zombie, state);
	if (life->fetch) {
		life->fetch(&zombie);
		bring_back(&zombie, state);
	}
	zombie_close(&zombie, life);
}

static void lives_on(const struct life *life)
{
	for (size_t i = 0; i < STATES_NR; i++)
		lives_on_in(&states[i], life);
}

/* What holds instead where a watch ends with its number. */
static void dies(const struct life *life)
{
	for (size_t i = 0; i < STATES_NR; i++) {
		struct zombie zombie;

		zombie_open(&zombie, &states[i], life);
		CLOSE(zombie.p[0]);
		state_expect(&states[i], "closed", zombie.epfd, false);
		put(zombie.p[1], 1);
		state_expect(&states[i], "written", zombie.epfd, false);
		expect_closed_number_is_EBADF(&zombie);
		zombie_close(&zombie, life);
	}
}

/* ---- the claims -------------------------------------------------------- */

static const struct life by_dup = {hold_dup, nothing_to_do, nothing_to_do};
static const struct life by_dup2 = {hold_dup2, nothing_to_do, nothing_to_do};
static const struct life by_dup3 = {hold_dup3, nothing_to_do, nothing_to_do};
static const struct life by_dupfd = {hold_dupfd, nothing_to_do, nothing_to_do};
static const struct life by_dupfd_cloexec = {hold_dupfd_cloexec, nothing_to_do, nothing_to_do};
static const struct life by_raw_dup = {hold_raw_dup, nothing_to_do, nothing_to_do};
static const struct life by_child = {hold_child, NULL, let_child_go};
static const struct life by_letter = {hold_in_flight, fetch_letter, drop_letter};
static const struct life by_receipt = {hold_received, nothing_to_do, nothing_to_do};

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_dup_in_every_state)
{
	lives_on(&by_dup);
}

DEVIATION(a_watch_lives_on_by_dup_in_every_state)
{
	dies(&by_dup);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_dup2_in_every_state)
{
	lives_on(&by_dup2);
}

DEVIATION(a_watch_lives_on_by_dup2_in_every_state)
{
	dies(&by_dup2);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_dup3_in_every_state)
{
	lives_on(&by_dup3);
}

DEVIATION(a_watch_lives_on_by_dup3_in_every_state)
{
	dies(&by_dup3);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_F_DUPFD_in_every_state)
{
	lives_on(&by_dupfd);
}

DEVIATION(a_watch_lives_on_by_F_DUPFD_in_every_state)
{
	dies(&by_dupfd);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_F_DUPFD_CLOEXEC_in_every_state)
{
	lives_on(&by_dupfd_cloexec);
}

DEVIATION(a_watch_lives_on_by_F_DUPFD_CLOEXEC_in_every_state)
{
	dies(&by_dupfd_cloexec);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_the_number_of_dup_in_every_state)
{
	lives_on(&by_raw_dup);
}

DEVIATION(a_watch_lives_on_by_the_number_of_dup_in_every_state)
{
	dies(&by_raw_dup);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_a_child_in_every_state)
{
	lives_on(&by_child);
}

DEVIATION(a_watch_lives_on_by_a_child_in_every_state)
{
	dies(&by_child);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_a_message_on_its_way_in_every_state)
{
	lives_on(&by_letter);
}

DEVIATION(a_watch_lives_on_by_a_message_on_its_way_in_every_state)
{
	dies(&by_letter);
}

CLAIM_EXCEPT("poll", NO_ZOMBIES, a_watch_lives_on_by_a_message_received_in_every_state)
{
	lives_on(&by_receipt);
}

DEVIATION(a_watch_lives_on_by_a_message_received_in_every_state)
{
	dies(&by_receipt);
}
