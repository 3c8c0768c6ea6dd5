// SPDX-License-Identifier: MIT
/*
 * order_kept.c - the exact order of delivery.
 *
 * The ready list: who becomes ready goes to its end, whoever is on it keeps his place,
 * a level that was delivered goes to the end behind whatever came meanwhile.  With
 * --strict the kernel keeps that list, with the thread driver interpoll does likewise.
 */
#include <string.h>
#include <unistd.h>

#include "stage.h"

#define NO_CALL_NO_ORDER \
	"what needs no system call takes its place in interpoll's list before what S still has"
#define NO_ORDER "poll(2) tells what is ready, not what became ready first"

#define NR 6

/* A to F: eventfds, watched in that order. */
struct stage {
	int epfd;
	int fds[NR];
};

static void stage_open(struct stage *stage, uint32_t mode)
{
	stage->epfd = epoll_open();
	for (int i = 0; i < NR; i++) {
		stage->fds[i] = eventfd_open(0);
		watch(stage->epfd, stage->fds[i], EPOLLIN | mode, (uint64_t)i);
	}
}

static void stage_close(struct stage *stage)
{
	close_all(__FILE__, __LINE__, stage->fds, NR);
	CLOSE(stage->epfd);
}

/* Make them ready, in this order: "CAB". */
static void ready(struct stage *stage, const char *names)
{
	for (; *names; names++)
		count_up(stage->fds[*names - 'A'], 1);
}

static void unready(struct stage *stage, const char *names)
{
	for (; *names; names++)
		count_take(stage->fds[*names - 'A']);
}

static void modify(struct stage *stage, char name, uint32_t mode)
{
	rewatch(stage->epfd, stage->fds[name - 'A'], EPOLLIN | mode, (uint64_t)(name - 'A'));
}

static void renew(struct stage *stage, char name, uint32_t mode)
{
	unwatch(stage->epfd, stage->fds[name - 'A']);
	watch(stage->epfd, stage->fds[name - 'A'], EPOLLIN | mode, (uint64_t)(name - 'A'));
}

/* One wait with @room delivers these, in this order. */
#define EXPECT_ORDER(stage, room, names) expect_order(__LINE__, stage, room, names)
static void expect_order(int line, struct stage *stage, int room, const char *names)
{
	struct epoll_event events[NR];
	char got[NR + 1] = "";
	int nr = MUST(epoll_wait(stage->epfd, events, room, 0));

	for (int i = 0; i < nr; i++)
		got[i] = (char)('A' + (char)events[i].data.u64);
	if (strcmp(got, names) != 0)
		claim_fail(__FILE__, line, "expected the order \"%s\", got \"%s\"", names, got);
}

CLAIM_ONLY("native epoll", NO_ORDER, a_level_on_the_list_keeps_its_place_when_it_is_written_again)
{
	struct stage stage;

	stage_open(&stage, 0);
	ready(&stage, "CABAC");
	EXPECT_ORDER(&stage, 6, "CAB");
	EXPECT_ORDER(&stage, 6, "CAB");
	unready(&stage, "C");
	ready(&stage, "C"); /* nobody looked meanwhile */
	EXPECT_ORDER(&stage, 6, "CAB");
	stage_close(&stage);
}

CLAIM_ONLY("native epoll", NO_ORDER, a_level_that_was_found_gone_comes_back_at_the_end)
{
	struct stage stage;

	stage_open(&stage, 0);
	ready(&stage, "CAB");
	EXPECT_ORDER(&stage, 6, "CAB");
	unready(&stage, "C");
	EXPECT_ORDER(&stage, 6, "AB");
	ready(&stage, "C");
	EXPECT_ORDER(&stage, 6, "ABC");
	stage_close(&stage);
}

CLAIM(a_short_batch_goes_round)
{
	struct stage stage;

	stage_open(&stage, 0);
	ready(&stage, "ABCDE");
	EXPECT_ORDER(&stage, 2, "AB");
	EXPECT_ORDER(&stage, 2, "CD");
	EXPECT_ORDER(&stage, 2, "EA");
	ready(&stage, "F");
	EXPECT_ORDER(&stage, 3, "BCD");
	EXPECT_ORDER(&stage, 3, "EAF");
	EXPECT_ORDER(&stage, 1, "B");
	EXPECT_ORDER(&stage, 6, "CDEAFB");
	stage_close(&stage);
}

CLAIM_ONLY("native strict epoll+thread", NO_CALL_NO_ORDER, edges_and_levels_share_one_list)
{
	struct stage stage;

	stage_open(&stage, EPOLLET);
	modify(&stage, 'B', 0);
	modify(&stage, 'D', 0);
	ready(&stage, "ABCD");
	EXPECT_ORDER(&stage, 3, "ABC");
	ready(&stage, "AC");
	EXPECT_ORDER(&stage, 3, "DBA");
	EXPECT_ORDER(&stage, 3, "CDB");
	EXPECT_ORDER(&stage, 3, "DB");
	ready(&stage, "EA");
	EXPECT_ORDER(&stage, 6, "DBEA");
	stage_close(&stage);
}

CLAIM_ONLY("native strict epoll+thread", NO_CALL_NO_ORDER,
	   MOD_leaves_who_is_on_the_list_in_his_place)
{
	struct stage stage;

	stage_open(&stage, 0);
	ready(&stage, "ABC");
	modify(&stage, 'A', 0);
	modify(&stage, 'B', EPOLLONESHOT);
	modify(&stage, 'A', EPOLLET);
	EXPECT_ORDER(&stage, 6, "ABC");
	EXPECT_ORDER(&stage, 6, "C");
	stage_close(&stage);
}

CLAIM_ONLY("native epoll", NO_ORDER, MOD_puts_who_was_delivered_at_the_end)
{
	struct stage stage;

	stage_open(&stage, EPOLLONESHOT);
	ready(&stage, "ABCD");
	EXPECT_ORDER(&stage, 2, "AB");
	modify(&stage, 'B', EPOLLONESHOT);
	modify(&stage, 'A', EPOLLONESHOT);
	ready(&stage, "E");
	EXPECT_ORDER(&stage, 6, "CDBAE");
	modify(&stage, 'E', EPOLLET);
	modify(&stage, 'C', EPOLLET);
	EXPECT_ORDER(&stage, 6, "EC");
	modify(&stage, 'E', EPOLLET);
	ready(&stage, "C");
	EXPECT_ORDER(&stage, 6, "EC");
	stage_close(&stage);
}

CLAIM_ONLY("native strict epoll+thread", NO_CALL_NO_ORDER, MOD_after_an_edge_comes_after_it)
{
	struct stage stage;

	stage_open(&stage, EPOLLONESHOT);
	ready(&stage, "A");
	EXPECT_ORDER(&stage, 6, "A");
	ready(&stage, "C");
	modify(&stage, 'A', EPOLLONESHOT);
	ready(&stage, "B");
	EXPECT_ORDER(&stage, 6, "CAB");
	stage_close(&stage);
}

CLAIM_ONLY("native strict epoll+thread", NO_CALL_NO_ORDER, DEL_and_ADD_put_a_ready_file_at_the_end)
{
	struct stage stage;

	stage_open(&stage, 0);
	ready(&stage, "ABC");
	renew(&stage, 'A', 0);
	EXPECT_ORDER(&stage, 6, "BCA");
	renew(&stage, 'C', 0);
	renew(&stage, 'B', EPOLLET);
	EXPECT_ORDER(&stage, 6, "ACB");
	EXPECT_ORDER(&stage, 6, "AC");
	stage_close(&stage);
}

CLAIM_ONLY("native strict epoll+thread", NO_CALL_NO_ORDER,
	   EXCLUSIVE_watches_have_their_place_among_the_others)
{
	struct stage stage;

	stage_open(&stage, 0);
	renew(&stage, 'B', EPOLLEXCLUSIVE);
	renew(&stage, 'D', EPOLLEXCLUSIVE | EPOLLET);
	ready(&stage, "DCBA");
	EXPECT_ORDER(&stage, 3, "DCB");
	EXPECT_ORDER(&stage, 3, "ACB");
	ready(&stage, "D");
	EXPECT_ORDER(&stage, 6, "ACBD");
	stage_close(&stage);
}

/* outer -(lt)-> A to C, and -(lt)-> inner, which stands among them */
CLAIM_ONLY("native epoll", NO_ORDER, a_nested_eventpoll_has_its_place_among_the_files)
{
	struct stage stage;
	struct epoll_event events[4];
	int inner = epoll_open(), event_fd = eventfd_open(0);

	stage_open(&stage, 0);
	watch(inner, event_fd, EPOLLIN, 1);
	watch(stage.epfd, inner, EPOLLIN, 3); /* as D */
	unwatch(stage.epfd, stage.fds[3]);
	ready(&stage, "A");
	count_up(event_fd, 1);
	ready(&stage, "B");
	EXPECT_ORDER(&stage, 2, "AD");
	EXPECT_ORDER(&stage, 6, "BAD");
	EXPECT_INT(MUST(epoll_wait(inner, events, 4, 0)), ==, 1);
	EXPECT_ORDER(&stage, 6, "BAD");
	count_take(event_fd);
	EXPECT_ORDER(&stage, 6, "BA");
	count_up(event_fd, 1);
	EXPECT_ORDER(&stage, 6, "BAD");
	stage_close(&stage);
	CLOSE(inner, event_fd);
}

/* The event of a wait that failed stays where it was. */
CLAIM_ONLY("native epoll", NO_ORDER, a_buffer_that_faults_changes_no_order)
{
	struct epoll_event *volatile nowhere = NULL;
	struct stage stage;

	stage_open(&stage, EPOLLET);
	ready(&stage, "CAB");
	EXPECT_ERRNO(epoll_wait(stage.epfd, nowhere, 4, 0), EFAULT);
	ready(&stage, "D");
	EXPECT_ORDER(&stage, 6, "CABD");
	stage_close(&stage);
}
