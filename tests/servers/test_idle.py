# SPDX-License-Identifier: MIT
"""An idle server stays idle: interpoll has no timer, no polling and no chatter of its own.

Each test starts the server in the mode that is tested and a twin natively, holds
the same open connections to both, and compares how often their threads gave up a
processor in one and the same window of time.  The server's own timers wake both.
"""
import socket
import time

from client import converse
from harness import Bench, check, server_test
from test_haproxy import end_softly, start_haproxy
from test_loops import start_asyncio, start_node, terminate
from test_memcached import setting, start_memcached, stop
from test_nginx import quit_gracefully, start_nginx
from test_redis import shut_down, start_redis, writing
from web import visiting

WINDOW_S = 3
OPEN_CONNECTIONS = 50


def switches_while_idle(servers):
    connections = [socket.create_connection(("127.0.0.1", server.port), 10)
                   for server in servers for _ in range(OPEN_CONNECTIONS)]
    time.sleep(0.5)  # not to synchronise: what accepting them costs is left out of the window
    before = [server.voluntary_switches() for server in servers]
    time.sleep(WINDOW_S)
    switches = [server.voluntary_switches() - count for server, count in zip(servers, before)]
    for connection in connections:
        connection.close()
    return switches


def expect_idle(bench, *kinds):
    """Of each kind, a server and its twin: start(bench) starts it, work(server) warms it up,
    end(bench, server) ends it.  One window is for all."""
    with Bench(bench.mode.native()) as other:
        pairs = [(start(bench), start(other)) for start, _, _ in kinds]
        for pair, (_, work, _) in zip(pairs, kinds):
            for server in pair:
                work(server)
        switches = switches_while_idle([server for pair in pairs for server in pair])
        for (server, _), ours, native in zip(pairs, switches[::2], switches[1::2]):
            # the thread driver has two threads to wake where the others have one
            allowed = native * (3 if bench.mode.has_thread else 1) + 2
            check(ours <= allowed,
                  f"{server.name}: {ours} waits in {WINDOW_S} s, {native} natively")
        for (server, twin), (_, _, end) in zip(pairs, kinds):
            end(bench, server)
            end(other, twin)
            server.expect_events(at_least=1)


def visit(server):
    converse(server.port, [visiting(["small", "large"])])


@server_test
def an_idle_redis_wakes_for_its_own_timers_only(bench):
    expect_idle(bench, (start_redis,
                        lambda server: converse(server.port, [writing("k", 10, 10)]),
                        lambda _, server: shut_down(server)))


@server_test
def an_idle_nginx_sleeps_for_good(bench):
    expect_idle(bench, (start_nginx, visit, quit_gracefully))


@server_test
def an_idle_memcached_wakes_for_its_own_timers_only(bench):
    # its maintainer thread sleeps for as long as it found little to do, so twins differ
    expect_idle(bench, (lambda bench: start_memcached(bench, "-o", "no_lru_maintainer"),
                        lambda server: converse(server.port, [setting(1)]),
                        lambda _, server: stop(server)))


@server_test
def an_idle_node_asyncio_and_haproxy_wake_for_their_own_timers_only(bench):
    def start_haproxy_before_nginx(bench):
        return start_haproxy(bench, start_nginx(bench, mode=bench.mode.native()))

    def end(_, server):
        terminate(server)

    expect_idle(bench, (start_node, visit, end), (start_asyncio, visit, end),
                (start_haproxy_before_nginx, visit, end_softly))
