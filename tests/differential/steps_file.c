// SPDX-License-Identifier: MIT
/*
 * steps_file.c - files of every type are made; none of them ever blocks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

enum {
	BACKLOG = 1024, /* more than a program connects: TCP would drop, and try again later */
};

static void made_one(const struct step *step, int fd)
{
	log_result(fd);
	step_name(step, 0, fd);
}

static void made_two(const struct step *step, int ret, const int ends[2])
{
	log_result(ret);
	for (int i = 0; i < 2; i++) {
		if (ret == 0)
			log_value("fd", ends[i]);
		step_name(step, i, ret == 0 ? ends[i] : -1);
	}
}

void play_epoll(const struct step *step)
{
	made_one(step, epoll_create1(EPOLL_CLOEXEC));
}

void play_pipe(const struct step *step)
{
	int ends[2];

	made_two(step, pipe2(ends, O_NONBLOCK | O_CLOEXEC), ends);
}

int socket_domain(int fd)
{
	int domain = -1;
	socklen_t length = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	return domain;
}

bool is_eventpoll(int fd)
{
	static const char what[] = "anon_inode:[eventpoll]";
	char path[32], link[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	return length == sizeof(what) - 1 && !memcmp(link, what, sizeof(what) - 1);
}

/* A new description of what @fd names, as of a file in a file system. */
int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

/* A pipe whose ends are opened by name, one after the other. */
void play_fifo(const struct step *step)
{
	int pipe[2], ends[2], ret = pipe2(pipe, O_NONBLOCK | O_CLOEXEC);

	if (ret == 0) {
		ends[0] = open_again(pipe[0], O_RDONLY);
		ends[1] = open_again(pipe[0], O_WRONLY);
		close(pipe[0]);
		close(pipe[1]);
	}
	made_two(step, ret, ends);
}

void play_pair(const struct step *step)
{
	int ends[2], type = SOCK_STREAM;

	if (step_says(step, 2, "dgram"))
		type = SOCK_DGRAM;
	else if (step_says(step, 2, "seqpacket"))
		type = SOCK_SEQPACKET;
	made_two(step, socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), ends);
}

/* -------- network: 127.x.y.z by our own number, so that no port is ever short -------- */

static struct sockaddr_in my_address(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	uint32_t pid = (uint32_t)getpid();

	address.sin_addr.s_addr = htonl(0x7f000000 | (pid << 1 & 0xfffffe) | 1);
	return address;
}

static int inet_open(int type)
{
	int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	settle_note_inet();
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* A socket bound to a free port of ours, which *@ret_address says. */
static int inet_bound(int type, struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = inet_open(type);

	*ret_address = my_address();
	if (bind(fd, (void *)ret_address, length) < 0 ||
	    getsockname(fd, (void *)ret_address, &length) < 0) {
		perror("walk: no port on 127.0.0.0/8");
		exit(2);
	}
	return fd;
}

static int inet_listen(struct sockaddr_in *ret_address)
{
	int fd = inet_bound(SOCK_STREAM, ret_address);

	listen(fd, BACKLOG);
	return fd;
}

void play_tcp(const struct step *step)
{
	int listener, ends[2], on = 1;
	struct sockaddr_in address;

	listener = inet_listen(&address);
	ends[0] = inet_open(SOCK_STREAM);
	connect(ends[0], (void *)&address, sizeof(address));
	settle_inet();
	ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(listener);
	made_two(step, ends[1] < 0 ? -1 : 0, ends);
}

void play_udp(const struct step *step)
{
	struct sockaddr_in addresses[2];
	int ends[2], ret = 0;

	for (int i = 0; i < 2; i++)
		ends[i] = inet_bound(SOCK_DGRAM, &addresses[i]);
	for (int i = 0; i < 2; i++)
		ret |= connect(ends[i], (void *)&addresses[!i], sizeof(addresses[i]));
	made_two(step, ret, ends);
}

/* -------- listeners: the address is asked of them when somebody connects -------- */

void play_listen(const struct step *step)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct sockaddr_in port;
	int fd;

	if (step_says(step, 1, "tcp")) {
		made_one(step, inet_listen(&port));
		return;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bind(fd, (void *)&address, sizeof(sa_family_t)); /* the kernel picks an abstract name */
	listen(fd, BACKLOG);
	made_one(step, fd);
}

void play_connect(const struct step *step)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	int fd = -1, ret = getsockname(step_fd(step, 1), (void *)&address, &length);

	if (ret == 0) {
		fd = address.ss_family == AF_INET
			     ? inet_open(SOCK_STREAM)
			     : socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ret = connect(fd, (void *)&address, length);
	}
	log_result(ret);
	log_value("fd", fd);
	step_name(step, 0, fd);
}

void play_accept(const struct step *step)
{
	int on = 1, fd = accept4(step_fd(step, 1), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	made_one(step, fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* -------- counters, clocks, signals, terminals, and what cannot be watched -------- */

void play_event(const struct step *step)
{
	int flags = step_says(step, 2, "semaphore") ? EFD_SEMAPHORE : 0;
	unsigned int count = (unsigned int)step->args[1].number;

	made_one(step, eventfd(count, flags | EFD_NONBLOCK | EFD_CLOEXEC));
}

void play_timer(const struct step *step)
{
	made_one(step, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
}

void play_signal(const struct step *step)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, walk_signal((int)step->args[1].number));
	made_one(step, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

/* All of them look at one file, which nobody else can find. */
static int touched = -1;

void play_inotify(const struct step *step)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[32];

	if (touched < 0)
		touched = own_fd(memfd_create("walk", MFD_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", touched);
	made_one(step, fd);
	log_value("watch", inotify_add_watch(fd, path, IN_MODIFY));
}

void play_touch(const struct step *step)
{
	(void)step;
	log_result(touched < 0 ? 0 : (long)pwrite(touched, "x", 1, 0));
}

void play_pty(const struct step *step)
{
	int ends[2] = {posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), -1};
	struct termios termios;
	int unlocked = 0;

	if (ends[0] >= 0 && ioctl(ends[0], TIOCSPTLCK, &unlocked) == 0)
		ends[1] = ioctl(ends[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tcgetattr(ends[1], &termios) == 0) {
		cfmakeraw(&termios);
		tcsetattr(ends[1], TCSANOW, &termios);
	}
	made_two(step, ends[1] < 0 ? -1 : 0, ends);
	settle_note_terminal(step->args[1].name);
}

void play_plain(const struct step *step)
{
	if (step_says(step, 1, "memory"))
		made_one(step, memfd_create("walk", MFD_CLOEXEC));
	else if (step_says(step, 1, "mounts"))
		made_one(step, open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
	else
		made_one(step, open("/dev/null", O_RDWR | O_CLOEXEC));
}
