# SPDX-License-Identifier: MIT
"""Source packages: fetched from Debian's mirror, built once in the build directory.

apt is given lists and a cache of its own there, so that the machine's are not
touched; it checks signatures as ever.
"""
import os
import pathlib
import subprocess

MIRROR = 'http://deb.debian.org/debian'
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'


class Unavailable(Exception):
    """A suite that cannot be run here; its text says why and how to mend it."""


def quietly(log, command, directory):
    """Run a command; if it fails, say so and where to read on."""
    with open(log, 'ab') as out:
        try:
            status = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out, check=False).returncode
        except OSError as error:
            raise Unavailable(
                f'{error.filename}: {error.strerror}; ./runtests installs it') from None
    if status != 0:
        raise Unavailable(f'{" ".join(map(str, command[:3]))}... failed; what it said is in {log}')


def codename():
    with open('/etc/os-release', encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('VERSION_CODENAME='):
                return line.partition('=')[2].strip().strip('"')
    raise Unavailable('this is no Debian: source packages cannot be fetched')


def fetch(package, house, log):
    """Fetch and unpack a source package; returns the directory it is in."""
    apt = house / 'apt'
    (apt / 'lists' / 'partial').mkdir(parents=True, exist_ok=True)
    (apt / 'sources.list').write_text(
        f'deb-src [signed-by={KEYRING}] {MIRROR} {codename()} main\n')
    options = [f'-oDir::Etc::SourceList={apt}/sources.list', '-oDir::Etc::SourceParts=/dev/null',
               f'-oDir::State::Lists={apt}/lists', f'-oDir::Cache={apt}',
               '-oAPT::Sandbox::User=', '-q']
    unpacked = house / package
    unpacked.mkdir(parents=True, exist_ok=True)
    quietly(log, ['apt-get', *options, 'update'], unpacked)
    quietly(log, ['apt-get', *options, 'source', package], unpacked)
    trees = [path for path in unpacked.iterdir() if path.is_dir()]
    if len(trees) != 1:
        raise Unavailable(f'{unpacked} should hold one source tree; remove it and try again')
    return trees[0]


def built(package, build_dir, commands, program):
    """The path of a program of a source package, which is built if it was not yet.

    Commands are run in the source tree; a stamp says that all of them succeeded.
    """
    house = build_dir / 'tests' / 'suites'
    stamp = house / f'{package}.built'
    if not stamp.exists():
        house.mkdir(parents=True, exist_ok=True)
        log = house / f'{package}.out'
        print(f'fetching and building {package}', flush=True)
        subprocess.run(['rm', '-rf', house / package], check=True)
        log.unlink(missing_ok=True)
        tree = fetch(package, house, log)
        for command in commands:
            quietly(log, command, tree)
        stamp.write_text(os.fspath(tree))
    return pathlib.Path(stamp.read_text()) / program
