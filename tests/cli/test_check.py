# SPDX-License-Identifier: MIT
"""interpoll --check: can it be preloaded, and what would be seen?"""
import os
import shutil

from stage import check, check_equal, say, test

SEES = "interpoll will see its epoll calls"

WAITS = """
#include <sys/epoll.h>
int waits(void) { struct epoll_event e; return epoll_pwait2(epoll_create1(0), &e, 1, 0, 0); }
"""

# epoll_create1(0) by an instruction of its own.
RAW = """
int main(void)
{
#if defined(__x86_64__)
	long ret;
	__asm__ volatile("mov $291, %%eax; xor %%edi, %%edi; syscall"
			 : "=a"(ret) : : "rdi", "rcx", "r11", "memory");
	return ret < 0;
#elif defined(__aarch64__)
	register long x0 __asm__("x0") = 0;
	register long x8 __asm__("x8");
	__asm__ volatile("mov x8, #20; svc #0" : "+r"(x0), "=r"(x8) : : "memory");
	return x0 < 0;
#endif
}
"""


def expect(stage, status, words, program, **kwargs):
    result = stage.run(f"--check={program}", **kwargs)
    check_equal(result.returncode, status, say(f"status of --check={program}", result))
    check_equal(result.stderr, "", f"stderr of --check={program}")
    for word in words:
        check(word in result.stdout, say(f"--check={program} does not say {word!r}", result))
    stage.expect_no_session()
    return result.stdout


@test
def a_program_that_imports_epoll_calls_is_seen(stage):
    program = stage.programs.make("waits", WAITS + "int main(void) { return waits(); }")
    expect(stage, 0, [f"{program}: can be preloaded", f"{program} calls: ", "epoll_create1",
                      "epoll_pwait2", SEES], program)


@test
def a_library_found_by_its_runpath_is_looked_into(stage):
    """program -> libmiddle.so -> libwaits.so, which nobody but the loader can find."""
    leaf = stage.programs.make("libwaits.so", WAITS, "-shared", "-fPIC", "-Wl,-soname,libwaits.so")
    here = os.path.dirname(leaf)
    link = [f"-L{here}", f"-Wl,-rpath,{here}", "-Wl,--no-as-needed"]
    stage.programs.make("libmiddle.so", "int middle;", "-shared", "-fPIC",
                        "-Wl,-soname,libmiddle.so", *link, "-lwaits")
    program = stage.programs.make("linked", "int main(void) { return 0; }", *link, "-lmiddle")
    expect(stage, 0, [f"{leaf} calls: ", SEES], program)
    # Gone, it is missed.
    middle = stage.programs.make("lost", "int main(void) { return 0; }", f"-L{here}",
                                 "-Wl,--no-as-needed", f"-Wl,-rpath-link,{here}", "-lmiddle")
    expect(stage, 1, ["missing", "libmiddle.so"], middle)


@test
def a_program_without_epoll_is_1(stage):
    said = expect(stage, 1, ["can be preloaded", "no epoll calls"], stage.programs.plain())
    check(SEES not in said, said)


@test
def raw_system_calls_are_inferred(stage):
    program = stage.programs.make("raw", RAW)
    expect(stage, 1, [f"{program} makes raw system calls", "inferred", "epoll_create1"], program)
    said = expect(stage, 1, ["no raw epoll system calls"], stage.programs.plain())
    check("makes raw" not in said, said)


@test
def what_running_would_refuse_is_told_with_the_same_status(stage):
    static = stage.programs.static()
    expect(stage, 125, ["cannot be preloaded", f"'{static}'", "statically linked"], static)
    expect(stage, 127, ["no-such-program"], "no-such-program")
    path = stage.write("data", "text")
    expect(stage, 126, [path], path)


@test
def a_script_is_followed_to_what_runs_it(stage):
    script = stage.write("script", "#!/usr/bin/env python3\n", 0o755)
    python = shutil.which("python3")
    status = stage.run(f"--check={python}").returncode
    check(status in (0, 1), f"python3 cannot be preloaded here: {status}")
    expect(stage, status, [f"{script}: can be preloaded", f"run by {python}"], script)
    static = stage.programs.static()
    script = stage.write("static-script", f"#!{static}\n", 0o755)
    expect(stage, 125, [script, static, "statically linked"], script)


@test
def real_servers_are_seen(stage):
    """Those of them that are here; the tests with servers install them all."""
    for name in ("redis-server", "nginx", "memcached"):
        program = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
        if program:
            expect(stage, 0, ["can be preloaded", "epoll_wait", SEES], program)


@test
def a_program_that_is_checked_is_not_run(stage):
    script = stage.write("script", f"#!/bin/sh\ntouch {stage.path('ran')}\n", 0o755)
    stage.run(f"--check={script}")
    check(not os.path.exists(stage.path("ran")), "it was run")
    stage.expect_refusal(125, ["--check", "true"], f"--check={script}", "--", "true")
