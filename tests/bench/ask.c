// SPDX-License-Identifier: MIT
/*
 * ask - a client that asks one question over and over, on many connections
 *
 *	ask PORT CONNECTIONS SECONDS QUESTION ANSWER
 *
 * Each connection sends the contents of the file QUESTION, reads as many bytes as
 * the file ANSWER has, which must be these, and asks again.  Prints how many answers
 * came, in how many seconds, and the median and 99th percentile of the microseconds
 * an answer took; for servers that have no client of their own that tells them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_TEXT = 4096,
	MAX_EVENTS = 256,
	MAX_SAMPLES = 1 << 22,
	CONNECT_S = 20
};

struct text {
	char bytes[MAX_TEXT];
	size_t length;
};

struct connection {
	int fd;
	size_t nr_received;
	long long asked_ns;
};

static struct text question, answer;
static float *samples_us;
static size_t nr_answers;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("ask: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void read_text(const char *path, struct text *ret_text)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		fail("%s: %m", path);
	ret_text->length = fread(ret_text->bytes, 1, MAX_TEXT, file);
	if (ret_text->length == 0 || ret_text->length == MAX_TEXT)
		fail("%s: 1 to %d bytes are allowed", path, MAX_TEXT - 1);
	fclose(file);
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connecting to port %d: %m", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* A question is shorter than any socket's buffer, which is empty: it goes at once. */
static void ask(struct connection *connection)
{
	connection->nr_received = 0;
	connection->asked_ns = now_ns();
	if (send(connection->fd, question.bytes, question.length, MSG_NOSIGNAL) !=
	    (ssize_t)question.length)
		fail("sending a question: %m");
}

static void note_answer(const struct connection *connection)
{
	if (nr_answers == MAX_SAMPLES)
		fail("more than %d answers; ask for less time", MAX_SAMPLES);
	samples_us[nr_answers++] = (float)(now_ns() - connection->asked_ns) / 1000;
}

static void take(struct connection *connection)
{
	char bytes[MAX_TEXT];
	size_t left = answer.length - connection->nr_received;
	ssize_t n = recv(connection->fd, bytes, left, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("the server closes a connection: %s", n < 0 ? strerror(errno) : "no answer");
	if (memcmp(bytes, answer.bytes + connection->nr_received, (size_t)n) != 0)
		fail("a wrong answer: %.*s", (int)n, bytes);
	connection->nr_received += (size_t)n;
	if (connection->nr_received < answer.length)
		return;
	note_answer(connection);
	ask(connection);
}

static void ask_until(int epfd, long long end_ns)
{
	struct epoll_event events[MAX_EVENTS];

	while (now_ns() < end_ns) {
		int n = epoll_wait(epfd, events, MAX_EVENTS, CONNECT_S * 1000);

		if (n <= 0)
			fail("no answer: %s", n < 0 ? strerror(errno) : "nothing comes any more");
		for (int i = 0; i < n; i++)
			take(events[i].data.ptr);
	}
}

static int by_size(const void *left, const void *right)
{
	float a = *(const float *)left;
	float b = *(const float *)right;

	return (a > b) - (a < b);
}

static void print_what_was_found(double seconds)
{
	if (nr_answers == 0)
		fail("not one answer came");
	qsort(samples_us, nr_answers, sizeof(*samples_us), by_size);
	printf("%zu %.3f %.1f %.1f\n", nr_answers, seconds, (double)samples_us[nr_answers / 2],
	       (double)samples_us[nr_answers - 1 - nr_answers / 100]);
}

int main(int argc, char **argv)
{
	int nr_connections = argc == 6 ? atoi(argv[2]) : 0;
	double seconds = argc == 6 ? atof(argv[3]) : 0;

	if (nr_connections <= 0 || seconds <= 0) {
		fputs("usage: ask PORT CONNECTIONS SECONDS QUESTION ANSWER\n", stderr);
		return 2;
	}
	read_text(argv[4], &question);
	read_text(argv[5], &answer);

	struct connection *connections = calloc((size_t)nr_connections, sizeof(*connections));
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	samples_us = malloc(MAX_SAMPLES * sizeof(*samples_us));
	if (!connections || !samples_us || epfd < 0)
		fail("%m");
	for (int i = 0; i < nr_connections; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};

		connections[i].fd = connect_to(atoi(argv[1]));
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
			fail("epoll_ctl: %m");
	}

	long long begin_ns = now_ns();

	for (int i = 0; i < nr_connections; i++)
		ask(&connections[i]);
	ask_until(epfd, begin_ns + (long long)(seconds * 1e9));
	print_what_was_found((double)(now_ns() - begin_ns) / 1e9);
	free(connections);
	free(samples_us);
	return 0;
}
