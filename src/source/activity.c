// SPDX-License-Identifier: MIT
#include "source/activity.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "real/ownfd.h"
#include "real/sys.h"

/* The kernel's TCP_LISTEN, which no header exports beside <linux/tcp.h>. */
#define ACTIVITY_STATE_LISTEN 10

/* What a segment on its way may occupy of the send buffer besides its bytes. */
#define ACTIVITY_SEGMENT_COST 2304

/* No send buffer is smaller (SOCK_MIN_SNDBUF), and a writable one is a third free. */
#define ACTIVITY_SNDBUF_MIN	   4608
#define ACTIVITY_SNDBUF_FREE(size) ((uint64_t)(size) / 3)

static int socket_option(int fd, int name)
{
	int value = 0;
	unsigned int len = sizeof(value);
	int ret = sys_getsockopt(fd, SOL_SOCKET, name, &value, &len);

	return ret < 0 ? ret : value;
}

static enum activity_kind classify_socket(int fd)
{
	if (socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP &&
	    socket_option(fd, SO_TYPE) == SOCK_STREAM)
		return ACTIVITY_TCP;
	return ACTIVITY_SOCKET;
}

/* Read the beginning of fdinfo of @fd as a string.  Returns its length, or -errno. */
static long fdinfo_read(int fd, char *text, size_t size)
{
	long len;
	int info = ownfd_borrow_fdinfo(fd);

	if (info < 0)
		return info;
	len = sys_read(info, text, size - 1);
	ownfd_return(info);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

/* The hexadecimal number in the line of @text that begins with @key.  Is there one? */
static bool fdinfo_number(const char *text, const char *key, uint64_t *ret_number)
{
	const char *p = strstr(text, key);
	uint64_t number = 0;

	if (!p)
		return false;
	for (p += strlen(key); *p == ' ' || *p == '\t'; p++)
		;
	for (; (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'); p++)
		number = number << 4 | (unsigned int)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	*ret_number = number;
	return true;
}

/* How far the eventfd @fd has counted.  Returns whether it is one. */
static bool count_read(int fd, uint64_t *ret_count)
{
	char text[512];

	return fdinfo_read(fd, text, sizeof(text)) > 0 &&
	       fdinfo_number(text, "\neventfd-count:", ret_count);
}

/* A kernel before 6.5 does not tell semaphores from others: they could all be some. */
static enum activity_kind classify_eventfd(int fd)
{
	uint64_t count, is_semaphore = 1;
	char text[512];

	if (fdinfo_read(fd, text, sizeof(text)) <= 0 ||
	    !fdinfo_number(text, "\neventfd-count:", &count))
		return ACTIVITY_NONE;
	fdinfo_number(text, "\neventfd-semaphore:", &is_semaphore);
	return is_semaphore ? ACTIVITY_SEMAPHORE : ACTIVITY_EVENTFD;
}

enum activity_kind activity_classify(int fd)
{
	struct stat st;
	int queued;

	if (sys_fstat(fd, &st) < 0)
		return ACTIVITY_NONE;
	if (S_ISSOCK(st.st_mode))
		return classify_socket(fd);
	if (sys_ioctl(fd, FIONREAD, &queued) == 0)
		return ACTIVITY_QUEUE;
	/* an anonymous inode has no type at all */
	return st.st_mode & S_IFMT ? ACTIVITY_NONE : classify_eventfd(fd);
}

static uint64_t queued_bytes(int fd, unsigned long request)
{
	int queued = 0;

	if (sys_ioctl(fd, request, &queued) < 0 || queued < 0)
		return 0;
	return (unsigned int)queued;
}

/* Datagrams queue up behind the one that FIONREAD tells of; their memory shows. */
static uint64_t queued_memory(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	unsigned int len = sizeof(info);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_RMEM_ALLOC];
}

/*
 * The kernel wakes a writer of a TCP connection only if it had been refused,
 * which it does not tell.  But whoever was refused has used up the free part of
 * the send buffer since the last look, and acknowledgements made it free again.
 */
static bool tcp_was_refused(int fd, uint64_t used, bool is_acked)
{
	int size;

	if (!is_acked || used < ACTIVITY_SNDBUF_FREE(ACTIVITY_SNDBUF_MIN))
		return false;
	size = socket_option(fd, SO_SNDBUF);
	return size < 0 || used >= ACTIVITY_SNDBUF_FREE(size);
}

static uint32_t look_tcp(struct activity *last, int fd)
{
	struct tcp_info info = {0};
	struct activity now = {.kind = ACTIVITY_TCP};
	unsigned int len = sizeof(info);
	uint32_t again = 0;

	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	if (info.tcpi_state == ACTIVITY_STATE_LISTEN) {
		now.in = info.tcpi_unacked;
	} else {
		now.in = info.tcpi_bytes_received; /* a FIN counts as one */
		now.out = info.tcpi_bytes_acked;
		now.sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans +
			   info.tcpi_notsent_bytes +
			   (uint64_t)info.tcpi_data_segs_out * ACTIVITY_SEGMENT_COST;
		if (tcp_was_refused(fd, now.sent - last->sent, now.out != last->out))
			again |= ACTIVITY_OUT;
	}
	if (now.in > last->in)
		again |= ACTIVITY_IN;
	*last = now;
	return again;
}

static uint32_t look_socket(struct activity *last, int fd, uint32_t mask)
{
	struct activity now = *last;
	uint32_t again = 0;

	if (mask & ACTIVITY_IN)
		now.in = queued_bytes(fd, FIONREAD) + queued_memory(fd);
	if (mask & ACTIVITY_OUT)
		now.out = queued_bytes(fd, SIOCOUTQ);
	if (now.in > last->in)
		again |= ACTIVITY_IN;
	if (now.out < last->out)
		again |= ACTIVITY_OUT;
	*last = now;
	return again;
}

static uint32_t look_queue(struct activity *last, int fd)
{
	uint64_t queued = queued_bytes(fd, FIONREAD);
	uint32_t again = queued > last->in ? ACTIVITY_IN : 0;

	last->in = queued;
	return again;
}

/* A count that has shrunk was read; if a read takes all, what is there now came later. */
static uint32_t look_eventfd(struct activity *last, int fd)
{
	uint64_t count = last->in;
	uint32_t again = 0;

	count_read(fd, &count);
	if (count < last->in)
		again |= ACTIVITY_OUT;
	if (count > last->in || (count < last->in && count && last->kind == ACTIVITY_EVENTFD))
		again |= ACTIVITY_IN;
	last->in = count;
	return again;
}

uint32_t activity_look(struct activity *activity, int fd, uint32_t mask)
{
	switch ((enum activity_kind)activity->kind) {
	case ACTIVITY_TCP:
		return look_tcp(activity, fd) & mask;
	case ACTIVITY_SOCKET:
		return look_socket(activity, fd, mask) & mask;
	case ACTIVITY_QUEUE:
		return look_queue(activity, fd) & mask;
	case ACTIVITY_EVENTFD:
	case ACTIVITY_SEMAPHORE:
		return look_eventfd(activity, fd) & mask;
	case ACTIVITY_NONE:
		break;
	}
	return 0;
}

uint32_t activity_told_bits(const struct activity *activity)
{
	switch ((enum activity_kind)activity->kind) {
	case ACTIVITY_TCP:
	case ACTIVITY_SOCKET:
	case ACTIVITY_EVENTFD:
	case ACTIVITY_SEMAPHORE:
		return ACTIVITY_IN | ACTIVITY_OUT;
	case ACTIVITY_QUEUE:
		return ACTIVITY_IN;
	case ACTIVITY_NONE:
		break;
	}
	return 0;
}
