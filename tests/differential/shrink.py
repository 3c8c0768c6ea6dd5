# SPDX-License-Identifier: MIT
"""Make a failing program small: fewer lines, then plainer ones.

Every line can be left out of any program, so this is delta debugging without
any knowledge of what lines mean: whatever still fails is kept.
"""

import re

TRIES_MAX = 6000  # of plays; then it is small enough


class Exhausted(Exception):
    pass


class Shrinker:
    def __init__(self, fails):
        self.fails = fails
        self.nr_tries = 0

    def still_fails(self, program):
        self.nr_tries += 1
        if self.nr_tries > TRIES_MAX:
            raise Exhausted
        return self.fails(program)

    def cut_end(self, program):
        """Nothing after the first difference matters: halve the search for it."""
        low, high = 1, len(program)
        while low < high:
            middle = (low + high) // 2
            if self.still_fails(program[:middle]):
                high = middle
            else:
                low = middle + 1
        return program[:high] if self.still_fails(program[:high]) else program

    def drop_lines(self, program):
        """Leave out runs of lines, shorter and shorter ones; the first line is the kind."""
        size = len(program) // 2
        while size >= 1:
            at = 1
            while at < len(program):
                candidate = program[:at] + program[at + size :]
                if self.still_fails(candidate):
                    program = candidate
                else:
                    at += size
            size //= 2
        return program

    def plain_words(self, program):
        """Take words for plainer ones, one at a time."""
        for at in range(1, len(program)):
            for candidate_line in plainer(program[at]):
                candidate = program[:at] + [candidate_line] + program[at + 1 :]
                if self.still_fails(candidate):
                    program = candidate
        return program

    def settle(self, program):
        """All of it, until nothing changes any more."""
        program = self.cut_end(program)
        before = None
        while program != before:
            before = program
            program = self.plain_words(self.drop_lines(program))
        return program


def plainer(line):
    """Lines that say less than @line, each in one word."""
    words = line.split()
    for at, word in enumerate(words[1:], 1):
        bits = word.split('|')
        if len(bits) > 1:
            for bit in bits:
                if bit == 'ONESHOT' and 'ET' in bits:
                    continue  # programs for the poll source have the one with the other only
                rest = '|'.join(b for b in bits if b != bit)
                yield ' '.join(words[:at] + [rest] + words[at + 1 :])
        elif words[0] == 'write' and at == 2 and word != '1':
            yield ' '.join(words[:at] + ['1'] + words[at + 1 :])
        elif word in ('pwait', 'pwait2', 'number') and words[0] == 'wait':
            yield ' '.join(words[:at] + ['wait'] + words[at + 1 :])
        elif word in ('number', 'range', 'stream') and words[0] == 'close':
            yield ' '.join(words[:at] + ['close'] + words[at + 1 :])


def renamed(program):
    """Files by what they are, numbered from 1 in the order they appear."""
    names = {}
    kinds = {'epoll': 'e'}
    for line in program:
        words = line.split()
        for word in words[1:]:
            if re.fullmatch(r'f-?\d+', word) and word not in names:
                letter = kinds.get(words[0], 'f')
                names[word] = f'{letter}{len(names)}'
    return [
        ' '.join(names.get(word, word) if at else word for at, word in enumerate(line.split()))
        for line in program
    ]


def shrink(program, fails):
    """The smallest program found for which fails() still holds; it holds for @program."""
    shrinker = Shrinker(fails)
    best = program

    def remembering(candidate):
        nonlocal best
        failed = fails(candidate)
        if failed and len(candidate) <= len(best):
            best = candidate
        return failed

    shrinker.fails = remembering
    try:
        best = shrinker.settle(program)
        plain = renamed(best)
        if shrinker.still_fails(plain):
            best = plain
    except Exhausted:
        pass
    return best
