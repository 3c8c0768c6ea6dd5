# SPDX-License-Identifier: MIT
"""The fidelity table of README.md: made from what a run found, and compared with it.

One row is one program; what it is about is the first sentence of its file.  A cell
counts the claims that hold in the mode and, behind a stroke, those that are known
not to.
"""

import re

MODES = {
    'native': 'kernel',
    'epoll-inline': 'default',
    'epoll-thread': '`--driver=thread`',
    'poll-thread': '`--source=poll`',
    'epoll-strict': '`--strict`',
}
BEGIN = '<!-- made by tests/conformance/run --update-readme -->'
END = '<!-- up to here -->'
MEND = 'run tests/conformance/run --update-readme, and look at what has changed'


class Unusable(Exception):
    """No table can be made; the text is the sentence that says why."""


def title_of(source):
    """The first sentence of the comment at the head of a program."""
    comment = re.search(r'^/\*\n \* [a-z_]+\.c - (.*?)(?:\n \*\n|\n \*/)', source.read_text(), re.S | re.M)
    if not comment:
        raise Unusable(f'{source} does not say at its head what it is about')
    text = ' '.join(line.removeprefix(' * ').strip() for line in comment[1].split('\n'))
    text = re.split(r'\.(?: |$)|;', text, maxsplit=1)[0]
    return text.replace('|', r'\|')


def cell_of(outcome):
    held = outcome.passed - outcome.deviating
    return f'{held} / {outcome.deviating}' if outcome.deviating else f'{held}'


def rows_of(outcomes, sources):
    """Program to its row, the whole under ''; programs not wholly run are left out."""
    by_program = {}
    for outcome in outcomes:
        if outcome.mode in MODES:
            by_program.setdefault(outcome.program, {})[outcome.mode] = outcome
    rows = {}
    sums = {mode: [0, 0] for mode in MODES}
    for program, by_mode in sorted(by_program.items()):
        cells = [cell_of(by_mode[mode]) for mode in MODES]
        if not any(outcome.impossible for outcome in by_mode.values()):
            source = sources / f'{program}.c'
            about = f'[{program}](tests/conformance/{source.name}): {title_of(source)}'
            rows[program] = f'| {about} | {" | ".join(cells)} |'
        for mode, outcome in by_mode.items():
            sums[mode][0] += outcome.passed - outcome.deviating
            sums[mode][1] += outcome.deviating
    if len(rows) == len(by_program):
        cells = [f'{held} / {deviating}' if deviating else f'{held}' for held, deviating in sums.values()]
        rows[''] = f'| all | {" | ".join(cells)} |'
    return rows


def is_whole(outcomes, programs):
    """Was every program run in every mode of the table, and did all claims hold?"""
    wanted = {(program, mode) for program in programs for mode in MODES}
    return wanted <= {(outcome.program, outcome.mode) for outcome in outcomes} and not any(
        outcome.failed for outcome in outcomes
    )


def table_of(outcomes, programs, sources):
    if not is_whole(outcomes, programs):
        raise Unusable('the table is made of a run of all programs in all modes in which no claim fails')
    rows = rows_of(outcomes, sources)
    if '' not in rows:
        raise Unusable('this machine cannot show every claim, so it cannot make the table')
    head = [f'| claims about | {" | ".join(MODES.values())} |', '|---' * (len(MODES) + 1) + '|']
    return '\n'.join(head + [rows[program] for program in [*sorted(filter(None, rows)), '']]) + '\n'


def split(text, readme):
    """What stands before, within and after the markers."""
    before, begin, rest = text.partition(BEGIN + '\n')
    within, end, after = rest.partition(END)
    if not begin or not end:
        raise Unusable(f'{readme} has no table between {BEGIN} and {END}')
    return before + begin, within, end + after


def update(readme, table):
    before, _, after = split(readme.read_text(), readme)
    readme.write_text(before + table + after)


def complaints(readme, outcomes, sources):
    """What the table of @readme says otherwise than a whole run found."""
    _, within, _ = split(readme.read_text(), readme)
    written = set(within.splitlines())
    rows = rows_of(outcomes, sources)
    for program, row in rows.items():
        if row not in written:
            yield f'not ok: README.md has no row {row}'
    if '' in rows:
        for line in written - set(rows.values()):
            if re.match(r'\| (?!claims about )', line):
                yield f'not ok: README.md has a row that no run gives: {line}'
