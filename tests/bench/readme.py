# SPDX-License-Identifier: MIT
"""The numbers in README.md: written there by the run that found them.

One table a group, between two marks; a row is a figure, a column of its own each mode
besides the default has.  What is to be reached stands beside what was.
"""
import os
import re
import statistics

import plot
import report
import targets
from case import HERE, TITLES, USUAL

TOP = os.path.realpath(os.path.join(HERE, os.pardir, os.pardir))
README = os.path.join(TOP, "README.md")
PICTURE = os.path.join(TOP, "doc", "measured.svg")
BEGIN = "<!-- made by tests/bench/run --update-readme -->\n"
END = "<!-- measured up to here -->\n"
COLUMNS = ["native", "interpoll", "ratio", "quartiles", "at least", "aim", ""]
VERDICTS = {"": "", "missed": "missed", "met": "met", "aim": "**reached**"}


def is_told(figure):
    return figure.is_shown and figure.is_told


def label_of(case, figure):
    told = [figure for figure in case.figures if is_told(figure)]
    return f"{case.name}, {figure.unit}" if len(told) > 1 else case.name


def cell_of(result):
    """Of a mode besides the default: its ratio, or its value where there is none."""
    if not result:
        return ""
    return report.ratio_text(result.ratio) or report.number(statistics.median(result.ours))


def row_of(label, by_mode, others):
    """A figure that the default mode has not stands beside it only."""
    *cells, verdict = [""] * len(COLUMNS)
    if USUAL in by_mode:
        *cells, verdict = report.cells_of(by_mode[USUAL])
    return [label, *cells, VERDICTS[verdict],
            *(cell_of(by_mode.get(mode)) for mode in others)]


def table_of(results):
    """The table of one group, as lines."""
    rows = {}
    for result in results:
        if is_told(result.figure):
            rows.setdefault((result.case, result.figure), {})[result.mode] = result
    modes = {result.mode for result in results}
    others = [mode for mode in TITLES if mode in modes and mode != USUAL]
    head = [results[0].case.group, *COLUMNS, *(f"`{TITLES[mode]}`" for mode in others)]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    lines += [row_of(label_of(case, figure), by_mode, others)
              for (case, figure), by_mode in rows.items()]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def text_of(results, rounds):
    """All that stands between the marks."""
    where = report.machine()
    lines = [f"Measured on {where['date']}, Linux {where['kernel']}, {where['cpu']}, "
             f"{where['processors']} processors; load average before: {where['load']}; "
             f"rounds: {rounds}."]
    for group in dict.fromkeys(result.case.group for result in results):
        of_group = [result for result in results if result.case.group == group]
        lines += ["", f"**{group}**: {of_group[0].case.group_note}", "", *table_of(of_group)]
    return "\n".join(lines) + "\n"


def split(text):
    """What stands before, between and after the marks."""
    before, begin, rest = text.partition(BEGIN)
    within, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no place between {BEGIN.strip()} and {END.strip()}; "
                         "put these two lines where the numbers shall stand")
    return before + begin, within, end + after


def update(results, rounds):
    with open(README, encoding="utf-8") as file:
        before, _, after = split(file.read())
    with open(README, "w", encoding="utf-8") as file:
        file.write(before + text_of(results, rounds) + after)
    os.makedirs(os.path.dirname(PICTURE), exist_ok=True)
    with open(PICTURE, "w", encoding="utf-8") as file:
        file.write(plot.draw(results, USUAL))


def find_stale_goals(cases):
    """Rows that promise something else than targets.py does."""
    with open(README, encoding="utf-8") as file:
        _, within, _ = split(file.read())
    for case in cases:
        for figure in case.figures:
            target = targets.find(case.name, figure.name, USUAL)
            row = re.search(rf"^\| {re.escape(label_of(case, figure))} \|.*$", within, re.MULTILINE)
            if not row or not target or not is_told(figure):
                continue
            written = row.group().split(" | ")[5:7]
            wanted = list(report.goal_of_target(figure, target))
            if written != wanted:
                yield (f"README.md promises {written} in the row {row.group()}, targets.py "
                       f"{wanted}; run tests/bench/run --update-readme")
