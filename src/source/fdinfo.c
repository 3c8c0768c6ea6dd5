// SPDX-License-Identifier: MIT
#include "source/fdinfo.h"

#include <errno.h>
#include <string.h>

#include "real/ownfd.h"
#include "real/procpath.h"
#include "real/sys.h"

/* The longest line of a registration, all numbers at their largest, is 125 long. */
#define FDINFO_LINE_SIZE 160

struct fdinfo {
	source_see *see;
	void *ctx;
	bool was_epoll; /* a registration was found */
	unsigned int len;
	char line[FDINFO_LINE_SIZE];
};

static int fdinfo_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/*
 * At *@at stands "@name", blanks, and a number to @base: step over it, and return
 * it in @ret_number.
 */
static bool fdinfo_field(const char **at, const char *name, int base, uint64_t *ret_number)
{
	size_t len = strlen(name);
	const char *c = *at;

	if (strncmp(c, name, len) != 0)
		return false;
	for (c += len; *c == ' '; c++)
		;
	if (fdinfo_digit(*c) >= base)
		return false;
	for (*ret_number = 0; fdinfo_digit(*c) < base; c++)
		*ret_number = *ret_number * (uint64_t)base + (uint64_t)fdinfo_digit(*c);
	for (; *c == ' '; c++)
		;
	*at = c;
	return true;
}

/* "tfd:        7 events:       19 data: 5eed000001000001  pos:0 ino:9b4 sdev:e" */
static void fdinfo_line(struct fdinfo *info)
{
	uint64_t fd, events, tag;
	const char *at = info->line;

	info->line[info->len] = '\0';
	info->len = 0;
	if (!fdinfo_field(&at, "tfd:", 10, &fd) || !fdinfo_field(&at, "events:", 16, &events) ||
	    !fdinfo_field(&at, "data:", 16, &tag))
		return;
	info->was_epoll = true;
	info->see(info->ctx, &(struct source_watch){(int)fd, (uint32_t)events, tag});
}

static void fdinfo_text(struct fdinfo *info, const char *text, long len)
{
	for (long i = 0; i < len; i++) {
		if (text[i] == '\n')
			fdinfo_line(info);
		else if (info->len < sizeof(info->line) - 1)
			info->line[info->len++] = text[i];
	}
}

/* An epoll without registrations looks like any other file. */
static bool fdinfo_is_epoll(int fd)
{
	static const char name[] = "anon_inode:[eventpoll]";
	char path[PROCPATH_SIZE], link[sizeof(name)];
	long len = sys_readlinkat(AT_FDCWD, procpath(path, "fd", fd), link, sizeof(link));

	return len == (long)sizeof(name) - 1 && memcmp(link, name, sizeof(name) - 1) == 0;
}

int fdinfo_list(int epfd, source_see *see, void *ctx)
{
	struct fdinfo info = {.see = see, .ctx = ctx};
	char chunk[1024];
	long len;
	int fd = ownfd_borrow_fdinfo(epfd);

	if (fd < 0)
		return fd;
	while ((len = sys_read(fd, chunk, sizeof(chunk))) > 0)
		fdinfo_text(&info, chunk, len);
	ownfd_return(fd);
	if (len == 0 && !info.was_epoll && !fdinfo_is_epoll(epfd))
		return -EBADF;
	return (int)len;
}
