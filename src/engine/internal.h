/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the structures of the engine; for src/engine only.
 *
 * The way of one event
 *
 *	source --edge--> ep_edge() --find by tag--> ep_poll_callback()
 *	    --> rdllist (or ovflist, while a scan is under way) --> wake a waiter
 *	waiter --> ep_send_events(): recheck, copy out, requeue what is level
 *
 * An item is kept by us (that way) or by the kernel: then S holds its level,
 * its one-shot state and its turn, and the event goes from the source straight
 * into the caller's buffer with only its tag translated.
 *
 * Locks, outermost first (base/lock.h has all ranks)
 *	ep_gate		eventpolls come and go; the fix-up after fork
 *	nest_lock	who watches whom, while a nested watch is added (poll source)
 *	ep->mtx		the eventpoll: tree, items, park, waiters, slot, source.
 *			Held by control calls and waits, never while sleeping
 *	loop lock	(thread driver) collection from the source: whoever holds it
 *			has all edges that have left the source
 *	file->wq_lock	the watchers of one file; a leaf beside ep->lock
 *	ep->lock	(thread driver) what the loop thread's callbacks touch: rdllist,
 *			ovflist, wq, and of an item state, generation, event and armed.
 *			Writers hold mtx too, so that holders of mtx read without it.
 *			With the inline driver there is no loop thread and mtx does.
 *
 * States of an item (enum epitem_state)
 *
 *	NEW --ADD--> LIVE --DEL--> PARKED --ADD--> UNCONFIRMED --wait--> LIVE
 *		      |		      `--edge, close, eviction--> gone
 *		      `--close, description lives on--> ZOMBIE
 *
 * NEW is also the state of an item on its way out.  Whatever interrupts us, what the
 * slab says is live and not NEW is whole enough to rebuild every list from.
 *
 * Ways out of an eventpoll: ep_remove() takes an item S has forgotten or never
 * knew, ep_remove_armed() one that the application deletes, ep_retire() one that it has
 * deleted before, ep_leave() one that S will forget by itself.
 */
#ifndef INTERPOLL_ENGINE_INTERNAL_H
#define INTERPOLL_ENGINE_INTERNAL_H

#include "base/list.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include "base/slab.h"
#include "engine/busy.h"
#include "engine/eventpoll.h"
#include "engine/file.h"
#include "engine/pool.h"
#include "engine/section.h"
#include "engine/selfcheck.h"
#include "engine/waiter.h"
#include "source/loop.h"
#include "source/source.h"
#include "trace/probe.h"

/* Flags in events that are orders, not conditions; the kernel's name for them. */
#define EP_PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

/* What may be asked for together with EPOLLEXCLUSIVE. */
#define EP_EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

enum {
	EP_SLOT_MAX = 128,    /* edges collected in one go */
	EP_RECHECK_MAX = 256, /* files in one recheck */
	EP_PARK_MAX = 64,     /* deleted watches kept armed, per eventpoll */
	EP_NOISE_MAX = 4,     /* unwanted edges in a row before a watch is armed exactly */
	EP_ZOMBIE_MAX = 256,  /* zombies before they are looked for in the kernel */
};

enum epitem_state {
	ITEM_NEW, /* not in the tree yet, or no more */
	ITEM_LIVE,
	ITEM_PARKED,	  /* deleted, but still armed */
	ITEM_UNCONFIRMED, /* came back from the park; S has not been told yet */
	ITEM_ZOMBIE,	  /* its descriptor is closed, its description lives on */
};

enum keeper {
	KEPT_BY_US,
	KEPT_BY_KERNEL,
};

/* One watch: how eventpoll @ep sees file @file through descriptor @fd. */
struct epitem {
	struct rb_node rbn;	  /* in ep->rbr by (file, fd); zombies are in no tree */
	struct list_head rdllink; /* on rdllist or, by state, parked, unconfirmed, zombies */
	struct epitem *next;	  /* on ovflist; EP_UNACTIVE_PTR: not */
	struct list_head fllink;  /* the eppoll_entry: on file->wq */
	struct file *file;
	struct eventpoll *ep;
	struct epoll_event event; /* the application's, ERR and HUP added; its data */
	int fd;
	uint32_t slot;	     /* in ep->items */
	uint32_t generation; /* of the registration; survives the item in its slot */
	uint32_t armed;	     /* what the source was told */
	uint32_t revents;    /* what the last edge showed, worth something ... */
	uint32_t stamp;	     /* ... while this is ep->stamp */
	uint32_t collection; /* kept by the kernel: the last that showed it */
	uint32_t dispute; /* a handler's call S knows of and we not yet; 0: none; EP_DISPUTE_... */
	uint8_t state;	  /* enum epitem_state */
	uint8_t keeper;	  /* enum keeper */
	uint8_t noise;	  /* unwanted edges in a row */
	bool is_nested;	  /* @file was an eventpoll of ours when it was added */
	bool is_exact;	  /* armed for no more than is asked, even where that costs a call */
};

#define EP_UNACTIVE_PTR ((struct epitem *)-1L)

#define EP_DISPUTE_OP	  3u /* what the handler did; the rest is unique */
#define EP_DISPUTE_PARKED 4u /* no handler's: told that S has the watch and nobody else */

struct eventpoll {
	struct lock mtx;
	struct lock lock;
	struct source source;
	struct file *file;

	struct rb_root_cached rbr;
	struct list_head rdllist; /* may be ready, kept by us */
	struct epitem *ovflist;	  /* edges that met a scan; EP_UNACTIVE_PTR: no scan */
	struct list_head wq;	  /* thread driver: sleeping waiters, last in first out */
	struct list_head waiters; /* every thread that sleeps in a wait on us */
	struct list_head parked;  /* oldest first */
	struct list_head unconfirmed;
	struct list_head zombies;
	struct slab items;
	struct epitem *changing;   /* its registration may not be what we believe; or NULL */
	struct epitem *modified;   /* and this one's interest is half new; or NULL: ... */
	struct epoll_event before; /* ... what to go back to */
	struct probe_counts *counts;
	struct loop_client client;
	struct selfcheck check;
	struct busy busy;   /* for how long to look before a sleep */
	uint32_t slab_slot; /* ours among all eventpolls */
	uint32_t stamp;	    /* of the present collection: older masks are worth nothing */
	uint32_t nr_collections;
	uint16_t salt; /* of our tags */
	uint16_t nr_parked;
	uint32_t nr_kernel; /* items kept by the kernel */
	uint32_t nr_zombies;
	uint32_t nr_nested;   /* items that watch an eventpoll of ours */
	uint32_t zombies_max; /* sweep above this */
	bool was_used;	      /* the slot has had an eventpoll before */
	bool is_alive;	      /* false: free, or about to be */
	bool is_orphan;	      /* no descriptor is left, but sleepers are */
	bool is_inherited;    /* over fork: S is the parent's */
	bool is_settled;      /* the kernel keeps everything, for good */
	bool is_polled;	      /* poll source: the identity shows whether something is ready */
	bool is_shown_ready;  /* poll source: the identity says so */
	bool has_loop;	      /* driver `thread' */
	bool has_foreign;     /* registrations of others were seen in S */
	bool has_strayed;     /* a call of ours may have hit what a handler had just added */
	bool has_leftovers;   /* settled with events of theirs in the slot */
	bool kernel_first;    /* whose turn it is while both keep items */
	bool rechecks_first;  /* S had no edges when it was last asked beside leftovers */

	/* Where edges are collected, by whoever may: see slot.c. */
	struct epoll_event slot[EP_SLOT_MAX];
};

#include "engine/item.h"

/* -------- ready.c: the ready list -------- */

/* All with ep->mtx, and ep->lock where the loop thread may be about. */
void ep_queue(struct epitem *epi);   /* to the end of the ready list, if it is on none */
void ep_unqueue(struct epitem *epi); /* off ready and overflow list */
bool ep_poll_callback(struct epitem *epi, uint32_t revents); /* ep->lock held */
void ep_enter_scan(struct eventpoll *ep, struct list_head *txlist);
void ep_exit_scan(struct eventpoll *ep, struct list_head *txlist);
void ep_wake_one(struct eventpoll *ep);
void ep_wake_all(struct eventpoll *ep);
void ep_show_ready(struct eventpoll *ep); /* poll source: ep->lock held */

/* -------- recover.c; mtx held -------- */

void ep_repair(struct lock *mtx);	     /* section.h: what an abandoned mtx protects */
void ep_rebuild_lists(struct eventpoll *ep); /* from the slab; source locked */

/* -------- inherit.c -------- */

/* In the child of fork: make all eventpolls whole before the first is used. */
void ep_fix_up(void);
extern bool ep_needs_fix_up;

/* Give @ep, which came over fork, a source of its own.  0 or -errno.  mtx held. */
int ep_renew_source(struct eventpoll *ep);

/* The same for an @ep that may have come over fork. */
static inline int ep_renew_inherited(struct eventpoll *ep)
{
	return __builtin_expect(ep->is_inherited, 0) ? ep_renew_source(ep) : 0;
}

/* -------- eventpoll.c -------- */

extern struct ep_config ep_config;
extern bool ep_is_distrusted; /* see ep_distrust_all() */

/* mtx held: drop it, and free @ep if it only waited for its last sleeper. */
void ep_put(struct eventpoll *ep);

/* mtx held: forget waiters whose threads have ended.  Is another thread asleep in @ep? */
bool ep_has_other_waiters(struct eventpoll *ep);

void ep_waiter_abandoned(struct waiter *waiter); /* hook of waiter.h */
bool ep_loop_ready(struct loop_client *client);	 /* hook of loop.h, wait_thread.c */

extern struct pool ep_pool; /* all eventpolls, for inherit.c */

/* -------- item.c; mtx held -------- */

struct epitem *ep_find(struct eventpoll *ep, const struct file *file, int fd);

/*
 * The same in one step, where @hint says in which slot the item was when it was last
 * found, in this eventpoll or another: so it is only the place to look at first.
 */
struct epitem *ep_find_at(struct eventpoll *ep, const struct file *file, int fd, uint32_t *hint);
void ep_set_hint(uint32_t *hint, const struct epitem *epi);

/* Only there; NULL says nothing. */
static inline struct epitem *ep_find_hinted(struct eventpoll *ep, const struct file *file, int fd,
					    uint32_t slot)
{
	struct epitem *epi = slab_at(&ep->items, slot);

	if (!epi || epi->file != file || epi->fd != fd || epi->state == ITEM_NEW ||
	    epi->state == ITEM_ZOMBIE)
		return NULL;
	return epi;
}

struct epitem *ep_find_tag(struct eventpoll *ep, uint64_t tag, bool *ret_is_foreign);
struct epitem *ep_item_new(struct eventpoll *ep, int fd, const struct epoll_event *event);
void ep_item_free(struct epitem *epi);			  /* a NEW one */
void ep_item_link(struct epitem *epi, struct file *file); /* NEW to LIVE */
void ep_remove(struct epitem *epi);			  /* S does not know it (any more) */
void ep_leave(struct epitem *epi);			  /* S forgets it with its file */
int ep_remove_armed(struct epitem *epi);		  /* S does: for a DEL */
void ep_set_keeper(struct epitem *epi, enum keeper keeper);
int ep_arm(struct epitem *epi, uint32_t events);   /* first registration */
int ep_rearm(struct epitem *epi, uint32_t events); /* new generation */
int ep_source_arm(const struct epitem *epi, uint32_t events, uint64_t tag);
int ep_source_rearm(const struct epitem *epi, uint32_t events, uint64_t tag);
int ep_source_disarm(const struct epitem *epi);
int ep_item_compare(const struct rb_node *left, const struct rb_node *right);

/* -------- insert.c and ctl.c; mtx held, source locked -------- */

int ep_add(struct eventpoll *ep, int fd, struct file *file, struct epoll_event *event,
	   uint32_t *hint);

int ep_control(struct eventpoll *ep, int op, int fd, struct file *file, struct epoll_event *event,
	       uint32_t *hint);

/* -------- interrupted.c; mtx held, source locked -------- */

/* In one instruction, since handlers dispute: false if the dispute is not @from. */
bool ep_resolve(struct epitem *epi, uint32_t from, uint32_t to);

/*
 * A control call, @op, comes to a disputed @epi: it is the later one.  Returns what is
 * left of the item, if the call should go by it.
 */
struct epitem *ep_overtake(struct epitem *epi, int op);

/* Nobody has a use for @epi, which S still knows: it is gone, or a handler's once more. */
void ep_retire(struct epitem *epi);

/* -------- park.c; source locked -------- */

bool ep_can_park(const struct epitem *epi);
void ep_park(struct epitem *epi);
bool ep_unpark(struct epitem *epi, const struct epoll_event *event);
void ep_confirm(struct eventpoll *ep); /* tell S of every unconfirmed item */
int ep_confirm_one(struct epitem *epi);
void ep_set_live(struct epitem *epi);
void ep_empty_park(struct eventpoll *ep);
bool ep_empty_all_parks(void); /* no mtx held; was there anything? */

/* -------- keep.c; source locked -------- */

bool ep_is_for_kernel(const struct eventpoll *ep, const struct file *file, uint32_t events);
int ep_keep_by_kernel(struct epitem *epi);
bool ep_can_be_dormant(const struct epitem *epi);
void ep_make_dormant(struct epitem *epi);
void ep_settle(struct eventpoll *ep);
void ep_settle_loop(struct eventpoll *ep); /* only if the loop drives it */

/* -------- zombie.c; source locked -------- */

void ep_make_zombie(struct epitem *epi);
struct epitem *ep_find_zombie(struct eventpoll *ep, const struct file *file, int fd);
void ep_revive(struct epitem *epi);
void ep_sweep_zombies(struct eventpoll *ep);

/* -------- slot.c, as far as others than waiters need it; source locked -------- */

void ep_slot_init(struct eventpoll *ep);

/*
 * Entries that a sleeper has not come back for: queue their items unverified.
 * @is_abandoned: it never will, so ask the kernel again about those it keeps.
 */
void ep_absorb_slot(struct eventpoll *ep, bool is_abandoned);

/*
 * The application is about to change a registration of @fd that is not ours: what is
 * in the slot of it is history.
 */
void ep_forget_foreign(struct eventpoll *ep, int fd);

/* The loop thread collects everything.  False: it met what only a waiter can deal with. */
bool ep_collect_for_loop(struct eventpoll *ep);

/* -------- send.c -------- */

void ep_spend(struct epitem *epi); /* its one shot has fired */

#include "engine/locks.h"

#endif
