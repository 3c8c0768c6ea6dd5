// SPDX-License-Identifier: MIT
/*
 * echo-client - many connections to an echo server, every echo verified.
 *
 *	echo-client --port 7007 [--connections 100] [--messages 1000] [--size 256]
 *
 * Each connection sends its messages one after the other and waits for each
 * echo; no two messages of a run are alike, so that an echo that went to the
 * wrong connection, came twice or lost a byte is noticed.  Itself a small epoll
 * program, edge-triggered this time: a connection is watched once, for input
 * and output, and always worked until the socket says EAGAIN.
 *
 * Exit status: 0 every echo was right, 1 one was not, 2 bad usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS     256
#define MAX_SIZE       65536
#define QUIET_LIMIT_MS 10000 /* no event for so long: the server lost something */

struct plan {
	unsigned long port;
	unsigned long nr_connections;
	unsigned long nr_messages;
	unsigned long size;
};

struct connection {
	int fd;
	uint32_t id;
	uint32_t message;   /* number of the message under way */
	size_t nr_sent;	    /* of its bytes */
	size_t nr_received; /* of its echo's bytes */
};

static void die(const char *what)
{
	fprintf(stderr, "echo-client: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* What byte @at of a message must be: a hash of everything that names it. */
static char expected_byte(const struct connection *connection, size_t at)
{
	uint32_t x = connection->id * 2654435761u + connection->message * 40503u + (uint32_t)at;

	x ^= x >> 15;
	x *= 2246822519u;
	return (char)(x >> 24);
}

static bool send_message(struct connection *connection, const struct plan *plan)
{
	char buffer[MAX_SIZE];
	size_t i, left = plan->size - connection->nr_sent;
	ssize_t n;

	if (!left)
		return false;
	for (i = 0; i < left; i++)
		buffer[i] = expected_byte(connection, connection->nr_sent + i);
	n = send(connection->fd, buffer, left, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n < 0)
		return false;
	connection->nr_sent += (size_t)n;
	return true;
}

static void check_echo(const struct connection *connection, const char *buffer, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		size_t at = connection->nr_received + i;

		if (at < connection->nr_sent && buffer[i] == expected_byte(connection, at))
			continue;
		fprintf(stderr, "echo-client: connection %u, message %u: byte %zu is wrong\n",
			connection->id, connection->message, at);
		exit(EXIT_FAILURE);
	}
}

/* Receive once.  Returns false when the socket has nothing more for us now. */
static bool receive_echo(struct connection *connection, const struct plan *plan)
{
	char buffer[MAX_SIZE];
	ssize_t n = recv(connection->fd, buffer, sizeof(buffer), 0);

	if (n < 0 && errno != EAGAIN)
		die("recv");
	if (n < 0)
		return false;
	if (n == 0) {
		fprintf(stderr, "echo-client: the server closed connection %u\n",
			connection->id);
		exit(EXIT_FAILURE);
	}
	check_echo(connection, buffer, (size_t)n);
	connection->nr_received += (size_t)n;
	if (connection->nr_received == plan->size) {
		connection->message++;
		connection->nr_sent = connection->nr_received = 0;
	}
	return true;
}

/* Edge-triggered: go on until neither direction moves any more. */
static bool is_finished_after_work(struct connection *connection, const struct plan *plan)
{
	bool has_moved = true;

	while (has_moved && connection->message < plan->nr_messages) {
		has_moved = send_message(connection, plan);
		has_moved |= receive_echo(connection, plan);
	}
	return connection->message == plan->nr_messages;
}

static void connect_one(struct connection *connection, const struct plan *plan, int epfd)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)plan->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLET,
		.data.ptr = connection,
	};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	connection->fd = fd;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* An event of a socket that is not connected says how connecting went. */
static void check_connected(const struct connection *connection, uint32_t events)
{
	socklen_t length = sizeof(errno);

	if (!(events & (EPOLLERR | EPOLLHUP)))
		return;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &errno, &length) == 0 && !errno)
		errno = ECONNRESET;
	die("connection");
}

static void run(struct connection *connections, const struct plan *plan)
{
	struct epoll_event events[MAX_EVENTS];
	unsigned long i, nr_running = plan->nr_connections;
	int n, epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epfd < 0)
		die("epoll_create1");
	for (i = 0; i < plan->nr_connections; i++) {
		connections[i].id = (uint32_t)i;
		connect_one(&connections[i], plan, epfd);
	}
	while (nr_running) {
		n = epoll_wait(epfd, events, MAX_EVENTS, QUIET_LIMIT_MS);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		if (n == 0) {
			fprintf(stderr,
				"echo-client: %lu connections wait for an echo in vain\n",
				nr_running);
			exit(EXIT_FAILURE);
		}
		for (; n > 0; n--) {
			struct connection *connection = events[n - 1].data.ptr;

			check_connected(connection, events[n - 1].events);
			if (!is_finished_after_work(connection, plan))
				continue;
			close(connection->fd);
			nr_running--;
		}
	}
	close(epfd);
}

static void usage(void)
{
	fprintf(stderr, "usage: echo-client --port N [--connections N] [--messages N] "
			"[--size BYTES (1 to 65536)]\n");
	exit(2);
}

static unsigned long parse_number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value < 1 || value > max)
		usage();
	return value;
}

static void parse_plan(struct plan *plan, int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"connections", required_argument, NULL, 'c'},
		{"messages", required_argument, NULL, 'm'},
		{"size", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			plan->port = parse_number(optarg, 65535);
		else if (option == 'c')
			plan->nr_connections = parse_number(optarg, 1000000);
		else if (option == 'm')
			plan->nr_messages = parse_number(optarg, UINT32_MAX);
		else if (option == 's')
			plan->size = parse_number(optarg, MAX_SIZE);
		else
			usage();
	}
	if (!plan->port || optind != argc)
		usage();
}

int main(int argc, char **argv)
{
	struct plan plan = {.nr_connections = 100, .nr_messages = 1000, .size = 256};
	struct connection *connections;
	struct timespec start, end;
	double seconds;

	parse_plan(&plan, argc, argv);
	connections = calloc(plan.nr_connections, sizeof(*connections));
	if (!connections)
		die("calloc");
	clock_gettime(CLOCK_MONOTONIC, &start);
	run(connections, &plan);
	clock_gettime(CLOCK_MONOTONIC, &end);
	free(connections);

	seconds = (double)(end.tv_sec - start.tv_sec) +
		  (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	printf("echo-client: %lu connections, %lu echoes, all right, in %.2f s\n",
	       plan.nr_connections, plan.nr_connections * plan.nr_messages, seconds);
	return EXIT_SUCCESS;
}
