/* SPDX-License-Identifier: MIT */
/*
 * words.h - a list of different words in a buffer: "epoll_ctl, epoll_wait".
 */
#ifndef INTERPOLL_CLI_WORDS_H
#define INTERPOLL_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct words {
	char *list;
	size_t size;
};

/* Start an empty list in @list, which the caller owns. */
static inline struct words words_begin(char *list, size_t size)
{
	list[0] = '\0';
	return (struct words){.list = list, .size = size};
}

/* Is @word, whole, in the list? */
static inline bool words_has(const struct words *words, const char *word)
{
	const char *at = words->list;
	size_t len = strlen(word);

	for (; *at; at += strcspn(at, ","), at += strspn(at, ", "))
		if (strcspn(at, ",") == len && !strncmp(at, word, len))
			return true;
	return false;
}

/* Append @word if it is not there yet and fits. */
static inline void words_add(struct words *words, const char *word)
{
	size_t used = strlen(words->list);

	if (words_has(words, word) || used + strlen(word) + 3 > words->size)
		return;
	snprintf(words->list + used, words->size - used, "%s%s", used ? ", " : "", word);
}

#endif
