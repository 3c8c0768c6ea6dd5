# SPDX-License-Identifier: MIT
"""What the summary says is what happened, however the processes ended."""
import os
import re
import select
import signal
import stat
import subprocess
import sys

from stage import COMMAND, LIBRARY, check, check_equal, say, test

# So many rounds on an eventfd: written, waited for, read, and one wait for nothing.
ROUNDS = """
import os, select, signal, sys
def rounds(nr):
    eventfd = os.eventfd(0)
    poll = select.epoll()
    poll.register(eventfd, select.EPOLLIN)
    for _ in range(nr):
        os.eventfd_write(eventfd, 1)
        assert poll.poll(1) == [(eventfd, select.EPOLLIN)]
        os.eventfd_read(eventfd)
    assert poll.poll(0) == []
    return poll, eventfd
"""

MODES = (["--source=epoll"], ["--driver=thread"], ["--source=poll"], ["--strict"])


def count(text, label):
    found = re.findall(rf"^  {re.escape(label)} +([\d,]+)$", text, re.MULTILINE)
    check(len(found) <= 1, f"{label} is there {len(found)} times\n{text}")
    return int(found[0].replace(",", "")) if found else 0


LOOKED = "times a waiter looked for a while before it slept"


def python(script):
    return [sys.executable, "-c", ROUNDS + script]


@test
def the_counts_are_exact_in_every_mode(stage):
    for mode in MODES:
        result = stage.run(*mode, "--summary", "--", *python("rounds(1234)"))
        check_equal(result.returncode, 0, say(f"{mode}", result))
        check_equal(count(result.stderr, "events delivered"), 1234, say(f"{mode}", result))
        check_equal(count(result.stderr, "waits"), 1235, say(f"{mode}", result))
        check_equal(count(result.stderr, "watches added"), 1, say(f"{mode}", result))
        check("1,234 events in 1,235 waits" in result.stderr, say(f"{mode}", result))


@test
def to_look_before_each_sleep_is_counted(stage):
    script = "for _ in range(20): assert poll.poll(0.02) == []"
    result = stage.run("--summary", "--busy-poll=100us", "--",
                       *python(f"poll, _ = rounds(1)\n{script}"))
    check_equal(count(result.stderr, LOOKED), 20, say("what was waited for", result))
    check(count(result.stderr, "nanoseconds spent looking") > 0, say("no time", result))
    check("spared the sleep" not in result.stderr, say("nothing came", result))


@test
def an_idle_program_looks_once_and_sleeps_then(stage):
    """Of what has never come soon after a wait began, nothing is expected."""
    script = "for _ in range(50): assert poll.poll(0.005) == []"
    result = stage.run("--summary", "--busy-poll=auto", "--",
                       *python(f"poll, _ = rounds(1000)\n{script}"))
    check_equal(result.returncode, 0, say("the program", result))
    check(count(result.stderr, LOOKED) <= 1, say("it looks for what does not come", result))


@test
def the_mode_is_named(stage):
    for options, words in ((["--source=epoll"], "source epoll, driver inline:"),
                           (["--driver=thread"], "source epoll, driver thread:"),
                           (["--source=poll"], "source poll, driver thread:"),
                           (["--strict"], "source epoll, driver inline, strict:")):
        result = stage.run("--summary", *options, "--", *python("rounds(1)"))
        check(words in result.stderr, say(words, result))


@test
def children_are_followed(stage):
    script = """
first = os.fork()
if first == 0:
    rounds(20)
    sys.exit(0)
os.waitpid(first, 0)
os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", SCRIPT])
rounds(3)
"""
    script = script.replace("SCRIPT", repr(ROUNDS + "rounds(100)"))
    result = stage.run("--summary", "--", *python(script))
    check_equal(count(result.stderr, "events delivered"), 123, say("all of them", result))
    for words in ("20 events", "100 events", "3 events"):
        check(f"{words} in" in result.stderr, say(f"a process of {words}", result))


@test
def who_is_killed_or_leaves_without_a_word_is_counted(stage):
    for end in ("os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "os.abort()",
                "os.execv('/bin/true', ['true'])"):
        result = stage.run("--summary", "--", *python(f"kept = rounds(50)\n{end}"))
        check_equal(count(result.stderr, "events delivered"), 50, say(end, result))


@test
def a_process_that_still_runs_is_counted_so_far(stage):
    script = """
read, write = os.pipe()
if os.fork() == 0:
    kept = rounds(42)
    os.write(write, b"done")
    os.execv("/bin/cat", ["cat"])
os.read(read, 4)
"""
    with stage.running(f"--summary={stage.path('report')}", *python(script)) as process:
        check_equal(process.wait(timeout=20), 0, "status")
        with open(stage.path("report"), encoding="utf-8") as file:
            report = file.read()
        process.stdin.close()
    check_equal(count(report, "events delivered"), 42, report)


@test
def passed_through_is_said_and_not_counted(stage):
    result = stage.run("--summary", "--passthrough", "--", *python("rounds(5)"))
    check_equal(result.returncode, 0, say("status", result))
    check("1 process passed through to the kernel's epoll, not counted" in result.stderr,
          say("sentence", result))
    check("events delivered" not in result.stderr, say("counts", result))


@test
def a_file_is_made_for_its_owner_and_appended_to(stage):
    report = stage.path("report")
    for _ in range(2):
        result = stage.run(f"--summary={report}", "--", *python("rounds(2)"))
        stage.expect_quiet(result)
    check_equal(stat.S_IMODE(os.stat(report).st_mode), 0o600, "mode")
    with open(report, encoding="utf-8") as file:
        check_equal(file.read().count("what the eventpolls did"), 2, "summaries")


@test
def a_fifo_is_a_file_to_append_to_if_somebody_reads_it(stage):
    os.mkfifo(stage.path("fifo"))
    stage.expect_refusal(125, ["--summary", stage.path("fifo")], f"--summary={stage.path('fifo')}",
                         "true")
    reader = os.open(stage.path("fifo"), os.O_RDONLY | os.O_NONBLOCK)
    stage.expect_quiet(stage.run(f"--summary={stage.path('fifo')}", *python("rounds(6)")))
    text = os.read(reader, 65536).decode()
    os.close(reader)
    check_equal(count(text, "events delivered"), 6, text)


@test
def a_summary_goes_through_no_link_and_into_no_directory_or_device(stage):
    os.symlink(stage.path("target"), stage.path("link"))
    for path in (stage.path("link"), stage.directory, "/dev/null", "/no/such/directory/file"):
        stage.expect_refusal(125, ["--summary", f"'{path}'"], f"--summary={path}", "--", "true")
    check(not os.path.exists(stage.path("target")), "the link was followed")


@test
def a_summary_that_cannot_be_written_is_told_and_changes_no_status(stage):
    """/dev/full is no terminal, so a file size limit stands for the full disk."""
    report = stage.write("report", "x" * 4096)
    session = os.stat(LIBRARY).st_size + (64 << 20)  # the session file itself must fit
    with open(report, "r+b") as file:
        file.truncate(session)
    result = stage.run(f"--fsize={session}", COMMAND, f"--summary={report}", "--",
                       "sh", "-c", "exit 6", command="prlimit")
    check_equal(result.returncode, 6, say("status", result))
    check("--summary" in result.stderr and report in result.stderr, say("sentence", result))


@test
def preloaded_by_hand_each_process_tells_of_itself(stage):
    env = stage.environ(LD_PRELOAD=LIBRARY, INTERPOLL_SUMMARY=stage.path("report"))
    script = "rounds(7)\nif os.fork() == 0:\n    rounds(8)\n    sys.exit(0)\nos.wait()"
    subprocess.run(python(script), env=env, check=True, timeout=60)
    with open(stage.path("report"), encoding="utf-8") as file:
        parts = file.read().split("interpoll: ")[1:]
    delivered = sorted(count(part, "events delivered") for part in parts)
    check_equal(delivered, [7, 8], "events by process")


@test
def preloaded_by_hand_a_broken_pipe_is_not_the_programs_end(stage):
    env = stage.environ(LD_PRELOAD=LIBRARY, INTERPOLL_SUMMARY="-")
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([stage.programs.plain()], env=env, stderr=write, check=False,
                            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
    os.close(write)
    check_equal(result.returncode, 0, "status")


@test
def preloaded_by_hand_a_file_that_is_full_is_told_and_not_the_programs_end(stage):
    report = stage.write("report", "x" * 4096)
    env = stage.environ(LD_PRELOAD=LIBRARY, INTERPOLL_SUMMARY=report)
    result = subprocess.run(["prlimit", "--fsize=4096", stage.programs.plain()], env=env,
                            capture_output=True, text=True, check=False)
    check_equal(result.returncode, 0, say("status", result))
    check(report in result.stderr, say("sentence", result))


@test
def epoll_itself_works_here(stage):
    """The programs of these tests say what they should natively, or nothing above is proof."""
    del stage
    subprocess.run(python("rounds(10)"), check=True, timeout=60)
    check(hasattr(select, "epoll"), "no epoll in this Python")
