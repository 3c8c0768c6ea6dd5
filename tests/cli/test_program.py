# SPDX-License-Identifier: MIT
"""The program under interpoll is as it would be without: environment, signals, status."""
import os
import pty
import re
import shutil
import signal
import subprocess
import sys

from stage import COMMAND, LIBRARY, SOURCE_DIR, check, check_equal, say, test

# Says when it is ready, then the name of each signal it gets, until SIGUSR2.
LISTENER = """
import signal, sys
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGUSR2:
        sys.exit(7)
for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "ALRM", "WINCH", "CONT"):
    signal.signal(getattr(signal, "SIG" + name), tell)
signal.signal(signal.SIGRTMIN + 3, lambda number, frame: print("RT", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""


@test
def the_exit_status_is_the_programs(stage):
    for status in (0, 1, 3, 77, 125, 126, 127, 255):
        stage.expect_quiet(stage.run("--", "sh", "-c", f"exit {status}"), status)


@test
def interpoll_dies_by_the_signal_the_program_died_by(stage):
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGPIPE,
                   signal.SIGABRT):
        stage.expect_quiet(stage.run("sh", "-c", f"kill -{int(number)} $$"), -number)


@test
def arguments_and_standard_streams_are_the_programs(stage):
    result = stage.run("run", "--", "sh", "-c", 'printf "%s|" "$0" "$@"; cat; echo err >&2',
                       "--summary", "a  b", "", stdin=None, input="through stdin")
    check_equal(result.stdout, "--summary|a  b||through stdin", "stdout")
    check_equal(result.stderr, "err\n", "stderr")
    stage.expect_no_session()


@test
def argv0_is_what_was_asked_for(stage):
    script = "import sys; print(open('/proc/self/cmdline').read().split(chr(0))[0])"
    stage.expect_quiet(result := stage.run("python3", "-c", script))
    check_equal(result.stdout, "python3\n", "argv[0]")


@test
def options_become_variables(stage):
    result = stage.run("--source=epoll", "--driver", "inline", "--strict", "--no-io-uring=0",
                       "--summary=report", "--", "env", cwd=stage.directory)
    for line in ("INTERPOLL_SOURCE=epoll", "INTERPOLL_DRIVER=inline", "INTERPOLL_STRICT=1",
                 "INTERPOLL_NO_IO_URING=0", f"INTERPOLL_SUMMARY={stage.path('report')}"):
        check(line in result.stdout.splitlines(), say(f"no {line}", result))
    check("INTERPOLL_PASSTHROUGH" not in result.stdout, say("a variable nobody asked for", result))


@test
def an_existing_preload_is_kept_behind_ours_and_works(stage):
    other = stage.programs.make("other.so", """
        #include <unistd.h>
        static __attribute__((constructor)) void begin(void) { (void)!write(1, "other ", 6); }
        """, "-shared", "-fPIC")
    result = stage.run("sh", "-c", "echo $LD_PRELOAD", env={"LD_PRELOAD": other})
    # It says so in the command, which it is preloaded into as well, and in the shell.
    check_equal(result.stdout, f"other other {os.path.realpath(LIBRARY)}:{other}\n", "LD_PRELOAD")
    result = stage.run("sh", "-c", "echo $LD_PRELOAD", env={"LD_PRELOAD": ""})
    check_equal(result.stdout, f"{os.path.realpath(LIBRARY)}\n", "LD_PRELOAD")


@test
def descriptors_and_signal_state_are_inherited_unchanged(stage):
    script = """
import os
print(sorted(os.listdir("/proc/self/fd")))
print([line for line in open("/proc/self/status") if line[:6] in ("SigBlk", "SigIgn")])
"""

    def unusual():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGCHLD])
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    native = subprocess.run([sys.executable, "-c", script], env=stage.environ(),
                            preexec_fn=unusual, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=True)
    check("0000000000010200" in native.stdout, f"blocked natively: {native.stdout}")
    result = stage.run(sys.executable, "-c", script, preexec_fn=unusual)
    stage.expect_quiet(result)
    check_equal(result.stdout, native.stdout, "descriptors and signals")


def expect_line(process, expected):
    check_equal(process.stdout.readline(), expected + "\n", "what the program says")


@test
def signals_are_handed_on(stage):
    with stage.running(sys.executable, "-c", LISTENER) as process:
        expect_line(process, "ready")
        for name in ("HUP", "INT", "QUIT", "USR1", "TERM", "ALRM", "WINCH", "CONT"):
            process.send_signal(getattr(signal, "SIG" + name))
            expect_line(process, "SIG" + name)
        process.send_signal(signal.SIGRTMIN + 3)
        expect_line(process, "RT")
        process.send_signal(signal.SIGUSR2)
        expect_line(process, "SIGUSR2")
        check_equal(process.wait(), 7, "status")


@test
def a_signal_the_program_does_not_survive_ends_both(stage):
    with stage.running("sh", "-c", "echo ready; exec sleep 1000") as process:
        expect_line(process, "ready")
        process.terminate()
        check_equal(process.wait(), -signal.SIGTERM, "status")
    stage.expect_no_session()


# Stays in the group of the terminal and says when that is interrupted.
MEMBER = """
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGINT, lambda number, frame: (print("member", flush=True), os._exit(0)))
    print("watching", flush=True)
    while True:
        signal.pause()
os.setsid()
"""


def read_until(terminal, *words):
    said = b""
    while not all(word in said for word in words):
        said += os.read(terminal, 1024)
    return said


@test
def an_interrupt_from_the_terminal_is_not_handed_on(stage):
    """The terminal itself sends it to its whole group.

    terminal -(^C)-> interpoll, member; the program has left for a session of its own, so
    that whatever it gets was handed on.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(COMMAND, [COMMAND, sys.executable, "-c", MEMBER + LISTENER],
                  stage.environ())
    try:
        read_until(terminal, b"watching", b"ready")
        os.write(terminal, b"\x03")
        said = read_until(terminal, b"member")
        os.kill(pid, signal.SIGUSR2)
        said += read_until(terminal, b"SIGUSR2")
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    check_equal(os.waitstatus_to_exitcode(status), 7, "status")
    check(b"SIGINT" not in said, f"it was handed on: {said!r}")


@test
def a_stop_for_job_control_stops_both_and_both_go_on(stage):
    """A group of its own, whose parent is in the same session: else nothing would stop."""
    argv = [COMMAND, "sh", "-c", "echo $$; read line; exit 9"]
    process = subprocess.Popen(argv, env=stage.environ(), text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, preexec_fn=lambda: os.setpgid(0, 0))
    try:
        child = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGTSTP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        check(os.WIFSTOPPED(status), f"interpoll did not stop but ended with {status}")
        while "T (stopped)" not in open(f"/proc/{child}/status", encoding="utf-8").read():
            os.sched_yield()
        os.killpg(process.pid, signal.SIGCONT)
        process.communicate("line\n", timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    check_equal(process.returncode, 9, "status")


@test
def a_program_that_leaves_a_child_behind_is_not_waited_for(stage):
    with stage.running("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!") as process:
        child = int(process.stdout.readline())
        check_equal(process.wait(timeout=20), 0, "status")
        os.kill(child, signal.SIGKILL)
    stage.expect_no_session()


@test
def a_moved_installation_finds_its_library(stage):
    bindir = os.environ.get("bindir", "/usr/local/bin")  # as configure has it, if nobody says
    libdir = os.environ.get("libdir", "/usr/local/lib")
    bindir, libdir = stage.path("moved") + bindir, stage.path("moved") + libdir
    os.makedirs(bindir)
    os.makedirs(libdir, exist_ok=True)
    shutil.copy(COMMAND, bindir)
    shutil.copy(LIBRARY, libdir)
    result = stage.run("sh", "-c", "echo $LD_PRELOAD", command=os.path.join(bindir, "interpoll"))
    stage.expect_quiet(result)
    check_equal(result.stdout, os.path.join(libdir, "libinterpoll.so") + "\n", "LD_PRELOAD")
    os.symlink(os.path.join(bindir, "interpoll"), stage.path("link"))
    result = stage.run("sh", "-c", "echo $LD_PRELOAD", command=stage.path("link"))
    check_equal(result.stdout, os.path.join(libdir, "libinterpoll.so") + "\n", "through a link")


@test
def help_names_every_option_and_version_the_version(stage):
    result = stage.run("--help")
    options = set(re.findall(r"--[a-z-]+", result.stdout))
    for name in ("source", "driver", "strict", "passthrough", "summary", "no-io-uring",
                 "selfcheck", "busy-poll"):
        check(f"--{name}" in options, say(f"--help does not name --{name}", result))
        variable = "INTERPOLL_" + name.upper().replace("-", "_")
        check(variable in result.stdout, say(f"--help does not name {variable}", result))
    with open(os.path.join(SOURCE_DIR, "man/interpoll.1"), encoding="utf-8") as file:
        manual = file.read()
    for option in options - {"--"}:
        check("Fl -" + option[2:] in manual, f"the manual does not name {option}")
    check(re.fullmatch(r"interpoll \d+\.\d+\.\d+\n", stage.run("run", "--version").stdout),
          "--version does not tell the version")


@test
def text_that_cannot_be_written_is_no_success(stage):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = stage.run("--help", stdout=full)
    check_equal(result.returncode, 125, "status")
    check("stdout" in result.stderr, "nothing is said")
