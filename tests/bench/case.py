# SPDX-License-Identifier: MIT
"""What can be measured: a case, its figures, and the modes it is measured in.

A micro operation, a server under load and the start of a program are all the same
to the runner: a Case, of which measure(mode) gives one sample, numbers by the names
of its figures.  The runner decides when and how often, so that native and the others
take turns, and what becomes of the samples.

    class Case            group, name, figures, modes: data that the runner reads
        measure(mode)     one sample; raises harness.Skip where it cannot be had here
"""
import dataclasses
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "servers"))

import harness  # noqa: E402

# How a program is started in a mode: options of the launcher, or words before it.
MODES = {
    "native": None,
    "epoll-inline": [],  # the defaults, not spelled out
    "epoll-thread": ["--driver=thread"],
    "poll-thread": ["--source=poll", "--driver=thread"],
    "epoll-strict": ["--strict"],
    "epoll-busy": ["--busy-poll=auto"],
    "passthrough": ["--passthrough"],
    "strace": ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null",
               "-e", "trace=epoll_wait,epoll_pwait,epoll_ctl,close"],
}
# How tables call them.
TITLES = {
    "native": "native", "epoll-inline": "default", "epoll-thread": "--driver=thread",
    "poll-thread": "--source=poll", "epoll-strict": "--strict", "passthrough": "--passthrough",
    "epoll-busy": "--busy-poll=auto", "strace": "strace -f",
}
USUAL = "epoll-inline"


class Mode(harness.Mode):
    """A mode as harness.Bench takes it; nothing is counted for a summary here."""

    def __init__(self, name, build_dir):  # pylint: disable=super-init-not-called
        self.name = name
        self.options = MODES[name]
        self.is_native = name == "native"
        self.is_ours = name not in ("native", "strace")
        self.has_thread = name.endswith("thread")
        self.build_dir = build_dir
        self.launcher = os.path.join(build_dir, "interpoll")

    def wrap(self, argv, summary_path=None):
        if self.is_native:
            return argv
        if not self.is_ours:
            return [harness.find_program(self.options[0], self.options[0]),
                    *self.options[1:], "--", *argv]
        return [self.launcher, "run", *self.options, "--", *argv]

    def native(self):
        return Mode("native", self.build_dir)

    def why_not(self):
        """Why nothing can be measured in this mode here; None if it can."""
        if self.is_native or self.is_ours:
            return None
        try:
            argv = self.wrap([harness.find_program("true", "coreutils")])
        except harness.Skip as skip:
            return str(skip)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else None

    def environment(self):
        """For a program that is preloaded without the launcher."""
        variables = {name: value for name, value in os.environ.items()
                     if not name.startswith("INTERPOLL_") and name != "LD_PRELOAD"}
        if self.is_ours:
            variables["LD_PRELOAD"] = os.path.join(self.build_dir, ".libs", "libinterpoll.so")
            variables["INTERPOLL_SELFCHECK"] = "0"  # debug builds do, at a price beyond measure
            for option in self.options:
                name, _, value = option.removeprefix("--").partition("=")
                variables["INTERPOLL_" + name.upper()] = value or "1"
        return variables


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number that a sample has, by this name."""
    name: str
    unit: str
    higher_is_better: bool = False
    is_shown: bool = True     # in tables and plots; JSON has all
    has_ratio: bool = True    # to native's of the same round
    is_in_plot: bool = True   # if it is shown and has a ratio
    is_told: bool = True      # in README.md, if it is shown
    modes: tuple = ()         # of these modes only, unless it is empty

    @property
    def is_plotted(self):
        return self.is_shown and self.has_ratio and self.is_in_plot


class Case:
    """Something that can be measured.  Subclasses set these, and say how."""
    group = ""
    group_note = ""             # what is measured, for the head of its table
    name = ""
    figures = ()
    modes = (USUAL,)            # besides native, when nobody asks for others
    possible = tuple(MODES)     # when somebody does
    rounds = 1000               # more than so many are too long
    is_quick = False            # part of `make bench-quick'

    def measure(self, mode):
        """One sample in that mode: {figure name: number}."""
        raise NotImplementedError

    def rounds_in(self, _mode):
        """More than so many are too long in that mode; those of native are never fewer."""
        return self.rounds

    def judge(self, figure, native, ours):
        """What is to be reached in words, and whether it is: (at least, aim, verdict); None
        where targets.py says it in numbers."""

    def slug(self):
        """The name as a word, for command lines."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
