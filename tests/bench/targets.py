# SPDX-License-Identifier: MIT
"""What is to be reached: data, compared with every run and printed beside it.

A ratio is native's time to interpoll's, or interpoll's rate to native's: above 1 is
better than the kernel's own epoll.  `at least' is the promise, `aim' what it should be.
The first row that fits a case, figure and mode holds.
"""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Target:
    """At least that ratio; or, of a figure without one, at most that value."""
    at_least: float
    aim: float


DEFAULT = "epoll-inline"
ANY = r".*"
TIME = r"cpu|wall"
CPU = r"cpu"
FLOW = r"rate|p99"

# modes, cases, figures (regular expressions that fit the whole), at least, aim
ROWS = [
    (DEFAULT, r"MOD, one watch", TIME, 12, 25),
    (DEFAULT, r"MOD, random of 10,000", TIME, 20, 50),
    (DEFAULT, r"DEL \+ ADD", TIME, 8, 25),
    (DEFAULT, r"one-shot: wait and re-arm", TIME, 1.4, 2),
    (DEFAULT, r"one-shot: re-arm alone", TIME, 10, 20),
    (DEFAULT, r"wait, 50 level-ready", TIME, 1.4, 1.8),
    (DEFAULT, r"wait, 1 level-ready", TIME, 0.85, 1.0),
    (DEFAULT, r"wait, idle", TIME, 0.9, 1.0),
    (DEFAULT, r"(four waiters|nested).*", TIME, 0.93, 1.0),
    (DEFAULT, r"ping-pong.*", TIME, 0.95, 1.05),
    (DEFAULT, r"(ADD of a new|accept) .*close", TIME, 0.93, 1.0),
    (DEFAULT, r"close, unwatched", TIME, 0.97, 1.0),
    ("epoll-strict", ANY, TIME, 0.93, 1.0),
    ("epoll-busy", r".*, one processor", FLOW, 0.98, 1.0),
    ("epoll-busy", r".* [14] (client|connection)s?", FLOW, 1.5, 2.5),
    (DEFAULT, r"(redis|nginx|memcached).*", CPU, 0.97, 1.03),
    (DEFAULT, r"(redis|nginx|memcached).*", FLOW, 0.97, 1.0),
    (DEFAULT, r"wrk as the client.*", CPU, 1.03, 1.10),
    (DEFAULT, r"memory.*", r"ours", 192, 128),
    (DEFAULT, r"memory.*", r"all", 1 / 1.9, 1 / 1.6),
]


def fits(pattern, text):
    return re.fullmatch(pattern, text) is not None


def find(case, figure, mode):
    """The Target for these names, or None."""
    for modes, cases, figures, at_least, aim in ROWS:
        if fits(modes, mode) and fits(cases, case) and fits(figures, figure):
            return Target(at_least, aim)
    return None
