# SPDX-License-Identifier: MIT
"""The operations that tests/bench/bench measures, one process a sample."""
import os
import subprocess

from case import Case, Figure
from harness import Failure

SLICE_MS = 60         # what a sample may take to measure, besides opening and closing
QUICK_SLICE_MS = 25
LIMIT_S = 60          # in which it must be over, on whatever machine

NOTES = {
    "micro": "nanoseconds an operation, of the processor; where threads meet, on the wall, too",
    "nothing": "what those pay who never use epoll; nanoseconds a call",
}
MODES = {
    "micro": ("epoll-inline", "epoll-strict"),
    "nothing": ("epoll-inline", "passthrough"),
}


def program(build_dir, name="bench"):
    path = os.path.join(build_dir, "tests", "bench", name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is missing; make it with `make tests/bench/{name}'")
    return path


def run(arguments, mode):
    """What it prints in that mode, as words; proof included that it was in that mode."""
    command = [program(mode.build_dir), *arguments]
    try:
        done = subprocess.run(command, env=mode.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)} in the mode {mode.name} is not over "
                      f"after {LIMIT_S} s") from None
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} in the mode {mode.name} ends with "
                      f"{done.returncode}: {done.stderr.strip()}")
    *words, was_preloaded = done.stdout.split()
    if int(was_preloaded) != mode.is_ours:
        raise Failure(f"{' '.join(command)} in the mode {mode.name}: interpoll was "
                      f"{'' if int(was_preloaded) else 'not '}preloaded: {done.stderr.strip()}")
    return words


class Micro(Case):
    """One operation, its time on the processor and on the wall."""
    possible = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "passthrough")
    is_quick = True

    def __init__(self, group, name, clock, slice_ms):
        self.group = group
        self.group_note = NOTES[group]
        self.name = name
        self.modes = MODES[group]
        if "edge" in name:
            # What is written and read between two looks of poll(2) is no edge for it.
            self.possible = tuple(mode for mode in self.possible if mode != "poll-thread")
        self.slice_ms = slice_ms
        self.figures = (Figure("cpu", "ns of the processor", is_in_plot=clock == "cpu"),
                        Figure("wall", "ns on the wall", is_shown=clock == "wall"))

    def measure(self, mode):
        cpu, wall = run(["run", self.name, str(self.slice_ms)], mode)
        return {"cpu": float(cpu), "wall": float(wall)}


def listed(build_dir):
    """(group, name, clock) of every case there is."""
    done = subprocess.run([program(build_dir), "list"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def cases(build_dir, is_quick):
    return [Micro(group, name, clock, QUICK_SLICE_MS if is_quick else SLICE_MS)
            for group, name, clock in listed(build_dir) if group in NOTES]
