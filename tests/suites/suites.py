# SPDX-License-Identifier: MIT
"""The suites: where each comes from, how it is run, what its lines mean.

A suite turns what it is told to run into a command, and what that wrote into
outcomes by test.  `few' is what ./runtests has time for, `more' what
--everything adds; `without' names what is left out of the few, and why.
"""
import dataclasses
import fnmatch
import os
import pathlib
import re
import subprocess

import sources

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = '/usr/bin/python3'  # Debian's, whose packages the tests are in
DIST_PACKAGES = '/usr/lib/python3/dist-packages'
MAKE = ['make', '-s', '-j2']


@dataclasses.dataclass
class Test:
    """What became of one test: `ok', `not ok' or `skip', and what it said."""

    word: str
    said: str = ''


@dataclasses.dataclass
class Suite:
    name: str
    limit_s: int
    few: list
    more: list = dataclasses.field(default_factory=list)
    without: list = dataclasses.field(default_factory=list)
    # It takes fixed ports or measures time: no other mode of it at the same moment.
    is_alone: bool = False
    last_line = None  # what it says when it has run all; None: every test is counted anyway

    def prepare(self, build_dir):
        """Make it ready to run; raises sources.Unavailable."""

    def is_complete(self, output, report):
        """Did it come to its end?"""
        return not self.last_line or re.search(self.last_line, output + report, re.MULTILINE)

    def selected(self, is_everything):
        """What to run, and what to leave out."""
        return (self.few + self.more, []) if is_everything else (self.few, self.without)


def clean_environment():
    """Ours without what would be interpoll's, Python's or a preload's."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(('INTERPOLL_', 'PYTHON', 'EVENT_', 'LD_'))}


def need(commands):
    """Commands that succeed if what a suite needs is there; raises sources.Unavailable."""
    for command in commands:
        try:
            done = subprocess.run(command, cwd='/', env=clean_environment(), check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            said = done.stderr.decode(errors='replace').strip().splitlines()
        except OSError as error:
            said, done = [error.strerror], None
        if not done or done.returncode != 0:
            what = ' '.join(command)
            why = (said or ['it failed'])[-1]
            raise sources.Unavailable(f'{what}: {why}; ./runtests installs what is missing')


def each_lines(text):
    """The tests in a report of each.py; a test that only began did not end."""
    tests, last = {}, None
    for line in text.splitlines():
        word, _, name = line.partition(' ')
        if word == 'not':
            word, name = 'not ok', name.removeprefix('ok ')
        if word == 'begin':
            tests[name] = last = Test('not ok', 'it did not end\n')
        elif word in ('ok', 'not ok', 'skip'):
            tests[name] = last = Test(word)
        elif word == '#' and last:
            last.said += name + '\n'
    return tests


class PythonSuite(Suite):
    """Tests of unittest's kind, by each.py; names are what its loader takes."""

    last_line = r'^end$'

    def prepare(self, build_dir):
        need([[PYTHON, '-c', f'import {self.few[0]}']])

    def command(self, names, without, report):
        options = [word for pattern in without for word in ('--without', pattern)]
        return [PYTHON, HERE / 'each.py', *options, *names], {'EACH_REPORT': str(report)}

    def read(self, output, report):
        return each_lines(report)


class PytestSuite(PythonSuite):
    """Tests of pytest's kind; names are files, or pytest's own, below DIST_PACKAGES."""

    def prepare(self, build_dir):
        need([[PYTHON, '-c', f'import {module}'] for module in ('pytest', 'trio', 'trustme')])

    def command(self, names, without, report):
        words = [PYTHON, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-p', 'each',
                 '--rootdir', DIST_PACKAGES, '-m', 'not redistributors_should_skip']
        words += [f'--deselect={name}' for name in without]
        words += [f'{DIST_PACKAGES}/{name}' for name in names]
        return words, {'EACH_REPORT': str(report), 'PYTHONPATH': str(HERE)}


def tap_lines(text, name_of):
    """The tests in lines of TAP; what stands in # comments belongs to the test before."""
    tests, last = {}, None
    for line in text.splitlines():
        found = re.match(r'(ok|not ok) (\d+) - (.*?)( # SKIP.*)?$', line)
        if found:
            word, number, title, skip = found.groups()
            last = tests[name_of(number, title)] = Test('skip' if skip else word)
        elif last and line.startswith('#'):
            last.said += line[2:] + '\n'
    return tests


class LibuvSuite(Suite):
    """libuv's run-tests; every test is a process."""

    def prepare(self, build_dir):
        self.program = sources.built(
            'libuv1', build_dir,
            [['sh', 'autogen.sh'], ['./configure', '-q', '--disable-shared'],
             [*MAKE, 'check', 'TESTS=']], 'test/run-tests')

    def command(self, names, without, report):
        # Files are made in the current directory, some beside fixtures.
        start = ('mkdir test && cp -r "$0" test/ && status=0 && for name; do '
                 '"$program" $name || status=$?; done; exit $status')
        words = ['sh', '-c', start, self.program.parent / 'fixtures', *(names or [''])]
        return words, {'program': str(self.program), 'UV_RUN_AS_ROOT': '1'}

    def read(self, output, report):
        return tap_lines(output, lambda number, title: title)


class IoAsyncSuite(Suite):
    """The claims IO::Async makes about any loop, put to the one made of epoll_pwait.

    One program that counts its claims: a single one cannot be run alone.
    """

    last_line = r'^1\.\.\d+$'
    program = 'use IO::Async::LoopTests; run_tests("IO::Async::Loop::Epoll", @ARGV)'

    def prepare(self, build_dir):
        need([['perl', '-MIO::Async::LoopTests', '-MIO::Async::Loop::Epoll', '-e1']])

    def command(self, names, without, report):
        return ['perl', '-e', self.program, *self.few], {}

    def read(self, output, report):
        return tap_lines(output, lambda number, title: f'{number} {title}')


class LibeventSuite(Suite):
    """libevent's regress; a test's line begins with its name, and says OK at the end."""

    last_line = r'^\d+ tests ok|^\d+/\d+ TESTS FAILED'

    def prepare(self, build_dir):
        self.program = sources.built(
            'libevent', build_dir,
            [['autoreconf', '-fi'],
             ['./configure', '-q', '--disable-shared', '--disable-openssl', '--disable-samples'],
             [*MAKE, 'include/event2/event-config.h'], [*MAKE, 'test/regress']], 'test/regress')

    def command(self, names, without, report):
        return [self.program, *names, *(f':{name}' for name in without)], {}

    def read(self, output, report):
        tests = {}
        header = re.compile(r'^(\w+/\w+): (?:\[forking\] )?', re.MULTILINE)
        parts = header.split(output)
        for name, said in zip(parts[1::2], parts[2::2]):
            if 'FAILED]' in said:
                tests[name] = Test('not ok', said)
            elif re.search(r'SKIPPED$|DISABLED$', said, re.MULTILINE):
                tests[name] = Test('skip', said)
            else:
                is_ok = re.search(r'OK$', said, re.MULTILINE)
                tests[name] = Test('ok' if is_ok else 'not ok', said)
        return tests


class NodeSuite(PythonSuite):
    """Programs of node's own test/parallel, by each_node.py; names are patterns of theirs."""

    def prepare(self, build_dir):
        need([['node', '--version']])
        self.tests = sources.built('nodejs', build_dir, [], 'test/parallel')

    def command(self, names, without, report):
        options = [word for pattern in without for word in ('--without', pattern)]
        return ([PYTHON, HERE / 'each_node.py', *options, self.tests, *names],
                {'EACH_REPORT': str(report)})


def modules(package, names):
    return [f'{package}.{name}' for name in names.split()]


def files(package, names):
    return [f'{package}/{name}.py' for name in names.split()]


SUITES = [
    # the longest first: they are started in this order
    LibuvSuite('libuv', limit_s=300, few=[], is_alone=True),
    PythonSuite(
        'asyncio', limit_s=400,
        few=['test.test_asyncio']),
    PythonSuite(
        'twisted', limit_s=300,
        # every test of a reactor is made for each reactor; two of them use epoll
        few=modules('twisted.internet.test',
                    'test_tcp test_unix test_process test_epollreactor test_core test_fdset '
                    'test_threads test_time test_sigchld test_posixbase test_udp'),
        more=modules('twisted.test', 'test_process test_tcp test_internet test_udp test_unix '
                                     'test_stdio test_threads test_protocols'),
        without=[f'*_{reactor}Reactor*' for reactor in
                 ('GI', 'Glib2', 'Gtk2', 'Gtk3', 'PortableGtk', 'PortableGI', 'Poll', 'Select')]),
    NodeSuite(
        'node', limit_s=400, is_alone=True,
        few=[f'test-{what}-*' for what in ('net', 'child-process', 'cluster', 'dgram', 'pipe',
                                           'signal', 'stdio', 'http-server', 'http-client')],
        more=[f'test-{what}-*' for what in ('http', 'http2', 'https', 'tls', 'stream', 'timers',
                                            'process', 'worker', 'fs')]),
    LibeventSuite(
        'libevent', limit_s=300, few=[],
        # five tests that wait fifty seconds in all
        without=['http/cancel_by_host', 'http/cancel_by_host_inactive_server',
                 'http/cancel_by_host_no_ns', 'http/cancel_inactive_server',
                 'http/cancel_by_host_ns_timeout']),
    PythonSuite(
        'cpython', limit_s=300,
        few=modules('test', 'test_epoll test_selectors test_select test_eintr test_asyncore '
                            'test_socketserver'),
        more=modules('test', 'test_poll test_signal test_socket test_threading test_ssl '
                             'test_httplib test_multiprocessing_fork')),
    PythonSuite('subprocess', limit_s=200, few=modules('test', 'test_subprocess')),
    PythonSuite(
        'tornado', limit_s=200,
        few=modules('tornado.test',
                    'ioloop_test asyncio_test iostream_test httpserver_test '
                    'simple_httpclient_test http1connection_test tcpclient_test tcpserver_test '
                    'netutil_test process_test websocket_test gen_test locks_test queues_test'),
        more=modules('tornado.test', 'web_test httpclient_test wsgi_test concurrent_test')),
    IoAsyncSuite('io-async', limit_s=100,
                 few=['io', 'timer', 'signal', 'idle', 'process', 'control']),
    PytestSuite(
        'trio', limit_s=200,
        few=files('trio/_core/tests', 'test_io test_run test_ki test_guest_mode') +
        files('trio/tests',
              'test_socket test_highlevel_socket test_highlevel_open_tcp_listeners '
              'test_highlevel_serve_listeners test_highlevel_open_unix_stream test_subprocess '
              'test_signals test_threads test_unix_pipes test_wait_for_object test_timeouts'),
        more=files('trio/tests', 'test_ssl test_dtls test_file_io test_sync')),
]

# What is known to differ: suite, pattern of names, modes, why.  README.md lists each.
DIFFERENCES = [
    ('tornado', 'tornado.test.process_test.SubprocessTest.test_sigchild_signal',
     ('epoll-thread', 'poll-thread'),
     'a signal that comes after the wait began and before it sleeps does not end it'),
]


def known_difference(suite, mode, name):
    """Why a test may fail in a mode, or None."""
    for of, pattern, modes, why in DIFFERENCES:
        if of == suite.name and mode in modes and fnmatch.fnmatchcase(name, pattern):
            return why
    return None
