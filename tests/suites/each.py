# SPDX-License-Identifier: MIT
"""Run Python tests and write one line for each to the file $EACH_REPORT.

usage: python3 each.py [--without PATTERN] NAME...      unittest modules, classes, methods
       python3 -m pytest -p each PACKAGE...             this file as a plugin of pytest

The lines are `begin ID', then `ok ID', `not ok ID' or `skip ID', and `# ' lines that
say why.  Each is written by an open, a write and a close of its own: tests close
descriptors, fork and crash, and what was written before must be there after.

Run by the python3 whose tests they are, so nothing of the harness is imported.
"""
import fnmatch
import os
import sys
import unittest

REPORT = os.environ.get('EACH_REPORT')
OWN_PID = os.getpid()


def report(text):
    """Append lines at once; a child that was forked by a test has no say."""
    if os.getpid() != OWN_PID:
        return
    file = os.open(REPORT, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, text.encode(errors='backslashreplace'))
    finally:
        os.close(file)


def tell(word, name, why=''):
    report(f'{word} {name}\n' + ''.join(f'# {line}\n' for line in why.splitlines()))


class EachResult(unittest.TestResult):
    """Tells of every test once, when it ends; a subtest that failed fails its test."""

    def startTest(self, test):
        super().startTest(test)
        self.word, self.why = 'ok', ''
        tell('begin', test.id())

    def note(self, test, word, why):
        if isinstance(test, unittest.suite._ErrorHolder):
            tell(word, test.id(), why)  # the set-up of a class or module, no test
        elif self.word != 'not ok':
            self.word, self.why = word, why

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, 'not ok', self._exc_info_to_string(err, test))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, 'not ok', f'{subtest}\n{self._exc_info_to_string(err, test)}')

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.word != 'not ok':
            self.note(test, 'skip', reason)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, 'not ok', 'succeeds, which was not expected')

    def stopTest(self, test):
        super().stopTest(test)
        tell(self.word, test.id(), self.why)


def remaining(suite, without):
    """The suite, suites in it included, but for tests whose names match a pattern.

    Nobody else may hold the tests: a suite lets go of each that has been run, and
    some collect garbage, which takes the longer the more there is.
    """
    left = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            left.addTest(remaining(test, without))
        elif not any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in without):
            left.addTest(test)
    return left


def main(names):
    without = []
    while names[:1] == ['--without']:
        without.append(names[1])
        names = names[2:]
    try:
        from test import support
        support.use_resources = ['cpu', 'network', 'subprocess']
    except ImportError:
        pass  # not CPython's own tests
    remaining(unittest.defaultTestLoader.loadTestsFromNames(names), without).run(EachResult())
    report('end\n')


def pytest_runtest_logstart(nodeid, location):
    tell('begin', nodeid)


def pytest_runtest_logreport(report):
    """A test is ok if its call was; a set-up or tear-down that fails speaks for it."""
    if report.failed:
        tell('not ok', report.nodeid, str(report.longrepr))
    elif report.skipped:
        tell('skip', report.nodeid, str(report.longrepr))
    elif report.when == 'call':
        tell('ok', report.nodeid)


def pytest_unconfigure(config):
    report('end\n')


if __name__ == '__main__':
    main(sys.argv[1:])
