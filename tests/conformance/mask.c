// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <sys/epoll.h>

#include "mask.h"

static const struct {
	uint32_t bit;
	const char *name;
} bits[] = {
	{EPOLLIN, "IN"},	 {EPOLLPRI, "PRI"},	    {EPOLLOUT, "OUT"},
	{EPOLLERR, "ERR"},	 {EPOLLHUP, "HUP"},	    {EPOLLRDNORM, "RDNORM"},
	{EPOLLRDBAND, "RDBAND"}, {EPOLLWRNORM, "WRNORM"},   {EPOLLWRBAND, "WRBAND"},
	{EPOLLMSG, "MSG"},	 {EPOLLRDHUP, "RDHUP"},	    {EPOLLEXCLUSIVE, "EXCLUSIVE"},
	{EPOLLWAKEUP, "WAKEUP"}, {EPOLLONESHOT, "ONESHOT"}, {(uint32_t)EPOLLET, "ET"},
};

void mask_format(char *text, size_t size, uint32_t mask)
{
	size_t used = 0;

	snprintf(text, size, "0");
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]) && used < size; i++) {
		if (!(mask & bits[i].bit))
			continue;
		mask &= ~bits[i].bit;
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "|" : "",
					 bits[i].name);
	}
	if (mask && used < size)
		snprintf(text + used, size - used, "%s0x%x", used ? "|" : "", mask);
}
