// SPDX-License-Identifier: MIT
/*
 * selfcheck_books.c - is what an eventpoll says of itself consistent?
 *
 * The slab says which items there are, and each item what it is; tree, lists and
 * counters must say the same.  Everything here holds whenever nobody is inside:
 * no scan is under way and nothing is half made.
 */
#include "engine/internal.h"

/* What the slab says. */
struct selfcheck_census {
	uint32_t nr_in_tree;
	uint32_t nr_ready;
	uint32_t nr_unconfirmed;
	uint32_t nr_parked;
	uint32_t nr_zombies;
	uint32_t nr_kernel;
	uint32_t nr_nested;
};

static void books_ensure(bool is_true, const struct epitem *epi, const char *text)
{
	if (__builtin_expect(!is_true, 0))
		selfcheck_fail(epi->ep, epi, text);
}

static void books_ensure_ep(bool is_true, const struct eventpoll *ep, const char *text)
{
	if (__builtin_expect(!is_true, 0))
		selfcheck_fail(ep, NULL, text);
}

/* -------- items -------- */

static bool books_is_threaded(const struct list_head *node)
{
	return node->next->prev == node && node->prev->next == node;
}

static void books_check_queue(struct epitem *epi)
{
	struct file *file = epi->file;

	section_acquire(&file->wq_lock, file_repair);
	books_ensure(list_is_linked(&epi->fllink) && books_is_threaded(&epi->fllink), epi,
		     "it is not on the queue of its file");
	section_release(&file->wq_lock);
	books_ensure(__atomic_load_n(&file->refs, __ATOMIC_RELAXED) > 0, epi, "its file is free");
}

/*
 * What we keep is armed for all that is asked, and where every edge counts or costs
 * for no more.  What is spent is armed as it was.
 */
static void books_check_mask(const struct epitem *epi)
{
	uint32_t exact = ep_exact_mask(epi);
	bool is_exact = (epi->event.events & EPOLLET) || epi->file->kind == FILE_EVENTFD;

	if (epi->state != ITEM_LIVE || ep_is_kept_by_kernel(epi) || ep_is_spent(epi))
		return;
	books_ensure(!(exact & ~epi->armed), epi, "it is not armed for all it asks");
	books_ensure(!is_exact || epi->armed == exact, epi, "it is not armed exactly");
}

static void books_check_item(struct eventpoll *ep, struct epitem *epi, uint32_t slot)
{
	bool has_loop = ep->has_loop;

	books_ensure_ep(epi->ep == ep && epi->slot == slot, ep, "an item is another's");
	books_ensure(epi->state > ITEM_NEW && epi->state <= ITEM_ZOMBIE, epi, "it is half made");
	books_ensure(epi->generation > 0 && epi->generation <= EP_GENERATION_MAX, epi,
		     "its generation is one that is never given");
	books_ensure(epi->file != NULL, epi, "it has no file");
	books_ensure(epi->armed != 0 || (ep_is_kept_by_kernel(epi) && ep_is_spent(epi)), epi,
		     "it is not armed");
	books_ensure(!ep_on_ovflist(epi), epi, "it is on the overflow list of no scan");
	books_ensure(rb_is_linked(&epi->rbn) == (epi->state != ITEM_ZOMBIE), epi,
		     "it is in the tree, or not, against its state");
	books_ensure(!ep_is_linked(epi) || !ep_is_kept_by_kernel(epi), epi,
		     "the kernel keeps it, and our ready list too");
	books_ensure(!has_loop || !ep_is_kept_by_kernel(epi), epi,
		     "the kernel keeps it from a loop");
	books_ensure(!ep->is_settled || ep_is_kept_by_kernel(epi), epi,
		     "we keep it in a settled eventpoll");
	books_ensure(epi->state != ITEM_ZOMBIE || ep_is_kept_by_kernel(epi), epi,
		     "we keep a zombie");
	books_check_queue(epi);
	books_check_mask(epi);
}

static void books_count(struct selfcheck_census *census, const struct epitem *epi)
{
	census->nr_in_tree += epi->state != ITEM_ZOMBIE;
	census->nr_ready += ep_is_linked(epi);
	census->nr_unconfirmed += epi->state == ITEM_UNCONFIRMED;
	census->nr_parked += epi->state == ITEM_PARKED;
	census->nr_zombies += epi->state == ITEM_ZOMBIE;
	census->nr_kernel += ep_is_kept_by_kernel(epi);
	census->nr_nested += epi->is_nested;
}

/* -------- tree and lists -------- */

static void books_check_tree(struct eventpoll *ep, uint32_t nr_expected)
{
	struct rb_node *last = NULL;
	uint32_t nr = 0;

	for (struct rb_node *node = rb_first(&ep->rbr); node; node = rb_next(node)) {
		books_ensure_ep(!last || ep_item_compare(last, node) < 0, ep,
				"the tree is not in order");
		last = node;
		nr++;
	}
	books_ensure_ep(nr == nr_expected, ep, "the tree does not have all items, or others");
}

/* @head has @nr_expected items, all of them in @state and linked to and fro. */
static void books_check_list(struct eventpoll *ep, const struct list_head *head,
			     enum epitem_state state, uint32_t nr_expected, const char *text)
{
	uint32_t nr = 0;

	for (const struct list_head *node = head->next; node != head; node = node->next) {
		const struct epitem *epi = list_entry(node, struct epitem, rdllink);

		books_ensure_ep(books_is_threaded(node) && nr++ < nr_expected && epi->ep == ep &&
					epi->state == state,
				ep, text);
	}
	books_ensure_ep(nr == nr_expected && books_is_threaded(head), ep, text);
}

static void books_check_lists(struct eventpoll *ep, const struct selfcheck_census *census)
{
	books_check_list(ep, &ep->rdllist, ITEM_LIVE, census->nr_ready,
			 "the ready list does not have what is linked");
	books_check_list(ep, &ep->unconfirmed, ITEM_UNCONFIRMED, census->nr_unconfirmed,
			 "the list of the unconfirmed is not theirs");
	books_check_list(ep, &ep->parked, ITEM_PARKED, census->nr_parked,
			 "the park does not have what is parked");
	books_check_list(ep, &ep->zombies, ITEM_ZOMBIE, census->nr_zombies,
			 "the list of zombies is not theirs");
}

static void books_check_waiters(struct eventpoll *ep)
{
	const struct waiter *waiter;

	list_for_each_entry(waiter, &ep->waiters, link)
		books_ensure_ep(waiter->ep == ep, ep, "a waiter sleeps elsewhere");
	list_for_each_entry(waiter, &ep->wq, wq_link)
		books_ensure_ep(waiter->ep == ep, ep, "a waiter to be woken sleeps elsewhere");
	books_ensure_ep(list_is_empty(&ep->unconfirmed) || list_is_empty(&ep->waiters), ep,
			"somebody sleeps, and a watch is unconfirmed");
}

void selfcheck_books(struct eventpoll *ep)
{
	struct selfcheck_census census = {0};
	uint32_t slot;

	books_ensure_ep(!ep_is_scanning(ep), ep, "a scan was left open");
	books_ensure_ep(!ep->is_settled || !ep->has_loop, ep, "a loop drives what is settled");
	slab_for_each(slot, &ep->items) {
		struct epitem *epi = slab_at(&ep->items, slot);

		books_check_item(ep, epi, slot);
		books_count(&census, epi);
	}
	books_ensure_ep(ep->nr_parked == census.nr_parked && ep->nr_parked <= EP_PARK_MAX, ep,
			"nr_parked is wrong");
	books_ensure_ep(ep->nr_zombies == census.nr_zombies, ep, "nr_zombies is wrong");
	books_ensure_ep(ep->nr_kernel == census.nr_kernel, ep, "nr_kernel is wrong");
	books_ensure_ep(ep->nr_nested == census.nr_nested, ep, "nr_nested is wrong");
	books_check_tree(ep, census.nr_in_tree);
	books_check_lists(ep, &census);
	books_check_waiters(ep);
}
