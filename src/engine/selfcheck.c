// SPDX-License-Identifier: MIT
/*
 * selfcheck.c - the items of an eventpoll, and what the source has registered.
 */
#include "engine/selfcheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "engine/internal.h"
#include "real/sys.h"

/*
 * A look costs a microsecond or two a watch.  With more of them than this, not every
 * change is worth one: then that many times less often.
 */
#define SELFCHECK_MANY 1024

bool selfcheck_is_on;

/* One comparison with the source, and the first difference it found. */
struct selfcheck_pass {
	struct eventpoll *ep;
	const struct epitem *epi; /* which item differs; NULL: none that we have */
	char difference[160];	  /* empty: none */
};

/* -------- saying so -------- */

static const char *selfcheck_state_name(const struct epitem *epi)
{
	static const char *const names[] = {
		[ITEM_NEW] = "new",	  [ITEM_LIVE] = "live",
		[ITEM_PARKED] = "parked", [ITEM_UNCONFIRMED] = "unconfirmed",
		[ITEM_ZOMBIE] = "zombie",
	};

	return epi->state < sizeof(names) / sizeof(names[0]) ? names[epi->state] : "in no state";
}

/* snprintf() into a buffer of ours takes no lock and no memory; and we are about to die. */
void selfcheck_fail(const struct eventpoll *ep, const struct epitem *epi, const char *text)
{
	const char *after = ep->check.after;
	char number[16] = "", item[160] = "", line[512];
	int len;

	if (ep->check.after_fd >= 0)
		snprintf(number, sizeof(number), " of %d", ep->check.after_fd);
	if (epi)
		snprintf(item, sizeof(item),
			 "; watch of %d in slot %u: %s, kept by %s, tag %016llx, armed %#x, "
			 "events %#x",
			 epi->fd, epi->slot, selfcheck_state_name(epi),
			 ep_is_kept_by_kernel(epi) ? "the kernel" : "us",
			 (unsigned long long)ep_tag(epi), epi->armed, epi->event.events);
	len = snprintf(line, sizeof(line), "interpoll: self-check: eventpoll %d after %s%s: %s%s\n",
		       ep->source.fd, after ? after : "nothing", number, text, item);
	sys_write(STDERR_FILENO, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1);
	abort();
}

/* Others' mistakes follow from the first one. */
#define selfcheck_differ(pass, item, ...)                                                      \
	do {                                                                                   \
		if (!(pass)->difference[0]) {                                                  \
			(pass)->epi = (item);                                                  \
			snprintf((pass)->difference, sizeof((pass)->difference), __VA_ARGS__); \
		}                                                                              \
	} while (0)

/* -------- notes -------- */

/* The note of @slot, NULL if there is no memory for it. */
static struct selfcheck_note *selfcheck_note(struct selfcheck *check, uint32_t slot)
{
	uint32_t nr = check->nr_notes ? check->nr_notes : 64;
	struct selfcheck_note *notes;

	if (slot < check->nr_notes)
		return &check->notes[slot];
	while (nr <= slot)
		nr *= 2;
	notes = pages_alloc(nr * sizeof(*notes));
	if (!notes) {
		check->is_blind = true;
		return NULL;
	}
	if (check->nr_notes)
		memcpy(notes, check->notes, check->nr_notes * sizeof(*notes));
	pages_free(check->notes, check->nr_notes * sizeof(*notes));
	check->notes = notes;
	check->nr_notes = nr;
	return &notes[slot];
}

void selfcheck_left(struct epitem *epi, uint32_t generation)
{
	struct selfcheck_note *note;

	if (!selfcheck_is_on)
		return;
	note = selfcheck_note(&epi->ep->check, epi->slot);
	if (note)
		note->left = generation;
}

void selfcheck_fini(struct selfcheck *check)
{
	pages_free(check->notes, check->nr_notes * sizeof(*check->notes));
	*check = (struct selfcheck){0};
}

/* Was @generation left to the kernel, or one after it in the same slot? */
static bool selfcheck_was_left(const struct selfcheck_note *note, uint32_t generation)
{
	uint32_t since = (note->left - generation) & 0xffffff;

	return note->left && since < 0x800000;
}

/* -------- what the source has -------- */

/* ERR and HUP are on unasked; and who lacks the privilege is not given WAKEUP. */
static uint32_t selfcheck_mask(const struct eventpoll *ep, uint32_t events)
{
	uint32_t ignored = ep->source.ops->has_kernel_epoll ? EPOLLWAKEUP : 0;

	return (events | EPOLLERR | EPOLLHUP) & ~ignored;
}

static bool selfcheck_is_dormant(uint32_t events)
{
	return !(events & ~(EP_PRIVATE_BITS | EPOLLERR | EPOLLHUP));
}

/* Does @events at the source agree with what we believe of @epi? */
static bool selfcheck_agrees(const struct epitem *epi, uint32_t events)
{
	bool is_alike = selfcheck_mask(epi->ep, events) == selfcheck_mask(epi->ep, epi->armed);

	if (!ep_is_kept_by_kernel(epi))
		return is_alike;
	if (ep_is_spent(epi))
		return selfcheck_is_dormant(events);
	/* S disables a one-shot before we hear of it */
	return is_alike || ((epi->armed & EPOLLONESHOT) && !(events & ~EP_PRIVATE_BITS) &&
			    ((events ^ epi->armed) & EP_PRIVATE_BITS & ~EPOLLWAKEUP) == 0);
}

/* Under a tag of ours that no item has. */
static void selfcheck_see_retired(struct selfcheck_pass *pass, const struct source_watch *watch)
{
	uint32_t slot = (uint32_t)(watch->tag >> 24) & 0xffffff;
	const struct selfcheck_note *note = selfcheck_note(&pass->ep->check, slot);

	if (note && !selfcheck_was_left(note, (uint32_t)watch->tag & 0xffffff))
		selfcheck_differ(pass, NULL,
				 "the source still has %d under tag %016llx, which is nobody's",
				 watch->fd, (unsigned long long)watch->tag);
}

/* The first sight of a registration: what does its number name? */
static void selfcheck_identify(struct selfcheck_note *note, const struct epitem *epi)
{
	struct stat st = {0};

	if (epi->state != ITEM_ZOMBIE)
		sys_fstat(epi->fd, &st);
	note->tag = ep_tag(epi);
	note->dev = st.st_dev;
	note->ino = st.st_ino;
}

static void selfcheck_see_item(struct selfcheck_pass *pass, const struct epitem *epi,
			       const struct source_watch *watch)
{
	struct selfcheck *check = &pass->ep->check;
	struct selfcheck_note *note = selfcheck_note(check, epi->slot);

	if (!note)
		return;
	if (note->round == check->round)
		selfcheck_differ(pass, epi, "the source has it twice");
	if (note->tag != watch->tag)
		selfcheck_identify(note, epi);
	note->round = check->round;
	if (watch->fd != epi->fd)
		selfcheck_differ(pass, epi, "the source has it as descriptor %d", watch->fd);
	else if (ep_is_dormant(epi) || !selfcheck_agrees(epi, watch->events))
		selfcheck_differ(pass, epi, "the source has it for events %#x", watch->events);
}

/* Whose watch is it?  A new tag of an unlucky application looks like one of ours. */
static void selfcheck_see(void *ctx, const struct source_watch *watch)
{
	struct selfcheck_pass *pass = ctx;
	struct epitem *epi;
	bool is_foreign;

	epi = ep_find_tag(pass->ep, watch->tag, &is_foreign);
	if (epi)
		selfcheck_see_item(pass, epi, watch);
	else if (!is_foreign)
		selfcheck_see_retired(pass, watch);
}

/* -------- what the source has not -------- */

/* The number of @epi is closed, or names another file than when we last saw it. */
static bool selfcheck_is_closed(const struct epitem *epi, const struct selfcheck_note *note)
{
	struct stat st, anonymous;

	if (sys_fstat(epi->fd, &st) < 0)
		return true;
	if (note->tag != ep_tag(epi)) /* never seen since it was armed */
		return false;
	if (st.st_dev != note->dev || st.st_ino != note->ino)
		return true;
	/* an epfd is an anonymous inode itself; and a beacon */
	return sys_fstat(epi->ep->source.fd, &anonymous) == 0 && st.st_dev == anonymous.st_dev &&
	       st.st_ino == anonymous.st_ino;
}

/* Looks for a registration that is not ours of a number that should be. */
struct selfcheck_search {
	const struct eventpoll *ep;
	int fd;
	bool is_found;
};

static void selfcheck_see_foreign(void *ctx, const struct source_watch *watch)
{
	struct selfcheck_search *search = ctx;

	if (watch->fd == search->fd && watch->tag >> 48 != search->ep->salt)
		search->is_found = true;
}

/* @epi was modified or deleted at the source, and not by us. */
static bool selfcheck_is_taken_over(const struct epitem *epi)
{
	const struct source *source = &epi->ep->source;
	struct selfcheck_search search = {.ep = epi->ep, .fd = epi->fd};

	return ep_is_distrusted || source->ops->list(source, selfcheck_see_foreign, &search) < 0 ||
	       search.is_found;
}

static void selfcheck_missing(struct selfcheck_pass *pass)
{
	struct eventpoll *ep = pass->ep;
	uint32_t slot;

	slab_for_each(slot, &ep->items) {
		const struct epitem *epi = slab_at(&ep->items, slot);
		const struct selfcheck_note *note = selfcheck_note(&ep->check, slot);

		if (!note || note->round == ep->check.round || epi->state == ITEM_ZOMBIE ||
		    ep_is_dormant(epi))
			continue;
		if (!selfcheck_is_closed(epi, note) && !selfcheck_is_taken_over(epi))
			selfcheck_differ(pass, epi, "the source does not have it");
	}
}

/* -------- a look -------- */

/* Is what the source says about our registrations ours to judge? */
static bool selfcheck_can_ask(const struct eventpoll *ep)
{
	return !ep->is_inherited && !ep->file->is_released && !ep->check.is_blind && ep->source.fd >= 0;
}

static void selfcheck_source(struct eventpoll *ep)
{
	struct selfcheck_pass pass = {.ep = ep};
	uint32_t early = section_early_begun();

	if (section_is_early() || !selfcheck_can_ask(ep))
		return;
	ep->check.round++;
	if (ep->source.ops->list(&ep->source, selfcheck_see, &pass) < 0) {
		probe(ep->counts, PROBE_UNCHECKED);
		return;
	}
	probe(ep->counts, PROBE_CHECKED);
	selfcheck_missing(&pass);
	if (pass.difference[0] && early == section_early_begun() && !ep->check.is_blind)
		selfcheck_fail(ep, pass.epi, pass.difference);
}

void selfcheck_look(struct eventpoll *ep)
{
	bool is_locked;

	if (ep->check.nr_put_off++ < ep->items.nr_live / SELFCHECK_MANY)
		return;
	ep->check.nr_put_off = 0;
	if (ep->is_alive) {
		is_locked = ep_lock_source(ep);
		selfcheck_books(ep);
		selfcheck_source(ep);
		ep_unlock_source(is_locked);
	}
	__atomic_store_n(&ep->check.after, NULL, __ATOMIC_RELAXED);
}
