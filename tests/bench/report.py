# SPDX-License-Identifier: MIT
"""From samples to ratios, and from those to a text table and to JSON."""
import functools
import json
import os
import platform
import re
import statistics
import time

import targets
from case import TITLES


class Result:
    """One figure of one case in one mode, beside native's of the same rounds."""

    def __init__(self, case, figure, mode, native, ours):
        self.case = case
        self.figure = figure
        self.mode = mode
        self.native = native
        self.ours = ours
        self.target = targets.find(case.name, figure.name, mode)
        self.judged = case.judge(figure, native, ours)
        self.ratio = self.low = self.high = None
        if figure.has_ratio:
            ratios = sorted(b / a if figure.higher_is_better else a / b
                            for a, b in zip(native, ours))
            self.ratio = statistics.median(ratios)
            self.low, self.high = ratios[0], ratios[-1]
            if len(ratios) > 2:
                self.low, _, self.high = statistics.quantiles(ratios, n=4, method="inclusive")

    def verdict(self):
        """How it compares with what is to be reached: "", "missed", "met" or "aim"."""
        if self.judged:
            return self.judged[2]
        if not self.target:
            return ""
        if self.figure.has_ratio:
            if self.ratio >= self.target.aim:
                return "aim"
            return "met" if self.ratio >= self.target.at_least else "missed"
        value = statistics.median(self.ours)
        if value <= self.target.aim:
            return "aim"
        return "met" if value <= self.target.at_least else "missed"


def results_of(case, samples):
    """All Results of a case, from {mode: [sample of a round, ...]}."""
    return [Result(case, figure, mode,
                   [sample[figure.name] for sample in samples["native"]],
                   [sample[figure.name] for sample in samples[mode]])
            for figure in case.figures for mode in figure.modes or samples
            if mode != "native" and mode in samples]


def number(value):
    """Three digits that count, and thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio_text(value):
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def goal_of(result):
    """What is promised, and what is aimed at."""
    if result.judged:
        return result.judged[:2]
    return goal_of_target(result.figure, result.target)


def goal_of_target(figure, target):
    if not target:
        return "", ""
    show = ratio_text if figure.has_ratio else number
    return show(target.at_least), show(target.aim)


def cells_of(result):
    """What both the text table and README's show: native, ours, ratio, spread, targets."""
    spread = f"{ratio_text(result.low)} - {ratio_text(result.high)}" if result.ratio else ""
    return [number(statistics.median(result.native)), number(statistics.median(result.ours)),
            ratio_text(result.ratio), spread, *goal_of(result), result.verdict()]


HEAD = ["native", "ours", "ratio", "quartiles", "at least", "aim", ""]
LABEL_WIDTH = 48
WIDTHS = [9, 9, 6, 13, 9, 6, 6]


def print_head(group, note):
    print(f"\n{group}: {note}")
    print(f"{'':{LABEL_WIDTH}} {'mode':15}" + " ".join(
        f"{title:>{width}}" for title, width in zip(HEAD, WIDTHS)), flush=True)


def print_results(case, results):
    """One line a figure and mode; what is the same as above is not said again."""
    shown = [result for result in results if result.figure.is_shown]
    has_many = len({result.figure for result in shown}) > 1
    if has_many:
        print(case.name)
    last = None
    for result in shown:
        label = f"  {result.figure.unit}" if has_many else case.name
        print(f"{'' if label == last else label:{LABEL_WIDTH}} {TITLES[result.mode]:15}" + " ".join(
            f"{cell:>{width}}" for cell, width in zip(cells_of(result), WIDTHS)), flush=True)
        last = label


@functools.cache
def machine():
    """What the numbers were measured on, and how busy it was before."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "kernel": platform.release(),
        "cpu": model.group(1) if model else platform.machine(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def built_with(build_dir):
    """How the compiler was told to make what is measured."""
    with open(os.path.join(build_dir, "Makefile"), encoding="utf-8") as file:
        found = dict(re.findall(r"^(CFLAGS|DEBUG_CPPFLAGS|SANITIZE_CFLAGS) *= *(.*?) *$",
                                file.read(), re.MULTILINE))
    return " ".join(filter(None, found.values()))


def write_json(path, results, rounds):
    """Everything, samples included, for machines."""
    rows = [{
        "group": result.case.group, "case": result.case.name, "figure": result.figure.name,
        "unit": result.figure.unit, "higher_is_better": result.figure.higher_is_better,
        "mode": result.mode, "native": result.native, "ours": result.ours,
        "ratio": result.ratio, "low": result.low, "high": result.high,
        "at_least": result.target and result.target.at_least,
        "aim": result.target and result.target.aim, "goal": goal_of(result),
        "verdict": result.verdict(),
    } for result in results]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": machine(), "rounds": rounds, "results": rows}, file, indent=1)
        file.write("\n")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
