# SPDX-License-Identifier: MIT
"""The ratios as a picture: an SVG that a README can show, light or dark.

One row a figure: a dot at the median, a line from quartile to quartile, a stroke at
what is promised.  Right of the line at 1 interpoll is better than the kernel.
"""
import math
from xml.sax.saxutils import escape

import report

LABEL = 360       # pixels left of the plot
PLOT = 460
RIGHT = 70        # where the numbers stand
ROW = 19
HEAD = 58         # above the first row
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .faint { fill: #6e7781; font-size: 11px }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .one { stroke: #24292f; stroke-width: 1.5 }
  .goal { stroke: #8c959f; stroke-width: 2 }
  .better { fill: #1a7f37; stroke: #1a7f37 }
  .even { fill: #0969da; stroke: #0969da }
  .worse { fill: #bc4c00; stroke: #bc4c00 }
  .spread { stroke-width: 2; stroke-opacity: .5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .faint { fill: #8b949e }
    .grid { stroke: #30363d }
    .one { stroke: #e6edf3 }
    .goal { stroke: #8b949e }
    .better { fill: #3fb950; stroke: #3fb950 }
    .even { fill: #58a6ff; stroke: #58a6ff }
    .worse { fill: #f0883e; stroke: #f0883e }
  }
"""


class Axis:
    """Ratios on a logarithmic scale: twice as fast is as far from 1 as half as fast."""

    def __init__(self, results):
        lows = [result.low for result in results] + [0.5]
        highs = [result.high for result in results] + [2]
        self.first = math.floor(math.log2(min(lows)))
        self.last = math.ceil(math.log2(max(highs)))

    def x(self, ratio):
        share = (math.log2(ratio) - self.first) / (self.last - self.first)
        return LABEL + PLOT * share

    def ticks(self):
        for power in range(self.first, self.last + 1):
            yield 2.0 ** power, f"{2 ** power}" if power >= 0 else f"1/{2 ** -power}"


def line(kind, x1, y1, x2, y2):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def words(kind, x, y, text, anchor="start"):
    return (f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>")


def kind_of(result):
    """By the promise where there is one; a few hundredths are nothing otherwise."""
    if result.ratio > 1.03:
        return "better"
    is_missed = result.verdict() == "missed"
    return "worse" if is_missed or not result.target and result.ratio < 0.93 else "even"


def row_of(result, axis, y):
    kind = kind_of(result)
    label = result.case.name
    if sum(figure.is_plotted for figure in result.case.figures) > 1:
        label += f": {result.figure.name}"
    parts = [words("", LABEL - 12, y + 4, label, "end"),
             line(f"{kind} spread", axis.x(result.low), y, axis.x(result.high), y)]
    if result.target:
        goal = axis.x(result.target.at_least)
        parts.append(line("goal", goal, y - 5, goal, y + 5))
    parts.append(f'<circle class="{kind}" cx="{axis.x(result.ratio):.1f}" cy="{y:.1f}" r="4"/>')
    parts.append(words("", LABEL + PLOT + RIGHT - 8, y + 4, report.ratio_text(result.ratio), "end"))
    return parts


def draw(results, mode):
    """The picture of what was found in that mode, as text."""
    plotted = [result for result in results if result.mode == mode
               and result.figure.is_plotted]
    axis = Axis(plotted)
    body = []
    y = HEAD
    group = None
    for result in plotted:
        if result.case.group != group:
            group = result.case.group
            y += ROW
            body.append(words("group", 8, y - 2, group))
            y += ROW * 0.7
        body += row_of(result, axis, y)
        y += ROW
    grid = []
    for ratio, text in axis.ticks():
        x = axis.x(ratio)
        grid.append(line("one" if ratio == 1 else "grid", x, HEAD - 4, x, y))
        grid.append(words("faint", x, HEAD - 10, text, "middle"))
    width, height = LABEL + PLOT + RIGHT, y + 12
    head = [words("title", 8, 18, "native / interpoll: right of 1, interpoll is better"),
            words("faint", 8, 36, "dot: median; line: quartiles; stroke: what is promised")]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}">',
        f"<style>{STYLE}</style>", *head, *grid, *body, "</svg>\n"])
