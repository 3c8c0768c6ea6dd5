# SPDX-License-Identifier: MIT
"""What the tests of all web servers share: files, requests, wrk, visitors who never leave."""
import contextlib
import os
import re
import socket
import threading

from harness import Failure, check, check_equal, find_program, wait_for

VERIFY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "verify.lua")
BODIES = {"empty": b"", "small": os.urandom(1024), "large": os.urandom(1 << 20),
          "huge": os.urandom(1 << 20) * 16}  # more than the kernel buffers for a connection


def write_bodies(bench):
    """The files to serve, in a directory of their own; returns its path."""
    directory = bench.path("html")
    os.makedirs(directory, exist_ok=True)
    for name, body in BODIES.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(body)
    return directory


def get(name, *headers, method="GET"):
    lines = [f"{method} /{name} HTTP/1.1", "Host: test", *headers]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n"


def response_length(received):
    """Length of head and body of the response at the start of these bytes; None: not known yet."""
    end = received.find(b"\r\n\r\n", 0, 4096)
    if end < 0:
        return None
    head = bytes(received[:end]).decode("latin-1")
    check(head.startswith("HTTP/1.1 200 "), f"the response is {head.splitlines()[0]!r}")
    length = re.search(r"(?im)^content-length: (\d+)\r?$", head)
    check(length, f"no Content-Length in {head!r}")
    return end + 4, int(length.group(1))


def responds(body, then_closes=False):
    """A reader: one response with exactly this body, and then the end if it is to close."""
    def read(received, is_closed):
        lengths = response_length(received)
        if not lengths or len(received) < sum(lengths) or (then_closes and not is_closed):
            return 0
        head, length = lengths
        check_equal(length, len(body), "Content-Length")
        check(received[head:head + length] == body, "a body is not what the file contains")
        return head + length
    return read


def visiting(names):
    """Get these files one after the other on one connection."""
    for name in names:
        yield get(name), responds(BODIES[name])


def visiting_by_child(names):
    """The same through a child process of the server."""
    for name in names:
        yield get(f"cat/{name}"), responds(BODIES[name])


def uploading(bodies):
    """Send them, one after the other; the server sends them back."""
    for body in bodies:
        yield get("", f"Content-Length: {len(body)}", method="POST") + body, responds(body)


def visiting_once(name):
    yield get(name, "Connection: close"), responds(BODIES[name], then_closes=True)


def run_wrk(bench, server, connections, *headers, seconds=2):
    """wrk for so long, every body verified; returns the number of responses."""
    words = [word for header in headers for word in ("-H", header)]
    said = bench.run_client([find_program("wrk", "wrk"), "-t", "2", "-c", str(connections),
                             "-d", f"{seconds}s", "--timeout", "10s", *words,
                             "-s", VERIFY, f"http://127.0.0.1:{server.port}/small",
                             "--", bench.path("html/small")])
    check("Socket errors" not in said and "Non-2xx" not in said, said)
    requests, different = map(int, re.search(r"verified: (\d+) equal, (\d+) different",
                                             said).groups())
    check(not different, said)
    check(requests >= connections, f"{requests} requests only\n{said}")
    return requests


def receive_more(client, received):
    data = client.recv(65536)
    check(data, f"the server closes after {len(received)} bytes of a response")
    received += data


def finish_upload(server, number):
    """Tell the server by a signal to end, amid an upload that it sends back: it stops listening
    at once, takes the rest, and exits with 0."""
    body = BODIES["large"]
    ((request, _),) = uploading([body])
    begun = len(request) - len(body) + 1
    with socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(request[:begun])
        received = bytearray()
        while not (lengths := response_length(received)) or len(received) == lengths[0]:
            receive_more(client, received)
        server.send_signal(number)
        wait_for(lambda: is_refused(server.port), "the end of listening")
        sender = threading.Thread(target=client.sendall, args=(request[begun:],), daemon=True)
        sender.start()
        while len(received) < sum(lengths):
            receive_more(client, received)
        sender.join()
    check(received[lengths[0]:] == body, "what comes back differs")
    server.expect_exit(0)


def finish_download(server, number):
    """Tell the server by a signal to end, amid a slow download: it stops listening at once,
    and the download goes on to its end."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        client.sendall(get("huge"))
        received = bytearray(client.recv(1000))
        server.send_signal(number)
        wait_for(lambda: is_refused(server.port), "the end of listening")
        head, length = response_length(received)
        while len(received) < head + length:
            receive_more(client, received)
    check(received[head:head + length] == BODIES["huge"], "the file differs")


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionResetError:
        return False  # listening ended just now, with our connection in the queue
    except ConnectionRefusedError:
        return True


class Visitor(threading.Thread):
    """Keeps asking on one connection until it is told to stop, as a browser would.

    A server may close a connection that is kept alive at any time between two
    requests.  Then, and only if not a byte of a response has come, HTTP lets the
    client ask again on a new connection.  Everything else is a request lost.
    """

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.connection = None
        self.is_to_stop = threading.Event()
        self.nr_responses = 0
        self.nr_reconnects = 0
        self.failure = None

    def run(self):
        try:
            while not self.is_to_stop.is_set():
                self.visit()
        except (Failure, OSError) as failure:
            self.failure = f"{type(failure).__name__}: {failure}"
        finally:
            if self.connection:
                self.connection.close()

    def visit(self):
        is_reused = self.connection is not None
        if not is_reused:
            self.connection = socket.create_connection(("127.0.0.1", self.port), 20)
        if self.ask():
            self.nr_responses += 1
            return
        self.connection.close()
        self.connection = None
        check(is_reused, "a new connection was closed without a response")
        self.nr_reconnects += 1

    def ask(self):
        """One request.  False if the connection ended before the response began."""
        received = bytearray()
        try:
            self.connection.sendall(get("small"))
            while not (lengths := response_length(received)) or len(received) < sum(lengths):
                data = self.connection.recv(65536)
                if not data:
                    raise ConnectionResetError("the connection ended")
                received += data
        except (ConnectionResetError, BrokenPipeError) as error:
            if received:
                raise Failure(f"{error} after {len(received)} bytes of a response") from None
            return False
        check(received[lengths[0]:] == BODIES["small"], "a body is not what the file contains")
        if b"\r\nConnection: close\r\n" in received[:lengths[0]]:
            self.connection.close()
            self.connection = None
        return True


@contextlib.contextmanager
def visitors_of(port, count=16):
    """So many visitors while the body runs; afterwards, none of them lost a request."""
    visitors = [Visitor(port) for _ in range(count)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in visitors:
            visitor.is_to_stop.set()
    for visitor in visitors:
        visitor.join(30)
        check(not visitor.is_alive(), "a client waits for a response in vain")
        check(not visitor.failure, f"a request is lost: {visitor.failure}")


def wait_for_responses(visitors, when):
    """Until everybody had some more of them."""
    before = [visitor.nr_responses for visitor in visitors]
    wait_for(lambda: all(visitor.failure or visitor.nr_responses > count + 5
                         for visitor, count in zip(visitors, before)), f"responses {when}")
