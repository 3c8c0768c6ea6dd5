# SPDX-License-Identifier: MIT
"""What the start of a program costs: of one that does nothing, preloaded or launched."""
import os
import time

import micro
from case import Case, Figure
from harness import Failure, find_program

STARTS = 40
QUICK_STARTS = 10


class Start(Case):
    """true(1), from before it is started until it has ended; the launcher's time included."""
    group = "nothing"
    figures = (Figure("cpu", "us of the processor"), Figure("wall", "us on the wall"))
    modes = ("epoll-inline", "passthrough")
    possible = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "passthrough")
    is_quick = True

    group_note = micro.NOTES[group]

    def __init__(self, name, starts, is_launched):
        self.name = name
        self.starts = starts
        self.is_launched = is_launched

    def measure(self, mode):
        argv = [find_program("true", "coreutils")]
        environment = mode.environment()
        if self.is_launched and mode.is_ours:
            argv = mode.wrap(argv)
            environment = mode.native().environment()
        cpu_s = 0.0
        begin = time.monotonic()
        for _ in range(self.starts):
            pid = os.posix_spawn(argv[0], argv, environment)
            _, status, usage = os.wait4(pid, 0)
            if status != 0:
                raise Failure(f"{' '.join(argv)} in the mode {mode.name} ends with {status}")
            cpu_s += usage.ru_utime + usage.ru_stime
        wall_s = time.monotonic() - begin
        return {"cpu": cpu_s / self.starts * 1e6, "wall": wall_s / self.starts * 1e6}


def cases(is_quick):
    starts = QUICK_STARTS if is_quick else STARTS
    return [Start("start of true(1), preloaded", starts, False),
            Start("start of true(1), interpoll run", starts, True)]
