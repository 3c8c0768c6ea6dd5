// SPDX-License-Identifier: MIT
/*
 * events_local.c - which event bits pipes, FIFOs, unix sockets and ttys show.
 */
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "stage.h"

#define READ_BITS  (EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND | EPOLLRDHUP | EPOLLMSG)
#define WRITE_BITS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
#define ALL_BITS   (READ_BITS | WRITE_BITS | EPOLLERR | EPOLLHUP)

/* ---- pipes ------------------------------------------------------------- */

CLAIM(a_pipe_with_data_is_IN_and_RDNORM)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[0], ALL_BITS, 1);
	EXPECT_QUIET(epfd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDNORM, 1});
	rewatch(epfd, p[0], EPOLLRDNORM, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLRDNORM, 2});
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_pipe_with_room_is_OUT_and_WRNORM)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], ALL_BITS, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT | EPOLLWRNORM, 1});
	rewatch(epfd, p[1], EPOLLWRNORM, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLWRNORM, 2});
	fill(p[1]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[0], p[1]);
}

CLAIM(a_pipe_whose_writers_are_gone_is_HUP_with_and_without_data)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	put(p[1], 1);
	watch(epfd, p[0], EPOLLIN | EPOLLRDHUP, 1);
	CLOSE(p[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLHUP, 1});
	take(p[0], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	CLOSE(epfd, p[0]);
}

CLAIM(a_pipe_whose_readers_are_gone_is_ERR)
{
	int epfd = epoll_open();
	int p[2];

	pipe_open(p);
	watch(epfd, p[1], EPOLLOUT, 1);
	CLOSE(p[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLOUT | EPOLLERR, 1});
	CLOSE(epfd, p[1]);
}

CLAIM(ERR_and_HUP_need_not_be_asked_for)
{
	int epfd = epoll_open();
	int in[2], out[2];

	pipe_open(in);
	pipe_open(out);
	watch(epfd, in[0], 0, 1);
	watch(epfd, out[1], 0, 2);
	EXPECT_QUIET(epfd);
	CLOSE(in[1], out[0]);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1}, {EPOLLERR, 2});
	CLOSE(epfd, in[0], out[1]);
}

/* ---- FIFOs ------------------------------------------------------------- */

/* A FIFO opened for both, then unlinked: nothing is left behind. */
static void fifo_open(char *path, int *reader)
{
	snprintf(path, 64, "/tmp/conformance-fifo-%d", (int)getpid());
	unlink(path);
	MUST(mkfifo(path, 0600));
	*reader = MUST(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

CLAIM(a_FIFO_no_writer_ever_opened_is_not_HUP)
{
	char path[64];
	int reader, epfd = epoll_open();

	fifo_open(path, &reader);
	watch(epfd, reader, ALL_BITS, 1);
	EXPECT_QUIET(epfd);
	MUST(unlink(path));
	CLOSE(epfd, reader);
}

CLAIM(a_FIFO_is_HUP_after_its_writer_until_the_next_one_opens)
{
	char path[64];
	int reader, writer, epfd = epoll_open();

	fifo_open(path, &reader);
	watch(epfd, reader, EPOLLIN, 1);
	writer = MUST(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	put(writer, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(writer);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLHUP, 1});
	take(reader, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 1});
	writer = MUST(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	EXPECT_QUIET(epfd);
	put(writer, 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	MUST(unlink(path));
	CLOSE(epfd, reader, writer);
}

/* ---- unix sockets ------------------------------------------------------ */

CLAIM(an_idle_unix_stream_is_writable_in_three_ways)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], ALL_BITS, 1);
	EXPECT_EVENTS(epfd, 0, {WRITE_BITS, 1});
	put(s[1], 1);
	EXPECT_EVENTS(epfd, 0, {WRITE_BITS | EPOLLIN | EPOLLRDNORM, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_unix_stream_whose_peer_stops_writing_is_IN_and_RDHUP)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP, 1);
	EXPECT_QUIET(epfd);
	MUST(shutdown_writing(s[1]));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP, 1});
	rewatch(epfd, s[0], EPOLLRDHUP, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLRDHUP, 2});
	rewatch(epfd, s[0], 0, 3);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_unix_stream_whose_peer_is_closed_is_IN_RDHUP_and_HUP)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], EPOLLIN | EPOLLRDHUP, 1);
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN | EPOLLRDHUP | EPOLLHUP, 1});
	rewatch(epfd, s[0], 0, 2);
	EXPECT_EVENTS(epfd, 0, {EPOLLHUP, 2});
	CLOSE(epfd, s[0]);
}

CLAIM(a_unix_stream_closed_with_unread_data_gives_its_peer_ERR)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	put(s[0], 1);
	watch(epfd, s[0], EPOLLRDHUP, 1);
	CLOSE(s[1]);
	EXPECT_EVENTS(epfd, 0, {EPOLLRDHUP | EPOLLERR | EPOLLHUP, 1});
	CLOSE(epfd, s[0]);
}

CLAIM(a_full_unix_stream_is_not_writable)
{
	int epfd = epoll_open();
	int s[2];

	unix_open(s);
	watch(epfd, s[0], WRITE_BITS, 1);
	EXPECT_EVENTS(epfd, 0, {WRITE_BITS, 1});
	fill(s[0]);
	EXPECT_QUIET(epfd);
	drain(s[1]);
	EXPECT_EVENTS(epfd, 0, {WRITE_BITS, 1});
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(unix_datagrams_are_reported_until_the_last_is_read)
{
	int epfd = epoll_open();
	int s[2];

	MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
	watch(epfd, s[0], EPOLLIN, 1);
	put(s[1], 3);
	put(s[1], 5);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	EXPECT_INT(drain(s[0]), ==, 8);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, s[0], s[1]);
}

CLAIM(a_unix_listener_is_IN_while_somebody_waits_to_be_accepted)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} address = {.family = AF_UNIX};
	int length = snprintf(address.path + 1, sizeof(address.path) - 1, "conformance-%d",
			      (int)getpid());
	int listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int client = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	socklen_t size = (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)length);
	int epfd = epoll_open(), accepted;

	MUST(bind(listener, (struct sockaddr *)&address, size));
	MUST(listen(listener, 4));
	watch(epfd, listener, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	MUST(connect(client, (struct sockaddr *)&address, size));
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	accepted = MUST(accept(listener, NULL, NULL));
	EXPECT_QUIET(epfd);
	CLOSE(epfd, listener, client, accepted);
}

/* ---- ttys -------------------------------------------------------------- */

static void tty_open(int *primary, int *replica)
{
	struct termios raw;

	MUST(openpty(primary, replica, NULL, NULL, NULL));
	MUST(tcgetattr(*replica, &raw));
	cfmakeraw(&raw);
	MUST(tcsetattr(*replica, TCSANOW, &raw));
	MUST(fcntl(*primary, F_SETFL, O_RDWR | O_NONBLOCK));
	MUST(fcntl(*replica, F_SETFL, O_RDWR | O_NONBLOCK));
}

CLAIM(a_tty_is_readable_when_something_was_typed)
{
	int primary, replica, epfd = epoll_open();

	tty_open(&primary, &replica);
	watch(epfd, replica, EPOLLIN, 1);
	EXPECT_QUIET(epfd);
	put(primary, 3);
	/* The line discipline gets it from a kernel thread: wait. */
	EXPECT_EVENTS(epfd, -1, {EPOLLIN, 1});
	rewatch(epfd, replica, EPOLLIN | EPOLLOUT, 2);
	EXPECT_EVENTS(epfd, -1, {EPOLLIN | EPOLLOUT, 2});
	CLOSE(epfd, primary, replica);
}

CLAIM(a_tty_whose_other_side_is_closed_is_HUP)
{
	int primary, replica, epfd = epoll_open();

	tty_open(&primary, &replica);
	watch(epfd, primary, EPOLLIN, 1);
	CLOSE(replica);
	EXPECT_EVENTS(epfd, -1, {EPOLLHUP, 1});
	CLOSE(epfd, primary);
}
