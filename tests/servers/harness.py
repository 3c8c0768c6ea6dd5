# SPDX-License-Identifier: MIT
"""What every server test needs: modes, servers that come and go, proof.

A test is a function whose name is a sentence, marked with @server_test; it gets
one argument, a Bench, and fails by raising Failure.  The bench starts servers
(natively, or under the launcher in the mode being tested), gives them a
directory of their own and a free port, and ends whatever is left of them, by
process group, when the test is over.

Nothing here hopes that some time is enough: a server is ready when it accepts a
connection, and gone when its process has been reaped.
"""
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

READY_LIMIT_S = 20
STOP_LIMIT_S = 30
TEST_LIMIT_S = 180
ENOUGH_DESCRIPTORS = 20_000

# Options of the launcher, and how the summary's sentence about a process then begins.
MODES = {
    "native": None,
    "epoll-inline": ([], "source epoll, driver inline:"),  # the defaults, not spelled out
    "epoll-thread": (["--driver=thread"], "source epoll, driver thread:"),
    "poll-thread": (["--source=poll", "--driver=thread"], "source poll, driver thread:"),
    "epoll-strict": (["--strict"], "source epoll, driver inline, strict:"),
    "epoll-busy": (["--busy-poll=auto"], "source epoll, driver inline:"),
}

TESTS = []


class Failure(Exception):
    """A claim that does not hold; its text is what a person reads."""


class Skip(Exception):
    """A test that cannot be run here; its text says why and how to mend it."""


def server_test(function):
    """Mark a function as a test; they run in the order of their definition."""
    TESTS.append(function)
    return function


def sentence(function):
    return function.__name__.replace("_", " ")


def check(is_true, text):
    if not is_true:
        raise Failure(text)


def check_equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def find_program(name, package):
    """The path of a program; Debian's daemons are in directories of root's."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise Skip(f"{name} is missing; apt install {package}")
    return path


def allow_many_descriptors():
    """Raise the soft limit of open files, for this process and all it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need_descriptors(wanted):
    """For a test that opens so many."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        raise Skip(f"the limit of open files is {soft}, {wanted} are needed; "
                   "raise it with ulimit -Hn as root")


def free_port():
    """A port nobody listens on now.  Bench.start tries another if it is snatched away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    """Pids of the live children of a process."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


class Server:
    """A running server.  `pid` is the server's own, never the launcher's."""

    def __init__(self, name, mode, argv, port, directory):
        self.name = name
        self.mode = mode
        self.port = port
        self.output_path = os.path.join(directory, f"{name}.out")
        self.summary_path = os.path.join(directory, f"{name}.summary")
        self.argv = mode.wrap(argv, self.summary_path)
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(self.argv, cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output,
                                            start_new_session=True)
        self.pid = None

    def wait_until_ready(self):
        """True once it accepts a connection, False if it ended before."""
        deadline = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                self.pid = self._find_pid()
                return True
            except OSError:
                pass
            if self._wait(0.01) is not None:
                return False
        raise Failure(f"{self.name} accepts no connection after {READY_LIMIT_S} s\n{self.tail()}")

    def _find_pid(self):
        if self.mode.is_native:
            return self.process.pid
        children = children_of(self.process.pid)
        check(len(children) == 1, f"the launcher has the children {children}, not just {self.name}")
        return children[0]

    def _wait(self, timeout_s):
        """The exit status, or None if it still runs after that time."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def pids(self):
        """The server's process and all its descendants."""
        found, fresh = [], [self.pid]
        while fresh:
            found += fresh
            fresh = [child for pid in fresh for child in children_of(pid)]
        return found

    def send_signal(self, number):
        os.kill(self.pid, number)

    def expect_exit(self, status=0):
        """It ends by itself, now, with that status; under the launcher too."""
        got = self._wait(STOP_LIMIT_S)
        check(got is not None, f"{self.name} does not end within {STOP_LIMIT_S} s")
        check(got == status, f"{self.name} exits with {got}, not {status}\n{self.tail()}")

    def kill(self):
        """End what is left of it: our own process group, nothing by name."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def voluntary_switches(self):
        """How often its threads gave up a processor to wait, so far."""
        total = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
                    total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(),
                                           re.MULTILINE).group(1))
        return total

    def tail(self, lines=15):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return "\n".join("    | " + line.rstrip() for line in file.readlines()[-lines:])

    def expect_events(self, at_least, at_most=None):
        """As Mode.expect_events; only after the server has ended."""
        self.mode.expect_events(self.summary_path, at_least, at_most)

    def expect_events_for(self, requests):
        """So many requests, each sent when the one before was answered: an event each."""
        self.expect_events(at_least=requests, at_most=requests * 3 + 2000)


class Summary:
    """The text of `interpoll run --summary=FILE`."""

    def __init__(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                self.text = file.read()
        except FileNotFoundError:
            raise Failure("interpoll left no summary") from None

    def count(self, label):
        """The number on the line of that label, added up over all processes; 0 if absent."""
        numbers = re.findall(rf"^\s*{re.escape(label)}\s\s+([\d,]+)$", self.text, re.MULTILINE)
        return sum(int(number.replace(",", "")) for number in numbers)


class Mode:
    """native, or a way to run a server under interpoll."""

    def __init__(self, name, build_dir):
        self.name = name
        self.is_native = MODES[name] is None
        self.options, self.words = MODES[name] or ([], "")
        self.has_thread = name.endswith("thread")
        self.build_dir = build_dir
        self.launcher = os.path.join(build_dir, "interpoll")

    def wrap(self, argv, summary_path):
        if self.is_native:
            return argv
        return [self.launcher, "run", *self.options, f"--summary={summary_path}", "--", *argv]

    def native(self):
        """To start something beside what is tested."""
        return Mode("native", self.build_dir)

    def expect_events(self, summary_path, at_least, at_most=None):
        """Proof that a program's events went through interpoll's engine in this very mode,
        and not more of them than a correct one delivers.  Natively nothing is to be proven."""
        if self.is_native:
            return
        summary = Summary(summary_path)
        check(self.words in summary.text,
              f"the summary does not speak of {self.words}\n{summary.text}")
        delivered = summary.count("events delivered")
        check(delivered >= at_least,
              f"{delivered} events went through the engine, at least {at_least} must have\n"
              f"{summary.text}")
        check(at_most is None or delivered <= at_most,
              f"{delivered} events were delivered where {at_most} are plenty\n{summary.text}")


class Bench:
    """One test's workplace; a context manager that cleans up after it."""

    def __init__(self, mode):
        self.mode = mode
        self.servers = []
        self.directory = None

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="interpoll-test-")
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, name, make_argv, mode=None):
        """Start a server and wait until it is ready.  make_argv(port) gives its command."""
        for _ in range(5):
            port = free_port()
            server = Server(name, mode or self.mode, make_argv(port), port, self.directory)
            self.servers.append(server)
            if server.wait_until_ready():
                return server
            if "in use" not in server.tail():
                break
        raise Failure(f"{name} ends with {server.process.returncode} at once\n{server.tail()}")

    def path(self, name):
        return os.path.join(self.directory, name)

    def run_client(self, argv, limit_s=120):
        """Run a client program to its end, natively, and return what it printed."""
        name = os.path.basename(argv[0])
        try:
            client = subprocess.run(argv, cwd=self.directory, stdin=subprocess.DEVNULL, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    timeout=limit_s, check=False)
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"{name} does not end within {limit_s} s\n{expired.stdout}") from None
        check(client.returncode == 0, f"{name} exits with {client.returncode}\n{client.stdout}")
        return client.stdout

    def describe(self):
        """The last words of every server, for the reader of a failure."""
        return "".join(f"\n{server.name} said last:\n{server.tail()}" for server in self.servers)


@contextlib.contextmanager
def time_limit(seconds):
    """Turn a hang of the test itself into a failure."""
    def on_alarm(*_):
        raise Failure(f"the test is not over after {seconds} s")
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def wait_for(is_done, what, limit_s=20):
    """Ask again and again, a hundred times a second, until it is so."""
    deadline = time.monotonic() + limit_s
    while not is_done():
        check(time.monotonic() < deadline, f"{what}: still not after {limit_s} s")
        time.sleep(0.01)
