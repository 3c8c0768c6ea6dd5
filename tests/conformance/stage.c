// SPDX-License-Identifier: MIT
/*
 * stage.c - files, watches and time for claims.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* ---- files ------------------------------------------------------------- */

void pipe_open(int ends[2])
{
	MUST(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
}

void unix_open(int ends[2])
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

int tcp_listen(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	MUST(bind(fd, (struct sockaddr *)&address, length));
	MUST(listen(fd, 64));
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	*port = ntohs(address.sin_port);
	return fd;
}

int tcp_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	MUST(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK));
	return fd;
}

void tcp_open(int ends[2])
{
	uint16_t port;
	int listener = tcp_listen(&port);

	ends[0] = tcp_connect(port);
	/* Connected says that it is in the queue: this cannot be EAGAIN. */
	ends[1] = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CLOSE(listener);
}

int eventfd_open(unsigned int count)
{
	return MUST(eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC));
}

int timerfd_open(void)
{
	return MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
}

void timerfd_set(int fd, int64_t delay_ns)
{
	struct itimerspec due = {
		.it_value = {.tv_sec = delay_ns / 1000000000, .tv_nsec = delay_ns % 1000000000},
	};

	MUST(timerfd_settime(fd, 0, &due, NULL));
}

void put(int fd, size_t nr_bytes)
{
	static const char bytes[65536];

	EXPECT(nr_bytes <= sizeof(bytes));
	EXPECT_INT(write(fd, bytes, nr_bytes), ==, nr_bytes);
}

void take(int fd, size_t nr_bytes)
{
	char bytes[65536];

	EXPECT(nr_bytes <= sizeof(bytes));
	EXPECT_INT(read(fd, bytes, nr_bytes), ==, nr_bytes);
}

size_t fill(int fd)
{
	static const char bytes[4096];
	size_t total = 0;
	ssize_t nr;

	while ((nr = write(fd, bytes, sizeof(bytes))) > 0)
		total += (size_t)nr;
	/* The last of the room may be smaller than a block. */
	while ((nr = write(fd, bytes, 1)) > 0)
		total += (size_t)nr;
	EXPECT_INT(errno, ==, EAGAIN);
	return total;
}

size_t drain(int fd)
{
	char bytes[4096];
	size_t total = 0;
	ssize_t nr;

	while ((nr = read(fd, bytes, sizeof(bytes))) > 0)
		total += (size_t)nr;
	if (nr < 0)
		EXPECT_INT(errno, ==, EAGAIN);
	return total;
}

int shutdown_writing(int socket)
{
	return shutdown(socket, SHUT_WR);
}

void count_up(int event_fd, uint64_t n)
{
	EXPECT_INT(write(event_fd, &n, sizeof(n)), ==, sizeof(n));
}

uint64_t count_take(int event_fd)
{
	uint64_t n = 0;

	EXPECT_INT(read(event_fd, &n, sizeof(n)), ==, sizeof(n));
	return n;
}

/* What carries one descriptor over a unix socket. */
struct carrier {
	char byte;
	struct iovec data;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message;
};

static struct cmsghdr *carrier_init(struct carrier *carrier)
{
	memset(carrier, 0, sizeof(*carrier));
	carrier->data = (struct iovec){.iov_base = &carrier->byte, .iov_len = 1};
	carrier->message = (struct msghdr){
		.msg_iov = &carrier->data,
		.msg_iovlen = 1,
		.msg_control = carrier->control.bytes,
		.msg_controllen = sizeof(carrier->control.bytes),
	};
	return CMSG_FIRSTHDR(&carrier->message);
}

void fd_send(int unix_socket, int fd)
{
	struct carrier carrier;
	struct cmsghdr *header = carrier_init(&carrier);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	EXPECT_INT(sendmsg(unix_socket, &carrier.message, 0), ==, 1);
}

int fd_receive(int unix_socket)
{
	struct carrier carrier;
	struct cmsghdr *header = carrier_init(&carrier);
	int fd;

	EXPECT_INT(recvmsg(unix_socket, &carrier.message, MSG_CMSG_CLOEXEC), ==, 1);
	EXPECT_INT(header->cmsg_type, ==, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

void close_all(const char *file, int line, const int *fds, int nr)
{
	for (int i = 0; i < nr; i++)
		if (close(fds[i]) != 0)
			claim_fail(file, line, "close(%d), the %d. of the list, failed: %s", fds[i],
				   i + 1, strerrorname_np(errno));
}

void allow_descriptors(int nr)
{
	struct rlimit limit;

	MUST(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur >= (rlim_t)nr + 64)
		return;
	limit.rlim_cur = (rlim_t)nr + 64;
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

/* ---- watches ----------------------------------------------------------- */

int epoll_open(void)
{
	return MUST(epoll_create1(EPOLL_CLOEXEC));
}

int ctl_add(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

int ctl_mod(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
}

int ctl_del(int epfd, int fd)
{
	return epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
}

void watch(int epfd, int fd, uint32_t events, uint64_t data)
{
	MUST(ctl_add(epfd, fd, events, data));
}

void rewatch(int epfd, int fd, uint32_t events, uint64_t data)
{
	MUST(ctl_mod(epfd, fd, events, data));
}

void unwatch(int epfd, int fd)
{
	MUST(ctl_del(epfd, fd));
}

int flush(int epfd)
{
	struct epoll_event events[64];
	int nr, total = 0;

	while ((nr = MUST(epoll_wait(epfd, events, 64, 0))) > 0)
		total += nr;
	return total;
}

/* ---- time -------------------------------------------------------------- */

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}
