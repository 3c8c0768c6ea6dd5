# SPDX-License-Identifier: MIT
"""memcached: libevent, a listener thread that hands connections to four workers by eventfd."""
import os
import signal

from client import converse, equals
from harness import check, find_program, server_test

CONNECTIONS = 50
KEYS = 2000  # a connection's own
BATCH = 5


def start_memcached(bench, *options):
    program = find_program("memcached", "memcached")
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return bench.start("memcached", lambda port: [
        program, "-l", "127.0.0.1", "-p", str(port), "-t", "4", "-m", "256", *user, *options])


def value_of(key):
    return b"[%s]" % key * (1 + sum(key) % 11)


def batches_of(owner):
    for first in range(0, KEYS, BATCH):
        yield [b"key:%d:%d" % (owner, n) for n in range(first, first + BATCH)]


def setting(owner):
    for keys in batches_of(owner):
        yield (b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value_of(key)), value_of(key))
                        for key in keys), equals(b"STORED\r\n" * BATCH))


def value_line(key):
    value = value_of(key)
    return b"VALUE %s 0 %d\r\n%s\r\n" % (key, len(value), value)


def getting(owner):
    for keys in batches_of(owner):
        yield (b"get %s\r\n" % b" ".join(keys),
               equals(b"".join(value_line(key) for key in keys) + b"END\r\n"))


@server_test
def memcached_gives_back_100000_keys_to_50_connections(bench):
    server = start_memcached(bench)
    converse(server.port, [setting(owner) for owner in range(CONNECTIONS)])
    converse(server.port, [getting(owner) for owner in range(CONNECTIONS)])
    stop(server)
    server.expect_events_for(2 * CONNECTIONS * KEYS // BATCH)


@server_test
def memcached_takes_connections_that_come_and_go(bench):
    """Each connection asks once and ends: every one passes from the listener to a worker."""
    server = start_memcached(bench)
    for round_ in range(5):
        key = b"round:%d" % round_
        ask = (b"set %s 0 0 1\r\nx\r\nget %s\r\n" % (key, key),
               equals(b"STORED\r\nVALUE %s 0 1\r\nx\r\nEND\r\n" % key))
        check(converse(server.port, [[ask] for _ in range(800)]) == 800, "connections are missing")
    stop(server)
    server.expect_events(at_least=5 * 800)


def stop(server):
    server.send_signal(signal.SIGTERM)
    server.expect_exit(0)
