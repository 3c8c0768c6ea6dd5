# SPDX-License-Identifier: MIT
"""nginx: a master, two workers by fork, everything edge-triggered but the listener."""
import os
import re
import signal
import socket
import threading

from client import converse
from harness import (Failure, check, check_equal, children_of, find_program,
                     need_descriptors, server_test, wait_for)

VERIFY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "verify.lua")
WORKERS = 2
BODIES = {"empty": b"", "small": os.urandom(1024), "large": os.urandom(1 << 20)}

CONFIG = """
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
{user}
events {{
    worker_connections 9000;
    {events}
}}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    keepalive_timeout 600;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} {listen};
        root {directory}/html;
    }}
}}
"""


def start_nginx(bench, events="", listen=""):
    program = find_program("nginx", "nginx-light")
    os.mkdir(bench.path("html"))
    for name, body in BODIES.items():
        with open(bench.path(f"html/{name}"), "wb") as file:
            file.write(body)

    def make_argv(port):
        with open(bench.path("nginx.conf"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(workers=WORKERS, directory=bench.directory, port=port,
                                     user="user root;" if os.geteuid() == 0 else "",
                                     events=events, listen=listen))
        return [program, "-c", bench.path("nginx.conf"), "-e", bench.path("error.log")]

    server = bench.start("nginx", make_argv)
    wait_for(lambda: len(children_of(server.pid)) == WORKERS, "the start of the workers")
    return server


def quit_gracefully(bench, server):
    """QUIT ends it with 0, and nothing went wrong inside that clients did not notice."""
    server.send_signal(signal.SIGQUIT)
    server.expect_exit(0)
    with open(bench.path("error.log"), encoding="utf-8", errors="replace") as file:
        bad = [line for line in file if re.search(r"\[(alert|crit|emerg|error)\]", line)]
    check(not bad, "nginx's error log:\n" + "".join(bad[:10]))


def get(name, *headers):
    lines = [f"GET /{name} HTTP/1.1", "Host: test", *headers]
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


def visiting_once(name):
    yield get(name, "Connection: close"), responds(BODIES[name], then_closes=True)


def run_wrk(bench, server, connections, *headers):
    """wrk for two seconds, every body verified; returns the number of responses."""
    words = [word for header in headers for word in ("-H", header)]
    said = bench.run_client([find_program("wrk", "wrk"), "-t", "2", "-c", str(connections),
                             "-d", "2s", "--timeout", "10s", *words,
                             "-s", VERIFY, f"http://127.0.0.1:{server.port}/small",
                             "--", bench.path("html/small")])
    check("Socket errors" not in said and "Non-2xx" not in said, said)
    requests, different = map(int, re.search(r"verified: (\d+) equal, (\d+) different",
                                             said).groups())
    check(not different, said)
    check(requests >= connections, f"{requests} requests only\n{said}")
    return requests


def serve_wrk(bench, connections, *headers, events="", listen=""):
    server = start_nginx(bench, events, listen)
    requests = run_wrk(bench, server, connections, *headers)
    quit_gracefully(bench, server)
    server.expect_events(at_least=requests // 2, at_most=4 * requests + 10_000)


@server_test
def nginx_serves_wrk_with_50_connections_kept_alive(bench):
    serve_wrk(bench, 50)


@server_test
def nginx_serves_wrk_with_1000_connections_kept_alive(bench):
    serve_wrk(bench, 1000)


@server_test
def nginx_serves_wrk_with_50_connections_closed_after_each_request(bench):
    serve_wrk(bench, 50, "Connection: close")


@server_test
def nginx_serves_wrk_with_1000_connections_closed_after_each_request(bench):
    serve_wrk(bench, 1000, "Connection: close")


@server_test
def nginx_serves_wrk_with_accept_mutex_on(bench):
    serve_wrk(bench, 50, "Connection: close", events="accept_mutex on;")


@server_test
def nginx_serves_wrk_with_multi_accept_on(bench):
    serve_wrk(bench, 50, "Connection: close", events="multi_accept on;")


@server_test
def nginx_serves_wrk_with_one_listener_a_worker(bench):
    serve_wrk(bench, 50, "Connection: close", listen="reuseport")


@server_test
def nginx_sends_every_body_complete_and_equal(bench):
    server = start_nginx(bench)
    names = ["small", "empty", "large", "small", "large", "empty"]
    converse(server.port, [visiting(names[n % 3:] + names[:n % 3]) for n in range(100)])
    converse(server.port, [visiting_once(names[n % 3]) for n in range(900)])
    quit_gracefully(bench, server)
    server.expect_events(at_least=100 * 6 + 900)


@server_test
def nginx_serves_8000_connections_at_once(bench):
    need_descriptors(9200)
    server = start_nginx(bench)
    converse(server.port, [visiting(["small"] * 4) for _ in range(8000)], all_at_once=True)
    quit_gracefully(bench, server)
    server.expect_events_for(8000 * 4)


@server_test
def nginx_replaces_workers_that_are_killed(bench):
    """The events of those that had no time to say goodbye are counted, too."""
    server = start_nginx(bench)
    for _ in range(WORKERS):
        converse(server.port, [visiting(["small"] * 4) for _ in range(200)])
        workers = children_of(server.pid)
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: len(now := children_of(server.pid)) == WORKERS and workers[0] not in now,
                 "the new worker")
    converse(server.port, [visiting(["small"] * 4) for _ in range(200)])
    server.send_signal(signal.SIGQUIT)
    server.expect_exit(0)
    server.expect_events_for((WORKERS + 1) * 200 * 4)


@server_test
def nginx_finishes_a_download_after_quit(bench):
    server = start_nginx(bench)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        client.sendall(get("large") * 8)
        received = bytearray(client.recv(1000))
        server.send_signal(signal.SIGQUIT)
        wait_for(lambda: is_refused(server.port), "the end of listening")
        head, length = response_length(received)
        while len(received) < head + length:
            data = client.recv(65536)
            check(data, f"the download ends after {len(received)} of {head + length} bytes")
            received += data
    check(received[head:head + length] == BODIES["large"], "the file differs")
    server.expect_exit(0)


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
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


@server_test
def nginx_loses_no_request_while_it_reloads(bench):
    server = start_nginx(bench)
    visitors = [Visitor(server.port) for _ in range(16)]
    for visitor in visitors:
        visitor.start()
    try:
        for _ in range(5):
            reload_workers(server, visitors)
    finally:
        for visitor in visitors:
            visitor.is_to_stop.set()
    for visitor in visitors:
        visitor.join(30)
        check(not visitor.is_alive(), "a client waits for a response in vain")
        check(not visitor.failure, f"a request is lost: {visitor.failure}")
    check(sum(visitor.nr_reconnects for visitor in visitors), "the reloads closed no connection")
    quit_gracefully(bench, server)
    server.expect_events(at_least=sum(visitor.nr_responses for visitor in visitors) // 3)


def reload_workers(server, visitors):
    """HUP, and wait until new workers alone are left and everybody had answers of them."""
    old = set(children_of(server.pid))
    server.send_signal(signal.SIGHUP)

    def has_new_workers():
        now = set(children_of(server.pid))
        return len(now) == WORKERS and not now & old

    wait_for(has_new_workers, "the exchange of the workers")
    before = [visitor.nr_responses for visitor in visitors]
    wait_for(lambda: all(visitor.failure or visitor.nr_responses > count + 5
                         for visitor, count in zip(visitors, before)), "responses after a reload")
