# SPDX-License-Identifier: MIT
"""Run programs of node's own tests, and tell of each as each.py does.

usage: python3 each_node.py [--without PATTERN] TESTS PATTERN...

TESTS is node's directory test/parallel, patterns are about the names of programs in
it.  One that ends with status 0 is ok.  Each runs in a session of its own, of which
nothing is left when it has ended, and some run at once: they take no fixed ports.
"""
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from each import report, tell

AT_ONCE = 2 * len(os.sched_getaffinity(0))  # half of the time they wait
LIMIT_S = 60  # most take half a second, the longest ten
SAID_MAX = 4000  # characters of what one said that are told


def chosen(tests, patterns, without):
    """Those programs of a directory that are meant, in order."""
    def matches(name, any_of):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in any_of)

    return sorted(path for path in tests.glob('*.js')
                  if matches(path.stem, patterns) and not matches(path.stem, without))


def run_bounded(program, serial):
    """Returns the exit status, None if it took too long, and what it said."""
    flags = re.search('^// Flags: (.*)$', program.read_text(errors='replace'), re.MULTILINE)
    command = ['node', *(flags.group(1).split() if flags else []), program]
    environment = dict(os.environ, NODE_TEST_DIR=os.getcwd(), TEST_SERIAL_ID=str(serial),
                       TEST_PARALLEL='1')
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, start_new_session=True)
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        output.seek(0)
        return status, output.read().decode(errors='backslashreplace')[-SAID_MAX:]


def run(program, serial):
    tell('begin', program.stem)
    status, said = run_bounded(program, serial)
    if status is None:
        tell('not ok', program.stem, f'{said}\nnot done after {LIMIT_S} s')
    elif status != 0:
        tell('not ok', program.stem, f'{said}\nended with status {status}')
    else:
        tell('skip' if said.startswith('1..0 # Skipped') else 'ok', program.stem, said)


def main(words):
    without = []
    while words[:1] == ['--without']:
        without.append(words[1])
        words = words[2:]
    programs = chosen(pathlib.Path(words[0]), words[1:], without)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(run, programs, range(len(programs))):
            pass
    report('end\n')


if __name__ == '__main__':
    main(sys.argv[1:])
