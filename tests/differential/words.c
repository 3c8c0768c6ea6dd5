// SPDX-License-Identifier: MIT
/*
 * words.c - masks and errors as the programs and logs write them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "walk.h"

static const struct {
	uint32_t bit;
	const char *name;
} bits[] = {
	{EPOLLIN, "IN"},	 {EPOLLPRI, "PRI"},	    {EPOLLOUT, "OUT"},
	{EPOLLERR, "ERR"},	 {EPOLLHUP, "HUP"},	    {EPOLLRDNORM, "RDNORM"},
	{EPOLLRDBAND, "RDBAND"}, {EPOLLWRNORM, "WRNORM"},   {EPOLLWRBAND, "WRBAND"},
	{EPOLLMSG, "MSG"},	 {EPOLLRDHUP, "RDHUP"},	    {EPOLLEXCLUSIVE, "EXCLUSIVE"},
	{EPOLLWAKEUP, "WAKEUP"}, {EPOLLONESHOT, "ONESHOT"}, {EPOLLET, "ET"},
};
#define NR_BITS (sizeof(bits) / sizeof(bits[0]))

/* One word of a mask, @length long. */
static bool bit_parse(const char *word, size_t length, uint32_t *mask)
{
	char *end;

	for (size_t i = 0; i < NR_BITS; i++) {
		if (strlen(bits[i].name) == length && !strncmp(bits[i].name, word, length)) {
			*mask |= bits[i].bit;
			return true;
		}
	}
	*mask |= (uint32_t)strtoul(word, &end, 0);
	return length && end == word + length;
}

bool mask_parse(const char *text, uint32_t *ret_mask)
{
	uint32_t mask = 0;

	for (;;) {
		size_t length = strcspn(text, "|");

		if (!bit_parse(text, length, &mask))
			return false;
		if (!text[length])
			break;
		text += length + 1;
	}
	*ret_mask = mask;
	return true;
}

size_t mask_print(char *text, size_t size, uint32_t mask)
{
	const char *between = "";
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < NR_BITS; i++) {
		if (!(mask & bits[i].bit))
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%s", between,
					   bits[i].name);
		between = "|";
		mask &= ~bits[i].bit;
	}
	if (mask || !length)
		length += (size_t)snprintf(text + length, size - length, "%s%#x", between, mask);
	return length;
}

void errno_print(char *text, size_t size, int error)
{
	const char *name = strerrorname_np(error);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "errno %d", error);
}
