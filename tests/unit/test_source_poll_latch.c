// SPDX-License-Identifier: MIT
/*
 * test_source_poll_latch.c - edges under a level that stays high, for items that
 * are edge-triggered; what is told exactly, and what is known not to be.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include "poll_stage.h"

#define LATCH (EPOLLET | SOURCE_LATCH)

TestSuite(source_poll_latch, .init = stage_begin, .fini = stage_end);

/* Wait until @fd has @events; the loopback delivers when it likes. */
static void await(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	cr_assert_eq(poll(&pfd, 1, 10000), 1);
}

/* Be there when the source wants to look again. */
static void await_due(void)
{
	uint64_t due_ns = source_poll.due_ns(&source);
	struct timespec due = clock_to_timespec(due_ns);

	cr_assert_neq(due_ns, CLOCK_FOREVER);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

/* -------- told exactly -------- */

Test(source_poll_latch, tcp__second_write_is_a_second_edge)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLIN | LATCH, 1);
	put(s[1], 5);
	await(s[0], POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	put(s[1], 5);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll_latch, tcp__as_much_again_after_an_unseen_fall_is_an_edge)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLIN | LATCH, 1);
	for (int i = 0; i < 20; i++) {
		put(s[1], 5);
		await(s[0], POLLIN);
		EXPECT_EDGE(EPOLLIN, 1);
		take(s[0], 5);
	}
	close_both(s);
}

Test(source_poll_latch, tcp__reading_a_part_is_no_edge)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLIN | LATCH, 1);
	put(s[1], 5);
	await(s[0], POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	take(s[0], 3);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll_latch, tcp__end_of_file_behind_unread_data_is_an_edge)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLIN | LATCH, 1);
	put(s[1], 5);
	await(s[0], POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_eq(shutdown(s[1], SHUT_WR), 0);
	await(s[0], POLLRDHUP);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll_latch, without_the_bit_a_second_write_is_left_to_the_engine)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLIN | EPOLLET, 1);
	put(s[1], 5);
	await(s[0], POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	put(s[1], 5);
	EXPECT_NO_EDGE();
	cr_assert_eq(source_poll.due_ns(&source), CLOCK_FOREVER);
	close_both(s);
}

/* The buffer was full and is free again between two looks. */
Test(source_poll_latch, tcp__writer_that_was_refused_gets_an_edge)
{
	int s[2];
	size_t len;

	tcp_open(s);
	arm(s[0], EPOLLOUT | LATCH, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	len = fill(s[0]);
	while (len > 0) {
		static char bytes[65536];
		ssize_t n = read(s[1], bytes, sizeof(bytes));

		cr_assert_gt(n, 0);
		len -= (size_t)n;
	}
	await(s[0], POLLOUT);
	await_due();
	EXPECT_EDGE(EPOLLOUT, 1);
	close_both(s);
}

Test(source_poll_latch, tcp__writer_that_was_not_refused_gets_none)
{
	int s[2];

	tcp_open(s);
	arm(s[0], EPOLLOUT | LATCH, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	for (int i = 0; i < 5; i++) {
		put(s[0], 1000);
		take(s[1], 1000);
		await_due();
		EXPECT_NO_EDGE();
	}
	close_both(s);
}

Test(source_poll_latch, eventfd__written_while_readable_is_an_edge)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	arm(fd, EPOLLIN | LATCH, 1);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(eventfd_write(fd, 1), 0);
		EXPECT_EDGE(EPOLLIN, 1);
		EXPECT_NO_EDGE();
	}
	close(fd);
}

Test(source_poll_latch, eventfd__read_is_an_edge_for_the_writer_when_due)
{
	eventfd_t count;
	int fd = eventfd(3, EFD_NONBLOCK);

	arm(fd, EPOLLIN | EPOLLOUT | LATCH, 1);
	EXPECT_EDGE(EPOLLIN | EPOLLOUT, 1);
	cr_assert_eq(eventfd_read(fd, &count), 0);
	await_due();
	EXPECT_EDGE(EPOLLOUT, 1);
	await_due();
	EXPECT_NO_EDGE();
	close(fd);
}

/* A read takes all there is: what is less than before must have come after it. */
Test(source_poll_latch, eventfd__less_after_an_unseen_fall_is_an_edge)
{
	eventfd_t count;
	int fd = eventfd(5, EFD_NONBLOCK);

	arm(fd, EPOLLIN | LATCH, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	for (eventfd_t less = 4; less > 0; less--) {
		cr_assert_eq(eventfd_read(fd, &count), 0);
		cr_assert_eq(eventfd_write(fd, less), 0);
		EXPECT_EDGE(EPOLLIN, 1);
		EXPECT_NO_EDGE();
	}
	close(fd);
}

Test(source_poll_latch, semaphore_eventfd__taking_one_of_many_is_no_edge_for_readers)
{
	eventfd_t count;
	int fd = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);

	arm(fd, EPOLLIN | LATCH, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_eq(eventfd_read(fd, &count), 0);
	EXPECT_NO_EDGE();
	cr_assert_eq(eventfd_write(fd, 1), 0);
	EXPECT_EDGE(EPOLLIN, 1);
	close(fd);
}

/* -------- told as far as it goes -------- */

static void more_is_an_edge_less_is_none(int in, int out)
{
	arm(in, EPOLLIN | LATCH, 1);
	put(out, 5);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	put(out, 5);
	EXPECT_EDGE(EPOLLIN, 1);
	take(in, 8);
	EXPECT_NO_EDGE();
	put(out, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	/* an unseen fall, and more than before */
	take(in, 3);
	put(out, 4);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
}

Test(source_poll_latch, unix__more_is_an_edge_less_is_none)
{
	int s[2];

	unix_open(s);
	more_is_an_edge_less_is_none(s[0], s[1]);
	close_both(s);
}

Test(source_poll_latch, pipe__more_is_an_edge_less_is_none)
{
	int p[2];

	pipe_open(p);
	more_is_an_edge_less_is_none(p[0], p[1]);
	close_both(p);
}

/* The limit that activity.h states: no figure of the kernel's shows it. */
Test(source_poll_latch, pipe__as_much_again_after_an_unseen_fall_is_missed)
{
	int p[2];

	pipe_open(p);
	arm(p[0], EPOLLIN | LATCH, 1);
	put(p[1], 5);
	EXPECT_EDGE(EPOLLIN, 1);
	take(p[0], 5);
	put(p[1], 5);
	EXPECT_NO_EDGE();
	close_both(p);
}

/* The same for the count of an eventfd; the storms of the claims meet it. */
Test(source_poll_latch, eventfd__as_much_again_after_an_unseen_fall_is_missed)
{
	eventfd_t count;
	int fd = eventfd(1, EFD_NONBLOCK);

	arm(fd, EPOLLIN | LATCH, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_eq(eventfd_read(fd, &count), 0);
	cr_assert_eq(eventfd_write(fd, 1), 0);
	EXPECT_NO_EDGE();
	close(fd);
}

Test(source_poll_latch, unix__room_made_by_the_reader_is_an_edge_when_due)
{
	int s[2];

	unix_open(s);
	put(s[0], 1000);
	put(s[0], 1000);
	arm(s[0], EPOLLOUT | LATCH, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	take(s[1], 1000);
	await_due();
	EXPECT_EDGE(EPOLLOUT, 1);
	await_due();
	EXPECT_NO_EDGE();
	close_both(s);
}

Test(source_poll_latch, udp__second_datagram_is_a_second_edge)
{
	struct sockaddr_in address;
	int in = inet_open(SOCK_DGRAM, &address);
	int out = socket(AF_INET, SOCK_DGRAM, 0);

	cr_assert_eq(connect(out, (struct sockaddr *)&address, sizeof(address)), 0);
	arm(in, EPOLLIN | LATCH, 1);
	put(out, 5);
	await(in, POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	put(out, 5);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	close(in);
	close(out);
}

Test(source_poll_latch, listener__second_connection_is_a_second_edge)
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address), first, second;

	arm(listener, EPOLLIN | LATCH, 1);
	first = tcp_connect(&address);
	await(listener, POLLIN);
	EXPECT_EDGE(EPOLLIN, 1);
	EXPECT_NO_EDGE();
	second = tcp_connect(&address);
	EXPECT_EDGE(EPOLLIN, 1);
	close(accept(listener, NULL, NULL));
	EXPECT_NO_EDGE();
	close(first);
	close(second);
	close(listener);
}

Test(source_poll_latch, activity_for_which_there_was_no_room_comes_next)
{
	struct epoll_event edges[2];
	int s[2], t[2];

	tcp_open(s);
	tcp_open(t);
	arm(s[0], EPOLLIN | LATCH, 1);
	arm(t[0], EPOLLIN | LATCH, 2);
	put(s[1], 5);
	put(t[1], 5);
	await(s[0], POLLIN);
	await(t[0], POLLIN);
	cr_assert_eq(source_poll.collect(&source, edges, 2), 2);
	put(s[1], 5);
	put(t[1], 5);
	cr_assert_eq(source_poll.collect(&source, edges, 1), 1);
	cr_assert_eq(source_poll.collect(&source, edges + 1, 1), 1);
	cr_assert_eq(edges[0].data.u64 + edges[1].data.u64, 3);
	EXPECT_NO_EDGE();
	close_both(s);
	close_both(t);
}

/* The number of a pipe becomes a connection's, and nobody has told us of the close. */
Test(source_poll_latch, second_arm_of_a_number_looks_at_the_new_file)
{
	int p[2], s[2];

	pipe_open(p);
	tcp_open(s);
	arm(p[0], EPOLLIN | LATCH, 1);
	cr_assert_eq(dup2(s[0], p[0]), p[0]);
	arm(p[0], EPOLLIN | LATCH, 2);
	for (int i = 0; i < 3; i++) {
		put(s[1], 5);
		await(s[0], POLLIN);
		EXPECT_EDGE(EPOLLIN, 2);
		take(s[0], 5);
	}
	close_both(p);
	close_both(s);
}

/* -------- when to look again -------- */

Test(source_poll_latch, nothing_is_due_while_nothing_is_high)
{
	int s[2];

	unix_open(s);
	cr_assert_eq(source_poll.due_ns(&source), CLOCK_FOREVER);
	arm(s[0], EPOLLIN | LATCH, 1);
	EXPECT_NO_EDGE();
	cr_assert_eq(source_poll.due_ns(&source), CLOCK_FOREVER);
	put(s[1], 1);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_neq(source_poll.due_ns(&source), CLOCK_FOREVER);
	disarm(s[0]);
	cr_assert_eq(source_poll.due_ns(&source), CLOCK_FOREVER);
	close_both(s);
}

/* A file that tells nothing is not looked at for nothing. */
Test(source_poll_latch, writable_pipe_makes_nothing_due)
{
	int p[2];

	pipe_open(p);
	arm(p[1], EPOLLOUT | LATCH, 1);
	EXPECT_EDGE(EPOLLOUT, 1);
	cr_assert_eq(source_poll.due_ns(&source), CLOCK_FOREVER);
	close_both(p);
}

/* A FIFO's hangup ends when a new writer comes; the loop cannot poll for that. */
Test(source_poll_latch, hangup_that_is_seen_keeps_the_file_due)
{
	int s[2];

	unix_open(s);
	arm(s[0], LATCH, 1);
	close(s[1]);
	EXPECT_EDGE(EPOLLHUP, 1);
	cr_assert_neq(source_poll.due_ns(&source), CLOCK_FOREVER);
	close(s[0]);
}

Test(source_poll_latch, intervals_double_while_nothing_happens_and_shrink_when_it_does)
{
	uint64_t before_ns, interval_ns, longest_ns = 0;
	int s[2];

	unix_open(s);
	put(s[1], 1);
	arm(s[0], EPOLLIN | LATCH, 1);
	EXPECT_EDGE(EPOLLIN, 1);
	for (int i = 0; i < 9; i++) {
		await_due();
		before_ns = clock_now_ns();
		EXPECT_NO_EDGE();
		interval_ns = source_poll.due_ns(&source) - before_ns;
		cr_assert_geq(interval_ns, longest_ns);
		longest_ns = interval_ns < 64 * CLOCK_NS_PER_MS ? interval_ns : longest_ns;
	}
	cr_assert_geq(interval_ns, 64 * CLOCK_NS_PER_MS);
	put(s[1], 1);
	EXPECT_EDGE(EPOLLIN, 1);
	cr_assert_lt(source_poll.due_ns(&source), before_ns + 64 * CLOCK_NS_PER_MS);
	close_both(s);
}
