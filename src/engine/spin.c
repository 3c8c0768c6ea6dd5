// SPDX-License-Identifier: MIT
/*
 * spin.c - look for events for a while before going to sleep in S.
 *
 * A spinner is a sleeper to everybody else: it is on ep->waiters, holds no lock, is in
 * no section, and collects where it would sleep, so that what is right for a sleeper
 * whom a handler, another thread, a close or a cancellation meets is right for it, too.
 *
 * What the kernel does for a sleeper only:
 *	EINTR after a handler	told by its footprint, real/footprint.h
 *	EINTR after a stop	told by the processor's having been given up
 *	the signal mask		a wait that brings one does not spin
 *	holding S open		each look asks anew by which number S is to be had
 */
#include "engine/wait.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "real/footprint.h"
#include "real/sys.h"

/* A look takes some 200 ns; reading the clock without libc nearly as long. */
#define SPIN_LOOKS 8

/* So many looks are never this long but if the thread had to do without its processor. */
#define SPIN_GAP_NS 25000

/*
 * So many threads may spin at once that a processor is left for those they wait for.
 * Each holds a place until the moment noted there, or until it is done: whoever leaves
 * its wait by a jump, or is cancelled, need not be asked to give it back.
 */
#define SPIN_PLACES_MAX 16

static uint64_t spin_places[SPIN_PLACES_MAX];
static int spin_nr_places = 1;

void ep_spin_init(void)
{
	cpu_set_t processors;
	int nr = sys_sched_getaffinity(&processors) < 0 ? 1 : CPU_COUNT(&processors) - 1;

	spin_nr_places = nr < 1 ? 1 : nr > SPIN_PLACES_MAX ? SPIN_PLACES_MAX : nr;
}

/* A place from now until @end_ns; NULL if there is none. */
static uint64_t *spin_take_place(uint64_t now_ns, uint64_t end_ns)
{
	for (int i = 0; i < spin_nr_places; i++) {
		uint64_t taken_ns = __atomic_load_n(&spin_places[i], __ATOMIC_RELAXED);

		if (taken_ns <= now_ns &&
		    __atomic_compare_exchange_n(&spin_places[i], &taken_ns, end_ns, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return &spin_places[i];
	}
	return NULL;
}

/* Should another have it by now, there is one spinner more for once. */
static void spin_leave_place(uint64_t *place)
{
	__atomic_store_n(place, 0, __ATOMIC_RELAXED);
}

/* Of several in one eventpoll the first will do. */
void ep_spin_prepare(struct ep_call *call, struct ep_spin *spin)
{
	struct eventpoll *ep = call->ep;

	*spin = (struct ep_spin){.budget_ns = 0};
	if (!ep_config.spins || !call->timeout_ns || call->args->sigmask ||
	    !list_is_empty(&ep->waiters))
		return;
	spin->budget_ns = ep_config.spin_ns;
	if (spin->budget_ns)
		return;
	spin->is_lesson = busy_is_curious(&ep->busy);
	spin->budget_ns = busy_next_ns(&ep->busy);
	if (spin->is_lesson && !spin->budget_ns)
		spin->began_ns = clock_now_ns();
}

static int spin_look(struct eventpoll *ep, struct epoll_event *buffer, int max)
{
	int fd, n;

	do {
		fd = ep_source_fd(ep);
		n = ep->source.ops->collect(&ep->source, buffer, max);
	} while (n < 0 && fd != ep_source_fd(ep)); /* renamed just then */
	return n;
}

/*
 * The thread has been without its processor.  -EINTR: it was stopped and continued,
 * there is nothing else here to wait for; 1: others want the processor, too; 0: the
 * machine was elsewhere.
 */
static int spin_was_away(const struct sys_switches *before)
{
	struct sys_switches now = sys_thread_switches();

	if (now.voluntary != before->voluntary)
		return -EINTR;
	return now.involuntary != before->involuntary;
}

/*
 * Look until @end_ns.  Part of spin(), whose stack the footprint is looked for on; and
 * nothing of libc's is called meanwhile.
 */
static inline __attribute__((always_inline)) int
spin_until(struct ep_call *call, const volatile uint64_t *mark, uint64_t *now_ns, uint64_t end_ns)
{
	const struct sys_switches switches = sys_thread_switches();
	uint64_t before_ns;
	int n = 0;

	while (n == 0 && *now_ns < end_ns) {
		for (int i = 0; i < SPIN_LOOKS; i++) {
			n = spin_look(call->ep, call->sink, call->sink_max);
			if (n != 0)
				return n;
			if (footprint_is_there(mark))
				return -EINTR;
		}
		before_ns = *now_ns;
		*now_ns = sys_now_ns();
		if (*now_ns - before_ns > SPIN_GAP_NS)
			n = spin_was_away(&switches);
	}
	return n < 0 || footprint_is_there(mark) ? -EINTR : 0;
}

static __attribute__((noinline)) int spin(struct ep_call *call, struct ep_spin *spin)
{
	const volatile uint64_t *mark = footprint_mark();
	int n = spin_look(call->ep, call->sink, call->sink_max);
	uint64_t now_ns, end_ns, *place;

	if (n != 0) /* it was there all the time */
		return n;
	if (sys_altstack().ss_size) /* a handler there would leave no footprint here */
		return footprint_is_there(mark) ? -EINTR : 0;
	now_ns = sys_now_ns();
	end_ns = now_ns + spin->budget_ns;
	if (call->has_deadline && end_ns > call->deadline_ns)
		end_ns = call->deadline_ns;
	place = spin_take_place(now_ns, end_ns);
	if (!place)
		return footprint_is_there(mark) ? -EINTR : 0;
	spin->began_ns = now_ns;
	n = spin_until(call, mark, &now_ns, end_ns);
	spin_leave_place(place);
	spin->has_spun = true;
	spin->has_gained = n > 0;
	if (n == 0) {
		spin->ended_ns = now_ns;
		if (call->has_deadline)
			call->timeout_ns = clock_left_ns(call->deadline_ns, now_ns);
	}
	return n;
}

int ep_spin(struct ep_call *call, struct ep_spin *how)
{
	int n = spin(call, how);

	if (n == -EINTR)
		pthread_testcancel(); /* the handler may have been libc's own */
	return n;
}

/* A spin that was not in vain ends now: looking at the clock would have kept its event waiting. */
void ep_spin_done(struct ep_call *call, const struct ep_spin *spin, int n)
{
	struct eventpoll *ep = call->ep;
	struct busy_sample sample = {.took_ns = CLOCK_FOREVER, .has_gained = spin->has_gained};
	uint64_t now_ns;

	if (!spin->began_ns)
		return;
	now_ns = clock_now_ns();
	if (spin->has_spun) {
		sample.spun_ns = (spin->ended_ns ? spin->ended_ns : now_ns) - spin->began_ns;
		probe(ep->counts, PROBE_SPIN);
		probe_n(ep->counts, PROBE_SPIN_GAINED, spin->has_gained);
		probe_n(ep->counts, PROBE_SPIN_NS, sample.spun_ns);
	}
	if (n > 0)
		sample.took_ns = now_ns - spin->began_ns;
	if (spin->is_lesson && n >= 0)
		busy_learn(&ep->busy, &sample);
}
