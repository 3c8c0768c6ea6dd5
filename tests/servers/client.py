# SPDX-License-Identifier: MIT
"""A verifying client: thousands of connections on one epoll loop.

A conversation is an iterable of exchanges; an exchange is a pair (request,
reader).  The reader looks at the bytes received so far and says how many of
them are the complete answer, 0 if it is not complete yet; it raises Failure if
what it sees is wrong.  The next request of a connection is sent when the answer
to the one before has been read, so that an answer that is lost stalls its
connection, and one that is doubled stands where another is expected.
"""
import select
import socket
import time

from harness import Failure, check

RECEIVE_SIZE = 1 << 18


def equals(expected):
    """A reader: the answer is exactly these bytes."""
    def read(received, _is_closed):
        common = min(len(received), len(expected))
        if received[:common] != expected[:common]:
            raise Failure(wrong(received, expected))
        return len(expected) if common == len(expected) else 0
    return read


def wrong(received, expected):
    at = next((i for i, (a, b) in enumerate(zip(received, expected)) if a != b), 0)
    return (f"a wrong answer: from byte {at} on {bytes(received[at:at + 40])!r} "
            f"instead of {expected[at:at + 40]!r}")


class Connection:
    """One connection and where it stands in its conversation."""

    def __init__(self, conversation):
        self.exchanges = iter(conversation)
        self.socket = None
        self.unsent = b""
        self.received = bytearray()
        self.reader = None  # None: nothing was asked
        self.nr_answers = 0
        self.is_watching_output = True

    def connect(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", port))
        return self.socket.fileno()

    def next_request(self):
        """Take up the next exchange.  False: the conversation is over."""
        request, self.reader = next(self.exchanges, (None, None))
        self.unsent = request
        return self.reader is not None

    def send(self):
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Failure(f"the connection broke after {self.nr_answers} answers: {error}") from None

    def receive(self):
        """Take what there is.  True: the answer waited for is complete."""
        try:
            data = self.socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Failure(f"the connection broke after {self.nr_answers} answers: {error}") from None
        self.received += data
        length = self.reader(self.received, not data)
        if not length:
            check(data, f"the server closed a connection after {self.nr_answers} answers and "
                        f"{len(self.received)} bytes of the next")
            return False
        del self.received[:length]
        self.reader = None
        self.nr_answers += 1
        check(not self.received,
              f"{len(self.received)} bytes after the answer: {bytes(self.received[:40])!r}")
        return True


class Crowd:
    """All connections of a test, their loop and their deadline."""

    def __init__(self, port, conversations, all_at_once, max_opening, limit_s):
        self.port = port
        self.waiting = [Connection(conversation) for conversation in conversations]
        self.nr_total = len(self.waiting)
        self.waiting.reverse()
        self.all_at_once = all_at_once
        self.max_opening = max_opening
        self.nr_opening = 0
        self.parked = []  # had their first answer, wait for everybody else's
        self.live = {}
        self.nr_finished = 0
        self.deadline = time.monotonic() + limit_s
        self.poll = select.epoll()

    def run(self):
        try:
            while self.nr_finished < self.nr_total:
                self.open_some()
                events = self.poll.poll(max(0, self.deadline - time.monotonic()), 1024)
                if not events:
                    self.give_up()
                for fd, mask in events:
                    self.work(self.live[fd], mask)
        finally:
            for connection in self.live.values():
                connection.socket.close()
            self.poll.close()

    def give_up(self):
        stuck = [connection for connection in self.live.values() if connection.reader]
        examples = "".join(f"\n  one had {c.nr_answers} answers, {len(c.received)} bytes of the "
                           f"next, {len(c.unsent)} bytes of its request were unsent"
                           for c in stuck[:3])
        raise Failure(f"{len(stuck)} of {self.nr_total} connections wait for an answer in vain"
                      f"{examples}")

    def open_some(self):
        """A bounded number at a time, so that no accept queue overflows."""
        while self.waiting and self.nr_opening < self.max_opening:
            connection = self.waiting.pop()
            self.nr_opening += 1
            check(connection.next_request(), "a conversation without a single exchange")
            fd = connection.connect(self.port)
            self.live[fd] = connection
            self.poll.register(fd, select.EPOLLIN | select.EPOLLOUT)

    def work(self, connection, mask):
        """An answer may begin before its request is sent to the end."""
        check(connection.reader, "the server sent or closed something of which nobody had asked")
        if connection.unsent and mask & select.EPOLLOUT:
            connection.send()
        if mask & ~select.EPOLLOUT and connection.receive():
            check(not connection.unsent, "an answer ended before its request")
            self.take_answer(connection)
        self.watch(connection)

    def take_answer(self, connection):
        is_first = connection.nr_answers == 1
        if is_first:
            self.nr_opening -= 1
            self.open_some()
        if is_first and self.all_at_once:
            self.park(connection)
        else:
            self.go_on(connection)

    def park(self, connection):
        self.parked.append(connection)
        if len(self.parked) < self.nr_total:
            return
        everybody, self.parked = self.parked, []
        for other in everybody:
            self.go_on(other)
            self.watch(other)

    def go_on(self, connection):
        if connection.next_request():
            connection.send()
            return
        self.nr_finished += 1
        if not self.all_at_once:
            fd = connection.socket.fileno()
            del self.live[fd]
            connection.socket.close()
            connection.socket = None

    def watch(self, connection):
        is_output = bool(connection.unsent)
        if connection.socket and is_output != connection.is_watching_output:
            connection.is_watching_output = is_output
            self.poll.modify(connection.socket.fileno(),
                             select.EPOLLIN | (select.EPOLLOUT if is_output else 0))


def converse(port, conversations, all_at_once=False, max_opening=128, limit_s=90):
    """Hold all conversations, each on a connection of its own, concurrently.

    all_at_once: every connection stays open from its first answer until the last
    connection has had its last, and nobody asks a second time before everybody
    has been answered once.
    Raises Failure for any answer that is wrong, missing or too many.
    """
    crowd = Crowd(port, conversations, all_at_once, max_opening, limit_s)
    crowd.run()
    return crowd.nr_total
