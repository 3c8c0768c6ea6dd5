# SPDX-License-Identifier: MIT
"""Never a silent no-op: what cannot be preloaded or was not meant is refused, by name."""
import os
import shutil
import subprocess
import sys

from stage import COMMAND, LIBRARY, Skip, check, check_equal, say, test

OWN, CANNOT_RUN, NOT_FOUND = 125, 126, 127
EM_AARCH64, EM_386 = 183, 3


@test
def no_command_is_refused(stage):
    stage.expect_refusal(OWN, ["no command"])
    stage.expect_refusal(OWN, ["no command"], "run", "--strict", "--")


@test
def an_unknown_option_is_refused_by_name(stage):
    stage.expect_refusal(OWN, ["--sauce"], "--sauce=epoll", "--", "true")
    stage.expect_refusal(OWN, ["-x"], "run", "-x", "--", "true")


@test
def a_missing_value_is_refused_by_option(stage):
    stage.expect_refusal(OWN, ["--source", "value"], "--source")
    stage.expect_refusal(OWN, ["--busy-poll", "value"], "--busy-poll")
    stage.expect_refusal(OWN, ["--check", "value"], "--check")


@test
def a_bad_value_is_refused_with_option_value_and_what_is_allowed(stage):
    for option, value, allowed in (("--source", "magic", "epoll, poll"),
                                   ("--driver", "magic", "inline, thread"),
                                   ("--strict", "maybe", "0, 1"),
                                   ("--passthrough", "2", "0, 1"),
                                   ("--no-io-uring", "yes", "0, 1"),
                                   ("--selfcheck", "on", "0, 1"),
                                   ("--busy-poll", "1s", "off, auto, or a time")):
        stage.expect_refusal(OWN, [option, f"'{value}'", allowed], f"{option}={value}", "--", "true")


@test
def a_bad_variable_is_refused_with_variable_value_and_what_is_allowed(stage):
    for variable, value, allowed in (("INTERPOLL_SOURCE", "magic", "epoll, poll"),
                                     ("INTERPOLL_DRIVER", "magic", "inline, thread"),
                                     ("INTERPOLL_STRICT", "maybe", "0, 1"),
                                     ("INTERPOLL_PASSTHROUGH", "2", "0, 1"),
                                     ("INTERPOLL_NO_IO_URING", "yes", "0, 1"),
                                     ("INTERPOLL_SELFCHECK", "on", "0, 1"),
                                     ("INTERPOLL_BUSY_POLL", "1s", "off, auto, or a time")):
        stage.expect_refusal(OWN, [variable, f"'{value}'", allowed], "true", env={variable: value})


@test
def an_option_overrides_a_bad_variable(stage):
    result = stage.run("--source=poll", "--", "sh", "-c", "echo $INTERPOLL_SOURCE",
                       env={"INTERPOLL_SOURCE": "magic"})
    stage.expect_quiet(result)
    check_equal(result.stdout, "poll\n", "what the program is given")


@test
def combinations_that_do_not_exist_are_refused(stage):
    stage.expect_refusal(OWN, ["poll", "strict"], "--source=poll", "--strict", "true")
    stage.expect_refusal(OWN, ["poll", "inline"], "--source=poll", "--driver=inline", "true")
    stage.expect_refusal(OWN, ["thread", "strict"], "--driver=thread", "--strict", "true")
    stage.expect_refusal(OWN, ["thread", "busily"], "--driver=thread", "--busy-poll=auto", "true")
    stage.expect_refusal(OWN, ["poll", "busily"], "--source=poll", "--busy-poll=1ms", "true")


@test
def a_missing_program_is_127(stage):
    stage.expect_refusal(NOT_FOUND, ["no-such-program"], "no-such-program")
    stage.expect_refusal(NOT_FOUND, ["/no/such/program"], "--", "/no/such/program")
    stage.expect_refusal(NOT_FOUND, ["''"], "--", "")


@test
def a_file_that_is_not_executable_is_126(stage):
    path = stage.write("data", "text\n")
    stage.expect_refusal(CANNOT_RUN, [path], path)
    stage.expect_refusal(CANNOT_RUN, [stage.directory], stage.directory)
    stage.expect_refusal(CANNOT_RUN, ["data"], "data", env={"PATH": stage.directory})


@test
def path_is_searched_past_files_that_are_not_executable(stage):
    for name in ("first", "second"):
        os.mkdir(stage.path(name))
    stage.write("first/tool", "text\n")
    stage.write("second/tool", "#!/bin/sh\necho second $0\n", 0o755)
    path = f"{stage.path('first')}:{stage.path('second')}"
    result = stage.run("tool", env={"PATH": path})
    stage.expect_quiet(result)
    check_equal(result.stdout, f"second {stage.path('second', 'tool')}\n", "what ran")


@test
def a_statically_linked_program_is_refused(stage):
    static = stage.programs.static()
    stage.expect_refusal(OWN, [f"'{static}'", "statically linked"], static)
    pie = stage.programs.make("static-pie", "int main(void) { return 0; }", "-static-pie", "-fPIE")
    stage.expect_refusal(OWN, [f"'{pie}'", "statically linked"], pie)


def patch_header(path, machine=None, elf_class=None):
    with open(path, "r+b") as file:
        if elf_class:
            file.seek(4)
            file.write(bytes([elf_class]))
        if machine:
            file.seek(18)
            file.write(machine.to_bytes(2, sys.byteorder))


@test
def a_program_for_another_machine_or_class_is_refused(stage):
    other = EM_386 if os.uname().machine == "aarch64" else EM_AARCH64
    path = stage.copy(stage.programs.plain(), "foreign")
    patch_header(path, machine=other)
    stage.expect_refusal(OWN, [path, "another machine", "64-bit"], path)
    # As a compiler for 32-bit x86 begins its files: header and one program header, PT_INTERP.
    header = (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\0\x03\0\x01\0\0\0" + bytes(4)
              + (52).to_bytes(4, "little") + bytes(8) + b"\x34\0\x20\0\x01\0\x28\0\0\0\0\0")
    segment = b"\x03\0\0\0" + (84).to_bytes(4, "little") + bytes(8) \
        + (19).to_bytes(4, "little") * 2 + b"\x04\0\0\0\x01\0\0\0"
    path = stage.write("foreign32", header + segment + b"/lib/ld-linux.so.2\0", 0o755)
    stage.expect_refusal(OWN, [path, "another machine", "32-bit x86"], path)


@test
def a_program_of_another_c_library_is_refused(stage):
    loader = stage.write("ld-musl-x86_64.so.1", "", 0o755)
    program = stage.programs.make(f"other-libc-{os.path.basename(stage.directory)}",
                                  "int main(void) { return 0; }",
                                  f"-Wl,--dynamic-linker={loader}")
    stage.expect_refusal(OWN, [program, loader], program)
    os.unlink(loader)
    stage.expect_refusal(NOT_FOUND, [program, loader], program)


@test
def an_object_file_is_no_program(stage):
    path = stage.programs.make("object.o", "int x;", "-c")
    os.chmod(path, 0o755)
    stage.expect_refusal(CANNOT_RUN, [path], path)


NOBODY = 65534


@test
def setuid_and_setgid_programs_are_refused(stage):
    if os.geteuid() != 0:
        su = shutil.which("su")
        check(su and os.stat(su).st_mode & 0o4000, "su is the setuid program of this test")
        stage.expect_refusal(OWN, [su, "setuid"], su)
        return
    program = stage.copy(stage.programs.plain(), "gains")
    os.chown(program, NOBODY, NOBODY)
    os.chmod(program, 0o4755)
    stage.expect_refusal(OWN, [program, "setuid"], program)
    os.chmod(program, 0o2755)
    stage.expect_refusal(OWN, [program, "setgid"], program)
    # Nothing is gained: these are preloaded as any other.
    os.chown(program, 0, 0)
    os.chmod(program, 0o6755)
    stage.expect_quiet(stage.run(program))


@test
def a_program_with_file_capabilities_is_refused(stage):
    if os.geteuid() != 0:
        raise Skip("only root can give a file capabilities")
    program = stage.copy(stage.programs.plain(), "capable")
    vfs_cap = (0x02000001).to_bytes(4, "little") + (1 << 13).to_bytes(4, "little") + bytes(12)
    os.setxattr(program, "security.capability", vfs_cap)
    beside(stage)
    stage.expect_refusal(OWN, [program, "capabilities"], program, command=stage.path("interpoll"),
                         user=NOBODY, group=NOBODY, extra_groups=[])
    stage.expect_quiet(stage.run(program))


def beside(stage):
    """The command and the library, moved to where everybody may read them."""
    stage.copy(COMMAND, "interpoll")
    stage.copy(LIBRARY, "libinterpoll.so")


@test
def a_script_is_as_its_interpreter_is(stage):
    static = stage.programs.static()
    script = stage.write("script", f"#!{static} -x\n", 0o755)
    stage.expect_refusal(OWN, [f"'{script}'", f"'{static}'", "statically"], script)
    second = stage.write("second", f"#!{script}\n", 0o755)
    stage.expect_refusal(OWN, [f"'{second}'", f"'{static}'", "statically"], second)


@test
def env_in_a_script_is_followed_through_path(stage):
    static = stage.programs.static()
    path = f"{os.path.dirname(static)}:{os.environ['PATH']}"
    for line in ("static-true", "-S static-true -u", "-S A=b static-true",
                 "-S -u HOME static-true"):
        script = stage.write("script", f"#!/usr/bin/env {line}\n", 0o755)
        stage.expect_refusal(OWN, [f"'{script}'", f"'{static}'"], script, env={"PATH": path})
    script = stage.write("script", "#!/usr/bin/env -S -i sh\n", 0o755)
    stage.expect_refusal(OWN, [f"'{script}'", "empty environment"], script)
    script = stage.write("script", "#!/usr/bin/env no-such-shell\n", 0o755)
    stage.expect_refusal(NOT_FOUND, [f"'{script}'", "no-such-shell"], script)
    script = stage.write("script", "#!/usr/bin/env python3\nprint('through env')\n", 0o755)
    result = stage.run(script)
    stage.expect_quiet(result)
    check_equal(result.stdout, "through env\n", "what the script says")


@test
def a_script_without_interpreter_is_127_and_without_first_line_the_shells(stage):
    script = stage.write("script", "#!/no/such/shell\n", 0o755)
    stage.expect_refusal(NOT_FOUND, [script, "/no/such/shell"], script)
    script = stage.write("script", "#!\n", 0o755)
    stage.expect_refusal(CANNOT_RUN, [script], script)
    script = stage.write("script", "echo the shell has $1\n", 0o755)
    result = stage.run(script, "me")
    stage.expect_quiet(result)
    check_equal(result.stdout, "the shell has me\n", "what the script says")


@test
def interpreters_of_interpreters_end_as_in_the_kernel(stage):
    """The oracle says how many are too many: native and refused go together."""
    path = stage.write("script0", "#!/bin/true\n", 0o755)
    for depth in range(1, 8):
        try:
            native = subprocess.run([path], check=False).returncode
        except OSError:
            native = CANNOT_RUN
        result = stage.run(path)
        check_equal(result.returncode, native, say(f"{depth} interpreters", result))
        path = stage.write(f"script{depth}", f"#!{path}\n", 0o755)


@test
def a_missing_library_is_refused_with_where_it_was_looked_for(stage):
    stage.copy(COMMAND, "interpoll")
    result = stage.run("sh", "-c", "echo $LD_PRELOAD", command=stage.path("interpoll"))
    if result.returncode == 0:  # interpoll is installed on this machine
        found = result.stdout.strip()
        check(os.path.isabs(found) and not found.startswith(stage.directory), say("found", result))
        return
    stage.expect_refusal(OWN, ["libinterpoll.so", "missing"], "true",
                         command=stage.path("interpoll"))


@test
def a_library_whose_path_cannot_be_told_is_refused(stage):
    for name in ("a b", "a:b", "a$b"):
        os.mkdir(stage.path(name))
        stage.copy(COMMAND, f"{name}/interpoll")
        stage.copy(LIBRARY, f"{name}/libinterpoll.so")
        stage.expect_refusal(OWN, [stage.path(name)], "true",
                             command=stage.path(name, "interpoll"))


@test
def a_library_that_is_none_is_refused(stage):
    stage.copy(COMMAND, "interpoll")
    library = stage.write("libinterpoll.so", "text\n")
    stage.expect_refusal(OWN, [library], "true", command=stage.path("interpoll"))
