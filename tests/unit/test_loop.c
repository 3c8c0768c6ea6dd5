// SPDX-License-Identifier: MIT
/*
 * test_loop.c - the poll loop thread: who is called when, and what it lets go of.
 *
 * The main thread plays the application; a client counts its calls on a
 * semaphore, so that nothing here waits by the clock.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "real/ownfd.h"
#include "source/loop.h"

#define NR_FILES 4

struct player {
	struct loop_client client;
	struct source source;
	int fds[NR_FILES]; /* what is polled; -1: nothing */
	uint64_t due_ns;
	bool stays;    /* what ready() returns */
	bool quenches; /* ready() takes ready files out of the set */
	sem_t calls;
};

static unsigned int player_pollset(struct source *source, struct pollfd *set, unsigned int max);
static uint64_t player_due_ns(const struct source *source);

static const struct source_ops player_ops = {
	.name = "player",
	.pollset = player_pollset,
	.due_ns = player_due_ns,
};

static struct player *player_of_source(const struct source *source)
{
	return (struct player *)(uintptr_t)((uintptr_t)source - offsetof(struct player, source));
}

static unsigned int player_pollset(struct source *source, struct pollfd *set, unsigned int max)
{
	struct player *player = player_of_source(source);
	unsigned int nr = 0;

	for (int i = 0; i < NR_FILES; i++) {
		if (player->fds[i] < 0)
			continue;
		if (nr < max)
			set[nr] = (struct pollfd){.fd = player->fds[i], .events = POLLIN};
		nr++;
	}
	return nr;
}

static uint64_t player_due_ns(const struct source *source)
{
	return player_of_source(source)->due_ns;
}

static bool player_ready(struct loop_client *client)
{
	struct player *player = player_of_source(client->source);

	if (player->quenches) {
		for (int i = 0; i < NR_FILES; i++) {
			struct pollfd pfd = {.fd = player->fds[i], .events = POLLIN};

			if (pfd.fd >= 0 && poll(&pfd, 1, 0) > 0)
				player->fds[i] = -1;
		}
	}
	player->due_ns = CLOCK_FOREVER;
	sem_post(&player->calls);
	return player->stays;
}

static void player_init(struct player *player, int fd)
{
	*player = (struct player){
		.client = {.source = &player->source, .ready = player_ready},
		.source = {.ops = &player_ops},
		.fds = {fd, -1, -1, -1},
		.due_ns = CLOCK_FOREVER,
		.quenches = true,
	};
	sem_init(&player->calls, 0, 0);
}

static void join(struct player *player)
{
	loop_lock();
	cr_assert_eq(loop_join(&player->client), 0);
	cr_assert(loop_is_joined(&player->client));
	loop_unlock();
}

static void leave(struct player *player)
{
	loop_lock();
	loop_leave(&player->client);
	cr_assert_not(loop_is_joined(&player->client));
	loop_unlock();
}

static bool has_joined(struct player *player)
{
	bool is_joined;

	loop_lock();
	is_joined = loop_is_joined(&player->client);
	loop_unlock();
	return is_joined;
}

static bool was_called(struct player *player)
{
	return sem_trywait(&player->calls) == 0;
}

static void await_call(struct player *player)
{
	sem_wait(&player->calls);
}

/*
 * Until the loop sleeps in a set that was built after this call: a player of our
 * own is called, so the loop has gone round; it holds the lock until it builds.
 */
static void go_round(void)
{
	struct player player;
	int fd = eventfd(1, 0);

	player_init(&player, fd);
	join(&player);
	await_call(&player);
	leave(&player);
	close(fd);
}

TestSuite(loop, .timeout = 30);

Test(loop, client_is_called_when_a_file_is_ready_and_dropped_when_nobody_waits)
{
	struct player player;
	int fd = eventfd(0, 0);

	player_init(&player, fd);
	join(&player);
	go_round();
	cr_assert_not(was_called(&player));
	eventfd_write(fd, 1);
	await_call(&player);
	go_round();
	cr_assert_not(has_joined(&player));
	cr_assert_null(player.source.client);
	close(fd);
}

Test(loop, client_in_which_somebody_waits_is_called_again)
{
	struct player player;
	int first = eventfd(0, 0), second = eventfd(0, 0);

	player_init(&player, first);
	player.fds[1] = second;
	player.stays = true;
	join(&player);
	eventfd_write(first, 1);
	await_call(&player);
	cr_assert(has_joined(&player));
	eventfd_write(second, 1);
	await_call(&player);
	leave(&player);
	close(first);
	close(second);
}

Test(loop, kick_makes_a_sleeping_loop_see_a_file_more)
{
	struct player player;
	int fd = eventfd(1, 0);

	player_init(&player, -1);
	join(&player);
	go_round();
	loop_lock();
	player.fds[0] = fd;
	loop_kick(&player.client);
	loop_unlock();
	await_call(&player);
	leave(&player);
	close(fd);
}

Test(loop, kick_of_one_that_has_not_joined_is_nothing)
{
	struct player player;

	player_init(&player, -1);
	loop_lock();
	loop_kick(NULL);
	loop_expel(NULL);
	loop_kick(&player.client);
	loop_expel(&player.client);
	loop_leave(&player.client);
	loop_unlock();
	cr_assert_not(was_called(&player));
}

Test(loop, client_that_left_is_not_called)
{
	struct player player;
	int fd = eventfd(0, 0);

	player_init(&player, fd);
	join(&player);
	go_round();
	leave(&player);
	eventfd_write(fd, 1);
	go_round();
	cr_assert_not(was_called(&player));
	close(fd);
}

Test(loop, client_is_called_when_its_source_is_due)
{
	struct player player;

	player_init(&player, -1);
	player.due_ns = clock_now_ns() + 3 * CLOCK_NS_PER_MS;
	join(&player);
	await_call(&player);
	leave(&player);
}

/* t0 -(close s0)-> loop asleep in poll(s0): the peer sees the end at once, or never. */
static void close_ends_the_connection(void (*withdraw)(struct player *player))
{
	struct player player;
	int s[2];
	char byte;

	for (int i = 0; i < 200; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
		player_init(&player, s[0]);
		player.stays = true;
		join(&player);
		go_round();
		withdraw(&player);
		close(s[0]);
		cr_assert_eq(read(s[1], &byte, 1), 0, "round %d: the file lives on", i);
		leave(&player);
		close(s[1]);
	}
}

static void withdraw_by_expel(struct player *player)
{
	loop_lock();
	player->fds[0] = -1;
	loop_expel(&player->client);
	loop_unlock();
}

Test(loop, expelled_file_is_not_held)
{
	close_ends_the_connection(withdraw_by_expel);
}

Test(loop, file_of_a_client_that_left_is_not_held)
{
	close_ends_the_connection(leave);
}

/* What poll(2) refuses is done by ticks. */
Test(loop, more_files_than_the_limit_permits_are_served_all_the_same)
{
	struct rlimit limit;
	struct player players[3];
	int fd = eventfd(0, 0);

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 3; i++) {
		player_init(&players[i], fd);
		for (int j = 1; j < NR_FILES; j++)
			players[i].fds[j] = fd;
		players[i].stays = true;
		players[i].quenches = false;
		join(&players[i]);
	}
	limit.rlim_cur = 10;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	loop_lock();
	loop_kick(&players[0].client);
	loop_unlock();
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			await_call(&players[i]);
	for (int i = 0; i < 3; i++)
		leave(&players[i]);
	close(fd);
}

static atomic_int wakefd = -1;

static void note_wakefd(int fd)
{
	wakefd = fd;
}

/* The host closed it by a raw system call: the loop takes another, and does not spin. */
Test(loop, wakefd_closed_behind_our_back_is_replaced)
{
	struct player player;
	int fd = eventfd(0, 0), old;

	ownfd_was_taken = note_wakefd;
	player_init(&player, fd);
	join(&player);
	go_round();
	old = wakefd;
	cr_assert_geq(old, 0);
	wakefd = -1;
	cr_assert_eq(close(old), 0);
	eventfd_write(fd, 1); /* the sleeping loop has only this to wake up for */
	await_call(&player);
	leave(&player);
	go_round();
	go_round();
	cr_assert_geq(wakefd, 0);
	cr_assert_neq(fcntl(wakefd, F_GETFD), -1);
	close(fd);
}

Test(loop, child_of_fork_has_a_loop_of_its_own)
{
	struct player player;
	int fd = eventfd(0, 0), status;
	pid_t pid;

	player_init(&player, fd);
	join(&player);
	go_round();
	loop_lock();
	pid = fork();
	if (pid == 0) {
		loop_reset();
		loop_lock();
		if (loop_is_joined(&player.client))
			_exit(1);
		loop_kick(&player.client);
		loop_unlock();
		join(&player);
		eventfd_write(fd, 1);
		await_call(&player);
		_exit(0);
	}
	loop_unlock();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	/* the parent's loop still polls: the child's write was for both */
	await_call(&player);
	leave(&player);
	close(fd);
}
