// SPDX-License-Identifier: MIT
/*
 * zombie.c - watches whose descriptor is closed and whose description lives on.
 *
 * The kernel goes on delivering them, and so do we: S keeps them under their tag.
 * We never ask their number anything again, it may be another file's.  A zombie
 * is in no tree; if its number comes to name its description again, S still
 * knows it, and says so when it is added, modified or deleted.
 *
 * Often a description only may have lived on (a fork, long ago), and S has
 * forgotten the watch with its last descriptor.  Zombies above a bound are looked
 * for in what the kernel says of S in /proc.
 */
#include "engine/internal.h"

#include "real/ownfd.h"
#include "real/procpath.h"
#include "real/sys.h"

/*
 * The descriptor of @epi, visible or parked, is about to be closed.  Call this
 * before the real close: it may make one MOD.
 */
void ep_make_zombie(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	if (epi->state == ITEM_PARKED) {
		ep_remove_armed(epi);
		return;
	}
	if (ep_keep_by_kernel(epi) < 0)
		return;
	rb_erase(&ep->rbr, &epi->rbn);
	epi->state = ITEM_ZOMBIE;
	list_add_tail(&epi->rdllink, &ep->zombies);
	probe(ep->counts, PROBE_ZOMBIE);
	if (++ep->nr_zombies > ep->zombies_max)
		ep_sweep_zombies(ep);
}

struct epitem *ep_find_zombie(struct eventpoll *ep, const struct file *file, int fd)
{
	struct epitem *epi;

	if (!file)
		return NULL;
	list_for_each_entry(epi, &ep->zombies, rdllink)
		if (epi->file == file && epi->fd == fd)
			return epi;
	return NULL;
}

/* The number of @epi names its description again: it is live, and stays the kernel's. */
void ep_revive(struct epitem *epi)
{
	struct eventpoll *ep = epi->ep;

	list_del_init(&epi->rdllink);
	ep->nr_zombies--;
	epi->state = ITEM_LIVE;
	rb_insert(&ep->rbr, &epi->rbn, ep_item_compare);
}

/* Reads /proc/self/fdinfo/<epfd>, and finds the tags in it. */
struct zombie_scan {
	struct eventpoll *ep;
	unsigned int nr_matched; /* of "data:" */
	bool is_in_number;
	uint64_t number;
};

static int zombie_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The kernel still knows the registration of this tag. */
static void zombie_seen(struct eventpoll *ep, uint64_t tag)
{
	bool is_foreign;
	struct epitem *epi = ep_find_tag(ep, tag, &is_foreign);

	if (epi && epi->state == ITEM_ZOMBIE)
		epi->noise = 1;
}

/* "tfd: 7 events: 19 data: 5eed000001000001 pos:0 ...": hexadecimal, after blanks. */
static void zombie_scan_char(struct zombie_scan *scan, char c)
{
	static const char word[] = "data:";

	if (scan->nr_matched < sizeof(word) - 1) {
		scan->nr_matched = c == word[scan->nr_matched] ? scan->nr_matched + 1 : c == 'd';
		return;
	}
	if (zombie_digit(c) >= 0) {
		scan->is_in_number = true;
		scan->number = scan->number << 4 | (uint64_t)zombie_digit(c);
		return;
	}
	if (!scan->is_in_number)
		return;
	zombie_seen(scan->ep, scan->number);
	*scan = (struct zombie_scan){.ep = scan->ep};
}

/* Returns whether the whole of it could be read. */
static bool zombie_scan_fdinfo(struct eventpoll *ep)
{
	struct zombie_scan scan = {.ep = ep};
	char path[PROCPATH_SIZE], chunk[1024];
	long len;
	int fd;

	fd = ownfd_borrow(procpath(path, "fdinfo", ep->source.fd));
	if (fd < 0)
		return false;
	while ((len = sys_read(fd, chunk, sizeof(chunk))) > 0)
		for (long i = 0; i < len; i++)
			zombie_scan_char(&scan, chunk[i]);
	ownfd_return(fd);
	return len == 0;
}

void ep_sweep_zombies(struct eventpoll *ep)
{
	struct epitem *epi, *next;

	list_for_each_entry(epi, &ep->zombies, rdllink)
		epi->noise = 0;
	if (zombie_scan_fdinfo(ep))
		list_for_each_entry_safe(epi, next, &ep->zombies, rdllink)
			if (!epi->noise)
				ep_remove(epi);
	ep->zombies_max = 2 * ep->nr_zombies > EP_ZOMBIE_MAX ? 2 * ep->nr_zombies : EP_ZOMBIE_MAX;
}
