// SPDX-License-Identifier: MIT
/*
 * echo-server - a TCP server that sends back what it receives.
 *
 * One thread, one eventpoll, everything level-triggered: the plainest correct
 * epoll server there is.  It knows nothing of interpoll; run it as it is, and
 * then under it:
 *
 *	interpoll run --summary -- ./echo-server --port 7007
 *
 * What epoll watches are three kinds of things: the listening socket, a
 * signalfd (so that SIGTERM and SIGINT are events like any other) and the
 * clients.  data.ptr says which: the address of a member of struct server, or
 * else a struct client.
 *
 * Back-pressure: a client is watched for input *or* for output, never for both.
 * While it does not take its echo, nothing more is read from it, so that one
 * buffer a client is enough.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS     64
#define BUFFER_SIZE    16384
#define LISTEN_BACKLOG 4096

struct client {
	int fd;
	size_t start; /* the bytes from start to end are still to be sent */
	size_t end;
	struct client *prev; /* every client is on the server's list */
	struct client *next;
	char buffer[BUFFER_SIZE];
};

struct server {
	int epfd;
	int listen_fd;
	int signal_fd;
	bool is_stopping;
	struct client *clients;
	unsigned long nr_accepted;
	unsigned long nr_bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "echo-server: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void watch(struct server *server, int op, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	if (epoll_ctl(server->epfd, op, fd, &event) < 0)
		die("epoll_ctl");
}

/* Listen on 127.0.0.1:@port; port 0 asks the kernel for a free one. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		die("bind");
	if (listen(fd, LISTEN_BACKLOG) < 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		die("getsockname");
	printf("echo-server: listening on port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* Turn SIGTERM and SIGINT into input of a descriptor. */
static int open_signals(void)
{
	sigset_t stop;
	int fd;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
		die("sigprocmask");
	fd = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	signal(SIGPIPE, SIG_IGN); /* a client that went away is an errno to us */
	return fd;
}

static void client_new(struct server *server, int fd)
{
	struct client *client = malloc(sizeof(*client));
	int on = 1;

	if (!client) {
		close(fd);
		return;
	}
	client->fd = fd;
	client->start = client->end = 0;
	client->prev = NULL;
	client->next = server->clients;
	if (client->next)
		client->next->prev = client;
	server->clients = client;
	server->nr_accepted++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, client);
}

/* Closing the only descriptor of a socket also ends its watch. */
static void client_free(struct server *server, struct client *client)
{
	if (client->next)
		client->next->prev = client->prev;
	if (client->prev)
		client->prev->next = client->next;
	else
		server->clients = client->next;
	close(client->fd);
	free(client);
}

static bool client_is_idle(const struct client *client)
{
	return client->start == client->end;
}

/* Take everybody who knocks; the listening socket is level-triggered too. */
static void accept_clients(struct server *server)
{
	for (;;) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_new(server, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			fprintf(stderr, "echo-server: accept4: %s\n", strerror(errno));
		return;
	}
}

/* Send what is pending.  Returns false if the client is gone. */
static bool client_flush(struct server *server, struct client *client)
{
	while (!client_is_idle(client)) {
		ssize_t n = write(client->fd, client->buffer + client->start,
				  client->end - client->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		client->start += (size_t)n;
		server->nr_bytes += (size_t)n;
	}
	client->start = client->end = 0;
	return true;
}

/* Read once and echo it.  Level-triggered: what is left is reported again. */
static bool client_receive(struct server *server, struct client *client)
{
	ssize_t n = read(client->fd, client->buffer, sizeof(client->buffer));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	client->end = (size_t)n;
	return client_flush(server, client);
}

static void serve_client(struct server *server, struct client *client)
{
	bool was_idle = client_is_idle(client);
	bool is_alive =
		was_idle ? client_receive(server, client) : client_flush(server, client);
	bool is_idle = client_is_idle(client);

	if (!is_alive || (server->is_stopping && is_idle)) {
		client_free(server, client);
		return;
	}
	if (is_idle != was_idle)
		watch(server, EPOLL_CTL_MOD, client->fd, is_idle ? EPOLLIN : EPOLLOUT, client);
}

/*
 * A graceful stop: nobody new is let in, echoes under way are finished, and
 * whoever waits for nothing is sent home.
 */
static void stop(struct server *server)
{
	struct signalfd_siginfo info;
	struct client *client, *next;

	if (read(server->signal_fd, &info, sizeof(info)) != sizeof(info) || server->is_stopping)
		return;
	server->is_stopping = true;
	close(server->listen_fd);
	for (client = server->clients; client; client = next) {
		next = client->next;
		if (client_is_idle(client))
			client_free(server, client);
	}
}

static void serve(struct server *server)
{
	struct epoll_event events[MAX_EVENTS];
	bool has_stop_request = false;
	int i, n;

	n = epoll_wait(server->epfd, events, MAX_EVENTS, -1);
	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	for (i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == &server->listen_fd)
			accept_clients(server);
		else if (what == &server->signal_fd)
			has_stop_request = true;
		else
			serve_client(server, what);
	}
	/* last, because it frees clients that later events of the batch may name */
	if (has_stop_request)
		stop(server);
}

static uint16_t parse_port(int argc, char **argv)
{
	char *end;
	long port;

	if (argc == 1)
		return 7007;
	if (argc == 3 && !strcmp(argv[1], "--port")) {
		errno = 0;
		port = strtol(argv[2], &end, 10);
		if (!errno && end != argv[2] && !*end && port >= 0 && port <= 65535)
			return (uint16_t)port;
	}
	fprintf(stderr, "usage: echo-server [--port N]   (default 7007; 0: any free port)\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint16_t port = parse_port(argc, argv);
	struct server server = {.epfd = epoll_create1(EPOLL_CLOEXEC)};

	if (server.epfd < 0)
		die("epoll_create1");
	server.signal_fd = open_signals();
	server.listen_fd = listen_on(port);
	watch(&server, EPOLL_CTL_ADD, server.signal_fd, EPOLLIN, &server.signal_fd);
	watch(&server, EPOLL_CTL_ADD, server.listen_fd, EPOLLIN, &server.listen_fd);

	while (!server.is_stopping || server.clients)
		serve(&server);

	printf("echo-server: served %lu clients, echoed %lu bytes\n", server.nr_accepted,
	       server.nr_bytes);
	close(server.signal_fd);
	close(server.epfd);
	return EXIT_SUCCESS;
}
