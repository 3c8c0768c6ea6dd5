# SPDX-License-Identifier: MIT
"""redis: one thread, level-triggered, timers by the time-out of epoll_wait."""
import csv
import os
import socket
import subprocess

from client import converse, equals
from harness import (check, check_equal, find_program, need_descriptors, server_test,
                     wait_for)

# What redis-benchmark runs when it is not told otherwise, by the first word of each line.
BENCHMARKS = {
    "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD",
    "HSET", "SPOP", "ZADD", "ZPOPMIN", "LRANGE_100", "LRANGE_300", "LRANGE_500", "LRANGE_600",
    "MSET",
}


def start_redis(bench, *options):
    program = find_program("redis-server", "redis-server")
    return bench.start("redis", lambda port: [
        program, "--port", str(port), "--bind", "127.0.0.1", "--dir", bench.directory,
        "--save", "", *options])


def ask(server, *words):
    """One command on a connection of its own; the raw answer without its framing."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(command(*words))
        with connection.makefile("rb") as file:
            head = file.readline().rstrip()
            return file.read(int(head[1:])).decode() if head[:1] == b"$" else head.decode()


def info(server, field):
    """One field of INFO, as text."""
    for line in ask(server, "INFO").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value
    raise KeyError(field)


def shut_down(server):
    """SHUTDOWN is answered by the end of the connection, and of the process with 0."""
    check_equal(ask(server, "SHUTDOWN", "NOSAVE"), "", "the answer to SHUTDOWN")
    server.expect_exit(0)


def command(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                              for word in words)


def bulk(value):
    return b"$%d\r\n%s\r\n" % (len(value), value)


def value_of(key):
    """A value nobody else has; its length varies, and it contains what frames the protocol."""
    text = b"%s\r\n$-1\r\n" % key.encode()
    return text * (1 + sum(key.encode()) % 19)


def run_benchmark(bench, clients, requests, pipeline):
    """redis-benchmark's whole default list; every command is counted by redis too."""
    server = start_redis(bench)
    said = bench.run_client([find_program("redis-benchmark", "redis-tools"),
                             "-p", str(server.port), "-c", str(clients), "-n", str(requests),
                             "-P", str(pipeline), "--csv"])
    rows = list(csv.DictReader(line for line in said.splitlines() if line.startswith('"')))
    ran = {row["test"].split()[0] for row in rows if float(row["rps"]) > 0}
    check_equal(sorted(BENCHMARKS - ran), [], "benchmarks that did not run")
    commands = int(info(server, "total_commands_processed"))
    check(commands >= len(rows) * requests, f"redis counts {commands} commands only")
    shut_down(server)
    server.expect_events(at_least=commands // pipeline,
                         at_most=3 * commands // pipeline + 20_000)


@server_test
def redis_serves_the_whole_benchmark_list_to_50_clients(bench):
    run_benchmark(bench, clients=50, requests=8000, pipeline=1)


@server_test
def redis_serves_the_whole_benchmark_list_to_500_clients(bench):
    run_benchmark(bench, clients=500, requests=4000, pipeline=1)


@server_test
def redis_serves_the_whole_benchmark_list_to_50_pipelining_clients(bench):
    run_benchmark(bench, clients=50, requests=16000, pipeline=16)


@server_test
def redis_serves_the_whole_benchmark_list_to_500_pipelining_clients(bench):
    run_benchmark(bench, clients=500, requests=16000, pipeline=16)


def writing(prefix, batches, per_batch):
    for batch in range(batches):
        keys = [f"{prefix}:{batch}:{i}" for i in range(per_batch)]
        yield (b"".join(command("SET", key, value_of(key)) for key in keys),
               equals(b"+OK\r\n" * per_batch))


def reading(prefix, batches, per_batch):
    for batch in range(batches):
        keys = [f"{prefix}:{batch}:{i}" for i in range(per_batch)]
        yield (b"".join(command("GET", key) for key in keys),
               equals(b"".join(bulk(value_of(key)) for key in keys)))


@server_test
def redis_gives_back_what_200_connections_wrote(bench):
    server = start_redis(bench)
    shape = {"batches": 20, "per_batch": 10}
    converse(server.port, [writing(f"k{n}", **shape) for n in range(200)])
    converse(server.port, [reading(f"k{n}", **shape) for n in range(200)])
    check_equal(ask(server, "DBSIZE"), ":40000", "the number of keys")
    shut_down(server)
    server.expect_events_for(2 * 200 * 20)


@server_test
def redis_gives_back_large_values_that_fill_every_buffer(bench):
    """Megabytes each way: partial reads and writes, EPOLLOUT switched on and off."""
    server = start_redis(bench)
    values = [bytes([65 + n]) + os.urandom(3_000_000) for n in range(20)]
    converse(server.port, [[(command("SET", f"big{n}", value), equals(b"+OK\r\n")),
                            (command("GET", f"big{n}") * 3, equals(bulk(value) * 3))]
                           for n, value in enumerate(values)])
    shut_down(server)
    server.expect_events(at_least=20 * 3)


@server_test
def redis_saves_in_a_forked_child_while_it_serves(bench):
    server = start_redis(bench)
    shape = {"batches": 10, "per_batch": 10}
    converse(server.port, [writing(f"k{n}", **shape) for n in range(100)])
    load = subprocess.Popen([find_program("redis-benchmark", "redis-tools"), "-p",
                             str(server.port), "-t", "set,get", "-n", "10000000", "-r", "1000"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(3):
            check(ask(server, "BGSAVE").startswith("+Background saving"), "BGSAVE is refused")
            wait_for(lambda: info(server, "rdb_bgsave_in_progress") == "0", "the end of BGSAVE")
            check_equal(info(server, "rdb_last_bgsave_status"), "ok", "BGSAVE")
        check_equal(load.poll(), None, "the load while it is needed: its exit status")
    finally:
        load.kill()
        load.wait()
    converse(server.port, [reading(f"k{n}", **shape) for n in range(100)])
    shut_down(server)
    server.expect_events(at_least=2 * 100 * 10)
    said = bench.run_client([find_program("redis-check-rdb", "redis-tools"),
                             bench.path("dump.rdb")])
    check("RDB looks OK" in said, said)


@server_test
def redis_serves_8000_connections_at_once(bench):
    need_descriptors(8500)
    server = start_redis(bench, "--maxclients", "8200")
    converse(server.port, [crowded(n) for n in range(8000)], all_at_once=True)
    check_equal(ask(server, "DBSIZE"), ":8000", "the number of keys")
    check(int(info(server, "total_connections_received")) >= 8000, "connections are missing")
    shut_down(server)
    server.expect_events_for(8000 * 4)


def crowded(n):
    yield command("SET", f"n{n}", n), equals(b"+OK\r\n")
    yield command("INCR", f"n{n}"), equals(b":%d\r\n" % (n + 1))
    yield command("GET", f"n{n}"), equals(bulk(b"%d" % (n + 1)))
    yield command("PING"), equals(b"+PONG\r\n")
