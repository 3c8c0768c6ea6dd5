// SPDX-License-Identifier: MIT
/*
 * source_poll.c - edges inferred from levels, by poll(2) over the armed files.
 *
 * No watch is in a kernel epoll; the application's epfd is a beacon (beacon.h)
 * that only stands for the eventpoll.  Of each file the source remembers which bits
 * of its mask are seen: high when they were last reported, and not known low since.
 *
 *	not seen --high in a collection: an edge, with the whole mask--> seen
 *	seen --low in a collection, lapsed() or rearm()--> not seen
 *
 * The poll loop polls for bits that are not seen only, so that a file that stays
 * high does not keep it awake.  For a level-triggered item that is all there is
 * to it: while the item may be ready the engine looks at the file itself, and
 * says so with lapsed() when it is not.
 *
 * An edge-triggered item (SOURCE_LATCH) is reported and left alone, and a wakeup
 * under a level that is high already would be lost.  activity.h tells of most:
 *	- input that stays high is looked into by each collection;
 *	- output, which is nearly always high, and what the loop cannot poll for
 *	  are looked into when due: 1 ms after the last edge, then at twice the
 *	  interval each time, up to 64 ms, and never for more than a sixteenth of
 *	  the time.
 *
 * Limits, beside what activity.h cannot tell
 *	- A fall and rise of a bit between two collections is seen only as activity:
 *	  who empties a pipe or an eventfd that another thread refills with exactly as
 *	  much before the next collection is told nothing, until still more comes.
 *	- An output edge, and any edge under a level that is high while everybody
 *	  sleeps, may come up to 64 ms late.
 *	- While an edge-triggered file stays high, waiting costs wakeups.
 *	- Edges of different files come in the order of the scan, not of time.
 *	- signalfd shows each thread its own signals: one that was sent to a thread,
 *	  not to the process, does not wake it from a wait, since the loop looks.
 *	- A descriptor closed by a raw system call is noticed only as long as its
 *	  number is free; a file that got the number is then polled in its place.
 *	- With RLIMIT_NOFILE 0 poll(2) looks at nothing, so nothing is ever ready.
 */
#include "source/source.h"

#include <errno.h>

#include "base/clock.h"
#include "base/pages.h"
#include "real/beacon.h"
#include "real/sys.h"
#include "source/loop.h"
#include "source/pollset.h"

#define RESCAN_MIN_NS CLOCK_NS_PER_MS
#define RESCAN_MAX_NS (64 * CLOCK_NS_PER_MS)

/* A rescan that took T is not repeated for this many T. */
#define RESCAN_SPARE 16

/* What poll(2) reports unasked. */
#define MASK_ALWAYS ((uint32_t)(POLLERR | POLLHUP))

/* What can be asked of poll(2): the bits it shares with epoll. */
#define MASK_ASKABLE                                                                    \
	((uint32_t)(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | \
		    POLLWRBAND | POLLMSG | POLLRDHUP))

struct source_poll {
	struct pollset set;
	uint32_t turn;		/* the position at which the next collection begins to report */
	uint64_t interval_ns;	/* between rescans */
	uint64_t due_ns;	/* the next rescan */
	uint64_t rest_until_ns; /* and not before, the last having taken so long */
};

static int source_poll_open(struct source *source, int flags)
{
	struct source_poll *state;
	int fd;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	state = pages_alloc(sizeof(*state));
	if (!state)
		return -ENOMEM;
	fd = beacon_open(flags);
	if (fd < 0) {
		pages_free(state, sizeof(*state));
		return fd;
	}
	pollset_init(&state->set);
	state->interval_ns = RESCAN_MIN_NS;
	*source = (struct source){.ops = &source_poll, .fd = fd, .poll = state};
	return fd;
}

static void source_poll_fini(struct source *source)
{
	if (!source->poll)
		return;
	pollset_fini(&source->poll->set);
	pages_free(source->poll, sizeof(*source->poll));
	source->poll = NULL;
}

/* -------- arming -------- */

/* What epoll_ctl(2) would say to ADD of @fd.  0 or -errno. */
static int check_pollable(const struct source *source, int fd)
{
	struct pollfd probe = {.fd = fd};
	struct stat st;
	int ret;

	if (fd < 0)
		return -EBADF;
	/* fstat would accept a descriptor made with O_PATH */
	if (sys_poll_now(&probe, 1) > 0 && probe.revents & POLLNVAL)
		return -EBADF;
	ret = sys_fstat(fd, &st);
	if (ret < 0 || S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode))
		return ret;
	return beacon_ask(source->fd, fd);
}

static bool is_latched(const struct pollset_file *file)
{
	return (file->events & SOURCE_LATCH) != 0;
}

/* What the file at @position is armed for from now on; nothing of it is seen. */
static void set_armed(struct source *source, uint32_t position, uint32_t events, uint64_t tag)
{
	struct pollset *set = &source->poll->set;
	struct pollset_file *file = &set->files[position];
	struct pollfd *pfd = &set->fds[position];

	file->tag = tag;
	file->events = events;
	file->seen = 0;
	pfd->events = (short)(events & MASK_ASKABLE);
	if (is_latched(file) && file->activity.kind == ACTIVITY_NONE)
		file->activity.kind = (uint8_t)activity_classify(pfd->fd);
	loop_kick(source->client);
}

static int source_poll_arm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	struct pollset *set = &source->poll->set;
	uint32_t position;
	int ret = check_pollable(source, fd);

	if (ret < 0)
		return ret;
	position = pollset_find(set, fd);
	if (position == POLLSET_NONE) {
		ret = pollset_add(set, fd, &position);
		if (ret < 0)
			return ret;
	}
	/* what was known of another file that had the number is worth nothing */
	set->files[position].activity = (struct activity){0};
	set_armed(source, position, events, tag);
	return 0;
}

static int source_poll_rearm(struct source *source, int fd, uint32_t events, uint64_t tag)
{
	uint32_t position = pollset_find(&source->poll->set, fd);

	if (position == POLLSET_NONE)
		return -ENOENT;
	set_armed(source, position, events, tag);
	return 0;
}

static int source_poll_disarm(struct source *source, int fd)
{
	uint32_t position = pollset_find(&source->poll->set, fd);

	if (position == POLLSET_NONE)
		return -ENOENT;
	pollset_remove(&source->poll->set, position);
	/* a sleeping poll(2) holds the file: a close now would not be the end of it */
	loop_expel(source->client);
	return 0;
}

static void source_poll_forget(struct source *source, int fd)
{
	source_poll_disarm(source, fd);
}

/* -------- collecting -------- */

/* Only the bits of @mask are high.  Returns whether one of the seen is not. */
static bool fall(struct pollset_file *file, uint32_t mask)
{
	if (!(file->seen & ~mask))
		return false;
	file->seen &= mask;
	return true;
}

static void source_poll_lapsed(struct source *source, int fd, uint32_t mask)
{
	uint32_t position = pollset_find(&source->poll->set, fd);

	if (position != POLLSET_NONE && fall(&source->poll->set.files[position], mask))
		loop_kick(source->client);
}

/* Note what a poll of the set shows to be low, and what to be closed. */
static void note_falls(struct source *source)
{
	struct pollset *set = &source->poll->set;
	bool is_changed = false;
	uint32_t i;

	/* from the end: what takes the place of a dropped file has been looked at */
	for (i = set->nr; i-- > 0;) {
		if (set->fds[i].revents & POLLNVAL) {
			pollset_remove(set, i);
			is_changed = true;
		} else if (fall(&set->files[i], (uint32_t)set->fds[i].revents)) {
			is_changed = true;
		}
	}
	if (is_changed)
		loop_kick(source->client);
}

/* Has @fd, of which @mask is high, become ready since it was last reported? */
static bool has_edge(struct pollset_file *file, int fd, uint32_t mask, bool is_rescan)
{
	bool has_risen = (mask & ~file->seen) != 0;
	uint32_t told;

	if (!is_latched(file))
		return has_risen;
	told = mask & activity_told_bits(&file->activity);
	if (has_risen) {
		if (told)
			activity_look(&file->activity, fd, told);
		return true;
	}
	if (!told || (!is_rescan && !(told & ACTIVITY_IN)))
		return false;
	return activity_look(&file->activity, fd, told) != 0;
}

/* Report what has an edge, at most @max; the next report goes on behind it. */
static int report(struct source_poll *state, struct epoll_event *edges, int max, bool is_rescan)
{
	struct pollset *set = &state->set;
	uint32_t i = state->turn < set->nr ? state->turn : 0;
	uint32_t left;
	int n = 0;

	for (left = set->nr; left > 0 && n < max; left--) {
		struct pollset_file *file = &set->files[i];
		uint32_t mask = (uint32_t)set->fds[i].revents;

		if (mask && has_edge(file, set->fds[i].fd, mask, is_rescan)) {
			edges[n].events = mask;
			edges[n].data.u64 = file->tag;
			file->seen = mask;
			n++;
		}
		i = i + 1 < set->nr ? i + 1 : 0;
	}
	state->turn = i;
	return n;
}

/* After a collection that @started_ns and found @n edges: when to rescan. */
static void plan_rescan(struct source_poll *state, uint64_t started_ns, bool is_rescan, int n)
{
	uint64_t now_ns, due_ns;

	if (n == 0 && !is_rescan)
		return;
	now_ns = clock_now_ns();
	if (n > 0)
		state->interval_ns = RESCAN_MIN_NS;
	else if (state->interval_ns < RESCAN_MAX_NS)
		state->interval_ns *= 2;
	if (is_rescan)
		state->rest_until_ns = now_ns + RESCAN_SPARE * (now_ns - started_ns);
	due_ns = now_ns + state->interval_ns;
	if (due_ns < state->rest_until_ns)
		due_ns = state->rest_until_ns;
	if (is_rescan || due_ns < state->due_ns)
		state->due_ns = due_ns;
}

static bool has_latched(const struct pollset *set)
{
	for (uint32_t i = 0; i < set->nr; i++)
		if (is_latched(&set->files[i]))
			return true;
	return false;
}

static int source_poll_collect(struct source *source, struct epoll_event *edges, int max)
{
	struct source_poll *state = source->poll;
	bool may_rescan = has_latched(&state->set);
	uint64_t started_ns = may_rescan ? clock_now_ns() : 0;
	bool is_rescan = may_rescan && started_ns >= state->due_ns;
	uint32_t nr_ready = pollset_poll(&state->set);
	int n = 0;

	note_falls(source);
	if (nr_ready)
		n = report(state, edges, max, is_rescan);
	if (may_rescan)
		plan_rescan(state, started_ns, is_rescan, n);
	return n;
}

/* -------- for the poll loop -------- */

/* What is always reported and seen already cannot be polled for without spinning. */
static bool is_blind(const struct pollset_file *file)
{
	return (file->seen & MASK_ALWAYS) != 0;
}

static unsigned int source_poll_pollset(struct source *source, struct pollfd *set, unsigned int max)
{
	const struct pollset *armed = &source->poll->set;
	unsigned int nr = 0;

	for (uint32_t i = 0; i < armed->nr; i++) {
		uint32_t unseen = (uint32_t)armed->fds[i].events & ~armed->files[i].seen;

		if (is_blind(&armed->files[i]))
			continue;
		if (nr < max)
			set[nr] = (struct pollfd){armed->fds[i].fd, (short)unseen, 0};
		nr++;
	}
	return nr;
}

static uint64_t source_poll_due_ns(const struct source *source)
{
	const struct source_poll *state = source->poll;

	for (uint32_t i = 0; i < state->set.nr; i++) {
		const struct pollset_file *file = &state->set.files[i];

		if (is_latched(file) &&
		    (is_blind(file) || (file->seen & activity_told_bits(&file->activity))))
			return state->due_ns;
	}
	return CLOCK_FOREVER;
}

static int source_poll_list(const struct source *source, source_see *see, void *ctx)
{
	const struct pollset *set = &source->poll->set;

	for (uint32_t i = 0; i < set->nr; i++)
		see(ctx, &(struct source_watch){set->fds[i].fd, set->files[i].events,
						set->files[i].tag});
	return 0;
}

static void source_poll_show(struct source *source, bool is_ready)
{
	if (is_ready)
		beacon_light(source->fd);
	else
		beacon_douse(source->fd);
}

const struct source_ops source_poll = {
	.name = "poll",
	.has_kernel_epoll = false,
	.open = source_poll_open,
	.fini = source_poll_fini,
	.arm = source_poll_arm,
	.rearm = source_poll_rearm,
	.disarm = source_poll_disarm,
	.forget = source_poll_forget,
	.lapsed = source_poll_lapsed,
	.collect = source_poll_collect,
	.pollset = source_poll_pollset,
	.due_ns = source_poll_due_ns,
	.list = source_poll_list,
	.show = source_poll_show,
};
