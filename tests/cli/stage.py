# SPDX-License-Identifier: MIT
"""What every test of the command needs: a directory of its own, the command, programs.

A test is a function whose name is a sentence, marked with @test; it gets one argument,
a Stage, and fails by raising Failure.  Programs are compiled once for all tests.
"""
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile

LIMIT_S = 60
TESTS = []

BUILD_DIR = os.path.abspath(os.environ.get("builddir", "."))
COMMAND = os.path.join(BUILD_DIR, "interpoll")
LIBRARY = os.path.join(BUILD_DIR, ".libs", "libinterpoll.so")
SOURCE_DIR = os.path.abspath(os.environ.get("srcdir", os.path.dirname(__file__) + "/../.."))


class Failure(Exception):
    """A claim that does not hold; its text is what a person reads."""


class Skip(Exception):
    """A test that cannot be run here; its text says why."""


def test(function):
    TESTS.append(function)
    return function


def sentence(function):
    return function.__name__.replace("_", " ")


def check(is_true, text):
    if not is_true:
        raise Failure(text)


def check_equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def say(what, result):
    return f"{what}\n  status {result.returncode}\n  stdout {result.stdout!r}\n  stderr {result.stderr!r}"


class Programs:
    """Small programs, compiled when a test first asks for them."""

    def __init__(self, directory):
        self.directory = directory
        self.cc = shlex.split(os.environ.get("CC", "cc"))

    def make(self, name, code, *flags):
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            subprocess.run([*self.cc, "-x", "c", "-O1", "-o", path, "-", *flags],
                           input=code, text=True, check=True, timeout=LIMIT_S)
        return path

    def static(self):
        return self.make("static-true", "int main(void) { return 0; }", "-static")

    def plain(self):
        return self.make("plain-true", "int main(void) { return 0; }")


class Stage:
    """One test's workplace; a context manager."""

    def __init__(self, programs):
        self.programs = programs
        self.directory = None

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="interpoll-cli-")
        os.chmod(self.directory, 0o755)
        os.mkdir(self.path("tmp"))
        os.chmod(self.path("tmp"), 0o1777)
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.directory)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with open(path, "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def copy(self, source, name, mode=0o755):
        shutil.copyfile(source, self.path(name))
        os.chmod(self.path(name), mode)
        return self.path(name)

    def environ(self, **changes):
        """A clean one; a variable that is changed to None is removed."""
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("INTERPOLL_") and name not in ("LD_PRELOAD", "TMPDIR")}
        env["XDG_RUNTIME_DIR"] = self.path("tmp")
        # Sanitized builds are preloaded into programs that are not sanitized.
        env["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0" \
            ":handle_segv=0:handle_sigbus=0"
        env.update(changes)
        return {name: value for name, value in env.items() if value is not None}

    def run(self, *argv, env=None, command=COMMAND, **kwargs):
        """The finished `interpoll ARGV`."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([command, *argv], env=self.environ(**(env or {})), text=True,
                              timeout=LIMIT_S, check=False, **kwargs)

    @contextlib.contextmanager
    def running(self, *argv, env=None, command=COMMAND, **kwargs):
        """A running `interpoll ARGV` with pipes; killed, group and all, if the test fails."""
        process = subprocess.Popen([command, *argv], env=self.environ(**(env or {})), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True, **kwargs)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
            process.wait(timeout=LIMIT_S)

    def expect_refusal(self, status, words, *argv, **kwargs):
        """One sentence, on stderr, with all those words; that status; nothing run or left."""
        result = self.run(*argv, **kwargs)
        check_equal(result.returncode, status, say(f"status of {argv}", result))
        check_equal(result.stdout, "", f"stdout of {argv}")
        lines = result.stderr.splitlines()
        check(len(lines) == 1 and lines[0].startswith("interpoll: "),
              say(f"{argv} was not refused in one sentence", result))
        for word in words:
            check(word in lines[0], say(f"the refusal of {argv} does not name {word!r}", result))
        self.expect_no_session()

    def expect_no_session(self):
        check_equal(os.listdir(self.path("tmp")), [], "session files left")

    def expect_quiet(self, result, status=0):
        """The program's own status, and not a word from interpoll."""
        check_equal(result.returncode, status, say("status", result))
        check("interpoll" not in result.stderr, say("something was said", result))
        self.expect_no_session()
