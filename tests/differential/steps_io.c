// SPDX-License-Identifier: MIT
/*
 * steps_io.c - something happens to files: bytes, ends, clocks, signals.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "steps.h"
#include "walk.h"

static char bytes[1 << 16];

/* Sockets do not raise SIGPIPE here; it is blocked anyway. */
void play_write(const struct step *step)
{
	size_t length = (size_t)step->args[1].number;
	ssize_t written;

	if (settle_write(step_fd(step, 0), bytes, length < sizeof(bytes) ? length : sizeof(bytes),
			 &written))
		log_result(written);
}

/* What an eventfd is written. */
void play_count(const struct step *step)
{
	uint64_t count = (uint64_t)step->args[1].number;
	ssize_t written;

	if (settle_write(step_fd(step, 0), &count, sizeof(count), &written))
		log_result(written);
}

void play_read(const struct step *step)
{
	size_t length = (size_t)step->args[1].number;

	log_result(read(step_fd(step, 0), bytes, length < sizeof(bytes) ? length : sizeof(bytes)));
}

void play_drain(const struct step *step)
{
	ssize_t total = 0, n;

	/* a descriptor that never ends, a memory file or a full eventfd, ends here */
	for (int i = 0; i < 1024; i++) {
		n = read(step_fd(step, 0), bytes, sizeof(bytes));
		if (n <= 0)
			break;
		total += n;
	}
	log_result(n < 0 ? -1 : 0);
	log_value("bytes", total);
}

void play_fill(const struct step *step)
{
	ssize_t total = 0, n = 0;

	/* how much fits on the way through a terminal or the network is a matter of the moment */
	if (isatty(step_fd(step, 0)) || socket_domain(step_fd(step, 0)) == AF_INET)
		return;
	for (int i = 0; i < 256; i++) {
		n = write(step_fd(step, 0), bytes, 4096);
		if (n <= 0)
			break;
		total += n;
	}
	log_result(n < 0 ? -1 : 0);
	log_value("bytes", total);
}

void play_urgent(const struct step *step)
{
	log_result(send(step_fd(step, 0), "!", 1, MSG_OOB | MSG_NOSIGNAL));
}

void play_shut(const struct step *step)
{
	int how = SHUT_RDWR;

	if (step_says(step, 1, "read"))
		how = SHUT_RD;
	else if (step_says(step, 1, "write"))
		how = SHUT_WR;
	log_result(shutdown(step_fd(step, 0), how));
	settle_end(step_fd(step, 0));
}

/* When this is closed, the other side gets a reset. */
void play_linger(const struct step *step)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	log_result(setsockopt(step_fd(step, 0), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

void play_set(const struct step *step)
{
	struct itimerspec setting = {0};
	struct pollfd timer = {.fd = step_fd(step, 0), .events = POLLIN};
	bool is_due = step_says(step, 1, "now");
	int ret;

	if (is_due)
		setting.it_value.tv_nsec = 1;
	else if (step_says(step, 1, "far"))
		setting.it_value.tv_sec = 3600;
	ret = timerfd_settime(timer.fd, 0, &setting, NULL);
	log_result(ret);
	if (is_due && ret == 0) /* it fires by an interrupt */
		poll(&timer, 1, 1000);
}

void play_raise(const struct step *step)
{
	int signal = walk_signal((int)step->args[0].number);

	if (step_says(step, 1, "thread"))
		log_result(pthread_kill(pthread_self(), signal));
	else
		log_result(kill(getpid(), signal));
}
