# SPDX-License-Identifier: MIT
"""Did the library arrive?  Where it did not, that is said; nothing is said twice."""
import os
import subprocess

from stage import COMMAND, LIBRARY, check, check_equal, say, test

UNHEARD = "libinterpoll.so"


def with_mute_library(stage):
    """The command beside a library that preloads well and never says so."""
    stage.copy(COMMAND, "interpoll")
    stage.copy(stage.programs.make("mute.so", "int mute;", "-shared", "-fPIC"), "libinterpoll.so")
    return stage.path("interpoll")


@test
def a_library_that_was_never_heard_of_is_told_at_the_end(stage):
    result = stage.run("sh", "-c", "exit 4", command=with_mute_library(stage))
    check_equal(result.returncode, 4, say("status", result))
    lines = result.stderr.splitlines()
    check(len(lines) == 1 and UNHEARD in lines[0] and "'sh'" in lines[0], say("sentence", result))
    stage.expect_no_session()


@test
def a_library_that_is_not_heard_of_in_time_is_told_while_the_program_runs(stage):
    with stage.running("cat", command=with_mute_library(stage)) as process:
        line = process.stderr.readline()  # comes by itself, while cat still reads
        check(UNHEARD in line and "'cat'" in line and "5 s" in line, f"sentence: {line!r}")
        check_equal(process.poll(), None, "the program's end")
        process.stdin.close()
        check_equal(process.wait(timeout=20), 0, "status")
        check_equal(process.stderr.read(), "", "said after that")


@test
def a_library_that_arrives_is_no_news(stage):
    for options in ([], ["--strict"], ["--driver=thread"], ["--source=poll"], ["--passthrough"]):
        stage.expect_quiet(stage.run(*options, "--", stage.programs.plain()))


@test
def a_program_that_cannot_be_executed_after_all_is_told_once(stage):
    """Its text is busy: nothing but the attempt itself can tell."""
    program = stage.copy(stage.programs.plain(), "busy")
    with open(program, "r+b"):
        stage.expect_refusal(126, [program], program)


@test
def a_session_file_that_cannot_be_made_is_refused(stage):
    """A limit of file sizes stands for the full disk: an error, not the end by SIGXFSZ."""
    result = stage.run("--fsize=4096", COMMAND, "true", command="prlimit")
    check_equal(result.returncode, 125, say("status", result))
    check("session file" in result.stderr, say("sentence", result))
    stage.expect_no_session()


@test
def preloaded_by_hand_a_bad_variable_is_one_line_and_harms_nobody(stage):
    result = subprocess.run(["sh", "-c", "echo alive"], capture_output=True, text=True, check=False,
                            env=stage.environ(LD_PRELOAD=LIBRARY, INTERPOLL_SOURCE="magic"))
    check_equal((result.returncode, result.stdout), (0, "alive\n"), "status and stdout")
    lines = result.stderr.splitlines()
    check(len(lines) == 1 and "INTERPOLL_SOURCE" in lines[0] and "'magic'" in lines[0]
          and "using epoll" in lines[0], say("sentence", result))


@test
def nested_runs_have_a_session_each(stage):
    result = stage.run("--summary", "--", COMMAND, "--summary", "--", stage.programs.plain())
    check_equal(result.returncode, 0, say("status", result))
    check_equal(result.stderr.count("what the eventpolls did"), 2, say("summaries", result))
    check("never" not in result.stderr, say("handshake", result))
    check_equal(os.listdir(stage.path("tmp")), [], "session files left")
