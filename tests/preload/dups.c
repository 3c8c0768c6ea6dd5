// SPDX-License-Identifier: MIT
/*
 * dups.c - descriptions with several descriptors, and calls that pass arguments on.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../conformance/stage.h"

/* e0 under two names, whichever of them goes first. */
static void claim_two_names(int (*dup_it)(int fd), int goes_first)
{
	int names[2], p[2];

	names[0] = epoll_open();
	pipe_open(p);
	watch(names[0], p[0], EPOLLIN, 1);
	names[1] = MUST(dup_it(names[0]));
	put(p[1], 1);
	EXPECT_EVENTS(names[1], 0, {EPOLLIN, 1});
	EXPECT_EVENTS(names[0], 0, {EPOLLIN, 1});
	MUST(close(names[goes_first]));
	EXPECT_EVENTS(names[!goes_first], 0, {EPOLLIN, 1});
	rewatch(names[!goes_first], p[0], EPOLLIN, 2);
	EXPECT_EVENTS(names[!goes_first], 0, {EPOLLIN, 2});
	unwatch(names[!goes_first], p[0]);
	EXPECT_QUIET(names[!goes_first]);
	CLOSE(names[!goes_first], p[0], p[1]);
}

static int by_dup(int fd)
{
	return dup(fd);
}

static int by_dupfd(int fd)
{
	return fcntl(fd, F_DUPFD, 100);
}

static int by_dup_number(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static int by_fcntl_number(int fd)
{
	return (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 100);
}

CLAIM(an_eventpoll_outlives_its_first_name)
{
	claim_two_names(by_dup, 0);
}

CLAIM(an_eventpoll_outlives_its_second_name)
{
	claim_two_names(by_dup, 1);
}

CLAIM(an_eventpoll_named_by_fcntl_outlives_its_first_name)
{
	claim_two_names(by_dupfd, 0);
}

CLAIM(an_eventpoll_named_by_dup_by_number_outlives_its_first_name)
{
	claim_two_names(by_dup_number, 0);
}

CLAIM(an_eventpoll_named_by_fcntl_by_number_outlives_its_first_name)
{
	claim_two_names(by_fcntl_number, 0);
}

CLAIM_EXCEPT("poll", "a source without a kernel epoll forgets a watch with its descriptor",
	     a_watch_outlives_its_descriptor)
{
	int epfd = epoll_open();
	int p[2], copy;

	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	copy = MUST(dup(p[0]));
	MUST(close(p[0]));
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	MUST(close(copy));
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

/* A message with room for one descriptor. */
struct letter {
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov;
	struct msghdr msg;
};

static void letter_init(struct letter *letter, int fd)
{
	memset(letter, 0, sizeof(*letter));
	letter->control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&letter->control.header), &fd, sizeof(fd));
	letter->iov = (struct iovec){&letter->byte, 1};
	letter->msg = (struct msghdr){.msg_iov = &letter->iov,
				      .msg_iovlen = 1,
				      .msg_control = &letter->control,
				      .msg_controllen = sizeof(letter->control)};
}

static int letter_receive(int socket)
{
	struct letter letter;
	int fd;

	letter_init(&letter, -1);
	EXPECT_INT(recvmsg(socket, &letter.msg, MSG_CMSG_CLOEXEC), ==, 1);
	memcpy(&fd, CMSG_DATA(&letter.control.header), sizeof(fd));
	return fd;
}

CLAIM_EXCEPT("poll", "a source without a kernel epoll forgets a watch with its descriptor",
	     a_watch_outlives_a_descriptor_that_was_sent_away)
{
	struct letter letter;
	int epfd = epoll_open();
	int s[2], p[2];

	unix_open(s);
	pipe_open(p);
	watch(epfd, p[0], EPOLLIN, 1);
	letter_init(&letter, p[0]);
	EXPECT_INT(sendmsg(s[0], &letter.msg, 0), ==, 1);
	MUST(close(p[0]));
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(s[0], s[1]); /* and with it the message */
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1]);
}

/* -------- the same file, received: its sender has it, and may be ourselves -------- */

static void claim_receiving(ssize_t (*receive_it)(int socket, struct letter *letter))
{
	struct letter letter;
	int epfd = epoll_open();
	int s[2], p[2], fd;

	unix_open(s);
	pipe_open(p);
	letter_init(&letter, p[0]);
	EXPECT_INT(sendmsg(s[0], &letter.msg, 0), ==, 1);
	letter_init(&letter, -1);
	EXPECT_INT(receive_it(s[1], &letter), ==, 1);
	memcpy(&fd, CMSG_DATA(&letter.control.header), sizeof(fd));
	watch(epfd, fd, EPOLLIN, 1);
	CLOSE(fd);
	put(p[1], 1);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 1});
	CLOSE(p[0]);
	EXPECT_QUIET(epfd);
	CLOSE(epfd, p[1], s[0], s[1]);
}

static ssize_t by_recvmsg(int socket, struct letter *letter)
{
	return recvmsg(socket, &letter->msg, MSG_CMSG_CLOEXEC);
}

static ssize_t by_recvmmsg(int socket, struct letter *letter)
{
	struct mmsghdr mmsg = {.msg_hdr = letter->msg};

	return recvmmsg(socket, &mmsg, 1, MSG_CMSG_CLOEXEC, NULL);
}

static ssize_t by_recvmsg_number(int socket, struct letter *letter)
{
	return syscall(SYS_recvmsg, socket, &letter->msg, MSG_CMSG_CLOEXEC);
}

#define POLL_NUMBERS "poll(2) asks about numbers: a watch ends with its descriptor"

CLAIM_EXCEPT("poll", POLL_NUMBERS, a_file_received_is_watched_while_its_sender_has_it)
{
	claim_receiving(by_recvmsg);
}

CLAIM_EXCEPT("poll", POLL_NUMBERS, a_file_received_with_others_is_watched_while_its_sender_has_it)
{
	claim_receiving(by_recvmmsg);
}

CLAIM_EXCEPT("poll", POLL_NUMBERS, a_file_received_by_number_is_watched_while_its_sender_has_it)
{
	claim_receiving(by_recvmsg_number);
}

/* What a process gets, from which nobody has taken the eventpoll's secrets. */
static void claim_sending_an_eventpoll(ssize_t (*send_it)(int socket, struct letter *letter))
{
	struct letter letter;
	int s[2], p[2], epfd;
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pipe_open(p);
	CHILD(pid)
	{
		epfd = letter_receive(s[1]);
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0x123456789abcdef0});
		EXPECT_EVENTS(epfd, 0, {EPOLLIN, 0x123456789abcdef0});
		rewatch(epfd, p[0], EPOLLIN, 8);
	}
	epfd = epoll_open();
	watch(epfd, p[0], EPOLLIN, 0x123456789abcdef0);
	put(p[1], 1);
	letter_init(&letter, epfd);
	EXPECT_INT(send_it(s[0], &letter), ==, 1);
	child_join(pid);
	EXPECT_EVENTS(epfd, 0, {EPOLLIN, 8});
	CLOSE(epfd, p[0], p[1], s[0], s[1]);
}

static ssize_t by_sendmsg(int socket, struct letter *letter)
{
	return sendmsg(socket, &letter->msg, 0);
}

static ssize_t by_sendmmsg(int socket, struct letter *letter)
{
	struct mmsghdr mmsg = {.msg_hdr = letter->msg};

	return sendmmsg(socket, &mmsg, 1, 0);
}

static ssize_t by_sendmsg_number(int socket, struct letter *letter)
{
	return syscall(SYS_sendmsg, socket, &letter->msg, 0);
}

#define POLL_SENDING "what is sent of a source without a kernel epoll is an eventfd"

CLAIM_EXCEPT("poll", POLL_SENDING, an_eventpoll_sent_away_is_an_epoll_there)
{
	claim_sending_an_eventpoll(by_sendmsg);
}

CLAIM_EXCEPT("poll", POLL_SENDING, an_eventpoll_sent_with_others_is_an_epoll_there)
{
	claim_sending_an_eventpoll(by_sendmmsg);
}

CLAIM_EXCEPT("poll", POLL_SENDING, an_eventpoll_sent_by_number_is_an_epoll_there)
{
	claim_sending_an_eventpoll(by_sendmsg_number);
}

CLAIM(fcntl_passes_its_argument_whatever_it_is)
{
	struct flock flock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 7};
	char name[] = "/tmp/interpoll-XXXXXX";
	int fd = MUST(mkstemp(name));

	MUST(unlink(name));
	EXPECT_INT(fcntl(fd, F_GETFD), ==, 0);
	MUST(fcntl(fd, F_SETFD, FD_CLOEXEC));
	EXPECT_INT(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
	MUST(fcntl(fd, F_SETLK, &flock));
	flock.l_len = 0;
	MUST(fcntl(fd, F_OFD_GETLK, &(struct flock){.l_type = F_WRLCK}));
	EXPECT_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
	EXPECT_ERRNO(fcntl(fd, 123456, 0), EINVAL);
	CLOSE(fd);
}
