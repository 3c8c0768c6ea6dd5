// SPDX-License-Identifier: MIT
/*
 * accept.c - a server: connections come, bring tokens, and go, each under a number
 * that was another's just before.
 *
 *	writers --connections--> listener -(lt, et, exclusive)-> e0, e1 --> workers
 *		--tokens--> connections -(oneshot)-----------------^
 *
 * A worker that reads to the end of a connection closes it and tells nobody: its
 * watch goes with it.
 */
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stage.h"
#include "trial.h"

#define NR_CONNECTIONS_MAX 64

/* Index 0 of DATA_OTHER is the listener, the others are connections. */
static struct {
	int listener;
	struct sockaddr_un address;
	socklen_t address_length;
	atomic_int nr_open; /* begun by a writer, not yet closed by a worker */
	struct connection {
		_Atomic uint64_t arming; /* the present one; 0: free */
		_Atomic uint64_t due;	 /* it, until it has been told */
		int fd;
	} connections[NR_CONNECTIONS_MAX];
	_Atomic uint64_t nr_armings;
} server;

/* ---- writers ----------------------------------------------------------- */

static void visit(struct field *field)
{
	unsigned int nr_tokens = roll(4);
	int client;

	while (atomic_load(&server.nr_open) >= NR_CONNECTIONS_MAX / 2)
		sched_yield();
	atomic_fetch_add(&server.nr_open, 1);
	client = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(connect(client, (struct sockaddr *)&server.address, server.address_length));
	for (unsigned int i = 0; i < nr_tokens; i++) {
		if (roll(4) == 0)
			sched_yield();
		atomic_fetch_add(&field->nr_written, 1);
		EXPECT_INT(write(client, "x", 1), ==, 1);
	}
	CLOSE(client);
}

/* ---- workers ----------------------------------------------------------- */

static void admit(int epfd, int fd)
{
	uint64_t arming = atomic_fetch_add(&server.nr_armings, 1) + 1;
	uint64_t vacant;
	unsigned int i = 0;

	for (;; i = (i + 1) % NR_CONNECTIONS_MAX) {
		vacant = 0;
		if (atomic_compare_exchange_strong(&server.connections[i].arming, &vacant, arming))
			break;
	}
	server.connections[i].fd = fd;
	atomic_store(&server.connections[i].due, arming);
	watch(epfd, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, data_make(DATA_OTHER, i + 1, arming));
}

static void accept_all(int epfd, uint32_t flags)
{
	int fd;

	do {
		fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			EXPECT_INT(errno, ==, EAGAIN);
			return;
		}
		admit(epfd, fd);
	} while ((flags & EPOLLET) || roll(2));
}

/* Some of what there is; then it is armed again, or over. */
static void serve_connection(struct field *field, int epfd, unsigned int i, uint64_t arming)
{
	struct connection *connection = &server.connections[i];
	uint64_t due = arming, again;
	char bytes[2];
	ssize_t nr;

	if (atomic_load(&connection->arming) != arming ||
	    !atomic_compare_exchange_strong(&connection->due, &due, 0))
		FAIL("connection %u: told of arming %llu twice or after its end", i,
		     (unsigned long long)arming);
	nr = read(connection->fd, bytes, sizeof(bytes));
	if (nr < 0)
		FAIL("connection %u: an event, and %s", i, strerrorname_np(errno));
	if (nr == 0) {
		CLOSE(connection->fd);
		atomic_store(&connection->arming, 0);
		atomic_fetch_sub(&server.nr_open, 1);
		return;
	}
	atomic_fetch_add(&field->nr_read, nr);
	again = atomic_fetch_add(&server.nr_armings, 1) + 1;
	atomic_store(&connection->arming, again);
	atomic_store(&connection->due, again);
	rewatch(epfd, connection->fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
		data_make(DATA_OTHER, i + 1, again));
}

static void serve(struct field *field, int epfd, const struct epoll_event *event)
{
	unsigned int index = data_index(event->data.u64);

	EXPECT_INT(index, <=, NR_CONNECTIONS_MAX);
	if (index == 0)
		accept_all(epfd, field->flags);
	else
		serve_connection(field, epfd, index - 1, data_arming(event->data.u64));
}

/* ---- the scenario ------------------------------------------------------ */

static void plan(struct field *field)
{
	field->nr_lanes = 0;
	field->nr_epfds = 1 + (int)roll(2);
	if (field->nr_workers < field->nr_epfds)
		field->nr_workers = field->nr_epfds;
	if (field->nr_epfds > 1)
		field->flags |= EPOLLEXCLUSIVE;
	/* README, deviations: with the source poll, an edge without one-shot is told from levels. */
	if (roll(3) == 0 && !source_is("poll"))
		field->flags |= EPOLLET;
}

static void start(struct field *field)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};

	server.address_length = sizeof(server.address);
	server.listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	/* nothing but the family: the kernel gives it an abstract address that is free */
	MUST(bind(server.listener, (struct sockaddr *)&any, sizeof(any.sun_family)));
	MUST(getsockname(server.listener, (struct sockaddr *)&server.address,
			 &server.address_length));
	MUST(listen(server.listener, NR_CONNECTIONS_MAX));
	for (int i = 0; i < field->nr_epfds; i++)
		watch(field->epfds[i], server.listener, field->flags, data_make(DATA_OTHER, 0, 1));
}

static bool is_over(struct field *field)
{
	(void)field;
	return atomic_load(&server.nr_open) == 0;
}

static void finish(struct field *field)
{
	(void)field;
	CLOSE(server.listener);
}

static const struct scenario accepting = {
	.plan = plan,
	.start = start,
	.write = visit,
	.serve = serve,
	.is_over = is_over,
	.finish = finish,
};

/* Closing is what it is about anyway: there are no lanes to be closed besides. */
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end, DISTURB_NOTHING)
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end_under_signals, DISTURB_SIGNALS)
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end_under_cancellations, DISTURB_CANCELS)
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end_under_forks, DISTURB_FORKS)
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end_under_looks, DISTURB_LOOKS)
INVARIANT_UNDER(accepting, every_connection_is_read_to_its_end_under_everything, DISTURB_ALL)
