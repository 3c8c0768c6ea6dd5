# SPDX-License-Identifier: MIT
"""Real servers under load: processor time of the server per request, and throughput."""
import os
import re

import harness
from case import Case, Figure
from test_nginx import start_nginx
from test_redis import start_redis


def cpu_ns(server):
    """Processor time of the server's threads so far, its children's too."""
    total = 0
    for pid in server.pids():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


class Load(Case):
    """A server, and a client that drives it."""
    group = "servers"
    group_note = "processor time of the server a request, and what the client sees"
    figures = (Figure("cpu", "us a request"),
               Figure("rate", "requests/s", higher_is_better=True))
    possible = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "passthrough",
                "strace")

    def __init__(self, name, start, drive, options, is_quick=False):
        self.name = name
        self.start = start
        self.drive = drive
        self.options = options
        self.is_quick = is_quick

    def measure(self, mode):
        with harness.Bench(mode) as place:
            server = self.start(place)
            before = cpu_ns(server)
            requests, per_second = self.drive(place, server, self.options)
            return {"cpu": (cpu_ns(server) - before) / requests / 1000, "rate": per_second}


def redis_get(place, server, options):
    """Requests, and requests per second, of redis-benchmark's GET."""
    requests = 200_000
    output = place.run_client(["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port),
                               "-t", "get", "-n", str(requests), "--csv", *options])
    return requests, float(re.search(r'"GET","([\d.]+)"', output).group(1))


def wrk(place, server, options):
    """The same of wrk."""
    output = place.run_client(["wrk", "-t", "1", "-d", "2s", *options,
                               f"http://127.0.0.1:{server.port}/small"])
    return (int(re.search(r"(\d+) requests in", output).group(1)),
            float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)))


def cases():
    return [
        Load("redis GET, 50 clients", start_redis, redis_get, ["-c", "50"], is_quick=True),
        Load("redis GET, 500 clients", start_redis, redis_get, ["-c", "500"]),
        Load("redis GET, 50 clients, -P 16", start_redis, redis_get, ["-c", "50", "-P", "16"]),
        Load("nginx, 50 connections", start_nginx, wrk, ["-c", "50"]),
        Load("nginx, 1,000 connections", start_nginx, wrk, ["-c", "1000"]),
        Load("nginx, 50, closed each time", start_nginx, wrk,
             ["-c", "50", "-H", "Connection: close"]),
    ]
