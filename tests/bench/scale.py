# SPDX-License-Identifier: MIT
"""The same operations with few watches and with many, and what a million watches take."""
import resource
import statistics

import micro
from case import Case, Figure
from harness import ENOUGH_DESCRIPTORS, Skip

SIZES = (10, 100, 1000, 10_000, 18_000)
QUICK_SIZES = (10, 10_000)
SPARE_DESCRIPTORS = 100   # for what is no watch
ENOUGH_WATCHES = 200_000
FLAT = 0.05               # of what it costs natively with the fewest watches
MODES = ("epoll-inline", "epoll-thread", "poll-thread", "epoll-strict", "passthrough")


def fitting(sizes):
    """Those that the limit of open files allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    return [size for size in sizes if size <= limit - SPARE_DESCRIPTORS]


def name_of(size):
    return f"{size:,} watches"


class Scale(Case):
    """One operation at all sizes, and how much its cost grows from the first to the last."""
    group = "scale"
    group_note = "nanoseconds an operation, of the processor; bytes of memory"
    possible = MODES
    is_quick = True
    rounds = 5

    def __init__(self, name, slice_ms, sizes):
        self.name = name
        self.slice_ms = slice_ms
        self.sizes = sizes
        self.figures = [Figure(name_of(size), name_of(size), is_in_plot=size == sizes[-1],
                               is_told=size in (sizes[0], sizes[-1])) for size in sizes]
        self.figures.append(Figure("growth", "growth", has_ratio=False))
        self.native_ns = []

    def measure(self, mode):
        sample = {}
        for size in self.sizes:
            cpu, _ = micro.run(["run", self.name, str(self.slice_ms), str(size)], mode)
            sample[name_of(size)] = float(cpu)
        first, last = name_of(self.sizes[0]), name_of(self.sizes[-1])
        sample["growth"] = sample[last] - sample[first]
        if mode.is_native:
            self.native_ns.append(sample[first])
        return sample

    def judge(self, figure, native, ours):
        """Growth is compared in nanoseconds: what ever more watches add to one operation."""
        if figure.name != "growth":
            return None
        grown = statistics.median(ours)
        if grown <= FLAT * statistics.median(self.native_ns):
            return "as native", "flat", "aim"
        is_met = grown <= statistics.median(native)
        return "as native", "flat", "met" if is_met else "missed"


class Memory(Case):
    """So many files, watched in so many eventpolls: all at once."""
    group = "scale"
    group_note = Scale.group_note
    possible = MODES
    rounds = 3

    def __init__(self, nr_files, nr_epfds, is_quick=False):
        watches = f"{nr_files * nr_epfds:,} watches"
        self.name = (f"memory, {watches} in {nr_epfds:,} eventpolls" if nr_epfds > 1 else
                     f"memory, {watches} in one eventpoll")
        self.nr_files = nr_files
        self.nr_epfds = nr_epfds
        # The kernel has memory left over from watches of others: of few it tells nothing.
        can_tell = nr_files * nr_epfds >= ENOUGH_WATCHES
        self.figures = (Figure("ours", "bytes a watch, of the process", has_ratio=False),
                        Figure("all", "bytes a watch, with the kernel's", is_shown=can_tell),
                        Figure("add", "ADD"), Figure("mod", "MOD of any"),
                        Figure("wait", "idle wait in any"),
                        Figure("close", "close of a file, per watch of it"))
        self.is_quick = is_quick

    def measure(self, mode):
        with open("/proc/sys/fs/epoll/max_user_watches", encoding="ascii") as file:
            limit = int(file.read())
        if self.nr_files * self.nr_epfds > limit:
            raise Skip(f"only {limit:,} watches are allowed; as root, "
                       f"sysctl fs.epoll.max_user_watches={self.nr_files * self.nr_epfds * 2}")
        if self.nr_files + self.nr_epfds not in fitting([self.nr_files + self.nr_epfds]):
            raise Skip("the limit of open files is too low; raise it with ulimit -Hn as root")
        words = micro.run(["memory", str(self.nr_files), str(self.nr_epfds)], mode)
        return dict(zip(words[::2], map(float, words[1::2])))


def cases(build_dir, is_quick):
    sizes = fitting(QUICK_SIZES if is_quick else SIZES)
    slice_ms = micro.QUICK_SLICE_MS if is_quick else micro.SLICE_MS
    yield from (Scale(name, slice_ms, sizes) for group, name, _ in micro.listed(build_dir)
                if group == "scale")
    yield Memory(18_000, 1)
    yield Memory(1000, 200, is_quick=True)
    yield Memory(1000, 1000)
