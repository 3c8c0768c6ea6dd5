// SPDX-License-Identifier: MIT
/*
 * events_tcp.c - which event bits TCP and UDP sockets show.
 *
 * Loopback delivers in the sender's own system call, mostly; claims about what
 * has been sent wait for it nevertheless.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

#define WRITE_BITS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
#define ALL_BITS                                                                               \
	(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND | EPOLLRDHUP | EPOLLMSG | WRITE_BITS | \
	 EPOLLERR | EPOLLHUP)

CLAIM(a_connected_socket_is_writable_and_readable_with_data)
{
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], ALL_BITS, 1);
	EXPECT_EVENTS(epfd, 0, {WRITE_BITS & ~EPOLLWRBAND, 1});
	put(s[1], 1);
	rewatch(epfd, s[0], EPOLLIN | EPOLLRDNORM, 2);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN | EPOLLRDNORM, 2});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_socket_that_was_never_connected_is_OUT_and_HUP)
{
	int socket_fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int epfd = epoll_open();

	watch(epfd, socket_fd, EPOLLIN | EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT | EPOLLHUP, 1});
	CLOSE(epfd, socket_fd);
}

CLAIM(a_listener_is_IN_while_somebody_waits_to_be_accepted)
{
	int epfd = epoll_open();
	int clients[2], accepted[2];
	uint16_t port;
	int listener = tcp_listen(&port);

	watch(epfd, listener, EPOLLIN | EPOLLOUT, 1);
	EXPECT_QUIET(epfd);
	for (int i = 0; i < 2; i++)
		clients[i] = tcp_connect(port);
	for (int i = 0; i < 2; i++) {
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
		accepted[i] = MUST(accept(listener, NULL, NULL));
	}
	EXPECT_QUIET(epfd);
	CLOSE(epfd, listener, clients[0], clients[1], accepted[0], accepted[1]);
}

CLAIM(an_edge_triggered_listener_reports_each_connection_that_arrives)
{
	int epfd = epoll_open();
	int clients[3];
	uint16_t port;
	int listener = tcp_listen(&port);

	watch(epfd, listener, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 3; i++) {
		clients[i] = tcp_connect(port);
		EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
		EXPECT_QUIET(epfd);
	}
	CLOSE(epfd, listener, clients[0], clients[1], clients[2]);
}

CLAIM(a_connection_that_is_established_is_reported_as_OUT)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int epfd = epoll_open();
	int error = -1;
	socklen_t length = sizeof(error);
	uint16_t port;
	int listener = tcp_listen(&port);
	int client = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(client, (struct sockaddr *)&address, sizeof(address)) != 0)
		EXPECT_INT(errno, ==, EINPROGRESS);
	watch(epfd, client, EPOLLOUT | EPOLLET, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLOUT, 1});
	MUST(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length));
	EXPECT_INT(error, ==, 0);
	CLOSE(epfd, listener, client);
}

CLAIM(a_connection_that_is_refused_is_reported_as_ERR_and_HUP)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int epfd = epoll_open();
	int client = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int deaf = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); /* holds the port */

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(deaf, (struct sockaddr *)&address, length));
	MUST(getsockname(deaf, (struct sockaddr *)&address, &length));
	EXPECT_ERRNO(connect(client, (struct sockaddr *)&address, length), EINPROGRESS);
	watch(epfd, client, EPOLLIN | EPOLLOUT, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP, 1});
	CLOSE(epfd, client, deaf);
}

CLAIM(a_peer_that_stops_writing_is_IN_and_RDHUP)
{
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP, 1);
	EXPECT_QUIET(epfd);
	MUST(shutdown(s[1], SHUT_WR));
	EXPECT_EVENTS(epfd, -1, {EPOLLIN | EPOLLRDHUP, 1});
	rewatch(epfd, s[0], EPOLLRDHUP, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLRDHUP, 2});
	rewatch(epfd, s[0], EPOLLIN, 3);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 3});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(both_directions_shut_down_is_HUP)
{
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	MUST(shutdown(s[1], SHUT_WR));
	EXPECT_EVENTS(epfd, -1, {EPOLLRDHUP, 1});
	MUST(shutdown(s[0], SHUT_WR));
	EXPECT_EVENTS(epfd, -1, {EPOLLRDHUP | EPOLLHUP, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(our_own_shutdown_of_reading_is_IN_and_RDHUP)
{
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
	EXPECT_QUIET(epfd);
	MUST(shutdown(s[0], SHUT_RD));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_reset_connection_is_ERR_HUP_and_RDHUP)
{
	struct linger abort_on_close = {.l_onoff = 1, .l_linger = 0};
	int epfd = epoll_open();
	int s[2];

	tcp_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT, 1});
	MUST(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close)));
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP, 1});
	CLOSE(epfd, s[0]);
}

CLAIM(urgent_data_is_PRI)
{
	int epfd = epoll_open();
	int s[2];
	char byte;

	tcp_open(s);
	watch(epfd, s[0], EPOLLPRI, 1);
	put(s[1], 1);
	EXPECT_QUIET(epfd);
	EXPECT_INT(send(s[1], "!", 1, MSG_OOB), ==, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLPRI, 1});
	EXPECT_INT(recv(s[0], &byte, 1, MSG_OOB), ==, 1);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(SO_RCVLOWAT_holds_back_IN)
{
	int epfd = epoll_open();
	int at_least = 10;
	int s[2];

	tcp_open(s);
	MUST(setsockopt(s[0], SOL_SOCKET, SO_RCVLOWAT, &at_least, sizeof(at_least)));
	watch(epfd, s[0], EPOLLIN, 1);
	put(s[1], 9);
	EXPECT_QUIET(epfd);
	put(s[1], 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_full_socket_is_writable_again_after_the_peer_has_read)
{
	int epfd = epoll_open();
	struct waiter waiter;
	int s[2];

	tcp_open(s);
	fill(s[0]);
	watch(epfd, s[0], EPOLLOUT | EPOLLET, 1);
	waiter_start(&waiter, epfd);
	while (!waiter_is_done(&waiter))
		drain(s[1]);
	EXPECT_WAITER(&waiter, {EPOLLOUT, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(udp_datagrams_are_reported_until_the_last_is_read)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int epfd = epoll_open();
	int in = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int out = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(in, (struct sockaddr *)&address, length));
	MUST(getsockname(in, (struct sockaddr *)&address, &length));
	MUST(connect(out, (struct sockaddr *)&address, length));
	watch(epfd, in, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	put(out, 3);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	EXPECT_INT(drain(in), ==, 3);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, in, out);
}

CLAIM(a_refused_datagram_is_ERR)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int epfd = epoll_open();
	int in = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int out = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(in, (struct sockaddr *)&address, length));
	MUST(getsockname(in, (struct sockaddr *)&address, &length));
	MUST(connect(out, (struct sockaddr *)&address, length));
	/* Connected to itself it takes nothing from others, and holds the port. */
	MUST(connect(in, (struct sockaddr *)&address, length));
	watch(epfd, out, 0, 1);
	put(out, 1);
	EXPECT_EVENTS(epfd, -1, {EPOLLERR, 1});
	CLOSE(epfd, in, out);
}
