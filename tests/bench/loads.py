# SPDX-License-Identifier: MIT
"""Real servers under load, and a real client.

The number to trust is processor time a request: on few processors the client takes
its share of them, and throughput and latency follow the machine's other business.
"""
import csv
import dataclasses
import os
import re
import resource

import harness
import micro
from case import USUAL, Case, Figure
from client import converse, equals
from test_haproxy import start_haproxy
from test_loops import start_asyncio, start_node
from test_memcached import start_memcached
from test_nginx import start_nginx
from test_redis import start_redis

SECONDS = 1
ROUNDS = 7
ASIDE = ("epoll-thread", "poll-thread", "strace")  # for comparison only
ROUNDS_ASIDE = 3
STRACE_TIMES = 5  # so many times fewer requests, where their number is what is given


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a client says of its work."""
    requests: int
    per_second: float
    p50_us: float
    p99_us: float


def cpu_ns(pids):
    """Processor time of all threads of these processes so far."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


def children_cpu_s():
    """Processor time of all children that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Load(Case):
    """A server in the mode that is measured, and a client that drives it."""
    group = "servers"
    group_note = "processor time of the server a request, and what its clients see"
    figures = (Figure("cpu", "us of the server a request"),
               Figure("tracer", "us of strace a request", has_ratio=False, modes=("strace",)),
               Figure("rate", "requests/s", higher_is_better=True),
               Figure("p50", "us, median", is_shown=False),
               Figure("p99", "us, 99th percentile", is_in_plot=False))
    modes = (USUAL, *ASIDE)
    possible = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "epoll-busy",
                "passthrough", "strace")
    rounds = ROUNDS

    def __init__(self, name, start, drive, is_quick=False, warm_ups=0):
        self.name = name
        self.start = start
        self.drive = drive
        self.is_quick = is_quick
        self.warm_ups = warm_ups

    def rounds_in(self, mode):
        return ROUNDS_ASIDE if mode in ASIDE else ROUNDS

    def measure(self, mode):
        with harness.Bench(mode) as place:
            server = self.start(place)
            for _ in range(self.warm_ups):
                self.drive(place, server)
            parents = [] if mode.is_native else [server.process.pid]
            before, parents_before = cpu_ns(server.pids()), cpu_ns(parents)
            asked = self.drive(place, server)
            return {"cpu": (cpu_ns(server.pids()) - before) / asked.requests / 1000,
                    "tracer": (cpu_ns(parents) - parents_before) / asked.requests / 1000,
                    "rate": asked.per_second, "p50": asked.p50_us, "p99": asked.p99_us}


class FewClients(Load):
    """Nearly every request is waited for: asleep, or looking for it."""
    modes = (USUAL, "epoll-busy")

    def __init__(self, name, start, drive, is_on_one_processor=False):
        super().__init__(name + (", one processor" if is_on_one_processor else ""), start, drive)
        self.is_on_one_processor = is_on_one_processor

    def measure(self, mode):
        processors = os.sched_getaffinity(0)
        if self.is_on_one_processor:  # server and client inherit it
            os.sched_setaffinity(0, {min(processors)})
        try:
            return super().measure(mode)
        finally:
            os.sched_setaffinity(0, processors)


class ClientLoad(Case):
    """A client in the mode that is measured, and a server that answers it natively."""
    group = Load.group
    group_note = Load.group_note
    figures = (Figure("cpu", "us of the client a request"),
               Figure("rate", "requests/s", higher_is_better=True),
               Figure("p50", "us, median", is_shown=False),
               Figure("p99", "us, 99th percentile", is_in_plot=False))
    modes = (USUAL,)
    possible = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "passthrough")
    rounds = ROUNDS
    name = "wrk as the client, 50 connections"

    def measure(self, mode):
        with harness.Bench(mode.native()) as place:
            server = start_nginx(place)
            before = children_cpu_s()
            asked = run_wrk(place, mode.wrap(wrk_command(server, "-c", "50")))
            cpu_s = children_cpu_s() - before
            return {"cpu": cpu_s / asked.requests * 1e6, "rate": asked.per_second,
                    "p50": asked.p50_us, "p99": asked.p99_us}


def redis_get(clients, requests, pipeline=1):
    """redis-benchmark's GET; a latency is that of all requests sent at once."""
    def drive(place, server):
        number = requests // STRACE_TIMES if place.mode.name == "strace" else requests
        output = place.run_client([
            harness.find_program("redis-benchmark", "redis-tools"), "-h", "127.0.0.1",
            "-p", str(server.port), "-t", "get", "-n", str(number), "--csv",
            "-c", str(clients), "-P", str(pipeline)])
        row = next(csv.DictReader(line for line in output.splitlines() if line.startswith('"')))
        return Asked(number, float(row["rps"]), float(row["p50_latency_ms"]) * 1000,
                     float(row["p99_latency_ms"]) * 1000)
    return drive


def wrk_command(server, *options):
    return [harness.find_program("wrk", "wrk"), "-t", "1", "-d", f"{SECONDS}s", "--latency",
            *options, f"http://127.0.0.1:{server.port}/small"]


def microseconds(text):
    """wrk's 87.00us, 1.20ms, 1.01s."""
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1000, "s": 1_000_000}[unit]


def run_wrk(place, command):
    output = place.run_client(command)

    def find(pattern):
        return re.search(pattern, output).group(1)

    bad = re.search(r"Socket errors.*|Non-2xx.*", output)
    harness.check(not bad, f"wrk was not served as it should be:\n{output}")
    return Asked(int(find(r"(\d+) requests in")), float(find(r"Requests/sec:\s+([\d.]+)")),
                 microseconds(find(r"\n\s+50%\s+(\S+)")), microseconds(find(r"\n\s+99%\s+(\S+)")))


def wrk(*options):
    return lambda place, server: run_wrk(place, wrk_command(server, *options))


def memcached_get(connections):
    """tests/bench/ask, since memcached comes with no client that tells latencies."""
    key, value = b"key", os.urandom(100)
    stored = b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(value), value)

    def drive(place, server):
        for name, text in (("question", b"get %s\r\n" % key), ("answer", stored)):
            with open(place.path(name), "wb") as file:
                file.write(text)
        converse(server.port, [[(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value),
                                 equals(b"STORED\r\n"))]])
        output = place.run_client([micro.program(place.mode.build_dir, "ask"), str(server.port),
                                   str(connections), str(SECONDS),
                                   place.path("question"), place.path("answer")])
        requests, seconds, p50_us, p99_us = map(float, output.split())
        return Asked(requests, requests / seconds, p50_us, p99_us)
    return drive


def start_haproxy_before_nginx(place):
    """nginx runs natively, and is not measured."""
    return start_haproxy(place, start_nginx(place, mode=place.mode.native()))


def cases():
    few = (("redis GET, 1 client", start_redis, redis_get(1, 15_000)),
           ("redis GET, 4 clients", start_redis, redis_get(4, 30_000)),
           ("nginx, 1 connection", start_nginx, wrk("-c", "1")),
           ("nginx, 4 connections", start_nginx, wrk("-c", "4")))
    return [
        *(FewClients(*how, is_on_one_processor=is_one) for is_one in (False, True) for how in few),
        Load("redis GET, 50 clients", start_redis, redis_get(50, 80_000), is_quick=True),
        Load("redis GET, 500 clients", start_redis, redis_get(500, 80_000)),
        Load("redis GET, 50 clients, -P 16", start_redis, redis_get(50, 400_000, pipeline=16)),
        Load("nginx, 50 connections", start_nginx, wrk("-c", "50")),
        Load("nginx, 1,000 connections", start_nginx, wrk("-c", "1000")),
        Load("nginx, 50, closed each time", start_nginx,
             wrk("-c", "50", "-H", "Connection: close")),
        Load("memcached GET, 4 threads, 50 connections", start_memcached, memcached_get(50)),
        Load("haproxy in front of nginx, 50 connections", start_haproxy_before_nginx,
             wrk("-c", "50")),
        # a request costs five times as much until all is compiled
        Load("node http, 50 connections", start_node, wrk("-c", "50"), warm_ups=2),
        Load("asyncio streams, 50 connections", start_asyncio, wrk("-c", "50")),
        ClientLoad(),
    ]
