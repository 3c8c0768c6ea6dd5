// SPDX-License-Identifier: MIT
/*
 * faults.c - buffers that cannot be written, whatever is to be delivered.
 *
 * Every such buffer, for every mode of watch, for what is ready already and for what
 * comes while the wait sleeps: EFAULT, and the event is there for the next wait.
 */
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define PAGE 4096

/* ---- buffers ----------------------------------------------------------- */

/* One page of @protection, and behind it one that is not there. */
static char *page_open(int protection)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT((void *)pages != MAP_FAILED);
	MUST(mprotect(pages, PAGE, protection));
	MUST(munmap(pages + PAGE, PAGE));
	return pages;
}

static void page_close(char *page)
{
	MUST(munmap(page, PAGE));
}

enum {
	BUFFER_NULL,
	BUFFER_READ_ONLY,
	BUFFER_NO_ACCESS,
	BUFFER_CUT,
	NR_BUFFERS
};

static const char *const buffer_names[NR_BUFFERS] = {
	"NULL",
	"read-only memory",
	"memory without access",
	"half an event before the end",
};

static struct epoll_event *buffer_of(int kind, char *readable, char *hidden, char *writable)
{
	switch (kind) {
	case BUFFER_NULL:
		return NULL;
	case BUFFER_READ_ONLY:
		return (struct epoll_event *)(void *)readable;
	case BUFFER_NO_ACCESS:
		return (struct epoll_event *)(void *)hidden;
	default:
		return (struct epoll_event *)(void *)(writable + PAGE - 6);
	}
}

/* ---- watches ----------------------------------------------------------- */

static const struct mode {
	const char *name;
	uint32_t flags;
	bool shows_again;
} modes[] = {
	{"level", 0, true},
	{"edge", EPOLLET, false},
	{"oneshot", EPOLLONESHOT, false},
	{"edge oneshot", EPOLLET | EPOLLONESHOT, false},
	{"exclusive", EPOLLEXCLUSIVE, true},
	{"exclusive edge", EPOLLEXCLUSIVE | EPOLLET, false},
};

#define NR_MODES (sizeof(modes) / sizeof(modes[0]))

static int wait_by_epoll_wait(int epfd, struct epoll_event *events, int timeout_ms)
{
	return epoll_wait(epfd, events, 4, timeout_ms);
}

static int wait_by_epoll_pwait2(int epfd, struct epoll_event *events, int timeout_ms)
{
	struct timespec none = {0, 0};

	return epoll_pwait2(epfd, events, 4, timeout_ms ? NULL : &none, NULL);
}

typedef int wait_function(int epfd, struct epoll_event *events, int timeout_ms);

static void expect_fault(wait_function *wait, const struct mode *mode, int kind, int epfd,
			 struct epoll_event *buffer)
{
	for (int timeout_ms = 0; timeout_ms >= -1; timeout_ms--) {
		int result = wait(epfd, buffer, timeout_ms);

		if (result != -1 || errno != EFAULT)
			FAIL("%s, %s: expected EFAULT, got %d", mode->name, buffer_names[kind],
			     result);
	}
}

static void expect_kept(const struct mode *mode, int kind, int epfd)
{
	struct epoll_event events[4];

	for (int i = 0; i < 2; i++) {
		int nr = MUST(epoll_wait(epfd, events, 4, 0));

		if (nr != (i == 0 || mode->shows_again))
			FAIL("%s, %s: wait %d has %d events", mode->name, buffer_names[kind], i + 1,
			     nr);
	}
}

/* e0 -(mode)-> p0, written before the wait */
static void faults_keep_everything(wait_function *wait)
{
	char *readable = page_open(PROT_READ), *hidden = page_open(PROT_NONE);
	char *writable = page_open(PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < NR_MODES; i++) {
		for (int kind = 0; kind < NR_BUFFERS; kind++) {
			int epfd = epoll_open();
			int p[2];

			pipe_open(p);
			watch(epfd, p[0], EPOLLIN | modes[i].flags, 1);
			put(p[1], 1);
			expect_fault(wait, &modes[i], kind, epfd,
				     buffer_of(kind, readable, hidden, writable));
			expect_kept(&modes[i], kind, epfd);
			CLOSE(epfd, p[0], p[1]);
		}
	}
	page_close(readable);
	page_close(hidden);
	page_close(writable);
}

CLAIM(no_buffer_that_faults_loses_an_event_of_epoll_wait)
{
	faults_keep_everything(wait_by_epoll_wait);
}

CLAIM(no_buffer_that_faults_loses_an_event_of_epoll_pwait2)
{
	faults_keep_everything(wait_by_epoll_pwait2);
}

/* ---- while asleep ------------------------------------------------------ */

struct sleeper {
	int epfd;
	struct epoll_event *buffer;
	_Atomic pid_t tid;
	int result;
	int error;
};

static void *sleeper_run(void *argument)
{
	struct sleeper *sleeper = argument;

	atomic_store(&sleeper->tid, gettid());
	sleeper->result = epoll_wait(sleeper->epfd, sleeper->buffer, 4, -1);
	sleeper->error = errno;
	return NULL;
}

static void fault_asleep(const struct mode *mode, int kind, struct epoll_event *buffer)
{
	struct sleeper sleeper = {.epfd = epoll_open(), .buffer = buffer};
	pthread_t thread;
	int p[2];

	pipe_open(p);
	watch(sleeper.epfd, p[0], EPOLLIN | mode->flags, 1);
	EXPECT_INT(pthread_create(&thread, NULL, sleeper_run, &sleeper), ==, 0);
	while (atomic_load(&sleeper.tid) == 0)
		sched_yield();
	task_await_asleep(getpid(), sleeper.tid);
	put(p[1], 1);
	EXPECT_INT(pthread_join(thread, NULL), ==, 0);
	if (sleeper.result != -1 || sleeper.error != EFAULT)
		FAIL("%s, %s: expected EFAULT, got %d", mode->name, buffer_names[kind],
		     sleeper.result);
	expect_kept(mode, kind, sleeper.epfd);
	CLOSE(sleeper.epfd, p[0], p[1]);
}

CLAIM(no_buffer_that_faults_loses_what_came_while_its_wait_slept)
{
	char *readable = page_open(PROT_READ), *hidden = page_open(PROT_NONE);
	char *writable = page_open(PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < NR_MODES; i++)
		for (int kind = 0; kind < NR_BUFFERS; kind++)
			fault_asleep(&modes[i], kind, buffer_of(kind, readable, hidden, writable));
	page_close(readable);
	page_close(hidden);
	page_close(writable);
}

CLAIM(half_a_batch_before_read_only_memory_is_delivered_and_the_rest_kept)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event *events, got[8];
	uint64_t seen = 0;
	int fds[6], nr, epfd = epoll_open();

	EXPECT((void *)pages != MAP_FAILED);
	MUST(mprotect(pages + PAGE, PAGE, PROT_READ));
	events = (struct epoll_event *)(void *)(pages + PAGE - 3 * sizeof(*events));
	for (int i = 0; i < 6; i++) {
		fds[i] = eventfd_open(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLONESHOT, 1u << i);
	}
	EXPECT_INT(MUST(epoll_wait(epfd, events, 6, 0)), ==, 3);
	for (int i = 0; i < 3; i++)
		seen |= events[i].data.u64;
	nr = MUST(epoll_wait(epfd, got, 8, 0));
	EXPECT_INT(nr, ==, 3);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(seen & got[i].data.u64, ==, 0);
		seen |= got[i].data.u64;
	}
	EXPECT_INT(seen, ==, 0x3f);
	EXPECT_QUIET(epfd);
	close_all(__FILE__, __LINE__, fds, 6);
	CLOSE(epfd);
	MUST(munmap(pages, 2 * PAGE));
}
