/* SPDX-License-Identifier: MIT */
/*
 * list.h - circular, doubly linked, intrusive lists.
 *
 * One struct list_head is the list, one inside each member is its place in it.
 * A place that is on no list points to itself, so that list_del_init() is
 * harmless twice and list_is_linked() is always answerable; every place is
 * therefore list_init()ed once before its first use.
 *
 * No allocation, no locking: callers serialise.  All operations are O(1) but
 * the iterations.
 *
 * A caller who is abandoned in the middle (siglongjmp out of a signal handler)
 * leaves the next pointers of a list whole, whichever instruction was his last:
 * add, del_init and move store them in such an order, and list_keep_order() makes
 * the compiler do so.  Splicing promises nothing.
 */
#ifndef INTERPOLL_BASE_LIST_H
#define INTERPOLL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

/* Initialiser of a list called @name. */
#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

/* Make @head an empty list, or a place that is on no list. */
static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

/* Is the list @head empty? */
static inline bool list_is_empty(const struct list_head *head)
{
	return head->next == head;
}

/* Is the place @node on some list? */
static inline bool list_is_linked(const struct list_head *node)
{
	return node->next != node;
}

/* What is stored above is stored before what is stored below. */
static inline void list_keep_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Put @node between its neighbours-to-be. */
static inline void list_link_between(struct list_head *node, struct list_head *prev,
				     struct list_head *next)
{
	node->prev = prev;
	node->next = next;
	list_keep_order();
	prev->next = node;
	next->prev = node;
}

/* Put @node, on no list, first on @head. */
static inline void list_add(struct list_head *node, struct list_head *head)
{
	list_link_between(node, head, head->next);
}

/* Put @node, on no list, last on @head. */
static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_link_between(node, head->prev, head);
}

/* Take @node off its list; does nothing if it is on none. */
static inline void list_del_init(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_keep_order();
	list_init(node);
}

/* Make @node, on any list or none, the first of @head. */
static inline void list_move(struct list_head *node, struct list_head *head)
{
	list_del_init(node);
	list_add(node, head);
}

/* Make @node, on any list or none, the last of @head. */
static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
	list_del_init(node);
	list_add_tail(node, head);
}

/* Move all of @from, in order, between @prev and @next; @from is empty then. */
static inline void list_splice_between(struct list_head *from, struct list_head *prev,
				       struct list_head *next)
{
	if (list_is_empty(from))
		return;
	from->next->prev = prev;
	prev->next = from->next;
	from->prev->next = next;
	next->prev = from->prev;
	list_init(from);
}

/* Move all members of @from, in order, before those of @head; empties @from. */
static inline void list_splice_head_init(struct list_head *from, struct list_head *head)
{
	list_splice_between(from, head, head->next);
}

/* Move all members of @from, in order, behind those of @head; empties @from. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *head)
{
	list_splice_between(from, head->prev, head);
}

/*
 * Whoever changed the list @head was cut off: of the two directions, next is whole.
 */
static inline void list_mend(struct list_head *head)
{
	struct list_head *node = head;

	do {
		node->next->prev = node;
		node = node->next;
	} while (node != head);
}

/* The structure of @type whose @member is the place @node. */
#define list_entry(node, type, member) ((type *)((uintptr_t)(node)-offsetof(type, member)))

/* First and last structure of the list @head, which is not empty. */
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)

/* The structure behind, or before, @pos on its list; the caller knows it exists. */
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)

/* Has the iteration with @pos come round to @head? */
#define list_is_end(pos, head, member) (&(pos)->member == (head))

/* Take and return the first structure of @head, NULL if there is none. */
#define list_pop_entry(head, type, member) ((type *)list_pop_offset((head), offsetof(type, member)))

static inline void *list_pop_offset(struct list_head *head, size_t offset)
{
	struct list_head *node = head->next;

	if (node == head)
		return NULL;
	list_del_init(node);
	return (char *)node - offset;
}

/* Visit every member; the list must not change meanwhile. */
#define list_for_each_entry(pos, head, member)                       \
	for (pos = list_first_entry(head, __typeof__(*pos), member); \
	     !list_is_end(pos, head, member); pos = list_next_entry(pos, member))

#define list_for_each_entry_reverse(pos, head, member)              \
	for (pos = list_last_entry(head, __typeof__(*pos), member); \
	     !list_is_end(pos, head, member); pos = list_prev_entry(pos, member))

/* Visit every member; the visitor may unlink or free @pos, but not @tmp. */
#define list_for_each_entry_safe(pos, tmp, head, member)             \
	for (pos = list_first_entry(head, __typeof__(*pos), member), \
	    tmp = list_next_entry(pos, member);                      \
	     !list_is_end(pos, head, member); pos = tmp, tmp = list_next_entry(tmp, member))

#endif
