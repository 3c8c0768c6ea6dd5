// SPDX-License-Identifier: MIT
/*
 * settle.c - what a step causes has happened when it ends.
 *
 * Most files tell their watchers before the call returns.  What does not:
 *
 *	network		packets over the loopback wait in the queue of the processor
 *			that sent them.  It is first in, first out: a datagram of our
 *			own that has come back was behind all of them.  An answer to a
 *			packet is queued in turn: hence several rounds.  The walk stays
 *			on one processor, and Nagle is off.  Only who ends a connection
 *			is told something by its acknowledgement, which TCP may delay;
 *			that is asked for, or waited for.
 *	terminals	what is written to a master travels by a kernel thread, which
 *			holds the slave's settings still until it has told everybody.
 *			So what is to read there is awaited, and then the settings are
 *			changed, to what they are.  A master cannot be asked that; so
 *			masters only are written to, and only while we have the slave.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "walk.h"

enum {
	ROUNDS = 4, /* SYN, SYN and ACK, ACK; and one for good measure */
	DELAYED_MS_MAX = 2000,
	SLAVE_HOLDS_MAX = 1024, /* with room for as much */
};

static int echo = -1;
static struct step slave;
static bool has_slave;

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

int own_fd(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FDS);

	if (moved < 0)
		fail("walk: cannot have a descriptor above the program's");
	close(fd);
	return moved;
}

void settle_init(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fail("walk: cannot stay on one processor");
}

void settle_note_inet(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);

	if (echo >= 0)
		return;
	echo = own_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(echo, (void *)&address, sizeof(address)) < 0 ||
	    getsockname(echo, (void *)&address, &length) < 0 ||
	    connect(echo, (void *)&address, sizeof(address)) < 0)
		fail("walk: no datagrams over the loopback");
}

void settle_note_terminal(int name)
{
	slave.args[0].name = name;
	has_slave = true;
}

void settle_inet(void)
{
	char byte = 0;

	if (echo < 0)
		return;
	for (int i = 0; i < ROUNDS; i++)
		if (send(echo, &byte, 1, 0) != 1 || recv(echo, &byte, 1, 0) != 1)
			fail("walk: a datagram over the loopback did not come back");
}

/*
 * Somebody whom we cannot ask, a connection not accepted yet or one that only a child
 * has, delays the acknowledgement that @fd has ended for so long.
 */
void settle_end(int fd)
{
	struct tcp_info info;
	socklen_t length;
	int on = 1;

	if (echo < 0)
		return;
	settle_inet();
	for (int other = STDERR_FILENO + 1; other <= program_fd_max; other++)
		setsockopt(other, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	settle_inet();
	for (int ms = 0; ms < DELAYED_MS_MAX; ms++) {
		length = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ||
		    info.tcpi_state != TCP_FIN_WAIT1)
			return;
		poll(NULL, 0, 1);
	}
	errno = ETIMEDOUT;
	fail("walk: the end of a connection is not acknowledged");
}

static bool is_master(int fd)
{
	unsigned int number;

	return ioctl(fd, TIOCGPTN, &number) == 0;
}

/* How many bytes are to read at the slave; -1 if we do not have it. */
static int slave_holds(void)
{
	int fd = step_fd(&slave, 0), nr_bytes;

	if (!has_slave || !isatty(fd) || is_master(fd) || ioctl(fd, TIOCINQ, &nr_bytes) < 0)
		return -1;
	return nr_bytes;
}

static void await_slave_holds(int nr_bytes)
{
	struct termios termios;

	while (slave_holds() < nr_bytes)
		sched_yield();
	if (tcgetattr(step_fd(&slave, 0), &termios) == 0)
		tcsetattr(step_fd(&slave, 0), TCSANOW, &termios);
}

bool settle_write(int fd, const void *bytes, size_t length, ssize_t *ret_written)
{
	int before = slave_holds();

	if (isatty(fd) && (!is_master(fd) || before < 0 || before + (int)length > SLAVE_HOLDS_MAX))
		return false;
	*ret_written = write(fd, bytes, length);
	if (isatty(fd) && *ret_written > 0)
		await_slave_holds(before + (int)*ret_written);
	return true;
}
